"""Text in, `RedactedText` out.

For each view of a text (`views`): find which rules can match (`triggers`), run those, put their hits back on the
original (`resolve`). `Redactor.full()` takes the same rules through Presidio's AnalyzerEngine instead, every rule on
every view; it is the reference, and gives identical output.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from redaction import encodings, packed, values, views
from redaction.cards import Hit
from redaction.findings import CardholderFinding, findings_in
from redaction.keys import KeyTable
from redaction.names import is_bare
from redaction.policy import Policy
from redaction.resolve import merge, replace
from redaction.rules import Rule, build, key_words_of
from redaction.text import RedactedText, RedactedValue, seal
from redaction.tokens import Tokens
from redaction.triggers import Triggers
from redaction.view import View

_PROCESS_KEY = secrets.token_bytes(32)  # token maps of this process only; never written anywhere
_MAX_INCIDENTS = 4096
_DECODERS = {
    "escape": views.ESCAPE_TRIGGER,
    "codes": views.CODES_TRIGGER,
    "base64": encodings.BASE64_TRIGGER,
    "packed": packed.PACKED_TRIGGER,
}

Detector = Callable[[str], list[Hit]]


class Detectors:
    """The compiled rules of one policy. Made once, shared by all redactors of that policy."""

    def __init__(self, rules: Sequence[Rule], *, engine: str | None = None) -> None:
        self.rules = tuple(rules)
        self._finds = tuple(rule.find for rule in self.rules)
        self._names = dict(zip(range(len(self.rules), len(self.rules) + len(_DECODERS)), _DECODERS, strict=True))
        triggers = [rule.triggers for rule in self.rules] + [(pattern,) for pattern in _DECODERS.values()]
        self._fired = Triggers(triggers, engine=engine)

    @property
    def engine(self) -> str:
        return self._fired.engine

    def hits(self, text: str) -> list[Hit]:
        """Hits in `text`, in its own places."""
        view = views.base_view(text)
        fired = self._fired.fired(view.text)
        if not fired:
            return []
        own = len(self._finds)
        hits = _placed(view, (hit for n in fired if n < own for hit in self._finds[n](view.text)))
        if fired[-1] >= own:
            decoders = {self._names[n] for n in fired if n >= own}
            for decoded in views.decoded_views(view, decoders.__contains__):
                found = (
                    hit for n in self._fired.fired(decoded.text) if n < own for hit in self._finds[n](decoded.text)
                )
                hits.extend(_placed(decoded, found))
        return hits


def _placed(view: View, hits: Iterable[Hit]) -> list[Hit]:
    if view.starts is None:
        return list(hits)
    return [Hit(*view.place(h.start, h.end), h.klass, h.value, h.note) for h in hits if h.end > h.start]


class Redactor:
    """Removes card data, authentication data, personal data and secrets, by a policy.

    Safe to share between threads. One redactor is one scope of tokens: equal values get equal tokens in everything it
    redacts. `for_incident` gives the scope of one incident.
    """

    def __init__(self, policy: Policy, *, detect: Detector, scope: Tokens, family: Family) -> None:
        self._policy = policy
        self._detect = detect
        self._tokens = scope
        self._family = family
        self._own = Totals()
        self._keys = key_words_of(policy)

    @staticmethod
    def default() -> Redactor:
        """The shipped policy."""
        return _made(Policy.default(), _shared_detectors().hits)

    @staticmethod
    def from_policy(path: Path | str) -> Redactor:
        """Raises: RedactionError, one line that names the file, the line and the mend."""
        return Redactor.of(Policy.load(path))

    @staticmethod
    def of(policy: Policy, *, rules: Sequence[Rule] | None = None, engine: str | None = None) -> Redactor:
        """A redactor of a policy, or of chosen rules, on a chosen trigger engine ("hyperscan", "re")."""
        if rules is None:
            rules = (*build(policy), *_presidio_rules(policy))
        return _made(policy, Detectors(rules, engine=engine).hits)

    @staticmethod
    def full(policy: Policy | None = None) -> Redactor:
        """The reference path: Presidio's AnalyzerEngine over our registry. Slow; identical output."""
        from redaction.presidio import FullPath

        policy = policy or Policy.default()
        return _made(policy, FullPath(policy).hits)

    @property
    def policy(self) -> Policy:
        return self._policy

    @property
    def policy_version(self) -> str:
        return self._policy.version

    @property
    def policy_hash(self) -> str:
        """SHA-256 of the policy's meaning, hex."""
        return self._policy.hash

    @property
    def counts(self) -> Mapping[str, int]:
        """Values removed by class, by this redactor and the incident redactors made from it, since it was made."""
        return self._family.totals.so_far()

    @property
    def removed(self) -> Mapping[str, int]:
        """Values removed by class by this redactor itself: of an incident's, what was removed while it was looked into
        this time, whatever else the process looks into."""
        return self._own.so_far()

    def for_incident(self, incident_id: str, *, epoch: int = 1) -> Redactor:
        """The redactor of one incident: equal values have equal tokens in all its texts, and in no other incident's.

        Every call with the same id gives the same scope, until `forget`. After a restart the map is gone: give the
        next `epoch`, and tokens carry it.
        """
        return Redactor(
            self._policy, detect=self._detect, scope=self._family.scope(incident_id, epoch), family=self._family
        )

    def forget(self, incident_id: str) -> None:
        """Drop the incident's token map. A later scope of the same id begins the next epoch."""
        self._family.forget(incident_id)

    def redact(self, text: str) -> RedactedText:
        """One text, whole: values that go over its line ends are found.

        Raises: TypeError if `text` is not a str.
        """
        if not isinstance(text, str):
            raise TypeError(f"redact takes a str, not {type(text).__name__}")
        hits = self._detect(text)
        return self._replaced(text, hits) if hits else seal(text)

    def _replaced(self, text: str, hits: list[Hit]) -> RedactedText:
        new, spans = replace(text, merge(hits), self._policy, self._tokens)
        counts: dict[str, int] = {}
        for span in spans:
            counts[span.klass] = counts.get(span.klass, 0) + 1
        self._own.add(counts)
        self._family.totals.add(counts)
        return seal(new, spans=spans, counts=counts)

    def redact_many(self, texts: Sequence[str]) -> list[RedactedText]:
        """Many texts, each for itself, in order."""
        redact = self.redact
        return [redact(text) for text in texts]

    def redact_bytes(self, data: bytes) -> RedactedText:
        """Bytes of unknown encoding: UTF-8, or UTF-16 by its mark or its zeros; what is invalid shows as U+FFFD."""
        return self.redact(values.decoded(data))

    def redact_value(self, obj: Any) -> RedactedValue:
        """A JSON-able structure: keys, values and numbers, each value judged under its own key.

        Raises: RedactionError if it is cyclic, deeper than 200, or holds something that JSON cannot.
        """
        counts: Counter[str] = Counter()
        return RedactedValue(values.Walk(self, counts).value(obj), MappingProxyType(dict(counts)))

    def redact_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Label names and values; a value is judged under its name, which is a thing's unless it says a person's."""
        made = values.Walk(self, Counter(), labels=True).value(dict(labels))
        return {str(key): str(value) for key, value in made.items()}

    def class_of_key(self, key: str) -> str:
        """The class that policy gives to values under `key` (`payment.cardNumber`), or ""."""
        return _key_table(self._policy).klass(key)

    def redact_known(self, text: str, hit: Hit) -> RedactedText:
        """`text` with what `hit` names removed, and whatever else the rules find in it."""
        return self._replaced(text, [hit, *self._detect(text)])

    def redact_named(self, text: str, key: str, *, label: bool = False) -> RedactedText:
        """The value of `key`: under a key of a thing (`acquirer`, `service`) a word is that thing, never a person.
        `label`: the key is a label's, so that one word under it is a thing unless the key is a person's.
        """
        hits = self._detect(text)
        if hits and is_bare(text) and (self._keys.is_thing(key) or (label and self._names_thing(text, key))):
            hits = [hit for hit in hits if hit.klass != "PERSON"]
        return self._replaced(text, hits) if hits else seal(text)

    def _names_thing(self, text: str, key: str) -> bool:
        return not any(map(str.isspace, text)) and not self._keys.is_person(key)

    def findings(
        self, source: str, seen: Iterable[tuple[datetime | None, RedactedText]]
    ) -> tuple[CardholderFinding, ...]:
        """Card data found in what `source` gave: one finding a class, without any value. See `findings`."""
        return findings_in(source, seen)


class Totals:
    """Counts by class, from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def add(self, counts: Mapping[str, int]) -> None:
        with self._lock:
            for klass, count in counts.items():
                self._counts[klass] += count

    def so_far(self) -> Mapping[str, int]:
        with self._lock:
            return MappingProxyType(dict(self._counts))


