"""One measured figure, as `make bench` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its unit, its target in words ("at least 20,000"), and whether it was reached.

    `reached` is None where there is no target. `beside` is the same figure of another tool, measured in the same run.
    """

    name: str
    value: str
    unit: str = ""
    target: str = ""
    reached: bool | None = None
    beside: str = ""
