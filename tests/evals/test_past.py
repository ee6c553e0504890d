"""A team's own past: firing spans become incidents, and an incident becomes a world that says the same again."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from assistant.backtest import FIRING, Episode, episodes, groups, replay
from assistant.bootstrap import open_world, world_sources
from assistant.core.alert import frozen
from assistant.core.evidence import MetricInfo, Series
from assistant.core.query import Query, Select
from assistant.core.time import Instant, Window
from assistant.errors import WorldError
from assistant.house import Sources
from assistant.incidents import incident_of, together
from assistant.ports import MetricSource
from assistant.settings import Settings
from assistant.world_record import record
from redaction import FinalScanner, Redactor
from tests.journey.planted import WORLD, answers, found_in

NOW = 1_000_000.0
PAN = "4111" + "1111" + "1111" + "1111"


def firing(name: str, *spans: tuple[float, float]) -> Series:
    t = np.concatenate([np.arange(a, b + 1, 60.0) for a, b in spans])
    labels = frozen({"__name__": "ALERTS", "alertname": name, "alertstate": "firing"})
    return Series(labels, t, np.ones_like(t))


@dataclass(frozen=True, slots=True)
class History:
    """A MetricSource that knows ALERTS, and hands everything else to another one."""

    alerts: tuple[Series, ...]
    inner: MetricSource | None = None

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        return self.inner.catalogue(window) if self.inner else ()

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        if query == FIRING:
            return tuple(s.within(window) for s in self.alerts), 0
        assert self.inner is not None
        return self.inner.range(query, window=window, step=step)

    def promql(self, query: Query) -> str:
        return query.metric if isinstance(query, Select) else "query"


def test_spans_are_cut_at_silence_and_joined_over_midnight() -> None:
    day = 86_400.0
    over_midnight = (NOW - day - 600, NOW - day + 600)
    source = History((firing("A", over_midnight), firing("B", (NOW - 9000, NOW - 8400), (NOW - 4000, NOW - 3400))))
    found = episodes(source, now=NOW, days=2)
    assert [(e.labels["alertname"], e.end - e.start) for e in found] == [("A", 1200.0), ("B", 600.0), ("B", 600.0)]


def test_alerts_within_half_an_hour_are_one_incident() -> None:
    found = [Episode({"alertname": n}, s, s + 60) for n, s in (("A", 0.0), ("B", 1000.0), ("C", 5000.0))]
    assert [len(g) for g in groups(found)] == [2, 1]


def test_the_past_says_what_the_live_note_says(tmp_path: Path) -> None:
    house, world = open_world(WORLD, Settings(state=tmp_path))
    now = world.now()
    fired = firing("AuthorisationDeclineSpike", (now - 460, now))
    old = firing("Elsewhere", (now - 40_000, now - 39_000))

    def sources(redactor: Redactor) -> Sources:
        inner = world_sources(WORLD)(redactor)
        return replace(inner, metrics=History((fired, old), inner.metrics))

    with closing(house.promptlog):
        past = list(replay(replace(house, sources=sources), days=1))
    assert [p.alerts for p in past] == [("Elsewhere",), ("AuthorisationDeclineSpike",)]
    assert past[1].note.hypotheses[0].change == answers()["change"]
    assert past[1].tokens > 500
    assert past[0].note.gaps


def test_a_recorded_incident_is_a_world_that_says_the_same_and_holds_no_planted_value(tmp_path: Path) -> None:
    redactor = Redactor.default().for_incident("inc-test")
    sources = world_sources(WORLD)(redactor)
    alerts, rules = sources.alerts.alerts(), sources.alerts.rules()
    world_now = float(Path(WORLD / "world.toml").read_text().split("now = ")[1].split("\n")[0])
    incident = incident_of(together(alerts, rules), rules, now=Instant(world_now))
    folder = tmp_path / "kept"
    kept = record(incident, sources, folder, scanner=FinalScanner())
    assert kept.series > 100 and kept.lines > 500
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert found_in(b"\n".join(p.read_bytes() for p in files)) == []

    from evals.sets.lab import note_of

    note = note_of(folder)
    assert note["hypotheses"][0]["change"] == answers()["change"]
    assert json.loads((folder / "alerts.json").read_text())[0]["labels"]["alertname"] == "AuthorisationDeclineSpike"
    with pytest.raises(WorldError, match="is not empty"):
        record(incident, sources, folder, scanner=FinalScanner())
    rows = [json.loads(line) for line in (folder / "metrics" / "series.ndjson").read_text().splitlines()]
    names = {r["labels"]["__name__"] for r in rows}
    assert {n.rpartition("_")[2] for n in names} >= {"bucket", "count", "total"}, "a histogram is kept with its buckets"
    assert json.loads((folder / "metrics" / "metadata.json").read_text())["data"]
    digits = max(sum(c.isdigit() for c in json.dumps(v)) for r in rows for v in (*r["t"], *r["v"]) if v is not None)
    assert digits <= 12, "no number is long enough to be taken for a card number"


@dataclass(frozen=True, slots=True)
class Unredacted:
    """A MetricSource whose labels crossed no door."""

    inner: MetricSource

    def catalogue(self, window: Window) -> tuple[MetricInfo, ...]:
        return self.inner.catalogue(window)

    def range(self, query: Query, *, window: Window, step: float) -> tuple[tuple[Series, ...], int]:
        found, dropped = self.inner.range(query, window=window, step=step)
        return tuple(
            Series(frozen({**s.labels, "card": PAN}), s.t, s.v) if i == 0 else s for i, s in enumerate(found)
        ), dropped

    def promql(self, query: Query) -> str:
        return self.inner.promql(query)


def test_what_the_last_look_stops_is_left_out_and_counted_and_the_rest_is_kept(tmp_path: Path) -> None:
    inner = world_sources(WORLD)(Redactor.default().for_incident("inc-test"))
    sources = replace(inner, metrics=Unredacted(inner.metrics))
    alerts, rules = sources.alerts.alerts(), sources.alerts.rules()
    world_now = float(Path(WORLD / "world.toml").read_text().split("now = ")[1].split("\n")[0])
    incident = incident_of(together(alerts, rules), rules, now=Instant(world_now))
    kept = record(incident, sources, tmp_path / "kept", scanner=FinalScanner())
    assert kept.series > 100
    assert [g.reason for g in kept.gaps if "the last look took something" in g.reason]
    assert not [p for p in (tmp_path / "kept").rglob("*") if p.is_file() and PAN.encode() in p.read_bytes()]
    assert [p.name for p in tmp_path.iterdir()] == ["kept"]
