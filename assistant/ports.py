"""What the straight line needs from outside, as protocols. Adapters implement them; fakes in `tests/fakes` do too.

Every text an implementation returns has crossed a `redaction.Redactor`; every error it raises is in `assistant.errors`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from assistant.core.alert import Alert, Rule
from assistant.core.draft import Draft, ModelUse, Written
from assistant.core.evidence import Change, LogEvidence, MetricInfo, Series, Topology
from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.core.prompt import Context, Prompt
from assistant.core.query import Matcher, Query
from assistant.core.runbook import RunbookAnswer
from assistant.core.time import Instant, Window
from assistant.promptlog.record import Entry, Receipt


@runtime_checkable
class Clock(Protocol):
    def now(self) -> Instant: ...


class AlertSource(Protocol):
    """Alerts as they stand, and the rules behind them."""

    def alerts(self) -> tuple[Alert, ...]: ...

    def rules(self) -> tuple[Rule, ...]: ...


class MetricSource(Protocol):
    """Metrics by the algebra of `assistant.core.query`. Budgets (points, series, bytes, time) are the adapter's."""

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        """The metrics there are, with types and labels. Raises SourceError."""
        ...

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        """Series at `window.start, +step, …` and how many the series budget dropped. Raises SourceError."""
        ...

    def promql(self, query: Query) -> str:
        """The query as people can paste it into Prometheus."""
        ...


class LogSource(Protocol):
    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        """Stream label names and (some of) their values. Raises SourceError."""
        ...

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        """Redacted lines that match a selective matcher and any of `contains` (case-insensitive), in time order; lines
        over `limit` are counted in `dropped`. The evidence id is given when collected. Raises SourceError."""
        ...


class ChangeSource(Protocol):
    def changes(self, window: Window) -> tuple[Change, ...]: ...

    def topology(self) -> Topology: ...


class RunbookIndex(Protocol):
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
        """Exact by `runbook_url`, then alert name, then by meaning; or why none fits. Where `kind` says what sort of
        failure it is, a runbook for that goes first; `also` are the runners-up. Raises RunbookIndexError."""
        ...


class Model(Protocol):
    """A language model behind the gate: no request leaves before its record is durable."""

    def complete(self, prompt: Prompt) -> tuple[Draft, ModelUse]:
        """Raises ModelError (never anything else) and LogUnavailable when the log cannot take the request."""
        ...


class Writer(Protocol):
    """Turns a context into checked prose, with a model or without; never raises for a model's sake."""

    def __call__(self, context: Context) -> Written: ...


class PromptLog(Protocol):
    """Append-only and tamper-evident; see `assistant.promptlog`. What `append` returned is durable."""

    def append(self, entry: Entry) -> Receipt:
        """Raises LogUnavailable, and from then on always."""
        ...

    def checkpoint(self) -> str:
        """A checkpoint over everything so far, signed now: a C2SP signed note. Raises PromptLogError."""
        ...

    def close(self) -> None:
        """Say that we stop, and let go of the store."""
        ...


class Notebook(Protocol):
    """Where living notes are kept, revision by revision."""

    def put(self, note: Note) -> None: ...

    def latest(self, incident: str) -> Mapping[str, object] | None: ...


class Outlet(Protocol):
    """Somewhere a note is shown: terminal, file, Slack, page. `publish` raises OutletError and may be called again with
    the same revision without showing it twice."""

    def publish(self, note: Note, incident: Incident) -> None: ...
