"""Inside of a stage: which process of the run this is, by a name that is the same when it runs again.

Ranks of launchers are told by the environment. Any other process has a name below that of the one which
started it: ``f2`` is its second fork, ``SpawnProcess-1`` what `multiprocessing` calls it, ``p2`` the second
process of the same program. The first process of a program has no name.
"""

import os
import sys

if __package__:  # as part of the package, for `fourfold.seed_everything`
    from . import _fourfold_derive
else:
    import _fourfold_derive  # type: ignore[import-not-found, no-redef]

#: Tells processes that this one starts what it is called; not set as long as it has no name.
VARIABLE = "FOURFOLD_WORKER"


class _Process:
    """What this process knows of itself."""

    #: Where processes of a run meet; "" outside of a run.
    folder = ""
    #: None as long as nobody had to know.
    name = None  # type: str | None
    forks = 0


def install(folder: str) -> None:
    """Say where the processes of this run meet."""
    _Process.folder = folder


def rank() -> int:
    """The number of this process among those that a launcher started; 0 without one."""
    return _fourfold_derive.rank_of(os.environ)


def known() -> str:
    """The name of this process as far as somebody asked for it."""
    return _Process.name or ""


def name() -> str:
    """The name of this process."""
    if _Process.name is None:
        _below(os.environ.get(VARIABLE, ""), _own(_command_line()))
    return _Process.name or ""


def _below(above: str, own: str) -> None:
    _Process.name = "/".join(part for part in (above, own) if part)
    if own:
        os.environ[VARIABLE] = _Process.name


def _command_line() -> "list[str]":
    """Without the interpreter, as far as this version of Python tells."""
    if hasattr(sys, "orig_argv"):
        return list(sys.orig_argv[1:])
    return list(getattr(sys, "argv", []))


def _own(words: "list[str]") -> str:
    if "--process-name" in words[:-1]:  # a worker of loky, which joblib starts
        return words[words.index("--process-name") + 1]
    if "--multiprocessing-fork" in words:
        process = getattr(sys.modules.get("multiprocessing.process"), "current_process", None)
        called = process().name if process is not None else "MainProcess"
        return "spawn" if called == "MainProcess" else str(called)  # then it is told in a moment: `called`
    program = _program(words)
    if program.startswith("from multiprocessing."):
        return "server"
    # The first process of a program has no name, so that it has the same seeds whatever was started before.
    # All later ones have other seeds: a loop that simulates in processes must not repeat itself.
    number = _claim("\0".join((str(rank()), os.environ.get(VARIABLE, ""), program)))
    return "p" + str(number + 1) if number else ""


def _program(words: "list[str]") -> str:
    """What a command line of Python runs: a script, a module, or the text of a program."""
    is_value = False
    for at, word in enumerate(words):
        if is_value:
            is_value = False
        elif word in ("-c", "-m"):
            return words[at + 1] if at + 1 < len(words) else word
        elif word in ("-W", "-X", "--check-hash-based-pycs"):
            is_value = True
        elif not word.startswith("-"):
            return word
    return ""


def _claim(program: str) -> int:
    """How many processes of a program of this run have needed a name before this one."""
    if not _Process.folder:
        return 0
    path = os.path.join(_Process.folder, "program-" + _fourfold_derive.digest(0, "", 0, "", program, 8).hex())
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(fd, b".")
            return os.lseek(fd, 0, os.SEEK_CUR) - 1  # what is appended ends where it was put, in one step
        finally:
            os.close(fd)
    except OSError:
        return 0


def called(own: str, program: str) -> None:
    """This process hears its name, from `multiprocessing`; one for the time being is forgotten.

    Args:
        own: Its name, which its parent may have given to others too.
        program: The main module of its parent.
    """
    above = os.environ.get(VARIABLE, "")
    if above and above == _Process.name:
        above = above.rpartition("/")[0]  # ours until now: "spawn", or that of a child of a server
    number = _claim("\0".join((str(rank()), above, program, own)))
    _below(above, own + "#" + str(number + 1) if number else own)


def before_fork() -> None:
    """A child is about to be forked."""
    _Process.forks += 1


def after_fork() -> None:
    """In the child: its name follows from how many there were before it."""
    _below(name(), "f" + str(_Process.forks))
    _Process.forks = 0
