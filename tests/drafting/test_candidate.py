"""A candidate is another prompt or other settings too: its own files, its own budget, its own records; never shown."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from assistant.bootstrap import build, world_sources
from assistant.cli import main
from assistant.core.note_json import note_to_json
from assistant.drafting.beside import Beside
from assistant.drafting.shadow import candidate, comparisons
from assistant.drafting.templates import template, templates_in
from assistant.errors import SettingsError
from assistant.promptlog.record import Event
from assistant.settings import ModelSettings, Settings
from evals.attacks.incident import context
from evals.attacks.models import honest
from evals.attacks.server import serving, writing
from evals.attacks.sinks import SINKS, note_of
from redaction import FinalScanner
from tests.fakes.model import GOOD, memory_log
from tests.journey.planted import WORLD

SCANNER = FinalScanner()
CASE = context(SCANNER.restore)
HEAD = "---\ntask: incident_note\nversion: {}\n---\n"
CANARY = "Approvals fell sharply, says the candidate"


def _folder(home: Path, *, version: str = "3-terse", text: str = "Write the note. Be terse.") -> Path:
    home.mkdir(parents=True, exist_ok=True)
    (home / "incident_note.md").write_text(HEAD.format(version) + text, encoding="utf-8")
    return home


def _marked(messages: Any) -> dict[str, Any]:
    return {**honest(messages), "title": CANARY}


def _house(state: Path, model: ModelSettings) -> Any:
    return build(Settings(state=state, model=model), world_sources(WORLD), beside=True)


def test_a_prompt_folder_alone_is_a_candidate_logged_compared_and_never_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _folder(tmp_path / "prompts")
    digest = hashlib.sha256((folder / "incident_note.md").read_bytes()).hexdigest()

    def either(messages: Any) -> dict[str, Any]:
        return _marked(messages) if "Be terse." in str(messages[0]["content"]) else honest(messages)

    with serving(writing(either)) as (url, journal):
        model = ModelSettings(url=url, name="live", timeout_s=120.0, shadow_prompts=str(folder))
        house = _house(tmp_path, model)
        written = house.draft(CASE)
        assert isinstance(house.shadow, Beside)
        house.shadow.offer(written, CASE).result(timeout=120)  # type: ignore[union-attr]
        house.shadow.close()
        requests = [r for r in house.promptlog.scan(0) if r.event is Event.LLM_REQUEST]
        stored = b"".join(house.promptlog.body(r, n) or b"" for r in requests for n in r.bodies)
        found = tuple(comparisons(house.promptlog))
        house.promptlog.close()
    shadowed = [r for r in requests if r.facts["label"] == "shadow"]
    assert {r.facts["template"] for r in shadowed} == {"incident_note@3-terse"}
    assert {r.facts["template_sha256"] for r in shadowed} == {digest}
    assert {r.facts["template"] for r in requests if r.facts["label"] == "live"} == {template("incident_note").name}
    assert b"Be terse." in stored and sum(b"Be terse." in body for body in journal.bodies) == len(shadowed)
    assert all(c.differs == {"prompt incident_note": f"incident_note@3-terse {digest[:12]}"} for c in found)
    shown = [sink.render(note_of(CASE, written)) for sink in SINKS.values()]
    shown.append(json.dumps(note_to_json(note_of(CASE, written))))
    assert not any("candidate" in text for text in shown)
    assert main(["eval", "compare", "--shadow", "--state", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "incident_note@3-terse" in table and CANARY not in table


def test_other_settings_are_a_candidate_with_a_budget_of_its_own() -> None:
    log = memory_log()
    with serving(GOOD) as (url, journal):
        settings = ModelSettings(
            url=url, name="live", timeout_s=120.0, shadow_temperature=0.7, shadow_response_format="json",
            shadow_reasoning_effort="low", shadow_max_tokens_day=6_000,
        )  # fmt: skip
        model = candidate(settings, log=log, scanner=SCANNER, redact=str)
        assert model is not None
        from assistant.drafting.shadow import compare, differences
        from assistant.drafting.writer import write_without_model

        live = write_without_model(CASE, reason="")
        for _ in range(12):
            found = compare(live, CASE, model, scanner=SCANNER)
        told = differences(settings, model)
    assert told == {"temperature": "0.7", "response_format": "json", "reasoning_effort": "low"}
    sent = [json.loads(body) for body in journal.bodies]
    assert {s["temperature"] for s in sent} == {0.7} and not any("response_format" in s for s in sent)
    assert 0 < len(sent) < 12 and "budget of this day" in found.candidate.without_model
    assert {r.facts["label"] for r in log.records() if r.event is Event.LLM_REQUEST} == {"shadow"}


def test_no_shadow_key_no_candidate() -> None:
    settings = ModelSettings(url="http://127.0.0.1:9/v1", name="m", shadow_max_tokens_day=5)
    assert candidate(settings, log=memory_log(), scanner=SCANNER, redact=str) is None


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("incident_note.md", "no head at all", "no proper head"),
        ("incident_note.md", HEAD.format("2").replace("incident_note", "handover") + "x", "no proper head"),
        ("incident_note.md", HEAD.format("2") + "x" * 30_000, "no proper head"),
        ("incidentnote.md", HEAD.format("2") + "x", "incidentnote.md"),
        ("readme.txt", "x", "no prompt file"),
    ],
)
def test_a_prompt_file_that_cannot_be_used_is_one_line_with_the_mend(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        templates_in(tmp_path)
    assert said in str(raised.value) and raised.value.mend and "\n" not in str(raised.value)


def test_a_folder_that_is_not_there_stops_serve_before_it_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "payops.toml"
    config.write_text(
        '[prometheus]\nurl = "http://127.0.0.1:9"\n[model]\nurl = "http://127.0.0.1:9/v1"\nname = "m"\n'
        f'shadow_prompts = "{tmp_path}/absent"\n'
    )
    assert main(["serve", "--check", "--config", str(config), "--state", str(tmp_path / "state")]) == 2
    assert "shadow_prompts" in "".join(capsys.readouterr())
