"""What every test may ask for: our command, the real DVC, repositories made by either.

The tools run in an environment of their own (`tests.fixtures.sandbox`); servers come from
`tests.fixtures.servers`.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures import sandbox
from tests.fixtures.sandbox import Sandbox, Tool

pytest_plugins = ["tests.fixtures.servers"]

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile(
    "quick", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
settings.register_profile("long", max_examples=5000, deadline=None, suppress_health_check=list(HealthCheck))
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


def find_dvc() -> str:
    """The real DVC: ``FF_TEST_DVC``, or the environment that ``make test`` creates.

    Raises:
        FileNotFoundError: neither is there.
    """
    path = os.environ.get("FF_TEST_DVC") or str(ROOT / ".venv-dvc" / "bin" / "dvc")
    if os.access(path, os.X_OK):
        return path
    raise FileNotFoundError(
        f"no real dvc at {path}; run: make envs  (or set FF_TEST_DVC=<path to dvc 3.67.1>)"
    )


def find_ff() -> str:
    """Our own command, of the environment that runs the tests."""
    return os.environ.get("FF_TEST_FF") or str(Path(sys.executable).with_name("ff"))


@pytest.fixture(scope="session")
def real_dvc() -> str:
    """The path of the real DVC's executable."""
    try:
        return find_dvc()
    except FileNotFoundError as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def ff(tmp_path: Path) -> Tool:
    """Our command: ``ff("add", "data", cwd=repo)``."""
    return Tool([find_ff()], tmp_path / "home")


@pytest.fixture
def dvc(tmp_path: Path, real_dvc: str) -> Tool:
    """The real DVC, called like `ff`."""
    return Tool([real_dvc], tmp_path / "home")


@pytest.fixture
def gen(tmp_path: Path) -> Callable[..., Path]:
    """Make files: ``gen({"data": {"a": "1"}}, "repo")`` below the temporary folder; its root."""

    def make(tree: sandbox.Tree, below: str | Path = "") -> Path:
        root = tmp_path / below
        root.mkdir(parents=True, exist_ok=True)
        sandbox.gen(root, tree)
        return root

    return make


def _git_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("git-template")
    Sandbox(base / "repo", Tool(["git"], base / "home")).git("init", "--quiet", "--initial-branch", "main")
    return base / "repo"


def _tool_template(tmp_path_factory: pytest.TempPathFactory, command: str) -> Path:
    """A repository after `git init`, `<command> init` and a commit; copied for each test."""
    base = tmp_path_factory.mktemp("template")
    repo = Sandbox(base / "repo", Tool([command], base / "home"))
    repo.git("init", "--quiet", "--initial-branch", "main")
    repo.run("init", "--quiet")
    repo.commit("init")
    return repo.path


@pytest.fixture(scope="session")
def git_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty Git repository to copy."""
    return _git_template(tmp_path_factory)


@pytest.fixture(scope="session")
def dvc_template(tmp_path_factory: pytest.TempPathFactory, real_dvc: str) -> Path:
    """A repository that the real DVC began, to copy."""
    return _tool_template(tmp_path_factory, real_dvc)


@pytest.fixture(scope="session")
def ff_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository that our command began, to copy."""
    return _tool_template(tmp_path_factory, find_ff())


def _copy(template: Path, to: Path) -> Path:
    shutil.copytree(template, to, symlinks=True)
    return to


@pytest.fixture
def git_repo(tmp_path: Path, git_template: Path, ff: Tool) -> Sandbox:
    """A Git repository without DVC; ``run`` is our command."""
    return Sandbox(_copy(git_template, tmp_path / "repo"), ff)


@pytest.fixture
def ff_repo(tmp_path: Path, ff_template: Path, ff: Tool) -> Sandbox:
    """A repository that `ff init` began and Git committed; ``run`` is our command."""
    return Sandbox(_copy(ff_template, tmp_path / "repo"), ff)


@pytest.fixture
def dvc_repo(tmp_path: Path, dvc_template: Path, dvc: Tool) -> Sandbox:
    """A repository that `dvc init` began and Git committed; ``run`` is the real DVC."""
    return Sandbox(_copy(dvc_template, tmp_path / "dvc-repo"), dvc)
