"""Cutting a runbook into pieces for the embedder: prose only, the opening section first, each with its heading.

all-MiniLM-L6-v2 was trained on 128 tokens, about 90 words; longer pieces dilute each other. Code fences are left out:
queries and commands of different runbooks look alike and say little about what the runbook is for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from assistant.runbook_index.document import Runbook
from assistant.runbook_index.library import lead
from assistant.runbook_index.text import plain

WORDS = 90
MOST = 4  # the opening, the impact, the first steps: later ones cost time and move one query in a hundred
CHUNKING = "prose-90x4"  # part of a stored version's name: change it with the cutting
LEAST = 0.4
_FENCE = re.compile(r"`{3,}|~{3,}")


def chunks(runbook: Runbook) -> tuple[str, ...]:
    """One to `MOST` chunks of at most `WORDS` words each; small neighbouring sections share one."""
    opening = lead(runbook)
    first = f"{runbook.title}. {prose(opening)}".split()
    rest = [first[WORDS:], *(_headed(s.heading, s.text) for s in runbook.sections if s.text and s.text != opening)]
    pieces = (" ".join(first[:WORDS]) or runbook.title or runbook.path, *islice(_packed(rest), MOST - 1))
    told = f"{runbook.title}: {'; '.join(runbook.symptoms)}".split()[:WORDS]
    return (*pieces, " ".join(told)) if runbook.symptoms else pieces


def prose(text: str) -> str:
    return plain("\n".join(_outside_fences(text)))


def _outside_fences(text: str) -> Iterator[str]:
    """Lines that stand in no fence; one that is never closed runs to the end (CommonMark 0.31, 4.5)."""
    fence = ""
    for line in text.splitlines():
        bare = line.strip()
        if fence:
            fence = "" if bare.startswith(fence) and not bare.strip(fence[0]) else fence
        elif begun := _FENCE.match(bare):
            fence = begun[0]
        else:
            yield line


def _headed(heading: str, text: str) -> list[str]:
    return f"{heading}: {prose(text)}".split()


def _packed(parts: list[list[str]]) -> Iterator[str]:
    """Words in order, a new chunk where the next part would leave less than `LEAST` of itself in this one."""
    held: list[str] = []
    for part in parts:
        while part:
            room = WORDS - len(held)
            if held and len(part) > room and room < WORDS * LEAST:
                yield " ".join(held)
                held = []
                continue
            held, part = held + part[:room], part[room:]
            if len(held) >= WORDS:
                yield " ".join(held)
                held = []
    if held:
        yield " ".join(held)
