"""Tables on a chain: whatever is written is sealed, and whatever is read is checked."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from contextlib import contextmanager, nullcontext
from itertools import batched
from typing import TYPE_CHECKING, Any, Self

import sqlalchemy as sa

from forecast.base.errors import LedgerError
from forecast.ledger.chain import GENESIS, Head, Link, digest_of, text_digest
from forecast.ledger.published import agrees, packed, short_part, unpacked
from forecast.ledger.tables import CHAIN, ISSUED, JUDGED, METADATA, PUBLISHED, RESOLVED, ROWS, TOKENS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from contextlib import AbstractContextManager


BATCH = 10_000  # rows of one statement, so that a large file does not take up memory twice
FEW = 50  # of those that hold a report
KEPT = (ROWS, ISSUED, RESOLVED, JUDGED, TOKENS, PUBLISHED)
LONG = ("content", "packed")  # columns with a text that is read only where it is needed; the chain holds its digest
FOUND = "found"  # the kind of the link that says how many rows there were before there was a chain
DAMAGED = "restore the ledger from a backup; `forecast verify` lists everything that is wrong"


class ChainedStore(ABC):
    """The tables of a ledger, every row of them on one chain; a backend gives it connections.

    What a backend owes: the tables of `forecast.ledger.tables`, guarded against change by the database itself;
    `reading`, `transaction` and `witness`; and `LedgerError` with a remedy for whatever its database raises.

    No index is used: one that is damaged would hide rows. Whatever is read is checked against the chain; a row of
    evidence, which never changes, once in the life of this object and of those that `signed` makes of it.
    """

    where: str  # names the store in messages
    by = ""  # who writes, as every row says
    chained = True  # false for the store of an earlier version that may only be read
    keeps_nul = True  # whether a text may hold a NUL

    @abstractmethod
    def reading(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection to one state of the store; what the database raises becomes `LedgerError`."""

    @abstractmethod
    def transaction(self) -> AbstractContextManager[sa.Connection]:
        """Give a connection inside a write transaction that is committed at the end, or undone by any error.

        Writers take turns, so that a ``seq`` is never seen before a lower one.
        """

    @abstractmethod
    def witness(self, head: Head) -> None:
        """Keep the head of the chain outside the database, where an older copy of it is noticed."""

    @abstractmethod
    def clear_errors(self) -> AbstractContextManager[None]:
        """Turn what the database raises within the block into `LedgerError` or `BusyError` that names this store."""

    def streamed(self, connection: sa.Connection) -> AbstractContextManager[None]:  # noqa: ARG002 - a hook
        """Let many rows be read in the block without holding them all; nothing is written in it."""
        return nullcontext()

    @contextmanager
    def streaming(self) -> Generator[sa.Connection]:
        """Give a connection as `reading` does, on which many rows are read without holding them all."""
        with self.reading() as connection, self.streamed(connection):
            yield connection

    def settle(self, connection: sa.Connection) -> None:  # noqa: B027 - most stores have nothing to do
        """Make ready for the next rows after rows were put in with their numbers."""

    @contextmanager
    def working(self, *, alone: bool = False) -> Generator[sa.Connection]:
        """Give a `transaction` that writes to no table on the chain; others may write meanwhile unless ``alone``."""
        del alone  # whoever writes here is
        with self.transaction() as connection:
            head = head_of(connection)
            yield connection
        self.witness(head)

    def signed(self, by: str) -> Self:
        """Give the same store for ``by``, whom every row that is written through it names."""
        other = copy.copy(self)
        other.by = by
        return other

    @property
    def stamp(self) -> dict[str, str]:
        """Who writes, as the column that says so; nothing where nobody was named."""
        return {"recorded_by": self.by} if self.by else {}

    @contextmanager
    def writing(self) -> Generator[sa.Connection]:
        """Give a `transaction`; what was written in it is put on the chain at its end."""
        with self.transaction() as connection:
            last = self._ends(connection)
            yield connection
            head = self._seal(connection, last)
        self.witness(head)

    def head(self) -> Head:
        """Give the end of the chain."""
        with self.reading() as connection:
            return head_of(connection)

    def before_chain(self) -> int:
        """Give how many rows there were before there was a chain, and were put on it as they were."""
        with self.reading() as connection:
            return next((link.row for link in self._links(connection) if link.kind == FOUND), 0)

    def _checked(
        self, connection: sa.Connection, table: sa.Table, *, long: bool = False, after: Link | None = None
    ) -> Iterator[tuple[Mapping[str, Any], Link | None]]:
        """Read a table in the order of writing; `LedgerError` for the first row not as written.

        Columns with a text that is ``long`` are read only if that is asked, and are for `_text` to check. With the link
        of a row, those ``after`` it are read.

        A row is as written if its link has its digest. The last row is followed by no link. A column that a store of an
        earlier version lacks has no value, and a table no row.
        """
        if table not in self._tables(connection):
            return
        there = connection.execute(sa.select(sa.literal_column("*")).select_from(table).limit(0)).keys()
        columns = [
            column if column.name in there else sa.null().label(column.name)
            for column in table.c
            if long or column.name not in LONG
        ]
        links = self._links(connection, table.name, after) if self.chained else iter(())
        seq = after.row if after else 0
        rows = connection.execute(sa.select(*columns).where(table.c.seq > seq).order_by(table.c.seq))
        names = [column.name for column in columns]
        try:
            for values in rows:
                row: dict[str, Any] = dict(zip(names, values, strict=True))
                seq += 1
                link = next(links, None) if self.chained else None
                if self.chained and (
                    link is None
                    or link.row != row["seq"]
                    or link.digest != digest_of(link.before, table.name, _short(row) if long else row, link.content)
                ):
                    raise self._broken(table, seq)
                yield row, link
        except (ValueError, TypeError) as error:  # what is no date, no text or no number
            raise self._broken(table, seq + 1) from error
        if self.chained and next(links, None) is not None:
            raise self._broken(table, seq + 1)

    @staticmethod
    def _tables(connection: sa.Connection) -> list[sa.Table]:
        """List the tables on the chain; a store of an earlier version lacks some."""
        there = sa.inspect(connection).get_table_names()
        return [table for table in KEPT if table.name in there]

    def checked(self, connection: sa.Connection, table: sa.Table) -> Iterator[Mapping[str, Any]]:
        """Read a table without long texts in the order of writing; `LedgerError` for the first row not as written."""
        return (row for row, _ in self._checked(connection, table))

    def _broken(self, table: sa.Table, seq: int) -> LedgerError:
        return LedgerError(self.where, [f"row {seq} of {table.name} is not what was written; {DAMAGED}"])

    def _text(self, table: sa.Table, row: Mapping[str, Any], link: Link | None) -> str:
        """Give the long text of a row, checked against its digest."""
        try:
            text = unpacked(row.get("content"), row.get("packed"))
        except (ValueError, TypeError) as error:
            raise self._broken(table, row["seq"]) from error
        if link and text_digest(text) != link.content:
            raise self._broken(table, row["seq"])
        return text

    def _long_text(self, connection: sa.Connection, table: sa.Table, seq: int, link: Link | None) -> str:
        """Read the long text of one row, checked against its digest."""
        query = sa.select(sa.literal_column("*")).select_from(table).where(table.c.seq == seq)  # an older one has fewer
        found = connection.execute(query).mappings().first() or {}
        return self._text(table, {"seq": seq, **{name: found.get(name) for name in LONG}}, link)

    def publish(self, connection: sa.Connection) -> None:
        """Keep the short part of every report beside it that has none yet."""
        lasts = _lasts(connection)
        last = lasts[PUBLISHED.name]
        if last == lasts[ISSUED.name]:
            return
        for row, link in self._checked(connection, ISSUED):
            if row["seq"] > last:
                text = short_part(self._long_text(connection, ISSUED, row["seq"], link))
                connection.execute(sa.insert(PUBLISHED).values(seq=row["seq"], packed=packed(text)))

    def publish_earlier(self, connection: sa.Connection) -> Head:
        """Do so for the reports of an earlier version, and put it on the chain, after what is there."""
        last = self._ends(connection)
        self.publish(connection)
        return self._seal(connection, last)

    def _links(self, connection: sa.Connection, kind: str | None = None, after: Link | None = None) -> Iterator[Link]:
        """Read the chain, or its links of one kind, or those ``after`` one."""
        last = after.seq if after else 0
        earlier = CHAIN.alias()
        columns = (CHAIN.c[name] for name in Link._fields[:-1])
        query = sa.select(*columns, sa.func.coalesce(earlier.c.digest, GENESIS).label("before"))
        query = query.select_from(CHAIN.outerjoin(earlier, earlier.c.seq == CHAIN.c.seq - 1))
        query = query.where(CHAIN.c.seq > last).order_by(CHAIN.c.seq)
        return map(Link._make, connection.execute(query if kind is None else query.where(CHAIN.c.kind == kind)))

    def _ends(self, connection: sa.Connection) -> dict[str, int]:
        """Give the last ``seq`` of each table; `LedgerError` if something else than this program has written."""
        *counts, links = connection.execute(_COUNTS).one()
        if sum(counts) != links:
            fault = (
                f"holds {sum(counts):,} rows, but its chain has {links:,}: another program wrote or deleted some; "
                f"{DAMAGED}"
            )
            raise LedgerError(self.where, [fault])
        return _lasts(connection)

    def _seal(self, connection: sa.Connection, last: dict[str, int]) -> Head:
        """Put the rows after the ``last`` of each table on the chain, and give its end."""
        head, now = head_of(connection), _lasts(connection)
        for table in (table for table in KEPT if now[table.name] > last[table.name]):
            rows = connection.execute(
                sa.select(table).where(table.c.seq > last[table.name]).order_by(table.c.seq)
            ).mappings()
            for part in batched(rows, batch_of(table)):
                links: list[dict[str, object]] = []
                for row in part:
                    text = unpacked(row.get("content"), row["packed"]) if "packed" in row else None
                    content, short = "" if text is None else text_digest(text), _short(row)
                    head = Head(head.links + 1, digest_of(head.digest, table.name, short, content))
                    links.append({"kind": table.name, "row": row["seq"], "content": content, "digest": head.digest})
                connection.execute(sa.insert(CHAIN), links)
        return head

    def begin_chain(self, connection: sa.Connection) -> Head:
        """Put the rows of a store that had no chain on one, as they are, and say on it how many they were."""
        head = self._seal(connection, dict.fromkeys((table.name for table in KEPT), 0))
        if head.links:
            values = {"kind": FOUND, "row": head.links, "content": ""}
            head = Head(head.links + 1, digest_of(head.digest, FOUND, {"row": head.links}, ""))
            connection.execute(sa.insert(CHAIN).values({**values, "digest": head.digest}))
        return head

    def chain_faults(self, connection: sa.Connection, *, quick: bool) -> Iterator[str]:
        """List what is not as written: links, rows, gaps; and long texts unless it has to be ``quick``."""
        counts = dict.fromkeys((table.name for table in KEPT), 0)
        for number, link in enumerate(self._links(connection), 1):
            if link.kind == FOUND:
                good = link.row == link.seq - 1 and link.digest == digest_of(link.before, FOUND, {"row": link.row}, "")
            else:
                counts[link.kind] = counts.get(link.kind, 0) + 1
                good = link.row == counts[link.kind] and link.kind in METADATA.tables
            if link.seq != number or not good:
                yield f"link {number} of the chain is not what was written; {DAMAGED}"
                return
        there = self._tables(connection)
        for table in KEPT:
            if counts[table.name] and table not in there:
                yield f"lacks its table {table.name}; {DAMAGED}"
        for table in there:
            try:
                for row, link in self._checked(connection, table):
                    if link and link.content and not quick:
                        self._check_text(connection, table, row["seq"], link)
            except LedgerError as error:
                yield from error.faults

    def _check_text(self, connection: sa.Connection, table: sa.Table, seq: int, link: Link) -> None:
        """Make sure that a long text is as written, and that a short part says what its report says."""
        text = self._long_text(connection, table, seq, link)
        if table is PUBLISHED:
            try:
                content = self._long_text(connection, ISSUED, seq, None)
            except LedgerError:  # a fault of its own
                return
            if not agrees(text, content):
                raise self._broken(table, seq)


