"""The title and the sentence on the change behind: what a reader who sees nothing else must learn."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.core.draft import Draft
from assistant.core.hypothesis import Verdict
from assistant.core.prompt import Context
from assistant.drafting.check import check, known
from assistant.drafting.headline import LONGEST, behind, title
from evals.attacks.incident import context
from evals.attacks.kept import kept
from redaction import FinalScanner

restore = FinalScanner().restore


def leading(c: Context, **fields: object) -> Context:
    """`c` with its first hypothesis changed."""
    first, *others = c.hypotheses
    return replace(c, hypotheses=(replace(first, **fields), *others))  # type: ignore[arg-type]


def changed() -> Context:
    """An incident whose leading cause has a change behind it."""
    c = context(restore)
    link = c.findings.changes[0]
    return leading(c, entity=link.service, dimension="service", kind="bad_deploy", change=link.change_id)


def test_the_title_names_the_change_and_whom_it_hits() -> None:
    c = changed()
    link, most = c.findings.changes[0], c.findings.dimensions[0]
    said = title(c)
    assert said.startswith(f"Service {link.service}: bad deploy {link.change_id}")
    assert most.labels and all(v in said for v in most.labels.values())


def test_what_is_the_cause_itself_is_not_said_to_be_hit() -> None:
    c = context(restore)
    name, value = next(iter(c.findings.dimensions[0].labels.items()))
    only = replace(c.findings.dimensions[0], labels={name: value})
    c = replace(c, findings=replace(c.findings, dimensions=(only,)))
    assert "hits" not in title(leading(c, entity=value, dimension=name, kind="issuer_outage", change=""))


def test_label_values_of_a_small_part_of_the_loss_are_not_named() -> None:
    c = changed()
    small = replace(c.findings.dimensions[0], share=0.3)
    assert "hits" not in title(replace(c, findings=replace(c.findings, dimensions=(small,))))


def test_what_does_not_fit_is_left_off_from_the_end_and_the_verdict_stays() -> None:
    c = changed()
    long = replace(c.findings.dimensions[0], labels={"issuer": "i" * 90})
    said = title(leading(replace(c, findings=replace(c.findings, dimensions=(long,))), verdict="likely"))
    assert c.hypotheses[0].change in said and "hits" not in said and said.endswith(" (likely)")
    said = title(leading(c, change="c" * 110, verdict="likely"))
    assert "ccc" not in said and said.endswith(" (likely)") and len(said) <= LONGEST


@pytest.mark.parametrize(("verdict", "lead"), [("confirmed", "Strong evidence: "), ("likely", "Likely: ")])
def test_the_change_behind_is_a_sentence_with_its_moment_and_evidence(verdict: Verdict, lead: str) -> None:
    c = leading(changed(), verdict=verdict)
    said = behind(c, known(c))
    assert said is not None and said.text.startswith(lead) and c.hypotheses[0].change in said.text
    assert c.findings.changes[0].evidence in said.evidence
    assert check(Draft(title(c), (said,)), c)[1] == ()


def test_nothing_is_behind_what_is_not_settled_or_has_no_change() -> None:
    for c in (leading(changed(), verdict="inconclusive"), leading(changed(), change="")):
        assert behind(c, known(c)) is None


def test_of_two_causes_none_is_said_to_be_behind_it() -> None:
    c = kept()["gateway-errors"]
    assert c.hypotheses[0].change and behind(c, known(c)) is None


def test_title_and_sentence_of_every_kept_world_pass_the_checker() -> None:
    said = 0
    for c in kept().values():
        claim = behind(c, known(c))
        said += claim is not None
        assert check(Draft(title(c), (claim,) if claim else ()), c)[1] == (), title(c)
    assert said
