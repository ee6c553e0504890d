"""A runbook to begin with: the form of `runbooks/README.md` with what belongs under each heading as a comment."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping

from assistant.errors import RunbookIndexError
from assistant.runbook_index.document import FRONT_MATTER, words

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_:.-]{0,99}")
ASKS: Mapping[str, str] = {
    "Meaning": "What is the number, what is usual, and what does the alert not mean? Use the words that people use.",
    "Impact": "Who cannot pay, what is charged twice or late, what does it cost? In money and card terms.",
    "Diagnosis": "A numbered list, what decides most first. Queries in promql, logql or sql fences, read-only.",
    "Whose fault is it": "One line each: ours, issuer, scheme, acquirer, merchant. By what can be seen.",
    "Mitigation": "A numbered list for people. Every step says its Risk. What changes anything: ```sh changes",
    "Escalation": "Roles as CONTACT(role), and what to tell them.",
}


def skeleton(alert: str, *, service: str, owner: str, today: dt.date) -> str:
    """The text of a new runbook for `alert`, every section still to be written. Raises RunbookIndexError."""
    for text in (alert, service, owner):
        _usable(text)
    heads = (f"{'###' if h == 'Whose fault is it' else '##'} {h}\n\n<!-- {ask} -->\n" for h, ask in ASKS.items())
    front = f"---\nalertnames: [{alert}]\nservices: [{service}]\nsymptoms: []\nseverity: warning\nowner: {owner}\n"
    return f"{front}reviewed: {today.isoformat()}\n---\n\n# {words(alert)}\n\n" + "\n".join(heads)


def copied(text: str, alert: str, *, service: str, owner: str, today: dt.date) -> str:
    """A shipped runbook as a team's own: other alert, service and owner, dated today, no longer generic; `related` is
    left out, because those alerts have no runbook in the new folder. Raises RunbookIndexError."""
    for value in (alert, service, owner):
        _usable(value)
    found = FRONT_MATTER.match(text)
    if found is None:
        raise RunbookIndexError("the runbook to copy has no front matter", mend="name another one to --like")
    new = {"alertnames": f"[{alert}]", "services": f"[{service}]", "owner": owner, "reviewed": today.isoformat()}
    lines = [line for line in found[1].splitlines() if not line.startswith(("generic:", "related:"))]
    front = [f"{key}: {new[key]}" if (key := line.partition(":")[0]) in new else line for line in lines]
    return "---\n" + "\n".join(front) + "\n---\n" + text[found.end() :]


def _usable(value: str) -> None:
    if not NAME.fullmatch(value):
        raise RunbookIndexError(f"{value!r} is no name", mend="letters, digits, `_`, `-`, `.` and `:`, a letter first")
