"""An issue with long names, many horizons and small numbers: its pictures can be read, and its tables fit."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from typing import TYPE_CHECKING, Any

import places
import pytest

from forecast.report.chart_marks import dates_axis, shortened, told_apart, upper_end
from forecast.report.page import render_files
from forecast.report.sections.cascade import cascade_chart
from forecast.report.sections.history import known_chart

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

LONG = "“The weekly number of laboratory-confirmed cases doubles within three weeks in all of the districts”"
WEEKS = (1, 2, 3, 4, 6, 8, 13, 26)
# Texts of a picture that run over each other, or over the edge of the page.
TOUCHING = """() => [...document.querySelectorAll("figure")].flatMap(figure => {
  const texts = [...figure.querySelectorAll(".live text")]
    .filter(one => one.textContent.trim() && getComputedStyle(one).opacity !== "0")
    .map(one => [one.textContent, one.getBoundingClientRect()]).filter(([_, box]) => box.width > 0);
  return texts.flatMap(([text, box], k) => [
    ...(box.left < 0 || box.right > innerWidth ? [[figure.id, text, "the edge"]] : []),
    ...texts.slice(0, k).filter(([_, other]) =>
      Math.min(box.right, other.right) - Math.max(box.left, other.left) > 1 &&
      Math.min(box.bottom, other.bottom) - Math.max(box.top, other.top) > 3).map(([other]) => [figure.id, text, other]),
  ]);
})"""


def _crowded() -> dict[str, Any]:
    data = json.loads(places.REPORT.read_text(encoding="utf-8"))
    as_of = dt.date.fromisoformat(data["forecast"]["as_of"])
    rows = [row for row in data["forecast"]["quantities"] if row["horizon_weeks"] != 4]
    some = [row for row in data["forecast"]["quantities"] if row["horizon_weeks"] == 4]
    for week in WEEKS:
        if not any(row["horizon_weeks"] == week for row in rows):
            when = {"horizon_weeks": week, "date": (as_of + dt.timedelta(weeks=week)).isoformat()}
            rows += [row | when for row in some]
    data["forecast"]["quantities"] = rows
    names, pairs = list(data["model"]["outcomes"]), {row["horizon_weeks"]: row["date"] for row in rows if row["date"]}
    data["headline"] |= {"exclusive": names[:-1], "others": names[-1:]}
    data["changes"] = {
        "since": "2026-01-01",
        "quantities": [
            {"outcome": name, "date": date, "horizon_weeks": week, "before": 0.1, "after": 0.12, "mcse": 0.001,
             "difference": 0.02}
            for name in names for week, date in pairs.items()
        ],
    }  # fmt: skip
    data["known"] = data["known"][-13:]
    for week in data["known"]:
        for row in week["outcomes"].values():
            row["then"] |= {key: row["then"][key] / 12 for key in ("mean", "low", "high")}
    seen = data["known"][0]["date"], data["known"][-2]["date"]
    held = data["drivers"]["held_up"]
    for k, date in enumerate(seen):
        data["events"][k] |= {"what": f"{LONG} ({dt.date.fromisoformat(date):%-d %b %Y})", "date": date}
        held[k]["what"] = data["events"][k]["what"]
    data["events"] = data["events"][:2]
    return data


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Give the report data; not to be changed."""
    return _crowded()


