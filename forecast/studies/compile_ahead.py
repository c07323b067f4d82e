"""Compile the kernels ahead, by a question to the small model: ``python -m forecast.studies.compile_ahead``.

They are kept on disk. Compiled here while the first run on a machine compiles its density, they are ready when it
wants them.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np

from forecast.answers.rule_probability import rule_probabilities
from forecast.engine.blocks import BLOCK, Draws
from forecast.engine.emissions import cell_densities_of_draws
from forecast.engine.filtering import on_log_scale
from forecast.engine.history_draws import history_log_likelihoods
from forecast.engine.many import likelihoods, unseen
from forecast.engine.onward import Onward
from forecast.engine.summaries import difference_errors
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.likelihood_ops import KERNELS, address_of
from forecast.inference.model import Model
from forecast.inference.reweighting import reweigh
from forecast.quantities.from_draws import ask, horizons_of
from forecast.studies.calibrate import study_spec

if TYPE_CHECKING:
    from forecast.theory.statespace import StateSpace


COUNT = 200  # draws
DAYS = 60


def main() -> None:
    """Ask for everything that draws are asked for."""
    model = Model(study_spec())
    space, spans = model.space, model.history.spans
    for name in KERNELS:  # first, as the first run begins with the filter and wants these next
        address_of(name)
    history_log_likelihoods(spans, np.zeros((COUNT, len(spans.rate_table))))
    draws = any_draws(space)
    anchor = Anchor(space, PRIOR, lambda: draws)
    found = reweigh(anchor, model.evidence((), model.spec.model.start + dt.timedelta(days=DAYS)))
    assert found.quantities  # noqa: S101 - read for what it compiles
    difference_errors(*found.answers[1:], found.weights.values, *found.answers[1:], found.weights.values)
    horizons = horizons_of(space, found.evidence.as_of)
    blocks, cells, start = anchor.blocks, found.evidence.cells, anchor.blocks.start
    ask(space, blocks, horizons, Onward).read(found.evaluation.states)
    assert rule_probabilities(found, (), seed=0)  # noqa: S101
    likelihoods(blocks, cells, cells.observed[None], start)
    unseen(blocks, cells, np.array([[-1]]), start, start, np.ones(COUNT))
    cell_densities_of_draws(blocks.chain, cells, np.exp(draws.log_lambda))
    smooth = False
    on_log_scale(  # of no draw
        blocks.chain, cells, blocks.rate, blocks.emission, start, np.ones(start.shape[1]),
        0, 1, smooth, np.zeros((1, BLOCK), np.bool_), np.zeros((1, BLOCK)), start.copy(), np.empty((0, 0, 0)),
    )  # fmt: skip


def any_draws(space: StateSpace) -> Draws:
    """Give draws of a model that are of no distribution in particular."""
    rng = np.random.default_rng(0)
    starts = [rng.dirichlet(np.ones(size), COUNT) for size in space.sizes]
    return Draws(
        rng.normal(0.0, 1.0, (COUNT, len(space.rate_names))),
        rng.normal(0.0, 1.0, (COUNT, len(space.emission_names))),
        np.concatenate(starts, axis=1),
    )


if __name__ == "__main__":
    main()
