"""Shapley values: exact over all sets of players, or by antithetic permutations with their errors."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


SEED = 1
# Shares.

Factors = dict[tuple[int, int], float]  # (player, set): factor of the worth of the set in the share of the player


def exact_shares(count: int) -> Factors:
    """Factors of each player by the exact sum over all sets of the others."""
    factors: Factors = {}
    for chosen in range(1 << count):
        inside = chosen.bit_count()
        for k in range(count):
            if chosen >> k & 1:
                factors[k, chosen] = 1 / (count * math.comb(count - 1, inside - 1))
            else:
                factors[k, chosen] = -1 / (count * math.comb(count - 1, inside))
    return factors


def antithetic_shares(count: int, pairs: int) -> list[Factors]:
    """Let the players come in by each of ``pairs`` random orders and by its reverse."""
    rng = np.random.default_rng(SEED)
    found: list[Factors] = []
    for _ in range(pairs):
        order = rng.permutation(count).tolist()
        factors: Factors = defaultdict(float)
        for line in (order, order[::-1]):
            chosen = 0
            for k in line:
                factors[k, chosen] -= 0.5
                chosen |= 1 << k
                factors[k, chosen] += 0.5
        found.append(dict(factors))
    return found


def average_shares(pairs: Sequence[Factors]) -> Factors:
    """Average the factors of pairs of permutations."""
    factors: Factors = defaultdict(float)
    for pair in pairs:
        for key, part in pair.items():
            factors[key] += part / len(pairs)
    return dict(factors)
