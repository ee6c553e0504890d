"""The one way to Slack: a WebClient that calls listed methods only and has every payload looked at before it leaves.

Slack's errors are told apart here: what to wait for (`Slow`, `Down`), what only a person can mend (`Locked`: archived,
not a member, token revoked), what another form of the message may mend (`Refused`), and what cannot be edited any more
(`NotEditable`). `Unsure` means that a request left and no answer came.

The SDK's retry on connection errors is off: a post whose answer was lost may have happened, and posting it again is for
those to decide who can look. A 429 was not done, and is waited for.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from assistant.errors import OutletError
from assistant.settings import Slack
from assistant.slack.blocks import Message
from assistant.slack.elements import fallback
from redaction import FinalScanner, RedactionError

METHODS: Mapping[str, str] = {
    "auth.test": "",
    "apps.connections.open": "connections:write",
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.getPermalink": "",
    "views.open": "",
    "assistant.threads.setStatus": "chat:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
    "conversations.history": "channels:history",
    "conversations.replies": "channels:history",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}
"""Every method that may be called, and the scope that it needs ("" for none). The last four need optional scopes, and
are called only where those were granted (`im:history` covers direct messages)."""

_LOCKED = {
    "is_archived", "not_in_channel", "channel_not_found", "restricted_action", "token_revoked", "token_expired",
    "invalid_auth", "account_inactive", "not_authed", "missing_scope", "org_login_required", "ekm_access_denied",
    "no_permission", "access_denied", "team_access_not_granted", "is_inactive", "channel_type_not_supported",
}  # fmt: skip
TOKEN = {"token_revoked", "token_expired", "invalid_auth", "account_inactive", "not_authed"}
_REFUSED = {"msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "msg_too_long", "invalid_arguments"}
_NOT_EDITABLE = {"edit_window_closed", "message_not_found", "cant_update_message", "update_failed"}
_LOG = logging.getLogger("payops.slack")


class SlackTrouble(OutletError):
    """Slack did not do what was asked. `error` is Slack's own word for it."""

    def __init__(self, error: str, *, after: float = 0.0, mend: str = "") -> None:
        super().__init__(f"slack: {error}", mend=mend)
        self.error = error
        self.after = after


class Slow(SlackTrouble):
    """Too many requests; `after` seconds were asked for."""


class Down(SlackTrouble):
    """Slack has trouble of its own; it was not done."""


class Unsure(SlackTrouble):
    """The request left and no answer came: it may have happened."""


class Locked(SlackTrouble):
    """Only a person can mend it: the channel or the token."""


class Refused(SlackTrouble):
    """Not in this form."""


class NotEditable(SlackTrouble):
    """The message cannot be changed any more, or is gone."""


class Blocked(SlackTrouble):
    """The last look found something in the payload; nothing left. `classes` says what, never the value."""

    def __init__(self, classes: tuple[str, ...]) -> None:
        super().__init__(f"blocked by the last look ({', '.join(classes)})")
        self.classes = classes


class GuardedClient(WebClient):  # type: ignore[misc]
    """`api_call` is where everything of the SDK passes, Bolt's own calls included. `blocked` is told of
    each hit: method, classes, where."""

    def __init__(
        self, *, scanner: FinalScanner, blocked: Callable[[str, tuple[str, ...], str], None], **options: Any
    ) -> None:
        super().__init__(**options)
        self._scanner = scanner
        self._blocked = blocked

    def api_call(self, api_method: str, **parts: Any) -> Any:
        if api_method not in METHODS:
            raise Refused(f"{api_method} is not on the list", mend="see assistant/slack/client.py")
        for name in ("json", "params", "data"):
            if parts.get(name):
                self.look(api_method, json.dumps(parts[name], ensure_ascii=False, default=str))
        return super().api_call(api_method, **parts)

    def look(self, method: str, text: str) -> None:
        """The last look. Raises Blocked, and tells."""
        try:
            self._scanner.check(text, sink=f"slack {method}")
        except RedactionError as error:
            classes = tuple(getattr(error, "classes", ()) or ("SCANNER",))
            self._blocked(method, classes, str(getattr(error, "where", "")))
            raise Blocked(classes) from None

    def _upload_file(self, **parts: Any) -> Any:
        data = parts.get("data") or b""
        self.look("upload", data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data))
        return super()._upload_file(**parts)


