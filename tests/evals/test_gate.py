"""The gate: floors hold or are named, falls are named with the cases lost, bad input is refused in one line."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from assistant.analysis.payments import KINDS
from assistant.commands._shared import progress_line
from assistant.commands.evaluate import app
from assistant.errors import UsageError
from assistant.release import release_of
from assistant.settings import Settings
from evals.cases_file import cases_file, read_cases
from evals.gate import GATE, Gate, judge, paired, read_gate, value
from evals.head import FORMAT, Head, lab_id
from evals.intervals import paired_difference, wilson
from evals.lab.spec import shipped
from evals.report_page import html
from evals.reports import (
    accepted_report,
    mark_of,
    read_report,
    readme_table,
    report_of,
    report_text,
    seeds_in,
    write_table,
)
from evals.samples import Sample, run, samples, seeds_of
from evals.sets.lab import said
from evals.sets.lab_causes import CAUSES
from evals.solving import failed
from evals.targets import against

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
    assert not seeds_in(None)


def test_a_report_with_more_seeds_of_one_kind_is_run_again_as_it_was() -> None:
    names = [*(f"{kind}/{seed}" for kind in ("healthy", "recovered", "bad-deploy") for seed in (1, 2)), "healthy/3"]
    report = report_of([case(name, seed=int(name.rpartition("/")[2])) for name in names], HEAD, None)
    assert seeds_in(report) == "1,2,healthy:3"
    again = samples(["healthy", "recovered", "bad-deploy"], seeds_of(seeds_in(report)))
    assert sorted(s.name for s in again) == sorted(names)
    assert seeds_in(report, ["recovered"]) == "1,2" and seeds_in(report, ["healthy"]) == "1,2,3"


def test_every_kind_with_a_cause_has_words_of_the_analyst() -> None:
    assert set(CAUSES) <= set(shipped())
    assert {c for causes in CAUSES.values() for c in causes} <= set(KINDS)


def test_the_page_shows_plots_of_every_report() -> None:
    page = html(report_of([case("a/1"), case("a/2", right=False, onset_error=900.0)], HEAD, None))
    for drawn in ("calibration", "onset errors", "verdicts"):
        assert f'aria-label="{drawn}"' in page
    assert "1 right, 1 wrong" in page and "10 min: 1" in page


def test_a_written_report_is_the_same_report_with_a_line_a_case() -> None:
    report = report_of([case("issuer-outage/1", right=False), case("a\nb/1")], HEAD, None)
    text = report_text(report)
    read = json.loads(text)
    assert read == json.loads(json.dumps(report))
    lines = [line.rstrip(",").strip() for line in text.splitlines()]
    assert [json.loads(line) for line in lines if line.startswith('{"')] == read["cases"] + read["failures"]
    assert json.loads(report_text({"cases": [], "failures": []})) == {"cases": [], "failures": []}


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
        ("at_least = 1\n", "at_least is not a table"),
        ('[at_least]\n"cause@1" = "high"\n', '"cause@1" in .at_least. is no number'),
        ('[at_most]\n"leaks" = true\n', "is no number"),
        ('[small]\nkinds = ["healthy"]\nseeds = "1"\nhours = 2\n', 'unknown key "hours"'),
        ("[small]\nkinds = 3\n", "wants kinds and seeds"),
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


def kept(file: Path, *lines: Any, cut: str = "") -> Path:
    file.write_text("".join(json.dumps(x) + "\n" for x in lines) + cut)
    return file


FIRST = {"head": {"format": FORMAT, "release": "abc", "solver": "line", "config": ""}}


def test_an_interrupted_run_goes_on_and_its_half_line_spoils_nothing(tmp_path: Path) -> None:
    file = kept(tmp_path / "cases.jsonl", FIRST, case("a/1"), cut='{"name": "a/2", "cut')
    assert list(read_cases(file, HEAD)) == ["a/1"]
    assert [c["name"] for c in run([Sample("a", 1)], HEAD, file)] == ["a/1"]
    with cases_file(file, HEAD) as opened:
        opened.add(case("a/2"))
    assert list(read_cases(file, HEAD)) == ["a/1", "a/2"]
    assert [json.loads(x) for x in file.read_text().splitlines()] == [FIRST, case("a/1"), case("a/2")]


@pytest.mark.parametrize("size", [0, 1, 9, 40])
def test_a_run_that_was_killed_in_its_first_line_begins_again(tmp_path: Path, size: int) -> None:
    file = tmp_path / "cases.jsonl"
    file.write_text(json.dumps(FIRST)[:size])
    with cases_file(file, HEAD) as opened:
        opened.add(case("a/1"))
    assert list(read_cases(file, HEAD)) == ["a/1"]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (Head(FORMAT, "other", "line"), "another release abc, now other"),
        (Head(FORMAT, "abc", "analyst"), "another solver line, now analyst"),
        (Head(FORMAT, "abc", "line", without="topology"), "another without , now topology"),
        (Head(FORMAT, "abc", "line", lab="feedbeef"), "another lab , now feedbeef"),
    ],
)
def test_a_file_of_another_run_is_refused_and_left_as_it_was(tmp_path: Path, head: Head, said: str) -> None:
    file = kept(tmp_path / "cases.jsonl", FIRST, case("a/1"), cut="{")
    before = file.read_bytes()
    with pytest.raises(UsageError, match=said) as told:
        list(run([Sample("a", 1)], head, file))
    assert "give another --out" in told.value.mend
    assert file.read_bytes() == before


@pytest.mark.parametrize("text", ["hello\n", "hello", '{"cases": []}\n', "[1]\n", '{"head": 3}\n'])
def test_a_file_that_is_no_run_is_refused_and_left_as_it_was(tmp_path: Path, text: str) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    for read in (lambda: read_cases(file, HEAD), lambda: list(run([Sample("a", 1)], HEAD, file))):
        with pytest.raises(UsageError, match="not a run of this program"):
            read()
    assert file.read_text() == text


def test_a_line_that_is_no_case_is_named(tmp_path: Path) -> None:
    file = kept(tmp_path / "x", FIRST, case("a/1"), cut="oops\n")
    with pytest.raises(UsageError, match=r"x:3: not a case"):
        read_cases(file, HEAD)


def test_one_run_writes_a_file_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.cases_file.WAIT_S", 0.0)
    with (
        cases_file(tmp_path / "x", HEAD),
        pytest.raises(UsageError, match="another run writes it"),
        cases_file(tmp_path / "x", HEAD),
    ):
        pass


def test_seeds_are_read_and_refused() -> None:
    assert seeds_of("1,5,9-12") == {"": (1, 5, 9, 10, 11, 12)}
    assert seeds_of("1-2, healthy:3-4,healthy:7") == {"": (1, 2), "healthy": (3, 4, 7)}
    for bad in ("", "a", "1-", "-3", "1;2"):
        with pytest.raises(UsageError, match="not a list of seeds"):
            seeds_of(bad)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UsageError, match="no kind nope"):
        samples(["nope"], {"": [1]})
    with pytest.raises(UsageError, match="no kind nope"):
        samples([], seeds_of("1,nope:2"))
    with pytest.raises(UsageError, match="seeds for recovered, which this run has not"):
        samples(["healthy"], seeds_of("1,recovered:2"))


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


def test_a_target_is_held_by_the_interval_not_by_luck() -> None:
    found = against(
        {
            "cause@1": said(18, 20),
            "cause@3": said(1300, 1300),
            "decoys": said(0, 50),
            "confirmed_wrong": said(0, 400),
            "onset_within_60s": said(80, 100),
            "leaks": 0,
        }
    )
    says = {name: (a.says, a.which) for name, a in found.items()}
    assert says["cause@1"] == ("not shown", "lower")
    assert says["cause@3"] == ("held", "lower")
    assert says["decoys"] == ("not shown", "upper")
    assert says["confirmed_wrong"] == ("held", "upper")
    assert says["onset_within_60s"] == ("missed", "lower")
    assert says["leaks"] == ("held", "")
    assert says["likely_wrong"] == ("nothing counted", "")
    assert found["cause@1"].bound == pytest.approx(wilson(18, 20)[0])
    assert found["cause@1"].words == "not shown (lower bound 0.699)"
    assert against({"leaks": 1})["leaks"].says == "missed"


def test_the_table_says_whether_a_run_has_the_targets_size(tmp_path: Path) -> None:
    small = readme_table(report_of([case("a/1", seed=1), case("healthy/1", seed=1, quiet=True)], HEAD, None))
    assert (
        "too few for the targets (1 of 20 seeds a kind, 0 of 300 confirmed verdicts, 1 of 100 healthy worlds)" in small
    )
    many = [case(f"a/{i}", seed=i, verdict="confirmed") for i in range(300)]
    large = readme_table(
        report_of([*many, *(case(f"healthy/{i}", seed=i, quiet=True) for i in range(100))], HEAD, None)
    )
    assert "100 healthy worlds: the targets' size" in large
    assert "| cause@1 | 1.000 (300/300, 0.987-1.000) | >= 0.80 | held (lower bound 0.987) |" in large


def test_the_table_of_a_sorted_file_has_its_own_order_and_the_weakest_kinds_first() -> None:
    cases = [case("a/1", seed=1), case("b/1", seed=1), case("z/1", seed=1, right=False)]
    report = json.loads(json.dumps(report_of(cases, HEAD, None), sort_keys=True))
    table = readme_table(report)
    assert "Weakest kinds (cause@1): z 0.00, a 1.00, b 1.00." in table
    assert table.index("| cause@1 |") < table.index("| kind@1 |") < table.index("| abstained_where_hidden |")


def test_what_went_without_has_a_table_of_its_own() -> None:
    assert (
        mark_of(report_of([case("a/1")], Head(FORMAT, "abc", "line", without="topology"), None))
        == "lab-without-topology"
    )
    assert mark_of(report_of([case("a/1")], HEAD, None)) == "lab"


def test_failures_stand_weakest_kind_first_and_the_surest_of_a_kind_first() -> None:
    cases = [case("weak/1", right=False), case("weak/2", right=False, verdict="confirmed"), case("strong/1")]
    cases.append(case("strong/2", right=False))
    assert [c["name"] for c in report_of(cases, HEAD, None)["failures"]] == ["weak/2", "weak/1", "strong/2"]
    page = html(report_of(cases, HEAD, None))
    assert "Confirmed and wrong: 1" in page
    assert page.index("<th>weak</th>") < page.index("<th>strong</th>")


def test_an_error_of_ours_is_a_wrong_case_and_no_gate_holds() -> None:
    broken = failed(Sample("issuer-outage", 7), "ValueError: oops")
    assert set(broken) >= set(case("a/1"))
    report = report_of([broken, case("a/1")], HEAD, None)
    assert value(report["figures"]["cause@1"]) == 0.5
    assert report["no_note"] == [{"name": "issuer-outage/7", "why": "ValueError: oops"}]
    assert "1 worlds where an error of ours stands in place of a note" in readme_table(report)
    assert "ValueError: oops" in html(report)
    assert [f.figure for f in judge(report["cases"], Gate({}, {}, {}, {}), None)] == ["notes"]
    quiet = failed(Sample("healthy", 7), "x")
    assert quiet["quiet"] and not quiet["right@1"]


def test_a_seed_without_a_world_is_told_and_not_counted() -> None:
    report = report_of([{"name": "a/2", "kind": "a", "seed": 2, "unmade": "no alert"}, case("a/1")], HEAD, None)
    assert report["unmade"] == [{"name": "a/2", "why": "no alert"}]
    assert len(report["cases"]) == 1
    assert "no alert" in html(report)


def test_other_worlds_are_never_paired() -> None:
    accepted = report_of([case("a/1", right=False, world="1111"), case("a/2", right=False, world="2222")], HEAD, None)
    now = [case("a/1", world="9999"), case("a/2", world="2222")]
    assert paired(now, {c["name"]: c for c in accepted["cases"]}).won == ("a/2",)
    fallen = judge(now, Gate({}, {}, {}, {}), accepted)
    assert [f.figure for f in fallen] == ["cases"] and "1 of 2 cases are other worlds" in fallen[0].why


def test_an_edited_or_shortened_report_is_refused(tmp_path: Path) -> None:
    ours = Head(FORMAT, "abc", "line", lab=lab_id())
    report = report_of([case("a/1"), case("b/1", right=False)], ours, None)
    file = tmp_path / "r.json"
    file.write_text(json.dumps(report))
    assert read_report(file)["head"]["release"] == "abc"
    figures = {**report["figures"], "cause@1": "1.000 (2/2, 0.34-1.00)"}
    double = report_of([case("a/1")] * 2, ours, None)["figures"]
    hostile = {
        "figures": {**report, "figures": figures},
        "shortened": {**report, "cases": report["cases"][:1]},
        "twice": {**report, "cases": [report["cases"][0]] * 2, "figures": double},
        "no field": {**report, "cases": [{"name": "a/1"}]},
        "solver": {**report, "head": {**report["head"], "solver": "oracle"}},
    }
    for what, edited in hostile.items():
        file.write_text(json.dumps(edited))
        with pytest.raises(UsageError) as told:
            read_report(file)
        assert "run the evaluation again" in str(told.value), what


def test_a_report_of_another_lab_is_read_for_what_it_says(tmp_path: Path) -> None:
    """The accepted report outlives the rules that it was scored by: a figure that is counted otherwise today is no
    forgery."""
    report = report_of([case("a/1")], Head(FORMAT, "abc", "line", lab="before"), None)
    report["figures"]["kind@1"] = "0.900 (9/10, 0.596-0.982)"
    file = tmp_path / "r.json"
    file.write_text(json.dumps(report))
    assert read_report(file)["figures"]["kind@1"].startswith("0.900")
    assert accepted_report() is not None


def test_the_difference_of_pairs_has_newcombes_interval() -> None:
    """Newcombe 1998, table III: 36, 12, 2, 0 of 50 gives 0.0569 to 0.3404 (method 10)."""
    by, low, high = paired_difference(36, 12, 2, 0)
    assert (by, low, high) == pytest.approx((0.20, 0.0569, 0.3404), abs=5e-5)
    assert paired_difference(0, 0, 0, 0) == (0.0, -1.0, 1.0)
    same, down, up = paired_difference(10, 0, 0, 10)
    assert same == 0.0 and down == pytest.approx(-up)


def test_progress_without_a_terminal_says_what_is_left() -> None:
    line = progress_line("lab", 130, 1300, 240.0, deque([0.0, 1.0, 2.0]))
    assert line == "lab: 130 of 1300 (10%), 4 min, about 20 min left"


def test_the_gate_judges_a_report_of_what_runs_here_and_no_other(tmp_path: Path) -> None:
    file, limits = tmp_path / "r.json", tmp_path / "gate.toml"
    limits.write_text('[at_least]\n"cause@1" = 0.9\n')
    release = release_of(Settings()).id
    common = ["gate", "--report", str(file), "--gate", str(limits)]

    def written(right: bool, release: str) -> None:
        cases = [{**c, "right@1": right} for c in (accepted_report() or {})["cases"]]
        file.write_text(json.dumps(report_of(cases, Head(FORMAT, release, "line", lab="before"), None)))

    written(True, "0123456789ab")
    other = CliRunner().invoke(app, common)
    assert other.exit_code != 0 and f"of release 0123456789ab, this is {release}" in other.stderr
    written(True, release)
    held = CliRunner().invoke(app, common)
    assert held.exit_code == 0, held.output
    assert "the gate holds" in held.stdout and "approved by nobody" in held.stdout
    written(False, release)
    fell = CliRunner().invoke(app, common)
    assert fell.exit_code == 1 and "fell: cause@1: 0.000" in fell.stdout
    small = CliRunner().invoke(app, ["gate", "--small", "--gate", str(limits)])
    assert small.exit_code != 0 and "has no small gate" in small.stderr
