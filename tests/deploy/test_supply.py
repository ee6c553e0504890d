"""The supply chain: bill of materials, licences, audit, signed notes; each tried with something that must fail."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from assistant.errors import LogInconsistent, UsageError
from deploy import audit, licences, release_notes
from tests.house.test_imports import ROOT

POLICY = tomllib.loads(licences.POLICY.read_text(encoding="utf-8"))
LOCKED = licences.shipped(*licences.LOCKS)


def test_the_bill_of_materials_names_every_locked_package_with_its_hashes(tmp_path: Path) -> None:
    text = "".join(lock.read_text(encoding="utf-8") for lock in licences.LOCKS)
    out = tmp_path / "bom.json"
    command = [sys.executable, "-m", "cyclonedx_py", "requirements", "--pyproject", str(ROOT / "pyproject.toml")]
    command += ["--output-reproducible", "--of", "JSON", "-o", str(out), "--validate", "-"]
    subprocess.run(command, input=text, text=True, check=True, capture_output=True)
    bom = json.loads(out.read_text(encoding="utf-8"))
    assert (bom["bomFormat"], bom["metadata"]["component"]["name"]) == ("CycloneDX", "payops")
    listed = sorted((c["name"], c["version"]) for c in bom["components"])
    assert listed == sorted(re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE))
    hashes = [{h["content"] for r in c["externalReferences"] for h in r["hashes"]} for c in bom["components"]]
    assert all(hashes)
    assert set().union(*hashes) == set(re.findall(r"hash=sha256:([0-9a-f]{64})", text))


def test_every_shipped_package_has_an_allowed_licence() -> None:
    installed = licences.stated(list(LOCKED))
    if len(installed) < len(LOCKED) - 10:
        pytest.skip("the embedder's or other locked packages are not installed; run: make .venv/.dev .venv/.embedder")
    packages = licences.judge(LOCKED, installed, POLICY)
    assert licences.refused(packages, POLICY) == []
    assert len(packages) == len(LOCKED) > 150


@pytest.mark.parametrize(
    ("licence", "fine"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR Apache-2.0", True),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-3.0-only)", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("Made Up License", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_by_its_expression(licence: str, fine: bool) -> None:
    packages = licences.judge({"thing": "1"}, {"thing": licence}, {**POLICY, "judged": {}})
    assert (licences.refused(packages, {**POLICY, "judged": {}}) == []) is fine


def test_a_judgement_of_nothing_is_refused() -> None:
    policy = {**POLICY, "judged": {"gone": {"licence": "MIT", "why": "was there"}}}
    assert "no longer in the lock" in licences.refused(licences.judge({}, {}, policy), policy)[0]


def test_an_audit_that_audited_nothing_says_so() -> None:
    nothing = {"dependencies": [{"name": "a", "skip_reason": "not found"}, {"name": "b", "skip_reason": "not found"}]}
    code, lines = audit.verdict(nothing)
    assert code == 0
    assert lines == ["SKIPPED: no advisory data can be reached from here; none of 2 packages was audited"]


def test_an_audit_fails_on_a_finding_and_on_a_gap() -> None:
    clean = {"name": "a", "version": "1", "vulns": []}
    found = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]}
    assert audit.verdict({"dependencies": [clean]}) == (0, ["1 packages audited, 0 findings"])
    assert audit.verdict({"dependencies": [clean, found]})[0] == 1
    assert "b 2: PYSEC-1, mended in 3" in audit.verdict({"dependencies": [found]})[1]
    code, lines = audit.verdict({"dependencies": [clean, {"name": "c", "skip_reason": "not found"}]})
    assert code == 1 and "c: not audited" in lines[0]


@pytest.fixture
def key(tmp_path: Path) -> tuple[Path, str]:
    file = tmp_path / "release.key"
    return file, notes("key", str(file))


def notes(*words: str) -> str:
    return release_notes.run(release_notes._options().parse_args(list(words)))


def whole_history() -> None:
    """Skip in a checkout without history."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-list", "-3", "HEAD"], capture_output=True, text=True, check=False
    )
    if done.returncode or len(done.stdout.split()) < 3:
        pytest.skip("this is no git checkout with history; clone it with: git clone (not --depth 1)")


