"""The next week's count of each channel: how it will come out, and what each count would say of an outcome."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast.base.clock import DAYS_PER_YEAR
from forecast.engine.arrays import without_cells
from forecast.engine.filtering import evaluate
from forecast.engine.predictive import count_densities, count_grid
from forecast.evidence.counts import middle_day
from forecast.evidence.grid import Grid
from forecast.evidence.hypothetical import coming_weeks

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from forecast.engine.arrays import Floats
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Count, Entry


TAIL = 1e-6  # of the probability: counts beyond are left out
CLOSE = 1e-3  # what is left when a run of bins that holds nothing is the end: sums over bins are not exact
LOW, HIGH = 0.05, 0.95


@dataclass(frozen=True, kw_only=True)
class Expected:
    """How a count will come out: ``mean``, quantiles at 5, 50 and 95 %, and the probability of ``any`` at all."""

    mean: float
    low: int
    median: int
    high: int
    any: float


@dataclass(frozen=True, kw_only=True)
class ChannelAhead:
    """The next week of a channel, ``first`` to ``last``: what will be counted in a usual ``exposure``."""

    channel: str
    label: str
    first: dt.date
    last: dt.date
    exposure: float
    expected: Expected

    def plain(self) -> dict[str, Any]:
        """Give plain JSON types."""
        days = {"first": self.first.isoformat(), "last": self.last.isoformat()}
        return {"label": self.label, **days, "exposure": self.exposure, **asdict(self.expected)}


class ComingCount:
    """The next week's count of a channel under S draws, before anybody has counted.

    ``until`` is the end of the step to which the count will belong; ``joint`` (S, K) are the probabilities of the joint
    states then. States in which a draw lets one expect as many are one of G groups, and ``share`` (S, G) is theirs.
    """

    def __init__(self, found: Posterior, row: Count, until: dt.date, joint: Floats) -> None:
        """Look at the channel and week of ``row``, and its volume."""
        space = found.space
        channel = space.channels.index(row.channel)
        of_channel = slice(*space.emission_offset[len(space.indicators) + channel :][:2])
        logs = found.anchor.blocks.draws.log_lambda[:, of_channel]
        alike = [
            next(j for j in range(k + 1) if np.array_equal(logs[:, j], logs[:, k])) for k in range(logs.shape[1] - 1)
        ]
        kept, group = np.unique(alike, return_inverse=True)
        self.row, self.until, self.joint = row, until, joint
        self.weights = found.weights.values
        self.stage = int(space.channel_stage[channel])
        self._sizes = tuple(space.sizes)
        self._group = np.eye(kept.size)[group]  # (phases of the stage, G)
        self._mean, self._dispersion = row.exposure * np.exp(logs[:, kept]), np.exp(logs[:, -1])
        self.share = self.grouped(joint)

    def grouped(self, values: Floats) -> Floats:
        """(S, G) sums of ``values`` (S, K) over the joint states of each group."""
        others = tuple(1 + stage for stage in range(len(self._sizes)) if stage != self.stage)
        by_phase = values.reshape(-1, *self._sizes).sum(axis=others)
        return by_phase @ self._group

    def densities(self, counts: Floats, *shares: Floats) -> tuple[Floats, Floats]:
        """(S, G, N) probability of each of the ``counts`` in each group, and (1 + W, N) their means over draws.

        The first mean is that under the groups' own ``share``, the others under ``shares`` (S, G).
        """
        weights = self.weights[None, :, None] * np.stack([self.share, *shares])
        return count_densities(counts, self._mean, self._dispersion, weights)

    def bins(self, *shares: Floats) -> Iterator[tuple[Floats, Floats, Floats, Floats]]:
        """Give counts bin by bin: the first of each (N,), how many it holds, and what `densities` gives for the bin.

        A bin's densities are those of its middle, times its width. The bins end where what is left is below `TAIL`.
        """
        told = 0.0
        for first, width in count_grid():
            densities, means = self.densities(first + (width - 1.0) / 2.0, *shares)
            yield first, width, densities * width, means * width
            here = float((means[0] * width).sum())
            told += here
            if told > 1.0 - TAIL or (told > 1.0 - CLOSE and here < TAIL / 10):
                return

    def expected(self, bins: Sequence[tuple[Floats, Floats, Floats]]) -> Expected:
        """Say how it will come out, given first counts, widths and chances of all bins."""
        first, width, chance = (np.concatenate(parts) for parts in zip(*bins, strict=True))
        return Expected(
            mean=float(self.weights @ (self.share * self._mean).sum(axis=1)),
            low=quantile(first, width, chance, LOW),
            median=quantile(first, width, chance, 0.5),
            high=quantile(first, width, chance, HIGH),
            any=1.0 - float(chance[0]),
        )


def quantile(first: Floats, width: Floats, chance: Floats, level: float) -> int:
    """Give the least count that is not exceeded with probability ``level``; within a bin all are taken as alike."""
    total = np.cumsum(chance)
    k = min(int(np.searchsorted(total, level)), first.size - 1)
    before = total[k] - chance[k]
    part = (level - before) / chance[k] if chance[k] > 0.0 else 0.0
    return int(first[k] + np.clip(np.ceil(part * width[k]) - 1.0, 0.0, width[k] - 1.0))


def coming_counts(found: Posterior, entries: Sequence[Entry]) -> list[ComingCount]:
    """Look at the next week of each channel that was counted."""
    space, as_of = found.space, found.evidence.as_of
    at: dict[dt.date, tuple[dt.date, Floats]] = {}
    coming: list[ComingCount] = []
    for row in coming_weeks(space, entries, as_of):
        if row.from_ not in at:
            grid = Grid(space, as_of, row.to)
            last = grid.step(middle_day(space, row))
            until = space.spec.model.start + dt.timedelta(days=int(grid.ends[last]) - 1)
            years = grid.days[grid.known : last + 1] / DAYS_PER_YEAR
            ahead = without_cells(found.evidence.cells)._replace(years=years)
            states = evaluate(found.anchor.blocks, ahead, start=found.evaluation.states).now
            at[row.from_] = until, np.nan_to_num(states)
        coming.append(ComingCount(found, row, *at[row.from_]))
    return coming


def channels_ahead(found: Posterior, entries: Sequence[Entry]) -> tuple[ChannelAhead, ...]:
    """Say what will be counted in the next week of each channel that was counted before."""
    return tuple(
        ChannelAhead(
            channel=one.row.channel,
            label=found.space.spec.channels[one.row.channel].label,
            first=one.row.from_,
            last=one.row.to,
            exposure=one.row.exposure,
            expected=one.expected([(first, width, means[0]) for first, width, _, means in one.bins()]),
        )
        for one in coming_counts(found, entries)
    )
