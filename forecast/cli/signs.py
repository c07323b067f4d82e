"""Signs for a terminal that cannot show them: the nearest that it can, so that a minus stays a minus."""

from __future__ import annotations

import codecs
import unicodedata

NEAREST = {
    "−": "-", "–": "-", "—": "-", "±": "+/-", "×": "x", "→": "->", "≤": "<=", "≥": ">=", "½": "1/2", "…": "...",
    "†": "#", "‘": "'", "’": "'", "“": '"', "”": '"', "ə": "e", "Ə": "E", "ı": "i",
}  # fmt: skip
NAME = "forecast.nearest"


def nearest(error: UnicodeError) -> tuple[str, int]:
    """Give what stands for characters that an encoding does not have; a question mark where nothing is like them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_nearest, error.object[error.start : error.end])), error.end


def _nearest(char: str) -> str:
    if unicodedata.combining(char):
        return ""
    return NEAREST.get(char) or unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode() or "?"


codecs.register_error(NAME, nearest)
