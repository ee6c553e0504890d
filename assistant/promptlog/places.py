"""Places that hold checkpoints and that this process cannot rewrite, and reading checkpoints back from what they hold.

    /path/to/drop               append to `checkpoints-YYYY-MM-DD.txt` (another team's folder; `chattr +a` fits)
    https://host/path/          PUT a new object a time; a URL that does not end in / is overwritten (versioned bucket)
    webhook+https://host/path   POST JSON {origin, size, root, time, note}
    s3+https://host/bucket/…    PUT signed with SigV4, each object locked (`s3`)
    witness+https://host/path   add-checkpoint to a C2SP witness, whose cosignature is kept (`witness`)
    tsa+https://host/path       an RFC 3161 time stamp over the checkpoint, kept in a folder (`timestamp`)
    syslog://host:port          RFC 5424 in UDP: nobody tells whether it arrived
    syslog+tcp://host:port      the same in TCP with octet counting (RFC 6587)

`#bearer_file=PATH` after a URL names the file with its token. Redirects are not followed and no proxy is read from the
environment: checkpoints go to listed places and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import socket
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from assistant.errors import LogInconsistent, PromptLogError, UsageError
from assistant.promptlog.checkpoint import parse_checkpoint, parse_note
from assistant.promptlog.record import format_time
from assistant.promptlog.s3 import bucket_of
from assistant.promptlog.sending import TIMEOUT, Refused, naming_faults, send
from assistant.promptlog.timestamp import authority_of
from assistant.promptlog.witness import Witnessing, witness_of

_SYSLOG_NOTE = re.compile(r"payops-checkpoint \S+ note=([A-Za-z0-9+/=]+)")
_AUDIT_NOTICE = 13 * 8 + 5
"""RFC 5424 priority: facility 13 (log audit), severity 5 (notice)."""


class Place(Protocol):
    @property
    def name(self) -> str:
        """The place as configured, without its token."""
        ...

    def put(self, note: str, *, now: datetime) -> None:
        """Hand over the signed note. Raises Refused."""
        ...


@dataclass(frozen=True, slots=True)
class Drop:
    """A folder: one file a day, opened for appending only."""

    directory: Path

    @property
    def name(self) -> str:
        return str(self.directory)

    def put(self, note: str, *, now: datetime) -> None:
        path = self.directory / f"checkpoints-{format_time(now)[:10]}.txt"
        with naming_faults():
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                data = (note + "\n").encode()
                if os.write(fd, data) != len(data):
                    raise Refused("a checkpoint was written in part")
                os.fsync(fd)
            finally:
                os.close(fd)


@dataclass(frozen=True, slots=True)
class Http:
    """PUT of the note, or POST of JSON around it."""

    url: SplitResult
    post: bool
    bearer_file: str = ""

    @property
    def name(self) -> str:
        return ("webhook+" if self.post else "") + self.url._replace(fragment="").geturl()

    def put(self, note: str, *, now: datetime) -> None:
        head = parse_checkpoint(note)
        headers = {"Content-Type": "application/json" if self.post else "text/plain; charset=utf-8"}
        if self.bearer_file:
            with naming_faults():
                headers["Authorization"] = "Bearer " + Path(self.bearer_file).read_text("utf-8").strip()
        path = self.url.path or "/"
        body = note.encode()
        if self.post:
            body = json.dumps({**_told(note), "time": format_time(now)}).encode()
        elif path.endswith("/"):
            path += f"checkpoint-{head.size:012d}-{int(now.timestamp())}.txt"
        if self.url.query:
            path += "?" + self.url.query
        send(self.url, "POST" if self.post else "PUT", path, body, headers)


@dataclass(frozen=True, slots=True)
class Syslog:
    """One RFC 5424 message a checkpoint, the note in base64 so that it stays one line."""

    host: str
    port: int
    tcp: bool

    @property
    def name(self) -> str:
        return f"syslog{'+tcp' if self.tcp else ''}://{self.host}:{self.port}"

    def put(self, note: str, *, now: datetime) -> None:
        text = f"payops-checkpoint {_one_word(note)} note={base64.b64encode(note.encode()).decode()}"
        message = f"<{_AUDIT_NOTICE}>1 {format_time(now)} - payops {os.getpid()} checkpoint - {text}".encode()
        with naming_faults():
            if self.tcp:
                with socket.create_connection((self.host, self.port), TIMEOUT) as link:
                    link.sendall(b"%d %s" % (len(message), message))
            else:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
                    link.sendto(message, (self.host, self.port))


def place_of(text: str, *, log: Witnessing | None = None) -> Place:
    """A place from its configured form. UsageError names what cannot be used. `log` is what a witness asks for proofs;
    without one a witness can be named, and not used.
    """
    if "://" not in text:
        return Drop(Path(text).expanduser())
    kind, _, rest = text.partition("+")
    if kind in {"s3", "witness", "tsa"} and rest.startswith(("https://", "http://")):
        url = urlsplit(rest)
        if kind == "witness":
            return witness_of(url, log=log)
        return bucket_of(url) if kind == "s3" else authority_of(url)
    post = text.startswith("webhook+")
    url = urlsplit(text.removeprefix("webhook+"))
    if url.scheme in {"https", "http"} and url.hostname and not url.username:
        return Http(url._replace(fragment=""), post, _bearer(url.fragment))
    if url.scheme in {"syslog", "syslog+tcp"} and url.hostname and not post:
        return Syslog(url.hostname, url.port or 514, tcp=url.scheme == "syslog+tcp")
    mend = "a folder, https://…, webhook+https://…, s3+https://…, witness+https://…, tsa+https://… or syslog[+tcp]://host:port"
    raise UsageError("a place of [log] checkpoints cannot be used", mend=mend)


def _bearer(fragment: str) -> str:
    if fragment and not fragment.startswith("bearer_file="):
        raise UsageError("a place of [log] checkpoints has an unknown #option", mend="known: #bearer_file=PATH")
    return fragment.removeprefix("bearer_file=")


def notes_in(text: str) -> tuple[str, ...]:
    """The signed notes in a file of a drop, an object, or lines of a syslog. LogInconsistent if it is something
    else.
    """
    packed = _SYSLOG_NOTE.findall(text)
    if packed:
        notes = tuple(_unpacked(p) for p in packed)
    else:
        pieces = text.rstrip("\n").split("\n\n")
        notes = tuple(f"{a}\n\n{b}\n" for a, b in zip(pieces[::2], pieces[1::2], strict=False))
        if not notes or len(pieces) % 2:
            raise LogInconsistent("no checkpoints there", mend="give a signed note, a file of a drop, or a syslog")
    for note in notes:
        parse_note(note)
    return notes


def read_notes(path: Path) -> tuple[str, ...]:
    """The notes at a path: in a file, or in the newest file of a drop's folder. PromptLogError if it cannot be read."""
    try:
        if path.is_dir():
            files = sorted(path.glob("checkpoints-*.txt"))
            if not files:
                raise PromptLogError(f"no checkpoints in {path}", mend="see [log] checkpoints")
            path = files[-1]
        return notes_in(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise PromptLogError(f"the checkpoint {path} cannot be read ({type(fault).__name__})") from None


def newest_in_drop(folder: Path, *, origin: str) -> tuple[str, ...]:
    """The newest note of this log in a drop: none where we may only add to it, or where there is none yet."""
    try:
        files = sorted(folder.glob("checkpoints-*.txt"))
        text = files[-1].read_text("utf-8") if files else ""
    except (OSError, UnicodeDecodeError):
        return ()
    try:
        notes = tuple(n for n in notes_in(text) if parse_checkpoint(n).origin == origin) if text else ()
    except LogInconsistent:
        raise LogInconsistent(f"{files[-1]} holds a damaged checkpoint", mend="see who wrote there") from None
    return (newest(notes),) if notes else ()


def newest(notes: tuple[str, ...]) -> str:
    """The note that covers most, the later one of equals. (Signatures are checked by who uses it.)"""
    return max(reversed(notes), key=lambda note: parse_checkpoint(note).size)


def _told(note: str) -> dict[str, object]:
    head = parse_checkpoint(note)
    return {"origin": head.origin, "size": head.size, "root": head.root.hex(), "note": note}


def _one_word(note: str) -> str:
    head = parse_checkpoint(note)
    return f"{head.origin}/{head.size}"


def _unpacked(packed: str) -> str:
    try:
        return base64.b64decode(packed, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        raise LogInconsistent("a checkpoint in a syslog line is damaged") from None
