"""Pictures: valid specifications, one colour for each name, sentences that agree with the numbers, the same bytes."""

from __future__ import annotations

import copy
import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import altair as alt
import pytest
import vl_convert
from places import REPORT

from forecast.base.prose import chance
from forecast.report.chart_marks import SHADES, Chart, anchor, colours
from forecast.report.headline import headline
from forecast.report.sections.all_sections import CHARTS
from forecast.report.sections.all_sections import all_charts as charts
from forecast.report.sections.drivers import support_table

DATA = REPORT
NAMES = ["cascade", "known", "reached", "drivers", "support", "watch", "tornado", "covered"]


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Give the report data of an issue; not to be changed."""
    return json.loads(DATA.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def drawn(data: dict[str, Any]) -> dict[str, Chart]:
    """Give its pictures."""
    return charts(data)


@pytest.fixture(scope="module")
def again(data: dict[str, Any]) -> dict[str, Chart]:
    """Give them once more, from a copy of the data."""
    return charts(copy.deepcopy(data))


MAKERS = dict(zip([*NAMES, "track", "stages"], [make for _, make in CHARTS], strict=True))


def drawn_of(name: str, data: dict[str, Any]) -> Chart:
    """Draw one picture of other data."""
    chart = MAKERS[name](data)
    assert chart is not None
    assert chart.name == name
    return chart


def _values(chart: Chart) -> list[dict[str, Any]]:
    return [row for layer in chart.spec["layer"] for row in layer["data"]["values"]]


def test_every_picture_is_drawn(drawn: dict[str, Chart]) -> None:
    """A whole issue has all pictures, in the order of the page."""
    assert list(drawn) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_specification_is_valid(drawn: dict[str, Chart], name: str) -> None:
    """Vega-Lite's schema accepts it, and nothing in it is to be fetched."""
    spec = drawn[name].spec
    alt.Chart.from_dict(spec, validate=True)
    assert "http" not in json.dumps({key: value for key, value in spec.items() if key != "$schema"})
    assert "url" not in json.dumps(spec["layer"])
    assert "http" not in json.dumps(drawn[name].vega())


@pytest.mark.usefixtures("drawn_anew")
@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_the_same_each_time(drawn: dict[str, Chart], again: dict[str, Chart], name: str) -> None:
    """The same data give the same bytes, and they are an SVG with texts and shapes."""
    svg = drawn[name].svg()
    assert again[name].spec == drawn[name].spec
    assert again[name].svg() == svg
    root = ET.fromstring(svg)  # noqa: S314 - made here
    tags = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert {"svg", "text", "path"} <= set(tags)
    assert not {"script", "image", "foreignObject"} & set(tags)
    assert not re.search(r'(?:href|src)="(?!#)', svg)


def test_a_name_has_one_colour(data: dict[str, Any], drawn: dict[str, Chart]) -> None:
    """Wherever an outcome is drawn it has its colour, the states it asks for have it too, and no two outcomes share."""
    paint = colours(data["model"])
    outcomes = [paint[name] for name in data["model"]["outcomes"]]
    assert len(set(outcomes)) == len(outcomes)
    assert paint["relations.confrontation"] == paint["confrontation"]
    assert paint["peace.fresh_deal"] == paint["peace.settled_deal"] == paint["deal"]
    for name in ("known", "reached", "covered"):
        for row in _values(drawn[name]):
            if "outcome" in row and "colour" in row:
                assert row["colour"] == paint[row["outcome"].replace(" ", "_")]
    for row in _values(drawn["cascade"]):
        if "link" in row:
            assert row["colour"] == paint[row["link"].partition(">")[2]]
    for name in ("drivers", "support", "watch", "tornado"):
        assert {row["colour"] for row in _values(drawn[name]) if "colour" in row} <= {
            paint[data["lead"]], "#999999",
        }  # fmt: skip


def _luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_texts_can_be_read_on_either_ground(drawn: dict[str, Chart]) -> None:
    """Every colour of a text has a contrast of 4.5 on white, and its shade on the dark ground; every colour has one."""
    for chart in drawn.values():
        texts = re.findall(r'<text[^>]* fill="([^"]+)"', chart.svg())
        assert texts
        for colour in set(texts):
            assert _contrast(colour, "#ffffff") >= 4.5
            assert _contrast(SHADES[colour], SHADES["#ffffff"]) >= 4.5
        assert set(re.findall(r'(?:fill|stroke)="(#[^"]+)"', chart.svg())) <= set(SHADES)


def test_every_picture_says_what_it_shows(drawn: dict[str, Chart]) -> None:
    """A takeaway is one sentence; the words for those who do not see the picture say more."""
    for chart in drawn.values():
        assert re.fullmatch(r"[A-Z“].*\.", chart.takeaway)
        assert not re.search(r"[a-z)]\. [A-Z]", chart.takeaway)
        assert len(chart.alt) > len("A picture of the forecast")


