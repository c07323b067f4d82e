"""Spells compiled: which say something, how long they last, and what a reader is told."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from places import ROOT
from spells import spell, toy_spec

from forecast.evidence.history import compile_history
from forecast.evidence.spell_timelines import read_spells, summary, timelines
from forecast.project.models import load_with_history
from forecast.theory.statespace import StateSpace

TODAY = dt.date(2026, 1, 8)


def test_without_units_or_spells_there_is_no_history() -> None:
    """A theory without a history has no units, spans or rates."""
    history = compile_history(StateSpace(toy_spec()))
    assert (history.units, len(history.spans.spans), history.rate_unit.size) == ((), 0, 0)
    assert summary(history.told) == []


def test_a_theory_without_effects_can_have_a_history() -> None:
    """No effect multiplies any of its rates."""
    spec = toy_spec(spell("calm", "2020-01-01", "2020-02-01"))
    plain = spec.stages["mood"].model_copy(update={"effects": {}})
    history = compile_history(StateSpace(spec.model_copy(update={"stages": {**spec.stages, "mood": plain}})))
    assert history.rate_effect.shape == (history.rate_unit.size, 0)
    assert history.rate_unit.size > 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"stage": "elsewhere"}, "the model has no stage 'elsewhere'"),
        ({"stage": "backing", "states": ("given",)}, "stage 'backing' names no units"),
        ({"states": ("calm", "lost")}, "the stage has no state 'lost'"),
        ({"conditions": (("backing", "lost"),)}, "the model has no state 'backing.lost' for a condition"),
        ({"grade": "D4"}, "graded D4, below even odds"),
        (
            {"unit": "home", "from_": dt.date(2024, 1, 1), "to": None},
            "the ledger tells what",
        ),
    ],
)
def test_what_says_nothing_is_named_with_the_reason(changes: dict[str, object], reason: str) -> None:
    """It is left out, and the other spell stays."""
    row = spell("calm", "2020-01-01", "2020-02-01")
    history = compile_history(StateSpace(toy_spec(row, spell("open", "2021-01-01", "2021-02-01")._replace(**changes))))
    ((_, found),) = history.told.left_out
    assert found.startswith(reason)
    assert [len(segment) for segment in history.told.segments] == [1]
    assert sorted(line.left_out == "" for line in timelines(history.told)) == [False, True]


def test_the_own_unit_ends_where_the_evidence_begins() -> None:
    """Its open spell lasts until the model's start, and it has a departure although others have none."""
    history = compile_history(StateSpace(toy_spec(spell("calm", "2022-01-03", None, unit="home"))))
    assert history.units == ("mood.home",)
    assert history.spans.spans[0, 5] == -(-(dt.date(2024, 1, 1) - dt.date(2022, 1, 3)).days // 7)
    assert history.own.tolist() == [-1, 0]
    assert compile_history(StateSpace(toy_spec(spell("calm", "2022-01-03", "2022-02-03")))).units == (
        "mood.away",
        "mood.home",
    )


def test_a_unit_that_is_left_out_is_still_a_unit() -> None:
    """It keeps its departure and loses its spells, so that they can be foretold."""
    space = StateSpace(
        toy_spec(spell("calm", "2020-01-06", "2020-02-03"), spell("open", "2020-01-06", "2020-02-03", unit="b"))
    )
    history = compile_history(space, leave_out="mood.b")
    assert history.units == ("mood.away", "mood.b", "mood.home")
    assert len(history.told.segments) == 1


def test_short_spells_last_a_step() -> None:
    """Three days between two others take one step, and move what follows no further than needed."""
    rows = [
        spell("calm", "2020-01-06", "2020-02-03"),
        spell("open", "2020-02-03", "2020-02-06"),
        spell("calm", "2020-02-06", "2020-03-02"),
    ]
    history = compile_history(StateSpace(toy_spec(*rows)))
    assert history.spans.spans[:, 4:].tolist() == [[0, 4], [1, 0], [1, 2]]


def test_the_reference_history_is_that_of_the_base_rates() -> None:
    """19 crises of 12 neighbours in 197 calm country-years; nothing later than the article knows."""
    spec = load_with_history(ROOT / "models" / "russia_azerbaijan.toml", ROOT, lambda: TODAY)
    history = compile_history(StateSpace(spec))
    rows = [row for row in timelines(history.told) if row.stage == "relations"]
    crises = [row for row in rows if row.states == ("confrontation",)]
    assert (len(crises), len({row.unit for row in rows})) == (19, 12)
    assert [row.unit for row in crises if row.left_out] == ["azerbaijan"]
    calm = sum(row.years for row in rows if row.states != ("confrontation",) and not row.left_out)
    assert calm == pytest.approx(197, abs=1)
    lasting = np.array([row.years * 12 for row in crises])
    assert np.median(lasting) == pytest.approx(4.6, abs=0.5)
    assert (lasting > 24).sum() == 4
    assert max(spell.to or spell.from_ for spell in spec.history) <= dt.date(2026, 1, 8)
    assert not any(row.from_ > dt.date(2024, 12, 18) for row in rows if row.unit == "azerbaijan" and not row.left_out)


def test_a_summary_counts_units_spells_and_years() -> None:
    """One sentence for each stage, and one for each reason to leave out."""
    rows = [
        spell("calm|tense", "2020-01-01", "2021-01-01"),
        spell("open", "2021-01-01", "2021-07-01", grade="E5", unit="b"),
    ]
    first, second = summary(read_spells(toy_spec(*rows)))
    assert first == "history of mood: 1 unit, 1 spell of calm or tense (1 year), up to 2021-07-01"
    assert second == "1 row of the history left out: graded E5, below even odds"
