"""Rows of evidence: observations, coverage, weekly counts and their deliveries, and the id of each."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime as dt


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One sighting: an ``indicator`` seen, or a ``state`` ("stage.state") assessed; exactly one of the two is given.

    ``date`` is exact to the day or, with ``precision`` "month", a best guess within its month. ``grade`` is the
    Admiralty grade. Rows with one ``story`` tell of one real event, unless ``distinct``. ``coded_by`` names the program
    or model that proposed or coded the row, blank where an analyst did by hand; ``language`` is the BCP 47 tag of what
    the source wrote in, blank where nobody said. Neither is evidence.
    """

    id: str = ""
    indicator: str | None = None
    state: str | None = None
    date: dt.date
    precision: Literal["day", "month"] = "day"
    reported_on: dt.date
    source: str
    url: str = ""
    grade: str
    story: str = ""
    distinct: bool = False
    note: str = ""
    coded_by: str = ""
    language: str = ""

    @property
    def story_key(self) -> str:
        """What tells stories apart: the story, or the row itself where it has none."""
        return self.story or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Somebody looked systematically for ``indicator`` ("*": for every one), ``from_`` to ``to``, both included."""

    id: str = ""
    indicator: str
    from_: dt.date
    to: dt.date
    reported_on: dt.date
    source: str
    url: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many events of a ``channel`` a machine counted, ``from_`` to ``to``, both included, among ``exposure``.

    ``exposure`` is how much there was to count them in, such as all events of the source in that time: twice as much
    lets one expect twice as many. No row is no count; a ``count`` of 0 says that nothing was found. ``delivery`` is
    the id of the last delivery that it rests on. A channel has one count for each ``from_``: another one supersedes.
    """

    id: str = ""
    channel: str
    from_: dt.date
    to: dt.date
    count: int
    exposure: float
    reported_on: dt.date
    source: str
    delivery: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A file that a ``feed`` has delivered, about ``from_`` to ``to``: what was ``read`` in it, and what became of it.

    ``digest`` is the SHA-256 of the ``file``. Of the rows ``read``, ``kept`` belong to the feed's channels and
    indicators, ``faulty`` could not be used and lie aside, and ``repeated`` had come before.
    """

    id: str = ""
    feed: str
    file: str
    digest: str
    from_: dt.date
    to: dt.date
    read: int
    kept: int
    faulty: int
    repeated: int
    reported_on: dt.date
    note: str = ""


Entry = Observation | Coverage | Count | Delivery
type Kind = Literal["observation", "coverage", "count", "delivery"]
KINDS: dict[Kind, type[Entry]] = {
    "observation": Observation,
    "coverage": Coverage,
    "count": Count,
    "delivery": Delivery,
}
_NAMES: dict[type[Entry], Kind] = {kind: name for name, kind in KINDS.items()}


def delivery_id(feed: str, digest: str) -> str:
    """Id of the row of a delivery that has none of its own."""
    return f"{feed}-{digest[:12]}"


LONG_ID = 32  # digits of an id that is made up where a shorter one is taken


def make_id(entry: Entry, digits: int = 6) -> str:
    """Build an id from the whole content of an entry except its id, such as ``cyberattack-2026-01-08-3fa9c1``.

    Among thousands of rows of one day two may share six ``digits``. A count is told by its channel and first day, a
    delivery by its feed and file, so that a later one supersedes.
    """
    if isinstance(entry, Count):
        return f"{entry.channel}-{entry.from_}"
    if isinstance(entry, Delivery):
        return delivery_id(entry.feed, entry.digest)
    values = columns_of(dataclasses.replace(entry, id=""))
    name = values["indicator"] or values["state"]
    prefix = name if isinstance(entry, Observation) else f"coverage-{'all' if name == '*' else name}"
    content = repr(sorted((column, str(value)) for column, value in values.items()))
    return f"{prefix}-{values['date']}-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:digits]}"


def with_id[Row: Entry](entry: Row) -> Row:
    """Give the entry `make_id`'s id if it has none."""
    return entry if entry.id else dataclasses.replace(entry, id=make_id(entry))


RENAMED = {"from_": "date", "to": "until"}
LATER = frozenset({"coded_by", "language"})  # texts that came later: a blank one has no column and changes no id


def kind_of(entry: Entry) -> Kind:
    """Say which kind of row an entry is."""
    return _NAMES[type(entry)]


def first_day(entry: Entry) -> dt.date:
    """Give the day that an entry speaks of, or the first one."""
    return entry.date if isinstance(entry, Observation) else entry.from_


def last_day(entry: Entry) -> dt.date:
    """Give the day that an entry speaks of, or the last one."""
    return entry.date if isinstance(entry, Observation) else entry.to


def columns_of(entry: Entry) -> dict[str, Any]:
    """Turn an entry into the columns that hold it; a field of `LATER` that is blank has none."""
    values = {f.name: getattr(entry, f.name) for f in dataclasses.fields(entry)}
    kept = {RENAMED.get(name, name): value for name, value in values.items() if value or name not in LATER}
    return {"kind": kind_of(entry), **kept}
