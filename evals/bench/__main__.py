"""`python -m evals.bench [ROOM …]`: measure and print every figure that the README names."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from rich.console import Console
from rich.table import Table

import evals.bench as benches


def rooms() -> list[str]:
    """Names of the modules beside this one that measure something."""
    return sorted(
        m.name for m in pkgutil.iter_modules(benches.__path__) if m.name not in {"__main__", "figure", "fill"}
    )


def main(wanted: list[str]) -> int:
    """Print one table a room. Exit 2 for an unknown room, else 0: a missed target is shown, not hidden."""
    console = Console()
    unknown = sorted(set(wanted) - set(rooms()))
    if unknown:
        console.print(f"no such bench: {', '.join(unknown)}; there are: {', '.join(rooms())}")
        return 2
    for room in wanted or rooms():
        module = importlib.import_module(f"evals.bench.{room}")
        table = Table(title=room, title_justify="left")
        for column in ("figure", "value", "unit", "target", "reached", "beside"):
            table.add_column(column)
        with console.status(f"measuring {room}"):
            for f in module.figures():
                reached = "" if f.reached is None else "yes" if f.reached else "no"
                table.add_row(f.name, f.value, f.unit, f.target, reached, f.beside)
        console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
