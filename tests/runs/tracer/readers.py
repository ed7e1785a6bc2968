"""Reads a file by every way there is, each a file of its own; run under the tracer by `test_readers`.

``python readers.py make FOLDER`` writes the files, ``read FOLDER`` reads them. Each reader is a
function whose name, with its ending, is its file's.
"""
# ruff: noqa: PLC0415 - libraries are loaded by the watched process alone

import ctypes
import mmap
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

READERS: dict[str, Callable[[str], object]] = {}
TABLE = {"a": [1, 2, 3], "b": [0.5, 1.5, 2.5]}


def reader(ending: str) -> Callable[[Callable[[str], object]], Callable[[str], object]]:
    def note(function: Callable[[str], object]) -> Callable[[str], object]:
        READERS[f"{function.__name__}.{ending}"] = function
        return function

    return note


def slurp(path: str) -> bytes:
    return Path(path).read_bytes()


@reader("txt")
def builtin_open(path: str) -> object:
    with open(path) as file:
        return file.read()


@reader("txt")
def os_open(path: str) -> object:
    return os.close(os.open(path, os.O_RDONLY))


@reader("txt")
def relative_after_chdir(path: str) -> object:
    os.chdir(os.path.dirname(path))
    return slurp(os.path.basename(path))


@reader("txt")
def relative_to_a_descriptor(path: str) -> object:
    folder = os.open(os.path.dirname(path), os.O_RDONLY)
    return os.close(os.open(os.path.basename(path), os.O_RDONLY, dir_fd=folder))


@reader("txt")
def openat2(path: str) -> object:
    how = (ctypes.c_uint64 * 3)(0, 0, 0)
    libc = ctypes.CDLL(None)
    return os.close(libc.syscall(437, -100, os.fsencode(path), ctypes.byref(how), 24))


@reader("txt")
def memory_map(path: str) -> object:
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return data[:1]


@reader("npy")
def numpy_memmap(path: str) -> object:
    import numpy as np

    return np.load(path, mmap_mode="r").sum()


@reader("csv")
def pandas_csv(path: str) -> object:
    import pandas as pd

    return pd.read_csv(path)


@reader("parquet")
def pandas_parquet(path: str) -> object:
    import pandas as pd

    return pd.read_parquet(path)


@reader("parquet")
def pyarrow_parquet(path: str) -> object:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


@reader("csv")
def pyarrow_csv(path: str) -> object:
    import pyarrow.csv

    return pyarrow.csv.read_csv(path)


@reader("parquet")
def polars_scan(path: str) -> object:
    import polars as pl

    return pl.scan_parquet(path).collect()


@reader("csv")
def polars_csv(path: str) -> object:
    import polars as pl

    return pl.read_csv(path)


@reader("parquet")
def duckdb_parquet(path: str) -> object:
    import duckdb

    return duckdb.sql(f"select sum(a) from '{path}'").fetchall()


@reader("h5")
def h5py_file(path: str) -> object:
    import h5py

    with h5py.File(path) as file:
        return file["a"][:]


@reader("db")
def sqlite(path: str) -> object:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("select * from t").fetchall()
    finally:
        connection.close()


@reader("txt")
def child_process(path: str) -> object:
    return subprocess.run(["cat", path], check=True, capture_output=True)


@reader("txt")
def shell_line(path: str) -> object:
    return os.system(f"read line < {path}")


@reader("txt")
def static_program(path: str) -> object:
    return subprocess.run([os.environ["STATIC_READER"], path], check=True)


@reader("txt")
def thread(path: str) -> object:
    one = threading.Thread(target=slurp, args=(path,))
    one.start()
    return one.join()


@reader("txt")
def fork(path: str) -> object:
    one = multiprocessing.get_context("fork").Process(target=slurp, args=(path,))
    one.start()
    return one.join()


@reader("txt")
def spawn(path: str) -> object:
    one = multiprocessing.get_context("spawn").Process(target=slurp, args=(path,))
    one.start()
    return one.join()


def make(folder: Path) -> None:
    """Write one file for each reader."""
    import h5py
    import numpy as np
    import pandas as pd

    table = pd.DataFrame(TABLE)
    for name in READERS:
        path = folder / name
        match path.suffix:
            case ".csv":
                table.to_csv(path)
            case ".parquet":
                table.to_parquet(path)
            case ".npy":
                np.save(path, np.arange(9))
            case ".h5":
                with h5py.File(path, "w") as file:
                    file["a"] = np.arange(9)
            case ".db":
                connection = sqlite3.connect(path)
                connection.execute("create table t (a)")
                connection.commit()
                connection.close()
            case _:
                path.write_text("text\n")


if __name__ == "__main__":
    verb, folder = sys.argv[1], Path(sys.argv[2])
    if verb == "make":
        make(folder)
    else:
        for name, read in READERS.items():
            read(str(folder / name))
