"""A report says how old each feed is, and never takes a dead one for a quiet one."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from forecast.ledger.rows import Count, Delivery, with_id
from forecast.report.feed_notes import feed_notes

if TYPE_CHECKING:
    from forecast.ledger.rows import Entry

AS_OF = dt.date(2026, 1, 8)
SPEC: Any = SimpleNamespace(channels={"talks": None})


def delivered(until: dt.date, pace: int, channel: str = "talks") -> list[Entry]:
    """Give four deliveries, so many days apart and the last ``until``, and a count that rests on the last."""
    rows = [
        with_id(
            Delivery(
                feed="gdelt", file="a", digest=f"{k}" * 64, from_=day, to=day, read=1, kept=1, faulty=0, repeated=0,
                reported_on=day,
            )
        )
        for k, day in enumerate(until - dt.timedelta(days=pace * k) for k in range(4))
    ]  # fmt: skip
    monday = until - dt.timedelta(days=6)
    count = Count(
        channel=channel, from_=monday, to=until, count=3, exposure=9.0, reported_on=until, source="GDELT",
        delivery=rows[0].id,
    )  # fmt: skip
    return [*rows, with_id(count)]


@pytest.mark.parametrize(
    ("days", "pace", "late"), [(1, 1, False), (16, 1, False), (17, 1, True), (74, 30, False), (75, 30, True)]
)
def test_a_feed_is_late_by_its_own_pace(days: int, pace: int, late: bool) -> None:  # noqa: FBT001
    """A daily feed is late after some two weeks, a monthly one after two months and a half."""
    (note,) = feed_notes(SPEC, delivered(AS_OF - dt.timedelta(days=days), pace), AS_OF)
    assert note.startswith("Counts of GDELT were delivered to ")
    assert f"{days} day{'s' if days > 1 else ''} before the date of the forecast" in note
    assert ("missing, not quiet" in note) == late


def test_only_feeds_that_the_model_reads_are_told() -> None:
    """A feed of other models' channels, or of none, says nothing."""
    assert feed_notes(SPEC, delivered(AS_OF, 1, "another"), AS_OF) == []
    assert feed_notes(SPEC, [], AS_OF) == []
