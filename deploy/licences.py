"""The licence of everything that is shipped, held to deploy/licences.toml: `python deploy/licences.py [--out FILE]`.

Metadata is read by pip-licenses from this environment; expressions are SPDX. Exit 1 names each package whose licence is
not allowed, unknown, or judged for a package that is no longer in the lock.
"""

import argparse
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, get_spdx_licensing

ROOT = Path(__file__).resolve().parent.parent
POLICY = ROOT / "deploy" / "licences.toml"
LOCKS = (ROOT / "requirements.lock", ROOT / "requirements-embedder.txt")


@dataclass(frozen=True, slots=True)
class Package:
    name: str
    version: str
    licence: str
    why: str = ""


def shipped(*locks: Path) -> dict[str, str]:
    """Name, normalised as PEP 503 says -> version, of every line of the locks; several where Pythons differ."""
    found: dict[str, str] = {}
    for path in locks:
        for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found[normal(name)] = f"{found[normal(name)]} or {version}" if normal(name) in found else version
    return found


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def stated(names: list[str]) -> dict[str, str]:
    """What the metadata of the installed ones says."""
    command = [str(Path(sys.executable).with_name("pip-licenses")), "--with-system", "--from=mixed", "-f", "json"]
    done = subprocess.run([*command, "-p", *names], capture_output=True, text=True, check=True)
    return {normal(p["Name"]): str(p["License"]) for p in json.loads(done.stdout)}


def judge(versions: Mapping[str, str], said: Mapping[str, str], policy: Mapping[str, Any]) -> list[Package]:
    """Each package with its licence as SPDX, "" where it cannot be told."""
    found = []
    for name, version in sorted(versions.items()):
        by_hand = policy["judged"].get(name, {})
        text = said.get(name, "")
        licence = by_hand.get("licence") or policy["spelled"].get(text, text)
        found.append(Package(name, version, licence, by_hand.get("why", "")))
    return found


def refused(packages: list[Package], policy: Mapping[str, Any]) -> list[str]:
    """One line each for what may not be shipped, and for judgements of nothing."""
    wrong = [
        f"{p.name} {p.version}: {_short(p.licence)}" for p in packages if not (p.why or _allowed(p.licence, policy))
    ]
    names = {p.name for p in packages}
    return wrong + [f"{name}: judged, but no longer in the lock" for name in policy["judged"] if name not in names]


def _allowed(licence: str, policy: Mapping[str, Any]) -> bool:
    try:
        parsed = get_spdx_licensing().parse(licence, validate=True)
    except ExpressionError:
        return False
    return parsed is not None and _holds(parsed, frozenset(policy["allowed"]))


def _holds(parsed: Any, allowed: frozenset[str]) -> bool:
    """AND needs all its parts, OR one of them."""
    if not parsed.args:
        return str(parsed) in allowed
    parts = [_holds(part, allowed) for part in parsed.args]
    return any(parts) if parsed.operator.strip() == "OR" else all(parts)


def _short(licence: str) -> str:
    return licence.splitlines()[0][:60] if licence else "no licence is stated"


def table(packages: list[Package]) -> str:
    rows = [f"| {p.name} | {p.version} | {p.licence} | {p.why} |" for p in packages]
    return "\n".join(["| package | version | licence | judged |", "|---|---|---|---|", *rows]) + "\n"


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(description="Hold the licences of what is shipped to deploy/licences.toml.")
    options.add_argument("--out", type=Path, help="write the whole list there, as Markdown")
    given = options.parse_args(arguments)
    policy = tomllib.loads(POLICY.read_text(encoding="utf-8"))
    versions = shipped(*LOCKS)
    packages = judge(versions, stated(list(versions)), policy)
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(table(packages), encoding="utf-8")
    wrong = refused(packages, policy)
    for line in wrong:
        print(f"licences: {line}; allow or judge it in deploy/licences.toml, or leave the package out", file=sys.stderr)
    print(f"{len(packages)} packages, {len(wrong)} refused, {sum(bool(p.why) for p in packages)} judged by hand")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
