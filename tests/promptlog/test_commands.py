"""`payops log` as people and scripts use it: real process of Typer, real log, exit codes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from assistant.cli import main
from assistant.local_person import person
from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.promptlog.replay import recipe_for
from assistant.settings import Settings
from tests.fakes.promptlog import look_at_nothing
from tests.promptlog.conftest import entry

PARTS = {"system.md": b"You write incident notes.", "evidence": b"approvals fell to 61 %"}
REQUEST = b'{"messages":["You write incident notes.","approvals fell to 61 %"]}'


@dataclass(slots=True)
class Done:
    code: int
    out: str
    err: str

    def json(self) -> dict:
        return json.loads(self.out)


@dataclass(slots=True)
class Payops:
    state: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Done:
        code = main(["log", *arguments, "--state", str(self.state)])
        out, err = self.capsys.readouterr()
        assert "Traceback" not in err and "Traceback" not in out
        return Done(code, out, err)


@pytest.fixture
def payops(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Payops:
    """0 log.open, 1 query, 2 request, 3 failed answer, 4 log.close."""
    monkeypatch.chdir(tmp_path)
    log = open_configured(Settings(state=tmp_path / "state"), last_look=look_at_nothing)
    log.append(entry(incident="inc-1", bodies={"query": b"up"}))
    recipe = recipe_for(REQUEST, PARTS)
    assert recipe is not None
    bodies = {"request": REQUEST, "recipe.json": recipe, **PARTS}
    facts = {"model": "m-1", "redactions": {"PAN": 1}}
    request = log.append(entry(event=Event.LLM_REQUEST, incident="inc-1", facts=facts, bodies=bodies))
    log.append(entry(event=Event.LLM_RESPONSE, outcome=Outcome.FAILED, incident="inc-1", facts={"request": request.id}))
    log.close()
    return Payops(tmp_path / "state", capsys)


def test_show(payops: Payops) -> None:
    done = payops("show", "2")
    assert done.code == 0 and "approvals fell to 61 %" in done.out and "1 PAN" in done.out
    assert payops("show", "2", "--json").json()["record"]["facts"]["model"] == "m-1"


def test_a_body_cannot_write_to_the_terminal(payops: Payops) -> None:
    """A question of a stranger, read by an auditor: escapes are shown as what they are, and JSON keeps the bytes."""
    log = open_configured(Settings(state=payops.state), last_look=look_at_nothing)
    asked = "why?\x1b[2J\x9b31m\u202e\x07\n\tnow".encode()
    log.append(entry(event=Event.QUESTION_RECEIVED, bodies={"question": asked}))
    log.close()
    shown = payops("show", "6").out
    assert "why?⟨U+001B⟩[2J⟨U+009B⟩31m⟨U+202E⟩⟨U+0007⟩\n\tnow" in shown
    assert payops("show", "6", "--json").json()["bodies"]["question"]["text"].encode() == asked


def test_search(payops: Payops) -> None:
    found = payops("search", "--incident", "inc-1", "--class", "pan", "--json").json()
    assert [r["index"] for r in found["records"]] == [2] and found["more"] is False
    assert len(payops("search", "--limit", "2").out.splitlines()) == 2
    mine = payops("search", "--person", f"os:{person()}", "--json").json()["records"]
    assert {r["event"] for r in mine} == {"audit.read"}


def test_verify_exits_one_on_any_doubt(payops: Payops, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text(payops("checkpoint").out)
    assert payops("verify", "--checkpoint", str(kept)).code == 0
    assert payops("verify", "--json").json()["ok"] is True
    kept.write_text(kept.read_text().replace("\n5\n", "\n6\n"))
    done = payops("verify", "--checkpoint", str(kept))
    assert done.code == 1 and "DOUBT" in done.out
    (payops.state / "keys" / "body.key").unlink()
    done = payops("verify", "--json")
    assert done.code == 1 and any("body.key" in doubt["text"] for doubt in done.json()["doubts"])


def test_prove_and_checkpoint(payops: Payops, tmp_path: Path) -> None:
    assert payops("prove", "2").out.startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    assert payops("prove", "2", "--out", str(tmp_path / "p.tlog-proof")).out == ""
    first = payops("checkpoint")
    assert first.out == payops("checkpoint").out and "no place is configured" in first.err
    (key,) = re.findall(r"^key: (\S+)$", first.err, re.M)
    payops("export", "--out", str(tmp_path / "x"), "--reason", "to compare the keys")
    assert (tmp_path / "x" / "key.vkey").read_text().strip() == key


def test_a_release_finds_what_it_wrote(payops: Payops) -> None:
    """Also by the command line, and in an export: the console has the same filter."""
    log = open_configured(Settings(state=payops.state), last_look=look_at_nothing)
    log.append(entry(facts={"release": "r-1"}))
    log.close()
    assert [r["index"] for r in payops("search", "--release", "r-1", "--json").json()["records"]] == [6]
    assert not payops("search", "--release", "r-2").out


def test_checkpoint_published_to_a_drop(payops: Payops, tmp_path: Path) -> None:
    (tmp_path / "drop").mkdir()
    (tmp_path / "payops.toml").write_text(f'[log]\ncheckpoints = ["{tmp_path}/drop", "{tmp_path}/none"]\n')
    done = payops("checkpoint", "--publish")
    assert done.code == 0 and len(list((tmp_path / "drop").iterdir())) == 1
    assert "drop: 5 records" in done.err and "none: 1 failures" in done.err
    again = payops("checkpoint")
    assert "drop: 5 records" in again.err and "unprotected: 0 records" in again.err
    assert payops("verify", "--checkpoint", str(tmp_path / "drop")).code == 0


def test_replay(payops: Payops) -> None:
    done = payops("replay", "2")
    assert done.code == 0 and done.out.startswith(f"identical: {len(REQUEST)} bytes from 2 parts")
    assert payops("replay", "1").code == 1
    assert payops("replay", "2", "--json").json()["identical"] is True


def test_export_and_the_script_in_it(payops: Payops, tmp_path: Path) -> None:
    done = payops("export", "--out", str(tmp_path / "x"), "--reason", "yearly", "--json").json()
    assert done["records"] == done["size"] == 6
    command = [sys.executable, "-I", str(tmp_path / "x" / "verify_promptlog.py"), str(tmp_path / "x")]
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert payops("export", "--out", str(tmp_path / "y")).code == 2
    assert payops("export", "--out", str(tmp_path / "x"), "--reason", "again").code == 2


def test_review(payops: Payops, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "1 exceptions" in payops("review", "screen").out
    listed = payops("review", "list", "--json").json()
    assert [t["index"] for t in listed["tasks"]] == [3] and listed["progress"]["open"] == 1
    assert "the model's answer was not usable" in payops("review", "next").out
    assert payops("review", "flag", "3").code == 2
    assert payops("review", "accept", "3").code == 0
    assert payops("review", "accept", "3").code == 2
    assert "0 open, 0 taken, 1 accepted" in payops("review").out
    assert payops("review", "nonsense").code == 2 and payops("review", "next").out == "nothing to review\n"


def test_whoever_asked_about_an_incident_does_not_sign_it_off(
    payops: Payops, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule of the console, from the command line: a variable makes nobody somebody else."""
    log = open_configured(Settings(state=payops.state), last_look=look_at_nothing)
    log.append(Entry(event=Event.QUESTION_RECEIVED, identity=f"os:{person()}", incident="inc-1"))
    log.close()
    payops("review", "screen")
    for name in ("USER", "LOGNAME", "PAYOPS_USER"):
        monkeypatch.setenv(name, "somebody.else")
    for step in (("accept",), ("flag", "--reason", "odd")):
        done = payops("review", step[0], "3", *step[1:])
        assert done.code == 2 and "you took part in this incident; let somebody else review it" in done.err
    assert payops("review", "next").out == "nothing to review\n"
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert payops("review", "accept", "3").code == 0


