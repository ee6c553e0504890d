"""Where a model is: its address, name, key and statements; checked before anything is sent to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from assistant.errors import SettingsError
from assistant.promptlog.record import Value, slug
from assistant.settings import ModelSettings, Secret

STATED = ("region", "retention", "contract", "owner")
NO_KEY = "none"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`url` is the base of the OpenAI-compatible API (`…/v1`), of OpenAI, Azure OpenAI, vLLM, Ollama or llama.cpp."""

    url: str
    name: str
    key: Secret
    headers: Mapping[str, str]
    statement: Mapping[str, Value]

    def read_key(self) -> str:
        """The key as it is now, so that a rotated file needs no restart; servers without keys get a word."""
        return self.key.read() or NO_KEY


def endpoints(settings: ModelSettings) -> tuple[Endpoint, ...]:
    """The live endpoint and, where there is one, the fallback. SettingsError if one of them may not be used.

    The key and the headers go to another host only where that host's own key is named.
    """
    if not settings.url or not settings.name:
        raise SettingsError("[model] has no url and name", mend="name both, or leave both out to work without a model")
    live = _endpoint(settings, settings.url, settings.name, settings.key())
    if not settings.fallback_name:
        return (live,)
    own = Secret(settings.fallback_key_env, settings.fallback_key_file)
    return live, _beside(settings, settings.fallback_url, settings.fallback_name, own)


def shadow(settings: ModelSettings) -> Endpoint | None:
    """Where the candidate that runs beside the live model is, if there is one: the live one's place, unless it names
    its own."""
    if not settings.has_shadow():
        return None
    own = Secret(settings.shadow_key_env, settings.shadow_key_file)
    return _beside(settings, settings.shadow_url, settings.shadow_name or settings.name, own)


def remote(url: str) -> bool:
    """Whether the bytes leave this machine. Only loopback addresses and `localhost` do not."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _beside(settings: ModelSettings, url: str, name: str, own: Secret) -> Endpoint:
    same = not url or urlsplit(url).netloc == urlsplit(settings.url).netloc
    made = _endpoint(settings, url or settings.url, name, own or (settings.key() if same else Secret()))
    return made if same else Endpoint(made.url, made.name, made.key, {}, made.statement)


def _endpoint(settings: ModelSettings, url: str, name: str, key: Secret) -> Endpoint:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise SettingsError("[model] url is not http(s)://host/path", mend="give the base address of the API, as …/v1")
    missing = [k for k in STATED if not getattr(settings, k)] if remote(url) else []
    if missing:
        raise SettingsError(
            f"[model] is remote and does not state {', '.join(missing)}",
            mend="state where prompts go, how long they are kept, under which contract and who owns it",
        )
    statement: dict[str, Value] = {"remote": remote(url), "endpoint": slug(parts.netloc)}
    statement |= {k: slug(getattr(settings, k)) for k in STATED if getattr(settings, k)}
    return Endpoint(url.rstrip("/"), name, key, dict(settings.headers), statement)
