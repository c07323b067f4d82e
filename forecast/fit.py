# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownLambdaType=false
# xarray and h5py are partly untyped.
"""Fits: NUTS on one evidence, checked, saved with all that is needed to trust it or throw it away."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import chains
from forecast.blocks import Blocks, Draws
from forecast.errors import InputError, UntrustworthyError
from forecast.evaluate import evaluate
from forecast.hmm import Cells, chain_of
from forecast.predict import answers, ask, convergence, horizons_of
from forecast.spec import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from forecast.evidence import Evidence
    from forecast.sampler import Sampler
    from forecast.statespace import StateSpace

__all__ = [
    "Diagnostics",
    "Fit",
    "FitRecord",
    "Learned",
    "Settings",
    "check_fit",
    "fit_id",
    "fit_model",
    "load_arrays",
    "load_cells",
    "load_fit",
    "load_posterior",
    "load_prior",
    "load_record",
    "prune_fits",
    "save_fit",
    "save_prior",
]

PACKAGES = ("scenario-cascade", "pymc", "pytensor", "nutpie", "numba", "numpy")
MAX_R_HAT = 1.01
MIN_ESS_PER_CHAIN = 100
MAX_DIVERGING = 0.001
KEPT_FITS = 20  # of each model, beside those that an issued forecast names


@dataclass(frozen=True)
class Settings:
    """How to sample: ``chains`` × (``tune`` + ``draws``) from ``seed``, with so much acceptance.

    At the usual 0.8 a year of some 300 reports of the reference model gives divergences (docs/decisions.md).
    """

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    seed: int = 1
    target_accept: float = 0.9

    @property
    def careful(self) -> Settings:
        """Twice as long, in smaller steps: for a fit that failed its checks."""
        return replace(self, draws=2 * self.draws, tune=2 * self.tune, target_accept=(1 + self.target_accept) / 2)


@dataclass(frozen=True)
class Diagnostics:
    """Whether the chains can be believed: worst values over all parameters and the names that have them.

    ``forecast_…`` are the worst over the published probabilities; ``efficiency`` is the lowest effective sample size of
    their means over the number of draws, at most 1.
    """

    divergences: int
    max_r_hat: float
    max_r_hat_of: str
    min_ess: float
    min_ess_of: str
    forecast_r_hat: float
    forecast_ess: float
    efficiency: float

    def complaints(self, settings: Settings) -> list[str]:
        """List what is wrong, in words; empty for a good fit."""
        found: list[str] = []
        if self.divergences > MAX_DIVERGING * settings.chains * settings.draws:
            found.append(f"{self.divergences} divergent transitions")
        if not self.max_r_hat <= MAX_R_HAT:
            found.append(f"R-hat {self.max_r_hat:.3f} of {self.max_r_hat_of} (at most {MAX_R_HAT})")
        least = MIN_ESS_PER_CHAIN * settings.chains
        if not self.min_ess >= least:
            found.append(f"effective sample size {self.min_ess:.0f} of {self.min_ess_of} (at least {least})")
        if not self.forecast_r_hat <= MAX_R_HAT:
            found.append(f"R-hat {self.forecast_r_hat:.3f} of a published probability (at most {MAX_R_HAT})")
        if not self.forecast_ess >= least:
            found.append(f"effective sample size {self.forecast_ess:.0f} of a published probability (at least {least})")
        return found


@dataclass(frozen=True)
class Learned:
    """What the evidence has taught about one rate (per year) or effect (a multiplier): 90 % intervals before and after.

    ``narrowing`` is the posterior standard deviation over the prior's, on the log scale: 1 means nothing was learned.
    """

    name: str
    kind: str
    prior: tuple[float, float]
    posterior: tuple[float, float]
    narrowing: float


@dataclass(frozen=True)
class FitRecord:
    """What a fit says about itself, without its draws."""

    id: str
    model: str
    model_hash: str
    evidence_hash: str
    as_of: dt.date
    watermark: int
    settings: Settings
    diagnostics: Diagnostics
    learned: tuple[Learned, ...]
    versions: dict[str, str]
    created_at: str


@dataclass(frozen=True)
class Fit(FitRecord):
    """Posterior draws with the evidence they were drawn under.

    ``draws`` holds chains end to end, ``cells`` the evidence. ``posterior`` is the full posterior (an `xarray.Dataset`
    with named dims), present right after sampling; `load_posterior` reads it again.
    """

    cells: Cells
    draws: Draws
    posterior: xr.Dataset | None = None


def fit_id(space: StateSpace, evidence: Evidence, settings: Settings) -> str:
    """Name a fit by everything that determines it, so that the same fit is found again."""
    parts = [space.spec.hash, evidence.hash, *map(str, asdict(settings).values())]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def fit_model(  # noqa: PLR0913 - everything that a fit records
    space: StateSpace, evidence: Evidence, sampler: Sampler, settings: Settings, *, watermark: int, now: dt.datetime,
    on_draw: Callable[[int, int], None] | None = None,
) -> Fit:  # fmt: skip
    """Run NUTS. ``sampler`` is the compiled model (`forecast.sampler`); ``on_draw(done, total)`` reports progress.

    The result is not checked: see `check_fit`.
    """
    posterior, divergences = sampler.sample(evidence, settings, on_draw)
    draws = _draws(posterior)
    blocks = Blocks(chain_of(space), draws)
    ahead = ask(space, blocks, horizons_of(space, evidence.as_of))
    published = answers(space, evidence.as_of, ahead, evaluate(blocks, evidence.cells).states)
    return Fit(
        id=fit_id(space, evidence, settings),
        model=space.spec.name,
        model_hash=space.spec.hash,
        evidence_hash=evidence.hash,
        as_of=evidence.as_of,
        watermark=watermark,
        settings=settings,
        diagnostics=_diagnose(posterior, divergences, convergence(published, settings.chains)),
        learned=tuple(_learned(space, posterior)),
        versions={name: version(name) for name in PACKAGES},
        created_at=now.isoformat(timespec="seconds"),
        cells=evidence.cells,
        draws=draws,
        posterior=posterior,
    )


def check_fit[F: FitRecord](fit: F) -> F:
    """Return ``fit`` if its chains can be believed.

    Raises
    ------
    UntrustworthyError
        With what is wrong and what to do, otherwise.

    """
    complaints = fit.diagnostics.complaints(fit.settings)
    if complaints:
        msg = (
            f"the fit of {fit.model!r} as of {fit.as_of} cannot be trusted: {'; '.join(complaints)}; "
            "sample more still (--tune, --draws), or look at it anyway with --accept-bad-fit"
        )
        raise UntrustworthyError(msg)
    return fit


def _draws(posterior: xr.Dataset) -> Draws:
    arrays = (posterior[name].to_numpy() for name in Draws._fields)
    return Draws(*(np.ascontiguousarray(part.reshape(-1, part.shape[-1]), dtype=np.float64) for part in arrays))


def _diagnose(posterior: xr.Dataset, divergences: int, published: tuple[float, float, float]) -> Diagnostics:
    r_hat: dict[str, float] = {}
    ess: dict[str, float] = {}
    for name in map(str, posterior.data_vars):
        if name in Draws._fields:
            continue
        array = posterior[name]
        values = array.to_numpy()
        labels = [f"{name}[{label}]" for label in array[array.dims[2]].to_numpy()] if values.ndim > 2 else [name]  # noqa: PLR2004 - chain, draw
        values = values.reshape(values.shape[0], values.shape[1], -1)
        for k, label in enumerate(labels):
            r_hat[label] = chains.r_hat(values[:, :, k])
            ess[label] = chains.ess(values[:, :, k])
    worst_r_hat = max(r_hat, key=lambda label: np.nan_to_num(r_hat[label], nan=np.inf))
    worst_ess = min(ess, key=lambda label: np.nan_to_num(ess[label], nan=0.0))
    least, worst, efficiency = published
    return Diagnostics(
        divergences, r_hat[worst_r_hat], worst_r_hat, ess[worst_ess], worst_ess, worst, least, efficiency
    )


def _learned(space: StateSpace, posterior: xr.Dataset) -> Iterator[Learned]:
    stages = space.spec.stages.values()
    rates = [move.per_year for stage in stages for move in stage.transitions]
    times = [effect.times for stage in stages for effect in stage.effects.values()]
    for kind, names, intervals, variable in (
        ("transition", space.transitions, rates, "transition_log_rate"),
        ("effect", space.effects, times, "effect_log_times"),
    ):
        values = posterior[variable].to_numpy().reshape(-1, len(names))
        for k, (name, interval) in enumerate(zip(names, intervals, strict=True)):
            low, high = np.exp(np.quantile(values[:, k], [0.05, 0.95]))
            narrowing = float(values[:, k].std() / log_normal(interval)[1])
            yield Learned(name, kind, interval, (float(low), float(high)), narrowing)


def save_fit(fit: Fit, folder: Path) -> Path:
    """Write ``folder/<id>.nc`` (h5netcdf, with checksums), atomically; returns the path."""
    if fit.posterior is None:
        msg = "a fit without its posterior cannot be saved"
        raise ValueError(msg)
    about = asdict(FitRecord(**{field.name: getattr(fit, field.name) for field in fields(FitRecord)}))
    cells = {f"evidence_{name}": _array(f"evidence_{name}", part) for name, part in fit.cells._asdict().items()}
    return _write(fit.posterior.assign(cells).assign_attrs(about=json.dumps(about, default=str)), folder, fit.id)


def save_prior(space: StateSpace, draws: Draws, folder: Path) -> Path:
    """Write draws from the prior; returns the path."""
    import xarray as xr  # noqa: PLC0415 - slow to import

    about = json.dumps({"model": space.spec.name, "model_hash": space.spec.hash})
    arrays = {name: _array(name, part) for name, part in draws._asdict().items()}
    return _write(xr.Dataset(arrays, attrs={"about": about}), folder, _prior_name(space))


def load_prior(space: StateSpace, folder: Path) -> Draws | None:
    """Read the draws from the prior that `save_prior` wrote; None if there are none that can be read."""
    path = folder / f"{_prior_name(space)}.nc"
    try:
        return Draws(**_read(path, Draws._fields)[1])
    except InputError:
        return None


def _prior_name(space: StateSpace) -> str:
    return f"prior-{space.spec.name}-{space.spec.hash}"


def _array(name: str, values: NDArray[Any]) -> tuple[tuple[str, ...], NDArray[Any]]:
    return tuple(f"{name}_{k}" for k in range(values.ndim)), values


def _write(dataset: xr.Dataset, folder: Path, name: str) -> Path:
    path = folder / f"{name}.nc"
    partial = folder / f".{name}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        numbers = {str(key): {"fletcher32": True} for key, part in dataset.data_vars.items() if part.size and part.ndim}
        dataset.to_netcdf(partial, engine="h5netcdf", encoding=numbers)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        msg = f"{path}: the fit cannot be written: {error.strerror or error}; check the folder's permissions and space"
        raise InputError(msg) from error
    return path


def load_arrays(path: Path, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
    """Read arrays (chains, draws, …) of the posterior of a fit by their ``names``, quicker than the whole.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    return _read(path, names)[1]


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what a file says about itself, and some of its arrays."""
    import h5py  # noqa: PLC0415 - slow to import

    try:
        with h5py.File(path) as file:
            content: Any = file
            return json.loads(content.attrs["about"]), {name: content[name][()] for name in names}
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path}: is not a readable fit ({type(error).__name__}); delete the file and run the command again"
    )


def load_record(path: Path) -> FitRecord:
    """Read what a fit says about itself.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    return _record(path, _read(path, ())[0])