def batch_of(table: sa.Table) -> int:
    """Say how many rows of a table go into one statement."""
    return FEW if "packed" in table.c else BATCH


def _short(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Give a row without its long text, as its digest has it."""
    return {name: value for name, value in row.items() if name not in LONG}


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[int]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


_COUNTS = sa.select(*map(_count, KEPT), _count(CHAIN, CHAIN.c.kind != FOUND))
_LASTS = sa.select(*(sa.select(sa.func.max(table.c.seq)).scalar_subquery().label(table.name) for table in KEPT))


def _lasts(connection: sa.Connection) -> dict[str, int]:
    """Give the last ``seq`` of each table, 0 where there is no row."""
    return {name: last or 0 for name, last in connection.execute(_LASTS).mappings().one().items()}


def head_of(connection: sa.Connection) -> Head:
    """Give the end of the chain."""
    row = connection.execute(sa.select(CHAIN.c.seq, CHAIN.c.digest).order_by(CHAIN.c.seq.desc()).limit(1)).first()
    return Head(row.seq, row.digest) if row else Head()


def digest_at(connection: sa.Connection, links: int) -> str | None:
    """Give the digest that covers so many links; None if there are fewer."""
    if links == 0:
        return GENESIS
    return connection.execute(sa.select(CHAIN.c.digest).where(CHAIN.c.seq == links)).scalar()
