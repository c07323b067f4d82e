"""Simulated worlds are what the method says."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import oracle
import oracle_stages
import pytest
from places import MODEL
from scipy import stats

from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.engine.history import history_log_likelihood
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import compile_history
from forecast.evidence.spell_timelines import read_spells
from forecast.inference.model import Model
from forecast.inference.pymc_model import build_model, prior_draws
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Count, Coverage, Observation
from forecast.studies import calibrate, worlds
from forecast.studies.calibrate import study_spec, truth_draws
from forecast.studies.truth import Truth, draw_truth, units_of
from forecast.studies.worlds import (
    ASSESSMENTS_A_YEAR,
    MIX,
    simulate_ledger,
    simulate_path,
    simulate_world,
)
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from forecast.theory.spec import ModelSpec


REFERENCE = MODEL
FALSE_ALARM = 1e-3  # of a statistical check, which is the same in every run: seeds are fixed


def truth_of(spec: ModelSpec, seed: int = 3) -> Truth:
    """Draw one set of parameters."""
    return draw_truth(spec, np.random.default_rng(seed))


def parameters(truth: Truth) -> oracle.Parameters:
    """Give a world's parameters to the oracle, by its own names and its own formulas."""
    v = truth.values
    own = {
        "eta": v["transition_log_rate"], "delta": v["effect_log_times"], "mu": v["class_log_rate"],
        "log_sigma": v["class_log_spread"], "z": v["indicator_offset"], "zeta": v["indicator_departure"],
        "increment": v["grade_increment"], "tau": float(v["departure_scale"][0]),
        "kappa": float(v["diagnosticity"][0]) if "diagnosticity" in v else 1.0,
        **{f"start_{stage}": v.get(f"start_{stage}", np.ones(1)) for stage in truth.spec.stages},
    }  # fmt: skip
    return oracle.derived(truth.spec, own)


def agrees(count: int, size: int, p: float) -> bool:
    """Whether a count is one that a binomial gives, two-sided."""
    return stats.binomtest(count, size, p).pvalue > FALSE_ALARM


# The simulator.


@pytest.mark.parametrize("path", [None, REFERENCE], ids=["study", "reference"])
def test_rates_are_those_of_the_oracle(path: Path | None) -> None:
    """Every rate, intensity and start of a drawn world is what the tests' own reading of the method gives."""
    spec = study_spec().with_history(()) if path is None else load_spec(path)
    truth, space = truth_of(spec), StateSpace(spec)
    p = parameters(truth)
    for (name, state), value in p.log_lambda.items():
        assert truth.intensity(name, state) == pytest.approx(np.exp(value))
    for stage, weights in p.start.items():
        assert truth.start(stage) == pytest.approx([weights[s] for s in spec.stages[stage].all_phases])
    for z in oracle.joint_states(spec):
        new = dict(zip(spec.stages, z, strict=True))
        for stage, content in spec.stages.items():
            for _, from_, to in content.moves():
                expected = oracle_stages._rate(spec, p, stage, from_, to, new)
                assert truth.rate(stage, from_, to, new) == pytest.approx(expected)
    draws = truth_draws(space, truth)
    told = [p.log_lambda[name, s] for name, row in spec.indicators.items() for s in spec.stages[row.stage].all_phases]
    assert draws.log_lambda[0, : len(told)] == pytest.approx(told)
    assert draws.log_lambda.shape == (1, len(space.emission_names))
    assert draws.log_rate.shape == (1, len(space.rate_names))


def test_parameters_come_from_the_prior(spec: ModelSpec) -> None:
    """Over many worlds every parameter has the prior of the PyMC model's own draws (Kolmogorov-Smirnov)."""
    rng = np.random.default_rng(5)
    space = StateSpace(spec)
    drawn = [truth_draws(space, draw_truth(spec, rng)) for _ in range(400)]
    prior = Draws(
        *prior_draws(build_model(space, compile_evidence(space, (), spec.model.start)), Draws._fields, 400, 2)
    )
    p_values = [
        stats.ks_2samp([getattr(one, name)[0, k] for one in drawn], getattr(prior, name)[:, k]).pvalue
        for name in prior._fields
        for k in range(getattr(prior, name).shape[1])
    ]
    assert len(p_values) == 10 + 15 + 11 + 5
    assert min(p_values) > FALSE_ALARM / len(p_values)


