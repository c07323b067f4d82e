# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownArgumentType=false
# pandas ships no types.
"""What a forecast is: its numbers, how far they can be trusted, and how it is read."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import asdict, dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Literal, Protocol

from forecast.errors import InputError, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from forecast.alarm import Alarm
    from forecast.compare import Experts
    from forecast.drivers import Drivers
    from forecast.rules import Rules
    from forecast.sensitivity import Sensitivity
    from forecast.watch import Sightings, WatchList

__all__ = [
    "FORMAT",
    "KINDS",
    "LEARNED_LITTLE",
    "Change",
    "Estimate",
    "Forecast",
    "ForecastPath",
    "Key",
    "Policy",
    "Quantity",
    "Trust",
    "WeekPath",
    "WhatIf",
    "changes_between",
    "percent",
    "spread",
]

Policy = Literal["auto", "never", "always"]
FORMAT = 1
LEARNED_LITTLE = 0.8  # a link whose standard deviation kept this share of the prior's rests on the prior
KINDS = ("already", "at", "reached", "given", "after")

type Key = tuple[str, str, str | None, int | None, dt.date | None]  # what a quantity is: all but its estimate


@dataclass(frozen=True)
class Estimate:
    """A probability: mean over draws, 90 % equal-tailed interval over draws, Monte Carlo standard error of the mean."""

    mean: float
    low: float
    high: float
    mcse: float


@dataclass(frozen=True)
class Quantity:
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


def _name(outcome: str, kind: str, given: str | None, date: dt.date | None) -> str:
    if kind == "after":
        return f"{outcome} {given} began"
    words = {"already": "now", "at": f"on {date}", "reached": f"reached by {date}", "given": f"on {date} given {given}"}
    return f"{outcome} {words[kind]}"


@dataclass(frozen=True)
class WeekPath:
    """Probabilities at the end of each past step: of each state (``stage.state``) and each outcome.

    ``filtered`` uses the evidence up to that step, ``smoothed`` all of it; both with today's parameters. Each series is
    a list of (mean, low, high).
    """

    dates: tuple[dt.date, ...]
    filtered: Mapping[str, tuple[tuple[float, float, float], ...]]
    smoothed: Mapping[str, tuple[tuple[float, float, float], ...]]

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "dates": [date.isoformat() for date in self.dates],
            "filtered": {name: [list(part) for part in rows] for name, rows in self.filtered.items()},
            "smoothed": {name: [list(part) for part in rows] for name, rows in self.smoothed.items()},
        }


@dataclass(frozen=True)
class Trust:
    """Whether the numbers can be believed, and what they were made from.

    ``anchor`` names the draws: a fit, or ``prior``. ``k_hat`` is None where they were not reweighted. ``ess`` is the
    effective number of draws. ``reasons`` says what is wrong; there are none where the gate is open.
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

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types; `from_dict` reads them back."""
        return {
            **asdict(self),
            "anchor_as_of": _text(self.anchor_as_of),
            "reasons": list(self.reasons),
            "trusted": self.trusted,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Trust:
        """Read what `to_dict` gave."""
        rest: dict[str, Any] = {key: value for key, value in content.items() if key != "trusted"}
        rest["anchor_as_of"], rest["reasons"] = _date(rest["anchor_as_of"]), tuple(rest["reasons"])
        return cls(**rest)


@dataclass(frozen=True)
class Change:
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


@dataclass(frozen=True)
class WhatIf:
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
            "changes": [{**asdict(row), "date": _text(row.date)} for row in self.changes],
            "trust": self.trust.to_dict(),
        }

    def _repr_html_(self) -> str:
        """Show the probabilities at the horizons in notebooks, before → after."""
        heads, rows = _across([row for row in self.changes if row.kind in {"at", "reached"}])
        cells = [
            (name, [f"{percent(row.before.mean)} → {percent(row.after.mean)}" for row in line]) for name, line in rows
        ]
        words = "; ".join(self.supposed)
        return _table(f"{self.model} as of {self.as_of}, if {words}", heads, cells, self.trust)


def changes_between(before: Forecast, after: Forecast) -> tuple[Change, ...]:
    """Set two forecasts of one model beside each other, where they speak of the same dates.

    The error of a difference is that of independent draws, which is too large where both rest on the same ones.
    """
    old = {row.key: row for row in before.quantities}
    return tuple(Change.of(old[row.key], row) for row in after.quantities if row.key in old)


class Source(Protocol):
    """What a forecast that was just made can still be asked (`forecast.asking`)."""

    def what_if(
        self, seen: Sequence[str], not_seen: Mapping[str, dt.date | str], *, on: dt.date | str | None, grade: str,
        refit: Policy,
    ) -> WhatIf:  # fmt: skip
        """Suppose rows."""
        ...

    def do(self, states: Mapping[str, str], *, on: dt.date | str | None, hold: bool) -> WhatIf:
        """Force states."""
        ...

    def drivers(self, outcome: str, *, weeks: int | None, since: dt.date | str, refit: Policy) -> Drivers:
        """Account for a change."""
        ...

    def watch(self, outcome: str, *, weeks: int | None, ahead: int | None) -> WatchList:
        """Rank indicators."""
        ...

    def sightings(self, *, ahead: int) -> Sightings:
        """Expect sightings."""
        ...

    def rules(self) -> Rules:
        """Say how likely the rules are to be met."""
        ...

    def sensitivity(self, outcome: str, *, weeks: int | None, without: Sequence[str], refit: Policy) -> Sensitivity:
        """Move assumptions and leave out evidence."""
        ...

    def alarm(self, *, weeks: int, refit: Policy) -> Alarm:
        """Score the last weeks."""
        ...

    def experts(self, *, refit: Policy) -> Experts:
        """Pool the experts."""
        ...


@dataclass(frozen=True)
class Forecast:
    """Probabilities as of a date; immutable, and safe to read from several threads.

    ``model_hash`` and ``evidence`` are the hashes of what it rests on.
    """

    model: str
    as_of: dt.date
    model_hash: str
    evidence: str
    quantities: tuple[Quantity, ...]
    trust: Trust
    _source: Source | None = field(default=None, compare=False, repr=False)

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

    def what_if(
        self, *seen: str, on: dt.date | str | None = None, not_seen: Mapping[str, dt.date | str] | None = None,
        grade: str = "A1", refit: Policy = "auto",
    ) -> WhatIf:  # fmt: skip
        """Suppose that indicators are ``seen`` (or states assessed) ``on`` a date, or others ``not_seen`` through one.

        Each of ``seen`` is a name or ``name@date``; ``on`` is the date of those that do not say (``as_of`` by default).
        Observables such as ``peace.fresh_deal`` count as put on record. ``grade`` is the Admiralty grade of them all.

        Raises
        ------
        InputError
            If a name or a date makes no sense, or the forecast was read back and not just made.

        """
        return self._asked().what_if(seen, not_seen or {}, on=on, grade=grade, refit=refit)

    def do(self, states: Mapping[str, str], *, on: dt.date | str | None = None, hold: bool = False) -> WhatIf:
        """Force each stage of ``states`` into a state ``on`` a date (``as_of`` by default), and ``hold`` it there.

        Nothing is learned from it about what is upstream or about parameters: it is done, not seen.

        Raises
        ------
        InputError
            If a stage, a state or a date makes no sense, or the forecast was read back and not just made.

        """
        return self._asked().do(states, on=on, hold=hold)

    def drivers(
        self, outcome: str, *, weeks: int | None = None, since: dt.date | str = "last", refit: Policy = "auto"
    ) -> Drivers:
        """Say what moved a probability since a day, or since the ``last`` issued forecast, and what holds it up.

        The horizon is ``weeks`` ahead, the longest by default; both ends speak of the same calendar date.

        Raises
        ------
        InputError
            If there is no such outcome or horizon, nothing to explain yet, or the forecast was read back.

        """
        return self._asked().drivers(outcome, weeks=weeks, since=since, refit=refit)

    def watch(self, outcome: str, *, weeks: int | None = None, ahead: int | None = None) -> WatchList:
        """Rank indicators by what it would teach about an outcome to watch for each through ``ahead`` weeks (8).

        Raises
        ------
        InputError
            If there is no such outcome or horizon, ``ahead`` lies beyond it, or the forecast was read back.

        """
        return self._asked().watch(outcome, weeks=weeks, ahead=ahead)

    def sightings(self, *, ahead: int = 8) -> Sightings:
        """Say how often each indicator should be seen in the weeks ``ahead`` if the theory is right.

        Raises
        ------
        InputError
            If ``ahead`` is less than 1, or the forecast was read back.

        """
        return self._asked().sightings(ahead=ahead)

    def rules(self) -> Rules:
        """Say how likely the rule of each outcome is to be met on, and by, each horizon; by simulation, with its error.

        Raises
        ------
        InputError
            If the forecast was read back.

        """
        return self._asked().rules()

    def sensitivity(
        self, outcome: str, *, weeks: int | None = None, without: Sequence[str] = (), refit: Policy = "auto"
    ) -> Sensitivity:
        """Say what a probability would be with other assumptions, or ``without`` sources or stories (all by default).

        Raises
        ------
        InputError
            If there is no such outcome, horizon, source or story, or the forecast was read back.

        """
        return self._asked().sensitivity(outcome, weeks=weeks, without=without, refit=refit)

    def alarm(self, *, weeks: int = 8, refit: Policy = "auto") -> Alarm:
        """Say whether the last ``weeks`` contradict what the model expected of them.

        Raises
        ------
        InputError
            If the model has not run for so long, or the forecast was read back.

        """
        return self._asked().alarm(weeks=weeks, refit=refit)

    def experts(self, *, refit: Policy = "auto") -> Experts:
        """Give the forecast of each expert of the model and of their pool.

        Raises
        ------
        InputError
            If the model has no experts, or the forecast was read back.

        """
        return self._asked().experts(refit=refit)

    def _asked(self) -> Source:
        if self._source is None:
            msg = "this forecast was read back and holds numbers only; make one with `project.update()` to ask it more"
            raise InputError(msg)
        return self._source

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
            "quantities": [{**asdict(row), "date": _text(row.date)} for row in self.quantities],
            "trust": self.trust.to_dict(),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Forecast:
        """Read what `to_dict` gave."""
        return cls(
            model=content["model"],
            as_of=dt.date.fromisoformat(content["as_of"]),
            model_hash=content["model_hash"],
            evidence=content["evidence"],
            quantities=tuple(
                Quantity(
                    outcome=row["outcome"],
                    kind=row["kind"],
                    given=row["given"],
                    horizon_weeks=row["horizon_weeks"],
                    date=_date(row["date"]),
                    estimate=Estimate(**row["estimate"]),
                )
                for row in content["quantities"]
            ),
            trust=Trust.from_dict(content["trust"]),
        )

    def _repr_html_(self) -> str:
        """Show the probabilities at the horizons in notebooks, with their intervals."""
        heads, rows = _across([row for row in self.quantities if row.kind in {"at", "reached"}])
        cells = [(name, [spread(asdict(row.estimate)) for row in line]) for name, line in rows]
        return _table(f"{self.model} as of {self.as_of}", heads, cells, self.trust)


@dataclass(frozen=True)
class ForecastPath:
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
        frame = _frame(rows).drop(columns="estimate")
        frame["as_of"] = frame["as_of"].astype("datetime64[s]")
        return frame

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types: each forecast as `Forecast.to_dict` gives it."""
        return {"model": self.model, "fits": self.fits, "forecasts": [one.to_dict() for one in self.forecasts]}

    def _repr_html_(self) -> str:
        """Show in notebooks how the probability of each outcome now and at the horizons has moved."""
        last = self.forecasts[-1]
        shown = [row for row in last.quantities if row.kind in {"already", "at"}]
        heads = [
            f"{row.outcome.replace('_', ' ')}, {f'{w} weeks' if (w := row.horizon_weeks) else 'now'}" for row in shown
        ]
        rows = [
            (
                str(one.as_of),
                [percent(one.probability(row.outcome, weeks=row.horizon_weeks).mean) for row in shown],
            )
            for one in self.forecasts
        ]
        return _table(f"{self.model}, as it would have been forecast each week", heads, rows, last.trust)


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
    known = sorted({(row.kind, row.given or "", row.horizon_weeks or 0) for row in rows})
    have = "; ".join(f"{k}{' ' + g if g else ''} {w or ''}".strip() for k, g, w in known)
    msg = f"no probability of {outcome!r} of kind {wanted!r}, weeks {weeks}, given {given!r}; there are: {have}"
    raise InputError(msg)


