"""Card numbers in parts under neighbouring keys, and packed text: found where they say so, and nowhere else."""

from __future__ import annotations

import random

import pytest

from evals.sets.redaction_corpus import Corpus
from redaction import Redactor
from redaction.packed import packed_views
from redaction.parted import parted
from tests.redaction.agreement import honest


@pytest.mark.parametrize(
    "text",
    [
        "cc1=4539&cc2=5787&cc3=6362&cc4=1486",
        '{"card_no_1":"4539","card_no_2":"5787","card_no_3":"6362","card_no_4":"1486"}',
        '{"bin": 453957, "middle": 876362, "last4": 1486}',
        "card.prefix=453957 card.middle=876362 card.suffix=1486",
        "number[0]=4539&number[1]=5787&number[2]=6362&number[3]=1486",
    ],
)
def test_every_part_of_a_card_number_gets_the_token_of_the_whole(text: str, redactor: Redactor) -> None:
    shown = redactor.for_incident(text).redact(text)
    assert {span.replacement.strip('"') for span in shown.spans} == {"<PAN_1 visa 453957>"}
    assert "".join(text[span.start : span.end] for span in shown.spans) == "4539578763621486"


@pytest.mark.parametrize(
    "text",
    [
        "shard1=4539 shard2=5787 shard3=6362 shard4=1486",
        "start=45395787 end=63621486",
        "first=45395787 last=63621486",
        '{"bin":"453957","last4":"1486"}',
        "cc1=4539&cc3=5787&cc4=6362&cc5=1486",
        "cc1=4539&cc2=5787&cc3=6362&cc4=1487",
        "p50=4539 p90=5787 p95=6362 p99=1486",
    ],
)
def test_numbers_of_their_own_stay(text: str, redactor: Redactor) -> None:
    assert redactor.redact(text).text == text


def test_honest_lines_hold_no_parts_and_no_packed_card_number(redactor: Redactor) -> None:
    rng = random.Random(81)
    lines = [*(honest(rng) for _ in range(4000)), *Corpus(82).lines(1000), *Corpus(83, unseen=True).lines(1000)]
    assert [line for line in lines if any(parted(line))] == []
    inside = [view.text for line in lines for view in packed_views(line)]
    assert [text for text in inside if redactor.redact(text).counts.get("PAN")] == []
