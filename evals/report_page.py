"""A report as one HTML page: no script, no outside asset. Figures against their targets, plots, every miss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from evals.plots import calibration, interval, onsets, verdicts
from evals.reports import size_words, solver_words
from evals.sets.lab import figures
from evals.targets import TARGETS, against

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:80rem;padding:0 1rem}"
    ":root{color-scheme:light dark}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.25rem .75rem;text-align:left;vertical-align:top;"
    "border-bottom:1px solid #8884}th{font-weight:500}.missed{color:#c0392b}.wide{overflow-x:auto}"
)
_BY_KIND = ("cause@1", "cause@3", "kind@1", "change@1", "onset_within_60s", "runbook@1", "confirmed_wrong", "decoys")


def html(report: Mapping[str, Any]) -> str:
    """The page. What a case says is text, never markup."""
    head, cases = report["head"], report["cases"]
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><title>payops: lab report</title>"
        f"<style>{_STYLE}</style><h1>Payments lab: {len(cases)} worlds</h1>"
        f"<p>release {escape(str(head['release']))}, solver {escape(solver_words(head))}</p>"
        f"<p>{escape(size_words(report))}</p>"
        f"<h2>Figures</h2>{_figures(report['figures'])}{_plots(cases)}{_pairs(report)}{_sure(cases)}{_kinds(cases)}"
        + "".join(_group(k.removeprefix("by_"), report[k]) for k in report if k.startswith("by_") and k != "by_kind")
        + f"<h2>Missed, weakest kinds first</h2>{_misses(report['failures'])}"
        f"<h2>Onset more than a minute off</h2>{_late(cases)}{_told(report)}</html>"
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Cells are markup already."""
    body = "".join(f"<tr><th>{row[0]}</th>{''.join(f'<td>{c}</td>' for c in row[1:])}</tr>" for row in rows)
    return f"<div class=wide><table><tr>{''.join(f'<th>{h}' for h in head)}</tr>{body}</table></div>"


def _figures(found: Mapping[str, Any]) -> str:
    held = against(found)
    rows = []
    for name, figure in found.items():
        said = held.get(name)
        words = escape(said.words) if said else ""
        shown = f"<span class=missed>{words}</span>" if said and said.says == "missed" else words
        target = said.target if said else ""
        rows.append((escape(name), interval(figure, target), escape(str(figure)), escape(target), shown))
    return _table(("figure", "interval", "value", "target", "the interval says"), rows)


def _plots(cases: Sequence[Mapping[str, Any]]) -> str:
    return (
        f"<h2>Verdicts</h2>{verdicts(cases)}<h2>Confidence against how often it was right</h2>{calibration(cases)}"
        f"<h2>Onset errors</h2>{onsets(cases)}"
    )


def _pairs(report: Mapping[str, Any]) -> str:
    if "paired" not in report:
        return ""
    pairs = {"cause@1": report["paired"], **report.get("paired_by", {})}
    rows = (
        (
            escape(name),
            str(len(p["won"])),
            str(len(p["lost"])),
            str(p["chance"]),
            f"{p.get('difference', '')} {tuple(p.get('interval', ()))}",
            escape(", ".join(p["lost"][:12])),
        )
        for name, p in pairs.items()
    )
    columns = ("figure", "won", "lost", "by chance", "difference (95 %)", "lost cases")
    return f"<h2>Against the accepted report</h2>{_table(columns, rows)}"


def _sure(cases: Sequence[Mapping[str, Any]]) -> str:
    """The worst kind of miss first: said to be confirmed, and wrong; then changes blamed that were innocent."""
    wrong = [c for c in cases if c["verdict"] == "confirmed" and not c["right@1"]]
    decoys = [c for c in cases if c["decoy"]]
    return (
        f"<h2>Confirmed and wrong: {len(wrong)}</h2>{_misses(wrong)}"
        f"<h2>Innocent changes blamed: {len(decoys)}</h2>{_misses(decoys)}"
    )


def _kinds(cases: Sequence[Mapping[str, Any]]) -> str:
    """Every kind with its figures, weakest first."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for case in cases:
        groups[str(case["kind"])].append(dict(case))
    order = sorted(groups, key=lambda k: (sum(bool(c["right@1"]) for c in groups[k]) / len(groups[k]), k))
    rows = []
    for kind in order:
        found = figures(groups[kind])
        mine = found["healthy_called_healthy"] if groups[kind][0]["quiet"] else found["cause@1"]
        rows.append((escape(kind), interval(mine, TARGETS["cause@1"]), *(_short(found[name]) for name in _BY_KIND)))
    return f"<h2>By kind, weakest first</h2>{_table(('kind', 'right', *_BY_KIND), rows)}"


def _short(figure: object) -> str:
    """`17/20` of `0.850 (17/20, …)`"""
    return escape(str(figure).partition("(")[2].partition(",")[0])


def _group(name: str, rows: Mapping[str, str]) -> str:
    shown = ((escape(k), interval(v), escape(v)) for k, v in rows.items())
    return f"<h2>cause@1 by {escape(name)}</h2>{_table((name, 'interval', 'value'), shown)}"


def _misses(cases: Sequence[Mapping[str, Any]]) -> str:
    shown = ("tier", "truth", "said", "said_kind", "verdict", "confidence")
    rows = ((escape(str(c.get("name", c["case"]))), *(escape(str(c[key])) for key in shown)) for c in cases)
    return _table(("case", *shown), rows)


def _late(cases: Sequence[Mapping[str, Any]]) -> str:
    late = [c for c in cases if not c["quiet"] and c["onset_error"] is not None and abs(c["onset_error"]) > 60]
    late.sort(key=lambda c: -abs(c["onset_error"]))
    rows = ((escape(str(c["name"])), f"{c['onset_error']:+.0f} s", escape(str(c["verdict"]))) for c in late)
    return _table(("case", "off by", "verdict"), rows)


def _told(report: Mapping[str, Any]) -> str:
    out = ""
    titles = {"no_note": "An error of ours in place of a note", "unmade": "No world of the kind with that seed"}
    for key, title in titles.items():
        if report.get(key):
            rows = ((escape(c["name"]), escape(c["why"])) for c in report[key])
            out += f"<h2>{title}</h2>{_table(('case', 'why'), rows)}"
    return out
