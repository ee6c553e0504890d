"""Expiry, purge, erasure, hold and cold storage: what goes is gone, what stays still verifies."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.errors import PromptLogError, UsageError
from assistant.promptlog import retention
from assistant.promptlog.keys import Keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Entry, Event, Gone, GoneReason, Receipt
from assistant.promptlog.retention import Segments, archive, erase_person, expire_bodies, hold, holds, purge
from assistant.promptlog.sqlite import FILE
from tests.fakes.promptlog import ORIGIN, fresh_keys, look_at_nothing
from tests.promptlog.conftest import entry

START = datetime(2026, 1, 1, tzinfo=UTC)


class Days:
    """A clock that stands until it is told to go on."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def go(self, days: int) -> None:
        self.now += timedelta(days=days)


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
def keys() -> Keys:
    return fresh_keys()


@pytest.fixture
def log(tmp_path: Path, keys: Keys, days: Days) -> Iterator[Log]:
    made = open_log(
        tmp_path / "log",
        keys=keys,
        last_look=look_at_nothing,
        origin=ORIGIN,
        clock=days,
        segments=Segments(tmp_path / "cold"),
    )
    yield made
    made.close()


def gone(log: Log, index: int, name: str = "a") -> GoneReason | None:
    body = log.body(log.get(index), name)
    return body.reason if isinstance(body, Gone) else None


def test_bodies_expire_when_the_last_record_that_names_them_is_old(log: Log, days: Days) -> None:
    log.append(entry(bodies={"a": b"old", "b": b"shared"}))
    days.go(400)
    log.append(entry(bodies={"a": b"new", "b": b"shared"}))
    kept = log.checkpoint()
    assert expire_bodies(log, before=days.now - timedelta(days=365)) == 1
    assert (gone(log, 0), gone(log, 0, "b"), gone(log, 1)) == (GoneReason.EXPIRED, None, None)
    record = log.get(2)
    assert (record.event, record.facts["reason"], record.facts["count"]) == (Event.BODY_EXPIRE, "expired", 1)
    assert log.verify(outside=[kept, log.checkpoint()]).ok
    assert expire_bodies(log, before=days.now - timedelta(days=365)) == 0 and log.size() == 3


def test_a_hold_stops_expiry_until_it_is_lifted(log: Log, days: Days) -> None:
    log.append(entry(incident="case-1", bodies={"a": b"x"}))
    hold(log, "case-1", identity="oidc:legal", reason="a lawsuit")
    assert holds(log) == {"case-1"}
    days.go(400)
    assert expire_bodies(log, before=days.now) == 0 and gone(log, 0) is None
    hold(log, "case-1", identity="oidc:legal", reason="settled", lift=True)
    assert holds(log) == frozenset()
    days.go(1)
    expire_bodies(log, before=days.now)
    assert gone(log, 0) is GoneReason.EXPIRED
    with pytest.raises(UsageError, match="no hold"):
        hold(log, "case-1", identity="oidc:legal", reason="again", lift=True)
    with pytest.raises(UsageError, match="reason"):
        hold(log, "case-2", identity="oidc:legal", reason="")


def test_a_purge_leaves_no_byte_of_it_and_the_log_verifies(log: Log, tmp_path: Path) -> None:
    """The row is overwritten and the journal truncated. Bodies are encrypted, so the sealed bytes are looked for."""
    log.append(entry(1, incident="case-1", bodies={"a": b"before 4111111111111111 after"}))
    log.append(entry(2, bodies={"a": b"harmless"}))
    hold(log, "case-1", identity="oidc:legal", reason="a lawsuit")
    blob = log.store.blob(log.get(0).bodies["a"].address)
    assert blob is not None and _on_disk(tmp_path, blob.sealed[20:60]) and _on_disk(tmp_path, blob.twin)
    kept = log.checkpoint()
    assert purge(log, lambda content: b"4111111111111111" in content, identity="oidc:security") == 1
    assert gone(log, 0) is GoneReason.PURGED and gone(log, 1) is None
    assert not _on_disk(tmp_path, blob.sealed[20:60]) and not _on_disk(tmp_path, blob.twin)
    report = log.verify(outside=[kept])
    assert report.ok and report.bodies_gone == 1
    assert purge(log, lambda content: b"4111111111111111" in content, identity="oidc:security") == 0


def _on_disk(folder: Path, needle: bytes) -> bool:
    return any(needle in path.read_bytes() for path in folder.rglob(FILE + "*"))


