"""Auditors at work: the review by several people in a browser, and what the pages of releases and attestations say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from assistant.promptlog.record import Entry, Event, Outcome
from assistant.promptlog.review import tasks
from assistant.settings import Log as LogTable
from tests.web.people import People, people
from tests.web.served import chromium

pytestmark = pytest.mark.xdist_group("console")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    state, elsewhere = tmp_path_factory.mktemp("state"), tmp_path_factory.mktemp("elsewhere")
    with people(state, log=LogTable(checkpoints=(str(elsewhere),))) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def exceptions(here: People, count: int, **given: Any) -> list[str]:
    """As many refusals of strangers, screened."""
    entry = Entry(event=Event.AUTH_DENIED, actor="unknown", outcome=Outcome.DENIED, resource="console", **given)
    ids = [here.log.append(entry).id for _ in range(count)]
    assert here.post("/review", {"action": "screen"}, "sam").status == 303
    return ids


def settle_all(here: People) -> None:
    """Nothing is left open, so that the next to be taken is what a test plants."""
    from assistant.promptlog.review import accept

    for task in tasks(here.log):
        if task.state == "open":
            accept(here.log, task.id, identity="proxy:tidy")


def state_of(here: People, which: str) -> str:
    return next(t.state for t in tasks(here.log) if t.id == which)


def test_take_and_sign_off_in_the_browser(here: People, browser: Any) -> None:
    """Ada takes and accepts, Bob flags; each step is a record that names who, and the queue says so to both."""
    settle_all(here)
    first, second = exceptions(here, 2)
    settle_by_hand(here, keep={first, second})
    start = here.log.size()
    with here.page(browser, "ada") as ada, here.page(browser, "bob") as bob:
        for page in (ada, bob):
            page.goto(here.base + "/review")
        ada.click("text=Take the next")
        assert "somebody was refused" in ada.inner_text("#at-hand")
        bob.reload()
        row = bob.locator(f"tr:has(input[value='{first}'])")
        assert "taken by person-" in row.inner_text() and row.locator("button").inner_text() == "Take over"
        bob.click("text=Take the next")
        assert second in bob.locator("#at-hand input[name=record]").get_attribute("value")
        ada.click("#at-hand button:text-is('Accept: signed off')")
        ada.wait_for_selector("#at-hand", state="detached")
        bob.fill("#at-hand [name=reason]", "ask who that was")
        bob.click("#at-hand button.danger")
        bob.wait_for_selector("#at-hand", state="detached")
        ada.goto(here.base + "/review?state=flagged")
        assert "ask who that was" in ada.inner_text("main")
        ada.goto(f"{here.base}/records/{first}")
        assert re.search(r"review: accept by person-", ada.inner_text("main"))
        ada.wait_for_selector("#proof-browser:has-text('It holds.')")
    steps = here.records(Event.AUDIT_REVIEW, start)
    assert [(r.facts["kind"], here.who(r), r.facts["record"]) for r in steps] == [
        ("take", "proxy:ada", first), ("take", "proxy:bob", second),
        ("accept", "proxy:ada", first), ("flag", "proxy:bob", second),
    ]  # fmt: skip
    assert here.log.body(steps[-1], "reason") == b"ask who that was"
    assert here.log.verify().ok


def settle_by_hand(here: People, *, keep: set[str]) -> None:
    """What a login of a test's own people left in the queue."""
    from assistant.promptlog.review import accept

    for task in tasks(here.log):
        if task.state == "open" and task.id not in keep:
            accept(here.log, task.id, identity="proxy:tidy")


def test_two_at_once_get_two(here: People) -> None:
    settle_all(here)
    planted = set(exceptions(here, 6))
    settle_by_hand(here, keep=planted)
    names = [f"auditor-{c}" for c in "abcdef"]
    for name in names:
        assert here.get("/review", name).status == 200
    settle_all_but(here, planted)
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda name: here.post("/review", {"action": "next"}, name).status, names))
    assert set(done) == {303}
    takers = {t.id: t.by for t in tasks(here.log) if t.id in planted}
    assert {state_of(here, p) for p in planted} == {"taken"} and len(set(takers.values())) == 6


