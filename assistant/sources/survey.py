"""What `doctor` says of each server beside its credential: reachable, version, clock, retention, limits, labels."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

from assistant.core.time import Instant, Window
from assistant.errors import SourceError
from assistant.settings import Endpoint, Settings
from assistant.sources.door import Door
from assistant.sources.log_labels import LabelRole
from assistant.sources.loki import Loki
from assistant.sources.proof import servers
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import ALERTMANAGER, LOKI, PROMETHEUS
from redaction import Redactor

SKEW = 5.0
"""A clock this far off (s) puts alerts and samples of one moment into different steps."""
_LIMIT_FLAGS = ("query.max-samples", "query.timeout", "query.max-concurrency", "query.lookback-delta")
_LIMITS_LOKI = ("max_entries_limit_per_query", "max_query_length", "max_query_lookback", "max_query_series")


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """`clock_offset` is how many seconds the server's clock is ahead of ours, None where it does not say. `problems`
    holds each thing that could not be learnt, with its mend."""

    server: str
    url: str
    reachable: bool
    version: str = ""
    clock_offset: float | None = None
    retention: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[LabelRole, ...] = ()
    problems: tuple[str, ...] = ()


def survey(settings: Settings, redactor: Redactor) -> tuple[ServerFacts, ...]:
    """The configured servers. Never raises for a server. Raises SettingsError."""
    ask: Mapping[str, Callable[[Endpoint, Redactor, Settings], ServerFacts]] = {
        "prometheus": _prometheus,
        "alertmanager": _alertmanager,
        "loki": _loki,
    }
    return tuple(ask[name](endpoint, redactor, settings) for name, endpoint in servers(settings).items())


class _Asking:
    """Questions to one server; what fails is kept as a problem and is nothing in the answer."""

    def __init__(self, session: ReadOnlySession, door: Door) -> None:
        self.session = session
        self.problems: list[str] = []
        self._door = door

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Mapping[str, Any]:
        if self.problems and self.session.last() is None:
            return {}  # nobody answered the first question: asking on would only wait as long again
        try:
            document = self.session.get_json(path, params)
        except SourceError as error:
            self.problems.append(f"GET {path}: {error}")
            return {}
        return document if isinstance(document, Mapping) else {}

    @property
    def reached(self) -> bool:
        """Whether the server itself answered the last question, be it with a refusal."""
        last = self.session.last()
        return last is not None and last.status_code < 500

    def text(self, value: object) -> str:
        return self._door.text(str(value)[:200]).text if value not in (None, "") else ""

    def date_offset(self) -> float | None:
        """From the Date header of the last answer: whole seconds, so half a second either way."""
        last = self.session.last()
        try:
            told = parsedate_to_datetime(last.headers["Date"]).timestamp() if last is not None else None
        except (KeyError, TypeError, ValueError):
            return None
        return None if told is None else round(told + 0.5 - time.time(), 1)


def _prometheus(endpoint: Endpoint, redactor: Redactor, settings: Settings) -> ServerFacts:
    asking = _Asking(ReadOnlySession("prometheus", endpoint, PROMETHEUS), Door("prometheus", redactor))
    offset = _evaluation_clock(asking)
    build = _data(asking.get("/api/v1/status/buildinfo"))
    flags = _data(asking.get("/api/v1/status/flags"))
    runtime = _data(asking.get("/api/v1/status/runtimeinfo"))
    return ServerFacts(
        server="prometheus",
        url=endpoint.url,
        reachable=asking.reached,
        version=asking.text(build.get("version")),
        clock_offset=offset,
        retention=asking.text(runtime.get("storageRetention") or flags.get("storage.tsdb.retention.time")),
        limits={name: asking.text(flags[name]) for name in _LIMIT_FLAGS if name in flags},
        problems=_problems(asking, offset),
    )


def _alertmanager(endpoint: Endpoint, redactor: Redactor, settings: Settings) -> ServerFacts:
    asking = _Asking(ReadOnlySession("alertmanager", endpoint, ALERTMANAGER), Door("alertmanager", redactor))
    version = asking.get("/api/v2/status").get("versionInfo")
    offset = asking.date_offset() if asking.reached else None
    return ServerFacts(
        server="alertmanager",
        url=endpoint.url,
        reachable=asking.reached,
        version=asking.text(version.get("version")) if isinstance(version, Mapping) else "",
        clock_offset=offset,
        problems=_problems(asking, offset),
    )


def _loki(endpoint: Endpoint, redactor: Redactor, settings: Settings) -> ServerFacts:
    asking = _Asking(ReadOnlySession("loki", endpoint, LOKI), Door("loki", redactor))
    build = asking.get("/loki/api/v1/status/buildinfo")
    offset = asking.date_offset() if asking.reached else None
    limits = asking.get("/loki/api/v1/drilldown-limits").get("limits")
    limits = limits if isinstance(limits, Mapping) else {}
    roles = _roles(asking, redactor, settings) if asking.reached else ()
    return ServerFacts(
        server="loki",
        url=endpoint.url,
        reachable=asking.reached,
        version=asking.text(build.get("version")),
        clock_offset=offset,
        retention=asking.text(limits.get("retention_period") or limits.get("max_query_lookback")),
        limits={name: asking.text(limits[name]) for name in _LIMITS_LOKI if name in limits},
        labels=roles,
        problems=_problems(asking, offset),
    )


def _roles(asking: _Asking, redactor: Redactor, settings: Settings) -> tuple[LabelRole, ...]:
    now = time.time()
    try:
        return Loki.from_settings(settings.loki, redactor=redactor).roles(Window(Instant(now - 3600), Instant(now)))
    except SourceError as error:
        asking.problems.append(f"labels: {error}")
        return ()


def _evaluation_clock(asking: _Asking) -> float | None:
    """`time()` is the server's own clock to the millisecond."""
    sent = time.time()
    result = _data(asking.get("/api/v1/query", {"query": "time()"})).get("result")
    try:
        told = float(result[1]) if isinstance(result, list) else None
    except (IndexError, TypeError, ValueError):
        return None
    return None if told is None else round(told - (sent + time.time()) / 2, 3)


def _problems(asking: _Asking, offset: float | None) -> tuple[str, ...]:
    skew = (
        f"its clock is {offset:+.1f} s off ours; set both by NTP" if offset is not None and abs(offset) > SKEW else ""
    )
    return tuple(asking.problems) + ((skew,) if skew else ())


def _data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    data = document.get("data")
    return data if isinstance(data, Mapping) else {}
