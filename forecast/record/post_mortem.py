"""Post-mortems of resolved questions: what was said and when, what moved it, and which stories spoke for the answer."""

from __future__ import annotations

import datetime as dt
import json
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from forecast import base
from forecast.base import prose
from forecast.base.shown import Shown
from forecast.quantities.estimate import FORMAT
from forecast.record.questions import between, stated
from forecast.record.resolution import HOW

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd

    from forecast.ledger.issued import Issued, Resolution
    from forecast.record.questions import Stated


TELLING = 1.1  # times likelier from which on a story spoke for an answer, or against it
SAID = 3  # stories that become sentences
LEAST = 1e-6  # of a factor: a state that is ruled out


@dataclass(frozen=True)
class Told:
    """What one issue said of the question: the ``probability`` that its rule is met, and how far it had ``moved``.

    ``moved`` is in probability since the issue before; None for the first. ``late`` says that it was issued with
    hindsight. ``news`` are the rows that came in between, and ``why`` the sentences of its drivers, if it explained
    this outcome.
    """

    as_of: dt.date
    probability: float
    moved: float | None
    late: bool
    news: tuple[str, ...]
    why: tuple[str, ...]

    def brier(self, answer: str) -> float:
        """Brier score; lower is better."""
        return (self.probability - (answer == "yes")) ** 2


@dataclass(frozen=True)
class Witness:
    """A story of the last issue before the day, and for which answer it spoke.

    ``factor`` is how many times likelier it was under the states of the outcome than under the others of that stage.
    ``right`` is None where that is near to one.
    """

    what: str
    date: dt.date
    factor: float
    right: bool | None


@dataclass(frozen=True, repr=False)
class PostMortem(Shown):
    """A resolved question, looked back at: what each issue ``told``, and which stories were ``witnesses`` of it.

    ``answered_by`` says how in words: by the rule, by hand.
    """

    model: str
    outcome: str
    label: str
    since: dt.date | None
    date: dt.date
    answer: str
    answered_by: str
    reason: str
    url: str
    told: tuple[Told, ...]
    witnesses: tuple[Witness, ...]

    @property
    def question(self) -> str:
        """The question in words."""
        name = self.label.strip()
        if self.since is None:
            return f"{name}: was the rule met on {prose.day(self.date)}?"
        return f"{name}: was the rule met on any day after {prose.day(self.since)} up to {prose.day(self.date)}?"

    @property
    def sentences(self) -> tuple[str, ...]:
        """What to learn from it, in words."""
        lines = [f"{self.question} The answer is {self.answer}, {self.answered_by}."]
        if self.answer == "void":
            return (*lines, "A void question is not scored.")
        first, last = self.told[0], self.told[-1]
        lines.append(
            f"It was first given {prose.figure(first.probability)}, as of {prose.day(first.as_of)} (Brier score "
            f"{first.brier(self.answer):.2f})"
            + (
                f", and last {prose.figure(last.probability)}, as of {prose.day(last.as_of)} "
                f"({last.brier(self.answer):.2f})."
                if len(self.told) > 1
                else "."
            )
        )
        moves = [row for row in self.told if row.moved]
        if moves:
            most = max(moves, key=lambda row: abs(row.moved or 0.0))
            toward = (most.moved or 0.0) > 0
            way = "towards" if toward == (self.answer == "yes") else "away from"
            news = f", when came {prose.listed(most.news[:SAID])}" if most.news else ""
            lines.append(
                f"It moved most by the issue of {prose.day(most.as_of)}, {abs(100 * (most.moved or 0)):.0f} points "
                f"{way} the answer{news}."
            )
        for right, verb in ((True, "for"), (False, "against")):
            named = [row.what for row in self.witnesses if row.right is right]
            if named:
                more = f" and {len(named) - SAID} more" if len(named) > SAID else ""
                lines.append(f"Spoke {verb} what came: {prose.listed(named[:SAID])}{more}.")
        return tuple(lines)

    def to_frame(self) -> pd.DataFrame:
        """Tidy: one row an issue; columns as_of, probability, moved, late, brier."""
        rows = [
            {
                "as_of": row.as_of, "probability": row.probability, "moved": row.moved, "late": row.late,
                "brier": math.nan if self.answer == "void" else row.brier(self.answer),
            }
            for row in self.told
        ]  # fmt: skip
        return base.frame(rows, ["as_of"])

    def to_dict(self) -> dict[str, Any]:
        """Give plain JSON types."""
        return {
            "format": FORMAT,
            **asdict(self),
            "question": self.question,
            "since": self.since.isoformat() if self.since else None,
            "date": self.date.isoformat(),
            "told": [
                {
                    **asdict(row), "as_of": row.as_of.isoformat(), "news": list(row.news), "why": list(row.why),
                    "brier": None if self.answer == "void" else row.brier(self.answer),
                }
                for row in self.told
            ],
            "witnesses": [{**asdict(row), "date": row.date.isoformat()} for row in self.witnesses],
            "sentences": list(self.sentences),
        }  # fmt: skip


