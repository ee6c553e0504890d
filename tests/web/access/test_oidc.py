"""Login by OpenID Connect against a real provider over HTTP: the good way in, and every bad one that we know."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest

from assistant.settings import Settings, Web, Workflow
from assistant.web.access.limits import Buckets
from assistant.web.access.oidc import OidcLogin, safe_path
from assistant.web.access.open import open_access
from tests.doubles import postgres
from tests.doubles.oidc_provider import CLIENT, SECRET, Claims, Provider, b64, jwk, new_key, pem, provider, signed
from tests.fakes.promptlog import MemoryLog
from tests.web.access.console import Answer, Browser, Console, console
from tests.web.openapi import each_request

ROLES = {
    "responder": ("payments-oncall", "platform"),
    "commander": ("incident-commanders",),
    "auditor": ("internal-audit",),
}


@contextlib.contextmanager
def behind(
    idp: Provider,
    home: Path,
    log: MemoryLog,
    *,
    public: str = "http://127.0.0.1:8787",
    database: str = "",
    **given: Any,
) -> Iterator[Console]:
    """A console behind this provider; people reach it at `public`, whatever its port is here."""
    (home / "secret").write_text(SECRET)
    web = Web(
        url=public,
        login="oidc",
        oidc_issuer=idp.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret_file=str(home / "secret"),
        roles=ROLES,
        **given,
    )
    access = open_access(Settings(state=home, web=web, workflow=Workflow(url=database)), log=lambda: log)
    access.prepare()
    with console(access, log) as made:
        yield made


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as made:
        yield made


@pytest.fixture
def here(idp: Provider, tmp_path: Path) -> Iterator[Console]:
    with behind(idp, tmp_path, MemoryLog()) as made:
        yield made


def browser_of(here: Console) -> Browser:
    return here.browser(host=urlsplit(here.access.url).netloc)


def to_provider(browser: Browser, path: str = "/login") -> str:
    """Begin; the provider's answer: where it sends the browser back to (path and query)."""
    begun = browser.get(path)
    assert begun.status == 303, begun.text
    away = urlsplit(begun.headers["location"])
    answer = Browser(away.port or 0).get(f"{away.path}?{away.query}")
    assert answer.status == 302
    back = urlsplit(answer.headers["location"])
    return f"{back.path}?{back.query}"


