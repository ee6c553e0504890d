"""How Slack joins `payops serve`: two carriers, a few tasks, and either a socket or a route on the webhook listener."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.errors import SettingsError
from assistant.guests import Guest
from assistant.settings import Settings
from assistant.slack.room import Room
from assistant.slack.routes import Routes
from assistant.slack.socket import Socket
from assistant.workflow.loops import Task
from assistant.workflow.outbox import Carrier

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from assistant.live import Live

PATH = "/slack/events"
MAX_BODY = 512 * 1024


def slack() -> Guest:
    """The guest. Made by `assistant.guests` where `[slack]` names a bot token."""
    return _Slack().guest()


def checked(settings: Settings) -> None:
    """What would only fail later is said before anything starts. Raises SettingsError."""
    slack = settings.slack
    if slack.mode not in {"socket", "http"}:
        raise SettingsError(f'[slack] mode is "{slack.mode}"', mend='write "socket" or "http"')
    if slack.mode == "socket" and not slack.app_token():
        raise SettingsError("[slack] Socket Mode needs an app-level token", mend="set app_token_env or app_token_file")
    if slack.mode == "http" and not slack.signing_secret():
        raise SettingsError(
            "[slack] HTTP mode needs the signing secret", mend="set signing_secret_env or signing_secret_file"
        )
    Routes.of(slack)
    slack.bot_token().read()
    (slack.app_token() if slack.mode == "socket" else slack.signing_secret()).read()


class _Slack:
    def __init__(self) -> None:
        self._room: Room | None = None
        self._socket: Socket | None = None

    def guest(self) -> Guest:
        return Guest(
            name="slack",
            carriers=self._carriers,
            tasks=self._tasks,
            webhook_routes=self._routes,
            start=self._start,
            stop=self._stop,
            health=self._health,
        )

    def room(self, live: Live) -> Room:
        if self._room is None:
            checked(live.settings)
            self._room = Room(live)
        return self._room

    def _carriers(self, live: Live) -> Sequence[Carrier]:
        room = self.room(live)
        live.tell_findings(room.found)
        return room.carriers()

    def _tasks(self, live: Live) -> Sequence[Task]:
        room = self.room(live)
        tasks = (
            Task("slack-tidy", 5.0, room.tidy, first_s=5.0),
            Task("slack-report", 3600.0, room.weekly, first_s=60.0),
        )
        if live.settings.slack.mode != "socket":
            return tasks
        from assistant.slack.app import bolt_app

        self._socket = Socket(room, bolt_app(room))
        return (*tasks, Task("slack-socket", 3.0, self._keep))

    def _keep(self) -> None:
        if self._socket is not None:
            self._socket.keep()

    def _routes(self, live: Live) -> Sequence[BaseRoute]:
        """Bolt's Starlette adapter, on a thread: its dispatch blocks until what came is durable."""
        if live.settings.slack.mode != "http":
            return ()
        from slack_bolt.adapter.starlette.handler import to_bolt_request, to_starlette_response
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import PlainTextResponse
        from starlette.routing import Route

        from assistant.promptlog.record import Event
        from assistant.slack.app import bolt_app
        from assistant.web.access import by_page, leaves
        from assistant.web.body import Refused, read_body

        app = bolt_app(self.room(live))

        @leaves(by_page(Event.QUESTION_RECEIVED))
        async def events(request: Request) -> Response:
            try:
                body = await read_body(request, max_bytes=MAX_BODY)
                bolt = to_bolt_request(request, body)
            except Refused as refused:
                return PlainTextResponse(refused.reason, status_code=refused.status)
            except UnicodeDecodeError:
                return PlainTextResponse("not a request of Slack", status_code=400)
            answer: Response = to_starlette_response(await run_in_threadpool(app.dispatch, bolt))
            return answer

        return (Route(PATH, events, methods=["POST"]),)

    def _start(self, live: Live) -> None:
        self._keep()

    def _stop(self, live: Live) -> None:
        if self._socket is not None:
            self._socket.close()
        if self._room is not None:
            self._room.close()

    def _health(self, live: Live) -> str:
        room = self.room(live)
        return room.health() or (self._socket.health() if self._socket is not None else "")
