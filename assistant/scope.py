"""What a question from one place may read: selectors that every query is held to, at the source and not in the prompt.

A scope is written as `{service=~"gateway|orchestrator", env="prod"}`, braces optional. Every selector of a metric query
and of a log search gets its matchers; alerts, changes, services and label values outside are not there. A query that
names something outside is refused, and `refused` is told, so that it becomes a record: nobody reads more through the
bot than they may read themselves.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from assistant.core.alert import Alert, Rule
from assistant.core.evidence import Change, LogEvidence, MetricInfo, Series, Topology
from assistant.core.query import Increase, Matcher, Max, Op, Quantile, Query, Rate, Ratio, Select, Sum, TopK
from assistant.core.time import Window
from assistant.errors import SettingsError, SourceRefused
from assistant.house import Sources
from assistant.ports import AlertSource, ChangeSource, LogSource, MetricSource

_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",{}\s]+))\s*(?:,|$)')
SERVICE_LABELS = frozenset({"service", "app", "application", "component"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Matchers that all hold. None at all is everything."""

    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return "{" + ", ".join(f'{m.label}{m.op}"{m.value}"' for m in self.matchers) + "}"

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether a label set lies inside; an absent label is ""."""
        return all(meets(m, labels.get(m.label, "")) for m in self.matchers)

    def agrees(self, asked: Sequence[Matcher]) -> bool:
        """False where something outside is asked for by name. A regular expression is no name: it is narrowed."""
        return all(meets(m, a.value) for m in self.matchers for a in asked if a.label == m.label and a.op == "=")

    def service(self, name: str) -> bool:
        """Whether a service lies inside: where the scope does not speak of services, that cannot be told, so not."""
        mine = [m for m in self.matchers if m.label in SERVICE_LABELS]
        return len(mine) == len(self.matchers) and all(meets(m, name) for m in mine)


def scope_of(selectors: Sequence[str]) -> Scope:
    """The scope of a list of selectors. Several must speak of one and the same label, and are then alternatives.

    Raises SettingsError.
    """
    parsed = [matchers_of(s) for s in selectors]
    if len(parsed) < 2:
        return Scope(parsed[0] if parsed else ())
    names = {m.label for ms in parsed for m in ms}
    if len(names) != 1 or any(len(ms) != 1 or ms[0].op not in ("=", "=~") for ms in parsed):
        raise SettingsError(
            f"[slack.routes] may_query: {len(parsed)} selectors that cannot be joined",
            mend='write one: {service=~"a|b", env="prod"}',
        )
    either = "|".join(m.value if m.op == "=~" else re.escape(m.value) for ms in parsed for m in ms)
    return Scope((Matcher(names.pop(), "=~", either),))


def matchers_of(text: str) -> tuple[Matcher, ...]:
    """`{a="b", c=~"d|e"}`, with or without braces and quotes. Raises SettingsError."""
    inner = text.strip().removeprefix("{").removesuffix("}")
    found, at = [], 0
    while at < len(inner):
        match = _MATCHER.match(inner, at)
        if match is None:
            break
        quoted = match[3]
        value = re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else match[4]
        found.append(Matcher(match[1], _op(match[2]), value))
        at = match.end()
    if not found or inner[at:].strip():
        raise SettingsError(f"[slack.routes]: {text!r} is not a selector", mend='write it as team="payments"')
    for m in found:
        _compiled(m)
    return tuple(found)


def meets(matcher: Matcher, value: str) -> bool:
    if matcher.op in ("=", "!="):
        return (value == matcher.value) == (matcher.op == "=")
    return (_compiled(matcher).fullmatch(value) is not None) == (matcher.op == "=~")


def scoped(sources: Sources, scope: Scope, *, refused: Callable[[str], None]) -> Sources:
    """The same sources, seen through the scope. `refused` is called with the query that was not asked."""
    if not scope.matchers:
        return sources
    return replace(
        sources,
        alerts=_Alerts(sources.alerts, scope),
        metrics=_Metrics(sources.metrics, scope, refused),
        logs=_Logs(sources.logs, scope, refused),
        changes=_Changes(sources.changes, scope),
    )


def narrowed(query: Query, scope: Scope) -> Query:
    """The query with the scope's matchers in each of its selectors. Raises SourceRefused where one names more."""
    match query:
        case Select():
            return _held(query, scope)
        case Rate() | Increase():
            return replace(query, of=_held(query.of, scope))
        case Quantile():
            return replace(query, bucket=_held(query.bucket, scope))
        case Ratio(part=part, whole=whole):
            return Ratio(narrowed(part, scope), narrowed(whole, scope))
        case Sum() | Max() | TopK():
            return replace(query, of=narrowed(query.of, scope))


