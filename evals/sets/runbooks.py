"""Runbook retrieval: for each alert or question the runbooks best first, and how sure we are that one fits.

A folder of this set holds `queries.jsonl` (`qid`, `text`), `ground_truth.jsonl` (`qid`, `relevant`, empty where the
right answer is none; read by `score` only), and `docs.jsonl` (`doc_id`, `text`). Without documents the shipped runbooks
are searched and their ids are `service/AlertName`. `evals/sets/ops_questions` is such a folder, 100 questions in the
words of people on call; `ops_slang` another, 159 in chat slang, abbreviations, other languages, and near misses. The
ranking is the product's own, vectors included where the embedder is installed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import UsageError

if TYPE_CHECKING:
    from assistant.runbook_index.folders import RawFile
    from assistant.runbook_index.index import Index

DEPTH = 20
CUTS = (1, 3, 5)
FLOORS = {"recall@1": 0.80, "recall@3": 0.92, "recall@5": 0.94, "mrr": 0.87, "abstention_auroc": 0.97}
TARGETS = {"recall@1": 0.82, "recall@3": 0.93, "recall@5": 0.95, "abstention_auroc": 0.95}
# another author's words: questions over the shipped runbooks are of this kind
FLOORS_QUESTIONS = {"recall@1": 0.80, "recall@3": 0.93, "recall@5": 0.95, "mrr": 0.88, "abstention_auroc": 0.96}
TARGETS_QUESTIONS = {"recall@1": 0.70, "recall@3": 0.88, "recall@5": 0.92, "abstention_auroc": 0.95}


def predict(data: Path) -> Iterator[dict[str, Any]]:
    """`{case, answer: {ranked, answerable}}`: ids best first, and a score in 0..1 that any of them fits."""
    index = open_set(data)
    for query in rows(data / "queries.jsonl"):
        hits = index.ranking(str(query["text"]), DEPTH)
        ranked = [path.removesuffix(".md") for path, _ in hits]
        yield {"case": query["qid"], "answer": {"ranked": ranked, "answerable": hits[0][1] if hits else 0.0}}


def score(predictions: list[Mapping[str, Any]], data: Path) -> dict[str, Any]:
    """Recall over the answerable queries, mean reciprocal rank, and the area under the abstention curve."""
    truth = {row["qid"]: list(row["relevant"]) for row in rows(data / "ground_truth.jsonl")}
    cases = [_case(p, truth[p["case"]]) for p in predictions if p["case"] in truth]
    answerable = [c for c in cases if c["relevant"]]
    sure = [[c["answerable"] for c in cases if bool(c["relevant"]) is fits] for fits in (True, False)]
    figures: dict[str, float] = {f"recall@{k}": _mean([c["rank"] <= k for c in answerable]) for k in CUTS}
    figures["mrr"] = _mean([1 / c["rank"] for c in answerable])
    figures["abstention_auroc"] = auroc(*sure)
    failures = [
        {"case": c["case"], "wanted": c["relevant"], "got": c["ranked"][:3], "answerable": c["answerable"]}
        for c in answerable
        if c["rank"] > 1
    ]
    alerts = (data / "docs.jsonl").is_file()
    return {
        "set": "runbooks",
        "cases": cases,
        "figures": figures,
        "floors": FLOORS if alerts else FLOORS_QUESTIONS,
        "targets": TARGETS if alerts else TARGETS_QUESTIONS,
        "failures": failures,
    }


def open_set(data: Path, *, dense: bool = True) -> Index:
    """The index over the set's documents, or over the shipped runbooks where it has none."""
    from assistant.runbook_index.open import open_files, open_in_process
    from assistant.settings import load_settings, quiet_telemetry
    from redaction import Redactor

    quiet_telemetry()
    state, redactor = load_settings().state, Redactor.default()
    if (data / "docs.jsonl").is_file():
        return open_files(
            [_document(row) for row in rows(data / "docs.jsonl")], state=state, redactor=redactor, dense=dense
        )
    shipped = Path(__file__).resolve().parents[2] / "runbooks"
    return open_in_process(dirs=[shipped], state=state, redactor=redactor, dense=dense)


def rows(file: Path) -> Iterator[dict[str, Any]]:
    """JSON objects, one a line. UsageError names file and line where that is not so."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", mend="give a folder of the runbooks set to --data") from None
    for n, line in enumerate(lines, 1):
        try:
            row = json.loads(line) if line.strip() else None
        except ValueError:
            raise UsageError(f"{file}:{n}: not JSON", mend="write one object a line") from None
        if isinstance(row, dict):
            yield row


def auroc(fits: Sequence[float], none: Sequence[float]) -> float:
    """The chance that a query with an answer scores above one without; ties count half. NaN without either."""
    pairs = [(a > b) + 0.5 * (a == b) for a in fits for b in none]
    return sum(pairs) / len(pairs) if pairs else float("nan")


def _document(row: Mapping[str, Any]) -> RawFile:
    from assistant.runbook_index.folders import RawFile

    text = str(row["text"])
    return RawFile(f"{row['doc_id']}.md", "", text, hashlib.sha256(text.encode()).hexdigest())


def _case(prediction: Mapping[str, Any], relevant: list[str]) -> dict[str, Any]:
    ranked = list(prediction["answer"]["ranked"])
    places = [n for n, found in enumerate(ranked, 1) if found in relevant]
    rank = float(places[0]) if places else float("inf")
    answerable = float(prediction["answer"]["answerable"])
    return {"case": prediction["case"], "relevant": relevant, "ranked": ranked, "rank": rank, "answerable": answerable}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
