"""``ff env diff``: what differs between the environments of two runs, or of a run and now."""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from fourfold.cli.environments import Known, chosen, of_run
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import Style
from fourfold.cli.session import Session
from fourfold.runs.environment.compare import Change, compare
from fourfold.runs.words import SHORT, short
from fourfold.wiring import find_place

#: A longer value is cut in lines for people.
_WIDTH = 60
#: So many changes of one kind in one fact are told to people.
_MOST = 8


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments; DVC has no such command."""
    completes(parser.add_argument("before", metavar="<run>", help="a run, a stage or a revision"), "none")
    completes(
        parser.add_argument("after", nargs="?", metavar="<other>", help="another one; without it, now"),
        "none",
    )
    completes(
        parser.add_argument(
            "-p", "--python", metavar="<path>", help="the interpreter or environment that is now"
        ),
        "file",
    )
    parser.epilog = "Example: ff env diff train~1 train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Compare them, the most telling difference first."""
    place = find_place(session.cwd, environ=session.environ, clock=session.clock)
    before = of_run(place, args.before)
    after = chosen(place, args.after, args.python)
    parts = {**before.parts, **after.parts}
    one, other = _comparable(before, after), _comparable(after, before)
    changes = compare(one, other, lambda part: parts.get(part, {}))
    data = {
        "before": before.run,
        "after": after.run,
        "changes": [_change(change) for change in changes],
    }
    if after.run is None and args.python is None and before.prefix not in {"", after.prefix}:
        outside = before.prefix.startswith(("/", "~"))
        elsewhere = before.prefix if outside else session.display(os.path.join(place.root, before.prefix))
        session.warn(
            f"that run used the Python in {elsewhere}, and now is the one in {after.prefix}",
            hint=f"compare with that one: --python {elsewhere}",
        )
    return Outcome(data=data, text=_lines(before, after, changes, session.style))


def _comparable(known: Known, other: Known) -> dict[str, Any]:
    """The facts of one that the other can have: what only runs know says nothing about now."""
    if known.run is not None and other.run is not None:
        return dict(known.facts)
    from fourfold.runs.environment.now import comparable  # noqa: PLC0415 - two runs are compared whole

    return comparable(known.facts)


def _change(change: Change) -> dict[str, Any]:
    return {key: value for key, value in change._asdict().items() if key not in {"coordinate", "weight"}}


def _lines(before: Known, after: Known, changes: Sequence[Change], style: Style) -> Iterator[str]:
    if not changes:
        yield style.green(f"no difference between {before.label} and {after.label}")
        return
    yield style.bold(f"{before.label} -> {after.label}")
    for (fact, kind), group in groupby(changes, key=lambda change: (change.fact, change.kind)):
        some = list(group)
        for change in some[:_MOST]:
            name = f"{change.fact} {change.name}".rstrip()
            yield f"  {name}: {_told(change, style)}"
        if len(some) > _MOST:
            yield style.dim(f"  {fact}: {len(some) - _MOST} more {kind} (--json names them)")


def _told(change: Change, style: Style) -> str:
    before, after = _short(change.before), _short(change.after)
    if change.kind == "added":
        return style.green(f"added {after}")
    if change.kind == "removed":
        return style.red(f"removed {before}")
    if change.kind == "record":
        return style.yellow(f"same version, other files ({before[:SHORT]} -> {after[:SHORT]})")
    return f"{before} -> {after}"


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [one for one in value.values() if isinstance(one, str | int)]
    text = " ".join(str(one) for one in value) if isinstance(value, list | tuple) else str(value)
    return short(text, _WIDTH)
