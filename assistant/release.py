"""What runs here, as one hash: prompts, model and its settings, redaction policy, runbooks and code.

Every record carries the first twelve digits, so that an auditor can tell what wrote it, and `payops eval accept` names
the report that this release was accepted with. The same files and settings give the same hash on any machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from assistant.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
_SECRETS = ("key_env", "key_file", "headers")


@dataclass(frozen=True, slots=True)
class Release:
    """SHA-256 of each part, hex; `id` is the first twelve digits of the hash over all of them."""

    prompts: str
    model: str
    policy: str
    runbooks: str
    code: str

    @property
    def id(self) -> str:
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:12]


def release_of(settings: Settings) -> Release:
    """The release that these settings and this installation make up."""
    policy = [Path(settings.redaction.policy)] if settings.redaction.policy else []
    return Release(
        prompts=_tree(_files(ROOT / "assistant" / "drafting" / "prompts")),
        model=_model(settings),
        policy=_tree([*policy, *_files(ROOT / "redaction", ".toml", ".txt")]),
        runbooks=_tree(
            [*(f for d in settings.runbooks.dirs for f in _files(Path(d), ".md")), *_files(ROOT / "runbooks", ".md")]
        ),
        code=_code(),
    )


@lru_cache(maxsize=1)
def _code() -> str:
    return _tree([*_files(ROOT / "assistant", ".py"), *_files(ROOT / "redaction", ".py")])


def _model(settings: Settings) -> str:
    """Model and settings, without where its key is kept: a moved secret is no other release."""
    stated = {k: v for k, v in asdict(settings.model).items() if k not in _SECRETS}
    return hashlib.sha256(json.dumps(stated, sort_keys=True, default=str).encode()).hexdigest()


def _files(folder: Path, *endings: str) -> list[Path]:
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and (not endings or p.suffix in endings)]


def _tree(files: Iterable[Path]) -> str:
    """One hash over names and contents; names are relative to the installation, so that its place does not count."""
    whole = hashlib.sha256()
    for path in files:
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(path.name)
        whole.update(f"{name.as_posix()}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()
