"""Drivers: shares that add up, equal to every order tried one by one, and blame where it belongs."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import math
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from unittest import mock

import numpy as np
import oracle
import pytest
from oracle import derived
from worlds import PLAIN, anchor_of, draw_values, draws_of, small_world, values_of

from forecast.answers import drivers as drivers_module
from forecast.answers.drivers import EXACT, Known, find_drivers
from forecast.answers.forecast import LiveForecast
from forecast.answers.target import Question
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.inference.anchor import Anchor
from forecast.inference.reweighting import reweigh
from forecast.ledger.admiralty import CREDIBILITY, credibility
from forecast.ledger.issued import Issued
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.estimate import Estimate
from forecast.record.issue_changes import baseline
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from forecast.answers.drivers import Drivers
    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry

DAY = dt.timedelta(days=1)
START = dt.date(2024, 1, 1)
SIZE = 256


def w(row: Observation) -> float:
    """Give the credibility of a row, as the oracle asks for it."""
    return credibility(row.grade)


@cache
def plain() -> StateSpace:
    """Give the model in sight."""
    return StateSpace(parse_spec(PLAIN, where="plain"))


@cache
def plain_anchor(seed: int = 1, size: int = SIZE, name: str = "prior") -> Anchor:
    """Draw from its prior."""
    return anchor_of(plain(), values_of(plain().spec, size, seed), name)


def seen(name: str, indicator: str, day: int, **more: object) -> Observation:
    """Give a sighting on a day of the model."""
    date = START + day * DAY
    common = {"id": name, "indicator": indicator, "date": date, "reported_on": date, "source": "Test", "grade": "B2"}
    return Observation(**(common | more))


def watched(name: str, indicator: str, first: int, last: int) -> Coverage:
    """Give a span of coverage in days of the model."""
    span = [START + day * DAY for day in (first, last)]
    return Coverage(id=name, indicator=indicator, from_=span[0], to=span[1], reported_on=span[1], source="Test")


def known(anchor: Anchor, rows: Iterable[Entry], day: int | dt.date, **more: object) -> Known:
    """Say what was known on a day."""
    date = day if isinstance(day, dt.date) else START + day * DAY
    rows = tuple(row for row in rows if row.reported_on <= date)
    return Known(reweigh(anchor, compile_evidence(anchor.space, rows, date)), rows, **more)


def account(then: Known, now: Known, *, outcome: str = "very_tense", weeks: int | None = None) -> Drivers:
    """Account for the change."""
    question = Question(now.posterior.space, outcome, weeks, now.as_of, stages=True)
    return find_drivers(question, then, now)


def odds(p: float) -> float:
    """Give the log-odds."""
    return math.log(p / (1 - p))


def forecast_of(known_: Known, date: dt.date, outcome: str = "very_tense") -> float:
    """Forecast from scratch: the weighted mean over draws for a date."""
    as_of = known_.posterior.evidence.as_of
    weeks, rest = divmod((date - as_of).days, 7)
    assert rest == 0
    spec = known_.posterior.space.spec
    header = spec.model.model_copy(update={"horizons_weeks": (weeks,)})
    space = StateSpace(spec.model_copy(update={"model": header, "conditionals": ()}))
    found = reweigh(under(known_.posterior.anchor, space), known_.posterior.evidence)
    return next(row.estimate.mean for row in found.quantities if (row.outcome, row.kind) == (outcome, "at"))


def under(anchor: Anchor, space: StateSpace) -> Anchor:
    """Give the same draws for a model with other horizons."""
    return Anchor(space, anchor.name, lambda: anchor.blocks.draws, cells=anchor.cells)


# Sums.


EARLY: tuple[Entry, ...] = (
    seen("e1", "a", 3), seen("e2", "b", 9), seen("e3", "d", 12, story="talks"), watched("ec", "e", 0, 20),
    seen("e4", "c", 15, grade="C3"),
)  # fmt: skip
LATE: tuple[Entry, ...] = (
    seen("l1", "c", 24), seen("l2", "e", 30, story="talks"), watched("lc", "*", 21, 33),
    seen("l3", "a", 33, grade="D4"),
    Observation(
        id="l4", state="down.tense", date=START + 31 * DAY, reported_on=START + 32 * DAY, source="T", grade="C3"
    ),
)  # fmt: skip
MANY: tuple[Entry, ...] = tuple(seen(f"m{k}", "abcdef"[k % 6], 22 + k, grade="C3") for k in range(7))


class Change(NamedTuple):
    """Rows of both ends, in days of the model."""

    early: tuple[Entry, ...]
    then: int
    late: tuple[Entry, ...]
    now: int
    exact: bool
    kinds: set[str]


CORRECTED = tuple(dataclasses.replace(row, grade="A1") if row.id == "e1" else row for row in EARLY)
CHANGES = {
    "stories": Change(EARLY, 22, EARLY + LATE, 36, exact=True, kinds={"story", "coverage", "time"}),
    "on the same day": Change(EARLY, 36, EARLY + LATE, 36, exact=True, kinds={"story", "coverage"}),
    "only time": Change(EARLY, 20, EARLY, 34, exact=True, kinds={"time"}),
    "a retraction": Change(EARLY, 23, EARLY[1:] + LATE, 37, exact=True,
                           kinds={"retraction", "story", "coverage", "time"}),
    "a correction": Change(EARLY, 20, CORRECTED + LATE, 34, exact=True,
                           kinds={"correction", "story", "coverage", "time"}),
    "coverage retracted": Change(EARLY, 20, EARLY[:3] + EARLY[4:], 20, exact=True, kinds={"retraction"}),
    "many": Change(EARLY, 23, CORRECTED[:4] + LATE + MANY, 37, exact=False,
                   kinds={"correction", "retraction", "story", "coverage", "time"}),
    "many on the same day": Change(EARLY, 36, EARLY[1:] + LATE + MANY, 36, exact=False,
                                   kinds={"retraction", "story", "coverage"}),
}  # fmt: skip


def adds_up(found: Drivers) -> None:
    """Check what must add up: probabilities, log-odds, and every stage."""
    before, after = found.before.mean, found.after.mean
    assert math.fsum(row.difference for row in found.moved) == pytest.approx(after - before, abs=1e-9)
    assert math.fsum(row.log_odds for row in found.moved) == pytest.approx(odds(after) - odds(before), abs=1e-9)
    for row in (*found.moved, *found.held_up):
        for stage in {name.partition(".")[0] for name in row.stages}:
            parts = [value for name, value in row.stages.items() if name.startswith(f"{stage}.")]
            assert math.fsum(parts) == pytest.approx(0, abs=1e-9)
        if row.stages:
            assert row.stages["down.tense"] == pytest.approx(row.difference, abs=1e-9)
        assert row.mcse >= 0
        assert row.log_odds_mcse >= 0


@pytest.mark.parametrize("other", [False, True], ids=["one anchor", "two anchors"])
@pytest.mark.parametrize("name", CHANGES)
def test_shares_add_up(name: str, *, other: bool) -> None:
    """Exact or sampled, with time and without, with draws of one end or of two: shares sum to the whole change."""
    change = CHANGES[name]
    mine, theirs = plain_anchor(), plain_anchor(2, name="fit") if other else plain_anchor()
    then, now = known(theirs, change.early, change.then), known(mine, change.late, change.now)
    found = account(then, now)
    adds_up(found)
    assert (found.permutations == 0) == change.exact
    assert (len(found.moved) <= EXACT) == change.exact
    assert {row.kind for row in found.moved} == change.kinds
    for end, part in ((then, found.before), (now, found.after)):
        assert part.mean == pytest.approx(forecast_of(end, found.date), abs=1e-9)
    sizes = [abs(row.difference) for row in found.moved]
    assert sizes == sorted(sizes, reverse=True)
    json.dumps(found.to_dict(), allow_nan=False)
    assert len(found.to_frame()) == len(found.moved) + len(found.held_up)


@pytest.mark.parametrize(("other_model", "kind"), [(False, "draws"), (True, "model")])
@pytest.mark.parametrize("name", ["a retraction", "only time"])
def test_what_was_published_is_where_the_account_begins(name: str, kind: str, *, other_model: bool) -> None:
    """Where other draws or another model spoke, one line goes from what they said to what these draws would have."""
    change = CHANGES[name]
    published = Estimate(0.37, 0.1, 0.8, 0.004)
    then = known(plain_anchor(), change.early, change.then, published=published, other_model=other_model)
    now = known(plain_anchor(), change.late, change.now)
    found = account(then, now)
    adds_up(found)
    assert found.before == published
    (line,) = [row for row in found.moved if row.kind in {"draws", "model"}]
    assert line.kind == kind
    start = account(dataclasses.replace(then, published=None), now)
    assert line.difference == pytest.approx(start.before.mean - 0.37, abs=1e-12)
    assert line.mcse == pytest.approx(math.hypot(0.004, start.before.mcse))
    assert [row for row in found.moved if row is not line] == list(start.moved)


def test_a_published_number_of_these_very_draws_adds_no_line() -> None:
    """If what was published is what these draws say, nothing stands between."""
    change = CHANGES["stories"]
    then, now = known(plain_anchor(), change.early, change.then), known(plain_anchor(), change.late, change.now)
    plainly = account(then, now)
    again = account(dataclasses.replace(then, published=plainly.before), now)
    assert again.moved == plainly.moved
    assert {row.kind for row in again.moved}.isdisjoint({"draws", "model"})


def test_the_prior_may_come_in_two_sizes() -> None:
    """Both ends may rest on prior draws, of which one needed more."""
    change = CHANGES["stories"]
    few, more = plain_anchor(), plain_anchor(3, size=SIZE + 100)
    adds_up(account(known(few, change.early, change.then), known(more, change.late, change.now)))


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


# Blame.


@pytest.mark.parametrize("weak", [5, 10])
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_planted_cause_is_named_first(seed: int, sign: int, weak: int) -> None:
    """One decisive story among weak ones comes first, with its sign, in what moved it and in what holds it up."""
    rng = np.random.default_rng(seed)
    rows = [
        seen(f"w{k}", str(rng.choice(["b", "d", "e"])), int(rng.integers(21, 34)), grade=str(rng.choice(["D4", "E3"])))
        for k in range(weak)
    ]
    date = START + 31 * DAY
    if sign > 0:
        cause = seen("cause", "c", 31, grade="A1")
    else:
        cause = Observation(id="cause", state="down.calm", date=date, reported_on=date, source="T", grade="A1")
    anchor = plain_anchor(seed, size=600)
    early = (seen("e", "a", 9, grade="C3"),)
    found = account(known(anchor, early, 20), known(anchor, [*early, *rows, cause], 34), weeks=2)
    assert (found.permutations > 0) == (weak > 7)
    for lines in (found.moved, found.held_up):
        first, *others = lines
        assert first.rows == ("cause",)
        assert first.difference * sign > 0
        assert first.log_odds * sign > 0
        assert abs(first.difference) > 2 * max(abs(row.difference) for row in others)
    gone = account(known(anchor, [*early, *rows, cause], 34), known(anchor, [*early, *rows], 34), weeks=2)
    assert [(row.kind, row.rows) for row in gone.moved] == [("retraction", ("cause",))]
    assert gone.moved[0].what.startswith("The retraction of ")
    assert gone.moved[0].difference * sign < 0
    assert gone.moved[0].difference == pytest.approx(-found.held_up[0].difference, abs=1e-12)


ONCE = PLAIN.replace('label = "Sign f"', 'label = "Sign f"\nrepeats = false')
NOTHING: dict[str, tuple[Entry, ...]] = {
    "a story counted as another row": (seen("n", "d", 31, story="talks", grade="C3"),),
    "a one-off that had happened": (seen("n", "f", 31),),
    "a row dated ahead": (seen("n", "c", 45, precision="month", reported_on=START + 30 * DAY),),
    "a row dated behind the horizon": (seen("n", "c", 200, precision="month", reported_on=START + 30 * DAY),),
    "a span behind the reporting lag": (watched("n", "*", 33, 36),),
    "a day watched twice": (watched("n", "e", 4, 9),),
}


@pytest.mark.parametrize(("name", "many"), [*((name, False) for name in NOTHING), (next(iter(NOTHING)), True)])
def test_what_says_nothing_has_no_share(name: str, *, many: bool) -> None:
    """A row that the model makes nothing of adds exactly nothing, with or without the passing of time."""
    space = StateSpace(parse_spec(ONCE.replace("reporting_lag_days = 0", "reporting_lag_days = 5"), where="once"))
    anchor = anchor_of(space, values_of(space.spec, 100, 1))
    early = (*EARLY, seen("f", "f", 17, grade="A1"))
    late = (*early, LATE[0], *NOTHING[name], *(MANY if many else ()))
    then, now = known(anchor, early, 23), known(anchor, late, 37)
    found = account(then, now)
    adds_up(found)
    assert (found.permutations > 0) == many
    (line,) = [row for row in found.moved if row.rows == ("n",)]
    assert abs(line.difference) <= 1e-12
    assert abs(line.log_odds) <= 1e-12
    assert max(map(abs, line.stages.values())) <= 1e-12
    assert line.mcse <= 1e-12
    assert all(abs(row.difference) <= 1e-12 for row in found.held_up if row.rows == ("n",))
    assert not any("Nothing" in text or line.what in text for text in found.sentences)
    others = account(then, known(anchor, [row for row in late if row.id != "n"], 37))
    if not many:
        wanted = {row.rows: row.difference for row in others.moved}
        got = {row.rows: row.difference for row in found.moved if row.rows != ("n",)}
        assert got == pytest.approx(wanted, abs=1e-12)


def test_a_row_of_no_credibility_has_no_share() -> None:
    """A row that nobody would believe adds exactly nothing."""
    rows = (*EARLY, LATE[0], seen("n", "c", 31, grade="F6"))
    table = {**CREDIBILITY, "F6": 0.0}
    with mock.patch.dict(CREDIBILITY, table):
        anchor = plain_anchor()
        found = account(known(anchor, EARLY, 23), known(anchor, rows, 37))
    (line,) = [row for row in found.moved if row.rows == ("n",)]
    assert abs(line.difference) <= 1e-12
    assert abs(line.log_odds) <= 1e-12


def test_what_the_model_does_not_know_is_no_player() -> None:
    """Another model's indicators are left out: new, corrected or withdrawn; alone they leave nothing to explain."""
    anchor = plain_anchor()
    alien = seen("x", "somewhere_else", 15)
    spread = Coverage(
        id="y", indicator="nor_here", from_=START, to=START + 30 * DAY, reported_on=START + 30 * DAY, source="T"
    )
    then, now = known(anchor, (*EARLY, alien), 30), known(anchor, (*EARLY, LATE[0], spread), 30)
    assert [row.rows for row in account(then, now).moved] == [("l1",)]
    with pytest.raises(InputError, match="nothing to explain"):
        account(then, known(anchor, (*EARLY, spread), 30))


