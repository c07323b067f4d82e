"""Watch-lists and expected sightings: equal to the enumeration of all hidden paths, with honest errors."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import oracle
import pytest
from small_models import tiny_spec
from weighted_scenes import Scene, posterior_of, random_scene, seen, tiny_scene
from worlds import SEEDS, draw_values, draws_of

from forecast.answers.sightings import expect_sightings
from forecast.answers.target import Question
from forecast.answers.watch import watch_list
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.engine.pareto import Weights
from forecast.inference.anchor import PRIOR, Anchor
from forecast.ledger.rows import Observation
from forecast.theory.statespace import StateSpace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from forecast.answers.sightings import Sightings
    from forecast.answers.watch import WatchList

DAY = dt.timedelta(days=1)
WEEKS = (1, 2, 3)


def entropy(*cases: float) -> float:
    """Bits."""
    return -math.fsum(p * math.log2(p) for p in cases if p > 0)


def ask(scene: Scene, weeks: int, outcome: str = "outcome", horizon: int | None = None) -> WatchList:
    """Ask for the watch-list."""
    question = Question(scene.space, outcome, horizon, scene.as_of)
    return watch_list(question, scene.found, scene.entries, weeks)


def table(scene: Scene, names: Sequence[str], outcome: str, weeks: int, horizon: int) -> np.ndarray:
    """(2, …, 2) probabilities that each indicator is not seen or seen by the weeks, and the outcome is not or is."""
    until, date = scene.as_of + weeks * 7 * DAY, scene.as_of + horizon * 7 * DAY
    inside = np.array(oracle._meets(scene.spec, scene.spec.outcomes[outcome].states))
    total = np.zeros((2,) * (len(names) + 1))
    for draw, future in enumerate(scene.futures(until, date)):
        cases = [np.array([1.0])[:, None] * future.weights * scene.share[draw]]
        for name in names:
            unseen = np.exp(-scene.rates(draw, name, future, until).sum(axis=1))
            cases = [case * chance for case in cases for chance in (unseen, 1 - unseen)]
        at = inside[future.paths[:, -1]]
        total += np.array([[case[0][~at].sum(), case[0][at].sum()] for case in cases]).reshape(total.shape)
    return total


def information(joint: np.ndarray) -> float:
    """Mutual information, in bits, of the last axis with all others."""
    joint = joint.reshape(-1, joint.shape[-1])
    return entropy(*joint.sum(axis=0)) + entropy(*joint.sum(axis=1)) - entropy(*joint.ravel())


# Watch-lists.


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_watch_list_is_that_of_all_paths(seed: int) -> None:
    """Chance, what seeing and not seeing would say, the gain and the companion equal the enumeration."""
    scene = random_scene(seed)
    if scene is None:
        return
    weeks, horizon = [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (3, 3)][seed // 2 % 6]
    outcome = ("outcome", "condition", "both")[seed % 5 % 3]
    found = ask(scene, weeks, outcome, horizon)
    wanted = [name for name in scene.spec.indicators if name not in scene.closed]
    assert {row.indicator for row in found.rows} == set(wanted)
    assert dict(found.left_out).keys() == set(scene.spec.indicators) - set(wanted)
    assert (found.until, found.date) == (scene.as_of + 7 * weeks * DAY, scene.as_of + 7 * horizon * DAY)
    joints = {name: table(scene, [name], outcome, weeks, horizon) for name in wanted}
    for row in found.rows:
        (no_no, no_yes), (yes_no, yes_yes) = joints[row.indicator]
        assert found.now == pytest.approx(no_yes + yes_yes, abs=1e-9)
        assert row.chance == pytest.approx(yes_no + yes_yes, abs=1e-9)
        assert row.if_seen == pytest.approx(yes_yes / (yes_no + yes_yes), abs=1e-9)
        assert row.if_not == pytest.approx(no_yes / (no_no + no_yes), abs=1e-9)
        assert row.gain == pytest.approx(information(joints[row.indicator]), abs=1e-9)
        assert row.gain >= 0
        assert row.chance * row.if_seen + (1 - row.chance) * row.if_not == pytest.approx(found.now, abs=1e-12)
        assert (row.label, row.stage) == tuple(
            getattr(scene.spec.indicators[row.indicator], part) for part in ("label", "stage")
        )
    gains = [row.gain for row in found.rows]
    assert gains == sorted(gains, reverse=True)
    if len(wanted) > 1:
        first = found.rows[0].indicator
        pairs = {
            name: information(table(scene, [first, name], outcome, weeks, horizon)) for name in wanted if name != first
        }
        assert found.companion_gain == pytest.approx(max(pairs.values()), abs=1e-9)
        assert pairs[str(found.companion)] == pytest.approx(max(pairs.values()), abs=1e-9)


def test_worlds_have_closed_one_offs_and_draws_that_differ() -> None:
    """The worlds of the test above leave indicators out, and averaging over their draws matters."""
    scenes = [scene for seed in SEEDS[::2] if (scene := random_scene(seed)) is not None]
    assert sum(bool(scene.closed) for scene in scenes) >= 3
    assert sum(all(share > 0.05 for share in scene.share) for scene in scenes) >= 8
    assert sum((scene.as_of - scene.spec.model.start).days % 7 != 6 for scene in scenes) >= 8


def test_what_cannot_inform_gains_nothing() -> None:
    """An indicator of a stage that has nothing to do with the outcome, or with equal rates everywhere: gain 0."""

    def equal(p: oracle.Parameters) -> oracle.Parameters:
        rates = {key: -1.0 if key[0] == "march" else value for key, value in p.log_lambda.items()}
        return replace(p, log_lambda=rates)

    found = ask(tiny_scene(change=equal), 2, "tension", 4)
    gain = {row.indicator: row for row in found.rows}
    assert gain["flood"].gain <= 1e-12
    assert gain["march"].gain <= 1e-12
    assert gain["shot"].gain > 1e-3
    for name in ("flood", "march"):
        assert gain[name].if_seen == pytest.approx(gain[name].if_not, abs=1e-12)
        assert gain[name].chance > 0.005
    assert found.companion == "pact"
    assert found.rows[0].indicator == "shot"


def test_one_off_that_has_happened_needs_no_watching() -> None:
    """A credible sighting closes it; a doubtful one does not."""
    day = dt.date(2025, 1, 20)
    closed = ask(tiny_scene(entries=[seen("pact", day)]), 1, "tension")
    assert [name for name, _ in closed.left_out] == ["pact"]
    assert "already" in closed.left_out[0][1]
    assert len(closed.rows) == 3
    open_ = ask(tiny_scene(entries=[seen("pact", day, grade="D4")]), 1, "tension")
    assert open_.left_out == ()
    assert {row.indicator for row in open_.rows} == {"shot", "march", "pact", "flood"}


@pytest.mark.parametrize("day", [dt.date(2025, 1, 3), dt.date(2025, 1, 8), dt.date(2025, 1, 9)])
def test_a_date_to_the_month_does_not_hide_the_rest_of_the_month(day: dt.date) -> None:
    """What was seen some time in January can be seen again this January, by today's as by any other day's rows."""
    scene = tiny_scene(entries=[seen("shot", day, precision="month")], as_of=dt.date(2025, 1, 9))
    found = ask(scene, 2, "tension", 2)
    (row,) = (row for row in found.rows if row.indicator == "shot")
    joint = table(scene, ["shot"], "tension", 2, 2)
    assert row.chance == pytest.approx(joint[1].sum(), abs=1e-9)
    assert row.gain == pytest.approx(information(joint), abs=1e-9)
    sightings = expect_sightings(scene.found, scene.entries, 2)
    assert (sightings.chance[:, sightings.indicators.index("shot")] > 0).all()


def test_a_month_still_counts_in_the_past() -> None:
    """The posterior itself reads a month as a month: only the future is looked at day by day."""
    day = dt.date(2025, 1, 3)
    scene = tiny_scene(entries=[seen("shot", day, precision="month")], as_of=dt.date(2025, 1, 9))
    ask(scene, 1, "tension")
    assert isinstance(scene.entries[0], Observation)
    assert scene.entries[0].precision == "month"


@pytest.mark.parametrize("weeks", [0, -1, 5, 53])
def test_weeks_that_cannot_be_watched_are_refused(weeks: int) -> None:
    """At least one week, and no farther than the day that is asked about."""
    with pytest.raises(InputError, match=f"{weeks} weeks: give 1 to 4") as caught:
        ask(tiny_scene(), weeks, "tension")
    assert caught.value.exit_code == 2


def test_beyond_a_nearer_horizon_is_refused() -> None:
    """The horizon that was asked about counts, not the longest."""
    with pytest.raises(InputError, match="give 1 to 1"):
        ask(tiny_scene(), 2, "tension", 1)


def test_unknown_outcome_and_horizon_are_refused() -> None:
    """The message names what is nearest, or what there is."""
    with pytest.raises(InputError, match=r"no outcome 'tensions'.*tension"):
        ask(tiny_scene(), 1, "tensions")
    with pytest.raises(InputError, match="1, 2, 4"):
        ask(tiny_scene(), 1, "tension", 3)


def many_draws(size: int, seed: int) -> tuple[StateSpace, Draws]:
    """Draw from the prior of the tiny model."""
    spec, rng = tiny_spec(), np.random.default_rng(seed)
    space = StateSpace(spec)
    return space, draws_of(space, [oracle.derived(spec, draw_values(spec, rng, of_prior=True)) for _ in range(size)])


def test_errors_are_those_of_resampled_draws() -> None:
    """Every error agrees within 25 % with the spread over bootstrap samples of the draws."""
    size, times = 150, 250
    space, draws = many_draws(size, 3)
    rng = np.random.default_rng(4)
    entries, as_of = [seen("march", dt.date(2025, 1, 20), grade="B2")], dt.date(2025, 1, 24)
    weights = rng.dirichlet(np.full(size, 2.0))
    question = Question(space, "tension", 2, as_of)
    one = posterior_of(space, draws, weights, entries, as_of)

    def numbers(share: np.ndarray) -> tuple[WatchList, dict[tuple[str, str], float]]:
        found = watch_list(question, replace(one, weights=Weights(share / share.sum(), None)), entries, 2)
        rows = {
            (row.indicator, part): float(getattr(row, part))
            for row in found.rows
            for part in ("chance", "if_seen", "if_not", "gain")
        }
        return found, rows | {("", "now"): found.now}

    found, _ = numbers(weights)
    counts = rng.multinomial(size, np.full(size, 1 / size), size=times)
    samples = [numbers(weights * row)[1] for row in counts]
    spread = {key: float(np.std([sample[key] for sample in samples])) for key in samples[0]}
    errors = {(row.indicator, part): getattr(row, f"{part}_mcse") for row in found.rows for part in
              ("chance", "if_seen", "if_not", "gain")} | {("", "now"): found.now_mcse}  # fmt: skip
    gains = {row.indicator: row.gain for row in found.rows}
    checked = {key for key in errors if key[1] != "gain" or errors[key] < gains[key[0]] / 3}
    assert len(checked) >= 15
    for key in checked:
        assert errors[key] == pytest.approx(spread[key], rel=0.25), key


def test_errors_grow_where_draws_are_worth_less() -> None:
    """At a quarter of the efficiency every error doubles, and the numbers stay."""
    space, draws = many_draws(60, 5)
    share, as_of = np.full(60, 1 / 60), dt.date(2025, 1, 24)
    one = posterior_of(space, draws, share, [], as_of)
    poor = replace(one, anchor=Anchor(space, PRIOR, lambda: draws, efficiency=0.25))
    question = Question(space, "tension", 2, as_of)
    rich_list, poor_list = (watch_list(question, found, [], 1) for found in (one, poor))
    for rich, row in zip(rich_list.rows, poor_list.rows, strict=True):
        for part in ("chance", "if_seen", "if_not", "gain"):
            assert getattr(row, part) == pytest.approx(getattr(rich, part), abs=1e-12)
            assert getattr(row, f"{part}_mcse") == pytest.approx(2 * getattr(rich, f"{part}_mcse"), abs=1e-12)


def test_certain_draws_have_no_error() -> None:
    """If all draws are the same, nothing is uncertain."""
    found = ask(tiny_scene(draws=3), 2, "tension")
    assert found.now_mcse < 1e-12
    for row in found.rows:
        assert max(row.chance_mcse, row.if_seen_mcse, row.if_not_mcse, row.gain_mcse) < 1e-9


def test_watch_list_in_words_and_json() -> None:
    """The sentences name what to look for; the rest is plain JSON and a tidy frame."""
    found = ask(tiny_scene(), 2, "tension")
    first = found.rows[0]
    assert found.sentences[0].startswith("For 21 Feb 2025, tension stands at ")
    assert first.label in found.sentences[1]
    assert "if somebody looks and it is not" in found.sentences[1]
    assert "bits" in found.sentences[-1]
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["indicator"] for row in content["rows"]] == [row.indicator for row in found.rows]
    assert content["until"] == "2025-02-07"
    frame = found.to_frame()
    assert list(frame["gain"]) == [row.gain for row in found.rows]


# Sightings.


def expected_sightings(scene: Scene, name: str, until: dt.date) -> tuple[np.ndarray, np.ndarray, float]:
    """Enumerate expected number and chance in each step, and the chance to be seen at all."""
    mean, chance, ever = 0.0, 0.0, 0.0
    for draw, future in enumerate(scene.futures(until, until)):
        rates = scene.rates(draw, name, future, until)
        weights = future.weights * scene.share[draw]
        if scene.spec.indicators[name].repeats:
            mean = mean + weights @ rates
            chance = chance + weights @ (1 - np.exp(-rates))
        else:  # it has to be unseen before
            before = np.exp(-(np.cumsum(rates, axis=1) - rates))
            mean = mean + weights @ (before * (1 - np.exp(-rates)))
            chance = mean
        ever += float(weights @ (1 - np.exp(-rates.sum(axis=1))))
    return np.asarray(mean), np.asarray(chance), ever


@pytest.mark.parametrize("seed", SEEDS[1::2])
def test_sightings_are_those_of_all_paths(seed: int) -> None:
    """Expected number and chance of each week, the total and the chance to be seen at all equal the enumeration."""
    scene = random_scene(seed)
    if scene is None:
        return
    weeks = 1 + seed // 2 % 3
    until = scene.as_of + 7 * weeks * DAY
    found = expect_sightings(scene.found, scene.entries, weeks)
    assert set(found.indicators) == set(scene.spec.indicators) - scene.closed
    assert list(found.weeks) == [days[-1] for days in oracle.ahead_dates(scene.spec, scene.as_of, [until])]
    assert found.weeks[-1] == until
    for k, name in enumerate(found.indicators):
        mean, chance, ever = expected_sightings(scene, name, until)
        np.testing.assert_allclose(found.expected[:, k], mean, atol=1e-9)
        np.testing.assert_allclose(found.chance[:, k], chance, atol=1e-9)
        assert found.ever[k] == pytest.approx(ever, abs=1e-9)
        assert found.total[k] == pytest.approx(mean.sum(), abs=1e-9)
        assert found.low[k] <= found.high[k]
        if not scene.spec.indicators[name].repeats:
            assert found.chance[:, k].sum() == pytest.approx(found.ever[k], abs=1e-9)
            assert found.ever[k] <= 1
            assert {found.low[k], found.high[k]} <= {0.0, 1.0}
        else:
            assert found.total[k] >= found.ever[k]


@pytest.mark.parametrize("seed", [1, 2, 9, 14, 22, 31])
def test_ever_is_the_chance_of_the_watch_list(seed: int) -> None:
    """Two questions that are one have one answer."""
    scene = random_scene(seed)
    assert scene is not None
    sightings = expect_sightings(scene.found, scene.entries, 2)
    watched = ask(scene, 2, "outcome", 3)
    chances = {row.indicator: row.chance for row in watched.rows}
    assert dict(zip(sightings.indicators, sightings.ever, strict=True)) == pytest.approx(chances, abs=1e-12)


def totals_simulated(scene: Scene, found: Sightings, times: int, rng: np.random.Generator) -> np.ndarray:
    """Count sightings (times, I) along paths of the oracle's chain."""
    dates = oracle.ahead_dates(scene.spec, scene.as_of, [found.weeks[-1]])
    states, stages = oracle.joint_states(scene.spec), list(scene.spec.stages)
    totals = np.zeros((times, len(found.indicators)))
    draws = rng.choice(len(scene.parameters), size=times, p=scene.share)
    for draw, p in enumerate(scene.parameters):
        here = np.flatnonzero(draws == draw)
        now = rng.choice(len(states), size=here.size, p=scene.now[draw] / scene.now[draw].sum())
        for days in dates:
            edges = np.cumsum(oracle.transition_matrix(scene.spec, p, len(days)), axis=1)[now]
            now = np.minimum((rng.random((here.size, 1)) > edges).sum(axis=1), len(states) - 1)
            for k, name in enumerate(found.indicators):
                place = stages.index(scene.spec.indicators[name].stage)
                rate = np.array([math.exp(p.log_lambda[name, z[place]]) for z in states])[now]
                totals[here, k] += rng.poisson(rate * len(days) / 365.25)
    once = [not scene.spec.indicators[name].repeats for name in found.indicators]
    totals[:, once] = np.minimum(totals[:, once], 1)
    return totals


