"""A requests session that asks before each request whether it may, and lets no server hold or flood it.

One deadline over all attempts and the whole body, a cap on bytes while they stream, few retries with jitter inside the
deadline, no redirect followed, no cookie kept, no environment proxy unless configured, secrets read when used and shown
nowhere. What may be asked is decided by `permitted`: `readonly_http` lists reads, `probe_http` lists probes.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from requests.cookies import RequestsCookieJar
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from assistant.errors import (
    ForbiddenRequest,
    SettingsError,
    SourceError,
    SourceMalformed,
    SourceRefused,
    SourceTimeout,
    SourceTooLarge,
)
from assistant.settings import Endpoint
from assistant.sources.breaker import Breaker
from assistant.sources.budget import Budget
from assistant.sources.cutting import Cut, CuttingAdapter, cut_after

RETRIED = frozenset({429, 502, 503})
CHUNK = 64 * 1024
_NOT_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "cookie", "authorization"})


class GuardedSession(requests.Session):
    """A session that answers with the body already read. `base` is the url with its prefix, no slash at the end."""

    attempts = 3

    def __init__(self, source: str, endpoint: Endpoint) -> None:
        """Raises SettingsError for a url, header or file that cannot be used."""
        super().__init__()
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # its debug lines hold queries, before redaction
        self.source = source
        self.base = base_url(source, endpoint)
        self.trust_env = False
        self.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        self.headers.update(_headers(source, endpoint.headers))
        self.verify = False if endpoint.insecure_skip_verify else (endpoint.ca_file or True)
        if endpoint.client_cert_file:
            key = endpoint.client_key_file
            self.cert = (endpoint.client_cert_file, key) if key else endpoint.client_cert_file
        if endpoint.use_environment_proxy:
            self.proxies = dict(get_environ_proxies(self.base))
        for scheme in ("http://", "https://"):
            super().mount(scheme, CuttingAdapter(pool_maxsize=max(1, endpoint.concurrency), max_retries=0))
        self._endpoint = endpoint
        self._breaker = Breaker(source)
        self._room = threading.BoundedSemaphore(max(1, endpoint.concurrency))
        self._here = threading.local()

    def mount(self, prefix: str | bytes, adapter: Any) -> None:
        """Libraries that mount an adapter of theirs on the session are not followed: ours has the deadline."""
        if not hasattr(self, "_here"):
            super().mount(prefix, adapter)

    @contextmanager
    def within(self, budget: Budget | None) -> Iterator[None]:
        """Calls of this thread inside the block are paid from the budget."""
        self._here.budget = budget
        try:
            yield
        finally:
            self._here.budget = None

    def get_json(self, path: str, params: Mapping[str, str | Sequence[str]] | None = None) -> Any:
        """GET a listed path under the base. Raises SourceError."""
        return decoded(self.source, accepted(self.source, self.get(self.base + path, params=params)))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Every way of calling a session ends here. Raises SourceError, never an error of requests."""
        self._permit(request)
        budget: Budget | None = getattr(self._here, "budget", None)
        left = self._endpoint.timeout_s if budget is None else min(self._endpoint.timeout_s, budget.left(self.source))
        end = time.monotonic() + left
        self._breaker.before()
        if not self._room.acquire(timeout=left):
            raise SourceTimeout(self.source, "no turn came within its deadline", mend="raise `concurrency`")
        try:
            response = self._attempts(request, end, budget, {**kwargs, "allow_redirects": False, "stream": True})
        except (SourceRefused, SourceTimeout, SourceMalformed):
            self._breaker.failed()
            raise
        finally:
            self._room.release()
        if response.status_code >= 500:
            self._breaker.failed()
        else:
            self._breaker.worked()
        self._here.last = response
        return response

    def last(self) -> requests.Response | None:
        """The last answer of this thread: for what a library leaves out of its own, such as status and warnings."""
        return getattr(self._here, "last", None)

    def permitted(self, method: str, path: str, params: frozenset[str], body: bytes) -> bool:
        """Whether a request to a path under the base may be sent. Nothing may, until a subclass says so."""
        return False

    def _permit(self, request: requests.PreparedRequest) -> None:
        if not self._listed(request):
            raise ForbiddenRequest(self.source, "a request outside the read-only list was stopped before it was sent")

    def _listed(self, request: requests.PreparedRequest) -> bool:
        try:
            base, url = urlsplit(self.base), urlsplit(request.url or "")
        except ValueError:
            return False
        if url.geturl() != request.url or url.fragment:  # the parser mends and drops; we do not
            return False
        params = frozenset(name for name, _ in parse_qsl(url.query, keep_blank_values=True))
        here = (url.scheme, url.netloc) == (base.scheme, base.netloc) and url.path.startswith(base.path)
        body = request.body or b""
        if not here or not isinstance(body, str | bytes):  # a stream cannot be looked at before it is sent
            return False
        sent = body.encode() if isinstance(body, str) else body
        return self.permitted(request.method or "", url.path.removeprefix(base.path), params, sent)

    def _attempts(
        self, request: requests.PreparedRequest, end: float, budget: Budget | None, kwargs: dict[str, Any]
    ) -> requests.Response:
        for attempt in range(1, self.attempts + 1):
            response, error = self._attempt(request, end, budget, kwargs)
            pause = _pause(response, attempt)
            again = error is not None or (response is not None and _worth_again(response))
            if attempt == self.attempts or not again or time.monotonic() + pause >= end:
                break
            time.sleep(pause)
        if response is None:
            raise error or SourceRefused(self.source, "no answer")
        return response

    def _attempt(
        self, request: requests.PreparedRequest, end: float, budget: Budget | None, kwargs: dict[str, Any]
    ) -> tuple[requests.Response | None, SourceRefused | None]:
        """An answer, or the refusal of a connection that may be tried again. Raises what is final."""
        if budget is not None:
            budget.spend_request(self.source)
        self._authorise(request)
        left = max(0.001, end - time.monotonic())
        with cut_after(left) as cut:
            try:
                response = super().send(request, **{**kwargs, "timeout": left})
                self._read(response, budget)
            except (requests.RequestException, HTTPError, OSError) as error:
                final = self._named(error, cut)
                if isinstance(final, SourceRefused) and not isinstance(error, requests.exceptions.SSLError):
                    return None, final
                raise final from None
        if response.is_redirect or 300 <= response.status_code < 400:
            raise SourceRefused(
                self.source, "it redirects, which is not followed", mend="put the final address in `url`"
            )
        return response, None

    def _read(self, response: requests.Response, budget: Budget | None) -> None:
        """The body, counted while it streams, decompressed bytes included."""
        try:
            body = b"".join(self._chunks(response, budget))
        except BaseException:
            response.close()
            raise
        response._content = body  # requests has no public way to hand over a body that was read
        response._content_consumed = True  # type: ignore[attr-defined]
        response.raw.release_conn()

    def _chunks(self, response: requests.Response, budget: Budget | None) -> Iterator[bytes]:
        size = 0
        while chunk := response.raw.read1(CHUNK, decode_content=True):
            size += len(chunk)
            if size > self._endpoint.max_bytes:
                mend = "narrow the question, or raise `max_bytes`"
                raise SourceTooLarge(self.source, f"the answer is over {self._endpoint.max_bytes} bytes", mend=mend)
            if budget is not None:
                budget.spend_bytes(self.source, len(chunk))
            yield chunk

    def _authorise(self, request: requests.PreparedRequest) -> None:
        """Secrets are read for each request, so that a rotated file is followed."""
        endpoint = self._endpoint
        try:
            if endpoint.bearer():
                request.headers["Authorization"] = f"Bearer {endpoint.bearer().read()}"
            elif endpoint.basic_user:
                password = endpoint.basic_password().read()
                request.prepare_auth((endpoint.basic_user, password))
        except SettingsError as error:
            raise SourceMalformed(
                self.source, f"its credential cannot be read: {error.message}", mend=error.mend
            ) from None
        except (ValueError, requests.exceptions.InvalidHeader):
            raise SourceMalformed(self.source, "its credential is not one line of plain text") from None

    def _named(self, error: Exception, cut: Cut) -> SourceError:
        if cut.cut or isinstance(error, requests.Timeout | TimeoutError):
            return SourceTimeout(self.source, f"no whole answer within {self._endpoint.timeout_s:g} s")
        if isinstance(error, requests.exceptions.SSLError):
            return SourceRefused(self.source, "TLS failed", mend="check ca_file, client_cert_file and the url's host")
        if isinstance(error, requests.ConnectionError) and not isinstance(
            error, requests.exceptions.ChunkedEncodingError
        ):
            return SourceRefused(self.source, "no connection", mend="check that it runs, its url, and the network")
        return SourceMalformed(self.source, "the answer was cut or is not HTTP")


