"""What asking a model took is counted and recorded, whether its words were used or not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assistant.core.draft import Claim, Draft
from assistant.core.evidence import EvidenceId
from assistant.drafting.check import check
from assistant.drafting.draft import tell, write
from assistant.drafting.model import ChatModel
from assistant.drafting.schema import draft_of
from assistant.drafting.shadow import compare, summary
from assistant.settings import ModelSettings
from evals.attacks.incident import context
from evals.attacks.models import liar
from evals.attacks.server import Reply, completion, serving, writing
from evals.sets.injection import memory_log
from redaction import FinalScanner

SCANNER = FinalScanner()
CASE = context(SCANNER.restore)


def _model(url: str, **changes: Any) -> ChatModel:
    settings = ModelSettings(url=url, name="costly", price_in=10.0, price_out=30.0, timeout_s=120.0, **changes)
    return ChatModel.from_settings(settings, log=memory_log(SCANNER), scanner=SCANNER, redact=str)


def test_a_draft_that_the_checker_throws_away_has_cost_what_it_has_cost() -> None:
    with serving(writing(lambda messages: liar(messages, seed=3))) as (url, journal):
        written = write(CASE, _model(url), scanner=SCANNER)
    assert written.model is None and written.struck and "not in the evidence" in written.without_model
    assert written.spent is not None and len(journal.bodies) == written.spent.requests == 1
    assert (written.spent.tokens_in, written.spent.tokens_out) == (900, 120)
    assert written.spent.cost == (900 * 10 + 120 * 30) / 1e6 and written.spent.records


def test_answers_that_cannot_be_read_and_too_long_prompts_are_counted_together() -> None:
    too_long = json.dumps({"error": {"code": "context_length_exceeded", "message": "context length"}}).encode()

    def behave(asked: Mapping[str, Any], n: int) -> Reply:
        return Reply(400, too_long) if n == 1 else Reply(body=completion("no JSON here"))

    with serving(behave) as (url, journal):
        told = tell("incident_note", CASE, _model(url), scanner=SCANNER)
    assert told.written.model is None and told.written.spent is not None
    assert told.written.spent.requests == len(journal.bodies) == len(told.written.spent.records) > 2
    assert told.written.spent.tokens_in == 900 * (len(journal.bodies) - 1)


def test_nothing_is_said_to_be_spent_where_nothing_was_asked() -> None:
    written = write(CASE, _model("http://127.0.0.1:9/v1", max_tokens_incident=1), scanner=SCANNER)
    assert written.spent is None and "budget" in written.without_model


def test_a_liar_that_points_at_everything_is_counted_and_its_tokens_are_compared() -> None:
    many = [f"M{n}" for n in range(1, 60)]

    def lies(messages: Any) -> Mapping[str, Any]:
        answer = dict(liar(messages, seed=1))
        claims = [{"text": f"Approvals fell to {n}.5 %.", "evidence": many} for n in range(50)]
        return {**answer, "summary": claims}

    with serving(writing(lies)) as (url, _):
        model = _model(url)
        found = compare(write(CASE, None, scanner=SCANNER), CASE, model, scanner=SCANNER)
    assert found.candidate.struck >= 50 and found.candidate.rules["evidence"] >= 1
    assert found.candidate.tokens == 1020 and found.candidate.cost > 0 and found.candidate.model == "none"
    assert summary([found])["candidate"] == {"notes": 1, "by_model": 0, "kept": 0, "struck": found.candidate.struck,
                                             "seconds": round(found.candidate.seconds, 3), "tokens": 1020.0,
                                             "cost": round(found.candidate.cost, 6)}  # fmt: skip


def test_a_claim_that_points_at_everything_is_struck() -> None:
    ids = tuple(EvidenceId(f"M{n}") for n in range(40))
    _, struck = check(Draft("", (Claim("Approvals fell to 71.8 %.", ids),)), CASE)
    assert [s.rule for s in struck] == ["evidence"] and "more than 20" in struck[0].detail
    assert len(draft_of({"title": "", "summary": [{"text": "x", "evidence": list(ids)}]}, clean=str).summary) == 1


def test_a_note_and_its_record_say_what_a_rejected_draft_took() -> None:
    from dataclasses import replace

    from assistant.core.note_json import note_to_json
    from assistant.core.note_restored import note_of as restored
    from assistant.records import spent_facts
    from evals.attacks.sinks import note_of

    with serving(writing(lambda messages: liar(messages, seed=3))) as (url, _):
        written = write(CASE, _model(url), scanner=SCANNER)
    note = replace(note_of(CASE, written), spent=written.spent)
    kept = note_to_json(note)
    assert kept["model"] is None and kept["spent"]["tokens_in"] == 900
    assert restored(kept, SCANNER.restore).spent == written.spent
    facts = spent_facts(note.spent)
    assert facts["tokens_in"] == 900 and facts["cost_microusd"] == 12600 and facts["requests"]
