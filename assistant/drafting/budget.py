"""What the model may cost: tokens, money, calls and time per incident and per day, and a circuit breaker.

A reservation is made before a request is logged, so that a request over budget is never sent; the real use replaces
it when the answer comes. What other processes spent, and this one before it was started again, is read from the prompt
log (`spending`) at the first reservation and every few seconds from then on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assistant.drafting.spending import LoggedSpending
from assistant.errors import ModelOverBudget, ModelUnavailable

DAY = 86_400.0
EVERY = 10.0
"""Seconds between looks at what other processes spent."""
MOST_INCIDENTS = 10_000
Seconds = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Limits:
    """Per incident and per day (UTC): tokens in and out together, cost in the currency of the price table."""

    tokens_incident: int
    tokens_day: int
    cost_incident: float
    cost_day: float


@dataclass(frozen=True, slots=True)
class Prices:
    """Per million tokens."""

    tokens_in: float = 0.0
    tokens_out: float = 0.0

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1e6


@dataclass(slots=True)
class _Spent:
    tokens: int = 0
    cost: float = 0.0

    def add(self, tokens: int, cost: float) -> None:
        self.tokens += tokens
        self.cost += cost


@dataclass(slots=True)
class Budget:
    """Thread-safe. `now` gives Unix seconds."""

    limits: Limits
    now: Seconds
    logged: LoggedSpending | None = None
    _read_at: float = float("-inf")
    _day: int = -1
    _today: _Spent = field(default_factory=_Spent)
    _incidents: dict[str, _Spent] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reserve(self, incident: str, tokens: int, cost: float) -> None:
        """Raises ModelOverBudget, naming the limit, if this much more would pass it."""
        with self._lock:
            self._turn()
            self._catch_up()
            mine = self._incidents.setdefault(incident, _Spent())
            for spent, most_tokens, most_cost, what in (
                (mine, self.limits.tokens_incident, self.limits.cost_incident, "incident"),
                (self._today, self.limits.tokens_day, self.limits.cost_day, "day"),
            ):
                if spent.tokens + tokens > most_tokens:
                    mend = f"raise [model] max_tokens_{what}"
                    raise ModelOverBudget(f"the model's token budget of this {what} is used up", mend=mend)
                if spent.cost + cost > most_cost:
                    mend = f"raise [model] max_cost_{what}"
                    raise ModelOverBudget(f"the model's cost budget of this {what} is used up", mend=mend)
            mine.add(tokens, cost)
            self._today.add(tokens, cost)

    def settle(self, incident: str, *, reserved: tuple[int, float], used: tuple[int, float]) -> None:
        """Replace a reservation by what was used."""
        with self._lock:
            for spent in (self._incidents.setdefault(incident, _Spent()), self._today):
                spent.add(used[0] - reserved[0], used[1] - reserved[1])

    def spent(self) -> Mapping[str, float]:
        """Today's tokens and cost, for the metrics."""
        with self._lock:
            self._turn()
            self._catch_up()
            return {"tokens": self._today.tokens, "cost": self._today.cost}

    def _turn(self) -> None:
        day = int(self.now() // DAY)
        if day != self._day:
            self._day, self._today = day, _Spent()
            if len(self._incidents) > MOST_INCIDENTS:
                self._incidents.clear()

    def _catch_up(self) -> None:
        """What others spent since the last look: today's into the day, yesterday's and today's into the incidents."""
        if self.logged is None or self.now() - self._read_at < EVERY:
            return
        self._read_at = self.now()
        for spent in self.logged.since((self._day - 1) * DAY):
            self._incidents.setdefault(spent.incident, _Spent()).add(spent.tokens, spent.cost)
            if spent.at >= self._day * DAY:
                self._today.add(spent.tokens, spent.cost)


@dataclass(slots=True)
class Breaker:
    """Opens after `after` failures in a row, for `rest` seconds; then one request may try. Thread-safe."""

    now: Seconds
    after: int = 3
    rest: float = 30.0
    _failures: int = 0
    _opened: float | None = None
    _trying: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enter(self) -> None:
        """Raises ModelUnavailable while the breaker is open."""
        with self._lock:
            if self._opened is None:
                return
            if self.now() - self._opened < self.rest or self._trying:
                raise ModelUnavailable("the model failed repeatedly and is being left alone for a while")
            self._trying = True

    def succeeded(self) -> None:
        with self._lock:
            self._failures, self._opened, self._trying = 0, None, False

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._trying = False
            if self._failures >= self.after:
                self._opened = self.now()

    @property
    def open(self) -> bool:
        return self._opened is not None
