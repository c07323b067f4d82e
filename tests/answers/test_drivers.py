"""Drivers: shares that add up, blame where it belongs, and what holds a forecast up."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from accounts import (
    CHANGES,
    DAY,
    EARLY,
    LATE,
    MANY,
    SIZE,
    START,
    account,
    adds_up,
    forecast_of,
    known,
    odds,
    plain,
    plain_anchor,
    seen,
    watched,
)
from small_models import PLAIN
from worlds import anchor_of, draw_values, values_of

from forecast.answers.drivers import EXACT, Known, find_drivers
from forecast.answers.target import Question
from forecast.base.errors import InputError
from forecast.evidence.compilation import compile_evidence
from forecast.inference.reweighting import reweigh
from forecast.ledger.rows import Coverage, Observation
from forecast.quantities.estimate import Estimate
from forecast.theory.modelfile import parse_spec
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from forecast.ledger.rows import Entry


# Sums.


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
    """A row of which neither source nor news can be judged adds exactly nothing."""
    rows = (*EARLY, LATE[0], seen("n", "c", 31, grade="F6"))
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
    assert " of 64 sets of events: " in found.trust.reasons[0]
