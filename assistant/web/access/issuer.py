"""What the OpenID provider says, believed only as far as OpenID Connect Core 1.0 section 3.1.3.7 lets us.

Authorisation code with PKCE (RFC 7636, S256), `state`, `nonce` and, where the provider says so, `iss` in the answer
(RFC 9207). An ID token counts if a key of the issuer's set signed it with an algorithm of public keys that we list
(`none` and HMAC are not among them, so a public key cannot be taken for a shared secret), and issuer, audience,
authorised party, nonce, times and access-token hash are right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from assistant.errors import SourceMalformed, SourceRefused

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
KEEP_S = 3600.0
AGAIN_S = 60.0
LEEWAY_S = 60
SOURCE = "oidc"


class Http(Protocol):
    """`assistant.sources.issuer_http.IssuerHttp`. All raise SourceError."""

    def allows(self, url: str) -> bool: ...

    def get_json(self, url: str) -> Any: ...

    def session(self, url: str, method: str) -> Any: ...


@dataclass(frozen=True, slots=True)
class Started:
    """A login under way: what must come back (`state`, `nonce`) and what shows that it was us (`verifier`)."""

    state: str
    nonce: str
    verifier: str


@dataclass(slots=True)
class Issuer:
    """The provider. Its document and keys are kept for an hour; a key that is not known is looked for again, at most
    once a minute. Thread-safe."""

    issuer: str
    client_id: str
    secret: Callable[[], str]
    redirect_uri: str
    scopes: Sequence[str]
    http: Http
    clock: Callable[[], float] = time.time
    _metadata: tuple[float, Mapping[str, Any]] = field(default_factory=lambda: (float("-inf"), {}))
    _keys: tuple[float, Any] = field(default_factory=lambda: (float("-inf"), None))
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def metadata(self) -> Mapping[str, Any]:
        """The discovery document, checked. Raises SourceError."""
        with self._guard:
            at, found = self._metadata
            if self.clock() - at > KEEP_S:
                url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
                found = self._sound(self.http.get_json(url))
                self._metadata = (self.clock(), found)
            return found

    def start(self, *, state: str, nonce: str, verifier: str) -> str:
        """Where to send the browser. Raises SourceError."""
        url, _ = self._client().create_authorization_url(
            self.metadata()["authorization_endpoint"], state=state, nonce=nonce, code_verifier=verifier
        )
        return str(url)

    def finish(self, code: str, started: Started, *, answered_by: str) -> Mapping[str, Any]:
        """The claims of the person that this code stands for. Raises SourceError; SourceRefused where the provider does
        not take the code, SourceMalformed where what it gave is not to be believed. No message repeats any of it."""
        from authlib.common.errors import AuthlibBaseError

        metadata = self.metadata()
        stated = metadata.get("authorization_response_iss_parameter_supported") is True
        if (stated or answered_by) and answered_by != self.issuer:
            raise SourceMalformed(SOURCE, "the answer is of another issuer")
        try:
            token = self._client().fetch_token(
                metadata["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                code_verifier=started.verifier,
            )
        except AuthlibBaseError:
            raise SourceRefused(SOURCE, "the provider did not take the code", mend="log in again") from None
        except ValueError:
            raise SourceMalformed(SOURCE, "the provider's answer cannot be read") from None
        return self._claims(token, nonce=started.nonce)

    def _claims(self, token: Mapping[str, Any], *, nonce: str) -> Mapping[str, Any]:
        from authlib.oidc.core import CodeIDToken
        from joserfc.errors import JoseError

        given = token.get("id_token")
        if not isinstance(given, str):
            raise SourceMalformed(SOURCE, "the provider gave no ID token", mend='"openid" must be in oidc_scopes')
        options = {
            "iss": {"essential": True, "values": [self.issuer]},
            "aud": {"essential": True, "values": [self.client_id]},
            "sub": {"essential": True},
        }
        params = {"nonce": nonce, "client_id": self.client_id, "access_token": token.get("access_token")}
        try:
            header, said = self._verified(given)
            claims = CodeIDToken(said, header, options, params)
            claims.validate(now=int(self.clock()), leeway=LEEWAY_S)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise SourceMalformed(SOURCE, f"the ID token is not to be believed ({type(error).__name__})") from None
        if not isinstance(claims.get("sub"), str) or not 0 < len(claims["sub"]) <= 255:
            raise SourceMalformed(SOURCE, "the ID token names nobody")
        return dict(claims)

    def _verified(self, given: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError
        from joserfc.jws import JWSRegistry

        said = self.metadata().get("id_token_signing_alg_values_supported") or ["RS256"]
        ours = [a for a in ALGORITHMS if a in said]
        if not ours:  # an empty list would let the library choose
            raise SourceMalformed(SOURCE, "the provider signs with no algorithm of ours")
        registry = JWSRegistry(algorithms=ours, strict_check_header=False)
        try:
            token = jwt.decode(given, key=self._key_set(), registry=registry)
        except InvalidKeyIdError:
            token = jwt.decode(given, key=self._key_set(again=True), registry=registry)
        return token.header, token.claims

    def _key_set(self, *, again: bool = False) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        uri = self.metadata()["jwks_uri"]
        with self._guard:
            at, kept = self._keys
            age = self.clock() - at
            if kept is None or age > KEEP_S or (again and age > AGAIN_S):
                listed = self.http.get_json(uri)
                keys = [k for k in listed.get("keys", ()) if isinstance(k, dict) and _signs(k)]
                try:
                    kept = KeySet.import_key_set({"keys": keys})
                except (JoseError, ValueError, TypeError, KeyError):
                    raise SourceMalformed(SOURCE, "the provider's keys cannot be read") from None
                self._keys = (self.clock(), kept)
            return kept

    def _client(self) -> Any:
        from authlib.integrations.requests_client.oauth2_session import OAuth2ClientAuth
        from authlib.oauth2.client import OAuth2Client

        class Client(OAuth2Client):  # type: ignore[misc]
            client_auth_class = OAuth2ClientAuth

        metadata, secret = self.metadata(), self.secret()
        return Client(
            self.http.session(metadata["token_endpoint"], "POST"),
            client_id=self.client_id,
            client_secret=secret or None,
            token_endpoint_auth_method=_shows(metadata, secret),
            scope=" ".join(self.scopes),
            redirect_uri=self.redirect_uri,
            code_challenge_method="S256",
        )

    def _sound(self, found: Any) -> Mapping[str, Any]:
        """The document, if it is the issuer's and offers what we use. Raises SourceMalformed, SourceRefused."""
        if not isinstance(found, dict) or found.get("issuer") != self.issuer:
            raise SourceMalformed(SOURCE, "the discovery document is of another issuer", mend="check oidc_issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(name), str) or not self.http.allows(found[name]):
                raise SourceRefused(SOURCE, f"its {name} is at another host", mend="add the host to [web] oidc_hosts")
        if "S256" not in (found.get("code_challenge_methods_supported") or ["S256"]):
            raise SourceMalformed(SOURCE, "the provider does not know PKCE with S256")
        return found


def _signs(key: Mapping[str, Any]) -> bool:
    """A public key for signatures; shared secrets have no place in a published set."""
    return key.get("kty") in ("RSA", "EC", "OKP") and key.get("use", "sig") == "sig"


def _shows(metadata: Mapping[str, Any], secret: str) -> str:
    """How we show the token endpoint who we are."""
    if not secret:
        return "none"
    methods = metadata.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in methods else "client_secret_post"
