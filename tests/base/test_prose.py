"""Sentences from numbers: no digit finer than the error allows, and right in sign and in grammar."""

from __future__ import annotations

import datetime as dt
import itertools
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from forecast.answers.drivers import Driver, Drivers
from forecast.base import prose as words
from forecast.quantities.estimate import Estimate, Trust
from forecast.theory.outcomes import Conditional, Rule

PROBABILITY = st.floats(0.0, 1.0)
ERROR = st.one_of(st.just(0.0), st.floats(1e-6, 0.4))
EDGE = 1e-9  # what a bound may be missed by, because numbers round
MORE, LESS = 1000.0, -1000.0


def test_one_week_is_no_weeks() -> None:
    """A clause and a condition of a single week are said in the singular."""
    rule = Rule(stories=1, of=("march",), within_weeks=1)
    assert "told within 1 week of: “march”" in rule.in_words({}, {})
    assert Conditional(outcome="war", after="deal", weeks=1).condition == "1 week after deal"


def test_items_are_counted_from_one() -> None:
    """The 11th to the 13th are no 11st to 13rd; names that are digits are names."""
    said = [words.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 102, 111)]
    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th"]
    assert words.dotted(("stages", "3", "transitions", 0, "to")) == "stages.3.transitions.1st.to"


def ordinal(text: str | None) -> float:
    """Turn a phrase into a number that keeps its order: bounds below and above every number."""
    if text is None or text.startswith(("less than", "<")):
        return LESS - (text is None)
    if text.startswith(">"):
        return MORE
    found = re.fullmatch(r"(?:about )?(\d+)(?:%| points?)", text)
    assert found, text
    return float(found[1])


# Probabilities.


@given(PROBABILITY, ERROR)
def test_a_chance_is_near_the_probability(value: float, mcse: float) -> None:
    """What is said is true: a number within half of what it is rounded to, or a bound that holds."""
    text = words.chance(value, mcse)
    bound = re.fullmatch(r"([<>])(\d+)%", text)
    if bound:
        limit = int(bound[2]) / 100
        assert value < limit if bound[1] == "<" else value > limit
        return
    finest = 1.0 if text in {"0%", "100%"} and value in {0.0, 1.0} else max(1.0, 200 * mcse)
    coarsest = max(1.0, 2.5 * 200 * mcse)
    assert text.startswith("about ") == (finest > 1)
    assert abs(ordinal(text) - 100 * value) <= coarsest / 2 + EDGE


@given(ERROR)
def test_the_digits_of_a_chance_are_coarser_than_two_errors(mcse: float) -> None:
    """Two different numbers that can be said at one error are at least two errors apart."""
    said = sorted({ordinal(words.chance(k / 1000, mcse)) for k in range(1, 1000)} - {MORE, LESS})
    assert all(b - a >= max(200 * mcse, 1.0) - EDGE for a, b in itertools.pairwise(said))


@given(PROBABILITY, PROBABILITY, ERROR)
def test_chances_keep_their_order(one: float, two: float, mcse: float) -> None:
    """A larger probability is never told as a smaller one."""
    low, high = sorted((one, two))
    assume(low > 0 and high < 1)
    assert ordinal(words.chance(low, mcse)) <= ordinal(words.chance(high, mcse))


@given(st.floats(0.0, 1.0), ERROR)
def test_only_certainty_is_told_as_certain(value: float, mcse: float) -> None:
    """0 % and 100 % are said of 0 and 1 and of nothing else."""
    text = words.chance(value, mcse)
    assert (text.removeprefix("about ") == "0%") == (value == 0)
    assert (text.removeprefix("about ") == "100%") == (value == 1)


@pytest.mark.parametrize(
    ("value", "mcse", "text"),
    [
        (0.0, 0.01, "0%"),
        (1.0, 0.0, "100%"),
        (0.311, 0.0, "31%"),
        (0.311, 0.005, "31%"),
        (0.311, 0.0051, "about 32%"),
        (0.311, 0.012, "about 30%"),
        (0.311, 0.03, "about 30%"),
        (0.311, 0.06, "about 40%"),
        (0.004, 0.0, "<1%"),
        (1e-300, 0.0, "<1%"),
        (0.996, 0.0, ">99%"),
        (0.02, 0.02, "<5%"),
        (0.98, 0.02, ">95%"),
    ],
)
def test_chances(value: float, mcse: float, text: str) -> None:
    """Whole percent, or fewer digits where the error asks for it."""
    assert words.chance(value, mcse) == text