def test_intervals_hold_nine_in_ten() -> None:
    """Below and above the interval lie at most 5 % of independently simulated totals, and with its ends at least.

    Two draws, each 1000 times; the ends are within 1.5 points of the 5 % (three standard errors of 2000 futures).
    """
    spec = tiny_spec(a=("per_year = [3, 12]\nspread", "per_year = [20, 60]\nspread"))
    rng = np.random.default_rng(8)
    two = tuple(oracle.derived(spec, draw_values(spec, rng)) for _ in range(2))
    scene = Scene(spec, two, (0.3, 0.7), (seen("march", dt.date(2025, 1, 20)),), dt.date(2025, 1, 24))
    many = Draws(*(np.repeat(part, 1000, axis=0) for part in draws_of(scene.space, two)))
    share = np.repeat(scene.share, 1000) / 1000
    found = expect_sightings(posterior_of(scene.space, many, share, scene.entries, scene.as_of), scene.entries, 12)
    totals = totals_simulated(scene, found, 40_000, rng)
    assert found.total == pytest.approx(totals.mean(axis=0), rel=0.03)
    assert found.ever == pytest.approx((totals > 0).mean(axis=0), abs=0.01)
    assert (found.high > 5).any()
    for k in range(len(found.indicators)):
        own = totals[:, k]
        assert (own < found.low[k]).mean() <= 0.065
        assert (own > found.high[k]).mean() <= 0.065
        assert (own <= found.low[k]).mean() >= 0.035
        assert (own >= found.high[k]).mean() >= 0.035
        assert ((own >= found.low[k]) & (own <= found.high[k])).mean() >= 0.87


