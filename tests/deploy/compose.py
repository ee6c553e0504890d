"""deploy/compose.yaml as values, and its configuration files with loopback ports in the place of service names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests.house.test_imports import ROOT

DEPLOY = ROOT / "deploy"
FILE = DEPLOY / "compose.yaml"
SECRETS = "/run/secrets"


def document() -> dict[str, Any]:
    """The file with its anchors and merge keys resolved, as an engine reads it."""
    read: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {k: v for k, v in read.items() if not k.startswith("x-")}


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = document()["services"]
    return found


def networks_of(service: Mapping[str, Any]) -> set[str]:
    return set(service.get("networks", ()))


def mounts_of(service: Mapping[str, Any]) -> dict[str, str]:
    """Target -> file of this folder, for what is mounted from it."""
    parts = [str(v).split(":") for v in service.get("volumes", ())]
    return {p[1]: p[0].removeprefix("./") for p in parts if p[0].startswith("./")}


def substituted(name: str, places: Mapping[str, str]) -> str:
    """A configuration file of deploy/ with each key of `places` replaced; KeyError for one that it does not hold."""
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for old, new in places.items():
        if old not in text:
            raise KeyError(f"{name} holds no {old}")
        text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", lambda _, new=new: new, text)
    return text
