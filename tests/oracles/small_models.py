"""Small models in sight: for what is asked of a forecast, small enough to fit, and with only what a file must say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from forecast.theory.modelfile import parse_spec

if TYPE_CHECKING:
    from forecast.theory.spec import ModelSpec


BASIS = 'basis = [{ kind = "judgement", note = "made up" }]'


# One small model in sight, for what is asked of a forecast.


PLAIN = (
    f"""
format = 1
[model]
name = "plain"
title = "Plain"
description = "Three stages, the last without indicators; an indicator of every grade."
dataset = "plain"
start = 2024-01-01
reporting_lag_days = 0
horizons_weeks = [2, 8]
[sources.s]
title = "None"
[stages.up]
label = "Up"
states = ["low", "high"]
start = {{ low = 2, high = 1 }}
{BASIS}
[[stages.up.transitions]]
from = "low"
to = "high"
per_year = [0.7, 3]
{BASIS}
[[stages.up.transitions]]
from = "high"
to = "low"
per_year = [1, 5]
{BASIS}
[stages.down]
label = "Down"
states = ["calm", "tense", "lost"]
start = {{ calm = 3, tense = 1 }}
{BASIS}
[[stages.down.transitions]]
from = "calm"
to = "tense"
per_year = [0.5, 2]
{BASIS}
[[stages.down.transitions]]
from = "tense"
to = "calm"
per_year = [1, 6]
{BASIS}
[[stages.down.transitions]]
from = "tense"
to = "lost"
per_year = [0.1, 0.5]
{BASIS}
[[stages.down.transitions]]
from = "lost"
to = "calm"
per_year = [2, 9]
{BASIS}
[stages.down.effects.pressed]
from = "calm"
to = "tense"
when = {{ up = ["high"] }}
times = [1.5, 8]
{BASIS}
[stages.after]
label = "After"
states = ["no", "yes"]
start = {{ no = 1 }}
{BASIS}
[[stages.after.transitions]]
from = "no"
to = "yes"
per_year = [0.5, 2]
{BASIS}
[stages.after.effects.drawn]
from = "no"
to = "yes"
when = {{ down = ["tense"] }}
times = [2, 9]
{BASIS}
"""
    + "".join(
        f'[indicators.{name}]\nlabel = "Sign {name}"\nstage = "{stage}"\npoints_to = ["{state}"]\ngrade = "{grade}"\n'
        f'class = "{kind}"\nsigns = [{{ what = "a sign" }}]\n{BASIS}\n'
        for name, stage, state, grade, kind in (
            ("a", "up", "high", "strong", "slow"),
            ("b", "up", "low", "moderate", "fast"),
            ("c", "down", "tense", "decisive", "slow"),
            ("d", "down", "calm", "moderate", "fast"),
            ("e", "down", "tense", "weak", "fast"),
            ("f", "down", "lost", "strong", "slow"),
        )
    )
    + f"""
[outcomes.very_tense]
label = "Tense"
states = {{ down = ["tense"] }}
resolution = "By rule."
sources = ["us"]
resolves = [{{ stories = 1, of = ["c"], within_weeks = 4 }}]
frozen = 2024-01-01
{BASIS}
[priors.classes.slow]
per_year = [0.3, 1.5]
spread = [0.2, 0.5]
{BASIS}
[priors.classes.fast]
per_year = [2, 8]
spread = [0.2, 0.5]
{BASIS}
[priors.classes.idle]
per_year = [2, 8]
spread = [0.2, 0.5]
{BASIS}
[priors.grades]
weak = 2
moderate = 4
strong = 10
decisive = 30
concentration = 4
{BASIS}
[priors.departure]
scale = 0.2
{BASIS}
"""
)


# A model that is small enough to fit, and a project of such.


TINY = f"""
format = 1

[model]
name = "tiny"
title = "Tiny"
description = "Two stages that have nothing to do with each other."
dataset = "tiny"
start = 2025-01-01
step_days = 7
reporting_lag_days = 0
horizons_weeks = [1, 2, 4]

[sources.s]
title = "None"

[stages.near]
label = "near"
states = ["calm", "tense"]
start = {{ calm = 3, tense = 1 }}
transitions = [
  {{ from = "calm", to = "tense", per_year = [2, 8], {BASIS} }},
  {{ from = "tense", to = "calm", per_year = [3, 9], {BASIS} }},
]
{BASIS}

[stages.far]
label = "far"
states = ["low", "high"]
start = {{ low = 1, high = 1 }}
transitions = [
  {{ from = "low", to = "high", per_year = [1, 6], {BASIS} }},
  {{ from = "high", to = "low", per_year = [1, 6], {BASIS} }},
]
{BASIS}

[indicators]
shot = {{ label = "A shot", stage = "near", points_to = ["tense"], grade = "strong", class = "news",
  signs = [{{ what = "a sign" }}], {BASIS} }}
march = {{ label = "A march", stage = "near", points_to = ["tense"], grade = "moderate", class = "news",
  signs = [{{ what = "a sign" }}], {BASIS} }}
pact = {{ label = "A pact", stage = "near", points_to = ["calm"], grade = "strong", class = "news", repeats = false,
  signs = [{{ what = "a sign" }}], {BASIS} }}
flood = {{ label = "A flood", stage = "far", points_to = ["high"], grade = "strong", class = "news",
  signs = [{{ what = "a sign" }}], {BASIS} }}

[outcomes.tension]
label = "tension"
states = {{ near = ["tense"] }}
resolution = "By rule."
sources = ["somebody"]
resolves = [{{ stories = 1, of = ["shot"], within_weeks = 4 }}]
frozen = 2025-01-01
{BASIS}

[priors.classes.news]
per_year = [3, 12]
spread = [0.2, 0.5]
{BASIS}

[priors.grades]
weak = 2
moderate = 4
strong = 10
decisive = 30
concentration = 4
{BASIS}

[priors.departure]
scale = 0.2
{BASIS}
""".replace(",\n  ", ", ")


# Only what has no default.


LEAST = """
[model]
start = 2025-01-06

[stages.policy]
states = ["open", "lockdown"]
observable = ["lockdown"]
transitions = [{ from = "open", to = "lockdown", per_year = [0.5, 2] }]

[stages.hospital_wards]
states = ["calm", "strained", "full"]
transitions = [
  { from = "calm", to = "strained", per_year = [0.5, 4] },
  { from = "strained", to = "full", per_year = [0.5, 4] },
]

[indicators.patients_sent_on]
stage = "hospital_wards"
points_to = ["full"]

[indicators.operations_put_off]
stage = "hospital_wards"
points_to = ["strained", "full"]

[outcomes.wards_full]
states = { hospital_wards = ["full"] }
frozen = 2025-01-06

[outcomes.locked]
states = { policy = ["lockdown"], hospital_wards = ["strained", "full"] }
frozen = 2025-01-06
"""


def tiny_spec(**changes: tuple[str, str]) -> ModelSpec:
    """Read the tiny model, with some text of its file replaced; the names of the changes do not matter."""
    text = TINY
    for old, new in changes.values():
        assert old in text
        text = text.replace(old, new)
    return parse_spec(text, where="tiny")
