"""Two causes that the evidence does not tell apart: the note says so, with the check that would, whoever writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from io import StringIO

import pytest
from rich.console import Console

from assistant.core.draft import Claim, Draft, ModelUse
from assistant.core.evidence import EvidenceId
from assistant.core.hypothesis import rivals
from assistant.core.prompt import Context, Prompt
from assistant.drafting.build import build_prompt
from assistant.drafting.causes import told
from assistant.drafting.check import carries, known
from assistant.drafting.draft import write
from assistant.drafting.writer import write_without_model
from assistant.render.terminal import show
from assistant.slack.card import card_of
from evals.attacks.kept import kept
from evals.attacks.sinks import note_of
from redaction import FinalScanner

OPEN = "Likely either deploy 0695ffd of pgw or a retry storm at txn-core is the cause."
ALONE = "Likely the deploy 0695ffd of pgw is the cause."
IDS = (EvidenceId("M4"), EvidenceId("C2"), EvidenceId("M3"))


@cache
def two() -> Context:
    """A lab world in which a deploy and a storm of retries are both likely."""
    return kept()["gateway-errors"]


@dataclass(frozen=True, slots=True)
class Says:
    """A model that says one thing of the cause."""

    cause: str

    def complete(self, prompt: Prompt) -> tuple[Draft, ModelUse]:
        summary = (Claim("Approval fell from 85.4 % to 58.7 %.", (EvidenceId("M6"),)),)
        return Draft("Payments fail", summary, cause=(Claim(self.cause, IDS),)), ModelUse("m", "m", 1, 1, 1, 0.0, 0.1)

    def complete_with(self, prompt: Prompt, *, parts: Mapping[str, bytes]) -> tuple[Draft, ModelUse]:
        return self.complete(prompt)


def test_the_note_without_a_model_names_both_and_the_check_that_tells_them_apart() -> None:
    draft = write_without_model(two(), reason="none").draft
    assert "pgw" in draft.title and "txn-core" in draft.title and draft.title.endswith("(not told apart)")
    first, check, *rest = (c.text for c in draft.cause)
    assert first.startswith("Either") and "0695ffd" in first and "txn-core" in first and "not tell them apart" in first
    assert check.startswith("To tell them apart: ")
    assert any(t.startswith("For the first: ") for t in rest) and any(t.startswith("For the second: ") for t in rest)
    assert not any("Also weighed (likely)" in t for t in rest)


def test_a_model_that_settles_on_one_does_not_settle_it_for_the_note() -> None:
    cause = write(two(), Says(ALONE), scanner=FinalScanner()).draft.cause
    assert cause[0].text.startswith("Either") and cause[1].text == ALONE


def test_a_model_that_says_either_is_left_as_it_is() -> None:
    assert [c.text for c in write(two(), Says(OPEN), scanner=FinalScanner()).draft.cause] == [OPEN]


@pytest.mark.parametrize(
    ("text", "stands"),
    [
        (OPEN, True),
        ("Either pgw or txn-core is the cause.", False),
        ("Likely txn-core is the cause.", False),
        ("Likely either cfg-1871 of acqlink or txn-core is the cause.", False),
        ("Likely either pgw or pyt is the cause.", False),
    ],
)
def test_only_the_two_may_be_left_open_and_only_with_the_verdicts_doubt(text: str, stands: bool) -> None:
    claim = Claim(text, (*IDS, EvidenceId("C3"), EvidenceId("M36")))
    assert carries(claim, known(two()), section="cause") is stands


def test_the_prompt_says_that_they_cannot_be_told_apart() -> None:
    built = build_prompt("incident_note", two(), budget_tokens=16_000, scanner=FinalScanner())
    assert "cannot be told apart" in built.parts["findings.txt"].decode()
    settled = build_prompt("incident_note", kept()["hsm-latency"], budget_tokens=16_000, scanner=FinalScanner())
    assert "cannot be told apart" not in settled.parts["findings.txt"].decode()


@pytest.mark.parametrize(("world", "open_"), [("gateway-errors", True), ("hsm-latency", False)])
def test_slack_and_the_terminal_say_so_too(world: str, open_: bool) -> None:
    context = kept()[world]
    note = note_of(context, write_without_model(context, reason="none"))
    card = " ".join(line.text for line in card_of(note, ()).causes)
    console = Console(file=StringIO(), width=160, color_system=None)
    show(note, console)
    assert isinstance(console.file, StringIO)
    assert ("The evidence does not tell these two apart. To tell: taking 0695ffd back" in card) is open_
    assert ("the evidence does not tell them apart" in console.file.getvalue()) is open_


def test_rivals_share_a_verdict_that_is_not_strong_and_are_near() -> None:
    first, second = two().hypotheses[:2]
    assert rivals((first, second)) == (first, second)
    assert rivals((first,)) == ()
    assert rivals((first, replace(second, confidence=first.confidence / 2))) == ()
    assert rivals((first, replace(second, verdict="inconclusive"))) == ()
    assert rivals(tuple(replace(h, verdict="confirmed") for h in (first, second))) == ()


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            "rpc_total by svc, http, verb http=502, svc=pgw, verb=POST: 0 per s -> 5.93 per s since 11:40:36Z (z 99.0)",
            "rpc (http 502, svc pgw, verb POST): 5.93 per s, usually 0 per s, since 11:40:36Z",
        ),
        ("acquirer=lotus: approval rate 86.3 % -> 60.6 %", "acquirer lotus: approval rate 86.3 % to 60.6 %"),
        ("pgw: 12 lines since 11:41:20Z: error attempt=<*>", "pgw: 12 lines since 11:41:20Z: error attempt=<*>"),
        ("it calls txn-core, which moved no later", "it calls txn-core, which moved no later"),
    ],
)
def test_reasons_are_told_as_people_say_them(reason: str, said: str) -> None:
    assert told(reason) == said
