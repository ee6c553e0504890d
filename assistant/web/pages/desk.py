"""What the pages read from, so that no page knows how `serve` is put together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from assistant.house import House
from assistant.notebook.notes import NoteBook
from assistant.promptlog.audit import Auditor
from assistant.promptlog.log import Log
from assistant.promptlog.publish import Health
from assistant.promptlog.review import Queue
from assistant.settings import Settings
from assistant.telemetry.metrics import Metrics
from assistant.web.access import Person
from assistant.web.pages.history import History
from assistant.web.pages.looks import Looks
from assistant.web.pages.verified import Verified
from assistant.workflow.board import Board

if TYPE_CHECKING:
    from assistant.workflow.outbox import Waiting


@dataclass(frozen=True, slots=True)
class Desk:
    """`log` and `house` give those in use now (a failed log is opened anew). `covered` is how checkpoints stand,
    `outside` the checkpoints held elsewhere that can be read here; `decide` takes what a commander decided about an
    incident: (what, incident, by); `muted` is whether it is, None
    where nobody follows it. `stopping` is set when streams are to end."""

    settings: Settings
    board: Board
    notes: NoteBook
    metrics: Metrics
    history: History
    log: Callable[[], Log]
    house: Callable[[], House]
    health: Callable[[], Mapping[str, str]]
    covered: Callable[[], Health]
    waiting: Callable[[], Waiting]
    switched_off: Callable[[], bool]
    decide: Callable[[str, str, str], None]
    muted: Callable[[str], bool | None]
    outside: Callable[[], tuple[str, ...]]
    looks: Looks = field(default_factory=Looks)
    queue: Queue = field(default_factory=Queue)
    verified: Verified = field(default_factory=Verified)
    stopping: threading.Event = field(default_factory=threading.Event)

    def auditor(self, person: Person) -> Auditor:
        """The log as this person reads it: each read is a record first."""
        return Auditor(self.log(), person.id, origin="web")
