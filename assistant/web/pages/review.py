"""The daily review (PCI DSS 10.4.1): exceptions as a queue, taken, accepted or flagged, each a record."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from assistant.errors import UsageError
from assistant.promptlog import review
from assistant.promptlog.duties import Hands
from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Gone
from assistant.promptlog.review import RULES, Task
from assistant.promptlog.store import Filter
from assistant.web.pages.record_view import line
from assistant.web.pages.render import Ask, page, see

SHOWN = 100
STATES = ("open", "taken", "flagged", "accepted")
ACTIONS = ("next", "take", "screen", "accept", "flag")
WHY = {rule.name: rule.why for rule in RULES}


def review_queue(ask: Ask) -> Response:
    """What is to do, by state, oldest first; the record at hand is the one that `record` names."""
    log = ask.desk.log()
    stands = ask.desk.queue.look(log)
    chosen = ask.word("state", among=STATES)
    all_of_them = stands.tasks
    mine = set(log.pseudonyms_of(ask.person.id))
    at_hand = next((t for t in all_of_them if t.state == "taken" and t.by in mine), None)
    hands = Hands(log, ask.person.id, alone=ask.person.alone)
    wanted = [t for t in all_of_them if t.state == chosen] if chosen else [t for t in all_of_them if _todo(t)]
    return page(
        ask, "review.html", progress=stands.progress, count=len(wanted),
        tasks=[_shown(log, t, mine, hands) for t in wanted[:SHOWN]],
        at_hand=_shown(log, at_hand, mine, hands) if at_hand else None, states=STATES, chosen=chosen, why=WHY,
        flags=_reasons(log) if chosen == "flagged" else {},
    )  # fmt: skip


def _todo(task: Task) -> bool:
    return task.state in ("open", "taken")


def _shown(log: Log, task: Task, mine: set[str], hands: Hands) -> dict[str, Any]:
    record = log.get(task.index)
    return {
        "task": task,
        "row": line(record),
        "why": [WHY.get(r, r) for r in task.rules],
        "bar": hands.bar(record) if _todo(task) else "",
        "mine": task.by in mine,
    }


def _reasons(log: Log) -> dict[str, str]:
    """Why each flagged record was flagged."""
    found: dict[str, str] = {}
    for record in log.search(Filter(events=(Event.AUDIT_REVIEW.value,))):
        if record.facts.get("kind") == "flag" and "reason" in record.bodies:
            body = log.body(record, "reason")
            text = f"[{body.reason.value}]" if isinstance(body, Gone) else body.decode("utf-8", "replace")
            found[str(record.facts.get("record"))] = text
    return found


def review_step(ask: Ask) -> Response:
    """Next, take, screen, accept or flag."""
    log, action = ask.desk.log(), ask.word("action", among=ACTIONS)
    who: dict[str, Any] = {"identity": ask.person.id, "origin": "web", "alone": ask.person.alone}
    if action == "screen":
        review.screen(log, identity=ask.person.id, origin="web")
        return see("/review")
    if action == "next":
        review.take_next(log, **who)
        return see("/review#at-hand")
    which = ask.word("record")
    if action not in ("take", "accept", "flag") or not which:
        raise UsageError("say what to do with which record")
    if action == "take":
        review.take(log, which, **who)
    elif action == "accept":
        review.accept(log, which, **who)
    else:
        review.flag(log, which, reason=ask.given.get("reason", "")[:4000], **who)
    return see("/review#at-hand")
