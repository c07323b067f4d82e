"""What every table of a model file is, and why an entry is as it is: its basis, and the texts that bases cite."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from forecast.theory.values import Day, Name, Quote, Text


class Table(BaseModel):
    """A table of a model file: what it does not know is a fault, and nothing in it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Basis(Table):
    """Why an entry is as it is: a passage of the article, a reference, or a judgement with its reason."""

    kind: Literal["article", "reference", "judgement"]
    source: Name | None = None
    quote: Quote | None = None
    note: Text | None = None

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


Bases = Annotated[tuple[Basis, ...], Field(min_length=1)]


class Source(Table):
    """A text that bases point to."""

    title: Text
    published: Day | None = None
    url: Text | None = None
