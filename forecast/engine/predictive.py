"""How a count will come out: its probabilities under many draws, on a grid of counts that thins out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import counted, log_gamma
from forecast.engine.blocks import BLOCK, in_threads
from forecast.engine.jit import kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from forecast.engine.arrays import Floats


FINE = 32  # counts up to twice as many stand for themselves, higher ones for a share of 1 / FINE of their own size
MOST_COUNTED = 1e12  # prior draws go far beyond what can be counted


def count_grid() -> Iterator[tuple[Floats, Floats]]:
    """Give bins of counts in ascending order, `FINE` at a time: the first count of each (N,), and how many it holds."""
    edge = 0
    while edge < MOST_COUNTED:
        first, width = np.empty(FINE), np.empty(FINE)
        for k in range(FINE):
            first[k], width[k] = edge, max(1, edge // FINE)
            edge += int(width[k])
        yield first, width


def count_densities(counts: Floats, mean: Floats, dispersion: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Negative binomial probabilities of ``counts`` (N,) about ``mean`` (S, G), with ``dispersion`` (S,).

    Returns
    -------
    (S, G, N) the probabilities, and their sums (W, N) under ``weights`` (W, S, G).

    """
    size, count = len(mean), -(-len(mean) // BLOCK)
    found = np.empty((*mean.shape, counts.size))
    sums = np.zeros((count, len(weights), counts.size))

    def work(first: int, last: int) -> None:
        for block in range(first, last):
            here = slice(block * BLOCK, min((block + 1) * BLOCK, size))
            _fill_densities(counts, mean[here], dispersion[here], weights[:, here], found[here], sums[block])

    in_threads(count, work)
    return found, sums.sum(axis=0)


@kernel
def _fill_densities(
    counts: Floats, mean: Floats, dispersion: Floats, weights: Floats, found: Floats, sums: Floats
) -> None:
    log_factorial, common = np.empty(counts.size), np.empty(counts.size)
    for n in range(counts.size):
        log_factorial[n] = log_gamma(counts[n] + 1.0)
    for s in range(mean.shape[0]):
        phi = dispersion[s]
        behind = log_gamma(phi)
        for n in range(counts.size):
            common[n] = log_gamma(counts[n] + phi) - behind - log_factorial[n]
        for g in range(mean.shape[1]):
            ratio = mean[s, g] / phi
            for n in range(counts.size):
                found[s, g, n] = np.exp(common[n] + counted(counts[n], ratio, phi))
            for w in range(weights.shape[0]):
                for n in range(counts.size):
                    sums[w, n] += weights[w, s, g] * found[s, g, n]
