"""Socket Mode: outbound only. The SDK's client reconnects by itself; this starts it, and again where it gave up."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from slack_sdk.errors import SlackClientError

from assistant.slack.client import GuardedClient, SlackTrouble, quiet_logger
from assistant.slack.room import Room

if TYPE_CHECKING:
    from slack_bolt import App

_LOG = logging.getLogger("payops.slack")


class Socket:
    """One connection of this replica; Slack gives each event to one of them at random."""

    def __init__(self, room: Room, app: App, *, ping_s: float = 10.0) -> None:
        self._room = room
        self._app = app
        self._ping = ping_s
        self._guard = threading.Lock()
        self._handler: Any = None
        self._closed = False

    def keep(self) -> None:
        """Connect unless we are; called every few seconds. Slack being away is no reason to end."""
        with self._guard:
            if self._closed or self.connected:
                return
            try:
                if self._handler is None:
                    self._handler = self._made()
                self._handler.client.connect_to_new_endpoint(force=True)
            except (SlackClientError, SlackTrouble, OSError, ValueError) as error:
                _LOG.warning("slack: not connected", extra={"reason": type(error).__name__})
                return
            _LOG.info("slack: connecting")

    @property
    def connected(self) -> bool:
        return bool(self._handler is not None and self._handler.client.is_connected())

    def health(self) -> str:
        return "" if self.connected else "not connected to Slack"

    def close(self) -> None:
        with self._guard:
            self._closed = True
            if self._handler is not None:
                self._handler.close()

    def _made(self) -> Any:
        from slack_bolt.adapter.socket_mode import SocketModeHandler

        token = self._room.settings.app_token().read()
        client = GuardedClient(
            scanner=self._room.house.scanner,
            blocked=lambda method, classes, where: None,
            token=token,
            base_url=self._room.settings.url,
            retry_handlers=[],
            logger=quiet_logger(),
        )
        return SocketModeHandler(
            self._app, token, web_client=client, ping_interval=self._ping, logger=quiet_logger(), concurrency=16
        )
