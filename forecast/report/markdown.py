"""A report as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from forecast.base.sanitise import one_line
from forecast.report.rendering import render_template
from forecast.report.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


TEMPLATE = "report.md.jinja"


# Markdown.


def _inert(text: object) -> str:
    """Text from outside as Markdown that means itself, in one line."""
    escaped = re.sub(r"([\\`*{}\[\]#|~$])", r"\\\1", one_line(text))
    escaped = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", escaped)  # inside a word it is inert already
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _link(row: Mapping[str, Any]) -> str:
    label, url = _inert(row["source"]), one_line(row["url"])
    if not url.lower().startswith(("http://", "https://")):
        return label
    target = url.translate({ord(char): f"%{ord(char):02X}" for char in "<>()[]|\"'\\` "} | {ord("&"): "&amp;"})
    return f"[{label}]({target})"


def render_markdown(
    data: Mapping[str, Any], templates: Sequence[Path], pictures: Mapping[str, Mapping[str, str]] | None = None
) -> str:
    """Render ``report.md`` with the template ``report.md.jinja`` of the first of the folders ``templates`` that has it.

    ``pictures`` give the ``file``, the ``takeaway`` and the ``alt`` text of each picture that stands beside it.

    Raises
    ------
    InputError
        If the template cannot be read or is faulty.

    """
    environment = Sandbox(templates, autoescape=False)  # every text from outside goes through `inert`
    environment.filters.update(inert=_inert, link=_link)
    return render_template(environment, TEMPLATE, data, pictures=pictures or {})
