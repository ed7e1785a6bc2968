"""A long-lived process of one tool: a forked child runs each command, so that no command pays for imports.

Run as a script by the interpreter of the tool, ``python worker.py dvc`` or ``python worker.py ff``; the real
DVC's environment has nothing of ours, so this file imports only the standard library before it knows.
Each line of standard input is a JSON request ``{"cwd": ..., "argv": [...]}``, each line of standard
output its answer ``{"code": ..., "out": ..., "err": ...}``. A child starts from what was imported and from
nothing that an earlier command left in memory, as a process of its own would.
"""

import importlib
import json
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

Command = Callable[[Sequence[str]], int]


def dvc() -> Command:
    """The real DVC's command line, with all that a run of a pipeline imports."""
    cli = importlib.import_module("dvc.cli")
    for name in ("repro", "status", "commit", "freeze", "checkout", "stage", "data", "remove", "data_sync"):
        importlib.import_module(f"dvc.commands.{name}")
    for name in (
        "dvc.repo",
        "dvc.dvcfile",
        "dvc.parsing",
        "dvc.stage.cache",
        "dvc.output",
        "dvc.rwlock",
        "dvc.utils.serialize",
        "dvc.utils.strictyaml",
        "dvc.repo.reproduce",
        "dvc.repo.scm_context",
        "dvc_data.index",
        "dvc_data.hashfile.checkout",
        "dvc_data.hashfile.db.local",
        "scmrepo.git",
        "networkx",
        "ruamel.yaml",
        "tomlkit",
        "configobj",
        "dulwich.ignore",
        "dulwich.worktree",
        "dvc.cachemgr",
        "dvc.data_cloud",
        "dvc.scm",
        "dvc.repo.index",
        "dvc.repo.graph",
        "dvc.repo.stage",
        "dvc.repo.artifacts",
        "dvc.repo.datasets",
        "dvc.repo.metrics",
        "dvc.repo.params",
        "dvc.repo.plots",
        "dvc.repo.trie",
        "dvc_data.hashfile.status",
        "scmrepo.noscm",
    ):
        importlib.import_module(name)
    importlib.import_module("dvc.cli.parser").get_main_parser()  # it remembers
    command: Command = cli.main
    return command


def ff() -> Command:
    """Our command line, likewise."""
    main = importlib.import_module("fourfold.cli.main")
    table = importlib.import_module("fourfold.cli.table")
    for name in ("repro", "status", "commit", "freeze", "checkout", "data", "remove"):
        if name in table.COMMANDS:
            importlib.import_module(f"{table.PACKAGE}.{table.COMMANDS[name].module}")
    for name in ("failure", "options", "render", "session"):
        importlib.import_module(f"fourfold.cli.{name}")
    importlib.import_module("fourfold.wiring")
    command: Command = main.run
    return command


def run(command: Command, cwd: str, argv: Sequence[str]) -> dict[str, object]:
    """Run one command in a child; how it ended and what it said."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.chdir(cwd)
                os.umask(0o022)
                code = command(argv)
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1
            except BaseException:  # noqa: BLE001 - told to the parent, which knows what to make of it
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode("utf-8", "backslashreplace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": said[0], "err": said[1]}


def serve(command: Command) -> None:
    """Answer requests until there are no more."""
    requests, answers = os.fdopen(os.dup(0), "r"), os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    for line in requests:
        request = json.loads(line)
        answers.write(json.dumps(run(command, request["cwd"], request["argv"])) + "\n")
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    serve({"dvc": dvc, "ff": ff}[sys.argv[1]]())
