"""A world answers like the servers it stands for, shows nothing raw, and says in one line what is wrong with it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from assistant.core.query import Matcher, Rate, Select, Sum
from assistant.core.time import Instant, Window
from assistant.errors import SourceMalformed, SourceRefused, SourceTooLarge, WorldError
from assistant.ports import AlertSource, ChangeSource, LogSource, MetricSource
from assistant.sources.world import WorldSource, spread
from redaction import Redactor
from tests.sources.worlds import ALERT, NOW, PAN, TOML, lines, small_world, write

HOUR = Window(Instant(NOW - 3600), Instant(NOW))
GATEWAY = (Matcher("service", "=", "gateway"),)


@pytest.fixture
def world(tmp_path: Path) -> WorldSource:
    return opened(small_world(tmp_path))


def opened(folder: Path) -> WorldSource:
    return WorldSource.open(folder, Redactor.default())


def test_it_is_every_source_at_once(world: WorldSource) -> None:
    alert_source: AlertSource = world
    metric_source: MetricSource = world
    log_source: LogSource = world
    change_source: ChangeSource = world
    assert alert_source.alerts() and metric_source.catalogue(HOUR) and log_source.labels(HOUR)
    assert change_source.topology().callees("gateway") == ("switch",)
    assert change_source.topology().services == ("gateway", "switch", "issuer-link")
    assert (world.name, world.now(), world.timezone) == ("lantern", NOW, "Europe/Berlin")
    assert world.payments.metrics == {"attempts": "auth_total"}
    assert world.payments.approved == ("00",)


def test_nothing_raw_comes_out_anywhere(world: WorldSource) -> None:
    series, _ = world.range(Select("auth_total"), window=HOUR, step=60)
    said = [
        *(str(a) for a in world.alerts()),
        *(str(r) for r in world.rules()),
        *(str(m) for m in world.catalogue(HOUR)),
        *(str(s.labels) for s in series),
        *(str(x) for x in world.search(selector=GATEWAY, window=HOUR).lines),
        *(str(c) for c in world.changes(HOUR)),
    ]
    assert "customer" in " ".join(said) and "Timeout for" in " ".join(said)
    assert PAN not in " ".join(said)
    assert sum(world.redactions.values()) >= 3


def test_an_alert_knows_when_its_condition_began_and_who_silenced_it(world: WorldSource) -> None:
    (alert,) = world.alerts()
    assert alert.active_at == pytest.approx(1_795_445_880.5)
    assert alert.active_at < alert.starts_at
    assert alert.silenced and not alert.inhibited
    assert alert.status == "firing" and alert.ends_at is None


def test_an_end_that_has_passed_makes_it_resolved(tmp_path: Path) -> None:
    folder = small_world(tmp_path)
    write(folder, "alerts.json", [{**ALERT, "endsAt": "2026-11-23T15:05:00Z"}])
    (alert,) = opened(folder).alerts()
    assert alert.status == "resolved" and alert.ends_at == 1_795_446_300


def test_a_fingerprint_of_removed_values_is_replaced(world: WorldSource) -> None:
    (alert,) = world.alerts()
    assert alert.fingerprint != ALERT["fingerprint"]
    assert len(alert.fingerprint) == 16


def test_a_redacted_label_value_can_be_asked_for(world: WorldSource) -> None:
    (info,) = [m for m in world.catalogue(HOUR) if m.name == "auth_total"]
    (shown,) = info.labels["holder"]
    assert shown != f"card {PAN}"
    asked = Sum(Rate(Select("auth_total", (Matcher("holder", "=", shown),)), 300), ("holder",))
    ((found,), dropped) = world.range(asked, window=HOUR, step=60)
    assert found.labels["holder"] == shown and dropped == 0
    assert np.nanmax(found.v) == pytest.approx(1 / 15)


def test_what_comes_later_is_not_seen(world: WorldSource) -> None:
    later = Window(Instant(NOW - 60), Instant(NOW + 3600))
    assert [c.id for c in world.changes(later)] == []
    assert world.search(selector=GATEWAY, window=later).lines == ()
    assert world.range(Select("queue_depth"), window=later, step=30) == ((), 0)


def test_log_lines_are_filtered_in_time_order_without_regard_to_case(world: WorldSource) -> None:
    found = world.search(selector=GATEWAY, window=HOUR, contains=("timeout", "refused"), about="errors")
    assert [line.text.split()[0] for line in found.lines] == ["Timeout", "connection"]
    assert [line.t for line in found.lines] == [NOW - 600, NOW - 598]
    assert found.about == "errors" and found.dropped == 0


def test_lines_over_the_limit_are_counted_and_left_out_evenly(world: WorldSource) -> None:
    found = world.search(selector=GATEWAY, window=HOUR, limit=2)
    assert (len(found.lines), found.dropped) == (2, 1)
    assert spread(range(101), 5) == [0, 25, 50, 75, 100]


@pytest.mark.parametrize("op", ["=~", "!=", "!~"])
def test_a_search_that_selects_nothing_is_refused(world: WorldSource, op: str) -> None:
    with pytest.raises(SourceTooLarge):
        world.search(selector=(Matcher("service", op, ".+"),), window=HOUR)  # type: ignore[arg-type]


def test_metadata_tells_type_and_help(world: WorldSource) -> None:
    types = {m.name: (m.type, m.series) for m in world.catalogue(HOUR)}
    assert types == {"auth_total": ("counter", 1), "lag_bucket": ("histogram", 1), "queue_depth": ("unknown", 1)}


def test_packed_files_are_read(tmp_path: Path) -> None:
    folder = small_world(tmp_path)
    for name in ("logs.ndjson", "metrics/series.ndjson"):
        path = folder / name
        (folder / (name + ".gz")).write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    world = opened(folder)
    assert len(world.search(selector=GATEWAY, window=HOUR).lines) == 3
    assert world.catalogue(HOUR)


ABSENT: dict[str, Callable[[WorldSource], object]] = {
    "alerts.json": lambda w: w.alerts(),
    "rules.json": lambda w: w.rules(),
    "metrics/series.ndjson": lambda w: w.catalogue(HOUR),
    "logs.ndjson": lambda w: w.labels(HOUR),
    "changes.json": lambda w: w.changes(HOUR),
}


@pytest.mark.parametrize("name", ABSENT)
def test_an_absent_file_is_a_gap_of_its_source_and_of_no_other(tmp_path: Path, name: str) -> None:
    folder = small_world(tmp_path)
    (folder / name).unlink()
    world = opened(folder)
    for other, ask in ABSENT.items():
        if other == name:
            with pytest.raises(SourceRefused, match="has no"):
                ask(world)
        else:
            assert ask(world)


BROKEN = {
    "not TOML": ("world.toml", "format = = 1"),
    "no format": ("world.toml", 'name = "x"'),
    "future format": ("world.toml", TOML.replace("format = 1", "format = 2")),
    "no now": ("world.toml", 'format = 1\nname = "x"'),
    "now is text": ("world.toml", 'format = 1\nname = "x"\nnow = "noon"'),
    "services is no list": ("world.toml", f'format = 1\nname = "x"\nnow = {NOW}\nservices = 3'),
    "an edge without callee": ("world.toml", f'format = 1\nname = "x"\nnow = {NOW}\n[[edges]]\ncaller = "a"'),
    "payments of numbers": ("world.toml", f'format = 1\nname = "x"\nnow = {NOW}\n[payments.metrics]\nattempts = 3'),
    "alerts not JSON": ("alerts.json", "[{"),
    "alerts deep": ("alerts.json", "[" * 100_000),
    "alerts no list": ("alerts.json", '{"a": 1}'),
    "alert no object": ("alerts.json", "[3]"),
    "alert without start": ("alerts.json", '[{"labels": {"alertname": "x"}}]'),
    "alert with numbers": ("alerts.json", '[{"labels": {"alertname": 3}, "startsAt": "2026-11-23T15:05:00Z"}]'),
    "rules of another shape": ("rules.json", '{"groups": [{"rules": [{"name": 3}]}]}'),
    "changes no list": ("changes.json", '{"x": 1}'),
    "change without time": ("changes.json", '[{"kind": "deploy"}]'),
    "change with a time far away": ("changes.json", '[{"ts": 1e300, "kind": "deploy"}]'),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_small_file_is_one_line_when_opened(tmp_path: Path, what: str) -> None:
    name, text = BROKEN[what]
    folder = small_world(tmp_path)
    write(folder, name, text)
    with pytest.raises(WorldError) as caught:
        opened(folder)
    assert name in str(caught.value) and "\n" not in str(caught.value)
    assert caught.value.mend


LINES = {
    "not JSON": "{",
    "no object": "[1]",
    "labels of numbers": '{"labels": {"a": 1}, "t0": 1, "step": 1, "v": [1], "ts": 1, "line": ""}',
    "no labels": '{"t0": 1, "step": 1, "v": [1], "ts": 1, "line": ""}',
    "no values": '{"labels": {}}',
    "words": '{"labels": {}, "t0": 1, "step": 1, "v": ["x"], "ts": "now", "line": ""}',
    "times falling": '{"labels": {}, "t": [2, 1], "v": [1, 1], "ts": 1.5, "line": 3}',
    "lengths differ": '{"labels": {}, "t": [2], "v": [1, 1], "ts": true, "line": ""}',
}


@pytest.mark.parametrize("name", ["logs.ndjson", "metrics/series.ndjson"])
@pytest.mark.parametrize("what", LINES)
def test_a_broken_line_is_named(tmp_path: Path, name: str, what: str) -> None:
    folder = small_world(tmp_path)
    good = (folder / name).read_text().splitlines()[0]
    write(folder, name, f"{good}\n{LINES[what]}\n")
    with pytest.raises(WorldError, match=rf"{name}:2: "):
        ABSENT[name](opened(folder))


def test_a_cut_archive_is_named(tmp_path: Path) -> None:
    folder = small_world(tmp_path)
    packed = gzip.compress((folder / "logs.ndjson").read_bytes())
    (folder / "logs.ndjson").unlink()
    (folder / "logs.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(WorldError, match=r"logs.ndjson.gz: cannot be read"):
        opened(folder).labels(HOUR)


def test_a_folder_that_is_no_world(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match=r"no world.toml"):
        opened(tmp_path)
    (tmp_path / "file").write_text(lines(1))
    with pytest.raises(WorldError, match="not a folder"):
        opened(tmp_path / "file")


def test_a_query_that_promql_could_not_hold_is_refused(world: WorldSource) -> None:
    with pytest.raises(SourceMalformed):
        world.range(Sum(Select("auth_total"), ("x) or vector(1",)), window=HOUR, step=60)
