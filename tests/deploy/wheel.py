"""Our wheel, built as the Dockerfile builds it, from a copy of what the Dockerfile copies."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tests.house.test_imports import OURS

FILES = ("pyproject.toml", "README.md", "LICENSE")


def build_wheel(root: Path, target: Path, *, touched: bool = False) -> Path:
    """The wheel of `root`. `touched`: from a copy with other times and modes, as another machine would have."""
    source = target / "source"
    skip = shutil.ignore_patterns("__pycache__", "*.pyc", ".state")
    for name in sorted(OURS, reverse=touched):
        shutil.copytree(root / name, source / name, ignore=skip)
    for name in FILES:
        shutil.copy(root / name, source / name)
    if touched:
        for path in source.rglob("*"):
            path.touch()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    shutil.rmtree(source)
    (wheel,) = target.glob("*.whl")
    return wheel


def unpack(wheel: Path, target: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target
