"""Checks of rows that come from outside: every fault at once, with its place and remedy."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from forecast import theory
from forecast.base.errors import LedgerError, nearest
from forecast.base.prose import listed
from forecast.base.sanitise import is_web
from forecast.ledger.admiralty import CREDIBILITY
from forecast.ledger.completing import complete_rows
from forecast.ledger.days import day_of
from forecast.ledger.keys import FORMULA, KEYS, UNSOLVED, clean_key, is_error, is_mangled, is_placeholder
from forecast.ledger.layout import COLUMNS
from forecast.ledger.rows import (
    LONG_ID,
    Count,
    Coverage,
    Delivery,
    Entry,
    Kind,
    Observation,
    kind_of,
    make_id,
    with_id,
)

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence


MAX_TEXT = 10_000
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8})*")  # a tag of BCP 47, such as az or zh-Hant
MOST_EXPOSURE = 1e15
PRECISIONS: dict[str, Literal["day", "month"]] = {"": "day", "day": "day", "month": "month"}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What rows may name: ``indicators``, ``channels``, ``states`` of each stage, and days from ``start`` to ``today``.

    Of each indicator it holds the words by which it is found: label and signs.
    """

    indicators: Mapping[str, tuple[str, ...]]
    states: Mapping[str, tuple[str, ...]]
    start: dt.date
    today: dt.date
    channels: Collection[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it stands in a file: ``cells`` by column, blank where empty; ``line`` as an editor counts it.

    ``line`` 0 means that the row is not from a file, and ``file`` then says where it is from. ``fault`` is what is
    wrong with the row as a whole.
    """

    file: str
    line: int
    kind: Kind
    cells: Mapping[str, str]
    fault: str = ""

    @property
    def place(self) -> str:
        """Where the row is: ``observations.csv:12``."""
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How rows are to be read, beyond what is in them.

    ``dates`` is the order of days that are not written YYYY-MM-DD: a key of `DAY_ORDERS`. With ``same``, equal rows of
    a file are one row. A row that is among ``recorded`` is taken as it was recorded, whatever is said of new ones; so
    is one without an id that lacks nothing of it but columns that its file has not.
    """

    dates: str | None = None
    same: bool = False
    recorded: Callable[[], Iterable[Entry]] = field(default=tuple)


# Checking.


def check_entries(
    rows: Iterable[Row], vocabulary: Vocabulary, reading: Reading | None = None,
    on_notice: Callable[[str], object] = lambda _: None,
) -> list[Entry]:  # fmt: skip
    """Turn rows into entries; `LedgerError` with every fault: file, line, column, what was found, what is allowed.

    Two equal rows without an id are a fault, for they may be two events; with ids, or where ``reading`` says so, they
    are one row, and ``on_notice`` is told.
    """
    reading = reading or Reading()
    faults: list[str] = []
    files: dict[str, None] = {}
    seen: dict[str, tuple[Entry, str, int]] = {}
    shared: dict[object, object] = {}
    book = _Book(vocabulary, reading)
    partly: dict[str, list[Row]] = {}
    loose: dict[str, str] = {}
    for row in rows:
        files[row.file] = None
        check = _Check(row, book)
        entry = None if row.fault else check.entry(shared)
        faults += [f"{row.place}: {fault}" for fault in ([row.fault] if row.fault else check.faults)]
        if entry is None:
            continue
        if (before := book.there(row, entry)) is not None:
            entry = before
            partly.setdefault(row.file, []).append(row)
        first, file, line = seen.setdefault(entry.id, (entry, row.file, row.line))
        given = clean_key(row.cells.get("id", ""))
        if first != entry and not given:
            entry = replace(entry, id=make_id(entry, LONG_ID))
            first, file, line = seen.setdefault(entry.id, (entry, row.file, row.line))
        loose |= {entry.id: row.file} if row.line and not given else {}
        if first is entry:
            continue
        both = f"lines {line} and {row.line}" if file == row.file and line else f"{file}:{line} and {row.place}"
        if first != entry:
            where = f"{file}:{line}" if line else file
            faults.append(f"{row.place}: id: {entry.id!r} is {where} with other content; give it its own id")
        elif given or reading.same:
            on_notice(f"{row.file}: {both} are the same row; it counts once, as {entry.id}")
        else:
            faults.append(f"{row.place}: {both} are the same: give ids if they are two events, or say --same")
    if faults:
        raise LedgerError(", ".join(files), faults)
    for name, found in partly.items():
        on_notice(_lacking(name, found))
    return _completed([entry for entry, *_ in seen.values()], loose, book, on_notice)


def _lacking(file: str, rows: Sequence[Row]) -> str:
    """Say that rows of a file which lacks columns are on record with them."""
    lacking = listed([name for name in COLUMNS[rows[0].kind] if name != "id" and name not in rows[0].cells])
    are = "1 row is" if len(rows) == 1 else f"{len(rows):,} rows are"
    return f"{file}: {are} on record with columns that this file lacks ({lacking}); already there"


def _completed(
    entries: Sequence[Entry], loose: Mapping[str, str], book: _Book, on_notice: Callable[[str], object]
) -> list[Entry]:
    """Give rows that say more than rows on record the ids of those; ``loose`` has the files of ids nobody gave."""
    found = complete_rows(entries, loose, lambda: book.recorded)
    for name, many in Counter(loose[key] for key, row in found.items() if book.recorded[row.id] != row).items():
        are = "1 row completes one" if many == 1 else f"{many:,} rows complete as many"
        on_notice(f"{name}: {are} on record, which said less, and none is added; `distinct` marks another event")
    return [found.get(entry.id, entry) for entry in entries]


class _Book:
    """What is looked up for every row."""

    def __init__(self, vocabulary: Vocabulary, reading: Reading) -> None:
        self.vocabulary = vocabulary
        self.reading = reading
        self.states = dict.fromkeys(f"{stage}.{name}" for stage, names in vocabulary.states.items() for name in names)
        self.days: dict[str, dt.date] = {}
        self._contents: dict[tuple[Kind, tuple[str, ...]], dict[tuple[object, ...], Entry | None]] = {}

    @cached_property
    def recorded(self) -> dict[str, Entry]:
        """What is on record, by id; it is read when the first odd row comes."""
        return {entry.id: entry for entry in self.reading.recorded()}

    def there(self, row: Row, entry: Entry) -> Entry | None:
        """Give the one row on record that says what a row without an id says, and more only where its file is silent.

        A column that a file lacks, or has under a name that is not read, says nothing: the row would have another id,
        and count twice.
        """
        if not row.line or clean_key(row.cells.get("id", "")):
            return None
        said = tuple(column for column in COLUMNS[row.kind] if column != "id" and column in row.cells)
        if len(said) + 1 == len(COLUMNS[row.kind]) or entry.id in self.recorded:
            return None
        return self._by_content(row.kind, said).get(_content(entry, said))

    def _by_content(self, kind: Kind, said: tuple[str, ...]) -> Mapping[tuple[object, ...], Entry | None]:
        """Rows on record by what these columns say; None where several say the same."""
        if (kind, said) not in self._contents:
            found: dict[tuple[object, ...], Entry | None] = {}
            for entry in self.recorded.values():
                if kind_of(entry) == kind:
                    content = _content(entry, said)
                    found[content] = None if content in found else entry
            self._contents[kind, said] = found
        return self._contents[kind, said]


def _content(entry: Entry, columns: Sequence[str]) -> tuple[object, ...]:
    return tuple(getattr(entry, "from_" if column == "from" else column) for column in columns)


class _Check:
    """Reads one row and gathers its faults, each beginning with its column."""

    def __init__(self, row: Row, book: _Book) -> None:
        self.row = row
        self.book = book
        self.vocabulary = book.vocabulary
        self.cells = row.cells
        self.faults: list[str] = []

    def entry(self, shared: dict[object, object]) -> Entry | None:
        """Give the entry, or None where there are faults; equal texts of rows are kept once, in ``shared``."""
        odd = self._clean(shared)
        entry = self._read()
        if (odd or self.faults) and (before := self._as_recorded()) is not None:
            self.faults.clear()
            return before
        return entry

    def _clean(self, shared: dict[object, object]) -> bool:
        """Put keys and line ends in their one spelling, and find placeholders; whether anything was odd."""
        cells: dict[str, str] = {}
        for column, text in self.row.cells.items():
            value = clean_key(text) if column in KEYS else text.replace("\r\n", "\n").replace("\r", "\n")
            cells[column] = str(shared.setdefault(value, value)) if column != "id" else value
            if text == FORMULA:
                self._fault(column, UNSOLVED)
                continue
            self._characters(column, text)
            if is_error(value.strip()) or (column != "note" and is_placeholder(value.strip())):
                if column == "indicator" and self.row.kind == "coverage" and value == "*":
                    continue
                self._fault(column, f"{value[:80]!r} stands for nothing; write what is meant, or leave the cell blank")
        self.cells = cells
        if is_mangled(cells.get("id", "")):
            self._fault("id", f"{cells['id']!r} is what a spreadsheet makes of an id; write it as it was, as text")
        return bool(self.faults) or cells != dict(self.row.cells)

    def _as_recorded(self) -> Entry | None:
        """Give the very row that is on record, spelled as it was then."""
        plain = _Check(self.row, self.book)
        entry = plain._read() if self.book.recorded else None
        return entry if entry is not None and self.book.recorded.get(entry.id) == entry else None

    def _read(self) -> Entry | None:
        read = {
            "observation": self._observation, "coverage": self._coverage, "count": self._count,
            "delivery": self._delivery,
        }  # fmt: skip
        entry = read[self.row.kind]()
        return None if self.faults or entry is None else with_id(entry)

    def _observation(self) -> Observation | None:
        indicator, state = self._cell("indicator").strip(), self._cell("state").strip()
        if bool(indicator) == bool(state):
            column = "indicator" if "indicator" in self.cells or not self.row.line else "state"
            found = "both indicator and state are given" if state else "indicator and state are both blank"
            self._fault(column, f"{found}; give one of the two")
        if indicator:
            self._known_indicator(indicator, states=self.book.states)
        if state and state not in self.book.states:
            self._fault("state", f"there is no state {state!r}; {nearest(state, self.book.states)}")
        precision = self._choice("precision", PRECISIONS)
        distinct = self._choice("distinct", {"": False, "yes": True})
        grade = self._choice("grade", {name.lower(): name for name in CREDIBILITY}, "A1 to F6, such as B2")
        date = self._date("date")
        earliest = date.replace(day=1) if date and precision == "month" else date
        reported_on, common, language = self._reported_on(date, earliest), self._common(), self._language()
        if date is None or reported_on is None or grade is None:
            return None
        return Observation(
            indicator=indicator or None, state=state or None, date=date, precision=precision or "day",
            reported_on=reported_on, grade=grade, story=self._cell("story"), distinct=bool(distinct),
            coded_by=self._cell("coded_by"), language=language, **common,
        )  # fmt: skip

    def _coverage(self) -> Coverage | None:
        indicator = self._cell("indicator").strip()
        if indicator != "*":
            self._known_indicator(indicator, "*")
        days, common = self._days(), self._common()
        if days is None:
            return None
        from_, to, reported_on = days
        return Coverage(indicator=indicator, from_=from_, to=to, reported_on=reported_on, **common)

    def _days(self) -> tuple[dt.date, dt.date, dt.date] | None:
        """Read the first and the last day that a row speaks of, and when it became public."""
        from_, to = self._date("from"), self._date("to")
        if from_ and to and from_ > to:
            self._fault("from", f"{from_} is after `to`, {to}; exchange them")
        reported_on = self._reported_on(to, to)
        if from_ is None or to is None or reported_on is None:
            return None
        return from_, to, reported_on

    def _count(self) -> Count | None:
        channel = self._cell("channel").strip()
        known = self.vocabulary.channels
        if channel not in known:
            self._fault("channel", f"there is no channel {channel!r}; {nearest(channel, known)}")
        count, exposure = self._whole("count"), self._exposure()
        days, common = self._days(), self._common()
        if days is None or count is None or exposure is None:
            return None
        from_, to, reported_on = days
        return Count(
            id=common["id"], channel=channel, from_=from_, to=to, count=count, exposure=exposure,
            reported_on=reported_on, source=common["source"], delivery=self._cell("delivery"), note=common["note"],
        )  # fmt: skip

    def _delivery(self) -> Delivery | None:
        texts = {name: self._cell(name).strip() for name in ("feed", "file", "digest")}
        for name, text in texts.items():
            if not text:
                self._fault(name, "is empty; deliveries are written by `forecast feed pull`")
        wholes = {name: self._whole(name) for name in ("read", "kept", "faulty", "repeated")}
        days = self._days()
        numbers = {name: value for name, value in wholes.items() if value is not None}
        if days is None or len(numbers) < len(wholes):
            return None
        from_, to, reported_on = days
        return Delivery(
            id=self._cell("id"), feed=texts["feed"], file=texts["file"], digest=texts["digest"], from_=from_, to=to,
            read=numbers["read"], kept=numbers["kept"], faulty=numbers["faulty"], repeated=numbers["repeated"],
            reported_on=reported_on, note=self._cell("note"),
        )  # fmt: skip

    def _whole(self, column: str) -> int | None:
        text = self._cell(column).strip()
        if not re.fullmatch(r"[0-9]{1,15}", text):
            self._fault(column, f"{text[:80]!r} is no count; give a whole number, 0 or more")
            return None
        return int(text)

    def _exposure(self) -> float | None:
        text = self._cell("exposure").strip()
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        if not 0.0 < value < MOST_EXPOSURE:
            self._fault("exposure", f"{text[:80]!r} is no volume; give a number above 0, such as all events that week")
            return None
        return value

    def _common(self) -> dict[str, str]:
        url = self._cell("url")
        if url and not is_web(url):
            self._fault("url", f"{url[:80]!r} is not a web address; it begins with https:// or http://")
        if not self._cell("source").strip():
            self._fault("source", "is empty; name who reported it")
        return {column: self._cell(column) for column in ("id", "source", "url", "note")}

    def _language(self) -> str:
        text = self._cell("language").strip()
        if text and not LANGUAGE.fullmatch(text):
            remedy = "write one such as en, ru or az-Latn, its first part in lower case, or leave the cell blank"
            self._fault("language", f"{text[:80]!r} is not a language tag; {remedy}")
        return text

    def _cell(self, column: str) -> str:
        return self.cells.get(column, "")

    def _fault(self, column: str, text: str) -> None:
        """Note a fault, the first of its column; that a file lacks the column is said once, of its header."""
        known = any(fault.startswith(f"{column}: ") for fault in self.faults)
        if not known and (column in self.cells or not self.row.line):
            self.faults.append(f"{column}: {text}")

    def _characters(self, column: str, text: str) -> None:
        if len(text) > MAX_TEXT:
            self._fault(column, f"has {len(text):,} characters; at most {MAX_TEXT:,} are kept")
        bad = next((c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\r\n"), None)
        if bad is not None:
            self._fault(column, f"holds the control character U+{ord(bad):04X}; take it out")

    def _known_indicator(self, name: str, *more: str, states: Iterable[str] = ()) -> None:
        allowed = self.vocabulary.indicators
        if name not in allowed:
            self._fault(
                "indicator", f"there is no indicator {name!r}; {theory.suggested(name, allowed, *more, states=states)}"
            )

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
        if text in self.book.days:
            return self.book.days[text]
        found = day_of(text, self.book.reading.dates, _hint(text))
        if isinstance(found, str):
            self._fault(column, found)
            return None
        return self.book.days.setdefault(text, found)

    def _reported_on(self, default: dt.date | None, earliest: dt.date | None) -> dt.date | None:
        if not self._cell("reported_on").strip():
            return default
        date = self._date("reported_on")
        if date and earliest and date < earliest:
            self._fault("reported_on", f"{date} is before {earliest}, when it happened; give the day it became public")
        return date


def _hint(text: str) -> str:
    """Say what else may help with a text that is no date."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
        return "; for a month alone give a best day and precision = month"
    if re.fullmatch(r"[0-9]{1,4}([./-])[0-9]{1,2}\1[0-9]{1,4}\.?", text):
        return "; if all days of a file are written like this, import it with --dates dmy, mdy or ymd"
    return ""
