"""A real HTTP server on loopback that answers as told, badly too, and keeps what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: bytes
    peer: tuple[str, int]


@dataclass(frozen=True)
class Answer:
    """`write` takes over the connection: for answers that are not HTTP."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    write: Callable[[Any], None] | None = None


Respond = Callable[[Asked], Answer]


@dataclass
class Server:
    url: str
    asked: list[Asked]
    stop: threading.Event

    @property
    def paths(self) -> list[str]:
        return [a.path for a in self.asked]


@contextmanager
def serving(respond: Respond, *, tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """Serve until the block ends. `Server.stop` is set then, so that a slow answer need not be waited for."""
    asked: list[Asked] = []
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # as Loki and Prometheus do: head and body in two writes waited 40 ms for an ACK

        def handle_one(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = parse_qs(parts.query, keep_blank_values=True)
            request = Asked(self.command, parts.path, query, dict(self.headers), body, self.client_address)
            asked.append(request)
            answer = respond(request)
            if answer.write is not None:
                self.close_connection = True
                answer.write(self.wfile)
                return
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_one

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:
                return  # the client has gone: that is what the test is about

        def log_message(self, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        scheme = "https" if tls is not None else "http"
        yield Server(f"{scheme}://127.0.0.1:{server.server_port}", asked, stop)
    finally:
        stop.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def as_json(document: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document).encode())


def recorded(name: str) -> Answer:
    """A recorded exchange's answer: `loki/labels`."""
    response = json.loads((RECORDED / f"{name}.json").read_text())["response"]
    body = response["body"]
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return Answer(response["status"], content, response["content_type"] or "text/plain")
