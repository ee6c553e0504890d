"""Which channel an incident goes to, what a channel may query, and who may ask. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from assistant.core.alert import Alert
from assistant.core.query import Matcher
from assistant.errors import SettingsError
from assistant.scope import Scope, matchers_of, meets, scope_of
from assistant.settings import Slack

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Routes:
    """`channels` in the order of the file: the first route that an alert meets wins. `scopes` by channel, with
    `DEFAULT` for those that are not named and for direct messages."""

    channels: tuple[tuple[tuple[Matcher, ...], str], ...] = ()
    fallback: str = ""
    scopes: Mapping[str, Scope] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Slack) -> Routes:
        """Raises SettingsError, naming the selector."""
        named = settings.routes.channels
        for channel in (*named.values(), *settings.routes.may_query, settings.security_channel):
            if channel and channel != DEFAULT and (channel[0] not in "CGD" or not channel.isalnum()):
                raise SettingsError(
                    f"[slack] {channel!r} is not a channel id", mend="copy the id (C…) from the channel's details"
                )
        return cls(
            channels=tuple((matchers_of(text), c) for text, c in named.items() if text != DEFAULT),
            fallback=named.get(DEFAULT, ""),
            scopes={c: scope_of(s) for c, s in settings.routes.may_query.items()},
        )

    def channel(self, alerts: Iterable[Alert]) -> str:
        """Where an incident is shown, "" for nowhere."""
        held = list(alerts)
        for matchers, channel in self.channels:
            if any(all(meets(m, a.labels.get(m.label, "")) for m in matchers) for a in held):
                return channel
        return self.fallback

    def scope(self, channel: str, *, direct: bool = False) -> Scope | None:
        """What may be asked here: None for nothing. Without any `may_query` everything may be asked everywhere; with
        one, a place that is not named has the scope "default" or none."""
        if not self.scopes:
            return Scope()
        return self.scopes.get(DEFAULT if direct else channel, self.scopes.get(DEFAULT))


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks and where, as Slack's payload says. `team` is theirs; `external` is a Slack Connect channel or person;
    `bot` another program."""

    person: str
    channel: str
    team: str
    external: bool = False
    bot: bool = False
    direct: bool = False


def caller_of(body: Mapping[str, Any], *, team: str) -> Caller:
    """Of an event, a command, an action or a view. `team` is our own workspace."""
    event = _map(body.get("event"))
    inner = _map(event.get("message")) or _map(event.get("previous_message")) or event
    sender = _map(body.get("user"))
    person = inner.get("user") or body.get("user_id") or sender.get("id") or ""
    places = (event.get("channel"), body.get("channel_id"), _map(body.get("channel")).get("id"))
    channel = next((p for p in places if p), _map(body.get("container")).get("channel_id") or "")
    theirs = [inner.get("user_team"), inner.get("source_team"), event.get("user_team"), sender.get("team_id")]
    theirs += [body.get("team_id")] if "command" in body else []
    foreign = any(t and team and t != team for t in theirs)
    bot = bool(inner.get("bot_id") or inner.get("bot_profile") or inner.get("subtype") == "bot_message")
    return Caller(
        person=str(person),
        channel=str(channel),
        team=str(next((t for t in theirs if t), team)),
        external=bool(body.get("is_ext_shared_channel")) or foreign,
        bot=bot or not person,
        direct=str(channel).startswith("D") or event.get("channel_type") == "im",
    )


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def refusal(caller: Caller, settings: Slack) -> str:
    """Why this person may not ask here, in a word for the record; "" if they may."""
    if caller.external and not settings.allow_connect:
        return "slack-connect"
    if settings.users and caller.person not in settings.users:
        return "person"
    if settings.channels and not caller.direct and caller.channel not in settings.channels:
        return "channel"
    return ""


def identity(person: str, identities: Mapping[str, str]) -> str:
    """The person as the prompt log's identity blob keeps them: a directory's name where one is mapped."""
    return identities.get(person) or f"slack:{person}"


def inside(alerts: Sequence[Alert], scope: Scope) -> bool:
    """Whether an incident may be spoken of here: one of its alerts lies in the scope."""
    return not scope.matchers or any(scope.holds(a.labels) for a in alerts)
