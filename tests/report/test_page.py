"""The page in a real browser: it draws, needs no network, can be read by everyone, and runs nothing from the data."""

from __future__ import annotations

import copy
import datetime as dt
import itertools
import json
import time
from contextlib import ExitStack, contextmanager
from functools import cache
from html import escape, unescape
from typing import TYPE_CHECKING, Any, NamedTuple

import places
import pytest

from forecast.base.errors import InputError
from forecast.record.post_mortem import PostMortem, Told, Witness
from forecast.report.chart_marks import anchor
from forecast.report.older import readable
from forecast.report.page import render_files
from forecast.report.post_mortem import render_post_mortem

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page

TEMPLATES = [places.TEMPLATES]
AXE = places.TESTS / "vendor" / "axe.min.js"
SECTIONS = [
    "Headline", "How one stage leads to the next", "How we got here", "By when", "What moved it", "What to watch next",
    "Which hypothesis the evidence speaks for", "What if", "What it rests on", "If somebody had looked for everything",
    "Can the numbers be trusted?",
    "Track record", "Observations", "How the outcomes are decided", "Assumptions",
]  # fmt: skip
PICTURES = 8
HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script><!-- <script>",
    "\"'><img src=x onerror=alert(3)>",
    "\u2028alert(4)\u2029 \u202edesrever\u202c \u200f\u061c שלום",
    "{{ 7 * 7 }} ${alert(5)} {% raw %}",
    "x" * 10_000,
    "long words " * 1000,
)


class Sight(NamedTuple):
    """A page that is open, and what went wrong in it: console, dialogs, requests."""

    page: Page
    faults: list[str]