def test_paths_visit_states_as_often_as_they_should(spec: ModelSpec) -> None:
    """Occupancy of the joint states after nine steps and a short one is the product of the oracle's matrices."""
    truth, rng = truth_of(spec), np.random.default_rng(1)
    p = parameters(truth)
    expected = oracle.initial(spec, p)
    for days in (*[7] * 9, 3):
        expected = expected @ oracle.transition_matrix(spec, p, days)
    size, states = 3000, oracle.joint_states(spec)
    ends = [tuple(simulate_path(truth, 66, rng)[-1].values()) for _ in range(size)]
    assert min(expected) > 0.01
    assert stats.chisquare([ends.count(state) for state in states], size * expected).pvalue > FALSE_ALARM


def test_units_depart_from_their_stage() -> None:
    """All rates of a unit of a stage are those of its stage times one number; the model itself is a unit."""
    spec = study_spec()
    truth, ways = truth_of(spec), [("good", "fresh"), ("fresh", "settled"), ("settled", "good")]
    units, spread = units_of(spec)["relations"], np.exp(truth.values["unit_log_spread"][0])
    plain = truth_of(spec.with_history(()))
    for name, offset in zip(units, truth.values["unit_offset"], strict=True):
        for from_, to in ways:
            rate = truth.rate("relations", from_, to, {"pressure": "high"}, name)
            expected = plain.rate("relations", from_, to, {"pressure": "high"}) * np.exp(spread * offset)
            assert rate == pytest.approx(expected)
    assert truth.rate("relations", *ways[0], {}) == truth.rate("relations", *ways[0], {}, "home")
    assert truth.rate("pressure", "low", "high", {}) == plain.rate("pressure", "low", "high", {})


def test_a_history_is_told_of_the_same_units_days_and_conditions() -> None:
    """Each unit's timeline lasts as long as in the model's history; conditions change on its days; states are drawn."""
    spec = study_spec()
    spells = simulate_world(spec, 20, np.random.default_rng(4)).spells
    for told in read_spells(spec).segments:
        mine = [spell for spell in spells if spell.unit == told[0].unit]
        assert (mine[0].from_, mine[-1].to) == (told[0].from_, told[-1].to)
        assert all(a.to == b.from_ for a, b in itertools.pairwise(mine))
        changes = [b.from_ for a, b in itertools.pairwise(mine) if a.conditions != b.conditions]
        assert changes == [spell.from_ for spell in told[1:]]
        assert {spell.states for spell in mine} == {("good",), ("bad",)}


@pytest.mark.slow
def test_histories_are_as_frequent_as_the_engine_says() -> None:
    """Of many histories of four steps each comes as often as the engine's likelihood has it, chi-squared."""
    spec = study_spec()
    north = next(spell for spell in spec.history if spell.unit == "north" and not spell.conditions)
    spec = spec.with_history((north._replace(to=north.from_ + dt.timedelta(days=28)),))
    truth, rng, size = truth_of(spec), np.random.default_rng(6), 3000
    truth.values["transition_log_rate"][:] += 2.0  # so that much happens in four weeks
    told = Counter(worlds.simulate_history(truth, rng) for _ in range(size))
    chance: list[float] = []
    for spells in told:
        space = StateSpace(spec.with_history(spells))
        history = compile_history(space)
        rates = [
            truth.rate("relations", from_, {"bad": "fresh"}.get(to, to), {}, "north")
            for k in history.rate_transition
            for from_, to in [space.transitions[k].partition(".")[2].split(">")]
        ]
        begin = {"good": 4 / 6, "bad": 2 / 6}[spells[0].states[0]]
        chance.append(begin * np.exp(history_log_likelihood(history.spans, np.log(rates))[0]))
    often = [(count, size * p) for count, p in zip(told.values(), chance, strict=True) if size * p > 5]
    observed, expected = map(list, zip(*often, strict=True))
    assert len(often) > 10
    rest = size - sum(observed), size - sum(expected)
    assert stats.chisquare([*observed, rest[0]], [*expected, rest[1]]).pvalue > FALSE_ALARM


