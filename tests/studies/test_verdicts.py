"""Studies judge their worlds rightly: places, bands, reliability and families of tests."""

from __future__ import annotations

import json

import numpy as np
import pytest
from arviz_stats.ecdf_utils import ecdf_pit
from scipy import stats

from forecast.record.calibration import reliability_of_worlds
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

FALSE_ALARM = 1e-3  # of a statistical check, which is the same in every run: seeds are fixed


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
