"""NUTS on one evidence: the fit and its diagnostics."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast import inference, quantities
from forecast.engine.blocks import Blocks, Draws, chains_joined
from forecast.engine.filtering import evaluate
from forecast.engine.onward import Onward
from forecast.inference.settings import Diagnostics, FitRecord, Learned
from forecast.quantities.from_draws import answers, ask, horizons_of, sayable
from forecast.theory.statespace import chain_of
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping

    import xarray as xr

    from forecast.engine.arrays import Cells, Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.sampler import Sampler
    from forecast.inference.settings import Settings
    from forecast.theory.statespace import StateSpace


LINKS = ("transition_log_rate", "effect_log_times")  # arrays of a fit
PACKAGES = ("scenario-cascade", "pymc", "pytensor", "nutpie", "numba", "numpy")


class Chains(NamedTuple):
    """Everything that was drawn, (chain, draw, …) with named dims: ``posterior``, and ``stats`` of each draw.

    ``stats`` are none in files of versions that did not keep them.
    """

    posterior: xr.Dataset
    stats: xr.Dataset | None


@dataclass(frozen=True, repr=False)
class Fit(FitRecord):
    """Posterior draws of the model of ``space`` with the evidence they were drawn under.

    ``draws`` holds chains end to end, ``cells`` the evidence; ``chains()`` gives all that was drawn, read from the file
    of a fit that was loaded.
    """

    space: StateSpace
    cells: Cells
    draws: Draws
    chains: Callable[[], Chains]

    def to_datatree(self) -> xr.DataTree:
        """Give the fit as ArviZ reads it: see `forecast.inference.datatree.to_datatree`."""
        return inference.to_datatree(self, self.chains(), self.cells, self.space)


def fit_id(space: StateSpace, evidence: Evidence, settings: Settings) -> str:
    """Name a fit by everything that determines it, so that the same fit is found again."""
    parts = [space.spec.hash, evidence.hash, *map(str, asdict(settings).values())]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]


def fit_model(  # noqa: PLR0913 - everything that a fit records
    space: StateSpace, evidence: Evidence, sampler: Sampler, settings: Settings, *, watermark: int, now: dt.datetime,
    on_draw: Callable[[int, int], None] | None = None,
) -> Fit:  # fmt: skip
    """Run NUTS. ``sampler`` is the compiled model; ``on_draw(done, total)`` reports progress.

    The result is not checked: see `check_fit`.
    """
    posterior, stats = sampler.sample(evidence, settings, on_draw)
    divergences = int(stats["diverging"].sum())
    draws = _draws(posterior)
    blocks = Blocks(chain_of(space), draws)
    ahead = ask(space, blocks, horizons_of(space, evidence.as_of), Onward)
    asked = answers(space, evidence.as_of, ahead, evaluate(blocks, evidence.cells).states)
    published = sayable(asked, np.full(blocks.size, 1.0 / blocks.size))
    return Fit(
        id=fit_id(space, evidence, settings),
        model=space.spec.name,
        model_hash=space.spec.hash,
        evidence_hash=evidence.hash,
        as_of=evidence.as_of,
        watermark=watermark,
        settings=settings,
        diagnostics=_diagnose(posterior, divergences, quantities.convergence_of(published, settings.chains)),
        learned=tuple(_learned(space, posterior)),
        versions={name: version(name) for name in PACKAGES},
        created_at=now.isoformat(timespec="seconds"),
        space=space,
        cells=evidence.cells,
        draws=draws,
        chains=lambda: Chains(posterior, stats),
    )


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
            r_hat[label] = quantities.r_hat(values[:, :, k])
            ess[label] = quantities.ess(values[:, :, k])
    worst_r_hat = max(r_hat, key=lambda label: np.nan_to_num(r_hat[label], nan=np.inf))
    worst_ess = min(ess, key=lambda label: np.nan_to_num(ess[label], nan=0.0))
    least, worst, efficiency = published
    return Diagnostics(
        divergences, r_hat[worst_r_hat], worst_r_hat, ess[worst_ess], worst_ess, worst, least, efficiency
    )


def links_of(space: StateSpace) -> Iterator[tuple[str, str, tuple[float, float]]]:
    """Give name, kind and prior interval of every rate and effect, in the order of the arrays `LINKS` end to end."""
    stages = space.spec.stages.values()
    rates = [move.per_year for stage in stages for move in stage.transitions]
    times = [effect.times for stage in stages for effect in stage.effects.values()]
    for kind, names, intervals in (("transition", space.transitions, rates), ("effect", space.effects, times)):
        for name, interval in zip(names, intervals, strict=True):
            yield name, kind, interval


def link_values(arrays: Mapping[str, Any] | xr.Dataset) -> Floats:
    """(S, links) logarithms of the links from the arrays `LINKS` (chains, draws, …) of a fit, chains end to end."""
    return np.concatenate([chains_joined(np.asarray(arrays[name])) for name in LINKS], axis=1)


def _learned(space: StateSpace, posterior: xr.Dataset) -> Iterator[Learned]:
    for (name, kind, interval), values in zip(links_of(space), link_values(posterior).T, strict=True):
        low, high = np.exp(np.quantile(values, [0.05, 0.95]))
        narrowing = float(values.std() / log_normal(interval)[1])
        yield Learned(name, kind, interval, (float(low), float(high)), narrowing)
