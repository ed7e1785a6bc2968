"""Imports of installed packages: told of once a package to whoever watches, and nothing else is."""

import importlib.machinery
import importlib.metadata
import os
import sys
import types
from pathlib import Path

import pytest

from fourfold.runs.inject import _fourfold_bytecode
from fourfold.runs.tracer import abi
from fourfold.runs.zones import bundle
from tests.runs.tracer.tracing import traced

_READ = """\
import sys

import helper, json.decoder, email.mime.text, numpy.fft, numpy.linalg, pandas.io.parsers
assert helper.answer == 42
print(len(sys.modules))
"""


def test_the_flag_is_the_one_that_the_filter_lets_pass() -> None:
    assert _fourfold_bytecode._FLAGS & abi.TOLD_BITS == abi.TOLD


class _Loader:
    def __init__(self, name: str) -> None:
        self.name = name


def test_each_file_is_read_whole_and_the_first_of_a_package_plainly(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python"
    plain: list[str] = []

    def plainly(_self: object, path: str) -> bytes:
        plain.append(os.path.relpath(path, library))
        return Path(path).read_bytes()

    get = _fourfold_bytecode.reading(plainly, _fourfold_bytecode.Told((f"{library}/",)))
    own = tmp_path / "own.pyc"
    own.write_bytes(b"mine")
    modules = {
        "json.pyc": "json",
        "email.pyc": "email.mime",
        "site-packages/six.pyc": "six",
        "site-packages/numpy/a.pyc": "numpy",
        "site-packages/numpy/b.pyc": "numpy.b",
        "site-packages/numpy/c/d.pyc": "numpy.c.d",
        "site-packages/shared/one/e.pyc": "shared.one",
        "site-packages/shared/two/f.pyc": "shared.two",
        "site-packages/shared/two/g.py": "shared.two.g",
    }
    loaded = {}
    for at, name in enumerate(modules):
        path = library / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom((0, 1, 3_000_000)[at % 3]))
    try:
        for module in ("numpy", "shared", "shared.one", "shared.two"):
            loaded[module] = sys.modules.pop(module, None)
            sys.modules[module] = made = types.ModuleType(module)
            made.__file__ = None if module == "shared" else f"{library}/site-packages/{module}/__init__.py"
        for name, module in modules.items():
            assert get(_Loader(module), str(library / name)) == (library / name).read_bytes()
            for path in (own, f"{library}/../../own.pyc"):
                assert get(_Loader("own"), str(path)) == b"mine"
    finally:
        for module, earlier in loaded.items():
            del sys.modules[module]
            if earlier is not None:
                sys.modules[module] = earlier
    assert plain.count("../../own.pyc") == 2 * len(modules)
    assert [name for name in plain if name != "../../own.pyc"] == [
        "json.pyc",
        *("site-packages/six.pyc", "site-packages/numpy/a.pyc"),
        *(
            "site-packages/shared/one/e.pyc",
            "site-packages/shared/two/f.pyc",
            "site-packages/shared/two/g.py",
        ),
    ]
    (library / "json.pyc").unlink()
    with pytest.raises(FileNotFoundError):
        get(_Loader("json"), str(library / "json.pyc"))


