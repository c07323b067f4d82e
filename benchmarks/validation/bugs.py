"""Bugs, planted in what the engine is given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from forecast.engine.arrays import ASSESSMENT, COVERED, SELECTIVE, cells_at
from forecast.inference.model import Model
from forecast.ledger.rows import Coverage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from forecast.evidence.compilation import Evidence
    from forecast.ledger.rows import Entry

CERTAIN = 0.999  # a credibility as good as one, under which two assessments may still contradict each other


class Credulous(Model):
    """Believes every report: credibility is ignored."""

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile, and forget the credibility."""
        found = super().evidence(entries, as_of)
        cells, kind = found.cells, found.cells.what[:, 1]
        value, observed = cells.value.copy(), cells.observed.copy()
        value[np.isin(kind, [SELECTIVE, ASSESSMENT]), 0] = CERTAIN
        observed[(kind == COVERED) & (observed > 0)] = CERTAIN
        return replace(found, cells=cells._replace(value=value, observed=observed))


class Late(Model):
    """Lets effects act one step late.

    An engine that does sees the downstream stages of step t + 1 where the right one sees those of step t; so what was
    told of them is moved one step back.
    """

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile, and move the cells of all stages but the first."""
        found = super().evidence(entries, as_of)
        cells, what = found.cells, found.cells.what.copy()
        what[what[:, 2] > 0, 0] -= 1
        kept = np.flatnonzero(what[:, 0] >= 0)
        kept = kept[np.argsort(what[kept, 0], kind="stable")]
        moved = cells_at(cells._replace(what=what), kept)
        return replace(found, cells=moved)


class Blind(Model):
    """Ignores coverage: silence says nothing, and what was watched for was merely told."""

    def evidence(self, entries: Sequence[Entry], as_of: dt.date) -> Evidence:
        """Compile without coverage."""
        return super().evidence([row for row in entries if not isinstance(row, Coverage)], as_of)


BUGS = {"credibility is ignored": Credulous, "effects act one step late": Late, "coverage is ignored": Blind}
