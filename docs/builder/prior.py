"""``prior.md``: what the prior implies before any evidence, beside the base rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from docs.builder.markdown import bullets, page, para, table
from docs.builder.places import MODEL
from forecast.engine.blocks import BLOCK, Blocks, Draws
from forecast.engine.propagate import Ahead, Horizons, Questions, Read
from forecast.theory.modelfile import load_spec
from forecast.theory.statespace import StateSpace, chain_of
from forecast.theory.values import log_normal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from forecast.theory.spec import ModelSpec

    Floats = NDArray[np.float64]

DRAWS = 4000
SEED = 20260109
CHECK_WEEKS = (12, 25, 52)
LONG_WEEKS = 260
LATER_WEEKS = 13
CHECK_START = {"victory": ("open",), "relations": ("truce",)}
CHECK_TALKS = {"exploring": 5 / 6, "closing": 1 / 6}  # how talks that advance are divided in the long run
CHECK_DEAL = (0.10, 0.17, 0.28)
CHECK_CONFRONTATION = 0.24
CHECK_SECURED = 0.46
CHECK_SHARE = (0.20, 0.42, 0.65)


class Share(NamedTuple):
    """A probability: mean over draws and 90 % interval over draws."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        """Write it in percent."""
        return f"{self.mean:.0%} ({self.low:.0%} to {self.high:.0%})"


def prior_draws(space: StateSpace, size: int, rng: np.random.Generator) -> Draws:
    """Draw the rates from the prior; sightings and the start play no part here and are left at zero."""
    stages = space.spec.stages.values()

    def drawn(intervals: list[tuple[float, float]]) -> Floats:
        mean, sd = np.array([log_normal(pair) for pair in intervals]).T
        return mean + sd * rng.standard_normal((size, len(intervals)))

    transition = drawn([move.per_year for stage in stages for move in stage.transitions])
    effect = drawn([effect.times for stage in stages for effect in stage.effects.values()])
    log_rate = transition[:, space.rate_transition] + effect @ space.rate_effect.T
    return Draws(log_rate, np.zeros((size, len(space.emission_names))), np.zeros((size, len(space.stage_phases))))


def _share(values: Floats) -> Share:
    return Share(float(values.mean()), *(float(edge) for edge in np.quantile(values, [0.05, 0.95])))


def _ratio(part: Floats, whole: Floats) -> Share:
    """Ratio of expectations; the interval is over draws weighted by ``whole``."""
    each = part / whole
    order = np.argsort(each)
    weight = (np.cumsum(whole[order]) - whole[order] / 2) / whole.sum()
    return Share(float(part.mean() / whole.mean()), *(float(x) for x in np.interp([0.05, 0.95], weight, each[order])))


class Prior:
    """Figures that the prior implies, from one set of draws and the start of the base rates' own check."""

    def __init__(self, spec: ModelSpec) -> None:
        """Draw from the prior."""
        self.space = StateSpace(spec)
        self.draws = prior_draws(self.space, DRAWS, np.random.default_rng(SEED))
        talks = [share * self.space.members({**CHECK_START, "peace": (name,)}) for name, share in CHECK_TALKS.items()]
        self.start = np.sum(talks, axis=0)
        self.deal = self.space.members(spec.outcomes["deal"].states)
        self.secured = self.space.members({"victory": ("secured",)})
        self.settled = self.space.members({"peace": ("settled_deal",)})

    def _answers(
        self, weeks: Sequence[int], later: int, sets: list[Floats], after: list[tuple[Floats, Floats]]
    ) -> Read:
        """Answer from the start: sets at the horizons, entered by them, and beginnings with what follows."""
        size = self.space.size
        pairs = tuple(np.array([pair[k] for pair in after]).reshape(-1, size).astype(bool) for k in (0, 1))
        step = self.space.spec.model.step_days / 365.25
        horizons = Horizons(0.0, step, 0.0, step, 0.0, np.array(weeks))
        asked = Questions(np.array(sets), np.array(sets), *pairs, np.full(len(after), later))
        blocks = Blocks(chain_of(self.space), self.draws)
        states = np.broadcast_to(self.start[:, None], (blocks.count, size, BLOCK))
        return Ahead(blocks, horizons, asked).read(np.ascontiguousarray(states))

    def reached(self, sets: list[Floats]) -> list[list[Share]]:
        """Probability of entering each set within each of `CHECK_WEEKS`."""
        found = self._answers(CHECK_WEEKS, 1, sets, []).reached
        return [[_share(found[h, m]) for h in range(len(CHECK_WEEKS))] for m in range(len(sets))]

    def secured_shares(self, weeks: int) -> list[Share]:
        """Share of the deals first signed within ``weeks`` that are secured: at once, once settled, and later."""
        now = self._answers([weeks], 0, [self.deal], [(self.secured, self.deal), (self.secured, self.settled)]).after
        then = self._answers(
            [weeks], LATER_WEEKS, [self.deal], [(self.deal & self.secured, self.deal), (self.deal, self.deal)]
        ).after
        return [_ratio(*now[0]), _ratio(*now[1]), _ratio(then[0, 0], then[1, 0])]


