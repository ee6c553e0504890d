"""A paper about an incident: what people hand on, review or tell others, as Markdown that holds nothing live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from assistant.core.draft import ModelUse

PaperKind = Literal["handover", "post_incident", "stakeholder_update"]
KINDS: tuple[PaperKind, ...] = ("handover", "post_incident", "stakeholder_update")


@dataclass(frozen=True, slots=True)
class Paper:
    """`text` is Markdown, made from the note of that `revision`; `without_model` says why no model wrote, "" where one
    did. `record` is the index of its record in the prompt log, None where `record_missing` says why."""

    kind: PaperKind
    incident: str
    revision: int
    text: str
    model: ModelUse | None = None
    without_model: str = ""
    record: int | None = None
    record_missing: str = ""
