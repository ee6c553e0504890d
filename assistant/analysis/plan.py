"""What to ask for: a bounded plan of metric queries and log searches, made before any data is here.

The plan goes from the sure to the possible: what the alert's own rule reads, payments by outcome and by each label that
may explain a drop, latencies, then golden signals (Google SRE book, chapter 6: latency, traffic, errors, saturation)
of every service. Each query carries its `role`, by which `analyse` finds the answer again:

    alert            a metric that the alert's rule reads
    payments         attempts per second, split by the outcome label where there is one
    approved, declined   the same from counters of their own
    amount           money per second
    retries, errors, requests, restarts, flow    counters per second
    latency.p50, latency.p95                     quantiles, in `unit`
    queue, saturation, spare, age, expiry, score, up, gauge    gauges, as they are
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis import words as w
from assistant.analysis.roles import base, guess_roles, is_histogram, is_latency, time_unit
from assistant.analysis.searches import PlannedSearch, plan_log_searches, told
from assistant.core.evidence import MetricInfo, Topology
from assistant.core.incident import Incident
from assistant.core.observations import PaymentsMap
from assistant.core.query import Matcher, Max, Quantile, Query, Rate, Ratio, Select, Sum

__all__ = ["PlannedQuery", "PlannedSearch", "guess_roles", "metric_role", "plan_log_searches", "plan_queries"]

BUDGET = 64
_ORDER = (
    "latency", "errors", "queue", "age", "expiry", "up", "breaker", "retries", "restarts", "fallback", "score",
    "threeds", "duplicates", "reversals", "saturation", "requests", "spare", "gauge", "flow", "amount",
)  # fmt: skip
RATE_SECONDS = 60
SMALL = 80
"""A metric of up to this many series is asked for by all its labels: the odd one out shows at once."""
JOINT_SERIES = 1200
"""A payments metric of up to this many series is asked for by all its dimensions at once, so that pairs can be told."""


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A query with what it measures in a few words, its role (see the module) and the unit of its values."""

    query: Query
    about: str
    role: str
    unit: str


def metric_role(info: MetricInfo) -> str:
    """The role of one metric by name and type; "" for what is not worth a query (sums, counts, build information)."""
    name = set(w.words(info.name))
    if info.name.endswith("_sum") and info.type not in {"histogram"} and name & (w.SCORE | w.LATENCY):
        return "score" if name & w.SCORE else "latency"
    if info.name.endswith(("_sum", "_count", "_created", "_info")) or (
        info.type == "summary" and "quantile" not in info.labels
    ):
        return "requests" if info.name.endswith("_count") and info.type != "histogram" and name & w.REQUESTS else ""
    if is_histogram(info):
        return "latency" if is_latency(info) else "score" if name & w.SCORE else ""
    counter = info.type == "counter" or (info.type == "unknown" and info.name.endswith("_total"))
    ordered: tuple[tuple[str, frozenset[str]], ...]
    if counter:
        ordered = (
            ("retries", w.RETRY), ("restarts", w.RESTART), ("amount", w.AMOUNT), ("errors", w.ERRORS),
            ("fallback", w.FALLBACK), ("duplicates", w.DUPLICATE), ("reversals", w.REVERSAL),
            ("threeds", w.THREEDS), ("requests", w.REQUESTS | w.AUTHORISATION),
        )  # fmt: skip
        return next((role for role, vocabulary in ordered if name & vocabulary), "flow")
    if info.name == "up" or name & {"up", "healthy", "ready", "alive"}:
        return "up"
    ordered = (
        ("expiry", w.EXPIRY), ("breaker", w.BREAKER), ("spare", w.SPARE), ("queue", w.QUEUE), ("restarts", w.RESTART),
        ("limit", w.LIMIT), ("fallback", w.FALLBACK), ("age", w.AGE - w.SETTLEMENT), ("score", w.SCORE),
        ("errors", w.ERRORS), ("latency", w.LATENCY_NOUNS), ("saturation", w.SATURATION),
    )  # fmt: skip
    return next((role for role, vocabulary in ordered if name & vocabulary), "gauge")