def test_a_correction_to_or_from_what_the_model_does_not_know() -> None:
    """A row that is corrected to another model's indicator is gone from this one, and the other way round it is new."""
    anchor = plain_anchor()
    alien = tuple(dataclasses.replace(row, indicator="somewhere_else") if row.id == "e4" else row for row in EARLY)
    with_it, without = known(anchor, (*EARLY, LATE[0]), 30), known(anchor, (*alien, LATE[0]), 30)
    gone, come = account(with_it, without), account(without, with_it)
    assert [(row.kind, row.rows) for row in gone.moved] == [("retraction", ("e4",))]
    assert [(row.kind, row.rows) for row in come.moved] == [("story", ("e4",))]
    assert come.moved[0].difference == pytest.approx(-gone.moved[0].difference, abs=1e-12)
    adds_up(account(known(anchor, EARLY, 20), without))


def test_two_stories_alike_share_alike() -> None:
    """What is told twice, of two events that are the same in all but name, adds the same twice."""
    anchor = plain_anchor()
    twins = (seen("t1", "c", 31), seen("t2", "c", 31))
    found = account(known(anchor, EARLY, 23), known(anchor, (*EARLY, LATE[2], *twins), 37))
    one, two = (row for row in found.moved if row.rows in {("t1",), ("t2",)})
    assert abs(one.difference) > 1e-3
    for field in ("difference", "mcse", "log_odds", "log_odds_mcse"):
        assert getattr(one, field) == pytest.approx(getattr(two, field), abs=1e-12)
    assert list(one.stages.values()) == pytest.approx(list(two.stages.values()), abs=1e-12)


