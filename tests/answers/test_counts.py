"""Counts in the answers: a channel's weeks are a story, a column of the matrix, a supposition and a surprise."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from counts import CountedWorld, counted_world
from entries import refusal
from worlds import SEEDS

from forecast.answers.alarm import raise_alarm
from forecast.answers.drivers import Known, find_drivers
from forecast.answers.matrix import find_matrix
from forecast.answers.moves import assumption_moves
from forecast.answers.target import Question
from forecast.answers.watch import watch_list
from forecast.answers.what_if import Asker, supposed_rows
from forecast.base.errors import InputError
from forecast.engine.blocks import Draws
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.history import History, compile_history
from forecast.evidence.stories import stories, story_kind, story_name
from forecast.inference.anchor import PRIOR, Anchor
from forecast.inference.pymc_model import build_model, prior_draws
from forecast.inference.reweighting import Posterior, reweigh
from forecast.inference.shifted_prior import PARAMETERS, moved, parameter_names, parameters_of
from forecast.ledger.rows import Count, with_id

SIZE = 2000
NAMES = ("channel_log_times", "channel_class_log_rate", "channel_class_log_contrast")


@cache
def world() -> CountedWorld:
    """Give a small world in which every channel was counted in its last weeks."""
    return counted_world(SEEDS[3])


@cache
def anchor() -> Anchor:
    """Draw from the prior of its model."""
    found = world()
    draws = Draws(*prior_draws(build_model(found.space, found.evidence), Draws._fields, SIZE, 5))
    return Anchor(found.space, PRIOR, lambda: draws)


def entries() -> tuple:
    """Rows of the world and its counts."""
    return (*world().world.rows, *world().world.coverage, *map(with_id, world().counts))


def posterior(rows: tuple) -> Posterior:
    """Weight the draws to rows."""
    return reweigh(anchor(), compile_evidence(world().space, rows, world().world.as_of))


def question(*, stages: bool = False) -> Question:
    """Ask about the first outcome at the first horizon."""
    spec = world().space.spec
    return Question(world().space, next(iter(spec.outcomes)), min(spec.model.horizons_weeks), world().world.as_of,
                    stages=stages)  # fmt: skip


def test_the_weeks_of_a_channel_are_one_story() -> None:
    """It is called by its label, its days and, of one week, what was counted."""
    space = world().space
    found = stories(space, entries())
    names = [key for key in found if key.startswith("counts ")]
    assert sorted(names) == [f"counts {name}" for name in sorted(space.channels)]
    rows = found[names[0]]
    assert story_kind(rows) == "counts"
    assert len(rows) == sum(f"counts {row.channel}" == names[0] for row in world().counts)
    assert "counted" in story_name(space, rows)[0]
    one = rows[:1]
    assert f"({one[0].count} of {one[0].exposure:,g})" in story_name(space, one)[0]


def test_what_a_weeks_counts_moved_adds_up() -> None:
    """Drivers split a change among the channels that came in, to the last digit."""
    last = max(row.from_ for row in world().counts)
    before = tuple(row for row in entries() if not (isinstance(row, Count) and row.from_ == last))
    then, now = posterior(before), posterior(entries())
    found = find_drivers(question(stages=True), Known(then, before), Known(now, entries()))
    kinds = [row.kind for row in found.moved]
    assert kinds.count("counts") == sum(row.from_ == last for row in world().counts)
    there, here = (question().ask(one).mean[0] for one in (then, now))
    assert sum(row.difference for row in found.moved) == pytest.approx(here - there, abs=1e-9)


def test_a_channel_has_a_line_in_the_matrix() -> None:
    """How many times likelier its last weeks are under each state is the ratio of their likelihoods."""
    found, space = posterior(entries()), world().space
    watched = watch_list(question(), found, entries(), 1)
    lines = {row.what: row for row in find_matrix(found, entries(), watched, {}).rows}
    channel = space.spec.channels["second_count"]
    line = lines[f"“{channel.label}”, counted in the last 8 weeks"]
    (pointed,) = channel.points_to
    assert line.stage == channel.stage
    assert set(line.factors) == set(space.spec.stages[channel.stage].states)
    other = min((one for name, one in line.factors.items() if name != pointed), key=lambda one: one.mean)
    assert line.factors[pointed].mean != pytest.approx(other.mean)


def test_a_count_to_come_can_be_supposed() -> None:
    """It is the forecast from the same rows and one more; without a volume the usual one of the channel is taken."""
    found, space = posterior(entries()), world().space
    as_of = world().world.as_of
    asker = Asker(found, entries(), lambda _: anchor())
    answer = asker.what_if(["first_count=9/60"], {}, on=None, grade="A1", refit="never")
    last = as_of + dt.timedelta(days=7)
    first = as_of + dt.timedelta(days=1)
    assert answer.supposed == (f"9 of 60 are counted as first_count from {first} to {last}",)
    usual = sorted((row for row in world().counts if row.channel == "first_count"), key=lambda row: row.from_)
    (row,) = supposed_rows(space, as_of, ["first_count=9"], {}, on=None, grade="A1", entries=entries())
    assert isinstance(row, Count)
    assert row.exposure == np.median([one.exposure for one in usual[-8:]])
    many, none = (asker.what_if([f"first_count={n}/60"], {}, on=None, grade="A1", refit="never") for n in (40, 0))
    assert any(a.after.mean != b.after.mean for a, b in zip(many.changes, none.changes, strict=True))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("hostile=4", "the model has no channel 'hostile'"),
        ("first_count=many", "'first_count=many' is no count; write CHANNEL=COUNT"),
        ("first_count=4/0", "'0' is no volume"),
        ("first_count=4@2001-01-01", "for that week is known"),
    ],
)
def test_a_count_that_cannot_be_supposed_is_named(text: str, fault: str) -> None:
    """Before anything is fitted."""
    space, as_of = world().space, world().world.as_of
    said = refusal(lambda: supposed_rows(space, as_of, [text], {}, on=None, grade="A1", entries=entries()), InputError)
    assert fault in said
    never = refusal(
        lambda: supposed_rows(space, as_of, ["first_count=4"], {}, on=None, grade="A1", entries=()), InputError
    )
    assert "was never counted" in never


def test_the_alarm_hears_what_was_counted() -> None:
    """Counts far beyond every state of every draw are more surprising than those that came."""
    as_of = world().world.as_of
    early = compile_evidence(world().space, (), world().space.spec.model.start + dt.timedelta(days=6))
    before = reweigh(anchor(), early)
    late = [row for row in world().counts if row.from_ > early.as_of]
    assert late
    usual = raise_alarm(before, compile_evidence(world().space, list(map(with_id, late)), as_of))
    wild = [with_id(replace(row, count=10**7)) for row in late]
    odd = raise_alarm(before, compile_evidence(world().space, wild, as_of))
    assert odd.tail < 0.005 < usual.tail


def test_assumptions_of_channels_move_their_rates_alone() -> None:
    """What a class counts shifts the rates of its channels; its contrast shifts them where they point."""
    found, space = posterior(entries()), world().space
    names = list(parameter_names(space, _history()))
    assert set(PARAMETERS) | set(NAMES) <= set(names)
    drawn = prior_draws(build_model(space, found.evidence), names, SIZE, 5)
    parameters = parameters_of({name: part[None] for name, part in zip(names, drawn, strict=True)}, space, _history())
    indicators = space.emission_indicator.size
    before = anchor().blocks.draws.log_lambda
    channel, points, dispersion = space.channel_emissions
    keys = {"priors.channels.counts": (0.02, 1.0), "priors.channels.counts.contrast": (0.3, 2.0)}
    shifts = []
    for key, interval in keys.items():
        there = moved(found, parameters, entries(), {key: interval}).blocks.draws.log_lambda - before
        assert not there[:, :indicators].any()
        assert not there[:, indicators:][:, dispersion == 1].any()
        shifts.append(there[:, indicators:])
    np.testing.assert_allclose(shifts[0][:, dispersion == 0], np.log(2.0), rtol=1e-12)
    assert not shifts[1][:, (points == 0)].any()
    raised = parameters.counted[:, channel[points == 1]]
    np.testing.assert_allclose(shifts[1][:, points == 1], raised, rtol=1e-9)
    kinds = {name for _, name, _, _ in assumption_moves(found, entries())}
    assert set(keys) <= kinds
    silent = posterior(tuple(row for row in entries() if not isinstance(row, Count)))
    assert not {name for _, name, _, _ in assumption_moves(silent, entries()) if "channels" in name}


def _history() -> History:
    return compile_history(world().space)
