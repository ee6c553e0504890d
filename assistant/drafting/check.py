"""The grounding checker: a draft and its context in; what may be said, and what was struck and why, out. Pure.

A claim stands only if its ids exist and everything it says occurs in the text of that evidence; see `rules`. The
verdict is the analyst's: a draft may argue it down with a reason that passes the same rules, never up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from assistant.core.draft import Claim, Draft, Struck
from assistant.core.evidence import Evidence, EvidenceId
from assistant.core.hypothesis import Hypothesis, rivals
from assistant.core.inert import inert
from assistant.core.prompt import Context
from assistant.drafting.lexicon import ordinary
from assistant.drafting.pairing import figures_of, labels_of
from assistant.drafting.rules import RULES, rules_for, squeeze
from assistant.drafting.statement import LEADS, Known, Statement
from assistant.drafting.timing import stated_moments
from assistant.drafting.voice import others_runs, said_by_us
from assistant.drafting.wording import stems, terms_in

STRIKES_ALLOWED = 0.4
MAX_CLAIMS = 12
_UNPOINTED = {"evidence"}


def evidence_of(context: Context) -> tuple[Evidence, ...]:
    """The context's evidence, with each runbook passage that is not yet among it as `R1`, `R2`, …"""
    taken = {e.id for e in context.evidence}
    texts = [e.text.text for e in context.evidence if e.kind == "runbook"]
    passages = [p for p in context.passages if not any(p.text.text in text for text in texts)]
    free = (i for i in (f"R{n}" for n in range(1, 1000)) if i not in taken)
    made = [
        Evidence(EvidenceId(i), "runbook", p.path, context.incident.window, p.text, link=p.id)
        for i, p in zip(free, passages, strict=False)
    ]
    return (*context.evidence, *made)


def known(context: Context) -> Known:
    """What the rules compare with, worked out once for a context."""
    evidence = evidence_of(context)
    texts = {str(e.id): e.text.text for e in evidence}
    first = context.hypotheses[0] if context.hypotheses else None
    impact = context.findings.impact
    return Known(
        texts=texts,
        figures={i: figures_of(text) for i, text in texts.items()},
        entities=_entities(context),
        leading=_leading(context),
        verdict=first.verdict if first else None,
        health=context.findings.health,
        related=_related(context, first),
        quotes=frozenset(squeeze(inert(t.text)) for t in context.next_steps),
        gaps=frozenset(squeeze(inert(g)) for g in _gaps(context)),
        others=others_runs(context, evidence),
        terms={i: terms_in(text) for i, text in texts.items()},
        ours=stems((*said_by_us(context), *_kinds(context), *_over(context))),
        moves=_moves(context),
        said=tuple(said_by_us(context)),
        counts=(impact.attempts, impact.lost) if impact else None,
        onset=_onset(context),
        moments=stated_moments(texts),
        labels=labels_of(texts.values()),
        stated=_stated(context, {str(e.id): e.kind for e in evidence}),
        rivals=_named(rivals(context.hypotheses)[1:], context),
    )


def check(draft: Draft, context: Context) -> tuple[Draft, tuple[Struck, ...]]:
    """The draft without what its evidence does not carry, and what was struck in the order of the draft.

    A title that fails becomes "" and an argument that fails is dropped; both are counted as struck.
    """
    facts, struck = known(context), list[Struck]()
    everything = tuple(facts.texts)
    title = _text(draft.title, everything, "title", facts, struck)
    sections = {
        name: _section(getattr(draft, name), name, facts, struck) for name in ("summary", "cause", "next_steps")
    }
    not_known = tuple(t for t in draft.not_known[:MAX_CLAIMS] if _text(t, everything, "not_known", facts, struck))
    argued = _text(draft.argued_down, everything, "argued_down", facts, struck)
    return Draft(title=title, **sections, not_known=not_known, argued_down=argued), tuple(struck)


def carries(claim: Claim, facts: Known, *, section: str = "summary") -> bool:
    """Whether `claim` would stand in that section."""
    return _fault(claim, section, facts) is None


def claims(draft: Draft) -> int:
    """How many statements the checker looked at in `draft`."""
    parts = (draft.summary, draft.cause, draft.next_steps, draft.not_known)
    return sum(map(len, parts)) + bool(draft.title) + bool(draft.argued_down)


def too_many(struck: tuple[Struck, ...], of: Draft, left: Draft) -> bool:
    """Whether a model that lost this much is not worth listening to: over 40 % struck, or no summary left."""
    return len(struck) > STRIKES_ALLOWED * max(claims(of), 1) or not left.summary