def percent(value: float) -> str:
    """Round a probability for readers: whole percent, and never 0 or 100 for what is not certain."""
    shown = f"{value:.0%}"
    return shown if value in (0.0, 1.0) else {"0%": "<1%", "100%": ">99%"}.get(shown, shown)


def spread(estimate: Mapping[str, float]) -> str:
    """Mean and 90 % interval in percent: ``18% (5–41)``."""
    low, high = (percent(estimate[key]).rstrip("%") for key in ("low", "high"))
    mean = percent(estimate["mean"])
    return mean if low == high == mean.rstrip("%") else f"{mean} ({low}–{high})"


def _across[Row: (Quantity, Change)](rows: Sequence[Row]) -> tuple[list[str], list[tuple[str, list[Row]]]]:
    """Arrange numbers at horizons with a row for each outcome and kind, and a column for each horizon."""
    heads = list(dict.fromkeys(f"{row.horizon_weeks} weeks ({row.date})" for row in rows))
    lines: dict[str, list[Row]] = {}
    for row in rows:
        words = "on the day" if row.kind == "at" else "reached by it"
        lines.setdefault(f"{row.outcome.replace('_', ' ')}, {words}", []).append(row)
    return heads, list(lines.items())


def _table(caption: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], trust: Trust) -> str:
    lines = [f"<caption>{escape(caption)}</caption>"]
    lines.append("<tr><th></th>" + "".join(f"<th scope='col'>{escape(head)}</th>" for head in heads) + "</tr>")
    for name, cells in rows:
        values = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        lines.append(f"<tr><th scope='row'>{escape(name)}</th>{values}</tr>")
    warning = "".join(f"<p><strong>Not to be trusted:</strong> {escape(reason)}</p>" for reason in trust.reasons)
    return f"<table>{''.join(lines)}</table>{warning}"


def _text(date: dt.date | None) -> str | None:
    return date.isoformat() if date else None


def _date(text: str | None) -> dt.date | None:
    return dt.date.fromisoformat(text) if text else None


def _frame(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    import pandas as pd  # noqa: PLC0415 - slow to import

    frame = pd.DataFrame(rows)
    frame["horizon_weeks"] = frame["horizon_weeks"].astype("Int64")
    frame["date"] = pd.to_datetime(frame["date"])
    return frame
