"""Add, commit and checkout beside the real DVC: the same start, the same command, the same bytes."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.compat.snapshot import Snapshot, compare, take
from tests.conftest import find_dvc, find_ff
from tests.fixtures.sandbox import Tool, environment, make_home
from tests.project import test_twins
from tests.project.test_twins import Case, Twin, prepared

#: The fixture: a repository with one of each kind, made by the real DVC.
start = test_twins.start

LINKED = "printf '[cache]\\n    type = {}\\n' > .dvc/config; "
GONE = "rm -rf .dvc/cache; "

CASES = [
    # --- add: files
    Case("add a file again", "add f"),
    Case("add a file that changed", "add f", before="echo changed > f"),
    Case("add a new file", "add z", before="echo z > z"),
    Case("add several", "add z d f sub/in", before="echo z > z; echo new > d/new"),
    Case("add from a folder", "add ../z in y", before="echo z > z; echo y > sub/y", cwd="sub"),
    Case("add with a slash at the end", "add e/", before="mkdir e; echo 1 > e/x"),
    Case(
        "add a name with everything",
        "add \"it's: a #1 'x' {y} [z] & *\"",
        before="echo 1 > \"it's: a #1 'x' {y} [z] & *\"",
    ),
    Case("add a name with a line end", "add 'a\nb'", before="printf 1 > 'a\nb'"),
    Case(
        "add a name that YAML takes for a number",
        "add 1e3 true null '~' 2020-01-01",
        before="for n in 1e3 true null '~' 2020-01-01; do echo $n > $n; done",
    ),
    Case("add names of other scripts", "add 'é' 'データ'", before="echo 1 > 'é'; echo 2 > 'データ'"),
    Case("add an executable", "add z", before="echo z > z; chmod 755 z"),
    Case("add what only its group executes", "add z", before="echo z > z; chmod 654 z"),
    Case("add what nobody may write", "add z", before="echo z > z; chmod 444 z"),
    Case("add what became executable", "add f", before="chmod +x f"),
    Case("add an empty file", "add z", before=": > z"),
    Case("add a link to a file", "add z", before="ln -s code z; echo 1 > code"),
    Case(
        "add what lies in an ignored folder", "add sub/z", 1, before="echo z > sub/z; echo /sub >> .gitignore"
    ),
    Case("add what Git ignores already", "add z.pyc", before="echo z > z.pyc"),
    Case("add without saving", "add --no-commit f z", before="echo z > z; echo new > f"),
    Case("add without linking", "add --no-relink z", before="echo z > z; chmod 600 z"),
    Case(
        "add by pattern",
        "add --glob 'sub/*.csv' 'z*'",
        before="echo 1 > sub/a.csv; echo 2 > sub/b.csv; echo 3 > z1; echo 4 > sub/c",
    ),
    Case("add by a pattern that matches nothing", "add --glob 'sub/*.parquet'", 1),
    Case("add keeps what people wrote", "add noted", before="echo more > noted"),
    Case("add under a pointer file of another name", "add odd", before="echo more > odd"),
    Case("add an import", "add imported", before="echo more > imported"),
    Case("add into a cache that is gone", "add f d", before=GONE),
    Case(
        "add and stage",
        "add z f",
        before="echo z > z; echo 1 > f; printf '[core]\\n    autostage = true\\n' > .dvc/config",
    ),
    # --- add: directories
    Case("add a directory", "add e", before="mkdir -p e/x/y; echo 1 > e/x/y/z; echo 2 > e/a; chmod 755 e/a"),
    Case("add an empty directory", "add e", before="mkdir e"),
    Case("add a directory of empty directories", "add e", before="mkdir -p e/x/y"),
    Case("add a directory again", "add d"),
    Case("add a directory that changed", "add d", before="echo more > d/more; rm d/a"),
    Case("add a directory with a repository in it", "add e", before="mkdir e; git init -q e; echo 1 > e/f"),
    Case("add a directory with a pipeline in it", "add e", before="mkdir e; echo 'stages: {}' > e/dvc.yaml"),
    Case("add a directory with links to files", "add e", before="mkdir e; echo 1 > e/f; ln -s f e/g"),
    Case(
        "add a directory with links to directories",
        "add e",
        before="mkdir e e/h; echo 1 > e/h/f; ln -s h e/g",
    ),
    Case("add a directory where a file was", "add f", before="rm f; mkdir f; echo 1 > f/x"),
    Case("add a file where a directory was", "add d", before="rm -r d; echo 1 > d"),
    # --- add: inside a directory
    Case("add a new file in a directory", "add d/new", before="echo new > d/new"),
    Case("add a changed file in a directory", "add d/a", before="echo new > d/a"),
    Case("add an unchanged file in a directory", "add d/a", before="echo new > d/new"),
    Case("add a deleted file in a directory", "add d/a", before="rm d/a"),
    Case("add a deleted folder in a directory", "add d/b", before="rm -r d/b"),
    Case("add a folder in a directory", "add d/b", before="echo 1 > d/b/new; echo 2 > d/left-out"),
    Case("add a new folder in a directory", "add d/n", before="mkdir -p d/n/m; echo 1 > d/n/m/x"),
    Case("add an empty folder in a directory", "add d/n", before="mkdir -p d/n"),
    Case("add two files in a directory", "add d/x d/y", before="echo 1 > d/x; echo 2 > d/y"),
    Case("add in a directory without saving", "add --no-commit d/x", before="echo 1 > d/x"),
    Case("add what a directory never had", "add d/nothing", 1),
    Case("add what lies in a file", "add f/x", 1),
    # --- add: refusals
    Case("add nothing", "add nothing", 1),
    Case("add the root", "add .", 1),
    Case("add what is above", "add ..", 1),
    Case("add from outside", "add ../outside", 1, before="echo 1 > ../outside"),
    Case("add the folder of DVC", "add .dvc", 1),
    Case("add a file of DVC", "add .dvc/config", 1),
    Case("add the folder of Git", "add .git", 1),
    Case("add a pointer file", "add f.dvc", 1),
    Case("add a pipeline", "add dvc.yaml", 1),
    Case("add around what is tracked", "add sub", 1),
    Case("add what lies in one another", "add e/a e", 1, before="mkdir e; echo 1 > e/a"),
    Case("add what a stage makes", "add out", 1),
    Case("add what Git tracks", "add source", 1),
    Case("add a directory in which Git tracks", "add e", 1, before="mkdir e; echo 1 > e/f; git add e/f"),
    Case("add a link to a directory", "add z", 1, before="ln -s sub z"),
    Case("add through a link", "add z/in", 1, before="ln -s sub z"),
    Case("add a link to nothing", "add z", 1, before="ln -s nowhere z"),
    Case("add what is ignored", "add z.tmp", 1, before="echo 1 > z.tmp; echo '*.tmp' > .dvcignore"),
    Case(
        "add where the pointer file would be ignored",
        "add z",
        1,
        before="echo 1 > z; echo '*.dvc' >> .gitignore; git rm -q --cached '*.dvc'",
    ),
    Case("add beside a broken pointer file", "add z", 1, before="echo z > z; echo '[' > broken.dvc"),
    # --- add: links
    *(
        Case(
            f"add with {kind} links",
            "add z e d",
            before=LINKED.format(kind) + "echo z > z; mkdir e; echo 1 > e/a; : > e/void; echo 3 > e/b",
        )
        for kind in ("hardlink", "symlink", "copy", "hardlink,copy", "reflink")
    ),
    Case(
        "add again with hard links", "add f d", before=LINKED.format("hardlink") + "echo 1 > d/a; echo 2 > f"
    ),
    Case(
        "add into a shared cache",
        "add z e",
        before="printf '[cache]\\n    shared = group\\n' > .dvc/config; echo z > z; mkdir e; echo 1 > e/a",
    ),
    # --- commit
    Case("commit what is unchanged", "commit"),
    Case("commit a target that is unchanged", "commit f d.dvc"),
    Case("commit what changed", "commit f", 1, before="echo 1 > f"),
    Case("commit what changed by force", "commit -f f", before="echo 1 > f"),
    Case("commit a directory by force", "commit -f d", before="echo 1 > d/a; rm d/b/c; echo 2 > d/new"),
    Case(
        "commit a folder of pointer files by force", "commit -f -R sub", before="echo 1 > sub/in; echo 2 > f"
    ),
    Case("commit everything by force", "commit -f", before="echo 1 > f; echo 2 > noted; echo 3 > x"),
    Case("commit what is gone", "commit f", 1, before="rm f"),
    Case("commit what is gone by force", "commit -f f", 1, before="rm f"),
    Case("commit what is not tracked", "commit z", 1, before="echo 1 > z"),
    Case("commit into a cache that is gone", "commit f d", before=GONE),
    Case("commit keeps what people wrote", "commit -f noted", before="echo more > noted"),
    Case("commit a stage that changed", "commit one", 1, before="echo 1 > out"),
    Case("commit a stage by force", "commit -f one", before="echo 1 > out"),
    Case("commit a stage and what it needs by force", "commit -f -d one", before="echo 1 > out; echo 2 > f"),
    # --- checkout
    Case("checkout of nothing changed", "checkout"),
    Case("checkout of a lost file", "checkout f", before="rm f"),
    Case("checkout of a lost directory", "checkout d", before="rm -r d"),
    Case("checkout of everything lost", "checkout", before="rm -r f d x noted odd sub/in out two"),
    Case("checkout of an edited file", "checkout f", 255, before="echo 1 > f"),
    Case("checkout of an edited file by force", "checkout -f f", before="echo 1 > f"),
    Case("checkout of a file with saved content", "checkout f", before="cp noted f"),
    Case("checkout of a directory with an edit", "checkout d", 255, before="echo 1 > d/a"),
    Case("checkout of a directory with an edit by force", "checkout -f d", before="echo 1 > d/a"),
    Case("checkout of a directory with a new file", "checkout d", 255, before="echo 1 > d/new"),
    Case("checkout of a directory with a new file by force", "checkout -f d", before="echo 1 > d/new"),
    Case("checkout of a directory with a new saved file", "checkout d", before="cp f d/new"),
    Case("checkout of a directory with a lost file", "checkout d", before="rm d/a"),
    Case("checkout of a directory with a lost folder", "checkout d", before="rm -r d/b"),
    Case("checkout of a file in a directory", "checkout d/a", before="rm -r d/a d/b"),
    Case("checkout of a folder in a directory", "checkout d/b", before="rm -r d/a d/b"),
    Case("checkout of a directory in place of a file", "checkout d", before="rm -r d; cp f d"),
    Case("checkout of a file in place of an empty directory", "checkout f", before="rm f; mkdir f"),
    Case("checkout of an executable", "checkout x", before="rm x"),
    Case("checkout of a pointer file", "checkout sub/in.dvc", before="rm sub/in"),
    Case("checkout of a folder of pointer files", "checkout -R sub", before="rm sub/in f"),
    Case("checkout from a folder", "checkout in", before="rm sub/in", cwd="sub"),
    Case("checkout of a stage", "checkout one", before="rm out two"),
    Case("checkout with dependencies", "checkout -d one", before="rm out f two"),
    Case("checkout of nothing", "checkout nothing", 255),
    Case("checkout of an untracked file", "checkout z", 255, before="echo 1 > z"),
    Case("checkout from a cache that is gone", "checkout", 255, before="rm -r f d; " + GONE),
    Case(
        "checkout from a cache that is gone, allowed", "checkout --allow-missing", before="rm -r f d; " + GONE
    ),
    Case(
        "checkout of another version",
        "checkout f",
        before="sed -i s/$(md5sum < f | cut -c1-32)/$(md5sum < noted | cut -c1-32)/ f.dvc",
    ),
    *(
        Case(
            f"checkout anew with {kind} links",
            "checkout --relink",
            before=LINKED.format(kind) + "chmod -x x; sed -i '/isexec/d' x.dvc",
        )
        for kind in ("hardlink", "symlink", "copy")
    ),
]


def meaning(root: Path) -> dict[str, bytes | str]:
    """What every path outside of the cache says: its bytes, or where the user's own link leads."""
    found: dict[str, bytes | str] = {}
    for path, entry in take(root).items():
        if entry.kind == "folder" or path.startswith(".dvc/cache/"):
            continue
        is_own_link = entry.kind == "symlink"
        found[path] = entry.link if is_own_link else (root / path).read_bytes()
    return found


class Left(NamedTuple):
    """What a command left: its exit code, the files, and Git's index."""

    code: int
    files: Snapshot
    git: str


def seen(twin: Twin, code: int) -> Left:
    git = Tool(["git"], twin.tool.home)("ls-files", "--stage", cwd=twin.root).stdout
    return Left(code, take(twin.root), git)


#: One process of the real DVC that runs a command a line: starting it costs more than the commands do.
DRIVER = """
import json, os, sys
answers, sys.stdout = sys.stdout, open(os.devnull, "w")
from dvc.cli import main
for line in sys.stdin:
    cwd, words = json.loads(line)
    os.chdir(cwd)
    print(main(words), file=answers, flush=True)
"""


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Path, str], int]]:
    """Run a command line of the real DVC in a folder; its exit code."""
    home = make_home(tmp_path_factory.mktemp("real") / "home")
    python = str(Path(find_dvc()).with_name("python"))
    with subprocess.Popen(
        [python, "-c", DRIVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(home),
        umask=0o022,
        text=True,
    ) as driver:

        def run(cwd: Path, line: str) -> int:
            assert driver.stdin is not None
            assert driver.stdout is not None
            driver.stdin.write(json.dumps([str(cwd), shlex.split(line)]) + "\n")
            driver.stdin.flush()
            return int(driver.stdout.readline())

        yield run
        driver.stdin.close()  # type: ignore[union-attr]


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_the_same_command_leaves_the_same_bytes_and_can_be_undone(
    tmp_path: Path, start: Path, real: Callable[[Path, str], int], case: Case
) -> None:
    theirs = prepared(start, Twin(tmp_path, find_dvc(), "dvc."), case)
    expected = seen(theirs, real(theirs.root / case.cwd, case.command))
    ours = prepared(start, Twin(tmp_path, find_ff(), "ours"), case)
    before = meaning(ours.root)
    ran = ours.tool(*shlex.split(case.command), cwd=ours.root / case.cwd, check=False)
    after = seen(ours, ran.code)
    assert (expected.code, ran.code) == (case.code, case.code), str(ran)
    assert not compare(after.files, expected.files), "\n".join(map(str, compare(after.files, expected.files)))
    assert after.git == expected.git
    if list((ours.root / ".dvc").glob("fourfold/ops/*")):
        ours.tool("undo", cwd=ours.root)
        assert meaning(ours.root) == before
