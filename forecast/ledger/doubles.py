"""What a reader should hear of rows that are new to the ledger: the same event twice, contradictions, look-alikes."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from forecast.base.prose import count
from forecast.ledger.keys import look_alikes, skeleton
from forecast.ledger.rows import Observation, make_id

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from forecast.ledger.rows import Entry


MOST = 50  # messages of one kind that anybody reads


def notices(current: Mapping[str, Entry], changed: Sequence[Entry]) -> tuple[str, ...]:
    """Say what is odd about rows that are about to be written, against those in force (``current``, by id).

    An observation of the same thing, on the same day and from the same source as another row, unless either is
    ``distinct``; two states of one stage on one day; and keys that look like another one.
    """
    seen = [row for row in changed if isinstance(row, Observation)]
    if not seen:
        return ()
    fresh = {row.id for row in changed}
    kept = [row for key, row in current.items() if key not in fresh and isinstance(row, Observation)]
    new = [row for row in seen if row.id not in current]
    return (
        *at_most(_same_events(kept, seen, {row.id for row in new}), "more pairs of rows"),
        *at_most(_contradictions(kept, seen), "more contradictions"),
        *at_most(_alike(kept, new), "more pairs of keys that look alike"),
    )


def at_most(lines: Iterable[str], rest: str) -> Iterator[str]:
    """Give the first 50 lines, and count the rest."""
    left = 0
    for k, line in enumerate(lines):
        if k < MOST:
            yield line
        else:
            left += 1
    if left:
        yield f"… and {left:,} {rest}"


def _place(row: Observation) -> tuple[str, dt.date]:
    return row.indicator or row.state or "", row.date


def _event(row: Observation) -> tuple[str, dt.date, str]:
    return *_place(row), skeleton(row.source)


def _same_events(kept: Sequence[Observation], seen: Sequence[Observation], new: set[str]) -> Iterator[str]:
    fresh = [row for row in seen if not row.distinct and row.id in new]
    wanted, places = {_event(row) for row in fresh}, {_place(row) for row in fresh}
    near = (row for row in reversed(kept) if not row.distinct and _place(row) in places)
    first = {event: row for row in near if (event := _event(row)) in wanted}
    for row in seen:
        if row.distinct:
            continue
        event = _event(row)
        other = first.setdefault(event, row)
        if other is row or row.id not in new or (row.story and row.story == other.story):
            continue
        what, day, _ = event
        yield (
            f"{row.id} says what {other.id} says ({what} on {day}, {row.source}) and counts beside it; if it is the"
            f" same event, retract {row.id} and correct {other.id} by its id, else say so with --distinct"
        )


def _contradictions(kept: Sequence[Observation], seen: Sequence[Observation]) -> Iterator[str]:
    def place(row: Observation) -> tuple[str, dt.date]:
        return (row.state or "").partition(".")[0], row.date

    wanted = {place(row) for row in seen if row.state}
    rows: dict[tuple[str, dt.date], list[Observation]] = defaultdict(list)
    for row in (*kept, *seen):
        if row.state and place(row) in wanted:
            rows[place(row)].append(row)
    for (stage, day), told in rows.items():
        if len({row.state for row in told}) > 1:
            told.sort(key=lambda row: row.reported_on)
            names = ", then ".join(f"{row.state} ({row.id})" for row in told)
            last = "the last of them stands at the end of that day; if one is wrong, retract it"
            yield f"{stage} has {count(len(told), 'row')} on {day} that contradict each other: {names}; {last}"


def _alike(kept: Sequence[Observation], new: Sequence[Observation]) -> Iterator[str]:
    for column in ("story", "source", "coded_by", "id"):
        fresh = _keys(new, column)
        if not fresh:  # as ids are, most times: those of the others need not be made to be compared
            continue
        old = _keys(kept, column)
        if not fresh.keys() - old.keys():
            continue
        for key, other in look_alikes(fresh, old):
            yield f"{column} {key!r} looks like {other!r}; if they are the same, write both in one way"


def _keys(rows: Sequence[Observation], column: str) -> dict[str, None]:
    """Give what people wrote in a column."""
    found = {getattr(row, column): None for row in rows if column != "id" or row.id != make_id(row)}
    found.pop("", None)
    return found
