"""Checkpoints into an object-lock bucket: PUT signed by AWS Signature Version 4, each object locked against everybody.

    s3+https://s3.eu-central-1.amazonaws.com/bucket/prefix/?region=eu-central-1&retain_days=400#credentials_file=PATH

The host and path style of any S3-compatible store. `mode=GOVERNANCE` instead of COMPLIANCE lets a privileged user
shorten the lock; `retain_days=0` sends no lock (the bucket's own default then holds). The credentials file has the form
of `~/.aws/credentials`; it needs `s3:PutObject` and `s3:PutObjectRetention` on the prefix, and nothing else.

Sources: "Signature Version 4 signing process" and "Authenticating requests: header" in the Amazon S3 API reference;
object lock needs a checksum of the body (`x-amz-checksum-sha256`). Standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote

from assistant.errors import UsageError
from assistant.promptlog.checkpoint import parse_checkpoint
from assistant.promptlog.sending import Refused, naming_faults, send

_ALGORITHM = "AWS4-HMAC-SHA256"
_KNOWN = {"region", "retain_days", "mode"}


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def read_credentials(path: Path) -> Credentials:
    """Refused if the file has no key in the form of `~/.aws/credentials` (the first profile counts)."""
    with naming_faults():
        text = path.read_text("utf-8")
    pairs = dict(reversed(re.findall(r"(?m)^\s*(aws_\w+)\s*=\s*(\S+)\s*$", text)))
    try:
        return Credentials(
            pairs["aws_access_key_id"], pairs["aws_secret_access_key"], pairs.get("aws_session_token", "")
        )
    except KeyError as missing:
        raise Refused(f"the credentials file has no {missing.args[0]}") from None


@dataclass(frozen=True, slots=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str = "s3"


def authorization(
    method: str, path: str, headers: Mapping[str, str], *, query: str = "", payload: str, key: Credentials, scope: Scope
) -> str:
    """The `Authorization` header. `headers` are all that are signed, `x-amz-date` and `host` among them; `path` as
    it is sent, `query` in canonical form; `payload` is the hex SHA-256 of the body.
    """
    lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    names = ";".join(sorted(lower))
    listed = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
    request = f"{method}\n{path}\n{query}\n{listed}\n{names}\n{payload}"
    stamp = lower["x-amz-date"]
    day = f"{stamp[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = f"{_ALGORITHM}\n{stamp}\n{day}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing = b"AWS4" + key.secret_key.encode()
    for part in day.split("/"):
        signing = hmac.digest(signing, part.encode(), "sha256")
    signature = hmac.new(signing, text.encode(), "sha256").hexdigest()
    return f"{_ALGORITHM} Credential={key.access_key}/{day},SignedHeaders={names},Signature={signature}"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A prefix of a bucket: a new object for every checkpoint, locked until its time is over."""

    url: SplitResult
    region: str
    credentials: Path
    retain_days: int = 400
    mode: str = "COMPLIANCE"

    @property
    def name(self) -> str:
        return "s3+" + self.url._replace(query="", fragment="").geturl()

    def put(self, note: str, *, now: datetime) -> None:
        key = read_credentials(self.credentials)
        head = parse_checkpoint(note)
        path = quote(f"{self.url.path}checkpoint-{head.size:012d}-{int(now.timestamp())}.txt", safe="/-_.~")
        headers = self._headers(note.encode(), key, now.astimezone(UTC))
        payload = headers["x-amz-content-sha256"]
        headers["Authorization"] = authorization(
            "PUT", path, headers, payload=payload, key=key, scope=Scope(self.region)
        )
        send(self.url, "PUT", path, note.encode(), headers)

    def _headers(self, body: bytes, key: Credentials, now: datetime) -> dict[str, str]:
        digest = hashlib.sha256(body)
        headers = {
            "Host": self.url.netloc,
            "Content-Type": "text/plain; charset=utf-8",
            "x-amz-content-sha256": digest.hexdigest(),
            "x-amz-checksum-sha256": base64.b64encode(digest.digest()).decode(),
            "x-amz-date": f"{now:%Y%m%dT%H%M%SZ}",
        }
        if key.session_token:
            headers["x-amz-security-token"] = key.session_token
        if self.retain_days:
            headers["x-amz-object-lock-mode"] = self.mode
            headers["x-amz-object-lock-retain-until-date"] = (
                f"{now + timedelta(days=self.retain_days):%Y-%m-%dT%H:%M:%SZ}"
            )
        return headers


def bucket_of(url: SplitResult) -> Bucket:
    """From its configured form without `s3+`. UsageError names what is missing or unknown."""
    mend = "s3+https://HOST/BUCKET/PREFIX/?region=REGION&retain_days=400#credentials_file=PATH"
    options = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
    kind, _, path = url.fragment.partition("=")
    if options.keys() - _KNOWN or not options.get("region") or kind != "credentials_file" or not path:
        raise UsageError("an s3+ place of [log] checkpoints cannot be used", mend=mend)
    days, mode = options.get("retain_days", "400"), options.get("mode", "COMPLIANCE")
    if not days.isdecimal() or mode not in {"COMPLIANCE", "GOVERNANCE"} or not url.path.endswith("/"):
        raise UsageError("an s3+ place of [log] checkpoints has an option that cannot be used", mend=mend)
    return Bucket(url._replace(query="", fragment=""), options["region"], Path(path), int(days), mode)
