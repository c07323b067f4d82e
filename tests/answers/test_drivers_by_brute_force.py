"""Drivers: shares equal to every order tried one by one, and sampled ones within their errors."""

from __future__ import annotations

import dataclasses
import itertools
import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np
import oracle
import pytest
from accounts import DAY, EARLY, LATE, MANY, account, known, odds, plain, w
from oracle import derived
from worlds import draws_of, small_world, values_of

from forecast.answers import drivers as drivers_module
from forecast.engine.blocks import Draws
from forecast.inference.anchor import Anchor
from forecast.ledger.rows import Coverage, Observation

if TYPE_CHECKING:
    from forecast.answers.drivers import Drivers
    from forecast.ledger.rows import Entry


# Shares by brute force, from the oracle's forecasts.


class Player(NamedTuple):
    """What came in, as the test knows it: the rows, whether it puts or takes them, and which kind it is."""

    kind: str
    put: tuple[Entry, ...] = ()
    take: frozenset[str] = frozenset()


class Case:
    """Two ends of a small random world that differ in a few players, at fixed parameters."""

    def __init__(self, seed: int) -> None:
        """Take rows of a world apart: earlier and later ones, some withdrawn and some corrected since."""
        self.world = small_world(seed)
        self.spec = self.world.spec
        rng = np.random.default_rng(seed)
        self.now = self.world.as_of
        self.then = self.now - int(rng.integers(0, 5 if seed % 4 else 1)) * DAY
        rows = [row for row in (*self.world.rows, *self.world.coverage) if row.reported_on <= self.now]
        late = [row for row in rows if row.reported_on > self.then]
        early = [row for row in rows if row.reported_on <= self.then]
        while len({self.group(row) for row in late}) < 2 and early:
            late.append(early.pop(int(rng.integers(len(early)))))
            late[-1] = dataclasses.replace(late[-1], reported_on=self.now)
        self.players: list[Player] = []
        groups: dict[tuple[str, str], list[Entry]] = {}
        for row in late:
            if self.knows(row):
                groups.setdefault(self.group(row), []).append(row)
        for group in groups.values():
            kind = "coverage" if isinstance(group[0], Coverage) else "story"
            self.players.append(Player(kind, tuple(group)))
        used: set[tuple[str, str]] = set()
        for kind in ("retraction", "correction"):
            free = [row for row in early if self.knows(row) and self.group(row) not in used]
            if free and rng.random() < 0.7:
                row = free[int(rng.integers(len(free)))]
                used.add(self.group(row))
                put = (self.corrected(row),) if kind == "correction" else ()
                self.players.append(Player(kind, put, frozenset({row.id})))
        if self.now != self.then:
            self.players.append(Player("time"))
        self.early = early
        self.late = self.rows_of(frozenset(range(len(self.players))))
        self.late += [row for row in late if not self.knows(row)]
        self.outcome = list(self.spec.outcomes)[seed % 3]
        self.date = self.now + 7 * DAY * (1 + seed % 2)

    def knows(self, row: Entry) -> bool:
        """Whether the model knows what a row names."""
        if isinstance(row, Coverage):
            return row.indicator in ("*", *self.spec.indicators)
        return row.indicator in self.spec.indicators or row.state in self.world.space.stage_states

    @staticmethod
    def group(row: Entry) -> tuple[str, str]:
        """Say what a row tells of."""
        if isinstance(row, Coverage) or row.distinct or not row.story:
            return "row", row.id
        return "story", row.story

    def corrected(self, row: Entry) -> Entry:
        """Give another version of a row, told as of now."""
        if isinstance(row, Coverage):
            return dataclasses.replace(row, to=row.to + 2 * DAY, reported_on=self.now)
        other = "D4" if row.grade == "A1" else "A1"
        date = max(row.date - 3 * DAY, self.spec.model.start)
        return dataclasses.replace(row, grade=other, date=date, reported_on=self.now)

    def rows_of(self, chosen: frozenset[int]) -> list[Entry]:
        """Give the rows of a set of players."""
        taken = frozenset[str]().union(*(self.players[k].take for k in chosen))
        rows = [row for row in self.early if row.id not in taken]
        return rows + [row for k in sorted(chosen) for row in self.players[k].put]

    def ahead(self, chosen: frozenset[int], p: oracle.Parameters) -> oracle.Ahead:
        """Let the oracle forecast under a set: without time, what came in later is supposed on the day of then."""
        observed = [row for row in self.rows_of(chosen) if isinstance(row, Observation)]
        coverage = [row for row in self.rows_of(chosen) if isinstance(row, Coverage)]
        late = {row.id for k in chosen for row in self.players[k].put}
        passed = self.then == self.now or any(self.players[k].kind == "time" for k in chosen)
        if passed:
            rest = (observed, coverage, self.now, w)
            return oracle.forecast_supposed(self.spec, p, *rest, [], {}, self.date)
        coverage = [dataclasses.replace(row, reported_on=self.then) if row.id in late else row for row in coverage]
        told = [row for row in observed if row.id not in late]
        supposed = [row for row in observed if row.id in late]
        whole = self.now + DAY * (-oracle.elapsed_days(self.spec, self.now) % 7)  # so that rows do not cut steps
        rest = (told, coverage, self.then, w)
        return oracle.forecast_supposed(self.spec, p, *rest, supposed, {"nothing": whole}, self.date)

    def worth(self, chosen: frozenset[int]) -> np.ndarray:
        """(U,) the outcome and every state of every stage, averaged over two draws by likelihood."""
        both = [self.ahead(chosen, p) for p in self.world.parameters]
        levels = np.array([one.log_likelihood for one in both])
        if levels.max() == -np.inf:
            pytest.skip("a set of rows is impossible")
        weights = np.exp(levels - levels.max())
        names = [dict(self.spec.outcomes[self.outcome].states)]
        names += [{stage: (state,)} for stage, row in self.spec.stages.items() for state in row.states]
        each = [
            [one.at(states) for states in names] if one.log_likelihood > -np.inf else [0.0] * len(names) for one in both
        ]
        return weights @ np.array(each) / weights.sum()

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """(players, U) and (players,) the average over every order of what each adds, and the same of log-odds."""
        worth = cache(self.worth)
        count = len(self.players)
        total, logs = np.zeros((count, 1 + len(self.world.space.stage_states))), np.zeros(count)
        for order in itertools.permutations(range(count)):
            here = frozenset[int]()
            for k in order:
                added = here | {k}
                total[k] += worth(added) - worth(here)
                logs[k] += odds(worth(added)[0]) - odds(worth(here)[0])
                here = added
        return total / math.factorial(count), logs / math.factorial(count)

    def found(self) -> Drivers:
        """Let the engine account, by a hundred copies of each of the two draws."""
        turns = np.arange(200) % 2
        draws = Draws(*(part[turns] for part in self.world.draws))
        anchor = Anchor(self.world.space, "prior", lambda: draws)
        then, now = known(anchor, self.early, self.then), known(anchor, self.late, self.now)
        weeks = (self.date - self.now).days // 7
        return account(then, now, outcome=self.outcome, weeks=weeks)


