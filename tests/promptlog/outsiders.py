"""Doubles of those who hold something of the log for us: an object store, a witness, a time-stamping authority. Each
checks what it is sent by its own means.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from assistant.errors import LogInconsistent
from assistant.promptlog.checkpoint import COSIGNATURE, Verifier, open_checkpoint, parse_head
from assistant.promptlog.merkle import ProofError, verify_consistency

Answer = tuple[int, bytes]


@contextmanager
def served(answer: Callable[[str, str, Mapping[str, str], bytes], Answer]) -> Iterator[str]:
    """`answer(method, path, headers, body)` behind a port of loopback; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, told = answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        do_PUT = do_POST

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class ObjectStore:
    """A bucket with object lock: refuses a bad signature or checksum, an overwrite, and a lock without a checksum."""

    secret: str
    objects: dict[str, bytes] = field(default_factory=dict)
    locks: dict[str, tuple[str, str]] = field(default_factory=dict)

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if not self._is_signed(method, path, headers):
            return 403, b"SignatureDoesNotMatch"
        if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 400, b"XAmzContentSHA256Mismatch"
        if base64.b64decode(headers.get("x-amz-checksum-sha256", "")) != hashlib.sha256(body).digest():
            return 400, b"BadDigest"
        if path in self.objects:
            return 403, b"AccessDenied"
        self.objects[path] = body
        if "x-amz-object-lock-mode" in headers:
            lock = (headers["x-amz-object-lock-mode"], headers["x-amz-object-lock-retain-until-date"])
            self.locks[path] = lock
        return 200, b""

    def _is_signed(self, method: str, path: str, headers: Mapping[str, str]) -> bool:
        """Written from the specification, step by step, and sharing nothing with the client."""
        scheme, _, rest = headers["authorization"].partition(" ")
        parts = dict(part.split("=", 1) for part in rest.split(","))
        _, day, region, service, end = parts["Credential"].split("/")
        names = parts["SignedHeaders"].split(";")
        must = {"host", "x-amz-date", "x-amz-content-sha256"} | {n for n in headers if n.startswith("x-amz-")}
        if not must <= set(names) or (scheme, end) != ("AWS4-HMAC-SHA256", "aws4_request"):
            return False
        canonical = [method, path, "", *[f"{n}:{headers[n].strip()}" for n in names], "", parts["SignedHeaders"]]
        canonical.append(headers["x-amz-content-sha256"])
        hashed = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = "\n".join([scheme, headers["x-amz-date"], f"{day}/{region}/{service}/{end}", hashed])
        key = b"AWS4" + self.secret.encode()
        for step in (day, region, service, end):
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == parts["Signature"]


@dataclass
class WitnessDouble:
    """C2SP tlog-witness: cosigns what extends the last checkpoint it saw of a log that it knows."""

    log: Verifier
    name: str = "witness.example/w1"
    private: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    size: int = 0
    root: bytes = b""
    time: int = 1_795_000_000
    asked: list[str] = field(default_factory=list)

    @property
    def key(self) -> Verifier:
        return Verifier(self.name, self.private.public_key().public_bytes_raw())

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if (method, path) != ("POST", "/w/add-checkpoint"):
            return 404, b""
        head, _, note = body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        self.asked.append(first)
        old = int(first.removeprefix("old "))
        try:
            checkpoint = open_checkpoint(note, origin=self.log.name, trusted=[self.log]).checkpoint
        except LogInconsistent:
            return 403, b""
        if old > checkpoint.size:
            return 400, b""
        if old != self.size or (old == checkpoint.size and self.root not in (b"", checkpoint.root)):
            return 409, b"%d\n" % self.size
        try:
            if 0 < old < checkpoint.size:
                hashes = [base64.b64decode(line) for line in proof]
                verify_consistency(old, checkpoint.size, hashes, old_root=self.root, new_root=checkpoint.root)
        except ProofError:
            return 422, b""
        self.size, self.root = checkpoint.size, checkpoint.root
        return 200, self.line(note).encode()

    def line(self, note: str) -> str:
        self.time += 60
        text = note.partition("\n\n")[0] + "\n"
        parse_head(text)
        signature = self.private.sign(b"cosignature/v1\ntime %d\n" % self.time + text.encode())
        packed = self.key.key_id(COSIGNATURE) + self.time.to_bytes(8, "big") + signature
        return f"— {self.name} {base64.b64encode(packed).decode()}\n"


_OPENSSL = """
[req]
distinguished_name = name
prompt = no
x509_extensions = v3
[name]
CN = Test TSA
[v3]
basicConstraints = CA:FALSE
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = tsa1
[tsa1]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class TimeStampAuthority:
    """`openssl ts -reply` behind HTTP. `certificate` is its own root."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.certificate = folder / "tsa.pem"
        (folder / "serial").write_text("01\n")
        (folder / "openssl.cnf").write_text(_OPENSSL.format(folder=folder))
        self._run(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-config", str(folder / "openssl.cnf"),
            "-keyout", str(folder / "tsa.key"), "-out", str(self.certificate),
        )  # fmt: skip

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if headers.get("content-type") != "application/timestamp-query":
            return 415, b""
        (self._folder / "query.tsq").write_bytes(body)
        self._run(
            "ts", "-reply", "-config", str(self._folder / "openssl.cnf"), "-queryfile", str(self._folder / "query.tsq"),
            "-signer", str(self.certificate), "-inkey", str(self._folder / "tsa.key"),
            "-out", str(self._folder / "a.tsr"),
            "-out", str(self._folder / "a.tsr"),
        )  # fmt: skip
        return 200, (self._folder / "a.tsr").read_bytes()

    def verifies(self, data: Path, answer: Path) -> bool:
        """What an auditor runs."""
        command = ["openssl", "ts", "-verify", "-data", data, "-in", answer, "-CAfile", self.certificate]
        return subprocess.run([str(part) for part in command], capture_output=True).returncode == 0

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)
