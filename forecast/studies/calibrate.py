"""One simulated world of a study: fitted for simulation-based calibration, or forecast week by week."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from forecast.base.errors import InputError, UntrustworthyError
from forecast.engine.blocks import Blocks, Draws, chains_joined
from forecast.engine.filtering import evaluate
from forecast.engine.onward import Onward
from forecast.evidence.history import compile_history
from forecast.inference.fit import fit_model
from forecast.inference.fit_files import save_prior
from forecast.inference.fitter import Fitter
from forecast.inference.model import Model
from forecast.inference.settings import Sampling
from forecast.ledger.history import read_history
from forecast.quantities.from_draws import answers, ask, horizons_of
from forecast.studies.verdicts import place
from forecast.studies.worlds import World, is_in, simulate_world
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from typing import Any

    from numpy.typing import NDArray

    from forecast.studies.truth import Truth

    Figures = dict[str, NDArray[Any]]
    from collections.abc import Mapping, Sequence

    import xarray as xr
    from numpy.typing import NDArray

    from forecast.engine.arrays import Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.sampler import Sampler
    from forecast.inference.settings import Settings
    from forecast.quantities.estimate import Key
    from forecast.quantities.from_draws import Answers
    from forecast.theory.spec import ModelSpec


WEEKS = 52
EXTRA_DAYS = 3  # of the last step of a world that is fitted: it is not a whole one
PLACED = 100  # draws that a true value is placed among; so few of two thousand are as good as independent
EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # stands in the fits of simulated worlds, which are thrown away


def study_spec() -> ModelSpec:
    """Read the small fast model that comes with the package, with its history."""
    spec = load_spec(Path(__file__).with_name("study.toml"))
    return spec.with_history(read_history(Path(__file__).with_name("study-history.csv"), spec.model.start))


# A world.


def truth_draws(space: StateSpace, truth: Truth) -> Draws:
    """Give a world's parameters as one draw, by the names of the axes."""
    log_rate: list[float] = []
    for name in space.rate_names:
        move, _, context = name.partition("|")
        stage, _, states = move.partition(".")
        from_, _, to = states.partition(">")
        upstream = dict(zip(space.stages, context.split(","), strict=False)) if context else {}
        log_rate.append(np.log(truth.rate(stage, from_, to, upstream)))
    log_lambda = [
        np.log(truth.intensity(name, phase))
        for name, row in space.spec.indicators.items()
        for phase in space.spec.stages[row.stage].all_phases
    ]
    for name, row in space.spec.channels.items():
        counted = [truth.counted(name, phase) for phase in space.spec.stages[row.stage].all_phases]
        log_lambda += np.log([*(rate for rate, _ in counted), counted[0][1]]).tolist()
    start = np.concatenate([truth.start(stage) for stage in space.stages])
    return Draws(np.array([log_rate]), np.array([log_lambda]), start[None])


def _label(key: Key) -> str:
    outcome, kind, given, weeks, _ = key
    return " ".join(str(part) for part in (outcome, kind, given, weeks and f"{weeks} weeks") if part)


def _values(found: Answers) -> dict[str, Floats]:
    """(S,) every forecast quantity under each draw; NaN where its condition cannot be."""
    with np.errstate(invalid="ignore"):
        return {_label(key): found.part[k] / found.whole[k] for k, key in enumerate(found.names)}


def _forecasts(space: StateSpace, evidence: Evidence, draws: Draws) -> dict[str, Floats]:
    """(S,) the log-likelihood and every forecast quantity under each draw."""
    blocks = Blocks(chain_of(space), draws)
    found = evaluate(blocks, evidence.cells)
    ahead = ask(space, blocks, horizons_of(space, evidence.as_of), Onward)
    return {
        "log-likelihood": found.log_likelihood,
        **_values(answers(space, evidence.as_of, ahead, found.states)),
    }


def _rng(seed: int, world: int) -> tuple[np.random.Generator, int]:
    """Give a world's generator, and the seed of its sampler."""
    sequence = np.random.SeedSequence([seed, world])
    return np.random.default_rng(sequence), int(sequence.generate_state(1)[0])


def sbc_world(model: Model, settings: Settings, seed: int, world: int) -> Figures:
    """Simulate a year, fit it, and place every true value among posterior draws (simulation-based calibration).

    Gives ``name`` (Q,) and ``place`` (Q,) of every parameter, the log-likelihood and every forecast quantity, whose
    true value is the one under the true parameters; and ``trusted``, whether the fit passed its checks.
    """
    space, days = model.space, WEEKS * model.spec.model.step_days + EXTRA_DAYS
    rng, fit_seed = _rng(seed, world)
    true = simulate_world(model.spec, days, rng)
    evidence = model.evidence(true.entries, model.spec.model.start + dt.timedelta(days=days - 1))
    sampler = model.sampler(evidence).under(compile_history(StateSpace(model.spec.with_history(true.spells))))
    settings = replace(settings, seed=fit_seed)
    fit = fit_model(space, evidence, sampler, settings, watermark=0, now=EPOCH)
    every = np.linspace(0, fit.draws.size - 1, PLACED).round().astype(int)
    drawn = _parameters(fit.chains().posterior, true.truth, every)
    own = truth_draws(space, true.truth)
    both = Draws(*(np.concatenate([one, other[every]]) for one, other in zip(own, fit.draws, strict=True)))
    drawn |= _forecasts(space, evidence, both)
    drawn = {name: values for name, values in drawn.items() if np.isfinite(values).all()}
    return {
        "name": np.array(list(drawn)),
        "place": np.array([place(float(values[0]), values[1:], rng) for values in drawn.values()]),
        "trusted": np.array(not fit.diagnostics.complaints(settings)),
    }


