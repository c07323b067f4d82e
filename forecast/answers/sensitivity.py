"""Sensitivity: what the forecast would be if an assumption were another, or some of the evidence were not there.

An assumption is moved with the draws: a rate that is higher in the file by a prior standard deviation is higher by as
much in every draw, so that prior and draws keep their ratio and the weights are the likelihood's alone. The result is
the forecast of the changed model file, as if it had been fitted anew.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from forecast import base
from forecast.answers.fewer import fewer
from forecast.answers.moves import assumption_moves
from forecast.answers.rests_on import links_counted
from forecast.answers.reweighed import Reweighed
from forecast.answers.target import Reading
from forecast.base import prose
from forecast.base.errors import ImpossibleError, InputError, nearest
from forecast.base.shown import Shown
from forecast.engine.arrays import without_cells
from forecast.engine.filtering import evaluate
from forecast.engine.pareto import equal_weights
from forecast.evidence.compilation import compile_evidence
from forecast.evidence.stories import stories, story_name
from forecast.inference.trust import MAX_MCSE, gate
from forecast.ledger.rows import Coverage, Delivery, Observation, with_id
from forecast.quantities.estimate import FORMAT, LEARNED_LITTLE, Estimate, Trust
from forecast.quantities.shares import shares_of, variance
from forecast.theory.assumptions import assumptions
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pandas as pd

    from forecast.answers.fewer import Fewer
    from forecast.answers.moves import Move
    from forecast.answers.target import Question
    from forecast.engine.arrays import Floats
    from forecast.evidence.compilation import Evidence
    from forecast.inference.anchor import Anchor
    from forecast.inference.reweighting import Posterior
    from forecast.inference.shifted_prior import Moved, Parameters
    from forecast.ledger.rows import Entry
    from forecast.theory.statespace import StateSpace


SOURCES, INFORMATION = "ABCDE", "12345"  # F and 6 say that nobody knows; they stay
MOSTLY = 0.6  # a link that kept more of its prior's spread rests mostly on the prior
AS_COVERED = "the rows read as systematically covered"
FEW = 600  # draws that a quick look moves
NEAREST = MAX_MCSE  # largest Monte Carlo error of a difference that is told to the nearest point


@dataclass(frozen=True)
class Shift:
    """The forecast with one thing changed.

    ``kind`` is ``rate``, ``effect``, ``grade``, ``class``, ``credibility``, ``coverage``, ``source`` or ``story``;
    ``name`` is a dotted key, or what was left out; ``change`` says in words what was done to it. ``mcse`` is the Monte
    Carlo error of the difference; ``refitted`` says whether other draws had to be made for it.
    """

    kind: str
    name: str
    change: str
    probability: float
    difference: float
    mcse: float
    k_hat: float | None
    trusted: bool
    refitted: bool


@dataclass(frozen=True)
class Link:
    """How much has narrowed a rate or an effect: posterior over prior standard deviation, on the log scale.

    ``most`` is what it mostly rests on where the model has a history: ``prior``, ``history`` or ``reports``.
    """

    name: str
    narrowing: float
    most: str | None = None

    @property
    def rests_on(self) -> str:
        """Say what the link rests on."""
        if self.most:
            return f"rests mostly on the {self.most}"
        if self.narrowing >= LEARNED_LITTLE:
            return "rests on the prior"
        return "rests mostly on the prior" if self.narrowing >= MOSTLY else "is narrowed by the evidence"


@dataclass(frozen=True)
class Scaling:
    """ArviZ's power-scaling index of the probability for one factor of the posterior: above 0.05 it matters."""

    factor: str
    index: float


