"""Rows that tell of one event, joined: one vote for each story and stage."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from forecast.base import prose
from forecast.ledger.admiralty import credibility
from forecast.ledger.rows import Count, Coverage, Observation, first_day

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence

    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


type Told = Observation | Coverage | Count


def stories(space: StateSpace, entries: Iterable[Entry]) -> dict[str, list[Told]]:
    """Group the rows that the model knows by what they tell of.

    That is a story, a row of none, a span of coverage, or the weeks of a channel: of the last week's rows, its week.
    """
    groups: dict[str, list[Told]] = defaultdict(list)
    for row in sorted(entries, key=lambda row: row.id):
        if isinstance(row, Coverage):
            if row.indicator == "*" or row.indicator in space.indicators:
                groups[f"coverage {row.id}"].append(row)
        elif isinstance(row, Count):
            if row.channel in space.channels:
                groups[f"counts {row.channel}"].append(row)
        elif isinstance(row, Observation) and (row.indicator in space.indicators or row.state in space.stage_states):
            groups[row.id if row.distinct else row.story_key].append(row)
    return dict(groups)


def story_kind(rows: Sequence[Told]) -> Literal["story", "coverage", "counts"]:
    """Say which kind of `stories` rows are."""
    match rows[0]:
        case Observation():
            return "story"
        case Coverage():
            return "coverage"
        case Count():
            return "counts"


def story_name(space: StateSpace, rows: Sequence[Told]) -> tuple[str, dt.date]:
    """Say what the rows of one of `stories` tell of, and when it began: ``Dushanbe (9 Oct 2025)``."""
    first = min(rows, key=lambda row: (first_day(row), row.id))
    if isinstance(first, Count):
        what = f"“{space.spec.channels[first.channel].label}”"
        last = max(row.to for row in rows if isinstance(row, Count))
        counted = f" ({first.count:,} of {first.exposure:,g})" if len(rows) == 1 else ""
        return f"{what}, counted {prose.day(first.from_)} to {prose.day(last)}{counted}", first.from_
    if isinstance(first, Coverage):
        what = "everything" if first.indicator == "*" else f"“{space.spec.indicators[first.indicator].label}”"
        return f"Watching for {what} ({prose.day(first.from_)} to {prose.day(first.to)})", first.from_
    if first.story and not first.distinct:
        text = first.story.replace("-", " ").replace("_", " ")
        text = text[0].upper() + text[1:]
    else:
        text = f"“{space.spec.indicators[first.indicator].label}”" if first.indicator else f"“{_state(first)}”"
    return f"{text} ({prose.day(first.date, first.precision)})", first.date


def _state(row: Observation) -> str:
    """Write the state that a row names in words: ``peace: fresh deal``."""
    return prose.spoken((row.state or "").replace(".", ": "))


@dataclass(frozen=True)
class Telling:
    """A row that counts, after its story has been settled: what it says, when, and how credibly."""

    id: str
    date: dt.date
    day: int
    stage: int
    indicator: int  # −1 for an assessment
    state: int  # −1 for a sighting
    weight: float
    month: bool
    distinct: bool


# Stories.


def settle_stories(space: StateSpace, rows: Iterable[Observation]) -> list[Telling]:
    """One telling for each story and stage, its most credible row at its first date; distinct rows as they are."""
    stories: dict[tuple[str, int], list[Telling]] = defaultdict(list)
    for row in rows:
        telling = _telling(space, row)
        key = f"row {row.id}" if row.distinct else f"story {row.story_key}"
        stories[key, telling.stage].append(telling)
    settled: list[Telling] = []
    for group in stories.values():
        best = min(group, key=lambda telling: (-telling.weight, telling.date, telling.id))
        first = min(group, key=lambda telling: telling.date)
        settled.append(replace(best, date=first.date, day=first.day))
    return sorted(settled, key=lambda telling: (telling.date, telling.id))


def _telling(space: StateSpace, row: Observation) -> Telling:
    if row.indicator is not None:
        indicator, state = space.indicators.index(row.indicator), -1
        stage = int(space.indicator_stage[indicator])
    else:
        stage, state = space.state(row.state or "")
        indicator = -1
    return Telling(
        id=row.id,
        date=row.date,
        day=(row.date - space.spec.model.start).days,
        stage=stage,
        indicator=indicator,
        state=state,
        weight=credibility(row.grade),
        month=row.precision == "month",
        distinct=row.distinct,
    )
