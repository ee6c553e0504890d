"""An OpenAPI description of a listener, made from its routes: what fuzzing asks of every endpoint there is.

Made, not written, so that an endpoint that is added is fuzzed without anybody thinking of it. Query names are those
that pages of ours read; every endpoint gets all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from starlette.routing import BaseRoute, Mount, Route

QUERIES = (
    *("token", "next", "code", "state", "iss", "error", "q", "page", "limit", "offset", "after", "before", "since"),
    *("until", "event", "incident", "person", "actor", "model", "outcome", "class", "redacted", "release", "revision"),
)
FIELDS = (
    *("csrf", "kind", "reason", "incident", "record", "which", "judgement", "words", "what", "other", "fingerprints"),
    *("note", "action", "text", "size", "index"),
)
_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_TEXT = {"type": "string", "maxLength": 300}


def described(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """OpenAPI 3.0 of these routes; mounts are described by one path below them."""
    paths: dict[str, Any] = {}
    for path, methods in endpoints(routes):
        shown = _PARAMETER.sub(r"{\1}", path)
        paths.setdefault(shown, {}).update({m.lower(): _operation(path, m) for m in sorted(methods)})
    return {"openapi": "3.0.3", "info": {"title": "payops", "version": "1"}, "paths": paths}


def endpoints(routes: Iterable[BaseRoute], above: str = "") -> Iterator[tuple[str, set[str]]]:
    for route in routes:
        if isinstance(route, Route):
            yield above + route.path, (route.methods or {"GET"}) - {"HEAD"}
        elif isinstance(route, Mount):
            inner = list(endpoints(route.routes, above + route.path))
            yield from inner or [(above + route.path + "/{file}", {"GET"})]


def _operation(path: str, method: str) -> dict[str, Any]:
    given = [
        {"name": name, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}
        for name in _PARAMETER.findall(path)
    ]
    given += [{"name": name, "in": "query", "schema": _TEXT} for name in QUERIES]
    operation: dict[str, Any] = {"parameters": given, "responses": {"default": {"description": "any"}}}
    if method != "GET":
        fields = {"type": "object", "properties": dict.fromkeys(FIELDS, _TEXT), "additionalProperties": _TEXT}
        anything = {"schema": {}}
        operation["requestBody"] = {
            "content": {"application/x-www-form-urlencoded": {"schema": fields}, "application/json": anything}
        }
    return operation


def each_request(routes: Iterable[BaseRoute], ask: Callable[[dict[str, Any]], None], *, examples: int) -> int:
    """Generate requests for every operation, valid and not, and hand each to `ask` in the form that `requests` takes
    (url below http://placeholder); how many operations there were."""
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings

    schema = schemathesis.openapi.from_dict(described(routes))
    count = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def one(case: Any) -> None:
            ask(case.as_transport_kwargs(base_url="http://placeholder"))

        one()
        count += 1
    return count