class Sender:
    """Calls in our own words. One post a second and channel is what Slack takes: `pause` says how long to wait,
    `wait` waits. Thread-safe."""

    def __init__(
        self,
        settings: Slack,
        *,
        scanner: FinalScanner,
        blocked: Callable[[str, tuple[str, ...], str], None],
        sent: Callable[[str], None] = lambda method: None,
        timeout_s: int = 15,
    ) -> None:
        self._settings = settings
        self._scanner = scanner
        self._blocked = blocked
        self._sent = sent
        self._timeout = timeout_s
        self._guard = threading.Lock()
        self._next: dict[str, float] = {}
        self._token = settings.bot_token().read()
        self.client = self._made(retries=0)
        self._waiting = self._made(retries=2)
        self.trouble = ""

    def _made(self, *, retries: int) -> GuardedClient:
        handlers = [RateLimitErrorRetryHandler(max_retry_count=retries)] if retries else []
        return GuardedClient(
            scanner=self._scanner,
            blocked=self._blocked,
            token=self._token,
            base_url=self._settings.url,
            timeout=self._timeout,
            retry_handlers=handlers,
            logger=quiet_logger(),
        )

    def pause(self, channel: str) -> float:
        """Seconds until the channel takes the next post; 0 reserves it."""
        with self._guard:
            now = time.monotonic()
            wait = self._next.get(channel, 0.0) - now
            if wait <= 0:
                self._next[channel] = now + 1.0
            return max(wait, 0.0)

    def wait(self, channel: str) -> None:
        """Until it is our turn in this channel."""
        with self._guard:
            turn = max(self._next.get(channel, 0.0), time.monotonic())
            self._next[channel] = turn + 1.0
        time.sleep(max(0.0, turn - time.monotonic()))

    def post(self, channel: str, message: Message, *, thread: str = "", intent: str = "", patient: bool = False) -> str:
        """Post; returns the message's ts. `intent` goes along as opaque metadata. `patient` waits for a 429."""
        metadata = {"event_type": "payops_message", "event_payload": {"id": intent}} if intent else None
        answer = self._call(
            "chat.postMessage", patient, channel=channel, thread_ts=thread or None, metadata=metadata, **_said(message)
        )
        return str(answer["ts"])

    def update(self, channel: str, ts: str, message: Message, *, patient: bool = False) -> None:
        self._call("chat.update", patient, channel=channel, ts=ts, **_said(message))

    def delete(self, channel: str, ts: str) -> None:
        self._call("chat.delete", False, channel=channel, ts=ts)

    def whisper(self, channel: str, person: str, message: Message, *, thread: str = "") -> None:
        """A message that only this person sees."""
        self._call("chat.postEphemeral", True, channel=channel, user=person, thread_ts=thread or None, **_said(message))

    def respond(self, address: str, message: Message) -> None:
        """To the address that a command came with, only Slack's own hosts: for channels that we are not in."""
        from slack_sdk.webhook import WebhookClient

        host = urlsplit(address).hostname or ""
        if host != "hooks.slack.com" and host != urlsplit(self._settings.url).hostname:
            raise Refused("the command's address is not Slack's")
        said = _said(message)
        self.client.look("respond", json.dumps(said, ensure_ascii=False))
        with self._told("respond"):
            WebhookClient(address, timeout=self._timeout, retry_handlers=[], logger=quiet_logger()).send(
                text=said["text"],
                blocks=said["blocks"],
                response_type="ephemeral",
                unfurl_links=False,
                unfurl_media=False,
            )

    def permalink(self, channel: str, ts: str) -> str:
        """Slack's address of a message, or "" where it does not say."""
        try:
            return str(self._call("chat.getPermalink", False, channel=channel, message_ts=ts)["permalink"])
        except SlackTrouble:
            return ""

    def open_view(self, trigger: str, view: Mapping[str, Any]) -> None:
        self._call("views.open", False, trigger_id=trigger, view=dict(view))

    def status(self, channel: str, thread: str, words: str) -> None:
        """ "… is looking" below the question; "" takes it away. Raises SlackTrouble where Slack does not offer it."""
        self._call("assistant.threads.setStatus", True, channel_id=channel, thread_ts=thread, status=words)

    def prompts(self, channel: str, prompts: list[dict[str, str]], *, title: str) -> None:
        self._call("assistant.threads.setSuggestedPrompts", True, channel_id=channel, prompts=prompts, title=title)

    def upload(self, channel: str, thread: str, *, name: str, content: str) -> None:
        """A Markdown document into a thread. Needs `files:write`."""
        with self._told("files_upload_v2"):
            self._waiting.files_upload_v2(content=content, filename=name, title=name, channel=channel, thread_ts=thread)

    def find(self, channel: str, intent: str, *, since: float, thread: str = "") -> str | None:
        """The ts of the message that carries `intent`, "" where it is not there, None where we may not look."""
        where: dict[str, Any] = {"channel": channel, "oldest": f"{since - 60:.6f}", "limit": 200}
        method = "conversations.replies" if thread else "conversations.history"
        try:
            answer = self._call(method, False, **where, include_all_metadata=True, **({"ts": thread} if thread else {}))
        except Locked:
            return None
        for message in answer.get("messages", []):
            if (message.get("metadata") or {}).get("event_payload", {}).get("id") == intent:
                return str(message["ts"])
        return ""

    def who(self) -> dict[str, str]:
        """Our team, user and bot, and the granted scopes, as `auth.test` answers."""
        answer = self._call("auth.test", False)
        scopes = {k.lower(): v for k, v in answer.headers.items()}.get("x-oauth-scopes", "")
        told = {k: str(answer.get(k) or "") for k in ("team_id", "user_id", "bot_id", "url")}
        return {**told, "scopes": str(scopes)}

    def _call(self, method: str, patient: bool, **arguments: Any) -> Any:
        given = {k: v for k, v in arguments.items() if v is not None}
        # `conversations.*` and a few others read a form only; JSON is for what holds blocks.
        form = method.startswith(("conversations.", "chat.getPermalink", "auth."))
        client = self._waiting if patient else self.client
        with self._told(method):
            answer = client.api_call(method, **({"params": given} if form else {"json": given}))
            self._sent(method)
            return answer

    def _told(self, method: str) -> _Told:
        return _Told(self, method)

    def renew_token(self) -> None:
        """A token that was changed where it is kept is used from now on."""
        fresh = self._settings.bot_token().read()
        if fresh and fresh != self._token:
            self._token = fresh
            self.client.token = self._waiting.token = fresh
            _LOG.warning("the bot token was changed and is used from now on")


