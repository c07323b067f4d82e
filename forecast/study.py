# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# xarray and distributed are partly untyped.
"""Studies of the whole engine on simulated worlds: true values found again, and probabilities that come true.

A study is a folder: ``study.json`` says what was asked, and each world leaves one file, written when it is finished. A
world depends on its number and on what ``study.json`` says, and on nothing else, so any number of workers gives the
same, and a study that was stopped goes on where it was.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import os
import zipfile
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.blocks import Blocks, Draws
from forecast.calibration import place
from forecast.errors import ForecastError, InputError, UntrustworthyError
from forecast.evaluate import evaluate
from forecast.fit import Settings, fit_model, save_prior
from forecast.fitter import Fitter, Model
from forecast.hmm import chain_of
from forecast.modelfile import load_spec
from forecast.predict import answers, ask, horizons_of
from forecast.publish import make_folder, replace_file
from forecast.worlds import Truth, World, is_in, simulate_world

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from contextlib import AbstractContextManager

    import xarray as xr
    from numpy.typing import NDArray

    from forecast.evidence import Evidence
    from forecast.predict import Answers
    from forecast.result import Key
    from forecast.sampler import Sampler
    from forecast.spec import ModelSpec
    from forecast.statespace import StateSpace

    Floats = NDArray[np.float64]
    Figures = dict[str, NDArray[Any]]
    Work = Callable[[int], Figures]

__all__ = [
    "about",
    "calibration_world",
    "connect",
    "in_worker",
    "run_worlds",
    "sbc_world",
    "study_spec",
    "truth_draws",
    "work_of",
]

WEEKS = 52
EXTRA_DAYS = 3  # of the last step of a world that is fitted: it is not a whole one
PLACED = 100  # draws that a true value is placed among; so few of two thousand are as good as independent
SCHEDULER_SECONDS = 5
PROCESSORS = "PYTHON_CPU_COUNT"  # an environment variable that Python reads when it starts
EPOCH = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)  # stands in the fits of simulated worlds, which are thrown away


def study_spec() -> ModelSpec:
    """Read the small fast model that comes with the package."""
    return load_spec(Path(__file__).with_name("study.toml"))


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
        np.log(truth.intensity(name, state))
        for name, row in space.spec.indicators.items()
        for state in space.spec.stages[row.stage].states
    ]
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
    ahead = ask(space, blocks, horizons_of(space, evidence.as_of))
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
    settings = replace(settings, seed=fit_seed)
    fit = fit_model(space, evidence, model.sampler(evidence), settings, watermark=0, now=EPOCH)
    assert fit.posterior is not None  # noqa: S101 - it was just sampled
    every = np.linspace(0, fit.draws.size - 1, PLACED).round().astype(int)
    drawn = _parameters(fit.posterior, true.truth, every)
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
        draws = posterior[name].to_numpy()
        draws = draws.reshape(draws.shape[0] * draws.shape[1], -1)[every]
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
        save_prior(space, model.prior(1, folder, first).blocks.draws, folder)
        fitter = Fitter(
            _Shared(model), folder, lambda _: set(), replace(settings, seed=fit_seed),
            watermark=0, now=EPOCH, accept_bad=False, on_stage=lambda _: None, on_draw=None,
        )  # fmt: skip
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
    inside = [is_in(states, spec.outcomes[name].states) for states in path]
    at = now + 7 * (weeks or 0) // step
    if kind in {"already", "at"}:
        return float(inside[at])
    if kind == "reached":
        return float(not inside[now] and any(inside[now + 1 : at + 1]))
    row = next(row for row in spec.conditionals if (row.outcome, row.condition) == (name, condition))
    held = [is_in(states, spec.outcomes[row.given or row.given_no or row.after or ""].states) for states in path]
    if kind == "given":
        return float(inside[at]) if held[at] != bool(row.given_no) else np.nan
    last = now + 7 * max(spec.model.horizons_weeks) // step
    begins = [j for j in range(now + 1, last + 1) if held[j] and not held[j - 1]]
    return float(inside[begins[0] + 7 * (weeks or 0) // step]) if begins else np.nan


# Many worlds.

_models: dict[tuple[str, str], Model] = {}


def in_worker(  # noqa: PLR0913, PLR0917 - pickled with its arguments
    make: type[Model], world_of: Callable[..., Figures], spec: ModelSpec, settings: Settings, seed: int,
              world: int) -> Figures:  # fmt: skip
    """Compute a world with a model that this process keeps for the next one."""
    key = (make.__name__, spec.model_dump_json())  # the hash leaves out what is only read off the draws
    if key not in _models:
        _models[key] = make(spec)
    return world_of(_models[key], settings, seed, world)


def work_of(kind: str, spec: ModelSpec, settings: Settings, seed: int, make: type[Model] = Model) -> Work:
    """Give what computes a world of a study from its number, in any process."""
    return partial(in_worker, make, {"sbc": sbc_world, "calibration": calibration_world}[kind], spec, settings, seed)


def about(kind: str, spec: ModelSpec, settings: Settings, seed: int) -> dict[str, Any]:
    """Say all that determines a study's worlds."""
    asked = spec.model_dump_json(include={"outcomes": {"__all__": {"states"}}, "conditionals": True})
    return {
        "kind": kind, "model": spec.name, "model_hash": spec.hash,
        "outcomes_hash": hashlib.sha256(asked.encode()).hexdigest()[:12],
        "horizons_weeks": list(spec.model.horizons_weeks), **asdict(settings), "seed": seed,
    }  # fmt: skip


