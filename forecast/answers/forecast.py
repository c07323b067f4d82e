"""A forecast that can be asked: each question brought together with what it needs."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

from forecast.answers.alarm import WEEKS, Alarm, raise_alarm
from forecast.answers.drivers import Known, find_drivers
from forecast.answers.experts import pool_experts
from forecast.answers.matrix import find_matrix
from forecast.answers.rests_on import GRADED, Priors, find_rests_on
from forecast.answers.reweighed import Reweighed
from forecast.answers.rule_probability import find_rules
from forecast.answers.sensitivity import FEW, OfFit, find_sensitivity
from forecast.answers.sightings import expect_sightings
from forecast.answers.sources import find_sources
from forecast.answers.target import Question
from forecast.answers.watch import watch_list
from forecast.answers.what_if import Asker
from forecast.base.errors import InputError, UntrustworthyError, read_date
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.grid import step_days
from forecast.inference.anchor import PRIOR
from forecast.inference.fit import LINKS
from forecast.inference.reweighting import reweigh
from forecast.inference.shifted_prior import PARAMETERS, parameter_names, parameters_of
from forecast.quantities.forecast import Forecast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from forecast.answers.baseline import Baseline
    from forecast.answers.drivers import Drivers
    from forecast.answers.experts import Experts
    from forecast.answers.matrix import Matrix
    from forecast.answers.rests_on import RestsOn
    from forecast.answers.rule_probability import Rules
    from forecast.answers.sensitivity import Sensitivity
    from forecast.answers.sightings import Sightings
    from forecast.answers.sources import Sources
    from forecast.answers.watch import WatchList
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.fitter import Fitter
    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Parameters
    from forecast.ledger.rows import Entry
    from forecast.quantities.estimate import Estimate, Policy, Trust
    from forecast.quantities.forecast import WhatIf


LAST = "last"
OF_PRIOR = 4000  # draws of the prior that say what would be so without evidence
MOST_WEEKS_AHEAD = 8


@dataclass(frozen=True, eq=False, repr=False)
class LiveForecast(Forecast):
    """A forecast that was just made and can be asked more: its posterior, and where that came from.

    ``refit`` is what questions do that are not told: "never" if the forecast was asked for so, "auto" otherwise.
    ``known(as_of, watermark)`` gives the rows as of a day, those that were in the ledger at a watermark; ``issued()``
    the forecasts of the model in the archive, oldest first.
    """

    posterior: Posterior
    entries: tuple[Entry, ...]
    fitter: Fitter
    known: Callable[[dt.date, int | None], tuple[Entry, ...]]
    issued: Callable[[], Sequence[Baseline]]
    refit: Policy = "auto"

    @classmethod
    def of(  # noqa: PLR0913, PLR0917 - what questions need
        cls, posterior: Posterior, entries: Sequence[Entry], fitter: Fitter,
        known: Callable[[dt.date, int | None], tuple[Entry, ...]], issued: Callable[[], Sequence[Baseline]],
        refit: Policy = "auto",
    ) -> LiveForecast:  # fmt: skip
        """Read the published probabilities off a posterior, and keep what questions need."""
        said = posterior.forecast()
        numbers: dict[str, Any] = {one.name: getattr(said, one.name) for one in fields(said)}
        return cls(
            **numbers, posterior=posterior, entries=tuple(entries), fitter=fitter, known=known, issued=issued,
            refit="never" if refit == "never" else "auto",
        )  # fmt: skip

    def __reduce__(self) -> tuple[Callable[[Mapping[str, Any]], Forecast], tuple[dict[str, Any]]]:
        """Pickle the numbers: what questions need stays with the process that made them."""
        return Forecast.from_dict, (self.to_dict(),)

    def what_if(
        self, *seen: str, on: dt.date | str | None = None, not_seen: Mapping[str, dt.date | str] | None = None,
        grade: str = "A1", refit: Policy | None = None,
    ) -> WhatIf:  # fmt: skip
        """Suppose that indicators are ``seen`` (or states assessed) ``on`` a date, or others ``not_seen`` through one.

        Each of ``seen`` is a name or ``name@date``; ``on`` is the date of those that do not say (``as_of`` by default).
        Observables such as ``peace.fresh_deal`` count as put on record. ``grade`` is the Admiralty grade of them all.

        Raises
        ------
        InputError
            If a name or a date makes no sense.

        """
        return self._asker.what_if(seen, not_seen or {}, on=on, grade=grade, refit=refit or self.refit)

    def do(self, states: Mapping[str, str], *, on: dt.date | str | None = None, hold: bool = False) -> WhatIf:
        """Force each stage of ``states`` into a state ``on`` a date (``as_of`` by default), and ``hold`` it there.

        Nothing is learned from it about what is upstream or about parameters: it is done, not seen.

        Raises
        ------
        InputError
            If a stage, a state or a date makes no sense.

        """
        return self._asker.do(states, on=on, hold=hold)

    @cached_property
    def _weighted(self) -> Reweighed:
        return Reweighed(self.posterior.anchor)

    def _reweighed(self, found: Posterior) -> Reweighed:
        """Give the draws of ``found`` weighted to other evidence; those of this forecast remember what they were."""
        return self._weighted if found.anchor is self.posterior.anchor else Reweighed(found.anchor)

    @property
    def _asker(self) -> Asker:
        return Asker(self.posterior, self.entries, self.fitter.anchor)

    def _question(self, outcome: str, weeks: int | None, *, stages: bool = False) -> Question:
        return Question(self.posterior.space, outcome, weeks, self.posterior.evidence.as_of, stages=stages)

    def drivers(
        self, outcome: str, *, weeks: int | None = None, since: dt.date | str = "last", refit: Policy | None = None
    ) -> Drivers:
        """Say what moved a probability since a day, or since the ``last`` issued forecast, and what holds it up.

        The horizon is ``weeks`` ahead, the longest by default; both ends speak of the same calendar date.

        Raises
        ------
        InputError
            If there is no such outcome or horizon, or nothing to explain yet.

        """
        question, refit = self._question(outcome, weeks, stages=True), refit or self.refit
        then = self._last(question, refit) if since == LAST else self._day(question, since, refit)
        now = Known(self.posterior, self.entries)
        return find_drivers(question, then, now)

    def brought(
        self, evidence: Evidence, refit: Policy, trust: Callable[[Posterior], Trust] | None = None
    ) -> Posterior:  # fmt: skip
        """Bring draws to other evidence; where a new fit fails its checks, the best of the others, which says so."""
        try:
            return self.fitter.update(evidence, refit, prior=True, trust=trust)
        except UntrustworthyError:
            return self.fitter.update(evidence, "never", prior=True, trust=trust)

    def _at_hand(self, evidence: Evidence, trust: Callable[[Posterior], Trust]) -> Posterior:
        """Bring the draws of a fit that was made to other evidence; the present ones where none reaches it."""
        try:
            return self.fitter.update(evidence, "never", prior=False, trust=trust)
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
        return self.fitter.update(evidence, refit, prior=True, trust=question.judge)

    def watch(self, outcome: str, *, weeks: int | None = None, ahead: int | None = None) -> WatchList:
        """Rank indicators by what it would teach about an outcome to watch for each through ``ahead`` weeks (8).

        Raises
        ------
        InputError
            If there is no such outcome or horizon, ``ahead`` lies beyond it.

        """
        question = self._question(outcome, weeks)
        return watch_list(question, self.posterior, self.entries, ahead or min(MOST_WEEKS_AHEAD, question.weeks))

    def matrix(
        self, outcome: str, *, weeks: int | None = None, ahead: int | None = None,
        rivals: Mapping[str, LiveForecast] | None = None,
    ) -> Matrix:  # fmt: skip
        """Say how many times likelier each story, and each sighting to come, is under each state of its stage.

        The sightings to come are those that `watch` ranks first for the outcome. ``rivals`` are forecasts of other
        theories from the same evidence: for each, how many times likelier every story was under it.

        Raises
        ------
        InputError
            If there is no such outcome or horizon, ``ahead`` lies beyond it.

        """
        watched = self.watch(outcome, weeks=weeks, ahead=ahead)
        others = {name: one.posterior for name, one in (rivals or {}).items()}
        return find_matrix(self.posterior, self.entries, watched, others)

    def sightings(self, *, ahead: int = 8) -> Sightings:
        """Say how often each indicator should be seen in the weeks ``ahead`` if the theory is right.

        Raises
        ------
        InputError
            If ``ahead`` is less than 1.

        """
        return expect_sightings(self.posterior, self.entries, ahead)

    def sources(self, *, weeks: int | None = None) -> Sources:
        """List who told what the forecast rests on, and what every outcome would be without each of them.

        The horizon is ``weeks`` ahead, the longest by default; no fit is made for it.

        Raises
        ------
        InputError
            If there is no such horizon.

        """
        return find_sources(self.posterior, self.entries, weeks, self._reweighed(self.posterior))

    def rules(self) -> Rules:
        """Say how likely the rule of each outcome is to be met on, and by, each horizon, by simulation; with errors."""
        found = self.posterior
        nothing = compile_evidence(found.space, (), found.evidence.as_of)
        return find_rules(found, self.entries, reweigh(self._of_prior, nothing))

    def rests_on(self, *, refit: Policy | None = None) -> RestsOn:
        """Say how much of what is known of each link and each probability is prior, history and reports."""
        found, model, folder = self.fitted(refit or self.refit), self.fitter.model, self.fitter.folder
        kept = model.kept_prior(1, folder, found.evidence)
        alone = model.prior_alone(folder, found.evidence)
        priors = Priors(alone.thinned(OF_PRIOR), self._of_prior, kept.narrowing)
        names = LINKS if found.space.spec.priors.diagnosticity is None else (*LINKS, *GRADED)
        return find_rests_on(found, self.fitter.arrays(found.anchor, names), priors)

    def alarm(self, *, weeks: int = WEEKS, refit: Policy | None = None) -> Alarm:
        """Say whether the last ``weeks`` contradict what the model expected of them.

        Which draws say so does not depend on those of the forecast; where the same was issued, it is what was issued:
        whoever asks, there is one number. With ``refit`` "always" it is found anew, and with "auto" if what was issued
        could not be trusted.

        Raises
        ------
        InputError
            If the model has not run for so long.

        """
        space, evidence, refit = self.posterior.space, self.posterior.evidence, refit or self.refit
        days = step_days(space, evidence.as_of)
        if not 0 < weeks < days.size:
            msg = (
                f"to score {weeks} weeks: model {space.spec.name!r} has run for {days.size}; give 1 to {days.size - 1}"
            )
            raise InputError(msg)
        said = self._issued_alarm() if refit != "always" else None
        if said is not None and said.weeks == weeks and (said.trust.trusted or refit == "never"):
            return said
        date = space.spec.model.start + dt.timedelta(days=int(days[:-weeks].sum()) - 1)
        raised: dict[Anchor, Alarm] = {}

        def alarm_of(before: Posterior) -> Alarm:
            if before.anchor not in raised:
                raised[before.anchor] = raise_alarm(before, evidence)
            return raised[before.anchor]

        before = compile_evidence(space, self.known(date, None), date)
        return alarm_of(self.brought(before, refit, lambda found: alarm_of(found).trust))

    def _issued_alarm(self) -> Alarm | None:
        """Read the alarm of the forecast that was issued last of this day, if it rests on the same."""
        evidence, version = self.posterior.evidence, self.posterior.space.spec.hash
        rows = [row for row in self.issued() if row.as_of == evidence.as_of]
        if not rows or (rows[-1].evidence_hash, rows[-1].model_hash) != (evidence.hash, version):
            return None
        said = rows[-1].alarm()
        return None if said is None else Alarm.from_dict(said)

    def sensitivity(
        self, outcome: str, *, weeks: int | None = None, without: Sequence[str] = (), refit: Policy | None = None
    ) -> Sensitivity:
        """Say what a probability would be with other assumptions, or ``without`` sources or stories (all by default).

        Raises
        ------
        InputError
            If there is no such outcome, horizon, source or story.

        """
        return self.moved(outcome, weeks=weeks, without=without, refit=refit or self.refit, quick=False)

    def moved(
        self, outcome: str, *, weeks: int | None, without: Sequence[str], refit: Policy, quick: bool
    ) -> Sensitivity:
        """Do `sensitivity`; a ``quick`` one has no power-scaling and looks for other draws only among the fits."""
        found = self.fitted(refit)
        parameters, chains = self._parameters(found)
        log_prior = {} if quick else self.fitter.model.log_prior(self.fitter.posterior(found.anchor), found.evidence)
        informed = self.fitter.model.kept_prior(1, self.fitter.folder, found.evidence).narrowing
        of_fit = OfFit(parameters, log_prior, chains, informed)
        question = self._question(outcome, weeks)

        def bring(evidence: Evidence) -> Posterior:
            trust = question.judge
            return self._at_hand(evidence, trust) if quick else self.brought(evidence, refit, trust)

        return find_sensitivity(
            question, found, self.entries, of_fit, self._of_prior, bring, without,
            self._reweighed(found), FEW if quick else None,
        )  # fmt: skip

    def experts(self, *, refit: Policy | None = None) -> Experts:
        """Give the forecast of each expert of the model and of their pool.

        Raises
        ------
        InputError
            If the model has no experts.

        """
        found = self.fitted(refit or self.refit)
        return pool_experts(found, self._parameters(found)[0], self.entries)

    def _parameters(self, found: Posterior) -> tuple[Parameters, int]:
        """Give the parameters of the draws of ``found``, and how many chains they are of."""
        space, history = found.space, self.fitter.model.history
        arrays = self.fitter.arrays(found.anchor, parameter_names(space, history))
        return parameters_of(arrays, space, history), len(arrays[PARAMETERS[0]])

    def prior(self) -> Anchor:
        """Give draws from the prior."""
        return self.fitter.model.prior(1, self.fitter.folder, self.posterior.evidence)

    @cached_property
    def _of_prior(self) -> Anchor:
        """Draws from the prior that say what would be so without evidence."""
        return self.prior().thinned(OF_PRIOR)

    def fitted(self, refit: Policy) -> Posterior:
        """Give the posterior from a fit, whose parameters are on record; those of prior draws are not."""
        if self.posterior.anchor.name != PRIOR:
            return self.posterior
        return self.fitter.update(self.posterior.evidence, refit, prior=False)


def _issued_of(issued: Baseline, question: Question) -> Estimate:
    """Read what was issued of the day that is asked about."""
    found = issued.said(question.outcome, question.date)
    if found is None:
        msg = (
            f"the forecast issued as of {issued.as_of} came from another version of the model and says nothing of "
            f"{question.outcome!r} on {question.date}; ask for a day until "
            f"{issued.until(question.outcome) or issued.as_of} (--weeks), or name a day (--since)"
        )
        raise InputError(msg)
    return found
