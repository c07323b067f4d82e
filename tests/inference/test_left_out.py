"""Units left out one at a time: scores equal to brute force, and told where the draws do not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from onsets import drawn, grid_of, integrated, left_out, spec_with
from worlds import anchor_of, values_of

from forecast.evidence.history import compile_history
from forecast.inference.fit_files import Prior, save_prior
from forecast.inference.left_out import foretold_by, left_out_score, left_out_scores, spans_of, unit_log_likelihood
from forecast.inference.model import Model
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from pathlib import Path

WEEKS = {"a": (30, 5, 12, 9, 40), "b": (4, 20, 3, 31), "c": (70, 2, 25)}


@pytest.mark.parametrize("unit", WEEKS)
@pytest.mark.parametrize(("spread", "error"), [(0.1, 1e-6), (0.4, 1e-3), (1.0, 0.02)])
def test_departure_is_integrated(unit: str, spread: float, error: float) -> None:
    """A unit's likelihood under given rates and σ is the integral over its departure, by a fine sum."""
    history = compile_history(StateSpace(spec_with(WEEKS)))
    spans, rates = spans_of(history, history.units.index(f"near.{unit}"))
    assert history.rate_transition[rates].tolist() == [0, 1]
    log_rates, sigma = np.log([[0.7, 3.0], [5.0, 9.0], [2.0, 1.0]]), np.full(3, spread)
    found = unit_log_likelihood(spans, log_rates, sigma)
    assert found == pytest.approx(integrated(WEEKS[unit], *np.exp(log_rates).T, sigma), abs=error)
    assert unit_log_likelihood(spans, log_rates, None) == pytest.approx(
        integrated(WEEKS[unit], *np.exp(log_rates).T, np.full(3, 1e-9)), abs=1e-9
    )


def test_scores_are_those_of_brute_force() -> None:
    """From draws that have read every unit each score is that of the others' posterior, within its own error."""
    spec = spec_with(WEEKS)
    grid = grid_of(spec, WEEKS)
    found = left_out_scores(compile_history(StateSpace(spec)), drawn(grid, spec, 6000, seed=1), 1.0)
    assert list(found) == ["near.a", "near.b", "near.c"]  # and not the own unit, of which nothing is told
    for one, wanted in zip(found.values(), left_out(grid), strict=True):
        assert one.reached
        assert one.mcse < 0.03
        assert one.value == pytest.approx(wanted, abs=4 * one.mcse + 0.005)


def test_many_draws_are_thinned() -> None:
    """Of more than eight thousand draws every second counts, evenly."""
    spec = spec_with(WEEKS)
    history, draws = compile_history(StateSpace(spec)), drawn(grid_of(spec, WEEKS, 11), spec, 10_000, seed=2)
    some = type(draws)(*(part[::2] for part in draws))
    assert left_out_scores(history, draws, 1.0) == left_out_scores(history, some, 1.0)


def test_a_unit_out_of_reach_is_told() -> None:
    """Where a few draws would carry all weight the score says that they do not reach; without weights none is asked."""
    far = np.random.default_rng(3).normal(-10, 6, 2000)
    assert not left_out_score(far, 1.0).reached
    near = np.random.default_rng(3).normal(-10, 0.3, 2000)
    assert left_out_score(near, 1.0).reached
    assert foretold_by(far, 1.0).k_hat is None


def test_a_model_scores_its_kept_draws(tmp_path: Path) -> None:
    """What units have in common is kept with the draws of the prior, and a model scores from there."""
    spec = spec_with(WEEKS)
    model, shared = Model(spec), drawn(grid_of(spec, WEEKS, 11), spec, 500, seed=4)
    draws = anchor_of(model.space, values_of(spec, 8, 1)).blocks.draws
    save_prior(model.space, Prior(draws, 0.5, draws, {"near.calm>tense": 0.5}, shared), tmp_path)
    assert Model(spec).left_out(tmp_path) == left_out_scores(model.history, shared, 0.5)
    assert Model(spec.with_history(())).left_out(tmp_path) == {}
