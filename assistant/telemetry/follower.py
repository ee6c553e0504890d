"""Follows the prompt log and hands what is committed to an OpenTelemetry collector, in order, nothing lost.

Tracing is not a log (a batch processor loses spans when the process is killed): so the log is written first, and this
reads it. What a collector did not take is sent again, after a restart too, from a cursor in the notebook's database;
what it took twice has the same ids.
"""

from __future__ import annotations

import http.client
import json
import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from urllib.parse import urlsplit

from assistant.errors import OutletError, SettingsError
from assistant.notebook.cursor import Cursor
from assistant.promptlog.log import Log
from assistant.promptlog.record import Record
from assistant.promptlog.store import Filter
from assistant.telemetry.otlp import closed_request, logs, traces

_LOG = logging.getLogger("payops.telemetry")
BATCH = 200
BATCHES = 25
"""So many batches a turn, and then others have theirs; a long log is caught up over many turns."""
_TIMEOUT_S = 10.0
_MOST = 64 * 1024


class NotTaken(OutletError):
    """The collector did not take a batch; it is sent again."""


@dataclass(frozen=True, slots=True)
class Collector:
    """An OTLP/HTTP receiver. `url` without the signal's path; `token` reads the bearer token as it is now."""

    url: str
    token: Callable[[], str] = lambda: ""

    def post(self, signal: str, payload: Mapping[str, object]) -> None:
        """Raises NotTaken for everything but a 2xx."""
        at = urlsplit(self.url)
        headers = {"Content-Type": "application/json"}
        if token := self.token():
            headers["Authorization"] = f"Bearer {token}"
        connection = (
            http.client.HTTPSConnection(
                at.hostname or "", at.port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
            )
            if at.scheme == "https"
            else http.client.HTTPConnection(at.hostname or "", at.port, timeout=_TIMEOUT_S)
        )
        with closing(connection):
            try:
                connection.request("POST", f"{at.path.rstrip('/')}/v1/{signal}", json.dumps(payload).encode(), headers)
                answer = connection.getresponse()
                said = answer.read(_MOST)
            except (OSError, http.client.HTTPException) as error:
                raise NotTaken(f"the collector was not reached ({type(error).__name__})") from None
        if not 200 <= answer.status < 300:
            raise NotTaken(f"the collector answered {answer.status}")
        _partly(signal, said)


@dataclass(slots=True)
class Follower:
    """`log` is read at each turn, because a log that failed is opened anew; `leads` says whether it is ours to do."""

    log: Callable[[], Log]
    cursor: Cursor
    collector: Collector
    leads: Callable[[], bool]
    last: int = -1

    def turn(self) -> int:
        """Hand on what is committed and was not taken yet; how many records. Raises NotTaken, Away, PromptLogError."""
        if not self.leads():
            return 0
        log, sent = self.log(), 0
        for _ in range(BATCHES):
            at = self.cursor.at()
            stop = min(log.size(), at + BATCH)
            if at >= stop:
                break
            self._hand_on(log, [log.record(row) for row in log.store.rows(Filter(start=at, stop=stop)) if row.leaf])
            self.cursor.move(stop)
            sent += stop - at
        self.last = self.cursor.at()
        return sent

    def behind(self) -> int:
        """Records that are committed and were not taken yet."""
        return max(self.log().size() - self.cursor.at(), 0)

    def _hand_on(self, log: Log, records: list[Record]) -> None:
        pairs = [(log.get(request), record) for record in records if (request := closed_request(record))]
        if pairs:
            self.collector.post("traces", traces(pairs))
        if records:
            self.collector.post("logs", logs(records))


def collector_url(url: str) -> str:
    """Raises SettingsError for what is not an address of a collector."""
    at = urlsplit(url)
    if at.scheme not in {"http", "https"} or not at.hostname or at.username or at.query or at.fragment:
        raise SettingsError("[log] otel_url is not http(s)://host:port", mend="give a collector's OTLP/HTTP address")
    return url


def _partly(signal: str, said: bytes) -> None:
    """A collector may take a batch and say that it rejected some of it: sending it again would not change that."""
    try:
        rejected = json.loads(said or b"{}").get("partialSuccess", {})
    except (ValueError, AttributeError):
        return
    if isinstance(rejected, dict) and any(str(v).isdigit() and int(v) for v in rejected.values()):
        _LOG.warning("the collector rejected part of a batch", extra={"signal": signal})
