# pyright: reportMissingTypeStubs=false
# PyMC ships no types.
"""A model with its fits: made, kept and used again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

from forecast.errors import InputError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    import pymc as pm
    import xarray as xr
    from numpy.typing import NDArray

    from forecast.evidence import Evidence
    from forecast.fit import Fit, Settings
    from forecast.ledger import Entry
    from forecast.result import Policy
    from forecast.sampler import Sampler
    from forecast.spec import ModelSpec
    from forecast.statespace import StateSpace
    from forecast.update import Anchor, Posterior

__all__ = ["Fitter", "Model"]

PRIOR_DRAWS = 16_000
PRIOR_SEED = 1
LOADED_ANCHORS = 4  # of each model; an anchor with its values takes some 100 MB


class Model:
    """A model file's content with its axes, compiled model and anchors; computed on demand and kept."""

    def __init__(self, spec: ModelSpec) -> None:
        """Wrap a model file's content."""
        self.spec = spec
        self._sampler: Sampler | None = None
        self._anchors: dict[str, Anchor | None] = {}  # by file name; None for what is no fit of this version
        self._prior: Anchor | None = None
        self._lock = RLock()

    @cached_property
    def space(self) -> StateSpace:
        """The model's axes."""
        from forecast.statespace import StateSpace  # noqa: PLC0415 - not needed to read a forecast

        return StateSpace(self.spec)

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile ledger entries for this model as known on ``as_of``."""
        from forecast.evidence import compile_evidence  # noqa: PLC0415 - not needed to read a forecast

        return compile_evidence(self.space, entries, as_of)

    def to_pymc(self, evidence: Evidence) -> pm.Model:
        """Give the model with ``evidence`` as a plain `pm.Model`."""
        from forecast.model import build_model  # noqa: PLC0415 - imports PyMC

        return build_model(self.space, evidence)

    def sampler(self, evidence: Evidence) -> Sampler:
        """Give the compiled model; it is compiled once and serves every evidence."""
        with self._lock:
            if self._sampler is None:
                from forecast.sampler import Sampler  # noqa: PLC0415 - imports PyMC

                self._sampler = Sampler(self.space, evidence)
            return self._sampler

    def log_prior(self, posterior: xr.Dataset, evidence: Evidence) -> dict[str, NDArray[np.float64]]:
        """(S,) log prior density of each group of parameters under each draw; any evidence of the model will do."""
        from forecast.model import log_prior  # noqa: PLC0415 - imports PyMC

        return log_prior(self.to_pymc(evidence), posterior)

    def anchors(self, folder: Path) -> list[Anchor]:
        """Give the fits of this version of the model that lie in ``folder``; their draws are read when needed.

        What cannot be read, and what was drawn from another version, is left out.
        """
        with self._lock:
            names = {path.stem for path in folder.glob("*.nc") if not path.stem.startswith("prior-")}
            for name in self._anchors.keys() - names:
                del self._anchors[name]
            for name in sorted(names - self._anchors.keys()):
                self._anchors[name] = self._anchor(folder / f"{name}.nc")
            return [anchor for anchor in self._anchors.values() if anchor is not None]

    def _anchor(self, path: Path) -> Anchor | None:
        from forecast.fit import load_cells, load_fit, load_record  # noqa: PLC0415 - not needed to read a forecast
        from forecast.update import Anchor  # noqa: PLC0415

        try:
            record = load_record(path)
            if (record.model, record.model_hash) != (self.spec.name, self.spec.hash):
                return None
            cells = load_cells(path)
        except InputError:
            return None
        return Anchor(
            self.space,
            record.id,
            lambda: load_fit(path, self.space).draws,
            cells=cells,
            as_of=record.as_of,
            efficiency=record.diagnostics.efficiency,
            complaints=record.diagnostics.complaints(record.settings),
        )

    def used(self, anchor: Anchor) -> None:
        """Remember that an anchor was used; the draws of those used longest ago are let go."""
        with self._lock:
            if self._anchors.get(anchor.name) is anchor:
                self._anchors[anchor.name] = self._anchors.pop(anchor.name)
            loaded = [one for one in self._anchors.values() if one is not None and one.loaded]
            for one in loaded[:-LOADED_ANCHORS]:
                self._anchors[one.name] = one.unloaded()

    def prior(self, count: int, folder: Path, evidence: Evidence) -> Anchor:
        """Give at least ``count`` draws from the prior; they are kept in ``folder``."""
        from forecast.fit import load_prior, save_prior  # noqa: PLC0415 - not needed to read a forecast
        from forecast.update import PRIOR, Anchor  # noqa: PLC0415

        with self._lock:
            if self._prior is None or self._prior.blocks.size < count:
                draws = load_prior(self.space, folder)
                if draws is None or draws.size < count:
                    draws = self.sampler(evidence).prior(max(count, PRIOR_DRAWS), PRIOR_SEED)
                    save_prior(self.space, draws, folder)
                kept = draws
                self._prior = Anchor(self.space, PRIOR, lambda: kept)
            return self._prior


@dataclass
class Fitter:
    """Fits and updates one model with one set of settings; ``made`` counts the fits that it made.

    They are kept in ``folder``; those that ``issued`` gives for the model's name are never deleted.
    """

    model: Model
    folder: Path
    issued: Callable[[str], set[str]]
    settings: Settings
    watermark: int
    now: dt.datetime
    accept_bad: bool
    on_stage: Callable[[str], None]
    on_draw: Callable[[int, int], None] | None
    made: int = 0

    def fit(self, evidence: Evidence) -> Fit:
        """Fit, or load the fit if this very one was made before; one that fails its checks is made again, carefully.

        Raises
        ------
        UntrustworthyError
            If that one fails them too; never if bad fits are accepted.

        """
        from forecast.fit import check_fit  # noqa: PLC0415 - slow to import

        found = self._fit(evidence, self.settings)
        if self.accept_bad or not found.diagnostics.complaints(self.settings):
            return found
        return check_fit(self._fit(evidence, self.settings.careful))

    def _fit(self, evidence: Evidence, settings: Settings) -> Fit:
        from forecast.fit import fit_id, fit_model, load_fit, prune_fits, save_fit  # noqa: PLC0415 - slow to import

        model, folder = self.model, self.folder
        name = fit_id(model.space, evidence, settings)
        path = folder / f"{name}.nc"
        if path.exists():
            found = load_fit(path, model.space)
            if found.id != name:
                msg = f"{path}: holds another fit, {found.id}; delete the file and run the command again"
                raise InputError(msg)
            return found
        _require_possible(model, evidence)
        self.on_stage("compiling the model")
        sampler = model.sampler(evidence)
        self.on_stage("sampling" if settings == self.settings else "sampling again, longer")
        found = fit_model(
            model.space, evidence, sampler, settings, watermark=self.watermark, now=self.now, on_draw=self.on_draw
        )
        save_fit(found, folder)
        self.made += 1
        prune_fits(model.space, folder, {*self.issued(model.spec.name), name})
        return found

    def anchor(self, evidence: Evidence) -> Anchor:
        """Fit, and give the anchor that the fit is."""
        name = self.fit(evidence).id
        return next(anchor for anchor in self.model.anchors(self.folder) if anchor.name == name)

    def anchors(self) -> list[Anchor]:
        """Give the fits that may be used."""
        return [one for one in self.model.anchors(self.folder) if self.accept_bad or not one.complaints]

    def posterior(self, anchor: Anchor) -> xr.Dataset:
        """Read the whole posterior of the fit that an anchor is."""
        from forecast.fit import load_posterior  # noqa: PLC0415 - not needed to read a forecast

        return load_posterior(self.folder / f"{anchor.name}.nc")

    def arrays(self, anchor: Anchor, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        """Read some arrays (chains, draws, …) of the fit that an anchor is, which is quicker."""
        from forecast.fit import load_arrays  # noqa: PLC0415 - not needed to read a forecast

        return load_arrays(self.folder / f"{anchor.name}.nc", names)

    def update(self, evidence: Evidence, refit: Policy, *, prior: bool, first: str | None = None) -> Posterior:
        """Bring draws to ``evidence``; the anchor named ``first`` is tried before any other."""
        from forecast.update import reweigh, update  # noqa: PLC0415 - not needed to read a forecast

        model, anchors = self.model, self.anchors()
        found = None
        for anchor in anchors:
            if anchor.name == first and refit != "always":
                found = reweigh(anchor, evidence)
        if found is None or not (found.trust.trusted or self.accept_bad):
            found = update(
                evidence, anchors, (lambda count: model.prior(count, self.folder, evidence)) if prior else None,
                lambda: self.anchor(evidence), refit=refit,
            )  # fmt: skip
        model.used(found.anchor)
        return found


def _require_possible(model: Model, evidence: Evidence) -> None:
    """Make sure before a long compilation that some path explains the evidence: with every rate 1 and any start."""
    import numpy as np  # noqa: PLC0415 - not needed to read a forecast

    from forecast.blocks import Blocks, Draws  # noqa: PLC0415
    from forecast.evaluate import evaluate  # noqa: PLC0415
    from forecast.hmm import chain_of  # noqa: PLC0415
    from forecast.predict import possible  # noqa: PLC0415

    space = model.space
    start = [space.start_weights(stage) > 0 for stage in range(len(space.stages))]
    draws = Draws(
        log_rate=np.zeros((1, len(space.rate_names))),
        log_lambda=np.zeros((1, len(space.emission_names))),
        start=np.concatenate([part / part.sum() for part in start])[None],
    )
    possible(space, evidence, evaluate(Blocks(chain_of(space), draws), evidence.cells))