class _Told:
    """Foreign errors become ours, and our health remembers what only a person can mend."""

    def __init__(self, sender: Sender, method: str) -> None:
        self._sender, self._method = sender, method

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            if not self._method.startswith("conversations."):
                self._sender.trouble = ""
            return
        if isinstance(error, SlackTrouble):
            raise error
        if isinstance(error, SlackApiError):
            found = trouble_of(error)
            if found.error in TOKEN:
                self._sender.trouble = found.message
                self._sender.renew_token()
            raise found from None
        if isinstance(error, SlackClientError | OSError | ValueError):
            # URLError and time-outs are OSErrors; half an answer is no JSON.
            raise Unsure(f"no answer ({type(error).__name__})") from None


def trouble_of(error: SlackApiError) -> SlackTrouble:
    """Slack's error as one of ours. Nothing of the payload is repeated."""
    answer = error.response
    status = getattr(answer, "status_code", 0)
    said = answer.get("error", "") if isinstance(getattr(answer, "data", None), dict) else ""
    name = said if isinstance(said, str) and said.replace("_", "").isalnum() and len(said) < 60 else f"HTTP {status}"
    if status == 429 or name in {"ratelimited", "rate_limited", "message_limit_exceeded"}:
        return Slow("ratelimited", after=_seconds(getattr(answer, "headers", {})))
    if name in _LOCKED:
        return Locked(name, mend=_MENDS.get(name, "see README, Slack in five minutes"))
    if name in _REFUSED:
        return Refused(name)
    if name in _NOT_EDITABLE:
        return NotEditable(name)
    if status >= 500 or name in {"internal_error", "fatal_error", "service_unavailable", "request_timeout"}:
        # Slack says of these that the request may have been done in part.
        return Unsure(name)
    return Down(name)


_MENDS = {
    "not_in_channel": "invite the app to the channel",
    "channel_not_found": "check the channel id, and invite the app where it is private",
    "is_archived": "unarchive the channel, or route elsewhere",
    "missing_scope": "install the app again from deploy/slack-manifest.yaml",
    **dict.fromkeys(TOKEN, "install the app again and replace the bot token"),
}


def _seconds(headers: Mapping[str, Any]) -> float:
    value = {k.lower(): v for k, v in headers.items()}.get("retry-after", 1)
    first = value[0] if isinstance(value, list) and value else value
    try:
        return min(max(float(first), 1.0), 300.0)
    except (TypeError, ValueError):
        return 1.0


def _said(message: Message) -> dict[str, Any]:
    """Blocks and words, with everything off that would make a link or a name live."""
    return {
        "text": fallback(message.text),
        "blocks": list(message.blocks),
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
    }


def quiet_logger() -> logging.Logger:
    """For the SDK and Bolt: their warnings carry whole requests, so they may say only what is an error, and our
    handler cuts foreign lines at their first words."""
    logger = logging.getLogger("slack_sdk.payops")
    logger.setLevel(logging.CRITICAL)
    return logger
