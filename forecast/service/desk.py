"""Present forecasts of a project, each kept until the ledger, the day or a model file changes."""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from forecast import quantities, record, report
from forecast.base.clock import local_day
from forecast.base.errors import ForecastError, InputError, read_date
from forecast.engine.blocks import one_thread
from forecast.project.judgements import JudgementRecord
from forecast.project.project import Project
from forecast.service.alarms import Newest
from forecast.service.telemetry import Seen, Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from pathlib import Path

    from forecast.answers.baseline import Baseline
    from forecast.answers.forecast import LiveForecast
    from forecast.inference.model import Model
    from forecast.ledger.chain import Head
    from forecast.ledger.issued import Issue
    from forecast.ledger.jobs import Job
    from forecast.ledger.rows import Entry
    from forecast.ledger.tokens import Token
    from forecast.project.dataset import Dataset
    from forecast.quantities.estimate import Change


PRIORS = "prior-"  # files of prior draws begin so; a forecast writes them itself
KEPT = 64  # answers that are kept; the one that was asked for longest ago goes first
TURNS = ("forecast", "answer", "long")  # one thing of each is worked out at a time: none waits for another kind


@dataclass(frozen=True)
class Standing:
    """A present forecast, and all that a reader has to know of it: see `stamp`."""

    model: Model
    forecast: LiveForecast
    issue: Issue | None
    before: Baseline | None
    newest: dt.date | None
    rows: int
    alarm: Future[dict[str, Any] | None]

    @property
    def alarm_said(self) -> dict[str, Any]:
        """Whether the alarm rings, in words; it takes some seconds, until which it is pending."""
        if not self.alarm.done() or self.alarm.exception() is not None:
            return {"state": "pending", "sentences": []}
        found = self.alarm.result()
        if found is None:
            return {"state": "early", "sentences": []}
        return {"state": "rings" if found["rings"] else "silent", "sentences": found["sentences"]}

    @property
    def stamp(self) -> dict[str, Any]:
        """What every answer says of what it rests on: day, age of the evidence, trust, alarm, last issue."""
        said = self.forecast
        return {
            "model": said.model,
            "as_of": said.as_of.isoformat(),
            "newest_evidence": self.newest.isoformat() if self.newest else None,
            "evidence_age_days": (said.as_of - self.newest).days if self.newest else None,
            "rows": self.rows,
            "trusted": said.trust.trusted,
            "reasons": list(said.trust.reasons),
            "alarm": self.alarm_said,
            "issue": self.issue.seq if self.issue else None,
            "issued_as_of": self.issue.as_of.isoformat() if self.issue else None,
        }


