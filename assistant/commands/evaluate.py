"""`payops eval`: predict, score, compare and gate."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from assistant.commands._accept import ACCEPTING
from assistant.commands._runs import Wanted, lab_folder, lab_run, of_this_release, show, written
from assistant.commands._shared import AsJson, Config, State, one_line, print_json, watched

# ruff: noqa: T201

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Predict, score, compare and gate.",
)
Data = Annotated[
    Path | None, typer.Option("--data", help="folder of the set; default: the public part beside the checkout")
]
SetName = Annotated[str, typer.Argument(metavar="SET", help="payops eval sets lists them")]
Kinds = Annotated[str, typer.Option("--kinds", help="lab kinds, separated by commas; default: all")]
Seeds = Annotated[str, typer.Option("--seeds", help="7, 1-20 or 1,5,9-12; healthy:21-50 beside them for one kind")]
Faults = Annotated[list[Path] | None, typer.Option("--fault", help="a kind of your own (TOML), may be given again")]
SolverName = Annotated[str, typer.Option("--solver", help="analyst, line (no model) or model (of --config)")]
Without = Annotated[str, typer.Option("--without", help="topology: worlds do not say who calls whom (lab)")]
Jobs = Annotated[int, typer.Option("--jobs", help="worlds at once")]
Out = Annotated[
    Path | None, typer.Option("--out", help="cases file, or a folder for them; a run that stopped goes on from it")
]


@app.command()
def sets(as_json: AsJson = False) -> None:
    """The evaluation sets there are."""
    from evals.registry import SETS

    if as_json:
        print_json(dict(SETS))
        return
    for name, about in SETS.items():
        print(f"{name:<12} {about}")


@app.command()
def predict(name: SetName, data: Data = None, as_json: AsJson = False) -> None:
    """Predictions only, one JSON object a case; never opens an answer."""
    from assistant.errors import UsageError
    from evals.registry import data_dir, load, predictions

    with one_line():
        load(name)
        folder = data_dir(name, data)
        if folder is None:
            raise UsageError(f'set "{name}" needs its data', mend="give the folder of the set to --data")
        for prediction in watched(predictions(name, folder), name):
            sys.stdout.write(json.dumps(prediction, ensure_ascii=False, default=str) + "\n")
            sys.stdout.flush()


@app.command()
def run(
    name: SetName,
    data: Data = None,
    kinds: Kinds = "",
    seeds: Seeds = "1",
    fault: Faults = None,
    solver: SolverName = "line",
    without: Without = "",
    jobs: Jobs = 2,
    out: Out = None,
    config: Config = None,
    answers: Annotated[Path | None, typer.Option(help="folder of answers (lab with --data)")] = None,
    html: Annotated[Path | None, typer.Option(help="write an HTML report with plots (lab)")] = None,
    report: Annotated[Path | None, typer.Option(help="write the whole report as JSON (lab)")] = None,
    as_json: AsJson = False,
) -> None:
    """Predict and score, or measure: figures beside their floors and targets, failures listed."""
    from evals.registry import data_dir, load
    from evals.registry import report as measure

    with one_line():
        load(name)
        if name != "lab":
            result = measure(name, data_dir(name, data))
        elif data is not None:
            result = lab_folder(data, answers)
        else:
            result = lab_run(Wanted(kinds, seeds, fault or [], solver, without, jobs, out, config))
        written(result, html, report)
        print_json(result) if as_json else show(result)


@app.command()
def gate(
    kinds: Kinds = "",
    seeds: Seeds = "",
    jobs: Jobs = 2,
    out: Out = None,
    report: Annotated[Path | None, typer.Option("--report", help="judge this report instead of running")] = None,
    rules: Annotated[Path | None, typer.Option("--gate", help="thresholds; default: evals/gate.toml")] = None,
    small: Annotated[bool, typer.Option("--small", help="the kinds and seeds that CI runs")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare with the floors and the last accepted report; exit 1 naming what fell."""
    from assistant.errors import UsageError
    from evals.gate import GATE, judge, read_gate
    from evals.promote import accepted_by
    from evals.reports import accepted_report, read_report, seeds_in

    with one_line():
        limits = read_gate(rules or GATE)
        if report:
            result: Mapping[str, Any] = of_this_release(read_report(report), report)
        elif small:
            if not limits.small:
                raise UsageError("this gate file has no small gate", mend="add [small] with kinds and seeds")
            result = lab_run(Wanted(",".join(limits.small["kinds"]), str(limits.small["seeds"]), jobs=jobs, out=out))
        else:
            wanted = Wanted(kinds, jobs=jobs, out=out)
            its_own = seeds_in(accepted_report(), wanted.kinds_named)
            result = lab_run(replace(wanted, seeds=seeds or its_own or "1-20"))
        before = None if small else accepted_report()
        fallen = judge(result["cases"], limits, before)
        if as_json:
            print_json({"held": not fallen, "fallen": [{"figure": f.figure, "why": f.why} for f in fallen]})
        else:
            for f in fallen:
                print(f"fell: {f.figure}: {f.why}")
            print(f"{'the gate does not hold' if fallen else 'the gate holds'} over {len(result['cases'])} worlds")
            if before:
                print(f"compared with the report of release {before['head']['release']}, {accepted_by(before)}")
        if fallen:
            raise typer.Exit(1)


