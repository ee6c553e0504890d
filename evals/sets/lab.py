"""Worlds of the payments lab: the whole note is predicted, then scored against answers kept in another folder.

`DIR` holds world folders under neutral names. Answers are `NAME.toml` in `DIR/../answers`, or in the folder given to
`--answers`; predicting never looks for them.
"""

from __future__ import annotations

import tempfile
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from assistant.core.time import parse_iso
from assistant.errors import UsageError
from evals.intervals import wilson
from evals.sets.lab_causes import fits, right_kind
from evals.targets import TARGETS

if TYPE_CHECKING:
    from assistant.ports import RunbookIndex
    from assistant.settings import Settings

QUIET = {"none", "recovered", "false-alert"}
Case = dict[str, Any]


def predict(data: Path) -> Iterator[Mapping[str, Any]]:
    """One note a world. UsageError where the folder holds no world."""
    folders = sorted(p.parent for p in data.glob("*/world.toml"))
    if not folders:
        raise UsageError(f"{data}: no worlds", mend="make some: payops lab make KIND --seed 1 --out DIR --answers DIR2")
    for folder in folders:
        yield {"case": folder.name, "answer": note_of(folder)}


def note_of(folder: Path, *, solver: str = "line", config: str = "") -> Mapping[str, Any]:
    """The note of one world with a state of its own.

    `line` is what `payops triage --world` does without a model, `model` the same with the model of `config`, `analyst`
    the statistics alone: no runbook, no log.
    """
    from assistant.commands.triage import note_of_world
    from assistant.core.note_json import note_to_json

    if solver == "analyst":
        return _analyst_note(folder)
    with tempfile.TemporaryDirectory(prefix="payops-lab-") as state:
        settings = _settings(config if solver == "model" else "", Path(state))
        return note_to_json(note_of_world(folder, settings, runbooks=_runbooks(config)))


def _settings(config: str, state: Path) -> Settings:
    from assistant.settings import Settings, load_settings

    return load_settings(Path(config), state=state) if config else Settings(state=state)


@lru_cache(maxsize=2)
def _runbooks(config: str) -> RunbookIndex:
    """The runbooks of a configuration, read once for all worlds of this process: they do not change during a run."""
    from assistant.bootstrap import redactor_of, runbook_index

    with tempfile.TemporaryDirectory(prefix="payops-lab-") as state:
        settings = _settings(config, Path(state))
        return runbook_index(settings, redactor_of(settings))


def _analyst_note(folder: Path) -> Mapping[str, Any]:
    from assistant.analysis import analyse
    from assistant.case import Case
    from assistant.commands.analyse import observe
    from assistant.compose import compose
    from assistant.context import context_of
    from assistant.core.note_json import note_to_json
    from assistant.core.runbook import RunbookAnswer
    from assistant.drafting.writer import write_without_model
    from assistant.settings import Settings
    from redaction import FinalScanner

    seen = observe(folder, Settings())
    analysis, none = analyse(seen), RunbookAnswer(none_because="the analyst alone looks for none")
    context = context_of(seen, analysis, none, scanner=FinalScanner())
    written = write_without_model(context, reason="the analyst alone")
    return note_to_json(compose(Case(seen.incident, seen, analysis, none, context), written, now=seen.incident.now))


def score(predictions: list[Mapping[str, Any]], data: Path, answers: Path | None = None) -> Mapping[str, Any]:
    """Figures with Wilson intervals, by kind and tier, weakest first; every miss is listed."""
    folder = answers or data.parent / "answers"
    cases = [case_of(p, truth_of(folder, str(p["case"]))) for p in predictions]
    return {
        "set": "lab",
        "cases": cases,
        "figures": figures(cases),
        "floors": {},
        "targets": TARGETS,
        "by_kind": grouped(cases, "kind"),
        "by_tier": grouped(cases, "tier"),
        "failures": failures(cases),
    }


def summary(cases: list[Case]) -> dict[str, Any]:
    """The report of a run: figures, then the same by kind, tier, severity and topology, weakest first."""
    return {
        "figures": figures(cases),
        "targets": TARGETS,
        **{f"by_{key}": grouped(cases, key) for key in ("kind", "tier", "severity", "topology", "naming")},
        "failures": failures(cases),
    }


def failures(cases: list[Case]) -> list[Case]:
    """Every case that is wrong, those of the weakest kinds first; within a kind the surest verdicts first."""
    weakest = {kind: i for i, kind in enumerate(grouped(cases, "kind"))}
    order = {"confirmed": 0, "likely": 1}
    wrong = [c for c in cases if not c["right@1"]]
    return sorted(wrong, key=lambda c: (weakest[c["kind"]], order.get(c["verdict"], 2), str(c["case"])))


def truth_of(folder: Path, name: str) -> Mapping[str, Any]:
    """The answer to one world. UsageError where there is none."""
    file = folder / f"{name}.toml"
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise UsageError(f"{file}: no answer", mend="give the folder of answers to --answers") from None


