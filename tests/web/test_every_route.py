"""What holds of every route there is: it says what it leaves in the log, leaves it, and shows no planted value."""

from __future__ import annotations

import csv
import gzip
import html
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from assistant.errors import LogUnavailable
from assistant.promptlog.record import Event
from assistant.promptlog.store import Filter
from assistant.web.access import declared
from assistant.web.pages.looks import Looks
from redaction import FinalScanner, LeakBlocked
from tests.web.crawl import Answered, Crawler
from tests.web.served import WORLD, Served, served

pytestmark = pytest.mark.xdist_group("console")
MAIL = "jane.doe" + "@example.com"
CARD = "4" + "1" * 15


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def crawler(demo: Served) -> Crawler:
    return Crawler(demo)


def records(demo: Served, start: int) -> list[Any]:
    log: Any = demo.showing.live.house.promptlog
    return list(log.search(Filter(start=start)))


def test_every_route_says_what_it_leaves_in_the_log(demo: Served) -> None:
    said = declared(demo.showing.live.console_listener.app.routes)
    assert len(said) > 20
    assert [route for route, leaves in said.items() if leaves is None] == []
    silent = {path: leaves.why for (_, path), leaves in said.items() if leaves and leaves.event is None}
    assert set(silent) == {"/healthz", "/livez", "/readyz", "/static/{name}"} and all(silent.values())


def test_a_route_without_a_decision_is_found() -> None:
    async def page(request: Request) -> Response:
        return Response()

    routes = [Route("/new", page, methods=["GET"]), Mount("/below", routes=[Route("/x", page, methods=["POST"])])]
    assert declared(routes) == {("GET", "/new"): None, ("POST", "/below/x"): None}


def test_every_route_leaves_what_it_says(demo: Served, crawler: Crawler) -> None:
    """Each is asked as somebody who had not looked before, and its record names who, and the incident where there is
    one."""
    log: Any = demo.showing.live.house.promptlog
    said = declared(demo.showing.live.console_listener.app.routes)
    me = log.pseudonyms_of(demo.showing.live.access.login._person.id)  # type: ignore[attr-defined]
    for route in sorted(said, key=lambda r: r[0] != "POST"):
        leaves = said[route]
        assert leaves is not None
        if route == ("GET", "/enter"):
            assert demo.count(Event.AUTH_LOGIN) > 0
            continue
        before, address = log.size(), crawler._addresses(route[1])[0]
        desk_of(demo).looks._seen.clear()
        answers = list(crawler.ask(*route, address))
        assert answers[0].status in (200, 303), (route, answers[0].status)
        left = [r for r in records(demo, before) if r.actor in me]
        if leaves.event is None:
            assert left == [], route
            continue
        named = [r for r in left if r.event is leaves.event]
        assert named, route
        if leaves.action:
            assert leaves.action in {r.facts.get("action") for r in named}, route
        if "{incident}" in route[1]:
            assert {r.incident for r in named} == {demo.incident}, route


def desk_of(demo: Served) -> Any:
    """The desk that the routes were made of."""
    for route in demo.showing.live.console_listener.app.routes:
        if getattr(route, "path", "") == "/events":
            return next(c.cell_contents for c in _cells(route.endpoint) if type(c.cell_contents).__name__ == "Desk")
    raise AssertionError("no stream of events")


def _cells(endpoint: Any) -> list[Any]:
    found = list(endpoint.__closure__ or ())
    for cell in list(found):
        if callable(cell.cell_contents):
            found += list(getattr(cell.cell_contents, "__closure__", None) or ())
    return found


def test_a_page_that_renews_itself_is_one_look(demo: Served, crawler: Crawler) -> None:
    desk_of(demo).looks._seen.clear()
    before = demo.count(Event.AUDIT_READ)
    for _ in range(5):
        crawler.get(f"/incidents/{demo.incident}")
    assert demo.count(Event.AUDIT_READ) == before + 1
    for _ in range(3):
        crawler.get("/log")
    assert demo.count(Event.AUDIT_READ) == before + 4


