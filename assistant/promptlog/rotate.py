"""Replacing keys, as records (`key.rotate`).

A new signing key is announced under the old one: the record that names it is in the tree before the key signs
anything, and as long as the old line stays in the key file both keys sign, so that whoever trusts the old one can
follow. Take the old line out of the file once everybody holds the new public key. An old body key must stay as long
as bodies under it are kept.
"""

from __future__ import annotations

from pathlib import Path

from assistant.promptlog.keys import add_key, new_body_key, new_signing_key, parse_body_key, parse_signing_key
from assistant.promptlog.log import Log
from assistant.promptlog.record import Entry, Event, Value


def rotate_signing(log: Log, key_file: Path, *, identity: str) -> str:
    """Add a signing key to the file; its public key. Processes that are running go on with the old one until
    restarted.
    """
    line = new_signing_key(log.origin)
    new = parse_signing_key(line).key
    old = [key.key_id().hex() for key in log.keys.verifiers()]
    _record(log, {"vkey": str(new), "before": list(old)}, identity)
    add_key(key_file, line)
    return str(new)


def rotate_body(log: Log, key_file: Path, *, identity: str) -> str:
    """Add a body key to the file; its id."""
    line = new_body_key()
    key_id = parse_body_key(line).id
    add_key(key_file, line)
    _record(log, {"body_key": key_id, "before": [key.id for key in log.keys.bodies]}, identity)
    return key_id


def _record(log: Log, facts: dict[str, Value], identity: str) -> None:
    log.append(Entry(event=Event.KEY_ROTATE, identity=identity, origin="cli", resource="key", facts=facts))
