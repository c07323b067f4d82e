"""The live page in a real browser, of a ledger in which every text is hostile: it is shown as text and does nothing."""

from __future__ import annotations

import datetime as dt
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from service_scenes import NOW, listening, served
from year import issued_tiny

from forecast.ledger.check import Row, check_entries
from forecast.service.people import COOKIE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from playwright.sync_api import Browser, Page
    from service_scenes import Served

HOSTILE = (
    "<script>window.injected = 1</script>",
    "</script></textarea></title><script src=https://evil.example/x.js></script>",
    '"\'><img class=injected src=x onerror="window.injected = 2">',
    "' autofocus onfocus='window.injected = 3' hx-get='https://evil.example/' hx-trigger='load' x='",
    '" hx-on::load="window.injected = 4" data-hx-get="/part/runs" hx-trigger="load" hx-vals="js:{a: 1}',
    "{{ 7 * 7191 }}{% raw %}${window.injected = 6}#{7 * 7191}",
    "\u202egnp.exe\u202c \u2066\u2067\u061c\u200f\u2028\u2029\u0301 \u05e9\u05dc\u05d5\u05dd",
    "<svg/onload=window.injected=7><iframe class=injected src=javascript:parent.injected=8>",
    "<form class=injected action=//evil.example><base href=//evil.example><style>*{display:none}</style>",
    "&lt;script&gt; &#60;b class=injected&#62; %3Cb class=injected%3E \\u003cb class=injected\\u003e",
)
LINKS = (
    "https://example.org/\"onmouseover='window.injected=9'", "https://example.org/<script>window.injected=10</script>",
    "https://example.org/?a=&quot;><b/class=injected>",
)  # fmt: skip
STRANGE = """
() => ({
  injected: window.injected ?? null,
  elements: document.querySelectorAll(
    ".injected, iframe, object, embed, base, style, script:not([src^='/static/']), img[src='x'], " +
    "[onerror], [onload], [onfocus], [onmouseover], [autofocus], [hx-on\\\\:\\\\:load], [hx-vals], [data-hx-get]"
  ).length,
  away: [...document.querySelectorAll("[src], [href], [action], [hx-get], [hx-post]")].filter((one) =>
    ["src", "href", "action", "hx-get", "hx-post"].some((name) => {
      const value = one.getAttribute(name);
      return value !== null && value !== "data:," && new URL(value, location.href).origin !== location.origin;
    })).length,
  turned: [...document.querySelectorAll("main *")].filter((one) =>
    [...one.childNodes].some((node) => node.nodeType === 3 && /[\\u202a-\\u202e\\u2066-\\u2069]/.test(node.data)) &&
    !one.closest("bdi, textarea")).length,
})
"""
INERT = {"injected": None, "elements": 0, "away": 0, "turned": 0}


class Sight(NamedTuple):
    """A page that is open, and what went wrong in it: console, dialogs, requests that leave."""

    page: Page
    faults: list[str]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Served:
    """Serve a project whose rows, jobs and people have hostile texts."""
    team = served(Path(shutil.copytree(issued_tiny(), tmp_path_factory.mktemp("hostile") / "project")))
    model = team.desk.project.model(None)
    for k, text in enumerate(HOSTILE):
        cells = {"indicator": "march", "date": "2025-01-13", "grade": "F6", "url": LINKS[k % len(LINKS)]}
        cells |= {"id": f"{text}{k}", "source": text, "note": text, "story": text}
        dataset = team.desk.dataset(model, text)
        entries = check_entries([Row(file="x", line=k, kind="observation", cells=cells)], dataset.vocabulary())
        assert dataset.ledger.add(dataset.name, entries, now=NOW).new
        queue = team.desk.project.ledger.signed(text).jobs
        queue.ask("tiny", dt.date(2025, 1, 1) + dt.timedelta(days=k), "{}", NOW)
        taken = queue.take(text, NOW)
        assert taken is not None
        if k != len(HOSTILE) - 1:
            queue.end(taken, NOW, message=text)
        else:
            queue.tell(taken, NOW, stage=HOSTILE[2], done=1, total=2)
    return team


@contextmanager
def _opened(browser: Browser, team: Served, person: str, path: str = "/") -> Iterator[Sight]:
    """Open the page as a person who may write; what would leave this machine is noted and stopped."""
    with listening(team.desk) as address:
        context = browser.new_context()
        context.add_cookies([{"name": COOKIE, "value": team.token("write", person), "url": address}])
        page, faults = context.new_page(), []
        page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("dialog", lambda shown: (faults.append(f"dialog {shown.message}"), shown.dismiss()))

        def answer(route: Any) -> None:
            if route.request.url.startswith(f"{address}/"):
                route.continue_()
            else:
                faults.append(f"request {route.request.url}")
                route.abort()

        context.route("**/*", answer)
        page.goto(f"{address}{path}")
        page.locator("#log-part table").wait_for(timeout=60_000)
        page.locator("#runs-part ul").wait_for(timeout=60_000)
        try:
            yield Sight(page, faults)
        finally:
            context.close()


