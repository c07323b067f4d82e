"""Draws moved to another prior, with the likelihood ratio that weights them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.filtering import Evaluation, evaluate
from forecast.engine.pareto import Weights, smooth_weights
from forecast.evidence.compilation import compile_evidence
from forecast.quantities.from_draws import possible
from forecast.theory.assumptions import assumptions, with_grades, with_intervals
from forecast.theory.spec import GRADES, log_normal
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.engine.arrays import Floats
    from forecast.engine.blocks import Blocks
    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry


PARAMETERS = (
    "transition_log_rate", "effect_log_times", "class_log_rate", "grade_log_times", "departure_scale",
    "indicator_departure",
)  # fmt: skip


@dataclass(frozen=True)
class Parameters:
    """What moving needs of a fit beside the derived arrays; (S, …), chains end to end."""

    values: Mapping[str, Floats]  # (S,) of each of `forecast.theory.assumptions.assumptions`, on the log scale
    grade: Floats  # (S, 4) log multipliers
    departure: Floats  # (S, I) what each indicator's departure multiplies its grade by


@dataclass(frozen=True)
class Moved:
    """Draws moved to a changed model: laid out, evaluated under the evidence as that model reads it, and weighted."""

    space: StateSpace
    evidence: Evidence
    blocks: Blocks
    evaluation: Evaluation
    log_ratios: Floats  # (S,) log-likelihood of the moved draws less that of the anchor's own evidence
    weights: Weights


def parameters_of(arrays: Mapping[str, Floats], space: StateSpace) -> Parameters:
    """Take the parameters out of arrays (chains, draws, …) of a fit, named `PARAMETERS`."""

    def flat(name: str) -> Floats:
        values = arrays[name]
        return values.reshape(values.shape[0] * values.shape[1], -1)

    rates, effects, classes = flat("transition_log_rate"), flat("effect_log_times"), flat("class_log_rate")
    values: dict[str, Floats] = {}
    for key in assumptions(space.spec):
        parts = key.split(".", 3)
        if parts[0] == "priors":
            values[key] = classes[:, space.classes.index(parts[2])]
        elif parts[2] == "effects":
            values[key] = effects[:, space.effects.index(f"{parts[1]}.{parts[3]}")]
        else:
            values[key] = rates[:, space.transitions.index(f"{parts[1]}.{parts[3]}")]
    departure = np.exp(flat("departure_scale") * flat("indicator_departure"))
    return Parameters(values, flat("grade_log_times"), departure)


def moved(
    found: Posterior, parameters: Parameters, entries: Sequence[Entry], intervals: Mapping[str, tuple[float, float]]
) -> Moved:
    """Move the draws of ``found`` to a model file with other ``intervals`` (see `theory.assumptions`).

    Raises
    ------
    InputError
        If a key or an interval makes no sense, or the evidence is impossible.

    """
    space = found.space
    known = assumptions(space.spec)
    changed = StateSpace(with_intervals(space.spec, intervals))
    log_rate, log_lambda = np.zeros((1, len(space.rate_names))), np.zeros((1, len(space.emission_names)))
    for key, interval in intervals.items():
        (mean, sd), (new_mean, new_sd) = log_normal(known[key]), log_normal(interval)
        if new_sd == sd:
            shift = np.array([[new_mean - mean]])
        else:
            shift = (new_mean - mean + (parameters.values[key] - mean) * (new_sd / sd - 1))[:, None]
        parts = key.split(".", 3)
        if parts[0] == "priors":
            inside = space.indicator_class == space.classes.index(parts[2])
            log_lambda = log_lambda + shift * inside[space.emission_indicator]
        elif parts[2] == "effects":
            log_rate = log_rate + shift * space.rate_effect[:, space.effects.index(f"{parts[1]}.{parts[3]}")]
        else:
            log_rate = log_rate + shift * (space.rate_transition == space.transitions.index(f"{parts[1]}.{parts[3]}"))
    evidence = found.evidence
    if any(key.startswith("priors.") for key in intervals):
        evidence = compile_evidence(changed, entries, evidence.as_of)
    return _weighed(found, changed, evidence, found.anchor.blocks.shifted(_or_none(log_rate), _or_none(log_lambda)))


def grades_moved(found: Posterior, parameters: Parameters, grade: str, step: float) -> Moved:
    """Move the increment that leads up to ``grade`` by ``step`` of its prior median, and with it all grades above."""
    space = found.space
    k = GRADES.index(grade)
    above = np.arange(len(GRADES)) >= k
    medians = np.log([1.0, *space.spec.priors.grades.medians])
    new = np.exp(medians[1:] + step * np.diff(medians)[k] * above)
    changed = StateSpace(with_grades(space.spec, (new[0], new[1], new[2], new[3])))
    lift = step * np.diff(parameters.grade, axis=1, prepend=0.0)[:, [k]] * above
    each = lift[:, space.indicator_grade] * parameters.departure
    shift = each[:, space.emission_indicator] * space.emission_points
    return _weighed(found, changed, found.evidence, found.anchor.blocks.shifted(log_lambda=shift))


def _or_none(shift: Floats) -> Floats | None:
    return shift if shift.any() else None


def _weighed(found: Posterior, space: StateSpace, evidence: Evidence, blocks: Blocks) -> Moved:
    ahead = possible(space, evidence, evaluate(blocks, evidence.cells))
    ratios = ahead.log_likelihood - found.anchor.log_likelihood
    return Moved(space, evidence, blocks, ahead, ratios, smooth_weights(ratios, found.anchor.efficiency))