def test_notes_are_signed_and_name_what_changed(key: tuple[Path, str], tmp_path: Path) -> None:
    whole_history()
    file, vkey = key
    (tmp_path / "payops.whl").write_bytes(b"wheel")
    out = tmp_path / "notes.txt"
    artifact = ("--artifact", str(tmp_path / "payops.whl"))
    notes("make", "--key", str(file), "--since", "HEAD~2", *artifact, "--out", str(out))
    text = out.read_text(encoding="utf-8")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert text.startswith(f"payops {version}\n")
    assert "Commits (2)" in text or "Commits (1)" in text
    assert "payops.whl" in notes("verify", str(out), "--vkey", vkey, *artifact)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().split("+", 4)[-1].strip() not in text
    (tmp_path / "payops.whl").write_bytes(b"another wheel")
    with pytest.raises(LogInconsistent, match=r"payops\.whl is not the artifact"):
        notes("verify", str(out), "--vkey", vkey, *artifact)
    (tmp_path / "unknown.whl").write_bytes(b"wheel")
    with pytest.raises(LogInconsistent, match=r"unknown\.whl"):
        notes("verify", str(out), "--vkey", vkey, "--artifact", str(tmp_path / "unknown.whl"))


@pytest.mark.parametrize(
    "tamper", [lambda t: t.replace("payops", "payopz", 1), lambda t: t.replace("\n- ", "\n-  ", 1)]
)
def test_tampered_notes_and_other_keys_are_refused(key: tuple[Path, str], tmp_path: Path, tamper) -> None:
    file, vkey = key
    signed = release_notes.sign("payops 9\n\n- a change\n", release_notes.parse_signing_key(file.read_text().strip()))
    other = notes("key", str(tmp_path / "other.key"))
    for name, text, trusted in (("a", tamper(signed), vkey), ("b", signed, other), ("c", "no note\n", vkey)):
        (tmp_path / name).write_text(text)
        with pytest.raises(LogInconsistent):
            notes("verify", str(tmp_path / name), "--vkey", trusted)
    (tmp_path / "d").write_text(signed)
    assert "signed by" in notes("verify", str(tmp_path / "d"), "--vkey", vkey)


def test_a_release_key_is_never_overwritten(key: tuple[Path, str]) -> None:
    with pytest.raises(UsageError, match="is there already"):
        notes("key", str(key[0]))


def test_what_moved_in_the_lock_is_told() -> None:
    old, new = (
        release_notes.pins("a==1 \\\n  --hash=x\nb==1\n"),
        release_notes.pins("a==2\nc==1 ; python_version < '3'\n"),
    )
    assert release_notes.lock_changes(old, new) == ["- a: 1 -> 2", "- b: 1 -> gone", "- c: not there -> 1"]


def test_the_changelog_of_a_version_comes_before_what_is_unreleased() -> None:
    text = "# C\n\n## Unreleased\n\n- next\n\n## 0.2.0 (2026)\n\n- this\n\n## 0.1.0\n\n- old\n"
    assert release_notes.changelog(text, "0.2.0") == "- this"
    assert release_notes.changelog(text, "0.3.0") == "- next"
    with pytest.raises(UsageError, match="no section"):
        release_notes.changelog("# C\n", "1")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-build.lock"])
def test_locks_hold_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    for line in re.findall(r"^[\w.-]+==.*(?:\n    --hash.*)*", text, re.MULTILINE):
        assert "--hash=sha256:" in line, line
    assert "://" not in text and "--index-url" not in text


def test_what_runs_is_what_is_developed_with() -> None:
    run, dev = (licences.shipped(ROOT / f) for f in ("requirements.lock", "requirements-dev.lock"))
    build = licences.shipped(ROOT / "requirements-build.lock")
    assert run.items() <= dev.items()
    assert build.items() <= dev.items()
