"""Checks of rows that come from outside: every fault at once, with its place and remedy."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from forecast.base.errors import LedgerError, nearest
from forecast.base.sanitise import is_web
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.rows import Coverage, Entry, Observation, with_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Row", "Vocabulary", "check_entries"]


MAX_TEXT = 10_000
PRECISIONS: dict[str, Literal["day", "month"]] = {"": "day", "day": "day", "month": "month"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What rows may name: ``indicators``, the ``states`` of each stage, and days from ``start`` to ``today``."""

    indicators: frozenset[str]
    states: Mapping[str, tuple[str, ...]]
    start: dt.date
    today: dt.date


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it stands in a file: ``cells`` by column, blank where empty; ``line`` as an editor counts it.

    ``line`` 0 means that the row is not from a file, and ``file`` then says where it is from. ``fault`` is what is
    wrong with the row as a whole.
    """

    file: str
    line: int
    kind: Literal["observation", "coverage"]
    cells: Mapping[str, str]
    fault: str = ""

    @property
    def place(self) -> str:
        """Where the row is: ``observations.csv:12``."""
        return f"{self.file}:{self.line}" if self.line else self.file


# Checking.


def check_entries(rows: Iterable[Row], vocabulary: Vocabulary) -> list[Entry]:
    """Turn rows into entries; `LedgerError` with every fault: file, line, column, what was found, what is allowed."""
    faults: list[str] = []
    files: dict[str, None] = {}
    seen: dict[str, tuple[Entry, Row]] = {}
    for row in rows:
        files[row.file] = None
        check = _Check(row, vocabulary)
        entry = None if row.fault else check.entry()
        faults += [f"{row.place}: {fault}" for fault in ([row.fault] if row.fault else check.faults)]
        if entry is not None:
            first, where = seen.setdefault(entry.id, (entry, row))
            if first != entry:
                faults.append(f"{row.place}: id: {entry.id!r} is {where.place} with other content; give it its own id")
    if faults:
        raise LedgerError(", ".join(files), faults)
    return [entry for entry, _ in seen.values()]


class _Check:
    """Reads one row and gathers its faults, each beginning with its column."""

    def __init__(self, row: Row, vocabulary: Vocabulary) -> None:
        self.row = row
        self.vocabulary = vocabulary
        self.faults: list[str] = []

    def entry(self) -> Entry | None:
        for column, text in self.row.cells.items():
            self._characters(column, text)
        entry = self._observation() if self.row.kind == "observation" else self._coverage()
        return None if self.faults or entry is None else with_id(entry)

    def _observation(self) -> Observation | None:
        indicator, state = self._cell("indicator").strip(), self._cell("state").strip()
        if bool(indicator) == bool(state):
            self._fault("indicator", f"{'both' if state else 'neither'} of indicator and state; give one of the two")
        if indicator:
            self._known_indicator(indicator, self.vocabulary.indicators)
        states = [f"{stage}.{name}" for stage, names in self.vocabulary.states.items() for name in names]
        if state and state not in states:
            self._fault("state", f"there is no state {state!r}; {nearest(state, states)}")
        precision = self._choice("precision", PRECISIONS)
        distinct = self._choice("distinct", {"": False, "yes": True})
        grade = self._choice("grade", {name.lower(): name for name in CREDIBILITY}, "A1 to F6, such as B2")
        date = self._date("date")
        earliest = date.replace(day=1) if date and precision == "month" else date
        reported_on, common = self._reported_on(date, earliest), self._common()
        if date is None or reported_on is None or grade is None:
            return None
        return Observation(
            indicator=indicator or None, state=state or None, date=date, precision=precision or "day",
            reported_on=reported_on, grade=grade, story=self._cell("story"), distinct=bool(distinct), **common,
        )  # fmt: skip

    def _coverage(self) -> Coverage | None:
        indicator = self._cell("indicator").strip()
        self._known_indicator(indicator, {"*", *self.vocabulary.indicators})
        from_, to = self._date("from"), self._date("to")
        if from_ and to and from_ > to:
            self._fault("from", f"{from_} is after `to`, {to}; exchange them")
        reported_on, common = self._reported_on(to, to), self._common()
        if from_ is None or to is None or reported_on is None:
            return None
        return Coverage(indicator=indicator, from_=from_, to=to, reported_on=reported_on, **common)

    def _common(self) -> dict[str, str]:
        url = self._cell("url")
        if url and not is_web(url):
            self._fault("url", f"{url[:80]!r} is not a web address; it begins with https:// or http://")
        if not self._cell("source").strip():
            self._fault("source", "is empty; name who reported it")
        for column in ("id", "story"):
            text = self._cell(column)
            if text != text.strip() or any(c in text for c in "\t\r\n"):
                self._fault(column, "has blanks at its ends or a line break; take them out")
        return {column: self._cell(column) for column in ("id", "source", "url", "note")}

    def _cell(self, column: str) -> str:
        return self.row.cells.get(column, "")

    def _fault(self, column: str, text: str) -> None:
        self.faults.append(f"{column}: {text}")

    def _characters(self, column: str, text: str) -> None:
        if len(text) > MAX_TEXT:
            self._fault(column, f"has {len(text):,} characters; at most {MAX_TEXT:,} are kept")
        bad = next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\r\n"), None)
        if bad is not None:
            self._fault(column, f"holds the control character U+{ord(bad):04X}; take it out")

    def _known_indicator(self, name: str, allowed: Iterable[str]) -> None:
        if name not in allowed:
            self._fault("indicator", f"there is no indicator {name!r}; {nearest(name, allowed)}")

    def _choice[T](self, column: str, allowed: Mapping[str, T], words: str = "") -> T | None:
        text = self._cell(column).strip().lower()
        if text not in allowed:
            words = words or " or ".join(name or "blank" for name in allowed)
            self._fault(column, f"{self._cell(column)[:80]!r} is not allowed; use {words}")
        return allowed.get(text)

    def _date(self, column: str) -> dt.date | None:
        """Read a day from the model's start to today."""
        date = self._day(column)
        if date is not None and date > self.vocabulary.today:
            self._fault(column, f"{date} is in the future; give a day until today, {self.vocabulary.today}")
        if date is not None and column != "reported_on" and date < self.vocabulary.start:
            self._fault(column, f"{date} is before the model's start, {self.vocabulary.start}; leave the row out")
        return date

    def _day(self, column: str) -> dt.date | None:
        text = self._cell(column).strip()
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
                return dt.date.fromisoformat(text)
        except ValueError:
            pass
        hint = "; for a month alone give a best day and precision = month" if re.fullmatch(r"\d{4}-\d\d", text) else ""
        self._fault(column, f"{text[:80]!r} is not a date; write YYYY-MM-DD, such as 2026-01-08{hint}")
        return None

    def _reported_on(self, default: dt.date | None, earliest: dt.date | None) -> dt.date | None:
        if not self._cell("reported_on").strip():
            return default
        date = self._date("reported_on")
        if date and earliest and date < earliest:
            self._fault("reported_on", f"{date} is before {earliest}, when it happened; give the day it became public")
        return date