class Desk:
    """Answers of the project at ``root``; several threads may ask.

    What many ask at once is worked out once, and a few things at a time: the others wait.
    """

    def __init__(
        self, root: Path, clock: Callable[[], dt.datetime], telemetry: Telemetry | None = None
    ) -> None:  # fmt: skip
        """Point at a project; ``clock`` gives the time (aware, UTC), and ``telemetry`` hears of forecasts."""
        self.root = root
        self.telemetry = telemetry or Telemetry()
        self._asked: dict[str, None] = {}
        self.clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Hashable, Head | None, Hashable], Future[Any]] = OrderedDict()
        self._turns = {turn: threading.Lock() for turn in TURNS}
        self._files: tuple[Hashable, ...] = ()
        self._later: Newest[dict[str, Any] | None] = Newest()
        self._alarms = 0
        self._project = Project(root, clock)

    @property
    def project(self) -> Project:
        """The project; its models are read again when a file of them has changed."""
        files = tuple((path.name, path.stat().st_mtime_ns) for path in sorted((self.root / "models").glob("*.toml")))
        with self._lock:
            if files != self._files:
                self._project, self._files = Project(self.root, self.clock), files
            return self._project

    def head(self) -> Head:
        """Give the end of the ledger's chain, which every new row moves."""
        return self.project.ledger.head()

    def state(self) -> str:
        """Give a text that changes whenever an answer may: with the ledger, and with each alarm that is worked out."""
        return f"{self.head().links}-{self._alarms}"

    def today(self) -> dt.date:
        """Give the day of the service."""
        return local_day(self.clock())

    def day(self, as_of: str | None) -> dt.date:
        """Read the day of a forecast, today by default; `InputError` for none and for one that is to come."""
        today = self.today()
        date = today if as_of is None else read_date(as_of, "as_of")
        if date > today:
            msg = f"as_of {date} is in the future; a forecast is as of a day that has come, until today, {today}"
            raise InputError(msg)
        return date

    def dataset(self, model: Model, by: str) -> Dataset:
        """Give the dataset of a model for ``by``, whom every row that is written through it names."""
        found = self.project.dataset(model, now=self.clock())
        return replace(found, ledger=found.ledger.signed(by))

    def entries(self, name: str, as_of: dt.date | None = None) -> tuple[Entry, ...]:
        """Give the rows of a model's dataset in force, as public on a day."""
        return self.project.entries(self.project.model(name), now=self.clock(), as_of=as_of)

    def ask_run(self, name: str, as_of: dt.date, by: str) -> Job:
        """Put a run of a model on the queue for ``by``."""
        return self.project.ledger.signed(by).jobs.ask(name, as_of, "{}", self.clock())

    def judgements(self, by: str) -> JudgementRecord:
        """Give the judgements of the project for ``by``, whom every one that is made through it names."""
        return JudgementRecord(self.project.ledger.signed(by), self.project.models)

    def standing(self, name: str | None, as_of: dt.date) -> Standing:
        """Give the present forecast of a model; no fit is made for it."""
        model = self.project.model(name)
        self._asked[model.spec.name] = None
        return self.kept(("standing", model.spec.name, as_of), lambda: self._standing(model, as_of), turn="forecast")

    def answer[Answer](
        self, standing: Standing, *question: Hashable, ask: Callable[[LiveForecast], Answer], long: bool = False
    ) -> Answer:
        """Ask a present forecast, once as long as it stands; what takes ``long`` leaves room for what does not.

        It is worked out by one thread, as alarms are, so that a row finds kernels that have time for it.
        """
        key = ("answer", standing.forecast.model, standing.forecast.as_of, question)
        return self.kept(key, one_thread()(lambda: ask(standing.forecast)), turn="long" if long else "answer")

    def moved(self, before: Standing) -> tuple[Standing, tuple[Change, ...]]:
        """Give the forecast as it stands now, and what moved since an earlier standing."""
        after = self.standing(before.forecast.model, before.forecast.as_of)
        return after, quantities.changes_between(before.forecast, after.forecast)

    def who(self, text: str) -> Token | None:
        """Give the token of which this is the text, if it is good now."""
        tokens = self.kept(("tokens",), self.project.ledger.tokens.book)
        return tokens.find(text)

    def seen(self) -> list[Seen]:
        """Say how each model that was asked for stands today: how old its evidence is, and whether the alarm rings."""
        today, found = self.today(), list[Seen]()
        for name in tuple(self._asked):
            with suppress(ForecastError):
                now = self.standing(name, today)
                said = now.alarm_said["state"]
                age = now.stamp["evidence_age_days"]
                found.append(Seen(name, age, said == "rings" if said in {"rings", "silent"} else None))
        return found

    def _standing(self, model: Model, as_of: dt.date) -> Standing:
        with self.telemetry.span("forecast", model=model.spec.name, as_of=as_of.isoformat()):
            found = self.project.update(model, as_of=as_of, refit="never")
        evidence = found.posterior.evidence
        issue = next(iter(self.project.ledger.headings(model.spec.name)[-1:]), None)
        before = record.baseline(issue) if issue else None
        alarm = self._later.later((model.spec.name, as_of), one_thread()(lambda: report.alarm_part(found, "never")))
        alarm.add_done_callback(self._alarm_known)
        return Standing(model, found, issue, before, evidence.newest, len(evidence.used), alarm)

    def _alarm_known(self, alarm: Future[Any]) -> None:
        if alarm.exception() is None:
            with self._lock:
                self._alarms += 1

    def kept[Made](
        self, key: Hashable, make: Callable[[], Made], *, turn: str | None = None, lasting: bool = False
    ) -> Made:
        """Give what ``make`` gives, made once as long as the ledger and the model files stay as they are.

        It waits for its ``turn``, one of `TURNS`. What is ``lasting`` is made once, whatever they become.
        """
        head = None if lasting else self.head()
        whole = (key, head, None if head is None else self._rests_on())
        with self._lock:
            found = self._kept.get(whole)
            first = found is None
            if found is None:
                found = self._kept[whole] = Future()
                self._forget(head)
            else:
                self._kept.move_to_end(whole)
        if first:
            try:
                with self._turns[turn] if turn else nullcontext():
                    found.set_result(make())
            except BaseException as error:
                with self._lock:
                    self._kept.pop(whole, None)
                found.set_exception(error)
                raise
        return found.result()

    def _rests_on(self) -> tuple[Hashable, ...]:
        """Give what an answer rests on besides the ledger: the model files, and fits but for draws of the prior."""
        names = {path.name for path in self.root.glob("data/*/fits/*.nc")}
        return self._files, frozenset(name for name in names if not name.startswith(PRIORS))

    def _forget(self, head: Head | None) -> None:
        """Drop what nobody can ask for any more, for it rests on fewer rows, and what is over `KEPT`."""
        if head is not None:
            for key in [one for one in self._kept if one[1] is not None and one[1].links < head.links]:
                del self._kept[key]
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
