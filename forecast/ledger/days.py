"""Days in files from outside: as the standard writes them, or in an order that whoever gives the file names."""

from __future__ import annotations

import calendar
import datetime as dt
import re

DAY_ORDERS = {"dmy": (2, 1, 0), "mdy": (2, 0, 1), "ymd": (0, 1, 2)}  # places of year, month, day


def day_of(text: str, order: str | None = None, hint: str = "") -> dt.date | str:
    """Give the day that a cell holds, or in words what is wrong with it.

    ``order`` is a key of `DAY_ORDERS`; ``hint`` says what else may help where the text is no date at all.
    """
    parts = _year_month_day(text, order)
    if parts is None:
        return f"{text[:80]!r} is not a date; write YYYY-MM-DD, such as 2026-01-08{hint}"
    try:
        return dt.date(*parts)
    except ValueError:
        return f"{text} is a day that does not exist; {_nearest_day(*parts)}"


def _year_month_day(text: str, order: str | None) -> tuple[int, int, int] | None:
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return int(text[:4]), int(text[5:7]), int(text[8:])
    found = re.fullmatch(r"([0-9]+)([./-])([0-9]+)\2([0-9]+)\.?", text) if order else None
    if found is None or order is None:
        return None
    parts = [found[k] for k in (1, 3, 4)]
    year, month, day = (parts[k] for k in DAY_ORDERS[order])
    return (int(year), int(month), int(day)) if len(year) == 4 and max(len(month), len(day)) < 3 else None  # noqa: PLR2004 - digits


def _nearest_day(year: int, month: int, day: int) -> str:
    """Say what may have been meant by a day that does not exist."""
    if not 1 <= month <= 12:  # noqa: PLR2004 - months
        return "there are twelve months"
    if not 1 <= year <= dt.MAXYEAR or day < 1:
        return "check the year and the day"
    last = dt.date(year, month, calendar.monthrange(year, month)[1])
    return f"the month ends on {last}"