def test_sightings_are_the_same_each_time() -> None:
    """The simulated intervals do not depend on what was asked before."""
    scene = random_scene(9)
    assert scene is not None
    first, second = (expect_sightings(scene.found, scene.entries, 3) for _ in range(2))
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())


@pytest.mark.parametrize("weeks", [0, -2])
def test_no_weeks_ahead_are_refused(weeks: int) -> None:
    """There is nothing to expect of no time."""
    scene = tiny_scene()
    with pytest.raises(InputError, match="at least 1"):
        expect_sightings(scene.found, scene.entries, weeks)


def test_sightings_in_words_and_json() -> None:
    """The likeliest come first; frame and JSON hold one number an indicator and week."""
    scene = tiny_scene(entries=[seen("pact", dt.date(2025, 1, 20))])
    found = expect_sightings(scene.found, scene.entries, 3)
    assert "pact" not in found.indicators
    best = found.indicators[int(np.argmax(found.ever))]
    assert found.sentences[0].startswith(found.labels[best])
    assert "14 Feb 2025" in found.sentences[0]
    frame = found.to_frame()
    assert len(frame) == len(found.weeks) * len(found.indicators)
    assert frame["expected"].sum() == pytest.approx(found.total.sum())
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert set(content["indicators"]) == set(found.indicators)
    assert content["weeks"][-1] == "2025-02-14"


