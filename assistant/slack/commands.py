"""`/triage`: what a person typed, read into a command. Pure; `room` does it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from assistant.errors import UsageError

Verb = Literal["help", "status", "merge", "split", "mute", "unmute", "show", "report", "ask"]
_VERBS: dict[str, Verb] = {
    "": "help", "help": "help", "status": "status", "merge": "merge", "split": "split", "mute": "mute",
    "unmute": "unmute", "show": "show", "report": "report",
}  # fmt: skip
_SPAN = re.compile(r"(\d{1,4})\s*(m|min|h|d)")
_SECONDS = {"m": 60, "min": 60, "h": 3600, "d": 86400}
_INCIDENT = re.compile(r"inc-[a-z2-9]{6}")
LONGEST_S = 86_400


@dataclass(frozen=True, slots=True)
class Command:
    """`words` are what stands after the verb; for "ask" the whole target. `seconds` is how far to look, 0 for not
    said; for "report" the days."""

    verb: Verb
    words: tuple[str, ...] = ()
    seconds: float = 0.0


def parse(text: str) -> Command:
    """`text` is redacted already. Raises UsageError with the way to write it."""
    words = text.split()
    verb = _VERBS.get(words[0].lower() if words else "", "ask")
    rest = words[1:] if verb != "ask" else words
    match verb:
        case "help" | "status":
            return Command(verb)
        case "merge":
            _exactly(2, rest, "/triage merge inc-kept inc-other")
            return Command(verb, (_incident(rest[0]), _incident(rest[1])))
        case "split":
            if len(rest) < 2:
                raise UsageError("what to split is missing", mend="/triage split inc-abcdef ALERT [ALERT…]")
            return Command(verb, (_incident(rest[0]), *rest[1:]))
        case "mute" | "unmute" | "show":
            _exactly(1, rest, f"/triage {verb} inc-abcdef")
            return Command(verb, (_incident(rest[0]),))
        case "report":
            days = rest[0] if rest else "7"
            if not days.isdigit() or not 1 <= int(days) <= 92:
                raise UsageError("a report covers 1 to 92 days", mend="/triage report 7")
            return Command(verb, seconds=86400.0 * int(days))
    span = _SPAN.fullmatch(rest[-1]) if len(rest) > 1 else None
    seconds = min(int(span[1]) * _SECONDS[span[2]], LONGEST_S) if span else 0
    return Command("ask", tuple(rest[:-1] if span else rest), float(seconds))


def question_of(command: Command) -> str:
    """The command as a question, for what no incident knows."""
    span = f" in the last {command.seconds / 60:.0f} minutes" if command.seconds else ""
    return f"What is happening with {' '.join(command.words)}{span}?"


def _exactly(count: int, words: list[str], how: str) -> None:
    if len(words) != count:
        raise UsageError(f"{count} id{'s are' if count > 1 else ' is'} wanted, {len(words)} given", mend=how)


def _incident(word: str) -> str:
    if not _INCIDENT.fullmatch(word.lower()):
        raise UsageError("this is no incident id", mend="it looks like inc-abcdef and stands in each note")
    return word.lower()