def test_neither_order_nor_names_matter(rng: np.random.Generator) -> None:
    """Rows in another order and under other ids have the same shares."""
    anchor = plain_anchor()
    change = CHANGES["a correction"]
    rows = (*change.early, *change.late)
    names = dict(zip(sorted({row.id for row in rows}), rng.permutation(len({row.id for row in rows})), strict=True))

    def shuffled(part: tuple[Entry, ...]) -> list[Entry]:
        return [dataclasses.replace(part[k], id=f"z{names[part[k].id]:02d}") for k in rng.permutation(len(part))]

    plainly = account(known(anchor, change.early, change.then), known(anchor, change.late, change.now))
    again = account(
        known(anchor, shuffled(change.early), change.then), known(anchor, shuffled(change.late), change.now)
    )
    for part in ("moved", "held_up"):
        wanted = {(row.what, row.kind): row.difference for row in getattr(plainly, part)}
        assert {(row.what, row.kind): row.difference for row in getattr(again, part)} == pytest.approx(
            wanted, abs=1e-12
        )
        assert len(wanted) == len(getattr(plainly, part))


def test_certainty_stays_finite() -> None:
    """Where a record makes an outcome certain or impossible, every number is finite and none is a surprise."""
    one_way = PLAIN.replace(
        'states = ["calm", "tense", "lost"]', 'states = ["calm", "tense", "lost"]\nobservable = ["lost"]'
    )
    one_way = one_way.replace('from = "lost"\nto = "calm"', 'from = "calm"\nto = "lost"')
    for outcome, last in (('["lost"]', 1.0), ('["tense"]', 0.0)):
        text = one_way.replace('states = { down = ["tense"] }', f"states = {{ down = {outcome} }}")
        space = StateSpace(parse_spec(text, where="one way"))
        anchor = anchor_of(space, values_of(space.spec, 200, 1))
        date = START + 30 * DAY
        record = Observation(id="L", state="down.lost", date=date, reported_on=date, source="T", grade="A1")
        found = account(known(anchor, EARLY, 20), known(anchor, (*EARLY, record, LATE[0]), 34))
        assert found.after.mean == pytest.approx(last, abs=1e-12)
        assert found.moved[0].rows == ("L",)
        total = math.fsum(row.difference for row in found.moved)
        assert total == pytest.approx(found.after.mean - found.before.mean, abs=1e-9)
        json.dumps(found.to_dict(), allow_nan=False)
        for row in (*found.moved, *found.held_up):
            assert np.isfinite([row.difference, row.mcse, row.log_odds, row.log_odds_mcse]).all()


