"""``ff explain``: why two results differ, from what is recorded, without running anything."""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from fourfold.cli import runs
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.evidence.codechanges import Codes
from fourfold.evidence.examine import Examiner
from fourfold.evidence.explain import explain
from fourfold.evidence.explanation import Explanation, commit_told, names, sides
from fourfold.evidence.holdings import Holdings
from fourfold.evidence.lineage import Makers
from fourfold.formats.native.record import RunId
from fourfold.runs.code_files import code_files
from fourfold.runs.store import Records, RunNotFoundError
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.evidence.explanation import Cause
    from fourfold.runs.diff_files import CodeFiles
    from fourfold.runs.place import Place

#: So many causes are told at length; so many names stand on a line.
_MOST, _NAMES, _COMMITS = 10, 6, 3


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
    found = explain(
        makers.lineage(first),
        makers.lineage(second),
        records.part,
        _files(place, records),
        codes=Codes(place.git, place.environ, records.part),
        examiner=Examiner(Holdings(place, records), place, records.part),
    )
    return Outcome(data=found.document(), text=_lines(found, session.style, every=args.all))


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


def _lines(found: Explanation, style: Style, *, every: bool) -> Iterator[str]:
    yield style.bold(found.verdict)
    suspects = found.suspects
    for at, cause in enumerate(suspects[:_MOST], 1):
        yield from _cause(at, cause, style)
    if len(suspects) > _MOST:
        yield style.dim(f"and {len(suspects) - _MOST} more (--json has all)")
    for line in found.unknown:
        yield style.yellow(line)
    harmless = [cause for cause in found.causes if not cause.is_suspect]
    for label, causes in (("moved, and cannot be why", harmless), ("changed, but not read", found.unread)):
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
