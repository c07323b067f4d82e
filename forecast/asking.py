"""What a forecast that was just made can be asked: each question brought together with what it needs."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from forecast.alarm import raise_alarm
from forecast.blocks import Draws
from forecast.compare import pool_experts
from forecast.drivers import Known, find_drivers
from forecast.errors import InputError, UntrustworthyError, read_date
from forecast.evidence import compile_evidence, step_days
from forecast.issues import issued_of, last_date
from forecast.question import Question
from forecast.rules import find_rules
from forecast.sensitivity import OfFit, find_sensitivity
from forecast.transport import PARAMETERS, parameters_of
from forecast.update import PRIOR, Anchor, reweigh
from forecast.watch import expect_sightings, watch_list

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from forecast.alarm import Alarm
    from forecast.compare import Experts
    from forecast.drivers import Drivers
    from forecast.evidence import Evidence
    from forecast.explain import Asker
    from forecast.fitter import Fitter
    from forecast.ledger import Entry, Issued
    from forecast.result import Estimate, Policy, WhatIf
    from forecast.rules import Rules
    from forecast.sensitivity import Sensitivity
    from forecast.update import Posterior
    from forecast.watch import Sightings, WatchList

__all__ = ["Asked"]

LAST = "last"
ALONE = 4000  # draws of the prior by which rules are met without evidence
MOST_WEEKS_AHEAD = 8


@dataclass(frozen=True)
class Asked:
    """A posterior and where it came from; see `forecast.result.Forecast` for the questions.

    ``known(as_of, watermark)`` gives the rows as of a day, those that were in the ledger at a watermark; ``issued()``
    the forecasts of the model in the archive, oldest first.
    """

    posterior: Posterior
    entries: tuple[Entry, ...]
    fitter: Fitter
    known: Callable[[dt.date, int | None], tuple[Entry, ...]]
    issued: Callable[[], Sequence[Issued]]

    def what_if(
        self, seen: Sequence[str], not_seen: Mapping[str, dt.date | str], *, on: dt.date | str | None, grade: str,
        refit: Policy,
    ) -> WhatIf:  # fmt: skip
        """Suppose rows."""
        return self._asker.what_if(seen, not_seen, on=on, grade=grade, refit=refit)

    def do(self, states: Mapping[str, str], *, on: dt.date | str | None, hold: bool) -> WhatIf:
        """Force states."""
        return self._asker.do(states, on=on, hold=hold)

    @property
    def _asker(self) -> Asker:
        from forecast.explain import Asker  # noqa: PLC0415

        return Asker(self.posterior, self.entries, self.fitter.anchor)

    def _question(self, outcome: str, weeks: int | None, *, stages: bool = False) -> Question:
        return Question(self.posterior.space, outcome, weeks, self.posterior.evidence.as_of, stages=stages)

    def drivers(self, outcome: str, *, weeks: int | None, since: dt.date | str, refit: Policy) -> Drivers:
        """Account for a change."""
        question = self._question(outcome, weeks, stages=True)
        then = self._last(question, refit) if since == LAST else self._day(question, since, refit)
        now = Known(self.posterior, self.entries)
        return find_drivers(question, then, now)

    def brought(self, evidence: Evidence, refit: Policy) -> Posterior:
        """Bring draws to other evidence; where a new fit fails its checks, the best of the others, which says so."""
        try:
            return self.fitter.update(evidence, refit, prior=True)
        except UntrustworthyError:
            return self.fitter.update(evidence, "never", prior=True)

    def _at_hand(self, evidence: Evidence) -> Posterior:
        """Bring the draws of a fit that was made to other evidence; the present ones where none reaches it."""
        try:
            return self.fitter.update(evidence, "never", prior=False)
        except UntrustworthyError:
            return reweigh(self.posterior.anchor, evidence)

    def _day(self, question: Question, since: dt.date | str, refit: Policy) -> Known:
        date = read_date(since, "since")
        if date > self.posterior.evidence.as_of:
            msg = f"since {date}: that is later than {self.posterior.evidence.as_of}, the day of the forecast"
            raise InputError(msg)
        entries = self.known(date, None)
        return Known(self._posterior(question, entries, date, refit), entries)

    def _last(self, question: Question, refit: Policy) -> Known:
        """Take the forecast that was issued last and says something else than the present one."""
        spec, evidence = self.posterior.space.spec, self.posterior.evidence
        here = (evidence.as_of, evidence.hash, spec.hash)
        earlier = [
            row for row in self.issued()
            if row.as_of <= evidence.as_of and (row.as_of, row.evidence_hash, row.model_hash) != here
        ]  # fmt: skip
        if not earlier:
            msg = f"nothing to explain yet: no other forecast of {spec.name!r} has been issued; name a day (--since)"
            raise InputError(msg)
        row = earlier[-1]
        entries = self.known(row.as_of, row.watermark)
        if row.model_hash != spec.hash:
            posterior = self._posterior(question, entries, row.as_of, refit)
            return Known(posterior, entries, _issued_of(row, question), other_model=True)
        evidence = compile_evidence(question.space, entries, row.as_of)
        anchor = next((one for one in self.fitter.anchors() if one.name == row.fit), None)
        if anchor is None:  # its file was deleted
            return Known(self._posterior(question, entries, row.as_of, refit), entries)
        was = reweigh(anchor, evidence)
        published = question.ask(was).quantity.estimate
        same = reweigh(self.posterior.anchor, evidence)
        return Known(same if question.ask(same).trust.trusted else was, entries, published)

    def _posterior(self, question: Question, entries: Sequence[Entry], as_of: dt.date, refit: Policy) -> Posterior:
        """Prefer the draws of the present, for then the errors of both ends cancel."""
        evidence = compile_evidence(question.space, entries, as_of)
        same = reweigh(self.posterior.anchor, evidence)
        if question.ask(same).trust.trusted or (same.reached and refit == "never"):
            return same
        return self.fitter.update(evidence, refit, prior=True)

    def watch(self, outcome: str, *, weeks: int | None, ahead: int | None) -> WatchList:
        """Rank indicators."""
        question = self._question(outcome, weeks)
        return watch_list(question, self.posterior, self.entries, ahead or min(MOST_WEEKS_AHEAD, question.weeks))

    def sightings(self, *, ahead: int) -> Sightings:
        """Expect sightings."""
        return expect_sightings(self.posterior, self.entries, ahead)

    def rules(self) -> Rules:
        """Say how likely the rules are to be met."""
        found = self.posterior
        nothing = compile_evidence(found.space, (), found.evidence.as_of)
        few = Draws(*(part[:ALONE] for part in self.prior().blocks.draws))
        return find_rules(found, self.entries, reweigh(Anchor(found.space, PRIOR, lambda: few), nothing))

    def alarm(self, *, weeks: int, refit: Policy) -> Alarm:
        """Score the last weeks."""
        space, evidence = self.posterior.space, self.posterior.evidence
        days = step_days(space, evidence.as_of)
        if not 0 < weeks < days.size:
            msg = (
                f"to score {weeks} weeks: model {space.spec.name!r} has run for {days.size}; give 1 to {days.size - 1}"
            )
            raise InputError(msg)
        date = space.spec.model.start + dt.timedelta(days=int(days[:-weeks].sum()) - 1)
        known = compile_evidence(space, self.known(date, None), date)
        before = reweigh(self.posterior.anchor, known)
        if not (before.trust.trusted or (before.reached and refit == "never")):
            before = self.fitter.update(known, refit, prior=True)
        return raise_alarm(before, evidence)

    def sensitivity(self, outcome: str, *, weeks: int | None, without: Sequence[str], refit: Policy) -> Sensitivity:
        """Move assumptions and leave out evidence."""
        return self.moved(outcome, weeks=weeks, without=without, refit=refit, quick=False)

    def moved(
        self, outcome: str, *, weeks: int | None, without: Sequence[str], refit: Policy, quick: bool
    ) -> Sensitivity:
        """Do `sensitivity`; a ``quick`` one has no power-scaling and looks for other draws only among the fits."""
        found = self.fitted(refit)
        arrays = self.fitter.arrays(found.anchor, PARAMETERS)
        log_prior = {} if quick else self.fitter.model.log_prior(self.fitter.posterior(found.anchor), found.evidence)
        of_fit = OfFit(parameters_of(arrays, found.space), log_prior, len(arrays[PARAMETERS[0]]))
        return find_sensitivity(
            self._question(outcome, weeks), found, self.entries, of_fit, self.prior(),
            self._at_hand if quick else lambda evidence: self.brought(evidence, refit), without,
        )  # fmt: skip

    def experts(self, *, refit: Policy) -> Experts:
        """Pool the experts."""
        found = self.fitted(refit)
        arrays = self.fitter.arrays(found.anchor, PARAMETERS)
        return pool_experts(found, parameters_of(arrays, found.space), self.entries)

    def prior(self) -> Anchor:
        """Give draws from the prior."""
        return self.fitter.model.prior(1, self.fitter.folder, self.posterior.evidence)

    def fitted(self, refit: Policy) -> Posterior:
        """Give the posterior from a fit, whose parameters are on record; those of prior draws are not."""
        if self.posterior.anchor.name != PRIOR:
            return self.posterior
        return self.fitter.update(self.posterior.evidence, refit, prior=False)


def _issued_of(issued: Issued, question: Question) -> Estimate:
    """Read what was issued of the day that is asked about."""
    content = json.loads(issued.content)
    found = issued_of(content, question.outcome, question.date)
    if found is None:
        msg = (
            f"the forecast issued as of {issued.as_of} came from another version of the model and says nothing of "
            f"{question.outcome!r} on {question.date}; ask for a day until "
            f"{last_date(content, question.outcome) or issued.as_of} (--weeks), or name a day (--since)"
        )
        raise InputError(msg)
    return found