@pytest.mark.parametrize("seed", range(24))
def test_shares_are_those_of_every_order(seed: int) -> None:
    """Exact shares, of every stage too, equal the average over all orders of the oracle's forecasts."""
    case = Case(seed)
    assert len(case.players) >= 2
    if len(case.players) > 6:
        case.players = case.players[:3] + case.players[-2:]
        case.late = case.rows_of(frozenset(range(5)))
    with np.errstate(divide="ignore"):
        shares, logs = case.shares()
    found = case.found()
    assert found.permutations == 0
    by_name = {(row.kind, frozenset(row.rows)): row for row in found.moved}
    assert len(by_name) == len(case.players)
    for player, share, log in zip(case.players, shares, logs, strict=True):
        ids = frozenset(row.id for row in player.put) or player.take
        row = by_name[player.kind, ids]
        assert row.difference == pytest.approx(share[0], abs=1e-9)
        assert row.log_odds == pytest.approx(log, abs=1e-7)
        assert list(row.stages.values()) == pytest.approx(share[1:].tolist(), abs=1e-9)
        assert list(row.stages) == list(case.world.space.stage_states)


def test_the_worlds_hold_players_of_every_kind() -> None:
    """What was compared by brute force has players of every kind, and ends of one day too."""
    cases = [Case(seed) for seed in range(24)]
    kinds = [{player.kind for player in case.players} for case in cases]
    for kind in ("story", "coverage", "correction", "retraction", "time"):
        assert sum(kind in one for one in kinds) >= 5, kind
    assert sum("time" not in one for one in kinds) >= 3


