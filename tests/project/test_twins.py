"""The verbs of this floor beside the real DVC: the same start, the same command, the same bytes."""

import json
import os
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Tool, find_dvc, find_ff
from tests.fixtures.sandbox import Exec, gen, make_home

PIPELINE = """\
# how it is made
stages:
  one:   # the first
    cmd: cp f out
    deps: [f]
    outs:
    - out
  two:
    cmd: echo 2 > two
    outs: [two]
  each:
    foreach: [a, b]
    do:
      cmd: echo ${item} > ${item}.txt
      outs: ['${item}.txt']
"""


class Case(NamedTuple):
    """A command and what is done by hand before it.

    Both exit with ``code``; without ``cache`` the real DVC saves content that we leave for ``commit``.
    """

    name: str
    command: str
    code: int = 0
    before: str = ""
    cwd: str = "."
    cache: bool = True


CASES = [
    Case("move a file", "move f g"),
    Case("move a file by its short name", "mv f g"),
    Case("move an executable", "move x y"),
    Case("move into a folder", "move f sub"),
    Case("move with a new name into a folder", "move f sub/g"),
    Case("move a directory", "move d sub/e"),
    Case("move out of a folder", "move sub/in ."),
    Case("move up from within a folder", "move in ../up", cwd="sub"),
    Case("move the last entry of a gitignore", "move sub/in in2"),
    Case("move a name with a space", "move 'sp ace' plain"),
    Case("move onto an untracked file", "move f z", before="echo z > z"),
    Case("move onto a pointer file", "move f d.txt", 1, before="cp f.dvc d.txt.dvc"),
    Case("move to itself", "move f f", 1),
    Case("move data that is missing", "move f g", before="rm f"),
    Case("move data that changed", "move f g", before="echo changed > f", cache=False),
    Case("move a directory that changed", "move d e", before="echo more > d/more; rm d/a", cache=False),
    Case("move into a folder that is not there", "move f nowhere/g", 1),
    Case("move what is not tracked", "move nothing g", 1),
    Case("move what lies inside", "move d/a g", 1),
    Case("move what a stage makes", "move out g", 1),
    Case("move into tracked data", "move f d/f", 1),
    Case("move out of the project", "move f ../g", 1),
    Case("move with a pointer file of another name", "move odd renamed"),
    Case("move keeps what people wrote", "move noted moved"),
    Case("move an import", "move imported elsewhere"),
    Case("move an import into a folder", "move imported sub"),
    Case("remove a file", "remove f.dvc"),
    Case("remove by the short name", "rm f.dvc"),
    Case("remove several", "remove f.dvc d.dvc"),
    Case("remove in a folder", "remove in.dvc", cwd="sub"),
    Case("remove with the data", "remove d.dvc --outs"),
    Case("remove data that is missing", "remove f.dvc --outs", before="rm f"),
    Case("remove a name with a space", "remove 'sp ace.dvc'"),
    Case("remove an output by its own name", "remove f", 1),
    Case("remove nothing", "remove nothing.dvc", 1),
    Case("remove a stage", "remove one"),
    Case("remove a stage with its data", "remove one --outs"),
    Case("remove a stage that is not there", "remove three", 1),
    Case("remove a stage by its file", "remove dvc.yaml:two"),
    Case("remove a group", "remove each", 1),
    Case("freeze an import", "freeze imported.dvc"),
    Case("freeze added data", "freeze f.dvc"),
    Case("freeze a stage", "freeze one"),
    Case(
        "freeze twice", "freeze two", before="sed -i 's/cmd: echo 2/frozen: true\\n    cmd: echo 2/' dvc.yaml"
    ),
    Case("freeze several", "freeze f.dvc two"),
    Case("freeze what comes from a template", "freeze each@a", 1),
    Case("freeze nothing", "freeze nothing", 1),
    Case("freeze an output", "freeze f", 1),
    Case("unfreeze a pointer file", "unfreeze f.dvc", before="echo 'frozen: true' >> f.dvc"),
    Case(
        "unfreeze keeps comments",
        "unfreeze noted.dvc",
        before="sed -i '1i # note\\nfrozen: true # why' noted.dvc",
    ),
    Case(
        "unfreeze a stage",
        "unfreeze two",
        before="sed -i 's/cmd: echo 2/frozen: true\\n    cmd: echo 2/' dvc.yaml",
    ),
    Case("unfreeze what is not frozen", "unfreeze one"),
    # The real DVC takes the executable bit away from files that it detaches; we do not.
    Case("destroy", "destroy -f", before="chmod -x x"),
]