def test_watch_list_and_sightings_agree_on_the_same_event() -> None:
    """The chance to see an indicator is one number, with one error and one text, whichever command gives it."""
    scene = tiny_scene()
    listed, found = ask(scene, 3, "tension"), expect_sightings(scene.found, scene.entries, 3)
    assert {row.indicator for row in listed.rows} == set(found.indicators)
    for row in listed.rows:
        k = found.indicators.index(row.indicator)
        assert (found.ever[k], found.ever_mcse[k]) == pytest.approx((row.chance, row.chance_mcse), abs=1e-12)
        assert prose.chance(float(found.ever[k]), float(found.ever_mcse[k])) == prose.chance(
            row.chance, row.chance_mcse
        )


def test_the_middle_of_what_to_expect_lies_within_its_interval() -> None:
    """A few draws with wild rates lift the expectation above the interval; the sentence gives the median."""
    base = tiny_scene()
    found = expect_sightings(base.found, base.entries, 8)
    assert (found.low <= found.median).all()
    assert (found.median <= found.high).all()
    wild = replace(found, total=np.full_like(found.total, 180.0), median=np.ones_like(found.median))
    wild = replace(wild, low=np.zeros_like(found.low), high=np.full_like(found.high, 3.0))
    assert all(text.endswith(", 0 to 3 times (median 1).") for text in wild.sentences)


