"""Reports: a run as JSON with everything, as lines of text, as tables in the README (`evals.report_page`: as HTML)."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from evals.gate import PAIRED, paired, value
from evals.head import FORMAT, SOLVERS, Head, lab_id
from evals.sets.lab import figures, summary
from evals.targets import SIZE, against, as_json, size, too_small

ACCEPTED = Path(__file__).resolve().parent / "accepted" / "lab.json"


def report_of(cases: Sequence[Mapping[str, Any]], head: Head, accepted: Mapping[str, Any] | None) -> dict[str, Any]:
    """The whole report. `paired` compares with the accepted one, case by case; `unmade` names what is no world with its
    seed, `no_note` the worlds where an error of ours stands in place of a note (they count as wrong)."""
    ordered = sorted((dict(c) for c in cases if "unmade" not in c), key=lambda c: c["name"])
    found = summary(ordered)
    out: dict[str, Any] = {
        "set": "lab",
        "head": asdict(head),
        "floors": {},
        **found,
        "against": as_json(against(found["figures"])),
        "size": size(ordered),
        "unmade": [{"name": c["name"], "why": c["unmade"]} for c in cases if "unmade" in c],
        "no_note": [{"name": c["name"], "why": c["failed"]} for c in ordered if "failed" in c],
        "cases": ordered,
    }
    if accepted:
        before = {c["name"]: c for c in accepted["cases"]}
        said = {name: paired(ordered, before, name).as_json() for name in PAIRED}
        out["paired"] = said.pop("cause@1")
        out["paired_by"] = said
    return out


def read_report(file: Path) -> dict[str, Any]:
    """A report of this format. UsageError for another one, for one with cases missing, and for one whose figures are
    not those of its cases: a report is never trusted further than its cases carry it."""
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
        found, solver = report["head"]["format"], report["head"].get("solver")
        cases, said = report["cases"], report.get("figures", {})
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}", mend="check the path") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UsageError(f"{file}: not a report", mend="make one: payops eval run lab --report FILE") from None
    again = "run the evaluation again"
    if found != FORMAT:
        raise UsageError(f"{file}: report format {found}, this program reads {FORMAT}", mend=again)
    if not cases or not said:
        raise UsageError(f"{file}: a report without cases or figures", mend=again)
    if solver not in SOLVERS:
        raise UsageError(f"{file}: a report of no solver of ours ({solver})", mend=again)
    _carried(file, cases, said, same_lab=report["head"].get("lab") == lab_id())
    return dict(report)


def _carried(file: Path, cases: Sequence[Mapping[str, Any]], said: Mapping[str, Any], *, same_lab: bool) -> None:
    """UsageError where a figure is not what the cases make it: cases are missing, or it was edited. Another lab scores
    by other rules, so a report of one is held to its cases' names only; nobody accepts it (`evals.promote`)."""
    try:
        names = {str(c["name"]) for c in cases}
        made = figures([dict(c) for c in cases]) if same_lab else {}
    except (KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file}: a case lacks {error}", mend="run the evaluation again") from None
    wrong = [name for name, figure in said.items() if name in made and _bare(made[name]) != _bare(figure)]
    if wrong:
        mend = "take the file as the run wrote it, or run the evaluation again"
        raise UsageError(f"{file}: its cases do not make its figures ({', '.join(wrong[:4])})", mend=mend)
    if len(names) != len(cases):
        raise UsageError(f"{file}: a case stands twice", mend="run the evaluation again")


def _bare(figure: object) -> object:
    """Without the interval, whose digits were fewer once."""
    return str(figure).rsplit(", ", 1)[0] if isinstance(figure, str) else figure


def report_text(report: Mapping[str, Any]) -> str:
    """The report as JSON, a line a case: a thousand worlds can still be read, and compared, line by line."""
    lines = []
    for name in sorted(report):
        value = report[name]
        if name in {"cases", "failures"} and value:
            rows = ",\n  ".join(json.dumps(row, ensure_ascii=False, sort_keys=True) for row in value)
            lines.append(f' "{name}": [\n  {rows}\n ]')
        else:
            text = json.dumps({name: value}, ensure_ascii=False, indent=1, sort_keys=True)
            lines.append(text[2:-2])
    return "{\n" + ",\n".join(lines) + "\n}\n"


