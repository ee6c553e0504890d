"""Records of the prompt log as OTLP: one log record each, and a span for each finished request to a model.

Pure: records in, the JSON of OTLP/HTTP out (opentelemetry-proto 1.x, JSON mapping: camelCase, ids in hexadecimal,
64-bit numbers as text). Names are those of the semantic conventions for generative AI (`gen_ai.*`). Leaves only:
bodies (prompts, answers, notes) never leave this way. Ids are hashes of record ids, so that what is sent twice is the
same span twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from assistant import __version__
from assistant.promptlog.record import CLOSES_REQUEST, Outcome, Record

_SCOPE = {"name": "payops.promptlog", "version": __version__}
_SEVERITY = {Outcome.OK: (9, "INFO"), Outcome.UNKNOWN: (13, "WARN"), Outcome.DENIED: (13, "WARN")}
_FAILED = (17, "ERROR")
_CLIENT = 3
_STATUS = {Outcome.OK: 1}
_ASKED = {
    "model": "gen_ai.request.model",
    "temperature": "gen_ai.request.temperature",
    "seed": "gen_ai.request.seed",
    "top_p": "gen_ai.request.top_p",
    "max_tokens": "gen_ai.request.max_tokens",
}
_ANSWERED = {
    "model_returned": "gen_ai.response.model",
    "answer": "gen_ai.response.id",
    "tokens_in": "gen_ai.usage.input_tokens",
    "tokens_out": "gen_ai.usage.output_tokens",
    "error": "error.type",
    "status": "http.response.status_code",
}


def logs(records: Sequence[Record]) -> dict[str, Any]:
    """The body of `POST /v1/logs`."""
    return {"resourceLogs": [{**_RESOURCE, "scopeLogs": [{"scope": _SCOPE, "logRecords": [*map(_log, records)]}]}]}


def traces(pairs: Sequence[tuple[Record, Record]]) -> dict[str, Any]:
    """The body of `POST /v1/traces`, of requests with the records that closed them."""
    spans = [_span(request, closing) for request, closing in pairs]
    return {"resourceSpans": [{**_RESOURCE, "scopeSpans": [{"scope": _SCOPE, "spans": spans}]}]}


def closed_request(record: Record) -> str:
    """The id of the request that this record closes, or ""."""
    return str(record.facts.get("request", "")) if record.event in CLOSES_REQUEST else ""


def attribute(key: str, value: object) -> dict[str, Any] | None:
    """A KeyValue; None for what OTLP has no plain value for."""
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    if isinstance(value, str):
        return {"key": key, "value": {"stringValue": value}}
    return None


def _log(record: Record) -> dict[str, Any]:
    number, text = _SEVERITY.get(record.outcome, _FAILED)
    facts = {f"payops.fact.{name}": value for name, value in record.facts.items()}
    return {
        "timeUnixNano": _nanoseconds(record.time),
        "severityNumber": number,
        "severityText": text,
        "eventName": f"payops.{record.event.value}",
        "body": {"stringValue": record.event.value},
        "attributes": _attributes({**_common(record), **_flat(facts)}),
        "traceId": _trace(record),
        "spanId": _id(closed_request(record) or record.id, 8),
    }


def _span(request: Record, closing: Record) -> dict[str, Any]:
    asked = {theirs: request.facts[ours] for ours, theirs in _ASKED.items() if ours in request.facts}
    answered = {theirs: closing.facts[ours] for ours, theirs in _ANSWERED.items() if ours in closing.facts}
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": str(request.facts.get("provider", "openai")),
        "server.address": request.resource,
        "payops.closed_by": closing.event.value,
    }
    return {
        "traceId": _trace(request),
        "spanId": _id(request.id, 8),
        "name": f"chat {request.facts.get('model', '')}".strip(),
        "kind": _CLIENT,
        "startTimeUnixNano": _nanoseconds(request.time),
        "endTimeUnixNano": _nanoseconds(max(closing.time, request.time)),
        "attributes": _attributes({**_common(request), **said, **asked, **answered}),
        "status": {"code": _STATUS.get(closing.outcome, 2)},
    }


def _common(record: Record) -> dict[str, object]:
    found: dict[str, object] = {
        "payops.record.id": record.id,
        "payops.record.index": record.index,
        "payops.actor": record.actor,
        "payops.origin": record.origin,
        "payops.outcome": record.outcome.value,
        "payops.resource": record.resource,
    }
    return found | ({"payops.incident": record.incident} if record.incident else {})


def _flat(facts: Mapping[str, object]) -> dict[str, object]:
    """Plain facts as they are, counts by class one by one; lists as how many they hold."""
    found: dict[str, object] = {}
    for name, value in facts.items():
        if isinstance(value, Mapping):
            found |= {f"{name}.{k}": v for k, v in value.items()}
        elif isinstance(value, list | tuple):
            found[f"{name}.count"] = len(value)
        else:
            found[name] = value
    return found


def _attributes(values: Mapping[str, object]) -> list[dict[str, Any]]:
    return [made for key, value in values.items() if (made := attribute(key, value)) is not None]


def _trace(record: Record) -> str:
    """One trace an incident; what belongs to none is a trace of its own."""
    return _id(record.incident or record.correlation or record.id, 16)


def _id(text: str, size: int) -> str:
    return hashlib.sha256(text.encode()).digest()[:size].hex()


def _nanoseconds(time: datetime) -> str:
    return str(round(time.timestamp() * 1e6) * 1000)


_RESOURCE = {
    "resource": {
        "attributes": _attributes({"service.name": "payops", "service.version": __version__}),
    }
}
