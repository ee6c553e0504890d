"""Slack's room in a process of its own that kills itself (SIGKILL) at a point: `python -m tests.slack.victim ORDER`.

The order is JSON: `state`, `url` (of the proxy), `upstream`, `channel`, `point` ("" for none), and either `ts` (a
question that Slack tells of) or nothing (an alert comes in; with `deliver` false nothing comes, and what was begun is
finished). Exit status: -9 killed, 0 everything is done, 3 not in time.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from tests.doubles.slack import SlackDouble
from tests.fakes.alerts import alert
from tests.slack.stage import Stage


def main(order: dict[str, Any]) -> int:
    def probe(point: str) -> None:
        if point == order["point"]:
            os.kill(os.getpid(), signal.SIGKILL)

    double = SlackDouble(order["upstream"], url=order["url"])
    stage = Stage(Path(order["state"]), double, channel=order["channel"])
    stage.room.carrier._probe = probe
    object.__setattr__(stage.room.answering._desk, "probe", probe)
    stage.start()
    if order.get("deliver", True):
        if "ts" in order:
            stage.mention("what changed?", ts=order["ts"])
        else:
            stage.service.receive([alert(labels={"service": "gateway"})])
    until = time.monotonic() + order.get("within", 60.0)
    while time.monotonic() < until:
        stage.room.answering.resume()
        waits = stage.service.outbox.waiting().count or stage.service.rounds.due(apart_s=0.0)
        if not waits and not stage.service.rounds.unfinished() and not stage.room.questions.open(older_s=0.0):
            stage.stop()
            return 0
        time.sleep(0.1)
    return 3


if __name__ == "__main__":
    code = main(json.loads(sys.argv[1]))
    sys.stdout.flush()
    os._exit(code)
