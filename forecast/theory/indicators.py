"""Indicators of a model file, and what is held beforehand of how often they happen and how much they say."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from forecast.theory.channels import USUAL_CHANNELS, ChannelClass
from forecast.theory.tables import NO_BASIS, Bases, Table
from forecast.theory.values import QUOTE_WORDS, Day, Interval, Label, Multiplier, Name, Quote, Scale, Spread, Text

GRADES = ("weak", "moderate", "strong", "decisive")
USUAL_CLASS = "events"  # of indicators whose class the file does not name


class Sign(Table):
    """What an indicator looks like in the world, with the passage that names it if there is one."""

    what: Annotated[Text, Field(description="What is seen.", examples=["Ambulances wait outside"])]
    quote: Annotated[
        Quote | None,
        Field(description=f"A passage that names it, at most {QUOTE_WORDS} words.", examples=["wards at capacity"]),
    ] = None


class Indicator(Table):
    """An observable kind of event of one stage, likelier in the states it points to.

    ``since`` is the day from which the vocabulary has had it; nobody chose it, or looked for it among everything,
    before. Without it, it has been there from the model's start.
    """

    label: Label = ""
    stage: Annotated[Name, Field(description="The stage that it tells of.", examples=["hospitals"])]
    points_to: Annotated[
        tuple[Name, ...],
        Field(
            min_length=1,
            description="The states of the stage in which it is likelier than in the others; not all of them.",
            examples=[["strained", "full"]],
        ),
    ]
    grade: Annotated[
        Literal["weak", "moderate", "strong", "decisive"],
        Field(
            description="How much likelier: see `[priors.grades]`. Where nobody is recorded to look, what one row "
            "tells depends on the other indicators of its stage too: `forecast check` says how much it is.",
            examples=["strong"],
        ),
    ] = "weak"
    class_: Annotated[
        Name,
        Field(
            alias="class",
            description="Which indicators happen about as often as it does: a key of `[priors.classes]`.",
            examples=["press"],
        ),
    ] = USUAL_CLASS
    repeats: Annotated[
        bool, Field(strict=True, description="Whether it can happen again while nothing has changed.", examples=[False])
    ] = True
    reset_by: Annotated[
        Name | None,
        Field(
            description="The indicator after which one that does not repeat can happen again.", examples=["wards_empty"]
        ),
    ] = None
    since: Annotated[
        Day | None,
        Field(
            description="The day from which the file has had it: before, nobody looked for it. Without it: from the "
            "model's first day.",
            examples=[dt.date(2025, 9, 1)],
        ),
    ] = None
    signs: Annotated[
        tuple[Sign, ...],
        Field(
            min_length=1,
            description="What it looks like in the world: `forecast indicators` finds it by these words.",
            examples=[[{"what": "Operations are put off"}]],
        ),
    ] = ()
    basis: Bases = NO_BASIS


class ClassPrior(Table):
    """Base rates of one class of indicators.

    ``per_year`` is the 90 % interval of the class's typical rate (exp μ), ``spread`` that of σ, the standard
    deviation of log rates within the class; both log-normal.
    """

    per_year: Annotated[
        Interval,
        Field(
            description="How often one of them happens in a state that it does not point to, per year, as a 90 % "
            "interval.",
            examples=[[0.5, 3]],
        ),
    ] = (0.05, 5.0)
    spread: Annotated[
        Spread,
        Field(
            description="How much they differ in that: the standard deviation of log rates, as a 90 % interval.",
            examples=[[0.2, 0.8]],
        ),
    ] = (0.3, 1.0)
    basis: Bases = NO_BASIS


class GradePrior(Table):
    """Multipliers of the four grades: prior medians, and how tightly the increments are held.

    Each increment on the log scale is 2 m Beta(c, c), with m the difference of the log medians and c the
    ``concentration``: symmetric about m, so the medians of the grades are exactly those given, and positive, so
    the order holds in every draw.
    """

    weak: Annotated[
        Multiplier,
        Field(description="How many times likelier a weak indicator is in the states it points to.", examples=[1.5]),
    ] = 2.0
    moderate: Annotated[Multiplier, Field(description="The same of a moderate one: more.", examples=[3])] = 4.0
    strong: Annotated[Multiplier, Field(description="The same of a strong one: more still.", examples=[8])] = 10.0
    decisive: Annotated[Multiplier, Field(description="The same of a decisive one: the most.", examples=[25])] = 30.0
    concentration: Annotated[
        float,
        Field(
            strict=True,
            gt=1,
            le=10_000,
            description="How closely the multipliers keep to these numbers: at 4 each step between grades varies by "
            "about half, more holds them closer.",
            examples=[10],
        ),
    ] = 4.0
    basis: Bases = NO_BASIS

    @model_validator(mode="after")
    def _increasing(self) -> Self:
        medians = self.medians
        if any(low >= high for low, high in pairwise(medians)):
            msg = f"grades increase strictly from weak to decisive, got {list(medians)}"
            raise ValueError(msg)
        return self

    @property
    def medians(self) -> tuple[float, float, float, float]:
        """Prior medians in the order of `GRADES`."""
        return self.weak, self.moderate, self.strong, self.decisive


class DeparturePrior(Table):
    """How far an indicator departs from its grade: τ is half-normal with this ``scale`` (log of the log rate)."""

    scale: Annotated[
        float,
        Field(
            strict=True,
            ge=1e-3,
            le=10,
            description="How far an indicator's own multiplier lies from that of its grade, on the log scale: 0.3 is "
            "about a third up or down.",
            examples=[0.2],
        ),
    ] = 0.3
    basis: Bases = NO_BASIS


class DiagnosticityPrior(Table):
    """How far the grades are right: ``times`` is the 90 % interval of κ, a factor on the logarithms of all grades."""

    times: Annotated[
        Scale,
        Field(
            description="A factor on the logarithms of all multipliers, as a 90 % interval: at 0.5 ×10 is worth ×3.2.",
            examples=[[0.6, 1.5]],
        ),
    ] = (0.5, 2.0)
    basis: Bases = NO_BASIS


class Priors(Table):
    """Priors shared by all indicators and channels; without ``diagnosticity`` the grades are taken at their word."""

    classes: Annotated[
        dict[Name, ClassPrior],
        Field(
            min_length=1,
            description="Indicators that happen about as often as each other, by a name of your own. Without it "
            f"there is one, `{USUAL_CLASS}`, with the defaults below.",
            examples=[{"press": {"per_year": [0.5, 3]}}],
        ),
    ] = Field(default_factory=lambda: {USUAL_CLASS: ClassPrior()})
    grades: Annotated[
        GradePrior, Field(description="What the four grades are worth; they increase.", examples=[{"weak": 1.5}])
    ] = GradePrior()
    departure: Annotated[
        DeparturePrior, Field(description="How far indicators depart from their grade.", examples=[{"scale": 0.2}])
    ] = DeparturePrior()
    diagnosticity: Annotated[
        DiagnosticityPrior | None,
        Field(
            description="That the evidence tells how far the grades are right. Without it they are taken as they are.",
            examples=[{"times": [0.6, 1.5]}],
        ),
    ] = None
    channels: Annotated[
        dict[Name, ChannelClass],
        Field(
            min_length=1,
            description="Channels that count about as many events as each other, by a name of your own. Without it "
            f"there is one, `{USUAL_CHANNELS}`, with the defaults below.",
            examples=[{"calls": {"per_volume": [0.001, 0.1]}}],
        ),
    ] = Field(default_factory=lambda: {USUAL_CHANNELS: ChannelClass()})
