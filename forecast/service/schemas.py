"""What goes over the wire: what a request may hold, and what every answer says of what it rests on."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=120)]
Text = Annotated[str, Field(max_length=4000)]
Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", examples=["2026-01-08"])]
Probability = Annotated[float, Field(ge=0, le=1)]


class Sent(BaseModel):
    """A body that is sent; a key that means nothing is a fault."""

    model_config = ConfigDict(extra="forbid")


class Fault(BaseModel):
    """Why a request was not answered, in words."""

    detail: str


class Alarm(BaseModel):
    """Whether what was observed contradicts the model, in words; pending while that is worked out."""

    state: Literal["rings", "silent", "pending", "early"]
    sentences: list[str]


class Stamp(BaseModel):
    """What an answer rests on, so that nothing stale looks fresh; ``issue`` numbers the forecast issued last."""

    model: str
    as_of: Day
    newest_evidence: Day | None
    evidence_age_days: int | None
    rows: int
    trusted: bool
    reasons: list[str]
    alarm: Alarm
    issue: int | None
    issued_as_of: Day | None


class Answer(BaseModel):
    """An answer with its stamp."""

    rests_on: Stamp
    answer: dict[str, Any]


class Estimate(BaseModel):
    """A probability: its posterior mean, the 90 % interval, and its Monte Carlo error."""

    mean: Probability
    low: Probability
    high: Probability
    mcse: Annotated[float, Field(ge=0)]


class Quantity(BaseModel):
    """A published probability, as ``docs/forecast.schema.json`` has it."""

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: Day | None
    estimate: Estimate


class Forecast(BaseModel):
    """A forecast, as ``docs/forecast.schema.json`` has it."""

    format: int
    model: str
    as_of: Day
    model_hash: str
    evidence: str
    quantities: list[Quantity]
    trust: dict[str, Any]


class ForecastAnswer(BaseModel):
    """A forecast with its stamp."""

    rests_on: Stamp
    answer: Forecast


class Change(BaseModel):
    """A probability before and after, as ``docs/what-if.schema.json`` has it."""

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: Day | None
    before: Estimate
    after: Estimate
    difference: float
    mcse: Annotated[float, Field(ge=0)]


class Supposed(BaseModel):
    """A supposition and what it changes, as ``docs/what-if.schema.json`` has it."""

    format: int
    model: str
    as_of: Day
    supposed: list[str]
    changes: list[Change]
    trust: dict[str, Any]


class SupposedAnswer(BaseModel):
    """What a supposition changes, with the stamp of the forecast that it starts from."""

    rests_on: Stamp
    answer: Supposed


class WhatIf(Sent):
    """Indicators supposed to be seen (or NAME@DATE), or not seen through a day though looked for."""

    seen: list[Name] = Field(default=[], max_length=40)
    not_seen: dict[Name, Day] = Field(default={}, max_length=40)
    on: Day | None = None
    grade: Annotated[str, Field(max_length=4)] = "A1"


class Do(Sent):
    """States that stages are forced into."""

    states: dict[Name, Name] = Field(min_length=1, max_length=10)
    on: Day | None = None
    hold: bool = False


class Row(Sent):
    """A row of evidence, as a line of ``observations.csv`` or ``coverage.csv`` has it."""

    kind: Literal["observation", "coverage"] = "observation"
    indicator: Annotated[str, Field(max_length=120)] = ""
    state: Annotated[str, Field(max_length=120)] = ""
    date: Day | None = None
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    precision: Literal["day", "month"] | None = None
    reported_on: Day | None = None
    source: Annotated[str, Field(max_length=400)] = ""
    url: Annotated[str, Field(max_length=2000)] = ""
    grade: Annotated[str, Field(max_length=4)] = ""
    story: Annotated[str, Field(max_length=200)] = ""
    distinct: bool = False
    note: Text = ""
    language: Annotated[str, Field(max_length=40)] = ""

    def cells(self, **more: str) -> dict[str, str]:
        """Give the cells of the row as text, as a file has them."""
        values = self.model_dump(by_alias=True, exclude={"kind"}, exclude_none=True)
        values["distinct"] = "true" if self.distinct else ""
        wanted = (
            ("indicator", "from", "to", "reported_on", "source", "url", "note") if self.kind == "coverage" else None
        )
        return {
            name: value for name, value in values.items() if (value and wanted is None) or name in (wanted or ())
        } | more


class Retraction(Sent):
    """Why a row is withdrawn; from ``reported_on``, or as if it had never been."""

    reason: Annotated[str, Field(min_length=1, max_length=4000)]
    reported_on: Day | None = None


class Recorded(BaseModel):
    """What became of a row, and how the forecast moved at once; ``moved`` is empty where it did not."""

    rests_on: Stamp
    new: list[str]
    superseded: list[str]
    unchanged: list[str]
    notices: list[str]
    moved: list[Change]


class Run(Sent):
    """A run that is asked for: a forecast as of a day, today by default, that is issued when it is made."""

    as_of: Day | None = None


class Job(BaseModel):
    """How far a run is that was asked for."""

    seq: int
    model: str
    as_of: Day
    state: Literal["queued", "running", "done", "failed"]
    asked_by: str
    asked_at: str
    started_at: str | None
    ended_at: str | None
    stage: str | None
    done: int | None
    total: int | None
    issue: int | None
    message: str | None


class Judgement(Sent):
    """An analyst's own probability of a question; ``seen`` if the model's number was seen before."""

    outcome: Name
    date: Day
    since: Day | None = None
    probability: Probability
    note: Text = ""
    seen: bool = False
