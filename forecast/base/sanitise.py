"""Text from outside made harmless: control characters, direction marks, formulas, links."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


EXECUTED = "=+-@\t\r\n＝＋－＠"  # first characters that make some spreadsheet run a cell


def bare_text(cell: str) -> str:
    """Take off the apostrophe that `inert` put on; other text is left as it is."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] and cell[1] in EXECUTED + "'" else cell


def is_web(url: str) -> bool:
    """Whether a text is the address of a page: http or https, with a host, without blanks."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"\s", url)


def inert(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would execute, and before an apostrophe, so it can come off."""
    return f"'{text}" if text[:1] and text[0] in EXECUTED + "'" else text


def csv_text(lines: Iterable[Sequence[str]]) -> str:
    """Write lines of cells as CSV, each line ended by a line feed."""
    return "".join(",".join(map(_quoted, line)) + "\n" for line in lines)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if re.search(r'[",\r\n]', cell) else cell


# Words and numbers.


def one_line(text: object) -> str:
    """Text from the ledger or a model file in one line, without characters that control a terminal or are not seen."""
    return visible(re.sub(r"\s+", " ", str(text)).strip())


def visible(text: str) -> str:
    """Leave out of a text what controls a terminal, turns its direction or is not seen; line ends stay."""
    return "".join(char for char in text if char == "\n" or not _hidden(char))


def escaped_json(text: str) -> str:
    """Write such characters in JSON as escapes, which say the same."""
    return "".join(_escape(char) if char != "\n" and _hidden(char) else char for char in text)


JOINERS = frozenset("\u200c\u200d")  # scripts and signs need them


def _hidden(char: str) -> bool:
    """Whether it is a control, a surrogate, a line separator, a mark of direction, a tag or otherwise a format."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char not in JOINERS


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[k]:02x}{units[k + 1]:02x}" for k in range(0, len(units), 2))
