"""SIGKILL at every step of a post: the next process finishes it, and the number of posts stays one."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.slack import Call, SlackDouble
from tests.slack.stage import words_of

NOTE = ("slack.before", "slack.intended", "slack.posted", "slack.stored")
ASK = ("ask.announced", "ask.answered", "ask.intended", "ask.posted", "ask.stored")
QUICK = {"slack.posted", "ask.posted"}
"""Every point is in `make test-all`; these, the worst ones, are in `make test` too."""
_NUMBER = itertools.count(1)


def points(names: tuple[str, ...]) -> list[Any]:
    return [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in names]


def run(double: SlackDouble, state: Path, **order: Any) -> int:
    given = {"state": str(state), "url": double.url, "upstream": double.upstream, "point": "", **order}
    command = [sys.executable, "-m", "tests.slack.victim", json.dumps(given)]
    return subprocess.run(command, timeout=150, check=False).returncode


@pytest.mark.parametrize("point", points(NOTE))
def test_a_note_is_posted_once(point: str, double: SlackDouble, tmp_path: Path) -> None:
    channel = double.channel(f"kill-{next(_NUMBER)}-{point.replace('.', '-')}")
    assert run(double, tmp_path, channel=channel, point=point) == -9
    assert run(double, tmp_path, channel=channel, deliver=False) == 0
    (message,) = double.messages(channel)
    assert "rev 2" in words_of(message)


@pytest.mark.parametrize("point", points(ASK))
def test_a_question_is_answered_once(point: str, double: SlackDouble, tmp_path: Path) -> None:
    channel = double.channel(f"kill-{next(_NUMBER)}-{point.replace('.', '-')}")
    ts = double.said(channel, "what changed?")
    assert run(double, tmp_path, channel=channel, ts=ts, point=point) == -9
    assert run(double, tmp_path, channel=channel, deliver=False) == 0
    (reply,) = double.messages(channel, ts)
    assert "Visa approvals fell" in words_of(reply)


@pytest.mark.slow
@pytest.mark.parametrize("point", NOTE)
def test_without_the_scope_to_look_nothing_is_lost_and_a_second_post_says_so(
    point: str, double: SlackDouble, tmp_path: Path
) -> None:
    def fault(call: Call) -> Any:
        return "missing_scope" if call.method == "conversations.history" else None

    double.faults = fault
    channel = double.channel(f"kill-{next(_NUMBER)}-{point.replace('.', '-')}")
    assert run(double, tmp_path, channel=channel, point=point) == -9
    assert run(double, tmp_path, channel=channel, deliver=False) == 0
    messages = double.messages(channel)
    assert 1 <= len(messages) <= 2
    assert len(messages) == (2 if point == "slack.posted" else 1)
    if point in ("slack.intended", "slack.posted"):
        told = [c for c in double.of("chat.postMessage") if "may stand here twice" in str(c.given)]
        assert len(told) == 1
