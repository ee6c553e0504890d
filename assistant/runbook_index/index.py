"""The port's implementation: exact matches first, then what the ranking finds, or why nothing fits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from assistant.core.alert import Alert
from assistant.core.runbook import Passage, RunbookAnswer
from assistant.errors import RunbookIndexError
from assistant.runbook_index.document import Runbook, Section, words
from assistant.runbook_index.exact import exact_matches, named_in
from assistant.runbook_index.lexical import Floats, Lexical
from assistant.runbook_index.library import Library, Redacts, lead, whole
from assistant.runbook_index.ranking import FITS, fuse
from assistant.runbook_index.steps import quoted_steps
from redaction import RedactedText, RedactionError

PASSAGE = 1600
FINDINGS_SHARE = 0.9
GENERIC_HANDICAP = 0.05
SAID = ("summary", "description", "message")


class Vectors(Protocol):
    """Sentence vectors of every runbook, in the library's order."""

    def similarities(self, query: str) -> tuple[Floats, Floats]:
        """Best cosine over a runbook's chunks, and its opening section's; each of shape (runbooks,)."""
        ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A runbook's place in the ranking: its number in the library, its calibrated score, and why."""

    number: int
    score: float
    reason: str
    query: str


class Index:
    """Implements `assistant.ports.RunbookIndex` over one library. Safe to share between threads: nothing is changed."""

    def __init__(
        self, library: Library, redactor: Redacts, *, vectors: Vectors | None = None, warnings: Sequence[str] = ()
    ) -> None:
        self.library = library
        self.warnings = tuple(warnings)
        self._redactor = redactor
        self._vectors = vectors
        self._lexical: Lexical | None = None

    def find(self, *, alerts: Sequence[Alert], question: str, findings_text: str, k: int = 5) -> RunbookAnswer:
        """See the port. One passage a runbook, best first; `next_steps` are quoted from the first."""
        if not self.library.runbooks:
            return RunbookAnswer(none_because=self._why_empty())
        parts = [(text, 1.0) for text in dict.fromkeys((*map(_said, alerts), question.strip())) if text]
        if findings_text.strip():
            parts.append((findings_text.strip(), FINDINGS_SHARE))
        hits = self._exact(alerts, question, parts[0][0] if parts else "")
        if len(hits) < k:
            taken = {hit.number for hit in hits}
            hits += [hit for hit in self._ranked(parts) if hit.number not in taken and hit.score >= FITS]
        return self._answer(hits[:k], parts)

    def search(self, query: str, k: int = 5) -> tuple[tuple[Passage, ...], float]:
        """The `k` best whether or not they fit, those named in the query first; and how sure the best one is, 0..1."""
        hits = self._exact((), query, query)
        named = {hit.number for hit in hits}
        hits += [hit for hit in self._ranked([(query, 1.0)]) if hit.number not in named]
        return tuple(self._passage(hit) for hit in hits[:k]), hits[0].score if hits else 0.0

    def close(self) -> None:
        """Release the store, if one is open."""

    def _exact(self, alerts: Sequence[Alert], question: str, query: str) -> list[Hit]:
        runbooks = self.library.runbooks
        found: dict[int, str] = {}
        for n, why in (*exact_matches(runbooks, alerts), *named_in(runbooks, question)):
            found.setdefault(n, why)
        return [Hit(n, 1.0, why, query) for n, why in found.items()]

    def _ranked(self, parts: Sequence[tuple[str, float]]) -> list[Hit]:
        """Every runbook, best first: its best score over the parts, each part a query of its own."""
        if not parts or not self.library.runbooks:
            return []
        scores = np.stack([self._scores(text) * share for text, share in parts])
        best, which = scores.max(axis=0), scores.argmax(axis=0)
        order = np.argsort(-(best - self._handicap()), kind="stable")
        return [Hit(int(n), float(best[n]), "", parts[int(which[n])][0]) for n in order]

    def _scores(self, query: str) -> Floats:
        if self._lexical is None:
            self._lexical = Lexical([(lead(r), whole(r)) for r in self.library.runbooks])
        lexical = self._lexical.scores(query)
        return fuse(lexical, *(self._vectors.similarities(query) if self._vectors else (None, None)))

    def _handicap(self) -> Floats:
        generic = np.array([r.generic for r in self.library.runbooks], np.float64)
        return generic * GENERIC_HANDICAP

    def _answer(self, hits: Sequence[Hit], parts: Sequence[tuple[str, float]]) -> RunbookAnswer:
        if not hits:
            nearest = self._ranked(parts)[:1]
            return RunbookAnswer(none_because=self._why_none(nearest[0] if nearest else None))
        best = self.library.runbooks[hits[0].number]
        steps = tuple(self._redact(line) for line in quoted_steps(best))
        return RunbookAnswer(tuple(self._passage(hit) for hit in hits), steps)

    def _passage(self, hit: Hit) -> Passage:
        runbook = self.library.runbooks[hit.number]
        section = self._section(runbook, hit.query)
        name = re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-")
        return Passage(
            id=f"{runbook.id}#{name}",
            title=runbook.title,
            path=self._redact(runbook.path).text,
            heading=section.heading,
            text=self._redact(_cut(section.text)),
            score=round(hit.score, 4),
            reason=self._reason(hit, runbook),
        )

    def _section(self, runbook: Runbook, query: str) -> Section:
        """The section that says most of the query; the opening one where none does."""
        written = [s for s in runbook.sections if s.text] or list(runbook.sections) or [Section((), "", 1)]
        if self._lexical is None or not query:
            return next((s for s in written if s.text == lead(runbook)), written[0])
        weigh = self._lexical.weights
        return max(written, key=lambda s: sum(weigh(query, f"{s.heading}\n{s.text}").values()))

    def _reason(self, hit: Hit, runbook: Runbook) -> str:
        said = hit.reason
        if not said and self._lexical is not None:
            terms = self._lexical.matched(hit.query, whole(runbook))
            said = f"matched: {', '.join(terms)}" if terms else "near in meaning"
        return f"{said} (generic)" if runbook.generic else said

    def _redact(self, text: str) -> RedactedText:
        try:
            return self._redactor.redact(text)
        except RedactionError:
            raise RunbookIndexError("a runbook passage could not be redacted, so it is not shown") from None

    def _why_empty(self) -> str:
        left_out = len(self.library.skipped)
        return (
            f"no usable runbook in the folders ({left_out} files left out)" if left_out else "no runbook in the folders"
        )

    def _why_none(self, nearest: Hit | None) -> str:
        if nearest is None:
            return "no runbook matches the alert's name, and there were no words to search by"
        title = self.library.runbooks[nearest.number].title
        return f'no runbook fits: the nearest, "{title}", scores {nearest.score:.2f} where {FITS:.2f} is needed'


def _said(alert: Alert) -> str:
    """What an alert says in words: its name split, summary, description."""
    texts = [alert.annotations[key].text for key in SAID if key in alert.annotations]
    return "\n".join((words(alert.name), *dict.fromkeys(texts))).strip()


def _cut(text: str) -> str:
    """Whole lines up to the passage limit, with an ellipsis where something is left out."""
    if len(text) <= PASSAGE:
        return text
    return "\n".join((*_fitting(text.splitlines()), "…"))


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > PASSAGE:
            return
        yield line
