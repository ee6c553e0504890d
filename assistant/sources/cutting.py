"""Connections that a deadline can cut, wherever they hang: handshake, headers sent a byte at a time, or body.

requests' time-outs bound one wait on the socket, not the whole answer. Each connection here keeps a duplicate of its
socket; when the deadline comes, a timer shuts it down and every wait ends.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_here = threading.local()


class Cut:
    """The deadline of the call that runs in this thread. `cut` says whether it came."""

    def __init__(self) -> None:
        self.cut = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def watch(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.append(sock)
            if self.cut:
                _shut(sock)

    def now(self) -> None:
        with self._lock:
            self.cut = True
            for sock in self._sockets:
                _shut(sock)


@contextmanager
def cut_after(seconds: float) -> Iterator[Cut]:
    """Connections used by this thread inside the block are shut down after `seconds`."""
    cut = Cut()
    timer = threading.Timer(seconds, cut.now)
    timer.daemon = True
    _here.cut = cut
    timer.start()
    try:
        yield cut
    finally:
        timer.cancel()
        _here.cut = None


class CuttingAdapter(HTTPAdapter):
    """requests' adapter over connections that can be cut. Retries are the session's own."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        return manager


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already: nothing waits on it


class _Watched:
    """Mixed into urllib3's connections."""

    _spare: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        self._spare = sock.dup()
        self._watch()
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._watch()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def close(self) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            spare.close()
        super().close()  # type: ignore[misc]

    def _watch(self) -> None:
        cut = getattr(_here, "cut", None)
        if cut is not None and self._spare is not None:
            cut.watch(self._spare)


class _Connection(_Watched, HTTPConnection):
    pass


class _SecureConnection(_Watched, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection
