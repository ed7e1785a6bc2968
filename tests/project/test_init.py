"""Beginning a project, beside the real DVC."""

import os
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

from fourfold.project.init import InitRefusedError, init
from tests.conftest import Tool, find_ff
from tests.fixtures.sandbox import environment, make_home


class Case(NamedTuple):
    """What is done by hand, then the command; both exit with ``code``."""

    name: str
    command: str
    code: int = 0
    before: str = "git init -q"
    cwd: str = "."


CASES = [
    Case("in a repository", "init"),
    Case("without git", "init", 1, before="true"),
    Case("without git on purpose", "init --no-scm", before="true"),
    Case("without git on purpose inside a repository", "init --no-scm"),
    Case("below the root", "init", 1, before="git init -q; mkdir sub", cwd="sub"),
    Case("below the root on purpose", "init --subdir", before="git init -q; mkdir sub", cwd="sub"),
    Case("at the root as if below", "init --subdir"),
    Case("in a folder that is not there", "init nowhere", 1),
    Case("in a folder that is made", "init --subdir nowhere"),
    Case("where a project is", "init", 1, before="git init -q; mkdir .dvc; echo x > .dvc/config"),
    Case("over a project", "init -f", before="git init -q; mkdir -p .dvc/cache; echo x > .dvc/config"),
    Case(
        "over a project with ignore rules",
        "init -f",
        before="git init -q; mkdir .dvc; echo /tmp > .dvc/.gitignore",
    ),
    Case("where git ignores it", "init", 1, before="git init -q; echo .dvc > .gitignore"),
    Case("where git ignores folders of it", "init", before="git init -q; echo tmp > .gitignore"),
    Case("where git ignores all of it but itself", "init", before="git init -q; echo cache/ > .gitignore"),
    Case("where ignore rules are already", "init", before="git init -q; echo mine > .dvcignore"),
]


def files_of(root: Path, tool: Tool) -> dict[str, object]:
    found: dict[str, object] = {}
    for folder, folders, names in os.walk(root):
        if ".git" in folders:
            folders.remove(".git")
        for name in names:
            path = Path(folder, name)
            found[str(path.relative_to(root))] = (oct(path.lstat().st_mode), path.read_bytes())
        found[os.path.relpath(folder, root)] = oct(os.lstat(folder).st_mode)
    if (root / ".git").exists():
        found["git index"] = Tool(["git"], tool.home)("ls-files", "--stage", cwd=root).stdout
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.name.replace(" ", "-") for case in CASES])
def test_init_leaves_the_same_bytes_as_the_real_dvc(tmp_path: Path, real_dvc: str, case: Case) -> None:
    left = []
    for name, command in (("theirs", real_dvc), ("ours", find_ff())):
        tool, root = Tool([command], tmp_path / name / "home"), tmp_path / name / "repo"
        root.mkdir()
        Tool(["sh"], tool.home)("-c", case.before, cwd=root)
        ran = tool(*shlex.split(case.command), cwd=root / case.cwd, check=False)
        assert ran.code == case.code, str(ran)
        left.append(files_of(root, tool))
    assert left[1] == left[0]


def test_a_project_that_we_began_is_one_of_the_real_dvc(tmp_path: Path, ff: Tool, dvc: Tool) -> None:
    ff("init", "--no-scm", cwd=tmp_path)
    (tmp_path / "f").write_text("1")
    dvc("add", "f", cwd=tmp_path)
    assert dvc("status", "--json", cwd=tmp_path).json() == {}


def test_a_project_that_cannot_be_made_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("old")
    real, failures = os.rename, [OSError(28, "No space left on device")]

    def failing(source: str, target: str) -> None:
        if target.endswith("/.dvc") and failures:
            raise failures.pop()
        real(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(Exception, match="No space left"):
        init(str(tmp_path), environ=environment(make_home(tmp_path / "home")), no_scm=True, force=True)
    assert (tmp_path / ".dvc" / "config").read_text() == "old"
    assert sorted(name for name in os.listdir(tmp_path) if name.endswith(".tmp")) == []


def test_a_dvc_that_is_a_link_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / ".dvc").symlink_to("elsewhere")
    with pytest.raises(Exception, match="symbolic link"):
        init(str(tmp_path), environ=environment(make_home(tmp_path / "home")), no_scm=True, force=True)
    with pytest.raises(InitRefusedError):
        init(str(tmp_path), environ=environment(make_home(tmp_path / "home")), no_scm=True)
