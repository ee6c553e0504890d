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


def both(first: ModelUse | None, then: ModelUse | None) -> ModelUse | None:
    """What two rounds of asking took together, under the name of the later one."""
    if first is None or then is None:
        return then or first
    return ModelUse(
        then.name,
        then.requested,
        first.requests + then.requests,
        first.tokens_in + then.tokens_in,
        first.tokens_out + then.tokens_out,
        first.cost + then.cost,
        first.seconds + then.seconds,
        (*first.records, *then.records),
    )


@dataclass(frozen=True, slots=True)
class Written:
    """A draft that passed the checks, who wrote it, and what was struck. `model` None means the deterministic writer,
    and `without_model` says why in words of ours. `spent` is what asking a model took, whether its draft was used or
    not; None where none was asked."""

    draft: Draft
    model: ModelUse | None = None
    without_model: str = ""
    struck: tuple[Struck, ...] = field(default=())
    spent: ModelUse | None = None
