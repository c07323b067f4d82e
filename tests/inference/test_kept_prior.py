"""Draws of the prior are kept with what is told about the history's share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from spells import spell, toy_spec
from worlds import anchor_of, values_of

from forecast.inference.fit_files import Prior, load_prior, read_whole, save_prior
from forecast.inference.left_out import SharedDraws
from forecast.inference.model import Model

if TYPE_CHECKING:
    from pathlib import Path

    from forecast.engine.blocks import Draws

SPEC = toy_spec(spell("calm", "2020-01-01", "2021-01-01"), spell("tense", "2021-01-01", "2022-01-01"))


@pytest.fixture
def model() -> Model:
    """Give the toy with a history; nothing is compiled or sampled."""
    return Model(SPEC)


def draws_of_toy(model: Model, size: int, seed: int) -> Draws:
    """Draw from the prior without the compiled model."""
    return anchor_of(model.space, values_of(model.spec, size, seed)).blocks.draws


def test_kept_draws_come_back(model: Model, tmp_path: Path) -> None:
    """Draws, their worth, those without the history, what it narrowed and what units share are read as written."""
    shared = SharedDraws(np.ones((8, 6)), np.zeros((8, 1)), np.full((8, 1), 0.3))
    kept = Prior(draws_of_toy(model, 8, 1), 0.5, draws_of_toy(model, 6, 2), {"mood.calm>tense": 0.6}, shared)
    read_whole(save_prior(model.space, kept, tmp_path))
    found = load_prior(model.space, tmp_path)
    assert found is not None
    assert (found.efficiency, found.narrowing) == (0.5, {"mood.calm>tense": 0.6})
    for wanted, part in zip(kept.draws, found.draws, strict=True):
        np.testing.assert_array_equal(wanted, part)
    assert found.shared is not None
    for wanted, part in zip(shared, found.shared, strict=True):
        np.testing.assert_array_equal(wanted, part)
    assert kept.alone is not None
    assert found.alone is not None
    np.testing.assert_array_equal(kept.alone.log_rate, found.alone.log_rate)
    np.testing.assert_array_equal(kept.alone.start, found.alone.start)
    evidence = model.evidence((), model.spec.model.start)
    assert model.prior(8, tmp_path, evidence).blocks.size == 8
    alone = model.prior_alone(tmp_path, evidence)
    assert (alone.blocks.size, alone.efficiency) == (6, 1.0)


def test_without_a_history_the_prior_is_the_one_alone(model: Model, tmp_path: Path) -> None:
    """There is one set of draws then, and nothing that a history narrowed."""
    save_prior(model.space, Prior(draws_of_toy(model, 8, 1), 1.0, None, {}, None), tmp_path)
    evidence = model.evidence((), model.spec.model.start)
    assert model.kept_prior(8, tmp_path, evidence).narrowing == {}
    assert model.prior_alone(tmp_path, evidence) is model.prior(1, tmp_path, evidence)
