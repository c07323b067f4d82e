"""A project with forecasts that were never computed, and ways to answer and score them."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest import mock

from entries import answer
from projects import call, fresh

import forecast
from forecast.answers.rule_probability import PATHS
from forecast.ledger.issued import Issued, Resolution
from forecast.ledger.rows import Coverage
from forecast.record.questions import Stated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from projects import Done

    from forecast.project.project import Project


MODEL = "russia_azerbaijan"
EDGE = 0.5 / PATHS  # half a simulated path
AS_OF = dt.date(2026, 1, 15)
LAG = dt.timedelta(days=14)
TODAY = AS_OF + dt.timedelta(days=60)
WEEKS = (4, 13)


def noon(date: dt.date) -> dt.datetime:
    """Give a moment of a day."""
    return dt.datetime(date.year, date.month, date.day, 12, tzinfo=dt.UTC)


def later(days: int) -> dt.date:
    """Give a day after the first forecast."""
    return AS_OF + dt.timedelta(days=days)


def rows_of(as_of: dt.date, probabilities: dict[tuple[str, str, int], float], now: Iterable[str] = ()) -> Any:
    """Give the rules of a report: the probability by outcome, kind and horizon; ``now`` are the outcomes met."""
    return [
        {
            "outcome": outcome, "kind": kind, "horizon_weeks": weeks,
            "date": (as_of + dt.timedelta(weeks=weeks)).isoformat(),
            "estimate": {"mean": p, "mcse": 0.001}, "prior": 0.1, "met_now": outcome in set(now),
        }
        for (outcome, kind, weeks), p in probabilities.items()
    ]  # fmt: skip


def issue(
    texts: dict[str, str], as_of: dt.date, rules: Any, *, issued: dt.date | None = None, model: str = MODEL
) -> Issued:
    """Make a forecast as it is archived, as far as the track record reads it."""
    content = {"model": {"outcomes": {name: {"resolution": text} for name, text in texts.items()}}}
    content |= {} if rules is None else {"rules": rules}
    return Issued(
        model=model, as_of=as_of, issued_at=noon(issued or as_of), evidence_hash="e", model_hash="m", fit="f",
        watermark=1, content=json.dumps(content),
    )  # fmt: skip


class World:
    """A project with the reference model, and forecasts that were never computed."""

    def __init__(self, folder: Path, *, watched: bool = True) -> None:
        """Lay it out; if ``watched``, somebody looks for everything, and says so each week."""
        self.root = fresh(folder)
        self.project: Project = forecast.open(self.root)
        self.model = self.project.model(MODEL)
        self.texts = {name: row.resolution for name, row in self.model.spec.outcomes.items()}
        if watched:
            self.look(*(later(7 * k) for k in range(-20, 70)))

    def look(self, *ends: dt.date, what: str = "*") -> None:
        """Record that somebody looked in the weeks that end on some days, and said so at once."""
        dataset = self.project.dataset(self.model, now=noon(TODAY)).name
        weeks = [
            Coverage(
                id=f"{what}-{end}",
                indicator=what,
                from_=end - dt.timedelta(days=6),
                to=end,
                reported_on=end,
                source="Desk",
            )
            for end in ends
        ]
        self.project.ledger.add(dataset, weeks, now=noon(TODAY))

    def issue(self, as_of: dt.date, probabilities: dict[tuple[str, str, int], float], **more: Any) -> Issued:
        """Archive a forecast."""
        now = more.pop("now", ())
        return self.project.ledger.archive(issue(self.texts, as_of, rows_of(as_of, probabilities, now), **more))

    def see(self, what: str, date: dt.date, reported_on: dt.date | None = None, **more: str) -> None:
        """Record a sighting or a state; with an id of its own, as a file does."""
        cells = {"date": str(date), "reported_on": str(reported_on or date), "source": "Wire", "grade": "A1"} | more
        cells |= {"indicator": "", "state": ""} | {"state" if "." in what else "indicator": what}
        path = self.root / "rows.csv"
        path.write_text("\n".join(",".join(part) for part in (cells, cells.values())) + "\n", encoding="utf-8")
        self.project.import_rows(self.model, path, now=noon(dt.date(2027, 6, 1)))

    def deal(self, date: dt.date, reported_on: dt.date | None = None) -> None:
        """Put a deal on record."""
        self.see("peace.fresh_deal", date, reported_on)

    def resolve(self, date: dt.date, **more: Any) -> Any:
        """Resolve on a day."""
        return self.project.resolve(as_of=date, now=noon(more.pop("now", date)), **more)

    def answers(self) -> dict[tuple[str, dt.date | None, dt.date], str]:
        """Give the answers in force."""
        return {row.question[1:]: row.answer for row in self.project.ledger.resolutions()}

    def written(self) -> list[tuple[Any, ...]]:
        """Give every row of the table."""
        with closing(sqlite3.connect(self.root / "data" / "ledger.db")) as raw:
            return raw.execute("SELECT * FROM resolutions ORDER BY seq").fetchall()


FOUR: dict[tuple[str, str, int], float] = {
    ("deal", "at", 4): 0.2, ("deal", "by", 4): 0.25, ("deal", "at", 13): 0.4, ("deal", "by", 13): 0.45
}  # fmt: skip


@contextlib.contextmanager
def clock(date: dt.date) -> Iterator[None]:
    """Let the command line believe that it is another day."""
    with contextlib.ExitStack() as stack:
        for module in ("judgements", "options", "track_record"):
            stack.enter_context(mock.patch(f"forecast.cli.{module}.utc_now", return_value=noon(date)))
        yield


def ask(world: World, *arguments: str, today: dt.date = TODAY) -> Done:
    """Call the command line on a day."""
    with clock(today):
        return call(*arguments, cwd=world.root)


def scored(  # noqa: PLR0913 - what is scored
    probability: float, result: str, *, date: dt.date = AS_OF, outcome: str = "deal", weeks: int = 4, as_of: dt.date,
    **more: Any,
) -> tuple[Stated, Resolution]:  # fmt: skip
    """Give a probability with its answer."""
    said = Stated(
        model="m", outcome=outcome, since=None, date=date, horizon_weeks=weeks, as_of=as_of, issue=1,
        issued_on=more.get("issued_on", as_of), rule="r", probability=probability, met_now=more.get("met_now", False),
        prior=more.get("prior"), before=more.get("before"),
    )  # fmt: skip
    return said, answer(outcome=outcome, date=date, answer=result, frozen=more.get("frozen", as_of))
