"""The candidate in the house: behind the live model, stopped with it, in the log, and never in the note."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from assistant.bootstrap import build, world_sources
from assistant.cli import main
from assistant.core.draft import Written
from assistant.drafting.beside import MOST_WAITING, Beside
from assistant.drafting.draft import write
from assistant.drafting.shadow import candidate, comparisons, summary
from assistant.promptlog.record import Event
from assistant.settings import ModelSettings, Settings
from evals.attacks.incident import context
from evals.attacks.server import Behaviour, Reply, serving
from redaction import FinalScanner
from tests.fakes.model import GOOD, LIAR, MemoryLog, chat_model, memory_log
from tests.journey.planted import WORLD

SCANNER = FinalScanner()
CASE = context(SCANNER.restore)


def beside(url: str, log: MemoryLog) -> Beside:
    settings = ModelSettings(url=url, name="live", shadow_name="next")
    model = candidate(settings, log=log, scanner=SCANNER, redact=str)
    assert model is not None
    return Beside(model, log, SCANNER)


def shown() -> Written:
    with serving(GOOD) as (url, _):
        return write(CASE, chat_model(url, memory_log()), scanner=SCANNER)


def test_both_sides_are_a_record_and_a_table() -> None:
    log = memory_log()
    with serving(LIAR) as (url, _):
        shadow = beside(url, log)
        done = shadow.offer(shown(), CASE)
        assert done is not None
        done.result(timeout=60)
        shadow.close()
    (found,) = comparisons(log)
    assert found.live.struck == 0 and found.candidate.struck > 5
    sides = summary([found])
    assert sides["live"]["by_model"] == 1 and sides["candidate"]["by_model"] == 0
    assert {r.facts["label"] for r in log.records() if r.event is Event.LLM_REQUEST} == {"shadow"}


def test_switched_off_the_candidate_is_not_asked() -> None:
    log = memory_log()
    with serving(GOOD) as (url, journal):
        shadow = beside(url, log)
        shadow.only_while(lambda: False)
        done = shadow.offer(shown(), CASE)
        assert done is not None
        done.result(timeout=60)
        shadow.close()
    assert journal.requests == [] and log.records() == ()


def test_a_slow_candidate_delays_nobody_and_what_was_left_out_is_counted() -> None:
    log, go = memory_log(), threading.Event()

    def slow(asked: Mapping[str, Any], n: int) -> Reply:
        go.wait(60)
        return GOOD(asked, n)

    live = shown()
    with serving(slow) as (url, _):
        shadow = beside(url, log)
        offered = [shadow.offer(live, CASE) for _ in range(MOST_WAITING + 6)]
        waiting = [o for o in offered if o is not None]
        assert len(waiting) < len(offered) and not any(w.done() for w in waiting)
        go.set()
        for one in waiting:
            one.result(timeout=60)
        shadow.close()
    kept = [r for r in log.records() if r.event is Event.NOTE_POST]
    assert sum(int(r.facts["left_out"]) for r in kept) == len(offered) - len(waiting)


@pytest.mark.parametrize("behave", [LIAR, GOOD])
def test_in_the_house_the_note_is_the_live_models_and_eval_compare_shows_both(
    behave: Behaviour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(GOOD) as (live, _), serving(behave) as (other, journal):
        model = ModelSettings(url=live, name="live", shadow_url=other, shadow_name="next")
        house = build(Settings(state=tmp_path, model=model), world_sources(WORLD), beside=True)
        written = house.draft(CASE)
        assert written.model is not None and written.model.requested == "live"
        assert isinstance(house.shadow, Beside)
        house.shadow.offer(written, CASE).result(timeout=60)  # type: ignore[union-attr]  # the one before it is done too
        house.shadow.close()
        house.promptlog.close()
    assert len(journal.bodies) >= 2
    assert main(["eval", "compare", "--shadow", "--json", "--state", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["comparisons"] == 2 and told["live"]["by_model"] == 2