def _data() -> dict[str, Any]:
    return json.loads(places.REPORT.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def issue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the files of the sample issue."""
    folder = tmp_path_factory.mktemp("issue")
    for name, content in render_files(_data(), TEMPLATES).items():
        (folder / name).write_bytes(content)
    return folder


def _rest_on(page: Page, mark: Locator) -> None:
    """Rest the pointer on a mark once the page has come to rest."""
    mark.scroll_into_view_if_needed()
    page.wait_for_timeout(200)
    box = mark.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6
    page.mouse.move(x + 30, y + 30)
    page.mouse.move(x, y, steps=3)
    page.locator(".tip").wait_for(state="visible", timeout=30_000)


def _hostile() -> dict[str, Any]:
    """Give an issue of which every text from outside is hostile."""
    data = _data()
    many = itertools.cycle(HOSTILE)
    links = itertools.cycle(
        ("javascript:alert(6)", "data:text/html,<script>alert(7)</script>", " JaVaScRiPt:alert(8)//")
    )
    for k, row in enumerate(data["evidence"]["rows"]):
        row.update({key: next(many) for key in ("what", "source", "note", "left_out")})
        row.update(id=f"{next(many)}{k}", url=next(links))
    ids = [row["id"] for row in data["evidence"]["rows"]]
    for k, event in enumerate(data["events"]):
        event.update(what=HOSTILE[k % len(HOSTILE)], rows=[ids[k]])
    drivers, model = data["drivers"], data["model"]
    named = [(row, "what") for row in [*drivers["moved"], *drivers["held_up"]]]
    named += [(row, "change") for row in data["sensitivity"]["shifts"]]
    labelled = [*data["watch"]["rows"], *data["what_if"], *data["cascade"]["stages"], *model["outcomes"].values()]
    for row, key in [*named, *((row, "label") for row in [*labelled, *model["stages"].values()])]:
        row[key] = next(many)
    for row in data["assumptions"]:
        row["basis"] = [{"kind": "article", "source": next(many), "quote": next(many), "note": next(many)}]
    for part in ("headline", "drivers", "watch", "matrix", "sources", "sensitivity", "track", "health", "alarm"):
        data[part]["sentences"] = list(HOSTILE)
    data["headline"] |= {part: list(HOSTILE) for part in ("stand", "changed", "why", "trust")}
    for row in data["matrix"]["rows"]:
        row["what"], row["notes"] = next(many), list(HOSTILE)
    for row in data["sources"]["rows"]:
        row["source"] = next(many)
    model["title"], data["notes"] = " ".join(HOSTILE[:5]), list(HOSTILE)
    return data


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give its page."""
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_text(render_files(_hostile(), TEMPLATES)["report.html"].decode(), encoding="utf-8")
    return path


@contextmanager
def _opened(browser: Browser, path: Path, *, pictures: int = PICTURES, **options: Any) -> Iterator[Sight]:
    """Open a page without a network and wait until its pictures are drawn."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda shown: (faults.append(f"dialog {shown.message}"), shown.dismiss()))
    address = path.as_uri()

    def answer(route: Any) -> None:
        if route.request.url.partition("#")[0] == address:
            route.continue_()
        else:
            faults.append(f"request {route.request.url}")
            route.abort()

    context.route("**/*", answer)
    page.goto(address)
    if options.get("java_script_enabled", True):
        page.wait_for_function(f"document.querySelectorAll('figure.drawn').length === {pictures}", timeout=60_000)
    try:
        yield Sight(page, faults)
    finally:
        context.close()


@pytest.fixture(scope="module")
def wide(browser: Browser, issue: Path) -> Generator[Sight]:
    """Open the page at the width of a desk."""
    with _opened(browser, issue / "report.html") as sight:
        yield sight


def test_everything_is_drawn_without_a_network(wide: Sight) -> None:
    """No fault in the console, no request, and every picture has a size."""
    assert wide.faults == []
    sizes = wide.page.eval_on_selector_all(
        ".live svg", "found => found.map(one => [one.clientWidth, one.clientHeight])"
    )
    assert len(sizes) == PICTURES
    assert all(width > 300 and height > 50 for width, height in sizes)


def test_the_sections_stand_in_order(wide: Sight) -> None:
    """Headings go down one level at a time, and the sections are those of a report."""
    levels = wide.page.eval_on_selector_all("h1, h2, h3", "found => found.map(one => Number(one.tagName[1]))")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert wide.page.locator("h2").all_inner_texts() == SECTIONS


def test_an_event_tells_its_name_and_leads_to_its_row(wide: Sight) -> None:
    """Resting on a mark shows what happened as text; a click goes to the row."""
    page = wide.page
    link = page.locator("#picture-known .live path[aria-label]").first
    name = link.get_attribute("aria-label")
    _rest_on(page, link)
    assert name
    assert name in page.locator(".tip").inner_text()
    link.click()
    page.wait_for_function("location.hash.startsWith('#row-')", timeout=30_000)
    assert page.evaluate("document.getElementById(decodeURIComponent(location.hash.slice(1))) !== null")
    assert wide.faults == []


def test_every_place_that_is_linked_is_there(wide: Sight) -> None:
    """Links within the page resolve, in the text and in the pictures; no id stands twice."""
    targets = wide.page.eval_on_selector_all(
        "a", "found => found.map(one => one.getAttribute('href') || one.getAttribute('xlink:href'))"
    )
    ids = wide.page.eval_on_selector_all("[id]", "found => found.map(one => one.id)")
    inside = {target[1:] for target in targets if target.startswith("#")}
    assert {anchor(row["id"]) for row in _data()["evidence"]["rows"]} <= set(ids)
    assert len(inside) > len(SECTIONS)
    assert inside <= set(ids)
    assert len(set(ids)) == len(ids)
    assert all(target.startswith(("#", "http://", "https://")) for target in targets)


@pytest.fixture(scope="module")
def unfolded(browser: Browser, issue: Path) -> Iterator[Callable[[str, int], Sight]]:
    """Give pages with everything unfolded, by scheme and width, each of which is opened once and only looked at."""
    with ExitStack() as stack:

        @cache
        def opened(scheme: str, width: int) -> Sight:
            options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
            sight = stack.enter_context(_opened(browser, issue / "report.html", **options))
            sight.page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true; })")
            return sight

        yield opened


LOOKS = [("light", 1280), ("dark", 360)]


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_nothing_is_wider_than_the_window(unfolded: Callable[[str, int], Sight], scheme: str, width: int) -> None:
    """Neither a phone nor a desk has to scroll sideways, with tables and details open."""
    page, faults = unfolded(scheme, width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    live = page.eval_on_selector_all(".live svg", "found => found.map(one => one.getBoundingClientRect().right)")
    assert max(live) <= width
    captions = page.eval_on_selector_all(".caption", "found => found.map(one => one.getBoundingClientRect())")
    assert max(one["right"] for one in captions) <= width  # a table that is wider is scrolled, its caption is not
    assert faults == []


CONTRAST = """() => {
  const light = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(Number).map(part => part / 255)
      .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  const ratio = text => {
    const [low, high] = [light(text), ground].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const texts = [...document.querySelectorAll("p, li, td, th, a, summary, .caption, figcaption")]
    .map(one => ratio(getComputedStyle(one).color));
  const labels = [...document.querySelectorAll("figure text")].map(one => ratio(getComputedStyle(one).fill));
  return {ground, texts: Math.min(...texts), labels: Math.min(...labels), count: labels.length};
}"""


@pytest.mark.parametrize(("scheme", "width"), [*LOOKS, ("dark", 1280)])
def test_texts_have_contrast(unfolded: Callable[[str, int], Sight], scheme: str, width: int) -> None:
    """In light and in dark, the text and the labels of the pictures stand out from the ground."""
    page, faults = unfolded(scheme, width)
    found = page.evaluate(CONTRAST)
    assert (found["ground"] < 0.1) == (scheme == "dark")
    assert found["count"] > 100
    assert found["texts"] >= 4.5
    assert found["labels"] >= 4.5
    assert faults == []


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_axe_finds_nothing_serious(browser: Browser, issue: Path, scheme: Any, width: int) -> None:
    """The accessibility checker finds no serious or critical fault, with everything unfolded."""
    options = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with _opened(browser, issue / "report.html", **options) as (page, _):
        page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true; })")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (row["id"], row["nodes"][0]["html"][:200], len(row["nodes"]))
            for row in found["violations"]
            if row["impact"] in {"serious", "critical"}
        ]
        assert serious == []
        assert len(found["passes"]) > 20


def test_axe_finds_nothing_on_the_page_of_a_question(browser: Browser, tmp_path: Path) -> None:
    """Lines, tables and folded reasons of a post-mortem."""
    told = tuple(
        Told(dt.date(2026, 1, day), 0.1 * day, None if day == 1 else 0.1, day == 1, ("A signing",), ("It rose.",))
        for day in (1, 2)
    )
    found = PostMortem(
        "m", "deal", "A deal", None, dt.date(2026, 2, 1), "yes", "by the rule", "On record.", "https://example.org",
        told, (Witness("A story", dt.date(2026, 1, 1), 2.0, right=True),),
    )  # fmt: skip
    path = tmp_path / "page.html"
    path.write_text(render_post_mortem(found.to_dict(), [places.TEMPLATES]), encoding="utf-8")
    with _opened(browser, path, pictures=0, viewport={"width": 360, "height": 740}, bypass_csp=True) as (page, faults):
        page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true; })")
        page.evaluate(AXE.read_text(encoding="utf-8"))
        said = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
        assert [row["id"] for row in said["violations"]] == []
        assert faults == []


def test_without_scripts_and_on_paper_the_pictures_stand_still(browser: Browser, issue: Path) -> None:
    """Where nothing runs, and in print, the static pictures are shown."""
    visible = "found => found.filter(one => one.getBoundingClientRect().height > 50).length"
    with _opened(browser, issue / "report.html", java_script_enabled=False) as (page, faults):
        assert page.locator(".still svg").first.is_visible()
        assert faults == []
    with _opened(browser, issue / "report.html") as (page, _):
        assert page.eval_on_selector_all(".still svg", visible) == 0
        page.emulate_media(media="print")
        assert page.eval_on_selector_all(".still svg", visible) == PICTURES
        assert page.eval_on_selector_all(".live svg", visible) == 0
        assert page.pdf().startswith(b"%PDF")


def test_hostile_text_is_inert(browser: Browser, hostile: Path) -> None:
    """Whatever stands in a row is shown as that text: nothing runs, nothing is fetched, nothing leads to a script."""
    with _opened(browser, hostile, viewport={"width": 360, "height": 740}) as (page, faults):
        link = page.locator("#picture-known .live path[aria-label]").first
        _rest_on(page, link)
        assert page.locator(".tip script, .tip img").count() == 0
        page.eval_on_selector_all("details", "found => found.forEach(one => { one.open = true; })")
        targets = page.eval_on_selector_all(
            "a", "found => found.map(one => one.getAttribute('href') || one.getAttribute('xlink:href'))"
        )
        assert all(target.startswith("#") for target in targets)
        assert page.locator("main img").count() == 0
        kinds = page.eval_on_selector_all("script", "found => found.map(one => one.type)")
        assert sorted(kinds) == ["", "", *["application/json"] * PICTURES]
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        text = page.locator("#observations").inner_text()
        assert "<script>alert(1)</script>" in text
        assert "x" * 9000 in text.replace("\n", "")
        assert faults == []


def test_the_page_is_one_small_file(issue: Path) -> None:
    """One file of less than 2.5 MB with nothing to fetch, and the Markdown names the pictures that are there."""
    text = (issue / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 2_500_000
    assert "<link" not in text
    assert " src=" not in text.partition("<script>")[0]
    assert "default-src 'none'" in unescape(text)
    assert "unsafe-eval" not in text
    markdown = (issue / "report.md").read_text(encoding="utf-8")
    pictures = {path.name for path in issue.glob("*.svg")}
    assert len(pictures) == PICTURES
    assert all(f"]({name})" in markdown for name in pictures)
    assert json.loads((issue / "forecast.json").read_text(encoding="utf-8")) == _data()


@pytest.mark.usefixtures("drawn_anew")
def test_the_same_data_give_the_same_bytes(issue: Path) -> None:
    """Rendering again changes nothing, and is quick."""
    begun = time.perf_counter()
    again = render_files(_data(), TEMPLATES)
    assert time.perf_counter() - begun < 10
    assert again == {path.name: path.read_bytes() for path in issue.iterdir()}


def test_both_forms_have_the_same_numbers(issue: Path) -> None:
    """Every cell of every table of the Markdown is on the page."""
    page = (issue / "report.html").read_text(encoding="utf-8")
    lines = (issue / "report.md").read_text(encoding="utf-8").splitlines()
    cells = {cell.strip() for line in lines if line.startswith("| ") for cell in line.strip("|").split("|")}
    plain = [cell for cell in cells if cell and not set(cell) & set("\\&<*`[]")]
    assert len(plain) > 200
    assert [cell for cell in plain if escape(cell) not in page and cell.replace("'", "&#39;") not in page] == ["---"]


def test_an_older_issue_has_the_other_sections(browser: Browser, tmp_path: Path) -> None:
    """What an older issue did not archive leaves its section out."""
    old = {"format", "model", "issued_at", "forecast", "conditionals", "notes", "path", "learned", "fit", "evidence"}
    data = {key: value for key, value in _data().items() if key in old}
    for name, content in render_files(data, TEMPLATES).items():
        (tmp_path / name).write_bytes(content)
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "report.md", "forecast.json"}
    with _opened(browser, tmp_path / "report.html", pictures=0) as (page, faults):
        kept = {"Headline", "How one stage leads to the next", "How we got here", "What it rests on",
                "Can the numbers be trusted?", "Observations", "How the outcomes are decided"}  # fmt: skip
        assert page.locator("h2").all_inner_texts() == [name for name in SECTIONS if name in kept]
        assert faults == []


@pytest.mark.parametrize(
    ("part", "was", "heading"),
    [
        ("sources", {"rows": [{"source": "APA", "rows": 2}], "sentences": ["APA told 2."]}, "Where the rows are from"),
        ("matrix", {"stages": 3}, "Which hypothesis the evidence speaks for"),
        ("known", [{"date": "2025-12-18", "outcomes": {}}, {"date": "2025-12-25", "outcomes": {}}], ""),
    ],
)
def test_a_part_that_another_version_archived_otherwise_is_left_out_and_named(
    part: str, was: object, heading: str
) -> None:
    """The rest of the report is there, the note says what is not, and the data are as they were archived."""
    data = copy.deepcopy(_data()) | {part: was}
    files = render_files(data, TEMPLATES)
    for name in ("report.html", "report.md"):
        text = unescape(files[name].decode())
        assert f"reads there: “{part}”" in text
        assert "(scenario-cascade 0.1.0, of " in text
        assert "Headline" in text
        assert not heading or heading not in text
    assert json.loads(files["forecast.json"]) == data


def test_data_of_this_version_are_read_as_they_are() -> None:
    """Nothing of them is left out."""
    assert readable(_data()) == _data()


def test_parts_that_are_empty_leave_no_trace() -> None:
    """An issue without a change, an alarm or a row is whole."""
    data = copy.deepcopy(_data())
    data.update(changes=None, alarm=None, what_if=[], reached={}, events=[])
    data["evidence"].update(rows=[], newest=None)
    data["drivers"].update(moved=[], held_up=[])
    text = render_files(data, TEMPLATES)["report.html"].decode()
    assert "No rows." in text
    assert "Conflict alarm" not in text
    assert 'id="picture-drivers"' not in text


def test_a_missing_template_is_named(tmp_path: Path) -> None:
    """A folder without the template is one clear error."""
    with pytest.raises(InputError, match=r"report\.html\.jinja: the template is faulty"):
        render_files(_data(), [tmp_path])["report.html"].decode()
