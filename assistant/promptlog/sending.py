"""One HTTP request to a listed place: no redirect is followed, no proxy is read from the environment."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult

from assistant.errors import PromptLogError

TIMEOUT = 10.0
_MOST = 1 << 20


class Refused(PromptLogError):
    """A place did not take a checkpoint."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes


def ask(url: SplitResult, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """The answer, whatever its status. Refused if there is none, or if it is over 1 MiB."""
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname or "", url.port, timeout=TIMEOUT)
    with naming_faults(), contextlib.closing(connection):
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        answer = Answer(response.status, response.read(_MOST + 1))
    if len(answer.body) > _MOST:
        raise Refused("answered more than 1 MiB")
    return answer


def send(url: SplitResult, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> None:
    """Refused unless the answer is a success."""
    status = ask(url, method, path, body, headers).status
    if not 200 <= status < 300:
        raise Refused(f"answered {status}")


@contextlib.contextmanager
def naming_faults() -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeDecodeError, http.client.HTTPException) as fault:
        raise Refused(f"not reached ({getattr(fault, 'strerror', None) or type(fault).__name__})") from None
