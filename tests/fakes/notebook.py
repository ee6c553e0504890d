"""A notebook in memory."""

from __future__ import annotations

from collections.abc import Mapping

from assistant.core.note import Note
from assistant.core.note_json import note_to_json


class MemoryNotebook:
    """`assistant.ports.Notebook`: the same revision put again changes nothing."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], Mapping[str, object]] = {}

    def put(self, note: Note) -> None:
        self.kept.setdefault((note.incident_id, note.revision), note_to_json(note))

    def latest(self, incident: str) -> Mapping[str, object] | None:
        revisions = sorted(r for i, r in self.kept if i == incident)
        return self.kept[incident, revisions[-1]] if revisions else None
