"""The port's implementation: exact matches first, then what the ranking finds, or why nothing fits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from assistant.core.alert import Alert
from assistant.core.runbook import Passage, RunbookAnswer
from assistant.errors import RunbookIndexError
from assistant.runbook_index.document import Runbook, Section, words
from assistant.runbook_index.kinds import for_kind
from assistant.runbook_index.library import Library, Redacts, lead, whole
from assistant.runbook_index.ranking import FITS
from assistant.runbook_index.steps import quoted_steps
from assistant.runbook_index.view import Hit, Part, View
from redaction import RedactedText, RedactionError

PASSAGE = 1600
FINDINGS_SHARE = 0.9
SAID = ("summary", "description", "message")


class Index:
    """Implements `assistant.ports.RunbookIndex`. `renew` gives the view of the folders as they are now, or the one it
    was given if nothing changed; questions are answered from the old view until the new one is whole."""

    def __init__(
        self,
        view: View,
        redactor: Redacts,
        *,
        warnings: Sequence[str] = (),
        renew: Callable[[View], View] | None = None,
        close: Callable[[], None] | None = None,
    ) -> None:
        self._view = view
        self._redactor = redactor
        self._warnings = tuple(warnings)
        self._renew = renew
        self._close = close

    @property
    def view(self) -> View:
        """The version that answers now."""
        return self._view

    @property
    def library(self) -> Library:
        return self._view.library

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is not as configured, in words with the mend; empty when all is well."""
        return (*self._warnings, *filter(None, (self._view.trouble,)))

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
        """See the port. One passage a runbook, best first; `next_steps` are quoted from the first."""
        view = self._view
        if not view.library.runbooks:
            return RunbookAnswer(none_because=_why_empty(view.library))
        parts = _parts(alerts, question, findings_text)
        hits = view.named(alerts, question, parts[0].text if parts else "")
        ranked = view.ranked(parts) if len(hits) < k else []
        taken = {hit.number for hit in hits}
        hits += [hit for hit in ranked if hit.number not in taken and hit.score >= FITS]
        others = view.ranked(parts) if kind else []
        hits = for_kind(view.library.runbooks, hits, others, kind, said=findings_text, also=also)
        if not hits:
            return RunbookAnswer(none_because=self._why_none(view, ranked[0] if ranked else None))
        steps = quoted_steps(view.library.runbooks[hits[0].number])
        passages = tuple(self._passage(view, hit) for hit in hits[:k])
        return RunbookAnswer(passages, tuple(self._redact(line) for line in steps))

    def search(self, query: str, k: int = 5) -> tuple[tuple[Passage, ...], float]:
        """The `k` best for a person's words, whether or not they fit, those named there first; and how sure the best
        one is, 0..1."""
        view = self._view
        hits = _all_hits(view, Part(query, "question"))
        return tuple(self._passage(view, hit) for hit in hits[:k]), hits[0].score if hits else 0.0

    def ranking(self, query: str, k: int) -> tuple[tuple[str, float], ...]:
        """Paths and scores for an alert's words, best first: for evaluation."""
        view = self._view
        return tuple((view.library.runbooks[hit.number].path, hit.score) for hit in _all_hits(view, Part(query))[:k])

    def refresh(self) -> bool:
        """Read the folders again; True if a new version took over. Raises RunbookIndexError, and the old one stays."""
        if self._renew is None:
            return False
        new = self._renew(self._view)
        changed = new is not self._view
        self._view = new
        return changed

    def close(self) -> None:
        """Release the store, if one is open."""
        if self._close is not None:
            self._close()

    def _passage(self, view: View, hit: Hit) -> Passage:
        runbook = view.library.runbooks[hit.number]
        section = _best_section(view, runbook, hit)
        anchor = re.sub(r"[^a-z0-9]+", "-", section.heading.lower()).strip("-")
        return Passage(
            id=f"{runbook.id}#{anchor}",
            title=runbook.title,
            path=self._redact(runbook.path).text,
            heading=section.heading,
            text=self._redact(_cut(section.text)),
            score=round(hit.score, 4),
            reason=_reason(view, runbook, hit),
        )

    def _redact(self, text: str) -> RedactedText:
        """The last look: what was stored is redacted already, and a store may have been touched."""
        try:
            return self._redactor.redact(text)
        except RedactionError:
            raise RunbookIndexError("a runbook passage could not be redacted, so it is not shown") from None

    def _why_none(self, view: View, nearest: Hit | None) -> str:
        if nearest is None:
            return "no runbook is for this alert's name, and there were no words to search by"
        title = view.library.runbooks[nearest.number].title
        return f'no runbook fits: the nearest, "{title}", scores {nearest.score:.2f} where {FITS:.2f} is needed'


def _all_hits(view: View, part: Part) -> list[Hit]:
    hits = view.named((), part.text, part.text)
    named = {hit.number for hit in hits}
    return hits + [hit for hit in view.ranked((part,)) if hit.number not in named]


def _parts(alerts: Sequence[Alert], question: str, findings_text: str) -> tuple[Part, ...]:
    """Each alert's words, the question and the findings are queries of their own; joined they dilute each other."""
    said = tuple(Part(text) for text in dict.fromkeys(filter(None, map(_said, alerts))))
    asked = (Part(question.strip(), "question"),) if question.strip() else ()
    findings = (Part(findings_text.strip(), share=FINDINGS_SHARE),) if findings_text.strip() else ()
    return (*said, *asked, *findings)


def _said(alert: Alert) -> str:
    """What an alert says in words: its name split, summary, description."""
    texts = [alert.annotations[key].text for key in SAID if key in alert.annotations]
    return "\n".join((words(alert.name), *dict.fromkeys(texts))).strip()


def _best_section(view: View, runbook: Runbook, hit: Hit) -> Section:
    """The section that says most of the query; the opening one for an exact match, or where none does."""
    written = [s for s in runbook.sections if s.text] or [*runbook.sections, Section((), "", 1)]
    opening = next((s for s in written if s.text == lead(runbook)), written[0])
    if hit.exact or not hit.query:
        return opening
    weights = [sum(view.lexical.weights(hit.query, f"{s.heading}\n{s.text}").values()) for s in written]
    return written[weights.index(max(weights))] if max(weights) else opening


def _reason(view: View, runbook: Runbook, hit: Hit) -> str:
    said = hit.exact
    if not said:
        terms = view.lexical.matched(hit.query, whole(runbook))
        said = f"matched: {', '.join(terms)}" if terms else "near in meaning"
    return f"{said} (generic)" if runbook.generic else said


def _why_empty(library: Library) -> str:
    left_out = len(library.skipped)
    return f"no usable runbook in the folders ({left_out} files left out)" if left_out else "no runbook in the folders"


def _cut(text: str) -> str:
    """Whole lines up to the passage limit, with an ellipsis where something is left out."""
    return text if len(text) <= PASSAGE else "\n".join((*_fitting(text.splitlines()), "…"))


def _fitting(lines: Sequence[str]) -> Iterator[str]:
    size = 0
    for line in lines:
        size += len(line) + 1
        if size > PASSAGE:
            return
        yield line
