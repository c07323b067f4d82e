"""Channels of a model file: weekly counts by machines of what happens between actors, and what is held of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from forecast.theory.tables import NO_BASIS, Bases, Table
from forecast.theory.values import Interval, Label, Name, Scale, Spread

USUAL_CHANNELS = "counts"  # the class of channels whose class the file does not name


class Channel(Table):
    """A kind of events that a machine counts every week, more of them in the states that it points to.

    Counts are negative binomial about ``exposure`` times a rate for each state; with the ``dispersion`` φ their
    variance is μ + μ²/φ.
    """

    label: Label = ""
    stage: Annotated[Name, Field(description="The stage that it tells of.", examples=["hospitals"])]
    points_to: Annotated[
        tuple[Name, ...],
        Field(
            min_length=1,
            description="The states of the stage in which more is counted than in the others; not all of them.",
            examples=[["full"]],
        ),
    ]
    grade: Annotated[
        Literal["weak", "moderate", "strong", "decisive"],
        Field(
            description="How many times more: see `[priors.grades]`, and `contrast` of its class.",
            examples=["moderate"],
        ),
    ] = "weak"
    class_: Annotated[
        Name,
        Field(
            alias="class",
            description="Which channels count about as many events: a key of `[priors.channels]`.",
            examples=["calls"],
        ),
    ] = USUAL_CHANNELS
    dispersion: Annotated[
        Interval,
        Field(
            description="φ, as a 90 % interval: the variance of a week's count is its mean μ plus μ²/φ, so that 1 is "
            "wild and 100 nearly a Poisson.",
            examples=[[2, 30]],
        ),
    ] = (1.0, 20.0)
    basis: Bases = NO_BASIS


class ChannelClass(Table):
    """What channels of one class share: how many events of a volume they count, and how far their grades are right."""

    per_volume: Annotated[
        Interval,
        Field(
            description="How many events one of them counts, in a state that it does not point to, for each unit of "
            "exposure (such as each event of the source), as a 90 % interval.",
            examples=[[0.0001, 0.01]],
        ),
    ] = (1e-5, 1e-2)
    spread: Annotated[
        Spread,
        Field(
            description="How much they differ in that: the standard deviation of log rates, as a 90 % interval.",
            examples=[[0.3, 1.5]],
        ),
    ] = (0.3, 1.5)
    contrast: Annotated[
        Scale,
        Field(
            description="A factor on the logarithms of their grades' multipliers, as a 90 % interval: counts of what "
            "machines code say less than sightings, and evidence tells how much.",
            examples=[[0.2, 1.2]],
        ),
    ] = (0.15, 1.0)
    basis: Bases = NO_BASIS
