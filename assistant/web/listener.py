"""A listener: an ASGI application on a port, in a thread of its own, stopped by its owner."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

from assistant.errors import SettingsError, WorkflowError


class Listener:
    """Binds at once, so that a taken port is one line at the start. `port` is the real one where 0 was asked for; `app`
    is what it serves."""

    def __init__(self, app: Any, *, host: str, port: int, name: str) -> None:
        self._socket = _bound(host, port, name)
        self.host = host
        self.port = int(self._socket.getsockname()[1])
        self.name = name
        self.app = app
        self._server = _server(app)
        self._thread = threading.Thread(target=self._serve, name=f"listener-{name}", daemon=True)

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    def start(self) -> None:
        """Returns when requests are answered. Raises WorkflowError if that does not happen in 10 s."""
        self._thread.start()
        until = time.monotonic() + 10
        while not self._server.started:
            if time.monotonic() > until or not self._thread.is_alive():
                raise WorkflowError(f"the {self.name} listener did not start")
            time.sleep(0.01)

    def health(self) -> str:
        return "" if self._thread.is_alive() else "not listening"

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """Accept nothing more, finish what is being answered."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        self._socket.close()

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])


def bindable(host: str, port: int, name: str) -> None:
    """Raises SettingsError where the listener could not have this port."""
    _bound(host, port, name).close()


def _bound(host: str, port: int, name: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        reason = error.strerror if isinstance(error, OSError) else "no such port"
        raise SettingsError(f"the {name} listener cannot use {host}:{port} ({reason})", mend="see [web]") from None
    made.listen(512)
    return made


def _server(app: Any) -> Any:
    import uvicorn

    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        lifespan="off",
        loop="asyncio",
        http="h11",
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=10,
        h11_max_incomplete_event_size=16 * 1024,
    )
    return uvicorn.Server(config)
