import json
from pathlib import Path

import pytest

from assistant.errors import UsageError
from evals.sets import runbooks
from tests.runbooks.conftest import ROOT, SHIPPED, needs_weights

OPS = ROOT / "evals" / "sets" / "ops_questions"
SLANG = ROOT / "evals" / "sets" / "ops_slang"
PUBLIC = ROOT.parent / "shared" / "data" / "benchmarks" / "runbook-retrieval"


def lines(file: Path, *rows: object) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PAYOPS_STATE", str(tmp_path / "state"))
    texts = {
        "d1": "## Meaning\n\nThe disk is full.",
        "d2": "## Meaning\n\nThe clock is off.",
        "d3": "## Meaning\n\nA queue grows.",
    }
    lines(tmp_path / "docs.jsonl", *({"doc_id": d, "text": t} for d, t in texts.items()))
    lines(
        tmp_path / "queries.jsonl", {"qid": "a", "text": "Disk is full."}, {"qid": "b", "text": "coffee machine broken"}
    )
    return tmp_path


def test_predicting_never_opens_the_answers(small: Path) -> None:
    (small / "ground_truth.jsonl").mkdir()  # opening it would fail
    a, b = runbooks.predict(small)
    assert (a["case"], a["answer"]["ranked"][0]) == ("a", "d1")
    assert sorted(a["answer"]["ranked"]) == ["d1", "d2", "d3"]
    assert a["answer"]["answerable"] > 0.5 > b["answer"]["answerable"]


def test_figures_are_those_counted_by_hand(small: Path) -> None:
    truth = {"a": ["d1"], "b": ["d2"], "c": ["d3"], "x": [], "y": []}
    lines(small / "ground_truth.jsonl", *({"qid": q, "relevant": r} for q, r in truth.items()))
    ranked = {"a": ["d1", "d2"], "b": ["d1", "d2"], "c": ["d1", "d2"], "x": ["d1"], "y": ["d2"]}
    sure = {"a": 0.9, "b": 0.8, "c": 0.3, "x": 0.3, "y": 0.1}
    given = [{"case": q, "answer": {"ranked": r, "answerable": sure[q]}} for q, r in ranked.items()]
    report = runbooks.score(given, small)
    assert report["figures"] == pytest.approx(
        {"recall@1": 1 / 3, "recall@3": 2 / 3, "recall@5": 2 / 3, "mrr": 0.5, "abstention_auroc": 5.5 / 6}
    )
    assert [f["case"] for f in report["failures"]] == ["b", "c"]
    assert set(report) == {"set", "cases", "figures", "floors", "targets", "failures"}


def test_a_folder_of_another_kind_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"queries\.jsonl"):
        list(runbooks.rows(tmp_path / "queries.jsonl"))


@pytest.mark.parametrize(("folder", "size", "none"), [(OPS, 100, 10), (SLANG, 159, 40)])
def test_our_own_sets_ask_for_every_shipped_runbook_and_for_none(folder: Path, size: int, none: int) -> None:
    queries = list(runbooks.rows(folder / "queries.jsonl"))
    truth = {row["qid"]: row["relevant"] for row in runbooks.rows(folder / "ground_truth.jsonl")}
    books = {p.relative_to(SHIPPED).as_posix().removesuffix(".md") for p in SHIPPED.glob("*/*.md")}
    assert len(queries) == size == len({q["text"] for q in queries})
    assert {d for docs in truth.values() for d in docs} == books
    assert sum(not docs for docs in truth.values()) >= none
    assert not [q for q in queries for b in books if b.rsplit("/", 1)[1].lower() in q["text"].lower().replace(" ", "")]


@pytest.mark.slow
@needs_weights
@pytest.mark.parametrize(
    "folder",
    [
        OPS,
        SLANG,
        pytest.param(PUBLIC, marks=pytest.mark.skipif(not PUBLIC.is_dir(), reason=f"no {PUBLIC.name} beside us")),
    ],
)
def test_the_floors_hold(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYOPS_STATE", str(tmp_path))
    report = runbooks.score(list(runbooks.predict(folder)), folder)
    assert {k: v for k, v in report["figures"].items() if v < report["floors"][k]} == {}
