"""A fault of TOML's syntax has its line, and the hint fits what is mostly meant."""

from __future__ import annotations

import pytest

from forecast.base.toml_text import NotTomlError, read_toml


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ('[model\nname = "x"\n', 1, "brackets that are closed, as [model]"),
        ('[model]\nname = "x\nb = 1\n', 2, "is not closed on its line"),
        ("[model]\nname = 'x\nb = 1\n", 2, "the quotation mark that opens a text is not closed"),
        ('a = "b"\nx = """abc\n\n', 2, "the quotation mark that opens a text is not closed"),
        ("start = { a = 1 b = 2 }\n", 1, "a comma is missing before it, or the bracket of line 1"),
        ('x = [\n  "]",\n  { a = 1 }\n  { a = 2 },\n]\n', 4, "a comma is missing before it, or the bracket of line 1"),
        ("x = [1, 2\ny = 3\n", 2, "or the bracket of line 1 is not closed"),
        ("a = 1\nx = [1,\n\n", 2, "the bracket that is opened here is not closed"),
        ("[a]\nb = 1\n[c]\n[ a ] # twice\n", 4, "that table is begun on line 1 before; write its keys there"),
        ("[a]\nb.c = 1\n[a.b]\n", 3, "that table is begun before"),
        ("b = 1\nb = 2\n", 2, "keep one of the two"),
        ("b = calm\n", 1, "words stand in quotation marks, days are written YYYY-MM-DD"),
        ("b = True\n", 1, "write true, in small letters"),
        ("b = “calm”\n", 1, "quotation marks are straight ones"),
        ("b = # later\n", 1, "the value behind = is missing"),
        ("b = 2026-13-45\n", 1, "days of the calendar"),
        ("b = 1.2.2026\n", 1, "days are written YYYY-MM-DD"),
        ("b = 1,5\n", 1, "a fraction is written with a dot"),
        ("b = 2 weeks\n", 1, "words stand in quotation marks"),
        ('b = "the "big" one"\n', 1, r"a quotation mark within it is written \""),
        ("chip supply = 1\n", 1, "a key is one word"),
        ("a = { b = 1 }\na.c = 2\n", 2, "write the key inside"),
        ("a = { b = 1, }\n", 1, "without a comma at its end"),
        ('a = "c:\\data"\n', 1, "a backslash within quotation marks"),
        ('a = "b\x01"\n', 1, "take that character out"),
        ("= 3\n", 1, "a line begins with a key"),
    ],
)
def test_the_hint_fits_the_fault(text: str, line: int, told: str) -> None:
    """Each fault has the line on which it is, and what is said of words and days is said of these alone."""
    with pytest.raises(NotTomlError, match="is not valid TOML") as caught:
        read_toml(text)
    assert (caught.value.line, told in str(caught.value)) == (line, True), str(caught.value)
    if "words" not in told and "days" not in told:
        assert "days are written" not in str(caught.value)
