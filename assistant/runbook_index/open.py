"""Opening an index at the level its caller needs. See the package's docstring for the two levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from assistant.runbook_index.index import Index
from assistant.runbook_index.library import Redacts, load, read_files


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
    """Open runbooks below `dirs` and in `git` specs. Without `dense`, or a Chroma `url`: exact and lexical, in process,
    nothing stored. Raises RunbookIndexError when a folder is absent."""
    return Index(load(read_files(dirs, git), redactor), redactor)


def open_in_process(
    *,
    dirs: Sequence[Path],
    state: Path,
    redactor: Redacts,
    weights_dir: Path | None = None,
    dense: bool = True,
    git: Sequence[str] = (),
) -> Index:
    """Without any store: for one search from the command line, and for evaluation."""
    return Index(load(read_files(dirs, git), redactor), redactor)
