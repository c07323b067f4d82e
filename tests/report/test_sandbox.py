"""Templates of a project: no way out, within limits, and whatever is wrong with one is a message."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import places
import pytest

from forecast.base.errors import InputError
from forecast.report import sandbox
from forecast.report.index import render_index
from forecast.report.markdown import render_markdown

NAME = "report.md.jinja"
HUGE = "is more than a report needs"


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Give the report data of an issue."""
    return json.loads(places.REPORT.read_text(encoding="utf-8"))


def rendered(folder: Path, text: str, data: dict[str, Any]) -> str:
    """Render a project's own template."""
    (folder / NAME).write_text(text, encoding="utf-8")
    return render_markdown(data, [folder, places.TEMPLATES])


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ model | attr('__class__') }}",
        "{{ lipsum.__globals__ }}",
        "{{ model.items.__self__.__class__.__base__ }}",
        "{{ '{0.__class__.__init__}'.format(model) }}",
    ],
)
def test_there_is_no_way_out(text: str, data: dict[str, Any], tmp_path: Path) -> None:
    """What leads to the interpreter is refused, or is nothing that could be called."""
    with pytest.raises(InputError, match=rf"reports/templates/{NAME}.*the template is faulty .*mend it, or delete it"):
        rendered(tmp_path, text, data)


@pytest.mark.parametrize(
    "text",
    [
        "{% if %}",
        "{{ 1 / 0 }}",
        "{{ nothing.at_all }}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{{ model.title + 1 }}",
        "{{ forecast['no such'].x }}",
        "{% include 'missing.jinja' %}",
        "{{ [3, 'a'] | sort }}",
        "{{ model.title.encode('no-such-codec') }}",
        "{{ namespace() < 3 }}",
    ],
)
def test_whatever_is_wrong_is_one_message(text: str, data: dict[str, Any], tmp_path: Path) -> None:
    """It names the template, what is wrong, and what to do."""
    with pytest.raises(InputError, match=rf"reports/templates/{NAME}.*the template is faulty \(.+\); mend it"):
        rendered(tmp_path, text, data)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'x' * 10000000000 }}",
        "{{ 10000000000 * 'x' }}",
        "{{ [0] * 10000000000 }}",
        "{{ 2 ** 10000000000 }}",
        "{{ 'x'.ljust(10000000000) }}",
        "{{ 'x' | center(10000000000) }}",
        "{{ '%10000000000d' | format(1) }}",
        "{{ '%10000000000d' % 1 }}",
        "{{ '{:10000000000}'.format(1) }}",
        "{{ range(10000000000) | list }}",
    ],
)
def test_nothing_out_of_proportion_is_made(text: str, data: dict[str, Any], tmp_path: Path) -> None:
    """A single step that would take all memory is refused at once."""
    began = time.monotonic()
    with pytest.raises(InputError, match=f"{HUGE}|Range too big"):
        rendered(tmp_path, text, data)
    assert time.monotonic() - began < 20


LOOP = "{% for a in range(99999) %}{% for b in range(99999) %}WHAT{% endfor %}{% endfor %}"


def test_a_template_has_so_much_time(data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that writes nothing ends all the same, with the time it had; and the next template is not disturbed."""
    monkeypatch.setattr(sandbox, "SECONDS", 0.5)
    began = time.monotonic()
    with pytest.raises(InputError, match=r"takes more than 0\.5 seconds"):
        rendered(tmp_path, LOOP.replace("WHAT", ""), data)
    assert time.monotonic() - began < 20
    monkeypatch.setattr(sandbox, "SECONDS", 60)
    assert rendered(tmp_path, "{{ model.name }}", data) == data["model"]["name"]


def test_a_template_may_write_so_much(data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endless output ends."""
    monkeypatch.setattr(sandbox, "CHARACTERS", 100_000)
    with pytest.raises(InputError, match="writes more than 100,000 characters"):
        rendered(tmp_path, LOOP.replace("WHAT", "line"), data)


def test_a_template_may_take_so_much_memory(
    data: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text that doubles and doubles ends before the machine's memory does."""
    with suppress(OSError):  # the most memory that a process had counts from now on, not what other tests took
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    monkeypatch.setattr(sandbox, "BYTES", 2**28)
    double = "{% set n = namespace(x='y' * 999999) %}" + LOOP.replace("WHAT", "{% set n.x = n.x ~ 'z' ~ n.x %}")
    with pytest.raises(InputError, match="takes more than 256 MB of memory"):
        rendered(tmp_path, double, data)


def test_a_template_cannot_change_what_is_issued(data: dict[str, Any], tmp_path: Path) -> None:
    """It works on a copy."""
    before = json.dumps(data)
    assert rendered(tmp_path, "{% set _ = forecast.clear() %}{{ forecast | length }}", data) == "0"
    assert json.dumps(data) == before


def test_the_index_is_in_the_sandbox_too(tmp_path: Path) -> None:
    """A fault of its template is the same message."""
    (tmp_path / "index.html.jinja").write_text("{{ models.__class__.__base__ }}", encoding="utf-8")
    with pytest.raises(InputError, match=r"index\.html\.jinja: the template is faulty"):
        render_index([], [tmp_path])
