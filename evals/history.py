"""Whose change it is, as Git says: commits since the last accepted one, their authors and co-authors."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from assistant.errors import UsageError
from assistant.release import ROOT

GIT_SECONDS = 60
MEASURED = ("assistant", "redaction", "runbooks", "evals", "pyproject.toml", "requirements.lock")
_CO_AUTHOR = re.compile(r"<([^<>\s]+)>\s*$")


@dataclass(frozen=True, slots=True)
class History:
    """`commit` is HEAD; `authors` are addresses of who wrote what came since the accepted commit, never empty."""

    commit: str
    authors: tuple[str, ...]


def history(since: str = "", *, root: Path = ROOT) -> History:
    """HEAD and who wrote it since `since` (all of history where that is "" or not an ancestor). UsageError without a
    checkout, or where what is measured was changed and not committed."""
    commit = _git(root, "rev-parse", "HEAD").strip()
    changed = _git(root, "status", "--porcelain", "--untracked-files=all", "--", *MEASURED).splitlines()
    changed = [line[3:] for line in changed if not line.endswith(("evals/accepted/lab.json",))]
    if changed:
        raise UsageError(
            f"{changed[0]} is not committed, so nobody is its author yet", mend="commit, and measure again"
        )
    known = bool(since) and _answers(root, "merge-base", "--is-ancestor", since, commit)
    span = f"{since}..{commit}" if known and since != commit else commit
    one = ("-1",) if known and since == commit else ()
    wrote = _git(root, "log", *one, "--format=<%ae>%n%(trailers:key=Co-authored-by,valueonly)", span)
    found = (_CO_AUTHOR.search(line) for line in wrote.splitlines())
    return History(commit, tuple(sorted({m[1] for m in found if m})))


def _answers(root: Path, *words: str) -> bool:
    command = ("git", "-C", str(root), *words)
    return subprocess.run(command, capture_output=True, check=False, timeout=GIT_SECONDS).returncode == 0


def _git(root: Path, *words: str) -> str:
    mend = "run it in the checkout that the release is made from"
    try:
        command = ("git", "-C", str(root), *words)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GIT_SECONDS)
    except FileNotFoundError:
        raise UsageError("git is not installed, so nobody can tell whose change it is", mend=mend) from None
    except subprocess.TimeoutExpired:
        raise UsageError(f"git {words[0]} did not answer within {GIT_SECONDS} s", mend=mend) from None
    if done.returncode:
        raise UsageError(f"git {words[0]}: {(done.stderr.strip().splitlines() or ['failed'])[0]}", mend=mend)
    return done.stdout
