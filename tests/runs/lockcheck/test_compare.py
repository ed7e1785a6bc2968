"""What a lock means for one interpreter: graphs, markers, extras, groups, platforms, packages of conda."""

import json
import os
from pathlib import Path

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.locks.model import Edge, Locked, Package
from fourfold.formats.locks.read import parse
from fourfold.runs.lockcheck import fact
from fourfold.runs.lockcheck.compare import Installed, compare, marker_environment, same_version, wanted
from fourfold.runs.lockcheck.conda import conda_installed, conda_platform
from fourfold.runs.lockcheck.find import LOCKS, find_lock
from fourfold.runs.place import Place

DATA = Path(__file__).parent.parent.parent / "formats" / "locks" / "data"
PYTHON = {"version": "3.11.7", "name": "cpython"}


def place_of(root: Path, **environ: str) -> Place:
    return Place(str(root), str(root / ".fourfold"), str(root), environ, SYSTEM, None, None)


def required(locked: Locked, **python: str) -> dict[str, str]:
    means = wanted(locked, marker_environment({**PYTHON, **python}))
    return {name: package.version for name, package in means.required.items()}


def test_a_graph_is_followed_by_markers_extras_and_forks_and_ends_in_circles() -> None:
    locked = Locked(
        "uv.lock",
        "lock",
        (
            Package(
                "own", "0", source="virtual", edges=(Edge("a", extras=("x",)), Edge("dev", extra="group:dev"))
            ),
            Package(
                "a",
                "1",
                edges=(
                    Edge("b", marker="python_version >= '3.11'"),
                    Edge("old", marker="python_version < '3.9'"),
                    Edge("n", "1", "python_version < '3.12'"),
                    Edge("n", "2", "python_version >= '3.12'"),
                    Edge("more", extra="x"),
                    Edge("never", extra="y"),
                ),
            ),
            Package("b", "1", edges=(Edge("a"),)),
            *(Package(name, "1") for name in ("old", "more", "never", "dev", "apart")),
            Package("n", "1", marker="python_version < '3.12'"),
            Package("n", "2", marker="python_version >= '3.12'"),
        ),
        roots=(Edge("own", "0"),),
    )
    assert required(locked) == {"a": "1", "b": "1", "n": "1", "more": "1"}
    assert required(locked, version="3.13.0")["n"] == "2"
    means = wanted(locked, marker_environment(PYTHON))
    here = {name: Installed(name, "1") for name in ("a", "b", "n", "more", "dev", "own", "pip")}
    assert compare(locked, means, here) == []
    assert [str(item) for item in compare(locked, means, {**here, "n": Installed("n", "2")})] == [
        "n is 2, locked is 1"
    ]


def test_a_pylock_says_which_groups_are_wanted_unless_told_otherwise() -> None:
    text = """lock-version = "1.0"
created-by = "hand"
default-groups = ["dev"]
[[packages]]
name = "a"
version = "1"
marker = "'dev' in dependency_groups"
[[packages]]
name = "b"
version = "1"
marker = "'docs' in dependency_groups"
[[packages]]
name = "c"
version = "1"
marker = "'x' in extras"
[[packages]]
name = "d"
version = "1"
marker = "not a marker at all"
"""
    assert required(parse("pylock.toml", text.encode())) == {"a": "1", "d": "1"}


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "1.1", False),
        ("2.0+cpu", "2.0", False),
        ("x!", "x!", True),
        ("x!", "1", False),
    ],
)
def test_versions_are_compared_as_installers_do(left: str, right: str, *, same: bool) -> None:
    assert same_version(left, right) is same


