"""Simulated worlds are what the method says, studies judge them rightly, and nothing that was computed is lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import signal
import sys
import time
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import oracle
import pytest
from arviz_stats.ecdf_utils import ecdf_pit
from places import MODEL
from scipy import stats
from toys import die_once, toy
from typer.testing import CliRunner

from benchmarks.validation.bugs import Blind
from forecast.base.errors import InputError
from forecast.cli.app import app
from forecast.inference.model import Model
from forecast.inference.settings import Settings
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Coverage, Observation
from forecast.record.calibration import reliability_of_worlds
from forecast.studies import calibrate, worlds
from forecast.studies.calibrate import calibration_world, sbc_world, study_spec, truth_draws
from forecast.studies.run import about, run_worlds, work_of
from forecast.studies.verdicts import (
    band,
    excess,
    holm,
    interval_coverage,
    judge_calibration,
    judge_ranks,
    place,
    places_of,
    uniformity_p,
)
from forecast.studies.workers import connect
from forecast.studies.worlds import (
    ASSESSMENTS_A_YEAR,
    MIX,
    Truth,
    draw_truth,
    simulate_ledger,
    simulate_path,
    simulate_world,
)
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from forecast.theory.spec import ModelSpec

REFERENCE = MODEL
SHORT = Settings(draws=100, tune=100, chains=2)
FALSE_ALARM = 1e-3  # of a statistical check, which is the same in every run: seeds are fixed


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    """Read the small model of studies."""
    return study_spec()


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
    spec = study_spec() if path is None else load_spec(path)
    truth, space = truth_of(spec), StateSpace(spec)
    p = parameters(truth)
    for (name, state), value in p.log_lambda.items():
        assert truth.intensity(name, state) == pytest.approx(np.exp(value))
    for stage, weights in p.start.items():
        assert truth.start(stage) == pytest.approx([weights[s] for s in spec.stages[stage].states])
    for z in oracle.joint_states(spec):
        new = dict(zip(spec.stages, z, strict=True))
        for stage, content in spec.stages.items():
            for move in content.transitions:
                expected = oracle._rate(spec, p, stage, move.from_, move.to, new)
                assert truth.rate(stage, move.from_, move.to, new) == pytest.approx(expected)
    draws = truth_draws(space, truth)
    assert draws.log_lambda[0] == pytest.approx(
        [p.log_lambda[name, s] for name, row in spec.indicators.items() for s in spec.stages[row.stage].states]
    )
    assert draws.log_rate.shape == (1, len(space.rate_names))


def test_parameters_come_from_the_prior(spec: ModelSpec) -> None:
    """Over many worlds every parameter has the prior of the PyMC model's own draws (Kolmogorov-Smirnov)."""
    rng = np.random.default_rng(5)
    space = StateSpace(spec)
    drawn = [truth_draws(space, draw_truth(spec, rng)) for _ in range(400)]
    model = Model(spec)
    prior = model.sampler(model.evidence((), spec.model.start)).prior(400, 2)
    p_values = [
        stats.ks_2samp([getattr(one, name)[0, k] for one in drawn], getattr(prior, name)[:, k]).pvalue
        for name in prior._fields
        for k in range(getattr(prior, name).shape[1])
    ]
    assert len(p_values) == 6 + 12 + 4
    assert min(p_values) > FALSE_ALARM / len(p_values)


def test_paths_visit_states_as_often_as_they_should(spec: ModelSpec) -> None:
    """Occupancy of the joint states after three steps and a short one is the product of the oracle's matrices."""
    truth, rng = truth_of(spec), np.random.default_rng(1)
    p = parameters(truth)
    expected = oracle.initial(spec, p)
    for days in (7, 7, 7, 3):
        expected = expected @ oracle.transition_matrix(spec, p, days)
    size, states = 3000, oracle.joint_states(spec)
    ends = [tuple(simulate_path(truth, 24, rng)[-1].values()) for _ in range(size)]
    assert min(expected) > 0.02
    assert stats.chisquare([ends.count(state) for state in states], size * expected).pvalue > FALSE_ALARM


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


