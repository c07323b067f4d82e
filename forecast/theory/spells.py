"""Spells of a history: in what state other units, and the own one before the model begins, are known to have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import datetime as dt

type Boundary = Literal["day", "month", "year"]


class Spell(NamedTuple):
    """A unit was in one of ``states`` of a stage from ``from_`` until ``to`` (none: still, as of the file's last day).

    ``boundary`` says how exactly ``from_`` is known: the spell began on that day, or on some day of that month or year.
    ``conditions`` name a state of each stage upstream that counts as in force meanwhile; those not named count as in no
    state that an effect asks for.
    """

    unit: str
    stage: str
    states: tuple[str, ...]
    from_: dt.date
    to: dt.date | None
    boundary: Boundary
    conditions: tuple[tuple[str, str], ...]
    grade: str
    source: str
    url: str
    note: str

    @property
    def of_unit(self) -> str:
        """Name of the unit in its stage: ``relations.georgia``."""
        return f"{self.stage}.{self.unit}"

    def holds(self, when: dict[str, tuple[str, ...]]) -> bool:
        """Whether the spell's conditions meet the ``when`` of an effect."""
        given = dict(self.conditions)
        return all(given.get(stage) in states for stage, states in when.items())
