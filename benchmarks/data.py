"""The data sets of the benchmarks: random bytes, the same for the same shape.

(a) 20,000 files of 8 KiB in 256 folders; (b) 100,000 files of 1 KiB; (c) 8 files of 256 MiB; (m) one million
files of a few bytes. A scale below 1 makes fewer files.
"""

import random
from pathlib import Path
from typing import NamedTuple

KIB, MIB = 1 << 10, 1 << 20


class Shape(NamedTuple):
    """How many files, of how many bytes, in how many folders."""

    files: int
    size: int
    folders: int


SHAPES = {
    "a": Shape(20_000, 8 * KIB, 256),
    "b": Shape(100_000, 1 * KIB, 256),
    "c": Shape(8, 256 * MIB, 1),
    "m": Shape(1_000_000, 8, 1000),
}


def scaled(name: str, scale: float) -> Shape:
    """The shape with ``scale`` times as many files; for (c), as large files."""
    shape = SHAPES[name]
    if name == "c":
        return shape._replace(size=max(MIB, int(shape.size * scale)))
    return shape._replace(files=max(8, int(shape.files * scale)))


def make(root: Path, shape: Shape) -> None:
    """Make the files below ``root``; each begins with its number, so no two are equal."""
    noise = random.Random(4).randbytes(min(shape.size, MIB))
    for folder in range(min(shape.folders, shape.files)):
        (root / f"{folder:03d}").mkdir(parents=True)
    for number in range(shape.files):
        head = f"{number:07d}\n".encode()
        path = root / f"{number % shape.folders:03d}" / f"{number:07d}.bin"
        with path.open("wb") as file:
            file.write(head + noise[: shape.size - len(head)])
            for _ in range(shape.size // MIB - 1):
                file.write(noise)