def test_records_follow_the_observable_states() -> None:
    """The reference model's worlds record each change of an observable state, and none of them is impossible."""
    spec = load_spec(REFERENCE)
    model, changes = Model(spec), 0
    (stage,) = [name for name, content in spec.stages.items() if content.observable]
    for seed in range(12):
        world = simulate_world(spec, 364, np.random.default_rng(seed))
        inside = [states[stage] in spec.stages[stage].observable for states in world.path]
        moves = sum(a != b for a, b in zip([False, *inside[:-1]], inside, strict=True))
        rows = [row for row in world.entries if isinstance(row, Observation) and (row.state or "").startswith(stage)]
        assert len(rows) == moves
        changes += moves
        evidence = model.evidence(world.entries, spec.model.start + dt.timedelta(days=363))
        found = calibrate._forecasts(model.space, evidence, truth_draws(model.space, world.truth))
        assert np.isfinite(found["log-likelihood"]).all()
    assert changes > 2


def test_the_engine_reads_a_world_as_it_was_meant(spec: ModelSpec) -> None:
    """Rows are left out only because their story was told before, or because they are not public yet."""
    model = Model(spec)
    for seed in range(10):
        world = simulate_world(spec, 367, np.random.default_rng(seed))
        evidence = model.evidence(world.entries, spec.model.start + dt.timedelta(days=366))
        kept = {row for rows in evidence.rows for row in rows}
        last = spec.model.start + dt.timedelta(days=366 - spec.model.reporting_lag_days)
        told = {row.id for row in world.entries
                if isinstance(row, Observation) and row.story == row.id and row.date <= last}  # fmt: skip
        assert kept == told


def test_too_frequent_false_reports_are_refused(spec: ModelSpec) -> None:
    """A model whose indicators are so frequent that false reports have no probability left is refused by name."""
    fast = spec.priors.classes["fast"].model_copy(update={"per_year": (100.0, 200.0)})
    priors = spec.priors.model_copy(update={"classes": {**spec.priors.classes, "fast": fast}})
    watched_in_every_step = 1  # a seed
    with pytest.raises(InputError, match=r"indicators\.(drill|call|visit): is too frequent"):
        simulate_world(spec.model_copy(update={"priors": priors}), 364, np.random.default_rng(watched_in_every_step))


# Statistics.


def conjugate(rng: np.random.Generator, shift: float = 0.0, worlds: int = 200) -> np.ndarray:
    """Place true means of a normal-normal toy among posterior draws; ``shift`` makes the posterior wrong."""
    places = []
    for _ in range(worlds):
        mean = rng.normal()
        seen = rng.normal(mean)
        places.append(place(mean, rng.normal(seen / 2 + shift, np.sqrt(0.5), 100), rng))
    return np.array(places)


def test_places_of_a_conjugate_toy_are_uniform(rng: np.random.Generator) -> None:
    """Under the exact posterior the places pass; under one shifted by half a standard deviation they do not."""
    assert uniformity_p(conjugate(rng)) > 0.01
    assert uniformity_p(conjugate(rng, shift=0.35)) < 0.001


def test_ties_are_broken_at_random(rng: np.random.Generator) -> None:
    """What equals every draw up to rounding has a uniform place, and stays strictly between 0 and 1."""
    places = np.array([place(1.0 + 1e-15, np.ones(100), rng) for _ in range(400)])
    assert stats.kstest(places, "uniform").pvalue > FALSE_ALARM
    assert place(2.0, np.ones(100), rng) > 100 / 101 > 1 / 101 > place(0.0, np.ones(100), rng)


def test_the_bands_hold_at_their_level(rng: np.random.Generator) -> None:
    """Uniform numbers leave the band as often as is said, exactly when their p-value is below the level."""
    size, trials = 80, 600
    points, low, high = band(size, 0.1)
    out = 0
    for _ in range(trials):
        values = rng.random(size)
        difference = (values[:, None] <= points).mean(axis=0) - points
        outside = bool(((difference < low - 1e-12) | (difference > high + 1e-12)).any())
        assert outside == (uniformity_p(values) < 0.1) or abs(uniformity_p(values) - 0.1) < 0.01
        out += outside
    assert stats.binomtest(out, trials, 0.1, alternative="greater").pvalue > FALSE_ALARM
    assert out > 0.04 * trials


