"""What rows tell of: stories, rows that belong to none, and spans of coverage."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from forecast import words
from forecast.ledger import Coverage

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from forecast.ledger import Entry
    from forecast.statespace import StateSpace

__all__ = ["stories", "story_name"]


def stories(space: StateSpace, entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Group the rows that the model knows by what they tell of: a story, a row of none, or a span of coverage."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for row in sorted(entries, key=lambda row: row.id):
        if isinstance(row, Coverage):
            if row.indicator == "*" or row.indicator in space.indicators:
                groups[f"coverage {row.id}"].append(row)
        elif row.indicator in space.indicators or row.state in space.stage_states:
            groups[row.id if row.distinct else row.story_key].append(row)
    return dict(groups)


def story_name(space: StateSpace, rows: Sequence[Entry]) -> tuple[str, dt.date]:
    """Say what the rows of one of `stories` tell of, and when it began: ``Dushanbe (9 Oct 2025)``."""
    first = min(rows, key=lambda row: (row.from_ if isinstance(row, Coverage) else row.date, row.id))
    if isinstance(first, Coverage):
        what = "everything" if first.indicator == "*" else f"“{space.spec.indicators[first.indicator].label}”"
        return f"Watching for {what} ({words.day(first.from_)} to {words.day(first.to)})", first.from_
    if first.story and not first.distinct:
        text = first.story.replace("-", " ").replace("_", " ")
        text = text[0].upper() + text[1:]
    else:
        text = f"“{space.spec.indicators[first.indicator].label}”" if first.indicator else f"“{first.state}”"
    return f"{text} ({words.day(first.date, first.precision)})", first.date
