"""Checkpoints: what is signed, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from assistant.errors import LogInconsistent
from assistant.promptlog.checkpoint import (
    Checkpoint,
    Proof,
    format_proof,
    open_checkpoint,
    parse_checkpoint,
    parse_head,
    parse_note,
    parse_proof,
    sign_checkpoint,
)
from assistant.promptlog.keys import Signer, new_signing_key, parse_signing_key

ORIGIN = "payops.example/log"
HEAD = Checkpoint(ORIGIN, 3, bytes(range(32)))


def signer() -> Signer:
    return parse_signing_key(new_signing_key(ORIGIN))


OURS = signer()
NOTE = sign_checkpoint(HEAD, [(OURS.key, OURS.sign)], time=1_800_000_000)


def opened(note: str, *trusted: Signer, origin: str = ORIGIN) -> Checkpoint:
    return open_checkpoint(note, origin=origin, trusted=[s.key for s in trusted]).checkpoint


def test_a_checkpoint_reads_back_with_its_signed_time() -> None:
    witnessed = open_checkpoint(NOTE, origin=ORIGIN, trusted=[OURS.key])
    assert (witnessed.checkpoint, witnessed.time, witnessed.signers) == (HEAD, 1_800_000_000, (OURS.key,))
    assert parse_checkpoint(NOTE) == HEAD == parse_head(HEAD.text())


def test_two_checkpoints_of_an_idle_log_differ_by_their_time() -> None:
    later = sign_checkpoint(HEAD, [(OURS.key, OURS.sign)], time=1_800_000_060)
    assert later != NOTE and opened(later, OURS) == opened(NOTE, OURS)


def test_no_changed_character_passes() -> None:
    """In the name or id of the time's signature it makes that one a stranger's, which is ignored: no time, same
    head.
    """
    stamped = NOTE.index("\n", NOTE.index("—")) + 1
    for at in range(len(NOTE)):
        for other in ("A" if NOTE[at] != "A" else "B", "\n" if NOTE[at] != "\n" else " "):
            changed = NOTE[:at] + other + NOTE[at + 1 :]
            try:
                witnessed = open_checkpoint(changed, origin=ORIGIN, trusted=[OURS.key])
            except LogInconsistent:
                continue
            assert at > stamped and witnessed.checkpoint == HEAD and witnessed.time is None


def test_another_log_or_another_key_is_refused() -> None:
    with pytest.raises(LogInconsistent, match="another log"):
        opened(NOTE, OURS, origin="payops.example/other")
    with pytest.raises(LogInconsistent, match="no signature of a trusted key"):
        opened(NOTE, signer())


def test_a_strange_signature_beside_ours_is_ignored_and_a_forged_one_of_ours_is_not() -> None:
    stranger = signer()
    both = sign_checkpoint(HEAD, [(OURS.key, OURS.sign), (stranger.key, stranger.sign)], time=1)
    assert opened(both, OURS) == HEAD
    forged = sign_checkpoint(HEAD, [(OURS.key, OURS.sign), (OURS.key, stranger.sign)], time=1)
    with pytest.raises(LogInconsistent, match="does not hold"):
        opened(forged, OURS)


def test_a_time_alone_is_no_signature_of_the_log() -> None:
    """Type 0x04 says when; only type 0x01 says that the log committed to this tree."""
    lines = NOTE.split("\n")
    only_time = "\n".join([*lines[:4], lines[5], ""])
    parse_note(only_time)
    with pytest.raises(LogInconsistent, match="no signature of a trusted key"):
        opened(only_time, OURS)


@pytest.mark.parametrize("kind", [0x02, 0x05, 0x06, 0xFF])
def test_another_algorithm_under_our_name_is_not_our_signature(kind: int) -> None:
    from assistant.promptlog.checkpoint import Signature, SignedNote, format_note

    text = HEAD.text()
    note = SignedNote(text, (Signature(ORIGIN, OURS.key.key_id(kind), OURS.sign(text.encode())),))
    with pytest.raises(LogInconsistent, match="no signature of a trusted key"):
        opened(format_note(note), OURS)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n03\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n3\n{'A' * 42}==\n",
        f"{ORIGIN}\n3\n{'A' * 43}=\nextension\n",
        f"\n3\n{'A' * 43}=\n",
        f"{ORIGIN}\n3\n{'A' * 43}=",
        f"{ORIGIN}\n3\n\n",
    ],
)
def test_a_head_in_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(LogInconsistent):
        parse_head(text)


@pytest.mark.parametrize(
    "note", ["", "\n", "text\n", "text\n\n", NOTE + "\n", "\n" + NOTE, NOTE.replace("—", "-"), NOTE[:-1]]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(LogInconsistent):
        opened(note, OURS)


def test_more_signatures_than_the_limit_are_refused() -> None:
    line = NOTE.split("\n")[4]
    with pytest.raises(LogInconsistent):
        parse_note(HEAD.text() + "\n" + (line + "\n") * 17)


def test_a_proof_reads_back() -> None:
    for proof in (Proof(0, (), NOTE), Proof(2, (bytes(32), bytes(range(32))), NOTE, b"more")):
        assert parse_proof(format_proof(proof)) == proof


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("@v1", "@v2"),
        lambda text: text.replace("index 2", "index 02"),
        lambda text: text.replace("index 2\n", ""),
        lambda text: text.replace("index 2", "index 2 "),
        lambda text: text.replace("AAAA", "AA", 1),
        lambda text: text.replace("\n\n", "\n", 1),
        lambda text: text + "\n",
    ],
)
def test_a_proof_in_any_other_form_is_refused(change: Callable[[str], str]) -> None:
    text = format_proof(Proof(2, (bytes(32),), NOTE))
    with pytest.raises(LogInconsistent):
        parse_proof(change(text))
