"""Opening an index at the level its caller needs. See the package's docstring for the two levels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from assistant.errors import RunbookIndexError
from assistant.runbook_index.cache import Cache
from assistant.runbook_index.chunks import CHUNKING
from assistant.runbook_index.folders import RawFile, Skipped
from assistant.runbook_index.index import Index
from assistant.runbook_index.library import Library, Redacts, load, read_files
from assistant.runbook_index.view import View

FOLDER = "runbooks"


def open_index(
    *,
    dirs: Sequence[Path],
    state: Path,
    redactor: Redacts,
    url: str = "",
    weights_dir: Path | None = None,
    dense: bool | None = None,
    git: Sequence[str] = (),
) -> Index:
    """Runbooks below `dirs`, and those committed in local repositories named by `git` (`PATH[@REF][:SUBFOLDER]`).

    With `dense`, or a Chroma server's `url` and `dense` not False: vectors in the store, which is brought up to date
    first. Else exact and lexical, in process. Absent weights are a warning, and words rank alone. Raises
    RunbookIndexError where a folder is absent, the store cannot be used, or another process has it.
    """
    files = _Files(tuple(dirs), tuple(git), redactor, Cache(state / FOLDER / "library.sqlite"))
    if not (dense or (dense is None and url)):
        return Index(View(files.library()), redactor, renew=files.renewed(View))
    from assistant.runbook_index.stored import open_stored

    return open_stored(
        files.library, redactor, folder=state / FOLDER, url=url, weights_dir=weights_dir, salt=files.salt
    )


def open_in_process(
    *,
    dirs: Sequence[Path],
    state: Path,
    redactor: Redacts,
    weights_dir: Path | None = None,
    dense: bool = True,
    git: Sequence[str] = (),
) -> Index:
    """Without any store, vectors in memory where the weights are installed: for one search, and for evaluation."""
    return open_files(list(read_files(dirs, git)), state=state, redactor=redactor, weights_dir=weights_dir, dense=dense)


def open_files(
    files: Sequence[RawFile | Skipped],
    *,
    state: Path,
    redactor: Redacts,
    weights_dir: Path | None = None,
    dense: bool = True,
) -> Index:
    """As `open_in_process`, over files that were read already."""
    cache = Cache(state / FOLDER / "library.sqlite")
    library = load(files, redactor, cache, policy=redactor.policy.hash)
    if not dense or not library.runbooks:
        return Index(View(library), redactor)
    from assistant.runbook_index.embedder import Embedder
    from assistant.runbook_index.vectors import embed_library

    try:
        embedder = Embedder(weights_dir)
    except RunbookIndexError as error:
        return Index(View(library), redactor, warnings=(words_alone(error),))
    vectors = embed_library(library, embedder, Cache(state / FOLDER / "vectors.sqlite"))
    return Index(View(library, vectors), redactor)


def words_alone(error: RunbookIndexError) -> str:
    return f"{error.message}, so runbooks are ranked by words alone; {error.mend}"


class _Files:
    """The folders, read and redacted when asked."""

    def __init__(self, dirs: tuple[Path, ...], git: tuple[str, ...], redactor: Redacts, cache: Cache) -> None:
        self._dirs, self._git, self._redactor, self._cache = dirs, git, redactor, cache
        self.policy = redactor.policy.hash
        self.salt = hashlib.sha256(f"{self.policy}\0{CHUNKING}".encode()).hexdigest()

    def library(self) -> Library:
        return load(read_files(self._dirs, self._git), self._redactor, self._cache, policy=self.policy)

    def renewed(self, make: Callable[[Library], View]) -> Callable[[View], View]:
        def renew(old: View) -> View:
            library = self.library()
            return old if library.version == old.library.version else make(library)

        return renew
