"""The commands with a model that fails in every way that was seen, over a real server: an answer, a note or a paper
from the evidence, exit code 4, one record a request, and no traceback."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.bootstrap import build, world_sources
from assistant.cli import main
from assistant.promptlog.record import Event
from assistant.settings import Settings
from evals.attacks.models import honest
from evals.attacks.server import Behaviour, Reply, called, completion, serving
from tests.fakes.model import BAD, GOOD, LIAR, SLOW, always, dead_url, failing
from tests.journey.planted import WORLD

LISTED = (
    "empty answer", "truncated JSON", "wrong keys", "refusal", "bad tool arguments", "429 without Retry-After",
    "429 with Retry-After", "500", "cut body", "HTML with 200", "context overflow", "garbage bytes",
)  # fmt: skip
ENDLESS = always(Reply(body=called("list_alerts", "{}")))
ASKED = "why do visa payments fail?"


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A state that holds the note of an incident, and the incident's id."""
    state = tmp_path_factory.mktemp("kept")
    assert main(["triage", "--world", str(WORLD), "--state", str(state), "--json"]) == 0
    house = build(Settings(state=state), world_sources(WORLD))
    note = next(r for r in house.promptlog.scan(0) if r.event is Event.NOTE_POST)  # type: ignore[attr-defined]
    house.promptlog.close()
    return state, str(note.incident)


def _config(home: Path, url: str, *, timeout_s: float = 30.0) -> Path:
    file = home / "payops.toml"
    file.write_text(f'[model]\nurl = "{url}"\nname = "m"\ntimeout_s = {timeout_s}\n')
    return file


def _ask(home: Path, url: str, *more: str, timeout_s: float = 30.0) -> int:
    config = _config(home, url, timeout_s=timeout_s)
    return main(["ask", ASKED, "--world", str(WORLD), "--config", str(config), "--state", str(home / "s"), *more])


def _logged(state: Path) -> list[str]:
    house = build(Settings(state=state), world_sources(WORLD))
    kinds = [r.event.value for r in house.promptlog.scan(0)]  # type: ignore[attr-defined]
    house.promptlog.close()
    return kinds


def _answered(home: Path, behave: Behaviour, capsys: pytest.CaptureFixture[str], *, timeout_s: float = 30.0) -> Any:
    with serving(behave) as (url, journal):
        code = _ask(home, url, "--json", timeout_s=timeout_s)
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert code == 4 and "Traceback" not in said.err
    assert told["model"] is None and told["without_model"] and told["claims"] and told["record"] is not None
    assert _logged(home / "s").count("llm.request") == len(journal.bodies)
    return told, journal


