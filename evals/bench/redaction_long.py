"""The million-line runs of redaction, in pieces that can be stopped and taken up again.

    python -m evals.bench.redaction_long identity --lines 1000000 --state /tmp/identity.json
    python -m evals.bench.redaction_long planted --lines 1000000 --state /tmp/planted.json

`identity`: the fast path and Presidio's engine over the same rules must give the same spans and text. `planted`:
of each class, lines with one value in each; what is left in the bytes of the output. State is one JSON file, written
after each piece; the same command goes on from there.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evals.sets.redaction import PLANTED_CLASSES, leaked
from evals.sets.redaction_corpus import Corpus
from evals.sets.redaction_forms import FORMS, MISSES
from redaction import Redactor

PIECE = 5_000
_PAN = "4539578763621486"


def mixed(seed: int, count: int) -> Iterator[str]:
    """Two thirds log lines (clean, unseen, planted), one third written forms cut and glued at random."""
    rng = random.Random(seed)
    yield from Corpus(seed).lines(count // 4)
    yield from Corpus(seed, unseen=True).lines(count // 6)
    for klass in PLANTED_CLASSES:
        yield from (line for line, _ in Corpus(seed).planted(klass, count // 20))
    pieces = [form(_PAN) for form in (FORMS | MISSES).values()]
    for _ in range(count - count // 4 - count // 6 - len(PLANTED_CLASSES) * (count // 20)):
        one, two = rng.choice(pieces), rng.choice(pieces)
        cut, joint = rng.randrange(len(one) + 1), rng.choice(("", " ", "=", "\n", '"', "\u00a0", "é"))
        yield one[:cut] + joint + two[rng.randrange(len(two) + 1) :]


def differ(fast: Redactor, full: Redactor, seed: int, count: int) -> list[str]:
    """Lines of which the two paths say different things. Tokens are numbered anew after each, or every later line of
    the scope would differ too.
    """
    scopes = [f"piece {seed}"]
    one, other = fast.for_incident(scopes[0]), full.for_incident(scopes[0])
    wrong = []
    for line in mixed(seed, count):
        left, right = one.redact(line), other.redact(line)
        if (left.text, left.spans) != (right.text, right.spans):
            wrong.append(line)
            scopes.append(f"piece {seed} after {len(wrong)}")
            one, other = fast.for_incident(scopes[-1]), full.for_incident(scopes[-1])
    for scope in scopes:
        fast.forget(scope)
        full.forget(scope)
    return wrong


def upper_bound(left: int, count: int) -> float:
    """Of the share that is left, with 95 % confidence (rule of three for none)."""
    return 3 / count if not left else (left + 2 * left**0.5 + 2) / count


def _identity(wanted: int, state: dict[str, Any], keep: Callable[[], None]) -> None:
    fast, full = Redactor.default(), Redactor.full()
    done = state.setdefault("identity", {"lines": 0, "differ": 0, "examples": []})
    while done["lines"] < wanted:
        wrong = differ(fast, full, 10_000 + done["lines"] // PIECE, PIECE)
        done["lines"] += PIECE
        done["differ"] += len(wrong)
        done["examples"] = (done["examples"] + wrong)[:20]
        keep()
        _progress("identity", done["lines"], wanted, f"{done['differ']} differ")


def _planted(wanted: int, state: dict[str, Any], keep: Callable[[], None]) -> None:
    redactor = Redactor.default()
    classes = state.setdefault("planted", {})
    for klass in PLANTED_CLASSES:
        done = classes.setdefault(klass, {"lines": 0, "left": 0, "examples": []})
        while done["lines"] < wanted:
            left = leaked(redactor, klass, PIECE, seed=20_000 + done["lines"] // PIECE)
            done["lines"] += PIECE
            done["left"] += len(left)
            done["examples"] = (done["examples"] + left)[:20]
            keep()
            _progress(klass, done["lines"], wanted, f"{done['left']} left")


def _progress(what: str, done: int, wanted: int, found: str) -> None:
    bar = "#" * (40 * done // wanted)
    sys.stderr.write(f"\r{what:<9} [{bar:<40}] {done:,} of {wanted:,}, {found}  {time.strftime('%H:%M:%S')}")
    if done >= wanted:
        sys.stderr.write("\n")


def report(state: dict[str, Any]) -> Iterator[str]:
    if "identity" in state:
        one = state["identity"]
        yield f"lines that differ between the two paths: {one['differ']} of {one['lines']:,}"
    for klass, one in state.get("planted", {}).items():
        bound = upper_bound(one["left"], max(one["lines"], 1))
        yield f"planted {klass} left: {one['left']} of {one['lines']:,}, upper bound {bound:.1e} (95 %)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m evals.bench.redaction_long", description=__doc__.split("\n")[0])
    parser.add_argument("run", choices=("identity", "planted"))
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--state", type=Path, required=True, help="JSON file that keeps how far it came")
    given = parser.parse_args()
    state: dict[str, Any] = json.loads(given.state.read_text("utf-8")) if given.state.exists() else {}

    def keep() -> None:
        fresh = given.state.with_suffix(".part")
        fresh.write_text(json.dumps(state, indent=1), encoding="utf-8")
        fresh.replace(given.state)

    {"identity": _identity, "planted": _planted}[given.run](given.lines, state, keep)
    sys.stdout.writelines(line + "\n" for line in report(state))


if __name__ == "__main__":
    main()