def accepted_report(file: Path = ACCEPTED) -> dict[str, Any] | None:
    """The report that was last accepted, or None before the first."""
    return read_report(file) if file.is_file() else None


def seeds_in(report: Mapping[str, Any] | None, kinds: Sequence[str] = ()) -> str:
    """The seeds that a report was measured on (of `kinds`, or of all), as `--seeds` takes them: those of most kinds,
    then those that single kinds have beside them; "" without any."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for case in report["cases"] if report else ():
        if "seed" in case and (not kinds or case["kind"] in kinds):
            seeds[str(case["kind"])].add(int(case["seed"]))
    counted = Counter(seed for own in seeds.values() for seed in own)
    every = {seed for seed, kinds in counted.items() if 2 * kinds > len(seeds)}
    own = [f"{kind}:{seed}" for kind in sorted(seeds) for seed in sorted(seeds[kind] - every)]
    return ",".join([*map(str, sorted(every)), *own])


def solver_words(head: Mapping[str, Any]) -> str:
    return f"{head['solver']} without {head['without']}" if head.get("without") else str(head["solver"])


def mark_of(report: Mapping[str, Any]) -> str:
    """Which table of the README a report belongs in: `lab`, or `lab-without-topology`."""
    without = report["head"].get("without")
    return f"lab-without-{without}" if without else "lab"


def size_words(report: Mapping[str, Any]) -> str:
    """How large a run is beside the targets' own size."""
    found = size(report["cases"])
    lacks = too_small(found)
    wanted = ", ".join(f"{want} {name}" for name, want in SIZE.items())
    said = f"{len(report['cases'])} worlds of {found['kinds']} kinds, " + ", ".join(f"{found[n]} {n}" for n in SIZE)
    return f"{said}: too few for the targets ({', '.join(lacks)})" if lacks else f"{said}: the targets' size ({wanted})"


def readme_table(report: Mapping[str, Any]) -> str:
    """The README's table of lab figures, in Markdown: each bound against its target, the weakest kinds first."""
    head, held = report["head"], against(report["figures"])
    lines = ["| figure | value (hits/of, 95 % interval) | target | the interval says |", "|---|---|---|---|"]
    for name in (n for n in figures(report["cases"]) if n in report["figures"]):  # a file of JSON may sort its keys
        figure, said = report["figures"][name], held.get(name)
        lines.append(f"| {name} | {figure} | {said.target if said else ''} | {said.words if said else ''} |")
    found = {kind: share for kind, figure in report["by_kind"].items() if (share := value(figure)) is not None}
    weakest = ", ".join(f"{k} {found[k]:.2f}" for k in sorted(found, key=lambda k: (found[k], k))[:8])
    told = [f"{len(report.get(k, ()))} {words}" for k, words in _TOLD.items() if report.get(k)]
    last = [
        f"{size_words(report)}; solver `{solver_words(head)}`, release `{head['release']}`.",
        f"Weakest kinds (cause@1): {weakest}.",
        *(f"{t}." for t in told),
    ]
    return "\n".join((*lines, "", " ".join(last)))


_TOLD = {
    "no_note": "worlds where an error of ours stands in place of a note (counted as wrong)",
    "unmade": "seeds that make no world of their kind (no alert of it fires; not counted)",
}


def write_table(readme: Path, name: str, table: str) -> None:
    """Put `table` between `<!-- NAME -->` and `<!-- /NAME -->`. UsageError where the marks are not there."""
    text = readme.read_text(encoding="utf-8")
    marks = re.compile(rf"(<!-- {re.escape(name)} -->\n).*?(<!-- /{re.escape(name)} -->)", re.DOTALL)
    if not marks.search(text):
        raise UsageError(f"{readme}: no marks for {name}", mend=f"add <!-- {name} --> and <!-- /{name} -->")
    readme.write_text(marks.sub(lambda m: f"{m[1]}{table}\n{m[2]}", text), encoding="utf-8")
