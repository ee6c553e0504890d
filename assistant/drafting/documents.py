"""Handover, post-incident draft and stakeholder update, as Markdown that names its evidence and holds nothing live.

Each is made of a note, whose prose was checked when it was written; with a model, claims that it writes for the paper
are checked against the note's evidence and replace that prose. Headings are ours; everything else is inert and escaped
for Markdown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.core.draft import Claim, Draft, Written
from assistant.core.inert import inert
from assistant.core.note import Note
from assistant.core.paper import PaperKind
from assistant.core.prompt import Context, Task
from assistant.core.time import iso
from assistant.drafting.build import Restorer
from assistant.drafting.check import known
from assistant.drafting.draft import tell
from assistant.drafting.names import mentioned
from assistant.drafting.pointing import claim
from assistant.ports import Model


@dataclass(frozen=True, slots=True)
class Document:
    """Markdown, and how it was written: by which model, or why by none."""

    text: str
    written: Written


_INTERNAL = re.compile(
    r"\b(?:acquirer|issuer|service|deploy|commit|pod|host|log|logs|metric|runbook|alert|database|latency|queue|bin|"
    r"response code|rc|api|gateway)s?\b|[_=]|\w-\w+-?\w*-(?:api|service|gateway)",
    re.IGNORECASE,
)
_MARKDOWN = re.compile(r"([\\`*_{}\[\]#|~!])")


def document(
    kind: PaperKind, note: Note, context: Context, *, model: Model | None = None, scanner: Restorer | None = None
) -> Document:
    """One of the three papers, and how it was written. `model` needs `scanner`."""
    written = _written(kind, note, context, model, scanner)
    return Document(_LAYOUTS[kind](note, context, written), written)


def handover(note: Note, context: Context, *, model: Model | None = None, scanner: Restorer | None = None) -> str:
    """Conditions, Actions, Needs: what the next shift must know."""
    return document("handover", note, context, model=model, scanner=scanner).text


def post_incident(note: Note, context: Context, *, model: Model | None = None, scanner: Restorer | None = None) -> str:
    """The first draft of a review: what happened, what it cost, why as far as evidence goes, and what is open."""
    return document("post_incident", note, context, model=model, scanner=scanner).text


def stakeholder_update(
    note: Note, context: Context, *, model: Model | None = None, scanner: Restorer | None = None
) -> str:
    """What cardholders and merchants notice, without internals: a sentence that names any is left out."""
    return document("stakeholder_update", note, context, model=model, scanner=scanner).text


def _handover(note: Note, context: Context, written: Written) -> str:
    draft = written.draft if _own_prose(written, note) else _handover_draft(note, written.draft)
    return _document(
        f"Handover: {note.title}",
        note,
        written,
        ("Conditions", _lines(draft.summary)),
        ("Actions", _lines(draft.cause) or ["- Nothing was done by the assistant: it only reads."]),
        ("Needs", _lines(draft.next_steps) or ["- Nothing is asked for."]),
        ("Not known", _plain(draft.not_known)),
    )


def _post_incident(note: Note, context: Context, written: Written) -> str:
    draft = written.draft
    questions = [f"- {_md(h.would_settle)}" for h in note.hypotheses[:3] if h.would_settle]
    return _document(
        f"Post-incident draft: {note.title}",
        note,
        written,
        ("What happened", _lines(draft.summary)),
        ("Impact", _impact(note)),
        ("Timeline", [f"- {iso(e.t)} {_md(e.text)}{_ids([e.evidence] if e.evidence else [])}" for e in note.timeline]),
        ("Cause, as far as the evidence goes", _lines(draft.cause) or ["- Not settled."]),
        ("To find out", [*(_lines(draft.next_steps) if _own_prose(written, note) else []), *questions]),
        ("Not known", _plain(draft.not_known)),
        ("Evidence", [f"- {e.id} {e.kind}: {_md(e.query)}" for e in note.evidence]),
    )


def _stakeholder_update(note: Note, context: Context, written: Written) -> str:
    entities = known(context).entities
    said = [c for c in written.draft.summary if _own_prose(written, note) and not internal(c.text, entities)]
    said = said or [c for c in _noticed(note, context) if not internal(c.text, entities)]
    over = note.findings.health in ("healthy", "recovered") or note.status == "resolved"
    state = "It is over, as far as can be measured." if over else "It still goes on. We are working on it."
    lines = [_md(c.text) for c in said] or ["Some card payments may fail. How many is not known yet."]
    return "\n".join(["# Payment disruption", "", *lines, "", state, ""])


_LAYOUTS: Mapping[PaperKind, Callable[[Note, Context, Written], str]] = {
    "handover": _handover,
    "post_incident": _post_incident,
    "stakeholder_update": _stakeholder_update,
}


def internal(text: str, entities: Iterable[str]) -> bool:
    """Whether a sentence speaks of things inside the house or names a party."""
    return _INTERNAL.search(text) is not None or bool(mentioned(text, entities))


def _written(task: Task, note: Note, context: Context, model: Model | None, scanner: Restorer | None) -> Written:
    """The model's checked claims for this paper; where there are none, the prose of the note, which was checked when
    it was written, and why the model gave nothing."""
    standing = Written(
        Draft(note.title, note.summary, note.cause, note.next_steps, note.not_known), note.model, note.without_model
    )
    if model is None or scanner is None:
        return standing
    told = tell(task, context, model, scanner=scanner).written
    return (
        told
        if told.model
        else replace(standing, model=None, without_model=told.without_model, struck=told.struck, spent=told.spent)
    )


def _own_prose(written: Written, note: Note) -> bool:
    """Whether a model wrote for this paper, and not for the note."""
    return written.model is not None and written.model is not note.model


def _handover_draft(note: Note, draft: Draft) -> Draft:
    """State and cause are conditions; actions are what the timeline shows; next steps are needs."""
    done = [Claim(e.text, (e.evidence,) if e.evidence else ()) for e in note.timeline if _acted(e.text)]
    return replace(draft, summary=(*draft.summary, *draft.cause[:2]), cause=tuple(done))


def _acted(text: str) -> bool:
    return re.match(r"(?:deploy|rollback|config|flag|failover|maintenance|silence)\b", text) is not None


def _noticed(note: Note, context: Context) -> Iterable[Claim]:
    facts, impact = known(context), note.impact
    if impact is None or impact.lost <= 0:
        return
    since = f" since {iso(note.since)[11:16]} UTC" if note.since is not None else ""
    share = max(impact.usual_rate - impact.seen_rate, 0.0)
    texts = (
        f"More card payments than usual are declined{since}: about {impact.lost:,.0f} so far.",
        f"More card payments than usual are declined: about {impact.lost:,.0f} so far.",
        "More card payments than usual are declined.",
    )
    made = claim(texts, impact.evidence, facts)
    if made and share > 0:
        yield made


def _document(title: str, note: Note, written: Written, *sections: tuple[str, Sequence[str]]) -> str:
    by = (
        f"drafted by {_md(written.model.name)}"
        if written.model
        else f"drafted without a model: {_md(written.without_model)}"
    )
    record = f"record {note.record.index}" if note.record else "no record"
    head = [
        f"# {_md(title)}",
        "",
        f"{note.severity}, {note.status}, revision {note.revision}, {iso(note.written_at)}",
        "",
    ]
    body = [line for name, lines in sections if lines for line in (f"## {name}", "", *lines, "")]
    foot = f"Incident {_md(note.incident_id)}; {by}; {record}. The assistant only reads."
    return "\n".join([*head, *body, foot, ""])


def _impact(note: Note) -> list[str]:
    impact = note.impact
    if impact is None:
        return ["- Not measured."]
    money = [f"- At risk: {c} {a:,.2f}" for c, a in sorted(impact.amounts.items())]
    window = f"{iso(impact.window.start)} to {iso(impact.window.end)}"
    rates = f"{impact.usual_rate:.1%} usual, {impact.seen_rate:.1%} seen"
    counted = f"- {impact.lost:,.0f} authorisations lost of {impact.attempts:,.0f} attempts, {window} ({rates})"
    return [counted, *money, f"- How it was counted: {_md(impact.formula)}"] if impact.formula else [counted, *money]


def _lines(claims: Iterable[Claim]) -> list[str]:
    return [f"- {_md(c.text)}{_ids(c.evidence)}" for c in claims]


def _plain(texts: Iterable[str]) -> list[str]:
    return [f"- {_md(t)}" for t in texts]


def _ids(ids: Iterable[str]) -> str:
    joined = ", ".join(ids)
    return f" ({joined})" if joined else ""


def _md(text: str) -> str:
    """Inert, on one line, and with Markdown's own characters escaped; placeholders keep their form in code marks."""
    return _MARKDOWN.sub(r"\\\1", " ".join(inert(text).split())).replace("<", "&lt;")