def test_the_bands_agree_with_arviz(rng: np.random.Generator) -> None:
    """ArviZ's simultaneous bands are the same, up to one count and the simulation."""
    size = 60
    points, low, high = band(size)
    where, _, theirs_low, theirs_high = ecdf_pit(rng.random(size), 0.95, 2000, rng=rng)
    assert where[1:-1] == pytest.approx(points)
    assert np.abs(theirs_low[1:-1] - (low + points)).max() <= 1.01 / size
    assert np.abs(theirs_high[1:-1] - (high + points)).max() <= 1.01 / size


def test_holm_is_holms() -> None:
    """A worked example, out of order."""
    assert holm(np.array([0.04, 0.01, 0.03, 0.005])) == pytest.approx([0.06, 0.03, 0.06, 0.02])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


def test_a_study_is_judged_as_a_family(rng: np.random.Generator) -> None:
    """Forty uniform quantities pass together, one that is shifted among them is named, and the omnibus sees spread."""
    fair = {f"q{k}": rng.random(150) for k in range(40)}
    found = judge_ranks(fair)
    assert (found.worlds, found.rejected) == (150, [])
    assert found.omnibus > 0.01
    assert judge_ranks({**fair, "q7": fair["q7"] ** 1.7}).rejected == ["q7"]
    narrow = {name: stats.norm.cdf(1.3 * stats.norm.ppf(values)) for name, values in fair.items()}
    assert judge_ranks(narrow).omnibus < 1e-6
    assert judge_ranks(narrow).spread > 1.4


def test_quantities_may_lack_in_a_world() -> None:
    """A quantity that a world does not have is judged over the others."""
    two = [
        {"name": np.array(["a", "b"]), "place": np.array([0.1, 0.2])},
        {"name": np.array(["b"]), "place": np.array([0.4])},
    ]
    found = places_of(two)
    assert found["a"].tolist() == [0.1]
    assert found["b"].tolist() == [0.2, 0.4]


