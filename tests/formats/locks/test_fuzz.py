"""Hostile lock files, of bytes or of wrong values in the right places: a value or one typed error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourfold.base.errors import InvalidFileError
from fourfold.formats.locks.read import Companion, parse
from fourfold.runs.lockcheck.compare import Installed, compare, marker_environment, wanted

NAMES = (
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "conda-lock.yml",
    "pixi.lock",
    "requirements.txt",
    "environment.yml",
    "pyproject.toml",
)
DATA = Path(__file__).parent / "data"
WORDS = st.sampled_from(
    [
        "alpha",
        "beta",
        "1.0",
        ">=1",
        "==1",
        "sha256:" + "a" * 64,
        "..",
        "",
        "extra == 'x'",
        "python_version < '3'",
        "[",
        "==",
    ]
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    [
        "version",
        "lock-version",
        "package",
        "packages",
        "name",
        "source",
        "wheels",
        "hashes",
        "dependencies",
        "metadata",
        "default",
        "develop",
        "_meta",
        "environments",
        "groups",
        "marker",
        "markers",
        "optional",
        "extras",
        "manifest",
        "requires-dist",
        "files",
        "file",
        "hash",
        "url",
        "path",
        "vcs",
        "editable",
        "resolution-markers",
        "dev-dependencies",
        "optional-dependencies",
        "content-hash",
        "conda",
        "pypi",
        "manager",
        "platform",
        "category",
        "project",
        "tool",
        "poetry",
        "pdm",
        "requires-python",
        "targets",
    ]
)
DOCUMENTS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


HERE = {"alpha": Installed("alpha", "1.0"), "beta": Installed("beta", "x!")}


def examine(name: str, data: bytes, project: bytes | None = None) -> None:
    """Read, and if it can be read, compare."""

    def missing(path: str) -> bytes:
        raise FileNotFoundError(2, "none", path)

    try:
        locked = parse(name, data, beside=Companion(missing, project))
    except InvalidFileError as error:
        told = error.message
    else:
        told = "read"
        means = wanted(locked, marker_environment({"version": "3.11.7"}), "linux-64")
        for item in compare(locked, means, HERE):
            assert str(item)
    assert told
    assert "\n" not in told


@pytest.mark.parametrize("name", NAMES)
@given(data=st.binary(max_size=200))
def test_any_bytes(name: str, data: bytes) -> None:
    examine(name, data)


def toml(value: Any) -> str:
    """A value in TOML's inline form."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    return '""' if value is None else json.dumps(value)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "requirements.txt"])
@given(document=st.dictionaries(KEYS, DOCUMENTS, max_size=5), right=st.booleans())
def test_documents_of_wrong_shapes(name: str, document: dict[str, Any], right: bool) -> None:
    if right:
        document |= {"version": 6 if name == "pixi.lock" else 1, "lock-version": "1.0"}
    if name.endswith((".toml", ".lock")) and name not in {"Pipfile.lock", "pixi.lock"}:
        text = "\n".join(f"{json.dumps(key)} = {toml(value)}" for key, value in document.items())
    else:
        text = json.dumps(document)
    examine(name, text.encode(errors="replace"), project=text.encode(errors="replace"))


@pytest.mark.parametrize("name", ["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock"])
@given(at=st.integers(0, 10_000), put=st.binary(max_size=6), drop=st.integers(0, 30))
def test_real_locks_with_a_piece_replaced(name: str, at: int, put: bytes, drop: int) -> None:
    data = (DATA / name).read_bytes()
    at %= len(data)
    examine(name, data[:at] + put + data[at + drop :])


LINES = st.sampled_from(
    [
        "alpha==1.0",
        "-r x.txt",
        "-c",
        "-e",
        "--hash=sha256:" + "b" * 64,
        " \\",
        "# c",
        "./a.whl",
        "a @ ",
        ";",
        "-",
        "--",
        "x/y",
    ]
)


@given(parts=st.lists(LINES | st.text(max_size=6), max_size=8))
def test_lines_of_requirements(parts: list[str]) -> None:
    examine("requirements.txt", " ".join(parts).encode(errors="replace"))
    examine("requirements.txt", "\n".join(parts).encode(errors="replace"))
    examine("list.txt", ("@EXPLICIT\n" + "\n".join(parts)).encode(errors="replace"))