def log_in(here: Console, browser: Browser | None = None, path: str = "/login") -> tuple[Browser, Answer]:
    browser = browser or browser_of(here)
    return browser, browser.get(to_provider(browser, path), Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")


def refused(here: Console, answer: Answer, browser: Browser, why: str) -> None:
    """Not in, said plainly, nothing repeated, a record."""
    assert answer.status in (400, 403)
    assert browser.get("/", Accept="*/*").status == 401
    assert "script" not in answer.text
    here.access.records.flush()
    assert why in [e["why"] for e in here.events("auth.denied")]
    assert not here.events("auth.login")


def test_the_way_in(here: Console, idp: Provider) -> None:
    browser = browser_of(here)
    sent = browser.get("/records?class=PAN")
    assert (sent.status, sent.headers["location"]) == (303, "/login?next=%2Frecords%3Fclass%3DPAN")
    idp.person["groups"] = ["internal-audit"]
    browser, back = log_in(here, browser, sent.headers["location"])
    assert (back.status, back.headers["location"]) == (303, "/records?class=PAN")
    assert browser.get("/records").status == 200
    assert "<p>auditor</p>" in browser.get("/").text
    host = urlsplit(idp.issuer).netloc
    login = here.events("auth.login")[0]
    assert (login["who"], login["how"], login["roles"]) == (f"oidc:u-1@{host}", "oidc", ["auditor"])
    assert str(login["actor"]).startswith("person-")
    assert [(e["before"], e["roles"]) for e in here.events("role.change")] == [([], ["auditor"])]


def test_only_three_things_are_asked_of_the_provider(here: Console, idp: Provider) -> None:
    log_in(here), log_in(here)
    assert set(idp.asked) == {
        ("GET", "/.well-known/openid-configuration"),
        ("GET", "/authorize"),
        ("GET", "/keys"),
        ("POST", "/token"),
    }
    assert idp.asked.count(("GET", "/keys")) == 1
    assert idp.asked.count(("GET", "/.well-known/openid-configuration")) == 1


def test_what_is_sent_to_the_provider(here: Console, idp: Provider) -> None:
    begun = browser_of(here).get("/login")
    sent = dict(parse_qsl(urlsplit(begun.headers["location"]).query))
    assert sent["redirect_uri"] == here.access.url + "/login/callback"
    assert (sent["response_type"], sent["code_challenge_method"]) == ("code", "S256")
    assert min(len(sent[k]) for k in ("state", "nonce", "code_challenge")) >= 43
    assert SECRET not in begun.headers["location"]


@pytest.mark.parametrize(
    ("groups", "role", "roles"),
    [
        (["payments-oncall"], "responder", ["responder"]),
        (["incident-commanders"], "commander", ["commander", "responder"]),
        (["internal-audit", "payments-oncall"], "auditor", ["auditor", "responder"]),
        ("platform", "responder", ["responder"]),
    ],
)
def test_groups_give_roles(here: Console, idp: Provider, groups: Any, role: str, roles: list[str]) -> None:
    idp.person["groups"] = groups
    browser, _ = log_in(here)
    assert f"<p>{role}</p>" in browser.get("/").text
    assert here.events("auth.login")[0]["roles"] == roles


@pytest.mark.parametrize(
    "groups", [[], ["Internal-Audit"], ["internal-audit "], [["internal-audit"]], None, {"a": 1}, 7]
)
def test_no_group_of_ours_is_no_role(here: Console, idp: Provider, groups: Any) -> None:
    idp.person["groups"] = groups
    browser, answer = log_in(here)
    assert answer.status == 403
    assert "no group" in answer.text
    assert not [c for c in browser.cookies if c == "payops"]
    host = urlsplit(idp.issuer).netloc
    assert [(e["who"], e["why"]) for e in here.events("auth.denied")] == [(f"oidc:u-1@{host}", "no-role")]


def test_a_responder_cannot_do_what_an_auditor_may(here: Console) -> None:
    browser, _ = log_in(here)
    answer = browser.get("/records", X_Forwarded_User="auditor", Remote_User="auditor")
    assert answer.status == 403
    assert browser.get("/records?role=auditor&person=oidc:u-9").status == 403
    denied = here.events("auth.denied")
    assert [(e["why"], e["resource"]) for e in denied] == [("role", "page:records")]
    csrf = browser.get("/").csrf
    assert browser.post("/act", {"csrf": csrf, "what": "merge", "role": "commander"}).status == 403


def test_a_change_of_groups_is_a_record(here: Console, idp: Provider) -> None:
    for groups in (["payments-oncall"], ["payments-oncall"], ["incident-commanders"], []):
        idp.person["groups"] = groups
        log_in(here)
    assert [(e["before"], e["roles"]) for e in here.events("role.change")] == [
        ([], ["responder"]),
        (["responder"], ["commander", "responder"]),
        (["commander", "responder"], []),
    ]


def changed(**claims: Any) -> Callable[[Claims], Claims]:
    return lambda given: {k: v for k, v in {**given, **claims}.items() if v is not None}


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("issuer", changed(iss="https://evil.example")),
        ("no issuer", changed(iss=None)),
        ("audience", changed(aud="another-client")),
        ("audiences without us", changed(aud=["a", "b"])),
        ("several audiences, no authorised party", changed(aud=[CLIENT, "another"])),
        ("authorised party", changed(azp="another-client")),
        ("nonce", changed(nonce="x" * 43)),
        ("no nonce", changed(nonce=None)),
        ("expired", lambda c: {**c, "exp": int(time.time()) - 120}),
        ("no expiry", changed(exp=None)),
        ("expiry in words", changed(exp="tomorrow")),
        ("not yet", lambda c: {**c, "nbf": int(time.time()) + 600}),
        ("made in the future", lambda c: {**c, "iat": int(time.time()) + 600}),
        ("no subject", changed(sub=None)),
        ("empty subject", changed(sub="")),
        ("subject a list", changed(sub=["u-1"])),
        ("access token of another", changed(at_hash="AAAAAAAAAAAAAAAAAAAAAA")),
    ],
)
def test_claims_that_are_not_to_be_believed(
    here: Console, idp: Provider, name: str, claims: Callable[[Claims], Claims]
) -> None:
    idp.claims = claims
    browser, answer = log_in(here)
    refused(here, answer, browser, "token")


