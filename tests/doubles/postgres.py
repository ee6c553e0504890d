"""A private PostgreSQL in a folder, on a free port of loopback: started, stopped and crashed by a test.

PostgreSQL refuses to run as root; as root it runs as the user `postgres` that Debian's package makes.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

WHY_NOT = "PostgreSQL is not installed: apt-get install --no-install-recommends postgresql"


def binaries() -> Path | None:
    """The folder of the newest PostgreSQL here."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres")
    return Path(on_path).resolve().parent if on_path else None


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Postgres:
    """A cluster. `url(database)` is how to reach it."""

    def __init__(self, folder: Path, bin_dir: Path) -> None:
        self.folder, self._bin, self.port = folder, bin_dir, free_port()
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        if self._as:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        self._run(
            "initdb", "-D", str(self._data), "-U", "payops", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"
        )

    def start(self) -> None:
        """Returns when connections are taken."""
        options = ("-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder), "-c", "max_connections=200")
        self._process = subprocess.Popen(
            [*self._as, str(self._bin / "postgres"), "-D", str(self._data), *options],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port), check=False):
            assert time.monotonic() < until, "PostgreSQL did not start"
            time.sleep(0.05)

    def stop(self) -> None:
        """Immediate: connections are cut, as when the server dies."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT: immediate shutdown
            self._process.wait(30)
            self._process = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://payops@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "payops", name)
        return self.url(name)

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, tool: str, *args: str, check: bool = True) -> int:
        done = subprocess.run(
            [*self._as, str(self._bin / tool), *args], cwd=self.folder, capture_output=True, check=check
        )
        return done.returncode


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """A cluster for the time of a test; skips where PostgreSQL is absent."""
    bin_dir = binaries()
    if bin_dir is None:
        pytest.skip(WHY_NOT)
    # Not under pytest's own folder: that is closed to the user postgres.
    folder = Path(tempfile.mkdtemp(prefix="payops-pg-"))
    folder.chmod(0o755)
    server = Postgres(folder, bin_dir)
    try:
        server.create()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
