"""``ff runs diff``: what moved between two runs, by coordinate."""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fourfold.cli import runs
from fourfold.cli.evidence import RUN
from fourfold.cli.options import completes, ours
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.diff import Difference, diff
from fourfold.runs.store import Records
from fourfold.runs.words import SHORT, short, value_text

if TYPE_CHECKING:
    from fourfold.runs.changes import Change
    from fourfold.runs.place import Place

#: So many changes of one coordinate are named; so many names stand on the last lines.
_MOST, _NAMES = 50, 6


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    for name, text in (
        ("a", f"{RUN}; else the one before the other, of the same stage"),
        ("b", "the run to compare with; the last one where no run is named"),
    ):
        completes(parser.add_argument(name, nargs="?", metavar=f"<{name}>", help=text), "none")
    ours(parser.add_argument("--all", action="store_true", help="name also what says nothing about results"))
    parser.epilog = "Example: ff runs diff train~1 train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare them."""
    place, records = runs.opened(session)
    first, second = _chosen(place, records, args.a, args.b)
    found = diff(records, first, second, runs.code_listing(place, records.part))
    text = _lines(found, records.get(first), records.get(second), session.style, every=args.all)
    return Outcome(data=found.document(), text=text)


def _chosen(place: "Place", records: Records, a: str | None, b: str | None) -> tuple[RunId, RunId]:
    if a is not None and b is not None:
        return runs.named(place, records, a), runs.named(place, records, b)
    later = runs.named(place, records, a or "@")
    return runs.one_before(records, later, "ff runs diff"), later


def _lines(
    found: Difference, first: RunRecord, second: RunRecord, style: Style, *, every: bool
) -> Iterator[str]:
    a, b = found.first[:SHORT], found.second[:SHORT]
    moments = f"({runs.when(first.times.started)} -> {runs.when(second.times.started)})"
    yield f"{style.bold(runs.title(second))}  {style.cyan(a)} -> {style.cyan(b)}  {style.dim(moments)}"
    told = [change for change in found.changes if change.kind in {"moved", "result"}]
    if not told:
        yield "nothing differs but times"
    elif not found.moved:
        yield style.yellow("nothing that is recorded explains what came out")
    widest = min(max((len(change.name) for change in told), default=0), 40)
    before = ""
    for coordinate in dict.fromkeys(change.coordinate for change in told):
        changes = [change for change in told if change.coordinate == coordinate]
        for change in changes[:_MOST]:
            label = coordinate if coordinate != before else ""
            before = coordinate
            yield f"{style.bold(label.ljust(11))} {change.name:<{widest}}  {_change(change, style)}"
        if len(changes) > _MOST:
            yield f"{'':<11} {style.dim(f'and {len(changes) - _MOST} more (--json has all)')}"
    yield from _rest("changed, but not used", found.of("unread"), style, every=every)
    if every:
        yield from _rest("besides", found.of("aside"), style, every=True)


def _change(change: "Change", style: Style) -> str:
    if change.before is None and change.after is None:
        return style.yellow(change.note) if change.note else "changed"
    before, after = _side(change.before), _side(change.after)
    if change.before is None or change.after is None:
        nothing = "unset" if change.coordinate == "randomness" or change.name == "threads" else "none"
        before, after = (
            (nothing if change.before is None else before),
            (nothing if change.after is None else after),
        )
        moved = f"{style.red(before)} -> {style.green(after)}"
    elif before == after:  # the same when cut
        moved = "changed"
    else:
        moved = f"{style.red(before)} -> {style.green(after)}"
    return f"{moved}  {style.yellow(change.note)}" if change.note else moved


def _side(value: Any) -> str:
    return short(value_text(value), 48)


def _rest(label: str, changes: "Sequence[Change]", style: Style, *, every: bool) -> Iterator[str]:
    if not changes:
        return
    if every:
        yield style.dim(label)
        for change in changes:
            note = "" if change.note == label else f"  {change.note}"
            sides = (
                f"  {_side(change.before)} -> {_side(change.after)}" if change.before or change.after else ""
            )
            yield style.dim(f"  {change.coordinate}: {change.name}{sides}{note}")
        return
    names = [change.name for change in changes[:_NAMES]]
    more = f" and {len(changes) - _NAMES} more (--all names them)" if len(changes) > _NAMES else ""
    yield style.dim(f"{label}: {', '.join(names)}{more}")