class Twin:
    """One of the two folders, and its tool."""

    def __init__(self, base: Path, command: str, name: str) -> None:
        # Both are called alike, so that absolute paths have the same length and place.
        self.root = base / name / "repo"
        self.tool = Tool([command], make_home(base / name / "home"))

    def snapshot(self) -> dict[str, object]:
        """Every file that is the project's: bytes, kind and mode; and Git's index."""
        found: dict[str, object] = {}
        for folder, folders, names in os.walk(self.root):
            relative = os.path.relpath(folder, self.root)
            folders[:] = sorted(
                set(folders)
                - {".git", "tmp" if relative == ".dvc" else "", "fourfold" if relative == ".dvc" else ""}
            )
            for name in names:
                path = os.path.join(folder, name)
                mode = os.lstat(path).st_mode
                found[os.path.normpath(os.path.join(relative, name))] = (oct(mode), Path(path).read_bytes())
        git = Tool(["git"], self.tool.home)
        found["git index"] = git("ls-files", "--stage", cwd=self.root).stdout
        return found


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one of each kind, made by the real DVC."""
    base = tmp_path_factory.mktemp("start")
    home = make_home(base / "home")
    dvc, git, root = Tool([find_dvc()], home), Tool(["git"], home), base / "repo"
    root.mkdir()
    git("init", "--quiet", cwd=root)
    dvc("init", "--quiet", cwd=root)
    tree = {"f": "f\n", "d": {"a": "a", "b/c": "c"}, "x": Exec("#!/bin/sh\n"), "sp ace": "s", "noted": "n"}
    gen(
        root,
        {**tree, "sub/in": "i", "odd": "o", "dvc.yaml": PIPELINE, ".gitignore": "*.pyc\n", "source": "src"},
    )
    dvc("add", "--quiet", "f", "d", "x", "sp ace", "sub/in", "odd", "noted", cwd=root)
    (root / "odd.dvc").rename(root / "called-otherwise.dvc")
    note = "# kept?\nmeta: {who: me}\ndesc: about it\n" + (root / "noted.dvc").read_text()
    (root / "noted.dvc").write_text(note)
    dvc("import-url", "--quiet", "source", "imported", cwd=root)
    dvc("repro", "--quiet", cwd=root)
    git("add", "--all", cwd=root)
    git("commit", "--quiet", "--message", "start", cwd=root)
    return root


#: Runs many commands of the real DVC in one process: starting it costs more than the commands do.
DRIVER = """
import json, os, sys
from dvc.cli import main
codes = []
for cwd, words in json.load(sys.stdin):
    os.chdir(cwd)
    codes.append(main(words))
print(json.dumps(codes))
"""


def prepared(start: Path, twin: Twin, case: Case) -> Twin:
    """A copy of the start, changed by hand as the case says."""
    shutil.copytree(start, twin.root, symlinks=True)
    if case.before:
        Tool(["sh"], twin.tool.home)("-c", case.before, cwd=twin.root)
    return twin


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, start: Path) -> dict[str, tuple[int, dict[str, object]]]:
    """What every case leaves when the real DVC does it: its exit code, and the files."""
    base = tmp_path_factory.mktemp("theirs")
    twins = {
        case.name: prepared(start, Twin(base, find_dvc(), str(at)), case) for at, case in enumerate(CASES)
    }
    jobs = [(str(twins[case.name].root / case.cwd), shlex.split(case.command)) for case in CASES]
    python = Tool([str(Path(find_dvc()).with_name("python"))], make_home(base / "home"))
    ran = python("-c", DRIVER, cwd=base, stdin=json.dumps(jobs))
    codes = json.loads(ran.stdout.splitlines()[-1])
    return {case.name: (code, twins[case.name].snapshot()) for case, code in zip(CASES, codes, strict=True)}


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_the_same_command_leaves_the_same_bytes_and_can_be_undone(
    tmp_path: Path, start: Path, theirs: dict[str, tuple[int, dict[str, object]]], case: Case
) -> None:
    ours = prepared(start, Twin(tmp_path, find_ff(), "ours"), case)
    before = ours.snapshot()
    ran = ours.tool(*shlex.split(case.command), cwd=ours.root / case.cwd, check=False)
    code, files = theirs[case.name]
    assert (code, ran.code) == (case.code, case.code), str(ran)
    if not case.cache:
        files = {name: file for name, file in files.items() if name in ours.snapshot() or "cache" not in name}
    assert ours.snapshot() == files
    if list((ours.root / ".dvc").glob("fourfold/ops/*")):
        ours.tool("undo", cwd=ours.root)
        assert ours.snapshot() == before


def test_removing_what_comes_from_a_template_changes_nothing(start: Path, tmp_path: Path) -> None:
    twin = Twin(tmp_path, find_ff(), "b")
    shutil.copytree(start, twin.root, symlinks=True)
    before = twin.snapshot()
    assert twin.tool("remove", "each@a", cwd=twin.root, check=False).code == 1
    assert twin.snapshot() == before
