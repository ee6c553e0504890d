"""The one door to a server: a session that can only read, by a list of method, path and parameters.

What is not listed raises ForbiddenRequest before a socket opens. `prometheus-api-client` is given this session, so that
it cannot go around it.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.settings import Endpoint
from assistant.sources.guarded_http import GuardedSession
from assistant.sources.reads import Read


class ReadOnlySession(GuardedSession):
    """A session for the reads listed, without a body."""

    def __init__(self, source: str, endpoint: Endpoint, reads: Sequence[Read]) -> None:
        """Raises SettingsError for a url, header or file that cannot be used."""
        super().__init__(source, endpoint)
        self._reads = tuple(reads)

    def permitted(self, method: str, path: str, params: frozenset[str], body: bytes) -> bool:
        return not body and any(read.permits(method, path, params) for read in self._reads)