@pytest.mark.parametrize("name", LISTED)
def test_a_question_is_answered_from_the_evidence_whatever_the_model_does(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, journal = _answered(tmp_path, BAD[name][0], capsys)
    assert len(journal.bodies) <= 8
    assert told["spent"]["requests"] == len(journal.bodies) == len(told["spent"]["records"])


def test_an_endless_tool_loop_is_stopped_and_what_was_found_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told, journal = _answered(tmp_path, ENDLESS, capsys)
    assert "did not come to an answer" in told["without_model"] and len(journal.bodies) <= 6
    assert told["looked_at"] and {look["tool"] for look in told["looked_at"]} == {"list_alerts"}


def test_a_slow_first_byte_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told, journal = _answered(tmp_path, SLOW, capsys, timeout_s=3.0)
    assert "in time" in told["without_model"] and len(journal.bodies) == 1


def test_a_question_over_budget_sends_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(ENDLESS) as (url, journal):
        config = _config(tmp_path, url)
        config.write_text(config.read_text() + "max_tokens_incident = 100\n")
        asked = ["ask", ASKED, "--world", str(WORLD), "--config", str(config), "--state", str(tmp_path / "s"), "--json"]
        assert main(asked) == 4
    told = json.loads(capsys.readouterr().out)
    assert journal.bodies == [] and "budget" in told["without_model"] and told["claims"]


def test_nobody_listens(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _ask(tmp_path, dead_url(), "--json", timeout_s=5.0) == 4
    assert "no connection" in json.loads(capsys.readouterr().out)["without_model"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in BAD if n not in LISTED])
def test_a_question_and_the_rest_of_what_was_seen(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _answered(tmp_path, BAD[name][0], capsys)


@pytest.mark.parametrize("kind", ["handover", "post-incident", "update"])
@pytest.mark.parametrize("name", ["500", "HTML with 200", "context overflow", "lies"])
def test_a_paper_stands_on_its_note(
    name: str, kind: str, before: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state, incident = tmp_path / "s", before[1]
    shutil.copytree(before[0], state)
    with serving(LIAR if name == "lies" else BAD[name][0]) as (url, journal):
        config = _config(tmp_path, url)
        code = main(["paper", kind, incident, "--config", str(config), "--state", str(state)])
    said = capsys.readouterr()
    assert code == 4 and "Traceback" not in said.err and said.out.startswith("# ") and len(said.out) > 60
    assert journal.bodies and _logged(state).count("llm.request") == len(journal.bodies)


@pytest.mark.parametrize("name", [n for n in LISTED if n != "500"])
def test_a_handover_whatever_the_model_does(
    name: str, before: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "s"
    shutil.copytree(before[0], state)
    with serving(BAD[name][0]) as (url, _):
        args = ["paper", "handover", before[1], "--config", str(_config(tmp_path, url)), "--state", str(state)]
        assert main([*args, "--json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["model"] is None and told["without_model"] and told["record"] is not None


def test_a_paper_that_a_model_wrote_and_one_that_none_was_asked_for_exit_0(
    before: tuple[Path, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "s"
    shutil.copytree(before[0], state)
    with serving(GOOD) as (url, _):
        config = _config(tmp_path, url)
        assert main(["paper", "handover", before[1], "--config", str(config), "--state", str(state), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["requested"] == "m"
    assert main(["paper", "handover", before[1], "--state", str(state)]) == 0


def test_triage_with_a_model_that_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(BAD["500"][0]) as (url, journal):
        config = _config(tmp_path, url)
        args = ["triage", "--world", str(WORLD), "--config", str(config), "--state", str(tmp_path / "s"), "--json"]
        assert main(args) == 4
    note = json.loads(capsys.readouterr().out)
    assert note["model"] is None and "500" in note["without_model"] and note["spent"]["requests"] == len(journal.bodies)


@pytest.mark.parametrize("status", [400, 500])
def test_a_server_without_tools_answers_from_what_it_is_given(
    status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Older servers refuse tools with 400, llama.cpp without --jinja with 500."""

    def no_tools(asked: Mapping[str, Any], n: int) -> Reply:
        if asked.get("tools"):
            return failing(status)(asked, n)
        said = honest(asked["messages"])
        return Reply(body=completion(json.dumps({"answered": True, "claims": said["cause"], "not_known": []})))

    with serving(no_tools) as (url, journal):
        assert _ask(tmp_path, url, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["model"]["requested"] == "m" and told["claims"] and told["looked_at"] == []
    assert told["spent"]["requests"] == len(journal.bodies) == _logged(tmp_path / "s").count("llm.request")


def test_doctor_shows_what_a_model_will_be_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def older(asked: Mapping[str, Any], n: int) -> Reply:
        if not asked:
            return Reply(body=b'{"object":"list","data":[]}')
        if asked.get("tools") or asked.get("response_format"):
            return failing(400)(asked, n)
        return Reply(body=completion('{"title": "ok", "summary": []}'))

    with serving(older) as (url, _):
        config = _config(tmp_path, url)
        config.write_text('[prometheus]\nurl = "http://127.0.0.1:9"\n' + config.read_text())
        main(["doctor", "--probe", "--config", str(config), "--state", str(tmp_path / "s")])
    out = capsys.readouterr().out
    assert "m json_schema: no: the model's server did not take the request" in out and "m json: works" in out
    assert "notes are asked for as: json" in out and "questions look around with tools: no" in out


def looking(calls: Sequence[tuple[str, str]]) -> Callable[[Mapping[str, Any], int], Reply]:
    """A model that asks for these tools with these arguments all at once, and then cannot tell."""

    def looks(asked: Mapping[str, Any], n: int) -> Reply:
        if any(m["role"] == "tool" for m in asked["messages"]):
            return Reply(body=completion('{"answered": false, "claims": [], "not_known": []}'))
        return Reply(body=completion("", tool_calls=[
            {"id": f"call_{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(calls)
        ]))  # fmt: skip

    return looks


def test_the_trace_shows_what_was_asked_and_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(looking([("list_alerts", "{}"), ("query_metric", '{"promql": "up{"}')])) as (url, _):
        assert _ask(tmp_path, url, "--trace") == 3
    out = capsys.readouterr().out
    assert "I can't tell" in out and "1. list_alerts: firing alerts" in out and "2. query_metric: up{" in out
    assert "   nothing: " in out and "   A" in out and "2 looks" in out


def test_looks_that_are_asked_for_at_once_stand_in_the_order_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["list_alerts", "find_runbook", "catalogue", "list_changes", "find_runbook", "list_alerts"]

    calls = [
        (name, json.dumps({"words": f"word {i}"} if name == "find_runbook" else {})) for i, name in enumerate(names)
    ]
    with serving(looking(calls)) as (url, _):
        assert _ask(tmp_path, url, "--trace") == 3
    out = capsys.readouterr().out
    assert re.findall(r"^\s*\d\. (\w+):", out, re.M) == names
