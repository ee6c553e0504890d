"""Notes on the terminal of `payops serve`: each revision once, as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO

from assistant.core.incident import Incident
from assistant.core.note import Note
from assistant.workflow.outbox import Later, Parcel

Render = Callable[[Note], str]


class TerminalOutlet:
    """`Carrier`. The text is rendered while the note is at hand; a line that a dead process may have shown is not shown
    again: its terminal is gone with it."""

    name = "terminal"
    every_revision = False

    def __init__(self, render: Render, stream: IO[str]) -> None:
        self._render = render
        self._stream = stream

    def render(self, note: Note, incident: Incident) -> Mapping[str, object]:
        return {"text": self._render(note)}

    def deliver(self, parcel: Parcel) -> str:
        if parcel.unsure:
            return "perhaps"
        try:
            self._stream.write(f"{parcel.payload['text']}\n")
            self._stream.flush()
        except OSError as error:
            raise Later(f"the terminal does not take the note ({error.strerror})") from None
        return "shown"
