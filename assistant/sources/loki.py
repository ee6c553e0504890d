"""Loki: log lines around an incident. Read-only, selective, bounded. Behaviours are those of 3.7.

A search asks for one line more than it may keep, to know of truncation. When there are more, they are counted by the
server and fetched again in slices of time, so that the lines left out are missing evenly and are counted in the note.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import requests

from assistant.core.evidence import EvidenceId, Gap, LogEvidence, LogLine
from assistant.core.query import Matcher
from assistant.core.time import Window
from assistant.errors import SourceError, SourceMalformed, SourceRefused, SourceTimeout, SourceTooLarge
from assistant.settings import LokiEndpoint
from assistant.sources.budget import Budget
from assistant.sources.door import Door
from assistant.sources.guarded_http import accepted, decoded
from assistant.sources.log_budget import MAX_SCAN, LogRequest, bounded, reachable, slices
from assistant.sources.log_labels import LabelRole, as_labels, label_roles, with_roles
from assistant.sources.logql import search_text
from assistant.sources.promql import LABEL_NAME
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import LOKI
from redaction import CardholderFinding, Redactor

SOURCE = "loki"
MAX_ENTRIES = 5000
"""Loki's default for `max_entries_limit_per_query`; asking for more is a 400."""
MAX_LABELS = 24
MAX_VALUES = 500
_TRACES = frozenset({"trace_id", "span_id", "traceid", "spanid", "trace_flags", "flags", "observed_timestamp"})
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
T = TypeVar("T")
Line = tuple[int, Mapping[str, str], str]


@dataclass(frozen=True, slots=True)
class LokiLimits:
    """What the server allows, as far as it says: the most lines of an answer, and how far back it looks (s)."""

    entries: int = MAX_ENTRIES
    length: float | None = None
    lookback: float | None = None
    told: bool = False