def load_cells(path: Path) -> Cells:
    """Read the evidence of a fit.

    Raises
    ------
    InputError
        If the file cannot be read as a fit.

    """
    names = tuple(f"evidence_{name}" for name in Cells._fields)
    return Cells(*_read(path, names)[1].values())


def load_fit(path: Path, space: StateSpace) -> Fit:
    """Read a fit of the model of ``space``, without its posterior.

    Raises
    ------
    InputError
        If the file cannot be read as a fit, or was drawn from another model or another version of this one.

    """
    about, arrays = _read(path, Draws._fields)
    record = _record(path, about)
    if (record.model, record.model_hash) != (space.spec.name, space.spec.hash):
        msg = (
            f"{path}: was drawn from model {record.model!r} version {record.model_hash}, not from "
            f"{space.spec.name!r} version {space.spec.hash}; delete the file and run the command again"
        )
        raise InputError(msg)
    draws = Draws(*(np.ascontiguousarray(part.reshape(-1, part.shape[-1])) for part in arrays.values()))
    parts = {field.name: getattr(record, field.name) for field in fields(FitRecord)}
    return Fit(**parts, cells=load_cells(path), draws=draws, posterior=None)


def load_posterior(path: Path) -> xr.Dataset:
    """Read the whole posterior of a fit, with named dims."""
    import xarray as xr  # noqa: PLC0415 - slow to import

    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        return dataset[[name for name in dataset.data_vars if not str(name).startswith("evidence_")]].load()


