"""Redaction in figures: recall, false positives, leaks, speed, worst line, identity; beside Presidio in the same run.

PAYOPS_BENCH_PLANTED (default 20,000) lines are planted of each class; 1,000,000 takes about half an hour a class.
PAYOPS_BENCH_IDENTITY (default 5,000) lines go through both paths. Times are seconds of one core.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evals.bench.figure import Figure
from evals.sets import redaction as measured
from evals.sets.redaction_corpus import Corpus
from evals.sets.redaction_forms import FORMS, MISSES
from evals.sets.redaction_worst import lines as worst_lines
from evals.sets.redaction_written import texts
from redaction import FinalScanner, Redactor
from redaction.brands import check_digit, table

_PAN = "4539578763621486"
_DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "redaction"


def figures() -> Iterable[Figure]:
    redactor = Redactor.default()
    yield from _speed(redactor)
    yield from _recall(redactor)
    yield from _false_positives(redactor)
    yield from _leaks(redactor)
    yield from _changed(redactor)
    yield from _worst(redactor)
    yield from _identity(redactor)


def _speed(redactor: Redactor) -> Iterator[Figure]:
    size = sum(map(len, Corpus(41).lines(4000))) / 4000
    ours, theirs = measured.lines_per_s(redactor), measured.presidio_lines_per_s()
    beside = f"Presidio as it comes {theirs:,.0f}"
    yield Figure("clean payment lines, one core", f"{ours:,.0f}", "lines/s", "at least 20,000", ours >= 20_000, beside)
    yield Figure(
        "the same in bytes",
        f"{ours * size / 1e6:.1f}",
        "MB/s",
        "at least 6",
        ours * size >= 6e6,
        f"{theirs * size / 1e6:.2f}",
    )
    planted = [line for k in measured.PLANTED_CLASSES for line, _ in Corpus(42).planted(k, 500)]
    begun = time.process_time()
    redactor.redact_many(planted)
    yield Figure("lines that all hold a value", f"{len(planted) / (time.process_time() - begun):,.0f}", "lines/s")
    begun = time.process_time()
    Redactor.full()
    Redactor.of(redactor.policy)
    yield Figure("making a redactor of each path", f"{time.process_time() - begun:.1f}", "s")
    yield from _presidio_one_by_one()


def _presidio_one_by_one() -> Iterator[Figure]:
    """Why each of Presidio's own was chosen or not: its time on a log line, alone."""
    engine = measured.stock_presidio()
    lines = list(Corpus(41).lines(60))
    took = []
    for recognizer in engine.registry.recognizers:
        begun = time.process_time()
        for line in lines:
            recognizer.analyze(line, recognizer.supported_entities, None)
        took.append(((time.process_time() - begun) / len(lines) * 1e6, recognizer.name))
    took.sort(reverse=True)
    total = sum(us for us, _ in took)
    for us, name in took[:6]:
        yield Figure(
            f"Presidio's {name}", f"{us:,.0f}", "us/line", beside=f"{us / total:.0%} of its {len(took)} recognizers"
        )


def _recall(redactor: Redactor) -> Iterator[Figure]:
    hits = sum(measured.found(redactor, form(_PAN), _PAN) for form in FORMS.values())
    written = list(texts(_PAN))
    shown = [redactor.redact(text).text for text in written]
    gone = sum(
        _PAN not in "".join(filter(str.isdigit, new)) and new != old for new, old in zip(shown, written, strict=True)
    )
    whole = f"{gone} of {len(written)}"
    yield Figure("written forms of a second list found", whole, "", "all", gone == len(written))
    engine = measured.stock_presidio()
    theirs = sum(
        _PAN not in _cut(engine, form(_PAN)) and bool(engine.analyze(form(_PAN), "en", entities=["CREDIT_CARD"]))
        for form in FORMS.values()
    )
    yield Figure(
        "written PAN forms found", f"{hits} of {len(FORMS)}", "", "all", hits == len(FORMS), f"Presidio {theirs}"
    )
    yield Figure("published misses", ", ".join(MISSES))
    made = [
        (p.ljust(n - 1, "7"))
        for _, lengths, spans in table()
        for n in lengths
        for s in spans
        for p in [s.partition("-")[0]]
    ]
    pans = [body + check_digit(body) for body in made]
    seen = sum(redactor.redact(f"card {pan} declined").counts.get("PAN", 0) for pan in pans)
    known = sum(bool(engine.analyze(f"card {pan} declined", "en", entities=["CREDIT_CARD"])) for pan in pans)
    yield Figure(
        "ranges of every brand and length", f"{seen} of {len(pans)}", "", "all", seen == len(pans), f"Presidio {known}"
    )
    public = measured.public_set(redactor, _DATA)
    value = "absent: microsoft/presidio-research, data/" if public is None else f"{public[0]:.3f} / {public[1]:.3f}"
    yield Figure(
        "public set, recall / precision",
        value,
        "",
        "1.0 / 1.0",
        None if public is None else public == (1.0, 1.0),
        "Presidio .772 / 1.0",
    )


