"""Worlds that several tests look at, made once a session."""

from __future__ import annotations

from functools import cache

from evals.lab import make, spec


@cache
def world(kind: str, seed: int, tier: str = "", naming: str = "") -> make.World:
    """A made world; the same object for every test that asks for it."""
    return make.make(spec.load_kind(kind), seed, make.Options(tier=tier, naming=naming))
