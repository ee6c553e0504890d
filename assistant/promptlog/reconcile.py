"""What bypassed the log cannot be in it: compare it with what others counted.

Understood, by content:

- a usage report as OpenAI's organization/usage/completions answers it: `{"data": [{"start_time", "end_time", "results":
  [{"num_model_requests", "input_tokens", "output_tokens", "model"}]}]}` (seconds since 1970)
- CSV with a header: `start,end,requests` and where there are any `model,tokens_in,tokens_out` (ISO 8601 or seconds)
- an egress proxy's access log: Squid's native format, or JSON lines with `time`/`ts`, `host`, and `method` where
  there is one

A usage report must agree in numbers. A proxy that tunnels TLS sees connections, not requests, and one connection
carries many: it shows times at which something left though the log has no request near them.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from assistant.errors import UsageError
from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Outcome, Record, format_time
from assistant.promptlog.store import Filter

NEAR = timedelta(minutes=10)
"""A connection may be kept open for later requests this long."""

_SQUID = re.compile(r"^(?P<time>\d+\.\d+)\s+\d+\s+\S+\s+\w+/\d+\s+\d+\s+(?P<method>\w+)\s+(?P<url>\S+)")


@dataclass(frozen=True, slots=True)
class Usage:
    """What the provider counted between two moments; None: it does not say."""

    start: datetime
    end: datetime
    requests: int
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None


@dataclass(frozen=True, slots=True)
class Egress:
    """One line of the proxy's log."""

    time: datetime
    host: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Theirs against ours. `ours` may be a span: whether a request of unknown outcome left is not known."""

    start: datetime
    end: datetime
    what: str
    theirs: int
    ours: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    compared: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def reconcile(log: Log, text: str, *, host: str = "") -> Reconciliation:
    """Compare with a report or a proxy's log. `host` picks the model's host from a proxy's log. UsageError if
    unreadable.
    """
    if _looks_like_proxy(text):
        return _with_egress(log, tuple(_egress(text, host)))
    return _with_usage(log, tuple(_usage(text)))


def _with_usage(log: Log, report: Sequence[Usage]) -> Reconciliation:
    differences: list[Difference] = []
    for usage in report:
        ours = _Ours.between(log, usage.start, usage.end, usage.model)
        pairs = [("requests", usage.requests, (ours.answered, ours.answered + ours.unknown))]
        if not ours.unknown:
            pairs += [
                (name, theirs, (mine, mine))
                for name, theirs, mine in (
                    ("input tokens", usage.tokens_in, ours.tokens_in),
                    ("output tokens", usage.tokens_out, ours.tokens_out),
                )
                if theirs is not None
            ]
        differences += [
            Difference(usage.start, usage.end, f"{what}{f' of {usage.model}' if usage.model else ''}", theirs, span)
            for what, theirs, span in pairs
            if not span[0] <= theirs <= span[1]
        ]
    notes = () if report else ("the report has no rows",)
    return Reconciliation(len(report), tuple(differences), notes)


@dataclass(slots=True)
class _Ours:
    """What the log counts: requests that were answered (well or badly), and those of which nobody knows."""

    answered: int = 0
    unknown: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    @classmethod
    def between(cls, log: Log, start: datetime, end: datetime, model: str | None) -> _Ours:
        ours = cls()
        span = Filter(since=format_time(start), until=format_time(end), events=(Event.LLM_REQUEST.value,))
        for request in log.search(span):
            if model is not None and request.facts.get("model") not in (None, model):
                continue
            ours.add(next((r for r in log.search(Filter(about=request.id)) if r.event.value.startswith("llm.")), None))
        return ours

    def add(self, closing: Record | None) -> None:
        if closing is None or closing.outcome is Outcome.UNKNOWN:
            self.unknown += 1
        elif closing.event is Event.LLM_RESPONSE:
            self.answered += 1
            self.tokens_in += int(closing.facts.get("tokens_in") or 0)
            self.tokens_out += int(closing.facts.get("tokens_out") or 0)


def _with_egress(log: Log, lines: Sequence[Egress]) -> Reconciliation:
    """Connections without a request from shortly before them until they would have been closed."""
    differences = []
    for line in lines:
        span = Filter(
            since=format_time(line.time - timedelta(seconds=30)),
            until=format_time(line.time + NEAR),
            events=(Event.LLM_REQUEST.value,),
        )
        if next(iter(log.store.rows(span)), None) is None:
            what = f"a connection to {line.host}"
            differences.append(Difference(line.time, line.time + NEAR, what, 1, (0, 0)))
    notes = ("a proxy counts connections, not requests: it shows traffic without a record, not how much",)
    return Reconciliation(len(lines), tuple(differences), notes)


def _looks_like_proxy(text: str) -> bool:
    first = next((line for line in text.splitlines() if line.strip()), "")
    if _SQUID.match(first):
        return True
    try:
        value = json.loads(first)
    except ValueError:
        return False
    return isinstance(value, dict) and "host" in value


def _egress(text: str, host: str) -> Iterator[Egress]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        squid = _SQUID.match(line)
        try:
            if squid:
                seen = Egress(_moment(squid["time"]), _host_of(squid["url"]))
            else:
                value = json.loads(line)
                seen = Egress(_moment(value.get("time", value.get("ts"))), str(value["host"]).split(":")[0])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise UsageError(f"line {number} of the proxy's log cannot be read", mend=_FORMS) from None
        if not host or seen.host == host:
            yield seen


def _host_of(url: str) -> str:
    return re.sub(r"^\w+://", "", url).split("/")[0].split(":")[0]


def _usage(text: str) -> Iterator[Usage]:
    try:
        if text.lstrip().startswith("{"):
            yield from _openai_usage(json.loads(text))
        else:
            yield from _csv_usage(text)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("the usage report cannot be read", mend=_FORMS) from None


def _openai_usage(report: dict[str, list[dict[str, object]]]) -> Iterator[Usage]:
    for bucket in report["data"]:
        results = bucket["results"]
        if not isinstance(results, list):
            raise TypeError
        for result in results:
            yield Usage(
                _moment(bucket["start_time"]),
                _moment(bucket["end_time"]),
                int(result["num_model_requests"]),
                result.get("model"),
                result.get("input_tokens"),
                result.get("output_tokens"),
            )


def _csv_usage(text: str) -> Iterator[Usage]:
    for row in csv.DictReader(io.StringIO(text)):
        tokens = [int(row[name]) if row.get(name) else None for name in ("tokens_in", "tokens_out")]
        yield Usage(_moment(row["start"]), _moment(row["end"]), int(row["requests"]), row.get("model") or None, *tokens)


def _moment(value: object) -> datetime:
    """Seconds since 1970 or ISO 8601 (UTC where it names no zone)."""
    try:
        return datetime.fromtimestamp(float(str(value)), UTC)
    except ValueError:
        moment = datetime.fromisoformat(str(value))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


_FORMS = "give OpenAI's usage JSON, CSV with start,end,requests, Squid's access.log, or JSON lines with time and host"
