"""Rounds of work on incidents: which are wanted, who has begun them, how often they crashed.

`payops_progress` holds one row an incident and says what is covered; beginning a round is one conditional UPDATE, so
two replicas cannot begin the same one. `payops_round` keeps each round and its owner, for takeover and for people.
`payops_step` counts how often a step of a workflow was begun and ended: the difference is crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa

from assistant.core.incident import IncidentId
from assistant.notebook.database import Database
from assistant.workflow.incidents import incidents

TABLES = sa.MetaData()
Kind = Literal["change", "look"]

progress = sa.Table(
    "payops_progress",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("covered", sa.Integer, nullable=False),
    sa.Column("busy", sa.Boolean, nullable=False),
    sa.Column("begun_at", sa.Float(53), nullable=False),
    sa.Column("looks", sa.Integer, nullable=False),
    sa.Column("look_at", sa.Float(53)),
)

rounds = sa.Table(
    "payops_round",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("shape", sa.Text, nullable=False),
    sa.Column("begun_at", sa.Float(53), nullable=False),
    sa.Column("done_at", sa.Float(53)),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False),
    sa.Index("payops_round_open", "done_at"),
)

steps = sa.Table(
    "payops_step",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("step", sa.Text, primary_key=True),
    sa.Column("begun", sa.Integer, nullable=False),
    sa.Column("ended", sa.Integer, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Round:
    """A round that was begun. `tries` counts the workflows started for it: the first, and those after a failure."""

    incident: IncidentId
    number: int
    owner: str
    shape: str
    begun_at: float
    tries: int = 1

    @property
    def workflow(self) -> str:
        return f"{self.incident}.{self.number}" if self.tries == 1 else f"{self.incident}.{self.number}.{self.tries}"


@dataclass(frozen=True, slots=True)
class Due:
    """An incident that wants a round: `wants` is what the round would cover, `begun` the rounds so far. `kind` is
    "change" where alerts changed, "look" where only time went by."""

    incident: IncidentId
    wants: int
    begun: int
    kind: Kind


class Rounds:
    """Raises Away and Damaged (see `notebook.database`). Times are the database's.

    `looks`: seconds after a round of an open incident at which to look again, because measurements keep coming in.
    """

    def __init__(self, database: Database, *, me: str, shape: str, looks: Sequence[float] = ()) -> None:
        self._db = database
        self._me = me
        self._shape = shape
        self._looks = tuple(looks)

    def due(self, *, apart_s: float, limit: int = 100) -> tuple[Due, ...]:
        """Incidents whose wants are not covered and whose last round began `apart_s` ago, or that are to be looked at
        again; first sights first."""
        p, i = progress, incidents
        with self._db.read() as c:
            now = self._db.moment(c)
            # A round begun in the future was begun before a clock was set back.
            rested = sa.or_(p.c.begun_at <= now - apart_s, p.c.begun_at > now)
            changed = sa.and_(p.c.covered < i.c.wants, rested)
            again = sa.and_(p.c.look_at <= now, i.c.resolved_at.is_(None))
            free = sa.or_(p.c.incident.is_(None), sa.and_(p.c.busy.is_(False), sa.or_(changed, again)))
            query = (
                sa.select(i.c.id, i.c.wants, p.c.begun, p.c.covered)
                .select_from(i.outerjoin(p, p.c.incident == i.c.id))
                .where(i.c.merged_into.is_(None), free, i.c.wants > 0)
                .order_by(p.c.begun_at.is_not(None), i.c.opened_at)
                .limit(limit)
            )
            rows = c.execute(query).all()
        return tuple(
            Due(IncidentId(r.id), r.wants, r.begun or 0, "change" if (r.covered or 0) < r.wants else "look")
            for r in rows
        )

    def begin(self, due: Due) -> Round | None:
        """Claim the next round of an incident; None where somebody else was quicker."""
        with self._db.write() as c:
            now = self._db.moment(c)
            first = {"incident": due.incident, "begun": 0, "covered": 0, "busy": False, "begun_at": 0.0, "looks": 0}
            c.execute(self._db.insert(progress).values(first).on_conflict_do_nothing())
            claimed = c.execute(
                sa.update(progress)
                .where(progress.c.incident == due.incident, progress.c.busy.is_(False))
                .where(progress.c.begun == due.begun, progress.c.covered <= due.wants)
                .values(begun=due.begun + 1, covered=due.wants, busy=True, begun_at=now, look_at=None)
                .values(looks=0 if due.kind == "change" else progress.c.looks + 1)
            )
            if claimed.rowcount != 1:
                return None
            begun = Round(due.incident, due.begun + 1, self._me, self._shape, now)
            row = {
                "incident": begun.incident,
                "number": begun.number,
                "owner": begun.owner,
                "shape": begun.shape,
                "begun_at": now,
                "outcome": "",
                "kind": due.kind,
                "tries": 1,
            }
            c.execute(sa.insert(rounds).values(row))
        return begun

    def own(self, incident: str, number: int) -> None:
        """We work on this round now."""
        with self._db.write() as c:
            mine = sa.and_(rounds.c.incident == incident, rounds.c.number == number, rounds.c.done_at.is_(None))
            c.execute(sa.update(rounds).where(mine).values(owner=self._me))

    def try_again(self, round_: Round) -> Round | None:
        """Claim another workflow for a round whose workflow failed; None where somebody else did."""
        with self._db.write() as c:
            changed = c.execute(
                sa.update(rounds)
                .where(rounds.c.incident == round_.incident, rounds.c.number == round_.number)
                .where(rounds.c.done_at.is_(None), rounds.c.tries == round_.tries)
                .values(tries=round_.tries + 1, owner=self._me, shape=self._shape)
            )
            if changed.rowcount != 1:
                return None
        return Round(round_.incident, round_.number, self._me, self._shape, round_.begun_at, round_.tries + 1)

    def finish(self, incident: str, number: int, *, outcome: str) -> None:
        """The round is over; said twice it is said once."""
        with self._db.write() as c:
            now = self._db.moment(c)
            open_ = sa.and_(rounds.c.incident == incident, rounds.c.number == number, rounds.c.done_at.is_(None))
            if c.execute(sa.update(rounds).where(open_).values(done_at=now, outcome=outcome)).rowcount:
                this = sa.and_(progress.c.incident == incident, progress.c.begun == number)
                c.execute(sa.update(progress).where(this).values(busy=False))
                done = c.execute(sa.select(progress.c.looks).where(this)).scalar()
                if done is not None and done < len(self._looks):
                    c.execute(sa.update(progress).where(this).values(look_at=now + self._looks[done]))

    def kind(self, incident: str, number: int) -> Kind:
        """Why the round was begun."""
        with self._db.read() as c:
            query = sa.select(rounds.c.kind).where(rounds.c.incident == incident, rounds.c.number == number)
            return "look" if c.execute(query).scalar() == "look" else "change"

    def unfinished(self) -> tuple[Round, ...]:
        """Rounds that were begun and are not over, oldest first."""
        with self._db.read() as c:
            rows = c.execute(sa.select(rounds).where(rounds.c.done_at.is_(None)).order_by(rounds.c.begun_at)).all()
        return tuple(Round(IncidentId(r.incident), r.number, r.owner, r.shape, r.begun_at, r.tries) for r in rows)

    def step_begins(self, incident: str, number: int, step: str) -> int:
        """Count a beginning; returns how often this step crashed before, or how often another one of the round did."""
        with self._db.write() as c:
            same = sa.and_(steps.c.incident == incident, steps.c.number == number)
            lost = sa.select(sa.func.coalesce(sa.func.sum(steps.c.begun - steps.c.ended), 0)).where(same)
            crashes = int(c.execute(lost).scalar_one())
            row = {"incident": incident, "number": number, "step": step, "begun": 1, "ended": 0}
            insert = self._db.insert(steps).values(row)
            more = {"begun": steps.c.begun + 1}
            c.execute(insert.on_conflict_do_update(index_elements=["incident", "number", "step"], set_=more))
        return crashes

    def step_ends(self, incident: str, number: int, step: str) -> None:
        """Count an end: by a result, an error, or our own stopping. What is not ended was a crash."""
        this = sa.and_(steps.c.incident == incident, steps.c.number == number, steps.c.step == step)
        with self._db.write() as c:
            c.execute(sa.update(steps).where(this).values(ended=steps.c.ended + 1))
