"""The fact ``lock`` of a record: locks that the real uv wrote, environments that it filled."""

import importlib.metadata
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.fact import Fact
from fourfold.runs.lockcheck import fact
from fourfold.runs.place import Place
from tests.fixtures.wheels import Venv, index_of, make_wheel, uv

PYPROJECT = """\
[project]
name = "thing"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["alpha"]

[project.optional-dependencies]
more = ["delta"]

[dependency-groups]
dev = ["omega"]
"""


class Project:
    """A project whose environment uv made.

    Attributes:
        root: Its folder.
        index: The package index that it uses.
        venv: Its environment.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "thing"
        self.root.mkdir()
        wheels = folder / "wheels"
        wheels.mkdir()
        make_wheel(
            wheels,
            "alpha",
            "1.0",
            requires=["beta>=1", "gamma>=1; sys_platform == 'win32'", "delta; extra == 'more'"],
        )
        for name, version in (
            ("beta", "1.0"),
            ("beta", "1.1"),
            ("gamma", "2"),
            ("delta", "3"),
            ("omega", "4"),
        ):
            make_wheel(wheels, name, version)
        self.index = index_of(wheels, folder / "simple")
        self.cache = str(folder / "uv")
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        self.uv("lock")
        self.uv("sync")
        self.venv = Venv(self.root / ".venv")

    def uv(self, *arguments: str) -> str:
        return uv(
            *arguments,
            cwd=self.root,
            UV_INDEX_URL=self.index,
            UV_CACHE_DIR=self.cache,
            UV_LINK_MODE="copy",
        ).stdout

    def fact(self) -> Fact:
        root = str(self.root)
        place = Place(root, f"{root}/.fourfold", root, {}, SYSTEM, None, None)
        found = {
            re.sub(r"[-_.]+", "-", item.name).lower(): {"version": item.version}
            for item in importlib.metadata.distributions(path=[str(self.venv.site)])
        }
        return fact(place, found, {"version": "3.11.7", "implementation": "cpython"})


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    return Project(tmp_path)


def test_an_environment_that_uv_synced_is_what_its_lock_says(project: Project) -> None:
    found = project.fact()
    assert (found.grade, found.value["file"], found.value["kind"]) == ("observed", "uv.lock", "uv.lock")
    assert found.value["verified"] is True
    assert found.value["differences"] == []


def test_groups_and_extras_that_were_not_chosen_are_not_missing(project: Project) -> None:
    project.uv("sync", "--no-dev")
    assert project.fact().value["verified"] is True
    project.uv("sync", "--all-extras")
    assert project.fact().value["verified"] is True


def test_another_version_a_package_too_many_and_one_that_is_missing_are_named(project: Project) -> None:
    project.uv("pip", "install", "beta==1.0", "gamma")
    (project.root / "pyproject.toml").unlink()
    project.uv("pip", "uninstall", "alpha")
    assert project.fact().value["differences"] == [
        "alpha 1.0 is not installed",
        "beta is 1.0, locked is 1.1",
    ]


@pytest.mark.parametrize(
    ("arguments", "file"),
    [
        (("export", "--format", "pylock.toml", "-o", "pylock.toml"), "pylock.toml"),
        (("export", "--format", "requirements.txt", "-o", "requirements.txt"), "requirements.txt"),
        (
            (
                "pip",
                "compile",
                "--generate-hashes",
                "pyproject.toml",
                "--group",
                "dev",
                "-o",
                "requirements.lock",
            ),
            "requirements.lock",
        ),
    ],
)
def test_what_uv_exports_says_the_same(project: Project, arguments: tuple[str, ...], file: str) -> None:
    project.uv(*arguments)
    (project.root / "uv.lock").unlink()
    found = project.fact()
    assert found.grade == "observed"
    assert found.value["file"] == file
    assert (found.value["verified"], found.value["differences"]) == (True, [])
    project.uv("pip", "install", "beta==1.0", "gamma")
    assert "beta is 1.0, locked is 1.1" in project.fact().value["differences"]


def test_requirements_without_hashes_only_declare(project: Project) -> None:
    (project.root / "uv.lock").unlink()
    (project.root / "requirements.txt").write_text("alpha>=2\nbeta\n")
    found = project.fact()
    assert (found.grade, found.value["verified"]) == ("declared", None)
    assert found.value["differences"] == ["alpha is 1.0, locked is >=2"]


def test_a_lock_that_cannot_be_read_is_told_and_stops_nothing(project: Project) -> None:
    (project.root / "uv.lock").write_bytes(b"version = [\xff")
    found = project.fact()
    assert found.value["verified"] is None
    assert "not UTF-8" in found.value["differences"][0]


def test_without_a_lock_the_fact_is_absent(tmp_path: Path) -> None:
    place = Place(str(tmp_path), str(tmp_path / ".fourfold"), str(tmp_path), {}, SYSTEM, None, None)
    assert fact(place, {}, {}).grade == "absent"


@pytest.mark.parametrize(
    ("wishes", "told"),
    [
        ('"alpha", "beta>=1"', "uv.lock was locked before pyproject.toml asks for beta"),
        ("", "uv.lock was locked before pyproject.toml no longer asks for alpha"),
        ('"alpha>=1"', "uv.lock was locked for alpha, pyproject.toml asks for alpha>=1"),
    ],
)
def test_a_uv_lock_that_no_longer_fits_its_project_is_stale_as_it_is_for_uv(
    project: Project, wishes: str, told: str
) -> None:
    path = project.root / "pyproject.toml"
    path.write_text(PYPROJECT.replace('["alpha"]', f"[{wishes}]"))
    with pytest.raises(AssertionError, match="needs to be updated"):
        project.uv("lock", "--check")
    assert project.fact().value["differences"] == [told]
    project.uv("lock")
    project.uv("sync")
    assert project.fact().value["verified"] is True


def test_wishes_in_other_words_are_the_same_wishes(project: Project) -> None:
    path = project.root / "pyproject.toml"
    path.write_text(
        PYPROJECT.replace('["alpha"]', '["alpha [more] >= 1.0 , <2 ; python_version > \'3\'", "Beta~=1.0"]')
    )
    project.uv("lock")
    project.uv("sync")
    assert project.fact().value["differences"] == []