def test_the_law_of_total_probability_holds_in_the_picture(data: dict[str, Any], drawn: dict[str, Chart]) -> None:
    """Bands that meet in a state are together as high as its bar, and the sentence adds up the same numbers."""
    rows = _values(drawn["cascade"])
    bars = {row["state"]: row for row in rows if "state" in row}
    ends: dict[str, dict[str, float]] = {}
    for row in rows:
        if "link" in row:
            ends.setdefault(row["link"].partition(">")[2], {})[row["link"]] = row["y2"] - row["y"]
    for stage in data["cascade"]["stages"][1:]:
        for state in stage["states"]:
            name = f"{stage['stage']}.{state['state']}"
            bar = bars[f"{stage['label']}: {state['state'].replace('_', ' ')}"]
            assert sum(ends[name].values()) == pytest.approx(state["probability"], abs=1e-3)
            assert bar["y2"] - bar["y"] == pytest.approx(state["probability"], abs=1e-3)
    lead = next(row for row in data["cascade"]["stages"][-1]["states"] if row["state"] == data["lead"])
    assert f"{data['lead']} has {chance(lead['probability'])}" in drawn["cascade"].takeaway
    for row in data["cascade"]["links"]:
        if row["to"] == f"relations.{data['lead']}":
            before = row["probability"] / row["given"]
            assert f"{chance(before)} × {chance(row['given'])}" in drawn["cascade"].takeaway


def test_the_sentences_agree_with_the_numbers(data: dict[str, Any], drawn: dict[str, Chart]) -> None:
    """The number that a takeaway ends with is the one of the data."""
    now = data["known"][-1]["outcomes"][data["lead"]]["then"]
    assert drawn["known"].takeaway.endswith(f"and is {chance(now['mean'], now['mcse'])} now.")
    end = data["reached"]["deal"][-1]
    assert f"rises to {chance(end['mean'])} by" in drawn["reached"].takeaway
    best = data["watch"]["rows"][0]
    assert best["label"] in drawn["watch"].takeaway
    assert f"at {chance(best['if_seen'], best['if_seen_mcse'])} if seen" in drawn["watch"].takeaway
    most = max(data["sensitivity"]["shifts"], key=lambda row: abs(row["difference"]))
    assert f"to {chance(most['probability'], most['mcse'])}." in drawn["tornado"].takeaway
    held = max(data["drivers"]["held_up"], key=lambda row: abs(row["difference"]))
    without = chance(data["drivers"]["after"]["mean"] - held["difference"], held["mcse"])
    assert f"would stand at {without} instead" in drawn["support"].takeaway


def test_a_driver_has_one_number_in_chart_table_and_headline(data: dict[str, Any]) -> None:
    """The difference of what is shown: 20.4 % without a story and 12.6 % with it are 20 % and 13 %, seven points."""
    drivers = copy.deepcopy(data["drivers"])
    drivers["after"] |= {"mean": 0.126, "mcse": 0.0001}
    drivers["held_up"] = [drivers["held_up"][0] | {"difference": 0.126 - 0.204, "mcse": 0.0001}]
    told = data | {"drivers": drivers}
    (row,) = support_table(told).rows
    assert row[1:] == ["−7", "20%"]
    chart = drawn_of("support", told)
    assert {one["number"] for one in _values(chart) if "number" in one} == {"−7"}
    assert chart.alt.endswith("−7.")
    assert any("7 points below where it would be" in line for line in headline(told, None, ())["why"])


def test_events_lead_to_their_rows(data: dict[str, Any], drawn: dict[str, Chart]) -> None:
    """Every story has a mark with its name and the address of its first row."""
    marks = {row["event"]: row["href"] for row in _values(drawn["known"]) if "href" in row}
    assert marks == {event["what"]: f"#{anchor(event['rows'][0])}" for event in data["events"]}


