"""What `serve` may do is looked at before it starts and every hour, and each look is a record.

A credential of ours that can write stops the start (WritableCredential), unless `allow_writable_credentials` is set;
then every note says so. What cannot be proved, or is open to everybody, is a warning in the log and in the record.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from assistant.errors import WritableCredential
from assistant.guests import Guest
from assistant.promptlog.record import Entry, Event, Outcome
from assistant.settings import Settings
from assistant.workflow.loops import Task

if TYPE_CHECKING:
    from assistant.live import Live
    from assistant.sources.attestation import Attestation

_LOG = logging.getLogger("payops.attest")
HOURLY = 3600.0


def attesting() -> Guest:
    """The guest of `serve` that looks at our credentials. Checks are passive; `doctor --probe` tries writes."""
    return Guest(
        name="credentials",
        before=refuse_writable,
        tasks=lambda live: (Task("attestation", HOURLY, lambda: look_again(live), first_s=HOURLY),),
    )


def refuse_writable(live: Live) -> None:
    """Look once, record it, and raise WritableCredential where a credential of ours can write and nobody allowed it."""
    found = look(live)
    if found.verdict != "writable":
        return
    said = "; ".join(f"{c.server}: {c.answer}" for c in found.checks if c.verdict == "writable")
    if not live.settings.allow_writable_credentials:
        raise WritableCredential(
            f"a credential of ours can write ({said})",
            mend="give it less (deploy/CREDENTIALS.md), or set allow_writable_credentials = true",
        )
    live.warn((f"a credential of this assistant can write ({said})",))


def look_again(live: Live) -> None:
    """The hourly look: a credential that became writable is said in every note from now on."""
    found = look(live)
    writable = [c.server for c in found.checks if c.verdict == "writable"]
    live.warn((f"a credential of this assistant can write ({', '.join(writable)})",) if writable else ())


def look(live: Live) -> Attestation:
    """Ask, log the warnings, append `credentials.attest` with the whole attestation as its body."""
    from assistant.sources.proof import attest

    found = attest(live.settings, live.house.redactor, now=live.house.clock.now())
    for warning in found.warnings():
        _LOG.warning("credential", extra={"said": warning})
    live.house.promptlog.append(
        Entry(
            event=Event.CREDENTIALS_ATTEST,
            actor="serve",
            outcome=Outcome.FAILED if found.verdict == "writable" else Outcome.OK,
            resource="credentials",
            facts={"attestation": found.id, "verdict": found.verdict, "checks": len(found.checks)},
            bodies={"attestation": json.dumps(found.as_json(), sort_keys=True).encode()},
        )
    )
    return found


def wanted(settings: Settings) -> bool:
    """Nothing is attested where no server is configured."""
    return bool(settings.prometheus.url or settings.alertmanager.url or settings.loki.url or settings.slack.bot_token())
