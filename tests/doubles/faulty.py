"""A link in front of a server that breaks when it is told to: refused, slow, 5xx, garbage, cut, huge, flapping.

It works on TCP, so that any server can stand behind it (HTTP, PostgreSQL). What it makes up itself carries a card
number, because an error page of somebody's proxy may.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import struct
import threading
from typing import Literal
from urllib.parse import urlsplit

PAN = "4539 1488 0343 6467".replace(" ", "")
Mode = Literal["ok", "refused", "slow", "5xx", "garbage", "cut", "huge", "flapping"]
FAULTS: tuple[Mode, ...] = ("refused", "slow", "5xx", "garbage", "cut", "huge", "flapping")
_MOST = 512 * 1024 * 1024


class Link:
    """Forwards to `upstream` (a URL or (host, port)) from a port of its own. `turn` changes how it behaves and breaks
    what is connected. `taken` counts connections."""

    def __init__(self, upstream: str | tuple[str, int]) -> None:
        if isinstance(upstream, str):
            parts = urlsplit(upstream)
            self._path = parts.path
            self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        else:
            self._path, self._upstream = "", upstream
        self.mode: Mode = "ok"
        self.taken = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = threading.Event()
        self._listener: socket.socket | None = _listening(0)
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self._path}"

    def turn(self, mode: Mode) -> None:
        """From now on like this."""
        with self._lock:
            self.mode = mode
            if mode == "refused" and self._listener is not None:
                self._listener.close()
                self._listener = None
            elif mode != "refused" and self._listener is None:
                self._listener = _listening(self.port)
        self._break_all()

    def close(self) -> None:
        self._ended.set()
        with self._lock:
            if self._listener is not None:
                self._listener.close()
                self._listener = None
        self._break_all()
        self._thread.join(5)

    def _serve(self) -> None:
        while not self._ended.is_set():
            with self._lock:
                listener = self._listener
            if listener is None:
                self._ended.wait(0.02)
                continue
            try:
                ready, _, _ = select.select([listener], [], [], 0.05)
                if not ready:
                    continue
                connection, _ = listener.accept()
            except (OSError, ValueError):
                continue  # closed meanwhile
            self.taken += 1
            with self._lock:
                self._open.add(connection)
            threading.Thread(target=self._answer, args=(connection, self.mode, self.taken), daemon=True).start()

    def _answer(self, connection: socket.socket, mode: Mode, number: int) -> None:
        if mode == "flapping":
            mode = "5xx" if number % 2 else "ok"
        try:
            if mode == "ok":
                self._forward(connection)
            elif mode == "slow":
                while connection.recv(65536):
                    pass
            elif mode != "refused":
                _read_request(connection)
                _misbehave(connection, mode)
        except OSError:
            return  # the other side has gone, or the mode was changed: that is what the test is about
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()

    def _forward(self, connection: socket.socket) -> None:
        with socket.create_connection(self._upstream, timeout=10) as upstream:
            pair = {connection: upstream, upstream: connection}
            while True:
                ready, _, _ = select.select(list(pair), [], [], 0.5)
                for one in ready:
                    content = one.recv(262144)
                    if not content:
                        return
                    pair[one].sendall(content)
                if connection.fileno() < 0 or self._ended.is_set():
                    return

    def _break_all(self) -> None:
        with self._lock:
            held, self._open = list(self._open), set()
        for connection in held:
            with contextlib.suppress(OSError):
                _reset(connection)
                connection.shutdown(socket.SHUT_RDWR)


def _misbehave(connection: socket.socket, mode: Mode) -> None:
    body = f'{{"status":"error","error":"card {PAN} declined for Maria Weber"}}'.encode()
    if mode == "5xx":
        head = f"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + body)
    elif mode == "garbage":
        noise = os.urandom(512) + body + os.urandom(512)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(noise)}\r\n"
        connection.sendall(f"{head}Connection: close\r\n\r\n".encode() + noise)
    elif mode == "cut":
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n" + body
        )
        _reset(connection)
    elif mode == "huge":
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n[")
        page = (body + b",") * 2000
        for _ in range(_MOST // len(page)):
            connection.sendall(page)


def _read_request(connection: socket.socket) -> None:
    """Head and stated body, so that the answer is not lost in a reset."""
    connection.settimeout(10)
    seen = b""
    while b"\r\n\r\n" not in seen and len(seen) < 1 << 20:
        part = connection.recv(65536)
        if not part:
            return
        seen += part
        if b"HTTP/" not in seen[:4096] and len(seen) < 4096:
            return  # not HTTP: PostgreSQL's first message
    head, _, rest = seen.partition(b"\r\n\r\n")
    stated = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(stated[0].split(b":")[1]) if stated else 0) - len(rest)
    while left > 0 and (part := connection.recv(65536)):
        left -= len(part)
    connection.settimeout(None)


def _reset(connection: socket.socket) -> None:
    """Close with RST, as a crash or a firewall does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _listening(port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    made.listen(256)
    return made
