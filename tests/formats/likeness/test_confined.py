"""Readers in a process of their own: what crashes or hangs there is an error here, of that file alone."""

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from fourfold.formats.likeness import confined, reading
from fourfold.formats.likeness.model import Content
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, UnreadableContentError

ROOT = Path(__file__).resolve().parents[3]


def hdf5(count: int = 3) -> bytes:
    file = io.BytesIO()
    with h5py.File(file, "w") as made:
        made["x"] = np.arange(float(count))
    return file.getvalue()


def read(data: bytes | None = None) -> Content:
    return reading.read_bytes(hdf5() if data is None else data, "a.h5")


def children() -> set[int]:
    """The processes that this one started, and that are there."""
    found = set()
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children") as file:
            found |= set(map(int, file.read().split()))
    return found


@pytest.fixture
def worker() -> Iterator[int]:
    """The process that reads, which has read something."""
    confined.end()
    before = children()
    read()
    (process,) = children() - before
    yield process
    confined.end()


def test_one_process_reads_many_files_and_ends_with_this_one(worker: int) -> None:
    before = children()
    assert worker in before
    for _ in range(5):
        assert read().leaves["x"].shape == (3,)
    assert children() == before
    script = "from tests.formats.likeness.test_confined import children, read; read(); print(*children())"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    with pytest.raises(ProcessLookupError):
        os.kill(int(done.stdout), 0)


def test_a_library_that_comes_to_no_end_is_ended_and_the_next_file_is_read(
    worker: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "SILENCE", 0.5)
    os.kill(worker, signal.SIGSTOP)
    with pytest.raises(UnreadableContentError, match=r"^a\.h5: h5py came to no end in 0\.5 seconds$"):
        read()
    assert worker not in children()
    monkeypatch.undo()
    assert read().kind == "hdf5"


def test_a_library_that_crashes_is_said_so_and_the_next_file_is_read(worker: int) -> None:
    os.kill(worker, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (worker, signal.SIGKILL)).start()
    with pytest.raises(UnreadableContentError, match=r"^a\.h5: h5py crashed over it \(SIGKILL\)$"):
        read()
    assert read().kind == "hdf5"


def test_a_process_that_ended_meanwhile_is_replaced(worker: int) -> None:
    os.kill(worker, signal.SIGKILL)
    os.waitid(os.P_PID, worker, os.WEXITED | os.WNOWAIT)
    assert read().kind == "hdf5"


def test_numbers_come_over_as_they_are(tmp_path: Path) -> None:
    table = pa.table({"a": [1, None, 1 << 40], "b": [0.1, -0.0, float("nan")], "c": [True, False, True]})
    pq.write_table(table, tmp_path / "t.parquet")
    leaves = reading.read(str(tmp_path / "t.parquet")).leaves
    given = {name: leaf.numbers for name, leaf in leaves.items() if leaf.numbers is not None}
    told = {name: np.asarray(list(numbers())) for name, numbers in given.items()}
    np.testing.assert_array_equal(told["column:a"], [1, np.nan, 1 << 40])
    np.testing.assert_array_equal(told["column:b"], [0.1, -0.0, np.nan])
    np.testing.assert_array_equal(told["column:c"], [1, 0, 1])
    many = read(hdf5(3_000_000)).leaves["x"].numbers
    assert many is not None
    assert sum(1 for _ in many()) == 3_000_000


def test_what_was_taken_of_a_budget_there_is_taken_here() -> None:
    budget = Budget(numbers=5, parts=100)
    assert reading.read_bytes(hdf5(4), "a.h5", budget=budget).leaves["x"].numbers is not None
    assert (budget.numbers, budget.parts) == (1, 98)
    assert reading.read_bytes(hdf5(4), "a.h5", budget=budget).leaves["x"].numbers is None
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(hdf5(4), "a.h5", budget=Budget(parts=1))


def test_the_current_folder_gives_no_modules(tmp_path: Path) -> None:
    """A project that has a file called like a library does not have it run."""
    (tmp_path / "h5py.py").write_text("open('run', 'w')")
    (tmp_path / "a.h5").write_bytes(hdf5())
    script = "from fourfold.formats.likeness import reading; print(reading.read('a.h5').kind)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "hdf5\n"
    assert not (tmp_path / "run").exists()
