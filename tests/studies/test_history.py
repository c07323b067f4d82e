"""The study of what the history teaches: variants, scores of units left out, and durations, against exact sums."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm
from spells import RATES, enumerated, spell, toy_spec

from benchmarks.history.durations import exponential, left_out, left_out_of_best, prior, two_phases
from benchmarks.history.scores import Shared
from benchmarks.history.variants import only, with_one_phase, with_one_state, without_effects
from docs.builder.history import FIGURES, ONSET, difference
from forecast.engine.history import history_log_likelihood
from forecast.evidence.history import compile_history
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Transition

GIVEN = (("backing", "given"),)
HOME = spell("calm", "2020-01-01", "2020-03-04", unit="home")


def two_states(*spells: object) -> ModelSpec:
    """Give the toy with a mood of two states, calm and open."""
    spec = toy_spec(*spells)
    old = spec.stages["mood"]
    ways = {(move.from_, move.to): move for move in old.transitions}
    moves = (ways["calm", "tense"].model_copy(update={"to": "open"}), ways["open", "calm"])
    support = old.effects["support"].model_copy(update={"from_": "calm", "to": "open"})
    calms = support.model_copy(update={"from_": "open", "to": "calm"})
    mood = old.model_copy(
        update={
            "states": ("calm", "open"), "transitions": moves, "start": {"calm": 1.0, "open": 1.0},
            "effects": {"support": support, "calms": calms},
        }
    )  # fmt: skip
    return spec.model_copy(update={"stages": {**spec.stages, "mood": mood}}).with_history(spec.history)


def rates_of(moves: tuple[Transition, ...]) -> dict[tuple[str, str], tuple[float, float]]:
    """Give the intervals of a stage's transitions."""
    return {(move.from_, move.to): move.per_year for move in moves}


def phased(*spells: object) -> ModelSpec:
    """Give the toy of two states with phases of its open one, tense and late."""
    spec = two_states(*spells)
    old = spec.stages["mood"]
    ways = {(move.from_, move.to): move for move in toy_spec().stages["mood"].transitions}
    moves = (
        *(move for move in old.transitions if move.from_ == "calm"),
        ways["tense", "calm"],
        ways["tense", "open"].model_copy(update={"to": "late"}),
        ways["open", "calm"].model_copy(update={"from_": "late"}),
    )
    mood = old.model_copy(update={"phases": {"open": ("tense", "late")}, "transitions": moves})
    return spec.model_copy(update={"stages": {**spec.stages, "mood": mood}}).with_history(spec.history)


PHASED = [
    [spell("calm", "2020-01-01", "2020-01-20"), spell("open", "2020-01-20", "2020-02-20")],
    [spell("calm", "2020-01-13", "2020-02-10"), spell("open", "2020-02-10", "2020-03-09", boundary="month"),
     spell("calm", "2020-03-09", "2020-03-20")],
    [spell("open", "2020-01-01", "2020-02-05"), spell("calm", "2020-02-05", None)],
]  # fmt: skip


@pytest.mark.parametrize("spells", PHASED)
def test_two_phases_have_the_likelihood_of_all_their_paths(spells: list[object]) -> None:
    """Onset into the first, out or on to the second, and out: the sum over every path and boundary."""
    space = StateSpace(without_effects(phased(*spells, HOME), "mood"))
    history = compile_history(space)
    rates = {
        ("calm", "open"): RATES["calm", "tense"], ("tense", "calm"): RATES["tense", "calm"],
        ("tense", "late"): RATES["tense", "open"], ("late", "calm"): RATES["open", "calm"],
    }  # fmt: skip
    names = {f"mood.{a}>{b}": rate for (a, b), rate in rates.items()}
    assert names.keys() == {name for name in space.transitions if name.startswith("mood")}
    log_rate = np.log([names[space.transitions[k]] for k in history.rate_transition])
    used = {way: RATES[way] for way in (("calm", "tense"), ("tense", "calm"), ("tense", "open"), ("open", "calm"))}
    total = 0.0
    for segment in history.told.segments:
        both = [row._replace(states=("tense", "open") if row.states == ("open",) else row.states) for row in segment]
        start = {"calm": 1.0} if segment[0].states == ("calm",) else {"tense": 1.0}
        total += enumerated(both, used, 1.0, start, history.told.last)
    found, _ = history_log_likelihood(history.spans, log_rate)
    assert found == pytest.approx(total, abs=1e-11)


def test_without_phases_a_state_is_left_at_one_rate() -> None:
    """Ways out of the phases go, the new one stands, and an effect on leaving the state stays."""
    spec = phased(*PHASED[0])
    stage = with_one_phase(spec, "mood", "open", {"calm": (0.5, 2.0)}).stages["mood"]
    assert stage.phases == {}
    assert rates_of(stage.transitions) == {("calm", "open"): (1, 9), ("open", "calm"): (0.5, 2.0)}
    assert stage.effects == spec.stages["mood"].effects


