"""The live page in a real browser: an analyst records and corrects, a director's phone follows; all can read it."""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import places
import pytest
from playwright.sync_api import expect
from service_scenes import MODEL, NOW, ROW, Served, listening, served
from year import issued_tiny

from forecast import inference
from forecast.service import worker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

CARD = "#card-tension .most"
AXE = places.TESTS / "vendor" / "axe.min.js"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
REFUSED = "status of 422"  # what the console says of a row that is refused, which the page shows
QUICK = 2.0  # seconds within which a director sees what an analyst did


@pytest.fixture
def team(tmp_path: Path) -> Served:
    """Serve a project of its own."""
    return served(Path(shutil.copytree(issued_tiny(), tmp_path / "project")))


@contextmanager
def _sight(
    browser: Browser, address: str, size: dict[str, int], token: str = "", scheme: str = "light"
) -> Iterator[Page]:
    """Open the page, signed in by a token; what goes wrong in it is a failure."""
    context = browser.new_context(viewport=size, color_scheme=scheme)
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console", lambda said: faults.append(said.text) if said.type == "error" and REFUSED not in said.text else None
    )
    page.on("request", lambda request: None if request.url.startswith(address) else faults.append(request.url))
    if token:
        page.goto(f"{address}/sign-in")
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url(f"{address}/")
    else:
        page.goto(address)
    try:
        yield page
        assert faults == []
    finally:
        context.close()


def _number(page: Page) -> str:
    return page.locator(CARD).inner_text()


def test_a_story_of_an_analyst_and_a_director(browser: Browser, team: Served) -> None:
    """Found by a word, recorded, seen to move, corrected; the phone shows each within two seconds, without a token."""
    token = team.token("write")
    with (
        listening(team.desk) as address,
        _sight(browser, address, DESK, token) as analyst,
        _sight(browser, address, PHONE) as director,
    ):
        before = _number(director)
        assert director.get_by_role("heading", name="Record a sighting").count() == 0
        form = analyst.locator("#record-part form")
        form.get_by_label("Find the indicator by words of the event").press_sequentially("marching", delay=10)
        form.get_by_label("A march").check()
        form.get_by_label("Day of the event").fill("2025-01-14")
        form.get_by_label("Source").fill("APA")
        form.get_by_label("Admiralty grade").fill("A1")
        form.get_by_role("button", name="Record").click()
        began = time.monotonic()
        result = analyst.locator("#record-result")
        result.get_by_text("Recorded:").wait_for()
        after = result.locator("strong").first.inner_text()
        assert after != before
        expect(director.locator(CARD)).to_have_text(after)
        assert time.monotonic() - began < QUICK
        expect(analyst.locator(CARD)).to_have_text(after)  # its own page hears of it as any other does
        assert "by" in analyst.locator("#log-part thead").inner_text()
        analyst.locator("#log-part").get_by_text("Ada").first.wait_for()
        result.get_by_role("button", name="Correct this row").click()
        analyst.get_by_role("heading", name="Correct march").wait_for()
        again = analyst.locator("#record-part form")
        again.get_by_label("Admiralty grade").fill("E5")
        again.get_by_role("button", name="Correct the row").click()
        result.get_by_text("Corrected:").wait_for()
        expect(director.locator(CARD)).not_to_have_text(after)
    ledger = team.desk.project.ledger
    assert [(row.action, row.by) for row in ledger.log("tiny", 2)] == [("correct", "Ada"), ("add", "Ada")]
    assert ledger.verify() == ()


def test_a_supposition_is_ticked(browser: Browser, team: Served) -> None:
    """Before and after stand under it; nothing is recorded; with nothing ticked it is said in words."""
    head = team.desk.head()
    with listening(team.desk) as address, _sight(browser, address, DESK) as page:
        page.get_by_role("button", name="Suppose these are seen").click()
        page.locator("#what-if-result").get_by_text("nothing is ticked").wait_for()
        page.locator("#what-if").get_by_label("A shot").check()
        page.get_by_role("button", name="Suppose these are seen").click()
        page.locator("#what-if-result table").wait_for()
        page.locator("#watch table").wait_for()
        page.locator("#matrix table").first.wait_for()
        page.locator("#history img").first.wait_for()
        natural = page.locator("#history img").first.evaluate("image => image.complete && image.naturalWidth")
        assert natural > 100
    assert team.desk.head() == head


