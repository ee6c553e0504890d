"""The gate: floors hold or are named, falls are named with the cases lost, bad input is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assistant.analysis.payments import KINDS
from assistant.errors import UsageError
from evals.gate import GATE, Gate, judge, paired, read_gate, value
from evals.intervals import wilson
from evals.lab.spec import shipped
from evals.reports import html, read_report, readme_table, report_of, seeds_in, write_table
from evals.samples import FORMAT, Head, Sample, read, run, samples, seeds_of
from evals.sets.lab_causes import CAUSES

HEAD = Head(FORMAT, "abc", "line")


def case(name: str, *, right: bool = True, quiet: bool = False, **more: Any) -> dict[str, Any]:
    base = {
        "case": name, "name": name, "kind": name.split("/")[0], "tier": "metrics", "topology": "t", "severity": "high",
        "quiet": quiet, "truth": "x", "said": "x" if right else "y", "said_kind": "k", "verdict": "likely",
        "right@1": right, "right@3": right, "decoy": False, "change_right": right, "onset_error": 5.0,
        "naming": "plain", "kinds": ["k"], "confidence": 0.8, "hidden": False, "impact_error": None,
        "runbook_right": True, "must_say_missed": [], "must_not_say_said": [], "struck": 0,
        "tokens": 0, "cost": 0.0, "leaks": 0,
    }  # fmt: skip
    return {**base, **more}


FLOORS = Gate({"cause@1": 0.5}, {"leaks": 0, "decoys": 0.1}, {"cause@1": 0.05}, {})


def test_a_run_over_its_floors_holds() -> None:
    assert judge([case("a/1"), case("b/1")], FLOORS, None) == ()


def test_what_falls_below_a_floor_is_named() -> None:
    fallen = judge([case("a/1", right=False), case("b/1", right=False), case("c/1")], FLOORS, None)
    assert [f.figure for f in fallen] == ["cause@1"]
    assert "1/3" in fallen[0].why


def test_one_leak_falls() -> None:
    assert [f.figure for f in judge([case("a/1", leaks=1)], FLOORS, None)] == ["leaks"]


def test_nothing_counted_does_not_hold_a_floor() -> None:
    assert [f.figure for f in judge([case("healthy/1", quiet=True)], FLOORS, None)] == ["cause@1"]


def test_a_fall_against_the_accepted_report_names_the_lost_case() -> None:
    accepted = report_of([case(f"a/{i}") for i in range(10)], HEAD, None)
    now = [case(f"a/{i}", right=i != 3) for i in range(10)]
    fallen = judge(now, FLOORS, accepted)
    assert [f.figure for f in fallen] == ["cause@1"]
    assert "lost a/3" in fallen[0].why


def test_accepted_cases_that_were_not_run_are_named() -> None:
    accepted = report_of([case("a/1"), case("a/2")], HEAD, None)
    fallen = judge([case("a/1")], FLOORS, accepted)
    assert [f.figure for f in fallen] == ["cases"]
    assert "1 of 2" in fallen[0].why and "a/2" in fallen[0].why


def test_a_report_holds_every_paired_figure_kinds_and_calibration() -> None:
    accepted = report_of([case("issuer-outage/1", right=False), case("healthy/1", quiet=True)], HEAD, None)
    now = [case("issuer-outage/1", kinds=["issuer_outage"], confidence=0.9), case("healthy/1", quiet=True)]
    report = report_of(now, HEAD, accepted)
    assert report["paired"]["won"] == ("issuer-outage/1",)
    assert report["paired_by"]["change@1"]["won"] == ("issuer-outage/1",)
    figures = report["figures"]
    assert value(figures["kind@1"]) == 1.0 and value(figures["kind@3"]) == 1.0
    assert figures["calibration_error"] == "0.100 over 1"
    assert value(figures["verdict_coverage"]) == 1.0 and value(figures["abstained_where_hidden"]) is None
    assert {"struck_a_note", "seconds_median", "tokens", "cost"} <= set(figures)
    assert set(report) >= {"by_kind", "by_tier", "by_severity", "by_topology", "by_naming"}
    assert seeds_in(report_of([case("a/1", seed=9002), case("a/2", seed=9001)], HEAD, None)) == "9001,9002"


def test_every_kind_with_a_cause_has_words_of_the_analyst() -> None:
    assert set(CAUSES) <= set(shipped())
    assert {c for causes in CAUSES.values() for c in causes} <= set(KINDS)


def test_the_page_shows_plots_of_every_report() -> None:
    page = html(report_of([case("a/1"), case("a/2", right=False, onset_error=900.0)], HEAD, None))
    for drawn in ("calibration", "onset errors", "verdicts"):
        assert f'aria-label="{drawn}"' in page
    assert "1 right, 1 wrong" in page and "10 min: 1" in page


def test_reports_without_a_common_case_are_refused() -> None:
    accepted = report_of([case("a/1")], HEAD, None)
    with pytest.raises(UsageError, match="no case in common"):
        judge([case("b/1")], FLOORS, accepted)


def test_pairs_are_counted_and_tested_exactly() -> None:
    before = {c["name"]: c for c in [case("a/1", right=False), case("a/2"), case("a/3", right=False)]}
    pairs = paired([case("a/1"), case("a/2", right=False), case("a/3")], before)
    assert (pairs.won, pairs.lost) == (("a/1", "a/3"), ("a/2",))
    assert pairs.chance == 1.0
    five = {f"a/{i}": case(f"a/{i}", right=False) for i in range(6)}
    assert paired([case(f"a/{i}") for i in range(6)], five).chance == pytest.approx(2 / 64)


def test_the_shipped_gate_reads() -> None:
    gate = read_gate(GATE)
    assert gate.at_most["leaks"] == 0
    assert samples(gate.small["kinds"], seeds_of(gate.small["seeds"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[floors]\na = 1\n", 'unknown table "floors"'),
        ('[at_least]\n"cause@9" = 1\n', 'no figure "cause@9"'),
        ("x", "not TOML"),
    ],
)
def test_a_wrong_gate_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "gate.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        read_gate(file)


@pytest.mark.parametrize(
    ("text", "said"),
    [("{}", "not a report"), ('{"head": {"format": 99}, "cases": [1]}', "report format 99"),
     ('{"head": {"format": 1}, "cases": []}', "without cases")],
)  # fmt: skip
def test_a_report_of_another_kind_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "r.json"
    file.write_text(text)
    with pytest.raises(UsageError, match=said):
        read_report(file)


def test_an_interrupted_run_goes_on_and_another_release_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cases.jsonl"
    lines = [{"head": {"format": FORMAT, "release": "abc", "solver": "line", "config": ""}}, case("a/1")]
    file.write_text("\n".join(json.dumps(x) for x in lines) + '\n{"name": "a/2", "cut')
    assert [c["name"] for c in read(file, HEAD)] == ["a/1"]
    assert [c["name"] for c in run([Sample("a", 1)], HEAD, file)] == ["a/1"]
    with pytest.raises(UsageError, match="measured with another release"):
        read(file, Head(FORMAT, "other", "line"))
    with pytest.raises(UsageError, match="not a run"):
        (tmp_path / "x").write_text("hello\n")
        read(tmp_path / "x", HEAD)


def test_seeds_are_read_and_refused() -> None:
    assert seeds_of("1,5,9-12") == (1, 5, 9, 10, 11, 12)
    for bad in ("", "a", "1-", "-3", "1;2"):
        with pytest.raises(UsageError, match="not a list of seeds"):
            seeds_of(bad)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no kind nope"):
        samples(["nope"], [1])


def test_the_page_holds_no_markup_of_a_case() -> None:
    page = html(report_of([case("a/1", right=False, said="<script>alert(1)</script>")], HEAD, None))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_the_table_is_written_between_its_marks_only(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- lab -->\nold\n<!-- /lab -->\nafter\n")
    write_table(readme, "lab", readme_table(report_of([case("a/1")], HEAD, None)))
    text = readme.read_text()
    assert text.startswith("before\n<!-- lab -->\n| figure") and text.endswith("<!-- /lab -->\nafter\n")
    assert "old" not in text
    with pytest.raises(UsageError, match="no marks for other"):
        write_table(readme, "other", "x")


def test_wilson_knows_the_ends() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-3) and high == 1.0


def test_values_are_read_from_figures() -> None:
    assert value("0.850 (17/20, 0.64-0.95)") == 0.85
    assert value("none counted") is None
    assert value(0) == 0.0
