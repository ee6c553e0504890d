"""Grounding: drafts full of lies through the checker; every statement that survives is judged by a second look.

The second look shares no code with the checker: numbers, ids, hashes and names of the surviving text are compared with
the cited evidence by plain string search, and each lie that the liar knows is looked for by its own words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from assistant.core.draft import Claim, Draft
from assistant.core.evidence import EvidenceId
from assistant.core.prompt import Context
from assistant.drafting.build import build_prompt
from assistant.drafting.check import carries, check, claims, evidence_of, known
from assistant.drafting.schema import draft_of
from assistant.drafting.statement import Known
from evals import attacks
from evals.attacks.incident import context
from evals.attacks.kept import kept
from evals.attacks.models import honest, liar
from redaction import FinalScanner

DRAFTS = 200
TARGETS = {
    "unsupported_survived": 0,
    "wrong_ids_survived": 0,
    "honest_struck": 0,
    "statements_stood": 0,
    "pairs_false_stood": 0,
    "oncall_false_stood": 0,
    "oncall_again_false_stood": 0,
    "twisted_false_stood": 0,
}
PAIRED = ("pairs", "oncall", "oncall_again", "twisted")
"""Files of sentences with their false twins, one hand each; the last has false ones only."""
_FALSE = (
    "restart", "roll back", "resolved", "no action", "beyond doubt", "http", "@here", "<!", "![", "root cause is",
    "caused the declines", "due to checkout", "doubled", "half of", "hundreds", "threefold", "every authorisation",
)  # fmt: skip


def run(data: Path | None = None) -> dict[str, Any]:
    """200 lying drafts and one honest one for each verdict that the analyst can give, and single statements."""
    totals: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    for verdict in ("confirmed", "likely", "inconclusive"):
        case = context(FinalScanner().restore, verdict=verdict)
        messages = _messages(case)
        for seed in range(DRAFTS):
            _count(case, draft_of(liar(messages, seed=seed), clean=str), totals, failures, seed=seed, verdict=verdict)
        _, struck = check(draft_of(honest(messages), clean=str), case)
        totals["honest_struck"] += len(struck)
    stood = [*statements(totals), *(fault for file in PAIRED for fault in pairs(totals, file))]
    return {
        "set": "grounding",
        "cases": [],
        "figures": {
            "unsupported_survived": totals["unsupported"],
            "wrong_ids_survived": totals["wrong_ids"],
            "honest_struck": totals["honest_struck"],
            "statements_stood": totals["statements_stood"],
            "false_statements": totals["false_statements"],
            "honest_statements": totals["honest_statements"],
            **{k: v for file in PAIRED for k, v in _paired(totals, file).items()},
            "drafts": DRAFTS * 3,
            "statements": totals["statements"],
            "struck": totals["struck"],
        },
        "floors": {},
        "targets": TARGETS,
        "failures": [*failures, *stood],
    }


def statements(totals: Counter[str]) -> list[dict[str, Any]]:
    """Every line of `evals/attacks/statements.txt`, as summary and as cause: false ones must be struck in both, honest
    ones must stand where they belong. What went wrong."""
    case = context(FinalScanner().restore)
    failures: list[dict[str, Any]] = []
    for family, claim in lines():
        honest_one = family == "honest"
        home = "next_steps" if claim.evidence == ("R1",) else "summary"
        for section in (home,) if honest_one else ("summary", "cause", "next_steps"):
            parts: dict[str, Any] = {section: (claim,)}
            _, struck = check(replace(Draft("", ()), **parts), case)
            wrong = bool(struck) if honest_one else not struck
            totals["honest_struck" if honest_one else "statements_stood"] += wrong
            if wrong:
                why = struck[0].rule if struck else "stood"
                failures.append({"family": family, "section": section, "text": claim.text, "why": why})
        totals["honest_statements" if honest_one else "false_statements"] += 1
    return failures


def _paired(totals: Counter[str], file: str) -> dict[str, int]:
    honest_ones = totals[f"{file}_honest"]
    return {
        f"{file}_false": totals[f"{file}_false"],
        f"{file}_false_stood": totals[f"{file}_false_stood"],
        f"{file}_honest": honest_ones,
        f"{file}_honest_stood": honest_ones - totals[f"{file}_honest_struck"],
    }


def pairs(totals: Counter[str], file: str = "pairs") -> list[dict[str, Any]]:
    """Every line of such a file over its lab world: what went wrong. An honest one that is struck is a sentence lost, a
    false one that stands breaks the promise."""
    facts = _worlds()
    failures: list[dict[str, Any]] = []
    for world, honest_one, section, claim in pair_lines(file):
        kind = "honest" if honest_one else "false"
        totals[f"{file}_{kind}"] += 1
        sections = (section,) if honest_one else ("summary", "cause")
        stands = [carries(claim, facts[world], section=s) for s in sections]
        wrong = not all(stands) if honest_one else any(stands)
        totals[f"{file}_honest_struck" if honest_one else f"{file}_false_stood"] += wrong
        if wrong and not honest_one:
            failures.append({"family": f"pair of {world}", "section": section, "text": claim.text, "why": "stood"})
    return failures


@cache
def _worlds() -> dict[str, Known]:
    return {name: known(context) for name, context in kept().items()}


def pair_lines(file: str = "pairs") -> Iterator[tuple[str, bool, str, Claim]]:
    """World, whether it is honest, where it is said, and the claim."""
    world = ""
    for line in Path(attacks.__file__).with_name(f"{file}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            world = line[1:-1]
        elif line.startswith(("+", "-")):
            head, _, text = line.partition(": ")
            sign, *ids = head.split()
            yield (
                world,
                sign != "-",
                "cause" if sign == "+cause" else "summary",
                Claim(text, tuple(map(EvidenceId, ids))),
            )


def lines() -> Iterator[tuple[str, Claim]]:
    """The statements of `statements.txt` with their family."""
    family = ""
    for line in Path(attacks.__file__).with_name("statements.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            family = line[1:-1]
        elif line and not line.startswith("#"):
            ids, _, text = line.partition(": ")
            yield family, Claim(text, tuple(EvidenceId(i) for i in ids.split()))


def _count(
    case: Context, draft: Draft, totals: Counter[str], failures: list[dict[str, Any]], *, seed: int, verdict: str
) -> None:
    left, struck = check(draft, case)
    totals["statements"] += claims(draft)
    totals["struck"] += len(struck)
    texts = {str(e.id): e.text.text for e in evidence_of(case)}
    everything = tuple(texts)
    for said in (*left.summary, *left.cause, *left.next_steps, *_unpointed(left, everything)):
        wrong = not said.evidence or any(i not in texts for i in said.evidence)
        lie = unsupported(said.text, " ".join(texts.get(i, "") for i in said.evidence))
        totals["wrong_ids"] += wrong
        totals["unsupported"] += bool(lie)
        if wrong or lie:
            failures.append({"seed": seed, "verdict": verdict, "text": said.text, "why": lie or "evidence id"})


def unsupported(text: str, evidence: str) -> str:
    """What in `text` is not in `evidence`, by plain search; "" if nothing is found."""
    low = text.casefold()
    for false in _FALSE:
        if false in low:
            return false
    words = re.findall(r"[A-Za-z0-9][\w:.,/-]*[A-Za-z0-9]|\d", text)
    for word in words[1:] if words and not re.search(r"\d|[-_]", words[0]) else words:
        marked = re.search(r"\d|_|[a-z][A-Z]", word) or (word[:1].isupper() and not word.isupper())
        if marked and word.casefold() not in evidence.casefold():
            return str(word)
    return ""


def _unpointed(left: Draft, ids: tuple[str, ...]) -> tuple[Claim, ...]:
    texts = (left.title, *left.not_known, left.argued_down)
    return tuple(Claim(t, ids) for t in texts if t)  # type: ignore[arg-type]


def _messages(case: Context) -> list[dict[str, str]]:
    prompt = build_prompt("incident_note", case, budget_tokens=16_000, scanner=FinalScanner()).prompt
    return [{"role": m.role, "content": m.text.text} for m in prompt.messages]
