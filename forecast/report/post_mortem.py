"""The page of a resolved question: what was said, what moved it, which stories were right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from forecast.base.prose import figure, multiple, on_day, signed
from forecast.base.sanitise import one_line
from forecast.report.rendering import faults_of, line_points, web_address
from forecast.report.sandbox import Sandbox, fill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


TEMPLATE = "post_mortem.html.jinja"
WIDTH, HEIGHT = 600, 100  # of the line, in units of the picture


def post_mortem_name(data: Mapping[str, Any]) -> str:
    """Name the file of a question: ``2026-07-09-confrontation.html``, or with the day after which it was asked."""
    since = f"-after-{data['since']}" if data["since"] else ""
    return f"{data['date']}-{data['outcome']}{since}.html"


def render_post_mortem(data: Mapping[str, Any], templates: Sequence[Path]) -> str:
    """Render the page of a question with the template of the first of the folders ``templates`` that has it.

    ``data`` is `PostMortem.to_dict`'s.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    with faults_of(TEMPLATE):
        environment = Sandbox(templates, autoescape=True)
        environment.filters.update(
            percent=figure, day=on_day, one_line=one_line, times=multiple, points=_points, address=web_address
        )
        points = line_points([row["probability"] for row in data["told"]], WIDTH, HEIGHT)
        return fill(environment, TEMPLATE, {**data, "points": points, "width": WIDTH, "height": HEIGHT})


def _points(moved: float) -> str:
    return signed(moved, 0.0)
