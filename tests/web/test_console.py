"""The console as people use it: Chromium on the served demo. Screenshots are kept beside the test's other files."""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant.promptlog.checkpoint import parse_proof
from assistant.promptlog.record import Entry, Event, Outcome
from redaction import FinalScanner
from tests.doubles.node import install
from tests.notebook.test_notes import a_note
from tests.web.served import HOSTILE, HOSTILE_INCIDENT, WORLD, Looked, Served, chromium, served

pytestmark = pytest.mark.xdist_group("console")


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("state")) as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


@pytest.fixture(scope="module")
def cookies(demo: Served, browser: Any) -> Any:
    """The session of somebody who opened the link of this start."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(demo.showing.link(), timeout=60_000)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def looked() -> Looked:
    return Looked()


@pytest.fixture
def page(browser: Any, cookies: Any, looked: Looked) -> Iterator[Any]:
    context = browser.new_context(storage_state=cookies, viewport={"width": 1360, "height": 900}, accept_downloads=True)
    yield looked.at(context.new_page())
    context.close()


def shoot(page: Any, folder: Path, name: str) -> None:
    path = folder / f"{name}.png"
    page.screenshot(path=path, full_page=True)
    print(f"screenshot: {path}")


def pages_of(demo: Served) -> list[str]:
    return [
        *("/", f"/incidents/{demo.incident}", f"/incidents/{HOSTILE_INCIDENT}", "/records", f"/records/{demo.request}"),
        *("/review", "/log", "/attestations", "/releases", "/export", "/system", "/incidents/inc-none"),
    ]


def well(demo: Served, looked: Looked) -> None:
    """No request left this host, and nothing was refused by the content policy or failed in a script."""
    assert looked.hosts == {demo.base}
    assert looked.errors == []


def test_the_commanders_journey(demo: Served, page: Any, looked: Looked, tmp_path: Path) -> None:
    page.goto(demo.base + "/")
    assert page.locator("tr[data-row]").first.inner_text().startswith("critical")
    page.fill("[data-search]", "acquirer-connector")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=acquirer-connector**")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/incidents/{demo.incident}")
    claim = page.locator("#summary-1")
    claim.hover()
    ids = claim.get_attribute("data-evidence").split()
    assert page.locator(".evidence.lit").evaluate_all("all => all.map(x => x.id)") == [f"e-{i}" for i in ids]
    chart = page.locator(f"#e-{ids[0]} .chart > svg").first
    assert chart.locator("title").text_content() and "onset at" in chart.locator("desc").text_content()
    assert chart.locator(".onset").count() == 1
    assert page.locator(f"#e-{ids[0]} .chart >> nth=0").locator("table tbody tr").count() > 10
    page.keyboard.press("j")
    page.keyboard.press("e")
    assert page.evaluate("document.activeElement.classList.contains('evidence')")
    page.click("text=revision 1")
    page.wait_for_selector("text=This is an earlier revision")
    page.click("text=revision 2 >> nth=0")
    page.wait_for_selector("#changed:has-text('revision 2 changed')")
    assert page.locator(".diff div").count() > 0
    shoot(page, tmp_path, "commander")
    page.goto(f"{demo.base}/incidents/{demo.incident}")
    page.click("button:text-is('Handover')")
    text = page.inner_text("#paper-text")
    assert text.startswith("# Handover")
    with page.expect_download() as got:
        page.click("text=Download .md")
    assert Path(got.value.path()).read_text(encoding="utf-8").split() == text.split()
    well(demo, looked)


def test_what_people_say_becomes_a_record(demo: Served, page: Any) -> None:
    before = demo.count(Event.FEEDBACK)
    page.goto(f"{demo.base}/incidents/{demo.incident}")
    page.check("input[value=wrong]")
    page.fill("textarea[name=words]", "it was the issuer, ask jane.doe@example.com")
    page.click("#say button")
    page.wait_for_selector("text=Thank you: what you said is a record")
    assert demo.count(Event.FEEDBACK) == before + 1


def test_a_revision_of_another_replica_shows_without_a_reload(demo: Served, page: Any, looked: Looked) -> None:
    book = demo.replica()
    book.put(a_note(1, incident="inc-live", title="Approvals fell"))
    page.goto(f"{demo.base}/incidents/inc-live")
    page.wait_for_selector("#live:text-is('live')")
    page.evaluate("window.same = true")
    book.put(a_note(2, incident="inc-live", title="Approvals fell further"))
    page.wait_for_selector("h1:has-text('Approvals fell further')")
    assert page.evaluate("window.same")
    assert page.locator(".revisions li").count() == 2
    page.goto(demo.base + "/")
    page.evaluate("window.same = true")
    book.put(a_note(1, incident="inc-new", title="Something else began"))
    page.wait_for_selector("a:has-text('Something else began')")
    assert page.evaluate("window.same")
    well(demo, looked)


def test_the_auditors_journey(demo: Served, page: Any, looked: Looked, tmp_path: Path) -> None:
    reads = demo.count(Event.AUDIT_READ)
    page.goto(f"{demo.base}/records?event=llm.request&class=pan&outcome=ok&since=2026-01-01T00:00")
    page.click("[data-open]")
    page.wait_for_url(f"**/records/{demo.request}")
    assert page.locator(".prompt mark.card").first.inner_text() == "<PAN_1 visa 411111>"
    assert page.locator(".prompt mark.personal").first.inner_text() == "<EMAIL_1>"
    assert "byte-identical" in page.inner_text(".badges")
    assert "grounding" in page.inner_text("main")
    page.wait_for_selector("#proof-browser:has-text('It holds.')")
    page.click("text=Step by step")
    assert page.locator(".seen.good").count() == page.locator("#steps li").count()
    with page.expect_download() as got:
        page.click("text=Download the proof")
    assert parse_proof(Path(got.value.path()).read_text(encoding="utf-8")).index == demo.request
    assert demo.count(Event.AUDIT_READ) == reads + 3
    shoot(page, tmp_path, "auditor")
    page.goto(demo.base + "/log")
    page.click("text=Verify now")
    assert "no doubt" in page.inner_text("#report")
    well(demo, looked)


def test_a_forged_leaf_is_seen_by_the_browser(demo: Served, page: Any) -> None:
    """The check in the page is one: with a leaf that was changed on the way it says no."""

    def forge(route: Any) -> None:
        answer = route.fetch()
        said, other = ("&#34;outcome&#34;:&#34;ok&#34;", "&#34;outcome&#34;:&#34;ko&#34;")
        route.fulfill(response=answer, body=answer.text().replace(said, other))

    page.route(f"**/records/{demo.request}", forge)
    page.goto(f"{demo.base}/records/{demo.request}")
    page.wait_for_selector("#proof-browser:has-text('does NOT hold')")


def test_review_and_export(demo: Served, page: Any, looked: Looked) -> None:
    stranger = Entry(event=Event.AUTH_DENIED, actor="unknown", outcome=Outcome.DENIED, resource="console")
    demo.showing.live.house.promptlog.append(stranger)
    page.goto(demo.base + "/review")
    page.click("text=Screen now")
    page.wait_for_selector("button:text-is('Take the next'):enabled")
    page.click("text=Take the next")
    taken = page.inner_text("#at-hand h2")
    page.fill("[name=reason]", "who changed this?")
    page.click("button.danger")
    page.wait_for_selector("#at-hand", state="detached")
    assert taken.startswith("At hand") and "auth.denied" in taken
    page.goto(demo.base + "/export")
    page.fill("[name=reason]", "quarterly review")
    page.fill("[name=incident]", "inc-prompt")
    with page.expect_download() as got:
        page.click("text=Download the bundle")
    with zipfile.ZipFile(got.value.path()) as bundle:
        assert json.loads(bundle.read("bundle.json"))["records"] >= 2
        assert "verify_promptlog.py" in bundle.namelist()
    well(demo, looked)


def test_hostile_content_shows_as_text_and_does_nothing(demo: Served, page: Any, looked: Looked) -> None:
    for path in ("/", f"/incidents/{HOSTILE_INCIDENT}", f"/records/{demo.request}"):
        page.goto(demo.base + path)
        page.wait_for_timeout(200)
        assert "owned" not in page.title() or "<script>" in page.title()
        foreign = (
            "main script, main img, main iframe, main a[href*=evil], main [onerror], main [onmouseover], main [onload]"
        )
        assert page.locator(foreign).count() == 0
        assert page.locator("h1:text-is('owned')").count() == 0
    page.goto(f"{demo.base}/incidents/{HOSTILE_INCIDENT}")
    shown = page.inner_text("main")
    assert all(text in shown for text in HOSTILE if "\u202e" not in text)
    assert "\u202e" not in shown and "⟨U+202E⟩" in shown
    well(demo, looked)


def test_no_card_number_of_the_recording_is_in_any_page(demo: Served, page: Any) -> None:
    """The recording's logs hold card numbers; the pages are what became of them, through the whole real path."""
    raw = gzip.decompress((WORLD / "logs.ndjson.gz").read_bytes()).decode()
    scanner = FinalScanner()
    planted = {n for n in re.findall(r"(?<!\d)\d{13,19}(?!\d)", raw) if _is_card(scanner, n)}
    assert planted
    for path in pages_of(demo):
        html = page.request.get(demo.base + path).text()
        assert not [n for n in planted if n in html], path


