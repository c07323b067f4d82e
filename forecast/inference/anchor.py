"""Anchors: draws with the evidence that they were drawn under."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from forecast.base.lately import Lately
from forecast.engine.blocks import Blocks, Draws
from forecast.engine.propagate import Ahead
from forecast.engine.remembering import Filter
from forecast.quantities.from_draws import ask
from forecast.theory.statespace import chain_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Hashable, Sequence

    from forecast.engine.arrays import Cells, Floats, Ints
    from forecast.engine.filtering import Evaluation
    from forecast.engine.propagate import Horizons
    from forecast.theory.statespace import StateSpace


PRIOR = "prior"
KEPT_AHEAD = 2  # weekdays for which the values of states are kept
HELD = 2  # sets of draws that a process holds for whoever opens the same file next


class Anchor:
    """A set of draws with the evidence that they were drawn under; without ``cells``, the prior.

    Everything else is computed once, at first use; several threads may read.
    """

    def __init__(  # noqa: PLR0913 - what an anchor is
        self, space: StateSpace, name: str, load: Callable[[], Draws], *, cells: Cells | None = None,
        as_of: dt.date | None = None, efficiency: float = 1.0, complaints: Sequence[str] = (),
        identity: Hashable | None = None,
    ) -> None:  # fmt: skip
        """Take the draws that ``load`` gives; their means are worth ``efficiency`` times as many independent ones.

        ``complaints`` say what is wrong with them; the gate stays shut then. Anchors of one ``identity`` have the same
        draws, and share what was found of them.
        """
        self.space = space
        self.name = name
        self.cells = cells
        self.as_of = as_of
        self.efficiency = efficiency
        self.complaints = tuple(complaints)
        self._load = load
        self._identity = identity

    @cached_property
    def _held(self) -> _Held:
        def make() -> _Held:
            return _Held(Blocks(chain_of(self.space), self._load()))

        return make() if self._identity is None else _lately.get(self._identity, make)

    @property
    def blocks(self) -> Blocks:
        """The draws, laid out."""
        return self._held.blocks

    @property
    def loaded(self) -> bool:
        """Whether the draws are in memory."""
        return "_held" in self.__dict__

    def unloaded(self) -> Anchor:
        """Give the same anchor without anything in memory."""
        return self._with(self._load, self._identity)

    def part(self, rows: Ints) -> Anchor:
        """Give some of the draws, which are taken to be no better than the others: their efficiency is the whole's."""
        draws = Draws(*(np.ascontiguousarray(array[rows]) for array in self.blocks.draws))
        return self._with(lambda: draws)

    def _with(self, load: Callable[[], Draws], identity: Hashable | None = None) -> Anchor:
        return Anchor(
            self.space, self.name, load, cells=self.cells, as_of=self.as_of, efficiency=self.efficiency,
            complaints=self.complaints, identity=identity,
        )  # fmt: skip

    def thinned(self, many: int) -> Anchor:
        """Give at least ``many`` of the draws, evenly along the chains; all if that would be more than half of them."""
        rows = thin(self.blocks.size, many)
        return self if rows is None else self.part(rows)

    def evaluate(self, cells: Cells) -> Evaluation:
        """Give what evidence says under every draw; what other evidence begins with too is not filtered again."""
        return self._held.filter.evaluate(cells)

    @cached_property
    def log_likelihood(self) -> Floats:
        """(S,) log-likelihood of the anchor's own evidence; zeros for the prior."""
        if self.cells is None:
            return np.zeros(self.blocks.size)
        return self.evaluate(self.cells).log_likelihood

    def ahead(self, horizons: Horizons) -> Ahead:
        """Give the values of the states at ``horizons``; those asked for last are kept."""
        asked = ask(self.space, self.blocks, horizons)
        return self._held.ahead.get(asked.name, lambda: asked)


class _Held:
    """Draws as they are laid out, with what was found of them under any evidence."""

    def __init__(self, blocks: Blocks) -> None:
        """Begin with nothing found."""
        self.blocks = blocks
        self.filter = Filter(blocks)
        self.ahead = Lately[Ahead](KEPT_AHEAD)


_lately = Lately[_Held](HELD)


def thin(size: int, many: int) -> Ints | None:
    """Choose at least ``many`` of so many draws, evenly; none if that would be more than half of them."""
    return None if size < 2 * many else np.arange(0, size, size // many)