def settle_all_but(here: People, keep: set[str]) -> None:
    assert here.post("/review", {"action": "screen"}, "sam").status == 303
    settle_by_hand(here, keep=keep)


def test_who_was_overtaken_is_told_and_settles_nothing(here: People, browser: Any) -> None:
    (one,) = exceptions(here, 1)
    with here.page(browser, "ada") as ada, here.page(browser, "bob") as bob:
        ada.goto(here.base + "/review")
        ada.click(f"tr:has(input[value='{one}']) button:text-is('Take')")
        bob.goto(here.base + "/review")
        bob.click(f"tr:has(input[value='{one}']) button:text-is('Take over')")
        ada.click("#at-hand button:text-is('Accept: signed off')")
        assert "Somebody else has taken that exception" in ada.inner_text("main")
        bob.click("#at-hand button:text-is('Accept: signed off')")
        bob.wait_for_selector("#at-hand", state="detached")
    assert state_of(here, one) == "accepted"


@pytest.mark.parametrize("role", ["responder", "commander"])
def test_nobody_but_an_auditor_reviews(here: People, browser: Any, role: str) -> None:
    (one,) = exceptions(here, 1)
    start = here.log.size()
    with here.page(browser, f"rita-{role}", role) as page:
        page.goto(here.base + "/")
        assert page.locator("nav a[href='/review']").count() == 0
        assert page.goto(here.base + "/review").status == 403
    for form in ({"action": "next"}, {"action": "take", "record": one}, {"action": "accept", "record": one}):
        assert here.post("/review", form, f"rita-{role}", role).status == 403
    assert here.records(Event.AUDIT_REVIEW, start) == [] and state_of(here, one) == "open"
    denied = [(here.who(r), r.facts["why"]) for r in here.records(Event.AUTH_DENIED, start)]
    assert (f"proxy:rita-{role}", "role") in denied


def test_four_eyes(here: People) -> None:
    """Nobody signs off what they did, nor what they had a hand in."""
    asked = Entry(event=Event.QUESTION_RECEIVED, identity="proxy:hand", resource="question", incident="inc-hand")
    here.log.append(asked)
    (touched,) = exceptions(here, 1, incident="inc-hand")
    own = here.log.append(Entry(event=Event.CONFIG_CHANGE, identity="proxy:hand", resource="switch")).id
    assert here.post("/review", {"action": "screen"}, "sam").status == 303
    told = here.post("/review", {"action": "accept", "record": touched}, "hand")
    assert told.status == 400 and "You took part in this incident" in told.text
    for action in ("accept", "take"):
        told = here.post("/review", {"action": action, "record": own}, "hand")
        assert told.status == 400 and "own act" in told.text
    assert {state_of(here, touched), state_of(here, own)} == {"open"}
    for which in (touched, own):
        assert here.post("/review", {"action": "accept", "record": which}, "other").status == 303
    assert {state_of(here, touched), state_of(here, own)} == {"accepted"}


def attested(here: People, verdict: str, answer: str) -> int:
    body = {
        "verdict": verdict,
        "servers": {"prometheus": verdict, "loki": "read-only"},
        "checks": [
            {
                "server": "prometheus",
                "name": "POST a rule",
                "verdict": verdict,
                "answer": answer,
                "mend": "use the proxy",
            },
            {"server": "loki", "name": "push a line", "verdict": "read-only", "answer": "HTTP 403", "mend": ""},
        ],
    }
    entry = Entry(
        event=Event.CREDENTIALS_ATTEST, actor="serve", resource="credentials", facts={"verdict": verdict, "checks": 2},
        outcome=Outcome.FAILED if verdict == "writable" else Outcome.OK,
        bodies={"attestation": json.dumps(body).encode()},
    )  # fmt: skip
    return int(here.log.append(entry).index)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_attestations_say_what_was_proved_when(here: People) -> None:
    good = attested(here, "read-only", "HTTP 405")
    bad = attested(here, "writable", "HTTP 200 <b>written</b>")
    page = here.get("/attestations", "ada").text
    cards = re.findall(r'<section class="card">.*?</section>', page, re.S)
    assert [re.search(r"record (\d+)", c)[1] for c in cards[:2]] == [str(bad), str(good)]  # type: ignore[index]
    assert (
        '<span class="pill bad">writable</span>' in cards[0] and '<span class="pill good">read-only</span>' in cards[1]
    )
    words = text_of(cards[0])
    for said in ("2 checks of 2 servers", "prometheus POST a rule writable", "loki push a line read-only HTTP 403"):
        assert said in words
    assert "use the proxy" in words and "<b>written</b>" not in page and "&lt;b&gt;written" in page
    system = here.get("/system", "ada").text
    assert f"record {bad}" in text_of(system) and '<span class="pill bad">writable</span>' in system


