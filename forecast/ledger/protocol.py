"""What a ledger does, whatever keeps it: append-only rows and an archive, replayed as of a day and a watermark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from forecast.ledger.chain import Head
    from forecast.ledger.issued import Added, Issue, Issued, LogRecord, Resolution
    from forecast.ledger.jobs import Jobs
    from forecast.ledger.judgements import Judgements
    from forecast.ledger.rows import Entry
    from forecast.ledger.tokens import Tokens


class Ledger(Protocol):
    """Rows of evidence, issued forecasts and answers; nothing is ever changed or deleted.

    ``seq`` grows with every row of a table. What a method has returned is safe; writers take turns. Every method raises
    `LedgerError` when the store cannot be used, and `BusyError` when others write for too long. The contract is the
    test suite ``tests/ledger/contract.py``, which takes any implementation. ``where`` names the store in messages.
    """

    where: str

    @property
    def judgements(self) -> Judgements:
        """Analysts' own forecasts."""
        ...

    @property
    def tokens(self) -> Tokens:
        """Who may do what through a service."""
        ...

    @property
    def jobs(self) -> Jobs:
        """Runs that were asked for; nothing rests on them, so that they alone are changed."""
        ...

    def signed(self, by: str) -> Self:
        """Give the same ledger for ``by``, whom every row that is written through it names."""
        ...

    def add(self, dataset: str, entries: Sequence[Entry], *, now: dt.datetime) -> Added:
        """Record entries, all or none; an entry without an id gets `make_id`'s.

        An id whose content is as recorded is left alone, other content supersedes. ``now`` is in UTC. Raises
        `InputError` for two entries with one id and different content.
        """
        ...

    def seed_once(self, dataset: str, read: Callable[[], Sequence[Entry]], *, now: dt.datetime) -> Added:
        """Record what ``read`` gives if ``dataset`` has no row at all; of several processes one does it."""
        ...

    def retract(
        self, dataset: str, row_id: str, *, reason: str, now: dt.datetime, reported_on: dt.date | None = None
    ) -> None:
        """Withdraw the row ``row_id``: as if it had never been, or from ``reported_on``, when it was known to be false.

        Raises `InputError` for an unknown id, one that is retracted already, no reason and a date to come.
        """
        ...

    def entries(self, dataset: str, *, as_of: dt.date | None = None, watermark: int | None = None) -> tuple[Entry, ...]:
        """Give the entries in force, as public on ``as_of`` and as recorded up to ``watermark``.

        They come by date, of one day in the order in which they were reported and then first recorded.
        """
        ...

    def watermark(self, dataset: str) -> int:
        """Give the ``seq`` of the dataset's last row; 0 when it has none."""
        ...

    def log(self, dataset: str, limit: int = 20) -> tuple[LogRecord, ...]:
        """List the last ``limit`` rows written, newest first."""
        ...

    def head(self) -> Head:
        """Give the end of the chain over all rows: how many links it has, and the digest that covers them."""
        ...

    def before_chain(self) -> int:
        """Give how many rows there were before there was a chain, and were put on it as they were."""
        ...

    def verify(self, *, quick: bool = False) -> tuple[str, ...]:
        """List what is wrong with the store: guards, chain, and by what is known of it outside; nothing if sound.

        What is read by the other methods is checked as well; this looks at everything, and a ``quick`` one leaves out
        what takes time.
        """
        ...

    def backup(self, target: Path) -> None:
        """Copy the whole store to a file that is not there yet, while others may read and write."""
        ...

    def archive(self, issued: Issued) -> Issued:
        """Keep an issued forecast for good and give it back with its ``seq``."""
        ...

    def latest_forecast(self, model: str | None = None) -> Issued | None:
        """Give the forecast of ``model`` (of any, without one) that was issued last, or None."""
        ...

    def forecasts(self, model: str | None = None) -> tuple[Issued, ...]:
        """Give every issued forecast of ``model`` (of all, without one) in the order of issue."""
        ...

    def forecast(self, seq: int) -> Issued | None:
        """Give the issued forecast with this number, or None."""
        ...

    def headings(self, model: str | None = None, since_seq: int = 0) -> tuple[Issue, ...]:
        """Give the issued forecasts of ``model`` (of all, without one) after a number, without their reports.

        The short part of a report is read when it is asked for; it is `LedgerError` then if it is not as written.
        """
        ...

    def resolve(self, answers: Iterable[Resolution]) -> tuple[Resolution, ...]:
        """Record answers, all or none, and give those that were new or changed with their ``seq``.

        An earlier answer to the same question stays and is superseded. A rule never supersedes an analyst, nor what was
        known on a later day.
        """
        ...

    def resolutions(self, model: str | None = None) -> tuple[Resolution, ...]:
        """Give the answer in force to every question of ``model`` (of all, without one), in the order of recording."""
        ...
