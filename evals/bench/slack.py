"""Figures of Slack: from an event to the status below it and the reply, from an alert to the card and to its draft.

Runs the room over `emulate` (a Slack Web API that others wrote) behind a proxy on loopback that sees when each request
arrives; requests are signed and go through Bolt's HTTP adapter. The house is the recorded world that ships; there is no
model, so a reply's time is ours and the sources'. A real Slack adds its own latency to each call.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from evals.bench.figure import Figure

ROUNDS = 12
STATUS_S, CARD_S, DRAFT_S, REPLY_S = 1.0, 3.0, 30.0, 30.0


def figures() -> Iterable[Figure]:
    from tests.doubles.node import install

    try:
        install()
    except RuntimeError as fault:
        yield Figure("status and card", "not measured", beside=str(fault))
        return
    yield from _measured()


def _measured() -> Iterator[Figure]:
    from assistant.bootstrap import open_world
    from assistant.settings import Settings
    from tests.doubles.slack import emulated, proxied
    from tests.slack.stage import Stage

    with tempfile.TemporaryDirectory(prefix="payops-bench-") as folder:
        home = Path(folder)
        world = Path(__file__).resolve().parents[1] / "worlds" / "first"
        house, _ = open_world(world, Settings(state=home / "world"))
        house.promptlog.close()
        with emulated(home) as upstream, proxied(upstream) as double:
            arrived: list[tuple[str, float]] = []
            double.faults = lambda call: arrived.append((call.method, time.monotonic()))
            stage = Stage(home / "state", double, channel=double.channel("bench"), house=house)
            with stage:
                yield from _questions(stage, arrived)
                yield from _cards(stage, arrived)
                yield from _fifty(stage, arrived)


def _questions(stage: Any, arrived: list[tuple[str, float]]) -> Iterator[Figure]:
    status, reply = [], []
    for i in range(ROUNDS + 1):
        stage.room.sender._next.clear()
        arrived.clear()
        began = time.monotonic()
        stage.mention("why do visa authorisations fail?")
        _until(lambda: _first(arrived, "chat.postMessage") is not None)
        if i:  # the first one loads what the others find
            status.append((_first(arrived, "assistant.threads.setStatus") or began) - began)
            reply.append((_first(arrived, "chat.postMessage") or began) - began)
    yield _timed("mention to status", status, STATUS_S)
    yield _timed("mention to reply, a recorded world, no model", reply, REPLY_S)


def _cards(stage: Any, arrived: list[tuple[str, float]]) -> Iterator[Figure]:
    """Each alert is a service of its own; a pause keeps them from being a storm."""
    from tests.fakes.alerts import alert

    card, draft = [], []
    for i in range(4):
        stage.room.sender._next.clear()
        arrived.clear()
        began = time.monotonic()
        stage.service.receive([alert(f"Bench{i}", labels={"service": f"bench-{i}"}, group=f"bench-{i}")])
        _until(lambda: _first(arrived, "chat.update") is not None)
        card.append((_first(arrived, "chat.postMessage") or began) - began)
        draft.append((_first(arrived, "chat.update") or began) - began)
    yield _timed("alert to card (facts at once, the writer is a fake)", card, CARD_S)
    yield _timed("alert to the same message with its draft", draft, DRAFT_S)


def _fifty(stage: Any, arrived: list[tuple[str, float]]) -> Iterator[Figure]:
    """Fifty people in ten channels ask at once."""
    from concurrent.futures import ThreadPoolExecutor

    channels = [stage.double.channel(f"bench-{i}") for i in range(10)]
    asked = [(c, stage.double.said(c, "q")) for c in channels for _ in range(5)]
    arrived.clear()
    began = time.monotonic()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda a: stage.mention("what changed?", channel=a[0], ts=a[1]), asked))
    _until(lambda: sum(m == "chat.postMessage" for m, _ in arrived) >= 50, within=120)
    status = [t - began for m, t in arrived if m == "assistant.threads.setStatus"]
    replies = [t - began for m, t in arrived if m == "chat.postMessage"]
    yield _timed("50 mentions at once: status", status, STATUS_S)
    yield _timed("50 mentions at once: reply", replies, 60.0)
    yield Figure("50 mentions at once: replies", str(len(replies)), "", "50", len(replies) == 50)


def _timed(name: str, seconds: list[float], target: float) -> Figure:
    worst, middle = max(seconds), statistics.median(seconds)
    value = f"{worst:.2f}, worst of {len(seconds)} (median {middle:.2f})"
    return Figure(name, value, "s", f"at most {target:g} s", worst <= target)


def _first(arrived: list[tuple[str, float]], method: str) -> float | None:
    return next((t for m, t in list(arrived) if m == method), None)


def _until(what: Callable[[], Any], *, within: float = 60.0) -> None:
    until = time.monotonic() + within
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("it did not happen in time")
        time.sleep(0.005)
