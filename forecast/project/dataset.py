"""Evidence of one dataset: its rows in the ledger, taken from the starter files on first use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecast import ledger
from forecast.base.errors import LedgerError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from pathlib import Path

    from forecast.ledger.check import Row, Vocabulary
    from forecast.ledger.protocol import Ledger
    from forecast.ledger.records import Added
    from forecast.ledger.rows import Entry

__all__ = ["Dataset", "Snapshot"]


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
        for path in sorted(self.folder.glob("*.csv")):
            rows += ledger.read_rows(path)
        return ledger.check_entries(rows, self.vocabulary())

    def entries(self, as_of: dt.date | None = None) -> tuple[Entry, ...]:
        """Rows in force, as public on ``as_of``."""
        return self.ledger.entries(self.name, as_of=as_of)

    def snapshot(self) -> Snapshot:
        """Rows as they are now."""
        return Snapshot(self.ledger, self.name, self.ledger.watermark(self.name))

    def observe(self, cells: dict[str, str], kind: str) -> Added:
        """Record one row from the text of its ``cells``; ``kind`` is ``observation`` or ``coverage``."""
        row = ledger.Row(file="this row", line=0, kind=kind, cells=cells)  # pyright: ignore[reportArgumentType]
        try:
            entries = ledger.check_entries([row], self.vocabulary())
        except LedgerError as error:  # there is one row, so its faults need not say where
            raise LedgerError(row.file, [fault.removeprefix(f"{row.file}: ") for fault in error.faults]) from None
        return self.ledger.add(self.name, entries, now=self.now)

    def import_rows(self, path: Path) -> Added:
        """Take the rows of a CSV or Excel file into the ledger, all or none."""
        return ledger.import_file(self.ledger, self.name, path, self.vocabulary(), self.now)