def case_of(prediction: Mapping[str, Any], truth: Mapping[str, Any]) -> Case:
    """What was right and wrong about one note."""
    note = prediction["answer"]
    named = [h for h in note["hypotheses"] if h["class"] != "inconclusive" or truth["verdict"] == "cause"]
    first = note["hypotheses"][0] if note["hypotheses"] else None
    quiet = truth["verdict"] in QUIET
    said_quiet = note["status"] == "nothing wrong now"
    verdict = "nothing wrong" if said_quiet else first["class"] if first else "inconclusive"
    right_at = {k: any(matches(h, truth) for h in named[:k]) for k in (1, 3)}
    open_ended = truth["verdict"] == "inconclusive" and verdict == "inconclusive"
    return {
        "case": prediction["case"],
        "kind": truth["kind"],
        "tier": truth["tier"],
        "topology": truth.get("topology", "unknown"),
        "severity": note["severity"],
        "quiet": quiet,
        "truth": truth["entity"],
        "said": first["entity"] if first else None,
        "said_kind": first["kind"] if first else None,
        "kinds": [h["kind"] for h in named[:3]],
        "confidence": first["confidence"] if first else None,
        "hidden": truth["verdict"] == "inconclusive",
        "naming": truth.get("naming", "unknown"),
        "verdict": verdict,
        "right@1": said_quiet if quiet else open_ended or (right_at[1] and not said_quiet),
        "right@3": said_quiet if quiet else open_ended or (right_at[3] and not said_quiet),
        "decoy": bool(first and first["change"] in set(truth["innocent_changes"]) and verdict != "inconclusive"),
        "change_right": None if quiet else ((first or {}).get("change") or "none") == truth["change"],
        "onset_error": _onset_error(note, truth),
        "impact_error": _impact_error(note, truth),
        "runbook_right": bool(note["runbooks"]) and truth["runbook"].endswith("/" + note["runbooks"][0]["path"]),
        "runbook_fits": bool(note["runbooks"]) and fits(truth, note["runbooks"][0]["path"]),
        "must_say_missed": missed(note, truth),
        "must_not_say_said": overstated(note, truth),
        "struck": len(note["struck"]),
        "redactions": sum(note["redactions"].values()),
        "retrieval": note["runbooks"][0]["score"] if note["runbooks"] else 0.0,
        "tokens": sum(_spent(note).get(k, 0) for k in ("tokens_in", "tokens_out")),
        "cost": _spent(note).get("cost", 0.0),
        "leaks": leaks(note, truth),
    }


def _spent(note: Mapping[str, Any]) -> Mapping[str, Any]:
    """What asking a model took, whether its draft was used or not."""
    return note.get("spent") or note["model"] or {}


def matches(hypothesis: Mapping[str, Any], truth: Mapping[str, Any]) -> bool:
    """The entity at fault, or, where it cannot be seen from here, the coarser one that can."""
    entities = {truth["entity"], *(a["entity"] for a in truth.get("also", ()))}
    return hypothesis["entity"] in entities | set(truth["accept"])


def prose(note: Mapping[str, Any]) -> str:
    """What people read first: title, summary, cause and the leading hypothesis with its reasons."""
    claims = [*note["summary"], *note["cause"]]
    first = note["hypotheses"][0] if note["hypotheses"] else {}
    reasons = [r["text"] for r in first.get("reasons_for", ())]
    return " ".join((note["title"], *(c["text"] for c in claims), first.get("cause", ""), *reasons)).lower()


def missed(note: Mapping[str, Any], truth: Mapping[str, Any]) -> list[str]:
    """What had to be said and was not."""
    text = prose(note)
    return [x for x in truth.get("must_say", ()) if x.lower() not in text]


def overstated(note: Mapping[str, Any], truth: Mapping[str, Any]) -> list[str]:
    """What must not be said and was; "confirmed" is a verdict and looked for there."""
    text = prose(note)
    verdict = note["hypotheses"][0]["class"] if note["hypotheses"] else ""
    return [x for x in truth.get("must_not_say", ()) if (verdict == x if x == "confirmed" else str(x).lower() in text)]


def leaks(note: Mapping[str, Any], truth: Mapping[str, Any]) -> int:
    """Planted values that stand in the note, as written or bare. Three digits occur by chance and are not counted."""
    import json

    text = json.dumps(note, ensure_ascii=False)
    return sum(p["written"] in text or p["value"] in text for p in truth.get("planted", ()) if len(p["value"]) > 5)


def _onset_error(note: Mapping[str, Any], truth: Mapping[str, Any]) -> float | None:
    """Seconds from the truth, negative for too early; 0 inside the stretch in which nothing tells one moment from
    another (`evals/lab/visible.py`)."""
    if truth["onset"] == "none" or truth["verdict"] in QUIET or note["onset"] is None:
        return None
    said, onset = parse_iso(note["onset"]["at"]), truth["onset"]
    first, last = truth.get("onset_from", onset), truth.get("onset_until", onset)
    return float(said - min(max(said, first), last))


