"""The newest note of each incident as a file: `<dir>/<incident>.json`, and every revision beside it.

Writing is atomic (temporary file, fsync, rename), so delivering again after a crash leaves the same files.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.core.note_json import note_to_json
from assistant.workflow.outbox import Later, Parcel


class FileOutlet:
    """`Carrier` and `Retractor`. Raises Later while the disk does not take the file."""

    every_revision = True

    def __init__(self, folder: Path, *, name: str = "file") -> None:
        self.name = name
        self._folder = folder

    def render(self, note: Note, incident: Incident) -> Mapping[str, object]:
        return note_to_json(note)

    def deliver(self, parcel: Parcel) -> str:
        text = json.dumps(parcel.payload, ensure_ascii=False, indent=2, sort_keys=True) + "\n"
        revision = self._folder / parcel.incident / f"{parcel.revision:04d}.json"
        try:
            _write(revision, text)
            _write(self._folder / f"{parcel.incident}.json", text)
        except OSError as error:
            raise Later(f"the note could not be written ({error.strerror})", mend="check disk and mode") from None
        return f"{parcel.incident}/{revision.name}"

    def retract(self, ref: str) -> None:
        """`Retractor`: the revision's file goes, and the newest one beside it if it shows the same revision."""
        incident, _, name = ref.partition("/")
        newest = self._folder / f"{incident}.json"
        try:
            if newest.exists() and f"{_revision_of(newest):04d}.json" == name:
                newest.unlink()
            (self._folder / incident / name).unlink(missing_ok=True)
        except OSError as error:
            raise Later(f"the note could not be taken back ({error.strerror})", mend="check disk and mode") from None


def _revision_of(path: Path) -> int:
    """The revision that a note's file says it is; 0 where it says none (a file that somebody broke)."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return 0
    return int(found.get("revision", 0)) if isinstance(found, dict) else 0


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in path.parent.glob(f".{path.name}.*"):  # by a process that was killed while it wrote
        left.unlink(missing_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
