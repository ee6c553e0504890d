"""Plots of a report as SVG without script or outside asset: kinds, calibration, onset errors, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evals.intervals import wilson

WIDTH, ROW = 200.0, 16
_FIGURE = re.compile(r"([\d.]+) \(\d+/\d+, ([\d.]+)-([\d.]+)\)")


def interval(figure: object, target: str = "") -> str:
    """A proportion as a dot on its interval, 0 to 1, with a red tick at its target; nothing where there is none."""
    found = _FIGURE.fullmatch(str(figure))
    if not found:
        return ""
    at, low, high = (round(WIDTH * float(x), 1) for x in found.groups())
    wanted = re.search(r"[\d.]+$", target)
    x = round(WIDTH * float(wanted[0]) + 2, 1) if wanted else 0
    tick = f'<line x1={x} y1=1 x2={x} y2=15 stroke="#c0392b" stroke-width=2 />' if wanted else ""
    return (
        f'<svg width=204 height={ROW} role=img aria-label="{escape(str(figure))}">'
        '<line x1=2 y1=8 x2=202 y2=8 stroke="#8886"/>'
        f"{tick}<line x1={low + 2} y1=8 x2={high + 2} y2=8 stroke=currentColor stroke-width=3 />"
        f"<circle cx={at + 2} cy=8 r=4 fill=currentColor /></svg>"
    )


def calibration(cases: Sequence[Mapping[str, Any]]) -> str:
    """How often the first cause was right, by the confidence it was given: on the diagonal it is as good as it says."""
    said = [c for c in cases if c.get("confidence") is not None and not c["quiet"]]
    rows = [(float(c["confidence"]), bool(c["right@1"])) for c in said]
    marks = []
    for k in range(5):
        inside = [(p, hit) for p, hit in rows if k / 5 <= p < (k + 1) / 5 or (k == 4 and p == 1.0)]
        if not inside:
            continue
        hits, x = sum(hit for _, hit in inside), 40 + 200 * sum(p for p, _ in inside) / len(inside)
        low, high = wilson(hits, len(inside))
        y, top, bottom = (210 - 200 * v for v in (hits / len(inside), high, low))
        marks.append(
            f"<line x1={x:.1f} y1={top:.1f} x2={x:.1f} y2={bottom:.1f} stroke=currentColor stroke-width=2 />"
            f"<circle cx={x:.1f} cy={y:.1f} r=4 fill=currentColor />"
            f"<text x={x + 6:.1f} y={y + 14:.1f} font-size=11 fill=currentColor>{len(inside)}</text>"
        )
    frame = '<path d="M40 10V210H240" fill=none stroke="#8888"/><path d="M40 210L240 10" stroke="#8886"/>'
    words = ((40, 228, "0"), (228, 228, "1"), (100, 240, "confidence"), (2, 20, "right"), (20, 214, "0"))
    axis = "".join(_text(*w) for w in words)
    return f'<svg width=270 height=248 role=img aria-label="calibration">{frame}{"".join(marks)}{axis}</svg>'


def onsets(cases: Sequence[Mapping[str, Any]]) -> str:
    """Onset errors, from ten minutes early to ten minutes late, in bins of a minute; the outer ones hold the rest."""
    errors = [float(c["onset_error"]) for c in cases if c["onset_error"] is not None]
    counts = [0] * 21
    for e in errors:
        counts[min(max(round(e / 60.0) + 10, 0), 20)] += 1
    most = max(counts, default=0) or 1
    bars = "".join(
        f"<rect x={30 + 20 * i} y={110 - 100 * n / most:.1f} width=16 height={100 * n / most:.1f} fill=currentColor>"
        f"<title>{i - 10} min: {n}</title></rect>"
        for i, n in enumerate(counts)
    )
    axis = _text(22, 128, "-10 min") + _text(230, 128, "0") + _text(410, 128, "+10 min") + _text(2, 16, str(most))
    return f'<svg width=470 height=134 role=img aria-label="onset errors">{bars}{axis}</svg>'


def verdicts(cases: Sequence[Mapping[str, Any]]) -> str:
    """Right and wrong under each verdict, as bars of counts."""
    names = ("confirmed", "likely", "inconclusive", "nothing wrong")
    rows, most = [], max((sum(c["verdict"] == n for c in cases) for n in names), default=0) or 1
    for i, name in enumerate(names):
        mine = [c for c in cases if c["verdict"] == name]
        right = sum(bool(c["right@1"]) for c in mine)
        a, b = 260 * right / most, 260 * (len(mine) - right) / most
        y = 6 + 24 * i
        rows.append(
            _text(2, y + 12, name)
            + f"<rect x=100 y={y} width={a:.1f} height=16 fill=currentColor />"
            + f'<rect x={100 + a:.1f} y={y} width={b:.1f} height=16 fill="#c0392b"/>'
            + _text(int(106 + a + b), y + 12, f"{right} right, {len(mine) - right} wrong")
        )
    return f'<svg width=520 height=104 role=img aria-label="verdicts">{"".join(rows)}</svg>'


def _text(x: int, y: int, said: str) -> str:
    return f"<text x={x} y={y} font-size=12 fill=currentColor>{escape(said)}</text>"
