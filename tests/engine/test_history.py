"""The likelihood of spells is that of every path that obeys them, and its gradient is its slope."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pytest
from spells import RATES, STATES, SUPPORT, enumerated, spell, toy_spec

from forecast.engine.history import history_log_likelihood
from forecast.engine.history_draws import history_log_likelihoods
from forecast.evidence.history import compile_history
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats
    from forecast.evidence.history import History

START = {"calm": 0.75, "tense": 0.25}
GIVEN = (("backing", "given"),)
CASES = {
    "known to the day": [spell("calm", "2020-01-01", "2020-01-20"), spell("tense", "2020-01-20", "2020-02-20")],
    "a set of states": [spell("calm|tense", "2020-01-01", "2020-01-22"), spell("open", "2020-01-22", "2020-02-19")],
    "one spell only": [spell("calm|tense", "2020-01-01", "2020-02-26")],
    "still so": [spell("calm|open", "2020-01-01", "2020-01-15"), spell("tense", "2020-01-15", None)],
    "known to the month": [
        spell("calm", "2020-01-13", "2020-02-10"),
        spell("tense|open", "2020-02-10", "2020-03-09", boundary="month"),
    ],
    "known to the year": [
        spell("calm|tense", "2019-12-09", "2020-01-10"),
        spell("open", "2020-01-10", "2020-02-03", boundary="year"),
    ],
    "conditions change in mid-spell": [
        spell("calm|tense", "2020-01-01", "2020-01-22"),
        spell("calm|tense", "2020-01-22", "2020-02-05", conditions=GIVEN),
        spell("open", "2020-02-05", "2020-02-19", conditions=GIVEN),
        spell("open", "2020-02-19", "2020-02-26"),
    ],
    "there and back": [
        spell("calm|tense", "2020-01-01", "2020-01-15"),
        spell("open", "2020-01-15", "2020-01-29", boundary="month"),
        spell("tense|calm", "2020-02-05", "2020-02-26"),
    ],
    "a week that is not whole": [spell("tense", "2020-01-01", "2020-01-11"), spell("calm", "2020-01-11", "2020-01-24")],
}


def rates_of(history: History, space: StateSpace) -> Floats:
    """Give the log rates of the toy, in the history's order."""
    logs = np.log([RATES[tuple(name.partition(".")[2].split(">"))] for name in space.transitions if name[:4] == "mood"])
    offset = len(space.transitions) - len(logs)
    return logs[history.rate_transition - offset] + history.rate_effect @ np.full(len(space.effects), np.log(SUPPORT))


@pytest.mark.parametrize("name", CASES)
def test_it_is_the_sum_over_all_paths(name: str) -> None:
    """Every case has the likelihood that enumerating paths and boundaries gives."""
    spells = CASES[name]
    space = StateSpace(toy_spec(*spells, spell("calm", "2020-01-01", "2020-02-26", unit="elsewhere")))
    history = compile_history(space)
    total = 0.0
    for segment in history.told.segments:
        first = segment[0].states
        start = START if START.keys() & set(first) else dict.fromkeys(first, 1 / len(first))
        total += enumerated(segment, RATES, SUPPORT, start, dt.date(2020, 2, 26))
    assert history_log_likelihood(history.spans, rates_of(history, space))[0] == pytest.approx(total, abs=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_its_gradient_is_its_slope(name: str) -> None:
    """By central differences, for each rate."""
    space = StateSpace(toy_spec(*CASES[name]))
    history = compile_history(space)
    point = rates_of(history, space)
    slope = [
        (history_log_likelihood(history.spans, point + h)[0] - history_log_likelihood(history.spans, point - h)[0])
        / 2e-6
        for h in 1e-6 * np.eye(point.size)
    ]
    assert history_log_likelihood(history.spans, point)[1] == pytest.approx(slope, abs=1e-7)


def test_a_century_neither_underflows_nor_loses_digits() -> None:
    """A spell of 100 years is as likely as the product of its weeks, which a double could not hold."""
    one, two = (
        StateSpace(toy_spec(spell("tense", "1900-01-01", "2000-01-01"))),
        StateSpace(toy_spec(spell("tense|open", "1850-01-01", "2000-01-01"))),
    )
    weeks = -(-(dt.date(2000, 1, 1) - dt.date(1900, 1, 1)).days // 7)
    out = RATES["tense", "calm"] + RATES["tense", "open"]
    history = compile_history(one)
    found, _ = history_log_likelihood(history.spans, rates_of(history, one))
    assert found == pytest.approx(-weeks * 7 / 365.25 * out, rel=1e-12)
    assert found < np.log(np.finfo(float).tiny)
    history = compile_history(two)
    wider, gradient = history_log_likelihood(history.spans, rates_of(history, two))
    assert wider < np.log(np.finfo(float).tiny)
    assert np.isfinite(gradient).all()


def test_impossible_spells_have_no_likelihood() -> None:
    """From a state that has no way into the next: minus infinity, with a gradient of zeros."""
    space = StateSpace(toy_spec(spell("calm", "2020-01-01", "2020-01-15"), spell("open", "2020-01-15", "2020-02-19")))
    history = compile_history(space)
    value, gradient = history_log_likelihood(history.spans, rates_of(history, space))
    assert value == -np.inf
    assert not gradient.any()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("many", [1, 64, 70])
def test_many_draws_are_each_by_themselves(case: str, many: int) -> None:
    """The likelihoods of several draws, in blocks or not, are those of one draw after the other."""
    space = StateSpace(toy_spec(*CASES[case]))
    history = compile_history(space)
    draws = rates_of(history, space) + np.random.default_rng(many).normal(0, 2, (many, 1))
    alone = [history_log_likelihood(history.spans, draw)[0] for draw in draws]
    assert history_log_likelihoods(history.spans, draws) == pytest.approx(alone, rel=1e-11, abs=1e-11)


def test_only_the_draws_under_which_spells_are_impossible_are_lost() -> None:
    """A rate of zero makes what happened impossible under its own draw alone."""
    space = StateSpace(toy_spec(*CASES["there and back"]))
    history = compile_history(space)
    draws = np.repeat(rates_of(history, space)[None], 3, axis=0)
    draws[1] = -np.inf
    sure = history_log_likelihood(history.spans, draws[0])[0]
    assert history_log_likelihoods(history.spans, draws) == pytest.approx([sure, -np.inf, sure], rel=1e-11)


def test_the_toy_has_three_states() -> None:
    """The enumeration speaks of the states of the toy's file."""
    assert toy_spec().stages["mood"].states == STATES
