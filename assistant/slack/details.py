"""What a button shows in the thread: evidence, timeline, runbook, documents; and what `/triage` tells. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assistant.core.runbook import Passage
from assistant.slack.blocks import Message
from assistant.slack.elements import (
    Block,
    Element,
    Part,
    Purse,
    actions,
    bullets,
    button,
    context,
    cut,
    fit,
    header,
    one_line,
    preformatted,
    rich,
    run,
    section,
)

_DETAIL_CHARS = 3_000
_DOCUMENT_CHARS = 5_000
_DOCUMENT_PARTS = 4
HELP = (
    "/triage ALERT or SERVICE 30m: what is known of it (the time is optional); only you see it",
    "/triage status: open incidents",
    "/triage merge KEPT OTHER: two incidents become one",
    "/triage split INCIDENT ALERT…: alerts become an incident of their own",
    "/triage mute INCIDENT, /triage unmute INCIDENT: follow it without showing it, or show it again",
    "/triage show INCIDENT: show a note again that was hidden",
    "/triage report 7: notes, judgements and cost of the last days",
    "Or mention me, or write to me directly: ask in your own words. I only read.",
)


def evidence_message(note: Mapping[str, Any], *, stamp: str) -> Message:
    """What the note stands on: id, query and what it showed; cited pieces first."""
    cited = _cited(note)
    ranked = sorted(note["evidence"], key=lambda e: e["id"] not in cited)
    purse = Purse(_DETAIL_CHARS)
    items = []
    for e in ranked[:14]:
        first = e["text"].splitlines()[0] if e["text"] else ""
        query = purse.take(e["query"], 160)
        said = purse.take(first, 200)
        if said or query:
            items.append([run(f"{e['id']} ", "bold"), run(said or "–"), run(f" {query}" if query else " ", "code")])
    left = len(note["evidence"]) - len(items)
    tail = (context(f"z-{stamp}", f"{left} more pieces of evidence are in the record"),) if left > 0 else ()
    return _listed("Evidence", items, stamp, tail)


def timeline_message(note: Mapping[str, Any], *, stamp: str) -> Message:
    purse = Purse(_DETAIL_CHARS)
    items = [
        [run(f"{e['at'][11:19]}Z ", "bold"), run(said + (f" [{e['evidence']}]" if e["evidence"] else ""))]
        for e in note["timeline"][:25]
        if (said := purse.take(e["text"], 200))
    ]
    return _listed("Timeline", items, stamp, ())


def looked_message(said: Mapping[str, Any], *, stamp: str) -> Message:
    """Where an answer was looked for, theories that were left included."""
    purse = Purse(_DETAIL_CHARS)
    items = []
    for look in said["looked_at"][:20]:
        asked, found = purse.take(look["asked"], 160), purse.take(look["found"], 160)
        if asked:
            items.append([run(f"{look['tool']} ", "bold"), run(f"{asked} → {found}")])
    for struck in said["struck"][:4]:
        if text := purse.take(struck["text"], 160):
            items.append([run("left out ", "bold"), run(f"{text} ({struck['rule']})")])
    return _listed("Where I looked", items, stamp, ())


def runbook_message(note: Mapping[str, Any], passages: Sequence[Passage], *, stamp: str) -> Message:
    """The runbook that fits and why, with its words as they stand in the file; else why none does."""
    purse = Purse(_DETAIL_CHARS)
    if not passages:
        why = purse.take(note["runbook_none"] or "No runbook fits.", 300)
        return Message("Runbook", fit([Part(0, (rich(f"r-{stamp}", section(run(why))),))]))
    best = passages[0]
    head = purse.take(f"{best.title}: {best.heading} ({best.reason})", 240)
    body = cut("\n".join(purse.take(line, 400) for line in best.text.text.splitlines() if line.strip()), 2_400)
    others = "; ".join(one_line(f"{p.title}, {p.heading}") for p in passages[1:3])
    parts = [
        Part(0, (rich(f"h-{stamp}", section(run(head, "bold"))),)),
        Part(1, (rich(f"b-{stamp}", preformatted(body or "–")),)),
        Part(2, (context(f"o-{stamp}", f"Also near: {others}"),) if others else ()),
        Part(0, (context(f"z-{stamp}", f"{best.path}"),)),
    ]
    return Message(f"Runbook: {best.title}", fit(parts))


def document_messages(title: str, markdown: str, *, stamp: str, footer: str) -> tuple[Message, ...]:
    """A Markdown document as messages of a thread, headings bold, list items as lists; at most 4, cut with a word."""
    pages = _pages(markdown.splitlines())
    messages = []
    for n, page in enumerate(pages[:_DOCUMENT_PARTS], start=1):
        last = n == min(len(pages), _DOCUMENT_PARTS)
        more = "; shortened, the whole is on the console" if last and len(pages) > _DOCUMENT_PARTS else ""
        tail = (context(f"z{n}-{stamp}", f"{footer}{more}"),) if last else ()
        parts = [Part(0, (rich(f"d{n}-{stamp}", *_elements(page)),)), Part(0, tail)]
        messages.append(Message(title, fit(parts)))
    return tuple(messages)


def status_message(
    rows: Sequence[tuple[str, str, str, str]], *, stamp: str, buttons: Sequence[Element] = ()
) -> Message:
    """Open incidents as (id, severity, title, since)."""
    purse = Purse(_DETAIL_CHARS)
    items = [
        [run(f"{i} ", "bold"), run(f"{severity} · {said} · {since}")]
        for i, severity, title, since in rows[:15]
        if (said := purse.take(title, 140))
    ]
    tail: tuple[Block, ...] = (actions(f"b-{stamp}", *buttons),) if buttons else ()
    left = len(rows) - len(items)
    if left > 0:
        tail = (context(f"z-{stamp}", f"{left} more on the console"), *tail)
    return _listed(f"{len(rows)} open incident{'' if len(rows) == 1 else 's'}", items, stamp, tail)


def help_message(*, stamp: str) -> Message:
    return _listed("What I can do", [[run(line)] for line in HELP], stamp, ())


def case_message(lines: Sequence[str], *, stamp: str) -> Message:
    """A case for the security channel: what was found, where, since when, how much; never a value, never a link."""
    purse = Purse(_DETAIL_CHARS)
    items = [[run(said)] for line in lines[1:] if (said := purse.take(line, 300))]
    parts = [
        Part(0, (header(f"h-{stamp}", lines[0]),)),
        Part(0, (rich(f"c-{stamp}", bullets(items)),) if items else ()),
        Part(0, (context(f"z-{stamp}", "A case to handle (PCI DSS 12.10.7). No value is kept or shown."),)),
    ]
    return Message(lines[0], fit(parts))


REASONS = (
    ("wrong_cause", "Wrong cause"),
    ("missing_evidence", "Missing evidence"),
    ("stale", "Stale"),
    ("too_long", "Too long"),
    ("showed_data", "Showed data it should not"),
)


def feedback_view(metadata: str) -> dict[str, Any]:
    """The modal behind "Not useful"."""
    options = [{"text": {"type": "plain_text", "text": text}, "value": value} for value, text in REASONS]
    return {
        "type": "modal",
        "callback_id": "feedback_reason",
        "private_metadata": metadata,
        "title": {"type": "plain_text", "text": "What was wrong?"},
        "submit": {"type": "plain_text", "text": "Send"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "input",
                "block_id": "reason",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": {"type": "radio_buttons", "action_id": "reason", "options": options},
            },
            {
                "type": "input",
                "block_id": "words",
                "optional": True,
                "label": {"type": "plain_text", "text": "What would have been right?"},
                "hint": {"type": "plain_text", "text": "Card and personal data are removed before it is stored."},
                "element": {
                    "type": "plain_text_input",
                    "action_id": "words",
                    "multiline": True,
                    "max_length": 2000,
                },
            },
        ],
    }


def post_button(what: str) -> Element:
    return button("Post to channel", "post_to_channel", what)


def _listed(title: str, items: list[list[Element]], stamp: str, tail: tuple[Block, ...]) -> Message:
    """A title and a list; where it does not fit, the end of the list goes first."""
    kept = list(items)
    while True:
        body = bullets(kept) if kept else section(run("Nothing."))
        message = Message(title, (rich(f"l-{stamp}", section(run(title, "bold")), body), *tail))
        if len(kept) <= 1 or fit([Part(1, message.blocks[:1]), Part(0, tail)])[: len(message.blocks)] == message.blocks:
            return Message(title, fit([Part(0, message.blocks)]))
        kept = kept[: max(1, len(kept) * 3 // 4)]


def _cited(note: Mapping[str, Any]) -> set[str]:
    claims = [*note["summary"], *note["cause"], *note["next_steps"]]
    ids = {i for c in claims for i in c["evidence"]}
    return ids | {i for h in note["hypotheses"][:2] for i in (*h["evidence"], *h["against"])}


def _pages(lines: Iterable[str]) -> list[list[str]]:
    pages: list[list[str]] = [[]]
    used = 0
    for line in lines:
        # What JSON escapes counts as Slack counts it.
        weight = len(repr(line)) + 120
        if used + weight > _DOCUMENT_CHARS and pages[-1]:
            pages.append([])
            used = 0
        pages[-1].append(line)
        used += weight
    return [p for p in pages if any(line.strip() for line in p)] or [["(empty)"]]


def _elements(lines: Sequence[str]) -> list[Element]:
    found: list[Element] = []
    items: list[list[Element]] = []
    for line in lines:
        said = cut(one_line(_unescaped(line)), 600)
        if line.startswith("- "):
            items.append([run(cut(said[2:], 600) or " ")])
            continue
        if items:
            found.append(bullets(items))
            items = []
        if line.startswith("#"):
            found.append(section(run(f"\n{said.lstrip('# ')}\n", "bold")))
        elif said:
            found.append(section(run(f"{said}\n")))
    if items:
        found.append(bullets(items))
    return found or [section(run("–"))]


def _unescaped(line: str) -> str:
    """Markdown's escapes taken back: rich text has no markup to escape from."""
    return re.sub(r"\\([\\`*_{}\[\]#|~!])", r"\1", line).replace("&lt;", "<")