def test_a_folder_is_listed_in_silence_where_its_package_is_known(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python"
    told, asked = _fourfold_bytecode.Told((f"{library}/",)), []
    fill = _fourfold_bytecode.listing(asked.append, told)
    for name in ("site-packages/known", "site-packages/known/inner", "site-packages/other", "email"):
        (library / name).mkdir(parents=True, exist_ok=True)
        (library / name / "there.py").touch()
    told.knows("known", f"{library}/site-packages/known/x.pyc")

    def listed(name: str) -> set[str] | None:
        finder = importlib.machinery.FileFinder(str(library / name))
        fill(finder)
        return None if asked and asked.pop() is finder else finder._path_cache  # type: ignore[attr-defined]

    assert listed("site-packages/known") == {"inner", "there.py"}
    assert listed("site-packages/known/inner") == {"there.py"}
    assert listed("site-packages/other") is None
    assert listed("site-packages") is None
    assert listed("email") is None
    told.knows("email", f"{library}/email/__init__.pyc")
    assert listed("email") == {"there.py"}
    assert listed("site-packages") is None
    assert listed("../..") is None
    assert listed("site-packages/known/gone") is None


def test_metadata_of_what_is_installed_reads_as_it_does_plainly(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "python"
    plainly, asked = importlib.metadata.PathDistribution.read_text, []

    def asking(distribution: importlib.metadata.PathDistribution, filename: str) -> str | None:
        asked.append(filename)
        return plainly(distribution, filename)

    read = _fourfold_bytecode.describing(asking, _fourfold_bytecode.Told((f"{library}/",)))  # type: ignore[arg-type]
    for folder in (
        "lib/python/site-packages/one-1.dist-info",
        "lib/python/site-packages/two.egg-info",
        "own.dist-info",
    ):
        distribution = importlib.metadata.PathDistribution(tmp_path / folder)
        (tmp_path / folder / "inner").mkdir(parents=True)
        texts = {"METADATA": b"Name: \xc3\xa9\r\nA: 1\rB: 2\n", "empty": b"", "bad": b"\xff", "inner/x": b"y"}
        for name, text in texts.items():
            (tmp_path / folder / name).write_bytes(text)
        for name in ("METADATA", "empty", "inner/x", "inner", "entry_points.txt", "METADATA/x", "../none"):
            assert read(distribution, name) == plainly(distribution, name)
        with pytest.raises(UnicodeDecodeError):
            read(distribution, "bad")
    silent = ["inner/x", "inner", "METADATA/x", "../none", "bad"]
    assert asked == [
        *silent,
        *silent,
        "METADATA",
        "empty",
        "inner/x",
        "inner",
        "entry_points.txt",
        *silent[2:],
    ]


def test_whoever_looks_for_plugins_asks_nothing_and_finds_them_all(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from importlib import metadata as m; print(len(list(m.entry_points())), m.version('numpy'))"
    )
    answers = []
    for path in ("", os.path.dirname(_fourfold_bytecode.__file__)):
        environ = {**os.environ, "PYTHONPATH": path}
        run = traced(tmp_path, f"{sys.executable} main.py", environ=environ, trace="seccomp")
        assert run.codes == [0], run.errors
        read = [one for one in run.trace.accesses if one.path.endswith("/entry_points.txt")]
        answers.append((run.outputs, bool(read)))
    assert answers == [(answers[0][0], True), (answers[0][0], False)]


def test_modules_of_the_run_and_a_file_of_each_package_are_seen_still(tmp_path: Path) -> None:
    inject = os.path.dirname(_fourfold_bytecode.__file__)
    seen = {}
    for name, path in (("bare", ""), ("told", inject)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helper.py").write_text("answer = 42\n")
        (folder / "main.py").write_text(_READ)
        environ = {**os.environ, "PYTHONPATH": path}
        for _ in range(2):  # the second time from bytecode
            run = traced(folder, f"{sys.executable} main.py", environ=environ, trace="seccomp")
            assert run.codes == [0], run.errors
            assert any("bytecode and folders" in phrase for phrase in run.trace.coverage.blind)
            assert run.below("read").keys() & {"helper.py", "main.py"} == {"helper.py", "main.py"}
        inside = [one for one in run.trace.accesses if "/lib/python3" in one.path]
        installed = [one for one in inside if one.how == "read" and one.path.endswith(".pyc")]
        listed = [one for one in inside if one.how == "list"]
        packages = {bundle(one.path) for one in installed}
        seen[name] = packages, len(installed), len(listed)
    assert seen["told"][0] >= seen["bare"][0]
    assert seen["told"][1] < seen["bare"][1] / 8
    assert seen["told"][2] < seen["bare"][2] / 4
    assert any(package.endswith("-packages/pandas") for package in seen["told"][0])