@dataclass(frozen=True, repr=False)
class Sensitivity(Shown):
    """What moves the probability of ``outcome`` on ``date``, and how much of it is prior; see `Shift`.

    ``now`` is the forecast as it is, ``prior_only`` the one without any evidence.
    """

    model: str
    outcome: str
    weeks: int
    date: dt.date
    as_of: dt.date
    now: Estimate
    prior_only: Estimate
    shifts: tuple[Shift, ...]
    scaling: tuple[Scaling, ...]
    links: tuple[Link, ...]
    trust: Trust

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say in words what matters most."""
        name = prose.spoken(self.outcome)
        now, prior = (prose.chance(part.mean, part.mcse) for part in (self.now, self.prior_only))
        lines = [f"For {prose.day(self.date)}, {name} stands at {now}; without any evidence it would be {prior}."]
        told = [row for row in self.shifts if row.trusted and self._size(row)]
        for kinds, many in ((("rate", "effect", "grade", "class"), 3), (("source", "story"), 2)):
            chosen = sorted((row for row in told if row.kind in kinds), key=lambda row: -abs(row.difference))
            seen = [row for row in chosen if prose.chance(*self.there(row)) != now]
            lines += [f"{self._clause(row)}." for row in seen[:many]]
        lines += [
            f"{self._clause(row)}." for row in self.shifts if row.trusted and row.kind in {"credibility", "coverage"}
        ]
        lines.append(self._resting)
        shut = sum(not row.trusted for row in self.shifts)
        if shut:
            are = "is" if shut == 1 else "are"
            lines.append(f"{shut} of {prose.count(len(self.shifts), 'change')} {are} out of reach of these draws.")
        return tuple(lines)

    @property
    def _resting(self) -> str:
        most = [row.most for row in self.links if row.most]
        if most:
            return links_counted(most)
        resting = [row for row in self.links if row.narrowing >= LEARNED_LITTLE]
        rest = "rests" if len(resting) == 1 else "rest"
        return f"{len(resting)} of {prose.count(len(self.links), 'link')} of the cascade {rest} on the prior."

    def there(self, row: Shift) -> tuple[float, float]:
        """Where the probability would stand, and the error to which that is known."""
        return row.probability, max(row.mcse, self.now.mcse)

    def _size(self, row: Shift) -> str | None:
        return prose.points_apart((self.now.mean, self.now.mcse), self.there(row), row.mcse)

    def _clause(self, row: Shift) -> str:
        name, size = prose.spoken(self.outcome), self._size(row)
        there = prose.chance(*self.there(row))
        if size is None:
            return f"With {row.change}, {name} would stand where it does, at {there}, as far as the draws can tell"
        return f"With {row.change}, {name} would {'fall' if row.difference < 0 else 'rise'} by {size} to {there}"

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row a change, with the columns of `Shift`."""
        return base.frame(map(asdict, self.shifts))

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            **asdict(self),
            "date": self.date.isoformat(),
            "as_of": self.as_of.isoformat(),
            "shifts": [asdict(row) for row in self.shifts],
            "scaling": [asdict(row) for row in self.scaling],
            "links": [{**asdict(row), "rests_on": row.rests_on} for row in self.links],
            "trust": self.trust.to_dict(),
            "sentences": list(self.sentences),
        }


@dataclass(frozen=True)
class OfFit:
    """What is needed of the fit whose draws are asked, beside them.

    ``log_prior`` holds (S,) densities by group of parameters; without any, nothing is power-scaled. ``informed`` says
    by name of each link how much the history alone has narrowed it; empty without one.
    """

    parameters: Parameters
    log_prior: Mapping[str, Floats]
    chains: int
    informed: Mapping[str, float] = field(default_factory=dict[str, float])


def find_sensitivity(  # noqa: PLR0913, PLR0917 - all that may be asked of
    question: Question, found: Posterior, entries: Sequence[Entry], of_fit: OfFit, prior: Anchor,
    bring: Callable[[Evidence], Posterior], without: Sequence[str] = (), reweighed: Reweighed | None = None,
    few: int | None = None,
) -> Sensitivity:  # fmt: skip
    """Move every assumption and leave out every source and story (or only those named ``without``).

    ``prior`` are draws from the prior; ``bring`` gives a posterior of evidence that those of ``found`` do not reach.
    ``reweighed`` are the draws of ``found``, which others may have weighted to the same evidence already. With ``few``
    an assumption moves so many draws, and all of them where these do not tell its difference to the nearest point.

    Raises
    ------
    InputError
        If ``without`` names something that is no source and no story.

    """
    space = question.space
    left_out = list(_left_out(space, entries, without))
    part = fewer(found, of_fit.parameters, few) if few else None
    look = _Look(question, found, of_fit.parameters, reweighed or Reweighed(found.anchor), part)
    shifts = [look.moved(*parts) for parts in assumption_moves(found, entries)]
    for kind, name, change, rows in [*_regradings(entries), _covered(space, found.evidence.as_of, entries), *left_out]:
        with suppress(ImpossibleError):  # what cannot be left out has no line
            shifts.append(look.given(kind, name, change, compile_evidence(space, rows, found.evidence.as_of), bring))
    return Sensitivity(
        model=space.spec.name,
        outcome=question.outcome,
        weeks=question.weeks,
        date=question.date,
        as_of=found.evidence.as_of,
        now=look.here.quantity.estimate,
        prior_only=_prior_only(question, found.evidence, prior),
        shifts=tuple(shifts),
        scaling=tuple(_scaling(look.here, found, of_fit)) if of_fit.log_prior else (),
        links=tuple(_links(space, of_fit, found.weights.values)),
        trust=look.here.trust,
    )


