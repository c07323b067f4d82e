"""A new feed file: commented, from the template of its kind."""

from __future__ import annotations

import json
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from forecast.base.errors import InputError, nearest
from forecast.feeds.feed_file import KINDS
from forecast.theory.values import LONGEST_NAME, NAME_PATTERN

if TYPE_CHECKING:
    import datetime as dt

TEMPLATES = Path(__file__).with_name("templates")


def blank_feed(kind: str, name: str, where: str, first: dt.date) -> str:
    """Text of a feed file of a ``kind``, with files from ``where`` (a folder or an address), from ``first`` on.

    `InputError` if there is no such kind or the name is none.
    """
    if kind not in KINDS:
        msg = f"there is no kind of feed {kind!r}; {nearest(kind, KINDS)}"
        raise InputError(msg)
    if not re.fullmatch(NAME_PATTERN, name) or len(name) > LONGEST_NAME:
        msg = f"{name!r} is not a name; use lower-case letters, digits and _"
        raise InputError(msg)
    key = "url" if re.match(r"https?://", where) else "folder"
    location = f"{key} = {json.dumps(where, ensure_ascii=False)}"
    text = (TEMPLATES / f"{kind}.toml").read_text(encoding="utf-8")
    return Template(text).substitute(location=location, first=first.isoformat())
