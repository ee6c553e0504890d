"""The configuration read again while `serve` runs: on SIGHUP, which `payops reload` sends.

What an investigation uses is renewed between rounds: sources, payment roles, model, redaction policy. What the process
was built around (state, log, listeners, workflow, Slack) stays as it was until the next start, and is named. A
configuration that is wrong changes nothing. Either way it is a record, with both configurations by their hashes.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import PayopsError, UsageError
from assistant.preflight import preflight
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.settings import Settings, load_settings

if TYPE_CHECKING:
    from assistant.live import Live

_LOG = logging.getLogger("payops.live")
PID_FILE = "serve.pid"
RENEWED = frozenset({"prometheus", "alertmanager", "loki", "changes", "payments", "model", "redaction"})
"""Tables that take effect at once. Runbook files are read again every minute by themselves."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`changed` tables took effect, `kept` ones differ and wait for the next start; `wrong` is why nothing changed."""

    before: str
    after: str
    changed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()


def fingerprint(settings: Settings) -> str:
    """A hash of the configuration; secrets are not in it, only their places."""
    text = json.dumps(asdict(settings), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def reload(live: Live) -> Reloaded:
    """Read the file again and renew what can be. Never raises for what is in the file: it is said, and nothing changes.

    Raises PromptLogError where it cannot be recorded; nothing changes then either.
    """
    old = live.settings
    config = Path(old.file) if old.file else None
    fresh, look = preflight(lambda: load_settings(config, state=old.state), ports_and_state=False)
    before = fingerprint(old)
    if fresh is None or look.found:
        wrong = tuple(p.what for p in look.found)
        return _recorded(live, Reloaded(before, fingerprint(fresh) if fresh else "", wrong=wrong))
    differ = [f.name for f in fields(Settings) if f.name != "file" and getattr(old, f.name) != getattr(fresh, f.name)]
    changed = tuple(name for name in differ if name in RENEWED)
    taken = replace(old, **{name: getattr(fresh, name) for name in changed})
    kept = tuple(name for name in differ if name not in RENEWED)
    done = _recorded(live, Reloaded(before, fingerprint(taken), changed, kept))
    if changed:
        live.renew_house(taken)
    return done


def _recorded(live: Live, done: Reloaded) -> Reloaded:
    extra: dict[str, Any] = {"changed": ",".join(done.changed), "at_next_start": ",".join(done.kept)}
    if done.wrong:
        _LOG.error("configuration not reloaded", extra={"wrong": "; ".join(done.wrong)})
    elif done.kept:
        _LOG.warning("configuration reloaded in part", extra=extra)
    else:
        _LOG.info("configuration reloaded", extra=extra)
    live.house.promptlog.append(
        Entry(
            event=Event.CONFIG_CHANGE,
            actor="serve",
            outcome=Outcome.FAILED if done.wrong else Outcome.OK,
            resource="configuration",
            facts={
                "before": done.before,
                "after": done.after or "unreadable",
                "changed": list(done.changed),
                "at_next_start": list(done.kept),
                "wrong": len(done.wrong),
            },
        )
    )
    return done


def on_hangup(live: Live) -> None:
    """What SIGHUP does, in the main thread's loop: a fault of ours ends nothing."""
    try:
        reload(live)
    except PayopsError as error:
        _LOG.error("configuration not reloaded", extra={"wrong": str(error)})


def write_pid(state: Path) -> None:
    """Where `payops reload` finds the process."""
    (state / PID_FILE).write_text(f"{os.getpid()}\n", encoding="ascii")


def ask_to_reload(state: Path) -> int:
    """Send SIGHUP to the `serve` of this state; its process id. UsageError where there is none."""
    mend = "give the --state of a serve that runs on this machine, or send SIGHUP to its process"
    try:
        pid = int((state / PID_FILE).read_text(encoding="ascii"))
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"serve" not in command.read_bytes():
            raise UsageError(f"no payops serve runs on {state}", mend=mend)
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError):
        raise UsageError(f"no payops serve runs on {state}", mend=mend) from None
    return pid