def test_poetry_pdm_and_pipenv_want_the_same_of_one_project(tmp_path: Path) -> None:
    for name, project in (("poetry.lock", "poetry.pyproject.toml"), ("pdm.lock", "pdm.pyproject.toml")):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
        (tmp_path / "pyproject.toml").write_bytes((DATA / project).read_bytes())
        rows = {
            item: {"version": version}
            for item, version in (("alpha", "1.0"), ("beta", "1.1"), ("pyyaml", "6.0.3"))
        }
        found = fact(place_of(tmp_path), rows, PYTHON)
        assert (found.value["kind"], found.value["verified"], found.value["differences"]) == (name, True, [])
        del rows["beta"]
        assert fact(place_of(tmp_path), rows, PYTHON).value["differences"] == ["beta 1.1 is not installed"]
        (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\ndependencies = ['six']\n")
        assert "was not locked for" in fact(place_of(tmp_path), rows, PYTHON).value["differences"][0]
        (tmp_path / name).unlink()


def conda(prefix: Path, *names: str) -> None:
    (prefix / "conda-meta").mkdir(parents=True)
    for name in names:
        (prefix / "conda-meta" / f"{name}.json").write_text("{}")
    (prefix / "conda-meta" / "history").write_text("")


def test_packages_of_conda_are_compared_by_what_conda_lists(tmp_path: Path) -> None:
    platform = conda_platform() or "linux-64"
    base = f"https://conda.anaconda.org/conda-forge/{platform}"
    lines = ("numpy-2.1.0-py311_1", "libgcc-ng-14.1-h1_0")
    text = f"# platform: {platform}\n@EXPLICIT\n" + "".join(f"{base}/{line}.conda\n" for line in lines)
    (tmp_path / "conda.lock.txt").write_text(text)
    place = place_of(tmp_path, FOURFOLD_ENV_LOCK="conda.lock.txt")
    rows = {"numpy": {"version": "2.1.0"}}
    found = fact(place, rows, PYTHON)
    assert (found.value["kind"], found.value["verified"]) == ("conda-explicit", None)
    prefix = tmp_path / "env"
    conda(prefix, "numpy-2.1.0-py311_1", "libgcc-ng-14.1-h1_0")
    found = fact(place, rows, {**PYTHON, "prefix": str(prefix)})
    assert (found.value["verified"], found.value["differences"]) == (True, [])
    other = tmp_path / "other"
    conda(other, "numpy-2.1.0-py311_2", "extra-1-0")
    found = fact(place, rows, {**PYTHON, "prefix": str(other)})
    assert found.value["differences"] == [
        "conda:extra 1 is not in the lock",
        "conda:libgcc-ng 14.1 is not installed",
        "conda:numpy is 2.1.0=py311_2, locked is 2.1.0=py311_1",
    ]
    assert conda_installed(str(tmp_path / "nowhere")) == {}


def test_the_best_lock_counts_and_a_named_one_before_all(tmp_path: Path) -> None:
    assert find_lock(str(tmp_path)) is None
    for name in ("pyproject.toml", "environment.yml", *reversed(LOCKS)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        assert find_lock(str(tmp_path)) == str(path)
    assert find_lock(str(tmp_path), {"FOURFOLD_ENV_LOCK": "pdm.lock"}) == str(tmp_path / "pdm.lock")
    assert fact(place_of(tmp_path, FOURFOLD_ENV_LOCK="nowhere"), {}, PYTHON).grade == "absent"


def test_files_that_requirements_include_are_read_inside_of_the_project_only(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("password!")
    root = tmp_path / "project"
    root.mkdir()
    (root / "link.txt").symlink_to(tmp_path / "secret")
    for text in ("-r ../secret\n", f"-r {tmp_path}/secret\n", "-c link.txt\n"):
        (root / "requirements.txt").write_text(text)
        found = fact(place_of(root), {}, PYTHON)
        assert found.value["verified"] is None
        assert "outside of the project" in found.value["differences"][0]
        assert "password" not in json.dumps(found.document())
    (root / "base.txt").write_text("six==1.0\n")
    (root / "requirements.txt").write_text("-r base.txt\n")
    assert fact(place_of(root), {}, PYTHON).value["differences"] == ["six 1.0 is not installed"]
    (root / "base.txt").write_text("six==2.0\n")
    assert fact(place_of(root), {}, PYTHON).value["differences"] == ["six 2.0 is not installed"]


def test_a_verdict_is_remembered_until_something_that_decides_changes(tmp_path: Path) -> None:
    lock = tmp_path / "pylock.toml"
    lock.write_text('lock-version = "1.0"\npackages = [{name = "a", version = "1"}]\n')
    place = place_of(tmp_path)
    rows = {"a": {"version": "1"}}
    first = fact(place, rows, PYTHON)
    cache = tmp_path / ".fourfold" / "runs" / "facts" / "lock.json"
    held = cache.read_bytes()
    assert fact(place, rows, PYTHON) == first
    assert cache.read_bytes() == held
    assert fact(place, {"a": {"version": "2"}}, PYTHON).value["verified"] is False
    lock.write_text(lock.read_text().replace('"1"}', '"3"}'))
    assert fact(place, rows, PYTHON).value["differences"] == ["a is 1, locked is 3"]
    for broken in (b"", b"[]", b'{"version": 1, "verdicts": {"x": 1}}', b"\xff"):
        cache.write_bytes(broken)
        assert fact(place, rows, PYTHON).value["differences"] == ["a is 1, locked is 3"]
    if os.geteuid() != 0:
        cache.parent.chmod(0o500)
    assert fact(place, rows, PYTHON).value["verified"] is False