def base_url(source: str, endpoint: Endpoint) -> str:
    """The url and prefix as one, held to what can be meant. Raises SettingsError."""
    try:
        parts = urlsplit(endpoint.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        good = False
    if not good:
        raise SettingsError(f"[{source}] url is not http://host:port or https://host", mend="change the url")
    if parts.username is not None or parts.password is not None:
        raise SettingsError(f"[{source}] url holds a password", mend="use basic_user and basic_password_env instead")
    if parts.query or parts.fragment:
        raise SettingsError(f"[{source}] url holds ? or #", mend="remove them; use `prefix` and `headers`")
    prefix = endpoint.prefix.strip("/")
    return endpoint.url.rstrip("/") + (f"/{prefix}" if prefix else "")


def accepted(source: str, response: requests.Response) -> requests.Response:
    """The response, if its status is 200. Its body is never quoted: it may hold what was asked. Raises SourceError."""
    status = response.status_code
    if status == 200:
        return response
    if status in (401, 403):
        raise SourceRefused(source, f"it denied us ({status})", mend="check the credential; see deploy/CREDENTIALS.md")
    if status == 404:
        raise SourceRefused(source, "it has no such path (404)", mend="check `url` and `prefix`")
    if status == 429:
        raise SourceRefused(source, "it limits our rate (429)", mend="lower `concurrency`, or raise its limit")
    if status == 504:
        raise SourceTimeout(source, "it gave up before it had an answer (504)", mend="narrow the question")
    if status >= 500:
        raise SourceRefused(source, f"it failed ({status})", mend="see its own log")
    raise SourceMalformed(source, f"it did not take the question ({status})")


def decoded(source: str, response: requests.Response) -> Any:
    """The body as JSON. Raises SourceMalformed."""
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        raise SourceMalformed(
            source, "the answer is not JSON", mend="check that `url` names the server itself"
        ) from None


def _headers(source: str, headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _NOT_OURS or "override" in name.lower() or any(c in name + value for c in "\r\n\0"):
            raise SettingsError(f"[{source}] headers: {name!r} cannot be set", mend="remove it; see `bearer_env`")
    return {"User-Agent": "payops (read-only)", **headers}


def _worth_again(response: requests.Response) -> bool:
    """Overload in front of the server. A 503 of Prometheus' own (JSON) is a query that ran out of time: not again."""
    own = response.status_code == 503 and "json" in response.headers.get("Content-Type", "")
    return response.status_code in RETRIED and not own


def _pause(response: requests.Response | None, attempt: int) -> float:
    told = response.headers.get("Retry-After", "") if response is not None else ""
    if told.isdigit():
        return float(told)
    return random.uniform(0.02, 0.06 * 2**attempt)


def has_credential(endpoint: Endpoint) -> bool:
    """Whether we show the server anything that tells who we are."""
    return bool(endpoint.bearer() or endpoint.basic_user or endpoint.client_cert_file)


def without_credential(endpoint: Endpoint) -> Endpoint:
    """The same server asked as anybody could ask it."""
    return replace(
        endpoint,
        bearer_env="",
        bearer_file="",
        basic_user="",
        basic_password_env="",
        basic_password_file="",
        client_cert_file="",
        client_key_file="",
    )