# What holds it up.


@pytest.mark.parametrize("now", [34, 37])
def test_held_up_is_the_forecast_less_that_without(now: int) -> None:
    """Each story and span is left out from the rows themselves, and all is computed anew."""
    anchor = plain_anchor()
    rows = (*EARLY, *LATE)
    end = known(anchor, rows, now)
    found = account(known(anchor, EARLY, 20), end)
    groups = {("e1",), ("e2",), ("e3", "l2"), ("e4",), ("ec",), ("l1",), ("lc",), ("l3",), ("l4",)}
    assert {row.rows for row in found.held_up} == groups
    here = forecast_of(end, found.date)
    for row in found.held_up:
        without = forecast_of(known(anchor, [one for one in rows if one.id not in row.rows], now), found.date)
        assert row.difference == pytest.approx(here - without, abs=1e-9)
        assert row.log_odds == pytest.approx(odds(here) - odds(without), abs=1e-9)
    sizes = [abs(row.difference) for row in found.held_up]
    assert sizes == sorted(sizes, reverse=True)


def test_what_the_last_draws_do_not_reach_the_first_may() -> None:
    """Where the draws of the last day are too few, those of the first answer, and the errors of both count."""
    few, many = plain_anchor(size=100), plain_anchor(7, size=4000, name="fit")
    rows = (*EARLY, LATE[0])
    found = account(known(many, EARLY, 20), known(few, rows, 34))
    assert len(found.held_up) == 6
    for row in found.held_up:
        evidence = compile_evidence(plain(), [one for one in rows if one.id not in row.rows], found.as_of)
        without = Question(plain(), "very_tense", 8, found.as_of).ask(reweigh(many, evidence)).quantity.estimate
        assert row.trusted
        assert row.difference == pytest.approx(found.after.mean - without.mean, abs=1e-12)
        assert row.mcse == pytest.approx(math.hypot(found.after.mcse, without.mcse))


