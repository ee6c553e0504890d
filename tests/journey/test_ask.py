"""`payops ask`: an answer with evidence, a refusal to write, an honest "can't tell"; a card number goes nowhere."""

from __future__ import annotations

import json
from pathlib import Path

from tests.journey.planted import WORLD, found_in
from tests.journey.test_demo import payops

CARD = "4111 1111 1111 1111"


def test_a_question_is_answered_with_evidence_that_is_there(tmp_path: Path) -> None:
    asked = "why are visa authorisations declining in the eu?"
    done = payops("ask", asked, "--world", str(WORLD), "--state", str(tmp_path), "--json")
    assert done.returncode == 0, done.stderr.decode()
    answer = json.loads(done.stdout)
    ids = {e["id"] for e in answer["evidence"]}
    assert answer["answered"] and answer["claims"]
    assert all(c["evidence"] and set(c["evidence"]) <= ids for c in answer["claims"])
    assert answer["record"] is not None
    assert found_in(done.stdout) == []


def test_what_would_need_writing_is_told_so(tmp_path: Path) -> None:
    done = payops("ask", "restart the acquirer-connector", "--world", str(WORLD), "--state", str(tmp_path), "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["lead"].startswith("I only read")


def test_a_card_number_in_a_question_reaches_nothing(tmp_path: Path) -> None:
    asked = f"is card {CARD} of jane@doe.example blocked on the moon?"
    done = payops("ask", asked, "--world", str(WORLD), "--state", str(tmp_path), "--json")
    assert done.returncode == 3, "nothing here tells of the moon"
    assert json.loads(done.stdout)["lead"] == "I can't tell from what I can read."
    files = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
    for value in (CARD, CARD.replace(" ", ""), "jane@doe"):
        assert value.encode() not in done.stdout + done.stderr + b"".join(files)

    from assistant.promptlog.open import open_configured
    from assistant.settings import load_settings

    log = open_configured(load_settings(None, state=tmp_path), last_look=lambda data: None)
    try:
        bodies = b"\n".join(b for r in log.scan() for n in r.bodies if isinstance(b := log.body(r, n), bytes))
    finally:
        log.close()
    assert b"moon" in bodies
    assert CARD.replace(" ", "").encode() not in bodies.replace(b" ", b"")
    assert b"jane@doe" not in bodies


def test_an_empty_question_is_refused_in_one_line(tmp_path: Path) -> None:
    done = payops("ask", "  ", "--world", str(WORLD), "--state", str(tmp_path))
    assert done.returncode == 2
    assert b"the question is empty" in done.stderr and b"Traceback" not in done.stderr
