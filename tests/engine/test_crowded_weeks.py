"""Weeks with thousands of rows: the likelihood and its gradient stay exact where products of densities underflow."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import logsumexp
from worlds import World, small_world

from forecast.engine.arrays import ASSESSMENT, COVERED, OBSERVABLE, SELECTIVE, Cells, stage_offsets
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.filtering import evaluate
from forecast.engine.gradient import log_likelihood_and_gradient, transition_tables
from forecast.theory.statespace import chain_of

WORLDS = (0, 3, 4, 17)
ROWS = 10_000


_MATRICES: dict[tuple[int, bytes, float], np.ndarray] = {}  # of worlds that `crowded` keeps


def joint_matrix(world: World, log_rate: np.ndarray, years: float) -> np.ndarray:
    """(K, K) transition probabilities of a step: the product of the stages' tables; made once for the same rates."""
    key = (id(world), log_rate.tobytes(), years)
    if key not in _MATRICES:
        _MATRICES[key] = _joint_matrix(world, log_rate, years)
    return _MATRICES[key]


def _joint_matrix(world: World, log_rate: np.ndarray, years: float) -> np.ndarray:
    shape = tuple(world.space.sizes)
    tables = transition_tables(chain_of(world.space), log_rate, years)
    matrix = np.ones((world.space.size, world.space.size))
    for z, old in enumerate(np.ndindex(shape)):
        for y, new in enumerate(np.ndindex(shape)):
            for stage, table in enumerate(tables):
                context = int(np.ravel_multi_index(new[:stage], shape[:stage])) if stage else 0
                matrix[z, y] *= table[context, old[stage], new[stage]]
    return matrix


_KINDS: dict[int, tuple[Cells, tuple[np.ndarray, np.ndarray]]] = {}