def test_an_erased_person_is_gone_and_the_records_stay(log: Log) -> None:
    log.append(entry(actor="", identity="slack:U1"))
    log.append(entry(actor="", identity="slack:U2"))
    before = log.get(0).actor
    assert erase_person(log, "slack:U1", identity="oidc:privacy") == 1
    assert log.identity(log.get(0)) == Gone(GoneReason.ERASED, record=log.get(2).id)
    assert log.identity(log.get(1)) == "slack:U2" and log.pseudonyms_of("slack:U1") == ()
    log.append(entry(actor="", identity="slack:U1"))
    assert log.get(3).actor != before and log.verify().ok
    log.append(entry(actor="", identity="slack:U3", incident="case-1"))
    hold(log, "case-1", identity="oidc:legal", reason="a lawsuit")
    with pytest.raises(UsageError, match="hold"):
        erase_person(log, "slack:U3", identity="oidc:privacy")


def test_content_that_comes_back_after_its_expiry_is_kept_again(log: Log, days: Days) -> None:
    log.append(entry(bodies={"a": b"template"}))
    days.go(400)
    expire_bodies(log, before=days.now)
    log.append(entry(bodies={"a": b"template"}))
    last = log.size() - 1
    assert gone(log, 0) is GoneReason.EXPIRED and log.body(log.get(last), "a") == b"template" and log.verify().ok


def test_a_body_named_again_while_it_expires_is_kept(log: Log, days: Days, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append(entry(bodies={"a": b"template"}))
    days.go(400)
    limit = days.now
    append = log.append

    def in_between(made: Entry) -> Receipt:
        receipt = append(made)
        monkeypatch.setattr(log, "append", append)
        append(entry(bodies={"a": b"template"}))
        return receipt

    monkeypatch.setattr(log, "append", in_between)
    assert expire_bodies(log, before=limit) == 0
    assert gone(log, 0) is None and log.verify().ok


def test_segments_move_and_everything_still_verifies(
    log: Log, days: Days, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "SEGMENT_RECORDS", 4)
    for n in range(10):
        log.append(entry(n, bodies={"a": b"%d" % n}))
    hold(log, "case-1", identity="oidc:legal", reason="a lawsuit")
    kept = log.checkpoint()
    days.go(100)
    log.append(entry(11))
    names = archive(log, before=days.now, directory=tmp_path / "cold")
    assert names == (
        "segment-000000000000-000000000004",
        "segment-000000000004-000000000008",
        "segment-000000000008-000000000011",
    )
    assert [r.facts.get("n") for r in log.scan(0, 10)] == list(range(10)) and holds(log) == {"case-1"}
    assert log.store.row(3).leaf is None and log.store.row(10).leaf is not None
    assert log.verify(outside=[kept, log.checkpoint()]).ok and log.prove(2)
    assert archive(log, before=days.now, directory=tmp_path / "cold") == ()
    days.go(100)
    assert len(archive(log, before=days.now, directory=tmp_path / "cold")) == 1
    assert log.verify(outside=[kept]).ok


def test_a_segment_that_is_away_is_named_and_one_that_was_changed_is_a_doubt(
    log: Log, days: Days, tmp_path: Path
) -> None:
    for n in range(5):
        log.append(entry(n))
    kept = log.checkpoint()
    days.go(100)
    (name,) = archive(log, before=days.now, directory=tmp_path / "cold")
    path = tmp_path / "cold" / f"{name}.jsonl"
    content = path.read_bytes()
    path.rename(tmp_path / "away")
    log._segments = Segments(tmp_path / "cold")
    with pytest.raises(PromptLogError, match=name):
        log.get(2)
    report = log.verify(outside=[kept])
    assert report.ok and report.cold == 5 and any("cold" in note for note in report.notes)
    path.write_bytes(content.replace(b'"n":2', b'"n":7'))
    report = log.verify(outside=[kept])
    assert not report.ok and report.first_bad == 2


def test_a_move_that_was_cut_short_is_done_again(log: Log, days: Days, tmp_path: Path) -> None:
    """The record of the segment is there, the leaves are still hot: killed in between."""
    log.append(entry(1))
    days.go(100)
    facts = {"segment": "segment-000000000000-000000000001", "start": 0, "stop": 1}
    log.append(entry(event=Event.SEGMENT_ARCHIVE, facts=facts))
    assert archive(log, before=days.now, directory=tmp_path / "cold") == ("segment-000000000000-000000000001",)
    assert log.store.row(0).leaf is None and log.get(0).facts == {"n": 1}
