"""Draws moved to another prior, with the likelihood ratio that weights them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.blocks import chains_joined, in_threads
from forecast.engine.filtering import Evaluation, evaluate
from forecast.engine.history_draws import history_log_likelihoods
from forecast.engine.pareto import Weights, smooth_weights
from forecast.evidence.compilation import compile_evidence
from forecast.quantities.from_draws import possible
from forecast.theory.assumptions import CHANNELS, CONTRAST, DIAGNOSTICITY, assumptions, with_grades, with_intervals
from forecast.theory.indicators import GRADES
from forecast.theory.statespace import StateSpace
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.engine.arrays import Floats
    from forecast.engine.blocks import Blocks
    from forecast.engine.history import Spans
    from forecast.evidence.compilation import Evidence
    from forecast.evidence.history import History
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry


PARAMETERS = (
    "transition_log_rate", "effect_log_times", "class_log_rate", "grade_log_times", "departure_scale",
    "indicator_departure",
)  # fmt: skip
OF_CHANNELS = ("channel_class_log_rate", "channel_class_log_contrast", "channel_log_times")  # the same with channels
OF_UNITS = ("unit_log_spread", "unit_offset")  # what a fit of a model with a history has beside them


@dataclass(frozen=True)
class Parameters:
    """What moving needs of a fit beside the derived arrays; (S, …), chains end to end."""

    values: Mapping[str, Floats]  # (S,) of each of `forecast.theory.assumptions.assumptions`, on the log scale
    grade: Floats  # (S, 4) log multipliers
    departure: Floats  # (S, I) what each indicator's grade is multiplied by: its departure, and the scale of all grades
    history: History
    history_log_rate: Floats  # (S, Q) of the history's rates, per year
    counted: Floats  # (S, C) log of what each channel is multiplied by in the states it points to

    def history_gain(self, shift: Floats) -> Floats:
        """(S,) what the log-likelihood of the history gains if its log rates are higher by ``shift`` (1 or S, Q).

        Only stages that are concerned are looked at again; those of a history have nothing to do with one another.
        """
        stage_of = self.history.unit_stage[self.history.rate_unit]
        gained = np.zeros(len(self.history_log_rate))
        for stage in np.unique(stage_of[shift.any(axis=0)]).tolist():
            spans, here = self._of_stage(stage)
            gained = gained + _of_spells(spans, self.history_log_rate + shift) - here
        return gained

    def _of_stage(self, stage: int) -> tuple[Spans, Floats]:
        """Give the spells of one stage of the history, and their log-likelihood under each draw."""
        if stage not in self._kept:
            spans = self.history.spans_of(stage)
            self._kept[stage] = spans, _of_spells(spans, self.history_log_rate)
        return self._kept[stage]

    @cached_property
    def _kept(self) -> dict[int, tuple[Spans, Floats]]:
        return {}


def _of_spells(spans: Spans, log_rates: Floats) -> Floats:
    """Do `history_log_likelihoods` on all processors."""
    found = np.empty(len(log_rates))

    def work(first: int, last: int) -> None:
        found[first:last] = history_log_likelihoods(spans, log_rates[first:last])

    in_threads(len(log_rates), work)
    return found


@dataclass(frozen=True)
class Moved:
    """Draws moved to a changed model: laid out, evaluated under the evidence as that model reads it, and weighted."""

    space: StateSpace
    evidence: Evidence
    blocks: Blocks
    evaluation: Evaluation
    log_ratios: Floats  # (S,) log-likelihood, history included, of the moved draws less that of the anchor's own
    weights: Weights


def parameters_of(arrays: Mapping[str, Floats], space: StateSpace, history: History) -> Parameters:
    """Take the parameters out of arrays (chains, draws, …) of a fit, named `PARAMETERS`."""

    def flat(name: str) -> Floats:
        return chains_joined(arrays[name])

    rates, effects, classes = flat("transition_log_rate"), flat("effect_log_times"), flat("class_log_rate")
    values: dict[str, Floats] = {}
    for key in assumptions(space.spec):
        parts = key.split(".", 3)
        if key == DIAGNOSTICITY:
            values[key] = np.log(flat("diagnosticity")[:, 0])
        elif key.startswith(CHANNELS):
            name = "channel_class_log_contrast" if key.endswith(CONTRAST) else "channel_class_log_rate"
            values[key] = flat(name)[:, space.channel_classes.index(parts[2])]
        elif parts[0] == "priors":
            values[key] = classes[:, space.classes.index(parts[2])]
        elif parts[2] == "effects":
            values[key] = effects[:, space.effects.index(f"{parts[1]}.{parts[3]}")]
        else:
            values[key] = rates[:, space.transitions.index(f"{parts[1]}.{parts[3]}")]
    departure = np.exp(flat("departure_scale") * flat("indicator_departure"))
    if DIAGNOSTICITY in values:
        departure = departure * np.exp(values[DIAGNOSTICITY])[:, None]
    log_rate = rates[:, history.rate_transition] + effects @ history.rate_effect.T
    if history.units:
        spread = np.exp(flat("unit_log_spread"))[:, history.unit_stage]
        log_rate = log_rate + (spread * flat("unit_offset"))[:, history.rate_unit]
    counted = flat("channel_log_times") if space.channels else np.empty((len(rates), 0))
    return Parameters(values, flat("grade_log_times"), departure, history, np.ascontiguousarray(log_rate), counted)


def parameter_names(space: StateSpace, history: History) -> tuple[str, ...]:
    """Names of the arrays of a fit that `parameters_of` reads."""
    scale = () if space.spec.priors.diagnosticity is None else ("diagnosticity",)
    return PARAMETERS + scale + OF_UNITS * bool(history.units) + OF_CHANNELS * bool(space.channels)


def moved(
    found: Posterior, parameters: Parameters, entries: Sequence[Entry], intervals: Mapping[str, tuple[float, float]],
    *, learned: bool = False,
) -> Moved:  # fmt: skip
    """Move the draws of ``found`` to a model file with other ``intervals`` (see `theory.assumptions`).

    Each parameter moves with its prior; if it has ``learned``, only as far as a normal posterior would move.

    Raises
    ------
    InputError
        If a key or an interval makes no sense, or the evidence is impossible.

    """
    space = found.space
    known = assumptions(space.spec)
    changed = StateSpace(with_intervals(space.spec, intervals))
    log_rate, log_lambda = np.zeros((1, len(space.rate_names))), np.zeros((1, len(space.emission_names)))
    history, of_history, gained = parameters.history, np.zeros((1, 1)), np.zeros(1)
    for key, interval in intervals.items():
        old, new = log_normal(known[key]), log_normal(interval)
        values = parameters.values[key]
        if learned:
            shift, gain = posterior_shift(values, old, new)
            gained = gained + gain
        else:
            shift = prior_shift(values, old, new)
        parts = key.split(".", 3)
        if key == DIAGNOSTICITY:
            lift = np.expm1(shift) * parameters.grade[:, space.indicator_grade] * parameters.departure
            log_lambda = log_lambda + _of_indicators(space, lift[:, space.emission_indicator] * space.emission_points)
        elif key.startswith(CHANNELS):
            channel, points, dispersion = space.channel_emissions
            inside = (space.channel_class == space.channel_classes.index(parts[2]))[channel]
            if key.endswith(CONTRAST):
                each = np.expm1(shift) * parameters.counted[:, channel] * points * inside
            else:
                each = shift * (inside * (1.0 - dispersion))
            log_lambda = log_lambda + np.pad(each, ((0, 0), (space.emission_indicator.size, 0)))
        elif parts[0] == "priors":
            inside = space.indicator_class == space.classes.index(parts[2])
            log_lambda = log_lambda + _of_indicators(space, shift * inside[space.emission_indicator])
        elif parts[2] == "effects":
            effect = space.effects.index(f"{parts[1]}.{parts[3]}")
            log_rate = log_rate + shift * space.rate_effect[:, effect]
            of_history = of_history + shift * history.rate_effect[:, effect]
        else:
            transition = space.transitions.index(f"{parts[1]}.{parts[3]}")
            log_rate = log_rate + shift * (space.rate_transition == transition)
            of_history = of_history + shift * (history.rate_transition == transition)
    evidence = found.evidence
    if any(key.startswith("priors.") for key in intervals):
        evidence = compile_evidence(changed, entries, evidence.as_of)
    blocks = found.anchor.blocks.shifted(_or_none(log_rate), _or_none(log_lambda))
    if of_history.any():  # the history is part of what the draws were made under
        gained = gained + parameters.history_gain(of_history)
    return _weighed(found, changed, evidence, blocks, gained)


def prior_shift(values: Floats, old: tuple[float, float], new: tuple[float, float]) -> Floats:
    """(1 or S, 1) what is added to ``values`` (S,) of a prior with mean and sd ``old``, so that it becomes ``new``."""
    (mean, sd), (new_mean, new_sd) = old, new
    if new_sd == sd:
        return np.array([[new_mean - mean]])
    return (new_mean - mean + (values - mean) * (new_sd / sd - 1))[:, None]


def posterior_shift(values: Floats, old: tuple[float, float], new: tuple[float, float]) -> tuple[Floats, Floats]:
    """(S, 1) what is added to ``values`` (S,) of a posterior if its prior changes, and (S,) what they gain by it.

    A normal posterior is the prior times a normal likelihood, which stays; so what was learned moves less. They gain
    the log of the new prior density times the stretching, less that of the old.
    """
    (mean, sd), (new_mean, new_sd) = old, new
    here, spread = float(values.mean()), float(values.std())
    told = max(spread**-2 - sd**-2, 0.0)  # precision of the likelihood
    precision = new_sd**-2 + told
    there = (new_mean * new_sd**-2 + mean * told + (here - mean) * spread**-2) / precision
    stretched = precision**-0.5 / spread
    moved = there + (values - here) * stretched
    gain = 0.5 * ((values - mean) / sd) ** 2 - 0.5 * ((moved - new_mean) / new_sd) ** 2
    return (moved - values)[:, None], gain + math.log(sd / new_sd * stretched)


def grades_moved(found: Posterior, parameters: Parameters, entries: Sequence[Entry], grade: str, step: float) -> Moved:
    """Move the increment that leads up to ``grade`` by ``step`` of its prior median, and with it all grades above."""
    space = found.space
    k = GRADES.index(grade)
    above = np.arange(len(GRADES)) >= k
    medians = np.log([1.0, *space.spec.priors.grades.medians])
    new = np.exp(medians[1:] + step * np.diff(medians)[k] * above)
    changed = StateSpace(with_grades(space.spec, (new[0], new[1], new[2], new[3])))
    lift = step * np.diff(parameters.grade, axis=1, prepend=0.0)[:, [k]] * above
    each = lift[:, space.indicator_grade] * parameters.departure
    shift = _of_indicators(space, each[:, space.emission_indicator] * space.emission_points)
    evidence = compile_evidence(changed, entries, found.evidence.as_of)
    return _weighed(found, changed, evidence, found.anchor.blocks.shifted(log_lambda=shift), 0.0)


def _of_indicators(space: StateSpace, shift: Floats) -> Floats:
    """Give (S, E) of what is said of the emissions of indicators; those of channels stay."""
    return np.pad(shift, ((0, 0), (0, len(space.emission_names) - shift.shape[1])))


def _or_none(shift: Floats) -> Floats | None:
    return shift if shift.any() else None


def _weighed(found: Posterior, space: StateSpace, evidence: Evidence, blocks: Blocks, gained: Floats | float) -> Moved:
    ahead = possible(space, evidence, evaluate(blocks, evidence.cells))
    ratios = ahead.log_likelihood - found.anchor.log_likelihood + gained
    return Moved(space, evidence, blocks, ahead, ratios, smooth_weights(ratios, found.anchor.efficiency))
