"""Budgets outlive the process: what the prompt log tells was spent counts, whoever spent it."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.drafting.budget import DAY, EVERY, Budget, Limits
from assistant.drafting.draft import write
from assistant.drafting.model import ChatModel
from assistant.drafting.spending import LoggedSpending
from assistant.errors import ModelOverBudget
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_configured
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.settings import ModelSettings, Settings
from evals.attacks.incident import context
from evals.attacks.server import serving
from redaction import FinalScanner
from tests.fakes.model import GOOD, memory_log
from tests.fakes.promptlog import look_at_nothing

SCANNER = FinalScanner()
CASE = context(SCANNER.restore)
NOTE = 1020  # tokens that the double states for one answer


def opened(state: Path) -> Log:
    return open_configured(Settings(state=state), last_look=look_at_nothing)


def model(url: str, log: Log, **limits: float) -> ChatModel:
    settings = replace(ModelSettings(url=url, name="m", price_in=1.0), **limits)  # type: ignore[arg-type]
    return ChatModel.from_settings(settings, log=log, scanner=SCANNER, redact=str, sleep=lambda s: None)


def test_a_restart_forgets_nothing_of_day_and_incident(tmp_path: Path) -> None:
    with serving(GOOD) as (url, journal):
        log = opened(tmp_path)
        assert write(CASE, model(url, log), scanner=SCANNER).model
        log.close()
        log = opened(tmp_path)
        again = model(url, log, max_tokens_day=NOTE + 100)
        assert again.state()["model_tokens_today"] == NOTE
        assert write(CASE, again, scanner=SCANNER).without_model == "the model's token budget of this day is used up"
        other = replace(CASE, incident=replace(CASE.incident, id="inc-other"))
        asked = int(len(journal.bodies[0]) / 3.2) + 1
        capped = model(url, log, max_tokens_incident=asked + NOTE // 2)
        assert "of this incident" in write(CASE, capped, scanner=SCANNER).without_model
        assert write(other, capped, scanner=SCANNER).model
        log.close()
    assert len(journal.bodies) == 2


def test_two_processes_on_one_log_share_a_budget(tmp_path: Path) -> None:
    clock = [time.time()]
    first, second = opened(tmp_path), opened(tmp_path)
    with serving(GOOD) as (url, _):
        settings = ModelSettings(url=url, name="m")
        make = lambda log: ChatModel.from_settings(  # noqa: E731
            settings, log=log, scanner=SCANNER, redact=str, now=lambda: clock[0], sleep=lambda s: None
        )
        one, two = make(first), make(second)
        assert two.state()["model_tokens_today"] == 0
        assert write(CASE, one, scanner=SCANNER).model
        clock[0] += EVERY
        assert two.state()["model_tokens_today"] == NOTE
        clock[0] += EVERY
        assert one.state()["model_tokens_today"] == NOTE, "its own answers are not counted twice"
    first.close()
    second.close()


def test_a_shadows_spending_is_not_the_live_models() -> None:
    log = memory_log()
    for label in ("shadow", "live"):
        facts = {"label": label, "tokens_in": 100, "tokens_out": 10, "cost_microusd": 500_000, "request": "r"}
        log.append(Entry(event=Event.LLM_RESPONSE, actor="a", incident="inc-1", facts=facts))
    found = LoggedSpending(log).since(0.0)
    assert [(s.incident, s.tokens, s.cost) for s in found] == [("inc-1", 110, 0.5)]


def test_a_request_whose_answer_never_came_counts_by_its_bytes() -> None:
    log = memory_log()
    asked = Entry(event=Event.LLM_REQUEST, actor="a", incident="inc-1", facts={"bytes": 3200})
    request = log.append(asked)
    facts = {"request": request.id, "label": "live"}
    log.append(Entry(event=Event.LLM_UNKNOWN_OUTCOME, actor="a", outcome=Outcome.UNKNOWN, facts=facts))
    assert [(s.incident, s.tokens) for s in LoggedSpending(log).since(0.0)] == [("inc-1", 1001)]


def test_yesterday_counts_for_the_incident_but_not_for_the_day() -> None:
    log = memory_log()
    facts = {"label": "live", "tokens_in": 100, "tokens_out": 0, "request": "r"}
    log.append(Entry(event=Event.LLM_RESPONSE, actor="a", incident="inc-1", facts=facts))
    tomorrow = time.time() + DAY
    budget = Budget(Limits(150, 150, 1.0, 1.0), lambda: tomorrow, LoggedSpending(log))
    assert budget.spent()["tokens"] == 0
    with pytest.raises(ModelOverBudget, match="incident"):
        budget.reserve("inc-1", 60, 0.0)
    budget.reserve("inc-2", 60, 0.0)
