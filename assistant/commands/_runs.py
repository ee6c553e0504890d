"""Runs of the payments lab as the commands below `payops eval` start, watch and show them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.commands._shared import watched

if TYPE_CHECKING:
    from evals.head import Head


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a run is asked for, as the options say it. `out` is the cases file that makes it resumable, or a folder that
    gets one for each release and lab."""

    kinds: str = ""
    seeds: str = "1"
    faults: Sequence[Path] = ()
    solver: str = "line"
    without: str = ""
    jobs: int = 2
    out: Path | None = None
    config: Path | None = None

    @property
    def kinds_named(self) -> list[str]:
        return [k.strip() for k in self.kinds.split(",") if k.strip()]


def lab_run(wanted: Wanted) -> Mapping[str, Any]:
    """Make, solve and score worlds; the report. UsageError for what cannot be run, with the mend."""
    from assistant.errors import UsageError
    from assistant.release import release_of
    from assistant.settings import load_settings
    from evals.cases_file import read_cases
    from evals.head import FORMAT, SOLVERS, Head, lab_id
    from evals.reports import accepted_report, report_of
    from evals.samples import run, samples, seeds_of

    if wanted.solver not in SOLVERS:
        raise UsageError(f'no solver "{wanted.solver}"', mend="analyst, line or model")
    if wanted.solver == "model" and wanted.config is None:
        raise UsageError("solver model needs a model", mend="give --config with a [model] table")
    release = release_of(load_settings(wanted.config)).id
    config = str(wanted.config.resolve()) if wanted.config else ""
    head = Head(FORMAT, release, wanted.solver, config, wanted.without, lab_id())  # type: ignore[arg-type]
    before = accepted_report()  # what is wrong with it is said now, not at the end
    chosen = samples(wanted.kinds_named, seeds_of(wanted.seeds), list(wanted.faults))
    with tempfile.TemporaryDirectory(prefix="payops-eval-") as scratch:
        file = _cases_of(wanted.out or Path(scratch), head)
        done = sum(s.name in read_cases(file, head) for s in chosen)
        found = watched(run(chosen, head, file, jobs=wanted.jobs), "lab", total=len(chosen), done=done)
        return report_of(list(found), head, before)


def _cases_of(out: Path, head: Head) -> Path:
    parts = (head.release, head.lab, head.solver, *((f"without-{head.without}",) if head.without else ()))
    return out / f"{'-'.join(parts)}.jsonl" if out.is_dir() else out


def lab_folder(data: Path, answers: Path | None) -> Mapping[str, Any]:
    """Predict and score worlds of a folder."""
    from evals.sets import lab

    return lab.score(list(watched(lab.predict(data), "lab")), data, answers)


def of_this_release(report: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """The report, if it was measured with what runs here: a change is not judged by what was before it. UsageError
    else."""
    from assistant.errors import UsageError
    from assistant.release import release_of
    from assistant.settings import load_settings

    config = str(report["head"].get("config", ""))
    here, measured = release_of(load_settings(Path(config) if config else None)).id, report["head"]["release"]
    if measured != here:
        mend = "run the evaluation again, or judge it in the checkout that it was measured in"
        raise UsageError(f"{file}: of release {measured}, this is {here}", mend=mend)
    return report


def written(result: Mapping[str, Any], html: Path | None, report: Path | None) -> None:
    """The page and the JSON, where they are asked for."""
    from evals.report_page import html as page
    from evals.reports import report_text

    if html:
        html.parent.mkdir(parents=True, exist_ok=True)
        html.write_text(page(result), encoding="utf-8")
    if report:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(report_text(result), encoding="utf-8")


def show(result: Mapping[str, Any]) -> None:
    """Figures beside floors, targets and what their intervals say; then what is weakest, and every miss."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from evals.targets import against

    console = Console(highlight=False)
    table = Table(title=f"{result['set']}: {len(result['cases'])} cases", title_justify="left")
    held = against(result["figures"]) if result["set"] == "lab" else {}
    for column in ("figure", "value", "floor", "target", *(("the interval says",) if held else ())):
        table.add_column(column)
    for name, value in result["figures"].items():
        row = [name, value, result["floors"].get(name, ""), result["targets"].get(name, "")]
        row += [held[name].words if name in held else ""] if held else []
        table.add_row(*(Text(f"{v:.4g}" if isinstance(v, float) else str(v)) for v in row))
    console.print(table)
    for line in _lines(result):
        console.print(Text(line))


def _lines(result: Mapping[str, Any]) -> list[str]:
    from evals.reports import size_words

    lines = [size_words(result)] if "size" in result else []
    for key in (k for k in result if k.startswith("by_")):
        weak = ", ".join(f"{name} {figure}" for name, figure in list(result[key].items())[:8])
        lines.append(f"{key.removeprefix('by_')}, weakest first: {weak}")
    if "paired" in result:
        p = result["paired"]
        lines.append(f"against the accepted report: won {len(p['won'])}, lost {len(p['lost'])}, p {p['chance']}")
    lines += [f"no world: {u['name']}: {u['why']}" for u in result.get("unmade", ())]
    lines += [f"no note (counted as wrong): {f['name']}: {f['why']}" for f in result.get("no_note", ())]
    lines += [f"missed: {json.dumps(f, ensure_ascii=False, default=str)[:300]}" for f in result["failures"]]
    return lines