@pytest.fixture(scope="module")
def crowded(data: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give its page."""
    path = tmp_path_factory.mktemp("crowded") / "report.html"
    path.write_bytes(render_files(data, [places.TEMPLATES])["report.html"])
    return path


def _page(browser: Browser, path: Path, width: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_function("!document.querySelector('figure:not(.drawn)')")
    page.wait_for_timeout(300)
    return page


@pytest.mark.parametrize("width", [360, pytest.param(390, marks=pytest.mark.slow), 1366])
def test_no_text_of_a_picture_runs_over_another(browser: Browser, crowded: Path, width: int) -> None:
    """Labels keep clear of each other, of the numbers of the axes and of the edges, on a phone as on a desk."""
    page = _page(browser, crowded, width)
    try:
        assert page.evaluate(TOUCHING) == []
    finally:
        page.close()


def test_the_axis_of_small_numbers_fits_them_and_says_so(data: dict[str, Any]) -> None:
    """It begins at 0 and ends above the largest number; an end that is not 100 % is said."""
    most = max(row["then"]["mean"] for week in data["known"] for row in week["outcomes"].values())
    end, ticks = upper_end(most)
    assert most <= end < 2.5 * most
    assert ticks[0] == 0
    assert ticks[-1] == end
    assert known_chart(data).takeaway.endswith(f" The axis ends at {end:.0%}.")
    assert [upper_end(most)[0] for most in (0.0, 0.03, 0.1, 0.61, 1.0)] == [0.02, 0.05, 0.1, 1, 1]


@pytest.mark.parametrize("days", [14, 82, 119, 120, 400, 1095, 1096, 4000])
def test_no_two_dates_of_an_axis_read_alike(data: dict[str, Any], days: int) -> None:
    """Whatever the span, a date stands once."""
    told = copy.deepcopy(data)
    first, count = dt.date(2025, 9, 6), len(told["known"])
    for k, week in enumerate(told["known"]):
        week["date"] = (first + dt.timedelta(days=round(days * k / (count - 1)))).isoformat()
    told["events"] = []
    said = re.findall(r">((?:\d{1,2} )?(?:[A-Z][a-z]{2} )?20\d\d)<", known_chart(told).svg())
    assert 2 <= len(said) <= 8
    assert len(set(said)) == len(said)
    assert dates_axis("2025-09-06", told["known"][-1]["date"]).title is None


def test_a_label_is_cut_at_a_word_and_keeps_its_quote_and_date() -> None:
    """What tells two events apart that have one name is their date; where it is the end of a name, that is kept."""
    one, other = (shortened(f"{LONG} ({day} Oct 2026)") for day in (1, 26))
    assert re.fullmatch(r"“The weekly number of laboratory-confirmed cases( \w+)*…” \(1 Oct 2026\)", one)
    assert one != other
    assert len(one) <= len(other) <= 70
    assert shortened("everything from “a source of a long name” left out", 30) == "everything from “a source of…”"
    rates = [f"the rate of hospitals from strained beyond the normal winter level to {end}" for end in ("calm", "full")]
    short = told_apart(rates, 48)
    assert [text.rpartition(" ")[2] for text in short] == ["calm", "full"]
    assert all(len(text) <= 48 and " … " in text for text in short)
    assert len(shortened("x" * 10_000)) <= 70


def test_a_thin_band_of_the_sentence_has_its_number(data: dict[str, Any]) -> None:
    """What the sentence above the cascade quotes stands in the picture too, however thin the band."""
    told = copy.deepcopy(data)
    part = told["cascade"]
    last = part["stages"][-1]
    key = f"{last['stage']}.{data['lead']}"
    links = [row for row in part["links"] if row["to"] == key]
    for k, row in enumerate(links):
        row |= {"probability": 0.004 + 0.001 * k, "given": 0.011 + 0.01 * k}
    svg = cascade_chart(told).svg()
    assert len(links) > 1
    assert all(f">{k + 1}%<" in svg for k in range(len(links)))


def test_what_says_a_table_stays_in_sight_while_it_is_scrolled(browser: Browser, crowded: Path) -> None:
    """On a phone a caption lies outside of what scrolls, and says that it does; on a desk every column is there."""
    wider = "found => found.filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.ariaLabel)"
    hints = "found => found.map(one => one.nextElementSibling.ariaLabel)"
    for width in (360, 1366):
        page = _page(browser, crowded, width)
        try:
            page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true; })")
            page.wait_for_timeout(200)
            assert page.locator(".scroll .caption, table caption").count() == 0
            rights = page.eval_on_selector_all(
                ".caption", "found => found.map(one => one.getBoundingClientRect().right)"
            )
            assert max(rights) <= width
            scrolled = page.eval_on_selector_all(".scroll", wider)
            assert page.eval_on_selector_all(".caption.wide", hints) == scrolled
            assert (len(scrolled) > 5) is (width == 360)
            assert width == 360 or scrolled == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        finally:
            page.close()


def test_paper_holds_every_column_and_what_is_folded(browser: Browser, crowded: Path) -> None:
    """No table is wider than a page of A4, what is folded is open but for reasons, headings stay with what follows."""
    page = _page(browser, crowded, 680)  # 18 cm
    try:
        page.emulate_media(media="print")
        rights = page.eval_on_selector_all("table", "found => found.map(one => one.getBoundingClientRect().right)")
        assert len(rights) > 10
        assert max(rights) <= 680
        hidden = "found => found.filter(one => !one.checkVisibility()).map(one => one.outerHTML.slice(0, 80))"
        assert page.eval_on_selector_all("details:not(#assumptions details) :is(li, table)", hidden) == []
        kept = "found => [...new Set(found.map(one => getComputedStyle(one).breakAfter))]"
        assert page.eval_on_selector_all("h2, h3, summary, .caption, figcaption", kept) == ["avoid"]
    finally:
        page.close()


def test_what_print_unfolds_is_folded_again(browser: Browser, crowded: Path) -> None:
    """The page looks after printing as it did before."""
    page = _page(browser, crowded, 1366)
    try:
        page.evaluate("document.querySelector('details').open = true")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert page.locator("details:not([open]):not(#assumptions details)").count() == 0
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("details[open]").count() == 1
    finally:
        page.close()


def test_few_cards_use_the_width(browser: Browser, crowded: Path) -> None:
    """One outcome and one apart from it stand side by side, over the whole column."""
    page = _page(browser, crowded, 1366)
    try:
        page.evaluate("""() => document.querySelectorAll(".groups > div").forEach(group => {
          group.parentElement.classList.add("few");
          group.style.setProperty("--cards", 1);
          [...group.querySelectorAll("dl > div")].slice(1).forEach(one => one.remove());
        })""")
        cards = page.eval_on_selector_all(".groups dl > div", "found => found.map(one => one.getBoundingClientRect())")
        whole = page.locator("section").first.bounding_box()
        assert whole is not None
        assert len(cards) == 2
        assert cards[0]["bottom"] == pytest.approx(cards[1]["bottom"], abs=1)
        assert cards[1]["right"] == pytest.approx(whole["x"] + whole["width"], abs=1)
        assert cards[0]["right"] < cards[1]["left"] < cards[0]["right"] + 20
    finally:
        page.close()
