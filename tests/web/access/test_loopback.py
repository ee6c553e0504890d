"""The console without a login: who gets past the door on loopback, byte for byte on a real socket."""

from __future__ import annotations

import http.client
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.routing import Mount, Route

from assistant.errors import SettingsError
from assistant.settings import Settings, Web
from assistant.web.access import Access, unguarded
from assistant.web.access.headers import ALWAYS, CSP
from assistant.web.access.limits import Buckets
from assistant.web.access.loopback import LoopbackLogin
from assistant.web.access.open import LINK, open_access
from assistant.web.access.records import Records
from tests.fakes.promptlog import MemoryLog
from tests.web.access.console import ROUTES, Browser, Console, console


@pytest.fixture
def here() -> Iterator[Console]:
    log = MemoryLog()
    access = Access(LoopbackLogin("os:ada"), Records(lambda: log))
    with console(access, log) as made:
        yield made


def entered(here: Console) -> Browser:
    browser = here.browser()
    answer = browser.get(link(here))
    assert (answer.status, answer.headers["location"]) == (303, "/")
    return browser


def link(here: Console) -> str:
    login = here.access.login
    assert isinstance(login, LoopbackLogin)
    return login.link("")


def test_the_link_lets_in_and_is_a_record(here: Console) -> None:
    browser = entered(here)
    answer = browser.get("/")
    assert answer.status == 200
    assert '<p id="who">ada</p><p>auditor</p>' in answer.text
    assert browser.get("/records").status == 200
    assert [(e["who"], e["how"]) for e in here.events("auth.login")] == [("os:ada", "link")]
    assert [e["roles"] for e in here.events("role.change")] == [["auditor", "commander", "responder"]]


def test_a_second_entrance_is_no_change_of_roles(here: Console) -> None:
    entered(here), entered(here)
    assert len(here.events("auth.login")) == 2
    assert len(here.events("role.change")) == 1


def test_the_cookie_is_for_this_browser_and_this_port_only(here: Console) -> None:
    answer = here.browser().get(link(here))
    name, _, rest = answer.cookies[0].partition("=")
    assert name == f"payops-{here.listener.port}"
    assert {p.strip().lower() for p in rest.split(";")[1:]} == {"httponly", "path=/", "samesite=strict"}
    token = link(here).partition("=")[2]
    assert token not in answer.cookies[0]


@pytest.mark.parametrize("path", ["/", "/records", "/nowhere", "/act"])
def test_nobody_gets_in_without_it(here: Console, path: str) -> None:
    answer = here.browser().get(path)
    assert answer.status == 401
    assert "Open the link" in answer.text
    assert not answer.cookies


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%ff%fe", "?token=a&token=b"])
def test_a_wrong_token_is_refused_and_counted(here: Console, query: str) -> None:
    assert here.browser().get(f"/enter{query}").status == 401
    here.access.records.flush()
    assert [(e["actor"], e["why"], e["requests"]) for e in here.events("auth.denied")] == [("unknown", "token", 1)]


def test_the_right_token_twice_in_one_link_is_refused(here: Console) -> None:
    assert here.browser().get(f"{link(here)}&{link(here).partition('?')[2]}").status == 401


@pytest.mark.parametrize(
    "cookie", ["x", "payops={};", "payops-{port}=", 'payops-{port}="\\', "payops-{port}=a.b.c", "=;=;;", "\xff" * 20]
)
def test_a_cookie_of_others_is_no_session(here: Console, cookie: str) -> None:
    given = cookie.replace("{port}", str(here.listener.port))
    assert here.browser().get("/", Cookie=given).status == 401


def test_a_cookie_of_another_start_is_no_session(here: Console) -> None:
    old = entered(here).cookies
    log = MemoryLog()
    with console(Access(LoopbackLogin("os:ada"), Records(lambda: log)), log) as again:
        cookies = {f"payops-{again.listener.port}": next(iter(old.values()))}
        assert Browser(again.listener.port, cookies=cookies).get("/").status == 401


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1:1", "127.0.0.1", "127.0.0.1.evil"])
def test_dns_rebinding_is_refused_even_with_the_cookie(here: Console, host: str) -> None:
    browser = entered(here)
    answer = browser.get("/", Host=host.replace("{port}", str(here.listener.port)))
    assert answer.status == 421
    assert host not in answer.text
    here.access.records.flush()
    assert here.events("auth.denied")[0]["why"] == "host"


