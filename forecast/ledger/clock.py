"""Moments as a ledger writes them."""

from __future__ import annotations

import datetime as dt

from forecast.base.errors import InputError


def utc(now: dt.datetime) -> str:
    """Write a moment as ISO 8601 text, which reads and sorts in any tool; `InputError` unless it is in UTC."""
    if now.utcoffset() != dt.timedelta(0):
        msg = f"the moment of recording must be in UTC and say so, got {now}; pass datetime.now(datetime.UTC)"
        raise InputError(msg)
    return now.isoformat(timespec="microseconds")
