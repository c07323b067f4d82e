"""The past once more: week by week, what was known at its end, and what models made of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecast.compare import Week
from forecast.evidence import step_days

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from forecast.evidence import Evidence
    from forecast.fitter import Fitter
    from forecast.ledger import Entry
    from forecast.result import Policy
    from forecast.update import Posterior

__all__ = ["Replay"]


@dataclass(frozen=True)
class Replay:
    """Comparable models by name, each with its ``fitters``, and what was ``known`` on a day, up to the ``last``."""

    fitters: Mapping[str, Fitter]
    known: Callable[[dt.date], Sequence[Entry]]
    last: dt.date
    on_stage: Callable[[str], None]

    @property
    def frozen(self) -> dt.date:
        """The day from which on no model was changed."""
        return max(row.frozen for one in self.fitters.values() for row in one.model.spec.outcomes.values())

    @property
    def fits(self) -> int:
        """How many fits were made."""
        return sum(one.made for one in self.fitters.values())

    def weeks(self, refit: Policy) -> Iterator[tuple[dict[str, Evidence], Callable[[], dict[str, Posterior]]]]:
        """Go through the weeks: each model's evidence at the end of the week, and what brings the models to it."""
        space = next(iter(self.fitters.values())).model.space
        days = step_days(space, self.last).cumsum().tolist()
        for k, day in enumerate(days):
            self.on_stage(f"week {k + 1} of {len(days)}")
            date = space.spec.model.start + dt.timedelta(days=day - 1)
            entries = self.known(date)
            evidences = {name: one.model.evidence(entries, date) for name, one in self.fitters.items()}

            def update(evidences: Mapping[str, Evidence] = evidences) -> dict[str, Posterior]:
                return {name: one.update(evidences[name], refit, prior=True) for name, one in self.fitters.items()}

            yield evidences, update

    def week(self, before: Evidence, after: Evidence, scores: Mapping[str, tuple[float, float]]) -> Week:
        """Put the scores of one week, and their errors, together."""
        new = len(after.cells.what) - len(before.cells.what)
        return Week(after.as_of, new, *({name: pair[i] for name, pair in scores.items()} for i in (0, 1)))
