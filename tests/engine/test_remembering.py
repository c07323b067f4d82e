"""Evidence in parts: what was filtered before is taken up where new evidence departs from it, and changes no bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from forecast.engine import remembering
from forecast.engine.arrays import cells_at
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.filtering import Evaluation, evaluate
from forecast.engine.remembering import EVERY, Filter
from forecast.theory.statespace import StateSpace, chain_of

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells
    from forecast.evidence.compilation import Evidence


@pytest.fixture
def blocks(reference: StateSpace, reference_prior: Draws) -> Blocks:
    """Lay draws of the article's model out."""
    return Blocks(chain_of(reference), reference_prior)


@pytest.fixture
def cells(reference_evidence: Evidence) -> Cells:
    """Give the article's evidence, of more than a year."""
    return reference_evidence.cells


def some(cells: Cells, rng: np.random.Generator) -> Cells:
    """Leave some cells out from a random step on, and end at a random step."""
    steps = int(rng.integers(1, cells.years.size + 1))
    before = cells.what[:, 0] < rng.integers(steps)
    kept = (cells.what[:, 0] < steps) & (before | (rng.random(len(cells.what)) < 0.7))
    return cells_at(cells, kept)._replace(years=cells.years[:steps])


def same(one: Evaluation, other: Evaluation) -> bool:
    """Whether two evaluations are the same to the last bit."""
    return np.array_equal(one.log_likelihood, other.log_likelihood) and np.array_equal(one.states, other.states)


@pytest.fixture
def filtered(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the steps of every call of the filter."""
    steps: list[int] = []

    def counting(blocks: Blocks, cells: Cells, *, start: np.ndarray | None = None) -> Evaluation:
        steps.append(cells.years.size)
        return evaluate(blocks, cells, start=start)

    monkeypatch.setattr(remembering, "evaluate", counting)
    return steps


def test_parts_say_what_the_whole_says(blocks: Blocks, cells: Cells, rng: np.random.Generator) -> None:
    """Any evidence has the likelihood and states that one pass gives it, and the same bits from an empty memory."""
    warm = Filter(blocks)
    for _ in range(60):
        here = some(cells, rng)
        found, whole = warm.evaluate(here), evaluate(blocks, here)
        np.testing.assert_allclose(found.log_likelihood, whole.log_likelihood, rtol=1e-12, atol=1e-11)
        np.testing.assert_allclose(found.now, whole.now, rtol=1e-10, atol=1e-14)
        assert same(found, Filter(blocks).evaluate(here))


def test_only_what_departs_is_filtered_again(blocks: Blocks, cells: Cells, filtered: list[int]) -> None:
    """A change of one cell costs the parts from there on; the same evidence costs nothing."""
    asked = Filter(blocks)
    asked.evaluate(cells)
    assert sum(filtered) == cells.years.size
    filtered.clear()
    asked.evaluate(cells)
    assert filtered == []
    for lost in range(0, len(cells.what), 5):
        filtered.clear()
        asked.evaluate(cells_at(cells, np.arange(len(cells.what)) != lost))
        assert sum(filtered) <= cells.years.size - int(cells.what[lost, 0]) // EVERY * EVERY
    assert min(filtered) < EVERY or cells.years.size % EVERY == 0


def test_other_availability_is_other_evidence(blocks: Blocks, cells: Cells) -> None:
    """The same rows told among other possible ones are not taken for the same; sets that no cell names are nothing."""
    asked = Filter(blocks)
    before = asked.evaluate(cells)
    fewer = cells.available.copy()
    fewer[:, ::2] = 0
    said = np.unique(cells.what[cells.what[:, 1] == 1][:, [4, 3]], axis=0)
    fewer[said[:, 0], said[:, 1]] = 1
    other = asked.evaluate(cells._replace(available=fewer))
    assert not np.allclose(before.log_likelihood, other.log_likelihood)
    assert same(other, Filter(blocks).evaluate(cells._replace(available=fewer)))
    more = cells._replace(
        available=np.concatenate([cells.available, cells.available[:1]]),
        false=np.concatenate([cells.false, cells.false[:1]]),
    )
    assert same(before, asked.evaluate(more))


def test_states_that_no_float_holds_go_through_in_one_pass(blocks: Blocks, cells: Cells) -> None:
    """Where thousands of rows of a week are contradicted weeks later, no part begins with states lost to rounding."""
    told = np.flatnonzero(cells.what[:, 1] == 1)
    crowd = np.concatenate([np.arange(len(cells.what)), np.repeat(told, 300)])
    crowded = cells_at(cells, crowd[np.argsort(cells.what[crowd, 0], kind="stable")])
    whole = evaluate(blocks, crowded)
    assert whole.on_log_scale
    assert not evaluate(blocks, cells).on_log_scale
    assert same(Filter(blocks).evaluate(crowded), whole)


def test_memory_is_bounded(
    blocks: Blocks, cells: Cells, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked for longest ago goes when there is too much; answers stay what they are."""
    one = evaluate(blocks, cells)
    monkeypatch.setattr(remembering, "MOST_BYTES", 3 * (one.states.nbytes + one.log_likelihood.nbytes))
    asked = Filter(blocks)
    for _ in range(10):
        here = some(cells, rng)
        assert same(asked.evaluate(here), Filter(blocks).evaluate(here))
        assert len(asked._kept) <= 3


def test_impossible_evidence_stays_impossible(blocks: Blocks, cells: Cells, reference: StateSpace) -> None:
    """Evidence that no path can give has no likelihood in any later part either."""
    stage = next(i for i, name in enumerate(reference.spec.stages) if reference.spec.stages[name].observable)
    lines = np.array([[3, 3, stage, -1, -1], [3, 3, stage, -1, -1]])
    what = np.concatenate([cells.what, lines])
    order = np.argsort(what[:, 0], kind="stable")
    both = cells._replace(
        what=what[order],
        value=np.concatenate([cells.value, np.ones((2, 3))])[order],
        observed=np.concatenate([cells.observed, [0.0, 1.0]])[order],
    )
    found = Filter(blocks).evaluate(both)
    assert (found.log_likelihood == -np.inf).all()
    assert np.isnan(found.now).all()
