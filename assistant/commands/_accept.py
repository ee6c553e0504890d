"""Accepting a report below `payops eval`: a key for each approver, an approval that is signed, the acceptance."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assistant.commands._shared import AsJson, Config, State, one_line, print_json

if TYPE_CHECKING:
    from assistant.promptlog.keys import Signer

# ruff: noqa: T201

Report = Annotated[Path, typer.Argument(help="the report (JSON) that payops eval run lab --report wrote")]
PeopleFile = Annotated[Path, typer.Option("--people", help="who may accept: see evals/people.py")]
Rollback = Annotated[bool, typer.Option("--rollback", help="go back to a report that was accepted before")]


def key(
    file: Annotated[Path, typer.Argument(help="a new file for the private half; it stays with the approver")],
    person: Annotated[str, typer.Option("--id", help="who the key is of, as in the people file")],
) -> None:
    """Make an approver's key (0600) and print its public half for the people file."""
    from assistant.errors import UsageError
    from assistant.promptlog.keys import new_signing_key, parse_signing_key, write_private
    from evals.people import HANDLE

    with one_line():
        if file.exists():
            raise UsageError(f"{file} is there already", mend="name another file; a key is never written over")
        if not HANDLE.fullmatch(person):
            raise UsageError(f"{person!r} is no handle", mend="letters a-z, digits, dot and dash: bea.k")
        line = new_signing_key(person)
        write_private(file, line + "\n")
        print(f'key = "{parse_signing_key(line).key}"')


def approve(
    report: Report,
    key_file: Annotated[Path, typer.Option("--key", help="your own key, from payops eval key")],
    people: PeopleFile,
    out: Annotated[Path, typer.Option("--out", help="where the approval goes")] = Path("approval.txt"),
    rollback: Rollback = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Sign that a report may be accepted. Run it yourself, in your own checkout of the commit: what you sign is made
    from what lies there."""
    from assistant.errors import UsageError
    from assistant.settings import load_settings
    from evals.approval import sign
    from evals.people import read_people
    from evals.promote import statement
    from evals.reports import read_report, size_words

    with one_line():
        found, signer = read_report(report), _signer(key_file)
        action = "rollback" if rollback else "accept"
        settings = load_settings(config, state=state)
        listed = read_people(people)
        said = statement(found, settings, listed, approver=signer.key.name, action=action, now=time.time())  # type: ignore[arg-type]
        if signer.key.name in said.authors:
            raise UsageError(f"{signer.key.name} wrote this change, and does not accept it", mend="ask somebody else")
        print(size_words(found))
        for name in found["targets"]:
            print(f"  {name:<24} {found['figures'].get(name)}   target {found['targets'][name]}")
        print(f"\n{said.text()}")
        if not yes and not typer.confirm("sign this?"):
            raise UsageError("nothing was signed", mend="read the report, and run it again")
        out.write_text(sign(said, signer), encoding="utf-8")
        print(f"{out}: signed; next: payops eval accept {report} --approval {out} --people {people}")


def accept(
    report: Report,
    approval: Annotated[Path | None, typer.Option("--approval", help="what the approver signed")] = None,
    people: Annotated[Path | None, typer.Option("--people", help="who may accept")] = None,
    rollback: Rollback = False,
    as_baseline: Annotated[
        bool, typer.Option("--baseline", help="nobody approves: a report to begin with; the record says so")
    ] = False,
    config: Config = None,
    state: State = None,
) -> None:
    """Make an approved report the one to compare with, and write the promotion to the prompt log."""
    from assistant.errors import UsageError
    from assistant.settings import load_settings
    from evals.people import read_people
    from evals.promote import NOBODY, accepted_by, baseline, promote
    from evals.reports import accepted_report, read_report

    with one_line():
        settings = load_settings(config, state=state)
        if as_baseline:
            if approval or rollback:
                raise UsageError("a baseline has no approval and is no rollback", mend="leave the other options out")
            receipt = baseline(read_report(report), settings)
            print(f"{NOBODY}; record {receipt.index} of the prompt log")
            return
        if approval is None or people is None:
            mend = "payops eval approve REPORT --key FILE --people FILE, run by a second person"
            raise UsageError("accepting needs --approval and --people", mend=mend)
        receipt = promote(
            read_report(report), settings, read_people(people), approval=_text(approval), rollback=rollback
        )
        print(f"{accepted_by(accepted_report() or {})}; record {receipt.index} of the prompt log")


def accepted(people: PeopleFile = Path("people.toml"), as_json: AsJson = False) -> None:
    """Who accepted the report that stands, by the signature in it; exit 1 where nobody did or it does not hold."""
    from assistant.errors import UsageError
    from evals.people import read_people
    from evals.promote import NOBODY, accepted_by, check_accepted
    from evals.reports import accepted_report

    with one_line():
        found = accepted_report()
        if found is None:
            raise UsageError("no report was accepted yet", mend="payops eval accept")
        nobody = accepted_by(found) == NOBODY
        person = None if nobody else check_accepted(found, read_people(people))
        said = {"release": found["head"]["release"], "approver": person.id if person else None}
        if as_json:
            print_json(said)
        else:
            print(f"release {said['release']}: {accepted_by(found)}{', the signature holds' if person else ''}")
        if person is None:
            raise typer.Exit(1)


ACCEPTING: dict[str, Callable[..., None]] = {"key": key, "approve": approve, "accept": accept, "accepted": accepted}


def _signer(path: Path) -> Signer:
    from assistant.promptlog.keys import parse_signing_key

    return parse_signing_key(_text(path).strip())


def _text(path: Path) -> str:
    from assistant.errors import UsageError

    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {getattr(error, 'strerror', None) or 'not text'}", mend="check the path") from None
