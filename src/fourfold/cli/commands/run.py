"""``ff run``: run any command, and record what made its result."""

import argparse
from collections.abc import Iterator
from typing import Any

from fourfold.base.errors import ConflictError
from fourfold.cli.live import undeclared
from fourfold.cli.options import MissingArgumentError, completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.session import Session
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.pipeline.run import Ran, declared_by, run_command
from fourfold.runs.task import DETERMINISM, TRACE_MODES

#: Under --json, stdout belongs to the document: the command writes to stderr.
_STDERR = 2
#: A number with as many digits is none that anybody means.
_LONG = 40
#: So much of an id is shown.
_SHORT = 12


class CommandEndedError(ConflictError):
    """The command of `ff run` ended with an exit code other than 0, which is ours then."""

    code = "run-failed"


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    what = parser.add_argument_group("What it reads and writes")
    what.add_argument(
        "-d",
        "--deps",
        action="append",
        default=[],
        metavar="<path>",
        help="a file or directory that it reads",
    )
    what.add_argument(
        "-o",
        "--outs",
        action="append",
        default=[],
        metavar="<path>",
        help="a file or directory that it makes",
    )
    what.add_argument(
        "--discover", action="store_true", help="write a stage into 'dvc.yaml' from what it was seen to do"
    )
    completes(
        what.add_argument(
            "-n", "--name", metavar="<name>", help="the stage's name, with --discover; else of its script"
        ),
        "none",
    )
    how = parser.add_argument_group("How it is captured")
    completes(
        how.add_argument("--seed", metavar="<seed>", help="a number, or the name of a parameter; else drawn"),
        "none",
    )
    how.add_argument("--determinism", choices=DETERMINISM, help="what is injected; 'seeded' by default")
    completes(
        how.add_argument("--numerics", metavar="<profile>", help="'portable': bits that CPUs agree on most"),
        "none",
    )
    completes(
        how.add_argument(
            "--env", action="append", metavar="<name>", help="an environment variable that it depends on"
        ),
        "none",
    )
    completes(
        how.add_argument("--image", metavar="<image>", help="the container image that it runs in, NAME:TAG"),
        "none",
    )
    how.add_argument("--trace", choices=TRACE_MODES, help="how it is observed; the best way by default")
    how.add_argument("--strict", action="store_true", help="fail when it uses what is not declared")
    how.add_argument("--hermetic", action="store_true", help="deny it undeclared files and the network")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="<command>", help="the command, after all options"
    )
    parser.epilog = "Example: ff run --seed 42 -- python train.py"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Run it, and say where its record is."""
    from fourfold.wiring import find_place  # noqa: PLC0415 - a command line that is wrong needs no place

    words = args.command[1:] if args.command[:1] == ["--"] else args.command
    if not words:
        raise MissingArgumentError("ff run needs a command", hint="for example: ff run -- python train.py")
    if args.discover:
        _ = session.project  # where there is none, nothing needs to run
    place = find_place(session.cwd, environ=session.environ, clock=session.clock)
    seed = args.seed
    options = {
        "seed": int(seed) if seed is not None and seed.isdecimal() and len(seed) < _LONG else seed,
        "determinism": args.determinism,
        "numerics": args.numerics,
        "env": args.env,
        "image": args.image,
        "trace": args.trace,
        "strict": args.strict,
        "hermetic": args.hermetic,
    }
    options = {key: value for key, value in options.items() if value is not None}
    ran = run_command(
        place,
        words,
        declared=declared_by(options, place),
        reads=[session.resolve(path) for path in args.deps],
        writes=[session.resolve(path) for path in args.outs],
        output=_STDERR if session.settings.json else None,
        events=session.sink,
    )
    session.sink.rest()
    if ran.run is not None and ran.run.findings.undeclared and ran.objection is None and not args.discover:
        session.warn(f"the command {undeclared(ran.run.findings)}, undeclared", "name it with -d or -o")
    text = list(_lines(ran))
    data = _data(ran)
    if ran.verdict.error is not None:
        raise ran.verdict.error
    failure = _failure(ran)
    if args.discover and failure is None:
        text += _discover(session, ran, args.name, data)
    return Outcome(data=data, text=text, failure=failure)


def _discover(session: Session, ran: Ran, name: str | None, data: dict[str, Any]) -> Iterator[str]:
    """Write the stage that a command would be."""
    from fourfold.cli.gitnote import tell_git  # noqa: PLC0415 - only --discover writes
    from fourfold.pipeline.discover import stage_from, write  # noqa: PLC0415 - likewise

    found = stage_from(session.project, ran, name)
    added = write(session.project, found, events=session.sink)
    spec = found.spec
    tell_git(session, added.staged)
    data["stage"] = spec.name
    data["left"] = [{"path": path, "why": why} for path, why in found.left]
    yield f"added stage '{spec.name}' in '{session.display(added.owner.file)}':"
    for key, items in (
        ("deps", spec.deps),
        ("params", [one.file or DEFAULT_PARAMS for one in spec.params]),
        ("outs", [out.path for out in spec.outs]),
    ):
        yield from (f"  {key}: {item}" for item in items)
    yield from (f"  left out: {path}: {why}" for path, why in found.left)
    yield f"to record what the command made without running it again: ff commit --force {spec.name}"


def _failure(ran: Ran) -> ConflictError | None:
    if ran.objection is not None:
        return ran.objection if isinstance(ran.objection, ConflictError) else None
    if ran.verdict.is_good:
        return None
    code = ran.verdict.code
    ended = f"signal {-code}" if code < 0 else f"exit code {code}"
    error = CommandEndedError(f"the command ended with {ended}")
    error.exit_code = 128 - code if code < 0 else code  # type: ignore[misc]  # the command's own is what counts
    return error


def _lines(ran: Ran) -> Iterator[str]:
    if ran.run is None or ran.run.id is None:
        return
    reads, writes = len(ran.task.inputs), len(ran.task.outputs)
    yield (
        f"recorded as {ran.run.id[:_SHORT]}: {reads} {'input' if reads == 1 else 'inputs'}, "
        f"{writes} {'output' if writes == 1 else 'outputs'}; see it with: ff runs show {ran.run.id[:_SHORT]}"
    )


def _data(ran: Ran) -> dict[str, Any]:
    found = ran.run
    return {
        "run": found.id if found is not None else None,
        "code": ran.verdict.code,
        "inputs": [item.shown for item in ran.task.inputs],
        "outputs": [item.shown for item in ran.task.outputs],
    }
