"""Verdicts on a study: are ranks uniform, do forecasts come true."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import stats

from forecast.record.calibration import reliability_of_worlds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats
    from forecast.record.calibration import WorldsReliability


LEVEL = 0.05
SIMULATED = 20_000  # null statistics; the least p-value is one over that
POINTS = 100  # at most, where the empirical distribution is looked at
SEED = 1
GRID = np.linspace(0.0, 1.0, 101)
CHECKED = (12, 25, 38, 51)  # weeks of the year, counted from 0, at which intervals are checked
SAME = 1e-9
DIGITS = 12  # values that agree so far are equal: they differ by rounding


def place(truth: float, draws: Floats, rng: np.random.Generator) -> float:
    """Place a true value among independent draws: uniform on (0, 1) if it is one of them; ties are broken at random."""
    values = np.round(draws, DIGITS)
    truth = round(truth, DIGITS)
    below, equal = np.count_nonzero(values < truth), np.count_nonzero(values == truth)
    return float((below + rng.random() * (equal + 1)) / (draws.size + 1))


# The uniform distribution.


class _Null(NamedTuple):
    """What n uniform numbers do: points, and at each the two-sided probability of every count; sorted statistics."""

    points: Floats  # (P,)
    two_sided: Floats  # (P, n + 1)
    gamma: Floats  # (SIMULATED,), ascending


@cache
def _null(size: int) -> _Null:
    points = np.arange(1, min(size, POINTS)) / min(size, POINTS)
    count = np.arange(size + 1)
    at_most = stats.binom.cdf(count, size, points[:, None])
    at_least = stats.binom.sf(count - 1, size, points[:, None])
    two_sided = 2 * np.minimum(at_most, at_least)
    rng = np.random.default_rng(SEED)
    bins = rng.multinomial(size, np.full(points.size + 1, 1 / (points.size + 1)), SIMULATED)
    counts = np.cumsum(bins, axis=1)[:, :-1]
    gamma = two_sided[np.arange(points.size), counts].min(axis=1)
    return _Null(points, two_sided, np.sort(gamma))


def uniformity_p(places: Floats) -> float:
    """p-value of n numbers being independent and uniform: of the worst point of their empirical distribution.

    The least that it can be is 1 / 20,001.
    """
    null = _null(places.size)
    counts = np.searchsorted(np.sort(places), null.points, side="right")
    worst = null.two_sided[np.arange(null.points.size), counts].min()
    as_bad = np.searchsorted(null.gamma, worst * (1 + 1e-9), side="right")
    return float((as_bad + 1) / (SIMULATED + 1))


def band(size: int, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """(P,) points, and the ends of the band that holds all of an empirical distribution less the diagonal.

    It does with probability 1 − ``level`` if ``size`` numbers are uniform.
    """
    null = _null(size)
    allowed = null.two_sided >= np.quantile(null.gamma, level)
    count = np.arange(size + 1)
    low = np.where(allowed, count, size).min(axis=1) / size
    high = np.where(allowed, count, 0).max(axis=1) / size
    return null.points, low - null.points, high - null.points


def holm(p_values: Floats) -> Floats:
    """Holm's adjusted p-values: all below a level are rejected with that family-wise error, whatever the dependence."""
    order = np.argsort(p_values)
    raised = p_values[order] * np.arange(p_values.size, 0, -1)
    adjusted = np.empty(p_values.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return adjusted


@dataclass(frozen=True)
class Uniformity:
    """Verdict on a study: Holm's p-value of each quantity, and the omnibus one over all of them together."""

    worlds: int
    adjusted: Mapping[str, float]
    omnibus: float
    spread: float  # mean squared normal score; 1 if calibrated, more where intervals are too narrow

    @property
    def rejected(self) -> list[str]:
        """Quantities that are not uniform, at a family-wise 5 %."""
        return [name for name, p in self.adjusted.items() if p < LEVEL]

    @property
    def summary(self) -> str:
        """The omnibus test in a sentence."""
        return f"All together: p = {self.omnibus:.3f}; spread {self.spread:.3f}, 1 if calibrated."

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {**asdict(self), "rejected": self.rejected}


def judge_ranks(places: Mapping[str, Floats]) -> Uniformity:
    """Judge the places (N,) that every quantity has in N worlds.

    The omnibus test is a t-test over worlds, which are independent, on the mean squared normal score of all quantities
    of a world: 1 if they are uniform, however they depend on each other.
    """
    adjusted = holm(np.array([uniformity_p(values) for values in places.values()]))
    scores = np.square(stats.norm.ppf(np.array(list(places.values())))).mean(axis=0)
    omnibus = float(stats.ttest_1samp(scores, 1.0).pvalue)  # pyright: ignore[reportAttributeAccessIssue]
    return Uniformity(scores.size, dict(zip(places, adjusted.tolist(), strict=True)), omnibus, float(scores.mean()))


class Excess(NamedTuple):
    """By how much more often than said a quantity came true, over worlds: mean, its standard error, and two p-values.

    ``p_slope`` is that of the excess going with the probability that was said.
    """

    forecasts: int
    mean: float
    error: float
    p_mean: float
    p_slope: float


@dataclass(frozen=True)
class Calibration:
    """Verdict on a study of forecasts.

    ``adjusted`` holds Holm's p-value of everything that is tested, in one family: the mean and the slope of the excess
    of each quantity, and at four weeks of the year the share of its intervals that hold the true probability.
    ``curves`` are of each kind and horizon.
    """

    worlds: int
    fits: int
    published: float  # share of weeks
    excesses: Mapping[str, Excess]
    curves: Mapping[str, WorldsReliability]
    coverage: float
    adjusted: Mapping[str, float]

    @property
    def rejected(self) -> list[str]:
        """What is off, at a family-wise 5 %."""
        return [name for name, p in self.adjusted.items() if p < LEVEL]

    @property
    def summary(self) -> str:
        """The intervals in a sentence."""
        return f"90 % intervals hold {100 * self.coverage:.1f} % of the true probabilities."

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        curves = {
            name: {"said": row.said.tolist(), "came_true": row.came_true.tolist(), "low": row.low.tolist(),
                   "high": row.high.tolist(), **row.parts._asdict()}
            for name, row in self.curves.items()
        }  # fmt: skip
        excesses = {name: row._asdict() for name, row in self.excesses.items()}
        return {**asdict(self), "excesses": excesses, "curves": curves, "rejected": self.rejected}


def excess(said: Sequence[Floats], outcome: Sequence[Floats]) -> Excess:
    """Test over worlds whether the excess of outcomes over probabilities has mean 0, and none that goes with them."""
    middle = float(np.concatenate(said).mean())
    total = np.array([(came - p).sum() for p, came in zip(said, outcome, strict=True)])
    tilted = np.array([((came - p) * (p - middle)).sum() for p, came in zip(said, outcome, strict=True)])
    forecasts = sum(p.size for p in said)
    error = float(total.std(ddof=1) * np.sqrt(total.size) / forecasts)
    return Excess(forecasts, float(total.sum() / forecasts), error, _zero_p(total), _zero_p(tilted))


def _zero_p(values: Floats) -> float:
    """p-value of independent values having mean 0; 1 where there is nothing to see."""
    return float(stats.ttest_1samp(values, 0.0).pvalue) if values.size > 1 and np.ptp(values) > 0 else 1.0  # pyright: ignore[reportAttributeAccessIssue]


def interval_coverage(held: NDArray[np.bool_], share: float = 0.9) -> float:
    """p-value of how many independent intervals hold the truth, each of which does with probability ``share``."""
    return float(stats.binomtest(int(held.sum()), held.size, share).pvalue) if held.size else 1.0  # pyright: ignore[reportAttributeAccessIssue]


# Studies.


def places_of(figures: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, Floats]:
    """(N,) the places of every quantity in the worlds that have it (`forecast.studies.calibrate.sbc_world`)."""
    found: dict[str, list[float]] = {}
    for world in figures:
        for name, value in zip(world["name"].tolist(), world["place"].tolist(), strict=True):
            found.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in found.items()}


