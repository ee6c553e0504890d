"""Login by a trusted proxy: its headers are believed from its addresses, and from nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

from assistant.errors import SettingsError
from assistant.settings import Settings, Web
from assistant.web.access.open import open_access
from assistant.web.access.proxy import client_of, networks_of, within
from tests.fakes.promptlog import MemoryLog
from tests.web.access.console import Browser, Console, console

URL = "https://payops.example"
WEB: dict[str, Any] = {
    "url": URL,
    "login": "proxy",
    "proxy_user_header": "Remote-User",
    "proxy_groups_header": "Remote-Groups",
    "proxy_addresses": ("127.0.0.2", "10.20.0.0/16"),
    "roles": {"responder": ("oncall",), "commander": ("commanders",), "auditor": ("audit",)},
}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Console]:
    log = MemoryLog()
    access = open_access(Settings(state=tmp_path, web=Web(**WEB)), log=lambda: log)
    access.prepare()
    with console(access, log) as made:
        yield made


def proxy(here: Console) -> Browser:
    """The proxy: it speaks from an address of its own."""
    return here.browser(host="payops.example", source="127.0.0.2")


def test_who_the_proxy_names_is_in_and_recorded_once(here: Console) -> None:
    browser = proxy(here)
    for _ in range(3):
        assert browser.get("/", Remote_User="ada", Remote_Groups="oncall, other").status == 200
    assert [(e["who"], e["how"], e["roles"]) for e in here.events("auth.login")] == [
        ("proxy:ada", "proxy", ["responder"])
    ]
    assert browser.get("/records", Remote_User="ada", Remote_Groups="oncall").status == 403
    assert browser.get("/records", Remote_User="ada", Remote_Groups="audit").status == 200
    assert [(e["before"], e["roles"]) for e in here.events("role.change")] == [
        ([], ["responder"]),
        (["responder"], ["auditor"]),
    ]


@pytest.mark.parametrize(
    "headers", [{}, {"Remote_User": "ada", "Remote_Groups": "audit"}, {"X_Forwarded_For": "127.0.0.2"}]
)
def test_the_header_from_anybody_else_is_refused_and_recorded(here: Console, headers: dict[str, str]) -> None:
    answer = here.browser(host="payops.example").get("/records", **headers)
    assert (answer.status, "ada" in answer.text) == (403, False)
    here.access.records.flush()
    assert [(e["actor"], e["why"], e["requests"]) for e in here.events("auth.denied")] == [
        ("unknown", "not-the-proxy", 1)
    ]


@pytest.mark.parametrize(
    "lines",
    [
        [("Remote-User", "ada"), ("Remote-User", "eve")],
        [("Remote-User", "ada"), ("remote-user", "ada")],
        [("Remote-User", "ada"), ("Remote_User", "eve")],
        [("Remote_User", "eve")],
        [("Remote-User", "ada"), ("Remote-Groups", "audit"), ("Remote-Groups", "oncall")],
        [("Remote-User", "ada"), ("Remote_Groups", "audit")],
        [("Remote-User", "a" * 5000)],
        [("Remote-User", "ada\x7f")],
    ],
)
def test_a_spoofed_header_is_refused(here: Console, lines: list[tuple[str, str]]) -> None:
    import socket

    head = "GET / HTTP/1.1\r\nHost: payops.example\r\nConnection: close\r\n"
    raw = (head + "".join(f"{k}: {v}\r\n" for k, v in lines) + "\r\n").encode("latin-1")
    with socket.create_connection(
        ("127.0.0.1", here.listener.port), timeout=10, source_address=("127.0.0.2", 0)
    ) as plug:
        plug.sendall(raw)
        answer = plug.recv(4000)
    assert answer.split()[1] == b"400"
    assert b"eve" not in answer
    assert not here.events("auth.login")


def test_nobody_named_is_nobody(here: Console) -> None:
    assert proxy(here).get("/").status == 401
    assert proxy(here).get("/", Remote_User=" ", Remote_Groups="audit").status == 401


def test_no_group_is_no_role(here: Console) -> None:
    answer = proxy(here).get("/", Remote_User="bob", Remote_Groups="Oncall,AUDIT")
    assert answer.status == 403
    assert [(e["who"], e["why"]) for e in here.events("auth.denied")] == [("proxy:bob", "no-role")]


def test_forms_need_the_token_here_too(here: Console) -> None:
    browser = proxy(here)
    who = {"Remote_User": "cleo", "Remote_Groups": "commanders"}
    csrf = browser.get("/", **who).csrf
    assert browser.post("/act", {"what": "merge", "csrf": csrf}, Origin=URL, **who).status == 200
    assert browser.post("/act", {"what": "merge", "csrf": csrf}, Origin="https://evil.example", **who).status == 403
    other = {"Remote_User": "dan", "Remote_Groups": "commanders"}
    assert browser.post("/act", {"what": "merge", "csrf": csrf}, Origin=URL, **other).status == 403


def test_health_is_asked_by_address(here: Console) -> None:
    assert here.browser(host="10.1.2.3:8787").get("/healthz").status == 200


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"proxy_user_header": ""}, "needs proxy_user_header"),
        ({"proxy_addresses": ()}, "needs proxy_addresses"),
        ({"proxy_addresses": ("0.0.0.0/0",)}, "names everybody"),
        ({"proxy_addresses": ("::/0",)}, "names everybody"),
        ({"proxy_addresses": ("proxy.example",)}, "is no address or network"),
        ({"proxy_addresses": ("10.0.0.1/8",)}, "is no address or network"),
        ({"url": ""}, "how people reach the console"),
        ({"url": "http://payops.example"}, "sessions could be read on the way"),
        ({"roles": {}}, "gives nobody a role"),
        ({"roles": {"admin": ("x",)}}, '"admin" is not a role'),
        ({"login": "oidc"}, "needs oidc_issuer"),
        ({"login": "oidc", "oidc_issuer": "http://idp.example", "oidc_client_id": "x"}, "not an https:// address"),
    ],
)
def test_settings_that_would_let_in_too_many(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        open_access(Settings(state=tmp_path, web=Web(**{**WEB, **change})), log=MemoryLog)


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.20.3.4", True),
        ("10.21.0.1", False),
        ("::ffff:10.20.3.4", True),
        ("fe80::1%eth0", False),
        ("", False),
        ("x", False),
    ],
)
def test_addresses(address: str, inside: bool) -> None:
    assert within(address, networks_of(["10.20.0.0/16"])) is inside


@pytest.mark.parametrize(
    ("peer", "hops", "client"),
    [
        ("192.0.2.9", ["10.0.0.5"], "192.0.2.9"),
        ("10.20.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.20.0.1", ["203.0.113.7, 198.51.100.4"], "198.51.100.4"),
        ("10.20.0.1", ["203.0.113.7", "10.20.0.2"], "203.0.113.7"),
        ("10.20.0.1", [], "10.20.0.1"),
        ("10.20.0.1", ["x" * 500], "x" * 64),
    ],
)
def test_whose_rate_is_counted(peer: str, hops: list[str], client: str) -> None:
    """The last hop that we do not trust: what stands before it anybody could have written."""
    headers = [(b"x-forwarded-for", h.encode()) for h in hops]
    request = Request({"type": "http", "headers": headers, "client": (peer, 1)})
    assert client_of(request, networks_of(["10.20.0.0/16"])) == client
