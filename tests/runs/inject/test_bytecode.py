"""Bytecode of installed packages: opened past whoever watches, but once a folder, and nothing else."""

import os
import sys
from pathlib import Path

import pytest

from fourfold.runs.inject import _fourfold_bytecode
from fourfold.runs.tracer import abi
from tests.runs.tracer.tracing import traced

_READ = """\
import sys

import helper, json.decoder, email.mime.text, numpy.fft, numpy.linalg, pandas.io.parsers
assert helper.answer == 42
print(len(sys.modules))
"""


def test_the_flag_is_the_one_that_the_filter_lets_pass() -> None:
    assert _fourfold_bytecode._FLAGS & abi.TOLD_BITS == abi.TOLD


def test_each_file_is_read_whole_and_only_what_is_told_is_opened_plainly(tmp_path: Path) -> None:
    inside, outside = tmp_path / "lib" / "python", tmp_path / "own"
    plain: list[str] = []

    def plainly(_self: object, path: str) -> bytes:
        plain.append(os.path.relpath(path, tmp_path))
        return Path(path).read_bytes()

    get = _fourfold_bytecode.reading(plainly, (f"{inside}/",))
    for folder in (inside / "a", inside / "a" / "b", outside):
        folder.mkdir(parents=True)
        for name, size in (("one.pyc", 0), ("two.pyc", 1), ("three.pyc", 3_000_000), ("four.py", 10)):
            (folder / name).write_bytes(os.urandom(size))
    for folder in (inside / "a", inside / "a" / "b", outside):
        for path in sorted(folder.glob("*.py*")):
            assert get(None, str(path)) == path.read_bytes()
    assert plain == [
        *("lib/python/a/four.py", "lib/python/a/one.pyc"),
        *("lib/python/a/b/four.py", "lib/python/a/b/one.pyc"),
        *("own/four.py", "own/one.pyc", "own/three.pyc", "own/two.pyc"),
    ]
    (inside / "a" / "two.pyc").unlink()
    with pytest.raises(FileNotFoundError):
        get(None, str(inside / "a" / "two.pyc"))


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
            assert run.below("read").keys() & {"helper.py", "main.py"} == {"helper.py", "main.py"}
        installed = [one for one in run.trace.accesses if one.how == "read" and one.path.endswith(".pyc")]
        folders = {os.path.dirname(one.path) for one in installed if "/lib/python3" in one.path}
        seen[name] = folders, len(installed)
    assert seen["told"][0] >= {folder for folder in seen["bare"][0] if "-packages/" in folder}
    assert seen["told"][1] < seen["bare"][1] / 2
    assert any(folder.endswith("pandas/io/parsers/__pycache__") for folder in seen["told"][0])