def _cut(engine: object, text: str) -> str:
    for result in sorted(engine.analyze(text, "en", entities=["CREDIT_CARD"]), key=lambda r: -r.start):  # type: ignore[attr-defined]
        text = text[: result.start] + text[result.end :]
    return text


def _false_positives(redactor: Redactor) -> Iterator[Figure]:
    engine = measured.stock_presidio()
    for kind, wrong in measured.mistaken(redactor, 20_000).items():
        rng = random.Random(f"mistaken {kind}")
        theirs = sum(
            bool(engine.analyze(measured.number_kinds()[kind](rng), "en", entities=["CREDIT_CARD"]))
            for _ in range(2000)
        )
        yield Figure(f"{kind} altered", f"{wrong} of 20,000", "", "0", wrong == 0, f"Presidio {theirs / 20:.1f} %")
    rng = random.Random(17)
    ids = [str(rng.randrange(10**15, 10**16)) for _ in range(20_000)]
    taken = sum(bool(r.spans) for r in redactor.redact_many(ids))
    yield Figure(
        "random 16-digit ids taken for a PAN",
        f"{taken / 200:.1f} %",
        beside="check digit, range and length by chance; joins are kept",
    )


def _leaks(redactor: Redactor) -> Iterator[Figure]:
    count = int(os.environ.get("PAYOPS_BENCH_PLANTED", "20000"))
    for klass in measured.PLANTED_CLASSES:
        left = len(measured.leaked(redactor, klass, count))
        bound = 3 / count if not left else (left + 2 * left**0.5 + 2) / count
        yield Figure(
            f"planted {klass} left", f"{left} of {count:,}", "", "0", left == 0, f"upper bound {bound:.1e} (95 %)"
        )


def _changed(redactor: Redactor) -> Iterator[Figure]:
    lines = list(Corpus(43, unseen=True).lines(10_000))
    texts = redactor.redact_many(lines)
    share = sum(s.end - s.start for r in texts for s in r.spans) / sum(map(len, lines))
    yield Figure(
        "clean characters changed, unseen templates", f"{share:.2%}", "", "at most 1 %", share <= 0.01, "Presidio 26 %"
    )
    for kind, part in measured.prose_changed(redactor).items():
        yield Figure(f"clean prose changed, {kind}", f"{part:.2%}", "", "at most 1 %", part <= 0.01)
    people = measured.names_exposed(redactor, _DATA)
    if people is not None:
        exposed, count, altered = people
        yield Figure("people of the public sentences, nothing removed", f"{exposed} of {count}")
        yield Figure(
            "clean characters of the public sentences changed", f"{altered:.2%}", "", "at most 1 %", altered <= 0.01
        )
    incident = redactor.for_incident("bench")
    values = [value for k in ("PAN", "EMAIL", "IBAN") for _, value in Corpus(44).planted(k, 2000)]
    tokens = [incident.redact(f"x {value} y").text for value in values]
    again = [incident.redact(f"x {value} y").text for value in values]
    kept = tokens == again and len(set(tokens)) == len(set(values))
    yield Figure("joins kept", "100 %" if kept else "not all", "", "100 %", kept)


def _worst(redactor: Redactor) -> Iterator[Figure]:
    slowest = max((_seconds(lambda line=line: redactor.redact(line)), name) for name, line in worst_lines().items())
    yield Figure(
        f"worst 32 KB line ({slowest[1]})", f"{slowest[0]:.3f}", "s", "at most 0.1", slowest[0] <= 0.1, "Presidio 11.9"
    )
    scanner = FinalScanner(classes=())
    slow = max(
        (_seconds(lambda line=line: scanner.check(line, sink="bench")), name) for name, line in worst_lines().items()
    )
    yield Figure(f"worst 32 KB line, final scanner ({slow[1]})", f"{slow[0]:.3f}", "s")


def _seconds(work: object) -> float:
    """The better of two: the first may fill caches."""
    best = 9e9
    for _ in range(2):
        begun = time.process_time()
        work()  # type: ignore[operator]
        best = min(best, time.process_time() - begun)
    return best


def _identity(redactor: Redactor) -> Iterator[Figure]:
    count = int(os.environ.get("PAYOPS_BENCH_IDENTITY", "5000"))
    full = Redactor.full()
    lines = [line for k in measured.PLANTED_CLASSES for line, _ in Corpus(45).planted(k, count // 10)]
    lines += list(Corpus(45).lines(count - len(lines)))
    begun = time.process_time()
    slow = [full.redact(line) for line in lines]
    took = time.process_time() - begun
    differ = sum(a.text != b.text for a, b in zip(Redactor.of(redactor.policy).redact_many(lines), slow, strict=True))
    beside = f"full path {count / took:,.0f} lines/s"
    yield Figure("lines that differ between the two paths", f"{differ} of {count:,}", "", "0", differ == 0, beside)
