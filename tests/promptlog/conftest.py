"""A log in a folder of its own, its keys, and (where it is installed) a PostgreSQL server of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.promptlog.keys import Keys
from assistant.promptlog.log import Log
from assistant.promptlog.open import open_log
from assistant.promptlog.record import Entry, Event
from tests.fakes.promptlog import ORIGIN, fresh_keys, look_at_nothing

NO_POSTGRES = "PostgreSQL is not installed: apt-get install postgresql"


def entry(n: int = 0, **given: Any) -> Entry:
    """An ordinary record."""
    values: dict[str, Any] = {"event": Event.SOURCE_QUERY, "actor": "serve", "facts": {"n": n}}
    return Entry(**(values | given))


@pytest.fixture
def keys() -> Keys:
    return fresh_keys()


@pytest.fixture
def log(tmp_path: Path, keys: Keys) -> Iterator[Log]:
    made = open_log(tmp_path / "log", keys=keys, last_look=look_at_nothing, origin=ORIGIN)
    yield made
    made.close()


def postgres_bin() -> Path | None:
    """The folder of the server's programs, newest version first."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def as_postgres(*command: str) -> list[str]:
    """PostgreSQL refuses to run as root."""
    return (
        ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        if os.geteuid() == 0
        else [*command]
    )


class Server:
    """A private PostgreSQL cluster on a free port of loopback."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.data, self._programs = folder / "data", programs
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._run("initdb", "-D", str(self.data), "-U", "payops", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://payops@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.data}"
        self._run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.data / "log"), "-w", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = as_postgres(str(self._programs / program), *arguments)
        subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """In a folder of its own: pytest's are closed to the user that the server runs as."""
    programs = postgres_bin()
    if programs is None:
        pytest.skip(NO_POSTGRES)
    folder = Path(tempfile.mkdtemp(prefix="promptlog-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    server = Server(folder, programs)
    yield server
    server.stop()
    shutil.rmtree(folder)
