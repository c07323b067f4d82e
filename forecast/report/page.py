"""The report as one page that needs nothing else, and as the files that are put into the report's folder."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from forecast.base.prose import chance, points_apart
from forecast.base.sanitise import one_line
from forecast.report.chart_marks import SHADES, Chart, anchor, colours
from forecast.report.drawing_library import Library
from forecast.report.headline import in_words
from forecast.report.markdown import render_markdown
from forecast.report.older import UNREADABLE, readable
from forecast.report.rendering import render_template, web_address
from forecast.report.sandbox import Sandbox
from forecast.report.sections.all_sections import all_charts, all_tables
from forecast.report.views import short_title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


TEMPLATE = "report.html.jinja"
LONG = 400  # characters of a text that are shown at once
# Draws every picture from its specification; a tooltip is text, never markup.
SCRIPT = """
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);
  const tell = (handler, event, item, value) => {
    if (!value) { tip.hidden = true; return; }
    tip.replaceChildren(...Object.entries(value).filter(pair => pair[1]).map(([name, text]) => {
      const line = document.createElement("div"), key = document.createElement("span");
      key.textContent = name.replaceAll("_", " ") + ": ";
      line.append(key, String(text));
      return line;
    }));
    tip.hidden = false;
    const left = Math.min(event.clientX + 12, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const below = event.clientY + 16;
    const top = below + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
    tip.style.left = Math.max(4, left) + "px";
    tip.style.top = Math.max(4, top) + "px";
  };
  addEventListener("scroll", () => { tip.hidden = true; }, {passive: true});
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = [...document.querySelectorAll("details:not([open]):not(#assumptions details)")];
    unfolded.forEach(one => { one.open = true; });
  });
  addEventListener("afterprint", () => { unfolded.forEach(one => { one.open = false; }); });
  const seen = new ResizeObserver(found => found.forEach(({target: box}) => {
    const said = box.previousElementSibling;
    if (said && said.matches(".caption")) said.classList.toggle("wide", box.scrollWidth > box.clientWidth + 1);
  }));
  document.querySelectorAll(".scroll").forEach(one => seen.observe(one));
  const open = () => {
    const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const folded = wanted && wanted.closest("details");
    if (folded) { folded.open = true; wanted.scrollIntoView(); }
  };
  addEventListener("hashchange", open);
  open();
  for (const holder of document.querySelectorAll("[data-picture]")) {
    const figure = holder.closest("figure");
    const spec = JSON.parse(document.getElementById(holder.dataset.picture).textContent);
    vegaEmbed(holder, spec, {
      mode: "vega", renderer: "svg", ast: true, actions: false, defaultStyle: false, hover: true, tooltip: tell,
    }).then(() => figure.classList.add("drawn"));
  }
})();
"""


def legible(data: Mapping[str, Any]) -> tuple[dict[str, Chart], Mapping[str, Any]]:
    """Give the charts of report data and what of the data this version can show (see `readable`); drawn once if all."""
    try:
        found = all_charts(data)
        all_tables(data)
    except UNREADABLE:
        data = readable(data)
        found = all_charts(data)
    return found, data


def render_files(data: Mapping[str, Any], templates: Sequence[Path], words: str | None = None) -> dict[str, bytes]:
    """Give the files of a report by name: the page, the Markdown with its pictures beside it, and last the data.

    Terms for probabilities, ``words``, follow the numbers of the headline (icd203), but not in the data.

    Each template is that of the first of the folders ``templates`` that has it. A picture's name says its content, so
    that two issues can stand in one folder.

    Raises
    ------
    InputError
        If a template cannot be read or is faulty.

    """
    found, shown = legible(data)
    library, said = Library(), in_words(shown, words)
    drawn = {name: chart.svg() for name, chart in found.items()}
    alone = {name: _alone(svg).encode() for name, svg in drawn.items()}
    files = {name: f"{name}-{hashlib.sha256(svg).hexdigest()[:8]}.svg" for name, svg in alone.items()}
    pictures = {
        name: {"file": files[name], "takeaway": chart.takeaway, "alt": chart.alt} for name, chart in found.items()
    }
    return {
        "report.html": _html(said, templates, library, found, drawn).encode(),
        "report.md": render_markdown(said, templates, pictures).encode(),
        **{files[name]: svg for name, svg in alone.items()},
        "forecast.json": (json.dumps(data, ensure_ascii=False, indent=1) + "\n").encode(),
    }


def _alone(svg: str) -> str:
    """Give a picture that stands by itself a white ground, and let its links lead to the page."""
    head, end, rest = svg.replace('href="#row-', 'href="report.html#row-').partition(">")
    return f'{head}{end}<rect width="100%" height="100%" fill="#ffffff"/>{rest}\n'


def _html(
    data: Mapping[str, Any], templates: Sequence[Path], library: Library, found: Mapping[str, Chart],
    drawn: Mapping[str, str],
) -> str:  # fmt: skip
    environment = Sandbox(templates, autoescape=True)
    environment.filters.update(turn=_turn, bounds=_bounds, anchor=anchor, address=web_address, shown=_shown, rest=_rest)
    scripts = [library.text(), SCRIPT]
    pictures = {
        name: {
            "takeaway": chart.takeaway,
            "alt": chart.alt,
            "svg": Markup(_labelled(drawn[name], chart.alt)),  # noqa: S704 - vl-convert escapes the texts of a picture
            "spec": Markup(_embedded(chart.vega())),  # noqa: S704 - no sign in it has a meaning in HTML
        }
        for name, chart in found.items()
    }
    return render_template(
        environment,
        TEMPLATE,
        data,
        pictures=pictures,
        scripts=[Markup(script) for script in scripts] if pictures else [],  # noqa: S704 - not from the data
        policy=_policy(scripts),
        tones=colours(data["model"]),
        titles={name: short_title(name, row) for name, row in data["model"]["outcomes"].items()},
        shades=Markup(_shades()),  # noqa: S704 - not from the data
    )


def _policy(scripts: list[str]) -> str:
    """Allow the page its own scripts and nothing from elsewhere, so that no text of the ledger can ever run."""
    sums = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{one}'" for one in sums)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def _embedded(spec: Mapping[str, Any]) -> str:
    """Write JSON that can stand in a script element: no sign of it can end the element or be read as HTML."""
    text = json.dumps(spec, separators=(",", ":"))  # signs beyond ASCII are escaped
    return text.translate({ord(char): f"\\u{ord(char):04x}" for char in "<>&"})


def _labelled(svg: str, alt: str) -> str:
    return svg.replace("<svg ", f'<svg role="img" aria-label="{html.escape(alt)}" ', 1)


def _shades() -> str:
    """Give the rules that turn the colours of the pictures into those for a dark ground."""
    return "\n".join(
        f'figure [{kind}="{light}"]{{{kind}:{dark}}}' for light, dark in SHADES.items() for kind in ("fill", "stroke")
    )


def _turn(row: Mapping[str, Any]) -> str:
    """Say what a probability did: ``up 3 points``."""
    before, after = ((row[part], row.get(f"{part}_mcse", 0.0)) for part in ("before", "after"))
    size = points_apart(before, after, row["mcse"])
    return f"{'up' if row['difference'] > 0 else 'down'} {size}" if size else "unchanged"


def _bounds(estimate: Mapping[str, float]) -> str:
    """Give an interval in percent: ``35–84%``."""
    return f"{chance(estimate['low']).rstrip('%')}–{chance(estimate['high'])}"


def _shown(text: object) -> str:
    """Give the beginning of a text in one line."""
    line = one_line(text)
    return line if len(line) <= LONG else f"{line[:LONG]}…"


def _rest(text: object) -> str:
    """Give what `_shown` left out."""
    return one_line(text)[LONG:]
