"""The door that every answer crosses: raw text in, redacted text out, what was removed counted.

A label value that was redacted can be asked for again by its redacted form: the door remembers, in memory only, which
raw values stand behind it, because a server knows nothing of our placeholders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from assistant.core.alert import Labels, frozen
from assistant.core.query import Matcher
from assistant.errors import SourceMalformed
from assistant.sources.promql import re2_escape
from redaction import CardholderFinding, RedactedText, RedactionError, Redactor

MAX_REMEMBERED = 100_000
_CARD_DATA = frozenset({"PAN", "SAD", "TRACK"})


class Door:
    """One per source. Raises SourceMalformed when redaction fails: nothing crosses then."""

    def __init__(self, source: str, redactor: Redactor) -> None:
        self.source = source
        self.counts: Counter[str] = Counter()
        self._redactor = redactor
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._raw: dict[tuple[str, str], set[str]] = {}
        self._card_lines: dict[str, dict[tuple[float | None, str], tuple[datetime | None, RedactedText]]] = {}

    def text(self, raw: str) -> RedactedText:
        return self.texts([raw])[0]

    def texts(self, raw: Sequence[str], seen: Sequence[tuple[str, float | None]] = ()) -> list[RedactedText]:
        """Texts, redacted. `seen` says of each what it is of (a service) and when it was written, for `findings`."""
        try:
            redacted = self._redactor.redact_many(list(raw))
        except RedactionError:
            raise self._failed() from None
        for i, item in enumerate(redacted):
            if item.counts:
                self.counts.update(item.counts)
                if not _CARD_DATA.isdisjoint(item.counts):
                    self._note(item, *(seen[i] if seen else (self.source, None)))
        return redacted

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in what crossed so far, by what it was of and class; a line that was read twice counts once."""
        found: list[CardholderFinding] = []
        for source, lines in sorted(self._card_lines.items()):
            found += self._redactor.findings(source, lines.values())
        return tuple(found)

    def _note(self, item: RedactedText, source: str, at: float | None) -> None:
        lines = self._card_lines.setdefault(source, {})
        if len(lines) < MAX_REMEMBERED:
            when = datetime.fromtimestamp(at, UTC) if at is not None else None
            lines[at, item.text] = (when, item)

    def labels(self, raw: Mapping[str, str]) -> Labels:
        """The label set, each name and value redacted by the rules for labels. Pairs are looked at once."""
        return frozen(dict(self.pair(name, value) for name, value in raw.items()))

    def value(self, name: str, raw: str) -> str:
        """One label value."""
        return self.pair(name, raw)[1]

    def asked(self, matchers: Iterable[Matcher]) -> tuple[Matcher, ...]:
        """Matchers as the server knows them: redacted values replaced by the raw values behind them."""
        return tuple(self._asked(m) for m in matchers)

    def pair(self, name: str, value: str) -> tuple[str, str]:
        """One label, name and value."""
        known = self._pairs.get((name, value))
        if known is None:
            known = self._looked_at(name, value)
            if len(self._pairs) < MAX_REMEMBERED:
                self._pairs[name, value] = known
                if known[1] != value:
                    self._raw.setdefault(known, set()).add(value)
        return known

    def _looked_at(self, name: str, value: str) -> tuple[str, str]:
        try:
            redacted = self._redactor.redact_labels({name: value})
        except RedactionError:
            raise self._failed() from None
        ((new_name, new_value),) = redacted.items()
        if new_value != value:
            self.counts["label"] += 1
        return new_name, new_value

    def _asked(self, matcher: Matcher) -> Matcher:
        if matcher.op in ("=", "!="):
            raw = self._raw.get((matcher.label, matcher.value))
            if not raw:
                return matcher
            alternatives = "|".join(sorted(map(re2_escape, raw)))
            return Matcher(matcher.label, "=~" if matcher.op == "=" else "!~", alternatives)
        behind = [
            re2_escape(value)
            for (name, redacted), raw in self._raw.items()
            if name == matcher.label and redacted in matcher.value
            for value in raw
        ]
        return Matcher(matcher.label, matcher.op, "|".join([matcher.value, *sorted(behind)])) if behind else matcher

    def _failed(self) -> SourceMalformed:
        return SourceMalformed(
            self.source, "an answer could not be redacted and was dropped", mend="see `payops doctor`"
        )
