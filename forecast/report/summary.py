"""What is said of a whole report: headline, what changed, what skill was shown, track record, health of the numbers."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from forecast.base import prose
from forecast.quantities.estimate import LEARNED_LITTLE
from forecast.record.issue_changes import changes_since
from forecast.record.scores import LAST_ISSUE, PERSISTENCE
from forecast.report.headline import headline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from forecast.record.scores import Against, Part, Score


NAIVE = (PERSISTENCE, prose.PRIOR_ONLY, LAST_ISSUE)  # whom a forecast must beat to show skill


def sum_up(
    report: Mapping[str, Any], last: Mapping[str, Any] | None, record: Score, judged: Sequence[str] = ()
) -> dict[str, Any]:
    """Say of a whole report, after others with the track ``record``: headline, what changed, skill, track, health.

    ``last`` is the report before it, of an earlier date or the same. What analysts ``judged`` together is told with the
    record.
    An alarm that rings is the first that the headline says.
    """
    changes = changes_since(last, report) if last else None
    skill = _skill(report, record)
    return {
        "changes": changes,
        "headline": headline(report, changes, skill["sentences"]),
        "skill": skill,
        "track": _track(report, record, judged),
        "health": {"sentences": _health(report)},
    }


def _skill(report: Mapping[str, Any], record: Score) -> dict[str, Any]:
    """Say whether skill was shown, and what the forecast rests on: without a history, as long as it was not."""
    rests = report.get("rests_on") or {}
    counted = list(rests["sentences"][:1]) if rests.get("history") else []
    live = next((part for part in record.parts if part.live), None)
    naive = [row for row in live.total.against if row.name in NAIVE] if live else []
    if live and naive and all(row.verdict == "better" for row in naive):
        questions = prose.count(live.total.questions, "resolved question")
        better = f"On {questions} it foretold better than {prose.listed([row.name for row in naive])}."
        return {"shown": True, "sentences": [better, *counted]}
    links = report["sensitivity"]["links"]
    resting = sum(link["narrowing"] >= LEARNED_LITTLE for link in links)
    rest = "rests" if resting == 1 else "rest"
    sentence = (
        f"No skill shown yet: {_resolved(record, live, naive)}; no back-test is kept with the forecasts (forecast "
        f"backtest makes one)"
    )
    if not counted:
        sentence += f"; {resting} of {prose.count(len(links), 'link')} of the theory {rest} on the prior"
    return {"shown": False, "sentences": [f"{sentence}.", *counted]}


def _resolved(record: Score, live: Part | None, naive: Sequence[Against]) -> str:
    """Say why the track record shows no skill."""
    if live is not None:
        questions = prose.count(live.total.questions, "resolved question")
        if live.few:
            quarters = prose.count(live.total.clusters, "quarter")
            return f"{questions} from issues of {quarters} {'is' if live.total.questions == 1 else 'are'} too few"
        return f"on {questions} it was not better than {prose.listed([r.name for r in naive if r.verdict != 'better'])}"
    if record.parts:
        return "what is resolved was issued with hindsight"
    if record.settled:
        return "what is resolved was so already when it was issued"
    if record.issues:
        return f"none of the {record.issues + 1} forecasts issued is resolved"
    return "this is the first forecast issued"


def _track(report: Mapping[str, Any], record: Score, judged: Sequence[str]) -> dict[str, Any]:
    """Say how good earlier forecasts were; this one is counted among those that were issued."""
    issues = record.issues + 1
    issued = f"{prose.count(issues, 'forecast')} of this model {'has' if issues == 1 else 'have'} been issued"
    sentences = [f"{issued}; {record.state}.", *(line for part in record.parts for line in part.sentences)]
    if not record.scored:
        first = min(row["date"] for row in report["forecast"]["quantities"] if row["kind"] == "at")
        sentences.append(f"The first date that this one speaks of is {prose.day(dt.date.fromisoformat(first))}.")
    sentences += judged
    found = record.to_dict()
    return {name: found[name] for name in ("resolved", "void", "settled", "open", "parts", "overrules")} | {
        "issues": issues,
        "sentences": sentences,
    }


def _health(report: Mapping[str, Any]) -> list[str]:
    """Say how far the numbers can be trusted, in words for those who are no statisticians."""
    trust, fit = report["forecast"]["trust"], report["fit"]
    checks = fit["diagnostics"]
    drawn = prose.day(dt.date.fromisoformat(fit["as_of"]))
    error = prose.number(max(100 * trust["worst_mcse"], 0.01))
    alarm = report["alarm"]
    if not trust["trusted"]:
        verdict = f"Not trusted: {'; '.join(trust['reasons'])}."
    elif alarm and alarm["rings"]:
        verdict = "The alarm rings: sound draws are no reason to rely on a model that is being contradicted."
    else:
        verdict = "The numbers passed their checks."
    lines = [
        verdict,
        f"They rest on {trust['draws']:,} simulated versions of the theory, worth {trust['ess']:,.0f} of equal weight.",
        f"The largest error from that is {error} percentage points.",
    ]
    if trust["k_hat"] is None:
        lines.append("They were drawn for this very evidence.")
    else:
        lines.append(
            f"They were drawn for the evidence of {drawn} and weighted to that of this forecast; the weights are safe "
            f"while k-hat is at most 0.7, and it is {trust['k_hat']:.2f}."
        )
    lines.append(
        f"The chains agree (R-hat {checks['max_r_hat']:.3f}, at most 1.01) and "
        f"{prose.count(checks['divergences'], 'transition')} failed."
    )
    return lines