@pytest.mark.parametrize("host", ["localhost", "[::1]", "LOCALHOST"])
def test_the_names_of_loopback_are_ours(here: Console, host: str) -> None:
    assert entered(here).get("/", Host=f"{host}:{here.listener.port}").status == 200


def test_two_hosts_or_none_are_refused(here: Console) -> None:
    for lines in (b"", f"Host: 127.0.0.1:{here.listener.port}\r\nHost: evil\r\n".encode()):
        with socket.create_connection(("127.0.0.1", here.listener.port), timeout=10) as raw:
            raw.sendall(b"GET / HTTP/1.1\r\n" + lines + b"Connection: close\r\n\r\n")
            assert raw.recv(200).split()[1] in (b"400", b"421")


def test_a_form_needs_the_token_of_its_session(here: Console) -> None:
    browser = entered(here)
    csrf = browser.get("/").csrf
    assert browser.post("/act", {"what": "merge", "csrf": csrf}).text == '{"did":"merge","by":"os:ada"}'
    other = entered(here).get("/").csrf
    assert other != csrf
    for wrong in ("", "x", csrf[:-1], csrf + "x", other):
        assert browser.post("/act", {"what": "merge", "csrf": wrong}).status == 403
    assert browser.post("/act", {"what": "merge"}).status == 403
    assert browser.ask("POST", "/act").status == 403
    assert browser.ask("POST", f"/act?csrf={csrf}").status == 403
    denied = here.events("auth.denied")
    assert [(e["who"], e["why"]) for e in denied] == [("os:ada", "csrf")]
    here.access.records.flush()
    assert sum(int(str(e["requests"])) for e in here.events("auth.denied")) == 8


def test_json_needs_the_header(here: Console) -> None:
    browser = entered(here)
    csrf = browser.get("/").csrf
    kind = {"Content-Type": "application/json"}
    body = b'{"what":"note","csrf":"' + csrf.encode() + b'"}'
    assert browser.ask("POST", "/act.json", body, kind).status == 403
    assert browser.ask("POST", "/act.json", body, {**kind, "X-CSRF-Token": csrf}).text == '{"did":"note"}'


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/xml", "x"])
def test_other_bodies_are_not_taken(here: Console, kind: str) -> None:
    browser = entered(here)
    answer = browser.ask("POST", "/act", b"csrf=x", {"Content-Type": kind, "X-CSRF-Token": browser.get("/").csrf})
    assert answer.status == 415


def test_other_sites_may_link_to_us_and_nothing_else(here: Console) -> None:
    browser = entered(here)
    csrf = browser.get("/").csrf
    navigation = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert browser.get("/", **navigation).status == 200
    assert browser.get("/", **{**navigation, "Sec_Fetch_Dest": "iframe"}).status == 403
    assert browser.get("/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert browser.get("/", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors").status == 403
    form = {"what": "x", "csrf": csrf}
    own = f"http://127.0.0.1:{here.listener.port}"
    assert browser.post("/act", form, Origin=own, Sec_Fetch_Site="same-origin").status == 200
    for origin in ("null", "https://evil.example", own + ".evil", own.replace("http:", "https:"), "http://127.0.0.1:1"):
        assert browser.post("/act", form, Origin=origin).status == 403
    assert browser.post("/act", form, **navigation).status == 403


def test_every_answer_carries_the_headers(here: Console) -> None:
    browser = entered(here)
    stranger = here.browser()
    answers = [
        browser.get("/"),
        browser.get("/boom"),
        browser.get("/nowhere"),
        stranger.get("/"),
        stranger.get("/healthz"),
    ]
    answers += [
        stranger.get("/", Host="evil"),
        browser.ask("DELETE", "/"),
        browser.post("/act", {}),
        stranger.get(link(here)),
    ]
    assert sorted({a.status for a in answers}) == [200, 303, 401, 403, 404, 405, 421, 500]
    for answer in answers:
        assert {k: answer.headers.get(k) for k in ALWAYS} == ALWAYS
        assert answer.headers["cache-control"] == "no-store"
        assert "strict-transport-security" not in answer.headers
        assert "server" not in answer.headers
    assert "unsafe" not in CSP
    assert browser.get("/static/console.css").headers["cache-control"] == "private, max-age=3600"


