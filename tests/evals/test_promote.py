"""Accepting a report: two people, the same release, and a record in the prompt log; a rollback says that it is one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from assistant.bootstrap import prompt_log
from assistant.errors import UsageError
from assistant.release import release_of
from assistant.settings import Settings
from evals.head import FORMAT, Head
from evals.promote import promote
from evals.reports import read_report, report_of
from redaction import FinalScanner
from tests.evals.test_gate import case


def test_the_author_does_not_accept_the_own_change(tmp_path: Path) -> None:
    report = report_of([case("a/1")], Head(FORMAT, "abc", "line"), None)
    with pytest.raises(UsageError, match="the approver is the author"):
        promote(report, Settings(state=tmp_path), author="Ann ", approver="ann", accepted=tmp_path / "lab.json")
    assert not (tmp_path / "lab.json").exists()


def test_another_release_is_accepted_only_as_a_rollback_and_each_is_a_record(tmp_path: Path) -> None:
    settings, accepted = Settings(state=tmp_path / "state"), tmp_path / "lab.json"
    now = release_of(settings).id
    ours = report_of([case("a/1")], Head(FORMAT, now, "line"), None)
    older = report_of([case("a/1")], Head(FORMAT, "0123456789ab", "line"), None)
    with pytest.raises(UsageError, match="is of release 0123456789ab"):
        promote(older, settings, author="ann", approver="bea", accepted=accepted)
    first = promote(ours, settings, author="ann", approver="bea", accepted=accepted)
    assert read_report(accepted)["head"]["release"] == now
    second = promote(older, settings, author="ann", approver="bea", rollback=True, accepted=accepted)
    assert second.index > first.index
    assert read_report(accepted)["head"]["release"] == "0123456789ab"
    with closing(prompt_log(settings, FinalScanner())) as log:
        kept = [json.dumps(dict(log.get(r.index).facts), default=str) for r in (first, second)]
    assert '"rollback": false' in kept[0] and now in kept[0]
    assert '"rollback": true' in kept[1] and "0123456789ab" in kept[1]


def test_every_record_carries_the_release(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path / "state")
    with closing(prompt_log(settings, FinalScanner())):
        pass
    with closing(prompt_log(settings, FinalScanner())) as log:
        found = list(log.scan())
    assert len(found) >= 2
    assert {r.facts.get("release") for r in found} == {release_of(settings).id}
