"""What a fault of TOML's syntax mostly is, and where: a parser says what it expected, which is not what was meant."""

from __future__ import annotations

import re
from typing import NamedTuple

AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
TEXTS = re.compile(
    r'"""(?:\\.?|[^\\])*?(?:"""|\Z)|\'\'\'.*?(?:\'\'\'|\Z)|"(?:\\.?|[^"\\\n])*(?:"|$)|\'[^\'\n]*(?:\'|$)|#[^\n]*',
    re.DOTALL | re.MULTILINE,
)
DAY = re.compile(r"=\s*\d+[-./]\d+[-./]")
WORDS = "words stand in quotation marks, days are written YYYY-MM-DD"
QUOTES = ("“", "”", "„", "‘", "’", "«", "`")
HINTS = (  # what the parser says, and what is mostly meant
    ("Expected '='", "a key is one word or in quotation marks, and = stands between it and its value"),
    ("Expected ']", "the name of a table stands in brackets that are closed, as [model]"),
    ("Cannot overwrite", "that name is given a value before; keep one of the two"),
    ("Cannot mutate", "what is written in { } or [ ] is whole; write the key inside"),
    ("Invalid initial", "a table in { } stands on one line, without a comma at its end"),
    ("Invalid statement", "a line begins with a key, the [name] of a table or #"),
    ("Unescaped", r"a backslash within quotation marks is written \\"),
    ("Illegal character '\\n'", "the quotation mark that opens a text is not closed on its line"),
    ("Illegal character", "take that character out"),
)


class Hint(NamedTuple):
    """What is said of a fault: its line from 1, its column if it is known, what the parser said, what is meant."""

    line: int
    column: int | None
    said: str
    meant: str


def hint(text: str, message: str) -> Hint:
    """Read the message of `tomllib` on a ``text`` that is no TOML."""
    found = AT.search(message)
    said = message[: found.start()] if found else message
    lines = text.split("\n")
    if found and found[1]:
        line, column = int(found[1]), int(found[2])
        before, rest = "\n".join([*lines[: line - 1], lines[line - 1][: column - 1]]), lines[line - 1][column - 1 :]
        return Hint(line, column, said, _meant(said, before, rest.strip(), lines[:line]))
    if said.startswith(("Unterminated", 'Expected "', "Expected '\"")):
        line = _unclosed_text(text)
        return Hint(line or len(lines), None, said, "the quotation mark that opens a text is not closed")
    opened = _opened(text)
    meant = "the bracket that is opened here is not closed" if opened else _meant(said, text, "", lines)
    return Hint(opened or len(text.rstrip().split("\n")), None, said, meant)


def _meant(said: str, before: str, rest: str, lines: list[str]) -> str:
    """Say what is meant where a parser stopped: between ``before`` and the ``rest`` of the last of the ``lines``."""
    if said.startswith("Unclosed"):
        return f"a comma is missing before it, or the bracket of line {_opened(before)} is not closed"
    if said.startswith("Cannot declare"):
        return _declared(lines)
    if said.startswith("Invalid value"):
        return _value(rest)
    if said.startswith("Expected newline"):
        return _rest(before.rpartition("\n")[2], rest)
    return next((meant for start, meant in HINTS if said.startswith(start)), "")


def _unclosed_text(text: str) -> int | None:
    """Line of the first text whose quotation mark is not closed."""
    for found in TEXTS.finditer(text):
        mark = next((mark for mark in ('"""', "'''", '"', "'") if found[0].startswith(mark)), None)
        if mark and (len(found[0]) < 2 * len(mark) or not found[0].endswith(mark)):
            return text.count("\n", 0, found.start()) + 1
    return None


def _opened(before: str) -> int | None:
    """Line of the innermost bracket that is open at the end of a text."""
    bare = TEXTS.sub(lambda found: "\n" * found[0].count("\n"), before)
    stack: list[int] = []
    for found in re.finditer(r"[\[\]{}]", bare):
        if found[0] in "[{":
            stack.append(bare.count("\n", 0, found.start()) + 1)
        elif stack:
            stack.pop()
    return stack[-1] if stack else None


def _declared(lines: list[str]) -> str:
    *earlier, name = [re.sub(r"[\[\]\s]|#.*", "", line) if line.lstrip().startswith("[") else "" for line in lines]
    where = f"on line {earlier.index(name) + 1} " if name in earlier else ""
    return f"that table is begun {where}before; write its keys there, or give another name"


def _value(rest: str) -> str:
    if not rest or rest.startswith("#"):
        return "the value behind = is missing"
    if rest.startswith(QUOTES):
        return "quotation marks are straight ones"
    word = re.split(r"[\s,\]}#]", rest)[0]
    return f"write {word.lower()}, in small letters" if word in {"True", "False", "TRUE", "FALSE"} else WORDS


def _rest(before: str, rest: str) -> str:
    if DAY.search(before + rest):
        return "days are written YYYY-MM-DD, and are days of the calendar"
    if re.search(r"=\s*-?\d+$", before) and re.match(r",\d", rest):
        return "a fraction is written with a dot, as 1.5"
    if '"' in before:
        return r"the text ends before that; a quotation mark within it is written \", and a key has a line of its own"
    return "each key has a line of its own, and words stand in quotation marks"