def constant(spec: ModelSpec, steps: int, **states: str) -> list[dict[str, str]]:
    """Give a path that never moves."""
    return [{stage: states[stage] for stage in spec.stages}] * steps


def first_tellings(entries: tuple) -> Iterator[Observation]:
    """Give the rows of indicators that no earlier row told."""
    return (row for row in entries if isinstance(row, Observation) and row.indicator and row.story == row.id)


def test_reports_of_what_is_watched(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under coverage the first days of a step have a report of each grade as often as the cell of the likelihood says.

    The cell's value for a row of credibility w is w p + (1 - w) p0 (1 - p) / (1 - p0), and what is seen at grade w has
    probability share / w times that.
    """
    monkeypatch.setattr(worlds, "ALWAYS", 1.0)
    truth, steps = truth_of(spec), 52
    p, path = parameters(truth), constant(spec, steps, pressure="low", relations="good")
    counts = {(grade, days): 0 for grade in MIX for days in (1, 3, 5, 7)}
    size = 0
    for seed in range(20):
        entries = simulate_ledger(truth, path, 7 * steps, np.random.default_rng(seed))
        (span,) = [row for row in entries if isinstance(row, Coverage) and row.indicator == "call"]
        assert (span.to - span.from_).days + 1 == 7 * steps - spec.model.reporting_lag_days
        size += steps - 1  # the last is cut short
        for row in first_tellings(entries):
            if row.indicator == "call" and row.date < spec.model.start + dt.timedelta(weeks=steps - 1):
                day = (row.date - spec.model.start).days % 7
                for days in (1, 3, 5, 7):
                    counts[row.grade, days] += day < days
    assert size > 500
    for (grade, days), count in counts.items():
        cell = oracle.Covered(0, "pressure", "call", days, (credibility(grade),))
        expected = MIX[grade] / credibility(grade) * oracle.likelihood(spec, p, cell)["low"]
        assert agrees(count, size, expected), (grade, days)


def test_stories_tell_what_the_method_says(spec: ModelSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody watches, which indicator is told depends on credibility and state as the selective cell says."""
    monkeypatch.setattr(worlds, "STORIES_A_YEAR", 200.0)
    monkeypatch.setattr(worlds, "ALWAYS", 0.0)
    monkeypatch.setattr(worlds, "NEVER", 1.0)
    spec = spec.model_copy(update={"model": spec.model.model_copy(update={"episode_days": 0})})
    truth, steps = truth_of(spec), 52
    p, path = parameters(truth), constant(spec, steps, pressure="high", relations="good")
    told: dict[str, list[str]] = {grade: [] for grade in MIX}
    for seed in range(8):
        entries = simulate_ledger(truth, path, 7 * steps, np.random.default_rng(seed))
        assert not any(isinstance(row, Coverage) for row in entries)
        for row in first_tellings(entries):
            if spec.indicators[row.indicator].stage == "pressure":
                told[row.grade].append(row.indicator)
    among = ("threat", "drill", "call")
    for grade, names in told.items():
        cells = [oracle.Selective(0, "pressure", name, among, credibility(grade)) for name in among]
        expected = np.array([oracle.likelihood(spec, p, cell)["high"] for cell in cells])
        assert expected.sum() == pytest.approx(1.0)
        assert len(names) > 40
        assert stats.chisquare([names.count(name) for name in among], len(names) * expected).pvalue > FALSE_ALARM


def test_counts_are_negative_binomial_in_the_volume(spec: ModelSpec) -> None:
    """In a state, counts for each unit of volume have the mean of the likelihood; some weeks have none."""
    truth, path = truth_of(spec), constant(spec, 2000, pressure="high", relations="good")
    truth.values["channel_log_dispersion"][:] = np.log(400.0)
    entries = simulate_ledger(truth, path, 14_000, np.random.default_rng(5))
    for name, phase in (("alarms", "high"), ("insults", "good"), ("greetings", "good")):
        rows = [row for row in entries if isinstance(row, Count) and row.channel == name]
        rate, dispersion = truth.counted(name, phase)
        assert agrees(len(rows), 2000, worlds.DELIVERED)
        means = np.array([row.exposure * rate for row in rows])
        spread = np.sqrt((means + means**2 / dispersion).sum())
        assert abs(sum(row.count for row in rows) - means.sum()) < 3.5 * spread


def test_assessments_are_right_at_their_credibility(spec: ModelSpec) -> None:
    """A row that names a state is right with its credibility, or by chance; there are as many as there should be."""
    path = constant(spec, 520, pressure="high", relations="good")
    entries = simulate_ledger(truth_of(spec), path, 3640, np.random.default_rng(2))
    rows = [row for row in entries if isinstance(row, Observation) and row.state]
    right = sum(row.state in {"pressure.high", "relations.good"} for row in rows)
    assert all(len(stage.states) == 2 for stage in spec.stages.values())
    expected = sum(share * max(credibility(grade), 0.5) for grade, share in MIX.items())
    mean = 2 * ASSESSMENTS_A_YEAR * 3640 / 365.25
    assert abs(len(rows) - mean) < 3.5 * np.sqrt(mean)
    assert agrees(right, len(rows), expected)


def test_one_offs_wait_to_be_reset(spec: ModelSpec) -> None:
    """A one-off that was credibly told is not told again before a credible row of what resets it, in every world."""
    again = 0
    for seed in range(40):
        rows = first_tellings(simulate_world(spec, 364, np.random.default_rng(seed)).entries)
        closed = False
        for row in rows:
            if row.indicator == "expulsion":
                assert not closed
                again += 1
                closed = credibility(row.grade) >= 0.5
            elif row.indicator == "visit" and credibility(row.grade) >= 0.5:
                closed = False
    assert again > 40


MOVING = (0, 2, 13)  # worlds of which most have a record


@pytest.mark.parametrize(
    "seeds",
    [MOVING, pytest.param([k for k in range(24) if k not in MOVING], marks=pytest.mark.slow)],
    ids=["some", "others"],
)
def test_records_follow_the_observable_states(seeds: Sequence[int]) -> None:
    """The reference model's worlds record each change of an observable state, and none of them is impossible."""
    spec = load_spec(REFERENCE)
    model, changes = Model(spec), 0
    (stage,) = [name for name, content in spec.stages.items() if content.observable]
    for seed in seeds:
        world = simulate_world(spec, 364, np.random.default_rng(seed))
        own = spec.stages[stage]
        inside = [own.state_of(phases[stage]) in own.observable for phases in world.path]
        moves = sum(a != b for a, b in zip([False, *inside[:-1]], inside, strict=True))
        rows = [row for row in world.entries if isinstance(row, Observation) and (row.state or "").startswith(stage)]
        assert len(rows) == moves
        changes += moves
        evidence = model.evidence(world.entries, spec.model.start + dt.timedelta(days=363))
        found = calibrate._forecasts(model.space, evidence, truth_draws(model.space, world.truth))
        assert np.isfinite(found["log-likelihood"]).all()
    assert changes > 1


def test_the_engine_reads_a_world_as_it_was_meant(spec: ModelSpec) -> None:
    """Rows are left out only because their story was told before, or because they are not public yet."""
    model = Model(spec)
    for seed in range(10):
        world = simulate_world(spec, 367, np.random.default_rng(seed))
        evidence = model.evidence(world.entries, spec.model.start + dt.timedelta(days=366))
        counted = {row.id for row in world.entries if isinstance(row, Count)}
        kept = {row for rows in evidence.rows for row in rows}
        assert len(kept & counted) > 100
        kept -= counted
        last = spec.model.start + dt.timedelta(days=366 - spec.model.reporting_lag_days)
        told = {row.id for row in world.entries
                if isinstance(row, Observation) and row.story == row.id and row.date <= last}  # fmt: skip
        assert kept == told


def test_too_frequent_false_reports_are_refused(spec: ModelSpec) -> None:
    """A model whose indicators are so frequent that false reports have no probability left is refused by name."""
    fast = spec.priors.classes["fast"].model_copy(update={"per_year": (100.0, 200.0)})
    priors = spec.priors.model_copy(update={"classes": {**spec.priors.classes, "fast": fast}})
    watched_in_every_step = 4  # a seed
    with pytest.raises(InputError, match=r"indicators\.(drill|call|visit): is too frequent"):
        simulate_world(spec.model_copy(update={"priors": priors}), 364, np.random.default_rng(watched_in_every_step))