def test_hold_and_retention(payops: Payops) -> None:
    assert payops("hold").out == "nothing is on hold\n"
    assert payops("hold", "inc-1").code == 2
    assert payops("hold", "inc-1", "--reason", "lawsuit").code == 0 and payops("hold").out == "inc-1\n"
    assert "on hold: inc-1" in payops("retention").out
    assert "0 bodies expired, 0 segments moved" in payops("retention", "--apply").out
    assert payops("hold", "inc-1", "--lift", "--reason", "over").code == 0


def test_reconcile(payops: Payops, tmp_path: Path) -> None:
    usage = tmp_path / "usage.csv"
    usage.write_text("start,end,requests\n2020-01-01,2100-01-01,1\n")
    assert payops("reconcile", str(usage)).code == 0
    usage.write_text("start,end,requests\n2020-01-01,2100-01-01,2\n")
    done = payops("reconcile", str(usage))
    assert done.code == 1 and "requests: 2 there, 1 in the log" in done.out
    assert payops("reconcile", str(usage), "--json").json()["differences"][0]["theirs"] == 2
    assert payops("reconcile", str(tmp_path / "none")).code == 2


def test_rotate(payops: Payops) -> None:
    assert payops("rotate", "signing").out.startswith("new public key: ")
    assert payops("rotate", "body").code == 0 and payops("rotate", "other").code == 2
    assert payops("verify").code == 0 and payops("show", "2").code == 0


@pytest.mark.parametrize(
    "arguments",
    [("show", "99"), ("show", "rec_none"), ("search", "--event", "no.such"), ("prove", "99"), ("review", "accept")],
)
def test_bad_input_is_one_line_with_the_mend(payops: Payops, arguments: tuple[str, ...]) -> None:
    done = payops(*arguments)
    assert done.code == 2 and done.err.startswith("payops: ") and len(done.err.splitlines()) == 1


def test_where_there_is_no_log_none_is_made(payops: Payops, tmp_path: Path) -> None:
    payops.state = tmp_path / "elsewhere"
    done = payops("verify")
    assert done.code == 2 and "no prompt log" in done.err and not payops.state.exists()


def test_every_command_is_a_record_with_who(payops: Payops) -> None:
    payops("show", "2")
    reads = payops("search", "--event", "audit.read", "--json").json()["records"]
    assert [r["facts"]["action"] for r in reads] == ["search", "show"]
    assert all(r["actor"].startswith("person-") and f"os:{person()}" not in json.dumps(r) for r in reads)


def test_a_search_for_what_cannot_be_is_refused_and_a_day_is_a_time(payops: Payops) -> None:
    for wrong in (
        ("--since", "yesterday-ish"),
        ("--until", "2026-13-01"),
        ("--outcome", "fine"),
        ("--event", "x.y"),
        ("--incident", "not an id"),
    ):
        done = payops("search", *wrong)
        assert done.code == 2 and not done.out and ";" in done.err
    assert payops("search", "--since", "2020-01-01").out
    assert not payops("search", "--until", "2020-01-01T00:00:00+02:00").out
