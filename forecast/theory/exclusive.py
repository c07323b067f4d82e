"""Outcomes of which exactly one holds, found from report data: their probabilities add up to one."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


_States = frozenset[tuple[str, ...]]  # joint states, each with the state of every stage


def exclusive_sets(model: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Find sets of outcomes of which exactly one holds in every joint state; no outcome is in two of them.

    ``model`` is that of report data. A forecast that was issued before the states of outcomes were archived has none.
    """
    if not all("states" in row for row in model["outcomes"].values()):
        return []
    stages = {name: tuple(row["states"]) for name, row in model["stages"].items()}
    every = frozenset(product(*stages.values()))
    left: dict[str, _States] = {}
    for name, row in model["outcomes"].items():
        states = frozenset(product(*(row["states"].get(stage, names) for stage, names in stages.items())))
        if states != every:
            left[name] = states
    found: list[tuple[str, ...]] = []
    while cover := _exact_cover(every, left):
        found.append(tuple(name for name in left if name in cover))
        left = {name: states for name, states in left.items() if name not in cover}
    return found


def _exact_cover(missing: _States, sets: Mapping[str, _States]) -> set[str] | None:
    """Name disjoint sets that together make up ``missing``, the first there are; None if there are none."""
    if not missing:
        return set()
    state = min(missing)
    for name, states in sets.items():
        if state in states and states <= missing:
            rest = _exact_cover(missing - states, sets)
            if rest is not None:
                return {name, *rest}
    return None
