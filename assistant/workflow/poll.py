"""A second way in: what Alertmanager's API lists and no webhook brought, and the end of what it lists no more.

A webhook can be lost (a wrong token, an outage of ours longer than Alertmanager tries, a receiver that was left out),
and the end of an alert with it. So the leader asks once a minute. What is held already is left alone; what is missing
goes the way of every delivery, so that the webhook that comes later is a repetition and nothing happens twice.

An alert ends here only if Alertmanager listed it before, to this or another replica (`payops_polled`), and has not for
`gone_s`: alerts of another Alertmanager are never ended by this one, and one that restarted gets its alerts back from
Prometheus before they are taken for over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa

from assistant.core.alert import Alert
from assistant.core.time import Instant
from assistant.notebook.database import Database
from assistant.ports import Clock
from assistant.workflow.incidents import IncidentBook

TABLES = sa.MetaData()

polled = sa.Table(
    "payops_polled",
    TABLES,
    sa.Column("fingerprint", sa.Text, primary_key=True),
    sa.Column("seen_at", sa.Float(53), nullable=False),
)

_LOG = logging.getLogger("payops.workflow")
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Listing:
    """What Alertmanager lists: `ours` are the alerts that a webhook would have brought (firing, neither silenced nor
    inhibited, routed to our receiver), `known` the fingerprints of all of them."""

    ours: tuple[Alert, ...]
    known: frozenset[str]


@dataclass(frozen=True, slots=True)
class Found:
    """What one look was good for: alerts that no webhook brought, and alerts that are over."""

    missed: tuple[Alert, ...] = ()
    ended: tuple[Alert, ...] = ()


@dataclass(slots=True)
class Poll:
    """One look at a time, by the replica that `leads`. `ask` raises SourceError, `receive` is `Service.receive`, `tell`
    is called with what was found before it is received."""

    database: Database
    incidents: IncidentBook
    ask: Callable[[], Listing]
    receive: Callable[[Sequence[Alert]], object]
    leads: Callable[[], bool]
    clock: Clock
    gone_s: float
    tell: Callable[[Found], None] = lambda found: None
    _absent: dict[str, float] = field(default_factory=dict)

    def look(self) -> Found:
        """Raises SourceError while Alertmanager cannot be asked, Away."""
        if not self.leads():
            self._absent.clear()
            return Found()
        listing = self.ask()
        held = self.incidents.firing()
        missed = tuple(a for a in listing.ours if _is_news(a, held))
        ended = self._ended(held, listing)
        found = Found(missed, ended)
        if missed or ended:
            _LOG.warning("no webhook told of these", extra={"missed": len(missed), "ended": len(ended)})
            self.tell(found)
            self.receive((*missed, *ended))
        self._remember({*(f for f in held if f in listing.known), *(a.fingerprint for a in missed)}, ended)
        return found

    def _ended(self, held: Mapping[str, Alert], listing: Listing) -> tuple[Alert, ...]:
        """Alerts that we hold as firing, that were listed once, and are not for long enough."""
        now = self.clock.now()
        absent = self._seen([f for f in held if f not in listing.known])
        self._absent = {f: self._absent.get(f, now) for f in absent}
        over = [f for f, since in self._absent.items() if now - since >= self.gone_s]
        return tuple(replace(held[f], status="resolved", ends_at=Instant(now)) for f in over)

    def _seen(self, fingerprints: Sequence[str]) -> frozenset[str]:
        found: set[str] = set()
        with self.database.read() as c:
            for at in range(0, len(fingerprints), _CHUNK):
                query = sa.select(polled.c.fingerprint).where(polled.c.fingerprint.in_(fingerprints[at : at + _CHUNK]))
                found |= set(c.execute(query).scalars())
        return frozenset(found)

    def _remember(self, listed: set[str], ended: Sequence[Alert]) -> None:
        fresh = sorted(listed - self._seen(sorted(listed)))
        if not fresh and not ended:
            return
        with self.database.write() as c:
            now = self.database.moment(c)
            if fresh:
                rows = [{"fingerprint": f, "seen_at": now} for f in fresh]
                c.execute(self.database.insert(polled).on_conflict_do_nothing(), rows)
            for alert in ended:
                c.execute(sa.delete(polled).where(polled.c.fingerprint == alert.fingerprint))
                self._absent.pop(alert.fingerprint, None)


def _is_news(alert: Alert, held: Mapping[str, Alert]) -> bool:
    """Whether we do not know that this alert fires, in this episode."""
    known = held.get(alert.fingerprint)
    return known is None or alert.starts_at > known.starts_at
