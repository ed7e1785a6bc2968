"""The commands that are swept: how their folder is prepared, and what is run in it.

Content is small and many-sided (a changed file, a new one, a deleted one, a file of a second folder), because
the number of system calls is the price of a sweep.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.fixtures.sandbox import Exec, Sandbox

V1 = {"f.bin": "file one\n", "d": {"a": "tree one\n", "same": "same\n", "sub": {"gone": "gone\n"}}}
V2 = {"f.bin": "file two\n", "d": {"a": "tree two\n", "new": "new\n", "sub/gone": None}}


class Case(NamedTuple):
    """One command in one prepared folder.

    Attributes:
        name: What `--command` takes.
        prepare: Makes the folder with the tool under test, unharmed.
        command: What is run under faults, and again after them.
        status: Asked after the fault; must not claim that all is clean when it is not.
        reruns: Exit codes of the second run that are right: a command that was already done may say so.
    """

    name: str
    prepare: Callable[[Sandbox], None]
    command: tuple[str, ...]
    status: tuple[str, ...] = ("status", "--json")
    reruns: tuple[int, ...] = (0,)


def _tracked(box: Sandbox) -> None:
    box.run("remote", "add", "-d", "store", "../remote")
    box.gen(V1)
    box.run("add", "f.bin", "d")
    box.commit("one")


def _changed(box: Sandbox) -> None:
    _tracked(box)
    box.gen(V2)


def _fresh(box: Sandbox) -> None:
    box.gen({**V1, "run.sh": Exec("#!/bin/sh\n")})


def _two_revisions(box: Sandbox) -> None:
    _changed(box)
    box.run("add", "f.bin", "d")
    box.commit("two")
    box.git("checkout", "--quiet", "HEAD~1")


def _pushed(box: Sandbox) -> None:
    _two_revisions(box)
    box.git("checkout", "--quiet", "main")
    box.run("push")


def _emptied(box: Sandbox) -> None:
    _pushed(box)
    box.git("clean", "-Xdfq")


def _garbage(box: Sandbox) -> None:
    _pushed(box)
    box.gen({"f.bin": "file three\n"})
    box.run("add", "f.bin")


def _pipeline(box: Sandbox) -> None:
    _tracked(box)
    stage = "cmd: cat f.bin > part && mv part out.bin\n    deps:\n    - f.bin\n    outs:\n    - out.bin\n"
    box.gen({"dvc.yaml": f"stages:\n  one:\n    {stage}"})
    box.commit("a pipeline")


CASES: tuple[Case, ...] = (
    Case("add-new", _fresh, ("add", "f.bin", "d", "run.sh")),
    Case("add", _changed, ("add", "f.bin", "d")),
    Case("add-granular", _changed, ("add", "d/a")),
    Case("commit", _changed, ("commit", "-f")),
    Case("checkout", _two_revisions, ("checkout",)),
    Case("push", _changed, ("push",), ("status", "--json", "-c")),
    Case("push-second", _two_revisions, ("push",), ("status", "--json", "-c")),
    Case("pull", _emptied, ("pull",)),
    Case("fetch", _emptied, ("fetch",)),
    Case("gc", _garbage, ("gc", "-w", "-f")),
    Case("gc-cloud", _garbage, ("gc", "-w", "-c", "-f")),
    Case("remove", _tracked, ("remove", "d.dvc", "--outs"), reruns=(0, 1, 255)),
    Case("move", _tracked, ("move", "f.bin", "g.bin"), reruns=(0, 1, 255)),
    Case("repro", _pipeline, ("repro",)),
    Case("unprotect", _tracked, ("unprotect", "f.bin", "d")),
)

#: Error codes that a sweep injects, by what can return them.
ERRORS = {
    "ENOSPC": {
        "write",
        "pwrite64",
        "copy_file_range",
        "mkdir",
        "openat",
        "fsync",
        "syncfs",
        "link",
        "linkat",
        "symlink",
    },
    "EIO": {"write", "fsync", "fdatasync", "syncfs", "rename", "copy_file_range"},
    "EMFILE": {"openat"},
    "EACCES": {"openat", "rename", "mkdir", "unlink", "link", "linkat", "chmod", "fchmod", "symlink"},
}