class _Look:
    """The forecast as it is, beside which others are set."""

    def __init__(
        self, question: Question, found: Posterior, parameters: Parameters, reweighed: Reweighed, part: Fewer | None
    ) -> None:  # fmt: skip
        self._question = question
        self._found = found
        self._parameters = parameters
        self._reweighed = reweighed
        self._part = part
        self.here = question.ask(found)
        self._part_here = question.ask(part.found) if part else None

    def moved(self, kind: str, name: str, change: str, move: Move) -> Shift:
        """Give the forecast of draws that were moved to a changed model: of a part of them, if these are enough."""
        if self._part and self._part_here:
            there = self._there(move(self._part.found, self._part.parameters), self._part_here)
            shift = self._beside(kind, name, change, self._part, there)
            if shift.trusted and shift.mcse <= NEAREST:
                return shift
        return self._shift(kind, name, change, self._there(move(self._found, self._parameters), self.here))

    def _there(self, moved: Moved, here: Reading) -> Reading:
        same = moved.blocks.rate is here.anchor.blocks.rate  # then what lies ahead is known
        part = self._question.read(moved.blocks, moved.evaluation.states, moved.evidence.until, keep=same)
        return Reading(here.key, part, moved.weights, here.anchor)

    def _beside(self, kind: str, name: str, change: str, part: Fewer, there: Reading) -> Shift:
        """Add what the move does to a part of the draws to what all of them say."""
        here, few = self.here, self._part_here
        assert few is not None  # noqa: S101 - it is the reading of ``part``
        before, difference = float(here.mean[0]), float(there.mean[0] - few.mean[0])
        after = min(max(before + difference, 0.0), 1.0)
        moves = here.influence + part.spread(there.influence - few.influence, here.influence.size)
        mcse = math.sqrt(float(np.square(moves).sum()) / here.anchor.efficiency)
        row = there.quantity
        known = replace(row, estimate=replace(row.estimate, mean=after, mcse=mcse))
        trusted = gate(there.anchor, there.weights, [known]).trusted
        return Shift(
            kind, name, change, after, after - before, few.error_beside(there), there.weights.k_hat, trusted,
            refitted=False,
        )  # fmt: skip

    def given(
        self, kind: str, name: str, change: str, evidence: Evidence, bring: Callable[[Evidence], Posterior]
    ) -> Shift:
        """Give the forecast of the same model under other evidence."""
        reading = self._question.ask(self._reweighed.to(evidence))
        if not reading.trust.trusted:
            reading = self._question.ask(bring(evidence))
        return self._shift(kind, name, change, reading)

    def _shift(self, kind: str, name: str, change: str, there: Reading) -> Shift:
        here = self.here
        if there.anchor is here.anchor:
            error = here.error_beside(there)
        else:
            error = math.hypot(here.quantity.estimate.mcse, there.quantity.estimate.mcse)
        before, after = float(here.mean[0]), float(there.mean[0])
        return Shift(
            kind, name, change, after, after - before, error, there.weights.k_hat, there.trust.trusted,
            there.anchor is not here.anchor,
        )  # fmt: skip


# Evidence.

Change = tuple[str, str, str, list["Entry"]]


def regraded(entry: Entry, step: int) -> Entry:
    """Grade a row one letter and one digit worse (``step`` 1) or better (−1); F, 6 and the ends of the scale stay."""
    if not isinstance(entry, Observation):
        return entry
    source, information = entry.grade
    if source in SOURCES:
        source = SOURCES[min(max(SOURCES.index(source) + step, 0), len(SOURCES) - 1)]
    if information in INFORMATION:
        information = INFORMATION[min(max(INFORMATION.index(information) + step, 0), len(INFORMATION) - 1)]
    return replace(entry, grade=source + information)


