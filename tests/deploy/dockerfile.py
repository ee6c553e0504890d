"""A Dockerfile as its instructions: enough to hold it to rules, and to carry out a stage without an engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction of one stage; `stage` counts from 0, and an instruction before the first FROM is in stage -1."""

    stage: int
    name: str
    value: str

    def words(self) -> list[str]:
        """The exec form. ValueError for the shell form, which needs a shell."""
        words = json.loads(self.value)
        if not isinstance(words, list):
            raise ValueError(self.value)
        return [str(w) for w in words]


def instructions(text: str) -> list[Instruction]:
    """In order; comments are dropped, continued lines joined by a space."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found, stage = [], -1
    for line in filter(str.strip, joined.splitlines()):
        name, _, value = line.strip().partition(" ")
        stage += name.upper() == "FROM"
        found.append(Instruction(stage, name.upper(), value.strip()))
    return found


def carry_out(text: str, stage: int, *, context: Path, root: Path) -> None:
    """COPY and RUN of one stage with `root` in the place of `/`: its absolute paths are rewritten, its `python` is the
    one that runs this, secrets mounts are dropped (the machine's own pip settings are used). CalledProcessError.
    """
    here = root / "src"
    here.mkdir(parents=True)
    environment = {"PIP_NO_COMPILE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    for step in (i for i in instructions(text) if i.stage == stage):
        if step.name == "COPY":
            *sources, target = step.value.split()
            for source in sources:
                _copy(context / source, here if target == "./" else here / target)
        elif step.name == "RUN":
            command = re.sub(r"^(--mount=\S+\s+)+", "", step.value)
            command = re.sub(r"(?<![\w./])/(opt|tmp)/", rf"{root}/\1/", command)
            command = re.sub(r"(?<![\w./])python(?= -m)", str(Path(sys._base_executable)), command)
            subprocess.run(["/bin/sh", "-ec", command], cwd=here, check=True, env={**_environment(), **environment})


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", ".state"))
    else:
        shutil.copy(source, target / source.name if target.is_dir() else target)


def _environment() -> dict[str, str]:
    import os

    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
