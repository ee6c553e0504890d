"""Whether what failed is over, read from what has come in since.

A rate looks back: for a minute after a fault has ended it still holds payments from before. What is new can be told
apart, because the rate of a moment ago holds the same older part. Of `look` instants that a rate covers, the newest m
brought what the rate says now, less the share of it that the rate of m instants ago knew already, as if that had been
spread evenly. The estimate shakes more than a count does, which `SHAKES` makes good.
"""

from __future__ import annotations

import numpy as np

from assistant.analysis.stats import Bools
from assistant.core.evidence import Floats
from assistant.core.query import Increase, Max, Quantile, Query, Rate, Ratio, Select, Sum, TopK

TOLD = 6.0
"""The log-likelihood ratio that tells it is over: one error in four hundred, because "over" sends people home."""
SHAKES = 5.0 / 3.0
"""How much larger the variance of the newest count is than that of a count, at most (one instant of three)."""
LEAST = 0.02
"""The smallest usual rate of failures, as a share of the rate during the fault: none at all is never certain."""
HISTORY = 4
"""How many times the look-back a fault must have been seen without a sign of ending before an end is believed."""


def look_of(query: Query, step: float) -> int:
    """How many instants of `step` seconds the rates of a query cover; 0 where it reads no rate. A rate spans from the
    first to the last sample inside its window, which is one scrape less than the window."""
    match query:
        case Rate() | Increase() | Quantile():
            return max(round(query.seconds / step) - 1, 1) if step > 0 else 0
        case Sum() | Max() | TopK():
            return look_of(query.of, step)
        case Ratio():
            return look_of(query.part, step)
        case Select():
            return 0


def newest(rate: Floats, look: int, m: int) -> Floats:
    """Events per second in the `m` instants that end at each instant of `rate` (T,), m at most `look`; NaN where too
    little is known."""
    out = np.full(len(rate), np.nan)
    if len(rate) > m:
        out[m:] = np.maximum(look * rate[m:] - (look - m) * rate[:-m], 0.0) / m
    return out


def over(bad: Floats, whole: Floats | None, *, usual: float, during: float, look: int, step: float) -> bool:
    """Whether a fault that filled `bad` (T,) to its last instants has ended: the newest events are as usual, which at
    no earlier moment of the fault they were. One that fails by fits and starts looks over again and again, and is not.

    `bad` are failures per second since the fault began, `whole` (T,) all events; `usual` and `during` are shares of
    failures (0..1). Without `whole` they are failures per second.
    """
    if look < 1 or len(bad) < (HISTORY + 1) * look or during <= usual:
        return False
    ended = np.zeros(len(bad), dtype=np.bool_)
    for m in range(1, look + 1):
        failed = newest(bad, look, m) * m * step
        all_of = newest(whole, look, m) * m * step if whole is not None else np.full(len(bad), m * step)
        ended |= _told(failed, all_of, usual, during, counts=whole is not None)
    return bool(ended[-1] and not ended[look : -2 * look].any())


def _told(failed: Floats, of: Floats, usual: float, during: float, *, counts: bool) -> Bools:
    """Where the likelihood of `usual` is `TOLD` above that of `during`: binomial of `of` events, or Poisson over `of`
    seconds."""
    low = max(usual, LEAST * during)
    passed = (
        (of - np.minimum(failed, of)) * np.log((1.0 - during) / (1.0 - low)) if counts else -(during - low) * of
    )  # fmt: skip
    said = (np.minimum(failed, of) if counts else failed) * np.log(during / low) + passed
    return np.asarray(said < -TOLD * SHAKES)
