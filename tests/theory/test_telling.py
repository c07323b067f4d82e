"""What one sighting tells depends on the other indicators of its stage, and a check says so."""

from __future__ import annotations

import datetime as dt

import pytest

from forecast.theory.blank import blank_model
from forecast.theory.modelfile import parse_spec
from forecast.theory.telling import LINES, telling_lines, what_rows_tell

TEXT = blank_model("m", {"epidemic": ["sporadic", "spreading", "subsiding"]}, dt.date(2026, 1, 8))


def graded(*grades: str) -> str:
    """Write the small model with these grades, in the order of the states."""
    text = TEXT
    for grade in grades:
        text = text.replace('grade = "moderate"', f'grade = "{grade}"', 1)
    return text


def test_a_row_is_compared_with_the_other_indicators_of_its_stage() -> None:
    """Of three indicators, 2, 30 and 4 times likelier in their states: shares of each state's sum, one by another."""
    spec = parse_spec(graded("weak", "decisive", "moderate"), where="m", name="m")
    found = [dict(row.against) for row in what_rows_tell(spec)]
    sums = {"sporadic": 2 + 1 + 1, "spreading": 1 + 30 + 1, "subsiding": 1 + 1 + 4}
    assert found == [
        {state: pytest.approx((times / sums[own]) / (1 / sums[state])) for state in sums if state != own}
        for own, times in {"sporadic": 2, "spreading": 30, "subsiding": 4}.items()
    ]


def test_a_weaker_grade_that_tells_more_is_named_with_a_remedy() -> None:
    """A row is told of the weak one that tells more than a stronger; where all grades are the same there is none."""
    lines = list(telling_lines(parse_spec(graded("weak", "decisive", "decisive"), where="m", name="m")))
    assert lines[1].startswith("  epidemic_sporadic_reported (weak): ×16 against spreading, ×16 against subsiding")
    assert [line[:60] for line in lines if line.startswith("!")] == [
        "! epidemic_sporadic_reported (weak) tells ×16 or more, epide",
        "! such a row is compared with the other indicators of its st",
    ]
    assert not [line for line in telling_lines(parse_spec(TEXT, where="m", name="m")) if line.startswith("!")]


def test_of_many_indicators_only_what_is_amiss_is_said() -> None:
    """A model of more than twenty is not listed one by one."""
    states = [f"s{k}" for k in range(LINES + 1)]
    text = blank_model("m", {"epidemic": states}, dt.date(2026, 1, 8))
    assert list(telling_lines(parse_spec(text, where="m", name="m"))) == []
