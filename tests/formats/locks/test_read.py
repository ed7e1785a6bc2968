"""Lock files of every tool: those in ``data`` were written by the tools themselves.

uv 0.13.9, Poetry 2.5.1, PDM 2.25.9 and Pipenv wrote the files of ``data``; those of conda-lock and pixi are
written here from their specifications, since neither tool runs without conda's index.
"""

import json
from pathlib import Path

import pytest

from fourfold.formats.locks.model import BadLockFileError, Locked, Package
from fourfold.formats.locks.read import Companion, kind_of, parse

DATA = Path(__file__).parent / "data"
ALPHA = "sha256:c876b0425456962d786a221d217c75ad2468054b343e9b27ea078ce701208ac1"


def by_name(locked: Locked) -> dict[str, Package]:
    return {package.name: package for package in locked.packages}


def read(name: str, project: str = "") -> Locked:
    beside = Companion(project=(DATA / project).read_bytes() if project else None)
    return parse(name, (DATA / name).read_bytes(), beside=beside)


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("uv.lock", ""),
        ("poetry.lock", "poetry.pyproject.toml"),
        ("pdm.lock", "pdm.pyproject.toml"),
        ("Pipfile.lock", "Pipfile"),
    ],
)
def test_what_the_tools_lock_has_versions_and_hashes_and_is_not_stale(name: str, project: str) -> None:
    locked = read(name, project)
    packages = by_name(locked)
    assert (locked.kind, locked.grade, locked.stale) == (name, "lock", "")
    assert packages["alpha"].version == "1.0"
    assert packages["alpha"].hashes == {ALPHA}
    assert {name: packages[name].version for name in ("beta", "pyyaml", "omega")} == {
        "beta": "1.1",
        "pyyaml": "6.0.3",
        "omega": "4",
    }


@pytest.mark.parametrize(
    ("name", "project"),
    [
        ("poetry.lock", "poetry.pyproject.toml"),
        ("pdm.lock", "pdm.pyproject.toml"),
        ("Pipfile.lock", "Pipfile"),
    ],
)
def test_groups_are_optional_and_a_changed_wish_makes_the_lock_stale(name: str, project: str) -> None:
    packages = by_name(read(name, project))
    assert {item for item, package in packages.items() if package.optional} >= {"omega"}
    assert not packages["alpha"].optional
    changed = (DATA / project).read_bytes().replace(b"pyyaml", b"pyyaml-ft")
    locked = parse(name, (DATA / name).read_bytes(), beside=Companion(project=changed))
    assert "was not locked for what" in locked.stale


def test_poetry_names_markers_and_a_lock_of_poetry_1_is_a_graph() -> None:
    packages = by_name(read("poetry.lock", "poetry.pyproject.toml"))
    assert packages["gamma"].marker == 'sys_platform == "win32"'
    assert packages["delta"].optional
    lines = (DATA / "poetry.lock").read_text().splitlines()
    old = "\n".join(line for line in lines if not line.startswith(("groups =", "markers =")))
    old = old.replace('lock-version = "2.1"', 'lock-version = "2.0"')
    project = (DATA / "poetry.pyproject.toml").read_bytes()
    locked = parse("poetry.lock", old.encode(), beside=Companion(project=project))
    assert locked.roots is not None
    assert [edge.name for edge in locked.roots] == ["alpha", "pyyaml", "gamma"]
    edges = {edge.name: edge.marker for edge in by_name(locked)["alpha"].edges}
    assert edges == {"beta": "", "gamma": 'sys_platform == "win32"'}


REQUIREMENTS = """\
# a comment
--index-url https://user:secret@example.com/simple
-r base.txt
-c constraints.txt
alpha==1.0 \\
    --hash=sha256:c876b0425456962d786a221d217c75ad2468054b343e9b27ea078ce701208ac1 \\
    --hash=sha256:38a8fb543bc51a474a0b1d7b04e6cc89ab2ab0e151bdb43506ff4ba3fa82794b
    # via thing
Beta_B[x, y] == 2.0 ; python_version < "3.12"  --hash sha256:{h}
delta @ https://user:secret@example.com/d/delta-3.0-py3-none-any.whl?token=1#sha256={h}
-e ./local#egg=own
git+https://example.com/repo.git@abc123#egg=gitty
./wheels/omega-4-py3-none-any.whl
""".replace("{h}", "ab" * 32)