# Differences.


@given(st.floats(-1.0, 1.0), ERROR)
def test_a_difference_is_told_only_beyond_two_errors(difference: float, mcse: float) -> None:
    """Noise has no size; what has one is near it, and no digit of it is finer than two errors."""
    text = words.points(difference, mcse)
    size = abs(difference)
    assert (text is None) == (size <= max(2 * mcse, 1e-12))  # sums round
    if text is None:
        return
    if text.startswith("less than"):
        limit = re.fullmatch(r"less than (?:a point|(\d+) points)", text)
        assert limit
        assert size < int(limit[1] or 1) / 100
        return
    assert text.startswith("about ") == (mcse > 0.005)
    assert abs(ordinal(text) - 100 * size) <= max(1.0, 500 * mcse) / 2 + EDGE
    assert text.endswith("point") == (ordinal(text) == 1)


@given(ERROR)
def test_the_digits_of_a_difference_are_coarser_than_two_errors(mcse: float) -> None:
    """Two different sizes that can be said at one error are at least two errors apart, and none is zero."""
    said = sorted({ordinal(words.points(k / 1000, mcse)) for k in range(1, 1001)} - {LESS, LESS - 1})
    assert all(b - a >= max(200 * mcse, 1.0) - EDGE for a, b in itertools.pairwise(said))
    assert not said or said[0] > 0


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), ERROR)
def test_differences_keep_their_order(one: float, two: float, mcse: float) -> None:
    """A larger difference is never told as a smaller one."""
    low, high = sorted((one, two))
    assert ordinal(words.points(low, mcse)) <= ordinal(words.points(high, mcse))


@given(st.floats(1e-9, 1.0), ERROR)
def test_the_sign_changes_the_verb_and_nothing_else(size: float, mcse: float) -> None:
    """What adds to an outcome and what takes off it are told alike."""
    assert words.points(size, mcse) == words.points(-size, mcse)
    up, down = (words.moved("It", sign * size, mcse, "war") for sign in (1, -1))
    said = words.points(size, mcse)
    if said is None:
        assert up == down == "It made no difference to war that the draws could tell"
    else:
        assert up == f"It added {said} to war"
        assert down == f"It took {said} off war"


@pytest.mark.parametrize(
    ("difference", "mcse", "text"),
    [
        (0.0, 0.0, None),
        (0.0099, 0.005, None),
        (-0.31, 0.003, "31 points"),
        (0.01, 0.001, "1 point"),
        (0.0149, 0.001, "1 point"),
        (0.004, 0.001, "less than a point"),
        (0.029, 0.008, "about 2 points"),
        (0.123, 0.02, "about 10 points"),
        (0.05, 0.024, "about 5 points"),
        (0.06, 0.026, "about 10 points"),
        (1.0, 0.0, "100 points"),
    ],
)
def test_points(difference: float, mcse: float, text: str | None) -> None:
    """Whole points, singular and plural, or fewer digits where the error asks for it."""
    assert words.points(difference, mcse) == text


# Two probabilities that a reader sees beside each other.

SEEN = st.tuples(PROBABILITY, ERROR)


@given(SEEN, SEEN, ERROR)
def test_a_difference_is_that_of_the_ends_as_shown(
    one: tuple[float, float], two: tuple[float, float], e: float
) -> None:
    """Wherever both ends are numbers, the difference in the brackets is theirs, or is said to be within the error."""
    text = words.change(one, two, e)
    found = re.fullmatch(r"(\d+)% → (\d+)% \((.*)\)", text)
    assume(found is not None)
    assert found is not None
    before, after, told = int(found[1]), int(found[2]), found[3].replace("−", "-").replace("±", "")
    if told == "within error":
        assert before != after
        assert abs(one[0] - two[0]) <= 2 * e
    elif "<" in told:
        assert abs(after - before) == 1
        assert abs(one[0] - two[0]) < 0.005
    else:
        assert int(told) == after - before
        assert words.points_apart(one, two, e) in {None, "less than a point"} or after != before


