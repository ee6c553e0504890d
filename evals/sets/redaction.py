"""`payops eval run redaction`: written forms found, leaks, false cards, and throughput beside Presidio's.

`data` is the folder of `synth_dataset_v2_first_750.json` (microsoft/presidio-research, MIT); without it the two
figures of the public set are absent, and a failure line says how to get it.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evals.sets.redaction_corpus import Corpus
from evals.sets.redaction_forms import FORMS, MISSES
from redaction import FinalScanner, LeakBlocked, Redactor

PLANTED_CLASSES = ("PAN", "SAD", "SECRET", "EMAIL", "IBAN")
_PANS = ("4539578763621486", "5425233430109903", "2223520443560010", "6011000990139424")
_CARD_DATA = frozenset({"PAN", "TRACK", "LINE", "EMAIL"})
_FILE = "synth_dataset_v2_first_750.json"


def run(data: Path | None) -> dict[str, Any]:
    """The figures, the floors that gate them, and what failed. PAYOPS_EVAL_LINES sets how many lines are planted."""
    count = int(os.environ.get("PAYOPS_EVAL_LINES", "2000"))
    redactor = Redactor.default()
    missed = [name for name in FORMS if not all(found(redactor, FORMS[name](pan), pan) for pan in _PANS)]
    leaks = {klass: len(leaked(redactor, klass, count)) for klass in PLANTED_CLASSES}
    false_cards = {kind: wrong for kind, wrong in mistaken(redactor, count).items() if wrong}
    public = public_set(redactor, data)
    figures: dict[str, Any] = {
        "forms_found": len(FORMS) - len(missed),
        "forms": len(FORMS),
        "leaks": sum(leaks.values()),
        "false_cards": sum(false_cards.values()),
        "lines_per_s": round(lines_per_s(redactor)),
        "presidio_lines_per_s": round(presidio_lines_per_s()),
        **({"public_recall": public[0], "public_precision": public[1]} if public else {}),
    }
    failures = [f"form not found: {name}" for name in missed]
    failures += [f"{n} planted {klass} left in {count}" for klass, n in leaks.items() if n]
    failures += [f"{n} {kind} taken for a card" for kind, n in false_cards.items()]
    if public is None:
        failures.append(f"{_FILE} absent: give its folder with --data (microsoft/presidio-research, data/)")
    floors = {"forms_found": len(FORMS), "leaks": 0, "false_cards": 0}
    targets = {**floors, "lines_per_s": 20_000, "public_recall": 1.0, "public_precision": 1.0}
    cases = [{"case": name, "found": name not in missed} for name in FORMS]
    cases += [{"case": name, "found": False, "published_miss": True} for name in MISSES]
    return {
        "set": "redaction",
        "cases": cases,
        "figures": figures,
        "floors": floors,
        "targets": targets,
        "failures": failures,
    }


def found(redactor: Redactor, text: str, pan: str) -> bool:
    """The number is gone from the output, also as bare digits."""
    redacted = redactor.redact(text)
    if not _CARD_DATA & redacted.counts.keys():
        return False
    return pan not in "".join(c for c in redacted.text if c.isdigit()) and pan[6:12] not in redacted.text


def leaked(redactor: Redactor, klass: str, count: int, *, seed: int = 33) -> list[str]:
    """Lines whose planted value is left in the output, or in what the final scanner reads of it."""
    scanner = FinalScanner(classes=("PAN", "TRACK", "SECRET", "EMAIL", "IBAN"))
    left = []
    for line, value in Corpus(seed).planted(klass, count):
        redacted = redactor.redact(line)
        gone = bool({"SAD", "LINE"} & redacted.counts.keys()) if klass == "SAD" else value not in redacted.text
        try:
            scanner.check(redacted.text, sink="evaluation")
        except LeakBlocked:
            gone = False
        if not gone:
            left.append(line)
    return left


def number_kinds() -> Mapping[str, Callable[[random.Random], str]]:
    """What Presidio takes for cards most often."""
    return {
        "epoch ms": lambda r: str(r.randrange(10**12, 2 * 10**12)),
        "epoch us": lambda r: str(r.randrange(10**15, 2 * 10**15)),
        "epoch ns": lambda r: str(r.randrange(10**18, 2 * 10**18)),
        "uuid": lambda r: (
            f"{r.getrandbits(32):08x}-{r.getrandbits(16):04x}-4{r.getrandbits(12):03x}-{0x8000 | r.getrandbits(14):04x}-{r.getrandbits(48):012x}"  # noqa: E501
        ),
        "hex id": lambda r: f"{r.getrandbits(128):032x}",
        "float": lambda r: repr(r.random()),
    }


def mistaken(redactor: Redactor, count: int) -> dict[str, int]:
    """How many of `count` of each kind are altered."""
    frames = ("{}", "id={} ok", '{{"a": "{}"}}', "request {}: done")
    wrong = {}
    for kind, make in number_kinds().items():
        rng = random.Random(f"mistaken {kind}")
        texts = [frames[n % len(frames)].format(make(rng)) for n in range(count)]
        wrong[kind] = sum(r.text != text for r, text in zip(redactor.redact_many(texts), texts, strict=True))
    return wrong


def public_set(redactor: Redactor, data: Path | None) -> tuple[float, float] | None:
    """(recall, precision) of CREDIT_CARD on the public sentences; None where they are absent."""
    file = data / _FILE if data else None
    if file is None or not file.is_file():
        return None
    true = missed = false = 0
    for sample in json.loads(file.read_text(encoding="utf-8")):
        got = [s for s in redactor.redact(sample["full_text"]).spans if s.klass == "PAN"]
        wanted = [
            (s["start_position"], s["end_position"]) for s in sample["spans"] if s["entity_type"] == "CREDIT_CARD"
        ]
        hit = [w for w in wanted if any(g.start <= w[0] and w[1] <= g.end for g in got)]
        true, missed = true + len(hit), missed + len(wanted) - len(hit)
        false += sum(not any(g.start < end and start < g.end for start, end in wanted) for g in got)
    return true / (true + missed), true / (true + false)


PROSE = Path(__file__).parent / "prose"


def prose_changed(redactor: Redactor) -> dict[str, float]:
    """By kind of clean prose (runbooks, chat, events, logs, commits) the share of characters altered. `unseen` was
    written last and read by nobody who mends the vocabulary.
    """
    shares = {}
    for file in sorted(PROSE.glob("*.txt")):
        lines = file.read_text(encoding="utf-8").splitlines()
        spans = (s for text in redactor.redact_many(lines) for s in text.spans)
        shares[file.stem] = sum(s.end - s.start for s in spans) / sum(map(len, lines))
    return shares


def names_exposed(redactor: Redactor, data: Path | None) -> tuple[int, int, float] | None:
    """(people of whom nothing was removed, people, clean characters altered) in the public sentences."""
    file = data / _FILE if data else None
    if file is None or not file.is_file():
        return None
    people = exposed = altered = clean = 0
    for sample in json.loads(file.read_text(encoding="utf-8")):
        text = sample["full_text"]
        got = [range(s.start, s.end) for s in redactor.redact(text).spans]
        dirty: set[int] = set()
        for span in sample["spans"]:
            inside = range(span["start_position"], span["end_position"])
            dirty.update(inside)
            if span["entity_type"] == "PERSON":
                people += 1
                exposed += not any(set(inside) & set(found) for found in got)
        clean += len(text) - len(dirty)
        altered += len({at for found in got for at in found} - dirty)
    return exposed, people, altered / clean


def lines_per_s(redactor: Redactor, *, count: int = 4000, trials: int = 3) -> float:
    """Clean payment lines through the whole pipeline, seconds of one core; the best of `trials`."""
    lines = list(Corpus(41).lines(count))
    redactor.redact_many(lines[:200])
    return max(_rate(lambda: redactor.redact_many(lines), count) for _ in range(trials))


def presidio_lines_per_s(*, count: int = 200) -> float:
    """Presidio as it comes: its default registry over a blank pipeline, the same lines, in the same run."""
    engine = stock_presidio()
    lines = list(Corpus(41).lines(count))
    engine.analyze(lines[0], "en")
    return _rate(lambda: [engine.analyze(line, "en") for line in lines], count)


def stock_presidio() -> Any:
    """Presidio's default recognizers, kept off the network."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NoOpNlpEngine
    from presidio_analyzer.recognizer_registry import RecognizerRegistry

    from redaction.presidio import predefined

    predefined("EmailRecognizer")  # its suffix list, without a download
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    registry.remove_recognizer("SpacyRecognizer")  # needs a model; its time would come on top
    nlp = NoOpNlpEngine(models=[{"lang_code": "en", "model_name": "none"}])
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])


def _rate(work: Callable[[], object], count: int) -> float:
    begun = time.process_time()
    work()
    return count / max(time.process_time() - begun, 1e-9)
