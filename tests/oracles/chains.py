"""What stands on the chain of a ledger that was brought up from an earlier version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.ledger.chained import digest_at
from forecast.ledger.tables import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.ledger.chain import Head
    from forecast.ledger.chained import ChainedStore


def stands(ledger: ChainedStore, head: Head | tuple[int, str]) -> bool:
    """Whether the links up to an earlier head are as they were, and those after it are short parts of reports."""
    links, digest = head
    with ledger.reading() as connection:
        kinds = [link.kind for link in ledger._links(connection)][links:]
        return digest_at(connection, links) == digest and set(kinds) <= {PUBLISHED.name}


def digests(ledger: ChainedStore) -> Sequence[str]:
    """List the digests on the chain."""
    with ledger.reading() as connection:
        return [link.digest for link in ledger._links(connection)]
