"""The stored level: vectors in Chroma, renewed only for changed files, answered from the old version until the new one
is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from assistant.errors import RunbookIndexError
from assistant.runbook_index.cache import Cache
from assistant.runbook_index.chroma_store import ChromaStore, ChromaVectors
from assistant.runbook_index.embedder import MODEL, Embedder
from assistant.runbook_index.index import Index
from assistant.runbook_index.library import Library, Redacts
from assistant.runbook_index.vectors import embed_library
from assistant.runbook_index.view import View


def open_stored(
    read: Callable[[], Library], redactor: Redacts, *, folder: Path, url: str, weights_dir: Path | None, salt: str
) -> Index:
    """See `open.open_index`. `salt` names what else the vectors depend on: redaction policy and chunking."""
    from assistant.runbook_index.open import words_alone

    library = read()
    try:
        embedder = Embedder(weights_dir)
    except RunbookIndexError as error:
        return Index(View(library), redactor, warnings=(words_alone(error),))
    store = ChromaStore(folder=folder / "chroma", url=url)
    cache = Cache(folder / "vectors.sqlite")

    def make(library: Library) -> View:
        if not library.runbooks:
            return View(library)
        vectors = embed_library(library, embedder, cache)
        version = hashlib.sha256(f"{library.version}\0{salt}\0{MODEL}".encode()).hexdigest()
        collection = store.ensure(version, vectors)
        return View(library, ChromaVectors(collection, size=len(library.runbooks), embedder=embedder))

    def renew(old: View) -> View:
        library = read()
        if library.version == old.library.version:
            return old
        made = make(library)
        store.prune()
        return made

    try:
        view = make(library)
    except RunbookIndexError:
        store.close()
        raise
    return Index(view, redactor, renew=renew, close=store.close)
