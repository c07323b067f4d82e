"""A forecast and a supposition as numbers: looked up, shown, and turned into frames and JSON."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from forecast import base
from forecast.base.errors import InputError, brief, nearest
from forecast.base.prose import chance, count, figure, spoken, spread
from forecast.base.shown import Shown, ShownTable
from forecast.quantities.estimate import FORMAT, Change, Estimate, Quantity, Trust, date_or_none, text_or_none

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd


QUESTIONS = frozenset(
    {"alarm", "do", "drivers", "experts", "rests_on", "rules", "sensitivity", "sightings", "watch", "what_if"}
)


@dataclass(frozen=True, repr=False)
class WhatIf(Shown):
    """A forecast beside the same one under a supposition, for the same dates.

    ``supposed`` says what is supposed, a line each. Horizons before the last supposed date are left out.
    """

    model: str
    as_of: dt.date
    supposed: tuple[str, ...]
    changes: tuple[Change, ...]
    trust: Trust

    def change(
        self, outcome: str, *, weeks: int | None = None, kind: str | None = None, given: str | None = None
    ) -> Change:
        """Look one change up, as `Forecast.probability` does.

        Raises
        ------
        InputError
            If there is no such number; the message says what there is.

        """
        return _find(self.changes, f"what-if on {self.model!r}", outcome, weeks, kind, given)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a quantity, columns outcome, kind, given, horizon_weeks, date, before, after, difference, mcse.

        ``before`` and ``after`` are means; their intervals are in `changes`.
        """
        rows = [{**asdict(row), "before": row.before.mean, "after": row.after.mean} for row in self.changes]
        return _frame(rows)

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types (``docs/what-if.schema.json``)."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "supposed": list(self.supposed),
            "changes": [{**asdict(row), "date": text_or_none(row.date)} for row in self.changes],
            "trust": self.trust.to_dict(),
        }

    def _said(self) -> tuple[str, ...]:
        told = max(self.changes, key=lambda row: abs(row.difference), default=None)
        most = f": {spoken(str(told))} {told.said}" if told else ""
        return (f"{self.model} as of {self.as_of}, if {'; '.join(self.supposed)}{most}",)

    def _shown_table(self) -> ShownTable:
        """Show the probabilities at the horizons, before → after."""
        return _across([row for row in self.changes if row.kind in {"at", "reached"}], lambda row: row.said)


def changes_between(before: Forecast, after: Forecast) -> tuple[Change, ...]:
    """Set two forecasts of one model beside each other, where they speak of the same dates.

    The error of a difference is that of independent draws, which is too large where both rest on the same ones.
    """
    old = {row.key: row for row in before.quantities}
    return tuple(Change.of(old[row.key], row) for row in after.quantities if row.key in old)


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(Shown):
    """Probabilities as of a date; immutable, and safe to read from several threads.

    ``model_hash`` and ``evidence`` are the hashes of what it rests on.
    """

    model: str
    as_of: dt.date
    model_hash: str
    evidence: str
    quantities: tuple[Quantity, ...]
    trust: Trust

    def __eq__(self, other: object) -> bool:
        """Whether the numbers are the same, asked or read back."""
        return isinstance(other, Forecast) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Hash what identifies the forecast."""
        return hash((self.model, self.as_of, self.model_hash, self.evidence))

    def probability(
        self, outcome: str, *, weeks: int | None = None, kind: str | None = None, given: str | None = None
    ) -> Estimate:
        """Look one probability up: at ``weeks``, or of another ``kind``, or ``given`` a condition as it was issued.

        Raises
        ------
        InputError
            If there is no such number; the message says what there is.

        """
        return _find(self.quantities, f"forecast of {self.model!r}", outcome, weeks, kind, given).estimate

    if not TYPE_CHECKING:  # a type checker finds the questions in `forecast.answers.forecast.LiveForecast`

        def __getattr__(self, name: str) -> NoReturn:
            """Say how to get a forecast that can be asked, where a question is put to one that cannot."""
            if name in QUESTIONS:
                msg = (
                    "this forecast was read back and holds numbers only; "
                    "make one with `project.update()` to ask it more"
                )
                raise InputError(msg)
            msg = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(msg)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a quantity, columns outcome, kind, given, horizon_weeks, date, mean, low, high, mcse."""
        return _frame([{**asdict(row), **asdict(row.estimate)} for row in self.quantities]).drop(columns="estimate")

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types (``docs/forecast.schema.json``); `from_dict` reads them back without loss."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "model_hash": self.model_hash,
            "evidence": self.evidence,
            "quantities": [{**asdict(row), "date": text_or_none(row.date)} for row in self.quantities],
            "trust": self.trust.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Forecast:
        """Read what `to_dict` gave.

        Raises
        ------
        InputError
            If it is something else.

        """
        try:
            quantities = [
                Quantity(
                    outcome=row["outcome"],
                    kind=row["kind"],
                    given=row["given"],
                    horizon_weeks=row["horizon_weeks"],
                    date=date_or_none(row["date"]),
                    estimate=Estimate(**row["estimate"]),
                )
                for row in content["quantities"]
            ]
            return cls(
                model=content["model"],
                as_of=dt.date.fromisoformat(content["as_of"]),
                model_hash=content["model_hash"],
                evidence=content["evidence"],
                quantities=tuple(quantities),
                trust=Trust.from_dict(content["trust"]),
            )
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            msg = f"this is no forecast as `to_dict` gives it ({type(error).__name__}: {brief(str(error))})"
            raise InputError(msg) from error

    def _said(self) -> tuple[str, ...]:
        rows = [row for row in self.quantities if row.kind == "already"]
        now = ", ".join(f"{spoken(row.outcome)} {chance(row.estimate.mean, row.estimate.mcse)}" for row in rows)
        doubt = "" if self.trust.trusted else ", not to be trusted"
        return (f"{self.model} as of {self.as_of}{doubt}" + (f": now {now}" if now else ""),)

    def _shown_table(self) -> ShownTable:
        """Show the probabilities at the horizons, with their intervals."""
        rows = [row for row in self.quantities if row.kind in {"at", "reached"}]
        return _across(rows, lambda row: spread(asdict(row.estimate)))


