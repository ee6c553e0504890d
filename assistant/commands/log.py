"""`payops log`: read, verify and export the prompt log. Every read is a record first, with who."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._log import opened, reader, search_of, settings_of
from assistant.commands._shared import AsJson, Config, State, group, one_line, print_json

if TYPE_CHECKING:
    from assistant.promptlog.log import Log

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
    """The prompt as sent, what was redacted, evidence with queries, answer, verdicts, the note it became."""
    from assistant.promptlog.describe import story_json, story_lines

    with reader(config, state) as auditor:
        told = auditor.show(which)
        print_json(story_json(told)) if as_json else _print(*story_lines(told))


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
    """Records by incident, person, time, model, outcome, event or class of redaction, newest first."""
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
            _print(*map(record_line, found.records))
        if found.more:
            _say(f"there are more; --limit {limit * 4} shows them")


@app.command()
def verify(checkpoint: Checkpoints = None, config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Re-compute everything and compare with checkpoints held elsewhere. Exit 1 on any doubt."""
    from assistant.promptlog.describe import report_json, report_lines
    from assistant.promptlog.open import outside_notes
    from assistant.promptlog.places import read_notes

    with one_line():
        settings = settings_of(config, state)
        outside = tuple(note for path in checkpoint or () for note in read_notes(path)) or outside_notes(settings)
    with reader(config, state, check=False) as auditor:
        report = auditor.verify(outside=outside)
        print_json(report_json(report)) if as_json else _print(*report_lines(report))
        if not report.ok:
            raise typer.Exit(1)


