"""An approval: what a second person says of one report, signed with a key that only this person holds.

The text names the release, the report by its hash, the commit and its authors, the list of people, the report that was
accepted before, what falls below the gate, and when. It is a C2SP signed note (c2sp.org/signed-note), as checkpoints
and release notes are, so that an auditor checks it with the approver's public key and nothing of ours. An approval
fits one report of one release after one other: it cannot be used again, for an edited report, or later.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from assistant.core.time import iso, parse_iso
from assistant.errors import LogInconsistent, UsageError
from assistant.promptlog.checkpoint import Signature, SignedNote, format_note, parse_note
from assistant.promptlog.keys import Signer
from evals.people import People, Person

TITLE = "payops release approval"
DAYS = 30
_AHEAD_S = 600.0
Action = Literal["accept", "rollback"]


@dataclass(frozen=True, slots=True)
class Statement:
    """`falls` are the figures that do not hold the gate, which the approver accepts with the rest; `after` is the
    report that was accepted before, by its hash, or "nothing"."""

    action: str
    release: str
    report: str
    commit: str
    authors: tuple[str, ...]
    people: str
    after: str
    falls: tuple[str, ...]
    approver: str
    at: str

    def text(self) -> str:
        words = {k: " ".join(v) or "none" if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return "\n".join((TITLE, *(f"{k} {v}" for k, v in words.items()))) + "\n"


def report_hash(report: Mapping[str, Any]) -> str:
    """SHA-256 of the report in one form, without who accepted it."""
    bare = {k: v for k, v in report.items() if k != "acceptance"}
    return hashlib.sha256(json.dumps(bare, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def parse_statement(text: str) -> Statement:
    """Strict: UsageError unless it formats back to the same text."""
    mend = "ask the approver for what payops eval approve wrote"
    lines = text.split("\n")
    pairs = dict(line.partition(" ")[::2] for line in lines[1:-1])
    try:
        lists = {k: () if pairs[k] == "none" else tuple(pairs[k].split(" ")) for k in ("authors", "falls")}
        found = Statement(**{**pairs, **lists})  # type: ignore[arg-type]
    except (KeyError, TypeError):
        raise UsageError("not an approval of a release", mend=mend) from None
    if found.text() != text:
        raise UsageError("not an approval of a release", mend=mend)
    return found


def sign(statement: Statement, signer: Signer) -> str:
    """The signed note."""
    text = statement.text()
    return format_note(SignedNote(text, (Signature(signer.key.name, signer.key.key_id(), signer.sign(text.encode())),)))


def approved(note_text: str, expected: Statement, people: People, *, now: float) -> Person:
    """Who approved `expected`. UsageError says what does not fit: whose signature, what differs, how old.

    `expected` is made here and now from what lies here; of the note only approver and time are taken.
    """
    note = opened(note_text)
    said = parse_statement(note.text)
    approver = _signer(note, said, people)
    _fits(said, expected)
    _fresh(said, now)
    if approver.id in expected.authors:
        raise UsageError(f"{approver.id} wrote this change, and does not accept it", mend="ask somebody else")
    return approver


def opened(note_text: str) -> SignedNote:
    """The signed note, read only: `approved` is what checks it."""
    try:
        return parse_note(note_text)
    except LogInconsistent:
        raise UsageError("not a signed approval", mend="give what payops eval approve wrote to --approval") from None


def _signer(note: SignedNote, said: Statement, people: People) -> Person:
    person = people.by_id(said.approver)
    if person is None or person.key is None:
        raise UsageError(f"{said.approver} may not accept releases", mend="add the person and a key to the people file")
    key = person.key
    mine = [s for s in note.signatures if (s.name, s.key_id) == (key.name, key.key_id())]
    if not mine or not all(key.check(note.text.encode(), s.value) for s in mine):
        mend = "ask for a new one: payops eval approve REPORT --key FILE"
        raise UsageError(f"this approval is not signed by {person.id}", mend=mend)
    return person


def _fits(said: Statement, expected: Statement) -> None:
    here, there = asdict(expected), asdict(said)
    for name in ("action", "release", "report", "commit", "people", "after", "authors", "falls"):
        if here[name] != there[name]:
            shown = (" ".join(v) if isinstance(v, tuple) else str(v) for v in (there[name], here[name]))
            was, now = (text[:80] or "none" for text in shown)
            raise UsageError(f"the approval is for another {name}: {was}, here {now}", mend="have this one approved")


def _fresh(said: Statement, now: float) -> None:
    try:
        at = parse_iso(said.at)
    except ValueError:
        raise UsageError(f"the approval's time is none: {said.at}", mend="have it approved again") from None
    if not now - DAYS * 86_400 < at < now + _AHEAD_S:
        raise UsageError(f"the approval is of {iso(at)}, not of the last {DAYS} days", mend="have it approved again")