def test_looks_are_new_again_after_their_time_and_for_others() -> None:
    now = [0.0]
    looks = Looks(every_s=60, most=2, clock=lambda: now[0])
    assert [looks.new("a", "x"), looks.new("a", "x"), looks.new("b", "x")] == [True, False, True]
    now[0] = 61
    assert looks.new("a", "x")
    looks.forget("a", "x")
    assert looks.new("a", "x")
    assert [looks.new("c", "x"), looks.new("b", "x")] == [True, True]


def test_no_record_no_log_but_the_note_is_still_shown(
    demo: Served, crawler: Crawler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the log takes nothing, whoever is on call reads notes and the system; an auditor reads nothing."""
    log: Any = demo.showing.live.house.promptlog

    def refuse(entry: Any) -> Any:
        raise LogUnavailable("the disk is full")

    desk_of(demo).looks._seen.clear()
    monkeypatch.setattr(log, "append", refuse)
    status = {
        path: crawler.get(path).status_code
        for path in ("/", f"/incidents/{demo.incident}", "/system", "/records", "/records/1", "/log", "/review",
                     "/records/1/proof", "/attestations", "/releases", "/export")
    }  # fmt: skip
    monkeypatch.undo()
    assert [p for p, s in status.items() if s == 200] == ["/", f"/incidents/{demo.incident}", "/system"]
    assert set(status.values()) == {200, 503}
    before = demo.count(Event.AUDIT_READ)
    assert crawler.get("/system").status_code == 200 and demo.count(Event.AUDIT_READ) == before + 1


def test_no_planted_value_is_in_any_byte_of_any_route(demo: Served, crawler: Crawler) -> None:
    """Card numbers and addresses of mail of the recording, and those that a person typed: pages, papers, downloads,
    exports with every body, proofs, streams, scripts. What people typed came through the forms."""
    raw = gzip.decompress((WORLD / "logs.ndjson.gz").read_bytes()).decode()
    cards = {n for n in re.findall(r"(?<!\d)\d{13,19}(?!\d)", raw) if is_card(n)}
    mails = set(re.findall(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+\.[A-Za-z]{2,}", raw))
    assert len(cards) > 20 and mails
    words = f"ask {MAIL} about {CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}"
    assert crawler.post(f"/incidents/{demo.incident}/feedback", {"judgement": "wrong", "words": words}).ok
    planted = [v.encode() for v in (*cards, *mails, MAIL, CARD, words[-19:])]
    asked: Counter[tuple[str, str]] = Counter()
    for answer in crawler.every_answer():
        asked[answer.route] += 1
        assert answer.status in ((401,) if answer.address == "/enter" else (200, 303)), answer.address
        assert not [v for v in planted if v in answer.body], answer.address
    assert set(asked) == set(crawler.routes())
    assert asked["POST", "/export"] > 100 and asked["GET", "/records/{which}"] > 100


def is_card(number: str) -> bool:
    try:
        FinalScanner().check(f"card {number}", sink="test")
    except LeakBlocked:
        return True
    return False


@pytest.mark.parametrize(
    "path", ["/?q={}", "/records?incident={}", "/incidents/{}", "/records/{}", "/records?actor=x+{}"]
)
def test_a_card_number_that_is_asked_for_is_not_said_again(demo: Served, crawler: Crawler, path: str) -> None:
    before = demo.showing.live.house.promptlog.size()  # type: ignore[attr-defined]
    answer = crawler.get(path.format(CARD))
    assert answer.status_code == 400 and CARD not in answer.text and "Withheld" in answer.text
    assert "What you asked for holds what is never repeated (PAN)." in answer.text
    assert demo.showing.live.house.promptlog.size() == before  # type: ignore[attr-defined]


def test_a_reason_with_card_data_keeps_nothing(demo: Served, crawler: Crawler) -> None:
    before = demo.showing.live.house.promptlog.size()  # type: ignore[attr-defined]
    answer = crawler.post("/export", {"reason": f"customer {CARD} asked", "bodies": "on"})
    assert answer.status_code == 400 and CARD not in answer.text
    assert "What you wrote holds what is never kept (PAN)." in answer.text
    assert demo.showing.live.house.promptlog.size() == before  # type: ignore[attr-defined]


def test_what_was_muted_is_shown_as_muted(demo: Served, crawler: Crawler) -> None:
    """In the demo too: the recorded incident is one that the service follows."""
    page = f"/incidents/{demo.incident}"
    before = demo.count(Event.CONFIG_CHANGE)
    assert crawler.post(f"{page}/decision", {"what": "mute"}).status_code == 303
    assert ">muted<" in crawler.get(page).text and "Unmute" in crawler.get(page).text
    assert crawler.post(f"{page}/decision", {"what": "unmute"}).status_code == 303
    assert ">muted<" not in crawler.get(page).text and demo.count(Event.CONFIG_CHANGE) == before + 2
    assert "cannot be muted" in crawler.get("/incidents/inc-hostile").text


def test_an_address_that_is_none_is_a_page_that_leads_on_and_repeats_nothing(crawler: Crawler) -> None:
    answer = crawler.get("/nothing-of-ours", headers={"Accept": "text/html"})
    assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/html")
    assert "There is no such page." in answer.text and '<a href="/">' in answer.text
    assert "nothing-of-ours" not in answer.text
    assert crawler.get("/nothing-of-ours", headers={"Accept": "application/json"}).json() == {
        "error": "There is no such page."
    }


def test_what_is_wrong_leads_back_to_where_one_was(crawler: Crawler) -> None:
    """As sentences, with commands as code; the filters say what there is."""
    missing = crawler.get("/records/999999")
    assert missing.status_code == 404 and '<a href="/records">To the records</a>' in missing.text
    assert "<p>Give an index or an id that <code>payops log search</code> prints.</p>" in missing.text
    for wrong, mend in {
        "event=zzz": "There are: ",
        "outcome=zzz": "There are: ",
        "incident=not+an+id": "the list of incidents shows it",
        "incident=%3Cscript%3E": "the list of incidents shows it",
    }.items():
        refused = crawler.get(f"/records?{wrong}")
        assert refused.status_code == 400 and mend in refused.text and "<script>" not in refused.text


def test_the_list_of_records_is_taken_away_as_it_was_filtered(demo: Served, crawler: Crawler) -> None:
    """The page leads to the export with its filters; the table holds those records, and the taking is an exception."""
    shown = crawler.get("/records?event=note.update&class=pan").text
    leads = re.search(r'href="(/export\?[^"]+)"', shown)
    assert leads
    form = crawler.get(html.unescape(leads[1])).text
    assert '<option value="note.update" selected>' in form and 'name="class" list="classes" value="pan"' in form
    before = demo.showing.live.house.promptlog.size()  # type: ignore[attr-defined]
    wanted = {"reason": "yearly audit", "form": "table", "event": "note.update", "class": "pan"}
    taken = crawler.post("/export", wanted)
    assert taken.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(taken.text, newline="")))
    assert rows and {r["event"] for r in rows} == {"note.update"} and all("PAN" in r["redacted"] for r in rows)
    (reading,) = [r for r in records(demo, before) if r.event is Event.AUDIT_READ and r.facts["action"] == "export"]
    assert reading.facts["form"] == "table"
    assert crawler.post("/export", wanted | {"reason": ""}).status_code == 400


def names(answer: Answered) -> str:
    return answer.headers.get("content-disposition", "")


def test_names_of_downloads_are_ours(crawler: Crawler) -> None:
    """A file name can do no harm in a browser, a shell or a spreadsheet."""
    found = {names(a) for a in crawler.every_answer() if names(a)}
    assert len(found) > 3
    assert all(re.fullmatch(r'attachment; filename="[a-z0-9][a-z0-9_.-]{1,80}"', name) for name in found), found


@pytest.mark.parametrize("kind", ["handover", "post_incident", "stakeholder_update"])
def test_a_paper_of_a_hostile_note_holds_nothing_live(crawler: Crawler, kind: str) -> None:
    """Markdown that is copied into a wiki, a chat or a spreadsheet: no link, image, markup or mention works there."""
    made = crawler.post(f"/incidents/inc-hostile/papers/{kind}", {})
    assert made.status_code == 200
    page = html.unescape(re.sub(r"<[^>]+>", "", made.text.partition('id="paper-text"')[2].partition("</pre>")[0]))
    assert len(page) > 100 and "pay" in page
    assert "](http" not in page and "\u202e" not in page and "<!channel>" not in page
    assert not re.search(r"(?<![\\`&\w])<(script|img|svg|h1)", page), page
    assert not [line for line in page.splitlines() if line.lstrip("| ").startswith(("=", "@", "\t="))]
