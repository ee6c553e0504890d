"""Vectors in Chroma: embedded under the state directory for one process, or on a server for replicas.

Each version of the library is a collection of its own, named by content hash, filled, counted, and only then marked
complete; a reader sees a complete version or none. An embedded store opened by two processes loses entries, so a file
lock refuses the second. Telemetry is off, and no embedding function is given: Chroma's default one downloads a model.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from assistant.errors import RunbookIndexError
from assistant.runbook_index.chroma_http import bounded
from assistant.runbook_index.embedder import Embedder
from assistant.runbook_index.lexical import Floats
from assistant.runbook_index.vectors import MatrixVectors, best_mean

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

PREFIX = "payops-runbooks-"
CANDIDATES = 300
BATCH = 1000
KEEP = 2
VERSION_LENGTH = 24
ABANDONED_S = 3600.0
HNSW = {"hnsw": {"space": "cosine", "ef_construction": 200, "ef_search": 2 * CANDIDATES}}


class ChromaStore:
    """Collections of runbook vectors, by version. Close it to release the lock."""

    def __init__(self, *, folder: Path, url: str = "") -> None:
        """Raises RunbookIndexError where the store is in use, absent or too old."""
        self._lock = None if url else _lock(folder)
        with _foreign_errors("cannot be opened"):
            self._client = _client(folder, url)

    def close(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def ensure(self, version: str, vectors: MatrixVectors) -> Collection:
        """The complete collection of `version`: as it stands, or filled now under a name of this process's own.

        Replicas that start at once each fill theirs, and the one that is complete first stays: nobody drops what
        another fills.
        """
        stem = f"{PREFIX}{version[:VERSION_LENGTH]}"
        with _foreign_errors("cannot be filled"):
            found = self._complete(stem, vectors)
            if found is not None:
                return found
            made = self._client.create_collection(
                f"{stem}-{secrets.token_hex(4)}",
                embedding_function=None,
                configuration=HNSW,
                metadata={"complete": False, "begun": int(time.time())},
            )
            _fill(made, vectors)
            if made.count() != len(vectors.matrix):
                raise RunbookIndexError(f"Chroma holds {made.count()} of {len(vectors.matrix)} vectors")
            made.modify(metadata={"complete": True, "at": _next_number(self._client)})
            first = self._complete(stem, vectors) or made
            if first.name != made.name:
                self._drop(made.name)
            return first

    def prune(self) -> None:
        """Drop all but the newest complete versions (a replica on the one before may still be reading it), and what a
        process left half filled an hour ago."""
        with _foreign_errors("cannot be tidied"):
            ours = [c for c in self._client.list_collections() if c.name.startswith(PREFIX)]
            complete = sorted((c for c in ours if (c.metadata or {}).get("complete")), key=_number)
            kept = list(dict.fromkeys(_stem(c) for c in reversed(complete)))[:KEEP]
            for c in ours:
                if _stem(c) not in kept if c in complete else _begun(c) < time.time() - ABANDONED_S:
                    self._drop(c.name)

    def _complete(self, stem: str, vectors: MatrixVectors) -> Collection | None:
        """The one that was complete first."""
        ours = [c for c in self._client.list_collections() if _stem(c) == stem and (c.metadata or {}).get("complete")]
        for one in sorted(ours, key=lambda c: (_number(c), c.name)):
            found = self._client.get_collection(one.name, embedding_function=None)
            if found.count() == len(vectors.matrix):
                return found
        return None

    def _drop(self, name: str) -> None:
        if name in {c.name for c in self._client.list_collections()}:
            self._client.delete_collection(name)


class ChromaVectors:
    """Implements `index.Vectors` over one complete collection."""

    def __init__(self, collection: Collection, *, size: int, embedder: Embedder) -> None:
        self._collection, self._size, self._embedder = collection, size, embedder

    def similarities(self, query: str) -> Floats:
        """As `MatrixVectors`, over the nearest `CANDIDATES` chunks; runbooks beyond them get the last one's cosine."""
        vector = self._embedder.embed([query])
        with _foreign_errors("cannot be searched"):
            answer = self._collection.query(query_embeddings=vector, n_results=CANDIDATES, include=["distances"])
        owners = np.array([int(i.partition(".")[0]) for i in answer["ids"][0]], np.int64)
        cosines = 1.0 - np.array((answer["distances"] or [[]])[0], np.float64)
        floor = float(cosines.min()) if cosines.size else 0.0
        return best_mean(cosines, owners, size=self._size, floor=floor)


def _fill(collection: Collection, vectors: MatrixVectors) -> None:
    ids = [f"{owner}.{n}" for n, owner in enumerate(vectors.owners)]
    for start in range(0, len(ids), BATCH):
        part = slice(start, start + BATCH)
        collection.add(ids=ids[part], embeddings=vectors.matrix[part])


def _client(folder: Path, url: str) -> ClientAPI:
    import chromadb
    from chromadb.config import Settings

    settings = Settings(anonymized_telemetry=False)
    if not url:
        return chromadb.PersistentClient(path=str(folder), settings=settings)
    at = urlsplit(url)
    if at.scheme not in {"http", "https"} or not at.hostname:
        raise RunbookIndexError(f"[runbooks] url {url!r} is not http:// or https://", mend="give Chroma's address")
    tls = at.scheme == "https"
    client = chromadb.HttpClient(host=at.hostname, port=at.port or (443 if tls else 8000), ssl=tls, settings=settings)
    client.heartbeat()
    return bounded(client)


def _lock(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder / "payops.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        mend = "stop the other one, or give [runbooks] url a Chroma server"
        raise RunbookIndexError("another process has the embedded runbook index open", mend=mend) from None
    return handle


def _number(collection: Any) -> int:
    return int((collection.metadata or {}).get("at") or 0)


def _stem(collection: Any) -> str:
    return str(collection.name)[: len(PREFIX) + VERSION_LENGTH]


def _begun(collection: Any) -> float:
    return float((collection.metadata or {}).get("begun") or 0)


def _next_number(client: ClientAPI) -> int:
    return 1 + max((_number(c) for c in client.list_collections() if c.name.startswith(PREFIX)), default=0)


@contextmanager
def _foreign_errors(what: str) -> Iterator[None]:
    """Chroma's errors, its HTTP client's and its embedded engine's as one of ours; the engine raises plain ones."""
    import httpx
    from chromadb.errors import ChromaError

    try:
        yield
    except (ChromaError, httpx.HTTPError, ValueError, KeyError, TypeError, RuntimeError, OSError) as error:
        mend = "check [runbooks] url, or remove the folder `runbooks/chroma` of the state: it is built again"
        raise RunbookIndexError(f"the runbook vectors {what} ({type(error).__name__})", mend=mend) from None