@app.command()
def compare(
    before: Annotated[Path | None, typer.Argument(help="a report (the live release)")] = None,
    after: Annotated[Path | None, typer.Argument(help="a report (the candidate)")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="what a candidate wrote beside the live model")] = False,
    live: Annotated[str, typer.Option("--live", help="over lab worlds: analyst, line or a payops.toml")] = "",
    candidate: Annotated[str, typer.Option("--candidate", help="likewise, set beside the live one")] = "",
    kinds: Kinds = "",
    seeds: Seeds = "1",
    without: Without = "",
    jobs: Jobs = 2,
    config: Config = None,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Two reports side by side, with wins and losses case by case; or the live model and its shadow, from the log;
    or two solvers over the same lab worlds."""
    from assistant.errors import UsageError
    from evals.gate import PAIRED, paired
    from evals.reports import read_report

    with one_line():
        if shadow:
            _shadow(config, state, as_json)
            return
        if live or candidate:
            _beside(live or "line", candidate or "line", kinds, seeds, without=without, jobs=jobs, as_json=as_json)
            return
        if before is None or after is None:
            raise UsageError(
                "compare takes two reports, --shadow, or --live and --candidate", mend="payops eval compare --help"
            )
        old, new = read_report(before), read_report(after)
        before_by = {c["name"]: c for c in old["cases"]}
        pairs = {name: paired(new["cases"], before_by, name) for name in PAIRED}
        if not pairs["cause@1"].of:
            raise UsageError("the two reports have no world in common", mend="run both over the same kinds and seeds")
        sides = {k: [old["figures"].get(k), new["figures"].get(k)] for k in new["figures"]}
        if as_json:
            print_json({"figures": sides, "paired": {k: p.as_json() for k, p in pairs.items()}})
            return
        for name, (a, b) in sides.items():
            print(f"{name:<24} {a!s:<34} {b}")
        for name, p in pairs.items():
            print(f"{name}: {p.words} (95 % interval)")


def _beside(live: str, candidate: str, kinds: str, seeds: str, *, without: str, jobs: int, as_json: bool) -> None:
    import tempfile

    from evals.beside import beside, in_words, side
    from evals.samples import samples, seeds_of

    heads = side(live, without), side(candidate, without)
    wanted = samples([k.strip() for k in kinds.split(",") if k.strip()], seeds_of(seeds))
    with tempfile.TemporaryDirectory(prefix="payops-compare-") as scratch:
        found = beside(wanted, heads, Path(scratch), jobs=jobs)
    if as_json:
        print_json(found)
        return
    print(in_words(found))


def _shadow(config: Path | None, state: Path | None, as_json: bool) -> None:
    from assistant.commands._log import reader
    from assistant.drafting.shadow import by_candidate, comparisons, summary
    from assistant.promptlog.search import Search

    with reader(config, state) as auditor:
        auditor.search(Search(events=("note.post",)), limit=1)
        found = tuple(comparisons(auditor.log))
    each = [{"differs": differs, "comparisons": len(own), **summary(own)} for differs, own in by_candidate(found)]
    if as_json:
        print_json({"comparisons": len(found), **summary(found), "candidates": each})
        return
    print(f"{len(found)} comparisons of the same evidence")
    for differs, own in by_candidate(found):
        sides = summary(own)
        print(f"\ncandidate: {', '.join(f'{k} {v}' for k, v in differs.items()) or 'the live model again'}")
        print(f"{'':<10} {'live':>12} {'candidate':>12}")
        for name in sides["live"]:
            print(f"{name:<10} {sides['live'][name]:>12} {sides['candidate'][name]:>12}")


@app.command(name="report")
def write_report(
    report: Annotated[Path, typer.Argument(help="a report (JSON)")],
    html: Annotated[Path | None, typer.Option(help="write the HTML page here")] = None,
    readme: Annotated[Path | None, typer.Option(help="rewrite the table of this README that it belongs in")] = None,
    rules: Annotated[Path | None, typer.Option(help="write Prometheus rules that watch for drift from it")] = None,
) -> None:
    """Show a report, write its page, its drift rules, or rewrite the README's table from it."""
    from evals.reports import mark_of, read_report, readme_table, write_table

    with one_line():
        result = read_report(report)
        written(result, html, None)
        if readme:
            write_table(readme, mark_of(result), readme_table(result))
        if rules:
            from evals.drift import rules as drift_rules

            rules.write_text(drift_rules(result), encoding="utf-8")
        if not html and not readme and not rules:
            show(result)


for _name, _command in ACCEPTING.items():
    app.command(name=_name)(_command)
