"""The deterministic writer: a whole note from values, every figure in the evidence it points at."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.core.draft import Claim
from assistant.core.finding import Findings
from assistant.core.hypothesis import Verdict
from assistant.core.inert import live
from assistant.core.prompt import Context
from assistant.drafting.check import check, known
from assistant.drafting.figures import carried, quantities
from assistant.drafting.writer import write_without_model
from evals.attacks.incident import Planted, context
from redaction import FinalScanner

restore = FinalScanner().restore


def said(c: Context) -> tuple[Claim, ...]:
    draft = write_without_model(c, reason="none configured").draft
    return (*draft.summary, *draft.cause, *draft.next_steps)


@pytest.mark.parametrize("verdict", ["confirmed", "likely", "inconclusive"])
def test_every_figure_is_in_the_text_of_the_evidence_it_points_at(verdict: Verdict) -> None:
    c = context(restore, verdict=verdict)
    facts = known(c)
    for claim in said(c):
        assert claim.evidence
        seen = [q for i in claim.evidence for q in facts.figures[i]]
        assert all(carried(q, seen) for q in quantities(claim.text)), claim


def test_a_loss_that_no_label_explains_is_said_to_be_everywhere() -> None:
    c = context(restore)
    first = replace(c.findings.dimensions[0], labels={})
    texts = [x.text for x in said(replace(c, findings=replace(c.findings, dimensions=(first,))))]
    assert "No single value of a label explains the loss: everything fell alike." in texts
    assert not any(t.startswith(("carries", "carry")) for t in texts)


def test_the_summary_says_what_it_costs_in_cards_and_money() -> None:
    first = said(context(restore))[0].text
    for part in ("92.4 %", "71.8 %", "09:41:30Z", "8,489 authorisations", "EUR 412,350", "GBP 58,900"):
        assert part in first


def test_a_figure_that_no_evidence_carries_is_left_out() -> None:
    c = context(restore)
    assert c.findings.impact is not None
    impact = replace(c.findings.impact, lost=1234567.0, amounts={"EUR": 7.0})
    text = " ".join(x.text for x in said(replace(c, findings=replace(c.findings, impact=impact))))
    assert "1,234,567" not in text and "EUR 7" not in text and "92.4 %" in text


@pytest.mark.parametrize(
    ("verdict", "lead"), [("confirmed", "Strong evidence"), ("likely", "Likely"), ("inconclusive", "Not settled")]
)
def test_the_cause_opens_with_the_verdict(verdict: Verdict, lead: str) -> None:
    assert write_without_model(context(restore, verdict=verdict), reason="x").draft.cause[0].text.startswith(lead)


def test_next_steps_are_the_runbooks_words() -> None:
    c = context(restore)
    steps = write_without_model(c, reason="x").draft.next_steps
    assert [s.text for s in steps] == [t.text for t in c.next_steps]
    assert all(s.evidence == ("R1",) for s in steps)


def test_healthy_says_so_with_evidence_and_names_no_cause() -> None:
    c = context(restore)
    healthy = replace(c, findings=replace(c.findings, health="healthy", impact=None), hypotheses=())
    draft = write_without_model(healthy, reason="x").draft
    assert draft.title.endswith(": nothing is wrong now") and not draft.cause
    assert draft.summary[0].evidence


def test_nothing_at_all_is_still_a_note() -> None:
    c = context(restore)
    empty = replace(
        c, evidence=(), findings=Findings("unknown", None), hypotheses=(), passages=(), next_steps=(),
        not_known=("prometheus: no connection",),
    )  # fmt: skip
    written = write_without_model(empty, reason="none configured")
    assert written.draft.title and written.draft.not_known == ("prometheus: no connection",)
    assert written.without_model == "none configured" and written.model is None


def test_the_deterministic_draft_passes_the_full_checks_but_for_reasons_about_others() -> None:
    c = context(restore)
    draft = write_without_model(c, reason="x").draft
    left, struck = check(draft, c)
    assert left.summary == draft.summary and left.next_steps == draft.next_steps
    assert {s.rule for s in struck} <= {"names"} and len(struck) <= 1


def test_telemetry_is_inert_in_the_note() -> None:
    bad = "see https://evil.example/x and evil.com @here <!channel> ![a](http://b.example/c)"
    planted = Planted(dict.fromkeys(("annotation", "log", "runbook", "step", "label"), bad))
    draft = write_without_model(context(restore, planted=planted), reason="x").draft
    texts = [draft.title, *draft.not_known, *(x.text for x in (*draft.summary, *draft.cause, *draft.next_steps))]
    assert any("evil[.]example" in t for t in texts)
    assert not [t for t in texts if live(t)]
