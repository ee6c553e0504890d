"""An outlet that remembers what it showed, and can be told to fail."""

from __future__ import annotations

from collections.abc import Mapping

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.errors import OutletError
from assistant.workflow.outbox import Parcel


class RememberingOutlet:
    """`assistant.workflow.outbox.Carrier`."""

    def __init__(self, name: str = "memory", *, every_revision: bool = False) -> None:
        self.name = name
        self.every_revision = every_revision
        self.shown: list[Parcel] = []
        self.failures: list[OutletError] = []

    def render(self, note: Note, incident: Incident) -> Mapping[str, object]:
        return {"incident": note.incident_id, "revision": note.revision, "title": note.title}

    def deliver(self, parcel: Parcel) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.shown.append(parcel)
        return f"ref-{parcel.revision}"
