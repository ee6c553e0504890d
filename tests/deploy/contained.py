"""A process as an image runs it, without an engine: another root, read-only; one writable folder and a tmpfs; a numeric
user without privileges; no network but its own loopback.

Namespaces of the kernel do it (`unshare`, `mount`, `setpriv` of util-linux), so a forbidden write fails for real.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

UID = 10001
PYTHON = str(Path(sys.executable).resolve())
"""The interpreter behind the tests' environment, which may itself stand in a folder that is closed to other users."""


def needs_namespaces() -> None:
    """Skip, saying why, where the kernel or the user does not allow them."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mount namespaces need root on Linux; run the tests as root in a container or on CI")
    for program in ("unshare", "setpriv", "mount"):
        if not shutil.which(program):
            pytest.skip(f"{program} is absent; get it with: apt-get install util-linux mount")
    if subprocess.run(["unshare", "--mount", "--net", "true"], capture_output=True, check=False).returncode:
        pytest.skip("the kernel gives no mount namespace here; run the tests where unshare --mount works")
    as_user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", PYTHON, "-c", ""]
    if subprocess.run(as_user, capture_output=True, check=False).returncode:
        pytest.skip(f"user {UID} may not run {PYTHON}; install Python where all can read it")


def contained(
    command: Sequence[str],
    *,
    state: Path,
    scratch: Path,
    environment: Mapping[str, str] = {},
    shown: Mapping[Path, Path] = {},
    timeout: float = 240,
) -> subprocess.CompletedProcess[str]:
    """Run `command`: only `state` (kept) and `scratch` (a tmpfs, gone afterwards) can be written.

    shown: folders by the place at which they can be read as well, whoever may reach them where they stand.
    """
    for folder in (state, scratch, *shown.values()):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.chown(state, UID, UID)
    state.chmod(0o700)
    q = shlex.quote
    variables = {"HOME": str(scratch), "TMPDIR": str(scratch), "PATH": os.defpath, "PAYOPS_STATE": str(state)}
    words = " ".join(q(f"{k}={v}") for k, v in {**variables, **environment}.items())
    lines = (
        "ip link set lo up 2>/dev/null || true",
        f"mount --bind {q(str(state))} {q(str(state))}",
        f"mount -t tmpfs -o mode=1777,size=256m tmpfs {q(str(scratch))}",
        *(f"mount --bind {q(str(a))} {q(str(b))} && mount -o remount,bind,ro {q(str(b))}" for a, b in shown.items()),
        "mount -o remount,bind,ro /",
        f"cd {q(str(state))}",
        f"exec env -i {words} setpriv --reuid={UID} --regid={UID} --clear-groups --bounding-set=-all --inh-caps=-all"
        f" --no-new-privs {shlex.join(command)}",
    )
    inside = ["unshare", "--mount", "--net", "/bin/sh", "-ec", "\n".join(lines)]
    return subprocess.run(inside, capture_output=True, text=True, timeout=timeout, check=False)
