"""``ff stage add``: write a new stage."""

import argparse

from fourfold.cli.gitnote import staged_data, tell_git
from fourfold.cli.options import completes
from fourfold.cli.outcome import Outcome
from fourfold.cli.render import print_text
from fourfold.cli.session import Session
from fourfold.formats.dvc.pointer import Output
from fourfold.formats.dvc.stages import StageSpec
from fourfold.pipeline.stage_add import add_stage, command_line, parameters
from fourfold.project.staging import Staged

#: Options for outputs: (names, what is declared, cached, persistent, metric, plot), in the order in which DVC
#: takes them.
_OUTPUTS: tuple[tuple[tuple[str, ...], str, bool, bool, bool, bool], ...] = (
    (("--outs-persist",), "an output that stays when the stage runs", True, True, False, False),
    (("--outs-persist-no-cache",), "one that stays, of which nothing is saved", False, True, False, False),
    (("-m", "--metrics"), "a file of metrics", True, False, True, False),
    (("-M", "--metrics-no-cache"), "a file of metrics that is not saved", False, False, True, False),
    (("--plots",), "a file of plots", True, False, False, True),
    (("--plots-no-cache",), "a file of plots that is not saved", False, False, False, True),
    (("-O", "--outs-no-cache"), "an output of which nothing is saved", False, False, False, False),
    (("-o", "--outs"), "an output: file or directory", True, False, False, False),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Define DVC's arguments."""
    completes(
        parser.add_argument("-n", "--name", required=True, metavar="<name>", help="the stage's name"), "none"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a stage of the same name")
    read = (
        (("-d", "--deps"), "a file or directory that the command reads"),
        (("-p", "--params"), "parameters that it reads: [<file>:]<key>,<key>; '<file>:' for all of them"),
    )
    made = [(names, what) for names, what, *_ in reversed(_OUTPUTS)]
    for names, what in (*read, *made):
        parser.add_argument(*names, action="append", default=[], metavar="<path>", help=what)
    completes(parser.add_argument("-w", "--wdir", metavar="<path>", help="where the command runs"), "dir")
    parser.add_argument("--always-changed", action="store_true", help="count it as changed, always")
    completes(parser.add_argument("--desc", metavar="<text>", help="what to say of it"), "none")
    parser.add_argument("--run", action="store_true", help="run it too")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="<command>", help="the command, after all options"
    )
    parser.epilog = "Example: ff stage add -n train -d train.py -d data -o model.pkl python train.py"


def run(args: argparse.Namespace, session: Session) -> Outcome:
    """Write it, and run it if asked to."""
    result = add_stage(session.project, _wanted(args), force=args.force, events=session.sink)
    owner = result.owner
    shown = session.display(owner.file)
    said = f"Added stage '{owner.name}' in '{shown}'"
    data: dict[str, object] = {"stage": owner.name, "file": shown, "replaced": result.replaced}
    staged = result.staged
    if not args.run:
        tell_git(session, staged)
        return Outcome(data={**data, **staged_data(session, staged)}, text=(said,))
    from fourfold.cli.commands.repro import run_one  # noqa: PLC0415 - only --run runs

    if not session.settings.json and not session.settings.quiet:
        print_text(session.stdout, f"{said}\n")
    ran = run_one(session, owner.name or "")
    staged = Staged(tuple(sorted({*staged.paths, *ran.staged.paths})), staged.done)
    tell_git(session, staged)
    data["result"] = ran.steps[0].how if ran.steps else "unchanged"
    return Outcome(data={**data, **staged_data(session, staged)}, failure=ran.error)


def _wanted(args: argparse.Namespace) -> StageSpec:
    outs = [
        Output(path, cache=cached, persist=persist, metric=metric, plot=plot)
        for names, _what, cached, persist, metric, plot in _OUTPUTS
        for path in getattr(args, names[-1].removeprefix("--").replace("-", "_"))
    ]
    return StageSpec(
        args.name,
        command_line(args.command),
        wdir=args.wdir,
        deps=tuple(args.deps),
        params=parameters(args.params),
        outs=tuple(outs),
        always_changed=args.always_changed,
        desc=args.desc,
    )
