"""Change events from everywhere they are told: a JSON file, a URL, Loki streams, and metrics; one value type for all.

The places are asked side by side and each may fail alone: what failed becomes a notice (a gap of the note); only when
nothing answered is it an error. Who calls whom is read from service-graph metrics where there are any.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assistant.core.evidence import Change, Gap, Series, Topology
from assistant.core.query import Query, Rate, Select, Sum
from assistant.core.time import Instant, Window
from assistant.errors import SourceError, SourceMalformed, SourceRefused, SourceTooLarge
from assistant.settings import Changes, Endpoint
from assistant.sources.budget import Budget
from assistant.sources.change_json import changes_of, within
from assistant.sources.change_logs import changes_of_lines, selector_of
from assistant.sources.change_metrics import NAMES, change_queries, changes_in
from assistant.sources.door import Door
from assistant.sources.loki import Loki
from assistant.sources.prometheus import Prometheus
from assistant.sources.readonly_http import ReadOnlySession
from assistant.sources.reads import DOCUMENT
from redaction import CardholderFinding, Redactor

SOURCE = "changes"
MAX_FILE = 16 * 1024 * 1024
STEP = 60.0
_GRAPHS: tuple[tuple[str, str, str], ...] = (
    ("traces_service_graph_request_total", "client", "server"),
    ("istio_requests_total", "source_workload", "destination_workload"),
    ("linkerd_request_total", "deployment", "dst_deployment"),
)
Place = Callable[[Window], tuple[Change, ...]]


class ChangeEvents:
    """ChangeSource over all configured places. Made by `from_settings`."""

    def __init__(
        self,
        settings: Changes,
        session: ReadOnlySession | None,
        redactor: Redactor,
        *,
        prometheus: Prometheus | None,
        loki: Loki | None,
        budget: Budget | None = None,
    ) -> None:
        self.settings = settings
        self.session = session
        self._door = Door(SOURCE, redactor)
        self._prometheus = prometheus
        self._loki = loki
        self._budget = budget
        self._selectors = tuple(map(selector_of, settings.loki))
        self._notices: dict[str, None] = {}

    @classmethod
    def from_settings(
        cls, settings: Changes, *, redactor: Redactor, prometheus: Prometheus | None = None, loki: Loki | None = None
    ) -> ChangeEvents:
        """Raises SettingsError."""
        session = None
        if settings.url:
            endpoint = Endpoint(
                url=settings.url,
                bearer_env=settings.bearer_env,
                bearer_file=settings.bearer_file,
                timeout_s=settings.timeout_s,
                max_bytes=MAX_FILE,
            )
            session = ReadOnlySession(SOURCE, endpoint, DOCUMENT)
        return cls(settings, session, redactor, prometheus=prometheus, loki=loki)

    def for_incident(
        self,
        *,
        redactor: Redactor,
        budget: Budget | None = None,
        prometheus: Prometheus | None = None,
        loki: Loki | None = None,
    ) -> ChangeEvents:
        """The same places for one incident; `prometheus` and `loki` are those of the incident."""
        return ChangeEvents(self.settings, self.session, redactor, prometheus=prometheus, loki=loki, budget=budget)

    def findings(self) -> tuple[CardholderFinding, ...]:
        """Card data in what it answered so far."""
        return self._door.findings()

    @property
    def redactions(self) -> Mapping[str, int]:
        return self._door.counts

    def notices(self) -> tuple[Gap, ...]:
        """The places that failed since the last look."""
        found, self._notices = tuple(self._notices), {}
        return tuple(Gap(SOURCE, reason) for reason in found)

    def changes(self, window: Window) -> tuple[Change, ...]:
        """In time order, each once. Raises the first SourceError when every place failed."""
        places = self._places()
        if not places:
            return ()
        with ThreadPoolExecutor(max_workers=len(places)) as pool:
            answers = list(pool.map(lambda place: _tried(place[1], window), places.items()))
        failed = [(name, a) for name, a in zip(places, answers, strict=True) if isinstance(a, SourceError)]
        if len(failed) == len(places):
            raise failed[0][1]
        self._notices |= {f"{name}: {error.message}": None for name, error in failed}
        found = {(c.kind, c.service, c.id, round(c.t)): c for a in answers if isinstance(a, tuple) for c in a}
        return tuple(sorted(found.values(), key=lambda c: (c.t, c.service, c.id)))

    def topology(self) -> Topology:
        """From the first service-graph metric there is; empty where there is none. Raises SourceError."""
        if self._prometheus is None or not self.settings.metrics:
            return Topology()
        end = time.time()
        window = Window(Instant(end - 3600), Instant(end))
        for metric, caller, callee in _GRAPHS:
            query: Query = Sum(Rate(Select(metric), 600), (caller, callee))
            series, _ = self._prometheus.range(query, window=window, step=900)
            if edges := _edges(series, caller, callee):
                return Topology(tuple(dict.fromkeys(name for edge in edges for name in edge)), edges)
        return Topology()

    def _places(self) -> dict[str, Place]:
        places: dict[str, Place] = {}
        if self.settings.file:
            places["file"] = self._file
        if self.session is not None:
            places["url"] = self._url
        if self._selectors and self._loki is not None:
            places["loki"] = self._logs
        if self.settings.metrics and self._prometheus is not None:
            places["metrics"] = self._metrics
        return places

    def _file(self, window: Window) -> tuple[Change, ...]:
        path = Path(self.settings.file)
        try:
            if path.stat().st_size > MAX_FILE:
                raise SourceTooLarge(SOURCE, f"the file is over {MAX_FILE} bytes", mend="keep the recent changes")
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise SourceRefused(SOURCE, f"the file cannot be read: {error.strerror}", mend="check `file`") from None
        except (ValueError, RecursionError):
            raise SourceMalformed(SOURCE, "the file is not JSON", mend="give a JSON list of changes") from None
        return within(changes_of(document, self._door), window)

    def _url(self, window: Window) -> tuple[Change, ...]:
        assert self.session is not None
        with self.session.within(self._budget):
            return within(changes_of(self.session.get_json(""), self._door), window)

    def _logs(self, window: Window) -> tuple[Change, ...]:
        assert self._loki is not None
        found: list[Change] = []
        for selector in self._selectors:
            lines = self._loki.search(selector=selector, window=window, limit=500, about="changes").lines
            found += changes_of_lines(lines)
        return tuple(found)

    def _metrics(self, window: Window) -> tuple[Change, ...]:
        server = self._prometheus
        assert server is not None
        span = {"start": f"{window.start:.3f}", "end": f"{window.end:.3f}"}
        match = [f'{{__name__=~"{NAMES}"}}']
        names = server.data("/api/v1/label/__name__/values", {**span, "match[]": match})
        asked = change_queries([n for n in names if isinstance(n, str)] if isinstance(names, list) else [])
        answers = server.side_by_side(
            [lambda q=q: server.range(q.query, window=window, step=STEP)[0] for q in asked]  # type: ignore[misc]
        )
        return tuple(c for q, series in zip(asked, answers, strict=True) for c in changes_in(q, series, window))


def _tried(place: Place, window: Window) -> tuple[Change, ...] | SourceError:
    try:
        return place(window)
    except SourceError as error:
        return error


def _edges(series: tuple[Series, ...], caller: str, callee: str) -> tuple[tuple[str, str], ...]:
    pairs = ((s.labels.get(caller, ""), s.labels.get(callee, "")) for s in series)
    return tuple(dict.fromkeys((a, b) for a, b in pairs if a and b and a != b))
