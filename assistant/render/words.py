"""Numbers in words that people read at a glance. Pure; shared by every rendering."""

from __future__ import annotations

from assistant.core.finding import Impact
from assistant.core.hypothesis import Hypothesis, Verdict

SPARKS = "▁▂▃▄▅▆▇█"


def verdict_words(verdict: Verdict) -> str:
    """What people read. "Confirmed" is said only in JSON until 300 confirmed verdicts stand behind the figure."""
    return {"confirmed": "strong evidence", "likely": "likely", "inconclusive": "inconclusive"}[verdict]


def percent(ratio: float) -> str:
    return f"{100 * ratio:.1f} %"


def count(n: float) -> str:
    return f"{n:,.0f}"


def impact_words(impact: Impact) -> tuple[str, ...]:
    """Impact in a few short lines: approvals lost, the rate, money by currency, who was hit."""
    lines = [
        f"{count(impact.lost)} authorisations lost of {count(impact.attempts)} first attempts "
        f"(approval {percent(impact.usual_rate)} → {percent(impact.seen_rate)})"
    ]
    if impact.amounts:
        money = ", ".join(f"{v:,.0f} {k}" for k, v in sorted(impact.amounts.items(), key=lambda kv: -kv[1])[:4])
        lines.append(f"at risk: {money}")
    for name, parts in impact.by.items():
        top = sorted(parts.items(), key=lambda kv: -kv[1])[:3]
        lines.append(f"by {name}: " + ", ".join(f"{k} {count(v)}" for k, v in top))
    if impact.customers is not None:
        lines.append(f"{count(impact.customers)} customers")
    return tuple(lines)


def hypothesis_words(h: Hypothesis) -> str:
    whose = {"ours": "our side", "theirs": "their side", "unknown": ""}[h.fault]
    tail = f" · {whose}" if whose else ""
    return f"{verdict_words(h.verdict)} ({h.confidence:.2f}){tail}"


def sparkline(values: list[float | None], *, width: int = 48) -> str:
    """Values as eight heights, resampled to `width` by mean; a gap is a space. All equal draws the lowest height."""
    if not values:
        return ""
    size = max(1, -(-len(values) // width))
    means = []
    for i in range(0, len(values), size):
        chunk = [v for v in values[i : i + size] if v is not None and v == v]
        means.append(sum(chunk) / len(chunk) if chunk else None)
    known = [m for m in means if m is not None]
    if not known:
        return " " * len(means)
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    return "".join(" " if m is None else SPARKS[min(7, int(8 * (m - low) / span))] for m in means)


def duration(seconds: float) -> str:
    """`47 min`, `2 h 05 min`, `38 s`."""
    s = int(seconds)
    if s < 120:
        return f"{s} s"
    if s < 7200:
        return f"{s // 60} min"
    return f"{s // 3600} h {s % 3600 // 60:02d} min"
