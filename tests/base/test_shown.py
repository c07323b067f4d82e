"""Results show themselves: one short line in a terminal, a short table in a notebook, and no text can break out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pandas as pd
import pytest

from forecast.base.shown import LONGEST_REPR, MOST_COLUMNS, MOST_ROWS, Shown, ShownTable, cell_shown, html_table


@dataclass(frozen=True)
class Reasons:
    """What stands for trust."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, repr=False)
class Answer(Shown):
    """An answer with many rows."""

    said: tuple[str, ...]
    rows: int
    columns: int = 2
    trust: Reasons = Reasons(())

    @property
    def sentences(self) -> tuple[str, ...]:
        """What it says."""
        return self.said

    def to_frame(self) -> pd.DataFrame:
        """Give numbered cells."""
        return pd.DataFrame([[f"{r}|{c}" for c in range(self.columns)] for r in range(self.rows)]).rename(columns=str)


def test_repr_is_the_first_sentence_and_short() -> None:
    """A `repr` says the first sentence, cut where it is long, on one line."""
    assert repr(Answer(("It rains.", "Take a coat."), 1)) == "<Answer: It rains.>"
    long = repr(Answer(("a\nb " * 100,), 1))
    assert len(long) == LONGEST_REPR
    assert long.startswith("<Answer: a b a b")
    assert long.endswith("…>")
    assert repr(Answer((), 1)) == "<Answer>"


@pytest.mark.parametrize("rows", [0, MOST_ROWS, MOST_ROWS + 1, 5000])
def test_a_notebook_shows_at_most_twenty_rows(rows: int) -> None:
    """All rows up to twenty; of more the first twenty, and how many are left out."""
    html = Answer(("Told.", "More."), rows)._repr_html_()
    assert html.count("<tr>") == 1 + min(rows, MOST_ROWS)
    assert ("more rows" in html) is (rows > MOST_ROWS)
    if rows > MOST_ROWS:
        assert f"… and {rows - MOST_ROWS:,} more rows" in html
        assert f">{MOST_ROWS - 1}|0<" in html
        assert f">{MOST_ROWS}|0<" not in html
    assert "<caption>Told.</caption>" in html
    assert "<p>More.</p>" in html


def test_a_notebook_shows_at_most_twelve_columns() -> None:
    """Of a wide table the first columns, and how many are left out."""
    html = Answer(("Told.",), 1, MOST_COLUMNS + 3)._repr_html_()
    assert html.count("scope='col'") == MOST_COLUMNS
    assert "… and 3 more columns" in html


def test_reasons_not_to_trust_are_shown() -> None:
    """Every reason not to trust the numbers stands below them."""
    html = Answer(("Told.",), 1, trust=Reasons(("k-hat 0.9", "few draws")))._repr_html_()
    assert html.count("Not to be trusted") == 2
    assert "few draws" in html


def test_nothing_breaks_out_of_the_html() -> None:
    """Markup in sentences, heads, cells and reasons is text."""
    evil = "<script>alert('&')</script>"
    html = html_table([evil, evil], ShownTable([evil], [[evil, evil]]), [evil])
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 6


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.123"),
        (1234.5, "1,234"),
        (float("inf"), "inf"),
        (7, "7"),
        (True, "yes"),
        (None, ""),
        (dt.date(2026, 1, 8), "2026-01-08"),
        (pd.Timestamp("2026-01-08"), "2026-01-08"),
        (("a", "b"), "a, b"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_cells_are_for_people(value: object, text: str) -> None:
    """Three digits, ISO dates, lists with commas, long texts cut."""
    assert cell_shown(value) == text


def test_what_is_missing_is_an_empty_cell() -> None:
    """NaN, NaT, NA and None are shown as nothing."""

    class Holes(Answer):
        def to_frame(self) -> pd.DataFrame:
            columns = {"a": [float("nan")], "b": [pd.NaT], "c": pd.array([None], dtype="Int64"), "d": [None]}
            return pd.DataFrame(columns)

    assert Holes(("Told.",), 1)._repr_html_().count("<td></td>") == 3
