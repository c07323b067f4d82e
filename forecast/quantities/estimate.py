"""One published probability: what it is of, its estimate, and how far it can be trusted."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from forecast.base.prose import change, spoken, spread
from forecast.base.shown import Shown, ShownTable, cell_shown

if TYPE_CHECKING:
    from collections.abc import Mapping


Policy = Literal["auto", "never", "always"]
FORMAT = 1
LEARNED_LITTLE = 0.8  # a link whose standard deviation kept this share of the prior's rests on the prior
TOGETHER = "prior and "  # before the name of a fit whose draws and the prior's are taken together
KINDS = ("already", "at", "reached", "given", "after")
type Key = tuple[str, str, str | None, int | None, dt.date | None]  # what a quantity is: all but its estimate


@dataclass(frozen=True)
class Estimate(Shown):
    """A probability: mean over draws, 90 % equal-tailed interval over draws, Monte Carlo standard error of the mean."""

    mean: float
    low: float
    high: float
    mcse: float

    def _said(self) -> tuple[str, ...]:
        return (spread(asdict(self)),)

    def _shown_table(self) -> ShownTable:
        return ShownTable([*asdict(self)], [[cell_shown(value) for value in asdict(self).values()]])


@dataclass(frozen=True, repr=False)
class Quantity(Shown):
    """One published probability.

    ``kind`` is ``already`` (in the outcome now), ``at`` the horizon, ``reached`` by it, ``given`` another outcome at
    the horizon (``given`` names it), or ``after`` another outcome began (``horizon_weeks`` later; no date).
    """

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: dt.date | None
    estimate: Estimate

    @property
    def key(self) -> Key:
        """What it is: outcome, kind, given, horizon_weeks and date."""
        return self.outcome, self.kind, self.given, self.horizon_weeks, self.date

    def __str__(self) -> str:
        """Name the quantity, as in ``deal reached by 2026-04-09``."""
        return _name(self.outcome, self.kind, self.given, self.date)

    def _said(self) -> tuple[str, ...]:
        return (f"{spoken(str(self))}: {spread(asdict(self.estimate))}",)

    def _shown_table(self) -> ShownTable:
        return ShownTable(["", "probability"], [[spoken(str(self)), spread(asdict(self.estimate))]])


def _name(outcome: str, kind: str, given: str | None, date: dt.date | None) -> str:
    if kind == "after":
        return f"{outcome} {given} began"
    words = {"already": "now", "at": f"on {date}", "reached": f"reached by {date}", "given": f"on {date} given {given}"}
    return f"{outcome} {words[kind]}"


@dataclass(frozen=True, repr=False)
class Trust(Shown):
    """Whether the numbers can be believed, and what they were made from.

    ``anchor`` names the draws: a fit, ``prior``, or both (`TOGETHER`). ``k_hat`` is None if they were not reweighted.
    ``ess`` is the effective number of draws. ``reasons`` says what is wrong; there are none where the gate is open.
    """

    anchor: str
    anchor_as_of: dt.date | None
    draws: int
    ess: float
    k_hat: float | None
    worst_mcse: float
    worst_mcse_of: str
    reasons: tuple[str, ...]

    @property
    def trusted(self) -> bool:
        """Whether the gate is open."""
        return not self.reasons

    @property
    def made(self) -> str:
        """Say what the draws are of: a fit, the prior, or both together."""
        if self.anchor_as_of is None:
            return "the prior"
        fit = f"the fit of {self.anchor_as_of}"
        return f"the prior and {fit} together" if self.anchor.startswith(TOGETHER) else fit

    def _said(self) -> tuple[str, ...]:
        verdict = "trusted" if self.trusted else f"not to be trusted: {'; '.join(self.reasons)}"
        return (f"{verdict}; {self.draws:,} draws of {self.made}, worth {self.ess:,.0f}",)

    def _shown_table(self) -> ShownTable:
        return ShownTable(
            ["", "value"], [[name.replace("_", " "), cell_shown(value)] for name, value in vars(self).items()]
        )

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types; `from_dict` reads them back."""
        return {
            **asdict(self),
            "anchor_as_of": text_or_none(self.anchor_as_of),
            "reasons": list(self.reasons),
            "trusted": self.trusted,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trust:
        """Read what `to_dict` gave."""
        rest: dict[str, Any] = {key: value for key, value in content.items() if key != "trusted"}
        rest["anchor_as_of"], rest["reasons"] = date_or_none(rest["anchor_as_of"]), tuple(rest["reasons"])
        return cls(**rest)


@dataclass(frozen=True, repr=False)
class Change(Shown):
    """One published probability before and after a supposition; the Monte Carlo error is that of the difference."""

    outcome: str
    kind: str
    given: str | None
    horizon_weeks: int | None
    date: dt.date | None
    before: Estimate
    after: Estimate
    difference: float
    mcse: float

    @classmethod
    def of(cls, before: Quantity, after: Quantity, mcse: float | None = None) -> Change:
        """Set a quantity's estimates beside each other; without ``mcse``, as those from independent draws."""
        was, now = before.estimate, after.estimate
        return cls(*after.key, was, now, now.mean - was.mean, math.hypot(was.mcse, now.mcse) if mcse is None else mcse)

    def __str__(self) -> str:
        """Name the quantity."""
        return _name(self.outcome, self.kind, self.given, self.date)

    @property
    def said(self) -> str:
        """Write where it was and where it is, each as its error allows."""
        return change((self.before.mean, self.before.mcse), (self.after.mean, self.after.mcse), self.mcse)

    def _said(self) -> tuple[str, ...]:
        return (f"{spoken(str(self))}: {self.said}",)

    def _shown_table(self) -> ShownTable:
        rows = [["before", spread(asdict(self.before))], ["after", spread(asdict(self.after))]]
        return ShownTable(["", "probability"], rows)


def text_or_none(date: dt.date | None) -> str | None:
    """ISO text of a date."""
    return date.isoformat() if date else None


def date_or_none(text: str | None) -> dt.date | None:
    """Date of an ISO text."""
    return dt.date.fromisoformat(text) if text else None
