"""What a method of a project is given, with what was left out filled in, and what it makes of that."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, TypedDict

from forecast import answers, inference, record
from forecast.base.clock import local_day
from forecast.base.errors import ForecastError, InputError, read_date

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from forecast.answers.forecast import LiveForecast
    from forecast.evidence.compilation import Evidence
    from forecast.inference.fitter import Fitter
    from forecast.inference.model import Model
    from forecast.inference.reweighting import Posterior
    from forecast.inference.settings import Settings
    from forecast.project.dataset import Dataset, Snapshot
    from forecast.project.models import Models
    from forecast.quantities.estimate import Policy
    from forecast.record.issue_changes import Baseline
    from forecast.record.replay import Replay


class How(TypedDict, total=False):
    """How fits are made on the way, where one is needed; every method that may fit takes these.

    ``settings`` are those of a new fit; with ``accept_bad`` one that fails its checks is used. ``on_stage(text)`` and
    ``on_draw(done, total)`` are told of progress. ``now`` is the time (aware, UTC); the project's clock by default.
    """

    settings: Settings | None
    accept_bad: bool
    on_stage: Callable[[str], None]
    on_draw: Callable[[int, int], None] | None
    now: dt.datetime | None


class Given(NamedTuple):
    """What a method works with."""

    model: Model
    date: dt.date
    snapshot: Snapshot
    fitter: Fitter

    def evidence(self) -> Evidence:
        """Compile the rows that were public on the day."""
        return self.model.evidence(self.snapshot.as_of(self.date), self.date)

    def forecast(self, refit: Policy) -> LiveForecast:
        """Forecast from the evidence; see `forecast.project.project.Project.update`."""
        entries, name = self.snapshot.as_of(self.date), self.model.spec.name
        found = self.fitter.update(self.model.evidence(entries, self.date), refit, prior=True)

        def issues() -> list[Baseline]:
            return [record.baseline(row) for row in self.snapshot.ledger.headings(name)]

        return answers.LiveForecast.of(found, entries, self.fitter, self.snapshot.as_of, issues, refit)


def replay(given: Sequence[Given]) -> Replay:
    """Get ready to go through the weeks again with comparable models; day and rows are those of the first."""
    return record.Replay({one.model.spec.name: one.fitter for one in given}, given[0].snapshot.as_of, given[0].date)


def fill_in(dataset: Dataset, model: Model, as_of: dt.date | str | None, how: How) -> Given:
    """Take today where no day is given, the rows as they are now, and a fitter that knows which fits were issued.

    Raises
    ------
    InputError
        If ``as_of`` is no day, or one that has not come.

    """
    sampling = inference.Sampling(
        how.get("settings") or inference.Settings(),
        how.get("accept_bad", False),
        how.get("on_stage", lambda _: None),
        how.get("on_draw"),
    )
    snapshot = dataset.snapshot()

    def issued(name: str) -> set[str]:
        return {row.fit for row in dataset.ledger.headings(name)}

    fitter = inference.Fitter(model, dataset.fits, issued, sampling, snapshot.watermark, dataset.now)
    today = local_day(dataset.now)
    date = today if as_of is None else read_date(as_of, "as of")
    if date > max(today, dataset.now.date()):
        msg = f"as of {date} is in the future; a forecast is as of a day that has come, until today, {today}"
        raise InputError(msg)
    return Given(model, date, snapshot, fitter)


def rivals_at_hand(given: Given, models: Models, give: Callable[[Model], Given]) -> dict[str, Posterior]:
    """Posteriors, on the rows of ``given``, of the other models of its dataset of which a fit is at hand: none is made.

    A rival is left out whose file has faults, that does not speak of the same things, or whose fits do not reach the
    evidence; ``give`` gets ready to work with a model.
    """
    of = given.model
    found: dict[str, Posterior] = {}
    for name in models.names:
        with suppress(ForecastError):
            rival = of if name == of.spec.name else models.get(name)
            if rival is of or rival.spec.model.dataset != of.spec.model.dataset:
                continue
            record.require_comparable([of.space, rival.space])
            there = give(rival)
            if there.fitter.anchors():
                posterior = there.fitter.update(
                    rival.evidence(given.snapshot.as_of(given.date), given.date), "never", prior=False
                )
                if posterior.trust.trusted or there.fitter.sampling.accept_bad:
                    found[name] = posterior
    return found