def test_what_is_on_record_goes_together_where_parts_of_it_are_impossible() -> None:
    """A stage that cannot go back: the record's end without the record's retraction cannot be; one line holds both."""
    heads = PLAIN.split("[[stages.down.transitions]]")
    moves = [part for part in heads[1:] if 'to = "calm"' not in part.partition("basis")[0]]
    text = "[[stages.down.transitions]]".join([heads[0], *moves])
    rest = heads[-1][heads[-1].index("[stages.down.effects") :]
    text += "" if rest in text else rest
    states = 'states = ["calm", "tense", "lost"]\n'
    text = text.replace(states, f'{states}observable = ["tense"]\n').replace(
        "start = { calm = 3, tense = 1 }", "start = { calm = 1 }"
    )
    space = StateSpace(parse_spec(text, where="plain"))

    def row(name: str, state: str, day: int) -> Observation:
        date = START + day * DAY
        return Observation(id=name, state=state, date=date, reported_on=date, source="T", grade="A1")

    first, lost, again = row("a", "down.tense", 10), row("b", "down.lost", 20), row("c", "down.tense", 30)
    rng = np.random.default_rng(3)
    anchor = anchor_of(space, [draw_values(space.spec, rng, of_prior=True) for _ in range(100)])
    question = Question(space, next(iter(space.spec.outcomes)), None, START + 34 * DAY, stages=True)
    ends = [
        Known(reweigh(anchor, compile_evidence(space, rows, date)), rows)
        for rows, date in (((first, lost), START + 21 * DAY), ((first, again), START + 34 * DAY))
    ]
    found = find_drivers(question, *ends)
    assert sum(one.difference for one in found.moved) == pytest.approx(found.after.mean - found.before.mean, abs=1e-9)
    assert [one.kind for one in found.moved if one.kind != "time"] == ["story"]