def plan_queries(
    *,
    incident: Incident,
    payments: PaymentsMap,
    catalogue: Sequence[MetricInfo],
    topology: Topology | None = None,
    selects: Iterable[Select] = (),
    budget: int = BUDGET,
    rate_seconds: int = RATE_SECONDS,
) -> tuple[PlannedQuery, ...]:
    """At most `budget` queries, best first, none twice. `selects` are what the alerts' rules read.

    `rate_seconds` is the window of every rate; it should hold four scrapes. Pure: asks nobody.
    """
    plan = _Planner(payments, {m.name: m for m in catalogue}, rate_seconds)
    wanted: list[PlannedQuery] = []
    wanted += plan.payments_total()
    for select in selects:
        wanted += plan.drill(select)
    wanted += plan.payments_by_dimension()
    wanted += plan.payments_latency()
    wanted += plan.signals(told(incident), topology or Topology())
    unique = {planned.query: planned for planned in reversed(wanted)}
    kept = [planned for planned in dict.fromkeys(wanted) if unique.pop(planned.query, None) is not None]
    return tuple(kept[:budget])


@dataclass(frozen=True, slots=True)
class _Planner:
    payments: PaymentsMap
    metrics: Mapping[str, MetricInfo]
    rate: int

    def _label(self, role: str, info: MetricInfo) -> str:
        found = self.payments.labels.get(role)
        if found and found.label in info.labels:
            return found.label
        strong = w.LABEL_WORDS[role][0]
        return next((name for name in info.labels if name.lower() in strong), "")

    def _service(self, info: MetricInfo) -> tuple[str, ...]:
        name = self._label("service", info) or next(
            (n for n in ("job", "container", "deployment", "instance") if n in info.labels), ""
        )
        return (name,) if name else ()

    def _dimensions(self, info: MetricInfo) -> tuple[str, ...]:
        names = (self._label(role, info) for role in (*w.DIMENSIONS, "response_code"))
        return tuple(dict.fromkeys(n for n in names if n))

    def _volume(self) -> list[tuple[str, MetricInfo, str]]:
        """(role, metric, outcome label) of the counters that make an approval rate."""
        found = []
        for role in ("attempts", "approved", "declined"):
            mapped = self.payments.metrics.get(role)
            if mapped is None or (info := self._info(mapped.name)) is None:
                continue
            if role == "approved" and mapped.values:
                continue  # split by the outcome label of attempts
            found.append(("payments" if role == "attempts" else role, info, mapped.label))
        return found

    def _info(self, name: str) -> MetricInfo | None:
        return self.metrics.get(name) or self.metrics.get(name + "_total") or self.metrics.get(name + "_bucket")

    def _sum(self, info: MetricInfo, by: Iterable[str], matchers: tuple[Matcher, ...] = ()) -> Sum:
        return Sum(Rate(Select(info.name, matchers), self.rate), tuple(dict.fromkeys(b for b in by if b)))

    def payments_total(self) -> list[PlannedQuery]:
        return [
            PlannedQuery(
                self._sum(info, (label,)), "payments by outcome" if label else f"payments {role}", role, "per s"
            )
            for role, info, label in self._volume()
        ]

    def payments_by_dimension(self) -> list[PlannedQuery]:
        found: list[PlannedQuery] = []
        for role, info, label in self._volume():
            dims = [d for d in self._dimensions(info) if d != label]
            if len(dims) > 1 and info.series <= JOINT_SERIES:
                found.append(
                    PlannedQuery(self._sum(info, (*dims, label)), f"payments by {', '.join(dims)}", role, "per s")
                )
            for dim in dims:
                found.append(PlannedQuery(self._sum(info, (dim, label)), f"payments by {dim}", role, "per s"))
        found += [planned for role in ("amount", "retries") for planned in self._beside(role)]
        return found

    def _beside(self, role: str) -> list[PlannedQuery]:
        """Amounts and retries over all their dimensions, where those are few: they are set against attempts."""
        mapped = self.payments.metrics.get(role)
        info = self._info(mapped.name) if mapped else None
        if info is None:
            return []
        dims = [d for d in self._dimensions(info) if info.series <= JOINT_SERIES or d == self._label("currency", info)]
        by = (*dims, *self._outcomes(info)) if dims else self._service(info)
        return [PlannedQuery(self._sum(info, by), _about(f"{role} of payments", by), role, "per s")]

    def payments_latency(self) -> list[PlannedQuery]:
        mapped = self.payments.metrics.get("latency")
        info = (self.metrics.get(mapped.name) or self._info(mapped.name)) if mapped else None
        if info is None:
            return []
        dims = [n for r in ("acquirer", "issuer", "scheme") if (n := self._label(r, info))]
        splits: list[tuple[str, ...]] = (
            [()] + [(d,) for d in dims] + ([self._service(info)] if self._service(info) else [])
        )
        return [
            self._quantile(q, info, by) for by in dict.fromkeys(splits) for q in ((0.5, 0.95) if not by else (0.95,))
        ]

    def _quantile(
        self, q: float, info: MetricInfo, by: tuple[str, ...], matchers: tuple[Matcher, ...] = ()
    ) -> PlannedQuery:
        name = info.name if info.name.endswith("_bucket") else f"{info.name}_bucket"
        what = f"{base(info)} p{q * 100:.0f}" + (f" by {', '.join(by)}" if by else "")
        return PlannedQuery(
            Quantile(q, Select(name, matchers), max(self.rate, 120), by),
            what,
            f"latency.p{q * 100:.0f}",
            time_unit(info.name),
        )

    def drill(self, select: Select) -> list[PlannedQuery]:
        """The rule's own metric with the rule's own matchers, over its most telling labels."""
        info = self._info(select.metric)
        if info is None:
            return []
        matchers = tuple(m for m in select.matchers if m.label in info.labels and m.label != "le")
        found = self.signal(info, matchers)
        fixed = {m.label for m in matchers if m.op == "="}
        outcome = self.payments.metrics.get("attempts")
        if outcome is None or outcome.name != info.name:
            for dim in [d for d in self._dimensions(info) if d not in fixed][:3]:
                found += self.signal(info, matchers, by=(dim,))
        return found

    def signal(
        self, info: MetricInfo, matchers: tuple[Matcher, ...] = (), by: tuple[str, ...] = ()
    ) -> list[PlannedQuery]:
        """One metric as its role wants it: a quantile, a rate, or the gauge itself."""
        role, labels = metric_role(info), (*self._service(info), *by)
        if pair := self._pair(info):
            names = tuple(dict.fromkeys((*labels, *(_all_labels(info) if info.series <= SMALL else ()))))
            return [PlannedQuery(pair[0](names, matchers), pair[1], pair[2], pair[3])]
        if not role or role == "limit" or info.name.endswith("_sum"):
            return []
        if role == "latency" and is_histogram(info):
            return [self._quantile(0.95, info, labels, matchers)]
        if is_histogram(info):
            return [PlannedQuery(self._quantile(0.5, info, labels, matchers).query, f"{base(info)} median", role, "")]
        if info.type == "counter" or info.name.endswith("_total"):
            if info.series <= SMALL:
                labels = (*labels, *_all_labels(info))
            else:
                labels = (*labels, *self._outcomes(info), *self._some(info, ("peer", "stage", "queue", "acs")))
            return [PlannedQuery(self._sum(info, labels, matchers), _about(info.name, labels), role, "per s")]
        roles = ("queue", "acquirer", "peer", "model", "stage", "acs", "instance")
        labels = (*labels, *(_all_labels(info) if info.series <= SMALL else self._some(info, roles)))
        keep = tuple(dict.fromkeys(labels))
        return [
            PlannedQuery(Max(Select(info.name, matchers), keep), _about(info.name, keep), role, gauge_unit(info.name))
        ]

    def _some(self, info: MetricInfo, roles: Iterable[str]) -> tuple[str, ...]:
        return tuple(n for r in roles if (n := self._label(r, info)))

    def _pair(
        self, info: MetricInfo
    ) -> tuple[Callable[[tuple[str, ...], tuple[Matcher, ...]], Query], str, str, str] | None:
        """A mean (sum over count) or a fill (used over limit) that two metrics make, as a query over labels."""
        if info.name.endswith("_sum") and info.type != "histogram" and f"{info.name[:-4]}_bucket" not in self.metrics:
            count = self.metrics.get(f"{info.name[:-4]}_count")
            if count is not None:
                role = "latency.mean" if is_latency(info) else "score"
                unit = time_unit(info.name) if is_latency(info) else ""
                return (
                    lambda by, m: Ratio(self._sum(info, by, m), self._sum(count, by, m)),
                    f"mean of {base(info)}",
                    role,
                    unit,
                )
        if metric_role(info) == "saturation" and (limit := self._limit(info)) is not None:
            return (
                lambda by, m: Ratio(Max(Select(info.name, m), by), Max(Select(limit.name, m), by)),
                f"{info.name} of its limit",
                "saturation",
                "ratio",
            )
        return None

    def _limit(self, info: MetricInfo) -> MetricInfo | None:
        """The metric that bounds this one: the same words, but for one that says limit."""
        own = set(w.words(info.name)) - w.SATURATION
        for other in self.metrics.values():
            spelled = set(w.words(other.name))
            if (
                other.name != info.name
                and spelled & w.LIMIT
                and own
                and own <= spelled
                and set(other.labels) >= set(self._service(info))
            ):
                return other
        return None

    def _outcomes(self, info: MetricInfo) -> tuple[str, ...]:
        names = {
            "status",
            "code",
            "status_code",
            "result",
            "outcome",
            "reason",
            "error",
            "response_code",
            "rc",
            "grpc_code",
            "type",
        }
        return tuple(n for n in info.labels if n.lower() in names and len(info.labels[n]) <= 40)

    def signals(self, told: frozenset[str], topology: Topology) -> list[PlannedQuery]:
        """Golden signals of every metric left: those that share words with the alert first, then by role."""
        ranked = []
        for info in self.metrics.values():
            role = metric_role(info)
            plumbing = info.name.startswith(w.PLUMBING) and not set(w.words(info.name)) & {
                "cpu",
                "resident",
                "fds",
                "heap",
            }
            if not role or role not in _ORDER or plumbing:
                continue
            values = {word for vs in info.labels.values() for v in vs[:40] for word in w.words(v)}
            near = len(told & set(w.words(info.name))) * 2 + bool(told & values)
            wide = any(set(vs) & set(topology.services) for vs in info.labels.values())
            ranked.append((info.name.startswith(w.PLUMBING), _ORDER.index(role) - 2 * near - 2 * wide, info.name, info))
        return [planned for *_, info in sorted(ranked, key=lambda r: r[:3]) for planned in self.signal(info)]


def _all_labels(info: MetricInfo) -> tuple[str, ...]:
    """Every label that is not one of machines: those split without telling anything."""
    machines = w.LABEL_WORDS["instance"][0] | {"le", "quantile"}
    return tuple(n for n in info.labels if n.lower() not in machines)


def _about(name: str, by: Iterable[str]) -> str:
    names = ", ".join(dict.fromkeys(by))
    return f"{name} by {names}" if names else name


def gauge_unit(name: str) -> str:
    """The unit a gauge's name ends with, as Prometheus naming asks for; "" where it names none."""
    last = [
        word
        for word in w.words(name)
        if word in {"seconds", "ms", "milliseconds", "bytes", "ratio", "percent", "celsius", "days"}
    ]
    return {"seconds": "s", "milliseconds": "ms", "percent": "%"}.get(last[-1], last[-1]) if last else ""
