"""The system page: what the assistant reads from, may spend, has waiting, and how it changed, plotted."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from typing import Any

from starlette.responses import Response

from assistant.errors import PromptLogError
from assistant.promptlog.record import Event
from assistant.promptlog.store import Filter
from assistant.web.pages.charts import Drawing, bars, draw
from assistant.web.pages.history import History, labelled, readings
from assistant.web.pages.render import Ask, page
from assistant.web.pages.system_view import DAY, DAYS, drifts, gaps_of, gauges, history_charts, judged_chart

_SOURCES = ("prometheus", "alertmanager", "loki", "changes")
_QUEUE = {
    "incidents_open": "incidents open",
    "rounds_unfinished": "rounds unfinished",
    "rounds_running_here": "rounds running here",
    "outbox_waiting": "notes waiting to be shown",
    "outbox_oldest_seconds": "oldest waits, in seconds",
    "outbox_failed": "notes that could not be shown",
    "replicas": "replicas alive",
    "alerts_kept": "alerts kept",
}
_FEEDBACK = 500


def system(ask: Ask) -> Response:
    """Plots over days come from kept notes, those over hours from this process's own samples."""
    desk, now = ask.desk, time.time()
    points = desk.board.points(now - DAYS * DAY)
    values = readings(desk.metrics)
    return page(
        ask, "system.html", health=desk.health(), off=desk.switched_off(), sources=_sources(ask),
        model=desk.settings.model, spent=_spent(values), used=_used(values), queue=gauges(values, _QUEUE),
        charts=history_charts(points, now),
        own=_own(desk.history), drifts=drifts(points, now), gaps=gaps_of(points, now), judged=_judged(ask, now),
        attested=_attested(ask), denied=labelled(desk.metrics, "payops_auth_denied_total"), covered=_covered(ask),
        points=len(points),
    )  # fmt: skip


def _sources(ask: Ask) -> list[dict[str, Any]]:
    """Each configured source; an address shows scheme and host only."""
    settings = ask.desk.settings
    up = labelled(ask.desk.metrics, "payops_source_up")
    found = []
    for name in _SOURCES:
        url = getattr(settings, name).url
        found.append({"name": name, "where": _host(url), "up": up.get(name), "configured": bool(url)})
    return found


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.hostname or ''}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "not an address"


def _spent(values: dict[str, float]) -> list[tuple[str, float]]:
    """Readings of the model: state, tokens and cost of today."""
    return sorted((k.removeprefix("payops_"), v) for k, v in values.items() if k.startswith("payops_model_"))


def _used(values: dict[str, float]) -> list[tuple[str, float, float]]:
    """(what, used today, most) of each budget of the model that has a limit."""
    names = (("tokens today", "payops_model_tokens_today"), ("cost today", "payops_model_cost_today"))
    found = [(said, values.get(name), values.get(f"{name}_limit")) for said, name in names]
    return [(said, used, most) for said, used, most in found if used is not None and most]


def _own(history: History) -> list[Drawing]:
    """This process over the last day, a sample a minute."""
    wanted = (
        ("queue", "Waiting to be shown, and rounds unfinished", "",
         {"outbox": "payops_outbox_waiting", "rounds": "payops_rounds_unfinished"}),
        ("open", "Incidents open", "", {"open": "payops_incidents_open"}),
        ("replicas", "Replicas alive", "", {"replicas": "payops_replicas"}),
        ("tail", "Records that no checkpoint held elsewhere covers", "",
         {"records": "payops_promptlog_unprotected_records"}),
    )  # fmt: skip
    made = [
        draw(f"own-{name}", title=title, unit=unit, t=history.series(next(iter(names.values())))[0],
             series={said: history.series(metric)[1] for said, metric in names.items()})
        for name, title, unit, names in wanted
    ]  # fmt: skip
    times: dict[str, list[float | None]] = {}
    t: list[float] = []
    for said, metric in (("facts", "facts_seconds"), ("note", "note_seconds")):
        t, times[said] = history.rate(f"payops_{metric}_sum", f"payops_{metric}_count")
    waits: dict[str, list[float | None]] = {}
    for said, metric in (("queries of sources", "source_seconds"), ("pages of the console", "page_seconds")):
        t, waits[said] = history.rate(f"payops_{metric}_sum", f"payops_{metric}_count")
    made.append(draw("own-waits", title="Mean seconds of a query and of a page", unit="s", t=t, series=waits))
    made.append(draw("own-latency", title="Mean seconds to the facts and to the note", unit="s", t=t, series=times))
    return [m for m in made if m is not None]


def _judged(ask: Ask, now: float) -> dict[str, Any]:
    """What people said of notes, newest 500; {} where the log cannot be read."""
    try:
        found = ask.desk.log().search(Filter(events=(Event.FEEDBACK.value,)), newest_first=True)
        judged = [
            (r.time.timestamp(), str(r.facts.get("judgement", "unknown")).replace("_", " "))
            for r in itertools.islice(found, _FEEDBACK)
        ]
    except PromptLogError as error:
        return {"bars": (), "chart": None, "missing": str(error)}
    counts = Counter(word for _, word in judged)
    return {"bars": bars({k: float(v) for k, v in counts.items()}), "chart": judged_chart(judged, now), "missing": ""}


def _attested(ask: Ask) -> dict[str, Any] | None:
    """The newest look at our credentials, None where there was none."""
    log = ask.desk.log()
    record = next(log.search(Filter(events=(Event.CREDENTIALS_ATTEST.value,)), newest_first=True), None)
    if record is None:
        return None
    body = log.body(record, "attestation") if "attestation" in record.bodies else None
    found: dict[str, Any] = json.loads(body) if isinstance(body, bytes) else {}
    return {**found, "record": record.index, "time": record.time}


def _covered(ask: Ask) -> Any:
    try:
        return ask.desk.covered()
    except PromptLogError:
        return None
