"""Accept a report: it becomes the one to compare with, and the promotion is a record of the prompt log.

Whose change it is comes from Git, who accepts it from a signature (`evals.approval`), and both are people of one list
(`evals.people`). The list that counts for the approver is the one of the last acceptance in the log too: whoever adds
a second person in a change cannot have it accepted by that person. Recorded first, then written.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.core.time import iso, parse_iso
from assistant.errors import UsageError
from assistant.promptlog.record import Entry, Event, Receipt, Record, slug
from assistant.release import release_of
from evals.approval import Action, Statement, approved, opened, parse_statement, report_hash
from evals.gate import GATE, judge, read_gate, value
from evals.head import lab_id
from evals.history import History, history
from evals.people import People, Person
from evals.reports import ACCEPTED, accepted_report, report_text

if TYPE_CHECKING:
    from assistant.promptlog.log import Log
    from assistant.settings import Settings

NOBODY = "a baseline, approved by nobody"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a report is accepted: the file it becomes, the checkout that says whose change it is, the thresholds."""

    accepted: Path = ACCEPTED
    checkout: Path | None = None
    gate: Path = GATE

    def history(self, before: Mapping[str, Any] | None) -> History:
        since = str((before or {}).get("acceptance", {}).get("commit", ""))
        return history(since, root=self.checkout) if self.checkout else history(since)


HERE = Place()


def statement(
    report: Mapping[str, Any],
    settings: Settings,
    people: People,
    *,
    approver: str,
    action: Action = "accept",
    now: float,
    place: Place = HERE,
) -> Statement:
    """What there is to approve, made from what lies here. UsageError for a report of another release (unless it is a
    rollback), for changes without an author, and for authors that nobody knows."""
    before = accepted_report(place.accepted)
    release, measured = release_of(settings).id, str(report["head"]["release"])
    if measured != release and action == "accept":
        mend = "run the evaluation again, or go back to an accepted one with --rollback"
        raise UsageError(f"the report is of release {measured}, this is {release}", mend=mend)
    if action == "accept":
        _of_this_lab(report)
    past = place.history(before)
    fallen = judge(report["cases"], read_gate(place.gate), before if _common(report, before) else None)
    return Statement(
        action=action,
        release=measured,
        report=report_hash(report),
        commit=past.commit,
        authors=tuple(p.id for p in people.of(past.authors)),
        people=people.sha256,
        after=report_hash(before) if before else "nothing",
        falls=tuple(f.figure for f in fallen),
        approver=approver,
        at=iso(now),
    )


def promote(
    report: Mapping[str, Any],
    settings: Settings,
    people: People,
    *,
    approval: str,
    rollback: bool = False,
    place: Place = HERE,
    now: float | None = None,
) -> Receipt:
    """Check the approval against what lies here, record it, make the report the accepted one. UsageError says what does
    not fit; nothing is recorded or written then."""
    at = time.time() if now is None else now
    action: Action = "rollback" if rollback else "accept"
    wanted = statement(report, settings, people, approver="", action=action, now=at, place=place)
    approver = approved(approval, wanted, people, now=at)
    with closing(_log(settings)) as log:
        past = _promotions(log)
        _once(approval, past)
        _known_before(approver, log, past)
        if rollback:
            _was_accepted(wanted.report, past)
        receipt = log.append(_entry(report, settings, wanted, approver, approval, people))
    _write(report, place.accepted, {**_common_words(wanted, at), "approver": approver.id, "approval": approval})
    return receipt


def baseline(
    report: Mapping[str, Any], settings: Settings, *, place: Place = HERE, now: float | None = None
) -> Receipt:
    """Make a report the one to compare with although nobody approved it: for a project of one person, and to begin
    with. The record and the file say so. UsageError where the log holds approved releases: there, ask for approval."""
    at = time.time() if now is None else now
    release, measured = release_of(settings), str(report["head"]["release"])
    if measured != release.id:
        mend = "run the evaluation again"
        raise UsageError(f"the report is of release {measured}, this is {release.id}", mend=mend)
    _of_this_lab(report)
    past = place.history(None)
    entry = Entry(
        event=Event.RELEASE_PROMOTE,
        actor="baseline",
        origin="cli",
        resource=f"release/{measured}",
        facts={**_facts(report, settings), "approved": False, "rollback": False, "commit": past.commit},
        bodies={"report": _body(report)},
    )
    with closing(_log(settings)) as log:
        if any(r.facts.get("approved") for r in _promotions(log)):
            mend = "have it approved: payops eval approve REPORT --key FILE --people FILE"
            raise UsageError("releases are approved here, and a baseline would go round that", mend=mend)
        receipt = log.append(entry)
    words = {"commit": past.commit, "at": iso(at), "approver": None, "words": NOBODY}
    _write(report, place.accepted, words)
    return receipt


