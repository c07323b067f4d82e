"""Grades and ids: what a row is worth, and how it is told from others."""

from __future__ import annotations

import dataclasses

import pytest
from entries import day, refusal, sighting, watch

from forecast.ledger.admiralty import CREDIBILITY, credibility
from forecast.ledger.rows import Observation, make_id, with_id


def test_better_grades_are_more_credible() -> None:
    """A worse source or worse information never raises credibility, where the scale judges at all."""
    for source in "ABCDEF":
        row = [credibility(f"{source}{k}") for k in range(1, 6)]
        assert row == sorted(row, reverse=True)
        assert len(set(row)) == 5
    for information in "123456":
        column = [credibility(f"{source}{information}") for source in "ABCDE"]
        assert column == sorted(column, reverse=True)


def test_the_table_is_the_documented_product() -> None:
    """There are 36 grades, rounded to two digits; "cannot be judged" is even odds on each scale."""
    assert len(CREDIBILITY) == 36
    assert (credibility("A1"), credibility("B2"), credibility("E5"), credibility("F6")) == (0.96, 0.81, 0.06, 0.0)
    assert credibility("E2") < credibility("F2") < credibility("D2")
    assert credibility("B6") == credibility("B4")


@pytest.mark.parametrize("grade", ["", "G1", "B7", "b2", "B 2", "B22"])
def test_what_is_not_a_grade_is_refused(grade: str) -> None:
    """The message names the grade and what is allowed."""
    assert refusal(lambda: credibility(grade)).startswith(f"{grade!r} is not an Admiralty grade; give source A to F")


@pytest.mark.parametrize(
    "field", [f.name for f in dataclasses.fields(Observation) if f.name not in {"id", "indicator"}]
)
def test_every_field_is_part_of_the_id(field: str) -> None:
    """A row without an id gets another one if any field differs."""
    other = {"state": "x.y", "date": day(1, 1), "precision": "month", "reported_on": day(3, 3), "distinct": True}
    assert make_id(sighting("a", **{field: other.get(field, "other")})) != make_id(sighting("a"))


def test_an_id_is_made_from_content() -> None:
    """Rows without an id get the same one every time, whatever id they had; coverage says that it is coverage."""
    assert make_id(sighting("a")) == make_id(sighting("")) == "cyberattack-2025-02-20-" + make_id(sighting())[-6:]
    assert make_id(sighting(indicator=None, state="relations.truce")).startswith("relations.truce-2025-02-20-")
    assert make_id(watch()).startswith("coverage-all-2025-03-01-")
    assert make_id(watch(indicator="cyberattack")).startswith("coverage-cyberattack-2025-03-01-")
    assert with_id(sighting("mine")).id == "mine"
    assert with_id(sighting("")).id == make_id(sighting())