def test_a_fault_says_nothing_of_itself(here: Console) -> None:
    answer = entered(here).get("/boom")
    assert answer.status == 500
    assert b"4111" not in answer.body
    assert "ValueError" not in answer.text


def test_methods_that_we_do_not_have(here: Console) -> None:
    browser = entered(here)
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "GETX"):
        answer = browser.ask(method, "/")
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_large_body_is_refused(here: Console) -> None:
    browser = entered(here)
    csrf = browser.get("/").csrf
    assert browser.post("/act", {"csrf": csrf, "what": "x" * (256 * 1024)}).status == 413
    assert browser.ask("POST", "/act", None, {"Content-Length": "9" * 12, "X-CSRF-Token": csrf}).status == 413


def test_a_page_that_does_not_begin_is_given_up(here: Console) -> None:
    here.access.begin_s = 0.2
    assert entered(here).get("/slow").status == 504


def test_a_stream_ends_with_its_session(here: Console) -> None:
    browser = entered(here)
    here.access.look_s = 0.0
    connection = http.client.HTTPConnection("127.0.0.1", here.listener.port, timeout=20)
    cookie = "; ".join(f"{k}={v}" for k, v in browser.cookies.items())
    headers = {"Cookie": cookie, "Accept": "text/event-stream"}
    connection.request("GET", "/stream", headers=headers)
    answer = connection.getresponse()
    assert answer.read(12) == b"data: tick\n\n"
    here.access.login = LoopbackLogin("os:ada")
    began = time.monotonic()
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()
    assert time.monotonic() - began < 15
    connection.close()


def test_rates_are_limited_by_address_and_by_person(here: Console) -> None:
    here.access.by_address = Buckets(rate=0.001, burst=3)
    here.access.by_person = Buckets(rate=0.001, burst=3)
    browser = entered(here)
    assert [browser.get("/").status for _ in range(4)] == [200, 200, 200, 429]
    stranger = here.browser()
    answers = [stranger.get("/") for _ in range(3)]
    assert [a.status for a in answers] == [401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert stranger.get("/healthz").status == 200


def test_a_login_that_cannot_be_recorded_is_none(here: Console) -> None:
    here.log.break_down()
    browser = here.browser()
    answer = browser.get(link(here))
    assert answer.status == 503
    assert not browser.cookies


def test_outsiders_cannot_fill_the_log(here: Console) -> None:
    here.access.by_address = Buckets(rate=1000, burst=1000)
    stranger = here.browser()
    for i in range(300):
        stranger.get(f"/records?{i}")
        stranger.get("/", Host=f"evil{i}.example")
    here.access.records.flush()
    denied = here.events("auth.denied")
    assert {str(e["why"]): e["requests"] for e in denied} == {"no-session": 300, "host": 300}


def test_what_could_not_be_recorded_is_recorded_later() -> None:
    log, broken = MemoryLog(), MemoryLog()
    broken.break_down()
    using = [broken]
    records = Records(lambda: using[0])
    records.denied("oidc:eve", "role", "page:records")
    records.flush()
    using[0] = log
    records.flush()
    denied = [r for r in log.records() if r.event.value == "auth.denied"]
    assert [(log.identity(r), dict(r.facts)) for r in denied] == [("oidc:eve", {"why": "role", "requests": 1})]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "payops.example", ""])
def test_without_a_login_it_listens_on_loopback_only(tmp_path: Path, host: str) -> None:
    with pytest.raises(SettingsError, match=r'without a login; set \[web\] login to "oidc" or "proxy"'):
        open_access(Settings(state=tmp_path, web=Web(console_host=host)), log=MemoryLog)


def test_a_page_that_says_nobody_is_found(here: Console) -> None:
    routes = [*ROUTES, Mount("/static", routes=[]), Mount("/more", routes=[Route("/x", lambda r: None)])]
    assert unguarded(routes, here.access.is_public) == ["/boom", "/more/x"]


def test_an_unknown_login_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match='"saml" is not a way in'):
        open_access(Settings(state=tmp_path, web=Web(login="saml")), log=MemoryLog)


def test_the_link_is_for_the_owner_of_the_process_only(tmp_path: Path) -> None:
    access = open_access(Settings(state=tmp_path, web=Web()), log=MemoryLog)
    access.opened("http://127.0.0.1:8787")
    access.opened("http://127.0.0.1:8787")
    file = tmp_path / LINK
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().startswith("http://127.0.0.1:8787/enter?token=")
