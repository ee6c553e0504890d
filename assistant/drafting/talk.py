"""One task's requests to a model: for whom, how long, how many; and what became of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from assistant.errors import ModelOverBudget
from assistant.promptlog.record import Receipt, Value


@dataclass(slots=True)
class Talk:
    """Shared by every request of one task. `deadline` is in seconds of `now` (monotonic). `facts` and `parts` go into
    each record: ids and hashes, and the pieces that the prompt was made of. `label` marks a shadow's requests."""

    incident: str
    task: str
    deadline: float
    max_calls: int
    actor: str = "payops"
    origin: str = "system"
    label: str = "live"
    facts: Mapping[str, Value] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)
    now: Callable[[], float] = time.monotonic
    receipts: list[Receipt] = field(default_factory=list)
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0
    model: str = ""
    bytes_out: int = 0

    def remaining(self) -> float:
        return self.deadline - self.now()

    def enter(self) -> None:
        """Raises ModelOverBudget when calls or time are used up."""
        if len(self.receipts) >= self.max_calls:
            raise ModelOverBudget(f"the model's budget of {self.max_calls} calls is used up")
        if self.remaining() <= 0:
            raise ModelOverBudget("the model's time is used up")
