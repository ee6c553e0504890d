"""Which metrics a server has, without knowing anything but its url, at a bounded cost.

Names first (cheap), put in order of use: those in alerting rules, those that speak of payments, then the rest without
the exporters' own. Then sizes in one query a batch, then label sets of small metrics and label values of large ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from assistant.core.evidence import MetricInfo
from assistant.core.query import Matcher
from assistant.core.time import Window
from assistant.errors import SourceError, SourceMalformed, SourceTooLarge
from assistant.sources.catalogue import MAX_VALUES, catalogue_of, metric_info
from assistant.sources.door import Door
from assistant.sources.promql import LABEL_NAME, METRIC_NAME, matchers
from assistant.sources.promql_parse import metrics_of

if TYPE_CHECKING:
    from assistant.sources.prometheus import Prometheus

MAX_METRICS = 400
BATCH = 40
SMALL = 500
MAX_LARGE = 10
"""Metrics of more than SMALL series are asked label by label, the first few of them; of the others only name and size
are known, so that discovery stays within an incident's requests whatever the server holds."""
MAX_LABELS = 15
MAX_NAME = 150
PAYMENTS = re.compile(
    r"pay|auth|approv|declin|card|acquir|issuer|scheme|settle|refund|chargeback|3ds|acs|fraud|risk|order|checkout|"
    r"transact|txn|iso8583|response_code|ledger|reconcil|retry|retries|queue|lag|request|error|latency|duration|"
    r"stand_in|switch|gateway|terminal|amount|build_info"
)
_OTHERS = re.compile(r"(go|process|prometheus|promhttp|node|kube|container|machine|scrape|net|alertmanager|up)(_|\Z)")
Catalogue = Callable[[Door], tuple[MetricInfo, ...]]


def discovered(server: Prometheus, window: Window) -> tuple[Catalogue, Mapping[str, int], int]:
    """The catalogue (given a door, so that nothing raw is kept), series by metric, and how many names were not looked
    into. Raises SourceError."""
    span = {"start": f"{window.start:.3f}", "end": f"{window.end:.3f}"}
    names = _strings(server.data("/api/v1/label/__name__/values", span))
    metadata = _metadata(server)
    wanted = in_order(names, _ruled(server))
    sizes: dict[str, int] = {}
    for part in server.side_by_side([lambda b=b: _sizes(server, b, window) for b in _batches(wanted[:MAX_METRICS])]):  # type: ignore[misc]
        sizes |= part
    small = [n for n in wanted[:MAX_METRICS] if 0 < sizes.get(n, 0) <= SMALL]
    large = [n for n in wanted[:MAX_METRICS] if sizes.get(n, 0) > SMALL]
    found = server.side_by_side([lambda b=b: _series(server, b, span) for b in _filled(small, sizes)])  # type: ignore[misc]
    asked = large[:MAX_LARGE]
    known = server.side_by_side([lambda n=n: _labels(server, n, span) for n in asked])  # type: ignore[misc]
    values: dict[str, dict[str, set[str]]] = {n: {} for n in large} | dict(zip(asked, known, strict=True))

    def catalogue(door: Door) -> tuple[MetricInfo, ...]:
        seen = {name: labels for name, labels in values.items() if door.value("__name__", name) == name}
        told = [metric_info(name, sizes[name], labels, metadata, door) for name, labels in seen.items()]
        few = catalogue_of((labels for part in found for labels in part), metadata, door)
        return tuple(sorted((*told, *few), key=lambda m: m.name))

    return catalogue, sizes, max(0, len(wanted) - MAX_METRICS)


def in_order(names: Sequence[str], ruled: Sequence[str]) -> list[str]:
    """Names in the order in which they are worth asking about; exporters' own only where a rule speaks of them."""
    usable = [n for n in names if len(n) <= MAX_NAME and METRIC_NAME.match(n)]
    known = set(usable)
    first = [n for n in dict.fromkeys(ruled) if n in known]
    rest = [n for n in usable if n not in set(first) and not _OTHERS.match(n)]
    return first + sorted(rest, key=lambda n: (PAYMENTS.search(n) is None, n))


def _ruled(server: Prometheus) -> list[str]:
    """Metrics in alerting rules. Rules that cannot be had or read only cost their place in the order."""
    try:
        rules = server.rules()
    except SourceError:
        return []
    found: list[str] = []
    for rule in rules:
        try:
            found += [s.metric for s in metrics_of(rule.expr)]
        except SourceMalformed:
            continue
    return found


def _metadata(server: Prometheus) -> Mapping[str, Any]:
    """Types and help texts. Some servers of the family have none; names tell the type then."""
    try:
        data = server.data("/api/v1/metadata", {"limit_per_metric": "1"})
    except SourceError:
        return {}
    return data if isinstance(data, Mapping) else {}


def _sizes(server: Prometheus, names: Sequence[str], window: Window) -> dict[str, int]:
    inside = matchers([Matcher("__name__", "=~", "|".join(names))])
    found = server.sizes(f"count by (__name__) ({{{inside}}})", window)
    return {labels["__name__"]: int(size) for labels, size in found if "__name__" in labels}


def _series(server: Prometheus, names: Sequence[str], span: Mapping[str, str]) -> list[dict[str, str]]:
    data = server.data("/api/v1/series", {**span, "match[]": list(names), "limit": str(SMALL * 20)})
    if not isinstance(data, list) or not all(isinstance(x, dict) for x in data):
        raise SourceMalformed("prometheus", "the series are not a list of label sets")
    if len(data) > SMALL * 60:
        raise SourceTooLarge("prometheus", "more series came than were counted")
    return [{k: v for k, v in x.items() if isinstance(v, str)} for x in data]


def _labels(server: Prometheus, name: str, span: Mapping[str, str]) -> dict[str, set[str]]:
    ask = {**span, "match[]": [name]}
    names = [n for n in _strings(server.data("/api/v1/labels", ask)) if LABEL_NAME.match(n) and n != "__name__"]
    return {n: set(_strings(server.data(f"/api/v1/label/{n}/values", ask))[:MAX_VALUES]) for n in names[:MAX_LABELS]}


def _strings(data: Any) -> list[str]:
    if not isinstance(data, list) or not all(isinstance(x, str) for x in data):
        raise SourceMalformed("prometheus", "names are not a list of texts")
    return data


def _batches(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[i : i + BATCH] for i in range(0, len(names), BATCH))


def _filled(names: Sequence[str], sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Names in groups of at most BATCH that have at most ten times SMALL series together."""
    group: list[str] = []
    count = 0
    for name in names:
        if group and (len(group) == BATCH or count + sizes[name] > SMALL * 10):
            yield group
            group, count = [], 0
        group.append(name)
        count += sizes[name]
    if group:
        yield group
