"""Sources that are not waited for twice: after a time-out, one incident or question asks that server no more.

A server that took its whole time once will most likely take it again, and people wait for the answer. What was not
asked is a gap like any other, and no record says that it was.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from assistant.core.evidence import LogEvidence, MetricInfo, Series
from assistant.core.query import Matcher, Query
from assistant.core.time import Window
from assistant.errors import SourceNotAsked, SourceTimeout
from assistant.house import Sources
from assistant.ports import LogSource, MetricSource

T = TypeVar("T")
METRIC_TIMEOUTS = 3
"""One slow query of many says little of a metrics server; one slow search says much of a log store."""


def patient_once(sources: Sources) -> Sources:
    """The same sources; logs are given up after one time-out, metrics after three."""
    metrics = _Metrics(sources.metrics, _Circuit("prometheus", METRIC_TIMEOUTS))
    return replace(sources, metrics=metrics, logs=_Logs(sources.logs, _Circuit("loki", 1)))


@dataclass(slots=True)
class _Circuit:
    source: str
    allowed: int
    timeouts: int = 0
    reason: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, work: Callable[[], T]) -> T:
        """Raises SourceNotAsked once too many calls timed out."""
        with self.lock:
            if self.timeouts >= self.allowed:
                raise SourceNotAsked(self.source, f"not asked again: {self.reason}")
        try:
            return work()
        except SourceTimeout as error:
            with self.lock:
                self.timeouts, self.reason = self.timeouts + 1, error.message
            raise


@dataclass(frozen=True, slots=True)
class _Metrics:
    inner: MetricSource
    circuit: _Circuit

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        return self.circuit.call(lambda: self.inner.catalogue(window))

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        return self.circuit.call(lambda: self.inner.range(query, window=window, step=step))

    def promql(self, query: Query) -> str:
        return self.inner.promql(query)


@dataclass(frozen=True, slots=True)
class _Logs:
    inner: LogSource
    circuit: _Circuit

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        return self.circuit.call(lambda: self.inner.labels(window))

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        return self.circuit.call(
            lambda: self.inner.search(selector=selector, window=window, contains=contains, limit=limit, about=about)
        )
