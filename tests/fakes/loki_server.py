"""A Loki that answers as the recorded exchanges do, moved to the time that is asked for; on a real socket.

Errors of the recordings are errors here: no selective matcher, an unknown path, a limit over the server's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.sources.http_server import Answer, Asked, Server, serving

RECORDED = Path(__file__).resolve().parents[1] / "sources" / "recorded" / "loki"
API = "/loki/api/v1/"
MAX_ENTRIES = 1000
_LABEL = re.compile(r"/loki/api/v1/label/(\w+)/values")


def recorded(name: str) -> Answer:
    """A recorded response as it was."""
    response = json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))["response"]
    body = response["body"] if isinstance(response["body"], str) else json.dumps(response["body"])
    return Answer(response["status"], body.encode(), response["content_type"] or "text/plain")


def answer(asked: Asked) -> Answer:
    """What the recorded Loki would say."""
    if asked.method != "GET" or not asked.path.startswith(API):
        return recorded("err_404")
    if match := _LABEL.fullmatch(asked.path):
        return recorded("label_values" if match[1] in {"app", "service_name"} else "label_values_query")
    path = asked.path.removeprefix(API)
    fixed = {
        "labels": "labels",
        "series": "series",
        "index/stats": "t3_index_stats_after_flush",
        "drilldown-limits": "t2_drilldown_limits",
        "status/buildinfo": "buildinfo",
    }
    if path in fixed:
        return recorded(fixed[path])
    return _lines(asked) if path == "query_range" else recorded("err_404")


def _lines(asked: Asked) -> Answer:
    query = asked.query.get("query", [""])[0]
    if not re.search(r'\w+\s*=~?\s*"[^"]+"', query):
        return recorded("err_empty_match_all")
    if int(asked.query.get("limit", ["100"])[0]) > MAX_ENTRIES:
        return recorded("err_limit_entries")
    if query.lstrip().startswith(("sum", "count", "rate", "topk")):
        return recorded("empty_result")
    flags = {k.lower(): v for k, v in asked.headers.items()}.get("x-loki-response-encoding-flags", "")
    found = recorded("query_range_categorized" if "categorize-labels" in flags else "query_range_streams_forward")
    document = json.loads(found.body)
    _move(document["data"]["result"], end=int(asked.query["end"][0]))
    return Answer(200, json.dumps(document).encode(), found.type)


def _move(streams: list[dict[str, Any]], *, end: int) -> None:
    """Timestamps as far before `end` as they were before the last line."""
    last = max(int(value[0]) for stream in streams for value in stream["values"])
    for stream in streams:
        for value in stream["values"]:
            value[0] = str(int(value[0]) - last + end - 1_000_000_000)


@contextmanager
def loki() -> Iterator[Server]:
    with serving(answer) as server:
        yield server