def test_requirements_with_everything_that_pip_takes() -> None:
    files = {"base.txt": b"base==1\n-r requirements.txt\n", "constraints.txt": b"base==1\nunused==9\n"}
    locked = parse("requirements.txt", REQUIREMENTS.encode(), beside=Companion(read=lambda name: files[name]))
    packages = by_name(locked)
    assert list(packages) == ["base", "alpha", "beta-b", "delta", "own", "gitty", "omega", "unused"]
    assert len(packages["alpha"].hashes) == 2
    assert (packages["beta-b"].version, packages["beta-b"].marker) == ("2.0", 'python_version < "3.12"')
    assert packages["delta"].url == "https://example.com/d/delta-3.0-py3-none-any.whl"
    assert (packages["delta"].source, packages["delta"].version) == ("url", "3.0")
    assert packages["own"].source == "editable"
    assert (packages["gitty"].source, packages["gitty"].revision) == ("vcs", "abc123")
    assert packages["omega"].version == "4"
    assert packages["unused"].optional
    assert locked.grade == "declared", "base has no hash"
    assert "secret" not in repr(locked)


def test_requirements_are_a_lock_only_when_all_have_versions_and_hashes() -> None:
    line = "alpha==1.0 --hash=sha256:" + "a" * 64 + "\n"
    assert parse("requirements.txt", line.encode()).grade == "lock"
    assert parse("requirements.txt", (line + "beta==1\n").encode()).grade == "declared"
    assert parse("requirements.txt", b"").grade == "declared"
    assert by_name(parse("requirements.txt", b"beta>=1,<2\n"))["beta"].specifier in {"<2,>=1", ">=1,<2"}


def test_an_include_that_is_missing_and_one_without_end_are_errors() -> None:
    with pytest.raises(BadLockFileError, match=r"included file cannot be read: nowhere\.txt"):
        parse("requirements.txt", b"-r nowhere.txt\n")
    deep = Companion(read=lambda name: f"-r {int(name[:-4]) + 1}.txt\n".encode())
    with pytest.raises(BadLockFileError, match="too deep"):
        parse("requirements.txt", b"-r 1.txt\n", beside=deep)


CONDA_LOCK = """\
version: 1
metadata:
  platforms: [linux-64, osx-64]
package:
- name: numpy
  version: 2.1.0
  manager: conda
  platform: linux-64
  dependencies: {python: '>=3.11'}
  url: https://conda.anaconda.org/conda-forge/linux-64/numpy-2.1.0-py311h71ddf71_1.conda
  hash: {md5: 0123456789abcdef0123456789abcdef}
  category: main
  optional: false
- name: numpy
  version: 2.1.0
  manager: conda
  platform: osx-64
  url: https://conda.anaconda.org/conda-forge/osx-64/numpy-2.1.0-py311h_1.conda
  hash: {md5: 0123456789abcdef0123456789abcdef}
  category: main
  optional: false
- name: Six_X
  version: 1.1
  manager: pip
  platform: linux-64
  url: https://files.example.com/six_x-1.1-py3-none-any.whl
  hash: {sha256: HASH}
  category: dev
  optional: true
""".replace("HASH", "ab" * 32)


def test_conda_lock_names_packages_of_conda_and_of_pip_by_platform() -> None:
    locked = parse("conda-lock.yml", CONDA_LOCK.encode())
    first, other, pip = locked.packages
    assert (first.ecosystem, first.platform, first.build) == ("conda", "linux-64", "py311h71ddf71_1")
    assert other.platform == "osx-64"
    assert (pip.name, pip.version, pip.ecosystem, pip.optional) == ("six-x", "1.1", "pypi", True)


def test_an_explicit_list_is_known_by_its_content() -> None:
    text = (
        "# platform: linux-64\n@EXPLICIT\n"
        "https://conda.anaconda.org/conda-forge/linux-64/libgcc-ng-14.1.0-h69a702a_1.conda"
        "#1efc0ad219877a73ef977af7dbb51f17\n"
        "https://user:secret@repo.example.com/noarch/tzdata-2024a-h0c530f3_0.conda#sha256:" + "ab" * 32 + "\n"
    )
    assert kind_of("spec-file.txt", text.encode()) == "conda-explicit"
    locked = parse("spec-file.txt", text.encode())
    assert [(item.name, item.version, item.build) for item in locked.packages] == [
        ("libgcc-ng", "14.1.0", "h69a702a_1"),
        ("tzdata", "2024a", "h0c530f3_0"),
    ]
    assert "secret" not in repr(locked)


