"""Forecasts that a service keeps, and how each stands: how old its evidence is, whether to trust it, the alarm."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from forecast.base import prose
from forecast.base.clock import local_day
from forecast.base.errors import ForecastError, InputError, read_date

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from forecast.answers.alarm import Alarm
    from forecast.answers.forecast import LiveForecast
    from forecast.ledger.issued import Issued
    from forecast.project.project import Project

    type Key = tuple[str, dt.date, str, frozenset[str]]


KEPT = 8  # forecasts
PRIORS = "prior-"  # files of prior draws begin so; a forecast writes them itself


class Kept(NamedTuple):
    """A forecast with its alarm, or why there is none, and the forecast of its model that was issued last."""

    forecast: LiveForecast
    alarm: Alarm | str
    issued: Issued | None


class Forecasts:
    """Forecasts of a project; each is made once for its model, day, rows and fits, and no fit is made for it."""

    def __init__(self, project: Project, clock: Callable[[], dt.datetime]) -> None:
        """Make forecasts of ``project``; ``clock`` gives the time (aware, UTC)."""
        self.project = project
        self.clock = clock
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._lock = Lock()

    @property
    def today(self) -> dt.date:
        """The day of the server."""
        return local_day(self.clock())

    def get(self, model: str | None = None, as_of: str | None = None) -> Kept:
        """Give the forecast of a model, the project's own by default, as of a day, today by default.

        Raises
        ------
        ForecastError
            If there is no such model, the day is none or has not come, or no draws reach the evidence.

        """
        of, now = self.project.model(model), self.clock()
        day = self.today if as_of is None else read_date(as_of, "as_of")
        dataset = self.project.dataset(of, now=now)
        with self._lock:
            fits = frozenset(path.name for path in dataset.fits.glob("*.nc") if not path.name.startswith(PRIORS))
            key = of.spec.name, day, dataset.ledger.head().digest, fits
            if key not in self._kept:
                made = self.project.update(of, as_of=day, refit="never", now=now)
                self._kept[key] = Kept(made, _alarm(made), dataset.ledger.latest_forecast(of.spec.name))
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


def _alarm(made: LiveForecast) -> Alarm | str:
    """Ask for the alarm; a model that has just begun, or that no draws reach, has none and says why."""
    try:
        return made.alarm(refit="never")
    except ForecastError as error:
        return str(error)


def standing(kept: Kept, today: dt.date) -> dict[str, Any]:
    """Say as plain JSON how a forecast stands on a day, with ``sentences``."""
    made, issued = kept.forecast, kept.issued
    evidence = made.posterior.evidence
    age = (today - evidence.newest).days if evidence.newest else None
    said = [f"Forecast of {made.model} as of {made.as_of}; today is {today}."]
    said.append(
        "It rests on no evidence at all."
        if evidence.newest is None or age is None
        else f"The newest of {prose.count(len(evidence.used), 'row')} of evidence is of {evidence.newest},"
        f" {prose.count(age, 'day')} ago."
    )
    if not made.trust.trusted:
        said.append(f"These numbers are NOT to be trusted: {'; '.join(made.trust.reasons)}.")
    rings = None if isinstance(kept.alarm, str) else kept.alarm.rings
    if not isinstance(kept.alarm, str) and (kept.alarm.rings or not kept.alarm.trust.trusted):
        said += kept.alarm.sentences
    said.append(
        f"The forecast issued last is number {issued.seq} in the archive, as of {issued.as_of}."
        if issued
        else "No forecast of this model was ever issued."
    )
    return {
        "model": made.model,
        "as_of": made.as_of.isoformat(),
        "asked_on": today.isoformat(),
        "evidence": {
            "rows": len(evidence.used),
            "newest": evidence.newest.isoformat() if evidence.newest else None,
            "age_days": age,
        },
        "trust": {name: made.trust.to_dict()[name] for name in ("trusted", "reasons", "anchor", "anchor_as_of")},
        "alarm": {"rings": rings, "says": [kept.alarm] if isinstance(kept.alarm, str) else [*kept.alarm.sentences]},
        "last_issue": None
        if issued is None
        else {"id": issued.seq, "as_of": issued.as_of.isoformat(), "issued_at": issued.issued_at.isoformat()},
        "sentences": said,
    }


def require_short(text: str, what: str, most: int) -> str:
    """Give a text of at most ``most`` characters; `InputError` if it is longer."""
    if len(text) > most:
        msg = f"{what} has {len(text):,} characters; give at most {most:,}"
        raise InputError(msg)
    return text