def _held(select: Select, scope: Scope) -> Select:
    if not scope.agrees(select.matchers):
        raise SourceRefused("prometheus", f"outside of what this channel may query: {scope}")
    return Select(select.metric, (*select.matchers, *(m for m in scope.matchers if m not in select.matchers)))


@dataclass(frozen=True, slots=True)
class _Alerts:
    inner: AlertSource
    scope: Scope

    def alerts(self) -> tuple[Alert, ...]:
        return tuple(a for a in self.inner.alerts() if self.scope.holds(a.labels))

    def rules(self) -> tuple[Rule, ...]:
        return self.inner.rules()


@dataclass(frozen=True, slots=True)
class _Metrics:
    inner: MetricSource
    scope: Scope
    refused: Callable[[str], None]

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        """Metrics that carry the scope's labels, with those of its values that lie inside."""
        wanted = {m.label for m in self.scope.matchers if m.op in ("=", "=~")}
        return tuple(
            replace(info, labels=_inside(info.labels, self.scope))
            for info in self.inner.catalogue(window)
            if wanted <= set(info.labels) and all(_inside(info.labels, self.scope)[w] for w in wanted)
        )

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        try:
            narrow = narrowed(query, self.scope)
        except SourceRefused:
            self.refused(self.inner.promql(query))
            raise
        return self.inner.range(narrow, window=window, step=step)

    def promql(self, query: Query) -> str:
        return self.inner.promql(query)


@dataclass(frozen=True, slots=True)
class _Logs:
    inner: LogSource
    scope: Scope
    refused: Callable[[str], None]

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        return _inside(self.inner.labels(window), self.scope)

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        if not self.scope.agrees(selector):
            self.refused(",".join(f'{m.label}{m.op}"{m.value}"' for m in selector))
            raise SourceRefused("loki", f"outside of what this channel may query: {self.scope}")
        narrow = (*selector, *(m for m in self.scope.matchers if m not in selector))
        return self.inner.search(selector=narrow, window=window, contains=contains, limit=limit, about=about)


@dataclass(frozen=True, slots=True)
class _Changes:
    inner: ChangeSource
    scope: Scope

    def changes(self, window: Window) -> tuple[Change, ...]:
        return tuple(c for c in self.inner.changes(window) if self.scope.service(c.service))

    def topology(self) -> Topology:
        whole, inside = self.inner.topology(), self.scope.service
        edges = tuple((a, b) for a, b in whole.edges if inside(a) and inside(b))
        return Topology(tuple(s for s in whole.services if inside(s)), edges)


def _inside(labels: Mapping[str, tuple[str, ...]], scope: Scope) -> dict[str, tuple[str, ...]]:
    kept = dict(labels)
    for m in scope.matchers:
        if m.label in kept:
            kept[m.label] = tuple(v for v in kept[m.label] if meets(m, v))
    return kept


def _compiled(matcher: Matcher) -> re.Pattern[str]:
    try:
        return re.compile(matcher.value if matcher.op in ("=~", "!~") else re.escape(matcher.value))
    except re.error:
        raise SettingsError(
            f"[slack.routes]: {matcher.value!r} is not a regular expression", mend="change it"
        ) from None


def _op(text: str) -> Op:
    match text:
        case "=" | "!=" | "=~" | "!~":
            return text
        case _:
            raise ValueError(text)
