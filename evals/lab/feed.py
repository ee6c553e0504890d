"""The shop alone, for servers that somebody else runs: deploy/compose.yaml starts it beside a Prometheus and a Loki.

Before the exporter answers, `out` holds what the servers need: `rules.json` (the shop's alert rules) and `history.om`
(samples before now, for `promtool tsdb create-blocks-from openmetrics`). SIGTERM ends it.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType

from assistant.errors import SourceRefused
from evals.lab import alerts, live, make
from evals.lab.spec import Kind
from evals.world_format import dumps, write_lines

TICK = 5.0


def prepare(d: make.Draft, out: Path, now: float, attached: Mapping[str, str]) -> None:
    """Write rules and history, with the labels that the server's scrape will attach; each file is whole or not
    there."""
    out.mkdir(parents=True, exist_ok=True)
    half = out / "history.half"
    write_lines(half, live.history(d, now, attached))
    half.rename(out / "history.om")
    half.write_text(dumps({"groups": alerts.rule_groups(d.shop)}), encoding="utf-8")
    half.rename(out / "rules.json")


def feed(
    kind: Kind,
    play: live.Play,
    out: Path,
    say: Callable[[str], None],
    *,
    listen: tuple[str, int],
    attached: Mapping[str, str],
    repeat: bool = False,
    stop: threading.Event | None = None,
) -> None:
    """Play until the time is over, or until `stop` (made of SIGTERM where none is given)."""
    stop = stop or _told()
    drafts = [live.rehearse(kind, play, time.time())]
    prepare(drafts[0], out, time.time(), attached)
    with live.exporter(lambda: drafts[-1], *listen) as target:
        say(f"http://{target}/metrics  http://{target}/changes.json  {out}/rules.json")
        while True:
            _once(drafts[-1], play, say, stop)
            if not repeat or stop.is_set():
                return
            drafts[:] = [live.rehearse(kind, play, time.time())]


def _once(d: make.Draft, play: live.Play, say: Callable[[str], None], stop: threading.Event) -> None:
    """One play: lines go to Loki as they fall due, and wait where it does not take them."""
    say(f"the onset is in {d.onset - time.time():.0f} s; playing for {play.minutes:g} minutes")
    pending = live.lines(d, play.seed) if play.loki else []
    end, refused = d.onset + play.minutes * 60, ""
    while time.time() < end and not stop.is_set():
        now_ns = time.time() * 1e9
        due = [e for e in pending if e["ts"] <= now_ns]
        try:
            if due:
                live.push(play.loki, due)
                pending, refused = pending[len(due) :], ""
        except SourceRefused as error:
            if str(error) != refused:
                say(f"{error}; the lines wait")
            refused = str(error)
        stop.wait(min(TICK, max(0.0, end - time.time())))


def _told() -> threading.Event:
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    return stop