@contextmanager
def connect(workers: int | None, scheduler: str | None) -> Generator[Any]:
    """Connect to a Dask scheduler, or start ``workers`` processes here, one a processor by default; gives the client.

    The processors are shared among the processes (from Python 3.13 on; before that each takes all of them in turn).

    Raises
    ------
    InputError
        If Dask is not installed, or nobody answers at the address.

    """
    try:
        from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra
    except ImportError as error:
        msg = "a study needs Dask; install the extra: pip install 'scenario-cascade[cluster]'"
        raise InputError(msg) from error
    if scheduler is None:
        workers = workers or os.cpu_count() or 1
        with (
            _shared_processors(workers),
            LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0") as cluster,
            Client(cluster) as client,
        ):
            yield client
        return
    try:
        client = Client(scheduler, timeout=SCHEDULER_SECONDS)
    except (OSError, ValueError, TypeError) as error:
        msg = f"--scheduler {scheduler}: no Dask scheduler answers there; start one, or leave the option out"
        raise InputError(msg) from error
    with client:
        yield client


@contextmanager
def _shared_processors(processes: int) -> Generator[None]:
    """Have processes that are started now, or again, take an equal share of the processors and not all of them."""
    before = os.environ.get(PROCESSORS)
    os.environ[PROCESSORS] = str(max((os.cpu_count() or 1) // processes, 1))
    try:
        yield
    finally:
        if before is None:
            del os.environ[PROCESSORS]
        else:
            os.environ[PROCESSORS] = before


def run_worlds(  # noqa: PLR0913 - what a study is made of
    folder: Path, header: Mapping[str, Any], work: Work, worlds: int,
    connected: Callable[[], AbstractContextManager[Any]],
    *, on_world: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Figures]:  # fmt: skip
    """Compute the worlds that ``folder`` lacks of the first ``worlds``, and give the figures of all of these.

    ``connected`` gives a Dask client, and is asked for one only if a world is missing. A worker that dies costs the
    world that it was at, which another begins anew.

    Raises
    ------
    InputError
        If the folder holds another study, or a file of it cannot be read.
    ForecastError
        If a world ends its workers again and again.

    """
    _open(folder, header)
    files = [folder / f"world-{world:05}.npz" for world in range(worlds)]
    missing = [world for world, file in enumerate(files) if not file.exists()]
    on_world(worlds - len(missing), worlds)
    if missing:
        with connected() as client:
            from distributed import as_completed  # noqa: PLC0415 - an extra, which `connected` asks for
            from distributed.scheduler import KilledWorker  # noqa: PLC0415

            futures = {client.submit(work, world, pure=False): world for world in missing}
            for done, future in enumerate(as_completed(list(futures)), 1):
                try:
                    _write(files[futures[future]], future.result())
                except KilledWorker as error:
                    msg = f"world {futures[future]} kills its workers (out of memory?); finished worlds are kept"
                    raise ForecastError(msg) from error
                future.release()
                on_world(worlds - len(missing) + done, worlds)
    return [_read(file) for file in files]


def _open(folder: Path, header: Mapping[str, Any]) -> None:
    """Make sure that a folder holds this study, or nothing yet."""
    path = folder / "study.json"
    if not path.exists():
        if any(folder.glob("world-*.npz")):
            msg = f"{folder}: holds worlds without a study.json that says whose; give another --output"
            raise InputError(msg)
        make_folder(folder)
        replace_file(path, json.dumps(header, indent=1).encode())
        return
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        msg = f"{path}: cannot be read ({error}); give another --output"
        raise InputError(msg) from error
    changed = [name for name in {**found, **header} if found.get(name) != header.get(name)]
    if changed:
        was = "; ".join(f"{name} was {found.get(name)}, is {header.get(name)}" for name in changed)
        msg = f"{folder}: holds another study ({was}); give another --output, or ask for the same"
        raise InputError(msg)


def _write(path: Path, figures: Figures) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **figures)
    replace_file(path, buffer.getvalue())


def _read(path: Path) -> Figures:
    try:
        with np.load(path) as content:
            return dict(content)
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        msg = f"{path}: cannot be read ({error}); delete the file and run the study again"
        raise InputError(msg) from error
