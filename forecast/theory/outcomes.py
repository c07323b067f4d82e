"""Outcomes of a model file: what is asked, the rule by which the world answers, and what is asked of two together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Self

from pydantic import Field, model_validator

from forecast.theory.tables import Bases, Table
from forecast.theory.values import Day, Name, Text, Weeks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_STORIES = 1000
SHORTEST = 24  # characters of a title where there is little room


class Rule(Table):
    """One clause of a resolution: an observable on record, or enough distinct stories within a span.

    With ``no_fewer_than`` they must also be no fewer than those of the indicators that it names.
    """

    observable: Name | None = None
    stories: Annotated[int, Field(strict=True, ge=1, le=MOST_STORIES)] | None = None
    of: tuple[Name, ...] = ()
    no_fewer_than: tuple[Name, ...] = ()
    within_weeks: Weeks | None = None

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

    label: Text
    short: Annotated[Text, Field(max_length=SHORTEST)] | None = None
    states: dict[Name, Annotated[tuple[Name, ...], Field(min_length=1)]] = Field(min_length=1)
    resolution: Text
    sources: Annotated[tuple[Text, ...], Field(min_length=1)]
    resolves: Annotated[tuple[Rule, ...], Field(min_length=1)]
    frozen: Day
    basis: Bases


def exclude_each_other(one: Mapping[str, Sequence[str]], other: Mapping[str, Sequence[str]]) -> bool:
    """Whether two outcomes, given by their states, cannot hold together: some stage cannot be in a state of both."""
    return any(not set(states) & set(other[stage]) for stage, states in one.items() if stage in other)


class Conditional(Table):
    """A probability given another outcome: both at the horizon, or ``weeks`` after the other began."""

    outcome: Name
    given: Name | None = None
    given_no: Name | None = None
    after: Name | None = None
    weeks: Weeks | None = None

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
            return f"{self.weeks} weeks after {self.after}"
        return self.given or f"no {self.given_no}"
