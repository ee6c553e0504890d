"""The recorded world holds what its answers say, and was answered by real servers."""

from __future__ import annotations

import gzip
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest

from assistant.errors import WorldError
from evals.lab.alerts import fingerprint
from evals.lab.plant import luhn_close
from evals.world_format import check_world, lines_of, read_head, read_series

WORLD = Path(__file__).parents[2] / "evals" / "worlds" / "first"
ANSWERS = tomllib.loads((WORLD.parent / "answers" / "first.toml").read_text())


def gains(series: str, since: float, **match: str) -> float:
    total = 0.0
    for row in read_series(WORLD):
        labels = row["labels"]
        if labels["__name__"] == series and all(labels.get(k) == v for k, v in match.items()):
            t = row["t0"] + row["step"] * np.arange(len(row["v"]))
            v = np.array([np.nan if x is None else x for x in row["v"]])[t >= since]
            v = v[~np.isnan(v)]
            total += float(v[-1] - v[0]) if len(v) > 1 else 0.0
    return total


def test_it_is_whole_and_under_three_megabytes() -> None:
    head, series, logs = check_world(WORLD)
    assert head.name == ANSWERS["world"]
    assert series > 500
    assert logs > 5000
    assert sum(p.stat().st_size for p in WORLD.rglob("*") if p.is_file()) < 3_000_000


def test_three_hours_before_now() -> None:
    head = read_head(WORLD)
    row = next(iter(read_series(WORLD)))
    last = row["t0"] + row["step"] * (len(row["v"]) - 1)
    assert 0 <= head.now - last < row["step"] * 2
    assert 2.9 * 3600 < last - row["t0"] < 3.1 * 3600
    assert row["t0"] + 7200 < ANSWERS["onset"] < head.now


def test_alertmanager_s_fingerprints_are_those_of_the_labels() -> None:
    alerts = json.loads((WORLD / "alerts.json").read_text())
    assert len(alerts) >= 3
    for alert in alerts:
        assert alert["fingerprint"] == fingerprint(alert["labels"])


def test_the_guilty_pair_fails_and_no_other() -> None:
    since = ANSWERS["onset"] + 60
    pair = {"issuer": ANSWERS["issuer"], "acquirer": ANSWERS["acquirer"]}
    failed = gains("payment_authorisations_total", since, response_code="91", **pair)
    assert failed > 300
    assert gains("payment_authorisations_total", since, response_code="91") - failed < 0.15 * failed
    assert gains("payment_authorisations_total", since, response_code="00", **pair) < failed


def test_the_innocent_deploy_is_nearer_to_the_alert() -> None:
    changes = {c["id"]: c for c in json.loads((WORLD / "changes.json").read_text())}
    fired = min(
        a["startsAt"]
        for a in json.loads((WORLD / "alerts.json").read_text())
        if a["labels"]["alertname"] != "CertificateExpiresSoon"
    )
    assert changes[ANSWERS["change"]]["ts"] < ANSWERS["onset"] < changes[ANSWERS["innocent_changes"][0]]["ts"]
    assert fired > "2026-11-23T17:48"


def test_every_planted_value_is_there() -> None:
    text = "\n".join(json.loads(line)["line"] for line in lines_of(WORLD / "logs.ndjson"))
    assert len(ANSWERS["planted"]) > 60
    assert [p["written"] for p in ANSWERS["planted"] if p["written"] not in text] == []
    for p in ANSWERS["planted"]:
        if p["class"] == "pan":
            assert luhn_close(p["value"][:-1]) == p["value"]


@pytest.mark.parametrize(
    ("name", "new", "said"),
    [
        ("world.toml", b"format = 9", "reads format 1"),
        ("world.toml", b"format = ", "not TOML"),
        ("world.toml", b'format = 1\nname = "x"', "'now'"),
        ("alerts.json", b"{", "not JSON"),
        ("alerts.json", b"{}", "not a list"),
        ("metrics/series.ndjson.gz", b"nonsense", "not gzip"),
        (
            "logs.ndjson.gz",
            gzip.compress(b'{"ts":2,"labels":{},"line":""}\n{"ts":1,"labels":{},"line":""}\n', mtime=0),
            "out of order",
        ),
        ("logs.ndjson.gz", gzip.compress(b'{"ts":2', mtime=0), "no entry"),
        ("metrics/series.ndjson.gz", gzip.compress(b'{"labels":{},"v":[1]}\n', mtime=0), "no series"),
        ("metrics/series.ndjson.gz", (WORLD / "metrics" / "series.ndjson.gz").read_bytes()[:9000], "is cut"),
    ],
)
def test_a_half_written_or_foreign_world_is_refused(tmp_path: Path, name: str, new: bytes, said: str) -> None:
    for p in WORLD.rglob("*"):
        if p.is_file():
            target = tmp_path / p.relative_to(WORLD)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(p.read_bytes())
    (tmp_path / name).write_bytes(new)
    with pytest.raises(WorldError) as e:
        check_world(tmp_path)
    assert said in str(e.value)
    assert e.value.mend


def test_no_world_at_all(tmp_path: Path) -> None:
    with pytest.raises(WorldError, match="holds no world"):
        check_world(tmp_path)
