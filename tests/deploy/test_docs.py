"""What the documents of deploy/ name is there: files, commands and their options, targets of make, secrets."""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from assistant.cli import COMMANDS, main
from assistant.settings import Settings
from tests.house.test_imports import ROOT

DEPLOY = ROOT / "deploy"
PAGES = sorted(DEPLOY.rglob("*.md"))
OPTION = re.compile(r"--[a-z][a-z-]+")


def commands_in(text: str) -> list[str]:
    """Every `payops …` of a code span or a line of code, up to a comment or the end of its sentence."""
    spans = re.findall(r"`(payops [^`]+)`", text.replace("\n", " "))
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = re.findall(r"^\s*(?:\$ )?(?:kubectl [^\n]*-- )?(payops [a-z][^\n#]*)", joined, re.MULTILINE)
    return [c.split("  ")[0].strip() for c in spans + lines]


@cache
def help_of(words: tuple[str, ...]) -> str:
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        main([*words, "--help"])
    return out.getvalue()


def missing_of(command: str) -> list[str]:
    """What of `payops GROUP COMMAND --option …` does not exist."""
    words = shlex.split(command.replace("…", ""))[1:]
    name = words[0] if words else ""
    for one in name.split("|"):
        if one not in COMMANDS:
            return [f"payops {one}"] if re.fullmatch(r"[a-z-]+", one) else []
    path = [name.split("|")[0]]
    if re.search(r"^Commands:$", help_of(tuple(path)), re.MULTILINE) and len(words) > 1:
        known = re.findall(r"^  ([a-z-]+)  ", help_of(tuple(path)).partition("Commands:")[2], re.MULTILINE)
        wrong = [w for w in re.split(r"[|,]", words[1]) if re.fullmatch(r"[a-z-]+", w) and w not in known]
        if wrong:
            return [f"{path[0]} {w}" for w in wrong]
        path.append(re.split(r"[|,]", words[1])[0])
    said = set(OPTION.findall(help_of(tuple(path))))
    return [f"{' '.join(path)} {o}" for o in OPTION.findall(" ".join(words)) if o not in said]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DEPLOY)))
def test_every_command_it_names_is_there_with_its_options(page: Path) -> None:
    named = commands_in(page.read_text(encoding="utf-8"))
    assert not [m for command in named for m in missing_of(command)]


def test_wrong_commands_would_be_found() -> None:
    assert missing_of("payops backup destroy") == ["backup destroy"]
    assert missing_of("payops backup create --cut x") == ["backup create --cut"]
    assert missing_of("payops frobnicate") == ["payops frobnicate"]
    assert missing_of("payops log verify --checkpoint FILE") == []
    assert commands_in("see `payops log\nverify`; or\n\n    payops doctor --probe    # asks\n") == [
        "payops log verify",
        "payops doctor --probe",
    ]


def test_the_pages_name_commands() -> None:
    named = {c for page in PAGES for c in commands_in(page.read_text(encoding="utf-8"))}
    assert len(named) > 30
    assert {"backup", "purge", "off", "on", "log", "doctor"} <= {c.split()[1] for c in named}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(DEPLOY)))
def test_every_file_it_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    linked = [page.parent / p for p in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    named = re.findall(r"(?<![\w/.])((?:tests|deploy|assistant|evals)/[\w./-]*\w)", text)
    named += [w for run in re.findall(r"pytest ([^`\n]+)", text) for w in run.split() if w.startswith("tests/")]
    absent = [p for p in linked if not p.exists()] + [n for n in named if not (ROOT / n).exists() and not made(n)]
    assert not absent


def made(name: str) -> bool:
    """Made by a command of the page, never committed."""
    return name.startswith("deploy/secrets")


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for words in re.findall(r"(?:^|`)make ((?:[a-z]+ ?)+)", page.read_text(encoding="utf-8"), re.MULTILINE)
        for word in words.split()
    }
    assert {"stack", "wheel", "sbom", "licences", "audit", "release"} <= named
    assert named <= targets


def test_every_secret_of_the_configuration_is_in_credentials() -> None:
    """A key that names a file or variable with a secret has its line, or the line of its kind."""
    text = (DEPLOY / "CREDENTIALS.md").read_text(encoding="utf-8")
    kinds = {"bot_token": "Slack", "app_token": "Slack", "signing_secret": "Slack", "client_key": "client_key_file"}
    absent = []
    for table in fields(Settings):
        for key in getattr(table.type, "__dataclass_fields__", {}) or _keys(table.name):
            base = key.removesuffix("_file").removesuffix("_env").removesuffix("_command")
            if base == key or base in {"ca", "oidc_ca", "client_cert", ""}:
                continue
            wanted = (f"{base}_file", f"{base}_env", kinds.get(base, "\0"))
            if not any(w in text for w in wanted):
                absent.append(f"[{table.name}] {key}")
    assert not absent


def _keys(table: str) -> list[str]:
    value = getattr(Settings(), table)
    return [f.name for f in fields(value)] if hasattr(value, "__dataclass_fields__") else []