@dataclass(frozen=True, repr=False)
class ForecastPath(Shown):
    """Forecasts of the past, each from what was known on its date; ``fits`` says how many had to be made for them."""

    model: str
    forecasts: tuple[Forecast, ...]
    fits: int

    def to_frame(self) -> pd.DataFrame:
        """Tidy: the columns of `Forecast.to_frame` behind ``as_of``, and k_hat and ess of each date."""
        rows = [
            {"as_of": one.as_of, **asdict(row), **asdict(row.estimate), "k_hat": one.trust.k_hat, "ess": one.trust.ess}
            for one in self.forecasts
            for row in one.quantities
        ]
        return _frame(rows, "as_of").drop(columns="estimate")

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types: each forecast as `Forecast.to_dict` gives it."""
        return {"model": self.model, "fits": self.fits, "forecasts": [one.to_dict() for one in self.forecasts]}

    @property
    def trust(self) -> Trust:
        """What the gate says of the last forecast."""
        return self.forecasts[-1].trust

    def _said(self) -> tuple[str, ...]:
        first, last = self.forecasts[0], self.forecasts[-1]
        return (f"{self.model}, as it would have been forecast each week from {first.as_of} to {last.as_of}",)

    def _shown_table(self) -> ShownTable:
        """Show how the probability of each outcome now and at the horizons has moved, the newest weeks first."""
        shown = [row for row in self.forecasts[-1].quantities if row.kind in {"already", "at"}]
        heads = [f"{spoken(row.outcome)}, {count(w, 'week') if (w := row.horizon_weeks) else 'now'}" for row in shown]
        rows = [
            [
                str(one.as_of),
                *(
                    figure(found.mean, found.mcse)
                    for row in shown
                    for found in [one.probability(row.outcome, weeks=row.horizon_weeks)]
                ),
            ]
            for one in reversed(self.forecasts)
        ]
        return ShownTable(["", *heads], rows)


# Reading and showing.


def _find[Row: (Quantity, Change)](  # noqa: PLR0913, PLR0917 - what names a number
    numbers: Sequence[Row], where: str, outcome: str, weeks: int | None, kind: str | None, given: str | None
) -> Row:
    wanted = kind or ("given" if given else "at" if weeks else "already")
    rows = [row for row in numbers if row.outcome == outcome]
    if not rows:
        msg = f"the {where} has no outcome {outcome!r}; {nearest(outcome, {row.outcome for row in numbers})}"
        raise InputError(msg)
    for row in rows:
        if row.kind == wanted and row.given == given and weeks in (None, row.horizon_weeks):
            return row
    rare = " (a condition less likely than 1% is too rare to say)" if wanted in {"given", "after"} else ""
    known = sorted({(row.kind, row.given or "", row.horizon_weeks or 0) for row in rows})
    have = "; ".join(f"{k}{' ' + g if g else ''} {w or ''}".strip() for k, g, w in known)
    msg = f"no probability of {outcome!r} of kind {wanted!r}, weeks {weeks}, given {given!r}{rare}; there are: {have}"
    raise InputError(msg)


def _across[Row: (Quantity, Change)](rows: Sequence[Row], shown: Callable[[Row], str]) -> ShownTable:
    """Arrange numbers at horizons with a row for each outcome and kind, and a column for each horizon."""
    heads = list(dict.fromkeys(f"{count(row.horizon_weeks or 0, 'week')} ({row.date})" for row in rows))
    lines: dict[str, list[str]] = {}
    for row in rows:
        words = "on the day" if row.kind == "at" else "newly by then"
        lines.setdefault(f"{spoken(row.outcome)}, {words}", []).append(shown(row))
    return ShownTable(["", *heads], [[name, *line] for name, line in lines.items()])


def side_by_side(forecasts: Mapping[str, Forecast]) -> ShownTable:
    """Arrange the probabilities now and on the day of each horizon with a column for each forecast."""
    tables = {name: {row.key: row.estimate for row in one.quantities} for name, one in forecasts.items()}
    rows = [row for row in next(iter(forecasts.values())).quantities if row.kind in {"already", "at"}]
    lines = [
        [spoken(str(row)), *(spread(asdict(one[row.key])) if row.key in one else "" for one in tables.values())]
        for row in rows
    ]
    return ShownTable(["", *forecasts], lines)


def _frame(rows: Sequence[Mapping[str, Any]], *days: str) -> pd.DataFrame:
    """Frame of quantities."""
    return base.frame(rows, ["date", *days], horizon_weeks="Int64")
