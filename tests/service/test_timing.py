"""A wrong token is refused in the same time whatever is wrong with it, so that nobody learns an id from a clock."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING

from service_scenes import NOW

if TYPE_CHECKING:
    from service_scenes import Served

ROUNDS, CALLS = 400, 25  # rounds in which every kind is asked in a random order, and calls of each in a row
MOST = 1.35  # how many times as long one kind may take as another, in the middle; a kind without a digest takes 0.4


def test_a_wrong_token_takes_as_long_whatever_is_wrong(team: Served) -> None:
    """An id that is none, a wrong secret, one wrong at its end, a revoked one, and one that is good."""
    tokens = team.desk.project.ledger.tokens
    made, good = tokens.make("Ada", "write", NOW)
    gone, revoked = tokens.make("Bob", "write", NOW)
    tokens.revoke(gone.id, NOW)
    secret = good.split("_", 2)[2]
    other = secret[::-1] if secret[::-1] != secret else "x" * len(secret)
    kinds = {
        "unknown id": f"fc_00000000_{secret}",
        "wrong secret": f"fc_{made.id}_{other}",
        "wrong at its end": f"fc_{made.id}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        "revoked": revoked,
        "good": good,
    }
    book = tokens.book()
    assert {name: book.find(text) is not None for name, text in kinds.items() if name != "good"} == dict.fromkeys(
        kinds.keys() - {"good"}, False
    )
    assert book.find(good) is not None
    spent: dict[str, list[int]] = {name: [] for name in kinds}
    rng = random.Random(20260108)  # noqa: S311
    for _ in range(ROUNDS):
        order = list(kinds)
        rng.shuffle(order)
        for name in order:
            text = kinds[name]
            began = time.perf_counter_ns()
            for _ in range(CALLS):
                book.find(text)
            spent[name].append(time.perf_counter_ns() - began)
    for middle in (statistics.median, lambda times: statistics.quantiles(times, n=10)[0]):
        found = {name: middle(times) for name, times in spent.items()}
        assert max(found.values()) < MOST * min(found.values()), found
