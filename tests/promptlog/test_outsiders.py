"""An object-lock bucket, a witness and a time-stamping authority: what reaches them, and what they give back."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assistant.errors import LogInconsistent, PromptLogError, UsageError
from assistant.promptlog.checkpoint import (
    cosigned_by,
    open_checkpoint,
    parse_checkpoint,
    parse_note,
    parse_witness_key,
    witness_key_text,
)
from assistant.promptlog.places import place_of
from assistant.promptlog.publish import Publisher
from assistant.promptlog.s3 import Credentials, Scope, authorization
from assistant.promptlog.timestamp import check_answer, request
from tests.fakes.promptlog import ORIGIN, MemoryLog
from tests.promptlog.conftest import entry
from tests.promptlog.outsiders import ObjectStore, TimeStampAuthority, WitnessDouble, served

NOW = datetime(2026, 11, 23, 18, 0, 0, tzinfo=UTC)
# The published examples of "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.
_KEY = Credentials("AKIA" + "IOSFODNN7EXAMPLE", "wJalrXUtnFEMI" + "/K7MDENG/bPxRfiCYEXAMPLEKEY")
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
_HOST = {"host": "examplebucket.s3.amazonaws.com", "x-amz-date": "20130524T000000Z"}


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    made.append(entry())
    yield made
    made.close()


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "payload", "signature"),
    [
        (
            "GET",
            "/test.txt",
            "",
            {"range": "bytes=0-9"},
            _EMPTY,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test%24file.text",
            "",
            {"date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        ("GET", "/", "lifecycle=", {}, _EMPTY, "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        (
            "GET",
            "/",
            "max-keys=2&prefix=J",
            {},
            _EMPTY,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_published_signatures(
    method: str, path: str, query: str, headers: dict[str, str], payload: str, signature: str
) -> None:
    signed = {**_HOST, **headers, "x-amz-content-sha256": payload}
    made = authorization(method, path, signed, query=query, payload=payload, key=_KEY, scope=Scope("us-east-1"))
    assert made.endswith(f"Signature={signature}")


def _credentials(folder: Path, secret: str) -> Path:
    path = folder / "credentials"
    path.write_text(
        f"[default]\naws_access_key_id = AKTEST\naws_secret_access_key = {secret}\naws_session_token = st\n"
    )
    return path


def test_a_checkpoint_lands_locked_in_a_bucket(log: MemoryLog, tmp_path: Path) -> None:
    store = ObjectStore(secret="s3cr3t/with+signs")
    with served(store) as address:
        options = f"?region=eu-x&retain_days=30#credentials_file={_credentials(tmp_path, store.secret)}"
        place = place_of(f"s3+http://{address}/vault/log/{options}")
        place.put(log.checkpoint(), now=NOW)
        [path] = store.objects
        assert path == f"/vault/log/checkpoint-000000000001-{int(NOW.timestamp())}.txt"
        assert store.locks == {path: ("COMPLIANCE", "2026-12-23T18:00:00Z")}
        held = open_checkpoint(store.objects[path].decode(), origin=ORIGIN, trusted=log.keys.verifiers())
        assert held.checkpoint.size == 1
        with pytest.raises(PromptLogError, match="403"):
            place.put(log.checkpoint(), now=NOW)  # the object is locked
        store.secret = "another"
        with pytest.raises(PromptLogError, match="403"):
            place.put(log.checkpoint(), now=NOW + timedelta(seconds=1))
        assert "credentials" not in place.name and "s3cr3t" not in repr(place) and len(store.objects) == 1


def test_a_bucket_may_go_without_a_lock_and_says_what_its_credentials_lack(log: MemoryLog, tmp_path: Path) -> None:
    store = ObjectStore(secret="k")
    with served(store) as address:
        file = _credentials(tmp_path, "k")
        place_of(f"s3+http://{address}/b/?region=x&retain_days=0#credentials_file={file}").put(
            log.checkpoint(), now=NOW
        )
        assert store.objects and not store.locks
        file.write_text("[default]\naws_access_key_id = AKTEST\n")
        with pytest.raises(PromptLogError, match="aws_secret_access_key"):
            place_of(f"s3+http://{address}/b/?region=x#credentials_file={file}").put(log.checkpoint(), now=NOW)


def _witness(log: MemoryLog, double: WitnessDouble, address: str) -> str:
    return f"witness+http://{address}/w#vkey={witness_key_text(double.key)}"


def test_a_witness_cosigns_what_extends_what_it_saw(log: MemoryLog) -> None:
    double = WitnessDouble(log.keys.verifiers()[0])
    with served(double) as address:
        publisher = Publisher(log, [place_of(_witness(log, double, address), log=log)])
        for _ in range(3):
            publisher.publish_now()
            log.append(entry())
            log.append(entry())
        assert publisher.health().failing == 0 and publisher.health().covered == 5
        assert double.asked == ["old 0", "old 1", "old 3"] and double.size == 5
        for signed in log.store.signed():
            assert cosigned_by(signed.note, double.key) > 1_795_000_000
            opened = open_checkpoint(signed.note, origin=ORIGIN, trusted=log.keys.verifiers())
            assert opened.checkpoint.size == signed.size
        restarted = place_of(_witness(log, double, address), log=log)
        restarted.put(log.checkpoint(), now=NOW)
        assert double.asked[-2:] == ["old 0", "old 5"] and double.size == 7
    assert log.verify(outside=[s.note for s in log.store.signed()]).ok


def test_a_cosignature_stays_while_the_log_is_idle(log: MemoryLog) -> None:
    double = WitnessDouble(log.keys.verifiers()[0])
    with served(double) as address:
        place_of(_witness(log, double, address), log=log).put(log.checkpoint(), now=NOW)
    again = log.checkpoint()
    assert cosigned_by(again, double.key) and len(parse_note(again).signatures) == 3


def test_a_witness_refuses_a_log_that_was_rewritten(log: MemoryLog) -> None:
    double = WitnessDouble(log.keys.verifiers()[0])
    other = MemoryLog(keys=log.keys)
    with served(double) as address:
        for _ in range(4):
            log.append(entry())
        place_of(_witness(log, double, address), log=log).put(log.checkpoint(), now=NOW)
        for n in range(3):
            other.append(entry(n + 100))
        with pytest.raises(PromptLogError, match="longer"):
            place_of(_witness(other, double, address), log=other).put(other.checkpoint(), now=NOW)
        for n in range(9):
            other.append(entry(n))
        with pytest.raises(PromptLogError, match="422"):
            place_of(_witness(other, double, address), log=other).put(other.checkpoint(), now=NOW)
        assert not any("witness" in s.note for s in other.store.signed())
    other.close()


def test_a_cosignature_that_does_not_hold_is_not_kept(log: MemoryLog) -> None:
    double, impostor = (WitnessDouble(log.keys.verifiers()[0]) for _ in range(2))
    for told in (lambda note: impostor.line(note), lambda note: "", lambda note: "— x AAAA\n", lambda note: "nothing"):
        with (
            served(
                lambda m, p, h, body, told=told: (200, told(body.decode().partition("\n\n")[2]).encode())
            ) as address,
            pytest.raises(PromptLogError, match="did not sign"),
        ):
            place_of(_witness(log, double, address), log=log).put(log.checkpoint(), now=NOW)
    assert len(parse_note(log.store.last_signed().note).signatures) == 2  # type: ignore[union-attr]


def test_the_key_of_a_witness_is_read_strictly() -> None:
    key = WitnessDouble(MemoryLog().keys.verifiers()[0]).key
    text = witness_key_text(key)
    assert parse_witness_key(text) == key
    for wrong in (str(key), text[:-2], text.replace("+", "-", 1), text + " ", ""):
        with pytest.raises(LogInconsistent):
            parse_witness_key(wrong)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed: apt-get install openssl")
def test_an_outside_time_stamp_that_openssl_verifies(log: MemoryLog, tmp_path: Path) -> None:
    authority = TimeStampAuthority(tmp_path)
    with served(authority) as address:
        place = place_of(f"tsa+http://{address}/tsr#keep={tmp_path}/stamps")
        publisher = Publisher(log, [place])
        publisher.publish_now()
        publisher.publish_now()
        health = publisher.health()
        assert health.failing == 0 and health.covered == 0, "a stamp that we keep ourselves protects nothing"
        text, answer = sorted((tmp_path / "stamps").glob("*.t*"), key=lambda p: p.suffix, reverse=True)
        assert authority.verifies(text, answer) and parse_checkpoint(text.read_text()).size == 1
        text.write_text(text.read_text().replace("\n1\n", "\n2\n", 1))
        assert not authority.verifies(text, answer)
        place.put(log.checkpoint(), now=log.clock() + timedelta(hours=2))
        assert len(list((tmp_path / "stamps").glob("*.tsr"))) == 2


def test_an_answer_over_something_else_is_refused(tmp_path: Path) -> None:
    digest, nonce = b"\x07" * 32, 1 << 62 | 5
    assert request(digest, nonce)[:2] == b"\x30" + bytes([len(request(digest, nonce)) - 2])
    for answer in (b"", b"\x30", b"\x30\x05\x30\x03\x02\x01\x02", b"\x30\x05\x30\x03\x02\x01\x00", b"\x30\x82\xff\xff"):
        with pytest.raises(PromptLogError):
            check_answer(answer, digest, nonce)


@pytest.mark.parametrize(
    "text",
    [
        "s3+https://host/bucket/",
        "s3+https://host/bucket/?region=x",
        "s3+https://host/bucket?region=x#credentials_file=/f",
        "s3+https://host/b/?region=x&colour=red#credentials_file=/f",
        "s3+https://host/b/?region=x&mode=NONE#credentials_file=/f",
        "witness+https://host/w",
        "witness+https://host/w#vkey=name+00000000+AAAA",
        "tsa+https://host/tsr",
        "s3+ftp://host/",
    ],
)
def test_what_cannot_be_used_is_said_before_anything_is_sent(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        place_of(text)
    assert caught.value.mend


def test_a_witness_without_the_log_takes_nothing(log: MemoryLog) -> None:
    double = WitnessDouble(log.keys.verifiers()[0])
    with pytest.raises(PromptLogError, match="open log"):
        place_of(_witness(log, double, "127.0.0.1:9")).put(log.checkpoint(), now=NOW)
    with pytest.raises(LogInconsistent):
        log.keep_cosigned(replace_root(log.checkpoint()))


def replace_root(note: str) -> str:
    """The same note over another root (its signatures no longer hold; `keep_cosigned` looks at the root)."""
    lines = note.split("\n")
    lines[2] = lines[2][:-2] + ("A=" if lines[2][-2:] != "A=" else "E=")
    return "\n".join(lines)
