"""What is PostgreSQL's own: the contract of a ledger is kept in a schema, guarded twice, and refused in words."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar

import pytest
from contract import LedgerContract
from databases import address, address_in, drop
from needs import NAMED

from forecast.ledger.postgres import PostgresLedger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from forecast.ledger.protocol import Ledger

OPENING = """
import hashlib
from forecast.ledger.address import read_address
from forecast.ledger.postgres import PostgresLedger
schema = "test_" + hashlib.sha256(str(place).encode()).hexdigest()[:16]
base = os.environ["FORECAST_TEST_POSTGRES"]
ledger = PostgresLedger.open(read_address(base + ("&" if "?" in base else "?") + "schema=" + schema, "test"))
"""


MADE: set[str] = set()


@pytest.fixture(scope="module", autouse=True)
def server() -> Iterator[None]:
    """Name the server for other processes, and leave no schema there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(NAMED, address())
        yield
        drop(MADE)


class TestPostgres(LedgerContract):
    """PostgreSQL keeps the contract."""

    OPENING: ClassVar[str] = OPENING

    def open(self, place: Path) -> Ledger:
        """Open the schema that belongs to a folder."""
        schema = "test_" + hashlib.sha256(str(place).encode()).hexdigest()[:16]
        MADE.add(schema)
        return PostgresLedger.open(address_in(schema))