def _against(mine: float, theirs: float) -> str:
    gap = round(100 * mine) - round(100 * theirs)
    if abs(gap) <= 1:
        return "the same up to rounding"
    return f"{abs(gap)} points {'higher' if gap > 0 else 'lower'}"


def prior_page() -> str:
    """Say what the prior implies before any evidence, beside the base rates."""
    spec = load_spec(MODEL)
    prior = Prior(spec)
    sets = [prior.deal, prior.space.members(spec.outcomes["confrontation"].states), prior.secured]
    deal, confrontation, secured = prior.reached(sets)
    year, long = prior.secured_shares(CHECK_WEEKS[-1]), prior.secured_shares(LONG_WEEKS)
    low, middle, high = CHECK_SHARE
    shares = [
        [label, str(first), str(second)]
        for label, first, second in zip(
            ("in the week of signing", "when it settles", f"{LATER_WEEKS} weeks after signing, if still in force"),
            year,
            long,
            strict=True,
        )
    ]
    events = [
        ["a deal is signed", *(str(share) for share in deal), ", ".join(f"{x:.0%}" for x in CHECK_DEAL)],
        ["a confrontation begins", *(str(share) for share in confrontation), f"52 weeks: {CHECK_CONFRONTATION:.0%}"],
        ["the terms are secured, deal or not", *(str(share) for share in secured), f"52 weeks: {CHECK_SECURED:.0%}"],
    ]
    return page(
        "What the prior says",
        "the model file",
        para(
            f"Before any evidence and without the history: {DRAWS} draws of the rates from the intervals of the file,"
            f" seed {SEED}, each propagated exactly.",
            "All figures start from advancing talks, open terms and a truce, as the base rates' own check does. They",
            "are means over draws, with 90 % intervals over draws. The simulation error of a mean is below one",
            "point.",
        ),
        "## Share of deals that end secured\n",
        para(
            f"Of the first deals signed within {CHECK_WEEKS[-1]} and within {LONG_WEEKS} weeks, those with terms that",
            "are a victory for Russia. Draws count in proportion to the deals they produce.",
        ),
        table(["secured", f"signed within {CHECK_WEEKS[-1]} weeks", f"signed within {LONG_WEEKS} weeks"], shares),
        para(
            f"The base rates give a share at signing: {middle:.0%} ({low:.0%} to {high:.0%}). Rates have no jump at",
            f"signing, so in that week the model's share is lower, {long[0].mean:.0%} of the deals within",
            f"{LONG_WEEKS} weeks. The effects of a deal bring it to {long[1].mean:.0%} when the deal settles and to",
            f"{long[2].mean:.0%} of those in force after {LATER_WEEKS} weeks. The intervals are wider than the base",
            "rates', because the rates before a deal are so little known. Deals of the first year stay lower",
            f"({year[1].mean:.0%} when they settle), because the terms start open and have had little time to change.",
        ),
        "## Within a year\n",
        "Probability that it begins within so many weeks.\n",
        table(["event", *(f"{weeks} weeks" for weeks in CHECK_WEEKS), "base rates' check"], events),
        bullets(
            f"*Deal*: {_against(deal[-1].mean, CHECK_DEAL[-1])}. The rates into a deal have the base rates'"
            " medians and wider intervals, for the history says how wide they are.",
            f"*Confrontation*: {_against(confrontation[-1].mean, CHECK_CONFRONTATION)}. While talks are stalled the"
            " model slows moves from truce to confrontation, which is the article's argument and not in the base rates;"
            " a strategic victory, which raises them, seldom comes within the year.",
            f"*Secured*: {_against(secured[-1].mean, CHECK_SECURED)}. The base rates let a share of the deals be"
            " secured on signing; the model lets them become secured over the first months.",
        ),
    )
