"""Reports: what the numbers look like, and that no text from outside can become anything but text."""

from __future__ import annotations

import copy
import dataclasses
import functools
import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import places
import pytest
from markdown_it import MarkdownIt
from projects import archived, call, fresh, issued_once

from forecast.base.errors import InputError
from forecast.base.prose import chance, spread
from forecast.base.sanitise import escaped_json, one_line, visible
from forecast.ledger.admiralty import CREDIBLE, credibility
from forecast.ledger.rows import Observation
from forecast.report.data import _row, same_report
from forecast.report.markdown import render_markdown
from forecast.report.text import render_text
from forecast.report.views import given_words
from forecast.theory.outcomes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from markdown_it.token import Token

    from forecast.ledger.rows import Entry
    from forecast.theory.spec import ModelSpec

TEMPLATES = [places.TEMPLATES]
PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
HOSTILE = (
    "<script>alert(1)</script>",
    "a | b || c",
    "`code` ``more`` ~~gone~~ **bold** _it_ __b__",
    "one\ntwo\r\n\r\n# three\n- four",
    "[click](javascript:alert(1)) ![x](https://example.org/x.png) <https://example.org>",
    "\u202edesrever\u202c \u2066x\u2069 and שלום",
    "&lt;b&gt; &amp; \\ \\| \\\\| $x$ {{ model.name }} {% raw %}",
    "<!-- <img src=x onerror=alert(1)> </td></table>",
    "\x1b[31mred\x07",
    "long " * 2000,
)


@pytest.fixture
def data() -> dict[str, Any]:
    """Give the report data of the one forecast; it may be changed."""
    return copy.deepcopy(_data())


@functools.cache
def _data() -> dict[str, Any]:
    (issued,) = archived(issued_once()[0])
    return json.loads(issued.content)


@functools.cache
def _plain() -> list[Token]:
    """Give the report of the data as they are, read once."""
    return PARSER.parse(render_markdown(copy.deepcopy(_data()), TEMPLATES))


def _flat(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _flat(token.children or [])


def _tables(tokens: list[Token]) -> list[list[list[str]]]:
    """Give the text of each cell of each row of each table."""
    tables: list[list[list[str]]] = []
    for k, token in enumerate(tokens):
        if token.type == "table_open":
            tables.append([])
        elif token.type == "tr_open":
            tables[-1].append([])
        elif token.type in {"th_open", "td_open"}:
            parts = tokens[k + 1].children or []
            tables[-1][-1].append("".join(part.content for part in parts if part.type in {"text", "code_inline"}))
    return tables


# Words and numbers.


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0%"), (1.0, "100%"), (1e-9, "<1%"), (0.0049, "<1%"), (0.005, "<1%"), (0.0051, "1%"), (0.174, "17%"),
     (0.9949, "99%"), (0.995, ">99%"), (0.9951, ">99%"), (1 - 1e-9, ">99%")],
)  # fmt: skip
def test_percent_is_never_certain_without_cause(value: float, shown: str) -> None:
    """Only what is certain is shown as 0 or 100 percent."""
    assert chance(value) == shown


def test_a_spread_is_short() -> None:
    """Mean and interval are shown together, and once where they agree."""
    assert spread({"mean": 0.18, "low": 0.05, "high": 0.41}) == "18% (5–41)"
    assert spread({"mean": 0.002, "low": 0.001, "high": 0.02}) == "<1% (<1–2)"
    assert spread({"mean": 0.0, "low": 0.0, "high": 0.0}) == "0%"


# Markdown.


