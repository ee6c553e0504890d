"""Incidents that share a cause and its onset become one, by what was found; nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.core.incident import IncidentId
from assistant.identity import Head
from assistant.workflow.joining import Cause, cause_of, elders, same
from tests.fakes.alerts import T0, alert
from tests.workflow.test_service import Stand, eventually, keys

ELDER = Head(IncidentId("inc-a"), opened_at=T0, joined_at=T0, onsets=(T0, T0), severity="high")
YOUNGER = replace(ELDER, id=IncidentId("inc-b"), opened_at=T0 + 30)
ISSUER = Cause("issuer", "kelp", T0)


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(tmp_path / "state")
    stand.service.start()
    yield stand
    stand.service.stop(timeout_s=5)


def test_the_younger_joins_the_older_and_never_the_other_way() -> None:
    assert elders(YOUNGER, [ELDER, YOUNGER]) == (ELDER,)
    assert elders(ELDER, [ELDER, YOUNGER]) == ()


@pytest.mark.parametrize(
    "changes",
    [{"severity": "low"}, {"storm": True}, {"alone": True}, {"resolved_at": T0 + 5}, {"merged_into": "inc-z"}],
    ids=str,
)
def test_what_may_not_join_or_be_joined(changes: dict[str, object]) -> None:
    assert elders(replace(YOUNGER, **changes), [ELDER]) == ()  # type: ignore[arg-type]
    assert elders(YOUNGER, [replace(ELDER, **changes)]) == ()  # type: ignore[arg-type]


def test_another_environment_or_another_hour_stays_apart() -> None:
    live, staging = frozenset({("env", "live")}), frozenset({("env", "staging")})
    assert elders(replace(YOUNGER, scope=staging), [replace(ELDER, scope=live)]) == ()
    assert elders(replace(YOUNGER, opened_at=T0 + 3700), [ELDER]) == ()


def test_one_cause_needs_the_same_entity_and_the_same_moment() -> None:
    assert same(ISSUER, replace(ISSUER, onset=T0 + 120))
    assert not same(ISSUER, replace(ISSUER, onset=T0 + 600))
    assert not same(ISSUER, replace(ISSUER, entity="brine"))
    assert not same(ISSUER, replace(ISSUER, dimension="acquirer"))
    assert not same(ISSUER, None)


def test_an_inconclusive_cause_joins_nothing() -> None:
    leading = {"dimension": "issuer", "entity": "kelp", "class": "inconclusive"}
    note = {"hypotheses": [leading], "onset": {"at": "2026-09-21T14:13:20Z"}}
    assert cause_of(note) is None
    assert cause_of({**note, "hypotheses": [{**leading, "class": "likely"}]}) == Cause("issuer", "kelp", 1790000000.0)
    assert cause_of({**note, "hypotheses": []}) is None


def test_two_alerts_of_one_cause_are_shown_once(stand: Stand) -> None:
    stand.investigator.cause = ("issuer", "kelp")
    (first,) = {p.incident for p in stand.service.receive([alert("IssuerDeclines")]).placements}
    assert first
    eventually(lambda: len(keys(stand, first)) == 2)
    stand.clock.move(20)
    (second,) = {p.incident for p in stand.service.receive([alert("SchemeDown", labels={"scheme": "amex"})]).placements}
    assert second and second != first
    eventually(lambda: stand.service.incidents.snapshot(second).head.merged_into == first)  # type: ignore[union-attr]
    eventually(lambda: not stand.service.rounds.unfinished())
    assert keys(stand, second) == []
    assert {p.incident for p in stand.outlet.shown} == {first}
    whole = stand.service.incidents.snapshot(first)
    assert whole and {a.name for a in whole.alerts} == {"IssuerDeclines", "SchemeDown"}
    merges = [e for e in stand.log.records() if e.facts.get("decision") == "merge"]
    assert [(e.incident, e.facts["other"], e.actor) for e in merges] == [(first, second, "analyst")]


def test_an_incident_that_was_shown_says_where_it_went(stand: Stand) -> None:
    (first,) = {p.incident for p in stand.service.receive([alert("IssuerDeclines")]).placements}
    stand.clock.move(20)
    (second,) = {p.incident for p in stand.service.receive([alert("SchemeDown", labels={"scheme": "amex"})]).placements}
    assert first and second
    eventually(lambda: len(keys(stand, first)) == 2 and len(keys(stand, second)) == 2)
    stand.service.merge(first, second, by="U1")
    latest = stand.service.notes.latest(second)
    assert latest and latest["status"] == "merged"
    assert latest["warnings"][0] == f"part of {first} now: the same cause since the same moment"  # type: ignore[index]
    last = latest["revision"]
    eventually(lambda: any((p.incident, p.revision) == (second, last) for p in stand.outlet.shown))


def test_what_a_person_split_is_not_merged_again(stand: Stand) -> None:
    stand.investigator.cause = ("issuer", "kelp")
    given = [alert("IssuerDeclines", group="g"), alert("SchemeDown", group="g")]
    (whole,) = {p.incident for p in stand.service.receive(given).placements}
    assert whole
    eventually(lambda: len(keys(stand, whole)) == 2)
    apart = stand.service.split(whole, [given[1].fingerprint], by="U1")
    eventually(lambda: len(keys(stand, apart)) >= 1 and not stand.service.rounds.unfinished())
    snapshot = stand.service.incidents.snapshot(apart)
    assert snapshot and snapshot.head.merged_into is None