@pytest.mark.parametrize(
    "way",
    [
        "none",
        "None",
        "hs256 with the public key",
        "hs256 with the modulus",
        "another key",
        "unknown kid",
        "own key in the header",
        "crit",
        "cut",
        "not a token",
        "empty",
    ],
)
def test_signatures_that_are_not_to_be_believed(here: Console, idp: Provider, way: str) -> None:
    other = new_key()
    ways: dict[str, Callable[[Claims], str]] = {
        "none": lambda c: signed(c, {"alg": "none"}, lambda said: b""),
        "None": lambda c: signed(c, {"alg": "None", "kid": idp.kid}, lambda said: b""),
        "hs256 with the public key": lambda c: idp.hs256(c, pem(idp.key)),
        "hs256 with the modulus": lambda c: idp.hs256(c, jwk(idp.key, "")["n"].encode()),
        "another key": lambda c: idp.rs256(c, other),
        "unknown kid": lambda c: idp.rs256(c, other, kid="k9"),
        "own key in the header": lambda c: idp.rs256(c, other, kid="k9", jwk=jwk(other, "k9")),
        "crit": lambda c: idp.rs256(c, crit=["exp"]),
        "cut": lambda c: idp.rs256(c).rsplit(".", 1)[0] + ".",
        "not a token": lambda c: "x.y.z",
        "empty": lambda c: "",
    }
    idp.sign = ways[way]
    browser, answer = log_in(here)
    refused(here, answer, browser, "token")


def test_a_rotated_key_is_found(here: Console, idp: Provider) -> None:
    log_in(here)
    idp.key, idp.kid = new_key(), "k2"
    here.access.login._issuer._keys = (time.time() - 120, here.access.login._issuer._keys[1])  # type: ignore[attr-defined]
    browser, answer = log_in(here)
    assert (answer.status, browser.get("/").status) == (303, 200)


def test_a_provider_that_lists_weak_algorithms_only(here: Console, idp: Provider) -> None:
    idp.document = lambda d: {**d, "id_token_signing_alg_values_supported": ["HS256", "none"]}
    idp.sign = lambda c: idp.hs256(c, SECRET.encode())
    browser, answer = log_in(here)
    refused(here, answer, browser, "token")


def test_a_replayed_callback_does_not_let_in_again(here: Console) -> None:
    browser = browser_of(here)
    back = to_provider(browser)
    attempt = dict(browser.cookies)
    assert browser.get(back).status == 303
    thief = browser_of(here)
    thief.cookies = attempt
    answer = thief.get(back)
    assert answer.status == 403
    here.access.records.flush()
    assert [e["why"] for e in here.events("auth.denied")] == ["replay"]


def test_a_code_that_the_provider_took_already(here: Console, idp: Provider) -> None:
    browser = browser_of(here)
    back = to_provider(browser)
    idp.codes.clear()
    answer = browser.get(back)
    refused(here, answer, browser, "token")
    assert "did not take the code" in answer.text


@pytest.mark.parametrize("change", ["no cookie", "other cookie", "state", "no state", "empty state"])
def test_a_login_that_was_begun_elsewhere(here: Console, change: str) -> None:
    """Login CSRF: somebody else's code in this browser."""
    browser, other = browser_of(here), browser_of(here)
    back = to_provider(browser)
    query = {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()}
    if change == "no cookie":
        browser.cookies = {}
    elif change == "other cookie":
        to_provider(other)
        name = next(iter(browser.cookies))
        browser.cookies = {name: next(iter(other.cookies.values()))}
    elif change == "state":
        query["state"] = query["state"][:-1] + ("a" if query["state"][-1] != "a" else "b")
    elif change == "no state":
        del query["state"]
    else:
        query["state"] = ""
    answer = browser.get(f"/login/callback?{urlencode(query)}")
    refused(here, answer, browser, "state")


