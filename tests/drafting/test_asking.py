"""A question over a real Prometheus, a Loki stand-in and a scripted model: counts, not timings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.drafting.asking import CARDS, cards_in, cold, rig
from tests.sources.servers import needs

pytestmark = [pytest.mark.live, needs("prometheus", "promtool")]


def test_a_question_takes_two_small_requests_without_a_card_number(tmp_path: Path) -> None:
    with rig(tmp_path) as servers:
        ran = cold(servers)
        sent = b"".join(servers.journal.bodies)
    assert ran.exit == 0 and ran.answer["answered"] and not ran.answer["without_model"], ran.answer
    assert len(servers.journal.bodies) == 2 and len(sent) < 30_000
    assert cards_in(sent) == 0 and b"<PAN" in sent  # log lines did reach the model, masked
    assert {look["tool"] for look in ran.answer["looked_at"] if look["evidence"]} == {"query_metric", "search_logs"}
    assert cards_in(b" ".join(card.encode() for card in CARDS)) == len(CARDS)


@pytest.mark.slow
def test_logs_that_do_not_come_are_named_as_a_gap(tmp_path: Path) -> None:
    with rig(tmp_path, loki_delay=35) as servers:
        ran = cold(servers)
    assert ran.answer["answered"] and any("search_logs" in gap for gap in ran.answer["not_known"]), ran.answer