def _record(path: Path, about: dict[str, Any]) -> FitRecord:
    try:
        learned = [
            Learned(row["name"], row["kind"], tuple(row["prior"]), tuple(row["posterior"]), row["narrowing"])
            for row in about.pop("learned")
        ]
        about["as_of"] = dt.date.fromisoformat(about["as_of"])
        about["settings"] = Settings(**about["settings"])
        about["diagnostics"] = Diagnostics(**about["diagnostics"])
        return FitRecord(**about, learned=tuple(learned))
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from error


def prune_fits(space: StateSpace, folder: Path, issued: set[str]) -> tuple[str, ...]:
    """Delete old fits of a model: all but the `KEPT_FITS` made last and those that ``issued`` names; gives their ids.

    Draws from the prior of other versions of the model go too. Files that cannot be read are left alone.
    """
    made: dict[str, tuple[str, str]] = {}
    for path in folder.glob("*.nc"):
        try:
            about = _read(path, ())[0]
        except InputError:
            continue
        if about.get("model") != space.spec.name:
            continue
        if path.stem.startswith("prior-"):
            if path.stem != _prior_name(space):
                path.unlink(missing_ok=True)
        else:
            made[path.stem] = (str(about.get("created_at")), path.stem)
    old = sorted(made, key=made.__getitem__)[:-KEPT_FITS]
    gone = tuple(name for name in old if name not in issued)
    for name in gone:
        (folder / f"{name}.nc").unlink(missing_ok=True)
    return gone