def test_what_would_teach_nothing_is_not_told_twice() -> None:
    """Where seen or not comes to the same number, no two equal numbers stand beside each other."""
    found = ask(tiny_scene(), 3, "tension")
    same = tuple(replace(row, if_seen=0.051, if_not=0.049, if_seen_mcse=0, if_not_mcse=0) for row in found.rows)
    told = replace(found, rows=same).sentences[1:]
    assert told[0] == f"{same[0].label}: whether it is seen or not would hardly move tension."
    assert not any("would stand at" in text for text in told)


def test_everything_has_happened_already() -> None:
    """With nothing left that could be seen the lists are empty, and say so."""
    once = "repeats = false,"
    keep = 'class = "news", '
    spec = tiny_spec(a=(f"{keep}{once} ", keep), b=(keep, f"{keep}{once} "))
    day = dt.date(2025, 1, 20)
    scene = tiny_scene(spec=spec, entries=[seen(name, day) for name in ("shot", "march", "pact", "flood")])
    found = ask(scene, 2, "tension")
    assert found.rows == ()
    assert len(found.left_out) == 4
    assert found.companion is None
    assert found.companion_gain is None
    assert found.sentences
    json.dumps(found.to_dict(), allow_nan=False)
    sightings = expect_sightings(scene.found, scene.entries, 2)
    assert sightings.indicators == ()
    assert sightings.sentences == ()
    json.dumps(sightings.to_dict(), allow_nan=False)
