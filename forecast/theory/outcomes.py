"""Outcomes of a model file: what is asked, the rule by which the world answers, and what is asked of two together."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from forecast.base.prose import count, spoken
from forecast.theory.tables import NO_BASIS, Bases, Table
from forecast.theory.values import Day, Label, Name, Text, Weeks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_STORIES = 1000
SHORTEST = 24  # characters of a title where there is little room
USUAL_WEEKS = 13  # of a rule that the file does not give


class Rule(Table):
    """One clause of a resolution: an observable on record, or enough distinct stories within a span.

    With ``no_fewer_than`` they must also be no fewer than those of the indicators that it names.
    """

    observable: Annotated[
        Name | None,
        Field(
            description="A stage that must be on record as in one of its `observable` states. Alone in its clause.",
            examples=["policy"],
        ),
    ] = None
    stories: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=MOST_STORIES)] | None,
        Field(
            description="How many different stories must have been told, with `of` and `within_weeks`.", examples=[2]
        ),
    ] = None
    of: Annotated[
        tuple[Name, ...], Field(description="The indicators whose stories count.", examples=[["wards_full"]])
    ] = ()
    no_fewer_than: Annotated[
        tuple[Name, ...],
        Field(description="Indicators that must not have more stories than those of `of`.", examples=[["wards_empty"]]),
    ] = ()
    within_weeks: Annotated[
        Weeks | None, Field(description="How far back stories count from the day that is asked about.", examples=[8])
    ] = None

    def in_words(self, stages: Mapping[str, str], indicators: Mapping[str, str]) -> str:
        """Give the clause in words, by the labels of stages and indicators; a key without one is written as words."""
        if self.observable is not None:
            label = stages.get(self.observable, spoken(self.observable))
            return f"“{label}” is on record as in one of its observable states"
        of, others = (
            ", ".join(f"“{indicators.get(name, spoken(name))}”" for name in names)
            for names in (self.of, self.no_fewer_than)
        )
        events = count(self.stories or 0, "event" if self.stories == 1 else "separate event")
        told = f"{events} told within {count(self.within_weeks or 0, 'week')} of: {of}"
        return f"at least {told}{f'; no fewer than of: {others}' if others else ''}"

    @property
    def counted(self) -> tuple[Name, ...]:
        """The indicators whose stories it counts, on either side."""
        return *self.of, *self.no_fewer_than

    @property
    def other_side(self) -> Rule | None:
        """A clause of the stories that those of ``of`` are compared with; None if they are not compared."""
        if not self.no_fewer_than:
            return None
        return self.model_copy(update={"of": self.no_fewer_than, "no_fewer_than": ()})

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        stories = (self.stories is not None, bool(self.of), self.within_weeks is not None)
        if self.observable is not None and any((*stories, self.no_fewer_than)):
            msg = "a clause names `observable` or `stories`, `of` and `within_weeks`, not both"
            raise ValueError(msg)
        if self.observable is None and not all(stories):
            msg = "the clause names nothing: give `observable`, or `stories`, `of` and `within_weeks` together"
            raise ValueError(msg)
        if twice := sorted(set(self.of) & set(self.no_fewer_than)):
            msg = f"`of` and `no_fewer_than` both name {', '.join(map(repr, twice))}; a story counts on one side"
            raise ValueError(msg)
        return self


class Outcome(Table):
    """A named set of joint states with a frozen rule by which the world resolves it.

    Where there is little room it is called ``short``, by default its name in words.
    """

    label: Label = ""
    short: Annotated[
        Annotated[Text, Field(max_length=SHORTEST)] | None,
        Field(
            description="What it is called where there is little room. Without it: its name in words.",
            examples=["Wards full"],
        ),
    ] = None
    states: Annotated[
        dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]],
        Field(
            min_length=1,
            description="Where it holds: for each stage that matters, the states of which one must be the case.",
            examples=[{"hospitals": ["strained", "full"]}],
        ),
    ]
    resolution: Annotated[
        Text,
        Field(
            description="The rule in words, as people are told it. Without it: the clauses of `resolves` in words.",
            examples=["Two reports of full wards within eight weeks."],
        ),
    ] = ""
    sources: Annotated[
        tuple[Text, ...],
        Field(min_length=1, description="Where the answer will be looked up.", examples=[["Ministry of Health"]]),
    ] = ()
    resolves: Annotated[
        tuple[Rule, ...],
        Field(
            min_length=1,
            description="Clauses that must all be met for the world's answer to be yes. Without them, for each stage "
            f"of `states`: it is on record, if these are its `observable` states, or a story within {USUAL_WEEKS} "
            "weeks of an indicator that points to none but these. A row counts for them if its credibility is 0.5 or "
            "more: C3 does, D3 does not.",
            examples=[[{"stories": 2, "of": ["wards_full"], "within_weeks": 8}]],
        ),
    ] = ()
    frozen: Annotated[
        Day,
        Field(
            description="The day on which the outcome and its rule were written or last changed. Forecasts of earlier "
            "days are no test of skill.",
            examples=[dt.date(2025, 1, 6)],
        ),
    ]
    basis: Bases = NO_BASIS


def exclude_each_other(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """Whether two outcomes, given by their states, cannot hold together: some stage cannot be in a state of both."""
    return any(not set(states) & set(other[stage]) for stage, states in one.items() if stage in other)


class Conditional(Table):
    """A probability given another outcome: both at the horizon, or ``weeks`` after the other began."""

    outcome: Annotated[Name, Field(description="The outcome whose probability is asked.", examples=["full_wards"])]
    given: Annotated[
        Name | None, Field(description="An outcome that holds at the horizon too.", examples=["lockdown"])
    ] = None
    given_no: Annotated[
        Name | None, Field(description="An outcome that does not hold at the horizon.", examples=["lockdown"])
    ] = None
    after: Annotated[Name | None, Field(description="An outcome that began `weeks` before.", examples=["lockdown"])] = (
        None
    )
    weeks: Annotated[Weeks | None, Field(description="Weeks after `after` began.", examples=[26])] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if sum(part is not None for part in (self.given, self.given_no, self.after)) != 1:
            msg = "needs exactly one of `given`, `given_no` and `after`"
            raise ValueError(msg)
        if (self.after is None) != (self.weeks is None):
            msg = "`after` and `weeks` go together"
            raise ValueError(msg)
        return self

    @property
    def condition(self) -> str:
        """The condition in words: ``deal``, ``no deal`` or ``26 weeks after deal``."""
        if self.after is not None:
            return f"{count(self.weeks or 0, 'week')} after {self.after}"
        return self.given or f"no {self.given_no}"
