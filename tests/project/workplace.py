"""A project of our own making for tests: a Git repository, `init`, and pointer files by hand."""

import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fourfold.project.init import init
from fourfold.project.project import Project
from fourfold.wiring import open_project
from tests.fixtures.sandbox import Tree, environment, gen, make_home


class Workplace:
    """A folder with a project; every `open` gives a fresh `Project`, as a new process would have."""

    def __init__(self, base: Path, *, no_scm: bool = False) -> None:
        self.environ = environment(make_home(base / "home"))
        self.root = base / "work"
        self.root.mkdir()
        if not no_scm:
            self.git("init", "--quiet")
        init(str(self.root), environ=self.environ, no_scm=no_scm)

    def git(self, *args: str) -> str:
        """Run git in the project."""
        done = subprocess.run(
            ["git", *args], cwd=self.root, env=self.environ, check=True, capture_output=True, text=True
        )
        return done.stdout

    def open(self, cwd: str = "") -> Project:
        """The project as a user in ``cwd`` opens it."""
        return open_project(os.path.join(self.root, cwd), environ=self.environ)

    def gen(self, tree: Tree) -> None:
        """Make files."""
        gen(self.root, tree)

    def path(self, name: str) -> str:
        """The absolute path of a file."""
        return os.path.join(self.root, name)

    def text(self, name: str) -> str:
        """The text of a file."""
        return (self.root / name).read_text()

    def exists(self, name: str) -> bool:
        """Whether there is something by that name."""
        return os.path.lexists(self.path(name))

    def track(self, name: str, data: bytes = b"data", *, extra: Mapping[str, str] | None = None) -> str:
        """A file of the workspace, its object in the cache and its pointer file; the object's name."""
        oid = hashlib.md5(data).hexdigest()
        place = self.root / ".dvc" / "cache" / "files" / "md5" / oid[:2] / oid[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            place.write_bytes(data)
            place.chmod(0o444)
        base = os.path.basename(name)
        more = "".join(f"  {key}: {value}\n" for key, value in (extra or {}).items())
        pointer = f"outs:\n- md5: {oid}\n  size: {len(data)}\n  hash: md5\n  path: {base}\n{more}"
        self.gen({name: data, f"{name}.dvc": pointer})
        return oid
