"""Background loops: an error of ours is survived and told, another one ends the loop and is told too."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from assistant.errors import WorkflowError
from assistant.workflow.loops import Loop, Task


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_an_error_of_ours_is_survived_and_shown_while_it_lasts() -> None:
    broken = threading.Event()
    broken.set()

    def work() -> None:
        if broken.is_set():
            raise WorkflowError("away")

    loop = Loop(Task("beat", 0.02, work))
    loop.start()
    until(lambda: loop.health() == "beat: WorkflowError")
    broken.clear()
    until(lambda: loop.health() == "")
    loop.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_fault_of_ours_ends_the_loop_and_health_says_so() -> None:
    def work() -> None:
        raise ValueError("4111111111111111")

    loop = Loop(Task("beat", 0.02, work))
    loop.start()
    until(lambda: not loop.is_alive())
    assert loop.health() == "beat ended (ValueError)"


def test_waking_runs_it_at_once() -> None:
    runs: list[float] = []
    loop = Loop(Task("beat", 60.0, lambda: runs.append(time.monotonic())))
    loop.start()
    until(lambda: len(runs) == 1)
    loop.wake()
    until(lambda: len(runs) == 2)
    loop.stop()
    assert not loop.is_alive()
