from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.doubles.slack import SlackDouble, emulated, proxied
from tests.slack.stage import Stage

_NUMBER = itertools.count(1)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with emulated(tmp_path_factory.mktemp("emulate")) as url:
        yield url


@pytest.fixture
def double(upstream: str) -> Iterator[SlackDouble]:
    with proxied(upstream) as double:
        yield double


@pytest.fixture
def staged(double: SlackDouble, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes stages, each with a channel of its own; all are stopped at the end."""
    made: list[Stage] = []

    def make(**options: Any) -> Stage:
        channel = options.pop("channel", "") or double.channel(f"room-{next(_NUMBER)}")
        made.append(Stage(tmp_path / f"state-{len(made)}", double, channel=channel, **options).start())
        return made[-1]

    yield make
    for stage in made:
        stage.stop()


@pytest.fixture
def stage(staged: Callable[..., Stage]) -> Stage:
    return staged()
