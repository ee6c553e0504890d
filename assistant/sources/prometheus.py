"""Prometheus and what speaks its API (Thanos, Mimir, VictoriaMetrics): metrics, rules, active alerts. Read-only.

`query` and `query_range` go through prometheus-api-client over our session, everything else through the session itself.
Before a range query, the raw series behind it are counted; over the series budget the largest by mean are kept and the
rest counted. Warnings of the server become notices: an answer of a part of the shards must not pass for the whole.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Floats, Gap, MetricInfo, Series
from assistant.core.query import Query, Select, TopK
from assistant.core.time import Window
from assistant.errors import SourceError, SourceMalformed, SourceTimeout, SourceTooLarge
from assistant.settings import Endpoint
from assistant.sources.alert_json import Active, active_alerts_of, active_of, data_of, fired_of, rules_of
from assistant.sources.budget import Budget
from assistant.sources.door import Door
from assistant.sources.evaluate import largest
from assistant.sources.guarded_http import accepted
from assistant.sources.matrix import matrix_of, vector_of
from assistant.sources.metric_budget import (
    RangeRequest,
    affordable,
    bounded,
    held,
    held_expression,
    reach_of,
    selects_of,
)
from assistant.sources.metric_discovery import discovered
from assistant.sources.promql import duration, labels_of, narrowed, render, selecting
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import PROMETHEUS
from redaction import Redactor

SOURCE = "prometheus"
NARROW = 6000
"""A query that names its series by their labels is used up to this length; proxies cut lines at 8 KB."""
T = TypeVar("T")
Rows = tuple[Sequence[Mapping[str, str]], Floats]


class Prometheus:
    """MetricSource, and the rules and active alerts that an AlertSource needs. Made by `from_settings`."""

    def __init__(self, session: ReadOnlySession, limits: Endpoint, redactor: Redactor, budget: Budget | None) -> None:
        self.session = session
        self.limits = limits
        self._door = Door(SOURCE, redactor)
        self._budget = budget
        self._notices: dict[str, None] = {}
        self._counted: dict[tuple[str, Window], float] = {}
        self._turns: dict[tuple[str, Window], threading.Lock] = {}
        self._lock = threading.Lock()

    @classmethod
    def from_settings(cls, endpoint: Endpoint, *, redactor: Redactor) -> Prometheus:
        """Raises SettingsError."""
        return cls(ReadOnlySession(SOURCE, endpoint, PROMETHEUS), endpoint, redactor, None)

    def for_incident(self, *, redactor: Redactor, budget: Budget | None = None) -> Prometheus:
        """The same server for one incident: its redactor, its budget, our connections."""
        return Prometheus(self.session, self.limits, redactor, budget)

    @property
    def redactions(self) -> Mapping[str, int]:
        return self._door.counts

    def notices(self) -> tuple[Gap, ...]:
        """What the server said about its answers since the last look: each is a gap of the note."""
        found, self._notices = tuple(self._notices), {}
        return tuple(Gap(SOURCE, reason) for reason in found)

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        """See `MetricSource.range`. The step may be longer than asked, to hold the point budget: see `Series.t`."""
        asked = selecting(query, self._door.asked)
        held(asked, window, self.limits)
        raw = self._raw(selects_of(asked), window)
        affordable(raw, window.seconds + reach_of(asked), self.limits)
        if isinstance(asked, TopK):
            return self._series(*self._top(asked, window, step))
        most = self.limits.max_series
        over = self._size(render(asked), window) - most if raw > most else 0
        if over > 0:
            labels, v, request, _ = self._top(TopK(most, asked), window, step)
            return self._series(labels, v, request, int(over))
        request = bounded(render(asked), window, step, self.limits)
        labels, v, dropped = matrix_of(self._ranged(request), request, most=most)
        return self._series(labels, v, request, dropped)

    def ask(self, expr: str, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        """Free PromQL from a person or a model, parsed and held to every budget first. Raises SourceError."""
        selects, reach = held_expression(expr, self.limits)
        affordable(self._raw(selects, window), window.seconds + reach, self.limits)
        request = bounded(expr, window, step, self.limits)
        size = self._size(expr, window)
        if size > self.limits.max_series:
            raise SourceTooLarge(SOURCE, f"its answer has {size:.0f} series", mend="sum by fewer labels")
        labels, v, dropped = matrix_of(self._ranged(request), request, most=self.limits.max_series)
        return self._series(labels, v, request, dropped)

    def promql(self, query: Query) -> str:
        return render(query)

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        """Of the metrics worth asking about: those in alerting rules and those that speak of payments come first."""
        found, sizes, left_out = discovered(self, window)
        self._counted |= {(name, window): float(size) for name, size in sizes.items()}
        if left_out:
            self._notices[f"{left_out} metrics were not looked into; those in rules and of payments came first"] = None
        return found(self._door)

    def rules(self) -> tuple[Rule, ...]:
        return rules_of(self._get("/api/v1/rules", {"type": "alert"}), self._door)

    def active(self) -> tuple[Active, ...]:
        """The alerts as Prometheus evaluates them, with the times their conditions began."""
        return active_alerts_of(self._get("/api/v1/alerts"), self._door)

    def alerts(self) -> tuple[Alert, ...]:
        """Firing alerts, for a Prometheus without an Alertmanager of ours to ask. Nothing is known of silences."""
        return fired_of(self._get("/api/v1/alerts"), self._door)

    def rules_and_active(self) -> tuple[tuple[Rule, ...], tuple[Active, ...]]:
        """Both from one answer."""
        document = self._get("/api/v1/rules", {"type": "alert"})
        return rules_of(document, self._door), active_of(document, self._door)

    def data(self, path: str, params: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        """The raw `data` of a listed path: for discovery and doctor, inside this room. Raises SourceError."""
        return data_of(self._get(path, params))

    def instant(self, promql: str, at: float) -> list[tuple[dict[str, str], float]]:
        """A raw instant vector: for this room. Raises SourceError."""
        params = {"time": f"{at:.3f}", "timeout": self._timeout()}
        return vector_of(self._called(lambda client: client.custom_query(promql, params=params)))

    def sizes(self, counting: str, window: Window) -> list[tuple[dict[str, str], float]]:
        """Each series of a counting expression, with its largest value at five moments of the window, ends included.
        For this room. Raises SourceError."""
        request = RangeRequest(counting, window.start, window.end, max(window.seconds / 4, 0.001))
        labels, v, _ = matrix_of(self._ranged(request), request, most=10_000)
        return [(x, float(np.nanmax(row))) for x, row in zip(labels, v, strict=True)]

    def side_by_side(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        """The calls' results in order, run under the endpoint's concurrency. The first error is raised."""
        work = list(calls)
        if len(work) < 2:
            return [call() for call in work]
        with ThreadPoolExecutor(max_workers=min(len(work), max(1, self.limits.concurrency))) as pool:
            return [future.result() for future in [pool.submit(call) for call in work]]

    def _raw(self, selects: Sequence[Select], window: Window) -> float:
        """Raw series behind the selectors: the most that any moment of the window saw."""
        return sum(self.side_by_side([lambda s=s: self._size(render(s), window) for s in selects]))  # type: ignore[misc]

    def _size(self, promql: str, window: Window) -> float:
        """The most series the expression has at one of five moments of the window. Counted once an incident, also when
        several ask at the same time; whole metrics were counted by discovery."""
        with self._lock:
            turn = self._turns.setdefault((promql, window), threading.Lock())
        with turn:
            if (promql, window) not in self._counted:
                found = self.sizes(f"count({promql})", window)
                self._counted[promql, window] = max((size for _, size in found), default=0.0)
            return self._counted[promql, window]

    def _top(
        self, query: TopK, window: Window, step: float
    ) -> tuple[Sequence[Mapping[str, str]], Floats, RangeRequest, int]:
        """The k largest by mean: their names by an instant query, then their samples, then the very ones named."""
        request = bounded(render(query), window, step, self.limits)
        span = max(request.end - request.start, request.step)
        mean = f"avg_over_time(({render(query.of)})[{duration(span)}:{duration(request.step)}])"
        named = [labels for labels, _ in self.instant(f"topk({query.k}, {mean})", request.end)]
        close = render(narrowed(query.of, _values(query.of, named))) if named else ""
        if not named or len(close.encode()) > NARROW:
            close = render(query)  # the largest of each step: never over k at once, more than k over the range
        request = bounded(close, window, step, self.limits)
        labels, v, _ = matrix_of(self._ranged(request), request, most=query.k * 20)
        order = largest(v, [tuple(sorted(x.items())) for x in labels])
        wanted = {frozenset(x.items()) for x in named}
        kept = [i for i in order if frozenset(_nameless(labels[i]).items()) in wanted][: query.k]
        return [labels[i] for i in kept], v[kept], request, 0

    def _series(
        self, labels: Sequence[Mapping[str, str]], v: Floats, request: RangeRequest, dropped: int
    ) -> tuple[tuple[Series, ...], int]:
        t: Floats = request.start + request.step * np.arange(request.points, dtype=np.float64)
        return tuple(Series(self._door.labels(x), t, row) for x, row in zip(labels, v, strict=True)), dropped

    def _ranged(self, request: RangeRequest) -> Any:
        moments = (datetime.fromtimestamp(request.start, UTC), datetime.fromtimestamp(request.end, UTC))
        params = {
            "start": f"{request.start:.3f}",
            "end": f"{request.end:.3f}",
            "step": f"{request.step:.3f}",
            "timeout": self._timeout(),
        }
        promql = request.promql
        return self._called(lambda client: client.custom_query_range(promql, *moments, step="", params=params))

    def _called(self, call: Callable[[Any], Any]) -> Any:
        """One call of prometheus-api-client. Its errors become ours; what it drops is read from the session."""
        from prometheus_api_client import PrometheusConnect
        from prometheus_api_client.exceptions import PrometheusApiClientException
        from urllib3.util.retry import Retry

        client = PrometheusConnect(self.session.base, session=self.session, retry=Retry(total=0))
        try:
            with self.session.within(self._budget):
                result = call(client)
        except PrometheusApiClientException:
            raise self._refusal() from None
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            raise SourceMalformed(SOURCE, "the answer is not JSON of the API's shape", mend="check `url`") from None
        self._notice()
        return result

    def _get(self, path: str, params: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        with self.session.within(self._budget):
            answer = self.session.get(self.session.base + path, params=params)
        if answer.status_code != 200:
            raise self._refusal()
        try:
            document = json.loads(answer.content)
        except (ValueError, RecursionError):
            raise SourceMalformed(SOURCE, "the answer is not JSON", mend="check `url`") from None
        if not isinstance(document, dict) or document.get("status") != "success" or "data" not in document:
            raise SourceMalformed(SOURCE, "the answer is not of the API's shape", mend="check `url` and `prefix`")
        self._notice()
        return document

    def _notice(self) -> None:
        last = self.session.last()
        if last is not None and (b'"warnings":[' in last.content or b'"warnings": [' in last.content):
            self._notices["the server warned that an answer may be incomplete"] = None

    def _refusal(self) -> SourceError:
        """What a status other than 200 means. The error's text decides, and is never repeated: it quotes the query."""
        last = self.session.last()
        if last is None:
            return SourceMalformed(SOURCE, "no answer")
        try:
            told = json.loads(last.content)
            kind, text = str(told["errorType"]), str(told["error"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return _status(last)
        if kind in ("timeout", "canceled"):
            return SourceTimeout(SOURCE, "it gave up on the query at its own time limit", mend="narrow the question")
        if "too many samples" in text or "maximum resolution" in text or "limit" in text:
            return SourceTooLarge(SOURCE, "the query is over the server's own limits", mend="narrow the question")
        if kind in ("bad_data", "execution"):
            return SourceMalformed(SOURCE, f"it did not take the query ({kind})", mend="check the expression")
        return _status(last)

    def _timeout(self) -> str:
        """What the server is told: it should stop when we stop listening."""
        left = self.limits.timeout_s if self._budget is None else min(self.limits.timeout_s, self._budget.left(SOURCE))
        return f"{max(1, round(left * 1000))}ms"


def _status(response: Any) -> SourceError:
    try:
        accepted(SOURCE, response)
    except SourceError as error:
        return error
    return SourceMalformed(SOURCE, "the answer is not of the API's shape", mend="check `url` and `prefix`")


def _values(query: Query, named: Sequence[Mapping[str, str]]) -> dict[str, set[str]]:
    """The values each label takes among the series named; a label that some of them lack may also be empty."""
    names = {n for x in named for n in x} & set(labels_of(query) or {n for x in named for n in x})
    return {n: {x.get(n, "") for x in named} for n in names}


def _nameless(labels: Mapping[str, str]) -> dict[str, str]:
    return {n: v for n, v in labels.items() if n != "__name__"}
