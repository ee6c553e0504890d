"""What came back from a writer, before and after the checks."""

from __future__ import annotations

from dataclasses import dataclass, field

from assistant.core.evidence import EvidenceId


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence and the evidence it stands on."""

    text: str
    evidence: tuple[EvidenceId, ...]


@dataclass(frozen=True, slots=True)
class Struck:
    """A claim the checker removed. `rule` names the check; the text is kept for the auditor, never for the note."""

    claim: Claim
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Draft:
    """A note's prose as claims. `cause` is about the leading hypothesis; `next_steps` are for people."""

    title: str
    summary: tuple[Claim, ...]
    cause: tuple[Claim, ...] = ()
    next_steps: tuple[Claim, ...] = ()
    not_known: tuple[str, ...] = ()
    argued_down: str = ""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Which model wrote, what it took. Cost in the currency of the price table; latency in seconds."""

    name: str
    requested: str
    requests: int
    tokens_in: int
    tokens_out: int
    cost: float
    seconds: float
    records: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A draft that passed the checks, who wrote it, and what was struck. `model` None means the deterministic writer,
    and `without_model` says why in words of ours."""

    draft: Draft
    model: ModelUse | None = None
    without_model: str = ""
    struck: tuple[Struck, ...] = field(default=())
