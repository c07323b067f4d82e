"""The filter of one set of draws, which takes up any evidence where it departs from what was filtered before.

A new row, a supposition or a source left out changes evidence from one step on: what comes before it is filtered once.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import steps_between, used_sets
from forecast.engine.filtering import Evaluation, evaluate

if TYPE_CHECKING:
    from forecast.engine.arrays import Cells
    from forecast.engine.blocks import Blocks


EVERY = 8  # steps after which the states are kept
MOST_BYTES = 24 * 2**20  # what is kept of one set of draws


class Filter:
    """Evaluates evidence under the draws of ``blocks``; several threads may ask.

    Evidence is always taken in parts of `EVERY` steps, so that what was kept changes no bit of an answer.
    """

    def __init__(self, blocks: Blocks) -> None:
        """Filter under these draws."""
        self._blocks = blocks
        self._kept: OrderedDict[bytes, Evaluation] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def evaluate(self, cells: Cells) -> Evaluation:
        """Give what `forecast.engine.filtering.evaluate` gives, to its last digits."""
        parts = [
            used_sets(steps_between(cells, first, min(first + EVERY, cells.years.size)))
            for first in range(0, cells.years.size, EVERY)
        ]
        names, name = list[bytes](), b""
        for part in parts:
            name = _name(name, part)
            names.append(name)
        begin, found = self._longest(names)
        for part, name in zip(parts[begin:], names[begin:], strict=True):
            after = evaluate(self._blocks, part, start=None if found is None else found.states)
            if after.on_log_scale:  # states that are too rare for a float would be lost between two parts
                return evaluate(self._blocks, cells)
            if found is not None:
                after = Evaluation(found.log_likelihood + after.log_likelihood, after.states, None)
            found = after
            self._keep(name, found)
        return found if found is not None else evaluate(self._blocks, cells)

    def _longest(self, names: list[bytes]) -> tuple[int, Evaluation | None]:
        """Give how many parts at the beginning are known already, and what they come to."""
        with self._lock:
            for known in range(len(names), 0, -1):
                found = self._kept.get(names[known - 1])
                if found is not None:
                    self._kept.move_to_end(names[known - 1])
                    return known, found
        return 0, None

    def _keep(self, name: bytes, found: Evaluation) -> None:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = found
                self._bytes += _size(found)
            while self._bytes > MOST_BYTES and len(self._kept) > 1:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(found: Evaluation) -> int:
    return found.states.nbytes + found.log_likelihood.nbytes


def _name(before: bytes, part: Cells) -> bytes:
    """Name evidence by all that it says, given the name of what comes before it."""
    digest = hashlib.sha256(before)
    for array in part:
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
