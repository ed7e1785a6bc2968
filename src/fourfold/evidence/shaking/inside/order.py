"""Folders are listed the other way around: what `os.listdir` and `os.scandir` give, and all that ask them.

`glob`, `os.walk`, `pathlib` and `shutil` do; programs in other languages, and C libraries, do not.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    Lister = Callable[..., Any]


class Reversed:
    """What `os.scandir` gives, the last entry first."""

    def __init__(self, found: "Any") -> None:
        with found:
            self._entries = iter(list(found)[::-1])

    def __iter__(self) -> "Iterator[Any]":
        """Itself."""
        return self

    def __next__(self) -> "Any":
        """The next entry."""
        return next(self._entries)

    def __enter__(self) -> "Reversed":  # noqa: PYI034 - of Python 3.8
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open any more."""

    def close(self) -> None:
        """Nothing is open any more."""
        self._entries = iter(())


def begin() -> None:
    """Begin, in this process."""
    scandir, listdir = os.scandir, os.listdir  # type: Lister, Lister

    def scandir_reversed(*args: "Any", **named: "Any") -> Reversed:
        return Reversed(scandir(*args, **named))

    def listdir_reversed(*args: "Any", **named: "Any") -> "list[Any]":
        return list(listdir(*args, **named))[::-1]

    os.scandir = scandir_reversed  # type: ignore[assignment]
    os.listdir = listdir_reversed
    # os tells by identity which of its functions take a descriptor, and shutil and os.walk ask it.
    for known in (os.supports_fd, os.supports_follow_symlinks):
        for old, new in ((scandir, scandir_reversed), (listdir, listdir_reversed)):
            if old in known:
                known.add(new)