class Loki:
    """LogSource. Made by `from_settings`."""

    def __init__(
        self, session: ReadOnlySession, limits: LokiEndpoint, redactor: Redactor, budget: Budget | None
    ) -> None:
        self.session = session
        self.limits = limits
        self._door = Door(SOURCE, redactor)
        self._budget = budget
        self._notices: dict[str, None] = {}
        self._server: LokiLimits | None = None
        self._names: tuple[str, ...] | None = None

    @classmethod
    def from_settings(cls, endpoint: LokiEndpoint, *, redactor: Redactor) -> Loki:
        """Raises SettingsError."""
        tenant = {"X-Scope-OrgID": endpoint.tenant} if endpoint.tenant else {}
        # Without the flag, structured metadata splits streams until there is one a line.
        asked = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
        endpoint = replace(endpoint, headers={**endpoint.headers, **tenant, **asked})
        return cls(ReadOnlySession(SOURCE, endpoint, LOKI), endpoint, redactor, None)

    def for_incident(self, *, redactor: Redactor, budget: Budget | None = None) -> Loki:
        """The same server for one incident: its redactor, its budget, our connections."""
        mine = Loki(self.session, self.limits, redactor, budget)
        mine._server = self._server
        return mine

    @property
    def redactions(self) -> Mapping[str, int]:
        return self._door.counts

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in the lines that were read, by service."""
        return self._door.findings()

    def notices(self) -> tuple[Gap, ...]:
        """What an answer did not cover, since the last look: each is a gap of the note."""
        found, self._notices = tuple(self._notices), {}
        return tuple(Gap(SOURCE, reason) for reason in found)

    def labels(self, window: Window) -> Mapping[str, tuple[str, ...]]:
        """Stream labels with their values, and the roles they play under the roles' names."""
        span = _span(window)
        names = self._label_names(window)[:MAX_LABELS]
        values = self._side_by_side([lambda n=n: self._strings(f"label/{n}/values", span) for n in names])  # type: ignore[misc]
        found = {
            name: tuple(sorted({self._door.value(name, v) for v in some[:MAX_VALUES]}))
            for name, some in zip(names, values, strict=True)
        }
        return {**found, **{r.role: found[r.label] for r in self.roles(window) if r.label in found}}

    def roles(self, window: Window) -> tuple[LabelRole, ...]:
        """Which label is the service, the level, …: guessed or configured, with the reason."""
        return label_roles(self._label_names(window), self.limits.labels)

    def search(
        self,
        *,
        selector: Sequence[Matcher],
        window: Window,
        contains: Sequence[str] = (),
        limit: int = 5000,
        about: str = "",
    ) -> LogEvidence:
        roles = self.roles(window)
        shown = as_labels(selector, roles, self._label_names(window))
        request = bounded(self._door.asked(shown), contains, window, limit, limits=self.limits)
        self._within_reach(window)
        self._affordable(request)
        lines, dropped = self._fetched(request)
        return LogEvidence(
            id=EvidenceId(""),
            query=search_text(shown, contains),
            about=about,
            window=window,
            lines=self._redacted(lines, roles),
            dropped=dropped,
        )

    def server_limits(self) -> LokiLimits:
        """Asked once. A server that does not say (before 3.x, or behind a gateway) is taken to have the defaults."""
        if self._server is None:
            try:
                self._server = limits_of(self._json("drilldown-limits"))
            except SourceError:
                self._server = LokiLimits()
        return self._server

    def _within_reach(self, window: Window) -> None:
        limits = self.server_limits()
        if limits.length is not None and window.seconds > limits.length:
            raise SourceTooLarge(SOURCE, f"the range is over the server's {limits.length:.0f} s", mend="look less far")
        reach = reachable(window, time.time(), limits.lookback)
        if reach is None:
            raise SourceRefused(
                SOURCE, "the window is further back than the server looks", mend="see max_query_lookback"
            )
        if reach != window:
            self._notices[f"only the last {limits.lookback:.0f} s are looked at by the server"] = None

    def _affordable(self, request: LogRequest) -> None:
        """Ask the index first, and search only when it has answered: a guard that fails open guards nothing."""
        span = {"start": str(request.start), "end": str(request.end)}
        stats = self._json("index/stats", {"query": request.selector, **span})
        size = stats.get("bytes") if isinstance(stats, Mapping) else None
        if isinstance(size, bool) or not isinstance(size, int):
            raise SourceMalformed(SOURCE, "index/stats does not say how much a search would read")
        if size > MAX_SCAN:
            raise SourceTooLarge(SOURCE, f"the search would read {size / 1024**3:.1f} GiB", mend="add a label or words")

    def _fetched(self, request: LogRequest) -> tuple[list[Line], int]:
        page = min(request.limit + 1, self.server_limits().entries)
        lines = self._page(replace(request, limit=page))
        if len(lines) < page:
            return sorted(lines, key=lambda x: x[0]), 0
        parts = self._side_by_side([lambda s=s: self._page(s) for s in slices(request, page)])  # type: ignore[misc]
        kept = sorted((line for part in parts for line in part), key=lambda x: x[0])[: request.limit]
        return kept, self._left_out(request, len(kept))

    def _page(self, request: LogRequest) -> list[Line]:
        try:
            return self._lines(request)
        except _OverEntries as error:
            self._server = replace(self.server_limits(), entries=error.most)
            return self._lines(replace(request, limit=min(request.limit, error.most)))

    def _lines(self, request: LogRequest) -> list[Line]:
        params = {
            "query": request.query,
            "start": str(request.start),
            "end": str(request.end),
            "limit": str(request.limit),
            "direction": "backward",
        }
        return list(lines_of(self._json("query_range", params)))

    def _left_out(self, request: LogRequest, kept: int) -> int:
        """Lines of the search that are not among those kept, as the server counts; at least one where it does not."""
        params = {"query": f"sum(count_over_time({request.query}[{request.seconds}s]))", "time": str(request.end)}
        try:
            ((_, value),) = [item["value"] for item in self._json("query", params)["data"]["result"]]
            return max(0, int(float(value)) - kept)
        except (SourceError, KeyError, TypeError, ValueError):
            self._notices["lines were left out, and the server would not count them"] = None
            return 1

    def _redacted(self, lines: Sequence[Line], roles: Sequence[LabelRole]) -> tuple[LogLine, ...]:
        streams = {id(labels): self._door.labels(with_roles(labels, roles)) for _, labels, _ in lines}
        seen = [(streams[id(labels)].get("service") or SOURCE, ts / 1e9) for ts, labels, _ in lines]
        texts = self._door.texts([text for _, _, text in lines], seen)
        return tuple(
            LogLine(ts / 1e9, streams[id(labels)], text.text)
            for (ts, labels, _), text in zip(lines, texts, strict=True)
        )

    def _label_names(self, window: Window) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple(n for n in self._strings("labels", _span(window)) if LABEL_NAME.match(n))
        return self._names

    def _strings(self, path: str, params: Mapping[str, str]) -> list[str]:
        """A list of names. An unknown label is success without `data`."""
        data = self._json(path, params).get("data", [])
        if not isinstance(data, list) or not all(isinstance(x, str) for x in data):
            raise SourceMalformed(SOURCE, "names are not a list of texts")
        return [x for x in data if not x.startswith("__")]

    def _json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        with self.session.within(self._budget):
            answer = self.session.get(f"{self.session.base}/loki/api/v1/{path}", params=params)
        if answer.status_code != 200:
            raise _refusal(answer)
        document = decoded(SOURCE, answer)
        if not isinstance(document, Mapping) or document.get("status", "success") != "success":
            raise SourceMalformed(SOURCE, "the answer is not of the API's shape", mend="check `url` and `prefix`")
        return document

    def _side_by_side(self, calls: Iterable[Callable[[], T]]) -> list[T]:
        work = list(calls)
        if len(work) < 2:
            return [call() for call in work]
        with ThreadPoolExecutor(max_workers=min(len(work), max(1, self.limits.concurrency))) as pool:
            return [future.result() for future in [pool.submit(call) for call in work]]