def test_distrust_is_told() -> None:
    """Draws too few for the sets that were asked for shut the gate, and the reason counts them."""
    found = account(known(plain_anchor(), EARLY, 20), known(plain_anchor(), EARLY + LATE, 34))
    assert not found.trust.trusted
    assert " of 64 sets of stories: " in found.trust.reasons[0]


# What cannot be asked.


class Fitter:
    """Stands for the one that brings other draws, of which there are none."""

    def __init__(self, anchor: Anchor) -> None:
        """Know one anchor."""
        self._anchor = anchor

    def anchors(self) -> list[Anchor]:
        """List it."""
        return [self._anchor]

    def update(self, evidence: Evidence, refit: str, *, prior: bool) -> Posterior:
        """Take the same draws again."""
        assert (refit, prior) == ("never", True)
        return reweigh(self._anchor, evidence)


def asked(
    rows: Sequence[Entry], day: int, issued: Sequence[Issued] = (), marks: Mapping[int, int] | None = None
) -> LiveForecast:
    """Give a forecast that can be asked; ``marks`` says how many rows were in the ledger at a watermark."""
    anchor = plain_anchor()

    def entries(date: dt.date, mark: int | None) -> tuple[Entry, ...]:
        upto = len(rows) if mark is None else (marks or {})[mark]
        return tuple(row for row in rows[:upto] if row.reported_on <= date)

    end = known(anchor, rows, day)
    baselines = [baseline(one) for one in issued]
    return LiveForecast.of(end.posterior, end.entries, Fitter(anchor), entries, lambda: baselines)


def issue(day: int, rows: Sequence[Entry], watermark: int = 1, **more: object) -> Issued:
    """Give what was issued from the same draws."""
    end = known(plain_anchor(), rows, day)
    moment = dt.datetime(2024, 2, 20, tzinfo=dt.UTC)
    common = {
        "model": "plain", "as_of": end.as_of, "issued_at": moment, "evidence_hash": end.posterior.evidence.hash,
        "model_hash": plain().spec.hash, "fit": "prior", "watermark": watermark, "content": "{}",
    }  # fmt: skip
    return Issued(**(common | more))


def test_nothing_has_happened() -> None:
    """With the same rows on the same day there is nothing to explain."""
    with pytest.raises(InputError, match=r"^nothing to explain yet: nothing was recorded and no time has passed since"):
        asked(EARLY, 30).drivers("very_tense", weeks=None, since=START + 30 * DAY, refit="never")


def test_since_may_not_lie_ahead() -> None:
    """A day after the forecast's is refused with both dates; a text that is no day with what a day looks like."""
    ask = asked(EARLY, 30)
    with pytest.raises(InputError, match=r"since 2024-02-01: that is later than 2024-01-31, the day of the forecast"):
        ask.drivers("very_tense", weeks=None, since=START + 31 * DAY, refit="never")
    with pytest.raises(InputError, match=r"since 'yesterday' is not a date; write it as 2026-01-08"):
        ask.drivers("very_tense", weeks=None, since="yesterday", refit="never")


