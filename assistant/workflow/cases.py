"""Cases for security people: card data where it should not be (PCI DSS 12.10.7), once an incident, source and class.

A case is a record of the prompt log first, then a row here and a parcel of the outbox in one transaction, so that it is
told exactly once however often the same lines are read. Published test numbers and tokens of configured ranges are
counted and recorded, and nobody is called for them. A case holds no value and no link into a log.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from assistant.core.time import iso
from assistant.errors import PromptLogError, WorkflowError
from assistant.notebook.database import Database
from assistant.ports import PromptLog
from assistant.promptlog.record import Entry, Event, Outcome, slug
from assistant.workflow.outbox import Outbox
from redaction import CardholderFinding, LeakBlocked

TABLES = sa.MetaData()
OUTLET = "security"
_LOG = logging.getLogger("payops.workflow")

cases = sa.Table(
    "payops_case",
    TABLES,
    sa.Column("incident", sa.Text, primary_key=True),
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("klass", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("opened_at", sa.Float(53), nullable=False),
)


@dataclass(frozen=True, slots=True)
class Case:
    """What is told. `place` is "telemetry", "slack" or "note"; `lines` are words of ours, the first one the title."""

    incident: str
    place: str
    source: str
    klass: str
    lines: tuple[str, ...]
    test: bool = False


def telemetry_case(incident: str, found: CardholderFinding) -> Case:
    since = iso(found.first_seen.timestamp()) if found.first_seen else "a time that is not known"
    lines = "line" if found.lines == 1 else "lines"
    return Case(
        incident,
        "telemetry",
        found.source,
        found.klass,
        (
            f"Cardholder data in telemetry of {found.source}",
            f"Class {found.klass}, {found.lines} {lines} seen, the first at {since}.",
            f"It was read for {incident}; the values were removed before anything else saw them, and none is kept.",
            "To do: stop it at its source, find out who could read it, remove it, and keep what was done.",
        ),
        test=found.test_pan or found.klass == "TOKEN",
    )


def typed_case(question: str, klasses: Iterable[str], *, channel: str, at: float) -> Case:
    """A person typed card data into a chat."""
    named = ", ".join(sorted(klasses))
    return Case(
        question,
        "slack",
        f"channel {channel}",
        named,
        (
            "Cardholder data typed in Slack",
            f"Class {named}, in channel {channel}, at {iso(at)}.",
            "The person was asked in private to delete the message; our copy holds no value.",
            "To do: see that the message is deleted, and whether Slack's retention keeps it.",
        ),
    )


class Cases:
    """`channel`: whether there is somebody to tell; without, cases are counted and recorded only. `count` is told the
    place and class of each. Raises Away, Damaged."""

    def __init__(
        self,
        database: Database,
        outbox: Outbox,
        *,
        promptlog: Callable[[], PromptLog],
        channel: bool,
        count: Callable[[str, str], None],
    ) -> None:
        self._db = database
        self._outbox = outbox
        self._log = promptlog
        self._channel = channel
        self._count = count

    def open_found(self, incident: str, findings: Iterable[CardholderFinding]) -> None:
        """A case for each finding. Nothing of it may stop a note: trouble is said in the log."""
        for finding in findings:
            try:
                if self.open(telemetry_case(incident, finding)):
                    _LOG.warning("cardholder data: a case", extra={"incident": incident, "class": finding.klass})
            except (WorkflowError, LeakBlocked) as error:
                _LOG.error("a case could not be opened", extra={"reason": type(error).__name__})

    def open(self, case: Case) -> bool:
        """Open it unless it is open. True if it is new."""
        key = {"incident": case.incident, "source": case.source[:200], "klass": case.klass}
        with self._db.read() as c:
            if c.execute(sa.select(cases.c.number).where(*(cases.c[k] == v for k, v in key.items()))).first():
                return False
        self._recorded(case)
        with self._db.write(lock="place") as c:
            before = sa.select(sa.func.count()).where(cases.c.incident == case.incident)
            number = int(c.execute(before).scalar_one()) + 1
            row = {**key, "number": number, "opened_at": self._db.moment(c)}
            kept = self._db.insert(cases).values(row).on_conflict_do_nothing().returning(cases.c.number)
            if c.execute(kept).first() is None:
                return False
            if self._channel and not case.test:
                self._outbox.put(
                    c, incident=case.incident, outlet=OUTLET, revision=number, payload={"lines": list(case.lines)}
                )
        self._count("test" if case.test else case.place, case.klass)
        return True

    def _recorded(self, case: Case) -> None:
        """A case without a record is told all the same: the log being in trouble must not hide it."""
        entry = Entry(
            event=Event.REDACTION_BLOCK,
            actor="cases",
            outcome=Outcome.BLOCKED,
            resource="cardholder-data",
            incident=case.incident,
            facts={"place": case.place, "source": slug(case.source), "class": slug(case.klass), "test": case.test},
        )
        try:
            self._log().append(entry)
        except (PromptLogError, LeakBlocked):
            return
