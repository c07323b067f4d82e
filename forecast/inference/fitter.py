"""One model fitted and updated with one set of settings; its fits are kept and used again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from forecast import engine, quantities, theory
from forecast.base.errors import InputError
from forecast.inference.fit import fit_id, fit_model
from forecast.inference.fit_files import load_arrays, load_chains, load_fit, prune_fits, save_fit
from forecast.inference.reweighting import reweigh, update
from forecast.inference.settings import check_fit

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    import xarray as xr
    from numpy.typing import NDArray

    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.fit import Fit
    from forecast.inference.model import Model
    from forecast.inference.reweighting import Posterior
    from forecast.inference.settings import Sampling, Settings
    from forecast.quantities.estimate import Policy, Trust


@dataclass
class Fitter:
    """Fits and updates one model with one way of sampling; ``made`` counts the fits that it made.

    They are kept in ``folder``; those that ``issued`` gives for the model's name are never deleted.
    """

    model: Model
    folder: Path
    issued: Callable[[str], set[str]]
    sampling: Sampling
    watermark: int
    now: dt.datetime
    made: int = 0

    def fit(self, evidence: Evidence) -> Fit:
        """Fit, or load the fit if this very one was made before; one that fails its checks is made again, carefully.

        Raises
        ------
        UntrustworthyError
            If that one fails them too; never if bad fits are accepted.

        """
        found = self._fit(evidence, self.sampling.settings)
        if self.sampling.accept_bad or not found.diagnostics.complaints(self.sampling.settings):
            return found
        return check_fit(self._fit(evidence, self.sampling.settings.careful))

    def _fit(self, evidence: Evidence, settings: Settings) -> Fit:
        name = fit_id(self.model.space, evidence, settings)
        with self.model.fitting:
            return self._made(name) or self._make(name, evidence, settings)

    def _made(self, name: str) -> Fit | None:
        """Load a fit if it was made before, here or by another process."""
        path = self.folder / f"{name}.nc"
        if not path.exists():
            return None
        found = load_fit(path, self.model.space)
        if found.id != name:
            msg = f"{path}: holds another fit, {found.id}; delete the file and run the command again"
            raise InputError(msg)
        return found

    def _make(self, name: str, evidence: Evidence, settings: Settings) -> Fit:
        model, folder = self.model, self.folder
        _require_possible(model, evidence)  # before anything that takes long
        self.sampling.on_stage("compiling the model")
        sampler = model.sampler(evidence)
        self.sampling.on_stage("sampling" if settings == self.sampling.settings else "sampling again, longer")
        found = fit_model(
            model.space,
            evidence,
            sampler,
            settings,
            watermark=self.watermark,
            now=self.now,
            on_draw=self.sampling.on_draw,
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
        return [one for one in self.model.anchors(self.folder) if self.sampling.accept_bad or not one.complaints]

    def posterior(self, anchor: Anchor) -> xr.Dataset:
        """Read the whole posterior of the fit that an anchor is."""
        return load_chains(self.folder / f"{anchor.name}.nc").posterior

    def arrays(self, anchor: Anchor, names: tuple[str, ...]) -> dict[str, NDArray[np.float64]]:
        """Read some arrays (chains, draws, …) of the fit that an anchor is, which is quicker."""
        return load_arrays(self.folder / f"{anchor.name}.nc", names)

    def update(
        self, evidence: Evidence, refit: Policy, *, prior: bool, first: str | None = None,
        trust: Callable[[Posterior], Trust] | None = None,
    ) -> Posterior:  # fmt: skip
        """Bring draws to ``evidence``; the anchor named ``first`` is tried before any other; see `update`."""
        model, anchors = self.model, self.anchors()
        found = None
        for anchor in anchors:
            if anchor.name == first and refit != "always":
                found = reweigh(anchor, evidence)
        if found is None or not (found.trust.trusted or self.sampling.accept_bad):
            found = update(
                evidence, anchors, (lambda count: model.prior(count, self.folder, evidence)) if prior else None,
                lambda: self.anchor(evidence), refit=refit, trust=trust,
            )  # fmt: skip
        model.used(found.anchor)
        return found


def _require_possible(model: Model, evidence: Evidence) -> None:
    """Make sure before sampling that some path explains the evidence: with every rate 1 and any start."""
    space = model.space
    start = [space.start_weights(stage) > 0 for stage in range(len(space.stages))]
    draws = engine.Draws(
        log_rate=np.zeros((1, len(space.rate_names))),
        log_lambda=np.zeros((1, len(space.emission_names))),
        start=np.concatenate([part / part.sum() for part in start])[None],
    )
    quantities.possible(space, evidence, engine.evaluate(engine.Blocks(theory.chain_of(space), draws), evidence.cells))
