"""JSON logs, one object a line: time, level, logger, event, incident, record, and the fields of the call.

Everything passes here: our loggers, DBOS, uvicorn, uncaught exceptions. A line is checked by the final scanner before
it is written; a line that it stops is written without its text, as the classes that were found. An exception is
written as the name of its type and where it was raised: its message may quote what it choked on.
"""

from __future__ import annotations

import contextlib
import contextvars
import json
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any

from redaction import FinalScanner, LeakBlocked, RedactionError

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}
_FOREIGN = ("dbos", "uvicorn", "uvicorn.error", "uvicorn.access", "sqlalchemy", "asyncio", "py.warnings")
_SILENT = ("uvicorn.access", "prometheus_api_client", "urllib3", "httpx", "httpx2", "httpcore")
_about: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("payops_about", default=None)


@contextlib.contextmanager
def about(**fields: str) -> Iterator[None]:
    """Lines written inside carry these fields (`incident`, `record`)."""
    token = _about.set({**(_about.get() or {}), **fields})
    try:
        yield
    finally:
        _about.reset(token)


class JsonLines(logging.Handler):
    """Writes checked JSON lines to a stream. `told` is called for each line that was withheld."""

    def __init__(self, stream: IO[str], *, scanner: FinalScanner) -> None:
        super().__init__()
        self._stream = stream
        self._scanner = scanner
        self.blocked = 0
        self.told: Callable[[], None] = lambda: None

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING and record.name.split(".")[0] != "payops":
            # Libraries that set their own level would chatter here.
            return
        line = self._line(record)
        try:
            self._scanner.check(line, sink="log line")
        except RedactionError as error:
            self.blocked += 1
            self.told()
            found = list(error.classes) if isinstance(error, LeakBlocked) else ["SCANNER_ERROR"]
            where = error.where if isinstance(error, LeakBlocked) else ""
            line = _dump({**_frame(record), "event": "a log line was withheld", "found": found, "where": where})
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    def _line(self, record: logging.LogRecord) -> str:
        fields = {k: _plain(v) for k, v in record.__dict__.items() if k not in _STANDARD}
        frame = {**_frame(record), "event": _event(record), **(_about.get() or {}), **fields}
        if record.exc_info and record.exc_info[0] is not None:
            frame["error"] = where(record.exc_info[0], record.exc_info[2])
        return _dump(frame)


def configure(*, scanner: FinalScanner, stream: IO[str] | None = None, level: int = logging.INFO) -> JsonLines:
    """Make this process log through one handler of ours, other people's loggers included. Returns the handler."""
    handler = JsonLines(stream or sys.stderr, scanner=scanner)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("payops").setLevel(level)
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        # DBOS adds a console handler of its own unless it finds one.
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(logging.WARNING)
    # What an application raised is logged by its own handler, without text; uvicorn would say it again.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.ERROR)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = _uncaught_in_thread
    return handler


def where(kind: type[BaseException], traceback: TracebackType | None) -> str:
    """`ValueError at shift.py:31`: the innermost frame, without any text."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return kind.__name__
    file = traceback.tb_frame.f_code.co_filename.rpartition("/")[2]
    return f"{kind.__name__} at {file}:{traceback.tb_lineno}"


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("payops").critical("uncaught", extra={"error": where(kind, traceback)})


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    extra = {"error": where(args.exc_type, args.exc_traceback), "in_thread": args.thread.name if args.thread else ""}
    logging.getLogger("payops").critical("uncaught in a thread", extra=extra)


def _frame(record: logging.LogRecord) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return {"time": f"{at}.{int(record.msecs):03d}Z", "level": record.levelname.lower(), "logger": record.name}


def _event(record: logging.LogRecord) -> str:
    """Our own messages as they are; other people's only by their first words, because they carry exceptions inside."""
    text = record.getMessage()
    if record.name.split(".")[0] == "payops":
        return text
    return text.split(":", 1)[0].split("(", 1)[0][:120]


def _plain(value: object) -> object:
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


def _dump(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"))
