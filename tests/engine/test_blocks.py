"""One step of a block of draws, forward and back, against the joint matrix of each draw, with nothing skipped."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forecast.engine.blocks import BLOCK, pull, push


def joint_matrices(sizes: list[int], table: np.ndarray) -> np.ndarray:
    """(BLOCK, K, K) products of the stages' entries; the context of a stage are the new states before it."""
    states = list(itertools.product(*map(range, sizes)))
    found = np.ones((BLOCK, len(states), len(states)))
    for (i, before), (j, after) in itertools.product(enumerate(states), repeat=2):
        offset, context, contexts = 0, 0, 1
        for n, a, b in zip(sizes, before, after, strict=True):
            found[:, i, j] *= table[offset + (context * n + a) * n + b]
            offset += contexts * n * n
            context, contexts = context * n + b, contexts * n
    return found


@given(st.lists(st.integers(2, 4), min_size=1, max_size=3), st.integers(0, 2**32 - 1), st.floats(0.0, 1.0))
@settings(max_examples=60, deadline=None)
def test_steps_are_those_of_the_joint_matrix(sizes: list[int], seed: int, share: float) -> None:
    """Ways that are not there, states that a record rules out, and states that only some draws hold."""
    rng = np.random.default_rng(seed)
    entries = sum(int(np.prod(sizes[: k + 1])) * n for k, n in enumerate(sizes))
    joint = int(np.prod(sizes))
    table = rng.random((entries, BLOCK)) * (rng.random((entries, 1)) < max(share, 0.3))
    vector = rng.random((joint, BLOCK)) * (rng.random((joint, 1)) < share)
    vector[: joint // 2, : BLOCK // 2] *= rng.random() < share
    matrices = joint_matrices(sizes, table)
    for step, by_hand in ((push, "zb,bzy->yb"), (pull, "yb,bzy->zb")):
        there, other = step(np.array(sizes), table, vector.copy(), np.full_like(vector, np.nan))
        assert there is not other
        assert there == pytest.approx(np.einsum(by_hand, vector, matrices), rel=1e-12, abs=1e-15)


def test_what_cannot_be_told_stays_so() -> None:
    """A state of which nothing is known any more, NaN, is not taken for an empty one."""
    sizes, table = np.array([2, 2]), np.full((12, BLOCK), 0.5)
    vector = np.full((4, BLOCK), np.nan)
    assert np.isnan(push(sizes, table, vector, np.zeros_like(vector))[0]).all()