def test_states_taken_for_one_keep_what_leads_in_and_out() -> None:
    """Moves between them are gone, the first of those that become the same stands, and so do their spells."""
    spec = with_one_state(toy_spec(*PHASED[0], HOME), "mood", ("tense", "open"), "bad")
    stage = spec.stages["mood"]
    assert stage.states == ("calm", "bad")
    assert set(rates_of(stage.transitions)) == {("calm", "bad"), ("bad", "calm")}
    assert stage.effects == {}
    assert stage.start == {"calm": 3.0, "bad": 1.0}
    assert [row.states for row in spec.history if row.unit == "away"] == [("calm",), ("bad",)]


def test_only_one_stage_keeps_its_spells() -> None:
    """Spells of another stage are gone."""
    rows = [HOME, spell("given", "2020-01-01", "2020-02-01", stage="backing")]
    assert [row.stage for row in only(toy_spec(*rows), "mood").history] == ["mood"]


UNITS = [
    spell("calm", "2020-01-01", "2020-03-04", unit="a"), spell("open", "2020-03-04", "2020-06-03", unit="a"),
    spell("calm", "2020-01-01", "2020-10-07", unit="b", conditions=GIVEN),
    spell("calm", "2020-01-01", "2020-01-29", unit="home"), spell("open", "2020-01-29", "2020-02-12", unit="home"),
    spell("calm", "2020-02-12", "2020-04-08", unit="home", conditions=GIVEN),
    spell("open", "2020-04-08", "2020-04-15", unit="home", conditions=GIVEN),
]  # fmt: skip


def shared(*, spread: bool) -> Shared:
    """Give the small model of three units."""
    return Shared(without_effects(two_states(*UNITS), "mood"), "mood", spread=spread)


def test_a_unit_is_scored_over_all_its_offsets() -> None:
    """The log predictive density is the logarithm of the integral over a standard normal offset."""
    model = shared(spread=True)
    draw = np.array([[0.4, -0.3, 1.0]])
    found = model.log_predictive(draw, "home")[0]
    sigma = math.exp(model.mean[2] + model.sd[2])
    rows = np.array([row for row in model.history.spans.spans if model.history.told.segments[row[0]][0].unit == "home"])
    spans = model.history.spans._replace(spans=rows)
    rates = model.log_rates(draw)[0]

    def weighted(z: float) -> float:
        return math.exp(history_log_likelihood(spans, rates + sigma * z)[0] - found) * norm.pdf(z)

    assert quad(weighted, -8, 8)[0] == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("spread", [True, False])
def test_the_density_has_its_slope(spread: bool) -> None:  # noqa: FBT001
    """The gradient by central differences, with effects and with a unit left out."""
    model = Shared(two_states(*UNITS), "mood", spread=spread)
    value = model.density("b")
    x = np.random.default_rng(3).standard_normal(model.mean.size + 3 * spread)
    slope = [(value(x + h)[0] - value(x - h)[0]) / 2e-6 for h in 1e-6 * np.eye(x.size)]
    assert value(x)[1] == pytest.approx(slope, abs=1e-6)
    assert value(x)[0] > model.density()(x)[0]


def test_units_apart_are_all_the_spells() -> None:
    """The units' likelihoods under shared rates sum to that of the history."""
    model = Shared(two_states(*UNITS), "mood", spread=False)
    draws = np.random.default_rng(3).standard_normal((3, model.mean.size))
    apart = sum(model.log_predictive(draws, unit) for unit in model.units)
    whole = [history_log_likelihood(model.history.spans, rates)[0] for rates in model.log_rates(draws)]
    assert model.units == ("a", "b", "home")
    assert apart == pytest.approx(whole)


def test_a_unit_left_out_is_foretold_as_quadrature_has_it() -> None:
    """Reweighted draws, a fit without it, and the prior alone: each within its Monte Carlo error."""
    model = shared(spread=False)

    side = np.linspace(-6, 6, 121)
    x, y = (part.ravel() for part in np.meshgrid(side, side))
    grid = np.column_stack([x, y, np.zeros_like(x)])
    each = {unit: model.log_predictive(grid, unit) for unit in model.units}

    def density(*units: str) -> float:
        total = sum(each[unit] for unit in units)
        return logsumexp(total + norm.logpdf(x) + norm.logpdf(y)) + 2 * math.log(side[1] - side[0])

    exact = density("a", "b", "home") - density("b", "home")
    posterior = model.fit(1, draws=500)
    found = model.foretold(posterior, "a", 1)
    assert found.reached
    assert found.value == pytest.approx(exact, abs=4 * found.mcse)
    anew = model.log_predictive(model.fit(2, "a", draws=500).draws, "a")
    assert np.log(np.exp(anew).mean()) == pytest.approx(exact, abs=0.05)
    alone = model.alone("a", 1, 4000)
    assert alone.value == pytest.approx(density("a"), abs=4 * alone.mcse)
    assert alone.mcse < 0.1


