"""`payops log`: read, verify and export the prompt log. Every read is a record first, with who."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._log import opened, reader, say, search_of, settings_of, tell
from assistant.commands._log_keeping import hold, reconcile, reindex, retention, review, rotate
from assistant.commands._shared import AsJson, Config, State, group, one_line, print_json

if TYPE_CHECKING:
    pass

app = group("Read, verify and export the prompt log.")
Which = Annotated[str, typer.Argument(metavar="ID", help="index or id of a record")]
Reason = Annotated[str, typer.Option("--reason", help="why; kept in the log")]
Incident = Annotated[str | None, typer.Option(help="incident id")]
Person = Annotated[str | None, typer.Option(help="a real person, as slack:U…, oidc:… or os:…")]
Actor = Annotated[str | None, typer.Option(help="pseudonym or service")]
Since = Annotated[str | None, typer.Option(help="from this time on, ISO 8601 in UTC")]
Until = Annotated[str | None, typer.Option(help="before this time")]
Model = Annotated[str | None, typer.Option(help="requested model")]
Outcome = Annotated[str | None, typer.Option(help="ok, failed, blocked, denied or unknown")]
Events = Annotated[list[str] | None, typer.Option("--event", help="event, such as llm.request; may be repeated")]
Class = Annotated[str | None, typer.Option("--class", help="class of redaction, such as PAN")]
Release = Annotated[str | None, typer.Option(help="release that wrote it, as the console's Releases lists them")]
Checkpoints = Annotated[list[Path] | None, typer.Option("--checkpoint", help="kept elsewhere: note, drop, syslog")]


@app.command()
def show(which: Which, config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """One record and its story. The prompt as sent, what was redacted, evidence with queries, answer, verdicts, the
    note it became."""
    from assistant.promptlog.describe import story_json, story_lines

    with reader(config, state) as auditor:
        told = auditor.show(which)
        print_json(story_json(told)) if as_json else tell(*story_lines(told))


@app.command()
def search(
    incident: Incident = None,
    person: Person = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    model: Model = None,
    outcome: Outcome = None,
    event: Events = None,
    redacted: Class = None,
    release: Release = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="print a table for a spreadsheet")] = False,
    limit: Annotated[int, typer.Option(help="at most so many, newest first")] = 50,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Find records, newest first. By incident, person, time, model, outcome, event, class of redaction or release."""
    from assistant.promptlog.describe import record_json, record_line
    from assistant.promptlog.table import write_table

    with reader(config, state) as auditor:
        wanted = search_of(
            incident=incident,
            person=person,
            actor=actor,
            since=since,
            until=until,
            model=model,
            outcome=outcome,
            events=event,
            redacted=redacted,
            release=release,
        )
        found = auditor.search(wanted, limit=limit)
        if as_json:
            print_json({"records": [record_json(r) for r in found.records], "more": found.more})
            return
        if as_csv:
            write_table(sys.stdout.buffer, found.records)
        else:
            tell(*map(record_line, found.records))
        if found.more:
            say(f"there are more; --limit {limit * 4} shows them")