# Sampled permutations.


def fixed(seed: int = 5) -> Anchor:
    """Give one draw of the model in sight, many times: all that is left of errors is that of permutations."""
    draws = draws_of(plain(), [derived(plain().spec, values_of(plain().spec, 1, seed)[0])] * 60)
    return Anchor(plain(), "prior", lambda: draws)


@pytest.mark.parametrize("extra", [3, 4])
def test_sampled_shares_are_within_their_errors(extra: int) -> None:
    """Each share differs from the exact one by what its Monte Carlo error allows, neither more nor far less."""
    anchor = fixed()
    then, now = known(anchor, EARLY, 20), known(anchor, EARLY + LATE + MANY[:extra], 36)
    sampled = account(then, now)
    with mock.patch.object(drivers_module, "EXACT", 12):
        exact = account(then, now)
    assert exact.permutations == 0
    assert sampled.permutations > 0
    assert len(exact.moved) == len(sampled.moved) == 6 + extra
    right = {(row.kind, row.rows): row for row in exact.moved}
    scores: list[float] = []
    for row in sampled.moved:
        other = right[row.kind, row.rows]
        assert other.mcse < 1e-12
        if row.rows == ("l2",):  # counted as another row of its story
            assert max(row.mcse, abs(row.difference)) < 1e-12
            continue
        scores += [(row.difference - other.difference) / row.mcse]
        scores += [(row.log_odds - other.log_odds) / row.log_odds_mcse]
        for name, value in row.stages.items():
            assert value == pytest.approx(other.stages[name], abs=0.05)
    assert max(map(abs, scores)) < 4
    assert 0.3 < np.sqrt(np.square(scores).mean()) < 2


@pytest.mark.slow
def test_errors_are_as_large_as_the_scatter() -> None:
    """Over many sets of draws each share scatters as its stated error says, whether the ends share draws or not."""
    late = (*EARLY, LATE[0], LATE[2])
    sets, size = 30, 120
    pool = draws_of(plain(), [derived(plain().spec, one) for one in values_of(plain().spec, sets * size, 99)])
    parts = [Draws(*(part[k * size : (k + 1) * size] for part in pool)) for k in range(sets)]
    anchors = [Anchor(plain(), f"fit {k}", lambda draws=draws: draws) for k, draws in enumerate(parts)]
    for apart in (False, True):
        rows = [account(known(anchors[k - apart], EARLY, 20), known(anchors[k], late, 34)) for k in range(sets)]
        for part in ("moved", "held_up"):
            names = {row.rows for row in getattr(rows[0], part)}
            assert len(names) >= 3
            for name in names:
                mine = [next(row for row in getattr(found, part) if row.rows == name) for found in rows]
                scatter = np.std([row.difference for row in mine], ddof=1)
                stated = np.sqrt(np.mean([row.mcse**2 for row in mine]))
                assert 0.6 < scatter / stated < 1.6, (part, name, apart)
                scatter = np.std([row.log_odds for row in mine], ddof=1)
                stated = np.sqrt(np.mean([row.log_odds_mcse**2 for row in mine]))
                assert 0.6 < scatter / stated < 1.6, (part, name, apart)
