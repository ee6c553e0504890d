"""A small OpenID Connect provider on loopback: a real HTTP server that signs with a key of its own.

It keeps the rules that a provider keeps (a code works once, PKCE, the client's secret, the redirect address), and can
be told to break any that the client has to notice: see `Provider.claims`, `sign` and `document`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "payops", "s3cret+with/odd=characters"
Claims = dict[str, Any]


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: rsa.RSAPrivateKey, kid: str) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    n, e = (b64(v.to_bytes((v.bit_length() + 7) // 8, "big")) for v in (numbers.n, numbers.e))
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e}


def pem(key: rsa.RSAPrivateKey) -> bytes:
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def signed(claims: Claims, header: dict[str, Any], signature: Callable[[bytes], bytes]) -> str:
    said = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    return f"{said}.{b64(signature(said.encode()))}"


@dataclass
class Provider:
    """`person` are the claims of who logs in. `claims` may change an ID token's claims, `sign` how it is signed,
    `document` the discovery document. `asked` lists what was asked of it: method and path."""

    port: int = 0
    person: Claims = field(default_factory=lambda: {"sub": "u-1", "name": "Ada", "groups": ["payments-oncall"]})
    key: rsa.RSAPrivateKey = field(default_factory=new_key)
    kid: str = "k1"
    claims: Callable[[Claims], Claims] = lambda claims: claims
    sign: Callable[[Claims], str] | None = None
    document: Callable[[Claims], Claims] = lambda document: document
    lets_in: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}/realms/payments"

    def discovery(self) -> Claims:
        here = self.issuer
        return self.document(
            {
                "issuer": here,
                "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token",
                "jwks_uri": f"{here}/keys",
                "end_session_endpoint": f"{here}/logout",
                "response_types_supported": ["code"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent: back, with a code."""
        assert query["response_type"] == "code" and query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256" and "openid" in query["scope"].split()
        back = {"state": query["state"], "iss": self.issuer}
        if not self.lets_in:
            return f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({**back, 'code': code})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, Claims]:
        basic = "Basic " + base64.b64encode(urlencode({CLIENT: SECRET}).replace("=", ":", 1).encode()).decode()
        plain = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if authorization not in (basic, plain):
            return 401, {"error": "invalid_client"}
        begun = self.codes.pop(form.get("code", ""), None)
        challenge = b64(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if not begun or begun["code_challenge"] != challenge or begun["redirect_uri"] != form.get("redirect_uri"):
            return 400, {"error": "invalid_grant", "error_description": "<script>alert(1)</script>"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        token = (self.sign or self.rs256)(self.claims({**claims, **self.person}))
        return 200, {"access_token": "at", "token_type": "Bearer", "id_token": token}

    def rs256(self, claims: Claims, key: rsa.RSAPrivateKey | None = None, **header: Any) -> str:
        head = {"alg": "RS256", "kid": self.kid, "typ": "JWT", **header}
        return signed(claims, head, lambda said: (key or self.key).sign(said, padding.PKCS1v15(), hashes.SHA256()))

    def hs256(self, claims: Claims, secret: bytes) -> str:
        head = {"alg": "HS256", "kid": self.kid}
        return signed(claims, head, lambda said: hmac.new(secret, said, hashlib.sha256).digest())


@contextlib.contextmanager
def provider() -> Iterator[Provider]:
    made = Provider()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix("/realms/payments")
            made.asked.append(("GET", path))
            if path == "/.well-known/openid-configuration":
                self.answer(200, made.discovery())
            elif path == "/keys":
                self.answer(200, {"keys": [jwk(made.key, made.kid)]})
            elif path == "/authorize":
                where = made.authorize({k: v[0] for k, v in parse_qs(parts.query).items()})
                self.send_response(302)
                self.send_header("Location", where)
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                self.answer(404, {"error": "not_found"})

        def do_POST(self) -> None:
            made.asked.append(("POST", urlsplit(self.path).path.removeprefix("/realms/payments")))
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {k: v[0] for k, v in parse_qs(body).items()}
            self.answer(*made.token(form, self.headers.get("Authorization", "")))

        def answer(self, status: int, document: Claims) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
