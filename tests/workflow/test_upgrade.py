"""A rolling upgrade: two versions of the workflow's shape on one PostgreSQL, with rounds under way."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.workflow.test_kill import Zygote, zygote  # noqa: F401
from tests.workflow.test_replicas import notes_at, received, server, url  # noqa: F401

pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_the_old_version_ends_its_rounds_while_the_new_one_works(
    zygote: Zygote,  # noqa: F811
    url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    new = zygote.start(state=str(state), url=url, service="ledger", within=90, idle_s=10)
    time.sleep(3)
    assert zygote.run(state=str(state), url=url, service="gateway", shape="0", slow_s=1.0, within=60) == 0
    assert zygote.wait(new) == 0, (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert sorted(kept.values()) == [["1.facts", "1.note"]] * 2
    assert sorted(received(url, state)) == sorted(f"{incident}.1.alerts" for incident in kept)


def test_a_round_that_the_old_version_left_is_done_by_the_new_one(
    zygote: Zygote,  # noqa: F811
    url: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    new = zygote.start(state=str(state), url=url, service="ledger", within=120, idle_s=14)
    time.sleep(3.5)
    assert zygote.run(state=str(state), url=url, service="gateway", shape="0", point="note.begun") == -9
    assert zygote.wait(new) == 0, (tmp_path / "state.log").read_text()
    kept = notes_at(url, state)
    assert sorted(kept.values()) == [["1.facts", "1.note"]] * 2
    assert sorted(received(url, state)) == sorted(f"{incident}.1.alerts" for incident in kept)