def kinds_of(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows that differ, and how often each is there; found once for the same cells."""
    if id(cells) not in _KINDS:
        columns = np.column_stack([cells.what, cells.value, cells.observed])
        _KINDS[id(cells)] = cells, np.unique(columns, axis=0, return_counts=True)
    return _KINDS[id(cells)][1]


def cell_logs(world: World, cells: Cells, log_lambda: np.ndarray) -> np.ndarray:
    """(T, K) sum over each step's cells of their log-likelihood, as docs/method.md gives it."""
    chain = chain_of(world.space)
    shape, first = tuple(world.space.sizes), stage_offsets(chain.sizes)
    rate = np.exp(log_lambda)
    found = np.zeros((cells.years.size, world.space.size))
    rows, count = kinds_of(cells)
    for row, times in zip(rows, count, strict=True):
        step, kind, stage, indicator, group = row[:5].astype(int)
        value, said = row[5:8], row[8]
        n = shape[stage]

        def of(i: int, n: int = n) -> np.ndarray:
            return rate[chain.emission_offset[i] : chain.emission_offset[i] + n]

        if kind == COVERED:
            absent = np.exp(-of(indicator) * value[1])
            likely = absent if said == 0 else said * (1 - absent) + (1 - said) * value[2] * absent
        elif kind == SELECTIVE:
            among = np.flatnonzero(cells.available[group])
            share = of(int(said)) / sum(of(int(i)) for i in among)
            likely = value[0] * share + (1 - value[0]) * cells.false[group, int(said)]
        elif kind == ASSESSMENT:
            states = chain.phase_state[first[stage] : first[stage + 1]]
            likely = np.where(states == int(said), value[0], (1 - value[0]) / states.max())
        else:
            assert kind == OBSERVABLE
            likely = (cells.in_set[first[stage] : first[stage + 1]] == said).astype(float)
        with np.errstate(divide="ignore"):
            logs = np.log(likely)
        for z, states in enumerate(np.ndindex(shape)):
            found[step, z] += times * logs[states[stage]]
    return found


def reference(world: World, cells: Cells, draw: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """Log-likelihood and (T, K) smoothed probabilities: forward and backward sums of logarithms."""
    likely = cell_logs(world, cells, draw[1])
    joint = np.ones(1)
    for part in np.split(draw[2], np.cumsum(world.space.sizes)[:-1]):
        joint = np.outer(joint, part).ravel()
    with np.errstate(divide="ignore"):
        ahead = [np.log(joint)]
        moves = [np.log(joint_matrix(world, draw[0], years)) for years in cells.years]
        for t, move in enumerate(moves):
            ahead.append(logsumexp(ahead[-1][:, None] + move, axis=0) + likely[t])
        behind = [np.zeros(world.space.size)]
        for t in range(len(moves) - 1, 0, -1):
            behind.append(logsumexp(moves[t] + likely[t] + behind[-1], axis=1))
    value = float(logsumexp(ahead[-1]))
    smoothed = np.exp(np.array(ahead[1:]) + np.array(behind[::-1]) - value)
    return value, smoothed


@cache
def crowded(seed: int, *, weeks: int = 2, rows: int = ROWS) -> tuple[World, Cells]:
    """Repeat a world's own rows until ``weeks`` of its weeks have ``rows`` each, drawn from few kinds of row.

    Each week has its own kinds, so that one says the contrary of the other.
    """
    world = small_world(seed)
    cells = world.evidence.cells
    rng = np.random.default_rng(seed)
    loud = np.isin(cells.what[:, 1], (SELECTIVE, ASSESSMENT)) | ((cells.what[:, 1] == COVERED) & (cells.observed > 0))
    kinds = np.flatnonzero(loud)
    assert kinds.size >= weeks
    chosen = rng.permutation(kinds)[: 2 * weeks]
    copies, steps = [np.arange(len(cells.what))], [cells.what[:, 0]]
    for week in range(weeks):
        copies.append(rng.choice(chosen[week::weeks], rows))
        steps.append(np.full(rows, min(week, cells.years.size - 1)))
    which, step = np.concatenate(copies), np.concatenate(steps)
    order = np.argsort(step, kind="stable")
    what = cells.what[which[order]].copy()
    what[:, 0] = step[order]
    return world, cells._replace(what=what, value=cells.value[which[order]], observed=cells.observed[which[order]])


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("rows", [190, ROWS])
def test_crowded_weeks_have_their_likelihood(seed: int, rows: int) -> None:
    """With any number of rows a week, both kernels give the log-likelihood that sums of logarithms give."""
    world, cells = crowded(seed, rows=rows)
    expected = [reference(world, cells, [part[k] for part in world.draws])[0] for k in range(2)]
    assert np.isfinite(expected).all()
    assert max(expected) < -20
    found = evaluate(Blocks(chain_of(world.space), world.draws), cells).log_likelihood
    np.testing.assert_allclose(found[:2], expected, rtol=1e-11)
    for k in range(2):
        value = log_likelihood_and_gradient(chain_of(world.space), cells, *(part[k] for part in world.draws))[0]
        assert value == pytest.approx(expected[k], rel=1e-11)


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("rows", [190, ROWS])
def test_crowded_weeks_have_their_states(seed: int, rows: int) -> None:
    """Filtered and smoothed states of crowded weeks are those that sums of logarithms give."""
    world, cells = crowded(seed, rows=rows)
    draw = [part[0] for part in world.draws]
    _, smoothed = reference(world, cells, draw)
    blocks = Blocks(chain_of(world.space), Draws(*(part[None] for part in draw)))
    found = evaluate(blocks, cells, path="smoothed")
    assert found.path is not None
    np.testing.assert_allclose(found.path[0], smoothed, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.now[0], smoothed[-1], rtol=0, atol=1e-9)
    filtered = evaluate(blocks, cells, path="filtered").path
    assert filtered is not None
    np.testing.assert_allclose(filtered[0, -1], smoothed[-1], rtol=0, atol=1e-9)


@pytest.mark.parametrize("seed", WORLDS)
@pytest.mark.parametrize("rows", [190, ROWS])
def test_crowded_weeks_have_their_gradient(seed: int, rows: int) -> None:
    """The gradient of crowded weeks equals central differences of the sums of logarithms."""
    world, cells = crowded(seed, rows=rows)
    point = [part[0] for part in world.draws]
    gradients = log_likelihood_and_gradient(chain_of(world.space), cells, *point)[1:]
    for which, gradient in enumerate(gradients):
        assert np.isfinite(gradient).all()
        for i in range(gradient.size):
            h, sides = 1e-5, []
            for sign in (1, -1):
                moved = [part.copy() for part in point]
                moved[which][i] += sign * h
                if moved[which][i] < 0 and which == 2:
                    break
                sides.append(reference(world, cells, moved)[0])
            if len(sides) == 2:
                difference = (sides[0] - sides[1]) / (2 * h)
                assert gradient[i] == pytest.approx(difference, rel=1e-5, abs=1e-4), (which, i)


def test_crowded_weeks_contradict_each_other() -> None:
    """The worlds above do need logarithms: their weeks put states further apart than a float can hold."""
    apart = []
    for seed in WORLDS:
        world, cells = crowded(seed)
        likely = cell_logs(world, cells, world.draws.log_lambda[0])
        finite = np.where(np.isfinite(likely), likely, np.nan)
        apart.append(np.nanmax(finite, axis=1).max() - np.nanmin(finite))
    assert min(apart) > 1000


def test_a_record_still_contradicts_in_a_crowded_week() -> None:
    """Rows by the thousand do not make possible what a record excludes in every state."""
    world, cells = next(found for found in map(crowded, WORLDS) if (found[1].what[:, 1] == OBSERVABLE).any())
    draw = [part[0].copy() for part in world.draws]
    stage = cells.what[cells.what[:, 1] == OBSERVABLE][0, 2]
    both = np.array([[0, OBSERVABLE, stage, -1, -1]] * 2)
    cells = cells._replace(
        what=np.vstack([both, cells.what]),
        value=np.vstack([np.zeros((2, 3)), cells.value]),
        observed=np.concatenate([[0.0, 1.0], cells.observed]),
    )
    value, *gradients = log_likelihood_and_gradient(chain_of(world.space), cells, *draw)
    assert value == -np.inf
    assert not any(part.any() for part in gradients)
    found = evaluate(Blocks(chain_of(world.space), world.draws), cells, path="smoothed")
    assert (found.log_likelihood == -np.inf).all()
    assert found.path is not None
    assert np.isnan(found.path).all()
