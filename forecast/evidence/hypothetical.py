"""Evidence that is imagined: everybody looks from tomorrow on and sees nothing; a week's count."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING

from forecast.base.errors import InputError, nearest, read_date
from forecast.engine.arrays import COVERED, steps_between
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.ledger.rows import Count, Coverage, Observation, with_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from forecast.engine.arrays import Cells
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


def closed_one_offs(space: StateSpace, entries: Iterable[Entry], as_of: dt.date) -> set[str]:
    """One-offs that had happened by ``as_of``: one who looks on the day after does not expect to see them."""
    after = as_of + dt.timedelta(days=1)
    look = _looks(space, after, after, as_of)
    # what is known has happened, so a date that is exact to the month says nothing of the rest of that month
    known = [replace(row, precision="day") if isinstance(row, Observation) else row for row in entries]
    evidence = compile_evidence(space, known, as_of, look)
    what = evidence.cells.what
    looked = what[(what[:, 0] >= step_days(space, as_of).size) & (what[:, 1] == COVERED), 3]
    return set(space.indicators) - {space.indicators[k] for k in looked.tolist()}


def imagined_silence(space: StateSpace, entries: Sequence[Entry], as_of: dt.date, until: dt.date) -> Cells:
    """Cells of the steps from ``as_of`` to ``until`` in which everybody looks and nothing is seen."""
    first = as_of + dt.timedelta(days=1)
    look = _looks(space, first, until, as_of)
    # what is known has happened, so a date that is exact to the month says nothing of the rest of that month
    known = [replace(row, precision="day") if isinstance(row, Observation) else row for row in entries]
    evidence = compile_evidence(space, known, as_of, look)
    return steps_between(evidence.cells, step_days(space, as_of).size, evidence.steps)


def _looks(space: StateSpace, first: dt.date, last: dt.date, as_of: dt.date) -> list[Coverage]:
    """Look for every indicator by name, so for those too that the vocabulary has only later."""
    return [
        with_id(Coverage(indicator=name, from_=first, to=last, reported_on=as_of, source="imagined"))
        for name in space.indicators
    ]


# Counts.

COUNT = re.compile(r"(?P<channel>[a-z0-9_]+)=(?P<count>[0-9]{1,12})(?:/(?P<volume>[0-9.]{1,15}))?(?:@(?P<day>.+))?")
USUAL_WEEKS = 8  # whose volume is taken where none is given


def supposed_count(
    space: StateSpace, entries: Sequence[Entry] | None, as_of: dt.date, text: str, source: str
) -> Count:  # fmt: skip
    """Read a week's count such as ``hostile_acts=40``, ``hostile_acts=40/120000`` or ``hostile_acts=40@2026-01-15``.

    The week ends on the day that is given, or else seven days after ``as_of``. Its volume is given behind the stroke,
    or else the median of the channel's last eight counts among ``entries``; without ``entries`` it is left open.

    Raises
    ------
    InputError
        If it is not written so, there is no such channel, or no volume to take.

    """
    found = COUNT.fullmatch(text)
    if found is None:
        stage, _, state = text.partition("@")[0].partition("=")
        if stage in space.stages:
            name = f"{stage}.{state}"
            which = f"write {name}" if name in space.stage_states else nearest(name, space.stage_states)
            msg = f"{text!r} is no count; {stage!r} is a stage, and a state of it that is seen has a dot: {which}"
        else:
            msg = f"{text!r} is no count; write CHANNEL=COUNT, CHANNEL=COUNT/VOLUME or CHANNEL=COUNT@DATE"
        raise InputError(msg)
    channel = found["channel"]
    if channel not in space.channels:
        msg = f"the model has no channel {channel!r}; {nearest(channel, space.channels)}"
        raise InputError(msg)
    week = dt.timedelta(days=7)
    last = read_date(found["day"], f"the date of {channel!r}") if found["day"] else as_of + week
    if last <= as_of - week:
        msg = f"{channel!r} counted in the week to {last}: give a date after {as_of - week}, for that week is known"
        raise InputError(msg)
    known = _counted(entries or (), channel)
    volume = _usual_volume(known) if known else 1.0
    if found["volume"]:
        try:
            volume = float(found["volume"])
        except ValueError:
            volume = 0.0
        if not volume > 0:
            msg = f"{text!r}: {found['volume']!r} is no volume; give a number above 0"
            raise InputError(msg)
    elif entries is not None and not known:
        msg = f"{channel!r} was never counted, so that nobody knows among how many; write {channel}=COUNT/VOLUME"
        raise InputError(msg)
    first = last - week + dt.timedelta(days=1)
    return with_id(
        Count(
            channel=channel, from_=first, to=last, count=int(found["count"]), exposure=volume, reported_on=as_of,
            source=source,
        )
    )  # fmt: skip


def coming_weeks(space: StateSpace, entries: Iterable[Entry], as_of: dt.date) -> list[Count]:
    """Give the next week of each channel that was counted by ``as_of``: the first of its weeks that is still to come.

    Its volume is the median of the channel's last eight weeks; its count stands for any.
    """
    known = [row for row in entries if row.reported_on <= as_of]
    found: list[Count] = []
    for channel in space.channels:
        if rows := _counted(known, channel):
            tomorrow = as_of + dt.timedelta(days=1)
            first = tomorrow + dt.timedelta(days=(rows[-1].from_ - tomorrow).days % 7)
            found.append(
                Count(
                    channel=channel, from_=first, to=first + dt.timedelta(days=6), count=0,
                    exposure=_usual_volume(rows), reported_on=as_of, source="imagined",
                )
            )  # fmt: skip
    return found


def _usual_volume(rows: Sequence[Count]) -> float:
    """Median volume of the last of the counts, which are in order."""
    return float(median(row.exposure for row in rows[-USUAL_WEEKS:]))


def _counted(entries: Iterable[Entry], channel: str) -> list[Count]:
    rows = [row for row in entries if isinstance(row, Count) and row.channel == channel]
    return sorted(rows, key=lambda row: row.from_)
