"""Who has which role since when, from the records: for the review of rights every six months (PCI DSS 7.2.4).

A person is a pseudonym of the log; who it is comes from the identity blob, and the name from the store of sessions,
as long as both are there. The roles of a person are those of the newest `role.change`: what was seen at the last login,
not what the provider says today. So somebody who left a group and never came back is listed, with the day last seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from assistant.promptlog.log import Log
from assistant.promptlog.record import Event, Gone, Outcome, Record, format_time
from assistant.promptlog.store import Filter
from assistant.settings import Settings

STALE = timedelta(days=90)
"""PCI DSS 8.2.6: accounts not used for 90 days are taken away."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One person. `since` is when the roles became these, by the record `record`; `notes` are for whoever reviews."""

    actor: str
    person: str
    name: str
    roles: tuple[str, ...]
    since: datetime
    record: str
    first_seen: datetime
    last_seen: datetime
    logins: int = 0
    denied: int = 0
    history: tuple[tuple[datetime, tuple[str, ...]], ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Report:
    """`configured` is what `payops.toml` gives: role to groups, and who may ask in Slack. `records` were read."""

    made_at: datetime
    records: int
    grants: tuple[Grant, ...]
    configured: Mapping[str, tuple[str, ...]]


def access_report(log: Log, settings: Settings, *, names: Mapping[str, tuple[str, float]] | None = None) -> Report:
    """Read the log's logins, refusals and changes of roles. Raises PromptLogError."""
    now, size = log.clock(), log.size()
    events = (Event.AUTH_LOGIN.value, Event.ROLE_CHANGE.value, Event.AUTH_DENIED.value)
    found: dict[str, Grant] = {}
    for record in log.search(Filter(stop=size, events=events)):
        if record.identity is not None:
            found[record.actor] = _after(found.get(record.actor), record)
    people = {r.actor: r for r in _newest(log, found)}
    grants = (_known(log, grant, people[grant.actor], names or {}) for grant in found.values())
    noted = (replace(grant, notes=tuple(_notes(grant, now))) for grant in grants)
    ordered = sorted(noted, key=lambda g: (not g.roles, g.person, g.actor))
    return Report(now, size, tuple(ordered), configured(settings))


def configured(settings: Settings) -> Mapping[str, tuple[str, ...]]:
    """Who gets what by configuration, in words of the file."""
    web, slack = settings.web, settings.slack
    given = {f"web.roles.{role}": tuple(groups) for role, groups in sorted(web.roles.items())}
    local = {"web.login none": ("one local person, every role",)} if web.login == "none" else {}
    return {**given, **local, "slack.users": slack.users, "slack.channels": slack.channels}


def _after(grant: Grant | None, record: Record) -> Grant:
    """A person after one more record of theirs."""
    at = record.time
    grant = grant or Grant(record.actor, "", "", (), at, record.id, at, at)
    if record.event is Event.AUTH_DENIED:
        return replace(grant, denied=grant.denied + int(record.facts.get("requests", 1)))
    if record.event is Event.ROLE_CHANGE:
        roles = tuple(map(str, record.facts.get("roles", ())))
        return replace(grant, roles=roles, since=at, record=record.id, history=(*grant.history, (at, roles)))
    came = record.outcome is Outcome.OK and not record.facts.get("ended")
    return replace(grant, last_seen=at, logins=grant.logins + int(came))


def _newest(log: Log, found: Iterable[str]) -> Iterator[Record]:
    """The newest record of each: the one whose identity blob is likeliest to be there."""
    for actor in found:
        yield next(iter(log.search(Filter(actor=actor), newest_first=True)))


def _known(log: Log, grant: Grant, record: Record, names: Mapping[str, tuple[str, float]]) -> Grant:
    who = log.identity(record)
    person = f"({who.reason.value})" if isinstance(who, Gone) else who
    last = max(grant.last_seen, record.time)
    return replace(grant, person=person, name=names.get(person, ("", 0.0))[0], last_seen=last)


def _notes(grant: Grant, now: datetime) -> Iterator[str]:
    if {"auditor", "commander"} <= set(grant.roles):
        yield "both operates and audits"
    if grant.roles and now - grant.last_seen > STALE:
        yield f"not seen for {(now - grant.last_seen).days} days"
    if grant.denied:
        yield f"refused {grant.denied} times"


def report_json(report: Report) -> dict[str, object]:
    """For machines; times in ISO 8601, UTC."""
    return {
        "made_at": format_time(report.made_at),
        "records": report.records,
        "configured": {name: list(given) for name, given in report.configured.items()},
        "people": [
            {
                "actor": g.actor,
                "person": g.person,
                "name": g.name,
                "roles": list(g.roles),
                "since": format_time(g.since),
                "record": g.record,
                "first_seen": format_time(g.first_seen),
                "last_seen": format_time(g.last_seen),
                "logins": g.logins,
                "denied": g.denied,
                "history": [{"at": format_time(at), "roles": list(roles)} for at, roles in g.history],
                "notes": list(g.notes),
            }
            for g in report.grants
        ],
    }


def report_lines(report: Report) -> Iterator[str]:
    """For people who review and sign."""
    day = "%Y-%m-%d"
    yield f"Access on {report.made_at.strftime(day)}, from records 0 to {report.records - 1} of the prompt log."
    yield ""
    for g in report.grants:
        who = f"{g.name} ({g.person})" if g.name else g.person
        yield f"{who}  {g.actor}"
        yield f"  roles  {', '.join(g.roles) or 'none'} since {g.since.strftime(day)} (record {g.record})"
        seen = f"{g.first_seen.strftime(day)} to {g.last_seen.strftime(day)}"
        yield f"  seen   {seen}, {g.logins} logins" + (f"; {'; '.join(g.notes)}" if g.notes else "")
    if not report.grants:
        yield "Nobody has logged in."
    yield ""
    yield "Given by configuration:"
    for name, given in report.configured.items():
        yield f"  {name}: {', '.join(given) or '-'}"
