"""A process that writes a log until it is killed, as a model gate would: append, and only then send.

    python -m tests.promptlog.child DIRECTORY SENT PRODUCERS RECORDS

Every acknowledged append is one line `ack ID INDEX` in SENT (its own file, so that faults of the log's calls do not
touch it). The first refused append is a line `refused ERROR`; a later append that is not refused is a line `went on`.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from assistant.errors import PromptLogError
from assistant.promptlog.keys import load_keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Entry, Event
from tests.fakes.promptlog import ORIGIN, look_at_nothing


def main() -> int:
    directory, sent, producers, records = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    out = os.open(sent, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        keys = load_keys(origin=ORIGIN, state=directory)
        log = open_log(directory, keys=keys, last_look=look_at_nothing, origin=ORIGIN, service="child")
    except PromptLogError as fault:
        _say(out, f"refused {type(fault).__name__} {fault.message}")
        return 3
    threads = [threading.Thread(target=_produce, args=(log, out, n, records)) for n in range(producers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        log.close()
    except PromptLogError as fault:
        _say(out, f"refused {type(fault).__name__} {fault.message}")
    return 0


def _produce(log: Log, out: int, worker: int, records: int) -> None:
    refused = False
    for n in range(records):
        try:
            body = f"prompt {worker}/{n} ".encode() * 60
            receipt = log.append(Entry(event=Event.LLM_REQUEST, actor="child", bodies={"request": body}))
        except PromptLogError as fault:
            if not refused:
                _say(out, f"refused {type(fault).__name__} {fault.message}")
            refused = True
            continue
        _say(out, "went on" if refused else f"ack {receipt.id} {receipt.index}")


def _say(out: int, line: str) -> None:
    os.write(out, line.encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
