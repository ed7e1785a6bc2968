"""Inside of a stage: bytecode of installed packages is told of once a folder, not once a file.

A program that imports pandas opens some 1,500 files of bytecode, and whoever watches it is asked each time.
What is learned is which packages: so the first file of a folder is opened like any other, and the others with
bits among the flags by which the filter lets them pass (`fourfold.runs.tracer.abi.TOLD`). The kernel ignores
those bits. Only below the folders of the interpreter and its packages: a stage's own modules are asked for.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | 0x2A000000
_VERSION = f"python{sys.version_info[0]}.{sys.version_info[1]}/"


def folders() -> "tuple[str, ...]":
    """Where the interpreter and its packages have their files; each ends with a slash."""
    found = {}  # type: dict[str, None]
    for prefix in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix):
        for library in ("/lib/", "/lib64/"):
            found[prefix + library + _VERSION] = None
    found["/usr/lib/python3/dist-packages/"] = None
    return tuple(found)


def install() -> None:
    """Have the loaders of this process read bytecode so."""
    loader = sys.modules["_frozen_importlib_external"].FileLoader
    loader.get_data = reading(loader.get_data, folders())


def reading(
    plainly: "Callable[[object, str], bytes]", below: "tuple[str, ...]"
) -> "Callable[[object, str], bytes]":
    """What reads a file for a loader.

    Args:
        plainly: What did so far.
        below: The folders below which that is so.
    """
    told = set()  # type: set[str]

    def get_data(self: object, path: str) -> bytes:
        """Return the data from path as raw bytes."""
        if type(path) is str and path.endswith(".pyc") and path.startswith(below):
            folder = path.rpartition("/")[0]
            if folder in told:
                try:
                    return _read(path)
                except OSError:
                    pass  # which is told as always
            else:
                told.add(folder)
        return plainly(self, path)

    return get_data


def _read(path: str) -> bytes:
    descriptor = os.open(path, _FLAGS)
    try:
        size = os.fstat(descriptor).st_size + 1
        pieces = []
        while piece := os.read(descriptor, size):
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(descriptor)
