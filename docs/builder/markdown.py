"""Markdown: text in which nothing is markup, tables, paragraphs, lists, a whole document."""

from __future__ import annotations

import html
import re
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def plain(text: object) -> str:
    """Text from a file in one line in which nothing is markup; spans such as `weak` stay code."""
    parts = re.split(r"(`[A-Za-z0-9_.>-]+`)", re.sub(r"\s+", " ", str(text)).strip())
    return "".join(part if k % 2 else _escaped(part) for k, part in enumerate(parts))


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]|~])", r"\\\1", html.escape(text, quote=False))


def code(text: str) -> str:
    """Give a name as code, or as plain text where it could break out of it."""
    return f"`{text}`" if re.fullmatch(r"[\w.,:/ >-]+", text) else plain(text)


def table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Lay out cells that are Markdown already, or numbers."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"


def page(title: str, source: str, *parts: str) -> str:
    """Put a document together."""
    head = f"# {title}\n\n<!-- Made by docs/build.py from {source}; do not edit. -->\n"
    return "\n".join([head, *parts]).rstrip() + "\n"


def para(*sentences: str) -> str:
    """Join sentences to a paragraph of lines that fit a screen."""
    return textwrap.fill(" ".join(sentences), 118, break_long_words=False, break_on_hyphens=False) + "\n"


def bullets(*items: str) -> str:
    """List items, each wrapped."""
    return "".join(textwrap.indent(para(item), "  ").replace("  ", "- ", 1) for item in items)