@pytest.fixture(scope="module")
def page(browser: Browser, hostile: Served) -> Generator[Sight]:
    """Open the page as somebody whose name is hostile too."""
    with _opened(browser, hostile, HOSTILE[2]) as found:
        yield found


@pytest.fixture
def sight(page: Sight) -> Sight:
    """Give the open page, without the faults of another test."""
    page.faults.clear()
    return page


def test_rows_jobs_and_names_are_shown_as_text(sight: Sight) -> None:
    """Every one stands there sign by sign, and no script, element or address came from it."""
    text = sight.page.locator("body").text_content() or ""
    for one in (*HOSTILE[-3:], HOSTILE[2]):
        assert one in text
    assert "50337" not in text, "what stands in braces was worked out"
    assert sight.page.evaluate(STRANGE) == INERT
    assert sight.faults == []


def test_forms_hold_hostile_texts_as_they_are(hostile: Served, sight: Sight) -> None:
    """To correct a row and to withdraw it, of every row that the log shows."""
    notes = {row.note for row in hostile.desk.dataset(hostile.desk.project.model(None), "").entries()}
    for name in ("Correct", "Withdraw"):
        buttons = sight.page.locator(f"#log-part button:text-is('{name}')")
        assert buttons.count() >= len(HOSTILE) - 1
        for k in range(buttons.count()):
            sight.page.locator("#record-part").evaluate("one => one.replaceChildren()")
            buttons.nth(k).click()
            sight.page.locator("#record-part h3").wait_for()
            if name == "Correct":
                note = sight.page.locator("#record-part textarea").input_value()
                assert note in notes
            assert sight.page.evaluate(STRANGE) == INERT
    assert sight.faults == []


def test_answers_and_refusals_hold_hostile_texts_as_they_are(sight: Sight) -> None:
    """What a row that is recorded gives, and a message that repeats what was typed."""
    sight.page.goto(sight.page.url)
    sight.page.locator("#log-part table").wait_for(timeout=60_000)
    sight.page.locator("#words").fill("march")
    sight.page.locator("#found input[type=radio]").first.wait_for()
    sight.page.locator("#source").fill(HOSTILE[1])
    sight.page.locator("#story").fill(HOSTILE[0])
    sight.page.locator("#date").fill("2025-01-12")
    sight.page.locator("#grade").evaluate("one => one.removeAttribute('pattern')")
    sight.page.locator("#grade").fill("<b")
    sight.page.locator("#record-part form button").click()
    sight.page.locator("#record-result .fault").wait_for()
    assert sight.page.evaluate(STRANGE) == INERT
    sight.page.locator("#grade").fill("F6")
    sight.page.locator("#record-part form button").click()
    sight.page.locator("#record-result [role=status]").wait_for()
    assert sight.page.evaluate(STRANGE) == INERT
    sight.page.locator("#what-if-words").fill(HOSTILE[0])
    sight.page.wait_for_timeout(500)
    assert sight.page.evaluate(STRANGE) == INERT
    refused = [one for one in sight.faults if "422" not in one]  # the browser notes that an answer was a refusal
    assert refused == []


def test_a_hostile_address_is_answered_as_text(hostile: Served) -> None:
    """Models, rows and words of an address stand in no answer as anything but text."""
    bearer = hostile.bearer("write")
    for text in HOSTILE:
        for path in ("/", "/part/now", "/part/retract", "/part/correct", "/part/indicators"):
            for model in ("tiny", text):
                query = {"model": model, "row_id": text, "words": text, "name": "seen", "kind": "radio"}
                answer = hostile.client.get(path, params=query, headers=bearer)
                if answer.headers["content-type"].startswith("text/html"):
                    for bad in (
                        "<script>window",
                        "<img class=injected",
                        "<iframe class",
                        "<form class=injected",
                        "50337",
                    ):
                        assert bad not in answer.text, (path, text)
                    assert "' autofocus onfocus='" not in answer.text
                    assert '" hx-on::load="' not in answer.text
                else:
                    assert answer.headers["content-type"] == "application/json", path
                    assert answer.headers["x-content-type-options"] == "nosniff"
