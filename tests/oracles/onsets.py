"""A theory of one rate each way, with a history whose likelihood is a line of algebra, and its posterior on a grid."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from small_models import BASIS, tiny_spec

from forecast.inference.left_out import SharedDraws
from forecast.theory.spells import Spell
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.theory.spec import ModelSpec

    Floats = np.ndarray

FIRST = dt.date(2000, 1, 1)
YEARS = 7 / 365.25  # of a step
UNITS = f"""[stages.near.units]
own = "here"
spread = [0.2, 0.8]
{BASIS}

[stages.far]
"""


def spec_with(units: Mapping[str, Sequence[int]], **rates: str) -> ModelSpec:
    """Give the tiny model with a history: by unit the weeks it was calm, tense, calm, … ; ``rates`` replace text."""
    changes = {name: (old, new) for name, (old, new) in zip(rates, _pairs(rates), strict=True)}
    spec = tiny_spec(units=("[stages.far]\n", UNITS), **changes)
    return spec.with_history(tuple(spell for unit, weeks in units.items() for spell in _spells(unit, weeks)))


def _pairs(rates: Mapping[str, str]) -> list[tuple[str, str]]:
    known = {"onset": "per_year = [2, 8]", "end": "per_year = [3, 9]"}
    return [(known[name], f"per_year = {interval}") for name, interval in rates.items()]


def _spells(unit: str, weeks: Sequence[int]) -> list[Spell]:
    days = [FIRST + dt.timedelta(weeks=int(week)) for week in np.cumsum([0, *weeks])]
    return [
        Spell(unit, "near", (("calm", "tense")[k % 2],), days[k], days[k + 1], "day", (), "B2", "Wire", "", "")
        for k in range(len(weeks))
    ]


def log_likelihood(weeks: Sequence[int], onset: Floats, end: Floats) -> Floats:
    """Log-likelihood of a unit's weeks under rates per year: staying, and one step in which it crosses, each time."""
    total = np.zeros(np.broadcast(onset, end).shape)
    for k, length in enumerate(weeks):
        rate, other = ((onset, end), (end, onset))[k % 2]
        crossed = k > 0
        total -= rate * YEARS * (length - crossed)
        if crossed:
            total += np.log1p(-np.exp(-other * YEARS))
    return total


def integrated(weeks: Sequence[int], onset: Floats, end: Floats, spread: Floats) -> Floats:
    """Give the same with the unit's departure integrated over its prior, finely."""
    z = np.linspace(-7, 7, 141)
    weight = np.exp(-0.5 * z**2)
    times = np.exp(spread[..., None] * z)
    each = log_likelihood(weeks, onset[..., None] * times, end[..., None] * times)
    top = each.max(axis=-1, keepdims=True)
    return np.log((np.exp(each - top) * weight).sum(axis=-1) / weight.sum()) + top[..., 0]


class Grid(NamedTuple):
    """Points of a prior (log rates, log σ), their log prior weights, and (units, points) log-likelihoods."""

    points: Floats  # (G, 3)
    log_prior: Floats
    log_likelihood: Floats


def grid_of(spec: ModelSpec, units: Mapping[str, Sequence[int]], fineness: int = 25) -> Grid:
    """Lay a grid over four standard deviations each way."""
    stage = spec.stages["near"]
    assert stage.units is not None
    priors = [log_normal(pair) for pair in (*(move.per_year for move in stage.transitions), stage.units.spread)]
    axes = [mean + sd * np.linspace(-4, 4, fineness) for mean, sd in priors]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    log_prior = -0.5 * sum(((points[:, k] - mean) / sd) ** 2 for k, (mean, sd) in enumerate(priors))
    found = np.array([integrated(weeks, *np.exp(points).T) for weeks in units.values()])
    return Grid(points, np.asarray(log_prior), found)


def left_out(grid: Grid) -> Floats:
    """(units,) log predictive density of each unit's weeks given the others', by sums over the grid."""
    whole = grid.log_prior + grid.log_likelihood.sum(axis=0)
    return np.array([_log_sum(whole) - _log_sum(whole - one) for one in grid.log_likelihood])


def drawn(grid: Grid, spec: ModelSpec, size: int, seed: int) -> SharedDraws:
    """Draw from the posterior given all units; what the history does not speak of stays at zero."""
    whole = grid.log_prior + grid.log_likelihood.sum(axis=0)
    share = np.exp(whole - whole.max())
    chosen = np.random.default_rng(seed).choice(len(share), size, p=share / share.sum())
    points = grid.points[chosen]
    others = sum(len(stage.transitions) for name, stage in spec.stages.items() if name != "near")
    transition = np.hstack([points[:, :2], np.zeros((size, others))])
    return SharedDraws(transition, np.zeros((size, 0)), points[:, 2:])


def _log_sum(values: Floats) -> float:
    top = values.max()
    return float(top + np.log(np.exp(values - top).sum()))
