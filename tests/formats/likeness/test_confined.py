"""Readers in a process of their own: what crashes or hangs there is an error here, of that file alone."""

import base64
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
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

#: Files of h5py in which a few bytes were changed, packed: HDF5 2.0 comes to no end over the one, and crashes
#: over the other.
ENDLESS = (
    "eNrtmLFKA0EQhv+5TeQ4T73Es1CEpAjWKQKCTQIJehAhoHaCmIAIKoIYNBYWKfMggp1FHsDWwsbaIkVeQCsriXu3u+ESiYgWWswX"
    "lrnb/edmdrfK3wkq6zPOkiNsG4aB5m1evef1/O7700ktqGxZaFnpuNDgWCBgyoUM1OrqtIU0Ep+1ngf0Ukqxr5U683BbF8Ysxrju"
    "ZlajFqSMfMAiooReM1H4oFS2CLWhEgrTKAwEkJTdCceWnQu6J6XNftmjm5Na+XPDxXoenvyk+aoV68otKJ0f6s7zWCSC3F40VCE7"
    "0ifl6OnKUVjDL+if7b2OzrwU9UNJBbu0Ua5tRpW8WNUYzYNWM7xesxsTGw19lhjNq4/l386B+RuIj4BhGIZhGIZhGIYx1MpB1d0x"
    "7oQPXExwJ4ho3AMI14xbIfS8eQ+fl+nmaujFJNSccEFxlyTuuVS1qzM0mh7+44mlf5T1+HyUM3/IozPJZvp0HB+db1hmp0VdfYId"
    "VQ4vwoIbXuTlqBsl7894NWKCUWDudeWuHXwAmO6MuQ=="
)
CRASHING = (
    "eNrtmklT2zAUx+UlwSShhDXORhwCbY/ZlxPpFFoOncK0PXAEZjq9dToD0+bIkd44cuTYj8BH6EfgY/TILfUiGUnR84JnOtNB7/Ii"
    "W/rr5ednyZL9c3/3zUKmlEGOGQbSUR7RNsVmvGTL5Pwx9gr2l9j/UsnxonvOxMfzWP96zStf4OOfPuztObWnnJF+mrrnDSTtKdr+"
    "3qtDxx/hMsmn3ypbb4L9Fy4vx4/sV0EdT0Nh89dc98o3XH1yflgQn0/ZGexIqaqq0PWPTHH9HGriODT7t4FOmrgfg9wLY+Z/PrQb"
    "++1W7ZpnuF1RUdwe834bg2mfcu7NFM2OveM+vj/YVZDqjxJXDZbzLS7fbbP3q6XJHIbtzw6bpsb47euDdzhBZq6PY+efJ+fOJSXp"
    "T/zpqec1Lv9PsNcFOi2qzOukAZ05gU6but68zjygkxHodGyfBXRygM6CQKdr+2eAziKgkxfo9Gy/BOgsAzorAp2+7VcBnTVAZ12g"
    "M7B9AdAxAZ2iQGdo+xKgUwZ0KgKdke2rgM4GoFNDbH65eWgntAXo1AGdTZGOndANQGcL0CF2lZOjkTRp0qRJkyZNmjRp0v6tkX2h"
    "W7wAvPD3dY6pfR0TfQ/b11EUZh2kUusfss+j4eOkrFL9T/DC8YaLb2ZfqoXjBvalFL/dmIrfQGetkPip9SaJT6fiuyuE8Gkl55Pm"
    "+KSo/q9LEfm0g/moEJ92fD5zVHz3ZgifdnI+8xwfg87fckQ+nWA+GsSnE59PhorPLIXw6STnk+P4ZOn8rUTk0w3mo0N8uvH5LFDx"
    "DcshfLrJ+SxyfJ7R+VuNyKcXzCcF8enF55On4juqhPDpJeezzPFZovO3FpFPP5hPGuLTj89nhZ4/qiF8+sn5rHF8Vun8tSLyGQTz"
    "mYP4DOLzWafnj40QPoPkfEyOT4HO33pEPsNgPgbEZxifT5GeP2ohfIbJ+ZQ5PiW3tTdxasoEH7WC+YyC+cxDfEbx+VTo+cMK4TNK"
    "zmeD41N1z5tMe31mHiJ8dPx82Azkk5nho+Pnw2YkPmkqvho9f9QhPjp+Pmwm5lPn+Fju84rp1lmydvz/282i7lSD+LQC+WRBPq3Y"
    "fDbdOcTjw3+vMcsH608fz2eL49Nwz6eY9+oKF69m96QIePDvzx/u08sGOxIRu/kv1nsP6yRN/L3MC6/8DR8P+17m8LmYhrSnYfz3"
    "MuS99v02W+8rl3/7Cfv1vg9R/LybbMpr8Rgj4zP/PU0OHeLrpdq/TfQDAc8deFzWuPUzP96Q8fovZZDnmA=="
)


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


