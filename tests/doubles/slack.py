"""Slack in a test: `emulate` (the Web API with state, written by others) behind a small proxy that keeps the bytes of
every request, answers what emulate does not know, and makes faults: errors, rate limits, answers that get lost.

`socket_mode` is a Socket Mode server of our own, for what emulate has not: envelopes, dropped connections.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tests.doubles.node import free_port, running, script

BOT_TOKEN = "xoxb-of-the-tests"
TEAM = "T000000001"
SCOPES = "app_mentions:read,chat:write,commands,im:history,assistant:write"
KNOWN = ("assistant.threads.setStatus", "assistant.threads.setSuggestedPrompts")


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its method, the parameters, and the bytes as they came."""

    method: str
    given: dict[str, Any]
    raw: bytes


@dataclass
class SlackDouble:
    """`faults`: asked before each call; what it returns is answered instead (an error's name, a status with headers,
    "lose" to do it and hang up, "hang up" not to do it). `scopes` is what `auth.test` says was granted."""

    upstream: str
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    faults: Callable[[Call], Any] = lambda call: None
    scopes: str = SCOPES
    knows_status: bool = True
    sockets: list[str] = field(default_factory=list)

    def of(self, method: str) -> list[Call]:
        return [c for c in self.calls if c.method == method]

    def ask(self, method: str, **given: Any) -> dict[str, Any]:
        """Straight to emulate, past faults and records."""
        return json.loads(self.forward(method, json.dumps(given).encode(), "application/json")[1])  # type: ignore[no-any-return]

    def channel(self, name: str) -> str:
        return str(self.ask("conversations.create", name=name)["channel"]["id"])

    def messages(self, channel: str, thread: str = "") -> list[dict[str, Any]]:
        """What stands in a channel, or in a thread without its first message; oldest first."""
        if thread:
            found = self.ask("conversations.replies", channel=channel, ts=thread)["messages"]
            return [m for m in found if m["ts"] != thread]
        return list(reversed(self.ask("conversations.history", channel=channel, limit=900)["messages"]))

    def said(self, channel: str, text: str, *, thread: str = "") -> str:
        """A message that stands in the channel, as a person's would; its ts."""
        more = {"thread_ts": thread} if thread else {}
        return str(self.ask("chat.postMessage", channel=channel, text=text, **more)["ts"])

    def forward(self, method: str, body: bytes, kind: str) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {BOT_TOKEN}", "Content-Type": kind}
        request = urllib.request.Request(f"{self.upstream}/api/{method}", data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def _handler(double: SlackDouble) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            kind = self.headers.get("Content-Type", "")
            method = self.path.removeprefix("/api/").partition("?")[0]
            given = json.loads(raw or b"{}") if "json" in kind else {k: v[0] for k, v in parse_qs(raw.decode()).items()}
            call = Call(method, given, raw)
            double.calls.append(call)
            fault = double.faults(call)
            if fault == "hang up":
                self.close_connection = True
                return
            if isinstance(fault, tuple):
                self._answer(fault[0], b'{"ok": false, "error": "ratelimited"}', fault[1])
                return
            if fault and fault != "lose":
                self._answer(200, json.dumps({"ok": False, "error": fault}).encode())
                return
            status, answer = self._done(call, raw, kind)
            if fault == "lose":
                self.close_connection = True
                return
            self._answer(status, answer, {"x-oauth-scopes": double.scopes})

        do_GET = do_POST

        def _done(self, call: Call, raw: bytes, kind: str) -> tuple[int, bytes]:
            if call.method == "apps.connections.open":
                url = double.sockets[0] if double.sockets else ""
                return 200, json.dumps({"ok": bool(url), "url": url, "error": "" if url else "internal_error"}).encode()
            if call.method in KNOWN:
                return 200, b'{"ok": true}' if double.knows_status else b'{"ok": false, "error": "unknown_method"}'
            if call.method == "chat.getPermalink":
                where = f"https://emulate.slack.com/archives/{call.given['channel']}/p{call.given['message_ts']}"
                return 200, json.dumps({"ok": True, "permalink": where}).encode()
            return double.forward(call.method, raw, kind)

        def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    return Handler


@contextlib.contextmanager
def emulated(home: Path) -> Iterator[str]:
    """A fresh `emulate`; its address. Skips the test where it cannot be had."""
    node, program = script("emulate", "dist/index.js")
    seed = home / "seed.yaml"
    seed.write_text(
        "slack:\n  strict_scopes: false\n  tokens:\n"
        f'    - token: "{BOT_TOKEN}"\n      scopes: [chat:write, channels:history, channels:manage]\n'
    )
    port = free_port()
    command = [node, program, "start", "-s", "slack", "-p", str(port), "--host", "127.0.0.1", "--seed", str(seed)]
    with running(command, port=port, seconds=60.0):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def proxied(upstream: str) -> Iterator[SlackDouble]:
    double = SlackDouble(upstream)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(double))
    double.url = f"http://127.0.0.1:{server.server_port}/api/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield double
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class SocketMode:
    """A Socket Mode server. `send` gives an envelope to the newest connection; `drop` cuts it without a word."""

    url: str = ""
    connections: list[Any] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    opened: int = 0

    def send(self, payload: dict[str, Any], *, kind: str = "events_api", envelope: str = "e-1") -> None:
        frame = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": True}
        self._sent(json.dumps(frame))

    def _sent(self, frame: str) -> None:
        """To the newest connection that takes it: a client that renews has an old one for a moment."""
        from websockets.exceptions import ConnectionClosed

        until = time.monotonic() + 30
        while time.monotonic() < until:
            for connection in reversed(self.connections):
                with contextlib.suppress(ConnectionClosed, OSError):
                    connection.send(frame)
                    return
            time.sleep(0.1)
        raise TimeoutError("no connection takes it")

    def drop(self) -> None:
        self.connections[-1].socket.close()

    def goodbye(self) -> None:
        """What Slack says before it renews a connection."""
        self._sent(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))


@contextlib.contextmanager
def socket_mode() -> Iterator[SocketMode]:
    from websockets.sync.server import ServerConnection, serve

    state = SocketMode()

    def connected(connection: ServerConnection) -> None:
        state.connections.append(connection)
        state.opened += 1
        connection.send(json.dumps({"type": "hello", "num_connections": 1}))
        with contextlib.suppress(Exception):
            for text in connection:
                with contextlib.suppress(ValueError):
                    state.acks.append(json.loads(text))

    server = serve(connected, "127.0.0.1", 0)
    state.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/link"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join(5)