PIXI = """\
version: 6
environments:
  default:
    channels:
    - url: https://conda.anaconda.org/conda-forge/
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.12.3-hab00c5b_0_cpython.conda
      - pypi: https://files.example.com/six-1.16.0-py2.py3-none-any.whl
  test:
    packages:
      linux-64:
      - conda: https://conda.anaconda.org/conda-forge/noarch/pytest-8.2.0-pyhd8ed1ab_0.conda
packages:
- conda: https://conda.anaconda.org/conda-forge/linux-64/python-3.12.3-hab00c5b_0_cpython.conda
  sha256: HASH
  md5: 0123456789abcdef0123456789abcdef
- conda: https://conda.anaconda.org/conda-forge/noarch/pytest-8.2.0-pyhd8ed1ab_0.conda
  sha256: HASH
- pypi: https://files.example.com/six-1.16.0-py2.py3-none-any.whl
  name: six
  version: 1.16.0
  sha256: HASH
""".replace("HASH", "ab" * 32)


def test_pixi_names_environments_and_only_the_default_one_is_wanted() -> None:
    packages = by_name(parse("pixi.lock", PIXI.encode()))
    assert {name: (item.version, item.optional) for name, item in packages.items()} == {
        "python": ("3.12.3", False),
        "six": ("1.16.0", False),
        "pytest": ("8.2.0", True),
    }
    assert packages["python"].hashes == {"sha256:" + "ab" * 32, "md5:0123456789abcdef0123456789abcdef"}


def test_files_that_only_declare_say_so() -> None:
    project = parse("pyproject.toml", (DATA / "pdm.pyproject.toml").read_bytes())
    assert (project.grade, [package.name for package in project.packages if not package.optional]) == (
        "declared",
        ["alpha", "pyyaml", "gamma"],
    )
    text = "dependencies:\n- python=3.11\n- conda-forge::numpy==2.1.0\n- pip:\n  - six>=1\n  - -r x.txt\n"
    environment = parse("environment.yml", text.encode())
    found = {item.name: (item.ecosystem, item.version, item.specifier) for item in environment.packages}
    assert found == {
        "python": ("conda", "", "=3.11"),
        "numpy": ("conda", "2.1.0", ""),
        "six": ("pypi", "", ">=1"),
    }


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pylock.toml", b"lock-version = '2.0'"),
        ("pylock.toml", b"lock-version = '1.0'\npackages = [{name = '../x'}]"),
        ("uv.lock", b"version = 2"),
        ("uv.lock", b"version = 1\npackage = 3"),
        ("poetry.lock", b"package = [{name = 'a', files = [{hash = 'x'}]}]"),
        ("pdm.lock", b"metadata = 1"),
        ("Pipfile.lock", b"[]"),
        ("Pipfile.lock", b'{"default": {"a": 1}}'),
        ("conda-lock.yml", b"version: 9"),
        ("conda-lock.yml", b"a: [1"),
        ("pixi.lock", b"version: 99"),
        ("list.txt", b"@EXPLICIT\nhttps://example.com/notapackage\n"),
        ("requirements.txt", b"alpha==1 --hash=sha256:xyz"),
        ("requirements.txt", b"not a requirement at all!"),
        ("requirements.txt", b"\xff"),
        ("environment.yml", b"dependencies: [[1]]"),
        ("pyproject.toml", b"project = {dependencies = [1]}"),
        ("x.lock", b""),
    ],
)
def test_what_is_no_lock_is_one_typed_error(name: str, data: bytes) -> None:
    with pytest.raises(BadLockFileError):
        parse(name, data)


def test_a_lock_with_too_many_packages_is_refused() -> None:
    rows = {f"p{number}": {"version": "==1"} for number in range(50_001)}
    with pytest.raises(BadLockFileError, match="more than 50000"):
        parse("Pipfile.lock", json.dumps({"default": rows}).encode())