def accepted_by(report: Mapping[str, Any]) -> str:
    """Who accepted a report, in words. It is what the file says; `payops eval accepted --people` checks it."""
    acceptance = report.get("acceptance") or {}
    return f"accepted by {acceptance['approver']} on {acceptance['at']}" if acceptance.get("approver") else NOBODY


def check_accepted(report: Mapping[str, Any], people: People) -> Person:
    """Who approved the accepted report, by the signature that lies in it. UsageError where it does not hold: the
    report was edited, or the approval is of another one."""
    acceptance = report.get("acceptance") or {}
    if not acceptance.get("approval"):
        raise UsageError(f"the accepted report is {NOBODY}", mend="payops eval approve, then payops eval accept")
    said = parse_statement(opened(acceptance["approval"]).text)
    here = {"report": report_hash(report), "release": str(report["head"]["release"])}
    expected = Statement(**{**{k: getattr(said, k) for k in said.__slots__}, **here})
    return approved(acceptance["approval"], expected, people, now=float(parse_iso(said.at)))


def _of_this_lab(report: Mapping[str, Any]) -> None:
    """Only then its figures were held against its cases when it was read."""
    if report["head"].get("lab") != lab_id():
        mend = "run the evaluation again, or accept it in the checkout that it was measured in"
        raise UsageError("the report was measured with another lab than this one", mend=mend)


def _common(report: Mapping[str, Any], before: Mapping[str, Any] | None) -> bool:
    return bool(before) and bool({c["name"] for c in report["cases"]} & {c["name"] for c in (before or {})["cases"]})


def _common_words(wanted: Statement, at: float) -> dict[str, Any]:
    return {"commit": wanted.commit, "authors": list(wanted.authors), "at": iso(at), "people": wanted.people}


def _log(settings: Settings) -> Log:
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    return prompt_log(settings, FinalScanner())


def _promotions(log: Log) -> list[Record]:
    """Acceptances in the log, newest first."""
    from assistant.promptlog.store import Filter

    return list(log.search(Filter(events=(Event.RELEASE_PROMOTE.value,)), newest_first=True))


def _once(approval: str, past: Sequence[Record]) -> None:
    if any(r.facts.get("approval_sha256") == _sha256(approval.encode()) for r in past):
        raise UsageError("this approval was used already", mend="have the report approved again")


def _known_before(approver: Person, log: Log, past: Sequence[Record]) -> None:
    """The approver was one, with this key, when the last release was accepted."""
    last = next((r for r in past if r.facts.get("approved")), None)
    if last is None:
        return  # the first acceptance of this log: its list of approvers is what later ones are held against
    kept = log.body(last, "approvers")
    if not isinstance(kept, bytes) or f"{approver.id} {approver.key}" not in kept.decode().splitlines():
        mend = "have it approved by somebody who could then; the list that adds the new one is accepted with it"
        raise UsageError(f"{approver.id} could not accept the last release with this key", mend=mend)


def _was_accepted(report: str, past: Sequence[Record]) -> None:
    if not any(r.facts.get("report_sha256") == report for r in past):
        raise UsageError("this report was never accepted here", mend="go back to one that was, or accept it")


def _entry(
    report: Mapping[str, Any], settings: Settings, wanted: Statement, approver: Person, approval: str, people: People
) -> Entry:
    facts = {
        **_facts(report, settings),
        "approved": True,
        "rollback": wanted.action == "rollback",
        "commit": wanted.commit,
        "approval_sha256": _sha256(approval.encode()),
        "people_sha256": wanted.people,
        "approver_key": approver.key.key_id().hex() if approver.key else "",
        "falls": [slug(f) for f in wanted.falls],
    }
    bodies = {"report": _body(report), "approval": approval.encode(), "approvers": people.approvers.encode()}
    return Entry(
        event=Event.RELEASE_PROMOTE,
        identity=approver.id,
        origin="cli",
        resource=f"release/{wanted.release}",
        facts=facts,
        bodies={**bodies, "authors": " ".join(wanted.authors).encode()},
    )


def _facts(report: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    release = release_of(settings)
    return {
        "release": str(report["head"]["release"]),
        "report_sha256": report_hash(report),
        "worlds": len(report["cases"]),
        "prompts": release.prompts,
        "model": release.model,
        "policy": release.policy,
        "runbooks": release.runbooks,
        "code": release.code,
        "figures": {slug(k): v for k, f in report["figures"].items() if (v := value(f)) is not None},
    }


def _body(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False, sort_keys=True).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(report: Mapping[str, Any], accepted: Path, acceptance: Mapping[str, Any]) -> None:
    accepted.parent.mkdir(parents=True, exist_ok=True)
    half = accepted.with_name(accepted.name + ".part")
    half.write_text(report_text({**report, "acceptance": acceptance}), encoding="utf-8")
    half.replace(accepted)
