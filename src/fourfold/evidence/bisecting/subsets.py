"""Subsets: inside the first bad version, which of the things that moved made it bad, and which files of data.

Each thing that moved is tried alone on the last good version. Where data is to blame and it is a folder of
many files, the search goes on inside, over folders of old and new files, by delta debugging (Zeller and
Hildebrandt 2002). It ends with files that make it bad together, and of which none can be spared.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.evidence.attributing.hybrids import Choice, Laboratory, Measured
from fourfold.evidence.bisecting.bisect import Side
from fourfold.evidence.parting import FACTORS, Row

#: So many folders are tried at most.
MOST_TRIALS = 64
#: Files are named one by one up to so many that changed.
MOST_FILES = 10_000


class Narrowed(NamedTuple):
    """What a look into the first bad version found.

    Attributes:
        alone: The metric where only one of the things that moved is the bad version's; None where that cannot
            be run.
        blamed: Those of them that alone make it bad.
        folder: The folder that the search went into; "" when it went into none.
        files: The files of it that make it bad.
        changed: How many of its files changed.
        whole: Whether the search ended: none of the files can be spared.
        executed: Steps that were run.
        free: Steps that records answered.
        problems: What could not be run, and why.
        wholes: Folders that stages filled, and that count as data as a whole.
    """

    alone: dict[str, float | None]
    blamed: tuple[str, ...]
    folder: str = ""
    files: tuple[str, ...] = ()
    changed: int = 0
    whole: bool = True
    executed: int = 0
    free: int = 0
    problems: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **self._asdict(),
            "blamed": list(self.blamed),
            "files": list(self.files),
            "wholes": list(self.wholes),
        }


def narrow(laboratory: Laboratory, metric: str, side: Side, moved: Sequence[str]) -> Narrowed:
    """Look into the step from a good version to a bad one.

    Args:
        laboratory: Of the two versions: the good one is the first.
        metric: ``FILE:NAME``.
        side: What is bad.
        moved: The things that moved, words of `parting.FACTORS`.
    """
    cost = _Cost(metric)
    names = [name for name in FACTORS if name in moved]
    alone = {
        name: None if len(names) == 1 else cost.take(laboratory.measure(Choice.of((name,)))) for name in names
    }
    blamed = tuple(name for name, value in alone.items() if value is not None and side.is_bad(value))
    if len(names) == 1:
        blamed = tuple(names)
    found = Narrowed(alone if len(names) > 1 else {}, blamed)
    if blamed == ("data",):
        found = _inside(laboratory, cost, side, found)
    return found._replace(
        executed=cost.executed, free=cost.free, problems=tuple(dict.fromkeys(cost.problems))
    )


class _Cost:
    """Measurements of a metric, and what they cost."""

    def __init__(self, metric: str) -> None:
        self._metric = metric
        self.executed = self.free = 0
        self.problems: list[str] = []

    def take(self, measured: Measured) -> float | None:
        self.executed += measured.executed
        self.free += measured.free
        if measured.why:
            self.problems.append(measured.why)
        return measured.metrics.get(self._metric)


def _inside(laboratory: Laboratory, cost: _Cost, side: Side, found: Narrowed) -> Narrowed:
    """Go on in the folders of data that moved, while one of them alone makes it bad."""
    try:
        folders = [
            mixed for path in laboratory.moved_data() if (mixed := _open(laboratory, path)) is not None
        ]
    except FourfoldError as error:
        cost.problems.append(error.message)
        return found
    for mixed in folders:
        if not 1 < len(mixed.changed) <= MOST_FILES:
            continue

        def is_bad(chosen: Sequence[str], mixed: "_Mixed" = mixed) -> bool | None:
            try:
                with mixed.row(chosen) as row:
                    value = cost.take(laboratory.measure(Choice(), inputs={mixed.path: row}))
            except FourfoldError as error:
                cost.problems.append(error.message)
                return None
            return None if value is None else side.is_bad(value)

        # Other data moved too, perhaps without being declared: this folder alone must make it bad.
        if not is_bad(mixed.changed):
            continue
        files, whole = minimal(mixed.changed, is_bad)
        return found._replace(folder=mixed.path, files=tuple(files), changed=len(mixed.changed), whole=whole)
    return found


def minimal(
    units: Sequence[str], is_bad: Callable[[Sequence[str]], bool | None], most: int = MOST_TRIALS
) -> tuple[list[str], bool]:
    """Units that are bad together, and of which none can be spared.

    Args:
        units: All of them, which are bad together.
        is_bad: Tries some; None when that cannot be told.
        most: So many are tried.

    Returns:
        The units, and whether the search ended by itself.
    """
    chosen, parts, left = list(units), 2, most
    known: dict[tuple[str, ...], bool | None] = {}

    def bad(some: list[str]) -> bool:
        nonlocal left
        key = tuple(some)
        if key not in known:
            left -= 1
            known[key] = is_bad(some)
        return known[key] is True

    while len(chosen) > 1 and left > 0:
        size = -(-len(chosen) // parts)
        pieces = [chosen[at : at + size] for at in range(0, len(chosen), size)]
        piece = next((each for each in pieces if left > 0 and bad(each)), None)
        if piece is not None:
            chosen, parts = piece, 2
            continue
        rests = (_without(chosen, each) for each in (pieces if len(pieces) > 2 else ()))
        rest = next((each for each in rests if left > 0 and bad(each)), None)
        if rest is not None:
            chosen, parts = rest, max(parts - 1, 2)
            continue
        if parts >= len(chosen):
            return chosen, left > 0
        parts = min(parts * 2, len(chosen))
    return chosen, len(chosen) == 1 or left > 0


def _without(units: Sequence[str], some: Sequence[str]) -> list[str]:
    gone = frozenset(some)
    return [unit for unit in units if unit not in gone]


class _Mixed:
    """A folder of data of which each file is the good version's or the bad one's.

    Attributes:
        path: As records name it.
        changed: Files that are not the same in both, those that one side lacks among them; sorted.
    """

    def __init__(self, laboratory: Laboratory, path: str, old: str, new: str) -> None:
        self.path = path
        self._laboratory, self._old, self._new = laboratory, old, new
        before, after = _files(old), _files(new)
        self.changed = sorted(
            name
            for name in {*before, *after}
            if name not in before or name not in after or not _alike(before[name], after[name])
        )
        self._before, self._after = frozenset(before), frozenset(after)

    @contextmanager
    def row(self, chosen: Sequence[str]) -> Iterator[Row]:
        """The folder where these files are the bad version's, as long as it is measured.

        Raises:
            FourfoldError: there can be no such folder: a file of one version is a folder of the other.
        """
        folder = self._laboratory.room()
        try:
            self._fill(folder, chosen)
        except OSError as error:
            raise from_os_error(error, f"mixing two versions of {self.path}") from error
        row = self._laboratory.put(self.path, folder)
        try:
            yield row
        finally:
            self._laboratory.drop(row)

    def _fill(self, folder: str, chosen: Sequence[str]) -> None:
        shutil.copytree(self._old, folder, symlinks=True, dirs_exist_ok=True)
        for name in self._before.intersection(chosen):
            os.unlink(os.path.join(folder, name))
            above = os.path.dirname(name)
            with suppress(OSError):  # until one has something in it
                while above:
                    os.rmdir(os.path.join(folder, above))
                    above = os.path.dirname(above)
        for name in self._after.intersection(chosen):
            target = os.path.join(folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(os.path.join(self._new, name), target)


def _open(laboratory: Laboratory, path: str) -> _Mixed | None:
    """A folder of data in both versions; None for a single file."""
    old, new = laboratory.bytes_of(path, "a"), laboratory.bytes_of(path, "b")
    if old is None or new is None or not (os.path.isdir(old) and os.path.isdir(new)):
        return None
    return _Mixed(laboratory, path, old, new)


def _files(folder: str) -> dict[str, str]:
    found = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(top, name)
            found[os.path.relpath(path, folder)] = path
    return found


def _alike(one: str, other: str) -> bool:
    if os.path.getsize(one) != os.path.getsize(other):
        return False
    with open(one, "rb") as first, open(other, "rb") as second:
        while True:
            data = first.read(1 << 20)
            if data != second.read(1 << 20):
                return False
            if not data:
                return True
