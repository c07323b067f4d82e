"""A model file's content with its axes, compiled model and anchors.

What it needs of this package is reached through it when it is needed: a model file is read without NumPy or a compiler.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from threading import Lock, RLock
from typing import TYPE_CHECKING

from forecast import evidence, inference, theory
from forecast.base.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pymc as pm
    import xarray as xr
    from numpy.typing import NDArray

    from forecast.evidence.compilation import Evidence
    from forecast.evidence.history import History
    from forecast.inference.anchor import Anchor
    from forecast.inference.fit_files import Prior
    from forecast.inference.left_out import LeftOut
    from forecast.inference.sampler import Sampler
    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec
    from forecast.theory.statespace import StateSpace


PRIOR_DRAWS = 16_000
INFORMED_DRAWS = 8_000  # of prior × history, which are sampled
PRIOR_SEED = 1
ALONE_DRAWS = 4_000  # from the prior without its history
LOADED_ANCHORS = 4  # of each model; an anchor with its values takes some 100 MB


class Model:
    """A model file's content with its axes, compiled model and anchors; computed on demand and kept."""

    def __init__(self, spec: ModelSpec) -> None:
        """Wrap a model file's content."""
        self.spec = spec
        self._sampler: Sampler | None = None
        self._anchors: dict[str, Anchor | None] = {}  # by file name; None for what is no fit of this version
        self._prior: Anchor | None = None
        self._kept: Prior | None = None
        self._lock = RLock()
        self.fitting = Lock()  # held by the thread that makes a fit, so that others find it made

    @cached_property
    def space(self) -> StateSpace:
        """The model's axes."""
        return theory.StateSpace(self.spec)

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile ledger entries for this model as known on ``as_of``."""
        return evidence.compile_evidence(self.space, entries, as_of)

    @cached_property
    def history(self) -> History:
        """The spells of other units, compiled."""
        return evidence.compile_history(self.space)

    def to_pymc(self, evidence: Evidence) -> pm.Model:
        """Give the model with ``evidence`` as a plain `pm.Model`."""
        return inference.build_model(self.space, evidence)

    def sampler(self, evidence: Evidence) -> Sampler:
        """Give the compiled model; it is compiled once and serves every evidence."""
        with self._lock:
            if self._sampler is None:
                self._sampler = inference.compiled(self.space, evidence)
            return self._sampler

    def log_prior(self, posterior: xr.Dataset, evidence: Evidence) -> dict[str, NDArray[np.float64]]:
        """(S,) log prior density of each group of parameters under each draw; any evidence of the model will do."""
        return inference.log_prior(self.to_pymc(evidence), posterior)

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
        try:
            record = inference.load_record(path)
            if (record.model, record.model_hash) != (self.spec.name, self.spec.hash):
                return None
            cells = inference.load_cells(path)
        except InputError:
            return None
        return inference.Anchor(
            self.space,
            record.id,
            lambda: inference.load_fit(path, self.space).draws,
            cells=cells,
            as_of=record.as_of,
            efficiency=record.diagnostics.efficiency,
            complaints=record.diagnostics.complaints(record.settings),
            identity=inference.identity(path),
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
        """Give at least ``count`` draws from the prior, kept in ``folder``; with a history those from prior × history.

        The latter are sampled, and more would take as long as a fit: there are `INFORMED_DRAWS`, whatever ``count``.
        """
        with self._lock:
            kept = self.kept_prior(count, folder, evidence)
            if self._prior is None or self._prior.blocks.size < kept.draws.size:
                draws = kept.draws
                self._prior = inference.Anchor(self.space, inference.PRIOR, lambda: draws, efficiency=kept.efficiency)
            return self._prior

    def kept_prior(self, count: int, folder: Path, evidence: Evidence) -> Prior:
        """Give what `prior` rests on; read from ``folder``, or drawn and kept there."""
        with self._lock:
            count = 1 if self.history.units else count
            if self._kept is None or self._kept.draws.size < count:
                found = inference.load_prior(self.space, folder)
                if found is None or found.draws.size < count:
                    found = self._draw_prior(max(count, PRIOR_DRAWS), evidence)
                    with suppress(InputError):  # where nothing may be written, they are drawn again next time
                        inference.save_prior(self.space, found, folder)
                self._kept = found
            return self._kept

    def prior_alone(self, folder: Path, evidence: Evidence) -> Anchor:
        """Give draws from the prior without its history, to be asked without reports; kept in ``folder``."""
        alone = self.kept_prior(1, folder, evidence).alone
        if alone is None:
            return self.prior(1, folder, evidence)
        return inference.Anchor(self.space, inference.PRIOR, lambda: alone)

    def left_out(self, folder: Path) -> dict[str, LeftOut]:
        """Score the spells of each unit of the history, ``<stage>.<unit>``, by what the other units teach."""
        if not self.history.units:
            return {}
        kept = self.kept_prior(1, folder, self.evidence((), self.spec.model.start))
        assert kept.shared is not None  # noqa: S101 - there is a history
        return inference.left_out_scores(self.history, kept.shared, kept.efficiency)

    def _draw_prior(self, count: int, any_evidence: Evidence) -> Prior:
        """Draw from the prior, directly without a history and else by NUTS."""
        sampler = self.sampler(any_evidence)
        if not self.history.units:
            return inference.Prior(sampler.prior(count, PRIOR_SEED), 1.0, None, {}, None)
        settings = inference.Settings(seed=PRIOR_SEED)
        settings = replace(settings, draws=INFORMED_DRAWS // settings.chains)
        nothing = self.evidence((), self.spec.model.start)
        found = inference.fit_model(
            self.space, nothing, sampler, settings, watermark=0, now=dt.datetime.fromtimestamp(0, dt.UTC)
        )
        alone = sampler.prior(ALONE_DRAWS, PRIOR_SEED)
        narrowing = {row.name: row.narrowing for row in found.learned}
        return inference.Prior(
            found.draws,
            found.diagnostics.efficiency,
            alone,
            narrowing,
            inference.shared_draws(found.chains().posterior),
        )
