"""Run: one command, of no pipeline, observed and recorded; what `ff run` does.

Works in a project, in a Git repository and in a mere folder alike. The command has our terminal and streams.
What it reads and writes in the repository counts as its inputs and outputs; whoever declares some wants to be
told of the others.
"""

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.formats.dvc.fields import Fault
from fourfold.formats.native.record import Outcome, State
from fourfold.pipeline.crew import Verdict, Work, run_here
from fourfold.runs import declared as declarations
from fourfold.runs.findings import Finding, Findings, refuse
from fourfold.runs.session import Capture, Finished, begin
from fourfold.runs.store import records_of
from fourfold.runs.task import Declared, Item, Task

if TYPE_CHECKING:
    from fourfold.runs.place import Place


class InputMissingError(NotFoundError):
    """What `ff run` was told that its command reads, or wrote, is not there."""

    code = "declared-file-missing"


class Ran(NamedTuple):
    """One command that ran.

    Attributes:
        verdict: How it ended.
        run: Its record; None when nothing could be observed.
        task: What ran.
        objection: Why it counts as failed although its command did not fail.
    """

    verdict: Verdict
    run: Finished | None
    task: Task
    objection: FourfoldError | None = None


def declared_by(options: Mapping[str, object], place: "Place") -> Declared:
    """What options say about the capture of a command, as ``meta: fourfold:`` of a stage does.

    Raises:
        UsageError: a value means nothing.
    """
    from fourfold.base.errors import UsageError  # noqa: PLC0415 - only a mistake pays for it

    def parameter(name: str) -> object:
        return _parameter(place, name)

    try:
        found = declarations.parse({key: value for key, value in options.items() if value != ""}, parameter)
    except Fault as fault:
        raise UsageError(fault.problem, hint=fault.hint) from None
    return found._replace(seed_from="command line") if found.seed_from == "meta" else found


def _parameter(place: "Place", name: str) -> object:
    if place.project is None:
        return None
    from fourfold.formats.dvc.lock import DEFAULT_PARAMS  # noqa: PLC0415 - few commands name a parameter
    from fourfold.project.changes import Examiner, lookup  # noqa: PLC0415 - likewise

    file, _, key = name.rpartition(":")
    path = os.path.normpath(os.path.join(place.cwd, file or DEFAULT_PARAMS))
    return lookup(Examiner(place.project).parameters(path), key) if os.path.isfile(path) else None


def command_text(words: Sequence[str]) -> str:
    """The line for the shell: one word is a line already, several are words of one."""
    return words[0] if len(words) == 1 else shlex.join(words)


def run_command(
    place: "Place",
    words: Sequence[str],
    *,
    declared: Declared = Declared(),  # noqa: B008 - a value, never changed
    reads: Iterable[str] = (),
    writes: Iterable[str] = (),
    output: int | None = None,
    before: Callable[[str], None] = lambda _command: None,
    events: Sink = silent,
) -> Ran:
    """Run a command where the user stands, and write its record.

    Args:
        place: Where.
        words: The command.
        declared: How it is captured.
        reads: Files and folders that it is said to read; absolute.
        writes: Likewise, to write.
        output: Where its standard output goes; None for where ours goes.
        before: Told of the command before it runs.
        events: Hears of what cannot be captured.

    Raises:
        InputMissingError: something that it is said to read is not there.
        FourfoldError: what was asked for by name cannot be had here.
        KeyboardInterrupt: somebody interrupted; the command has ended, and is recorded so.
    """
    line = command_text(words)
    inputs = tuple(_item(place, path, "dep") for path in reads)
    for item in inputs:
        if not os.path.exists(item.path):
            raise InputMissingError(f"'{item.shown}' does not exist", hint="name with -d what it reads")
    outputs = tuple(_item(place, path, "out") for path in writes)
    task = Task(
        kind="command",
        name="",
        commands=(line,),
        root=place.root,
        cwd=place.cwd,
        environ=dict(place.environ),
        declared=declared,
        inputs=inputs,
        outputs=outputs,
        tracked=_tracked(place),
    )
    capture = begin(place, records_of(place), task, events=events)
    work = Work((line,), place.cwd, task.environ)
    if capture is not None:
        work = work._replace(environ=capture.environ, prefixes=capture.prefixes)
    try:
        verdict = run_here(
            work, output=output, log=None, before=before, after=lambda _: None, trouble=lambda _: None
        )
    except KeyboardInterrupt:
        if capture is not None:
            capture.finish(Outcome("interrupted", -2), capture.task)
        raise
    if capture is None:
        return Ran(verdict, None, task)
    return _recorded(place, capture, verdict)


def _recorded(place: "Place", capture: Capture, verdict: Verdict) -> Ran:
    task, findings = capture.task, capture.findings
    plain = not task.inputs and not task.outputs and not task.declared.strict
    objection = refuse(findings, "") if task.declared.strict else None
    if plain:  # nothing was declared: what it did is what it is
        task = task._replace(
            inputs=tuple(_seen(place, found, "dep") for found in findings.reads),
            outputs=tuple(_seen(place, found, "out") for found in findings.writes if found.how != "delete"),
        )
    task = task._replace(outputs=tuple(out for out in task.outputs if os.path.lexists(out.path)))
    state: State = "succeeded" if verdict.is_good and objection is None else "failed"
    finished = capture.finish(Outcome(state, verdict.code), task)
    return Ran(verdict, finished._replace(findings=Findings()) if plain else finished, task, objection)


def _item(place: "Place", path: str, role: str) -> Item:
    return Item(path, place.shown(path), role)


def _seen(place: "Place", found: Finding, role: str) -> Item:
    shown = found.path
    if shown.startswith("~/"):
        home = place.environ.get("HOME", "")
        return Item(os.path.normpath(os.path.join(home, shown[2:])), shown, role)
    return Item(os.path.normpath(os.path.join(place.root, shown)), shown, role)


def _tracked(place: "Place") -> tuple[str, ...]:
    if place.project is None:
        return ()
    from fourfold.project.files import load_tracked  # noqa: PLC0415 - only projects track
    from fourfold.project.outs import tracked_paths  # noqa: PLC0415 - likewise

    return tracked_paths(load_tracked(place.project).owners)
