"""``ff replay``: run again what a record is of, and say whether the same came out."""

import argparse
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import ConflictError, UsageError
from fourfold.cli import runs
from fourfold.cli.evidence import environment_option, folder_options, run_argument
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import write
from fourfold.cli.session import Session
from fourfold.cli.subject import Subject, subject
from fourfold.evidence.replaying.chains import Chain, replay_chain
from fourfold.evidence.replaying.replay import Pair, Prepared, Replayed, Streams, replay
from fourfold.runs.changes import rows_of, value_of
from fourfold.runs.words import SHORT

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Surroundings

#: Under --json, stdout belongs to the document: commands write to stderr.
_STDERR = 2
#: So many files are named.
_NAMED = 5
#: In words, which environment was taken.
_TAKEN = {
    "running": "running",
    "lock": "built from the lock",
    "record": "built from the versions of the record",
    "image": "the recorded image",
}


class NotEqualError(ConflictError):
    """A replay ran, and what came out is not what came out then."""

    code = "replay-not-equal"
    exit_code = 1


def configure(parser: argparse.ArgumentParser) -> None:
    """Define its arguments."""
    run_argument(parser)
    folder_options(
        parser,
        "replay in this new directory, and leave it there",
        "leave the directory of the replay there",
    )
    environment_option(parser)
    parser.add_argument(
        "--pipeline", action="store_true", help="also what it stands on, in order, each fed by those before"
    )
    parser.epilog = "Example: ff replay train"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Replay it."""
    if args.pipeline and (args.into or args.keep):
        raise UsageError(
            "--pipeline runs each stage in a directory of its own", hint="leave out --into, --keep"
        )
    streams = Streams(
        output=_STDERR if session.settings.json else None,
        prepared=lambda told: _tell(session, _prepared(told)),
        ended=(lambda replayed: _tell(session, _outputs(session, replayed))) if args.pipeline else _quiet,
    )
    with subject(session, args.run, args.into) as about:
        if about.fleeting and args.keep:
            raise UsageError("what is in an archive goes at the end", hint="keep it: --into <dir>")
        for line in about.left_out:
            session.warn(f"the archive lacks {line}")
        if args.pipeline:
            with replay_chain(
                about.place,
                about.records,
                about.run,
                policy=args.environment,
                streams=streams,
                events=session.sink,
            ) as chain:
                return _chain_outcome(session, chain)
        with replay(
            about.place,
            about.records,
            about.run,
            policy=args.environment,
            keep=args.keep,
            folder=about.folder,
            streams=streams,
            events=session.sink,
        ) as replayed:
            session.sink.rest()
            _warn(session, replayed)
            failure = None if replayed.equal else NotEqualError(_verdict(replayed))
            return Outcome(data=_data(replayed), text=list(_lines(session, replayed, about)), failure=failure)


def _quiet(_replayed: Replayed) -> None:
    """One replay is told of at the end."""


def _chain_outcome(session: Session, chain: Chain) -> Outcome:
    session.sink.rest()
    for replayed in chain.steps:
        _warn(session, replayed)
    other = [replayed for replayed in chain.steps if not replayed.equal]
    failure = None
    if other:
        failure = NotEqualError(f"{runs.title(other[0].original)}: {_verdict(other[0])}")
    count = f"{len(chain.steps)} {'run' if len(chain.steps) == 1 else 'runs'}"
    text = [f"{count} replayed, {'all equal' if not other else f'{len(other)} not equal'}"]
    if not chain.whole:
        text.append("those after the one that failed did not run")
    data = {"equal": chain.equal, "whole": chain.whole, "steps": [_data(each) for each in chain.steps]}
    return Outcome(data=data, text=text, failure=failure)


def _warn(session: Session, replayed: Replayed) -> None:
    if replayed.reached:
        session.warn(
            f"it read {_some(replayed.reached)} of the workspace, found in the folders above it",
            "replay it elsewhere: --into DIR",
        )
    if replayed.wrote:
        session.warn(
            f"it wrote {_some(replayed.wrote)} of the workspace: its command knows the place",
            "see what changed: git status, ff status",
        )


def _tell(session: Session, lines: Iterable[str]) -> None:
    """Lines between what commands say, when they are due."""
    session.sink.rest()
    if session.settings.json or session.settings.quiet:
        return
    for line in lines:
        write(session.stdout, line + "\n")
    if session.stdout is not None:
        session.stdout.flush()


def _prepared(told: Prepared) -> Iterator[str]:
    yield f"replay of {runs.title(told.original)} {told.of[:SHORT]}, {runs.when(told.original.times.started)}"
    commit = value_of(told.plan.code.code, "commit")
    tree = str(value_of(told.plan.code.code, "tree"))[:SHORT]
    changed = ", with changes" if value_of(told.plan.code.code, "dirty") else ""
    yield f"  code         commit {commit[:SHORT]}{changed}" if commit else f"  code         tree {tree}"
    inputs = len(rows_of(told.original, "inputs"))
    borrowed = _some(told.box.borrowed)
    yield f"  data         {inputs} {'input' if inputs == 1 else 'inputs'}" + (
        f"; only the workspace still had {borrowed}" if borrowed else ""
    )
    found = told.surroundings
    yield f"  environment  {_TAKEN[found.how]}{_judged(found)}"
    yield from (f"               {note}" for note in found.notes[:_NAMED])
    if len(found.notes) > _NAMED:
        yield f"               and {len(found.notes) - _NAMED} more: --json"
    yield f"  randomness   {'no seed' if told.seed is None else f'seed {told.seed}'}"
    for path in told.box.left_out:
        yield f"  not had: {path} (code that the record left out)"
    for one in told.missing:
        yield f"  not had: {one.path} (read, but not declared: {one.why})"


def _judged(found: "Surroundings") -> str:
    if found.differences:
        return f", differs: {_some(found.differences)}"
    return ", as recorded" if found.compared else ", not compared"


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _lines(session: Session, replayed: Replayed, about: Subject) -> Iterator[str]:
    yield from _outputs(session, replayed)
    if not replayed.outputs:
        yield "the run recorded no outputs: how it ended is all that was compared"
    if replayed.box.kept:
        yield f"it stays in {replayed.box.root}"
    if about.fleeting:
        yield session.style.dim("its record goes with what was unpacked; keep both: --into <dir>")
        return
    folder = f"--cd {shlex.quote(session.display(about.archived))} " if about.archived else ""
    names = f"{replayed.of[:SHORT]} {replayed.run[:SHORT]}"
    yield session.style.dim(f"recorded as {replayed.run[:SHORT]}; compare: ff {folder}runs diff {names}")


def _outputs(session: Session, replayed: Replayed) -> Iterator[str]:
    """One line an output."""
    style = session.style
    for pair in replayed.outputs:
        word = _word(pair)
        paint = style.green if pair.same else style.yellow if pair.same is None else style.red
        yield f"{paint(word)}{' ' * (9 - len(word))}  {pair.path}"


def _word(pair: Pair) -> str:
    if pair.same is None:
        return "unknown"
    if pair.same:
        return "equal"
    return "different" if pair.file else "missing"


def _verdict(replayed: Replayed) -> str:
    then, now = replayed.original.outcome, replayed.record.outcome
    if now.code != then.code:
        return f"the replay is not equal: it ended with exit code {now.code}, not {then.code}"
    other = [pair.path for pair in replayed.outputs if not pair.same]
    return f"the replay is not equal: {_some(tuple(other))}"


def _data(replayed: Replayed) -> dict[str, Any]:
    found = replayed.surroundings
    return {
        "run": replayed.run,
        "of": replayed.of,
        "equal": replayed.equal,
        "code": replayed.verdict.code,
        "environment": {"how": found.how, "differences": list(found.differences), "notes": list(found.notes)},
        "outputs": [
            {
                "path": pair.path,
                "role": pair.role,
                "same": pair.same,
                "before": _name_of(pair.before),
                "after": _name_of(pair.after) if pair.after is not None else None,
            }
            for pair in replayed.outputs
        ],
        "left_out": list(replayed.left_out),
        "missing": [one._asdict() for one in replayed.missing],
        "reached": list(replayed.reached),
        "wrote": list(replayed.wrote),
        "borrowed": list(replayed.box.borrowed),
        "folder": replayed.box.root if replayed.box.kept else None,
    }


def _name_of(row: Mapping[str, Any]) -> str | None:
    """What names the content of an output; None where it is not known."""
    return row.get("blake3") or row.get("md5")
