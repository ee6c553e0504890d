"""Reports: a run as JSON with everything, as HTML with plots, as tables in the README."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from evals.gate import PAIRED, paired, value
from evals.plots import calibration, interval, onsets, verdicts
from evals.samples import FORMAT, Head
from evals.sets.lab import summary

ACCEPTED = Path(__file__).resolve().parent / "accepted" / "lab.json"


def report_of(cases: Sequence[Mapping[str, Any]], head: Head, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The whole report. `paired` compares with the accepted one, case by case."""
    ordered = sorted((dict(c) for c in cases), key=lambda c: c["name"])
    out: dict[str, Any] = {"set": "lab", "head": asdict(head), "floors": {}, **summary(ordered), "cases": ordered}
    if accepted:
        before = {c["name"]: c for c in accepted["cases"]}
        pairs = {name: paired(ordered, before, name) for name in PAIRED}
        said = {k: {"won": p.won, "lost": p.lost, "chance": round(p.chance, 4)} for k, p in pairs.items()}
        out["paired"] = said.pop("cause@1")
        out["paired_by"] = said
    return out


def read_report(file: Path) -> dict[str, Any]:
    """A report of this format. UsageError for another one, or for one with cases missing."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        found = report["head"]["format"]
        cases = report["cases"]
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", mend="check the path") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(f"{file}: not a report", mend="make one: payops eval run lab --report FILE") from None
    if found != FORMAT:
        raise UsageError(f"{file}: report format {found}, this program reads {FORMAT}", mend="run the evaluation again")
    if not cases:
        raise UsageError(f"{file}: a report without cases", mend="run the evaluation again")
    return dict(report)


def accepted_report(file: Path = ACCEPTED) -> dict[str, Any] | None:
    """The report that was last accepted, or None before the first."""
    return read_report(file) if file.is_file() else None


def seeds_in(report: Mapping[str, Any] | None) -> str:
    """The seeds that a report was measured on, as `--seeds` takes them; "" without a report."""
    return ",".join(map(str, sorted({int(c["seed"]) for c in report["cases"] if "seed" in c}))) if report else ""


def html(report: Mapping[str, Any]) -> str:
    """One page, no script, no outside asset: figures with their intervals, then each grouping, then every miss."""
    head = report["head"]
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{interval(figure)}</td><td>{escape(str(figure))}</td>"
        f"<td>{escape(str(report['targets'].get(name, '')))}</td></tr>"
        for name, figure in report["figures"].items()
    )
    groups = "".join(_group(key.removeprefix("by_"), report[key]) for key in report if key.startswith("by_"))
    misses = "".join(
        f"<tr><td>{escape(c['name'])}</td><td>{escape(str(c['tier']))}</td><td>{escape(str(c['truth']))}</td>"
        f"<td>{escape(str(c['said']))}</td><td>{escape(str(c['verdict']))}</td></tr>"
        for c in report["failures"]
    )
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>payops: lab report</title><style>"
        "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
        ":root{color-scheme:light dark}"
        "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;text-align:left;vertical-align:top;"
        "border-bottom:1px solid #8884}th{font-weight:500}</style>"
        f"<h1>Payments lab: {len(report['cases'])} worlds</h1><p>release {escape(str(head['release']))}, "
        f"solver {escape(_solver(head))}</p><h2>Figures</h2><table>"
        f"<tr><th>figure<th>interval<th>value<th>target</tr>{rows}</table>{_plots(report['cases'])}{_pairs(report)}"
        f"{groups}<h2>Missed</h2><table>"
        f"<tr><th>case<th>tier<th>truth<th>said<th>verdict</tr>{misses}</table></html>"
    )


def _plots(cases: Sequence[Mapping[str, Any]]) -> str:
    return (
        f"<h2>Verdicts</h2>{verdicts(cases)}<h2>Confidence against how often it was right</h2>{calibration(cases)}"
        f"<h2>Onset errors</h2>{onsets(cases)}"
    )


def _pairs(report: Mapping[str, Any]) -> str:
    if "paired" not in report:
        return ""
    pairs = {"cause@1": report["paired"], **report.get("paired_by", {})}
    rows = "".join(
        f"<tr><th>{escape(k)}</th><td>{len(p['won'])}</td><td>{len(p['lost'])}</td><td>{p['chance']}</td>"
        f"<td>{escape(', '.join(p['lost'][:8]))}</td></tr>"
        for k, p in pairs.items()
    )
    return (
        "<h2>Against the accepted report</h2><table><tr><th>figure<th>won<th>lost<th>by chance<th>lost cases</tr>"
        f"{rows}</table>"
    )


def _group(name: str, rows: Mapping[str, str]) -> str:
    body = "".join(f"<tr><th>{escape(k)}</th><td>{interval(v)}</td><td>{escape(v)}</td></tr>" for k, v in rows.items())
    return f"<h2>cause@1 by {escape(name)}</h2><table>{body}</table>"


def _solver(head: Mapping[str, Any]) -> str:
    return f"{head['solver']} without {head['without']}" if head.get("without") else str(head["solver"])


def readme_table(report: Mapping[str, Any]) -> str:
    """The README's table of lab figures, in Markdown."""
    head = report["head"]
    lines = ["| figure | value (hits/of, 95 % interval) | target |", "|---|---|---|"]
    lines += [
        f"| {name} | {figure} | {report['targets'].get(name, '')} |" for name, figure in report["figures"].items()
    ]
    weakest = ", ".join(f"{k} {value(v):.2f}" for k, v in list(report["by_kind"].items())[:6] if value(v) is not None)
    return "\n".join(
        (
            *lines,
            "",
            f"{len(report['cases'])} worlds, solver `{_solver(head)}`, release `{head['release']}`. "
            f"Weakest kinds: {weakest}.",
        )
    )


def write_table(readme: Path, name: str, table: str) -> None:
    """Put `table` between `<!-- NAME -->` and `<!-- /NAME -->`. UsageError where the marks are not there."""
    text = readme.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(text):
        raise UsageError(f"{readme}: no marks for {name}", mend=f"add <!-- {name} --> and <!-- /{name} -->")
    readme.write_text(marks.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), encoding="utf-8")
