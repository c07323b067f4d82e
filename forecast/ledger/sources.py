"""Sources: what each has told, how well it is graded, and how much of it a machine coded."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Observation

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from forecast.ledger.rows import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """What some observations come to.

    They are ``rows`` in number and tell of so many ``stories``, as rules count them. ``grades`` are those that were
    given, the most credible first; ``first`` and ``newest`` are days on which something happened, None without a row.
    ``languages`` are in the order of the alphabet, and ``machine_coded`` rows name a program or model as their coder.
    """

    rows: int
    stories: int
    grades: tuple[str, ...]
    first: dt.date | None
    newest: dt.date | None
    languages: tuple[str, ...]
    machine_coded: int

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        days = {"first": self.first, "newest": self.newest}
        return {
            "rows": self.rows,
            "stories": self.stories,
            "grades": list(self.grades),
            **{name: day.isoformat() if day else None for name, day in days.items()},
            "languages": list(self.languages),
            "machine_coded": self.machine_coded,
        }


def tally(rows: Sequence[Observation]) -> Tally:
    """Sum observations up."""
    dates = [row.date for row in rows]
    return Tally(
        rows=len(rows),
        stories=len({row.id if row.distinct else row.story_key for row in rows}),
        grades=tuple(sorted({row.grade for row in rows}, key=lambda grade: (-credibility(grade), grade))),
        first=min(dates, default=None),
        newest=max(dates, default=None),
        languages=tuple(sorted({row.language for row in rows} - {""})),
        machine_coded=sum(bool(row.coded_by) for row in rows),
    )


def by_source(entries: Iterable[Entry]) -> dict[str, Tally]:
    """Sum the observations of each source up, those with most rows first; who only looked is no source here."""
    told: defaultdict[str, list[Observation]] = defaultdict(list)
    for row in entries:
        if isinstance(row, Observation):
            told[row.source].append(row)
    return {source: tally(told[source]) for source in sorted(told, key=lambda source: (-len(told[source]), source))}