@pytest.mark.parametrize(
    ("before", "after", "mcse", "text"),
    [
        ((0.084, 0.002), (0.046, 0.002), 0.002, "8% → 5% (−3)"),
        ((0.078, 0.002), (0.086, 0.002), 0.0005, "8% → 9% (+1)"),
        ((0.084, 0.002), (0.086, 0.002), 0.0005, "8% → 9% (+<1)"),
        ((0.086, 0.002), (0.084, 0.002), 0.0005, "9% → 8% (−<1)"),
        ((0.084, 0.002), (0.086, 0.002), 0.002, "8% → 9% (within error)"),
        ((0.611, 0.006), (0.571, 0.002), 0.001, "62% → 57% (−5)"),
        ((0.001, 0.0), (0.046, 0.002), 0.002, "<1% → 5% (+4)"),
        ((0.05, 0.0), (0.05, 0.0), 0.0, "5% → 5% (±0)"),
    ],
)
def test_changes(before: tuple[float, float], after: tuple[float, float], mcse: float, text: str) -> None:
    """Each reads as a sum that is right."""
    assert words.change(before, after, mcse) == text


def test_one_number_looks_the_same_everywhere() -> None:
    """A sentence, a cell and a tile round a probability by its error alike."""
    for mean, mcse, text in ((0.611, 0.006, "about 62%"), (0.611, 0.002, "61%"), (0.004, 0.0001, "<1%")):
        assert words.chance(mean, mcse) == text
        cell = text.removeprefix("about ")
        assert words.figure(mean, mcse) == cell
        assert words.spread({"mean": mean, "low": 0.2, "high": 0.8, "mcse": mcse}) == f"{cell} (20–80)"


# Small words.


@given(st.floats(0.001, 99.0))
def test_a_multiple_has_two_digits(factor: float) -> None:
    """Two digits, no more and no fewer, except that rounding may lengthen 0.99… to 1.0 and the like."""
    text = words.multiple(factor)
    assert text.startswith("×")
    assert abs(float(text[1:]) / factor - 1) <= 0.05 + EDGE
    digits = text[1:].replace(".", "").lstrip("0")
    assert len(digits) == 2 or digits == "100"


def test_small_words() -> None:
    """Counts, lists, days and names read as English."""
    assert [words.count(n, "week") for n in (0, 1, 2, 1000)] == ["0 weeks", "1 week", "2 weeks", "1,000 weeks"]
    assert [words.listed(list("abc")[:n]) for n in (1, 2, 3)] == ["a", "a and b", "a, b and c"]
    assert words.day(dt.date(2025, 10, 9)) == "9 Oct 2025"
    assert words.day(dt.date(2025, 10, 9), "month") == "Oct 2025"
    assert words.spoken("strategic_victory") == "strategic victory"


# The account in words.

TRUST = Trust("fit", None, 4000, 3000.0, None, 0.002, "war on 2025-12-01", ())


SAME = "not measurably different from what was"


def line(what: str, difference: float, mcse: float = 0.001, *, trusted: bool = True, kind: str = "story") -> Driver:
    """Give a line of an account."""
    return Driver(what, kind, dt.date(2025, 10, 9), ("r",), difference, mcse, 0.0, 0.0, {}, trusted)


def estimate(mean: float, mcse: float = 0.001) -> Estimate:
    """Give an estimate whose interval does not matter."""
    return Estimate(mean, 0.0, 1.0, mcse)


def account(
    before: Estimate, after: Estimate, moved: tuple[Driver, ...] = (), held_up: tuple[Driver, ...] = ()
) -> tuple[str, ...]:
    """Give the sentences of an account."""
    since, as_of, date = dt.date(2025, 10, 1), dt.date(2025, 11, 3), dt.date(2025, 12, 1)
    return Drivers(
        "m", "long_war", 4, date, as_of, since, before, after, moved, held_up, permutations=0, trust=TRUST
    ).sentences


