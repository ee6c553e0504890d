"""The living note, an answer, and the short messages around them, as Block Kit. Pure; see `elements` for the budgets.

Every function takes a `stamp`: it goes into each `block_id`, which Slack wants new on every update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.core.time import clock, iso
from assistant.render.words import duration
from assistant.slack.card import Card, Line
from assistant.slack.elements import (
    ANSWER_CHARS,
    NOTE_CHARS,
    Block,
    Element,
    Part,
    Purse,
    actions,
    allowed,
    bullets,
    button,
    context,
    cut,
    feedback,
    fit,
    header,
    link,
    one_line,
    rich,
    run,
    section,
)

_BULLETS = 4


@dataclass(frozen=True, slots=True)
class Message:
    """What goes into a post: blocks, and the plain words beside them for notifications."""

    text: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Links:
    """Addresses of ours that buttons may open. `web` is the console's address, or ""."""

    web: str = ""

    def record(self, index: int | None) -> str:
        return f"{self.web.rstrip('/')}/records/{index}" if self.web and index is not None else ""


def note_message(
    card: Card, links: Links, *, stamp: str, updated_at: float, earlier: str = "", linked: bool = False
) -> Message:
    """The incident's one message. `earlier` is the permalink of a message that this one continues; `linked` says that
    it continues one that cannot be linked."""
    purse = Purse(NOTE_CHARS)
    top = f"Alert storm: {card.title}" if card.storm else card.title
    title = f"{card.severity.upper()} · {top}"
    parts = [
        Part(0, (header(f"h-{stamp}", title),)),
        Part(0, (rich(f"s-{stamp}", section(run(_state(card), "bold")), *_alerts(card, purse)),)),
        Part(1, _continued(earlier, linked, stamp)),
        Part(0, _lines(f"w-{stamp}", "", card.summary[: 1 if card.facts else 3], purse)),
        Part(2, _texts(f"i-{stamp}", "Impact", card.impact, purse)),
    ]
    if not card.facts:
        parts += [
            Part(3, _lines(f"c-{stamp}", "Why", card.causes, purse)),
            Part(4, _lines(f"n-{stamp}", "Next", card.steps, purse)),
            Part(5, _texts(f"u-{stamp}", "Not known", card.not_known, purse)),
            Part(6, _texts(f"g-{stamp}", "Could not look at", card.gaps, purse)),
        ]
    parts += [
        Part(1, _texts(f"x-{stamp}", "Warning", card.warnings, purse)),
        Part(0, _action_row(card, links, stamp)),
        Part(2, _judged(card, stamp)),
        Part(0, (context(f"z-{stamp}", footer(card.by, card.without, card.redacted, card.recorded),
                         revision_line(card, updated_at, left_out=purse.spent_out)),)),
    ]  # fmt: skip
    return Message(f"{title}. {_state(card)}", fit(parts))


def footer(by: str, without: str, redacted: int, record: str) -> str:
    """Who drafted it, that we only read, how many values were removed, and where it stands in the log."""
    who = "Drafted by AI" if by else "Drafted by code, no AI"
    values = f"{redacted} value{'' if redacted == 1 else 's'} redacted"
    why = f" ({without})" if without and not by and without != "no model is configured" else ""
    return f"{who}, read-only, {values}, record {record or 'none: the prompt log cannot be written'}{why}"


def revision_line(card: Card, updated_at: float, *, left_out: bool = False) -> str:
    """Slack shows no "(edited)" for blocks, so the message says itself how old it is."""
    final = ", final" if card.over else ""
    more = "; shortened, the whole note is in the record" if left_out else ""
    return f"{card.incident}, rev {card.revision}{final}, updated {clock(updated_at)}{more}"


def short_message(text: str, stamp: str, *, more: Sequence[str] = (), buttons: Sequence[Element] = ()) -> Message:
    """A few words of ours, perhaps with a list and buttons."""
    purse = Purse(NOTE_CHARS)
    said = purse.take(text, 600)
    items = [[run(t)] for t in (purse.take(m, 300) for m in more) if t]
    body = [section(run(said)), *([bullets(items)] if items else [])]
    parts = [Part(0, (rich(f"t-{stamp}", *body),))]
    if buttons:
        parts.append(Part(1, (actions(f"b-{stamp}", *buttons),)))
    return Message(text, fit(parts))