def _impact_error(note: Mapping[str, Any], truth: Mapping[str, Any]) -> float | None:
    """Relative error of lost authorisations, where the truth counts at least 50."""
    lost = truth.get("impact", {}).get("orders_lost", 0)
    if lost < 50 or not note["impact"]:
        return None
    return float((note["impact"]["lost"] - lost) / lost)


def figures(cases: list[Case]) -> dict[str, Any]:
    """Counts as `hits/of` beside the proportion and its interval."""
    faulty = [c for c in cases if not c["quiet"]]
    quiet = [c for c in cases if c["quiet"]]
    timed = [c for c in faulty if c["onset_error"] is not None]
    costed = sorted(abs(c["impact_error"]) for c in faulty if c["impact_error"] is not None)
    confirmed = [c for c in cases if c["verdict"] == "confirmed"]
    likely = [c for c in cases if c["verdict"] == "likely"]
    sorts = [c for c in faulty if right_kind(c["kind"], "") is not None]
    hidden, seeable = ([c for c in faulty if bool(c.get("hidden")) is h] for h in (True, False))
    rows = {
        "cause@1": (sum(c["right@1"] for c in faulty), len(faulty)),
        "cause@3": (sum(c["right@3"] for c in faulty), len(faulty)),
        "kind@1": (sum(_kind_right(c, 1) for c in sorts), len(sorts)),
        "kind@3": (sum(_kind_right(c, 3) for c in sorts), len(sorts)),
        "change@1": (sum(bool(c["change_right"]) for c in faulty), len(faulty)),
        "decoys": (sum(c["decoy"] for c in cases), len(cases)),
        "healthy_called_healthy": (sum(c["right@1"] for c in quiet), len(quiet)),
        "onset_within_60s": (sum(abs(c["onset_error"]) <= 60 for c in timed), len(timed)),
        "must_say": (sum(not c["must_say_missed"] for c in faulty), len(faulty)),
        "must_not_say": (sum(bool(c["must_not_say_said"]) for c in cases), len(cases)),
        "runbook@1": (sum(c["runbook_right"] for c in faulty), len(faulty)),
        "runbook_fits@1": (sum(bool(c.get("runbook_fits", c["runbook_right"])) for c in faulty), len(faulty)),
        "confirmed_wrong": (sum(not c["right@1"] for c in confirmed), len(confirmed)),
        "likely_wrong": (sum(not c["right@1"] for c in likely), len(likely)),
        "verdict_coverage": (sum(c["verdict"] in {"confirmed", "likely"} for c in seeable), len(seeable)),
        "abstained_where_hidden": (sum(c["right@1"] for c in hidden), len(hidden)),
    }
    out: dict[str, Any] = {name: said(*row) for name, row in rows.items()}
    out["calibration_error"] = calibration(faulty)
    out["impact_median_error"] = f"{costed[len(costed) // 2]:.2f} over {len(costed)}" if costed else "none counted"
    out["struck_a_note"] = round(sum(c["struck"] for c in cases) / len(cases), 2) if cases else 0.0
    out["seconds_median"] = round(float(median([c.get("seconds", 0.0) for c in cases])), 2) if cases else 0.0
    out["tokens"] = sum(c["tokens"] for c in cases)
    out["cost"] = round(sum(c["cost"] for c in cases), 4)
    out["leaks"] = sum(c["leaks"] for c in cases)
    return out


def _kind_right(case: Case, k: int) -> bool:
    return any(right_kind(case["kind"], said) for said in case.get("kinds", ())[:k])


def calibration(cases: list[Case]) -> str:
    """Expected calibration error of the first hypothesis's confidence, in five equal bins (Naeini et al., AAAI
    2015)."""
    rows = [(float(c["confidence"]), bool(c["right@1"])) for c in cases if c.get("confidence") is not None]
    if not rows:
        return "none counted"
    gap = 0.0
    for k in range(5):
        inside = [(p, hit) for p, hit in rows if k / 5 <= p < (k + 1) / 5 or (k == 4 and p == 1.0)]
        gap += abs(sum(p for p, _ in inside) - sum(hit for _, hit in inside))
    return f"{gap / len(rows):.3f} over {len(rows)}"


def said(hits: int, of: int) -> str:
    """`0.850 (17/20, 0.640-0.948)`: the proportion, its counts and its 95 % interval."""
    if not of:
        return "none counted"
    low, high = wilson(hits, of)
    return f"{hits / of:.3f} ({hits}/{of}, {low:.3f}-{high:.3f})"


def grouped(cases: list[Case], key: str) -> dict[str, str]:
    """cause@1 by `key`, weakest first."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[str(case[key])].append(case)
    order = sorted(groups, key=lambda k: (sum(c["right@1"] for c in groups[k]) / len(groups[k]), k))
    return {k: said(sum(c["right@1"] for c in groups[k]), len(groups[k])) for k in order}
