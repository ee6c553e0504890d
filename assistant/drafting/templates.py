"""Prompt files: one a task, versioned in its head, hashed as a whole. A changed file is another release."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assistant.core.prompt import Task
from assistant.errors import PayopsError

_HEAD = re.compile(r"---\ntask: (\w+)\nversion: (\d+)\n---\n", re.ASCII)


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
    raw = (files("assistant.drafting") / "prompts" / f"{task}.md").read_bytes()
    text = raw.decode("utf-8")
    head = _HEAD.match(text)
    if head is None or head[1] != task:
        raise PayopsError(f"prompt file of {task} has no proper head", mend="install the package again")
    return Template(task, head[2], hashlib.sha256(raw).hexdigest(), text[head.end() :].strip())
