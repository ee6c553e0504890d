"""From a filter to statements that never walk the whole log.

One condition *drives*: the most selective one given, by an index that ends in `idx`, so that rows come out in order
without a sort. The others only look at the rows that it finds. A span of time without a better driver is first turned
into a span of indexes. Several events are several statements, merged by the store.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from assistant.promptlog.store import Filter

_DRIVERS = ("about", "incident", "correlation", "redacted", "actor", "outcome", "model", "event", "release")
"""Most selective first."""
_FEW = frozenset({"about", "incident", "correlation"})
"""Drivers that find so few rows that a span of time needs no help."""
USUAL = "ok"
"""The outcome that the index of outcomes leaves out: nearly every record has it."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statement without its order: `source` after FROM, `conditions` each with its values, `index` the column that
    orders.
    """

    source: str
    conditions: tuple[tuple[str, tuple[Any, ...]], ...]
    index: str

    def sql(self, columns: str, *, descending: bool) -> str:
        """With two more values at the end: the edge that a page starts from, and how many rows. The far end of the
        span stands among the conditions.
        """
        where = "".join(f" AND {text}" for text, _ in self.conditions)
        edge, order = ("<", "DESC") if descending else (">=", "ASC")
        first = " AND e.idx = c.idx" if self.index == "c.idx" else ""
        return (
            f"SELECT {columns} FROM {self.source} WHERE {self.index} {edge} ?{first}{where}"
            f" ORDER BY {self.index} {order} LIMIT ?"
        )

    def values(self, edge: int, rows: int) -> tuple[Any, ...]:
        return (edge, *(v for _, values in self.conditions for v in values), rows)


def one_event_each(wanted: Filter) -> Iterator[Filter]:
    """The filter as it is, or one for each of its events where an event would drive."""
    if len(wanted.events) > 1 and _driver(wanted) == "event":
        yield from (replace(wanted, events=(event,)) for event in dict.fromkeys(wanted.events))
    else:
        yield wanted


def wants_span(wanted: Filter) -> bool:
    """Whether the span of time is worth turning into a span of indexes first."""
    return (wanted.since is not None or wanted.until is not None) and _driver(wanted) not in _FEW


def span_query(wanted: Filter) -> tuple[str, tuple[str, ...]]:
    """Smallest and largest index in the span of time: from the index of times alone, without reading a row."""
    given = [("time >= ?", wanted.since), ("time < ?", wanted.until)]
    where = " AND ".join(text for text, value in given if value is not None)
    return f"SELECT MIN(idx), MAX(idx) FROM entry WHERE {where}", tuple(v for _, v in given if v is not None)


def query(wanted: Filter, *, start: int, stop: int, descending: bool, aside: str) -> Query:
    """`aside`: how this database is told not to use the index of a column (a format such as `+{}`)."""
    driver = _driver(wanted)
    by_class = driver == "redacted"
    index = "c.idx" if by_class else "e.idx"
    found: list[tuple[str, tuple[Any, ...]]] = [
        (f"{index} >= ?", (start,)) if descending else (f"{index} < ?", (stop,))
    ]
    for name in _DRIVERS:
        if _value(wanted, name) not in (None, ()):
            found.append(_condition(wanted, name, aside if name != driver else None))
    times = ((">=", wanted.since), ("<", wanted.until))
    found += [(f"{aside.format('e.time')} {sign} ?", (value,)) for sign, value in times if value is not None]
    return Query("redacted AS c CROSS JOIN entry AS e" if by_class else "entry AS e", tuple(found), index)


def _condition(wanted: Filter, name: str, aside: str | None) -> tuple[str, tuple[Any, ...]]:
    """`aside` None: this is what drives."""
    value = _value(wanted, name)
    if name == "redacted":
        if aside is None:
            return "c.class = ?", (value,)
        return "EXISTS (SELECT 1 FROM redacted AS r WHERE r.class = ? AND r.idx = e.idx)", (value,)
    column = (aside or "{}").format(f"e.{name}")
    if name == "event":
        return f"{column} IN ({', '.join('?' * len(value))})", value
    if name == "outcome" and aside is None:
        return f"{column} = ? AND {column} <> '{USUAL}'", (value,)
    return f"{column} = ?", (value,)


def _driver(wanted: Filter) -> str | None:
    given = (name for name in _DRIVERS if _value(wanted, name) not in (None, ()))
    return next((name for name in given if name != "outcome" or wanted.outcome != USUAL), None)


def _value(wanted: Filter, name: str) -> Any:
    return wanted.events if name == "event" else getattr(wanted, name)
