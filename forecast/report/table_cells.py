"""Cells of tables: how a report's tables are laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base.prose import count, on_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


ROWS_SHOWN = 12  # rows of a ranking


class Table(NamedTuple):
    """What a table shows: its caption, the heads of its columns, and its rows, of which the first cell is the head."""

    caption: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


def estimates_of(quantities: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str | None, int | None], Any]:
    """Estimates by outcome, kind, condition and horizon."""
    return {(row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities}


def horizons(data: Mapping[str, Any]) -> dict[int, str]:
    """Horizons of the report in weeks, each with its date."""
    rows = data["forecast"]["quantities"]
    return dict(sorted({row["horizon_weeks"]: row["date"] for row in rows if row["kind"] == "at"}.items()))


def dated(data: Mapping[str, Any]) -> list[str]:
    """Heads of columns for the horizons."""
    return [f"{count(week, 'week')}, {on_day(date)}" for week, date in horizons(data).items()]


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows with the largest differences first, as many as a table shows."""
    return sorted(rows, key=lambda row: -abs(row["difference"]))[:ROWS_SHOWN]
