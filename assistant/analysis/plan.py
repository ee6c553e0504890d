"""What to ask for: a bounded plan of metric queries and log searches, made before any data is here.

The plan goes from the sure to the possible: what the alert's own rule reads, payments by outcome and by each label that
may explain a drop, latencies, then golden signals (Google SRE book, chapter 6: latency, traffic, errors, saturation)
of every service. Each query carries its `role`, by which `analyse` finds the answer again:

    alert            a metric that the alert's rule reads
    payments         attempts per second, split by the outcome label where there is one
    approved, declined   the same from counters of their own
    amount           money per second
    retries, errors, requests, restarts, flow    counters per second
    latency.p50, latency.p99                     quantiles, in `unit`
    queue, saturation, spare, age, expiry, score, up, gauge    gauges, as they are
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from assistant.analysis import words as w
from assistant.analysis.roles import base, guess_roles, is_histogram, is_latency, time_unit
from assistant.core.evidence import MetricInfo, Topology
from assistant.core.incident import Incident
from assistant.core.observations import PaymentsMap
from assistant.core.query import Matcher, Max, Quantile, Query, Rate, Select, Sum

__all__ = ["PlannedQuery", "PlannedSearch", "guess_roles", "metric_role", "plan_log_searches", "plan_queries"]

BUDGET = 44
_ORDER = (
    "latency", "errors", "queue", "age", "expiry", "up", "breaker", "retries", "restarts", "fallback", "score",
    "threeds", "duplicates", "reversals", "saturation", "requests", "spare", "gauge", "flow", "amount",
)  # fmt: skip
RATE_SECONDS = 60
JOINT_SERIES = 1200
"""A payments metric of up to this many series is asked for by all its dimensions at once, so that pairs can be told."""

ERROR_WORDS = (
    "error", "fail", "timeout", "timed out", "exception", "refused", "unavailable", "unreachable", "rejected",
    "exhausted", "panic", "fatal", "expired", "denied", "throttl", "retry", "warn", "circuit", "oom", "fallback",
    "degraded", "stand-in", "duplicate", "restart", "reload", "rollback", "deadlock", "slow", "full", "exceeded",
    "limit", "reset", "resolve", "inoperative", "malfunction", "declined", "late", "lag", "drift", "mismatch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PlannedQuery:
    """A query with what it measures in a few words, its role (see the module) and the unit of its values."""

    query: Query
    about: str
    role: str
    unit: str


@dataclass(frozen=True, slots=True)
class PlannedSearch:
    """A log search: stream matchers, and words of which a line must contain one (none: every line)."""

    selector: tuple[Matcher, ...]
    contains: tuple[str, ...]
    about: str


def metric_role(info: MetricInfo) -> str:
    """The role of one metric by name and type; "" for what is not worth a query (sums, counts, build information)."""
    name = set(w.words(info.name))
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
    wanted += plan.signals(_told(incident), topology or Topology())
    unique = {planned.query: planned for planned in reversed(wanted)}
    kept = [planned for planned in dict.fromkeys(wanted) if unique.pop(planned.query, None) is not None]
    return tuple(kept[:budget])


def _told(incident: Incident) -> frozenset[str]:
    """Words of the alerts and the question: metrics and services that share them come first."""
    texts = [v for a in incident.alerts for v in a.labels.values()]
    if incident.question:
        texts += incident.question.text.text.split()
    return frozenset(word for text in texts for word in w.words(text) if len(word) > 2)


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
            self._quantile(q, info, by) for by in dict.fromkeys(splits) for q in ((0.5, 0.99) if not by else (0.99,))
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
            for dim in [d for d in self._dimensions(info) if d not in fixed][:2]:
                found += self.signal(info, matchers, by=(dim,))
        return found

    def signal(
        self, info: MetricInfo, matchers: tuple[Matcher, ...] = (), by: tuple[str, ...] = ()
    ) -> list[PlannedQuery]:
        """One metric as its role wants it: a quantile, a rate, or the gauge itself."""
        role, labels = metric_role(info), (*self._service(info), *by)
        if not role or role == "limit":
            return []
        if role == "latency" and is_histogram(info):
            return [self._quantile(0.99, info, labels, matchers)]
        if is_histogram(info):
            return [PlannedQuery(self._quantile(0.5, info, labels, matchers).query, f"{base(info)} median", role, "")]
        if info.type == "counter" or info.name.endswith("_total"):
            if role in {"requests", "errors", "flow", "threeds"}:
                labels = (*labels, *self._outcomes(info))
            if role not in {"requests"}:
                labels = (*labels, *(n for r in ("peer", "stage", "queue") if (n := self._label(r, info))))
            return [PlannedQuery(self._sum(info, labels, matchers), _about(info.name, labels), role, "per s")]
        labels = (
            *labels,
            *(
                n
                for r in ("queue", "acquirer", "peer", "model", "stage", "instance")
                if (n := self._label(r, info)) and info.series <= 200
            ),
        )
        keep = tuple(dict.fromkeys(labels))
        rest = [n for n in info.labels if n not in keep and info.series <= 60]
        return [
            PlannedQuery(
                Max(Select(info.name, matchers), (*keep, *rest)), _about(info.name, keep), role, gauge_unit(info.name)
            )
        ]

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


def plan_log_searches(
    *,
    incident: Incident,
    payments: PaymentsMap,
    log_labels: Mapping[str, Sequence[str]],
    budget: int = 8,
) -> tuple[PlannedSearch, ...]:
    """At most `budget` searches: complaints of every service, then everything of the services the alert names.

    One search per service keeps a chatty service from using up the line budget of the others; where there are more
    services than searches, the rest share one.
    """
    service = payments.fields.get("service")
    name = service.label if service else next(iter(log_labels), "")
    if not name:
        return ()
    values = [v for v in log_labels.get(name, ()) if v]
    told = _told(incident)
    named = {v for a in incident.alerts for v in a.labels.values()}
    near = sorted(values, key=lambda v: (v not in named, -len(told & set(w.words(v))), v))
    if not near:
        return (PlannedSearch((Matcher(name, "=~", ".+"),), ERROR_WORDS, "complaints of all streams"),)
    found = [PlannedSearch((Matcher(name, "=", v),), ERROR_WORDS, f"complaints of {v}") for v in near[: budget - 1]]
    if rest := near[budget - 1 :]:
        union = "|".join(_quoted(v) for v in rest[:50])
        found.append(PlannedSearch((Matcher(name, "=~", union),), ERROR_WORDS, "complaints of the other services"))
    return tuple(found)


def _quoted(value: str) -> str:
    """RE2-quoted: Python's `re.escape` writes escapes that RE2 refuses."""
    return "".join("\\" + c if c in r"\.+*?()|[]{}^$" else c for c in value)
