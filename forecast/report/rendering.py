"""What templates share: filters, parts and the environment that renders them."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import jinja2

from forecast import ledger
from forecast.base.errors import InputError
from forecast.base.prose import figure, number, on_day, spoken, spread, term
from forecast.base.sanitise import is_web, one_line
from forecast.report.sandbox import fill
from forecast.report.sections.all_sections import all_tables
from forecast.report.views import issued_words, seen, views

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from forecast.report.sandbox import Sandbox


def _percent(value: float | Mapping[str, float]) -> str:
    """Round an estimate, or a probability whose error is not known."""
    return figure(value) if isinstance(value, int | float) else figure(value["mean"], value.get("mcse", 0.0))


def _term(estimate: Mapping[str, float]) -> str:
    return term(estimate["mean"])


def web_address(url: object) -> str:
    """Give an address if it is one of the web, else nothing."""
    text = one_line(url)
    return text if is_web(text) else ""


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def render_template(environment: Sandbox, template: str, data: Mapping[str, Any], **more: object) -> str:
    """Fill a template with the report data, their tables and what is ``more``; what the data lack is none.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    environment.filters.update(
        percent=_percent, spread=spread, day=on_day, number=_number, spoken=spoken, one_line=one_line, term=_term
    )
    environment.filters |= {"interval": _interval, "seen": lambda row: seen(row, data["model"])}
    with faults_of(template):
        dates = data["path"]["dates"]
        when = issued_words(data["forecast"]["as_of"], data["issued_at"])
        months = [k for k, date in enumerate(dates) if date[:7] != "".join(dates[k + 1 : k + 2])[:7]]
        whole = dict.fromkeys(PARTS) | {
            **data,
            **views(data),
            "months": months,
            "issued": when,
            "credible_row": ledger.CREDIBLE_ROW,
            "tables": all_tables(data),
            **more,
        }
        return fill(environment, template, copy.deepcopy(whole))  # what a template changes is not archived


def line_points(series: Sequence[float | None], width: int, height: int) -> str:
    """Points of an SVG line from left to right, 0 % at the bottom and 100 % at the top; gaps are left out."""
    series = [*series, *series] if len(series) == 1 else series  # a point would not be drawn
    step = width / (len(series) - 1)
    return " ".join(f"{k * step:.1f},{height * (1 - value):.1f}" for k, value in enumerate(series) if value is not None)


@contextmanager
def faults_of(template: str) -> Generator[None]:
    """Turn whatever goes wrong in a template into one message.

    Raises
    ------
    InputError
        If anything does.

    """
    try:
        yield
    except Exception as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        where = f"reports/templates/{template}{line}"
        what = one_line(error) or type(error).__name__
        msg = f"{where}: the template is faulty ({what}); mend it, or delete it, and the package's own is used"
        raise InputError(msg) from error


PARTS = (  # of a report of today that older ones may lack
    "alarm", "assumptions", "cascade", "changes", "covered", "drivers", "events", "headline", "health", "known",
    "lead", "lead_weeks", "matrix", "reached", "rests_on", "rules", "rules_said", "sensitivity", "skill", "sources",
    "stages", "track", "watch", "what_if", "words",
)  # fmt: skip


def _interval(pair: Sequence[float]) -> str:
    return f"{number(pair[0])} to {number(pair[1])}"
