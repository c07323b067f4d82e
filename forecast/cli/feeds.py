"""Commands about feeds: add, list, pull, verify, suggest."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from forecast import feeds
from forecast.base import prose
from forecast.base.errors import InputError
from forecast.base.sanitise import one_line
from forecast.cli.options import HERE, JsonOption, ModelOption, ProjectOption, open_model, today, utc_now, warn
from forecast.cli.printing import print_json, print_lines, shown
from forecast.cli.tables import print_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from forecast.feeds.health import Health
    from forecast.feeds.pull import Pulled
    from forecast.feeds.suggestions import Suggestion
    from forecast.project.feeds import Feeds
    from forecast.project.project import Project


app = typer.Typer(help="Feeds of machine-coded events: add, list, pull, verify, suggest.", no_args_is_help=True)
SHOWN_WEEKS = 8
SHOWN_SUGGESTIONS = 20
SHOWN_REFUSED = 3  # in the last line; what is printed before has them with their reasons
NameArgument = Annotated[str | None, typer.Argument(help="The feed (default: all).")]


class KindOfFeed(StrEnum):
    """Kinds of sources."""

    gdelt = "gdelt"
    ucdp = "ucdp"
    acled = "acled"
    polecat = "polecat"
    plain = "plain"


def _open(project: Path, model: str | None) -> tuple[Project, Feeds]:
    found, of = open_model(project, model)
    return found, found.feeds(of, now=utc_now())


@app.command()
def add(
    kind: Annotated[KindOfFeed, typer.Argument(help="Kind of the source.")],
    name: Annotated[str, typer.Argument(help="What the feed is called: lower-case letters, digits and _.")],
    where: Annotated[
        str, typer.Option("--from", metavar="FOLDER|URL", help="Folder of its files, or an https address to get them.")
    ],
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a commented feed file, in which channels and indicators are then chosen.

    Example: `forecast feed add plain border_press --from ~/border_press`
    """
    path = _open(project, model)[1].add(kind.value, name, where)
    if as_json:
        print_json({"path": shown(path)})
    else:
        print(shown(path))
        print(f"Choose in it what its events mean to the model; then `forecast feed pull {name} --dry-run`.")


@app.command("list")
def list_feeds(project: ProjectOption = HERE, model: ModelOption = None, as_json: JsonOption = False) -> None:
    """List the feeds: what they are, how far they were delivered, and how old that is.

    Example: `forecast feed list`
    """
    listed = _open(project, model)[1].listed()
    sound = {name: one for name, one in listed.items() if not isinstance(one, InputError)}
    ages = {age.feed: age for age in feeds.feed_ages(sound.values(), today())}
    faults = [str(one) for one in listed.values() if isinstance(one, InputError)]
    if as_json:
        rows: list[dict[str, Any]] = [
            {"kind": one.file.feed.kind, "license": one.file.feed.license, "channels": list(one.file.channels),
             "sightings": list(one.file.sightings), **ages[name].to_dict()}
            for name, one in sound.items()
        ]  # fmt: skip
        print_json({"feeds": rows, "faults": faults})
        return
    if not listed:
        print("There is no feed yet; `forecast feed add` writes the file of one.")
    elif sound:
        lines = [
            [name, one.file.feed.kind, one.file.feed.url or one.file.feed.folder or "", f"{len(one.file.channels):,}",
             str(ages[name].last or "never"), _age(ages[name].age_days), "dead or late" if ages[name].dead else "lives"]
            for name, one in sound.items()
        ]  # fmt: skip
        print_table(["feed", "kind", "files from", "channels", "delivered to", "age in days", "state"], lines)
    warn(faults)


def _age(days: int | None) -> str:
    return "" if days is None else f"{days:,}"