def promoted(here: People, release: str, approver: str, **given: Any) -> int:
    facts: dict[str, Any] = {"release": release, "approved": True, "rollback": False, "worlds": 130}
    hashes = {part: f"{part}-1" for part in ("prompts", "model", "policy", "runbooks", "code")}
    entry = Entry(
        event=Event.RELEASE_PROMOTE, identity=approver or None, actor="" if approver else "baseline", origin="cli",
        resource=f"release/{release}", facts={**facts, **hashes, **given}, bodies={"authors": b"ann ben"},
    )  # fmt: skip
    return int(here.log.append(entry).index)


def test_releases_say_who_accepted_what_and_what_was_gone_back_to(here: People) -> None:
    promoted(here, "aaaaaaaaaaaa", "", approved=False)
    promoted(here, "bbbbbbbbbbbb", "cora", prompts="prompts-2", falls=["cause_1"])
    promoted(here, "cccccccccccc", "dan", prompts="prompts-2", model="model-2")
    back = promoted(here, "bbbbbbbbbbbb", "cora", prompts="prompts-2", rollback=True)
    page = here.get("/releases", "ada").text
    rows = [text_of(r) for r in re.findall(r"<tr data-row>.*?</tr>", page.partition('id="accepted"')[2], re.S)][:4]
    assert "rolled back to bbbbbbbbbbbb the accepted one now cora ann ben model 130" in rows[0]
    assert f"record {back}" in rows[0]
    assert "accepted cccccccccccc dan ann ben model 130" in rows[1] and "accepted one now" not in rows[1]
    assert "accepted bbbbbbbbbbbb although these fell: cause_1 cora ann ben prompts 130" in rows[2]
    assert "baseline, approved by nobody aaaaaaaaaaaa nobody ann ben" in rows[3]
    running = page.partition('id="running"')[2]
    assert "not in this log" in running  # what runs here was never accepted in this log
    me = here.log.get(0)
    assert me.event is Event.LOG_OPEN and str(me.facts["release"]) in running
    own = promoted(here, str(me.facts["release"]), "dan")
    running = here.get("/releases", "ada").text.partition('id="running"')[2]
    assert '<span class="pill good">yes</span>' in running and own


def test_the_coverage_line_is_true_to_the_values(here: People) -> None:
    """ "Records 0 to N, verified, held at, tail n": each against the log and the place that holds checkpoints."""
    here.live._publisher.publish_now()
    assert here.post("/log/verify", {}, "ada").status == 200
    verified = next(r for r in reversed(here.records(Event.AUDIT_READ)) if r.facts.get("action") == "verify")
    page = here.get("/log", "ada").text
    covered, size = here.live.covered().covered, here.log.size()
    said = text_of(page.partition('id="coverage"')[2].partition("</p>")[0]).replace("\u202f", "")
    assert f"Records 0 to {size - 1}, no gap" in said and 0 < covered < size
    assert f"record {verified.index} )" in said and "verified without doubt" in said
    assert re.search(rf"records 0 to {covered - 1} held at \S*elsewhere\S* ?, taken \d+ s ago", said), said
    assert re.search(rf"tail {size - covered} records, \d+ s", said), said
    share = re.search(r'class="held" width="([\d.]+)"', page)
    assert share and abs(float(share[1]) - 100 * covered / size) < 0.01