@app.command()
def verify(checkpoint: Checkpoints = None, config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Check the whole log. Everything is re-computed and compared with checkpoints held elsewhere; exit 1 on any
    doubt."""
    from assistant.promptlog.describe import report_json, report_lines
    from assistant.promptlog.open import outside_notes
    from assistant.promptlog.places import read_notes

    with one_line():
        settings = settings_of(config, state)
        outside = tuple(note for path in checkpoint or () for note in read_notes(path)) or outside_notes(settings)
    with reader(config, state, check=False) as auditor:
        report = auditor.verify(outside=outside)
        print_json(report_json(report)) if as_json else tell(*report_lines(report))
        if not report.ok:
            raise typer.Exit(1)


@app.command()
def prove(
    which: Which,
    out: Annotated[Path | None, typer.Option(help="file to write, NAME.tlog-proof")] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """Prove that a record is in the log. One file, verified offline (C2SP tlog-proof)."""
    with reader(config, state) as auditor:
        proof = auditor.prove(which)
        if out is None:
            sys.stdout.write(proof)
        else:
            out.write_text(proof, encoding="utf-8")


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="new folder, or file that ends in .zip")],
    reason: Reason,
    incident: Incident = None,
    person: Person = None,
    actor: Actor = None,
    since: Since = None,
    until: Until = None,
    model: Model = None,
    outcome: Outcome = None,
    event: Events = None,
    redacted: Class = None,
    release: Release = None,
    start: Annotated[int, typer.Option(help="first index")] = 0,
    stop: Annotated[int | None, typer.Option(help="index after the last")] = None,
    bodies: Annotated[bool, typer.Option(help="with prompts, answers and notes")] = True,
    identities: Annotated[bool, typer.Option(help="with who the pseudonyms are")] = False,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Take records away, with their proofs. A bundle that verifies without us: records, bodies, proofs,
    checkpoints, public key, verifier, statement."""
    with reader(config, state) as auditor:
        wanted = search_of(
            start=start,
            stop=stop,
            incident=incident,
            person=person,
            actor=actor,
            since=since,
            until=until,
            model=model,
            outcome=outcome,
            events=event,
            redacted=redacted,
            release=release,
            identities=identities,
        )
        done = auditor.export(out, selection=wanted, reason=reason, bodies=bodies)
        if as_json:
            print_json({**asdict(done), "path": str(done.path)})
            return
        tell(
            f"{done.path}: {done.records} of {done.size} records, {done.bodies} bodies, {done.gone} gone",
            done.statement,
            f"verify it with: python verify_promptlog.py {done.path} --key VKEY --checkpoint FILE",
        )


@app.command()
def checkpoint(
    publish: Annotated[bool, typer.Option(help="hand it to the places of [log] checkpoints as well")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """The newest signed checkpoint, signed now if the log has grown. The public key, which auditors are to get from you
    and not from an export, and how the places stand go to standard error."""
    with opened(config, state) as (log, settings):
        from assistant.errors import LogKeyMissing
        from assistant.promptlog.open import configured_publisher

        last = log.store.last_signed()
        publisher = configured_publisher(settings, log)
        if publish:
            publisher.publish_now()
            last = log.store.last_signed()
        if (last is None or last.size < log.size()) and log.keys.signer is not None:
            sys.stdout.write(log.checkpoint())
        elif last is not None:
            sys.stdout.write(last.note)
        else:
            raise LogKeyMissing(log.keys.signing_gap or "no signing key", mend="see [log] signing_key_file")
        say(f"key: {log.keys.verifiers()[0]}")
        health = publisher.health()
        for place in health.places:
            taken = f"{place.delivered_size} records at {place.delivered_time}" if place.delivered_time else "never"
            say(f"{place.place}: {taken}")
            if place.failures:
                say(f"{place.place}: {place.failures} failures since {place.failing_since}: {place.reason}")
        say(f"unprotected: {health.unprotected} records" + ("" if health.places else " (no place is configured)"))


@app.command()
def replay(which: Which, config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Rebuild a prompt and compare. From its recorded parts, byte by byte; exit 1 unless identical."""
    with reader(config, state) as auditor:
        done = auditor.replay(which)
        if as_json:
            print_json(asdict(done))
        elif done.identical:
            tell(f"identical: {done.size} bytes from {len(done.parts)} parts ({', '.join(done.parts)})")
        else:
            at = "" if done.differs_at is None else f", first at byte {done.differs_at}"
            tell(f"not shown to be identical: {done.reason}{at}", *(f"{name}: {why}" for name, why in done.gone))
        if not done.identical:
            raise typer.Exit(1)


for keeping in (review, hold, reconcile, retention, reindex, rotate):
    app.command()(keeping)
