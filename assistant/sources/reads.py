"""The complete list of what may be asked of each server: method, path and parameters. There is no other.

A path is a regular expression that must match the whole of what follows the configured url and prefix. Everything here
is a GET whose handler only reads, in Prometheus 2.42-3.x (also Thanos, Mimir, VictoriaMetrics), Alertmanager 0.25+ and
Loki 2.9-3.7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"


@dataclass(frozen=True, slots=True)
class Read:
    """One permitted request. `params` are the names its query string may hold."""

    path: str
    params: frozenset[str] = frozenset()
    method: str = "GET"

    def permits(self, method: str, path: str, params: frozenset[str]) -> bool:
        return method == self.method and params <= self.params and re.fullmatch(self.path, path) is not None


def _read(path: str, *params: str) -> Read:
    return Read(path, frozenset(params))


_SERIES = ("match[]", "start", "end", "limit")

PROMETHEUS = (
    _read("/api/v1/query", "query", "time", "timeout", "limit"),
    _read("/api/v1/query_range", "query", "start", "end", "step", "timeout", "limit"),
    _read("/api/v1/series", *_SERIES),
    _read("/api/v1/labels", *_SERIES),
    _read(f"/api/v1/label/{_LABEL}/values", *_SERIES),
    _read("/api/v1/alerts"),
    _read("/api/v1/rules", "type"),
    _read("/api/v1/metadata", "metric", "limit", "limit_per_metric"),
    _read("/api/v1/status/(?:flags|buildinfo|runtimeinfo|tsdb)"),
)

ALERTMANAGER = (
    _read("/api/v2/alerts", "active", "silenced", "inhibited", "unprocessed", "filter", "receiver"),
    _read("/api/v2/alerts/groups", "active", "silenced", "inhibited", "filter", "receiver"),
    _read("/api/v2/silences", "filter"),
    _read("/api/v2/status"),
)

LOKI = (
    _read("/loki/api/v1/query_range", "query", "start", "end", "step", "limit", "direction"),
    _read("/loki/api/v1/query", "query", "time", "limit", "direction"),
    _read("/loki/api/v1/labels", "start", "end", "query"),
    _read(f"/loki/api/v1/label/{_LABEL}/values", "start", "end", "query"),
    _read("/loki/api/v1/series", *_SERIES),
    _read("/loki/api/v1/index/stats", "query", "start", "end"),
    _read("/loki/api/v1/drilldown-limits"),
    _read("/loki/api/v1/status/buildinfo"),
)

DOCUMENT = (_read("/?"),)
"""A JSON document behind a URL: that very URL."""
