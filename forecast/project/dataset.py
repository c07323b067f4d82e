"""Evidence of one dataset: its rows in the ledger, taken from the starter files on first use."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from forecast import ledger
from forecast.base.errors import InputError, LedgerError, nearest_row

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from forecast.ledger.check import Row, Vocabulary
    from forecast.ledger.issued import Added
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.rows import Entry


@dataclass(frozen=True)
class Snapshot:
    """Rows of a dataset as they were in the ledger at a watermark, whatever has been written since."""

    ledger: Ledger
    dataset: str
    watermark: int

    def as_of(self, day: dt.date, watermark: int | None = None) -> tuple[Entry, ...]:
        """Rows in force that were public on a day; those of an earlier ``watermark`` if one is given."""
        return self.ledger.entries(
            self.dataset, as_of=day, watermark=self.watermark if watermark is None else watermark
        )


@dataclass(frozen=True)
class Dataset:
    """Rows of one dataset; ``folder`` holds its starter files, ``vocabulary()`` what rows may name."""

    ledger: Ledger
    name: str
    folder: Path
    vocabulary: Callable[[], Vocabulary]
    now: dt.datetime

    @property
    def fits(self) -> Path:
        """Folder of the fits of the dataset's models."""
        return self.folder / "fits"

    def seed(self) -> None:
        """Take the starter files into the ledger, once."""
        self.ledger.seed_once(self.name, self._starter_rows, now=self.now)

    def _starter_rows(self) -> list[Entry]:
        rows: list[Row] = []
        for path in self._starter_files():
            rows += ledger.read_rows(path)
        return ledger.check_entries(rows, self.vocabulary())

    def _starter_files(self) -> list[Path]:
        return [path for path in sorted(self.folder.glob("*.csv")) if path.name != ledger.HISTORY_FILE]

    def entries(self, as_of: dt.date | None = None) -> tuple[Entry, ...]:
        """Rows in force, as public on ``as_of``."""
        return self.ledger.entries(self.name, as_of=as_of)

    def snapshot(self) -> Snapshot:
        """Rows as they are now."""
        return Snapshot(self.ledger, self.name, self.ledger.watermark(self.name))

    def observe(self, cells: dict[str, str], kind: str) -> Added:
        """Record one row from the text of its ``cells``; ``kind`` is ``observation`` or ``coverage``.

        A row with an id corrects that row. `InputError` if there is none, for then it would be evidence beside it.
        """
        row = ledger.Row(file="this row", line=0, kind=kind, cells=cells)  # pyright: ignore[reportArgumentType]
        reading = ledger.Reading(recorded=self.entries)
        try:
            entries = ledger.check_entries([row], self.vocabulary(), reading)
        except LedgerError as error:  # there is one row, so its faults need not say where
            raise LedgerError(row.file, [fault.removeprefix(f"{row.file}: ") for fault in error.faults]) from None
        if cells.get("id", ""):
            self._require_recorded(entries[0].id)
        return self.ledger.add(self.name, entries, now=self.now)

    def _require_recorded(self, row_id: str) -> None:
        known = [entry.id for entry in self.entries()]
        if row_id not in known and all(row.id != row_id for row in self.ledger.log(self.name, sys.maxsize)):
            msg = (
                f"there is no row {row_id!r} in {self.name!r} to correct; {nearest_row(row_id, known)} Without an id"
                " the row is a new one; `forecast import` takes new rows with ids of their own"
            )
            raise InputError(msg)

    def import_rows(
        self, path: Path, *, sheet: str | None = None, dates: str | None = None, same: bool = False
    ) -> Added:
        """Take the rows of a CSV or Excel file into the ledger, all or none: see `ledger.files.import_file`.

        ``sheet`` names a sheet of a workbook; ``dates`` is the order ("dmy", "mdy", "ymd") of days that are not written
        YYYY-MM-DD; with ``same``, equal rows are one row.
        """
        vocabulary = self.vocabulary()
        return ledger.import_file(
            self.ledger, self.name, path, vocabulary, self.now, sheet=sheet, dates=dates, same=same
        )

    def starter_notices(self) -> tuple[str, ...]:
        """Say which starter files hold rows that the ledger never took in: they were edited after the first use."""
        found: list[str] = []
        for path in self._starter_files():
            try:
                rows = ledger.read_rows(path)
                fault = next((f"line {row.line}: {row.fault}" for row in rows if row.fault), "")
            except LedgerError as error:
                rows, (fault, *_) = (), error.faults
            if fault:
                found.append(f"{path} cannot be read any more, and the ledger is used as it is: {fault}")
                continue
            differing = sum(not self._was_taken(row) for row in rows)
            if differing:
                which = "1 row that differs" if differing == 1 else f"{differing:,} rows that differ"
                found.append(
                    f"{path} was edited after its first use and has {which} from the ledger, which is what counts;"
                    f" `forecast import {path}` takes it in"
                )
        return tuple(found)

    def _was_taken(self, row: Row) -> bool:
        """Whether the ledger has, or ever had, a row as it stands in a file."""
        recorded = self._in_force.get(row.cells.get("id", ""))
        if recorded and _filled(row.cells) == _filled(ledger.cells_of(recorded)):
            return True  # without a look at what the models' rows may name
        try:
            (entry,) = ledger.check_entries([row], self._vocabulary, ledger.Reading(recorded=self._in_force.values))
        except LedgerError:
            return row.cells.get("id", "") in self._log
        if self._in_force.get(entry.id) == entry:
            return True
        versions = self._log.get(entry.id, ())
        return any(entry in self.ledger.entries(self.name, watermark=seq) for seq in versions)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return self.vocabulary()

    @cached_property
    def _in_force(self) -> dict[str, Entry]:
        return {entry.id: entry for entry in self.entries()}

    @cached_property
    def _log(self) -> dict[str, list[int]]:
        """Where each id was written."""
        found: dict[str, list[int]] = defaultdict(list)
        for row in self.ledger.log(self.name, sys.maxsize):
            found[row.id].append(row.seq)
        return found


def _filled(cells: Mapping[str, str | dt.date]) -> dict[str, str]:
    """Give the cells that are not blank; a file may lack columns that a row can have."""
    return {name: str(cell) for name, cell in cells.items() if cell}
