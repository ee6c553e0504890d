"""Findings in short lines of numbers: the words that evidence texts, reasons and notes share.

One formatter for every number, so that whatever a sentence says stands literally in the text of its evidence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from assistant.analysis import payments as pay
from assistant.analysis.dimensions import Explained
from assistant.analysis.logs import Pattern
from assistant.analysis.signals import Signal
from assistant.core.alert import Labels
from assistant.core.finding import Impact
from assistant.core.time import clock, iso

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


def number(x: float, unit: str = "") -> str:
    """A value with its unit, three significant figures; ratios in per cent, bytes and seconds in readable steps."""
    if not math.isfinite(x):
        return "no value"
    if unit == "ratio":
        return f"{100 * x:.1f} %"
    if unit == "bytes":
        step = 0
        while abs(x) >= 1024 and step < 4:
            x, step = x / 1024, step + 1
        return f"{_figures(x)} {_BYTES[step]}"
    if unit == "s" and 0 < abs(x) < 1:
        return f"{_figures(x * 1000)} ms"
    return f"{_figures(x)} {unit}".rstrip()


def _figures(x: float) -> str:
    """Three significant figures, never an exponent."""
    if x == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(x))))
    text = f"{x:.{min(digits, 6)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def labelled(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{k}={v}" for k, v in labels.items() if v)


def scope(labels: Labels) -> str:
    return labelled(labels) or "everything alike"


def signal_line(s: Signal) -> str:
    """`payment p99 service=x: 0.5 s -> 4 s since 09:41:30Z (z 21.0)`."""
    since = f" since {clock(s.onset)}" if s.onset is not None else ""
    where = f" {labelled(s.labels)}" if s.labels else ""
    if s.role == "expiry" and s.moved:
        return f"{s.what}{where}: ended {clock(s.onset or 0)}, {number(-s.seen, 's')} ago"
    return f"{s.what}{where}: {number(s.usual, s.unit)} -> {number(s.seen, s.unit)}{since} (z {s.score:.1f})"


def explained_line(e: Explained) -> str:
    """One set of label values: what it lost, and how much of all that was lost."""
    return (
        f"{scope(e.labels)}: approval rate {number(e.usual, 'ratio')} -> {number(e.seen, 'ratio')}, "
        f"{e.lost:.0f} approvals fewer than usual of {e.attempts:.0f} attempts, "
        f"{number(e.share, 'ratio')} of the loss at {number(e.weight, 'ratio')} of attempts"
    )


def codes_line(e: Explained) -> str:
    """The response codes behind the loss."""
    shown = [f"{code} ({pay.code_of(code).meaning}) +{n:.0f}" for code, n in list(e.codes.items())[:4]]
    return f"extra declines of {scope(e.labels)}: {', '.join(shown)}" if shown else ""


def pattern_line(p: Pattern) -> str:
    """One template: how often, against what is usual, since when."""
    usual = "never before" if p.new else f"{number(p.usual)} usual"
    where = f"{p.service}: " if p.service else ""
    about = f"; {fields}" if (fields := main_fields(p)) else ""
    return f"{where}{p.count} lines ({usual}) since {clock(p.first_seen)}: {p.template[:160]}{about}"


def main_fields(p: Pattern) -> str:
    """Fields that say whom it is about: values that hold most of the pattern's lines."""
    shown = []
    for name, values in p.fields.items():
        top, share = next(iter(values.items()))
        if share >= 0.6 and 0 < len(top) <= 40 and name.lower() not in {"level", "msg", "message", "severity", "event"}:
            shown.append(f"{name}={top} in {100 * share:.0f} %")
    return ", ".join(shown[:5])


def impact_line(i: Impact) -> str:
    money = ", ".join(f"{value:.2f} {code}" for code, value in i.amounts.items())
    at_risk = f"; at risk {money}" if money else ""
    return (
        f"{i.lost:.0f} authorisations lost of {i.attempts:.0f} attempts from {iso(i.window.start)} to "
        f"{iso(i.window.end)}, "
        f"approval rate {number(i.usual_rate, 'ratio')} -> {number(i.seen_rate, 'ratio')}{at_risk}"
    )