def _section(said: Iterable[Claim], section: str, facts: Known, struck: list[Struck]) -> tuple[Claim, ...]:
    kept: list[Claim] = []
    for claim in said:
        fault = Struck(claim, "length", "more claims than a note holds") if len(kept) >= MAX_CLAIMS else None
        fault = fault or _fault(claim, section, facts)
        if fault is None:
            kept.append(claim)
        else:
            struck.append(fault)
    return tuple(kept)


def _text(text: str, ids: tuple[str, ...], section: str, facts: Known, struck: list[Struck]) -> str:
    if not text:
        return ""
    fault = _fault(Claim(text, tuple(EvidenceId(i) for i in ids)), section, facts, skip=_UNPOINTED)
    if fault is not None:
        struck.append(replace(fault, claim=Claim(text, ())))
        return ""
    return text


def _fault(claim: Claim, section: str, facts: Known, *, skip: Iterable[str] = ()) -> Struck | None:
    statement = Statement(claim.text, tuple(claim.evidence), section)
    wanted = rules_for(statement, facts)
    for name, rule in RULES:
        if name not in skip and (wanted is None or name in wanted) and (detail := rule(statement, facts)):
            return Struck(claim, name, detail)
    return None


def _entities(context: Context) -> frozenset[str]:
    """Things in the world that this incident knows by name; ordinary words are left out, or prose could not be."""
    found = {h.entity for h in context.hypotheses} | {h.change for h in context.hypotheses}
    found |= {s.entity for s in context.findings.shifts}
    found |= {v for d in context.findings.dimensions for v in d.labels.values()}
    found |= {p.service for p in context.findings.patterns}
    found |= {x for c in context.findings.changes for x in (c.change_id, c.service)}
    return frozenset(e for e in found if len(e) >= 2 and e.casefold() not in ordinary())


def _leading(context: Context) -> frozenset[str]:
    """What may be called the cause: the first hypothesis, and any other that is confirmed (two faults at once), each
    with its change and the service that was changed."""
    own = [h for i, h in enumerate(context.hypotheses) if i == 0 or h.verdict == "confirmed"]
    return _named(own, context)


def _named(own: Sequence[Hypothesis], context: Context) -> frozenset[str]:
    """What these hypotheses go by, in small letters."""
    found = {x for h in own for x in (h.entity, h.change) if x}
    found |= {c.service for c in context.findings.changes if c.change_id in {h.change for h in own}}
    return frozenset(x.casefold() for x in found)


def _related(context: Context, first: Hypothesis | None) -> frozenset[str]:
    """What the loss is confined to together with the leading entity: may be spoken of, may not be blamed."""
    found = [d.labels.values() for d in context.findings.dimensions if first and first.entity in d.labels.values()]
    return frozenset(v.casefold() for values in found for v in values)


def _stated(context: Context, kinds: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """The analyst's reasons, and the leading cause in the words of its verdict, each with its evidence. A reason that
    rests on log lines, changes or runbooks quotes what others wrote and is not among them."""
    found: dict[str, frozenset[str]] = {}
    for h in context.hypotheses:
        for reason in (*h.supports, *h.against):
            if not {kinds.get(str(e), "") for e in reason.evidence} <= {"metric", "alert"}:
                continue
            text = squeeze(inert(reason.text))
            found[text] = found.get(text, frozenset()).union(map(str, reason.evidence))
    for h in context.hypotheses[:1]:
        behind = frozenset(str(e) for reason in h.supports for e in reason.evidence)
        found[squeeze(inert(f"{LEADS[h.verdict]}: {h.cause}"))] = behind
    return found


def _kinds(context: Context) -> Iterable[str]:
    """Words of the code's own lists: what sort of failure, whose, at what."""
    for h in context.hypotheses:
        yield from (h.kind.replace("_", " ").replace("-", " "), h.dimension.replace("_", " "))


def _over(context: Context) -> tuple[str, ...]:
    """What may be said where the analyst finds nothing wrong."""
    calm = context.findings.health in ("healthy", "recovered")
    return ("resolved recovered normal again nothing wrong over healthy restored back",) if calm else ()


def _onset(context: Context) -> tuple[float, float, float] | None:
    """When it began and the span that holds it, in seconds of the day (UTC)."""
    found = context.findings.onset
    return (found.at % 86_400, found.earliest % 86_400, found.latest % 86_400) if found else None


def _moves(context: Context) -> tuple[tuple[float, float], ...]:
    """What was measured as usual and as seen, wherever the analyst states both."""
    impact = context.findings.impact
    shifts = [(m.usual, m.seen) for m in context.findings.shifts]
    dimensions = [(m.usual, m.seen) for m in context.findings.dimensions]
    return (*shifts, *dimensions, *([(impact.usual_rate, impact.seen_rate)] if impact else []))


def _gaps(context: Context) -> Iterable[str]:
    impact = context.findings.impact
    yield from (*context.not_known, *context.findings.unseen, *(impact.not_counted if impact else ()))
