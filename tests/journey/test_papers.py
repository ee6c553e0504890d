"""`payops paper` and `payops feedback`: from a kept note alone, recorded, with nothing planted in any byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.core.draft import Claim, Draft
from assistant.core.note_json import note_to_json
from assistant.core.note_restored import context_of_note, note_of
from assistant.drafting.check import check
from assistant.errors import WorkflowError
from assistant.notebook.database import open_database
from assistant.notebook.notes import TABLES, NoteBook
from redaction import FinalScanner
from tests.journey.planted import WORLD, found_in
from tests.journey.test_demo import payops

CARD = "4111 1111 1111 1111"
restore = FinalScanner().restore


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def note(state: Path) -> dict[str, Any]:
    done = payops("triage", "--world", str(WORLD), "--state", str(state), "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_note_comes_out_of_its_json_as_it_went_in(note: dict[str, Any]) -> None:
    back = note_to_json(note_of(note, restore))
    lost = {"charts", "runbooks", "struck"}
    assert {k: v for k, v in back.items() if k not in lost} == {k: v for k, v in note.items() if k not in lost}


def test_a_kept_note_stands_on_its_evidence_as_the_live_one_did(note: dict[str, Any]) -> None:
    """The rebuilt context knows enough to check prose by: figures, names, verdict and runbook steps."""
    kept = note_of(note, restore)
    case = context_of_note(kept, restore)
    assert check(Draft(kept.title, kept.summary, (), kept.next_steps, kept.not_known), case)[1] == ()
    wrong = Draft("", (Claim("About 9,871 authorisations were lost.", kept.summary[0].evidence),))
    assert [s.rule for s in check(wrong, case)[1]] == ["figures"]
    (loss,) = (c for c in kept.summary if "of the loss" in c.text)
    victim = Draft("", (Claim("Issuer litoral is the cause.", loss.evidence),))
    assert [s.rule for s in check(victim, case)[1]] == ["cause"]
    assert check(Draft("", (), (), (Claim("Restart the acquirer-connector.", kept.next_steps[0].evidence),)), case)[1]


@pytest.mark.parametrize("damage", [{"version": 99}, {"evidence": [{"id": "M1"}]}, {"since": "yesterday"}])
def test_a_damaged_note_is_told_in_one_line(note: dict[str, Any], damage: dict[str, Any]) -> None:
    with pytest.raises(WorkflowError, match="note"):
        note_of({**note, **damage}, restore)


@pytest.mark.parametrize(
    ("kind", "parts"),
    [
        ("handover", ("## Conditions", "## Actions", "## Needs")),
        ("post-incident", ("## What happened", "## Timeline", "## To find out")),
        ("update", ("# Payment disruption", "It still goes on")),
    ],
)
def test_each_paper_is_written_and_recorded(
    state: Path, note: dict[str, Any], kind: str, parts: tuple[str, ...]
) -> None:
    done = payops("paper", kind, note["incident_id"], "--state", str(state), "--json")
    assert done.returncode == 0, done.stderr.decode()
    paper = json.loads(done.stdout)
    assert all(part in paper["text"] for part in parts)
    assert paper["without_model"] == "no model is configured" and paper["record"] is not None
    assert found_in(done.stdout) == []
    shown = payops("log", "show", str(paper["record"]), "--state", str(state), "--json").stdout
    assert json.loads(shown)["record"]["resource"] == paper["kind"]
    assert paper["text"].splitlines()[0].encode() in shown


def test_feedback_is_kept_redacted_and_exported_with_the_note(state: Path, note: dict[str, Any]) -> None:
    words = f"card {CARD} was declined by the issuer"
    given = payops(
        "feedback", "give", note["incident_id"], "wrong", "--words", words, "--cause", "issuer litoral",
        "--state", str(state),
    )  # fmt: skip
    assert given.returncode == 0, given.stderr.decode()
    out = state / "cases.jsonl"
    assert payops("feedback", "export", "--out", str(out), "--state", str(state)).returncode == 0
    (case,) = map(json.loads, out.read_text(encoding="utf-8").splitlines())
    assert case["judgement"] == "wrong" and case["right_cause"] == "issuer litoral"
    assert case["words"].startswith("card <PAN_1 visa 411111>")
    assert case["note"]["title"] == note["title"]
    files = b"".join(p.read_bytes() for p in state.rglob("*") if p.is_file())
    assert CARD.encode() not in files and CARD.replace(" ", "").encode() not in files


def test_the_notebook_of_serve_comes_first(state: Path, note: dict[str, Any]) -> None:
    database = open_database("", state=state)
    database.prepare(TABLES)
    later = note_of({**note, "revision": 7, "title": "A later title"}, restore)
    NoteBook(database, scanner=FinalScanner()).put(later)
    database.close()
    done = payops("paper", "handover", note["incident_id"], "--state", str(state))
    assert b"# Handover: A later title" in done.stdout and b"revision 7" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("paper", "poem", "inc-aaaaaa"), b"no such kind of paper"),
        (("paper", "handover", "inc-aaaaaa"), b"no note of such an incident"),
        (("feedback", "give", "inc-aaaaaa", "bad"), b"no such judgement"),
        (("feedback", "give", "inc-aaaaaa", "wrong"), b"no note of such an incident"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: bytes) -> None:
    done = payops(*arguments, "--state", str(tmp_path))
    assert done.returncode == 2
    assert said in done.stderr and b"Traceback" not in done.stderr
