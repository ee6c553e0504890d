"""The image built for real, by buildah, which needs no daemon; then run with the restrictions that it will have.

The base image must be at hand: `buildah pull` it, or, where no registry is, import a Debian with that Python under its
name. `PAYOPS_BUILDAH` holds further words for `buildah bud` (a CA file, a mirror: `-v … --network host`).
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.contained import UID, needs_namespaces
from tests.deploy.dockerfile import instructions
from tests.house.test_imports import ROOT

FILE = ROOT / "deploy" / "Dockerfile"
BASE = next(s.value for s in instructions(FILE.read_text(encoding="utf-8")) if s.value.startswith("PYTHON="))[7:]
NAME = "localhost/payops-test:0"
ENVIRONMENT = {**os.environ, "BUILDAH_ISOLATION": "chroot"}


def buildah(*words: str, check: bool = True) -> str:
    done = subprocess.run(["buildah", *words], capture_output=True, text=True, check=False, env=ENVIRONMENT, cwd=ROOT)
    if check and done.returncode:
        raise AssertionError(done.stderr[-3000:])
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    needs_namespaces()
    if not shutil.which("buildah"):
        pytest.skip("buildah is absent; get it with: apt-get install --no-install-recommends buildah")
    if not buildah("images", "-q", BASE, check=False):
        pytest.skip(f"the base image is not at hand; get it with: buildah pull {BASE}")
    secret = ["--secret", "id=pip,src=/etc/pip.conf"] if Path("/etc/pip.conf").exists() else []
    more = shlex.split(os.environ.get("PAYOPS_BUILDAH", ""))
    ignore = ["--ignorefile", str(FILE.with_name("Dockerfile.dockerignore"))]
    build = ["bud", "--pull-never", "--format", "docker", "--layers=false", *ignore, *secret, *more]
    buildah(*build, "-f", str(FILE), "-t", NAME, ".")
    yield NAME
    buildah("rmi", NAME)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_image_is_what_the_file_says_and_runs_without_a_shell(image: str) -> None:
    said = json.loads(buildah("inspect", "--type", "image", image))["Docker"]["config"]
    assert said["User"] == f"{UID}:{UID}"
    assert said["Entrypoint"] == ["/opt/payops/bin/payops"]
    assert said["Healthcheck"]["Test"][0] == "CMD"
    assert not [e for e in said["Env"] if "TOKEN" in e or "PASSWORD" in e]
    container = buildah("from", image)
    state = Path(tempfile.mkdtemp(prefix="payops-image-"))
    shutil.chown(state, UID, UID)
    try:
        root = Path(buildah("mount", container))
        owner = (root / "var/lib/payops").stat()
        assert (owner.st_uid, owner.st_mode & 0o777) == (UID, 0o700)
        for shell in ("bin/sh", "bin/bash", "bin/dash"):
            (root / shell).unlink(missing_ok=True)
        done = run_in(root, state, said["Env"], "/opt/payops/bin/payops", "demo", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["record"]
        tried = run_in(root, state, said["Env"], "/opt/payops/bin/python", "-c", "open('/opt/payops/x', 'w')")
        assert "Read-only file system" in tried.stderr
        size = sum(p.lstat().st_size for p in root.rglob("*") if p.is_file() and not p.is_symlink()) / 1e6
        print(f"the image: {size:.0f} MB before compression, base included")
    finally:
        buildah("rm", container)
        shutil.rmtree(state)


def run_in(root: Path, state: Path, variables: list[str], *command: str) -> subprocess.CompletedProcess[str]:
    """As an engine with --read-only, --user, --cap-drop ALL, --network none, --tmpfs /tmp would."""
    q = shlex.quote
    lines = (
        f"mount --bind {q(str(root))} {q(str(root))}",
        f"mount --bind {q(str(state))} {q(str(root))}/var/lib/payops",
        f"mount -t tmpfs tmpfs {q(str(root))}/tmp",
        f"mount -o remount,bind,ro {q(str(root))}",
        f"exec env -i {shlex.join(variables)} setpriv --bounding-set=-all,+setuid,+setgid,+sys_chroot --no-new-privs"
        f" /usr/sbin/chroot --userspec={UID}:{UID} --groups= {q(str(root))} {shlex.join(command)}",
    )
    inside = ["unshare", "--mount", "--net", "/bin/sh", "-ec", "\n".join(lines)]
    return subprocess.run(inside, capture_output=True, text=True, check=False, timeout=600)
