"""Handover, post-incident draft, stakeholder update: complete without a model, inert, and nothing internal outside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.core.draft import Claim, Draft
from assistant.core.evidence import EvidenceId
from assistant.core.inert import live
from assistant.drafting.documents import handover, internal, post_incident, stakeholder_update
from assistant.drafting.writer import write_without_model
from assistant.errors import ModelUnavailable
from evals.attacks.incident import Planted, context
from evals.attacks.sinks import note_of
from redaction import FinalScanner
from tests.fakes.model import FakeModel

scanner = FinalScanner()
CASE = context(scanner.restore)
NOTE = note_of(CASE, write_without_model(CASE, reason="none"))


def test_a_handover_has_conditions_actions_and_needs() -> None:
    text = handover(NOTE, CASE)
    assert text.index("## Conditions") < text.index("## Actions") < text.index("## Needs")
    assert "EUR 412,350" in text and "(R1)" in text and "only reads" in text


def test_a_review_has_timeline_impact_and_open_questions() -> None:
    text = post_incident(NOTE, CASE)
    for part in (
        "## What happened",
        "## Impact",
        "8,489 authorisations lost",
        "## Timeline",
        "## To find out",
        "## Evidence",
    ):
        assert part in text
    assert "Compare Nordhavn through a second acquirer" in text


def test_a_stakeholder_update_names_nothing_internal() -> None:
    text = stakeholder_update(NOTE, CASE)
    assert "8,489" in text and "still goes on" in text
    for name in ("Nordhavn", "auth-gateway", "checkout", "91", "Meridian", "issuer", "PAN", "EUR"):
        assert name not in text
    over = replace(NOTE, findings=replace(NOTE.findings, health="recovered"))
    assert "It is over" in stakeholder_update(over, CASE)


def test_what_a_model_adds_is_checked_and_internals_are_left_out() -> None:
    claims = (
        Claim("About 8,489 payments were declined since 09:41:30Z.", (EvidenceId("M1"),)),
        Claim("Issuer Nordhavn declines.", (EvidenceId("M2"),)),
        Claim("Service is back at 11:00.", (EvidenceId("M1"),)),
    )
    text = stakeholder_update(NOTE, CASE, model=FakeModel(Draft("Payments declined", claims)), scanner=scanner)
    assert "8,489 payments" in text and "Nordhavn" not in text and "11:00" not in text


@pytest.mark.parametrize("make", [handover, post_incident, stakeholder_update])
def test_a_failing_model_still_gives_the_document(make: object) -> None:
    assert callable(make)
    text = make(NOTE, CASE, model=FakeModel(ModelUnavailable("the model did not answer in time")), scanner=scanner)
    assert "8,489" in text
    assert make is stakeholder_update or "did not answer in time" in text


@pytest.mark.parametrize("make", [handover, post_incident, stakeholder_update])
def test_hostile_telemetry_is_inert_in_the_document(make: object) -> None:
    bad = "see https://evil.example/x ![a](http://b.example/c) <script> @here \x1b]8;;http://e\x07x\x1b]8;;\x07"
    case = context(
        scanner.restore,
        planted=Planted(dict.fromkeys(("label", "annotation", "log", "change", "runbook", "step"), bad)),
    )
    note = note_of(case, write_without_model(case, reason="none"))
    assert callable(make)
    text = make(note, case)
    assert not live(text.replace("\\", "").replace("&lt;PAN", "PAN")), live(text)
    assert "\x1b" not in text


@pytest.mark.parametrize("text", ["The acquirer fails.", "See the logs.", "auth_gateway is slow", "Nordhavn is down"])
def test_internal_words_are_seen(text: str) -> None:
    assert internal(text, {"Nordhavn"})