@app.command()
def pull(
    name: NameArgument = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count what is there; download and record nothing.")
    ] = False,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in new files of feeds, and record deliveries, weekly counts and coverage.

    Good files are taken in beside bad ones; the exit code is 2 if a file was refused.

    Example: `forecast feed pull --dry-run`
    """
    of = _open(project, model)[1]
    results = of.pull(name, dry_run=dry_run)
    warn([] if name else of.faults())
    _print_each(results, _print_pulled, as_json=as_json)
    if refused := [f"{one.feed}: {row.file}" for one in results for row in one.intake.refused]:
        more = f" and {len(refused) - SHOWN_REFUSED:,} more" if len(refused) > SHOWN_REFUSED else ""
        msg = (
            f"{prose.count(len(refused), 'file')} refused ({', '.join(refused[:SHOWN_REFUSED])}{more}), the others are "
            f"{'good' if dry_run else 'taken in'}; get them again, or take them out of the folder"
        )
        raise InputError(msg)


def _print_each[Told: (Pulled, Health)](
    results: Sequence[Told], show: Callable[[Told], None], *, as_json: bool
) -> None:  # fmt: skip
    """Print what was found of each feed, with a blank line between, or all of it as JSON."""
    if as_json:
        print_json([one.to_dict() for one in results])
        return
    for k, one in enumerate(results):
        if k:
            print()
        show(one)


def _print_pulled(one: Pulled) -> None:
    print_lines(one.sentences)
    mondays = sorted({row.monday for row in one.latest})[-SHOWN_WEEKS:]
    rows = [
        [row.channel, str(row.monday), f"{row.count:,}", f"{row.exposure:,.0f}", str(row.reported_on)]
        for row in one.latest
        if row.monday in mondays
    ]
    if rows:
        print()
        print_table(["channel", "week from", "events", "of", "known on"], rows)


@app.command()
def verify(
    name: NameArgument = None, project: ProjectOption = HERE, model: ModelOption = None, as_json: JsonOption = False
) -> None:
    """Say what feeds lack: days without deliveries, age, days that are too thin, weeks that were revised.

    Example: `forecast feed verify`
    """
    of = _open(project, model)[1]
    results = of.verify(name)
    warn([] if name else of.faults())
    _print_each(results, lambda one: print_lines(one.sentences), as_json=as_json)


@app.command()
def suggest(
    name: NameArgument = None,
    accept: Annotated[str, typer.Option("--accept", metavar="EVENT", help="Make a row of this suggestion.")] = "",
    reject: Annotated[str, typer.Option("--reject", metavar="EVENT", help="Never suggest this one again.")] = "",
    indicator: Annotated[
        str | None, typer.Option("--indicator", help="For which indicator, if the event is suggested for several.")
    ] = None,
    grade: Annotated[str, typer.Option("--grade", help="To accept: Admiralty grade, A1 to F6.")] = "",
    story: Annotated[
        str, typer.Option("--story", help="To accept: the real event, of rows that tell of it already or a new name.")
    ] = "",
    note: Annotated[str, typer.Option("--note", help="To accept: anything to remember.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="To reject: why it is no sighting.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many to list.")] = SHOWN_SUGGESTIONS,
    project: ProjectOption = HERE,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """List events that may be sightings, newest first; accept one (into a story) or reject it.

    Example: `forecast feed suggest --limit 5`
    """
    found, of = _open(project, model)
    if not accept and not reject:
        warn([] if name else of.faults())
        _list_suggestions(of.suggestions(name), limit, as_json=as_json)
        return
    if (accept and reject) or name is None:
        msg = "decide one event of one feed at a time: forecast feed suggest FEED --accept EVENT, or --reject EVENT"
        raise InputError(msg)
    with found.locked():
        if accept:
            added = of.accept(name, accept, indicator, feeds.Verdict(grade, story, note))
            result: dict[str, Any] = added._asdict()
            told = f"recorded: {', '.join(map(one_line, added.new + added.superseded + added.unchanged))}"
            warn(added.notices)
        else:
            one = of.reject(name, reject, indicator, reason)
            result = {"rejected": one.event, "indicator": one.indicator}
            told = f"rejected: {one_line(one.event)} is no sighting of {one.indicator}"
    if as_json:
        print_json(result)
    else:
        print(told)


def _list_suggestions(found: tuple[Suggestion, ...], limit: int, *, as_json: bool) -> None:
    if as_json:
        print_json([one.to_dict() for one in found])
        return
    if not found:
        print("No suggestion waits for a decision.")
        return
    rows = [
        [one.event, one.feed, str(one.day), one.indicator, f"{one.size:,}", one.what, one.link,
         prose.listed(one.stories[:3]) if one.stories else ""]
        for one in found[:limit]
    ]  # fmt: skip
    print_table(["event", "feed", "day", "indicator", "size", "what", "link", "stories near it"], rows)
    if len(found) > limit:
        print(f"… {len(found) - limit:,} more (--limit, --json)")
