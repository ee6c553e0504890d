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
from evals.gate import paired, value
from evals.samples import FORMAT, Head
from evals.sets.lab import summary

ACCEPTED = Path(__file__).resolve().parent / "accepted" / "lab.json"


def report_of(cases: Sequence[Mapping[str, Any]], head: Head, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The whole report. `paired` compares with the accepted one, case by case."""
    ordered = sorted((dict(c) for c in cases), key=lambda c: c["name"])
    out: dict[str, Any] = {"set": "lab", "head": asdict(head), "floors": {}, **summary(ordered), "cases": ordered}
    if accepted:
        pairs = paired(ordered, {c["name"]: c for c in accepted["cases"]})
        out["paired"] = {"won": pairs.won, "lost": pairs.lost, "chance": round(pairs.chance, 4)}
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


def html(report: Mapping[str, Any]) -> str:
    """One page, no script, no outside asset: figures with their intervals, then each grouping, then every miss."""
    head = report["head"]
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{_bar(figure)}</td><td>{escape(str(figure))}</td>"
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
        f"solver {escape(str(head['solver']))}</p><h2>Figures</h2><table>"
        f"<tr><th>figure<th>interval<th>value<th>target</tr>{rows}</table>{groups}<h2>Missed</h2><table>"
        f"<tr><th>case<th>tier<th>truth<th>said<th>verdict</tr>{misses}</table></html>"
    )


def _group(name: str, rows: Mapping[str, str]) -> str:
    body = "".join(f"<tr><th>{escape(k)}</th><td>{_bar(v)}</td><td>{escape(v)}</td></tr>" for k, v in rows.items())
    return f"<h2>cause@1 by {escape(name)}</h2><table>{body}</table>"


def _bar(figure: object) -> str:
    """A proportion as a dot on its interval, 0 to 1; nothing where there is no proportion."""
    found = re.fullmatch(r"([\d.]+) \(\d+/\d+, ([\d.]+)-([\d.]+)\)", str(figure))
    if not found:
        return ""
    at, low, high = (round(200 * float(x), 1) for x in found.groups())
    return (
        f'<svg width=204 height=16 role=img aria-label="{escape(str(figure))}">'
        '<line x1=2 y1=8 x2=202 y2=8 stroke="#8886"/>'
        f"<line x1={low + 2} y1=8 x2={high + 2} y2=8 stroke=currentColor stroke-width=3 />"
        f"<circle cx={at + 2} cy=8 r=4 fill=currentColor /></svg>"
    )


def readme_table(report: Mapping[str, Any]) -> str:
    """The README's table of lab figures, in Markdown."""
    head = report["head"]
    lines = ["| figure | value (hits/of, 95 % interval) | target |", "|---|---|---|"]
    lines += [
        f"| {name} | {figure} | {report['targets'].get(name, '')} |" for name, figure in report["figures"].items()
    ]
    weakest = ", ".join(f"{k} {value(v):.2f}" for k, v in list(report["by_kind"].items())[:6] if value(v) is not None)
    return "\n".join(
        (*lines, "", f"{len(report['cases'])} worlds, solver `{head['solver']}`. Weakest kinds: {weakest}.")
    )


def write_table(readme: Path, name: str, table: str) -> None:
    """Put `table` between `<!-- NAME -->` and `<!-- /NAME -->`. UsageError where the marks are not there."""
    text = readme.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(text):
        raise UsageError(f"{readme}: no marks for {name}", mend=f"add <!-- {name} --> and <!-- /{name} -->")
    readme.write_text(marks.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), encoding="utf-8")
