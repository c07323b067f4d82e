"""Drivers: what moved a probability since a date, and what holds it where it is.

The change is shared among the players of a game: every story, span of coverage, correction and retraction that came in,
and the passing of time, which lets silence speak. The worth of a set of players is the forecast, for the same calendar
date, of evidence that holds them and not the others; the shares are its Shapley values, which add up to the change.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from forecast import base
from forecast.answers.shapley import antithetic_shares, average_shares, exact_shares
from forecast.base import prose
from forecast.base.errors import ImpossibleError, InputError
from forecast.base.shown import Shown
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.stories import stories, story_kind, story_name
from forecast.inference.reweighting import reweigh
from forecast.ledger.rows import Count, Coverage, Observation
from forecast.quantities.estimate import FORMAT, Estimate, Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.answers.shapley import Factors
    from forecast.answers.target import Question, Reading
    from forecast.engine.arrays import Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


EXACT = 8  # players up to which every set of them is evaluated
EVALUATIONS = 256  # at most about so many otherwise
LEAST_PAIRS = 4
LEAST = 1e-9
SAID = 5  # lines that become sentences


@dataclass(frozen=True)
class Driver:
    """One line of the account: ``difference`` is what it adds to the probability, ``log_odds`` to its log-odds.

    ``kind`` is ``story``, ``coverage``, ``correction``, ``retraction``, ``time``, ``model`` or ``draws``; ``stages``
    holds what it adds to the probability of every ``stage.state`` on the same day. Errors are Monte Carlo standard
    errors, those of sampled permutations among them.
    """

    what: str
    kind: str
    date: dt.date | None
    rows: tuple[str, ...]
    difference: float
    mcse: float
    log_odds: float
    log_odds_mcse: float
    stages: Mapping[str, float]
    trusted: bool


@dataclass(frozen=True, repr=False)
class Drivers(Shown):
    """What moved the probability of ``outcome`` on ``date`` between ``since`` and ``as_of``, and what holds it up.

    The differences of ``moved`` add up to ``after`` − ``before``, and so do their log-odds. ``held_up`` says what each
    story and span of coverage adds: the probability as it is less what it would be without it. ``permutations`` is 0
    where the shares are exact.
    """

    model: str
    outcome: str
    weeks: int
    date: dt.date
    as_of: dt.date
    since: dt.date
    before: Estimate
    after: Estimate
    moved: tuple[Driver, ...]
    held_up: tuple[Driver, ...]
    permutations: int
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """The account in words, the largest parts of it first."""
        name = prose.spoken(self.outcome)
        total = self.after.mean - self.before.mean
        was, here = ((part.mean, part.mcse) for part in (self.before, self.after))
        size = prose.points_apart(was, here, math.hypot(self.before.mcse, self.after.mcse))
        now, then = prose.chance(*here), prose.chance(*was)
        turn = f"{size} {'lower' if total < 0 else 'higher'} than" if size else "not measurably different from what"
        on = "earlier on this day" if self.since == self.as_of else f"as of {prose.day(self.since)}"
        expected = f"was expected of that day {on} ({then})"
        head = f"For {prose.day(self.date)}, {name} stands at {now}, {turn} {expected}."
        moved = [row for row in self.moved if prose.points(row.difference, row.mcse)]
        lines = [f"{prose.moved(row.what, row.difference, row.mcse, name)}." for row in _largest(moved)[:SAID]]
        held = [row for row in self.held_up if row.trusted and prose.points(row.difference, row.mcse)]
        stands: dict[str, list[str]] = {}
        for row in _largest(held):
            if abs(row.difference) >= prose.LEAST:
                stands.setdefault(prose.chance(*self.without(row)), []).append(row.what)
        stands.pop(now, None)
        if held and not stands:
            lines.append(f"Without any one of the events, {name} would stand within a point of {now}, where it is.")
        told = 0
        for where, whats in stands.items():
            said = whats[: SAID - told]
            told += len(said)
            each = " alone" if len(said) > 1 else ""
            if said:
                lines.append(f"Without {' or '.join(said)}{each}, {name} would stand at {where}.")
        return (head, *lines)

    def without(self, row: Driver) -> tuple[float, float]:
        """Where the probability would stand without a line of `held_up`, and the error to which it is known."""
        return min(max(self.after.mean - row.difference, 0.0), 1.0), max(row.mcse, self.after.mcse)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a line; columns part (``moved``, ``held_up``), those of `Driver`, one for each stage.state."""
        rows: list[dict[str, Any]] = []
        for part, lines in (("moved", self.moved), ("held_up", self.held_up)):
            for row in lines:
                content = asdict(row)
                stages: dict[str, float] = content.pop("stages")
                rows.append({"part": part, **content, **stages})
        return base.frame(rows, ["date"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        lines = {
            part: [
                {**asdict(row), "date": row.date.isoformat() if row.date else None, "rows": list(row.rows)}
                for row in found
            ]
            for part, found in (("moved", self.moved), ("held_up", self.held_up))
        }
        return {
            "format": FORMAT,
            **asdict(self),
            **{name: getattr(self, name).isoformat() for name in ("date", "as_of", "since")},
            **lines,
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }


def _largest(rows: Iterable[Driver]) -> list[Driver]:
    return sorted(rows, key=lambda row: -abs(row.difference))


@dataclass(frozen=True)
class Known:
    """What was known on a day: the posterior of it, and the rows.

    Where a forecast was issued from it, ``published`` is what that said of the day that is asked about, and
    ``other_model`` tells whether another version of the model said so.
    """

    posterior: Posterior
    entries: Sequence[Entry]
    published: Estimate | None = None
    other_model: bool = False

    @property
    def as_of(self) -> dt.date:
        """The day."""
        return self.posterior.evidence.as_of


class _Player(NamedTuple):
    """Something that may or may not have come in: rows to put in, and ids to take out."""

    what: str
    kind: str
    date: dt.date | None
    put: tuple[Entry, ...]
    take: tuple[str, ...]
    about: tuple[Entry, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(row.id for row in self.put) or self.take


def find_drivers(question: Question, then: Known, now: Known) -> Drivers:
    """Account for the change between two days, by the draws of either.

    Raises
    ------
    InputError
        If nothing has happened in between.

    """
    players = _players(question.space, then, now)
    if not players:
        msg = f"nothing to explain yet: nothing was recorded and no time has passed since {then.as_of}"
        raise InputError(msg)
    game = _Game(question, then, now, players)
    try:
        shares, permutations = _shapley(game)
    except ImpossibleError:  # a deal that ends without having begun: what is on record goes together
        game = _Game(question, then, now, _records_merged(question.space, players))
        shares, permutations = _shapley(game)
    first, last = game.worth(0), game.worth((1 << len(players)) - 1)
    start = first.quantity.estimate
    rest: list[Driver] = []
    if then.published and then.published.mean != start.mean:
        what, kind = ("The change of the model", "model") if then.other_model else ("Other draws", "draws")
        rest.append(_between(what, kind, then.published, start))
    return Drivers(
        model=question.space.spec.name,
        outcome=question.outcome,
        weeks=question.weeks,
        date=question.date,
        as_of=now.as_of,
        since=then.as_of,
        before=then.published or start,
        after=last.quantity.estimate,
        moved=(*_largest(shares), *rest),
        held_up=tuple(_largest(_held_up(question, now, last, game.read))),
        permutations=permutations,
        trust=game.trust,
    )


def _between(what: str, kind: str, a: Estimate, b: Estimate) -> Driver:
    """Give the line of two forecasts of the same from different draws."""
    error = math.hypot(a.mcse, b.mcse)
    odds = math.hypot(a.mcse * _slope(a.mean), b.mcse * _slope(b.mean))
    return Driver(what, kind, None, (), b.mean - a.mean, error, _odds(b.mean) - _odds(a.mean), odds, {}, trusted=True)


def _odds(p: float) -> float:
    """Give the log-odds, those of certainty as of one in a billion."""
    return math.log(max(p, LEAST)) - math.log(max(1 - p, LEAST))


def _slope(p: float) -> float:
    """Give the derivative of the log-odds; those of certainty, which are held finite, do not move."""
    return 1 / (p * (1 - p)) if LEAST < p < 1 - LEAST else 0.0


# Players.


def _players(space: StateSpace, then: Known, now: Known) -> list[_Player]:
    old, new = ({row.id: row for row in one.entries if stories(space, [row])} for one in (then, now))
    changed = {
        "story": [row for row in new.values() if row.id not in old],
        "correction": [row for row in new.values() if row.id in old and row != old[row.id]],
        "retraction": [row for row in old.values() if row.id not in new],
    }
    players: list[_Player] = []
    for kind, rows in changed.items():
        for group in stories(space, rows).values():
            what, date = story_name(space, group)
            ids = tuple(row.id for row in group)
            if kind == "story":
                sort = story_kind(group)
                players.append(_Player(what, sort, date, tuple(group), (), tuple(group)))
            else:
                put = tuple(group) if kind == "correction" else ()
                players.append(_Player(f"The {kind} of {what}", kind, date, put, ids, tuple(group)))
    players.sort(key=lambda player: (player.date, player.what))
    if now.as_of != then.as_of:
        passed = prose.count((now.as_of - then.as_of).days, "day")
        players.append(_Player(f"The passing of {passed} without other news", "time", None, (), ()))
    return players


def _records_merged(space: StateSpace, players: Sequence[_Player]) -> list[_Player]:
    """Make one player of all that put something on record, for some of it may be impossible without the rest."""
    kept: list[_Player] = []
    records: list[_Player] = []
    for player in players:
        names = {row.state.partition(".")[0] for row in player.about if isinstance(row, Observation) and row.state}
        on_record = any(space.observable(space.stages.index(name)).any() for name in names)
        (records if on_record else kept).append(player)
    if records:
        put = tuple(row for player in records for row in player.put)
        take = tuple(name for player in records for name in player.take)
        what = prose.listed([player.what for player in records])
        kept.insert(0, _Player(what, "story", records[0].date, put, take))
    return kept


class _Game:
    """The worth of every set of players, a set being a number whose bits are they."""

    def __init__(self, question: Question, then: Known, now: Known, players: Sequence[_Player]) -> None:
        self._question = question
        self._then = then
        self._now = now
        self.players = players
        self.names = question.names[1:]
        self._worth = {0: question.ask(then.posterior), (1 << len(players)) - 1: question.ask(now.posterior)}
        anchors = (now.posterior.anchor, then.posterior.anchor)
        self._anchors = anchors[: 1 if anchors[0] is anchors[1] else 2]

    def worth(self, chosen: int) -> Reading:
        """Answer the question under the evidence of the players in ``chosen``, by draws of either end."""
        if chosen not in self._worth:
            self._worth[chosen] = self.read(self._evidence(chosen))
        return self._worth[chosen]

    def read(self, evidence: Evidence) -> Reading:
        """Answer the question under ``evidence``, by the draws of the end that reaches it, if any does."""
        found: list[Reading] = []
        for anchor in self._anchors:
            found.append(self._question.ask(reweigh(anchor, evidence)))
            if found[-1].trust.trusted:
                return found[-1]
        return max(found, key=lambda one: one.trust.ess)

    @property
    def trust(self) -> Trust:
        """What the gate says of the end, and of all the sets that were asked for."""
        trusts = [reading.trust for reading in self._worth.values()]
        shut = [trust for trust in trusts if not trust.trusted]
        last = self._worth[(1 << len(self.players)) - 1].trust
        if not shut:
            return last
        worst = max(shut, key=lambda trust: trust.k_hat or 0.0)
        return replace(last, reasons=(f"{len(shut)} of {len(trusts)} sets of events: {worst.reasons[0]}",))

    def _evidence(self, chosen: int) -> Evidence:
        """Compile the rows; without the passing of time what came in later is taken as known already then."""
        rows = {row.id: row for row in self._then.entries}
        ahead: list[Entry] = []
        late = True
        for k, player in enumerate(self.players):
            if not chosen >> k & 1:
                late = late and player.kind != "time"
                continue
            for name in player.take:
                del rows[name]
            ahead += player.put
        space, known = self._question.space, self._then.as_of
        if late:
            return compile_evidence(space, [*rows.values(), *ahead], self._now.as_of)
        seen = [row for row in ahead if isinstance(row, Observation) and row.date <= self._now.as_of]
        watched = [replace(row, reported_on=known) for row in ahead if isinstance(row, Coverage | Count)]
        rest = -((self._now.as_of - space.spec.model.start).days + 1) % space.spec.model.step_days
        whole = self._now.as_of + dt.timedelta(days=rest)  # a row cuts no step, which would make a difference too
        return compile_evidence(space, [*rows.values(), *watched], known, seen, whole)


def _shapley(game: _Game) -> tuple[list[Driver], int]:
    """Give the share of each player, and how many permutations were sampled for it."""
    count = len(game.players)
    pairs = [] if count <= EXACT else antithetic_shares(count, max(LEAST_PAIRS, EVALUATIONS // (2 * count)))
    factors = average_shares(pairs) if pairs else exact_shares(count)
    errors = _errors(game, factors, pairs)
    lines: list[Driver] = []
    for k, player in enumerate(game.players):
        mine = [(part, game.worth(chosen)) for (who, chosen), part in factors.items() if who == k]
        total: Floats = np.sum([part * reading.mean for part, reading in mine], axis=0)
        odds = math.fsum(part * _odds(float(reading.mean[0])) for part, reading in mine)
        trusted = all(reading.trust.trusted for _, reading in mine)
        stages = dict(zip(game.names, total[1:].tolist(), strict=True))
        lines.append(
            Driver(
                player.what, player.kind, player.date, player.ids, float(total[0]), errors[k][0], odds, errors[k][1],
                stages, trusted,
            )
        )  # fmt: skip
    return lines, 2 * len(pairs)


def _errors(game: _Game, factors: Factors, pairs: Sequence[Factors]) -> list[tuple[float, float]]:
    """Monte Carlo errors of each share, of probabilities and of log-odds: of the draws and of the permutations."""
    players = len(game.players)
    moved: dict[int, Floats] = {}  # by anchor, whose draws are independent of another's
    for (k, chosen), part in factors.items():
        reading = game.worth(chosen)
        name = id(reading.anchor)  # the prior comes in several sizes
        if name not in moved:
            moved[name] = np.zeros((players, 2, reading.weights.values.size))
        row = part * reading.influence / math.sqrt(reading.anchor.efficiency)
        moved[name][k, 0] += row
        moved[name][k, 1] += row * _slope(float(reading.mean[0]))
    variance = np.sum([np.square(rows).sum(axis=2) for rows in moved.values()], axis=0)
    if pairs:
        each = np.zeros((len(pairs), players, 2))
        for row, pair in enumerate(pairs):
            for (k, chosen), part in pair.items():
                p = float(game.worth(chosen).mean[0])
                each[row, k] += part * p, part * _odds(p)
        variance += each.var(axis=0, ddof=1) / len(pairs)
    return [(float(a), float(b)) for a, b in np.sqrt(variance)]


# What holds it up.


def _held_up(question: Question, now: Known, here: Reading, read: Callable[[Evidence], Reading]) -> list[Driver]:
    """Leave out each story and each span of coverage in turn, but where the rest would be impossible without it."""
    space = question.space
    silent = {row for row, _ in now.posterior.evidence.left_out}
    lines: list[Driver] = []
    for rows in stories(space, now.entries).values():
        ids = {row.id for row in rows}
        if ids <= silent:
            continue
        evidence = compile_evidence(space, [row for row in now.entries if row.id not in ids], now.as_of)
        try:
            without = read(evidence)
        except ImpossibleError:
            continue
        what, date = story_name(space, rows)
        p, q = float(here.mean[0]), float(without.mean[0])
        slopes = np.array([[1.0, 1.0], [_slope(p), _slope(q)]])
        if without.anchor is here.anchor:
            moved = slopes[:, :1] * here.influence - slopes[:, 1:] * without.influence
            errors = np.sqrt(np.square(moved).sum(axis=1) / here.anchor.efficiency)
        else:
            errors = np.hypot(*(slopes * [here.quantity.estimate.mcse, without.quantity.estimate.mcse]).T)
        total = here.mean - without.mean
        lines.append(
            Driver(
                what, story_kind(rows), date, tuple(sorted(ids)), p - q,
                float(errors[0]), _odds(p) - _odds(q), float(errors[1]),
                dict(zip(question.names[1:], total[1:].tolist(), strict=True)), without.trust.trusted,
            )
        )  # fmt: skip
    return lines