def test_a_damaged_file_over_which_hdf5_comes_to_no_end_is_an_error_of_that_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(confined, "SILENCE", 2.0)
    with pytest.raises(UnreadableContentError):
        read(zlib.decompress(base64.b64decode(ENDLESS)))
    monkeypatch.undo()
    assert read().kind == "hdf5"


def alive(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def within(process: int) -> list[int]:
    """The processes that a process started."""
    with open(f"/proc/{process}/task/{process}/children") as file:
        return [int(word) for word in file.read().split()]


def test_nothing_goes_on_when_whoever_asked_is_killed() -> None:
    script = (
        "import base64, zlib\n"
        "from tests.formats.likeness.test_confined import ENDLESS, children, read\n"
        "read(); print(*children(), flush=True)\n"
        "read(zlib.decompress(base64.b64decode(ENDLESS)))\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE) as asks:
        assert asks.stdout is not None
        worker = int(asks.stdout.readline())
        while not (copies := within(worker)):
            time.sleep(0.05)
        asks.kill()
    end = time.monotonic() + 20
    while any(map(alive, (worker, *copies))) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, (worker, *copies)))


def test_a_damaged_file_over_which_hdf5_crashes_is_an_error_of_that_file(worker: int) -> None:
    with pytest.raises(UnreadableContentError):
        read(zlib.decompress(base64.b64decode(CRASHING)))
    assert worker in children()
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


ROW = ["a", "tensor", "float64", [1], "digest", ["float64", 0, None]]
END = {"kind": "hdf5", "canonicalizer": "hdf5/2", "aside": {}, "budget": Budget().state()}
LIES = {
    "no JSON": ["{"],
    "no end": [ROW],
    "no leaf": [["a"], END],
    "no name of a kind": [["a", "secret", *ROW[2:]], END],
    "no lengths": [["a", "tensor", "float64", [-1], "digest", None], END],
    "no numbers": [ROW, END],
    "no type": [[*ROW[:5], ["object", 0, None]], END],
    "no gaps": [[*ROW[:3], [0], "digest", ["float64", 0, -5]], END],
    "no budget": [END | {"budget": {}}],
    "a budget that grows": [END | {"budget": Budget().state() | {"parts": 1 << 40}}],
    "a list for an end": [[END]],
    "depth": ["[" * 100_000],
    "one long line": ["x" * (2 << 20)],
    "a code that is none": [ROW, END, "!"],
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_none_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """What a file of a stranger may make of the process that reads it."""
    answer = tmp_path / "answer"
    lines = [line if isinstance(line, str) else json.dumps(line) for line in LIES[lie]]
    answer.write_text("\n".join([*lines, "!0", ""]))
    script = f"import sys; sys.stdin.readline(); print(open({str(answer)!r}).read(), end='', flush=True)"
    monkeypatch.setattr(confined, "_START", script)
    confined.end()
    with pytest.raises((UnreadableContentError, ContentTooLargeError), match=r"^a\.h5: "):
        read()
    monkeypatch.undo()
    confined.end()
    assert read().kind == "hdf5"


def test_an_error_that_is_told_has_nothing_that_a_terminal_obeys(monkeypatch: pytest.MonkeyPatch) -> None:
    told = json.dumps({"error": "any", "message": "a.h5: \x1b[2J\n" + "x" * 9000, "hint": "\x07"})
    script = f"import sys; sys.stdin.readline(); print({told!r}); print('!0', flush=True)"
    monkeypatch.setattr(confined, "_START", script)
    confined.end()
    with pytest.raises(UnreadableContentError) as caught:
        read()
    confined.end()
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 500
