"""Fixtures for tests of the project floor."""

from pathlib import Path

import pytest

from tests.fixtures.servers import S3Server
from tests.project.depot import Depot, Place
from tests.project.workplace import Workplace


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    """A fresh project inside a Git repository."""
    return Workplace(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    """A remote in a folder of this machine."""
    root = tmp_path / "remote"
    root.mkdir()
    return Place(str(root), {}, {})


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, folder: Place) -> Place:
    """A remote: a folder of this machine, and a folder of a bucket."""
    if request.param == "folder":
        return folder
    server: S3Server = request.getfixturevalue("rclone_s3")
    return Place(f"s3://{server.make_bucket()}/some/prefix", server.options(), {})


@pytest.fixture
def depot(tmp_path: Path, place: Place) -> Depot:
    """A project that tracks `depot.TREE` and has a remote, empty yet, of each kind."""
    return Depot(tmp_path, place)


@pytest.fixture
def local_depot(tmp_path: Path, folder: Place) -> Depot:
    """The same with a folder as remote only."""
    return Depot(tmp_path, folder)
