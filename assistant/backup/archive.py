"""What a backup is on disk: a directory, or the same as one tar file, with a manifest of sizes and hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import UsageError

FORM = 1
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Manifest:
    """`files`: relative name to (size, SHA-256). `log_size` and `checkpoint` (a signed note, "" without a key) of the
    prompt log as it is in the backup; `elsewhere` names the parts that are in PostgreSQL."""

    made: str
    version: str
    origin: str
    log_size: int
    checkpoint: str
    elsewhere: tuple[str, ...] = ()
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "form": FORM,
            "made": self.made,
            "version": self.version,
            "origin": self.origin,
            "log_size": self.log_size,
            "checkpoint": self.checkpoint,
            "elsewhere": list(self.elsewhere),
            "files": {name: list(stated) for name, stated in self.files.items()},
        }


def read_manifest(folder: Path) -> Manifest:
    """Raises UsageError for what is not a backup of a form that we know."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if found["form"] != FORM:
            raise UsageError(f"a backup of form {found['form']}", mend="use the payops that made it, or a newer one")
        return Manifest(
            made=str(found["made"]),
            version=str(found["version"]),
            origin=str(found["origin"]),
            log_size=int(found["log_size"]),
            checkpoint=str(found["checkpoint"]),
            elsewhere=tuple(found["elsewhere"]),
            files={str(n): (int(s), str(h)) for n, (s, h) in found["files"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UsageError("that is not a payops backup", mend="give what `payops backup create` made") from None


def stated(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and hash of each file under a folder, the manifest excepted."""
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MANIFEST)
    return {str(p.relative_to(folder)): (p.stat().st_size, _hash(p)) for p in files}


def damages(folder: Path, manifest: Manifest) -> tuple[str, ...]:
    """Files that are missing, changed or too many."""
    there = stated(folder)
    lost = [f"{name} is missing" for name in manifest.files if name not in there]
    other = [f"{name} is not what was backed up" for name, s in manifest.files.items() if there.get(name, s) != s]
    extra = [f"{name} was not backed up" for name in there if name not in manifest.files]
    return (*lost, *other, *extra)


def copy_sqlite(source: Path, target: Path) -> None:
    """A consistent copy of a database that others may be writing to, as one file without a WAL."""
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30.0)) as there,
        closing(sqlite3.connect(target)) as here,
    ):
        there.backup(here)
        here.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)


@contextmanager
def new_backup(out: Path) -> Iterator[Path]:
    """A folder to fill; it becomes `out` (a directory, or a tar file if the name ends so) when all went well. Raises
    UsageError where something is there already or it cannot be written."""
    if out.exists() and (out.is_file() or any(out.iterdir())):
        raise UsageError(f"{out} is there already", mend="give --out a new name")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as made:
            yield Path(made)
            if out.suffix == ".tar":
                fresh = out.with_name(f".{out.name}.part")
                with tarfile.open(fresh, "w", format=tarfile.PAX_FORMAT) as tar:
                    tar.add(made, arcname=".", filter=_owner_only)
                _flush(fresh)
                fresh.replace(out)
            else:
                _flush_all(Path(made))
                shutil.copytree(made, out, dirs_exist_ok=True, copy_function=shutil.move)
                out.chmod(0o700)
    except OSError as error:
        raise UsageError(f"{out}: {error.strerror}", mend="give --out a place with room that we may write") from None


@contextmanager
def opened(backup: Path) -> Iterator[Path]:
    """A private copy of a backup's files, gone afterwards: looking must not change it. Raises UsageError."""
    with tempfile.TemporaryDirectory(prefix="payops-backup-") as place:
        try:
            if backup.is_dir():
                shutil.copytree(backup, place, dirs_exist_ok=True)
            else:
                with tarfile.open(backup) as tar:
                    tar.extractall(place, filter="data")
        except (OSError, tarfile.TarError) as error:
            raise UsageError(
                f"{backup}: cannot be read ({type(error).__name__})", mend="give what `payops backup create` made"
            ) from None
        yield Path(place)


def _owner_only(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mode = 0o700 if info.isdir() else 0o600
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush_all(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            _flush(path)


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