@pytest.mark.parametrize("iss", ["https://evil.example", "", None])
def test_an_answer_of_another_issuer(here: Console, idp: Provider, iss: str | None) -> None:
    """Mix-up (RFC 9207)."""
    browser = browser_of(here)
    query = {k: v[0] for k, v in parse_qs(urlsplit(to_provider(browser)).query).items()}
    changed = {**query, "iss": iss} if iss is not None else {k: v for k, v in query.items() if k != "iss"}
    answer = browser.get(f"/login/callback?{urlencode(changed)}")
    refused(here, answer, browser, "token")
    assert ("POST", "/token") not in idp.asked


def test_somebody_the_provider_keeps_out(here: Console, idp: Provider) -> None:
    idp.lets_in = False
    browser, answer = log_in(here)
    refused(here, answer, browser, "provider")
    assert "access_denied" not in answer.text


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_an_endpoint_at_another_host_is_not_asked(here: Console, idp: Provider, name: str) -> None:
    idp.document = lambda d: {**d, name: "http://localhost:9/keys"}
    answer = browser_of(here).get("/login")
    assert answer.status == 503
    assert "oidc_hosts" not in answer.headers.get("location", "")
    assert [path for _, path in idp.asked] == ["/.well-known/openid-configuration"]


def test_a_document_of_another_issuer_is_not_believed(here: Console, idp: Provider) -> None:
    idp.document = lambda d: {**d, "issuer": "https://evil.example"}
    assert browser_of(here).get("/login").status == 503


def test_a_provider_that_is_away_is_said_and_not_waited_for(here: Console, idp: Provider, tmp_path: Path) -> None:
    gone = Provider(port=1)
    with behind(gone, tmp_path, MemoryLog()) as lost:
        answer = browser_of(lost).get("/login")
    assert answer.status == 503
    assert "no connection" in answer.text


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%0d%0aSet-Cookie:x=1",
        "javascript:alert(1)",
        "evil.example",
        "/login/callback",
        "/\tevil",
        "",
        "/é",
        "/" + "a" * 3000,
    ],
)
def test_nobody_is_sent_to_another_site(here: Console, wanted: str) -> None:
    _, answer = log_in(here, None, "/login?" + urlencode({"next": wanted}))
    assert answer.status == 303
    where = answer.headers["location"]
    assert where == "/" or (where.startswith("/%") and "\r" not in where)
    assert "x" not in [c.partition("=")[0] for c in answer.cookies]


def test_a_path_of_ours_is_kept() -> None:
    assert safe_path("/incidents/inc-aaaaaa?tab=2") == "/incidents/inc-aaaaaa?tab=2"
    assert safe_path("/\x00") == "/"


def test_the_cookies_of_https(idp: Provider, tmp_path: Path) -> None:
    with behind(idp, tmp_path, MemoryLog(), public="https://payops.example") as made:
        browser = browser_of(made)
        begun = browser.get("/login")
        _, answer = log_in(made, browser)
        for cookie in (begun.cookies[0], answer.cookies[0]):
            name, _, rest = cookie.partition("=")
            assert name.startswith("__Host-payops")
            flags = {p.strip().lower() for p in rest.split(";")[1:]}
            assert {"httponly", "secure", "path=/", "samesite=lax"} <= flags
            assert not any(f.startswith("domain") for f in flags)
        assert browser.get("/").headers["strict-transport-security"].startswith("max-age=31536000")
        assert browser.get("/", Host=f"127.0.0.1:{made.listener.port}").status == 421


def test_a_new_login_has_a_new_session_and_ends_the_old(here: Console) -> None:
    """Session fixation."""
    browser, _ = log_in(here)
    old = dict(browser.cookies)
    log_in(here, browser)
    assert browser.cookies["payops"] != old["payops"]
    thief = browser_of(here)
    thief.cookies = old
    assert thief.get("/", Accept="*/*").status == 401


def test_a_session_that_was_planted_is_none(here: Console) -> None:
    browser = browser_of(here)
    browser.cookies = {"payops": "planted"}
    log_in(here, browser)
    assert browser.cookies["payops"] != "planted"


