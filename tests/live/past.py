"""A past for a real Prometheus: one shop of the lab with several incidents in it, quiet hours between them, its rules'
alerts as Prometheus keeps them (`ALERTS`), and its log lines behind a Loki that answers as the recorded one does.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals.lab import logs, make
from evals.lab.alerts import applicable, rule_groups, rule_labels
from evals.lab.openmetrics import number, series_head
from evals.lab.plant import Planted, Planter
from evals.lab.promql import evaluate, metrics_of
from evals.lab.rulebook import RULES
from evals.lab.shop import Shop
from evals.lab.spec import load_kind
from tests.fakes.loki_server import MAX_ENTRIES, recorded
from tests.sources.http_server import Answer, Asked, Server, serving

HOUR = 3600.0
STEP = 30.0
_MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"((?:[^"\\]|\\.)*)"')
_FILTER = re.compile(r'\|~\s*"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Firing:
    """One alert's span of firing; `labels` with the alert's name."""

    labels: Mapping[str, str]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Past:
    """`incidents` maps each kind to its onset (Unix s) and to the thing at fault."""

    shop: Shop
    incidents: Mapping[str, tuple[float, str]]
    samples: Mapping[str, Sequence[tuple[float, float]]]
    firing: tuple[Firing, ...]
    entries: tuple[dict[str, Any], ...]
    planted: tuple[Planted, ...]
    changes: tuple[dict[str, Any], ...]

    def write_history(self, path: Path) -> None:
        """OpenMetrics, for `promtool tsdb create-blocks-from openmetrics`."""
        with path.open("w", encoding="utf-8") as out:
            for head in sorted(self.samples, key=lambda h: (h.partition("{")[0], h)):
                out.writelines(f"{head} {number(v)} {t:.3f}\n" for t, v in self.samples[head])
            out.write("# EOF\n")

    @property
    def rules(self) -> dict[str, Any]:
        return {"groups": rule_groups(self.shop)}


def past(seed: int, plays: Sequence[tuple[str, float]], *, now: float) -> Past:
    """A shop in which each kind of `plays` began so many seconds before `now`, oldest first; nothing is later."""
    samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
    incidents, firing, entries, changes = {}, [], [], []
    planter = Planter(np.random.default_rng(seed))
    shop: Shop | None = None
    for kind, ago in plays:
        rng = np.random.default_rng(np.random.SeedSequence([seed]))  # the same draws first: the same shop each time
        frame = make.Frame(now - ago, before=2.2 * HOUR, after=min(ago, 0.7 * HOUR), step=STEP)
        d = make.simulate_shop(load_kind(kind), rng, make.Options("metrics", "plain", "plain"), frame)
        assert shop is None or shop.services == d.shop.services
        shop = d.shop
        incidents[kind] = (d.onset, d.scenario.entity)
        for labels, values in d.meter.rows:
            head = series_head(dict(sorted(labels.items())))
            samples[head] += [
                (t, v) for t, v in zip(d.meter.grid.tolist(), values.tolist(), strict=True) if v == v and t <= now
            ]
        spans = list(_firing(d, now))
        firing += spans
        for span in spans:
            head = series_head({**span.labels, "__name__": "ALERTS", "alertstate": "firing"})
            samples[head] += [(t, 1.0) for t in np.arange(span.start, span.end + 1, STEP).tolist()]
        entries += _lines(d, planter, now, seed)
        changes += [c.document() for c in d.changes if c.ts <= now]
    assert shop is not None
    planter.forget_unless_in("\n".join(str(e["line"]) for e in entries))
    firing.sort(key=lambda f: f.start)
    return Past(shop, incidents, samples, tuple(firing), tuple(entries), tuple(planter.planted), tuple(changes))


def _firing(d: make.Draft, now: float) -> Iterator[Firing]:
    """Spans in which the shop's rules fire from two hours of samples on, as `evals.lab.alerts` evaluates them."""
    at = make.evaluation_times(d.meter.grid, STEP, min(now, float(d.meter.grid[-1])))
    table = d.meter.samples()
    for rule in (r for r in RULES if applicable(r, d.shop)):
        e = d.shop.naming.express(rule.expr)
        if not metrics_of(e) & set(table.by_metric):
            continue
        vector = evaluate(e, table, at)
        for labels, values in zip(vector.labels, vector.values, strict=True):
            on = ~np.isnan(values)
            began = np.maximum.accumulate(np.where(~on, np.arange(len(on)), -1)) + 1
            fires = on & (at - at[np.minimum(began, len(at) - 1)] >= rule.hold) & (at > d.onset - HOUR)
            for part in np.split(np.arange(len(at)), np.flatnonzero(np.diff(fires.astype(int))) + 1):
                if fires[part[0]]:
                    own = {**dict(labels), **rule_labels(rule, d.shop), "alertname": rule.alert}
                    yield Firing(dict(sorted(own.items())), float(at[part[0]]), float(at[part[-1]]))


