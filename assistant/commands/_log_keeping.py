"""`payops log`, what keeps it: the daily review, holds, retention, keys, and what others counted."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.commands._log import dumped, opened, reader, say, settings_of, tell
from assistant.commands._shared import AsJson, Config, State

if TYPE_CHECKING:
    from assistant.promptlog.log import Log


def review(
    step: Annotated[str, typer.Argument(metavar="[list|screen|next|accept|flag]", help="what to do")] = "list",
    which: Annotated[str | None, typer.Argument(metavar="[ID]", help="index or id, for accept and flag")] = None,
    reason: Annotated[str, typer.Option("--reason", help="for flag: what is wrong")] = "",
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """The daily review. Rules screen every record, people take the exceptions; both are records. Nobody settles their
    own act, or an incident they had a hand in."""
    from assistant.errors import UsageError
    from assistant.promptlog import review as reviewing

    with reader(config, state) as auditor:
        log, who = auditor.log, auditor.person
        if step == "screen":
            done = reviewing.screen(log, identity=who)
            tell(f"screened records {done.start} to {done.stop - 1}: {len(done.exceptions)} exceptions")
        elif step == "next":
            task = reviewing.take_next(log, identity=who)
            tell("nothing to review" if task is None else _task_line(log, task))
        elif step in {"accept", "flag"} and which is not None:
            settle = reviewing.accept if step == "accept" else _flagging(reason)
            tell(f"{step}: {settle(log, which, identity=who).id}")
        elif step == "list":
            _list_reviews(log, as_json)
        else:
            raise UsageError("review takes list, screen, next, accept ID or flag ID", mend="payops log review --help")


def hold(
    case: Annotated[str | None, typer.Argument(metavar="[CASE]", help="incident id; none lists them")] = None,
    reason: Annotated[str, typer.Option("--reason", help="why; kept in the log")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="end the hold")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Keep what belongs to a case. Stops the expiry of all of it, or with --lift resumes it."""
    from assistant.promptlog import retention as keeping

    with reader(config, state) as auditor:
        if case is None:
            tell(*(sorted(keeping.holds(auditor.log)) or ["nothing is on hold"]))
            return
        keeping.hold(auditor.log, case, identity=auditor.person, reason=reason, lift=lift)
        tell(f"{case}: {'no longer on hold' if lift else 'on hold'}")


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
            sys.stdout.write(dumped(asdict(done)))
        else:
            for d in done.differences:
                ours = str(d.ours[0]) if d.ours[0] == d.ours[1] else f"{d.ours[0]} to {d.ours[1]}"
                tell(f"{d.start:%Y-%m-%dT%H:%M:%SZ}  {d.what}: {d.theirs} there, {ours} in the log")
            tell(f"{done.compared} rows compared, {len(done.differences)} differences", *done.notes)
        if done.differences:
            raise typer.Exit(1)


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="expire bodies and move segments now")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """What is kept how long. With --apply, expire bodies and move old records to cold storage."""
    from assistant.promptlog import retention as keeping
    from assistant.promptlog.open import cold_directory

    with opened(config, state) as (log, settings):
        now = log.clock()
        hot, kept = settings.log.hot_months, settings.log.retain_months
        held = keeping.holds(log)
        tell(f"bodies kept {kept} months, records {hot} months at hand, then in {cold_directory(settings)}")
        tell(f"on hold: {', '.join(sorted(held)) or 'nothing'}")
        if apply:
            count = keeping.expire_bodies(log, before=now - kept * keeping.MONTH, actor="cli")
            cold = cold_directory(settings)
            moved = keeping.archive(log, before=now - hot * keeping.MONTH, directory=cold, actor="cli")
            tell(f"{count} bodies expired, {len(moved)} segments moved")


def reindex(config: Config = None, state: State = None) -> None:
    """Make old cold segments searchable. By release and class of redaction, after an upgrade from a log that knew
    neither. The segments have to be at hand; exit 1 where one is not."""
    from assistant.promptlog import reindex as finding

    with reader(config, state) as auditor:
        done = finding.reindex(auditor.log, identity=auditor.person)
        tell(f"{done.records} cold records are found by release and class")
        if done.missing:
            say(f"not at hand: {', '.join(done.missing)}; bring them back, then do it again")
            raise typer.Exit(1)


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
            tell(f"new public key: {rotating.rotate_signing(auditor.log, path, identity=auditor.person)}")
        else:
            tell(f"new body key: {rotating.rotate_body(auditor.log, path, identity=auditor.person)}")


def _flagging(reason: str) -> Any:
    from functools import partial

    from assistant.promptlog.review import flag

    return partial(flag, reason=reason)


def _list_reviews(log: Log, as_json: bool) -> None:
    from assistant.promptlog import review as reviewing

    found, how = reviewing.tasks(log), reviewing.progress(log)
    if as_json:
        sys.stdout.write(dumped({"progress": asdict(how), "tasks": [asdict(t) for t in found]}))
        return
    tell(*(_task_line(log, t) for t in found if t.state in {"open", "taken"}))
    last = f"{how.last:%Y-%m-%d %H:%M}Z" if how.last else "never"
    tell(
        f"{how.screened} of {how.size} records screened (last {last}): {how.open} open, {how.taken} taken,"
        f" {how.accepted} accepted, {how.flagged} flagged"
    )


def _task_line(log: Log, task: Any) -> str:
    from assistant.promptlog.review import RULES

    why = "; ".join(rule.why for rule in RULES if rule.name in task.rules)
    return f"{task.index:>8}  {task.id}  {log.get(task.id).event.value:<20} {task.state:<8}  {why}"
