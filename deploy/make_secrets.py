"""Make the secrets of a deployment as files in one folder: `python deploy/make_secrets.py FOLDER [ORIGIN]`.

What exists is left as it is: a second run adds only what is missing, and no key of a log that exists is replaced. The
folder is closed to others (0700); the files in it are readable, because a container's user is another one than yours.
For production let your secrets manager hold them, and give the two keys of the log to those who do not operate it.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from assistant.promptlog.keys import new_body_key, new_signing_key
from assistant.settings import Log

DATABASE = "postgresql://payops:{password}@postgres:5432/payops"


def make(folder: Path, origin: str) -> list[str]:
    """Write what is missing; the names of the files written. `origin` is `[log] origin`."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    written: list[str] = []

    def once(name: str, value: Callable[[], str]) -> None:
        path = folder / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(value() + "\n", encoding="utf-8")
            path.chmod(0o444)
            written.append(name)

    once("webhook-token", lambda: secrets.token_urlsafe(32))
    once("postgres-password", lambda: secrets.token_urlsafe(32))
    password = (folder / "postgres-password").read_text(encoding="utf-8").strip()
    once("database-url", lambda: DATABASE.format(password=password))
    once("signing.key", lambda: new_signing_key(origin))
    once("body.key", new_body_key)
    once("session-key", lambda: secrets.token_urlsafe(48))
    once("grafana-password", lambda: secrets.token_urlsafe(24))
    return written


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python deploy/make_secrets.py FOLDER [ORIGIN]")
    target = Path(sys.argv[1])
    made = make(target, sys.argv[2] if len(sys.argv) == 3 else Log().origin)
    print(f"{target}: made {', '.join(made)}" if made else f"{target}: everything is there")
