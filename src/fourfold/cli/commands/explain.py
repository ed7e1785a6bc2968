"""``ff explain``: why two results differ, from what is recorded, without running anything."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from fourfold.base.errors import UsageError
from fourfold.base.fs.atomic import write_atomic
from fourfold.cli import runs
from fourfold.cli.evidence import RUN
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.explaining.codechanges import Codes
from fourfold.evidence.explaining.examine import Examiner
from fourfold.evidence.explaining.explain import explain
from fourfold.evidence.explaining.explanation import Explanation, commit_told, names, sides
from fourfold.evidence.explaining.folders import Folders
from fourfold.evidence.explaining.lastgood import Noise, Runs, Wanted
from fourfold.evidence.lineage import Makers
from fourfold.evidence.naming import resolve
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native.record import RunId
from fourfold.runs.store import Records

if TYPE_CHECKING:
    from fourfold.evidence.explaining.explanation import Cause
    from fourfold.runs.place import Place

#: So many causes are told at length; so many names stand on a line; so many commits below a cause.
_MOST, _NAMES, _COMMITS = 10, 6, 3
#: So many parts are read once only.
_PARTS = 4096


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    for name, text in (
        (
            "a",
            f"{RUN}; else the one before <b>, or with --metric the last good",
        ),
        ("b", "what is to be explained; where one is named, it is that one, else the last run"),
    ):
        completes(parser.add_argument(name, nargs="?", metavar=f"<{name}>", help=text), "none")
    for option, metavar, text in (
        ("--metric", "<name>", "the number that is asked about: its name, or FILE:NAME"),
        ("--good-above", "<number>", "a run is good with more of the metric than this"),
        ("--good-below", "<number>", "a run is good with less of the metric than this"),
        ("--label", "<column>", "the column of labels; else the one that a parameter names"),
        ("--key", "<column>", "the column that names a row; else one that does is found"),
    ):
        completes(parser.add_argument(option, metavar=metavar, help=text), "none")
    parser.add_argument("--no-examples", action="store_true", help="show no rows of tables")
    parser.add_argument("--all", action="store_true", help="name also what says nothing about results")
    parser.add_argument("--md", action="store_true", help="print Markdown")
    html = parser.add_argument("--html", metavar="<file>", help="write one HTML file with drawings")
    completes(html, "file")
    parser.epilog = "Example: ff explain train~1 train --metric auc"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Explain."""
    place, records = runs.opened(session)
    part = lru_cache(maxsize=_PARTS)(records.part)
    holdings = Holdings(place, records)
    codes, listing = Codes(place.git, place.environ, part), runs.code_listing(place, part)
    makers = Makers(records, holdings.inside, Folders(holdings, codes, listing, place.root).listed)
    known = Runs(records, makers, part)
    goals = _goals(place)
    first, second, metric = _chosen(args, place, records, makers, known, goals)
    a, b = makers.lineage(first), makers.lineage(second)
    if metric is None and args.metric is not None:
        metric = known.metric((a, b), args.metric)
    found = explain(
        a,
        b,
        part,
        listing,
        codes=codes,
        examiner=Examiner(
            holdings,
            place,
            part,
            key=args.key,
            label=args.label,
            examples=not args.no_examples,
        ),
        metric=metric,
        goals=goals,
        noise=lambda name: _noise(known, (first, second), name),
    )
    if args.html is not None:
        from fourfold.evidence.explaining.pages import html  # noqa: PLC0415 - on request only

        write_atomic(session.resolve(args.html), html(found).encode("utf-8", "replace"))
        session.news(f"wrote {args.html}")
    if args.md:
        from fourfold.evidence.explaining.pages import markdown  # noqa: PLC0415 - on request only

        return Outcome(data=found.document(), text=markdown(found).splitlines())
    return Outcome(data=found.document(), text=_lines(found, session.style, every=args.all))


def _chosen(
    args: argparse.Namespace,
    place: "Place",
    records: Records,
    makers: Makers,
    known: Runs,
    goals: Mapping[str, str],
) -> tuple[RunId, RunId, str | None]:
    """The two runs, and the full name of the metric where it chose one of them."""
    limits = [_number(args, name) for name in ("good_above", "good_below")]
    if args.metric is None and any(limit is not None for limit in limits):
        raise UsageError("--good-above and --good-below are about a metric", hint="name it: --metric")
    if args.a is not None and args.b is not None:
        return resolve(place, records, args.a), resolve(place, records, args.b), None
    if args.metric is None:
        later = resolve(place, records, args.a or "@")
        return runs.one_before(records, later, "ff explain"), later, None
    if args.a is not None:
        later = resolve(place, records, args.a)
        full = known.metric([makers.lineage(later)], args.metric)
    else:
        later, full = known.newest(args.metric, None)
    goal = goals.get(full) or goals.get(full.partition(":")[2]) or ""
    return known.last_good(later, full, Wanted(goal, *limits)), later, full


def _number(args: argparse.Namespace, name: str) -> float | None:
    text: str | None = getattr(args, name)
    try:
        return None if text is None else float(text)
    except ValueError:
        option = "--" + name.replace("_", "-")
        raise UsageError(f"{option} {text!r} is no number", hint=f"for example: {option} 0.8") from None


def _goals(place: "Place") -> Mapping[str, str]:
    """The goals that the stages of the project declare, where it can be read."""
    from fourfold.base.errors import FourfoldError  # noqa: PLC0415 - only here
    from fourfold.pipeline.goals import declared_goals  # noqa: PLC0415 - likewise
    from fourfold.project.files import load_tracked  # noqa: PLC0415 - likewise

    if place.project is None:
        return {}
    try:
        return declared_goals(load_tracked(place.project, strict=False).owners)
    except FourfoldError:
        return {}


def _noise(known: Runs, both: Sequence[RunId], metric: str) -> Noise:
    """The wider noise of the two."""
    found = [known.noise(run, metric) for run in both]
    return max(found, key=lambda noise: (noise.width is not None, noise.width or 0.0))


def _lines(found: Explanation, style: Style, *, every: bool) -> Iterator[str]:
    yield style.bold(found.verdict)
    suspects = found.suspects
    if found.is_noise and suspects:
        yield style.dim("moved all the same:")
    for at, cause in enumerate(suspects[:_MOST], 1):
        yield from _cause(at, cause, style)
    if len(suspects) > _MOST:
        yield style.dim(f"and {len(suspects) - _MOST} more (--json has all)")
    for line in found.unknown:
        yield style.yellow(line)
    for label, causes in (
        ("moved, and cannot be why", found.harmless),
        ("changed, but not read", found.unread),
    ):
        if causes:
            yield _names(label, causes, style, every=every)
    if every and found.aside:
        yield _names("besides", found.aside, style, every=True)


def _cause(at: int, cause: "Cause", style: Style) -> Iterator[str]:
    yield f"{at:>2}. {style.bold(cause.coordinate)}: {cause.change.name}  {style.yellow(sides(cause.change))}"
    for reason in cause.why:
        yield f"    {style.dim(reason)}"
    for touch in cause.commits[:_COMMITS]:
        yield f"    {style.dim(commit_told(touch))}"
    if len(cause.commits) > _COMMITS:
        yield style.dim(f"    and {len(cause.commits) - _COMMITS} more commits")


def _names(label: str, causes: "Sequence[Cause]", style: Style, *, every: bool) -> str:
    told = names(causes)
    shown = told if every else told[:_NAMES]
    more = f" and {len(told) - len(shown)} more (--all names them)" if len(told) > len(shown) else ""
    return style.dim(f"{label}: {', '.join(shown)}{more}")
