"""Prompt files: one a task, versioned in its head, hashed as a whole. A changed file is another release.

A candidate may bring a folder of its own; a task whose file is not there keeps the shipped one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import get_args

from assistant.core.prompt import Task
from assistant.errors import PayopsError, SettingsError

_HEAD = re.compile(r"---\ntask: (\w+)\nversion: ([\w.-]{1,32})\n---\n", re.ASCII)
LONGEST = 24_000
"""Bytes of a prompt file of one's own: it is in every request."""


@dataclass(frozen=True, slots=True)
class Template:
    """`text` is what the model is told; `sha256` is of the file's bytes, head included."""

    task: Task
    version: str
    sha256: str
    text: str

    @property
    def name(self) -> str:
        return f"{self.task}@{self.version}"


@cache
def template(task: Task) -> Template:
    """The prompt file of a task. PayopsError if it was damaged: an installation, not an input, is at fault then."""
    found = _read(task, (files("assistant.drafting") / "prompts" / f"{task}.md").read_bytes())
    if found is None:
        raise PayopsError(f"prompt file of {task} has no proper head", mend="install the package again")
    return found


def templates_in(folder: Path) -> Mapping[Task, Template]:
    """The prompt files of a folder (`incident_note.md`, …), read once. SettingsError names the file that cannot be
    used, or a folder that has none; the files are checked by the last look like every other byte that is sent."""
    tasks: tuple[Task, ...] = get_args(Task)
    try:
        there = sorted(p for p in folder.iterdir() if p.suffix == ".md")
        read = {p.stem: p.read_bytes() for p in there if p.stem in tasks}
    except OSError as error:
        raise SettingsError(f"[model] shadow_prompts {folder}: {error.strerror}", mend="give a folder") from None
    strange = [p.name for p in there if p.stem not in tasks]
    if strange or not read:
        mend = f"name the files after their tasks: {', '.join(f'{t}.md' for t in tasks)}"
        raise SettingsError(
            f"[model] shadow_prompts {folder}: {strange[0] if strange else 'no prompt file'}", mend=mend
        )
    found = {task: _read(task, read[task]) for task in tasks if task in read}
    for task, form in found.items():
        if form is None:
            mend = f"begin it with lines ---, task: {task}, version: 1, ---; at most {LONGEST} bytes of UTF-8"
            raise SettingsError(f"[model] shadow_prompts {folder}/{task}.md has no proper head", mend=mend)
    return {task: form for task, form in found.items() if form is not None}


def _read(task: Task, raw: bytes) -> Template | None:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    if head is None or head[1] != task or len(raw) > LONGEST:
        return None
    return Template(task, head[2], hashlib.sha256(raw).hexdigest(), text[head.end() :].strip())