def test_what_is_missing_has_no_picture(data: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An issue from before a part was archived has the other pictures."""
    monkeypatch.setattr(alt.LayerChart, "to_dict", lambda *_, **__: {})  # it takes long, and names and data decide
    parts = {"cascade": ["cascade"], "known": ["known"], "reached": ["reached"], "drivers": ["drivers", "support"],
             "watch": ["watch"], "sensitivity": ["tornado"], "covered": ["covered"]}  # fmt: skip
    for part, names in parts.items():
        rest = {key: value for key, value in data.items() if key != part}
        assert list(charts(rest)) == [name for name in NAMES if name not in names]
    old = {"format", "model", "issued_at", "forecast", "conditionals", "notes", "path", "learned", "fit", "evidence"}
    assert charts({key: data[key] for key in old}) == {}


def test_a_branch_keeps_clear_of_the_name_of_a_case(data: dict[str, Any]) -> None:
    """On a phone the number of a branch that is level with a name loses its interval; the others keep theirs."""
    given = {"given_low": 0.02, "given_high": 0.4}
    part = {
        "weeks": 26,
        "date": "2026-07-09",
        "stages": [
            {"stage": "terms", "label": "Terms", "states": [_case("open", 0.5), _case("secured", 0.5)]},
            {"stage": "ties", "label": "Ties", "states": [_case("truce", 0.3), _case("cooperation", 0.7)]},
        ],
        "links": [
            {"from": f"terms.{one}", "to": f"ties.{other}", "probability": p, "given": 2 * p, **given}
            for one, other, p in (
                ("open", "truce", 0.2), ("open", "cooperation", 0.3),
                ("secured", "truce", 0.1), ("secured", "cooperation", 0.4),
            )
        ],
    }  # fmt: skip
    chart = drawn_of("cascade", data | {"cascade": part})
    branch = "60% (2–40)"  # from open to cooperation: beside the name "cooperation 70%"
    seen = {
        width: re.findall(r">(\d+%[^<]*)<", vl_convert.vegalite_to_svg(chart.spec | {"width": width}))
        for width in (180, 720)
    }
    assert branch in seen[720]
    assert branch not in seen[180]
    assert "60%" in seen[180]
    assert "80% (2–40)" in seen[180]


def test_a_date_whose_label_would_run_over_the_axis_has_none(data: dict[str, Any]) -> None:
    """On a phone the first label of the curve by date is left out; the last stands at any width."""
    chart = drawn_of("reached", data)
    seen = {
        width: re.findall(r">(\d+% by [^<]*)<", vl_convert.vegalite_to_svg(chart.spec | {"width": width}))
        for width in (340, 720)
    }
    assert len(seen[720]) == 3
    assert seen[340] == seen[720][1:]


def test_ends_of_an_assumption_on_one_side_share_a_label(data: dict[str, Any]) -> None:
    """Both ways of moving it lower the forecast: their numbers would stand on each other."""
    changed = copy.deepcopy(data)
    part = changed["sensitivity"]
    now = part["now"]["mean"]
    part["shifts"] = [
        part["shifts"][0] | {
            "kind": "rate", "name": "one", "change": f"the rate from a to b ×{factor} (0.1 to 2)",
            "probability": there, "difference": there - now, "mcse": 0.001,
        }
        for factor, there in ((0.27, now - 0.031), (3.6, now - 0.03))
    ]  # fmt: skip
    texts = re.findall(r">(×[^<]*)<", drawn_of("tornado", changed).svg())
    assert len(texts) == 1
    assert texts[0].startswith("×0.27 or ×3.6: ")


def test_what_cannot_be_told_from_nothing_makes_no_headline(data: dict[str, Any]) -> None:
    """Where no bar is larger than its error the picture says so, and names none."""
    changed = copy.deepcopy(data)
    changed["drivers"]["moved"] = [row | {"difference": 0.001, "mcse": 0.002} for row in data["drivers"]["moved"]]
    assert "nothing has moved confrontation" in drawn_of("drivers", changed).takeaway


def _case(name: str, probability: float) -> dict[str, Any]:
    return {"state": name, "probability": probability, "low": 0.1, "high": 0.9, "mcse": 0.001}


def test_places_are_safe_in_an_address() -> None:
    """Two ids never share a place, and none holds a sign that means something in an address."""
    ids = ["azal-downing", "a b", "a_b", "a~20b", "ü", '"><script>', "#x", "%20", "٣"]
    places = [anchor(one) for one in ids]
    assert len(set(places)) == len(ids)
    assert all(re.fullmatch(r"row-[\w.~-]+", place, re.ASCII) for place in places)


def test_weeks_that_no_draws_reach_are_dotted_and_said(data: dict[str, Any], drawn: dict[str, Chart]) -> None:
    """The solid line has a gap there, a dotted one goes through, and the takeaway counts them."""
    rough = copy.deepcopy(data)
    for week in rough["known"][3:5]:
        week["trusted"] = False
    chart = drawn_of("known", rough)
    assert chart.takeaway == drawn["known"].takeaway + " Dotted weeks are rough, for too few draws reach them (2)."
    dashes = [layer["mark"].get("strokeDash") for layer in chart.spec["layer"] if layer["mark"]["type"] == "line"]
    assert dashes == [[2, 3], None]
    solid = chart.spec["layer"][1]
    assert solid["encoding"]["y"]["field"] == "solid"
    values = solid["data"]["values"]
    gaps = {row["date"] for row in values if row["solid"] is None}
    assert gaps == {week["date"] for week in rough["known"][3:5]}
    assert ET.fromstring(chart.svg()) is not None  # noqa: S314 - made here