@app.command()
def prove(
    which: Which,
    out: Annotated[Path | None, typer.Option(help="file to write, NAME.tlog-proof")] = None,
    config: Config = None,
    state: State = None,
) -> None:
    """A one-file offline proof that a record is in the log (C2SP tlog-proof)."""
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
    """A bundle that verifies without us: records, bodies, proofs, checkpoints, public key, verifier, statement."""
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
        _print(
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
        _say(f"key: {log.keys.verifiers()[0]}")
        health = publisher.health()
        for place in health.places:
            taken = f"{place.delivered_size} records at {place.delivered_time}" if place.delivered_time else "never"
            _say(f"{place.place}: {taken}")
            if place.failures:
                _say(f"{place.place}: {place.failures} failures since {place.failing_since}: {place.reason}")
        _say(f"unprotected: {health.unprotected} records" + ("" if health.places else " (no place is configured)"))


@app.command()
def replay(which: Which, config: Config = None, state: State = None, as_json: AsJson = False) -> None:
    """Rebuild a prompt from its recorded parts and compare the bytes. Exit 1 unless identical."""
    with reader(config, state) as auditor:
        done = auditor.replay(which)
        if as_json:
            print_json(asdict(done))
        elif done.identical:
            _print(f"identical: {done.size} bytes from {len(done.parts)} parts ({', '.join(done.parts)})")
        else:
            at = "" if done.differs_at is None else f", first at byte {done.differs_at}"
            _print(f"not shown to be identical: {done.reason}{at}", *(f"{name}: {why}" for name, why in done.gone))
        if not done.identical:
            raise typer.Exit(1)


@app.command()
def review(
    step: Annotated[str, typer.Argument(metavar="[list|screen|next|accept|flag]")] = "list",
    which: Annotated[str | None, typer.Argument(metavar="[ID]")] = None,
    reason: Annotated[str, typer.Option("--reason", help="for flag: what is wrong")] = "",
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """The daily review: rules screen every record, people take the exceptions; both are records."""
    from assistant.errors import UsageError
    from assistant.promptlog import review as reviewing

    with reader(config, state) as auditor:
        log, who = auditor.log, auditor.person
        if step == "screen":
            done = reviewing.screen(log, identity=who)
            _print(f"screened records {done.start} to {done.stop - 1}: {len(done.exceptions)} exceptions")
        elif step == "next":
            task = reviewing.take_next(log, identity=who)
            _print("nothing to review" if task is None else _task_line(log, task))
        elif step in {"accept", "flag"} and which is not None:
            settle = reviewing.accept if step == "accept" else _flagging(reason)
            _print(f"{step}: {settle(log, which, identity=who).id}")
        elif step == "list":
            _list_reviews(log, as_json)
        else:
            raise UsageError("review takes list, screen, next, accept ID or flag ID", mend="payops log review --help")


@app.command()
def hold(
    case: Annotated[str | None, typer.Argument(metavar="[CASE]", help="incident id; none lists them")] = None,
    reason: Annotated[str, typer.Option("--reason", help="why; kept in the log")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="end the hold")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Stop (or, with --lift, resume) the expiry of everything that belongs to a case."""
    from assistant.promptlog import retention as keeping

    with reader(config, state) as auditor:
        if case is None:
            _print(*(sorted(keeping.holds(auditor.log)) or ["nothing is on hold"]))
            return
        keeping.hold(auditor.log, case, identity=auditor.person, reason=reason, lift=lift)
        _print(f"{case}: {'no longer on hold' if lift else 'on hold'}")


@app.command()
def reconcile(
    report: Annotated[Path, typer.Argument(help="the provider's usage report, or an egress proxy's log")],
    host: Annotated[str, typer.Option(help="the model's host in a proxy's log")] = "",
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """What others counted against what the log holds. Exit 1 if there is a difference."""
    from assistant.errors import UsageError
    from assistant.promptlog.reconcile import reconcile as compare

    with reader(config, state) as auditor:
        try:
            text = report.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            raise UsageError(f"{report} cannot be read ({type(fault).__name__})") from None
        done = compare(auditor.log, text, host=host)
        if as_json:
            sys.stdout.write(_dumped(asdict(done)))
        else:
            for d in done.differences:
                ours = str(d.ours[0]) if d.ours[0] == d.ours[1] else f"{d.ours[0]} to {d.ours[1]}"
                _print(f"{d.start:%Y-%m-%dT%H:%M:%SZ}  {d.what}: {d.theirs} there, {ours} in the log")
            _print(f"{done.compared} rows compared, {len(done.differences)} differences", *done.notes)
        if done.differences:
            raise typer.Exit(1)


@app.command()
def retention(
    apply: Annotated[bool, typer.Option("--apply", help="expire bodies and move segments now")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """What is kept how long; with --apply, expire bodies and move old records to cold storage."""
    from assistant.promptlog import retention as keeping
    from assistant.promptlog.open import cold_directory

    with opened(config, state) as (log, settings):
        now = log.clock()
        hot, kept = settings.log.hot_months, settings.log.retain_months
        held = keeping.holds(log)
        _print(f"bodies kept {kept} months, records {hot} months at hand, then in {cold_directory(settings)}")
        _print(f"on hold: {', '.join(sorted(held)) or 'nothing'}")
        if apply:
            count = keeping.expire_bodies(log, before=now - kept * keeping.MONTH, actor="cli")
            cold = cold_directory(settings)
            moved = keeping.archive(log, before=now - hot * keeping.MONTH, directory=cold, actor="cli")
            _print(f"{count} bodies expired, {len(moved)} segments moved")


@app.command()
def rotate(
    kind: Annotated[str, typer.Argument(metavar="signing|body")], config: Config = None, state: State = None
) -> None:
    """Add a new key to the key file and record it. Processes that run take it up when they are restarted."""
    from assistant.errors import UsageError
    from assistant.promptlog import rotate as rotating

    with reader(config, state) as auditor:
        settings = settings_of(config, state)
        files = {"signing": settings.log.signing_key_file, "body": settings.log.body_key_file}
        commands = {"signing": settings.log.signing_key_command, "body": settings.log.body_key_command}
        if kind not in files:
            raise UsageError("rotate takes signing or body")
        if commands[kind] and not files[kind]:
            raise UsageError("that key is kept by a program", mend="add a key there, then restart")
        path = Path(files[kind]) if files[kind] else settings.state / "keys" / f"{kind}.key"
        if kind == "signing":
            _print(f"new public key: {rotating.rotate_signing(auditor.log, path, identity=auditor.person)}")
        else:
            _print(f"new body key: {rotating.rotate_body(auditor.log, path, identity=auditor.person)}")


# -- what they share


def _flagging(reason: str) -> Any:
    from functools import partial

    from assistant.promptlog.review import flag

    return partial(flag, reason=reason)


def _list_reviews(log: Log, as_json: bool) -> None:
    from assistant.promptlog import review as reviewing

    found, how = reviewing.tasks(log), reviewing.progress(log)
    if as_json:
        sys.stdout.write(_dumped({"progress": asdict(how), "tasks": [asdict(t) for t in found]}))
        return
    _print(*(_task_line(log, t) for t in found if t.state in {"open", "taken"}))
    last = f"{how.last:%Y-%m-%d %H:%M}Z" if how.last else "never"
    _print(
        f"{how.screened} of {how.size} records screened (last {last}): {how.open} open, {how.taken} taken,"
        f" {how.accepted} accepted, {how.flagged} flagged"
    )


def _task_line(log: Log, task: Any) -> str:
    from assistant.promptlog.review import RULES

    why = "; ".join(rule.why for rule in RULES if rule.name in task.rules)
    return f"{task.index:>8}  {task.id}  {log.get(task.id).event.value:<20} {task.state:<8}  {why}"


def _dumped(value: object) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n"


def _print(*lines: str) -> None:
    sys.stdout.writelines(line + "\n" for line in lines)


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