def test_no_other_forecast_was_issued() -> None:
    """Without one, or with only this very one, or one of a later day, the message says what to do."""
    here = issue(30, EARLY)
    for issued in ([], [here], [issue(33, EARLY)]):
        with pytest.raises(InputError, match=r"no other forecast of 'plain' has been issued; name a day \(--since\)"):
            asked(EARLY, 30, issued).drivers("very_tense", weeks=None, since="last", refit="never")


def test_unknown_outcomes_and_horizons_are_named() -> None:
    """Outcome and horizon are checked, with what would be right."""
    ask = asked(EARLY, 30)
    with pytest.raises(InputError, match="no outcome 'very_tens'; did you mean 'very_tense'"):
        ask.drivers("very_tens", weeks=None, since="2024-01-20", refit="never")
    with pytest.raises(InputError, match="3 weeks: the horizons of model 'plain' are 2, 8"):
        ask.drivers("very_tense", weeks=3, since="2024-01-20", refit="never")


def test_since_the_last_issue_or_a_day() -> None:
    """The last issued forecast that says something else is the beginning, with the rows that it knew."""
    rows = [*EARLY, *LATE]
    marks = {1: 4, 2: 5, 3: 6}
    issued = [issue(22, rows[:4], 1), issue(24, rows[:6], 3), issue(36, rows)]
    found = asked(rows, 36, issued, marks).drivers("very_tense", weeks=2, since="last", refit="never")
    assert found.since == START + 24 * DAY
    assert found.before.mean == pytest.approx(forecast_then(rows[:6], 24, found.date), abs=1e-9)
    adds_up(found)
    assert {row.rows for row in found.moved} == {("l2",), ("lc",), ("l3",), ("l4",), ()}
    by_day = asked(rows, 36).drivers("very_tense", weeks=2, since=START + 24 * DAY, refit="never")
    assert by_day.moved == found.moved
    assert by_day.before.mean == pytest.approx(found.before.mean, abs=1e-12)


def forecast_then(rows: Sequence[Entry], day: int, date: dt.date) -> float:
    """Forecast a date that need not be whole weeks ahead, from each draw's chain by itself."""
    end = known(plain_anchor(), rows, day)
    values = values_of(plain().spec, SIZE, 1)
    now = end.posterior.evaluation.now
    tense = np.array([state[1] == "tense" for state in oracle.joint_states(plain().spec)])
    total = 0.0
    for k in range(SIZE):
        p = derived(plain().spec, values[k])
        here = now[k]
        pieces = oracle.horizon_steps(plain().spec, day + 1, (date - end.as_of).days)
        moves = {days: oracle.transition_matrix(plain().spec, p, days) for days in pieces}
        for days in pieces:
            here = here @ moves[days]
        total += end.posterior.weights.values[k] * here[tense].sum()
    return total


def test_another_model_s_forecast_is_read_between_its_horizons() -> None:
    """What another version issued of a day between two of its horizons is read by log-odds; behind them it is not."""

    def at(kind: str, day: int, mean: float) -> dict[str, object]:
        date = (START + day * DAY).isoformat()
        estimate = {"mean": mean, "low": mean / 2, "high": mean / 2 + 0.5, "mcse": 0.002}
        return {"outcome": "very_tense", "kind": kind, "date": date, "estimate": estimate}

    rows = [at("already", 22, 0.2), at("at", 36, 0.3), at("at", 64, 0.6), at("reached", 36, 0.9)]
    content = json.dumps({"forecast": {"quantities": rows}})
    issued = [issue(22, EARLY, 1, model_hash="another", content=content)]
    ask = asked([*EARLY, *LATE], 36, issued, {1: 5})
    found = ask.drivers("very_tense", weeks=2, since="last", refit="never")
    adds_up(found)
    logs = odds(0.3) + (odds(0.6) - odds(0.3)) * 14 / 28
    assert found.before.mean == pytest.approx(1 / (1 + math.exp(-logs)), abs=1e-12)
    assert found.before.mcse == pytest.approx(0.002)
    assert {row.kind for row in found.moved} >= {"model", "time", "story"}
    with pytest.raises(InputError, match="says nothing of 'very_tense' on 2024-04-02; ask for a day until 2024-03-05"):
        ask.drivers("very_tense", weeks=8, since="last", refit="never")
