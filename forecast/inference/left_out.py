"""How probable a unit's spells are to a model that has read the others' alone, from draws that have read them all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from forecast.engine.blocks import chains_joined, in_threads
from forecast.engine.history_draws import history_log_likelihoods
from forecast.engine.pareto import k_hat_limit, smooth_weights

if TYPE_CHECKING:
    import xarray as xr

    from forecast.engine.arrays import Floats, Ints
    from forecast.engine.history import Spans
    from forecast.evidence.history import History


NODES = 11  # of the integral over what a unit departs: more of them move no score by 0.005

MOST_DRAWS = 8_000  # scored in seconds, with errors far below those over units


class SharedDraws(NamedTuple):
    """S draws of what the units of a history have in common."""

    transition: Floats  # (S, transitions) log rates per year
    effect: Floats  # (S, effects) log multipliers
    log_spread: Floats  # (S, stages with units) log σ


def shared_draws(posterior: xr.Dataset) -> SharedDraws:
    """Take what units have in common out of a posterior of a model with a history."""
    arrays = (posterior[name].to_numpy() for name in ("transition_log_rate", "effect_log_times", "unit_log_spread"))
    return SharedDraws(*map(chains_joined, arrays))


class LeftOut(NamedTuple):
    """Log predictive density of a unit's spells given all other units', in nats.

    ``mcse`` is its Monte Carlo standard error and ``k_hat`` how heavy the tail of the weights is that leave the unit
    out, both without meaning unless ``reached``.
    """

    value: float
    mcse: float
    k_hat: float | None
    reached: bool


def left_out_scores(history: History, draws: SharedDraws, efficiency: float) -> dict[str, LeftOut]:
    """Score the spells of each unit (``<stage>.<unit>``) that has some, the unit itself left out.

    ``draws`` are of prior × history and worth ``efficiency`` times as many independent ones; of many, some are taken.
    """
    step = -(-len(draws.transition) // MOST_DRAWS)
    some = SharedDraws(*(np.ascontiguousarray(part[::step]) for part in draws))
    return {
        name: left_out_score(_log_likelihood(history, k, some), efficiency)
        for k, name in enumerate(history.units)
        if segments_of(history, k).size
    }


def _log_likelihood(history: History, unit: int, draws: SharedDraws) -> Floats:
    spans, rates = spans_of(history, unit)
    common = draws.transition[:, history.rate_transition[rates]] + draws.effect @ history.rate_effect[rates].T
    return unit_log_likelihood(spans, common, np.exp(draws.log_spread[:, history.unit_stage[unit]]))


def segments_of(history: History, unit: int) -> Ints:
    """Numbers of the segments of a unit."""
    names = [segment[0].of_unit for segment in history.told.segments]
    return np.flatnonzero(np.array(names) == history.units[unit])


def spans_of(history: History, unit: int) -> tuple[Spans, Ints]:
    """Give the spans of one unit, with its own regimes alone, and which of the Q rates those have."""
    spans = history.spans
    rates = np.flatnonzero(history.rate_unit == unit)
    regimes = np.unique(spans.rate_table[rates, 0])
    table = spans.rate_table[rates].copy()
    table[:, 0] = np.searchsorted(regimes, table[:, 0])
    rows = spans.spans[np.isin(spans.spans[:, 0], segments_of(history, unit))].copy()
    rows[:, 1] = np.searchsorted(regimes, rows[:, 1])
    return spans._replace(rate_table=table, spans=rows), rates


def unit_log_likelihood(spans: Spans, log_rates: Floats, spread: Floats | None) -> Floats:
    """(S,) log-likelihood of a unit's spells, what it departs integrated over its prior.

    ``log_rates`` (S, rates) are those of a unit that does not depart, ``spread`` (S,) is σ; without it none departs.
    """
    if spread is None:
        return history_log_likelihoods(spans, np.ascontiguousarray(log_rates))
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    found = np.empty((nodes.size, len(log_rates)))

    def work(first: int, last: int) -> None:
        for k, node in enumerate(nodes):
            departed = log_rates[first:last] + (node * spread[first:last])[:, None]
            found[k, first:last] = history_log_likelihoods(spans, departed)

    in_threads(len(log_rates), work)
    return np.logaddexp.reduce(found + np.log(weights / weights.sum())[:, None], axis=0)


def left_out_score(log_likelihood: Floats, efficiency: float) -> LeftOut:
    """Score a unit from the (S,) log-likelihoods of its spells under draws that have read them, weighted by 1 / p."""
    weights = smooth_weights(-log_likelihood, efficiency)
    reached = weights.k_hat is None or weights.k_hat <= k_hat_limit(log_likelihood.size)
    return LeftOut(*_log_mean(log_likelihood, weights.values, efficiency), weights.k_hat, reached)


def foretold_by(log_likelihood: Floats, efficiency: float) -> LeftOut:
    """Score a unit from the (S,) log-likelihoods of its spells under draws that have not read them."""
    size = log_likelihood.size
    return LeftOut(*_log_mean(log_likelihood, np.full(size, 1.0 / size), efficiency), None, reached=True)


def _log_mean(log_values: Floats, weights: Floats, efficiency: float) -> tuple[float, float]:
    """Log of a weighted mean, and its standard error by the delta method."""
    largest = log_values.max()
    relative = np.exp(log_values - largest)
    mean = float(weights @ relative)
    error = math.sqrt(float(np.square(weights) @ np.square(relative / mean - 1.0)) / efficiency)
    return float(largest + math.log(mean)), error