def test_logout_ends_the_session_for_good(here: Console, idp: Provider) -> None:
    browser, _ = log_in(here)
    old = dict(browser.cookies)
    csrf = browser.get("/").csrf
    assert browser.post("/logout", {}).status == 403
    assert browser.get("/logout").status in (404, 405)
    answer = browser.post("/logout", {"csrf": csrf})
    assert answer.status == 200
    assert f"{idp.issuer}/logout?client_id={CLIENT}" in answer.text
    assert "payops" not in browser.cookies
    browser.cookies = old
    assert browser.get("/", Accept="*/*").status == 401
    assert [e.get("ended", False) for e in here.events("auth.login")] == [False, True]


def test_a_login_that_cannot_be_recorded_is_none(here: Console) -> None:
    browser = browser_of(here)
    back = to_provider(browser)
    here.log.break_down()
    assert browser.get(back).status == 503
    assert "payops" not in browser.cookies


def test_a_name_of_outside_is_text(here: Console, idp: Provider) -> None:
    idp.person["name"] = "4111111111111111"
    browser, _ = log_in(here)
    assert '<p id="who">unnamed</p>' in browser.get("/").text


def test_nobody_but_the_person_is_in_the_session(here: Console, tmp_path: Path) -> None:
    """The database holds neither cookie, code, token nor secret."""
    browser, _ = log_in(here)
    value = browser.cookies["payops"].partition(".")[0]
    assert isinstance(here.access.login, OidcLogin)
    held = b"".join(p.read_bytes() for p in tmp_path.glob("live.sqlite*"))
    assert b"u-1@" in held
    for planted in (value, SECRET, b64(b'{"alg": "RS256"')[:20]):
        assert planted.encode() not in held


def test_a_fetch_without_a_session_is_told_and_not_sent_away(here: Console) -> None:
    for accept in ("application/json", "text/event-stream"):
        answer = browser_of(here).get("/", Accept=accept)
        assert (answer.status, answer.headers["content-type"]) == (401, "application/json")


def test_generated_requests_to_the_login(here: Console) -> None:
    """Whatever is asked of login, callback and logout: no fault, nobody in, nothing reflected, no way elsewhere."""
    import requests

    here.access.by_address = Buckets(rate=1e9, burst=1e9)

    def ask(request: dict[str, Any]) -> None:
        url = request["url"].replace("http://placeholder", here.listener.url)
        headers = {**(request.get("headers") or {}), "Host": urlsplit(here.access.url).netloc, "Accept": "text/html"}
        answer = requests.request(**{**request, "url": url, "headers": headers}, timeout=60, allow_redirects=False)
        assert answer.status_code < 500
        assert "payops" not in answer.cookies
        away = answer.headers.get("location", "/")
        assert away.startswith("/") or away.startswith(f"{here.access.login._issuer.issuer}/authorize?")  # type: ignore[attr-defined]
        for text in (request.get("params") or {}).values():
            assert not (isinstance(text, str) and len(text) > 2 and "<" in text) or text not in answer.text

    assert each_request(here.access.routes(), ask, examples=25) == 3
    here.access.records.flush()
    assert not here.events("auth.login")


@pytest.mark.live
def test_two_replicas_are_one_console(idp: Provider, tmp_path: Path) -> None:
    """Begun at one, finished at the other, used at both, ended at both: one PostgreSQL and one key between them."""
    with postgres.running() as server, contextlib.ExitStack() as stack:
        url = server.create_database("console")
        (tmp_path / "key").write_text("k" * 64)
        log = MemoryLog()
        replicas = []
        for name in ("a", "b"):
            home = tmp_path / name
            home.mkdir()
            shared = {"database": url, "session_key_file": str(tmp_path / "key")}
            replicas.append(stack.enter_context(behind(idp, home, log, **shared)))
        first, second = replicas
        here, there = browser_of(first), browser_of(second)
        back = to_provider(here)
        there.cookies = here.cookies
        assert there.get(back).status == 303
        assert here.get("/").status == there.get("/").status == 200
        csrf = here.get("/").csrf
        assert there.get("/").csrf == csrf
        assert there.get(back).status == 403, "a login works once over both"
        assert there.post("/logout", {"csrf": csrf}).status == 200
        assert here.get("/", Accept="*/*").status == 401
        assert len([e for e in first.events("auth.login") if not e.get("ended")]) == 1