def test_a_row_is_withdrawn_and_a_wrong_one_refused(browser: Browser, team: Served) -> None:
    """Both say so where the form is; a refusal keeps what was typed."""
    row = team.client.post(f"{MODEL}/observations", json=ROW, headers=team.bearer("write")).json()["new"][0]
    with listening(team.desk) as address, _sight(browser, address, DESK, team.token("write")) as page:
        page.get_by_role("button", name=f"Withdraw {row}").click()
        page.get_by_label("Why it is withdrawn").fill("A mistake")
        page.get_by_role("button", name="Withdraw the row").click()
        page.locator("#record-result").get_by_text("Withdrawn:").wait_for()
        page.reload()
        form = page.locator("#record-part form")
        form.get_by_label("Source").fill("APA")
        form.get_by_label("Admiralty grade").fill("B2")
        form.get_by_role("button", name="Record").click()
        page.locator("#record-result").get_by_text("Not done:").wait_for()
        assert form.get_by_label("Source").input_value() == "APA"
    assert [entry.id for entry in team.desk.project.ledger.entries("tiny")].count(row) == 0


@pytest.mark.usefixtures("no_pictures")
def test_an_own_forecast_is_given_before_the_model_s_is_seen(
    browser: Browser, team: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No number of the model is on that page until one's own is on record."""
    settings = inference.Settings(draws=500, tune=200, chains=2)
    monkeypatch.setattr(worker.inference, "Settings", lambda: settings)
    (shot,) = team.desk.project.ledger.entries("tiny")
    team.desk.project.ledger.retract("tiny", shot.id, reason="as if nothing had begun", now=NOW)
    team.client.post(f"{MODEL}/runs", json={}, headers=team.bearer("write"))
    worker.work(team.desk.root, lambda: NOW, stop=threading.Event(), once=True)
    with listening(team.desk) as address, _sight(browser, address, DESK, team.token("write")) as page:
        page.get_by_role("link", name="Your own forecasts").click()
        page.get_by_role("heading", name="Your own forecasts").wait_for()
        assert "%" not in page.locator("main").inner_text()
        page.get_by_label("Your probability, in percent").first.fill("35")
        page.get_by_role("button", name="Record").first.click()
        page.get_by_text("the model").first.wait_for()
    (kept,) = team.desk.project.ledger.judgements.every()
    assert (kept.analyst, kept.probability, kept.blind, kept.recorded_by) == ("Ada", 0.35, True, "Ada")


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "light"), (DESK, "dark")])
def test_everyone_can_read_it(browser: Browser, team: Served, size: dict[str, int], scheme: str) -> None:
    """Axe finds nothing on any page, and nothing is wider than the window."""
    token = team.token("write")
    with listening(team.desk) as address, _sight(browser, address, size, token, scheme) as page:
        for path, ready in (("/", "#matrix table"), ("/judge", "h1"), ("/sign-in", "form")):
            page.goto(address + path)
            page.locator(ready).first.wait_for()
            if path == "/":
                page.locator("#watch table").wait_for()
                page.locator("#words").press_sequentially("march")
                page.locator("#found input").first.wait_for()
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, path
            faults = page.evaluate(_AXE, AXE.read_text(encoding="utf-8"))
            assert faults == [], path


_AXE = """async (source) => {
  const run = new Function('module', 'exports', 'define', source + '; return window.axe;');
  const axe = run(undefined, undefined, undefined);
  const found = await axe.run(document);
  return found.violations.map(one => [one.id, one.impact, one.nodes.map(node => node.html.slice(0, 120))]);
}"""


def test_it_works_by_keyboard(browser: Browser, team: Served) -> None:
    """The first stop skips to the forecast, and a supposition is made without a pointer."""
    with listening(team.desk) as address, _sight(browser, address, DESK) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.locator("#what-if").get_by_label("A shot").focus()
        page.keyboard.press("Space")
        page.get_by_role("button", name="Suppose these are seen").focus()
        page.keyboard.press("Enter")
        page.locator("#what-if-result table").wait_for()
