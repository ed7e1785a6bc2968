"""What was found of files of the environment, remembered by what `stat` says: a cache that may be lost.

One JSON file for each kind below ``own/runs/facts``. A file whose size, times, inode or device moved is
looked at again.
"""

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.canonical import canonical, parse

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: Changes with what is remembered.
VERSION = 1
#: More entries than this: those that were not asked for go.
_MOST = 20_000
#: A file that changed so short before it was read may change again without its times telling; nanoseconds.
_FRESH = 50_000_000
_FOLDER = ("runs", "facts")
_open: dict[str, "Remembered"] = {}


class Remembered:
    """One kind of what was found of files.

    Args:
        file: Where it is kept; "" to forget it with the process.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._held: dict[str, list[Any]] = {}
        self._asked: set[str] = set()
        self._moved = False
        if file:
            with suppress(OSError, FourfoldError):
                with open(file, "rb") as source:
                    document = parse(source.read(), file)
                if document.get("version") == VERSION and isinstance(document.get("files"), dict):
                    self._held = document["files"]

    def get(self, path: str, status: os.stat_result) -> Any:
        """What was found of a file that has not moved since; None otherwise."""
        self._asked.add(path)
        held = self._held.get(path)
        if isinstance(held, list) and len(held) == 2 and held[0] == _signature(status):
            return held[1]
        return None

    def put(self, path: str, status: os.stat_result, value: Any, now_ns: int) -> None:
        """Remember what was found of a file when its status was this, unless it changed a moment ago."""
        if now_ns - max(status.st_mtime_ns, status.st_ctime_ns) < _FRESH:
            return
        self._held[path] = [_signature(status), value]
        self._moved = True

    def save(self, place: "Place") -> None:
        """Write what is new; a file system that refuses loses nothing but time."""
        if not (self._file and self._moved):
            return
        if len(self._held) > _MOST:
            self._held = {path: held for path, held in self._held.items() if path in self._asked}
        with suppress(OSError, FourfoldError):
            place.make(*_FOLDER)
            document = {"version": VERSION, "files": self._held}
            write_atomic(self._file, canonical(document), durable=False)
            self._moved = False


def _signature(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]


def remembered(place: "Place", kind: str) -> Remembered:
    """What is remembered of one kind; read once by a process."""
    file = os.path.join(place.own, *_FOLDER, f"{kind}.json")
    if file not in _open:
        _open[file] = Remembered(file)
    return _open[file]