def answer_message(
    said: Mapping[str, Any], links: Links, *, stamp: str, question: str, private: bool = False
) -> Message:
    """The reply to a question: one sentence, at most four points with their evidence, what is not known, where it was
    looked. `said` is the answer as `assistant.ask.answer_to_json` tells it, with `redacted`; `question` the id of the
    question; `private` offers to post it for all."""
    purse = Purse(ANSWER_CHARS)
    claims = [Line(c["text"], tuple(c["evidence"])) for c in said["claims"]]
    first = Line(said["lead"]) if said["lead"] else (claims.pop(0) if claims else Line("Nothing stands out."))
    lead = purse.take(first.text, 400)
    record = str(said["record"] if said["record"] is not None else "")
    by = said["model"]["name"] if said["model"] else ""
    cited = tuple(dict.fromkeys((*first.evidence, *(i for c in claims[:_BULLETS] for i in c.evidence))))
    kinds = {e["id"]: e["kind"] for e in said["evidence"]}
    looked = ", ".join(f"{i} {kinds[i]}" for i in cited if i in kinds)
    buttons = [
        button("Where I looked", "looked", question),
        *_record_button(links, said["record"]),
        *([button("Post to channel", "post_to_channel", f"answer|{question}")] if private else []),
    ]
    parts = [
        Part(0, (rich(f"l-{stamp}", section(run(lead, "bold"), *_refs(first.evidence))),)),
        Part(2, _lines(f"p-{stamp}", "", claims[:_BULLETS], purse)),
        Part(3, _texts(f"u-{stamp}", "Not known", said["not_known"][:3], purse)),
        Part(4, (context(f"e-{stamp}", f"Evidence: {looked}"),) if looked else ()),
        Part(0, (actions(f"a-{stamp}", *buttons),)),
        Part(2, (feedback(f"f-{stamp}", f"q|{question}|{record}|"),)),
        Part(0, (context(f"z-{stamp}", footer(by, said["without_model"], said["redacted"], record)),)),
    ]
    return Message(f"{lead}", fit(parts))


def _state(card: Card) -> str:
    state = card.status
    if card.since is None:
        return f"{state} · {card.severity}"
    return f"{state} · {card.severity} · since {iso(card.since)} ({duration(max(card.written_at - card.since, 0))})"


def _alerts(card: Card, purse: Purse) -> tuple[Element, ...]:
    names = purse.take(", ".join(card.alerts), 200)
    more = f" and {card.more_alerts} more" if card.more_alerts else ""
    return (section(run(f"Alerts: {names}{more}")),) if names else ()


def _continued(earlier: str, linked: bool, stamp: str) -> tuple[Block, ...]:
    if earlier and allowed(earlier, ()):
        return (rich(f"o-{stamp}", section(run("Continues "), link(earlier, "an earlier message"), run("."))),)
    return (
        (rich(f"o-{stamp}", section(run("Continues an earlier message of this incident."))),)
        if earlier or linked
        else ()
    )


def _lines(block_id: str, name: str, lines: Iterable[Line], purse: Purse) -> tuple[Block, ...]:
    items = [[run(text), *_refs(line.evidence)] for line in lines if (text := purse.take(line.text, 420))]
    return _list(block_id, name, items)


def _texts(block_id: str, name: str, texts: Iterable[str], purse: Purse) -> tuple[Block, ...]:
    return _list(block_id, name, [[run(said)] for t in texts if (said := purse.take(t, 260))])


def _list(block_id: str, name: str, items: list[list[Element]]) -> tuple[Block, ...]:
    if not items:
        return ()
    head = (section(run(name, "bold")),) if name else ()
    return (rich(block_id, *head, bullets(items)),)


def _refs(ids: Sequence[str]) -> tuple[Element, ...]:
    said = ", ".join(cut(one_line(i), 12) for i in ids[:6])
    return (run(f" [{said}]", "italic"),) if said else ()


def _judged(card: Card, stamp: str) -> tuple[Block, ...]:
    if card.facts or card.status == "merged":
        return ()
    return (feedback(f"f-{stamp}", f"n|{card.incident}|{card.record_id}|{card.verdict}"),)


def _action_row(card: Card, links: Links, stamp: str) -> tuple[Block, ...]:
    buttons = _buttons(card, links)
    return (actions(f"a-{stamp}", *buttons),) if buttons else ()


def _buttons(card: Card, links: Links) -> list[Element]:
    if card.status == "merged":
        return _record_button(links, card.record)
    value = f"{card.incident}|{card.revision}"
    found = [button("Evidence", "evidence", value)]
    if card.runbook or card.steps:
        found.append(button("Runbook", "runbook", value))
    if card.charts:
        found.append(button("Chart", "chart", value))
    found.append(button("Timeline", "timeline", value))
    if not card.facts:
        found += [
            button("Handover", "handover", value),
            button("Post-incident draft", "post_incident", value),
            button("Update for others", "stakeholder_update", value),
        ]
    return [*found, *_record_button(links, card.record)]


def _record_button(links: Links, index: int | None) -> list[Element]:
    if index is None:
        return []
    url = links.record(index)
    return [button("Open record", "open_record", str(index), url=url)]