def _parameters(posterior: xr.Dataset, truth: Truth, every: NDArray[np.int64]) -> dict[str, Floats]:
    """(1 + PLACED,) the true value and some draws of every parameter; of start weights all but the last."""
    found: dict[str, Floats] = {}
    for name, true in truth.values.items():
        draws = chains_joined(posterior[name].to_numpy())[every]
        labels = posterior[name].coords[posterior[name].dims[-1]].to_numpy() if true.size > 1 else [""]
        for k in range(true.size - name.startswith("start_")):
            found[f"{name} {labels[k]}".strip()] = np.concatenate([true[k : k + 1], draws[:, k]])
    return found


def calibration_world(model: Model, settings: Settings, seed: int, world: int) -> Figures:
    """Simulate a year and forecast it every week as a project does: by updates, and by fits where the gate asks.

    Worlds of even number may start from draws of the prior; the others have to start from a fit.

    Gives ``name`` (Q,) and, for W weeks, (W, Q): the ``said`` probability, the ends ``low`` and ``high`` of its
    interval, the probability ``true`` under the true parameters and the ``outcome``, 0 or 1; NaN where nothing was
    published or nothing happened that could be scored. ``fits`` is how many were made.
    """
    spec, space = model.spec, model.space
    step = spec.model.step_days
    ahead = max(spec.model.horizons_weeks) + max((row.weeks or 0 for row in spec.conditionals), default=0)
    if any(7 * weeks % step for weeks in (ahead, *spec.model.horizons_weeks)):
        msg = f"model {spec.name!r}: horizons are no whole steps of {step} days, so a path cannot be read there"
        raise InputError(msg)
    rng, fit_seed = _rng(seed, world)
    true = simulate_world(spec, WEEKS * step + 7 * ahead, rng)
    own = truth_draws(space, true.truth)
    weeks: list[dict[str, tuple[float, ...]]] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        first = model.evidence((), spec.model.start)
        save_prior(space, model.kept_prior(1, folder, first), folder)
        fitter = Fitter(
            _Shared(model), folder, lambda _: set(), Sampling(replace(settings, seed=fit_seed)), watermark=0, now=EPOCH
        )
        for k in range(1, WEEKS + 1):
            evidence = model.evidence(true.entries, spec.model.start + dt.timedelta(days=k * step - 1))
            weeks.append(_week(fitter, evidence, own, true, k - 1, prior=world % 2 == 0))
    names = sorted({label for week in weeks for label in week})
    nothing = (np.nan,) * 5
    figures = np.array([[week.get(label, nothing) for label in names] for week in weeks]).transpose(2, 0, 1)
    return {
        "name": np.array(names),
        **dict(zip(("said", "low", "high", "true", "outcome"), figures, strict=True)),
        "fits": np.array(fitter.made),
    }


class _Shared(Model):
    """A model of its own, with its own draws, that uses what another has compiled."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.spec)
        self.lender = model

    def sampler(self, evidence: Evidence) -> Sampler:
        return self.lender.sampler(evidence)


def _week(  # noqa: PLR0913 - a forecast and its truth
    fitter: Fitter, evidence: Evidence, own: Draws, true: World, now: int, *, prior: bool
) -> dict[str, tuple[float, ...]]:
    """Forecast from the end of step ``now``; empty where a project would publish nothing."""
    space = fitter.model.space
    try:
        found = fitter.update(evidence, "auto", prior=prior)
    except UntrustworthyError:
        return {}
    if not found.trust.trusted:
        return {}
    truths = _forecasts(space, evidence, own)
    return {
        label: (
            row.estimate.mean, row.estimate.low, row.estimate.high, float(truths.get(label, np.array([np.nan]))[0]),
            _outcome(space.spec, true.path, now, row.key),
        )
        for row in found.quantities if (label := _label(row.key))
    }  # fmt: skip


def _outcome(spec: ModelSpec, path: Sequence[Mapping[str, str]], now: int, key: Key) -> float:
    """Read off a path whether a forecast from the end of step ``now`` came true; NaN where its condition did not."""
    name, kind, condition, weeks, _ = key
    step = spec.model.step_days
    inside = [is_in(spec, phases, spec.outcomes[name].states) for phases in path]
    at = now + 7 * (weeks or 0) // step
    if kind in {"already", "at"}:
        return float(inside[at])
    if kind == "reached":
        return float(not inside[now] and any(inside[now + 1 : at + 1]))
    row = next(row for row in spec.conditionals if (row.outcome, row.condition) == (name, condition))
    when = spec.outcomes[row.given or row.given_no or row.after or ""].states
    held = [is_in(spec, phases, when) for phases in path]
    if kind == "given":
        return float(inside[at]) if held[at] != bool(row.given_no) else np.nan
    last = now + 7 * max(spec.model.horizons_weeks) // step
    begins = [j for j in range(now + 1, last + 1) if held[j] and not held[j - 1]]
    return float(inside[begins[0] + 7 * (weeks or 0) // step]) if begins else np.nan
