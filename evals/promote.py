"""Accept a report: it becomes the one to compare with, and the promotion is a record of the prompt log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from assistant.errors import UsageError
from assistant.promptlog.record import Entry, Event, Receipt, slug
from assistant.release import release_of
from assistant.settings import Settings
from evals.gate import value
from evals.reports import ACCEPTED


def promote(
    report: Mapping[str, Any],
    settings: Settings,
    *,
    author: str,
    approver: str,
    rollback: bool = False,
    accepted: Path = ACCEPTED,
) -> Receipt:
    """Record first, then write `accepted`. UsageError where one person does both, or for another release."""
    from assistant.bootstrap import prompt_log
    from redaction import FinalScanner

    if author.strip().casefold() == approver.strip().casefold():
        raise UsageError("the approver is the author", mend="ask somebody else to accept it")
    release = release_of(settings)
    measured = str(report["head"]["release"])
    if measured != release.id and not rollback:
        raise UsageError(
            f"the report is of release {measured}, this is {release.id}", mend="run the evaluation again, or --rollback"
        )
    body = json.dumps(report, ensure_ascii=False, sort_keys=True).encode()
    figures = {slug(k): v for k, f in report["figures"].items() if (v := value(f)) is not None}
    entry = Entry(
        event=Event.RELEASE_PROMOTE,
        identity=approver,
        origin="cli",
        resource=f"release/{measured}",
        facts={
            "release": measured,
            "rollback": rollback,
            "report_sha256": hashlib.sha256(body).hexdigest(),
            "worlds": len(report["cases"]),
            "prompts": release.prompts,
            "model": release.model,
            "policy": release.policy,
            "runbooks": release.runbooks,
            "code": release.code,
            "figures": figures,
        },
        bodies={"report": body, "author": author.encode()},
    )
    with closing(prompt_log(settings, FinalScanner())) as log:
        receipt = log.append(entry)
    accepted.parent.mkdir(parents=True, exist_ok=True)
    accepted.write_bytes(json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n")
    return receipt
