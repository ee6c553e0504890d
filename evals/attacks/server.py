"""An OpenAI-compatible server on loopback whose answers a function writes. Keeps the bytes of every request."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Messages = Sequence[Mapping[str, Any]]
Write = Callable[[Messages], Mapping[str, Any]]


@dataclass(slots=True)
class Reply:
    """What goes over the wire, `delay` seconds after the request; `cut` closes after that many bytes of the body."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    cut: int | None = None
    trickle: float = 0.0


Behaviour = Callable[[Mapping[str, Any], int], Reply]


@dataclass(slots=True)
class Journal:
    """Every request as it came: method and path, headers and the raw body."""

    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[bytes]:
        return [body for line, _, body in self.requests if line.startswith("POST")]


def completion(content: str, **message: Any) -> bytes:
    """A chat completion that says `content`."""
    said = {"role": "assistant", "content": content, **message}
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    return json.dumps(
        {
            "id": "chatcmpl-test",
            "object": "chat.completion",
            "created": 1772445900,
            "model": "test-model-2026-01-01",
            "system_fingerprint": "fp_test",
            "choices": [{"index": 0, "message": said, "finish_reason": reason}],
            "usage": {"prompt_tokens": 900, "completion_tokens": 120, "total_tokens": 1020},
        }
    ).encode()


def called(name: str, arguments: str, *, call: str = "call_1") -> bytes:
    """A chat completion that calls a tool."""
    return completion(
        "", tool_calls=[{"id": call, "type": "function", "function": {"name": name, "arguments": arguments}}]
    )


def writing(write: Write) -> Behaviour:
    """Answers with what `write` makes of the messages, in the form that was asked for."""

    def behave(asked: Mapping[str, Any], n: int) -> Reply:
        value = json.dumps(write(asked.get("messages", [])))
        if asked.get("tool_choice") and asked.get("tools"):
            return Reply(body=called(asked["tools"][0]["function"]["name"], value))
        return Reply(body=completion(value))

    return behave


@contextlib.contextmanager
def serving(behave: Behaviour) -> Iterator[tuple[str, Journal]]:
    """The base URL (`…/v1`) of a server on a free loopback port, and its journal. Stopped at the end."""
    journal = Journal()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(behave, journal))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", journal
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(behave: Behaviour, journal: Journal) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # as real servers do: head and body in two writes would wait for an ACK
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            journal.requests.append((f"{self.command} {self.path}", dict(self.headers), body))
            self._reply(behave(json.loads(body or b"{}"), len(journal.requests)))

        do_GET = do_POST

        def _reply(self, reply: Reply) -> None:
            time.sleep(reply.delay)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self._body(reply)

        def _body(self, reply: Reply) -> None:
            if reply.trickle:
                for at in range(len(reply.body)):
                    self.wfile.write(reply.body[at : at + 1])
                    time.sleep(reply.trickle)
                return
            self.wfile.write(reply.body if reply.cut is None else reply.body[: reply.cut])
            if reply.cut is not None:
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing: the journal holds it."""

    return Handler
