"""A project whose environment the real uv made, from wheels of this machine; a copy for each test."""

import shutil
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Tool
from tests.fixtures.wheels import index_of, make_wheel, repack, uv
from tests.runs.envcheck.uvproject import PYPROJECT, Project


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project, its index and uv's cache, made once."""
    folder = tmp_path_factory.mktemp("made")
    wheels = folder / "wheels"
    wheels.mkdir()
    make_wheel(wheels, "alpha", "1.0", requires=["beta"], scripts={"alpha-tool": b"#!python\nprint(1)\n"})
    for version in ("1.0", "1.1"):
        make_wheel(wheels, "beta", version)
    make_wheel(wheels, "extra", "1")
    repack(wheels, "PyYAML")
    root = folder / "thing"
    root.mkdir()
    (root / "pyproject.toml").write_text(PYPROJECT)
    environ = {"UV_INDEX_URL": index_of(wheels, folder / "simple"), "UV_CACHE_DIR": str(folder / "uv")}
    uv("sync", cwd=root, UV_LINK_MODE="copy", **environ)
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, ff: Tool) -> Project:
    """A project of its own, whose environment is a copy."""
    shutil.copytree(made / "thing", tmp_path / "thing", symlinks=True)
    return Project(tmp_path, made, ff)
