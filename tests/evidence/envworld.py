"""A project whose environment the real uv filled, the record of a run in it, and a box with its code."""

import os
import shutil
import subprocess
from pathlib import Path

from fourfold.base.clock import SYSTEM
from fourfold.base.events import Event
from fourfold.evidence.replaying.surroundings import Policy, Surroundings, choose
from fourfold.formats.native.record import RunRecord
from fourfold.runs.environment.now import now
from fourfold.runs.place import Place
from fourfold.runs.store import Records, records_of
from tests.fixtures.wheels import Venv, index_of, make_wheel, uv
from tests.runs.recordmaking import Parts, make

PYPROJECT = """\
[project]
name = "thing"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["alpha"]

[dependency-groups]
dev = ["omega"]
"""


class World:
    """A project with an environment that uv filled, the record of a run in it, and a box with its code.

    Attributes:
        root: The project.
        box: Where its code lies again.
        venv: The environment.
        heard: What the last choice told.
    """

    def __init__(self, folder: Path, made: Path) -> None:
        self.made = made
        self.root = folder / "thing"
        self.root.mkdir()
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(made / "thing" / name, self.root)
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "UV_INDEX_URL": f"file://{made}/simple",
            "UV_CACHE_DIR": str(made / "uv"),
            "UV_OFFLINE": "1",
            "UV_PYTHON_DOWNLOADS": "never",
        }
        self.venv = Venv(folder / "venv")
        self.uv("sync", "--frozen", "--group", "dev", UV_PROJECT_ENVIRONMENT=str(self.venv.path))
        self.box = self.root / ".fourfold" / "replays" / "1-a" / "tree"
        self.box.mkdir(parents=True)
        for name in ("pyproject.toml", "uv.lock"):
            shutil.copy(self.root / name, self.box)

    def uv(self, *arguments: str, **environ: str) -> None:
        kept = {name: value for name, value in self.environ.items() if name.startswith("UV_")}
        uv(*arguments, cwd=self.root, **{"UV_LINK_MODE": "copy", **kept, **environ})  # type: ignore[arg-type]

    def install(self, *what: str) -> None:
        self.uv("pip", "install", "--python", str(self.venv.python), *what)

    def place(self, *, active: bool = True) -> Place:
        path = f"{self.venv.path}/bin:{self.environ['PATH']}" if active else self.environ["PATH"]
        own = str(self.root / ".fourfold")
        return Place(str(self.root), own, str(self.root), {**self.environ, "PATH": path}, SYSTEM, None, None)

    def record(self, command: str = "python train.py") -> tuple[Records, RunRecord]:
        """The record of a run in the environment as it is."""
        place = self.place()
        records = records_of(place)
        facts = now(place, str(self.venv.python), records.keep)
        return records, make(Parts(), command=(command,), environment=facts)

    def lock(self, name: str, data: str) -> None:
        """Another lock in place of ``uv.lock``, in the project and in the box."""
        for folder in (self.root, self.box):
            (folder / "uv.lock").unlink(missing_ok=True)
            (folder / name).write_text(data)

    def choose(
        self, records: Records, record: RunRecord, policy: Policy = "auto", *, active: bool = True
    ) -> Surroundings:
        """What a replay would get."""
        self.heard: list[Event] = []
        place = self.place(active=active)
        return choose(place, records, record, policy=policy, folder=str(self.box), events=self.heard.append)

    @property
    def has_built(self) -> bool:
        """Whether the last choice had to build something."""
        return any("building" in str(event) for event in self.heard)

    def run(self, found: Surroundings, code: str, command: str = "python") -> str:
        """What a program says that a command of a replay starts in the box."""
        environ = {**self.place(active=False).environ, **found.environ}
        words = [*(found.wrap or ()), "/bin/sh", "-c", f"{command} -c '{code}'"]
        return subprocess.run(
            words, cwd=self.box, env=environ, check=True, capture_output=True, text=True
        ).stdout


def stock(folder: Path) -> Path:
    """Make wheels, their index, a project with its lock, and uv's cache."""
    wheels = folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "alpha", "1.0", requires=["beta"])
    for name, version in (("beta", "1.0"), ("beta", "1.1"), ("omega", "4"), ("extra", "1")):
        make_wheel(wheels, name, version)
    root = folder / "thing"
    root.mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT)
    uv("lock", cwd=root, UV_INDEX_URL=index_of(wheels, folder / "simple"), UV_CACHE_DIR=str(folder / "uv"))
    return folder
