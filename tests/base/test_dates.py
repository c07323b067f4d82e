"""Dates from outside: days, moments as days, and what is none."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from forecast.base.errors import InputError, read_date

DAY = dt.date(2026, 1, 8)
EAST = dt.timezone(dt.timedelta(hours=9))


@pytest.mark.parametrize(
    "value",
    [
        DAY,
        "2026-01-08",
        dt.datetime(2026, 1, 8, 23, 59),  # noqa: DTZ001 - a moment that says no zone
        dt.datetime(2026, 1, 8, 1, tzinfo=EAST),  # the 7th in UTC, the 8th there
        pd.Timestamp("2026-01-08 12:00"),
        pd.Timestamp("2026-01-08 01:00", tz="Asia/Baku"),
        np.datetime64("2026-01-08"),
        np.datetime64("2026-01-08T23:00:00.000000001"),
    ],
)
def test_a_moment_is_the_day_on_which_it_lies(value: Any) -> None:
    """Dates, text and moments of any library give a plain day, that of the place where the moment says it is."""
    found = read_date(value, "as of")
    assert (found, type(found)) == (DAY, dt.date)


@pytest.mark.parametrize(
    "value",
    ["2026-W02-4", "20260108", "2026-1-8", "8.1.2026", "", " ", "２０２６-01-08", pd.NaT, np.datetime64("NaT", "D")],
)
def test_what_is_no_day_is_refused(value: Any) -> None:
    """Week dates, other ways to write a day, blanks and missing times say how a day is written."""
    with pytest.raises(InputError, match=r"as of .* is not a date; write it as 2026-01-08"):
        read_date(value, "as of")


@pytest.mark.parametrize("value", ["2025-02-29", "2026-04-31", "2026-13-01", "2026-00-10"])
def test_a_day_that_is_not_in_the_calendar_is_said_to_be_none(value: str) -> None:
    """The way it is written is right, so the message does not ask for that."""
    with pytest.raises(InputError, match=rf"as of '{value}' is not a date: there is no such day"):
        read_date(value, "as of")
