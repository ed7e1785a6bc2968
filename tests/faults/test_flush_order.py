"""What a power cut may find: content is flushed before it is named, and named before anything points to it.

The trace of an undisturbed command is read as a story: which descriptors were written, flushed, closed, and
which path was renamed when. Nothing is injected.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import find_ff
from tests.faults.cases import CASES
from tests.faults.harness import Bench
from tests.faults.tracing import require_strace

_TRACED = (
    *("write", "pwrite64", "copy_file_range", "ftruncate", "ioctl", "fsync", "fdatasync", "syncfs", "sync"),
    *("rename", "renameat", "renameat2", "link", "linkat"),
)
_CALL = re.compile(r"^\d+ +(\w+)\((.*)\) = (-?\d+)(?:<[^>]*>)?")
_QUOTED = re.compile(r'"([^"]*)"')
_DECODED = re.compile(r"<([^<>]*)>")
_OBJECT = re.compile(r"/(?:files/md5/)[0-9a-f]{2}/[0-9a-f]{30}(?:\.dir)?$")


class Step(NamedTuple):
    """One successful call: its name and the paths in it, resolved against the working folder."""

    call: str
    paths: tuple[str, ...]
    line: str


def steps(bench: Bench) -> Iterator[Step]:
    """The calls of one undisturbed run that write, flush or name."""
    bench.rebuild()
    cwd = bench.box / "ws"
    traced = ",".join("?" + call for call in _TRACED)
    subprocess.run(
        [
            *(require_strace(), "-f", "-y", "-q", "-s", "1", "-o", str(bench.log), "-e", f"trace={traced}"),
            *("--", *bench.command),
        ],
        cwd=cwd,
        env=dict(bench.env),
        check=True,
        capture_output=True,
    )
    for line in bench.log.read_text(errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None or match[3].startswith("-"):
            continue
        call, args = match[1], match[2]
        if call == "ioctl" and "FICLONE" not in args:
            continue
        if call in {"rename", "renameat", "renameat2", "link", "linkat"}:
            found = _QUOTED.findall(args)
        else:
            found = _DECODED.findall(args)
        paths = tuple(os.path.normpath(os.path.join(cwd, path)) for path in found)
        yield Step(call, paths, line[:300])


def broken(story: list[Step], box: str) -> list[str]:
    """Every promise that the story breaks."""
    dirty: set[str] = set()
    unnamed: set[str] = set()  # objects whose folder was not flushed since they were named
    wrong = []
    for step in story:
        inside = [path for path in step.paths if path.startswith(box) and not path.startswith(f"{box}/home")]
        if step.call == "syncfs" and inside:
            dirty.clear()
            unnamed.clear()
        elif not inside:
            continue
        elif step.call in {"fsync", "fdatasync"}:
            dirty.discard(inside[0])
            unnamed = {path for path in unnamed if os.path.dirname(path) != inside[0]}
        elif step.call in {"rename", "renameat", "renameat2", "link", "linkat"}:
            source, target = inside[0], inside[-1]
            if _OBJECT.search(target):
                if source in dirty:
                    wrong.append(f"an object is named before it is flushed: {step.line}")
                unnamed.add(target)
            elif target.endswith(".dvc"):
                if source in dirty:
                    wrong.append(f"a pointer file is named before it is flushed: {step.line}")
                if unnamed:
                    wrong.append(f"a pointer file before its object's name is durable: {step.line}")
        else:
            dirty.add(inside[-1])
    wrong += [f"the command ended before the name is durable: {path}" for path in sorted(unnamed)]
    return wrong


@pytest.mark.parametrize("name", ["add-new", "add", "commit", "push", "fetch", "pull"])
def test_content_is_durable_before_its_name_and_its_name_before_what_points_to_it(
    tmp_path: Path, name: str
) -> None:
    case = next(case for case in CASES if case.name == name)
    bench = Bench(tmp_path, case, find_ff())
    story = list(steps(bench))
    objects = [step for step in story if any(map(_OBJECT.search, step.paths)) and "name" in step.call]
    assert objects, "the trace shows no object: the test sees nothing"
    assert broken(story, str(bench.box)) == []


def test_files_of_the_workspace_are_flushed_before_they_replace_others(tmp_path: Path) -> None:
    case = next(case for case in CASES if case.name == "checkout")
    bench = Bench(tmp_path, case, find_ff())
    dirty: set[str] = set()
    placed = 0
    for step in steps(bench):
        if step.call == "syncfs":
            dirty.clear()
        elif step.call in {"fsync", "fdatasync"}:
            dirty.discard(step.paths[0])
        elif step.call.startswith("rename"):
            source, target = step.paths[0], step.paths[-1]
            if target.startswith(f"{bench.box}/ws/d") or target == f"{bench.box}/ws/f.bin":
                placed += 1
                below = [path for path in dirty if path == source or path.startswith(source + "/")]
                assert not below, step.line
        elif not step.call.startswith("link"):
            dirty.update(step.paths[-1:])
    assert placed
