"""The door that write probes leave through, and the complete list of them.

A probe asks whether a write would be let in, with a body that cannot be written: empty, or without what the endpoint
requires. Whatever the server, nothing is stored. Reload, flush, shutdown, snapshot and clean_tombstones are never here:
they act on being asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from assistant.settings import Endpoint
from assistant.sources.guarded_http import GuardedSession


@dataclass(frozen=True, slots=True)
class Probe:
    """`let_in` are statuses of a server that read our body and only found it empty; `kept_out` those of one that would
    not have it. Any other proves nothing. `harmless` says why it cannot change anything."""

    server: str
    name: str
    path: str
    body: bytes
    type: str
    let_in: frozenset[int]
    kept_out: frozenset[int]
    harmless: str
    method: str = "POST"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body.decode() or '(no body)'}"


def _codes(*codes: int) -> frozenset[int]:
    return frozenset(codes)


PROBES = (
    Probe(
        server="prometheus",
        name="remote write",
        path="/api/v1/write",
        body=b"",
        type="application/x-protobuf",
        let_in=_codes(200, 204, 400),
        kept_out=_codes(401, 403, 404, 405),
        harmless="an empty body holds no sample",
    ),
    Probe(
        server="alertmanager",
        name="silences",
        path="/api/v2/silences",
        body=b"{}",
        type="application/json",
        let_in=_codes(400, 422),
        kept_out=_codes(401, 403, 405),
        harmless="a silence without matchers, start, end and author is refused",
    ),
    Probe(
        server="loki",
        name="push",
        path="/loki/api/v1/push",
        body=b'{"streams":[]}',
        type="application/json",
        let_in=_codes(200, 204, 400, 422),
        kept_out=_codes(401, 403, 404, 405),
        harmless="no stream, no line",
    ),
    Probe(
        server="loki",
        name="delete requests",
        path="/loki/api/v1/delete",
        body=b"",
        type="application/x-www-form-urlencoded",
        let_in=_codes(400, 422),
        kept_out=_codes(401, 403, 404, 405),
        harmless="a delete request without a query is refused",
    ),
    Probe(
        server="loki",
        name="rules",
        path="/loki/api/v1/rules/payops-probe",
        body=b"",
        type="application/yaml",
        let_in=_codes(400, 422),
        kept_out=_codes(401, 403, 404, 405),
        harmless="a rule group without a name is refused",
    ),
)


class ProbeSession(GuardedSession):
    """A session for the probes of one server, byte for byte, once each."""

    attempts = 1

    def __init__(self, source: str, endpoint: Endpoint) -> None:
        """Raises SettingsError."""
        super().__init__(source, endpoint)
        self._probes = frozenset((p.method, p.path, p.body) for p in PROBES if p.server == source)

    def permitted(self, method: str, path: str, params: frozenset[str], body: bytes) -> bool:
        return not params and (method, path, body) in self._probes

    def ask(self, probe: Probe) -> tuple[int, str]:
        """The status, and the beginning of what was said, in one line. Raises SourceError."""
        answer = self.request(
            probe.method, self.base + probe.path, data=probe.body, headers={"Content-Type": probe.type}
        )
        said = " ".join(answer.content[:400].decode("utf-8", "replace").split())
        return answer.status_code, said[:120]
