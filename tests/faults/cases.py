"""The commands that are swept: how their folder is prepared, and what is run in it.

Content is small and many-sided (a changed file, a new one, a deleted one, a file of a second folder), because
the number of system calls is the price of a sweep.
"""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from tests.fixtures.sandbox import Exec, ReadOnly, Sandbox

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
        most: How many points a full sweep tries, chosen evenly by chance; None for every one. Only for
            cases whose points are many of a kind, or those of another case in the main.
        remade: What stages delete before they make it again: while they run it may be missing.
    """

    name: str
    prepare: Callable[[Sandbox], None]
    command: tuple[str, ...]
    status: tuple[str, ...] = ("status", "--json")
    reruns: tuple[int, ...] = (0,)
    most: int | None = None
    remade: tuple[str, ...] = ()


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


#: Three stages in a row, one of them with a directory, one with a file of Git's; each output appears at once.
LINE = """\
stages:
  one:
    cmd: cat f.bin > part1 && mv part1 one.bin
    deps:
    - f.bin
    outs:
    - one.bin
  two:
    cmd: mkdir -p part2 && cat one.bin > part2/x && cat f.bin > part2/y && mv part2 two
    deps:
    - one.bin
    outs:
    - two
  three:
    cmd: cat two/x two/y > part3 && mv part3 three.txt
    deps:
    - two
    metrics:
    - three.txt:
        cache: false
"""
LINE_OUTS = ("one.bin", "two", "three.txt")
#: Two stages that need nothing of each other, and one that needs both.
BESIDE = """\
stages:
  left:
    cmd: cat f.bin > part1 && mv part1 left.bin
    deps:
    - f.bin
    outs:
    - left.bin
  right:
    cmd: cat d/a > part2 && mv part2 right.bin
    deps:
    - d
    outs:
    - right.bin
  both:
    cmd: cat left.bin right.bin > part3 && mv part3 both.bin
    deps:
    - left.bin
    - right.bin
    outs:
    - both.bin
"""


def _line(box: Sandbox) -> None:
    _tracked(box)
    box.gen({"dvc.yaml": LINE})
    box.commit("three stages")


def _line_that_ran(box: Sandbox) -> None:
    _line(box)
    box.run("repro")
    box.commit("it ran")


def _line_changed(box: Sandbox) -> None:
    _line_that_ran(box)
    box.gen({"f.bin": "file two\n"})


def _line_changed_back(box: Sandbox) -> None:
    _line_changed(box)
    box.run("repro")
    box.commit("it ran again")
    box.gen({"f.bin": "file one\n"})


def _beside(box: Sandbox) -> None:
    _tracked(box)
    box.gen({"dvc.yaml": BESIDE})
    box.commit("two stages beside each other")


def _linked(box: Sandbox) -> None:
    box.run("config", "cache.type", "hardlink")
    _tracked(box)


def _linked_and_changed(box: Sandbox) -> None:
    _linked(box)
    box.run("unprotect", "f.bin", "d")
    box.gen(V2)


def _linked_revisions(box: Sandbox) -> None:
    _linked_and_changed(box)
    box.run("add", "f.bin", "d")
    box.commit("two")
    box.git("checkout", "--quiet", "HEAD~1")


def _to_be_undone(box: Sandbox) -> None:
    """A checkout is all that can be taken back: a second ``undo`` finds nothing, not the one before."""
    _two_revisions(box)
    box.gen({".dvc/fourfold/ops": None})
    box.run("checkout")


def _to_be_repaired(box: Sandbox) -> None:
    _pushed(box)
    box.git("clean", "-Xdfq", "--", "f.bin", "d")
    for name in ("file two\n", "tree two\n"):
        oid = hashlib.md5(name.encode()).hexdigest()
        box.gen({f".dvc/cache/files/md5/{oid[:2]}/{oid[2:]}": None})


def _of_dvc_2(box: Sandbox) -> None:
    data = "file one\n"
    oid = hashlib.md5(data.encode()).hexdigest()
    pointer = f"outs:\n- md5: {oid}\n  size: {len(data)}\n  path: f.bin\n"
    box.gen({f".dvc/cache/{oid[:2]}/{oid[2:]}": ReadOnly(data), "f.bin": data, "f.bin.dvc": pointer})
    box.commit("made by DVC 2")


def _large(box: Sandbox) -> None:
    """Files above what is read in one piece."""
    box.gen({"f.bin": b"large\n" * (3 << 17), "d": {"a": b"other\n" * (1 << 18)}})


def _many(box: Sandbox) -> None:
    """More files than a batch holds, so that threads share the work."""
    box.gen({"f.bin": "file one\n", "d": {f"{n % 9}/{n}": f"{n}\n" for n in range(600)}})


def _many_gone(box: Sandbox) -> None:
    _many(box)
    box.run("add", "f.bin", "d")
    box.commit("many")
    box.git("clean", "-Xdfq", "--", "f.bin", "d")


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
    Case("repro-line", _line, ("repro",)),
    Case("repro-changed", _line_changed, ("repro",), remade=LINE_OUTS),
    Case("repro-remembered", _line_changed_back, ("repro",), remade=LINE_OUTS),
    Case("repro-beside", _beside, ("repro", "-j", "2"), most=400),
    Case(
        "stage-add",
        _line_that_ran,
        ("stage", "add", "-n", "four", "-d", "two", "-p", "lr", "-o", "four.bin", "cat two/x > four.bin"),
        reruns=(0, 255),
    ),
    Case("undo", _to_be_undone, ("undo",), reruns=(0, 255)),
    Case("repair", _to_be_repaired, ("repair",)),
    Case("migrate", _of_dvc_2, ("cache", "migrate", "--dvc-files")),
    Case("destroy", _tracked, ("destroy", "-f"), reruns=(0, 253)),
    Case("unprotect", _linked, ("unprotect", "f.bin", "d")),
    Case("remove-linked", _linked, ("remove", "d.dvc"), reruns=(0, 1, 255)),
    Case("add-linked", _linked_and_changed, ("add", "f.bin", "d"), most=200),
    Case("checkout-linked", _linked_revisions, ("checkout",)),
    Case("add-large", _large, ("add", "f.bin", "d"), most=120),
    Case("add-many", _many, ("add", "f.bin", "d"), most=60),
    Case("checkout-many", _many_gone, ("checkout",), most=60),
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
    "EIO": {"write", "fsync", "fdatasync", "syncfs", "rename", "renameat", "copy_file_range"},
    "EMFILE": {"openat"},
    "EACCES": {
        *("openat", "rename", "renameat", "renameat2", "mkdir", "unlink", "unlinkat", "rmdir"),
        *("link", "linkat", "chmod", "fchmod", "symlink"),
    },
}
