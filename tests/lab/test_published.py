"""Healthy shops look like what is published about real ones; the sources stand in evals/lab/published.py."""

from __future__ import annotations

from functools import cache

import pytest

from evals.lab import published


@cache
def days() -> list[dict[str, float]]:
    """Two whole days, made when first asked for."""
    return [published.measure(seed) for seed in (1, 2)]


@pytest.mark.parametrize("one", published.RANGES, ids=lambda one: one.name)
def test_a_healthy_day_lies_in_the_published_range(one: published.Published) -> None:
    for day in days():
        assert one.low <= day[one.name] <= one.high, f"{day[one.name]:.3f} {one.unit}; {one.source}"
        assert one.source