class Family:
    """What a redactor shares with its incident redactors: scopes by incident, and totals."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.totals = Totals()
        self._scopes: OrderedDict[str, Tokens] = OrderedDict()
        self._gone: dict[str, int] = {}

    def scope(self, incident_id: str, epoch: int) -> Tokens:
        with self._lock:
            known = self._scopes.get(incident_id)
            if known is None or known.epoch < epoch:
                first = max(epoch, self._gone.get(incident_id, 0) + 1)
                known = self._scopes[incident_id] = Tokens(_PROCESS_KEY, f"incident {incident_id}", epoch=first)
            self._scopes.move_to_end(incident_id)
            if len(self._scopes) > _MAX_INCIDENTS:
                self._drop(next(iter(self._scopes)))
            return known

    def forget(self, incident_id: str) -> None:
        with self._lock:
            self._drop(incident_id)

    def _drop(self, incident_id: str) -> None:
        gone = self._scopes.pop(incident_id, None)
        if gone is not None:
            self._gone[incident_id] = gone.epoch


def _made(policy: Policy, detect: Detector) -> Redactor:
    scope = Tokens(_PROCESS_KEY, f"scope {secrets.token_hex(8)}")
    return Redactor(policy, detect=detect, scope=scope, family=Family())


_key_tables: dict[str, KeyTable] = {}


def _key_table(policy: Policy) -> KeyTable:
    """By the policy's hash: a table is a few thousand entries, and the same for every redactor of a policy."""
    table = _key_tables.get(policy.hash)
    if table is None:
        table = _key_tables[policy.hash] = KeyTable(policy.keys)
    return table


@lru_cache(maxsize=1)
def _shared_detectors() -> Detectors:
    policy = Policy.default()
    return Detectors((*build(policy), *_presidio_rules(policy)))


def _presidio_rules(policy: Policy) -> Iterator[Rule]:
    """Presidio's own recognizers that policy chose, imported when first needed."""
    from redaction.chosen import rules_of

    return iter(rules_of(policy))


def _after_fork() -> None:
    """A child process must not go on numbering under the parent's key."""
    global _PROCESS_KEY
    _PROCESS_KEY = secrets.token_bytes(32)


os.register_at_fork(after_in_child=_after_fork)
