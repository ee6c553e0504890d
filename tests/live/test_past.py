"""A team's own past on a real Prometheus: `payops backtest` says what happened and when nothing did, posts nothing and
asks within bounds; what it keeps, and what `payops world record` keeps of a running incident, says the same again
without any server, and holds no planted value.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from assistant.core.time import iso, parse_iso
from tests.journey.planted import ROOT
from tests.live.past import HOUR, Past, loki_of, past
from tests.live.stack import TOKEN, notes_of, start_serve
from tests.live.test_end_to_end import eventually
from tests.sources.http_server import Answer, Asked, Server, serving
from tests.sources.servers import needs, prometheus

PAYOPS = (sys.executable, "-c", "import sys; from assistant.cli import main; sys.exit(main())")
NOW = time.time()
MIDNIGHT = NOW - NOW % (24 * HOUR)  # the same hours of the day whenever this runs: traffic depends on them
PLAYS = (
    ("issuer-outage", NOW - (MIDNIGHT - 34 * HOUR)),
    ("bad-deploy", NOW - (MIDNIGHT - 10 * HOUR)),
    ("acquirer-timeouts", 900.0),
)
pytestmark = [pytest.mark.live, pytest.mark.slow, needs("prometheus", "promtool"), pytest.mark.timeout(900)]


@dataclass
class Team:
    """What a team has: a Prometheus behind a door that keeps what it is asked, a Loki, Slack and a model that nobody
    should call, and a payops.toml."""

    home: Path
    past: Past
    prometheus: Server
    loki: Server
    others: Server
    config: Path
    asked_before: int = field(default=0)

    def payops(self, *words: str, state: str = "state") -> subprocess.CompletedProcess[str]:
        command = [*PAYOPS, *words, "--config", str(self.config), "--state", str(self.home / state)]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=600)


def door_to(url: str) -> Any:
    """A server that hands everything on to Prometheus, so that what it was asked is known."""

    def respond(asked: Asked) -> Answer:
        pairs = [(k, v) for k, some in asked.query.items() for v in some]
        answer = requests.request(asked.method, url + asked.path, params=pairs, data=asked.body, timeout=60)
        return Answer(answer.status_code, answer.content, answer.headers.get("Content-Type", "application/json"))

    return respond


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    home = tmp_path_factory.mktemp("team")
    made = past(5, PLAYS, now=NOW)
    (home / "prom").mkdir()
    made.write_history(home / "history.om")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(home / "history.om")]
    subprocess.run([*command, str(home / "prom" / "data")], check=True, capture_output=True)
    (home / "rules.json").write_text(json.dumps(made.rules))
    (home / "changes.json").write_text(json.dumps(made.changes))
    (home / "token").write_text(TOKEN)
    config = {"global": {"evaluation_interval": "30s"}, "rule_files": [str(home / "rules.json")]}
    with ExitStack() as servers:
        real = servers.enter_context(prometheus(home / "prom", config=config))
        door = servers.enter_context(serving(door_to(real)))
        loki = servers.enter_context(loki_of(made.entries))
        others = servers.enter_context(serving(lambda asked: Answer(500, b"{}")))
        file = home / "payops.toml"
        file.write_text(
            f'[prometheus]\nurl = "{door.url}"\n[loki]\nurl = "{loki.url}"\n'
            f'[changes]\nfile = "{home / "changes.json"}"\n'
            f'[model]\nurl = "{others.url}/v1"\nname = "nobody"\n'
            f'[web]\nwebhook_port = 0\nconsole_port = 0\nwebhook_token_file = "{home / "token"}"\n'
        )
        yield Team(home, made, door, loki, others, file)


def cause(note: dict[str, Any]) -> tuple[Any, ...]:
    first = note["hypotheses"][0] if note["hypotheses"] else {}
    return note["status"], first.get("entity"), first.get("kind"), first.get("class"), first.get("change")


def planted_in(team: Team, folder: Path) -> list[str]:
    """Planted values (but three digits, which occur by chance) in any file below `folder`, as written or bare."""
    texts = [(p, p.read_bytes()) for p in folder.rglob("*") if p.is_file()]
    assert len(texts) > 3
    values = [x for x in team.past.planted if len(x.value) > 5]
    assert len(values) > 20
    return [f"{x.kind} in {p}" for x in values for p, b in texts if x.value.encode() in b or x.written.encode() in b]


@pytest.fixture(scope="module")
def tested(team: Team) -> dict[str, Any]:
    """One backtest over three days, each incident kept as a world."""
    done = team.payops("backtest", "--days", "3", "--worlds", str(team.home / "worlds"), "--json", state="backtest")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_every_incident_of_those_days_has_its_note_and_quiet_hours_have_none(
    team: Team, tested: dict[str, Any]
) -> None:
    starts = [f.start for f in team.past.firing]
    for row in tested["notes"]:
        at = parse_iso(row["at"])
        assert any(at - 660 <= s <= at for s in starts), f"nothing fired before {row['at']}"
    named = set()
    for kind, (onset, entity) in team.past.incidents.items():
        mine = [r for r in tested["notes"] if onset - 60 < parse_iso(r["at"]) < onset + 1500]
        assert mine, kind
        named |= {kind for r in mine if r["entity"] == entity}
    assert "issuer-outage" in named, "how often causes are right is the lab's question; this one is plain"
    assert tested["incidents"] == len(tested["notes"]) <= len(team.past.firing) / 3
    assert tested["tokens"] > 1000


def test_a_backtest_posts_nothing_and_asks_within_bounds(team: Team, tested: dict[str, Any]) -> None:
    assert team.others.asked == [], "neither model nor Slack is called"
    for server in (team.prometheus, team.loki):
        assert server.asked
        assert {a.method for a in server.asked} == {"GET"}
    for asked in team.prometheus.asked:
        if not asked.path.endswith("query_range"):
            continue
        start, end, step = (float(asked.query[k][0]) for k in ("start", "end", "step"))
        assert end - start <= 24 * HOUR + 1
        assert (end - start) / step <= 6000
    assert len(team.prometheus.asked) <= 600 * (tested["incidents"] + 1)
    assert all(int(a.query["limit"][0]) <= 5001 for a in team.loki.asked if a.path.endswith("query_range"))
    states = [p.name for p in (team.home / "backtest").iterdir()]
    assert "notes" not in states


def test_what_a_backtest_keeps_says_the_same_again_without_a_server(team: Team, tested: dict[str, Any]) -> None:
    kept = team.home / "worlds"
    assert planted_in(team, kept) == []
    rows = [r for r in tested["notes"] if r["entity"]]
    assert rows
    before = len(team.prometheus.asked)
    done = subprocess.run(
        [*PAYOPS, "eval", "predict", "lab", "--data", str(kept)],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    notes = {p["case"]: p["answer"] for p in map(json.loads, done.stdout.splitlines())}
    assert len(team.prometheus.asked) == before, "a world is all that is looked at"
    assert set(notes) == {r["world"] for r in tested["notes"]}
    for row in rows:
        status, entity, _, verdict, change = cause(notes[row["world"]])
        assert (status, entity, verdict, change) == (row["status"], row["entity"], row["verdict"], row["change"]), row


def test_a_second_backtest_into_the_same_folder_is_one_line(team: Team, tested: dict[str, Any]) -> None:
    again = team.payops("backtest", "--days", "3", "--worlds", str(team.home / "worlds"), state="backtest")
    assert again.returncode != 0
    assert again.stderr.count("\n") == 1 and "is not empty" in again.stderr


def test_a_running_incident_is_recorded_and_says_the_same(team: Team) -> None:
    serve = start_serve(team.config, team.home / "serve", team.home / "serve.log")
    try:
        serve.wait_ready(within=180)
        now = time.time()
        firing = [f for f in team.past.firing if f.end > now - 600 and f.start > now - 1000]
        alerts = [
            {
                "status": "firing",
                "labels": dict(f.labels),
                "annotations": {},
                "startsAt": iso(f.start),
                "endsAt": "0001-01-01T00:00:00Z",
                "fingerprint": f"{i:016x}",
            }
            for i, f in enumerate(firing)
        ]
        head = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "assistant", "groupLabels": {}}
        assert serve.post({**head, "truncatedAlerts": 0, "alerts": alerts})[0] == 200
        state = team.home / "serve"
        eventually(lambda: notes_of(state), within=240, why=serve.log.read_text)
    finally:
        assert serve.stop() == 0
    ((incident, revisions),) = notes_of(state).items()
    done = team.payops("world", "record", incident, "--out", str(team.home / "kept"), "--json", state="serve")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["series"] > 300 and said["lines"] > 500
    assert all("left out" in g["reason"] for g in said["gaps"]), said["gaps"]
    assert planted_in(team, team.home / "kept") == []
    before = len(team.prometheus.asked)
    replay = [*PAYOPS, "triage", "--world", str(team.home / "kept"), "--state", str(team.home / "replayed"), "--json"]
    again = subprocess.run(replay, capture_output=True, text=True, cwd=ROOT, check=False, timeout=300)
    assert again.returncode == 0, again.stderr
    assert len(team.prometheus.asked) == before
    assert cause(json.loads(again.stdout)) == cause(revisions[-1])
