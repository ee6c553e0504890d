"""Runbooks: how well the ranking finds them, and how long a thousand take to index and to search."""

from __future__ import annotations

import itertools
import random
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from evals.bench.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "evals" / "sets" / "ops_questions"
SLANG = ROOT / "evals" / "sets" / "ops_slang"
COUNT = 1000
QUERIES = 200


def figures() -> Iterable[Figure]:
    yield from _quality()
    yield from _speed()


def _quality() -> Iterator[Figure]:
    from evals.registry import data_dir
    from evals.sets.runbooks import predict, score

    public = data_dir("runbooks", None)
    for name, folder in (("public alerts, names masked", public), ("our questions", OPS), ("in slang", SLANG)):
        if folder is None:
            yield Figure(f"{name}: recall@1", "not measured", "shared/data/benchmarks/runbook-retrieval is absent")
            continue
        report = score(list(predict(folder)), folder)
        for figure, value in report["figures"].items():
            target = report["targets"].get(figure)
            reached = None if target is None else value >= target
            yield Figure(
                f"{name}: {figure}", f"{value:.3f}", "", "" if target is None else f"at least {target}", reached
            )


def _speed() -> Iterator[Figure]:
    """Cold: read, redact, embed, fill Chroma. Warm: the same again in a new index with nothing changed."""
    from assistant.runbook_index.embedder import weights_folder
    from assistant.runbook_index.open import open_index
    from redaction import Redactor

    if weights_folder() is None:
        yield Figure(f"index {COUNT:,} runbooks", "not measured", "embedder weights are not installed")
        return
    redactor = Redactor.default()
    redactor.redact("warm")
    with tempfile.TemporaryDirectory() as place:
        folder, state = Path(place) / "books", Path(place) / "state"
        write_books(folder, COUNT)
        times = []
        for _ in range(2):
            start = time.perf_counter()
            index = open_index(dirs=[folder], state=state, redactor=redactor, dense=True)
            index.find(alerts=(), question="a queue grows", findings_text="")
            times.append(time.perf_counter() - start)
            if len(times) == 1:
                index.close()
        yield Figure(f"index {COUNT:,} runbooks, cold", f"{times[0]:.1f}", "s", "at most 90", times[0] <= 90)
        yield Figure(f"index {COUNT:,} runbooks, warm", f"{times[1]:.1f}", "s", "at most 2", times[1] <= 2)
        p95 = _query_p95(index.find)
        yield Figure("query, p95", f"{1000 * p95:.1f}", "ms", "at most 30", p95 <= 0.030)
        index.close()


def _query_p95(find: object) -> float:
    from evals.sets.runbooks import rows

    asked = itertools.cycle(str(row["text"]) for row in rows(OPS / "queries.jsonl"))
    taken = []
    for text in itertools.islice(asked, QUERIES):
        start = time.perf_counter()
        find(alerts=(), question=text, findings_text="")  # type: ignore[operator]
        taken.append(time.perf_counter() - start)
    return sorted(taken)[int(0.95 * QUERIES)]


def write_books(folder: Path, count: int) -> None:
    """`count` different runbooks of the shipped ones' form and size, from their paragraphs mixed by a fixed seed."""
    from assistant.runbook_index.document import parse_runbook

    texts = [p.read_text(encoding="utf-8") for p in sorted((ROOT / "runbooks").glob("*/*.md"))]
    books = [parse_runbook(text, path="x.md", digest="") for text in texts]
    paragraphs = {
        h: [p for b in books for s in b.sections if s.heading == h for p in s.text.split("\n\n")] for h in HEADINGS
    }
    mix = random.Random(7)
    folder.mkdir(parents=True)
    for n in range(count):
        body = "\n\n".join(f"## {h}\n\n" + "\n\n".join(mix.sample(paragraphs[h], k)) for h, k in HEADINGS.items())
        front = f"---\nalertnames: [Alert{n}]\nservices: [s{n % 50}]\n---\n"
        (folder / f"Alert{n}.md").write_text(f"{front}# Alert number {n}\n\n{body}\n", encoding="utf-8")


HEADINGS = {"Meaning": 3, "Impact": 2, "Diagnosis": 9, "Whose fault is it": 1, "Mitigation": 1, "Escalation": 1}
