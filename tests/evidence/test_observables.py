"""Records and rumours: what a row that names an observable state does is a matter of its grade."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from forecast.engine.arrays import ASSESSMENT, OBSERVABLE
from forecast.evidence.compilation import Evidence, compile_evidence
from forecast.evidence.resolution_rules import met, what_it_records
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Observation
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace

AS_OF = dt.date(2026, 1, 8)
MODEL = Path(__file__).parents[2] / "models" / "russia_azerbaijan.toml"
BELOW = sorted(grade for grade, weight in CREDIBILITY.items() if 0 < weight < 0.5)
ABOVE = sorted(grade for grade, weight in CREDIBILITY.items() if weight >= 0.5)


@pytest.fixture(scope="module")
def space() -> StateSpace:
    """Give the reference model's states."""
    return StateSpace(load_spec(MODEL))


def says(state: str, day: int, grade: str) -> Observation:
    """Give a row of January 2026 that names a state."""
    date = dt.date(2026, 1, day)
    return Observation(
        id=f"{state}-{day}-{grade}", state=state, date=date, reported_on=date, source="somebody", grade=grade
    )


def on_record(space: StateSpace, *rows: Observation) -> list[bool]:
    """Say step by step whether peace is on record, as compiled; the rule of the deal must agree at the end."""
    evidence = compile_evidence(space, rows, AS_OF)
    series = evidence.cells.observed[evidence.cells.what[:, 1] == OBSERVABLE] > 0
    assert met(space, rows, "deal", AS_OF) == series[-1]
    return series.tolist()


def assessments(evidence: Evidence) -> np.ndarray:
    """(rows, 2) state and credibility of every assessment."""
    here = evidence.cells.what[:, 1] == ASSESSMENT
    return np.column_stack([evidence.cells.observed[here], evidence.cells.value[here, 0]])


@pytest.mark.parametrize("grade", BELOW)
def test_a_rumour_puts_nothing_on_record(space: StateSpace, grade: str) -> None:
    """Below ½ a row that names a deal is an assessment of that state, and answers no rule."""
    rumour = says("peace.fresh_deal", 5, grade)
    assert not any(on_record(space, rumour))
    weight = max(CREDIBILITY[grade], 1 / 4)
    np.testing.assert_allclose(assessments(compile_evidence(space, [rumour], AS_OF)), [[2, weight]])


@pytest.mark.parametrize("grade", ABOVE)
def test_from_one_half_on_it_is_on_record(space: StateSpace, grade: str) -> None:
    """At ½ or more a deal is on record from its date's step on."""
    found = on_record(space, says("peace.fresh_deal", 5, grade))
    assert found[-1]
    assert not any(found[:-2])


@pytest.mark.parametrize("grade", BELOW)
def test_a_rumour_undoes_no_deal(space: StateSpace, grade: str) -> None:
    """A deal that both capitals announced stays on record whatever rumours name."""
    deal = says("peace.fresh_deal", 5, "A1")
    assert on_record(space, deal, says("peace.stalled", 6, grade)) == on_record(space, deal)


@pytest.mark.parametrize("grade", ["A1", "B2", "C3", "D1"])
def test_a_credible_row_ends_a_deal(space: StateSpace, grade: str) -> None:
    """A row of ½ or more that names a state outside the set ends the record."""
    assert not on_record(space, says("peace.fresh_deal", 5, "A1"), says("peace.stalled", 6, grade))[-1]


@pytest.mark.parametrize("state", ["relations.truce", "peace.advancing", "victory.open"])
@pytest.mark.parametrize("grade", ["E5", "D5", "F5"])
def test_less_than_chance_says_nothing(space: StateSpace, state: str, grade: str) -> None:
    """A row that is right less often than chance is as likely in one state as in another, and never counts against."""
    (found,) = assessments(compile_evidence(space, [says(state, 5, grade)], AS_OF))
    stage = space.stages.index(state.partition(".")[0])
    assert CREDIBILITY[grade] < 1 / len(space.states[stage])
    assert found[1] == 1 / len(space.states[stage])


@pytest.mark.parametrize(
    ("state", "grade", "words"),
    [
        ("peace.fresh_deal", "A1", "puts peace.fresh_deal on record from 2026-01-05: its grade A1 stands for 0.96"),
        ("peace.fresh_deal", "E5", "peace.fresh_deal is soft evidence: its grade E5 stands for 0.06, below ½"),
        ("peace.stalled", "E5", "peace.stalled is soft evidence: its grade E5 stands for 0.06, below ½"),
        ("peace.stalled", "B2", "ends any record of peace."),
        ("relations.truce", "A1", ""),
        ("", "A1", ""),
    ],
)
def test_what_a_row_does_is_said(space: StateSpace, state: str, grade: str, words: str) -> None:
    """Who records a row is told what it does to the record, and nothing where there is none."""
    found = what_it_records(space.spec, state, grade, "2026-01-05")
    assert found.startswith(words)
    assert bool(found) == bool(words)