def _lines(d: make.Draft, planter: Planter, now: float, seed: int) -> list[dict[str, Any]]:
    w = logs.writer(np.random.default_rng([seed, 7]), d.shop)
    starts = [(c.ts, c.service) for c in d.changes if c.kind in {"deploy", "config"}]
    window = (float(d.meter.grid[0]), min(now, float(d.meter.grid[-1])))
    return logs.entries(w, planter, d.scenario, d.a, d.o, d.active, d.moments, starts, window, 3000)


@contextmanager
def loki_of(entries: Sequence[Mapping[str, Any]]) -> Iterator[Server]:
    """A Loki over these lines, also those that come later: selector and line filter are applied, limits and errors are
    the recorded ones."""

    def answer(asked: Asked) -> Answer:
        rows = sorted(((int(e["ts"]), dict(e["labels"]), str(e["line"])) for e in entries), key=lambda r: r[0])
        path = asked.path.removeprefix("/loki/api/v1/")
        if asked.method != "GET" or path == asked.path:
            return recorded("err_404")
        if path == "labels":
            return _success(sorted({name for _, labels, _ in rows for name in labels}))
        if match := re.fullmatch(r"label/(\w+)/values", path):
            return _success(sorted({labels[match[1]] for _, labels, _ in rows if match[1] in labels}))
        if path == "index/stats":
            return recorded("t3_index_stats_after_flush")
        if path == "drilldown-limits":
            limits = json.loads(recorded("t2_drilldown_limits").body)
            limits["limits"] |= {"max_query_lookback": "0s"}
            return Answer(200, json.dumps(limits).encode())
        return _selected(asked, rows) if path == "query_range" else recorded("err_404")

    with serving(answer) as server:
        yield server


def _selected(asked: Asked, rows: Sequence[tuple[int, dict[str, str], str]]) -> Answer:
    query, limit = asked.query["query"][0], int(asked.query["limit"][0])
    matchers = _MATCHER.findall(query.partition("}")[0])
    if not matchers:
        return recorded("err_empty_match_all")
    if limit > MAX_ENTRIES:
        return recorded("err_limit_entries")
    found = _FILTER.search(query)
    words = re.compile(json.loads(f'"{found[1]}"')) if found else None
    low, high = int(asked.query["start"][0]), int(asked.query["end"][0])
    streams: dict[str, dict[str, Any]] = {}
    taken = [r for r in rows if low <= r[0] < high and _held(matchers, r[1]) and (words is None or words.search(r[2]))][
        -limit:
    ]
    for ts, labels, line in reversed(taken):
        one = streams.setdefault(json.dumps(labels), {"stream": labels, "values": []})
        one["values"].append([str(ts), line, {}])
    data = {"resultType": "streams", "encodingFlags": ["categorize-labels"], "result": list(streams.values())}
    return Answer(200, json.dumps({"status": "success", "data": data}).encode())


def _held(matchers: Sequence[tuple[str, str, str]], labels: Mapping[str, str]) -> bool:
    return all(
        re.fullmatch(json.loads(f'"{v}"'), labels.get(name, ""))
        if op == "=~"
        else labels.get(name, "") == json.loads(f'"{v}"')
        for name, op, v in matchers
    )


def _success(data: object) -> Answer:
    return Answer(200, json.dumps({"status": "success", "data": data}).encode())