def test_the_head_says_how_it_stands() -> None:
    """Lower, higher, barely, or not measurably: each reads as a sentence with both numbers."""
    head = "For 1 Dec 2025, long war stands at {}, {} expected of that day as of 1 Oct 2025 ({})."
    for before, after, turn in (
        (estimate(0.62), estimate(0.31), ("31%", "31 points lower than was", "62%")),
        (estimate(0.30), estimate(0.31), ("31%", "1 point higher than was", "30%")),
        (estimate(0.312), estimate(0.308), ("31%", "less than a point lower than was", "31%")),
        (estimate(0.31), estimate(0.31), ("31%", SAME, "31%")),
        (
            estimate(0.30, 0.03),
            estimate(0.36, 0.03),
            ("about 40%", "not measurably different from what was", "about 30%"),
        ),
        (estimate(0.0, 0.0), estimate(1.0, 0.0), ("100%", "100 points higher than was", "0%")),
        (estimate(0.999), estimate(0.0004, 1e-5), ("<1%", "100 points lower than was", ">99%")),
    ):
        assert account(before, after) == (head.format(*turn),)


def test_lines_come_by_size_and_noise_is_not_told() -> None:
    """The five largest of what moved it, by size whatever their sign; what is less than two errors is left out."""
    moved = [line(f"S{k} (9 Oct 2025)", (-1) ** k * k / 100) for k in (3, 7, 1, 5, 6, 4, 2)]
    noise = line("Noise", 0.5, 0.3)
    _, *lines = account(estimate(0.3), estimate(0.31), (noise, *moved, line("Nothing", 0.0, 0.0)))
    assert lines == [
        "S7 (9 Oct 2025) took 7 points off long war.",
        "S6 (9 Oct 2025) added 6 points to long war.",
        "S5 (9 Oct 2025) took 5 points off long war.",
        "S4 (9 Oct 2025) added 4 points to long war.",
        "S3 (9 Oct 2025) took 3 points off long war.",
    ]
    assert account(estimate(0.3), estimate(0.31), (noise,)) == account(estimate(0.3), estimate(0.31))


def test_what_holds_it_up_is_told_as_where_it_would_stand() -> None:
    """Without a story it would stand at what is left; at no finer digit than either error; not where out of reach."""
    held = (
        line("Dushanbe (9 Oct 2025)", -0.30),
        line("Summit (1 Oct 2025)", 0.31),
        line("Noise", 0.01, 0.01),
        line("Far", 0.2, trusted=False),
        line("Coarse", 0.20, 0.02),
    )
    _, *lines = account(estimate(0.31), estimate(0.31), (), held)
    assert lines == [
        "Without Summit (1 Oct 2025), long war would stand at 0%.",
        "Without Dushanbe (9 Oct 2025), long war would stand at 61%.",
        "Without Coarse, long war would stand at about 10%.",
    ]
    coarse = account(estimate(0.5, 0.02), estimate(0.5, 0.02), (), (line("It", 0.2),))
    assert coarse[1] == "Without It, long war would stand at about 30%."


def test_what_would_not_be_seen_to_move_is_not_told() -> None:
    """Stories without which it would stand where it does get one line together, and those that agree share theirs."""
    still = account(estimate(0.05), estimate(0.05), (), tuple(line(f"S{k}", 0.003) for k in range(3)))
    assert still[1:] == ("Without any one of the events, long war would stand within a point of 5%, where it is.",)
    held = (line("A", 0.021), line("B", 0.019), line("C", 0.003), line("D", -0.031))
    assert account(estimate(0.05), estimate(0.05), (), held)[1:] == (
        "Without D, long war would stand at 8%.",
        "Without A or B alone, long war would stand at 3%.",
    )


def test_sentences_are_sentences() -> None:
    """Each begins with a capital letter and ends with one full stop, and none holds two spaces or an underscore."""
    moved = (line("Dushanbe", -0.004), line("The passing of 33 days without other news", 0.2, kind="time"))
    said = account(estimate(0.1), estimate(0.3), moved, (line("Watching for everything", 0.02),))
    assert len(said) == 4
    for text in said:
        assert re.fullmatch(r"[A-Z][^_]*[^. _]\.", text)
        assert "  " not in text
        assert ".." not in text
