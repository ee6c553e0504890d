"""The note's prose without a model: the analyst's findings as sentences, in the layout that a model's draft has.

Each sentence is built from values, then pointed at the evidence whose text carries its figures; a figure that no
evidence carries is left out rather than said. What telemetry or a runbook contributes is made inert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from assistant.core.draft import Claim, Draft, Written
from assistant.core.finding import Dimension, Findings, Impact, LogPattern, Shift
from assistant.core.inert import inert
from assistant.core.prompt import Context
from assistant.core.time import clock
from assistant.drafting.causes import capital, carriers, cause, measure, sentence
from assistant.drafting.check import known
from assistant.drafting.headline import behind, title
from assistant.drafting.pointing import claim, cut, point
from assistant.drafting.statement import Known

LONGEST_QUOTE = 160


def write_without_model(context: Context, *, reason: str) -> Written:
    """The deterministic draft, from whatever there is; `reason` says in words of ours why no model wrote it."""
    facts = known(context)
    draft = Draft(
        title=title(context),
        summary=_present(_summary(context, facts)),
        cause=_present(_cause(context, facts)),
        next_steps=_present(_next_steps(context, facts)),
        not_known=_not_known(context),
    )
    return Written(draft, model=None, without_model=reason)


def _summary(context: Context, facts: Known) -> Iterator[Claim | None]:
    findings, alerts = context.findings, [e.id for e in context.evidence if e.kind == "alert"]
    if findings.health == "healthy":
        yield claim(["Nothing is wrong now: what was measured is as usual."], _measured(findings) or alerts, facts)
    elif findings.health == "recovered":
        yield claim(["It has recovered: what moved is back to its usual value."], _measured(findings) or alerts, facts)
    told = _money(findings, facts)
    yield told
    if findings.health not in ("healthy", "recovered"):
        if told is None:
            yield claim(_alerting(context), alerts or facts.texts, facts)
        yield behind(context, facts)
    for dimension in findings.dimensions[:1]:
        yield claim(_where(dimension), [dimension.evidence], facts)
    shown = set(told.evidence) if told else set[str]()
    for shift in [s for s in _distinct(findings.shifts) if s.evidence not in shown][: 2 if told else 3]:
        yield claim(_moved(shift), [shift.evidence], facts)
    for pattern in findings.patterns[:1]:
        yield claim(_logged(pattern), [pattern.evidence], facts)


def _money(findings: Findings, facts: Known) -> Claim | None:
    """One sentence in card and money terms: the rate, since when, what was lost, what it is worth."""
    impact = findings.impact
    if impact is None or impact.lost <= 0:
        return None
    parts = [p for options in _impact_parts(impact) if (p := _carried(options, impact.evidence, facts))]
    if not parts:
        return None
    since = _carried(_since(findings), impact.evidence, facts)
    sentence = capital(" ".join([parts[0], since]).strip()) + "".join(f", {p}" for p in parts[1:]) + "."
    return claim([sentence], impact.evidence, facts)


def _impact_parts(impact: Impact) -> Iterator[list[str]]:
    usual, seen = impact.usual_rate, impact.seen_rate
    yield [f"the approval rate fell from {_percent(usual, d)} to {_percent(seen, d)}" for d in (1, 0, 2)]
    yield [f"about {impact.lost:,.{d}f} authorisations lost" for d in (0, 1)]
    if impact.amounts:
        yield [f"{' and '.join(f'{c} {a:,.{d}f}' for c, a in sorted(impact.amounts.items()))} at risk" for d in (0, 2)]
    if impact.customers:
        yield [f"{impact.customers:,.0f} customers affected"]


def _since(findings: Findings) -> list[str]:
    if findings.onset is None:
        return []
    at = clock(findings.onset.at)
    return [f"since {at}", f"since {at[:5]}"]


def _alerting(context: Context) -> Iterator[str]:
    alerts = [a for a in context.incident.alerts if a.status == "firing"] or list(context.incident.alerts)
    first = context.hypotheses[0].entity if context.hypotheses else ""
    for alert in sorted(alerts, key=lambda a: first not in a.labels.values())[:1]:  # the one about what failed
        said = alert.annotations.get("summary") or alert.annotations.get("description")
        if said:
            yield f"{alert.name} fires: {_quote(said.text)}."
        yield f"{alert.name} fires, and nothing that was measured says what it costs."
    yield "What is wrong cannot be said from what could be read."


def _where(dimension: Dimension) -> Iterator[str]:
    if not dimension.labels:
        yield "No single value of a label explains the loss: everything fell alike."
        return
    where = " and ".join(f"{name.replace('_', ' ')} {value}" for name, value in dimension.labels.items())
    carry = "carry" if len(dimension.labels) > 1 else "carries"
    for d in (0, 1):
        share = _percent(dimension.share, d)
        for e in (1, 0, 2):
            rates = f"usually {_percent(dimension.usual, e)}, now {_percent(dimension.seen, e)}"
            yield f"{capital(where)} {carry} {share} of the loss: {rates}."
        yield f"{capital(where)} {carry} {share} of the loss."
    yield f"{capital(where)} {carry} most of the loss."


def _moved(shift: Shift) -> Iterator[str]:
    what = measure(shift.what)
    what = what if not shift.entity or shift.entity in what else f"{what} of {shift.entity}"
    for d in (1, 2, 0, 3):
        if any(_vanishes(v, shift.unit, d) for v in (shift.seen, shift.usual)):
            continue
        yield f"{capital(what)}: {_value(shift.seen, shift.unit, d)}, usually {_value(shift.usual, shift.unit, d)}."
    yield f"{capital(what)} is not as usual."


def _vanishes(value: float, unit: str, decimals: int) -> bool:
    """Whether something that is there would be written as nothing."""
    shown = value * 100 if unit in ("ratio", "share") else value
    return value != 0 and round(shown, decimals) == 0


def _distinct(shifts: Iterable[Shift]) -> list[Shift]:
    """The first shift of each measure and entity."""
    first: dict[tuple[str, str], Shift] = {}
    for shift in shifts:
        first.setdefault((measure(shift.what), shift.entity), shift)
    return list(first.values())


def _logged(pattern: LogPattern) -> Iterator[str]:
    lead = f"{'New' if pattern.new else 'More than usual'} in the logs of {pattern.service}"
    line = _quote(pattern.example or pattern.template)
    for since in (f", first at {clock(pattern.first_seen)}", f", first at {clock(pattern.first_seen)[:5]}", ""):
        yield f"{lead}: {line} ({pattern.count:,} lines{since})."
    yield f"{lead}: {line}."


def _quote(text: str) -> str:
    """What others wrote, cut and in quotation marks that it cannot close: it is shown, not stated."""
    return "“" + cut(" ".join(text.replace("“", '"').replace("”", '"').split()), LONGEST_QUOTE) + "”"


def _cause(context: Context, facts: Known) -> Iterator[Claim | None]:
    if context.findings.health != "healthy" and context.hypotheses:
        yield from cause(context, facts)
    elif context.findings.health not in ("healthy", "recovered"):
        yield claim(
            ["The cause is not settled by what could be read."], _measured(context.findings) or facts.texts, facts
        )


def _next_steps(context: Context, facts: Known) -> Iterator[Claim | None]:
    """The runbook's own words, each pointed at the passage it was taken from."""
    runbooks = [i for i in facts.texts if i.startswith("R")]
    for step in context.next_steps:
        words = " ".join(step.text.split())
        home = [i for i in runbooks if words in " ".join(facts.texts[i].split())]
        yield claim([words], home[:1] or runbooks[:1], facts)
    if not context.next_steps and context.hypotheses and context.hypotheses[0].would_settle:
        first = context.hypotheses[0]
        yield claim([f"Look at what would settle it: {sentence(first.would_settle)}"], carriers(first), facts)


def _not_known(context: Context) -> tuple[str, ...]:
    impact = context.findings.impact
    said = (*context.not_known, *context.findings.unseen, *(impact.not_counted if impact else ()))
    return tuple(dict.fromkeys(cut(inert(s)) for s in said if s.strip()))


def _carried(options: Iterable[str], prefer: Iterable[str], facts: Known) -> str:
    """The first option whose figures are in evidence, or ""."""
    prefer = tuple(prefer)
    return next((o for o in options if point(o, prefer, facts)), "")


def _measured(findings: Findings) -> tuple[str, ...]:
    return tuple(dict.fromkeys(s.evidence for s in findings.shifts))[:4]


def _present(found: Iterable[Claim | None]) -> tuple[Claim, ...]:
    return tuple(dict.fromkeys(c for c in found if c is not None))


def _percent(share: float, decimals: int) -> str:
    return f"{share * 100:.{decimals}f} %"


def _value(value: float, unit: str, decimals: int) -> str:
    if unit in ("ratio", "share", "%"):
        return _percent(value if unit != "%" else value / 100, decimals)
    return f"{value:,.{decimals}f} {unit}".strip()
