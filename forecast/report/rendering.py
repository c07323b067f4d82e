"""What templates share: filters, parts and the environment that renders them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jinja2

from forecast.base.errors import InputError
from forecast.base.prose import number, on_day, percent, spoken, spread
from forecast.base.sanitise import one_line
from forecast.report.sections.every import all_tables

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from jinja2 import Environment

__all__ = ["render_template", "views"]


def _number(value: float) -> str:
    return f"{value:.2g}" if value < 10 else f"{value:.0f}"  # noqa: PLR2004


def views(data: Mapping[str, Any]) -> dict[str, Any]:
    """Quantities by outcome and horizon, as the renderings want them."""
    quantities = data["forecast"]["quantities"]
    by: dict[tuple[str, str, str | None, int | None], Any] = {
        (row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): row["estimate"] for row in quantities
    }
    weeks = sorted({row["horizon_weeks"] for row in quantities if row["kind"] == "at"})
    dates = {row["horizon_weeks"]: row["date"] for row in quantities if row["kind"] == "at"}
    return {"by": by, "weeks": weeks, "dates": dates}


def render_template(environment: Environment, template: str, data: Mapping[str, Any], **more: object) -> str:
    """Fill a template with the report data, their tables and what is ``more``; what the data lack is none.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    environment.filters.update(
        percent=percent, spread=spread, day=on_day, number=_number, spoken=spoken, one_line=one_line
    )
    environment.filters["interval"] = _interval
    try:
        dates = data["path"]["dates"]
        months = [k for k, date in enumerate(dates) if date[:7] != "".join(dates[k + 1 : k + 2])[:7]]
        whole = dict.fromkeys(PARTS) | {**data, **views(data), "months": months, "tables": all_tables(data), **more}
        return environment.get_template(template).render(**whole)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, OSError) as error:
        line = f", line {error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        where = f"reports/templates/{template}{line}"
        msg = f"{where}: the template is faulty ({error}); mend it, or delete it, and the package's own is used"
        raise InputError(msg) from error


PARTS = (  # of a report of today that older ones may lack
    "alarm", "assumptions", "cascade", "changes", "covered", "drivers", "events", "headline", "health", "known", "lead",
    "lead_weeks", "reached", "rules", "sensitivity", "track", "watch", "what_if",
)  # fmt: skip


def _interval(pair: Sequence[float]) -> str:
    return f"{number(pair[0])} to {number(pair[1])}"
