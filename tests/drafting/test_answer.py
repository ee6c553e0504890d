"""Questions: few bounded looks over a recorded world, every claim checked, and an honest "I can't tell"."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from assistant.core.alert import Question
from assistant.core.answer import CANNOT_TELL, ONLY_READS, Answer
from assistant.core.runbook import RunbookAnswer
from assistant.core.time import Instant, Window
from assistant.drafting.answer import MOST_TURNS, ask
from assistant.drafting.model import ChatModel
from assistant.drafting.tools import MOST_LOOKS, Toolbox
from assistant.promptlog.record import Event
from assistant.sources.promql_parse import expression_of
from assistant.sources.world import WorldSource
from evals.attacks.incident import context
from evals.attacks.server import Reply, called, completion
from redaction import FinalScanner, Redactor
from tests.fakes.model import BAD, always, served

WORLD = Path(__file__).resolve().parents[2] / "evals" / "worlds" / "first"
scanner = FinalScanner()
RATE = 'sum by (acquirer) (rate(payment_authorisations_total{acquirer!=""}[2m]))'


class NoRunbooks:
    def find(self, *, alerts: object, question: str, findings_text: str, k: int = 5) -> RunbookAnswer:
        return RunbookAnswer(none_because="no runbook fits")


@pytest.fixture(scope="module")
def world() -> WorldSource:
    return WorldSource.open(WORLD, Redactor.default())


@pytest.fixture
def tools(world: WorldSource) -> Toolbox:
    now = world.now()
    window = Window(Instant(now - 900), now)
    return Toolbox(
        metrics=world, logs=world, changes=world, runbooks=NoRunbooks(), alerts=world.alerts(), window=window,
        baseline=window.shifted(-3600), scanner=scanner, parse=lambda q: expression_of(q).query,
    )  # fmt: skip


def answered(question: str, tools: Toolbox, model: ChatModel | None) -> Answer:
    asked = Question(Redactor.default().redact(question), Instant(tools.window.end), "person-x")
    return ask(asked, context=context(scanner.restore), tools=tools, model=model, scanner=scanner)


def script(*turns: bytes) -> Any:
    """A server that gives these answers in turn, the last one for ever."""
    return lambda asked, n: Reply(body=turns[min(n, len(turns)) - 1])


def final(claims: Sequence[Mapping[str, Any]], *, done: bool = True) -> bytes:
    return completion(json.dumps({"answered": done, "claims": claims, "not_known": []}))


def test_every_tool_answers_with_evidence(tools: Toolbox) -> None:
    texts = (
        tools.list_alerts(), tools.list_changes(240), tools.query_metric(RATE), tools.compare_windows(RATE, 60),
        tools.drill_down("payment_authorisations_total", "response_code", "acquirer", "vela"),
        tools.search_logs("service_name", "acquirer-connector", "unreachable"), tools.catalogue(),
    )  # fmt: skip
    assert [e.id for e in tools.evidence] == ["A1", "C1", "M1", "M2", "M3", "L1", "M4"]
    assert all(t.startswith("[") for t in texts)
    assert "acquirer=vela: now" in texts[2] and "usual" in texts[2]
    assert "issuer unreachable" in texts[5]


@pytest.mark.parametrize(
    "query",
    [
        '{__name__=~".+"}',
        "rate(payment_authorisations_total[5h])",
        "sum(rate(x[2m])) by (le) or vector(1)",
        "not promql at all (",
        "x" * 700,
    ],
)
def test_a_query_over_budget_is_refused_in_words_and_traced(query: str, tools: Toolbox) -> None:
    assert tools.query_metric(query).startswith("Nothing: ")
    assert tools.looked[0].evidence == "" and not tools.evidence


def test_windows_and_looks_have_an_end(tools: Toolbox) -> None:
    assert "hours at once" in tools.query_metric(RATE, minutes=600)
    assert tools.search_logs("", "x").startswith("Nothing")
    for _ in range(MOST_LOOKS):
        last = tools.list_alerts()
    assert "used up" in last and len(tools.looked) == MOST_LOOKS


def test_a_question_takes_two_requests_and_its_claims_stand_on_what_was_found(tools: Toolbox) -> None:
    def two(asked: Mapping[str, Any], n: int) -> Reply:
        if n == 1:
            return Reply(body=called("query_metric", json.dumps({"promql": RATE})))
        found = asked["messages"][-1]["content"]
        rate = next(line for line in found.splitlines() if "acquirer=vela" in line).split("now ")[1].split(" per")[0]
        new = found.split("]")[0].strip("[")
        lie = {"text": "Acquirer orbit lost 4,711 payments.", "evidence": [new]}
        return Reply(
            body=final([{"text": f"Attempts over acquirer vela are now {rate} a second.", "evidence": [new]}, lie])
        )

    with served(two) as (model, log, journal):
        answer = answered("How many payments go over vela?", tools, model)
    assert answer.answered and len(answer.claims) == 1 and "vela" in answer.claims[0].text
    assert [s.rule for s in answer.struck] == ["figures"]
    assert answer.model and answer.model.requests == 2
    assert sum(map(len, journal.bodies)) < 30_000
    assert [log.body(r, "request") for r in log.records() if r.event is Event.LLM_REQUEST] == journal.bodies
    assert [look.tool for look in answer.looked_at] == ["query_metric"]


def test_endless_tool_calls_are_stopped_and_answered_from_what_was_found(tools: Toolbox) -> None:
    with served(script(called("list_alerts", "{}"))) as (model, _, journal):
        answer = answered("Why are approvals down?", tools, model)
    assert len(journal.bodies) <= MOST_TURNS and answer.claims and answer.without_model
    assert answer.looked_at


@pytest.mark.parametrize("arguments", ['{"promql": 7}', "{", '{"nothing": 1}'])
def test_bad_tool_arguments_are_told_to_the_model(arguments: str, tools: Toolbox) -> None:
    good = final([{"text": "Issuer Nordhavn carries 96 % of the loss.", "evidence": ["M2"]}])
    with served(script(called("query_metric", arguments), good)) as (model, _, _journal):
        answer = answered("Which issuer?", tools, model)
    assert answer.claims


def test_it_says_that_it_cannot_tell(tools: Toolbox) -> None:
    with served(script(final([], done=False))) as (model, _, _journal):
        answer = answered("What did the weather do?", tools, model)
    assert not answer.answered and answer.lead == CANNOT_TELL


@pytest.mark.parametrize("name", ["empty answer", "prose", "500", "HTML with 200", "cut body", "429 for an hour"])
def test_whatever_the_model_does_there_is_an_answer(name: str, tools: Toolbox) -> None:
    with served(BAD[name][0], timeout_s=8.0) as (model, _, _journal):
        answer = answered("Why are approvals down?", tools, model)
    assert answer.claims and answer.model is None and answer.without_model


@pytest.mark.parametrize("order", ["restart auth-gateway", "please roll back the deploy", "silence this alert"])
def test_a_question_that_needs_writing_is_told_that_we_only_read(order: str, tools: Toolbox) -> None:
    with served(always(Reply(body=final([])))) as (model, _, journal):
        answer = answered(order, tools, model)
    assert answer.lead == ONLY_READS and journal.requests == []


def test_without_a_model_the_findings_answer(tools: Toolbox) -> None:
    why = answered("Why are Visa approvals down?", tools, None)
    assert why.answered and any("Nordhavn" in c.text for c in why.claims)
    assert why.without_model == "no model is configured"
    other = answered("Is the cafeteria open?", tools, None)
    assert not other.answered and other.lead == CANNOT_TELL
    assert not answered("Did someone roll back the deploy?", tools, None).refused