def test_the_report_is_correct_markdown(data: dict[str, Any]) -> None:
    """Every table has as many cells in each row as in its head, no HTML is in it, and links lead to the sources."""
    tokens = PARSER.parse(render_markdown(data, TEMPLATES))
    tables = _tables(tokens)
    assert len(tables) >= 12
    for table in tables:
        assert len(table) > 1
        assert {len(row) for row in table} == {len(table[0])}
        assert all(table[0])
    assert not {token.type for token in _flat(tokens)} & {"html_block", "html_inline"}
    links = {token.attrs["href"] for token in _flat(tokens) if token.type == "link_open"}
    assert links == {row["url"] for row in data["evidence"]["rows"] if row["url"]}
    headings = [tokens[k + 1].content for k, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings == [
        "Russia and Azerbaijan after a peace deal in Ukraine", "Headline", "How one stage leads to the next",
        "How we got here", "By when", "What moved it", "What to watch next",
        "Which hypothesis the evidence speaks for", "What if", "What it rests on",
        "If somebody had looked for everything", "Can the numbers be trusted?", "Behind the cascade: hidden states",
        "Track record", "Evidence", "How the outcomes are decided", "Assumptions",
    ]  # fmt: skip


def test_the_report_says_which_rows_decide(data: dict[str, Any]) -> None:
    """Beside the rules stands how credible a row must be to count, as the code has it."""
    assert credibility("C3") >= CREDIBLE > credibility("D3")
    told = f"told by a row of credibility {CREDIBLE:g} or more, such as C3 but not D3."
    assert told in render_markdown(data, TEMPLATES)
    assert "credibility is 0.5 or more: C3 does, D3 does not" in str(Outcome.model_fields["resolves"].description)


def test_the_numbers_of_the_report_are_those_of_the_forecast(data: dict[str, Any]) -> None:
    """The tables of outcomes and conditions show every published probability, in its place."""
    found = _tables(PARSER.parse(render_markdown(data, TEMPLATES)))
    outcomes = next(table for table in found if table[0][:2] == ["outcome", "now"])
    conditions = next(table for table in found if table[0][:2] == ["outcome", "condition"])
    by = {
        (row["outcome"], row["kind"], row["given"], row["horizon_weeks"]): spread(row["estimate"])
        for row in data["forecast"]["quantities"]
    }
    weeks = [4, 13, 26, 52]
    names = list(data["model"]["outcomes"])
    for k, name in enumerate(names):
        at, reached = outcomes[1 + 2 * k], outcomes[2 + 2 * k]
        assert at[1:] == [by[name, "already", None, None], *(by[name, "at", None, week] for week in weeks)]
        assert reached[1:] == ["", *(by[name, "reached", None, week] for week in weeks)]
    for cells, row in zip(conditions[1:], data["conditionals"], strict=True):
        name, given = row["outcome"], row["given"]
        shown = [by.get((name, "given", given, week), by.get((name, "after", given, week), "")) for week in weeks]
        assert cells[2:-1] == shown
        assert any(shown)


def test_a_condition_that_is_too_rare_is_said_to_be_so(data: dict[str, Any]) -> None:
    """Where a number was not published its cell says why, in every form, and no cell does so otherwise."""
    forms = render_markdown(data, TEMPLATES), render_text(data, 200)
    assert "too rare" not in "".join(forms)
    quantities = data["forecast"]["quantities"]
    gone = [
        row for row in quantities
        if (row["kind"] == "given" and row["horizon_weeks"] == 4 and row["given"] == "strategic_victory")
        or (row["kind"] == "after" and row["outcome"] == "cooperation")
    ]  # fmt: skip
    data["forecast"]["quantities"] = [row for row in quantities if row not in gone]
    conditions = next(
        table for table in _tables(PARSER.parse(render_markdown(data, TEMPLATES))) if "condition" in table[0]
    )
    rare = [row[2:-1] for row in conditions[1:] if "too rare" in row]
    assert [row.count("too rare") for row in rare] == [1, 1, 4]
    text = render_text(data, 200)
    assert text.count("given strategic victory  too rare ") == 2
    assert "26 weeks after strategic victory began: too rare" in text
    assert given_words("1 week after strategic_victory") == "1 week after strategic victory began"
    assert "too rare: the condition is less likely than 1%" in text


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_text_is_inert(data: dict[str, Any], text: str) -> None:
    """Whatever stands in a row or a model file is shown as that text: no table breaks, no HTML, no link."""
    plain = _plain()
    data["model"]["title"] = text
    data["notes"].append(f"Note that {text}")
    for outcome in data["model"]["outcomes"].values():
        outcome["label"] = outcome["resolution"] = text
    for row in data["evidence"]["rows"]:
        row.update(what=text, source=text, id=text, url="", left_out=text)
    data["learned"][0]["name"] = text
    tokens = PARSER.parse(render_markdown(data, TEMPLATES))
    found = {token.type for token in _flat(tokens)}
    assert not found & {"html_block", "html_inline", "link_open", "image", "s_open"}
    assert len([t for t in tokens if t.type == "heading_open"]) == len([t for t in plain if t.type == "heading_open"])
    before, after = _tables(plain), _tables(tokens)
    assert [[len(row) for row in table] for table in after] == [[len(row) for row in table] for table in before]
    shown = re.sub(r"\s+", " ", text).strip()
    shown = "".join(char for char in shown if char.isprintable())
    rows = after[-1][1:]
    assert {row[2] for row in rows} == {row[4] for row in rows} == {shown}
    assert {row[0] for row in after[0][1:-1:2]} == {f"{shown}, at"}


@pytest.mark.parametrize(
    ("url", "safe"),
    [
        ("https://example.org/a_b?c=1&d=(2)#e", True),
        ("https://example.org/<script>|`x`\"'\\ [y](z)", True),
        ("HTTPS://example.org/\u202ex", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        (" javascript:alert(1)//http://", False),
        ("java\nscript:alert(1)", False),
        ("", False),
    ],
)
def test_only_web_addresses_are_links(data: dict[str, Any], url: str, safe: bool) -> None:  # noqa: FBT001
    """A source is a link if its address is one of the web, and the address cannot end the link early."""
    for row in data["evidence"]["rows"]:
        row.update(url=url, source="The source")
    tokens = PARSER.parse(render_markdown(data, TEMPLATES))
    links = [str(token.attrs["href"]) for token in _flat(tokens) if token.type == "link_open"]
    assert len(links) == (len(data["evidence"]["rows"]) if safe else 0)
    assert all(re.match("https?://example.org/", link, re.IGNORECASE) for link in links)
    assert not {token.type for token in _flat(tokens)} & {"html_block", "html_inline"}
    assert {row[2] for row in _tables(tokens)[-1][1:]} == {"The source"}


def test_the_html_of_a_hostile_report_has_no_script(data: dict[str, Any]) -> None:
    """Rendered to HTML, the report has only the elements that Markdown makes."""
    for row in data["evidence"]["rows"]:
        row["what"] = " ".join(HOSTILE[:9])
    html = PARSER.render(render_markdown(data, TEMPLATES))
    assert set(re.findall(r"</?([a-z0-9]+)", html)) <= {
        "h1", "h2", "h3", "p", "ul", "li", "strong", "em", "code", "blockquote", "a", "table", "thead", "tbody", "tr",
        "th", "td",
    }  # fmt: skip
    assert "<script>alert(1)</script>" in unescape(html)
    assert "<script" not in html


def test_coverage_is_in_the_report(data: dict[str, Any]) -> None:
    """Spans in which somebody looked are listed, and without any the report says what silence means."""
    assert "so silence says nothing" in render_markdown(data, TEMPLATES)
    span = {"id": "c1", "from": "2025-12-01", "to": "2025-12-31", "reported_on": "2025-12-31",
            "what": "every indicator", "name": "*",
            "source": "me | <b>", "url": "", "note": "", "left_out": None}  # fmt: skip
    data["evidence"]["coverage"] = [span]
    text = render_markdown(data, TEMPLATES)
    assert _tables(PARSER.parse(text))[-1][1] == ["1 Dec 2025", "31 Dec 2025", "every indicator", "me | <b>", "c1"]
    assert "so silence says nothing" not in text


def test_a_report_without_rows_is_correct(data: dict[str, Any]) -> None:
    """Without rows and conditions the report is whole and says so."""
    data["evidence"].update(rows=[], newest=None)
    data["conditionals"] = []
    text = render_markdown(data, TEMPLATES)
    tokens = PARSER.parse(text)
    assert "No rows." in text
    assert "| condition |" not in text
    assert "id" not in {table[0][-1] for table in _tables(tokens)}
    assert "If" not in render_text(data, 80).splitlines()


def test_an_empty_ledger_gives_a_forecast_with_a_note(reference_prior: Any, reference: Any, tmp_path: Path) -> None:
    """With no row at all a forecast can be made, and its note says that it is the prior, with no deal on record."""
    import datetime as dt  # noqa: PLC0415 - only here

    from forecast.engine.blocks import Blocks  # noqa: PLC0415
    from forecast.evidence.compilation import compile_evidence  # noqa: PLC0415
    from forecast.inference.anchor import Anchor  # noqa: PLC0415
    from forecast.inference.reweighting import reweigh  # noqa: PLC0415
    from forecast.inference.settings import Diagnostics, FitRecord, Learned, Settings  # noqa: PLC0415
    from forecast.quantities.past import week_path  # noqa: PLC0415
    from forecast.report.data import report_data  # noqa: PLC0415
    from forecast.theory.statespace import chain_of  # noqa: PLC0415

    as_of = dt.date(2026, 1, 8)
    evidence = compile_evidence(reference, (), as_of)
    names = [*reference.transitions, *reference.effects]
    fit = FitRecord(
        id="x", model=reference.spec.name, model_hash=reference.spec.hash, evidence_hash=evidence.hash, as_of=as_of,
        watermark=0, settings=Settings(), diagnostics=Diagnostics(0, 1.0, "a", 9999.0, "a", 1.0, 9999.0, 1.0),
        learned=tuple(Learned(name, "effect", (1.0, 2.0), (1.0, 2.0), 1.0) for name in names), versions={},
        created_at="2026-01-09T00:00:00+00:00",
    )  # fmt: skip
    found = reweigh(Anchor(reference, "x", lambda: reference_prior), evidence)
    made = found.forecast()
    blocks = Blocks(chain_of(reference), reference_prior)
    past = week_path(reference, evidence, blocks, found.weights.values)
    now = dt.datetime(2026, 1, 9, tzinfo=dt.UTC)
    report = report_data(reference.spec, evidence, (), fit, made, past, watermark=0, issued_at=now)
    note, doubt = report["notes"]
    assert "Monte Carlo error" in doubt, "50 draws are too few to be trusted"
    assert "every number is the prior" in note
    assert "nothing on record in peace talks" in note
    assert "No rows." in render_markdown(report, TEMPLATES)
    assert made.probability("deal").mean == 0.0
    root = fresh(tmp_path)
    for path in root.glob("data/*/*.csv"):
        path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert call("log", cwd=root).code == 0


def test_a_missing_template_is_named(data: dict[str, Any], tmp_path: Path) -> None:
    """A folder without the template is one clear error."""
    with pytest.raises(InputError, match=r"report\.md\.jinja: the template is faulty"):
        render_markdown(data, [tmp_path])


# Text.


def test_a_hostile_text_cannot_drive_the_terminal(data: dict[str, Any]) -> None:
    """The text rendering holds no control character but the line's end, and no line is wider than asked."""
    data["model"]["title"] = " ".join(HOSTILE)
    for outcome in data["model"]["outcomes"].values():
        outcome["label"] = " ".join(HOSTILE[:9])
    data["notes"] = [" ".join(HOSTILE)]
    text = render_text(data, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert all(char.isprintable() for char in text.replace("\n", ""))


def test_one_line_keeps_the_words() -> None:
    """Line breaks become blanks, controls go, letters of every script stay."""
    assert one_line("a\nb\tc\x1b[2J \u202eд שלום ə") == "a b c[2J д שלום ə"


HIDDEN = (
    "\x1b\x07\x9b\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff"
    "\U000e0041\U000e007f"
)


@pytest.mark.parametrize("char", HIDDEN, ids=lambda char: f"{ord(char):04X}")
def test_no_control_direction_or_tag_reaches_the_terminal(char: str) -> None:
    """It is taken out of text, and written as an escape in JSON, which reads back the same."""
    assert one_line(f"a{char}b") == "ab"
    assert visible(f"a{char}b\nc") == "ab\nc"
    text = escaped_json(json.dumps([f"a{char}b"], ensure_ascii=False, indent=1))
    assert all(sign.isprintable() for sign in text.replace("\n", ""))
    assert json.loads(text) == [f"a{char}b"]


def test_a_message_and_a_table_are_shown_without_them(tmp_path: Path) -> None:
    """Of a file's name that turns the line round, an error shows the letters alone; so does a list."""
    root = fresh(tmp_path)
    done = call("import", "\u202egpj.\U000e0041csv", cwd=root)
    assert done.code == 2
    assert all(char.isprintable() for char in done.err.replace("\n", ""))
    assert "gpj.csv" in done.err
    row = ("observe", "cyberattack", "--date", "2026-01-06", "--source", "W\u202eire", "--grade", "B2")
    for command in ((*row, "--id", "a\u202eb"), ("log",), ("log", "--json")):
        done = call(*command, cwd=root)
        assert all(char.isprintable() for char in re.sub(r"[\n\t]", "", done.out + done.err)), command


def test_reports_are_the_same_whenever_they_were_issued(data: dict[str, Any]) -> None:
    """Two reports are the same if they differ in the moment of issue and the ledger's last row alone."""
    other = copy.deepcopy(data)
    other["issued_at"] = "2030-01-01T00:00:00+00:00"
    other["evidence"]["watermark"] += 1
    assert same_report(data, other)
    other["evidence"]["rows"][0]["source"] = "somebody else"
    assert not same_report(data, other)


def test_a_row_names_its_coder_where_somebody_did(reference_spec: ModelSpec, article_rows: list[Entry]) -> None:
    """A row of which nothing is said is as it was, so that evidence issued before issues nothing new."""
    row = next(row for row in article_rows if isinstance(row, Observation))
    plain = _row(reference_spec, row, None)
    assert not {"coded_by", "language"} & plain.keys()
    named = dataclasses.replace(row, coded_by="GDELT", language="az")
    assert _row(reference_spec, named, None) == {**plain, "coded_by": "GDELT", "language": "az"}
