"""A note in a terminal, with Rich. Everything that is not ours is a `Text`, so no markup in it is ever read."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from assistant.core.draft import Claim
from assistant.core.hypothesis import rivals
from assistant.core.inert import inert, visible
from assistant.core.note import Note
from assistant.core.time import clock, iso
from assistant.render.words import duration, hypothesis_words, impact_words, sparkline

_COLOURS = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "green"}
_SHOWN_CAUSES = 4
_SHOWN_CHARTS = 3
_SHOWN_SERIES = 2
_SPARK = 36


def show(note: Note, console: Console) -> None:
    """Print the note: what goes on, since when, what it costs, why, what to do, what is missing, where it stands."""
    console.print(
        Panel(Group(*_head(note)), title=Text(str(note.incident_id)), title_align="left", border_style=_colour(note))
    )
    for title, body in _sections(note):
        console.print(Text(title, style="bold"))
        console.print(Padding(body, (0, 0, 1, 2)))
    console.print(_foot(note))


def _colour(note: Note) -> str:
    return "green" if note.status in {"nothing wrong now", "resolved", "merged"} else _COLOURS[note.severity]


def _head(note: Note) -> Iterable[RenderableType]:
    yield _plain(note.title, style="bold")
    line = Text(f"{note.severity} · {note.status}", style=_colour(note))
    if note.since is not None:
        line.append(f" · since {iso(note.since)} ({duration(note.written_at - note.since)})", style="default")
    yield line
    for claim in note.summary:
        yield _claim(claim)


def _sections(note: Note) -> Iterable[tuple[str, RenderableType]]:
    if note.impact:
        yield "Impact", _plain("\n".join(impact_words(note.impact)))
    if note.hypotheses:
        yield "Why", _causes(note)
    if note.cause and note.model:
        # Without a model the reading would only say again what stands under "Why".
        yield "Reading", Group(*map(_claim, note.cause))
    if note.changes:
        yield "Changes", _changes(note)
    if note.charts:
        yield "What moved", _charts(note)
    if note.next_steps:
        name = f" — {note.runbooks[0].title} ({note.runbooks[0].reason})" if note.runbooks else ""
        steps = (Text(f"{i}. ").append(_claim(c)) for i, c in enumerate(note.next_steps, 1))
        yield inert(f"Next steps{name}"), Group(*steps)
    elif note.runbook_none:
        yield "Next steps", Text(note.runbook_none)
    if note.not_known:
        yield "Not known", _plain("\n".join(f"- {n}" for n in note.not_known))
    if note.gaps:
        yield "Could not look at", _plain("\n".join(f"- {g.source}: {g.reason}" for g in note.gaps))
    if note.timeline:
        yield "Timeline", _timeline(note)
    yield "Evidence", _evidence(note)


def _plain(text: str, *, style: str = "") -> Text:
    """Text of others: no escape sequence reaches the terminal, and nothing in it is left to click."""
    return Text(inert(text), style=style)


def _claim(claim: Claim) -> Text:
    text = _plain(claim.text)
    if claim.evidence:
        text.append(f" [{', '.join(claim.evidence)}]", style="dim")
    return text


def _causes(note: Note) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for i, h in enumerate(note.hypotheses[:_SHOWN_CAUSES], start=1):
        table.add_row(Text(f"{i}."), Text(hypothesis_words(h), style="bold" if i == 1 else ""), _plain(h.cause))
        for reason in h.supports[:4]:
            table.add_row("", Text("for", style="green"), _claim(Claim(reason.text, reason.evidence)))
        for reason in h.against[:2]:
            table.add_row("", Text("against", style="yellow"), _claim(Claim(reason.text, reason.evidence)))
        if h.would_settle and h.verdict != "confirmed":
            table.add_row("", Text("would settle", style="dim"), _plain(h.would_settle))
        if i == 2 and rivals(note.hypotheses):
            table.add_row("", Text("1 or 2", style="yellow"), Text("the evidence does not tell them apart"))
    return table


def _changes(note: Note) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    titles = {c.id: c for c in note.change_events}
    for link in note.changes[:4]:
        event = titles.get(link.change_id)
        when = clock(event.t) if event else ""
        said = f"{event.kind} {event.id} of {event.service}: {event.title}" if event else link.change_id
        why = "; ".join((*link.reasons, *(f"but {a}" for a in link.against)))
        table.add_row(Text(when), Text(f"{link.score:.2f}"), _plain(said).append(inert(f"\n{why}"), style="dim"))
    return table


def _charts(note: Note) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(no_wrap=True, width=_SPARK)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    for chart in note.charts[:_SHOWN_CHARTS]:
        for legend, values in list(chart.series.items())[:_SHOWN_SERIES]:
            finite = [float(v) for v in values if v == v]
            span = f"{finite[0]:.3g} → {finite[-1]:.3g} {chart.unit}" if finite else "no samples"
            name = f"{chart.title} {legend}".strip()
            table.add_row(
                _plain(name),
                Text(sparkline([float(v) for v in values], width=_SPARK)),
                Text(span),
                Text(f"[{chart.evidence}]", style="dim"),
            )
    return table


def _timeline(note: Note) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    for event in note.timeline:
        table.add_row(
            Text(clock(event.t), style="dim"),
            _plain(event.text),
            Text(f"[{event.evidence}]" if event.evidence else "", style="dim"),
        )
    return table


def _evidence(note: Note) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    cited = cited_ids(note)
    for e in (e for e in note.evidence if e.id in cited):
        first = e.text.text.splitlines()[0] if e.text.text else ""
        table.add_row(Text(e.id, style="bold"), _plain(first[:160]).append(f"\n{visible(e.query[:200])}", style="dim"))
    return table


def cited_ids(note: Note) -> frozenset[str]:
    """The evidence that something in the note stands on; the rest is in the JSON and on the page."""
    claims = [*note.summary, *note.cause, *note.next_steps]
    reasons = [r for h in note.hypotheses[:_SHOWN_CAUSES] for r in (*h.supports, *h.against)]
    ids = {i for c in claims for i in c.evidence} | {i for r in reasons for i in r.evidence}
    return frozenset(ids | {c.evidence for c in note.changes} | {e.evidence for e in note.timeline if e.evidence})


def _foot(note: Note) -> Text:
    by = f"drafted by {note.model.name}" if note.model else f"drafted without a model: {note.without_model}"
    removed = sum(note.redactions.values())
    classes = ", ".join(f"{k} {v}" for k, v in note.redactions.items())
    text = Text(f"{by} · read-only · {removed} values redacted" + (f" ({classes})" if classes else ""), style="dim")
    if note.struck:
        text.append(f" · {len(note.struck)} claims struck")
    if note.record:
        text.append(f"\nrecord {note.record.index} · checkpoint {note.record.tree_size} {note.record.root[:16]}…")
    elif note.record_missing:
        text.append(f"\nnot recorded: {note.record_missing}", style="bold red")
    for warning in note.warnings:
        text.append(inert(f"\n{warning}"), style="yellow")
    return text
