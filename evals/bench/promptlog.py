"""Figures of the prompt log: durable appends, proofs and verification at 1,000,000 records, replay."""

from __future__ import annotations

import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from assistant.promptlog.audit import Auditor
from assistant.promptlog.bodies import BodyKey
from assistant.promptlog.keys import Keys, new_signing_key, parse_signing_key
from assistant.promptlog.log import LastLook, Log
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Entry, Event, Value
from assistant.promptlog.replay import recipe_for, replay
from assistant.promptlog.search import Search
from evals.bench.figure import Figure
from redaction import FinalScanner

ORIGIN = "payops.example/bench"
MILLION = 1_000_000
SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "verify_promptlog.py"


def figures() -> Iterable[Figure]:
    """Every figure, in the order of the table in the README."""
    with tempfile.TemporaryDirectory(prefix="promptlog-bench-") as folder:
        yield from _appends(Path(folder))
        yield from _million(Path(folder) / "million")
        yield from _replays()


def _keys() -> Keys:
    return Keys(parse_signing_key(new_signing_key(ORIGIN)), bodies=(BodyKey(secrets.token_bytes(32)),))


def _open(folder: Path, keys: Keys, look: LastLook = bytes.__len__) -> Log:  # type: ignore[assignment]
    return open_log(folder, keys=keys, last_look=look, origin=ORIGIN)


def _entry(n: int) -> Entry:
    """A request as the model client makes them: a dozen facts, a prompt of 2 kB."""
    facts: dict[str, Value] = {
        "provider": "openai",
        "model": "gpt-x",
        "temperature": 0.0,
        "seed": 7,
        "template": "incident-note.v3",
        "redactions": {"PAN": n % 3, "EMAIL": 1},
        "tokens_in": 512,
        "n": n,
    }
    body = (f"prompt {n} " * 200).encode()[:2048]
    return Entry(
        event=Event.LLM_REQUEST, actor="serve", incident=f"inc-{n // 9}", facts=facts, bodies={"request": body}
    )


def _appends(folder: Path) -> Iterator[Figure]:
    scanner = FinalScanner()
    for producers, look, label in (
        (1, bytes.__len__, ""),
        (8, bytes.__len__, ""),
        (32, bytes.__len__, ""),
        (32, partial(scanner.check, sink="promptlog"), ", with the last look"),
    ):
        log = _open(folder / f"{producers}{label}", _keys(), look)  # type: ignore[arg-type]
        rate, p99 = _measure(log, producers, 200 if producers == 1 else 6400 // producers)
        log.close()
        aimed = producers == 32 and not label
        name = f"durable appends, {producers} producers{label}"
        yield Figure(name, f"{rate:,.0f}", "/s", "at least 2,000" if aimed else "", rate >= 2000 if aimed else None)
        yield Figure(
            f"{name}, p99", f"{p99 * 1000:.1f}", "ms", "at most 25" if aimed else "", p99 <= 0.025 if aimed else None
        )


def _measure(log: Log, producers: int, each: int) -> tuple[float, float]:
    """(appends a second, 99th percentile in seconds) of threads that append one after the other."""
    seconds: list[float] = []

    def produce(worker: int) -> None:
        for n in range(each):
            began = time.perf_counter()
            log.append(_entry(worker * each + n))
            seconds.append(time.perf_counter() - began)

    threads = [threading.Thread(target=produce, args=(worker,)) for worker in range(producers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return producers * each / (time.perf_counter() - began), _percentile(seconds, 99)


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _million(folder: Path) -> Iterator[Figure]:
    keys = _keys()
    log = _open(folder, keys)
    began = time.perf_counter()
    for start in range(0, MILLION, 5000):
        log.append_all(_bare(n) for n in range(start, start + 5000))
    filled = time.perf_counter() - began
    yield Figure("1,000,000 records appended by one thread", f"{MILLION / filled:,.0f}", "/s")
    yield from _proofs(log)
    note = log.checkpoint()
    began = time.perf_counter()
    report = log.verify(outside=[note], bodies=False)
    yield Figure("verify 1,000,000 in process", f"{time.perf_counter() - began:.1f}", "s", "no doubt", report.ok)
    bundle = folder.with_name("bundle")
    Auditor(log, "os:bench").export(bundle, selection=Search(), reason="benchmark", bodies=False)
    log.close()
    yield _standalone(bundle, keys, note)


def _bare(n: int) -> Entry:
    made = _entry(n)
    return Entry(event=Event.SOURCE_QUERY, actor="serve", incident=made.incident, facts=made.facts)


def _proofs(log: Log) -> Iterator[Figure]:
    seconds = []
    size = log.size()
    for n in range(2000):
        index = n * 499_979 % size
        began = time.perf_counter()
        log.inclusion(index, size)
        seconds.append(time.perf_counter() - began)
    yield Figure("inclusion proof at 1,000,000, p50", f"{_percentile(seconds, 50) * 1000:.2f}", "ms")
    p99 = _percentile(seconds, 99)
    yield Figure("inclusion proof at 1,000,000, p99", f"{p99 * 1000:.2f}", "ms", "at most 10", p99 <= 0.010)


def _standalone(bundle: Path, keys: Keys, note: str) -> Figure:
    kept = bundle.with_name("kept.txt")
    kept.write_text(note, encoding="utf-8")
    command = [
        sys.executable,
        "-I",
        str(SCRIPT),
        str(bundle),
        "--key",
        str(keys.verifiers()[0]),
        "--checkpoint",
        str(kept),
    ]
    began = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    reached = seconds <= 10 and ran.returncode == 0
    return Figure("verify 1,000,000 by the standalone script", f"{seconds:.1f}", "s", "at most 10", reached)


def _replays() -> Iterator[Figure]:
    """Requests of 200 different prompts, rebuilt from their parts."""
    with tempfile.TemporaryDirectory(prefix="promptlog-bench-") as folder:
        log = _open(Path(folder), _keys())
        identical = sum(replay(log, log.get(log.append(_composed(n)).index)).identical for n in range(200))
        log.close()
    yield Figure("prompts rebuilt byte for byte", f"{identical} of 200", "", "all", identical == 200)


def _composed(n: int) -> Entry:
    import json

    parts = {
        "system.md": b"You write incident notes over evidence. Never invent.",
        "evidence": f"E{n}: approvals fell from 97.{n} % to 61.0 % at 18:{n % 60:02}Z → <PAN_{n} visa 411111>".encode(),
        "parameters.json": json.dumps({"temperature": 0.0, "seed": n}).encode(),
    }
    messages = [
        {"role": "system", "content": parts["system.md"].decode()},
        {"role": "user", "content": f"<data>\n{parts['evidence'].decode()}\n</data>"},
    ]
    value = {"model": "gpt-x", "messages": messages, **json.loads(parts["parameters.json"])}
    sent = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    recipe = recipe_for(sent, parts) or b""
    return Entry(event=Event.LLM_REQUEST, actor="serve", bodies={"request": sent, "recipe.json": recipe, **parts})
