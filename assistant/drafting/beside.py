"""The candidate at work: behind the live model, one incident after the other, never shown and never waited for.

A few incidents may wait; what comes while they do is left out, and counted in the next record. What both sides made of
the same evidence is a record of its own, which `payops eval compare --shadow` reads.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

from assistant.core.draft import Written
from assistant.core.prompt import Context
from assistant.drafting.build import Restorer
from assistant.drafting.gate import Appender
from assistant.drafting.model import ChatModel
from assistant.drafting.shadow import RESOURCE, Comparison, compare
from assistant.errors import PromptLogError
from assistant.promptlog.record import Entry, Event, Outcome, slug
from redaction import LeakBlocked

MOST_WAITING = 4


def always() -> bool:
    return True


@dataclass(slots=True)
class Beside:
    """`offer` returns at once. `allowed` is asked again before each request: `payops off` stops the candidate too."""

    model: ChatModel
    log: Appender
    scanner: Restorer
    allowed: Callable[[], bool] = always
    differs: Mapping[str, str] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="shadow")
    )
    _waiting: int = 0
    _left_out: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def offer(self, live: Written, context: Context) -> Future[None] | None:
        """Let the candidate write over the same context, later; None where too many wait already."""
        with self._lock:
            if self._waiting >= MOST_WAITING:
                self._left_out += 1
                return None
            self._waiting += 1
        return self._pool.submit(self._tried, live, context)

    def only_while(self, allowed: Callable[[], bool]) -> None:
        self.allowed = allowed

    def close(self) -> None:
        """Nothing waiting is begun; what runs ends by itself, within the model's own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self.model.close()

    def _tried(self, live: Written, context: Context) -> None:
        with self._lock:
            self._waiting -= 1
            left_out, self._left_out = self._left_out, 0
        if self.allowed():
            self._record(compare(live, context, self.model, scanner=self.scanner, differs=self.differs), left_out)

    def _record(self, found: Comparison, left_out: int) -> None:
        try:
            self.log.append(
                Entry(
                    event=Event.NOTE_POST,
                    actor="shadow",
                    outcome=Outcome.OK if found.candidate.model != "none" else Outcome.FAILED,
                    resource=RESOURCE,
                    incident=slug(found.incident),
                    facts={
                        "live_model": slug(found.live.model),
                        "candidate": slug(found.candidate.model),
                        "same_evidence": round(found.same_evidence, 4),
                        "left_out": left_out,
                        "differs": [slug(name) for name in sorted(found.differs)],
                    },
                    bodies={"comparison": json.dumps(asdict(found), sort_keys=True).encode()},
                )
            )
        except (PromptLogError, LeakBlocked):
            return  # a comparison that cannot be kept is lost; the note that people read is not touched by it