def _regradings(entries: Sequence[Entry]) -> Iterator[Change]:
    for name, step, change in (("stricter", 1, "worse"), ("laxer", -1, "better")):
        text = f"every row graded one step {change}"
        yield "credibility", name, text, [regraded(row, step) for row in entries]


def watched_throughout(space: StateSpace, as_of: dt.date) -> Coverage:
    """Take it that somebody looked for everything from the beginning: what is not told was not there."""
    watch = Coverage(indicator="*", from_=space.spec.model.start, to=as_of, reported_on=as_of, source="as if")
    return with_id(watch)


def _covered(space: StateSpace, as_of: dt.date, entries: Sequence[Entry]) -> Change:
    return "coverage", AS_COVERED, AS_COVERED, [*entries, watched_throughout(space, as_of)]


def _left_out(space: StateSpace, entries: Sequence[Entry], without: Sequence[str]) -> Iterator[Change]:
    told = [row for row in entries if not isinstance(row, Delivery)]
    groups = [
        ("source", source, f"everything from “{source}”", {row.id for row in told if row.source == source})
        for source in dict.fromkeys(row.source for row in told)
    ]
    groups += [
        ("story", name, story_name(space, rows)[0], {row.id for row in rows})
        for name, rows in stories(space, entries).items()
    ]
    names = {name for _, name, _, _ in groups}
    for name in without:
        if name not in names:
            msg = f"no source and no story is called {name!r}; {nearest(name, names)}"
            raise InputError(msg)
    for kind, name, text, ids in groups:
        if not without or name in without:
            yield kind, name, f"{text} left out", [row for row in entries if row.id not in ids]


# Prior and evidence.


def _prior_only(question: Question, evidence: Evidence, prior: Anchor) -> Estimate:
    """Give the forecast of the theory alone: the steps pass, and nothing is known of any of them."""
    states = evaluate(prior.blocks, without_cells(evidence.cells)).states
    part = question.read(prior.blocks, states, evidence.until, keep=False)
    return Reading(question.key, part, equal_weights(prior.blocks.size), prior).quantity.estimate


def _links(space: StateSpace, of_fit: OfFit, weights: Floats) -> Iterator[Link]:
    for key, interval in assumptions(space.spec).items():
        if key.startswith("stages."):
            _, stage, _, label = key.split(".", 3)
            narrowing = math.sqrt(variance(of_fit.parameters.values[key], weights)) / log_normal(interval)[1]
            informed = of_fit.informed.get(f"{stage}.{label}")
            most = None if informed is None else shares_of(1.0, informed**2, narrowing**2).most
            yield Link(key, narrowing, most)


def _scaling(here: Reading, found: Posterior, of_fit: OfFit) -> Iterator[Scaling]:
    """Power-scale the prior, each group of it, and the likelihood (Kallioinen et al. 2024), by ArviZ."""
    import xarray as xr  # noqa: PLC0415 - slow to import
    from arviz_stats.psense import psense  # noqa: PLC0415 - slow to import

    size = found.anchor.blocks.size
    if found.weights.k_hat is None:
        rows = np.arange(size)
    else:  # ArviZ wants draws that count alike
        rows = np.random.default_rng(1).choice(size, size=size, p=found.weights.values)

    def group(**parts: Floats) -> xr.Dataset:
        return xr.Dataset(
            {name: (("chain", "draw"), part[rows].reshape(of_fit.chains, -1)) for name, part in parts.items()}
        )

    tree = xr.DataTree.from_dict(
        {
            "posterior": group(probability=here.part[0]),
            "log_prior": group(**of_fit.log_prior),
            "log_likelihood": group(reports=found.evaluation.log_likelihood),
        }
    )
    asked: list[tuple[str, dict[str, Any]]] = [("prior", {"group": "prior"}), ("likelihood", {"group": "likelihood"})]
    asked += [(f"prior of {name}", {"group": "prior", "group_var_names": [name]}) for name in of_fit.log_prior]
    for factor, options in asked:
        yield Scaling(factor, float(psense(tree, **options)["probability"]))