def _is_card(scanner: FinalScanner, number: str) -> bool:
    from redaction import LeakBlocked

    try:
        scanner.check(f"card {number}", sink="test")
    except LeakBlocked:
        return True
    return False


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(demo: Served, browser: Any, cookies: Any, scheme: str) -> None:
    try:
        home = install()
    except (RuntimeError, OSError) as fault:
        pytest.skip(f"axe-core is not installed: {fault}")
    source = (home / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    context = browser.new_context(storage_state=cookies, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(60_000)
    found: list[str] = []
    for path in pages_of(demo):
        page.goto(demo.base + path)
        page.evaluate(source)
        for violation in page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]:
            found += [f"{path}: {violation['id']}: {n['html'][:160]}" for n in violation["nodes"][:3]]
    context.close()
    assert not found, "\n".join(found)


def test_everything_is_there_without_script(demo: Served, browser: Any, cookies: Any) -> None:
    context = browser.new_context(storage_state=cookies, java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(demo.base + "/")
    page.click(f"a[href='/incidents/{demo.incident}']")
    page.click("#summary-1 a.chip >> nth=0")
    page.wait_for_url("**#e-*")
    page.click("button:text-is('Stakeholder update')")
    page.wait_for_selector("#paper-text")
    assert not page.locator("[data-copy]").is_visible()
    page.goto(f"{demo.base}/records/{demo.request}")
    assert "it holds" in page.inner_text("#proof")
    context.close()


def test_phone_and_print(demo: Served, browser: Any, cookies: Any, tmp_path: Path) -> None:
    context = browser.new_context(storage_state=cookies, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.set_default_timeout(60_000)
    for path in pages_of(demo):
        page.goto(demo.base + path)
        wide = "all => all.filter(x => x.getBoundingClientRect().right > 360.5 && !x.closest('.scroll-x, nav, pre'))"
        over = page.locator("body *").evaluate_all(wide + ".map(x => x.outerHTML.slice(0, 120))")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, (path, over[:5])
    page.goto(f"{demo.base}/incidents/{demo.incident}")
    shoot(page, tmp_path, "phone")
    page.locator("[id^='summary-']", has_text="of the loss").locator("a.chip").first.click()
    sheet = page.locator("#sheet")
    assert sheet.is_visible() and sheet.locator(".chart .onset").count() > 0
    assert sheet.locator("#sheet-body [id]").count() == 0 and "carry" in sheet.inner_text()
    shoot(page, tmp_path, "phone-evidence")
    page.keyboard.press("Escape")
    page.click("#summary-1")
    assert sheet.is_visible()
    page.click("#sheet button")
    assert not sheet.is_visible()
    page.emulate_media(media="print")
    assert not page.locator(".top").is_visible()
    assert page.locator("#summary-1").is_visible() and page.locator(".evidence >> nth=0").is_visible()
    shoot(page, tmp_path, "print")
    context.close()