class _OverEntries(SourceTooLarge):
    """More lines were asked for than the server gives; it says how many it gives."""

    def __init__(self, most: int) -> None:
        super().__init__(SOURCE, f"the server gives at most {most} lines at once")
        self.most = most


def lines_of(document: Mapping[str, Any]) -> Iterable[Line]:
    """`(nanoseconds, labels, line)` of a `streams` answer. Structured metadata but for trace ids is written behind the
    line; `detected_level` becomes the level of a stream that has none (Loki 3.7 calls it `detected_level_extracted`
    where the stream has one already: nothing new then). Raises SourceMalformed."""
    try:
        data = document["data"]
        if data["resultType"] != "streams":
            raise SourceMalformed(SOURCE, "the answer holds no log lines")
        for stream in data["result"]:
            labels = {str(k): str(v) for k, v in stream["stream"].items()}
            kinds: dict[str, Mapping[str, str]] = {}
            for ts, line, *more in stream["values"]:
                known = more[0].get("structuredMetadata", {}) if more else {}
                level = str(known.get("detected_level", ""))
                shared = kinds.setdefault(level, labels if not level else {"detected_level": level, **labels})
                yield int(ts), shared, _with_metadata(line, known)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise SourceMalformed(SOURCE, "the answer is not the streams that the API describes") from None


def limits_of(document: Any) -> LokiLimits:
    """The answer of `/loki/api/v1/drilldown-limits`. Raises SourceMalformed."""
    limits = document.get("limits") if isinstance(document, Mapping) else None
    if not isinstance(limits, Mapping):
        raise SourceMalformed(SOURCE, "drilldown-limits has no limits")
    entries = limits.get("max_entries_limit_per_query")
    return LokiLimits(
        entries=entries if isinstance(entries, int) and entries > 0 else MAX_ENTRIES,
        length=_seconds(limits.get("max_query_length")),
        lookback=_seconds(limits.get("max_query_lookback")),
        told=True,
    )


def _with_metadata(line: Any, known: Mapping[str, Any]) -> str:
    if not isinstance(line, str):
        raise TypeError("a line is text")
    more = [f"{k}={v}" for k, v in known.items() if k.lower() not in _TRACES and not k.startswith("detected_level")]
    return " ".join((line, *more)) if more else line


def _refusal(answer: requests.Response) -> SourceError:
    """Loki's errors are text, and quote the query: the text decides and is never repeated."""
    text = answer.content[:2000].decode("utf-8", "replace")
    if found := re.search(r"max entries limit per query exceeded.*\(\d+ > (\d+)\)", text):
        return _OverEntries(max(1, int(found[1])))
    if "no org id" in text:
        return SourceRefused(SOURCE, "it wants a tenant", mend="set `tenant` under [loki]")
    if "multiple org IDs" in text:
        return SourceRefused(SOURCE, "it takes one tenant at a time", mend="name one in `tenant` under [loki]")
    if "time range exceeds" in text or "too many bytes" in text or "maximum number of series" in text:
        return SourceTooLarge(SOURCE, "the search is over the server's own limits", mend="narrow the question")
    if answer.status_code == 504 or "timed out" in text or "context deadline" in text:
        return SourceTimeout(SOURCE, "it gave up on the search at its own time limit", mend="narrow the question")
    try:
        accepted(SOURCE, answer)
    except SourceError as error:
        return error
    return SourceMalformed(SOURCE, "the answer is not of the API's shape")


def _span(window: Window) -> dict[str, str]:
    return {"start": str(int(window.start * 1e9)), "end": str(int(window.end * 1e9))}


def _seconds(text: Any) -> float | None:
    """`1d`, `2h30m`, or None for 0 and for what is no duration."""
    if not isinstance(text, str) or not re.fullmatch(r"(\d+(?:\.\d+)?[smhdwy])+", text):
        return None
    return sum(float(n) * _UNITS[u] for n, u in re.findall(r"(\d+(?:\.\d+)?)([smhdwy])", text)) or None
