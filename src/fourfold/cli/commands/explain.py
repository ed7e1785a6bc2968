"""``ff explain``: why two results differ, from what is recorded, without running anything."""

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourfold.cli import runs
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.explain import Explanation, explain, sides, verdict
from fourfold.evidence.lineage import Makers
from fourfold.formats.native.record import RunId
from fourfold.runs.code_files import code_files
from fourfold.runs.store import Records, RunNotFoundError
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.evidence.explain import Cause
    from fourfold.runs.diff_files import CodeFiles
    from fourfold.runs.place import Place

#: So many causes are told at length; so many names stand on a line.
_MOST, _NAMES = 10, 6


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    for name, text in (
        ("a", "a run, as for 'ff runs show'; else the one before the other, of the same stage"),
        ("b", "the run to explain; the last one where no run is named"),
    ):
        completes(parser.add_argument(name, nargs="?", metavar=f"<{name}>", help=text), "none")
    ours(parser.add_argument("--all", action="store_true", help="name also what says nothing about results"))
    parser.epilog = "Example: ff explain evaluate~1 evaluate"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Explain."""
    place, records = runs.opened(session)
    first, second = _chosen(records, args.a, args.b)
    makers = Makers(records)
    found = explain(makers.lineage(first), makers.lineage(second), records.part, _files(place, records))
    said = verdict(found)
    data = {"verdict": said, **found.document()}
    return Outcome(data=data, text=_lines(found, said, session.style, every=args.all))


def _chosen(records: Records, a: str | None, b: str | None) -> tuple[RunId, RunId]:
    if a is not None and b is not None:
        return records.resolve(a), records.resolve(b)
    later = records.resolve(a or "@")
    record = records.get(later)
    before: RunId | None = None
    for summary in records.summaries():
        if summary.id == later:
            break
        if (summary.kind, summary.stage) == (record.kind, record.stage):
            before = summary.id
    if before is None:
        what = f"stage '{record.stage}'" if record.stage else "a command"
        raise RunNotFoundError(
            f"there is no run of {what} before {later[:SHORT]}", hint="name both: ff explain <a> <b>"
        )
    return before, later


def _files(place: "Place", records: Records) -> "CodeFiles | None":
    git = place.git
    if git is None:
        return None
    return lambda record: code_files(record, git, place.environ, records.part)


def _lines(found: Explanation, said: str, style: Style, *, every: bool) -> Iterator[str]:
    yield style.bold(said)
    for at, cause in enumerate(found.causes[:_MOST], 1):
        yield from _cause(at, cause, style)
    if len(found.causes) > _MOST:
        yield style.dim(f"and {len(found.causes) - _MOST} more (--json has all)")
    for line in found.unknown:
        yield style.yellow(line)
    if found.unread:
        yield _names("changed, but not read", found.unread, style, every=every)
    if every and found.aside:
        yield _names("besides", found.aside, style, every=True)


def _cause(at: int, cause: "Cause", style: Style) -> Iterator[str]:
    yield f"{at:>2}. {style.bold(cause.coordinate)}: {cause.change.name}  {style.yellow(sides(cause.change))}"
    for reason in cause.why:
        yield f"    {style.dim(reason)}"


def _names(label: str, causes: "tuple[Cause, ...]", style: Style, *, every: bool) -> str:
    shown = causes if every else causes[:_NAMES]
    more = f" and {len(causes) - len(shown)} more (--all names them)" if len(causes) > len(shown) else ""
    return style.dim(f"{label}: {', '.join(cause.change.name for cause in shown)}{more}")
