"""Our own logging: JSON, with ids, without anything that must not be there."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from assistant.telemetry.logs import about, configure
from redaction import FinalScanner

PAN = "4111" + "111111111111"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    names = ("", "payops", "dbos", "uvicorn", "uvicorn.error")
    before = {
        n: (list(logging.getLogger(n).handlers), logging.getLogger(n).level, logging.getLogger(n).propagate)
        for n in names
    }
    hooks = (sys.excepthook, threading.excepthook)
    stream = io.StringIO()
    configure(scanner=FinalScanner(), stream=stream)
    yield stream
    sys.excepthook, threading.excepthook = hooks
    logging.captureWarnings(False)
    for name, (handlers, level, propagate) in before.items():
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_ids_and_fields(stream: io.StringIO) -> None:
    with about(incident="inc-abc", record="rec_x"):
        logging.getLogger("payops.workflow").info("note kept", extra={"revision": 2})
    (line,) = lines(stream)
    assert (line["event"], line["incident"], line["record"], line["revision"]) == ("note kept", "inc-abc", "rec_x", 2)
    assert line["level"] == "info" and line["time"].endswith("Z")


def test_a_card_number_in_a_line_is_withheld_with_its_class(stream: io.StringIO) -> None:
    logging.getLogger("payops.workflow").error("declined", extra={"card": PAN})
    assert PAN not in stream.getvalue()
    (line,) = lines(stream)
    assert (line["event"], line["found"]) == ("a log line was withheld", ["PAN"])


def test_an_exception_is_its_type_and_place_only(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"cannot parse {PAN}")
    except ValueError:
        logging.getLogger("payops.web").error("fault", exc_info=True)
    assert PAN not in stream.getvalue()
    (line,) = lines(stream)
    assert line["error"].startswith("ValueError at test_logs.py:")


def test_dbos_speaks_through_our_handler_and_loses_what_it_quotes(stream: io.StringIO) -> None:
    from dbos._logger import dbos_logger, init_logger

    init_logger()
    dbos_logger.warning(f"Database connection failed: bad value {PAN} for user jane.doe. Retrying in 1.2s (attempt 1)")
    assert not any(type(h) is logging.StreamHandler for h in dbos_logger.handlers)
    (line,) = lines(stream)
    assert line["event"] == "Database connection failed"


def test_an_uncaught_exception_of_a_thread_is_one_line(stream: io.StringIO) -> None:
    def fail() -> None:
        raise ValueError(PAN)

    thread = threading.Thread(target=fail, name="loop")
    thread.start()
    thread.join()
    (line,) = lines(stream)
    assert (line["event"], line["in_thread"]) == ("uncaught in a thread", "loop")
    assert PAN not in stream.getvalue()


def test_objects_are_never_printed(stream: io.StringIO) -> None:
    class Holder:
        def __repr__(self) -> str:
            return PAN

    logging.getLogger("payops.x").info("held", extra={"what": Holder()})
    (line,) = lines(stream)
    assert line["what"] == "Holder"
