"""`payops access`: who has which role since when, who is in now, and ending that. Each use is a record first."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._log import opened
from assistant.commands._shared import AsJson, Config, State, group, print_json

if TYPE_CHECKING:
    from assistant.promptlog.log import Log
    from assistant.settings import Settings
    from assistant.web.access.sessions import Sessions

app = group("Who has which role since when, and who is in now.")
Who = Annotated[str, typer.Argument(metavar="PERSON", help="as the report shows it: oidc:…, proxy:…, or a pseudonym")]


@app.command()
def report(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Who has which role since when. Every person, with when last seen: for the six-monthly review (PCI DSS
    7.2.4)."""
    from assistant.web.access.report import access_report, report_json, report_lines

    with opened(config, state) as (log, settings):
        _record_read(log, "access-report")
        store = _sessions(settings)
        found = access_report(log, settings, names=store.names() if store else {})
        print_json(report_json(found)) if as_json else _print(*report_lines(found))


@app.command()
def sessions(config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Who is in now, on all replicas, last used first."""
    with opened(config, state) as (log, settings):
        _record_read(log, "access-sessions")
        store = _sessions(settings)
        open_now = store.all() if store else ()
        if as_json:
            print_json(
                [{n: getattr(s, n) for n in ("person", "name", "roles", "how", "made_at", "seen_at")} for s in open_now]
            )
            return
        for s in open_now:
            seen = datetime.fromtimestamp(s.seen_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            _print(f"{s.name} ({s.person})  {', '.join(s.roles)}  by {s.how}, last used {seen}")
        if not open_now:
            _print("nobody is in")


@app.command()
def revoke(
    person: Annotated[str, typer.Argument(metavar="[PERSON]", help="oidc:…, proxy:… or a pseudonym")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="end every session")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """End sessions. Of a person, or of everybody, on every replica at once; they can log in again if let in."""
    from assistant.errors import UsageError

    with opened(config, state) as (log, settings):
        if bool(person) == everybody:
            raise UsageError("whose sessions?", mend="give PERSON, or --all")
        who = _person(log, person) if person else ""
        store = _store(settings)
        _record_decision(log, "revoke", who)
        ended = store.end_all(who)
        _print(f"{len(ended)} sessions ended")


@app.command()
def forget(
    person: Who,
    config: Config = None,
    state: State = None,
) -> None:
    """Erase who a pseudonym is. Identity in the prompt log, name and sessions go; records and proofs stay."""
    from assistant.local_person import person as me
    from assistant.promptlog.retention import erase_person

    with opened(config, state) as (log, settings):
        who = _person(log, person)
        erased = erase_person(log, who, identity=f"os:{me()}")
        store = _sessions(settings)
        if store:
            store.forget(who)
        _print(f"{erased} identity blobs erased")


def _sessions(settings: Settings) -> Sessions | None:
    """The store of sessions; None where the console has no login."""
    return None if settings.web.login == "none" else _store(settings)


def _store(settings: Settings) -> Sessions:
    from assistant.web.access.open import open_sessions, session_key

    store = open_sessions(settings, session_key(settings))
    store.prepare()
    return store


def _person(log: Log, given: str) -> str:
    """The real person behind what was given. UsageError where it is nobody that the log knows."""
    from assistant.errors import UsageError
    from assistant.promptlog.record import Gone
    from assistant.promptlog.store import Filter

    if given.startswith("person-"):
        record = next(iter(log.search(Filter(actor=given), newest_first=True)), None)
        found = log.identity(record) if record is not None else ""
        given = "" if isinstance(found, Gone) else found
    if not given or not log.pseudonyms_of(given):
        raise UsageError("nobody of that name is in the log", mend="payops access report lists them")
    return given


def _record_read(log: Log, action: str) -> None:
    from assistant.local_person import person
    from assistant.promptlog.record import Entry, Event

    log.append(
        Entry(
            event=Event.AUDIT_READ,
            identity=f"os:{person()}",
            origin="cli",
            resource="access",
            facts={"action": action},
        )
    )


def _record_decision(log: Log, decision: str, who: str) -> None:
    from assistant.local_person import person
    from assistant.promptlog.record import Entry, Event

    pseudonyms = log.pseudonyms_of(who) if who else ("everybody",)
    log.append(
        Entry(
            event=Event.CONFIG_CHANGE,
            identity=f"os:{person()}",
            origin="cli",
            resource="sessions",
            facts={"decision": decision, "people": pseudonyms},
        )
    )


def _print(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
