"""Chroma's client gives up, and never raises what the server said."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from assistant.errors import RunbookIndexError
from assistant.runbook_index import chroma_http, chroma_store
from assistant.runbook_index.chroma_store import _foreign_errors
from tests.doubles.faulty import FAULTS, PAN, Link, Mode
from tests.sources.http_server import Asked, as_json, serving


def chroma(asked: Asked) -> object:
    """As much of a Chroma server as a client needs to begin."""
    if asked.path.endswith("/heartbeat"):
        return as_json({"nanosecond heartbeat": 1})
    if asked.path.endswith("/auth/identity"):
        return as_json({"user_id": "", "tenant": "default_tenant", "databases": ["default_database"]})
    if asked.path.endswith("/tenants/default_tenant"):
        return as_json({"name": "default_tenant"})
    if asked.path.endswith("/databases/default_database"):
        return as_json({"id": str(UUID(int=1)), "name": "default_database", "tenant": "default_tenant"})
    return as_json([])


@pytest.mark.parametrize("fault", [f for f in FAULTS if f != "flapping"])
def test_a_search_of_a_broken_server_is_one_error_of_ours(
    fault: Mode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chroma_http, "WAIT_S", 0.5)
    with serving(chroma) as server:  # type: ignore[arg-type]
        link = Link(server.url)
        client = chroma_store._client(tmp_path, link.url)
        assert client.list_collections() == []
        link.turn(fault)
        with pytest.raises(RunbookIndexError) as error, _foreign_errors("cannot be listed"):
            client.list_collections()
        assert PAN not in str(error.value) + repr(error.value.__cause__)
        link.turn("ok")
        assert client.list_collections() == []
        link.close()
