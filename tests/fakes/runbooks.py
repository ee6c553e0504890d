"""A runbook index that knows what it was given, and keeps what it was asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assistant.core.alert import Alert
from assistant.core.runbook import Passage, RunbookAnswer
from redaction import FinalScanner


class KnownRunbooks:
    """`assistant.ports.RunbookIndex`: exact alert names only; `asked` holds the questions and findings texts."""

    def __init__(self, answers: Mapping[str, RunbookAnswer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, str]] = []

    def find(
        self,
        *,
        alerts: Sequence[Alert],
        question: str,
        findings_text: str,
        k: int = 5,
        kind: str = "",
        also: Sequence[str] = (),
    ) -> RunbookAnswer:
        self.asked.append((question, findings_text))
        found = next((self.answers[a.name] for a in alerts if a.name in self.answers), None)
        return found or RunbookAnswer(none_because="no runbook fits")


def passage(title: str, text: str, *, path: str = "", score: float = 1.0, reason: str = "alert name") -> Passage:
    """A passage whose text has passed the real scanner."""
    where = path or f"{title.replace(' ', '')}.md"
    return Passage(
        f"{where}@0123456789ab#meaning", title, where, "Meaning", FinalScanner().restore(text), score, reason
    )