def test_without_passing_two_phases_are_one() -> None:
    """A first phase that never passes is exponential, and so are phases left at the same rate."""
    years, over, out = np.array([0.1, 2.0, 7.0]), np.array([True, True, False]), np.array([0.5, 1.5])
    one = exponential(years, over, out)
    assert two_phases(years, over, out, np.full(2, 1e-12), np.ones(2)) == pytest.approx(one)
    assert two_phases(years, over, out, np.full(2, 0.7), out) == pytest.approx(one)


def test_a_density_of_two_phases_is_one() -> None:
    """What ends before ten years and what lasts longer sum to one."""
    rates = [np.array([value]) for value in (2.0, 0.7, 0.1)]

    def ends(t: float) -> float:
        return math.exp(two_phases(np.array([t]), np.array([True]), *rates)[0, 0])

    longer = math.exp(two_phases(np.array([10.0]), np.array([False]), *rates)[0, 0])
    assert quad(ends, 0, 10)[0] + longer == pytest.approx(1.0)


def test_a_duration_left_out_is_scored_as_quadrature_has_it() -> None:
    """The log density of each given the others, under the prior of a rate."""
    years, over, interval = np.array([0.2, 1.0, 3.0]), np.array([True, True, False]), (0.15, 4.0)
    scores, least = left_out(exponential(years, over, prior([interval], 12)[:, 0]))
    mean, sd = log_normal(interval)

    def density(kept: list[int]) -> float:
        def integrand(z: float) -> float:
            rate = np.array([math.exp(mean + sd * z)])
            return math.exp(exponential(years[kept], over[kept], rate).sum()) * norm.pdf(z)

        return quad(integrand, -8, 8)[0]

    exact = [math.log(density([0, 1, 2]) / density([j for j in range(3) if j != k])) for k in range(3)]
    assert scores == pytest.approx(exact, abs=1e-3)
    assert 1 < least < 2**12


def test_a_duration_left_out_is_scored_under_the_best_rate_of_the_others() -> None:
    """For one rate that is their number of ends over their years."""
    years, over = np.array([0.2, 1.0, 3.0]), np.array([True, True, False])
    rates = np.array([1 / 4.0, 1 / 3.2, 2 / 1.2])
    exact = over * np.log(rates) - rates * years
    found = left_out_of_best(lambda x: exponential(years, over, x[:, 0]), [0.5])
    assert found == pytest.approx(exact, abs=1e-4)


def test_spells_of_the_toy_are_of_this_century() -> None:
    """The premise of the tests above: no spell begins in the model's own time."""
    assert all(row.from_ < dt.date(2024, 1, 1) for row in UNITS)


def test_what_the_page_says_holds_of_its_figures() -> None:
    """The words of docs/history.md, which do not change with the figures, are true of them."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    scores = {
        (row["stage"], row["phases"], row["effects"], row["sharing"]): row["scores"].values() for row in found["scored"]
    }

    def gain(one: tuple[object, ...], other: tuple[object, ...]) -> float:
        return sum(scores[one]) - sum(scores[other])

    relations = [(2, True), (2, False), (1, True), (1, False)]
    for phases, effects in relations:
        shared = gain(("relations", phases, effects, "partial"), ("relations", phases, effects, "unpooled"))
        assert (shared > 1) if phases == 2 else (shared < -1)
    for sharing in ("partial", "pooled", "unpooled"):
        for one in (True, False):
            assert gain(("relations", 2, one, sharing), ("relations", 1, one, sharing)) > 1
        for phases in (1, 2):
            assert gain(("relations", phases, True, sharing), ("relations", phases, False, sharing)) < -0.5
    assert abs(gain(("relations", 2, True, "partial"), ("relations", 2, True, "pooled"))) < 0.5
    assert gain(("peace", 1, True, "partial"), ("peace", 1, True, "unpooled")) > 1
    assert abs(gain(("peace", 1, True, "partial"), ("peace", 1, True, "pooled"))) < 0.5
    learned = {row["reading"]: row for row in found["effects"] if row["sharing"] == "partial"}
    full, calm = learned["truce and cooperation hidden"], learned["one calm state"]["learned"][ONSET]
    assert calm[0] < full["together"][0] < full["learned"][ONSET][0] < 1
    assert calm[2] < full["learned"][ONSET][2] < math.sqrt(1.2 * 5)
    assert all(row.get("r_hat", 1) < 1.01 for row in (*found["scored"], *found["effects"]))


def test_a_difference_has_the_error_of_a_sum() -> None:
    """Three gaps of 1, 2 and 3 sum to 6, with an error of √3 times their deviation of 1."""
    assert difference([2.0, 4.0, 6.0], [1.0, 2.0, 3.0]) == pytest.approx((6.0, math.sqrt(3)))
