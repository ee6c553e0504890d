"""Imports point inwards, each third-party package has one door, and nothing happens at import."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OURS = ("assistant", "redaction", "evals", "runbooks")

# room -> the rooms it may import. The straight line (investigate and its helpers) sits between core and adapters.
INNER = {"redaction", "assistant.errors", "assistant.core"}
LINE = {"assistant.ports", "assistant.house", "assistant.analysis", "assistant.promptlog"}
MAY_IMPORT: dict[str, set[str]] = {
    "redaction": set(),
    "assistant.errors": set(),
    "assistant.core": {"redaction", "assistant.errors"},
    "assistant.analysis": {"redaction", "assistant.core", "assistant.errors"},
    "assistant.promptlog": {"assistant.errors"},
    "assistant.toml_tables": {"assistant.errors"},
    "assistant.settings": {"assistant.errors", "assistant.toml_tables"},
    "assistant.ports": {"redaction", "assistant.core", "assistant.promptlog"},
    "assistant.house": {"redaction", "assistant.core", "assistant.ports"},
    "assistant.sources": INNER | {"assistant.ports", "assistant.settings"},
    "assistant.runbook_index": INNER | {"assistant.ports", "assistant.settings"},
    "assistant.drafting": INNER | {"assistant.ports", "assistant.settings", "assistant.promptlog"},
    "assistant.render": INNER,
    "assistant.identity": INNER,
    "assistant.slack": INNER
    | LINE
    | {
        f"assistant.{room}"
        for room in (
            "ask",
            "case",
            "drafting",
            "guests",
            "identity",
            "live",
            "notebook",
            "papers",
            "render",
            "scope",
            "serving",
            "settings",
            "telemetry",
            "web",
            "workflow",
        )
    },
    "assistant.notebook": INNER | {"assistant.ports"},
}

# third-party package -> the places that may import it
DOORS: dict[str, tuple[str, ...]] = {
    "chromadb": ("assistant/runbook_index/",),
    "langchain": ("assistant/drafting/",),
    "langchain_openai": ("assistant/drafting/",),
    "langchain_core": ("assistant/drafting/",),
    "openai": ("assistant/drafting/",),
    "prometheus_api_client": ("assistant/sources/",),
    "requests": ("assistant/sources/",),
    "slack_bolt": ("assistant/slack/",),
    "slack_sdk": ("assistant/slack/", "assistant/sources/"),
    "presidio_analyzer": ("redaction/",),
    "spacy": ("redaction/",),
    "dbos": ("assistant/workflow/",),
    "authlib": ("assistant/web/access/",),
    "joserfc": ("assistant/web/access/",),
    "itsdangerous": ("assistant/web/access/",),
    "promql_parser": ("assistant/sources/", "assistant/runbook_index/"),
}


def modules() -> list[Path]:
    return sorted(p for name in OURS for p in (ROOT / name).rglob("*.py"))


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function; `TYPE_CHECKING` blocks count too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[0] if parts[0] != "assistant" else ".".join(parts[:2])


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_point_inwards(room: str) -> None:
    wrong = []
    for path in modules():
        if room_of(dotted(path)) != room:
            continue
        for name in imported(path):
            target = room_of(name)
            if target.split(".")[0] in OURS and target not in {room, "assistant"} | MAY_IMPORT[room]:
                wrong.append(f"{dotted(path)} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_only_settings_reads_the_environment() -> None:
    readers = {
        dotted(p)
        for p in modules()
        if dotted(p).startswith(("assistant", "redaction"))
        for node in ast.walk(ast.parse(p.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    }
    assert readers <= {"assistant.settings"}


@pytest.mark.parametrize("package", sorted(DOORS))
def test_each_package_has_one_door(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {package}"
        for path in modules()
        if not str(path.relative_to(ROOT)).startswith((*DOORS[package], "evals/"))
        and any(name.split(".")[0] == package for name in imported(path))
    ]
    assert not wrong, "\n".join(wrong)


def _after(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stderr.split())


HEAVY = {
    "numpy",
    "scipy",
    "pandas",
    "rich",
    "requests",
    "cryptography",
    "openai",
    "langchain",
    "langchain_core",
    "chromadb",
}
HEAVY |= {
    "spacy",
    "presidio_analyzer",
    "dbos",
    "sqlalchemy",
    "slack_bolt",
    "slack_sdk",
    "onnxruntime",
    "starlette",
    "typer",
}


def test_help_loads_nothing_heavy() -> None:
    loaded = _after("from assistant.cli import main; main(['--help'])")
    assert not HEAVY & loaded
    assert "assistant.cli" in loaded


@pytest.mark.parametrize(
    "module", [dotted(p) for p in modules() if dotted(p).startswith(("assistant.core", "assistant.ports"))]
)
def test_core_loads_no_adapter(module: str) -> None:
    loaded = _after(f"import {module}")
    assert not (HEAVY - {"numpy", "cryptography"}) & loaded


def test_importing_anything_touches_no_file_and_no_socket(tmp_path: Path) -> None:
    """Every module is imported under an audit hook that fails on a socket or on a file opened for writing."""
    names = [
        dotted(p) for p in modules() if not dotted(p).startswith(("evals", "runbooks")) and "__main__" not in dotted(p)
    ]
    script = f"""
import sys
sys.dont_write_bytecode = True
import importlib
done = []
def hook(event, args):
    if event == "socket.bind" and args[1][:2] == ("::1", 0):
        return  # urllib3 asks the kernel in this way whether there is IPv6; nothing leaves
    if event in ("socket.connect", "socket.bind"):
        raise SystemExit(f"{{done[-1:]}}: {{event}}")
    if event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        raise SystemExit(f"{{done[-1:]}}: opens {{args[0]}} for writing")
sys.addaudithook(hook)
for name in {names!r}:
    done.append(name)
    importlib.import_module(name)
print(len(done))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert int(ran.stdout) == len(names)
    assert list(tmp_path.iterdir()) == []
