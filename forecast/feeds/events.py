"""Events as every format gives them: one table, rows that cannot be one kept aside, and deliveries that are refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from forecast.base.errors import InputError

try:
    import polars as pl
except ImportError as lacking:
    MESSAGE = "reading feeds needs the extra for them: pip install 'scenario-cascade[feeds]'"
    raise InputError(MESSAGE) from lacking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


TEXTS = ("id", "source", "target", "code", "place", "link", "text")
EVENTS: dict[str, type[pl.DataType]] = {
    "id": pl.String,  # by the source's own numbering
    "day": pl.Date,  # it happened
    "added": pl.Date,  # the source told of it; null where it does not say
    "source": pl.String,
    "target": pl.String,
    "code": pl.String,
    "place": pl.String,
    "size": pl.Int64,  # deaths or articles
    "vague": pl.Boolean,  # the day is known to no week
    "link": pl.String,
    "text": pl.String,
}
EARLIEST = dt.date(1900, 1, 1)
LONGEST_TEXT = 400  # characters of what a source says of an event
LONGEST_ROW = 2000  # characters of a faulty row that are kept


class DeliveryError(InputError):
    """A file that is refused as a whole: nothing of it was taken in. The message leaves out its name."""


class Fault(NamedTuple):
    """A row that is no event: its line, from 1, why, and the row as it stands there."""

    line: int
    why: str
    row: str


class Reading(NamedTuple):
    """What a file holds: its events without repeats, rows kept aside, and how many rows were read and repeated."""

    events: pl.DataFrame
    faults: tuple[Fault, ...]
    read: int
    repeated: int
    notes: tuple[str, ...] = ()


def settle(  # noqa: PLR0913 - what a format leaves open
    raw: pl.DataFrame, row_at: Callable[[int], str], faults: Iterable[Fault], *, days: str, added: str = "",
    latest: dt.date,
) -> Reading:  # fmt: skip
    """Turn texts into events, each row that cannot be one into a fault.

    Parameters
    ----------
    raw
        A row an event, in the order of the file: ``line`` (int), ``vague`` (bool) and the other columns of `EVENTS` as
        text.
    row_at
        Gives a row of ``raw``, by its place, as it stands in the file: for faults.
    faults
        Those that were found already, of rows that are not in ``raw``.
    days, added
        How days are written, such as ``%Y%m%d``; blank where ``added`` is not told. Several ways stand between ``|``.
    latest
        The last day that a file of now can tell of.

    """
    frame = raw.with_columns(
        day=_days("day", days),
        added=_days("added", added) if added else pl.lit(None, pl.Date),
        size=pl.col("size").cast(pl.Float64, strict=False).fill_null(0).cast(pl.Int64, strict=False).fill_null(0),
        _day_told=pl.col("day"),
        _added_told=pl.col("added"),
        _place=pl.int_range(pl.len()),
    )
    told = pl.col("_added_told").fill_null("").str.len_chars() > 0
    why = (
        pl.when(pl.col("id").fill_null("") == "")
        .then(pl.lit("it has no id"))
        .when(pl.col("day").is_null())
        .then(pl.format("day {} is none of the calendar", pl.col("_day_told").fill_null("").str.slice(0, 30)))
        .when(pl.col("day") < EARLIEST)
        .then(pl.format("day {} lies before 1900", pl.col("day").dt.to_string("%Y-%m-%d")))
        .when(told & pl.col("added").is_null() if added else pl.lit(value=False))
        .then(pl.format("day of adding {} is none of the calendar", pl.col("_added_told").str.slice(0, 30)))
        .when(pl.col("day") > pl.col("added"))
        .then(pl.format("day {} lies after the day on which it was added, {}", pl.col("day"), pl.col("added")))
        .when(pl.max_horizontal("day", "added") > latest)
        .then(pl.format("day {} has not come", pl.max_horizontal("day", "added")))
    )
    frame = frame.with_columns(_why=why)
    bad = frame.filter(pl.col("_why").is_not_null())
    found = [*faults]
    for place, line, reason in bad.select("_place", "line", "_why").iter_rows():
        found.append(Fault(line, reason, row_at(place)[:LONGEST_ROW]))
    sound = frame.filter(pl.col("_why").is_null())
    texts = [pl.col(name).fill_null("").str.strip_chars() for name in TEXTS]
    once = sound.with_columns(texts).unique("id", keep="last", maintain_order=True)
    events = once.with_columns(pl.col("text").str.slice(0, LONGEST_TEXT)).select(
        pl.col(name).cast(kind) for name, kind in EVENTS.items()
    )
    read = raw.height + len(found) - bad.height
    return Reading(events, tuple(sorted(found)), read, sound.height - once.height)


def _days(column: str, ways: str) -> pl.Expr:
    text = pl.col(column).str.strip_chars()
    return pl.coalesce(text.str.to_date(way, strict=False) for way in ways.split("|"))