def forecasters(rng: np.random.Generator, power: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Give 80 worlds' forecasts, and outcomes that come true with the said probability to a power."""
    said = [rng.random(30) for _ in range(80)]
    return said, [(rng.random(30) < p**power).astype(float) for p in said]


def test_reliability_finds_overconfidence(rng: np.random.Generator) -> None:
    """Right probabilities lie on the diagonal within the band and pass; overstated ones do neither."""
    grid = np.linspace(0.1, 0.9, 9)
    said, outcome = forecasters(rng, 1.0)
    fair = reliability_of_worlds(said, outcome, grid)
    assert ((fair.low <= grid) & (grid <= fair.high)).mean() > 0.7
    assert fair.parts.brier == pytest.approx(
        fair.parts.miscalibration - fair.parts.discrimination + fair.parts.uncertainty
    )
    assert fair.parts.brier == pytest.approx(np.square(np.concatenate(said) - np.concatenate(outcome)).mean())
    assert (np.diff(fair.came_true) >= 0).all()
    assert fair.parts.miscalibration < 0.01
    assert min(excess(said, outcome)[3:]) > 0.01
    said, outcome = forecasters(rng, 3.0)
    wrong = reliability_of_worlds(said, outcome, grid)
    assert (wrong.high < grid)[2:8].all()
    assert wrong.parts.miscalibration > 0.05
    assert excess(said, outcome).p_mean < 1e-6
    assert excess(said, outcome).mean == pytest.approx(-0.25, abs=0.03)
    few = reliability_of_worlds([0.2 + 0.3 * p for p in said], outcome, grid)
    assert few.said == pytest.approx([0.3, 0.4])
    assert few.came_true.size == few.low.size == few.high.size == 2


def test_excess_that_goes_with_the_probability_is_found(rng: np.random.Generator) -> None:
    """Probabilities drawn to one half are right on average and wrong in their slope."""
    true = [rng.random(30) for _ in range(80)]
    outcome = [(rng.random(30) < p).astype(float) for p in true]
    found = excess([0.5 + 0.4 * (p - 0.5) for p in true], outcome)
    assert found.p_slope < 1e-6
    assert found.p_mean > 0.01


def test_intervals_are_counted() -> None:
    """Ninety of a hundred pass for a 90 % interval, seventy do not, and none at all say nothing."""
    assert interval_coverage(np.arange(100) < 90) > 0.9
    assert interval_coverage(np.arange(100) < 70) < 1e-6
    assert interval_coverage(np.zeros(0, dtype=bool)) == 1.0


def fake_year(rng: np.random.Generator, lift: float) -> dict[str, np.ndarray]:
    """Make up a year of forecasts of one quantity, said to be more probable than it is by ``lift``."""
    true = rng.uniform(0.2, 0.6, (52, 1))
    said = true + lift
    return {
        "name": np.array(["x at 1 weeks"]), "said": said, "low": said - 0.1, "high": said + 0.1, "true": true,
        "outcome": (rng.random((52, 1)) < true).astype(float), "fits": np.array(2),
    }  # fmt: skip


def test_a_study_of_forecasts_is_judged(rng: np.random.Generator) -> None:
    """Overstated probabilities are off in their mean and their intervals; weeks without a forecast are left out."""
    years = [fake_year(rng, 0.15) for _ in range(50)]
    years[0]["said"][:26] = np.nan
    found = judge_calibration(years)
    assert found.excesses["x at 1 weeks"].forecasts == 50 * 52 - 26
    assert found.published == pytest.approx(1 - 0.5 / 50)
    assert found.fits == 100
    assert found.coverage == 0.0
    assert "x at 1 weeks: mean" in found.rejected
    assert "x at 1 weeks, week 26: interval" in found.rejected
    assert list(found.curves) == ["at 1 weeks"]
    assert json.loads(json.dumps(found.to_dict()))["worlds"] == 50


# Worlds of the engine.


@cache
def compiled() -> Model:
    """Give the small model, which is compiled once."""
    return Model(study_spec())


def test_a_world_is_placed_whole_and_again_the_same() -> None:
    """One world gives a place for every parameter and forecast, the same each time; another world gives others."""
    one, again, other = (sbc_world(compiled(), SHORT, 1, world) for world in (4, 4, 5))
    names = one["name"].tolist()
    assert len(set(names)) == len(names) == 29 + 1 + 2 * 7 + 3 + 1
    assert ((one["place"] > 0) & (one["place"] < 1)).all()
    assert one["place"].tolist() == again["place"].tolist() != other["place"].tolist()


def test_outcomes_are_read_off_the_path(spec: ModelSpec) -> None:
    """Each kind of forecast comes true when the path says so; what has no condition is not scored."""
    states = "llhlhhllllllllllllll"
    names = {"l": "low", "h": "high"}
    path = [{"pressure": names[s], "relations": "bad" if k in {2, 6} else "good"} for k, s in enumerate(states)]

    def read(now: int, outcome: str, kind: str, given: str | None = None, weeks: int | None = None) -> float:
        return calibrate._outcome(spec, path, now, (outcome, kind, given, weeks, None))

    assert [read(k, "pressed", "already") for k in (1, 2)] == [0.0, 1.0]
    assert [read(k, "pressed", "at", None, 1) for k in (0, 1)] == [0.0, 1.0]
    assert [read(k, "pressed", "reached", None, 1) for k in (0, 1, 2, 4)] == [0.0, 1.0, 0.0, 0.0]
    assert read(0, "pressed", "reached", None, 4) == 1.0
    assert read(1, "broken", "given", "pressed", 1) == 1.0
    assert read(3, "broken", "given", "pressed", 1) == 0.0
    assert np.isnan(read(0, "broken", "given", "pressed", 1))
    assert read(2, "broken", "after", "2 weeks after pressed", 2) == 1.0  # it begins at 4
    assert read(0, "broken", "after", "2 weeks after pressed", 2) == 0.0  # it begins at 2
    assert np.isnan(read(5, "broken", "after", "2 weeks after pressed", 2))


def test_a_year_of_forecasts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weekly forecasts are published with intervals; the true probabilities are those of the parameters."""
    monkeypatch.setattr(calibrate, "WEEKS", 5)
    found = calibration_world(compiled(), SHORT, 1, 0)
    assert found["said"].shape == (5, found["name"].size) == (5, 18)
    assert np.isfinite(found["said"]).all()
    assert (found["low"] <= found["said"]).all()
    assert (found["said"] <= found["high"]).all()
    assert set(np.unique(found["outcome"][np.isfinite(found["outcome"])])) <= {0.0, 1.0}
    assert np.isfinite(found["true"]).all()
    assert found["fits"] == 0
    assert not np.allclose(found["said"], found["true"])


def test_horizons_off_the_grid_are_refused() -> None:
    """A model whose horizons end within a step is refused: its paths do not say what is then."""
    spec = study_spec()
    model = Model(spec.model_copy(update={"model": spec.model.model_copy(update={"step_days": 5})}))
    with pytest.raises(InputError, match="no whole steps of 5 days"):
        calibration_world(model, SHORT, 1, 0)


# Many worlds.

HEADER = {"kind": "toy", "seed": 1}


@contextmanager
def inside(workers: int = 1) -> Generator:
    """Run Dask in this process."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - slow to import

    with (
        LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        yield client


def refuse() -> Generator:
    """Stand for a cluster that nobody should ask for."""
    pytest.fail("nothing was left to compute")


def test_worker_counts_agree(tmp_path: Path) -> None:
    """One worker and three give the same worlds."""
    one = run_worlds(tmp_path / "one", HEADER, toy, 6, partial(inside, 1))
    three = run_worlds(tmp_path / "three", HEADER, toy, 6, partial(inside, 3))
    assert [row["x"].tolist() for row in one] == [row["x"].tolist() for row in three]
    assert one[0]["x"].tolist() == toy(0)["x"].tolist() != one[1]["x"].tolist()


def test_a_study_goes_on_and_recomputes_nothing(tmp_path: Path) -> None:
    """Finished worlds are left untouched, further ones are added, and a finished study asks for no cluster."""
    progress: list[tuple[int, int]] = []
    run_worlds(tmp_path, HEADER, toy, 2, inside)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    found = run_worlds(tmp_path, HEADER, toy, 4, inside, on_world=lambda *row: progress.append(row))
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert set(after) == {"study.json", *(f"world-{k:05}.npz" for k in range(4))}
    assert {name: after[name] for name in before} == before
    assert progress == [(2, 4), (3, 4), (4, 4)]
    again = run_worlds(tmp_path, HEADER, toy, 3, refuse)
    assert [row["x"].tolist() for row in again] == [row["x"].tolist() for row in found[:3]]


def test_a_changed_study_is_refused_and_nothing_overwritten(tmp_path: Path, spec: ModelSpec) -> None:
    """A folder of another model, seed or length of chains is refused, by the name of what differs."""
    header = about("sbc", spec, SHORT, 1)
    run_worlds(tmp_path, header, toy, 1, inside)
    content = {path: path.read_bytes() for path in tmp_path.iterdir()}
    slower = spec.model_copy(update={"model": spec.model.model_copy(update={"reporting_lag_days": 7})})
    nearer = spec.model_copy(update={"model": spec.model.model_copy(update={"horizons_weeks": (2,)})})
    broken = spec.outcomes["broken"].model_copy(update={"states": {"relations": ("good",)}})
    swapped = spec.model_copy(update={"outcomes": {**spec.outcomes, "broken": broken}})
    for other, what in (
        (about("sbc", slower, SHORT, 1), f"model_hash was {spec.hash}, is {slower.hash}"),
        (about("sbc", nearer, SHORT, 1), "horizons_weeks was"),
        (about("sbc", swapped, SHORT, 1), "outcomes_hash was"),
        (about("sbc", spec, SHORT, 2), "seed was 1, is 2"),
        (about("sbc", spec, dataclasses.replace(SHORT, draws=200), 1), "draws was 100, is 200"),
    ):
        with pytest.raises(InputError, match=what):
            run_worlds(tmp_path, other, toy, 2, refuse)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == content


def test_spoilt_folders_are_named(tmp_path: Path) -> None:
    """A broken header, a broken world and worlds without a header each give a message that names the file."""
    run_worlds(tmp_path, HEADER, toy, 1, inside)
    (tmp_path / "world-00000.npz").write_bytes(b"half")
    with pytest.raises(InputError, match=r"world-00000\.npz: cannot be read"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)
    (tmp_path / "study.json").write_text("{")
    with pytest.raises(InputError, match=r"study\.json: cannot be read"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)
    (tmp_path / "study.json").unlink()
    with pytest.raises(InputError, match=r"worlds without a study\.json"):
        run_worlds(tmp_path, HEADER, toy, 1, refuse)


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    """A worker process that is killed at a world is replaced, and the study is as if nothing had happened."""
    marks = tmp_path / "marks"
    marks.mkdir()
    found = run_worlds(tmp_path / "study", HEADER, partial(die_once, marks), 5, partial(connect, 1, None))
    assert (marks / "died-2").exists()
    assert len({path.name.rsplit("-", 1)[1] for path in marks.glob("made-*")}) == 2, "two processes did the work"
    assert [row["x"].tolist() for row in found] == [toy(k)["x"].tolist() for k in range(5)]


@pytest.mark.skipif(sys.version_info < (3, 13), reason="processors cannot be shared before Python 3.13")
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_share_the_processors(workers: int) -> None:
    """One has all of them; two have half of them each, and never none."""
    with connect(workers, None) as client:
        assert set(client.run(os.cpu_count).values()) == {max((os.cpu_count() or 1) // workers, 1)}
        assert len(client.run(os.cpu_count)) == workers
    assert "PYTHON_CPU_COUNT" not in os.environ


# The command.


def test_without_dask_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra the error names it."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"scenario-cascade\[cluster\]"):
        run_worlds(tmp_path, HEADER, toy, 1, partial(connect, 1, None))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_scheduler_that_is_not_there(address: str) -> None:
    """Within seconds the error says that nobody answers, and at which address."""
    begun = time.monotonic()
    with pytest.raises(InputError, match=rf"--scheduler {address}: no Dask scheduler answers"), connect(None, address):
        pytest.fail("connected")
    assert time.monotonic() - begun < 15


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_sums_a_study_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool) -> None:
    """The command prints the verdict of a finished study, in words or as JSON."""
    spec = study_spec()

    def world_of(_kind: str, *_rest: object) -> Callable[[int], dict[str, np.ndarray]]:
        return lambda world: {"name": np.array(["a", "b"]), "place": np.random.default_rng(world).random(2)}

    header = about("sbc", spec, Settings(), 1)
    run_worlds(tmp_path / "s", header, world_of("sbc"), 12, inside)
    monkeypatch.setattr("forecast.studies.workers.connect", refuse)
    more = ["--json"] if as_json else []
    done = CliRunner().invoke(app, ["study", "sbc", "--worlds", "12", "--output", str(tmp_path / "s"), *more])
    assert done.exit_code == 0, done.output
    if as_json:
        content = json.loads(done.stdout)
        assert (content["worlds"], content["kind"], content["rejected"]) == (12, "sbc", [])
        assert set(content["adjusted"]) == {"a", "b"}
    else:
        assert "Off at a family-wise 5 % among 2: none." in done.stdout
        assert "12 worlds in" in done.stdout


# With the engine, for minutes.


@pytest.mark.slow
def test_real_worlds_survive_a_kill_and_do_not_depend_on_workers(tmp_path: Path) -> None:
    """A worker killed amid real worlds costs nothing, and two workers give what one gives."""
    from distributed import Client, LocalCluster  # noqa: PLC0415 - slow to import

    spec = study_spec()
    work, header = work_of("sbc", spec, SHORT, 1), about("sbc", spec, SHORT, 1)
    killed: list[int] = []

    @contextmanager
    def with_a_kill() -> Generator:
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            pids = list(client.run(os.getpid).values())

            def kill(done: int, _total: int) -> None:
                if done == 2 and not killed:
                    os.kill(pids[0], signal.SIGKILL)
                    killed.append(pids[0])

            hooks.append(kill)
            yield client

    hooks: list[Callable[[int, int], None]] = []
    two = run_worlds(
        tmp_path / "two", header, work, 6, with_a_kill, on_world=lambda *row: [hook(*row) for hook in hooks]
    )
    one = run_worlds(tmp_path / "one", header, work, 6, partial(connect, 1, None))
    assert killed
    assert [row["place"].tolist() for row in one] == [row["place"].tolist() for row in two]


@pytest.mark.slow
def test_the_engine_passes_and_a_bug_does_not() -> None:
    """Twenty worlds of the engine pass; the same twenty with coverage ignored do not."""
    spec = study_spec()
    right = judge_ranks(places_of([sbc_world(compiled(), SHORT, 1, k) for k in range(20)]))
    assert right.rejected == []
    assert right.omnibus > 0.001
    blind = Blind(spec)
    wrong = judge_ranks(places_of([sbc_world(blind, SHORT, 1, k) for k in range(20)]))
    assert wrong.rejected or wrong.omnibus < 0.001
