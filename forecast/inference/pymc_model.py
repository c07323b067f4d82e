"""Spec and evidence as an ordinary `pm.Model`: the only statement of the priors.

Names a PyMC user will meet: ``transition_log_rate`` (per year), ``effect_log_times``, ``start_<stage>``,
``class_log_rate``, ``class_log_spread``, ``indicator_offset``, ``grade_increment``, ``departure_scale``,
``indicator_departure``, and ``diagnosticity`` where the model has it; the derived ``grade_log_times``, ``log_rate``,
``log_lambda`` and ``start``; and ``reports``, the observed evidence, whose hidden path is summed out. Channels add
``channel_class_log_rate``, ``channel_class_log_spread``, ``channel_class_log_contrast``, ``channel_log_level``,
``channel_departure``, ``channel_log_dispersion`` and the derived ``channel_log_times`` and ``channel_log_rate``. A
history adds ``unit_log_spread``, ``unit_offset`` and the potential ``history``, the log-likelihood of its spells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from pymc.distributions.shape_utils import change_dist_size
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import ancestors

from forecast.engine.arrays import Cells, Chain
from forecast.engine.blocks import chains_joined
from forecast.engine.history import Spans
from forecast.engine.simulate import simulate_reports, simulate_start
from forecast.evidence.history import compile_history
from forecast.inference.likelihood_ops import history_logp, reports_logp
from forecast.theory.indicators import GRADES
from forecast.theory.statespace import chain_of
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray
    from pytensor.graph.basic import Variable
    from pytensor.tensor.variable import TensorVariable

    from forecast.evidence.compilation import Evidence
    from forecast.evidence.history import History
    from forecast.theory.statespace import StateSpace


GROUPS = {  # of the parameters, as an analyst would name them
    "rates": ("transition_log_rate",),
    "effects": ("effect_log_times",),
    "units": ("unit_",),
    "starts": ("start_",),
    "base rates": ("class_log_rate", "class_log_spread", "indicator_offset"),
    "grades": ("grade_increment", "departure_scale", "indicator_departure", "diagnosticity"),
    "channels": ("channel_",),
}
SPAN_ARRAYS = Spans._fields[1:]  # all but the duration of a step
NUMBER = "a number of the model file"  # a constant's name


def build_model(space: StateSpace, evidence: Evidence) -> pm.Model:
    """State the model of ``space`` with ``evidence`` as a plain `pm.Model`.

    Evidence and history stand in `pm.Data` containers (``cell_…``, ``step_years``, ``told_…``, ``history_…``);
    `data_of` gives their content for others.
    """
    history = compile_history(space)
    with pm.Model(coords=_coords(space) | {"history_stage": history.stages, "unit": history.units}) as model:
        data = {name: pm.Data(name, value) for name, value in data_of(evidence.cells, history).items()}
        transition = _log_normal("transition_log_rate", _intervals(space, "transitions"), "transition")
        effect = _log_normal("effect_log_times", _intervals(space, "effects"), "effect")
        start = pm.Deterministic("start", pt.concatenate(_starts(space)), dims="stage_phase")
        multiplied = transition[space.rate_transition] + (space.rate_effect * effect).sum(axis=1)
        if history.units:
            own = history.own[space.rate_table[:, 0]]
            multiplied += _of_units(space, history, data, transition, effect)[np.maximum(own, 0)] * (own >= 0)
        log_rate = pm.Deterministic("log_rate", multiplied, dims="rate")
        told = _log_lambda(space)
        emission = pt.concatenate([told, _log_counted(space)]) if space.channels else told
        log_lambda = pm.Deterministic("log_lambda", emission, dims="emission")
        chain = chain_of(space)
        pm.CustomDist(
            "reports",
            log_rate,
            log_lambda,
            start,
            *chain,
            data["step_years"],
            data["cell_what"],
            data["cell_value"],
            data["told_available"],
            data["told_false"],
            evidence.cells.in_set,
            logp=_logp,
            random=_random,
            signature="(r),(e),(s),(l),(s),(r,four),(l,k,k),(j),(t),(n,five),(n,three),(g,i),(g,i),(s)->(n)",
            observed=data["cell_observed"],
        )
    return model


def log_prior(model: pm.Model, posterior: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """(S,) log prior density of each of `GROUPS` of parameters under each draw of ``posterior``, chains end to end."""
    with model:
        found = pm.stats.compute_log_prior(xr.DataTree.from_dict({"posterior": posterior}), progressbar=False).log_prior
    densities = {str(name): chains_joined(part.to_numpy()).sum(axis=1) for name, part in found.data_vars.items()}
    groups = {
        group: [part for name, part in densities.items() if name.startswith(starts)] for group, starts in GROUPS.items()
    }
    return {group: np.sum(parts, axis=0) for group, parts in groups.items() if parts}


def prior_draws(model: pm.Model, names: Iterable[str], count: int, seed: int) -> list[NDArray[Any]]:
    """Draw variables of a model ``count`` times from the prior, all draws of a variable at once; compiles nothing."""
    many: dict[Variable, Variable] = {}
    for variable in model.free_RVs:
        hangs = any(parent in many for parent in ancestors([variable]))
        many[variable] = vectorize_graph(variable, many) if hangs else change_dist_size(variable, (count,), expand=True)
    wanted = vectorize_graph([model[name] for name in names], many)
    with plainly():
        return pm.draw(wanted, random_seed=seed, mode="FAST_COMPILE")


def plainly() -> AbstractContextManager[Any]:
    """Let PyTensor compile nothing in C within the block; FAST_COMPILE alone still compiles the inner graphs."""
    return pytensor.config.change_flags(cxx="")


def data_of(cells: Cells, history: History) -> dict[str, NDArray[Any]]:
    """Give what `pm.set_data` needs to put evidence, and a ``history`` of the same units, into a model."""
    spells = {f"history_{name}": getattr(history.spans, name) for name in SPAN_ARRAYS} | {
        "history_rate_transition": history.rate_transition,
        "history_rate_unit": history.rate_unit,
        "history_rate_effect": history.rate_effect,
    }
    return (spells if history.units else {}) | evidence_data(cells)


def evidence_data(cells: Cells) -> dict[str, NDArray[Any]]:
    """Give the part of `data_of` that is evidence."""
    return {
        "step_years": cells.years,
        "cell_what": cells.what,
        "cell_value": cells.value,
        "cell_observed": cells.observed,
        "told_available": cells.available,
        "told_false": cells.false,
    }


def _logp(observed: Variable, *parts: Variable) -> TensorVariable:
    *front, years, what, value, available, false, in_set = parts
    return reports_logp(*front, years, what, value, observed, available, false, in_set)[0]


def _random(*parts: NDArray[Any], rng: np.random.Generator, size: tuple[int, ...] | None = None) -> NDArray[np.float64]:
    del size
    log_rate, log_lambda, start, *chain, years, what, value, available, false, in_set = parts
    cells = Cells(years, what, value, np.zeros(len(what)), available, false, in_set)
    states = simulate_start(rng, Chain(*chain), start[None])
    return simulate_reports(rng, Chain(*chain), cells, log_rate[None], log_lambda[None], states)[0]


def _coords(space: StateSpace) -> dict[str, tuple[str, ...]]:
    coords = {
        "transition": space.transitions,
        "effect": space.effects,
        "class": space.classes,
        "grade": GRADES,
        "indicator": space.indicators,
        "channel": space.channels,
        "channel_class": space.channel_classes,
        "stage_phase": space.stage_phases,
        "rate": space.rate_names,
        "emission": space.emission_names,
    }
    for level, stage in enumerate(space.stages):
        coords[f"{stage}_start"] = tuple(np.array(space.phases[level])[space.start_weights(level) > 0])
    return coords


def _intervals(space: StateSpace, what: str) -> list[tuple[float, float]]:
    stages = space.spec.stages.values()
    if what == "transitions":
        return [move.per_year for stage in stages for move in stage.transitions]
    return [effect.times for stage in stages for effect in stage.effects.values()]


def _log_normal(name: str, intervals: list[tuple[float, float]], dim: str) -> TensorVariable:
    mean, sd = np.array([log_normal(interval) for interval in intervals]).reshape(-1, 2).T
    return pm.Normal(name, mean, sd, dims=dim)


def _number(value: float) -> TensorVariable:
    """Give a number of the model file as a constant that is known for one."""
    return pt.constant(value, name=NUMBER, dtype="float64")


def _of_units(
    space: StateSpace,
    history: History,
    data: dict[str, TensorVariable],
    transition: TensorVariable,
    effect: TensorVariable,
) -> TensorVariable:
    """(U,) what each unit's log rates depart from its stage's; the history is weighed in the ``history`` potential."""
    spreads = [units.spread for name in history.stages if (units := space.spec.stages[name].units)]
    spread = pt.exp(_log_normal("unit_log_spread", spreads, "history_stage"))
    departure = spread[history.unit_stage] * pm.Normal("unit_offset", 0.0, 1.0, dims="unit")
    multiplied = transition[data["history_rate_transition"]] + (data["history_rate_effect"] * effect).sum(axis=1)
    spans = Spans(history.spans.years, *(data[f"history_{name}"] for name in SPAN_ARRAYS))
    log_rate = multiplied + departure[data["history_rate_unit"]]
    value, _gradient = cast("list[TensorVariable]", history_logp(log_rate, *map(pt.as_tensor_variable, spans)))
    pm.Potential("history", value)
    return departure


def _starts(space: StateSpace) -> list[TensorVariable]:
    starts: list[TensorVariable] = []
    for level, stage in enumerate(space.stages):
        weights = space.start_weights(level)
        some = np.flatnonzero(weights)
        if some.size == 1:
            starts.append(pt.as_tensor_variable((weights > 0).astype(float)))
        else:
            inside = pm.Dirichlet(f"start_{stage}", weights[some], dims=f"{stage}_start")
            starts.append(pt.zeros(weights.size)[some].set(inside))
    return starts


def _log_lambda(space: StateSpace) -> TensorVariable:
    priors = space.spec.priors
    classes = [priors.classes[name] for name in space.classes]
    class_log_rate = _log_normal("class_log_rate", [row.per_year for row in classes], "class")
    class_log_spread = _log_normal("class_log_spread", [row.spread for row in classes], "class")
    offset = pm.Normal("indicator_offset", 0.0, 1.0, dims="indicator")
    medians = np.diff(np.log(priors.grades.medians), prepend=0.0)
    concentration = _number(priors.grades.concentration)
    increment = pm.Beta("grade_increment", concentration, concentration, dims="grade")
    grade = pm.Deterministic("grade_log_times", pt.cumsum(2 * medians * increment), dims="grade")
    scale = pm.HalfNormal("departure_scale", _number(priors.departure.scale))
    departure = pm.Normal("indicator_departure", 0.0, 1.0, dims="indicator")
    base = class_log_rate[space.indicator_class] + pt.exp(class_log_spread[space.indicator_class]) * offset
    raised = grade[space.indicator_grade] * pt.exp(scale * departure)
    if priors.diagnosticity is not None:
        mean, sd = log_normal(priors.diagnosticity.times)
        raised *= pm.LogNormal("diagnosticity", _number(mean), _number(sd))
    return base[space.emission_indicator] + space.emission_points * raised[space.emission_indicator]


def _log_counted(space: StateSpace) -> TensorVariable:
    """(emissions of channels,) log rates for each unit of exposure in every phase, and log dispersions."""
    classes = [space.spec.priors.channels[name] for name in space.channel_classes]
    class_log_rate = _log_normal("channel_class_log_rate", [row.per_volume for row in classes], "channel_class")
    class_log_spread = _log_normal("channel_class_log_spread", [row.spread for row in classes], "channel_class")
    contrast = _log_normal("channel_class_log_contrast", [row.contrast for row in classes], "channel_class")
    scale = _number(space.spec.priors.departure.scale)  # too few channels share a class to tell how far they differ
    departure = pm.Normal("channel_departure", 0.0, 1.0, dims="channel")
    dispersions = [row.dispersion for row in space.spec.channels.values()]
    dispersion = _log_normal("channel_log_dispersion", dispersions, "channel")
    of_class = space.channel_class
    times = pm.Deterministic(
        "channel_log_times", space.channel_log_grade * pt.exp(contrast[of_class] + scale * departure), dims="channel"
    )
    # a year of counts tells a channel's rate where the world has been, which hangs little on class and contrast
    where = space.channel_start
    middle, spread = class_log_rate[of_class] + where * times, pt.exp(class_log_spread[of_class])
    level = pm.Normal("channel_log_level", middle, spread, dims="channel")
    base = pm.Deterministic("channel_log_rate", level - where * times, dims="channel")
    channel, points, is_dispersion = space.channel_emissions
    rate = base[channel] + points * times[channel]
    return rate * (1.0 - is_dispersion) + dispersion[channel] * is_dispersion
