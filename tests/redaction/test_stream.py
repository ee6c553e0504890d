"""Streams: constant memory, no line waits, no value is cut in two; and the command around them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from redaction import Redactor
from redaction.stream import CHUNK, OVERLAP, redact_stream

PAN = "4539578763621486"
PAYOPS = [sys.executable, "-c", "import sys; from assistant.cli import main; sys.exit(main())", "redact"]


def _whole(redactor: Redactor, data: bytes, size: int) -> bytes:
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    return b"".join(piece.data for piece in redact_stream(redactor, chunks))


@pytest.mark.parametrize("size", [1, 7, 64, 65536])
def test_the_size_of_reads_does_not_show(size: int) -> None:
    data = f"one {PAN}\n\ntwo a@b.example\r\nthree\n\xff\xfe four cvv=917".encode("latin-1")
    made = _whole(Redactor.default(), data, size)
    assert made == b"one <PAN_1 visa 453957>\n\ntwo <EMAIL_1>\r\nthree\n\xff\xfe four cvv=<SAD removed>"


def test_a_value_at_every_place_around_a_cut_is_found_whole(redactor: Redactor) -> None:
    """A line of several chunks: wherever the cut falls, the number is gone and the rest is there."""
    for shift in (-OVERLAP, -40, -17, -16, -8, -1, 0, 1, 8, 40):
        before = CHUNK + OVERLAP // 2 + shift
        line = b"x " * (before // 2) + PAN.encode() + b" " + b"y " * CHUNK
        made = _whole(redactor, line + b"\n", 65536)
        assert PAN.encode() not in made
        assert made.count(b"<PAN_") == 1
        assert made.count(b"x ") == before // 2
        assert made.count(b"y ") == CHUNK


def test_memory_stays_flat_over_a_long_line_and_many_lines(redactor: Redactor) -> None:
    def endless(count: int) -> Iterator[bytes]:
        for number in range(count):
            yield b"word " * 13_000 + (b"\n" if number % 40 == 0 else b"")

    def peak(count: int) -> int:
        tracemalloc.start()
        for _ in redact_stream(redactor, endless(count)):
            pass
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(240) < 2 * peak(80)


def test_a_private_key_over_many_lines_goes_whole(redactor: Redactor) -> None:
    body = b"\n".join(b"q0w1e2r3t4y5" for _ in range(30))
    made = _whole(redactor, b"a\n-----BEGIN " + b"PRIVATE KEY-----\n" + body + b"\n-----END PRIVATE KEY-----\nb\n", 100)
    assert b"q0w1" not in made
    assert made.startswith(b"a\n")
    assert made.endswith(b"\nb\n")


def _run(*args: str, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PAYOPS, *args], input=data, capture_output=True, timeout=120, check=False)


def test_the_command_reads_a_file_or_standard_input(tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(f"card {PAN}\n".encode())
    assert _run(str(file)).stdout == b"card <PAN_1 visa 453957>\n"
    assert _run(data=file.read_bytes()).stdout == b"card <PAN_1 visa 453957>\n"


def test_spans_are_json_and_hold_no_value() -> None:
    made = _run("--spans", data=f"card {PAN}\nfine\n".encode())
    lines = [json.loads(line) for line in made.stdout.splitlines()]
    assert lines == [
        {"line": 1, "spans": [{"class": "PAN", "start": 5, "end": 21, "replacement": "<PAN_1 visa 453957>"}]},
        {"line": 2, "spans": []},
    ]


def test_bad_input_is_one_line_and_exit_two(tmp_path: Path) -> None:
    policy = tmp_path / "bad.toml"
    policy.write_text("[pan]\nbin = 6\n", encoding="utf-8")
    for args in (
        (str(tmp_path / "absent"),),
        (str(tmp_path),),
        ("--policy", str(policy)),
        ("--policy", str(tmp_path / "no.toml")),
    ):
        made = _run(*args)
        assert made.returncode == 2, args
        assert made.stderr.count(b"\n") == 1, made.stderr
        assert b"Traceback" not in made.stderr


def test_a_line_comes_out_before_the_next_goes_in() -> None:
    """As behind `tail -f`: the writer waits for each answer."""
    with subprocess.Popen(PAYOPS, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin and process.stdout
        for number in range(3):
            process.stdin.write(f"{number} {PAN}\n".encode())
            process.stdin.flush()
            assert process.stdout.readline() == f"{number} <PAN_1 visa 453957>\n".encode()
        process.stdin.close()
        assert process.wait(timeout=60) == 0


def test_a_closed_pipe_ends_quietly(tmp_path: Path) -> None:
    file = tmp_path / "big.log"
    file.write_bytes(b"fine line of text\n" * 200_000)
    read, write = os.pipe()
    with subprocess.Popen([*PAYOPS, str(file)], stdout=write, stderr=subprocess.PIPE) as process:
        os.close(write)
        os.read(read, 100)
        os.close(read)
        assert process.stderr
        assert b"Traceback" not in process.stderr.read()


def test_learn_builds_a_vocabulary_that_redact_takes(tmp_path: Path) -> None:
    log = tmp_path / "team.log"
    rows = [
        f"2026-11-{d:02d}T{h:02d}:00:00Z Zorblax queue drained, Quuxly seen" for d in range(1, 3) for h in range(12)
    ]
    rows += ["2026-11-01T01:00:00Z Trelving asked" for _ in range(500)]  # a retry loop: one hour
    rows += [f"2026-11-{d:02d}T01:00:00Z maria asked" for d in range(1, 29)]  # a name, however common
    log.write_text("\n".join(rows), encoding="utf-8")
    words = tmp_path / "words.txt"
    made = _run("learn", str(log), "--out", str(words))
    assert made.returncode == 0, made.stderr
    learnt = {line for line in words.read_text(encoding="utf-8").splitlines() if not line.startswith("#")}
    assert learnt == {"zorblax", "quuxly"}
    policy = tmp_path / "mine.toml"
    policy.write_text("[names]\nvocabulary = ['words.txt']\n", encoding="utf-8")
    assert (
        _run("--policy", str(policy), data=b"Zorblax drained by Trelving\n").stdout
        == b"Zorblax drained by <PERSON_1>\n"
    )
