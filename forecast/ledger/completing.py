"""Rows of a file that complete rows on record: they say the same, and more in columns that were not read before.

The id of a row that has none comes from all its columns. A column that is read only now, because its name was mended or
a later version knows it, would make another row of each, beside the one on record, and the event would count twice.
"""

from __future__ import annotations

import dataclasses
from itertools import chain, combinations
from typing import TYPE_CHECKING

from forecast.ledger.rows import Coverage, Observation, make_id

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from forecast.ledger.rows import Entry


SAID_LATER = ("url", "story", "note", "coded_by", "language")  # texts that a row may lack


def complete_rows(
    entries: Sequence[Entry], loose: Collection[str], recorded: Callable[[], Mapping[str, Entry]]
) -> dict[str, Entry]:
    """Give rows by the ids that their content made, with the id of the one row on record that each completes.

    ``loose`` are the ids of ``entries`` that nobody gave. A row on record is completed if nobody gave its id, it is
    blank where it differs, and is not among ``entries`` itself; where there is a choice nothing is completed.
    """
    on_record = recorded() if loose else {}
    asked = [
        row for row in entries
        if row.id in loose and row.id not in on_record and isinstance(row, Observation | Coverage) and _texts(row)
    ]  # fmt: skip
    if not asked:
        return {}
    here = {row.id for row in entries}
    kept: dict[Entry, list[Entry]] = {}
    for row in on_record.values():
        if isinstance(row, Observation | Coverage) and row.id not in here:
            kept.setdefault(_core(row), []).append(row)
    found: dict[str, Entry] = {}
    taken: dict[str, str] = {}
    for row in asked:
        fits = [old for old in kept.get(_core(row), ()) if _completes(row, old)]
        if len(fits) == 1 and not getattr(row, "distinct", False):
            other = taken.setdefault(fits[0].id, row.id)
            found[row.id] = dataclasses.replace(row, id=fits[0].id)
            if other != row.id:  # two rows fit one: they are other events
                found.pop(row.id)
                found.pop(other, None)
    return found


def _texts(row: Entry) -> list[str]:
    return [name for name in SAID_LATER if getattr(row, name, "")]


def _core(row: Entry) -> Entry:
    return dataclasses.replace(row, id="", **dict.fromkeys(_texts(row), ""))


def _completes(row: Entry, old: Entry) -> bool:
    """Whether a row says what an old one says, and the old one's id comes from less than the row."""
    if any(getattr(old, name) not in {"", getattr(row, name)} for name in _texts(old)):
        return False
    return any(make_id(part) == old.id for part in _less(row))


def _less(row: Entry) -> Iterator[Entry]:
    """Give the row with some of its texts blank, in all ways."""
    names = _texts(row)
    for some in chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1)):
        yield dataclasses.replace(row, **dict.fromkeys(some, ""))
