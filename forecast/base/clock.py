"""Days as people have them: the day of a moment where the caller is, and days in a year."""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt


DAYS_PER_YEAR = 365.25


def month_end(day: dt.date) -> dt.date:
    """Last day of the month of a day."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def local_day(now: dt.datetime) -> dt.date:
    """Day of a moment (aware) in the caller's time zone: east of Greenwich it comes earlier than in UTC."""
    return now.astimezone().date()
