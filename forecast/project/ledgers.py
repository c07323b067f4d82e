"""Where the ledger of a project is, which only this module decides: a file in its folder, or a PostgreSQL database.

The variable FORECAST_LEDGER names the address of a database; without it the key ``ledger`` of the project file does,
and without either the ledger is the file ``data/ledger.db``.
"""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from forecast import ledger
from forecast.base.errors import InputError
from forecast.project.project_file import PROJECT_FILE, read_project_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from forecast.ledger.address import Address
    from forecast.ledger.copying import Copied
    from forecast.ledger.postgres import PostgresLedger, Served
    from forecast.ledger.sqlite import SqliteLedger


VARIABLE = "FORECAST_LEDGER"
FILE = Path("data") / "ledger.db"
KEPT = Path("data") / "ledger"  # beside it stands, as ledger.head, what is known of a ledger that is no file


class LedgerPlace(NamedTuple):
    """Where a ledger is: in a ``file``, or at an ``address``; then ``kept`` is where its head is known."""

    file: Path
    address: Address | None = None
    kept: Path | None = None

    @property
    def name(self) -> str:
        """The place as messages name it, without a password."""
        return self.address.name if self.address else str(self.file)

    def begun(self) -> bool:
        """Whether there is a ledger; `LedgerError` if a server does not tell."""
        if self.address:
            return ledger.PostgresLedger(self.address).begun()
        return self.file.exists() and self.file.stat().st_size > 0

    def served(self) -> Served | None:
        """How it is served, if it is no file."""
        return ledger.PostgresLedger(self.address).served() if self.address else None

    def size(self) -> int:
        """How many bytes the ledger takes up."""
        if self.address:
            return ledger.PostgresLedger(self.address).size()
        return self.file.stat().st_size

    def open(self) -> SqliteLedger | PostgresLedger:
        """Open the ledger; it is made if there is none, and brought up to date."""
        if self.address:
            return ledger.PostgresLedger.open(self.address, self.kept)
        return ledger.SqliteLedger.open(self.file)

    def as_it_is(self) -> SqliteLedger | PostgresLedger:
        """Point at the ledger, which is neither made nor brought up to date."""
        if self.address:
            return ledger.PostgresLedger(self.address, self.kept)
        return ledger.SqliteLedger(self.file)

    def run_lock(self) -> AbstractContextManager[None]:
        """Keep runs on other machines away while the block runs; `BusyError` at once if there is one.

        A file is used by one machine, whose runs take turns by the lock in the folder of reports.
        """
        return ledger.PostgresLedger(self.address).run_lock() if self.address else nullcontext()

    def missing(self, report: str) -> str:
        """Say what is wrong where there is no ledger, but a ``report`` was issued from one."""
        if self.address:
            return (
                f"holds no ledger, but {report} was issued from one; correct the address, copy the ledger there with "
                "`forecast ledger copy`, or move reports away"
            )
        word = "is empty" if self.file.exists() else "is missing"
        return f"{word}, but {report} was issued from it; restore it from a backup, or move reports away"


def ledger_place(root: Path) -> LedgerPlace:
    """Say where the ledger of the project at ``root`` is.

    Raises
    ------
    InputError
        If the address that is given is none, or the project file cannot be read.

    """
    file = root / FILE
    if given := os.environ.get(VARIABLE):
        return LedgerPlace(file, ledger.read_address(given, f"the variable {VARIABLE}"), root / KEPT)
    if given := read_project_file(root).ledger:
        return LedgerPlace(file, ledger.read_address(given, f"{root / PROJECT_FILE}: ledger"), root / KEPT)
    return LedgerPlace(file)


def copy_ledger(source: str, target: str) -> Copied:
    """Copy a ledger, named by its file or its address, into an empty one; see `forecast.ledger.copying.copy_ledger`.

    Raises
    ------
    InputError
        If there is no ledger at ``source``, or one with rows at ``target``.
    LedgerError
        If either cannot be used, or is not sound.

    """
    places = [_named(text) for text in (source, target)]
    if not places[0].begun():
        msg = f"{places[0].name}: there is no ledger to copy; correct the path or the address"
        raise InputError(msg)
    return ledger.copy_ledger(places[0].open(), places[1].open())


def _named(text: str) -> LedgerPlace:
    if ledger.is_address(text):
        return LedgerPlace(Path(), ledger.read_address(text, "the ledger to copy"))
    return LedgerPlace(Path(text).absolute())


def grant(root: Path, role: str) -> str:
    """Let a role of the server use the project's ledger as a program must: to read and add; gives the ledger's name.

    Raises
    ------
    InputError
        If the ledger is a file, or the role could change rows.
    LedgerError
        If you may not give rights.

    """
    store = ledger_place(root).open()
    if isinstance(store, ledger.SqliteLedger):
        msg = f"{store.where}: is a file, to which the system gives rights (chmod); roles are those of PostgreSQL"
        raise InputError(msg)
    store.grant(role)
    return store.where