def post_mortems(issues: Sequence[Issued], answers: Iterable[Resolution]) -> tuple[PostMortem, ...]:
    """Look back at every answered question that an issue asked, in the order of ``answers``.

    ``issues`` are those of one model, in the order of issue.
    """
    said = stated(issues)
    reports = {row.seq: json.loads(row.content) for row in issues}
    found = (_look_back(row, said, reports) for row in answers)
    return tuple(one for one in found if one is not None)


def _look_back(
    answer: Resolution, said: Sequence[Stated], reports: Mapping[int, Mapping[str, Any]]
) -> PostMortem | None:  # fmt: skip
    """Gather what was said of a question; None if no issue that counts has asked it."""
    told: list[Told] = []
    last: Mapping[str, Any] | None = None
    for as_of in sorted({row.as_of for row in said if row.as_of <= answer.date}):
        rows = [row for row in said if row.as_of == as_of and row.outcome == answer.outcome]
        probability = _said_of(rows, answer)
        if probability is None:
            continue
        last = reports[rows[0].issue]
        before = told[-1].probability if told else None
        told.append(
            Told(
                as_of=as_of,
                probability=probability,
                moved=None if before is None else probability - before,
                late=not rows[0].prompt,
                news=_news(last),
                why=_why(last, answer.outcome),
            )
        )
    if last is None:
        return None
    outcome = last["model"]["outcomes"].get(answer.outcome, {})
    return PostMortem(
        model=answer.model,
        outcome=answer.outcome,
        label=outcome.get("label", prose.spoken(answer.outcome)),
        since=answer.since,
        date=answer.date,
        answer=answer.answer,
        answered_by=HOW[answer.by],
        reason=answer.reason,
        url=answer.url,
        told=(replace(told[0], news=()), *told[1:]),
        witnesses=_witnesses(last, outcome.get("states", {}), answer),
    )


def _said_of(rows: Sequence[Stated], answer: Resolution) -> float | None:
    """Read the probability of a question from what one issue stated of its outcome."""
    if answer.since is not None:
        return next((row.probability for row in rows if row.question == answer.question), None)
    return between(rows, answer.outcome, answer.date)


def _news(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the rows that came in since the issue before."""
    changes = report.get("changes")
    if not changes:
        return ()
    rows = {row["id"]: row for row in report["evidence"]["rows"]}
    added = [rows[name] for name in changes["rows"]["added"] if name in rows and not rows[name]["left_out"]]
    return tuple(f"“{row['what']}” ({prose.on_day(row['date'])})" for row in added)


def _why(report: Mapping[str, Any], outcome: str) -> tuple[str, ...]:
    drivers = report.get("drivers")
    return tuple(drivers["sentences"]) if drivers and drivers["outcome"] == outcome else ()


def _witnesses(
    report: Mapping[str, Any], states: Mapping[str, Sequence[str]], answer: Resolution
) -> tuple[Witness, ...]:  # fmt: skip
    """Judge the stories of a report's matrix by the answer, the most telling first; older reports have none."""
    found: list[Witness] = []
    for row in (report.get("matrix") or {"rows": ()})["rows"]:
        inside = set(states.get(row["stage"], ()))
        factors = {state: one["mean"] for state, one in row["factors"].items()}
        if row["kind"] != "story" or not row["rows"] or not inside or not factors.keys() - inside:
            continue
        yes = sum(factors[state] for state in inside) / len(inside)
        no = sum(value for state, value in factors.items() if state not in inside) / (len(factors) - len(inside))
        factor = max(yes, LEAST) / max(no, LEAST)
        spoke = None if max(factor, 1 / factor) < TELLING else factor > 1
        right = None if spoke is None or answer.answer == "void" else spoke == (answer.answer == "yes")
        found.append(Witness(row["what"], dt.date.fromisoformat(row["date"]), factor, right))
    return tuple(sorted(found, key=lambda one: -abs(math.log(one.factor))))
