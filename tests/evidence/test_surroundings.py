"""Which environment a replay gets: a uv project whose run was recorded; its environment moves on."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.base.events import silent
from fourfold.evidence.surroundings import EnvironmentDiffersError, Policy, Surroundings, choose
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

    def choose(
        self, records: Records, record: RunRecord, policy: Policy = "auto", *, active: bool = True
    ) -> Surroundings:
        return choose(
            self.place(active=active), records, record, policy=policy, folder=str(self.box), events=silent
        )

    def run(self, found: Surroundings, code: str, command: str = "python") -> str:
        """What a program says that a command of a replay starts in the box."""
        environ = {**self.place(active=False).environ, **found.environ}
        words = [*(found.wrap or ()), "/bin/sh", "-c", f"{command} -c '{code}'"]
        return subprocess.run(
            words, cwd=self.box, env=environ, check=True, capture_output=True, text=True
        ).stdout


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheels, their index, a project with its lock, and uv's cache, made once."""
    folder = tmp_path_factory.mktemp("made")
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


@pytest.fixture
def world(tmp_path: Path, made: Path) -> World:
    return World(tmp_path, made)


def test_the_running_environment_is_taken_when_it_is_the_recorded_one(world: World) -> None:
    found = world.choose(*world.record())
    assert (found.how, found.differences, found.wrap, dict(found.environ)) == ("running", (), None, {})
    assert found.executable == str(world.venv.python)


def test_the_recorded_environment_is_found_where_it_stood_though_it_is_not_active(world: World) -> None:
    records, record = world.record()
    found = world.choose(records, record, active=False)
    assert (found.how, found.differences) == ("running", ())
    assert found.environ["PATH"].startswith(f"{world.venv.path}/bin:")
    assert found.environ["VIRTUAL_ENV"] == str(world.venv.path)
    assert world.run(found, "import alpha, sys; print(sys.prefix)").strip() == str(world.venv.path)


def test_another_environment_is_built_from_the_recorded_lock_with_the_groups_of_then(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0", "extra")
    found = world.choose(records, record)
    assert (found.how, found.differences) == ("lock", ())
    assert found.executable.startswith(str(world.root / ".fourfold" / "environments"))
    said = world.run(found, "import alpha, beta, omega; print(beta.VERSION)")
    assert said.strip() == "1.1"


def test_what_cannot_be_built_is_refused_with_what_differs(world: World) -> None:
    world.install("extra")
    records, record = world.record()
    world.install("beta==1.0")
    world.uv("pip", "uninstall", "--python", str(world.venv.python), "extra")
    with pytest.raises(EnvironmentDiffersError) as caught:
        world.choose(records, record)
    assert caught.value.message == "the environment is not the recorded one: beta is 1.0, recorded is 1.1"
    assert caught.value.hint == "take the running one and be told what differs: --environment running"
    told = caught.value.details
    assert "extra 1 is not installed" in told
    assert "lock: extra 1 is not installed" in told
    assert any(line.startswith("image: ") for line in told)


def test_by_policy_running_the_running_one_is_taken_and_what_differs_is_told(world: World) -> None:
    records, record = world.record()
    world.install("beta==1.0")
    found = world.choose(records, record, "running")
    assert (found.how, found.differences) == ("running", ("beta is 1.0, recorded is 1.1",))
