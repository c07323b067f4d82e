"""Figures of the study: scores of units left out, of durations left out, and what is learned of a victory's effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.history.durations import exponential, left_out, left_out_of_best, prior, two_phases
from benchmarks.history.scores import Shared
from benchmarks.history.variants import only, with_one_phase, with_one_state, without_effects
from docs.builder.history import crises
from docs.builder.places import MODEL, spec_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.history.scores import Posterior
    from forecast.engine.arrays import Floats
    from forecast.theory.spec import ModelSpec
    from forecast.theory.stages import Stage

SEED = 1
OUT = {"truce": (0.15, 4.0)}  # per year out of a confrontation without phases: base rates, section 5, widened
CALM = ("truce", "cooperation")
ONSET, STRAIN = "victory_brings_confrontation", "victory_strains_cooperation"


class Task(NamedTuple):
    """One way of reading the history of a stage."""

    stage: str
    phases: int
    effects: bool
    sharing: str


TASKS = [
    *(Task("relations", phases, effects, sharing) for phases in (1, 2) for effects in (True, False)
      for sharing in ("partial", "pooled", "unpooled")),
    *(Task("peace", 1, effects=True, sharing=sharing) for sharing in ("partial", "pooled", "unpooled")),
]  # fmt: skip


def variant_of(task: Task) -> ModelSpec:
    """Give the reference model as a task reads it."""
    spec = only(spec_of(MODEL), task.stage)
    if task.stage == "relations" and task.phases == 1:
        spec = with_one_phase(spec, "relations", "confrontation", OUT)
    return spec if task.effects else without_effects(spec, task.stage)


def scored(task: Task) -> dict[str, Any]:
    """Give the score of every unit of a task, and what its posterior says of the parameters."""
    shared = Shared(variant_of(task), task.stage, spread=task.sharing == "partial")
    found: dict[str, Any] = task._asdict()
    if task.sharing == "unpooled":
        scores = {unit: shared.alone(unit, SEED) for unit in shared.units}
    else:
        posterior = shared.fit(SEED)
        scores = {unit: shared.foretold(posterior, unit, SEED) for unit in shared.units}
        found |= sampled(posterior) | {"learned": learned(shared, posterior)}
    return found | {
        "scores": {unit: score.value for unit, score in scores.items()},
        "error": max(score.mcse for score in scores.values()),
        "refitted": [unit for unit, score in scores.items() if score.k_hat is None and task.sharing != "unpooled"],
    }


def sampled(posterior: Posterior) -> dict[str, float]:
    """Say how the sampling went."""
    return {
        "r_hat": posterior.r_hat,
        "ess": posterior.efficiency * len(posterior.draws),
        "divergences": posterior.divergences,
    }


def learned(shared: Shared, posterior: Posterior) -> dict[str, list[float]]:
    """Give of each parameter its posterior standard deviation over the prior's, and its quantiles."""
    values = np.exp(shared.mean + shared.sd * posterior.draws)
    return {
        name: [float(posterior.draws[:, k].std()), *map(float, np.quantile(values[:, k], [0.05, 0.5, 0.95]))]
        for k, name in enumerate(shared.names)
    }


def onset_multiplier(names: tuple[str, ...], log_values: Floats) -> Floats:
    """(S,) log of what a victory multiplies the rate of onsets by, as an average over the two calm states.

    The states count as often as they are visited while calm lasts and no victory is secured.
    """
    value = dict(zip(names, np.exp(log_values).T, strict=True))
    truce = value["cooperation>truce"] * value["truce>confrontation"]
    cooperation = value["truce>cooperation"] * value["cooperation>confrontation"]
    return np.log((truce * value[ONSET] + cooperation * value[STRAIN]) / (truce + cooperation))


def effects_of_victory() -> list[dict[str, Any]]:
    """Say how much the history narrows the victory's effect on onsets, with hidden calm states and without."""
    found: list[dict[str, Any]] = []
    spec = only(spec_of(MODEL), "relations")
    one_phase = with_one_phase(spec, "relations", "confrontation", OUT)
    readings = {
        "truce and cooperation hidden": spec,
        "the same, confrontation in one phase": one_phase,
        "one calm state": with_one_state(one_phase, "relations", CALM, "calm"),
    }
    for name, variant in readings.items():
        for sharing in ("partial", "pooled"):
            shared = Shared(variant, "relations", spread=sharing == "partial")
            posterior = shared.fit(SEED, draws=4000)
            row = {"reading": name, "sharing": sharing, **sampled(posterior), "learned": learned(shared, posterior)}
            if name == "truce and cooperation hidden":
                before = np.random.default_rng(SEED).standard_normal(posterior.draws.shape)
                parts = [onset_multiplier(shared.names, shared.mean + shared.sd * x) for x in (posterior.draws, before)]
                row["together"] = [float(parts[0].std() / parts[1].std()),
                                   *map(float, np.exp(np.quantile(parts[0], [0.05, 0.5, 0.95])))]  # fmt: skip
            found.append(row)
    return found


def durations_scored() -> dict[str, Any]:
    """Score the durations of confrontation, each left out in turn."""
    rows = crises()
    years = np.array([row.years for row in rows])
    over = np.array([row.to is not None for row in rows])
    stage = spec_of(MODEL).stages["relations"]
    to_cooperation = out_of(stage, "confrontation")
    one, acute, late = [OUT["truce"], *to_cooperation], out_of(stage, "acute"), out_of(stage, "lingering")
    found: dict[str, Any] = {"units": [row.unit for row in rows], "years": years.tolist(), "over": over.tolist()}
    readings: dict[str, tuple[list[tuple[float, float]], Callable[[Floats], Floats]]] = {
        "one rate": (one, lambda x: exponential(years, over, x.sum(axis=1))),
        "two phases": ([*acute, *late, *to_cooperation], lambda x: phased(years, over, x)),
        "two phases, second like the first": (
            [*acute, acute[0], *to_cooperation], lambda x: phased(years, over, x)),
    }  # fmt: skip
    for name, (intervals, density) in readings.items():
        points = prior(intervals)
        scores, least = left_out(density(points))
        found[name] = {"scores": scores.tolist(), "ess": least}
    best = {
        "one rate, best fit": left_out_of_best(lambda x: exponential(years, over, x[:, 0]), [0.5]),
        "two phases, best fit": left_out_of_best(lambda x: two_phases(years, over, *x.T), [2.0, 0.7, 0.1]),
    }
    return found | {name: {"scores": scores.tolist()} for name, scores in best.items()}


def out_of(stage: Stage, name: str) -> list[tuple[float, float]]:
    """Give the intervals of the rates out of a state or phase, in the order of the file."""
    return [move.per_year for move in stage.transitions if move.from_ == name]


def phased(years: Floats, over: Floats, rates: Floats) -> Floats:
    """(S, n) log densities under (S, 4) rates: out of the first, the passing, out of the second, out of either."""
    out, settle, late, either = rates.T
    return two_phases(years, over, out + either, settle, late + either)