def judge_calibration(figures: Sequence[Mapping[str, NDArray[Any]]]) -> Calibration:
    """Judge the forecasts of worlds (`forecast.studies.calibrate.calibration_world`)."""
    said: dict[str, list[Floats]] = {}
    outcome: dict[str, list[Floats]] = {}
    held: dict[str, list[bool]] = {}
    published: list[float] = []
    for world in figures:
        published.append(float(np.isfinite(world["said"]).any(axis=1).mean()))
        for k, name in enumerate(world["name"].tolist()):
            scored = np.isfinite(world["said"][:, k]) & np.isfinite(world["outcome"][:, k])
            if scored.any():
                said.setdefault(name, []).append(world["said"][scored, k])
                outcome.setdefault(name, []).append(world["outcome"][scored, k])
            for week in CHECKED:
                low, high, true = (float(world[part][week, k]) for part in ("low", "high", "true"))
                if high - low > SAME:  # what is certain is no interval
                    held.setdefault(f"{name}, week {week + 1}", []).append(low <= true <= high)
    excesses = {name: excess(said[name], outcome[name]) for name in said}
    inside = {name: np.array(values) for name, values in held.items()}
    p_values = {f"{name}: mean": row.p_mean for name, row in excesses.items()}
    p_values |= {f"{name}: slope": row.p_slope for name, row in excesses.items()}
    p_values |= {f"{name}: interval": interval_coverage(values) for name, values in inside.items()}
    adjusted = holm(np.array(list(p_values.values()))).tolist()
    groups: dict[str, list[str]] = {}
    for name in said:
        groups.setdefault(name.partition(" ")[2], []).append(name)
    return Calibration(
        worlds=len(figures),
        fits=sum(int(world["fits"]) for world in figures),
        published=float(np.mean(published)),
        excesses=excesses,
        curves={
            group: reliability_of_worlds(
                [row for name in names for row in said[name]], [row for name in names for row in outcome[name]], GRID
            )
            for group, names in groups.items()
        },
        coverage=float(np.concatenate(list(inside.values())).mean()),
        adjusted=dict(zip(p_values, adjusted, strict=True)),
    )
