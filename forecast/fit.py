# pyright: reportUnknownMemberType=false, reportMissingTypeStubs=false, reportUnknownLambdaType=false
# xarray and h5py are partly untyped.
"""Fits: NUTS on one evidence, checked, saved with all that is needed to trust it or throw it away."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import chains
from forecast.errors import InputError, UntrustworthyError
from forecast.propagate import Draws
from forecast.spec import log_normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import xarray as xr

    from forecast.evidence import Evidence
    from forecast.sampler import Sampler
    from forecast.statespace import StateSpace

__all__ = ["Diagnostics", "Fit", "Learned", "Settings", "check_fit", "fit_id", "fit_model", "load_fit", "save_fit"]

PACKAGES = ("scenario-cascade", "pymc", "pytensor", "nutpie", "numba", "numpy")
MAX_R_HAT = 1.01
MIN_ESS_PER_CHAIN = 100
MAX_DIVERGING = 0.001


@dataclass(frozen=True)
class Settings:
    """How to sample: ``chains`` × (``tune`` + ``draws``) from ``seed``."""

    draws: int = 1000
    tune: int = 1000
    chains: int = 4
    seed: int = 1


@dataclass(frozen=True)
class Diagnostics:
    """Whether the chains can be believed: worst values over all parameters and the names that have them."""

    divergences: int
    max_r_hat: float
    max_r_hat_of: str
    min_ess: float
    min_ess_of: str

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
class Fit:
    """Posterior draws with the evidence they were drawn under.

    ``draws`` holds chains end to end; ``chains`` says how many. ``posterior`` is the full posterior (an
    `xarray.Dataset` with named dims), present right after sampling and when loaded with ``full=True``.
    """

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
    return Fit(
        id=fit_id(space, evidence, settings),
        model=space.spec.name,
        model_hash=space.spec.hash,
        evidence_hash=evidence.hash,
        as_of=evidence.as_of,
        watermark=watermark,
        settings=settings,
        diagnostics=_diagnose(posterior, divergences),
        learned=tuple(_learned(space, posterior)),
        versions={name: version(name) for name in PACKAGES},
        created_at=now.isoformat(timespec="seconds"),
        draws=_draws(posterior),
        posterior=posterior,
    )


def check_fit(fit: Fit) -> Fit:
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
            "sample more (--tune, --draws), or look at it anyway with --accept-bad-fit"
        )
        raise UntrustworthyError(msg)
    return fit


def _draws(posterior: xr.Dataset) -> Draws:
    arrays = (posterior[name].to_numpy() for name in Draws._fields)
    return Draws(*(np.ascontiguousarray(part.reshape(-1, part.shape[-1]), dtype=np.float64) for part in arrays))


def _diagnose(posterior: xr.Dataset, divergences: int) -> Diagnostics:
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
    return Diagnostics(divergences, r_hat[worst_r_hat], worst_r_hat, ess[worst_ess], worst_ess)


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
    """Write ``folder/<id>.nc`` (h5netcdf), atomically; returns the path."""
    if fit.posterior is None:
        msg = "a fit without its posterior cannot be saved"
        raise ValueError(msg)
    about = asdict(replace(fit, draws=None, posterior=None))  # pyright: ignore[reportArgumentType]
    about = {key: value for key, value in about.items() if value is not None}
    path = folder / f"{fit.id}.nc"
    partial = folder / f".{fit.id}.{os.getpid()}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        dataset = fit.posterior.assign_attrs(about=json.dumps(about, default=str))
        dataset.to_netcdf(partial, engine="h5netcdf")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        msg = f"{path}: the fit cannot be written: {error.strerror or error}; check the folder's permissions and space"
        raise InputError(msg) from error
    return path


def load_fit(path: Path, space: StateSpace, *, full: bool = False) -> Fit:
    """Read a fit of the model of ``space``; with ``full`` its whole posterior too.

    Raises
    ------
    InputError
        If the file cannot be read as a fit, or was drawn from another model or another version of this one.

    """
    import h5py  # noqa: PLC0415 - slow to import
    import xarray as xr  # noqa: PLC0415

    try:
        with h5py.File(path) as file:  # h5netcdf prints a traceback of its own for a file whose root is damaged
            file.visit(lambda _: None)
        with xr.open_dataset(path, engine="h5netcdf") as dataset:
            about = json.loads(dataset.attrs["about"])
            posterior = dataset[list(dataset.data_vars) if full else list(Draws._fields)].load()
        found = _from_about(about, posterior)
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        msg = f"{path}: is not a readable fit ({type(error).__name__}); delete the file and run the command again"
        raise InputError(msg) from error
    if (found.model, found.model_hash) != (space.spec.name, space.spec.hash):
        msg = (
            f"{path}: was drawn from model {found.model!r} version {found.model_hash}, not from "
            f"{space.spec.name!r} version {space.spec.hash}; delete the file and run the command again"
        )
        raise InputError(msg)
    return found if full else replace(found, posterior=None)


def _from_about(about: dict[str, Any], posterior: xr.Dataset) -> Fit:
    learned = [
        Learned(row["name"], row["kind"], tuple(row["prior"]), tuple(row["posterior"]), row["narrowing"])
        for row in about.pop("learned")
    ]
    about["as_of"] = dt.date.fromisoformat(about["as_of"])
    about["settings"] = Settings(**about["settings"])
    about["diagnostics"] = Diagnostics(**about["diagnostics"])
    return Fit(**about, learned=tuple(learned), draws=_draws(posterior), posterior=posterior)
