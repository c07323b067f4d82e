"""Sources: what each has told, and what every judgement would be without it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from forecast import base, ledger
from forecast.answers.reweighed import Reweighed
from forecast.answers.target import Question
from forecast.base import prose
from forecast.base.errors import ImpossibleError
from forecast.base.shown import Shown
from forecast.evidence.compilation import compile_evidence
from forecast.ledger.rows import Delivery, Observation
from forecast.quantities.estimate import FORMAT, Trust

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from forecast.answers.target import Reading
    from forecast.inference.reweighting import Posterior
    from forecast.ledger.rows import Entry
    from forecast.ledger.sources import Tally
    from forecast.quantities.estimate import Estimate


LEANS = 1.5  # factor of the odds from which on a probability leans on a source that is left out


@dataclass(frozen=True)
class Without:
    """What an outcome would be without a source: its ``probability``, how far that is from the forecast, and the error.

    ``leans`` says whether the odds would change by half or more.
    """

    probability: float
    difference: float
    mcse: float
    leans: bool


@dataclass(frozen=True)
class Source:
    """What one source ``told``, the ``ids`` of its rows that the forecast knows, and the outcomes without it.

    ``without`` says by outcome what the forecast would be if it had told nothing; it is empty where the draws do not
    reach that, or where it cannot have told nothing.
    """

    source: str
    ids: tuple[str, ...]
    told: Tally
    without: Mapping[str, Without]


@dataclass(frozen=True, repr=False)
class Sources(Shown):
    """Who told what the forecast rests on, the source with the most rows first, and what leans on one of them alone."""

    model: str
    as_of: dt.date
    weeks: int
    date: dt.date
    now: Mapping[str, Estimate]
    rows: tuple[Source, ...]
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """Which judgement leans on one source, the one that leans most first."""
        lines: list[tuple[float, str]] = []
        for outcome, now in self.now.items():
            leaning = [row for row in self.rows if outcome in row.without and row.without[outcome].leans]
            if not leaning:
                continue
            most = max(leaning, key=lambda row: abs(row.without[outcome].difference))
            there = most.without[outcome]
            after = (there.probability, max(there.mcse, now.mcse))
            size = prose.points_apart((now.mean, now.mcse), after, there.mcse)
            many = "one source alone," if len(leaning) == 1 else f"each of {len(leaning)} sources alone, most on"
            name, turn = prose.spoken(outcome).capitalize(), "lower" if there.difference < 0 else "higher"
            line = f"{name} leans on {many} “{most.source}”: without it the number would be {size} {turn}."
            lines.append((-abs(there.difference), line))
        return tuple(line for _, line in sorted(lines)) or ("No judgement leans on a single source.",)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a source and outcome; columns source, those of `Tally`, outcome, those of `Without`."""
        rows = [
            {"source": row.source, **asdict(row.told), "outcome": outcome, **asdict(there)}
            for row in self.rows
            for outcome, there in row.without.items()
        ]
        return base.frame(rows, ["first", "newest"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            "model": self.model,
            "as_of": self.as_of.isoformat(),
            "weeks": self.weeks,
            "date": self.date.isoformat(),
            "now": {name: asdict(one) for name, one in self.now.items()},
            "rows": [
                {
                    "source": row.source, "ids": list(row.ids), **row.told.to_dict(),
                    "without": {name: asdict(one) for name, one in row.without.items()},
                }
                for row in self.rows
            ],
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }  # fmt: skip


def find_sources(
    found: Posterior, entries: Sequence[Entry], weeks: int | None, reweighed: Reweighed | None = None
) -> Sources:
    """List the sources of observations that the forecast knows, and leave out each in turn.

    ``reweighed`` are the draws of ``found``, which others may have weighted to the same evidence already.

    Raises
    ------
    InputError
        If the model has no such horizon.

    """
    space, evidence = found.space, found.evidence
    questions = {name: Question(space, name, weeks, evidence.as_of) for name in space.spec.outcomes}
    here = {name: question.ask(found) for name, question in questions.items()}
    known = {*evidence.used, *(row for row, _ in evidence.left_out)}
    told: dict[str, list[Observation]] = {}
    for row in entries:
        if isinstance(row, Observation) and row.id in known:
            told.setdefault(row.source, []).append(row)
    rows = [
        Source(
            source=source,
            ids=tuple(row.id for row in its),
            told=ledger.tally(its),
            without=_without(found, entries, source, questions, here, reweighed or Reweighed(found.anchor)),
        )
        for source, its in told.items()
    ]
    first = next(iter(questions.values()))
    return Sources(
        model=space.spec.name,
        as_of=evidence.as_of,
        weeks=first.weeks,
        date=first.date,
        now={name: one.quantity.estimate for name, one in here.items()},
        rows=tuple(sorted(rows, key=lambda row: (-row.told.rows, row.source))),
        trust=found.trust,
    )


def _without(  # noqa: PLR0913, PLR0917 - what is left out, and what is asked
    found: Posterior, entries: Sequence[Entry], source: str, questions: Mapping[str, Question],
    here: Mapping[str, Reading], reweighed: Reweighed,
) -> dict[str, Without]:  # fmt: skip
    """Say what each outcome would be without a source, as far as the draws reach."""
    kept = [row for row in entries if isinstance(row, Delivery) or row.source != source]
    evidence = compile_evidence(found.space, kept, found.evidence.as_of)
    try:
        posterior = reweighed.to(evidence)
    except ImpossibleError:  # what is on record hangs together
        return {}
    if not posterior.reached:
        return {}
    return {name: _apart(here[name], question.ask(posterior)) for name, question in questions.items()}


def _apart(here: Reading, there: Reading) -> Without:
    """Set two readings by the same draws beside each other."""
    before, after = float(here.mean[0]), float(there.mean[0])
    error = here.error_beside(there)
    told = abs(after - before) > prose.NOISE * error and 0 < after < 1 and 0 < before < 1
    factor = after / (1 - after) * (1 - before) / before if told else 1.0
    return Without(after, after - before, error, max(factor, 1 / factor) >= LEANS)
