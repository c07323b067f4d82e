"""What is offered in place of an unknown name is near to it, and never merely as long or of the same family."""

from __future__ import annotations

import pytest

from forecast.base.errors import nearest

STATES = (
    "epidemic.spreading", "hospitals.calm", "hospitals.overrun", "hospitals.strained", "schools.closed", "schools.open",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("hospitals.full", "allowed: hospitals.calm, hospitals.overrun, hospitals.strained"),
        ("hospitals.overun", "did you mean 'hospitals.overrun'?"),
        ("hospital.overrun", "did you mean 'hospitals.overrun'?"),
        ("schools.opened", "did you mean 'schools.open'?"),
        ("overrun", "did you mean 'hospitals.overrun'?"),
        ("hospital.full", f"allowed: {', '.join(STATES)}"),
        ("wards", f"allowed: {', '.join(STATES)}"),
    ],
)
def test_states_of_the_stage_that_was_named_are_offered(name: str, told: str) -> None:
    """A known stage narrows the states to its own, and a state without its stage is found."""
    assert nearest(name, STATES) == told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("schools_opened", "allowed: schools_closed, wards_overrun"),
        ("school_closed", "did you mean 'schools_closed'?"),
        ("closed", "did you mean 'schools_closed'?"),
        ("wards_overrun_at_last", "did you mean 'wards_overrun'?"),
    ],
)
def test_names_that_share_a_part_are_not_near_for_it(name: str, told: str) -> None:
    """What they differ in must be alike, or one of the two has nothing more."""
    assert nearest(name, ("schools_closed", "wards_overrun")) == told
