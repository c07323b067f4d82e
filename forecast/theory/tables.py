"""What every table of a model file is, and why an entry is as it is: its basis, and the texts that bases cite."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast.theory.values import QUOTE_WORDS, Day, Name, Quote, Text


class Table(BaseModel):
    """A table of a model file: what it does not know is a fault, and nothing in it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Basis(Table):
    """Why an entry is as it is: a passage of the article, a reference, or a judgement with its reason."""

    kind: Annotated[
        Literal["article", "reference", "judgement"],
        Field(
            description="A passage of the text that the theory is taken from, another reference, or a judgement.",
            examples=["reference"],
        ),
    ] = "judgement"
    source: Annotated[
        Name | None,
        Field(description="The text that is cited: a key of `[sources]`. A judgement has none.", examples=["review"]),
    ] = None
    quote: Annotated[
        Quote | None,
        Field(
            description=f"The passage or the row that is cited, in at most {QUOTE_WORDS} words. A judgement has none.",
            examples=["table 3: 4 of 19 waves ended within a year"],
        ),
    ] = None
    note: Annotated[
        Text | None, Field(description="The reason, which a judgement must give.", examples=["Half of what is cited."])
    ] = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "judgement":
            if not self.note:
                msg = "a judgement gives its reason in `note`"
                raise ValueError(msg)
        elif not (self.source and self.quote):
            msg = f"kind {self.kind!r} needs `source` (a key of [sources]) and `quote` (the passage or the row cited)"
            raise ValueError(msg)
        return self


Bases = Annotated[
    tuple[Basis, ...],
    Field(
        min_length=1,
        description="Why the entry is as it is. An entry that changes one of the file that is extended gives its own.",
        examples=[[{"note": "A guess; nobody has counted."}]],
    ),
]
NO_BASIS = (Basis(kind="judgement", note="No reason is given."),)


class Source(Table):
    """A text that bases point to."""

    title: Annotated[Text, Field(description="What it is called.", examples=["Review of 40 outbreaks"])]
    published: Annotated[Day | None, Field(description="When it came out.", examples=[dt.date(2024, 5, 2)])] = None
    url: Annotated[Text | None, Field(description="Where it can be read.", examples=["https://example.org/r"])] = None
