"""Pictures of ``docs/validation.md``: places of true values, and probabilities against what came true."""

from __future__ import annotations

from typing import TYPE_CHECKING

import altair as alt
import numpy as np

from forecast.studies.verdicts import band

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from forecast.studies.verdicts import Calibration


def ecdf_chart(studies: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> alt.HConcatChart:
    """Draw, for each study, the empirical distribution of every quantity's places less the diagonal, and the band."""
    parts = []
    for name, places in studies.items():
        size = max(values.size for values in places.values())
        points, low, high = band(size)
        lines = [
            {"quantity": quantity, "place": float(x), "difference": float(np.mean(values <= x) - x)}
            for quantity, values in places.items()
            for x in points
        ]
        area = [
            {"place": float(x), "low": float(a), "high": float(b)} for x, a, b in zip(points, low, high, strict=True)
        ]
        x = alt.X("place:Q", title="place of the true value", scale=alt.Scale(domain=[0, 1]))
        shade = alt.Chart(alt.Data(values=area)).mark_area(opacity=0.25).encode(x=x, y="low:Q", y2="high:Q")
        line = (
            alt.Chart(alt.Data(values=lines))
            .mark_line(strokeWidth=0.8, opacity=0.6, color="#0072b2")
            .encode(x=x, y=alt.Y("difference:Q", title="ECDF − diagonal"), detail="quantity:N")
        )
        parts.append((shade + line).properties(width=200, height=160, title=f"{name} ({size} worlds)"))
    return alt.concat(*parts, columns=2)


def reliability_chart(found: Calibration) -> alt.ConcatChart:
    """Draw, for each kind of forecast, what came true against what was said, with its band."""
    parts = []
    for name, curve in found.curves.items():
        rows = [
            {"said": float(a), "came true": float(b), "low": float(c), "high": float(d)}
            for a, b, c, d in zip(curve.said, curve.came_true, curve.low, curve.high, strict=True)
        ]
        base = alt.Chart(alt.Data(values=rows)).encode(x=alt.X("said:Q", scale=alt.Scale(domain=[0, 1])))
        ends = alt.Data(values=[{"said": 0, "y": 0}, {"said": 1, "y": 1}])
        parts.append(
            (
                base.mark_area(opacity=0.25).encode(y=alt.Y("low:Q", title="came true"), y2="high:Q")
                + base.mark_line(color="#0072b2").encode(y="came true:Q")
                + alt.Chart(ends).mark_line(strokeDash=[4, 4], color="#55606b").encode(x="said:Q", y="y:Q")
            ).properties(width=140, height=140, title=name)
        )
    return alt.concat(*parts, columns=4)
