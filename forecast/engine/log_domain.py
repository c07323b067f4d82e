"""The filter and its gradient on the log scale, for evidence that puts states further apart than a float can hold.

Ten thousand rows of one week make some states exp(−5,000) as likely as others, and the week after may say the contrary.
Here nothing is rounded to zero on the way, at many times the cost; `forecast.engine.gradient` and
`forecast.engine.filtering` come here where their own pass gets `THIN`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from forecast.engine.arrays import Floats, Ints


# A step takes at most exp(−APART) and a few unlogged cells off a probability of THIN or more: it stays a normal number.
THIN = 1e-130  # filtered probabilities above it can go through another step
APART = 250.0  # nats between states of one step


@kernel
def log_sum(values: Floats) -> float:
    """Sum numbers given by their logarithms, which may be −inf; gives the logarithm."""
    top = values.max()
    if not top > -np.inf:
        return -np.inf
    total = 0.0
    for value in values:
        total += np.exp(value - top)
    return top + np.log(total)


@kernel
def log_ahead(matrices: Floats, which: Ints, likely: Floats, start: Floats) -> Floats:
    """(T, K) log P(evidence up to a step, state at its end).

    ``matrices`` (runs, K, K) are log-probabilities of moves, of which step t has number ``which[t]``; ``likely`` (T, K)
    is the log-likelihood of its evidence and ``start`` (K,) the log of the start.
    """
    found = np.empty(likely.shape)
    before = start
    for t in range(likely.shape[0]):
        matrix = matrices[which[t]]
        for y in range(start.size):
            found[t, y] = likely[t, y]
            if likely[t, y] > -np.inf:
                found[t, y] += log_sum(before + matrix[:, y])
        before = found[t]
    return found


@kernel
def log_behind(matrices: Floats, which: Ints, likely: Floats) -> Floats:
    """(T + 1, K) log P(evidence from a step on | state before it); zeros behind the last step."""
    steps, joint = likely.shape
    found = np.zeros((steps + 1, joint))
    for t in range(steps - 1, -1, -1):
        after = likely[t] + found[t + 1]
        for z in range(joint):
            found[t, z] = log_sum(matrices[which[t], z] + after)
    return found
