"""How results show themselves: `repr` in one sentence, a notebook as a short table; built on sentences and frames."""

from __future__ import annotations

import math
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd


MOST_ROWS = 20
MOST_COLUMNS = 12
LONGEST_CELL = 80  # characters
LONGEST_REPR = 200


class ShownTable(NamedTuple):
    """A table as text: ``heads`` of all columns, the ``rows`` that are shown, and how many of each are left out."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    more_rows: int = 0
    more_columns: int = 0


class Shown:
    """A result that shows itself; give a dataclass ``repr=False`` for the `repr` of this one.

    By default it says the first of its ``sentences``, and a notebook shows them all with the table of ``to_frame()``.
    What has no sentences or no frame, or a better table, says what stands in their place: `_said`, `_shown_table`.
    """

    def _said(self) -> Sequence[str]:
        """Sentences that stand with the table; the first is the `repr`."""
        result: Any = self
        return result.sentences

    def _shown_table(self) -> ShownTable:
        """Table that a notebook shows."""
        result: Any = self
        return table_of(result.to_frame())

    def __repr__(self) -> str:
        """Say the most important thing in at most `LONGEST_REPR` characters."""
        name = type(self).__name__
        words = " ".join(self._said()[0].split()) if self._said() else ""
        return f"<{name}: {shortened(words, LONGEST_REPR - len(name) - 4)}>" if words else f"<{name}>"

    def _repr_html_(self) -> str:
        """Show sentences and table in notebooks, with every reason not to trust the numbers."""
        trust: Any = getattr(self, "trust", None)
        return html_table(self._said(), self._shown_table(), trust.reasons if trust else ())


def table_of(frame: pd.DataFrame) -> ShownTable:
    """Give the first rows and columns of a frame as text."""
    part = frame.iloc[:MOST_ROWS, :MOST_COLUMNS].astype(object)
    whole = part.where(part.notna(), None)
    rows = [[cell_shown(value) for value in row] for row in whole.itertuples(index=False, name=None)]
    more = [max(0, size - most) for size, most in zip(frame.shape, (MOST_ROWS, MOST_COLUMNS), strict=True)]
    return ShownTable([str(name).replace("_", " ") for name in part.columns], rows, *more)


def cell_shown(value: Any) -> str:  # noqa: ANN401 - whatever a frame holds
    """Text of a cell for people: three digits, ISO dates, nothing for what is missing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if math.isfinite(value) and abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004
    if isinstance(value, date):
        return value.isoformat()[:10]
    if isinstance(value, list | tuple | set | frozenset):
        parts: Any = value
        return shortened(", ".join(map(str, parts)), LONGEST_CELL)
    return shortened(str(value), LONGEST_CELL)


def shortened(text: str, longest: int) -> str:
    """Cut a text that is too long, with a sign that it goes on."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def html_table(said: Iterable[str], cells: ShownTable, reasons: Iterable[str] = ()) -> str:
    """HTML of sentences above a table, all escaped; ``reasons`` say why its numbers cannot be trusted."""
    first, *rest = [*said, ""]
    lines = [f"<caption>{escape(first)}</caption>"] if first else []
    lines.append("<tr>" + "".join(f"<th scope='col'>{escape(head)}</th>" for head in cells.heads) + "</tr>")
    for name, *others in cells.rows[:MOST_ROWS]:
        values = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        lines.append(f"<tr><th scope='row'>{escape(name)}</th>{values}</tr>")
    more_rows = cells.more_rows + max(0, len(cells.rows) - MOST_ROWS)
    left_out = [f"{more_rows:,} more rows"] * (more_rows > 0)
    left_out += [f"{cells.more_columns:,} more columns"] * (cells.more_columns > 0)
    words = [*(f"<p>{escape(text)}</p>" for text in rest if text)]
    words += [f"<p>… and {' and '.join(left_out)}: see <code>to_frame()</code></p>"] * bool(left_out)
    words += [f"<p><strong>Not to be trusted:</strong> {escape(reason)}</p>" for reason in reasons]
    return f"<table>{''.join(lines)}</table>{''.join(words)}"
