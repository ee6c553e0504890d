"""Confidence intervals of small counts."""

from __future__ import annotations

import math


def wilson(hits: int, of: int, *, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927); (0, 1) where nothing was counted."""
    if of == 0:
        return 0.0, 1.0
    p, n = hits / of, of
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, middle - half), min(1.0, middle + half)


def paired_difference(both: int, won: int, lost: int, neither: int) -> tuple[float, float, float]:
    """How much larger the second of two proportions of the same cases is, with its 95 % interval: Newcombe's method 10,
    from Wilson's intervals of both and their correlation (Statistics in Medicine 17, 1998, 2635-2650).

    `won` counts cases that only the second has, `lost` those that only the first has. (0, -1, 1) without cases.
    """
    n = both + won + lost + neither
    if n == 0:
        return 0.0, -1.0, 1.0
    second, first = (both + won) / n, (both + lost) / n
    (low2, high2), (low1, high1) = wilson(both + won, n), wilson(both + lost, n)
    phi = _correlation(both, won, lost, neither)
    down = _half(second - low2, high1 - first, phi)
    up = _half(high2 - second, first - low1, phi)
    return second - first, max(-1.0, second - first - down), min(1.0, second - first + up)


def _half(a: float, b: float, phi: float) -> float:
    return math.sqrt(max(0.0, a * a - 2 * phi * a * b + b * b))


def _correlation(both: int, won: int, lost: int, neither: int) -> float:
    """Phi, with Newcombe's continuity correction where it is positive."""
    n = both + won + lost + neither
    margins = (both + won) * (lost + neither) * (both + lost) * (won + neither)
    if margins == 0:
        return 0.0
    cross = both * neither - won * lost
    return (max(cross - n / 2, 0.0) if cross > 0 else cross) / math.sqrt(margins)
