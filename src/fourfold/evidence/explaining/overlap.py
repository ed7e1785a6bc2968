"""Rows that stand in what is learned from and in what is measured with: as they are, or by key.

Which tables of a run belong together, their names alone tell: ``split/train.csv`` and ``split/test.csv``.
"""

import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from fourfold.evidence.explaining.rows import Rows
from fourfold.evidence.explaining.tables import KEY

#: Words of names of what is learned from, and of what is measured with.
_TRAIN = re.compile(r"(?<![a-z])(?:train|training)(?![a-z])", re.IGNORECASE)
_TEST = ("test", "testing", "val", "valid", "validation", "dev", "eval", "evaluation", "holdout", "held_out")
#: More pairs of tables are not looked at.
_MOST_PAIRS = 8


class Overlap(NamedTuple):
    """What two tables of one run have in common.

    Attributes:
        train: Path of the table that is learned from.
        test: Path of the table that is measured with.
        rows: So many rows of the second are rows of the first, too.
        keys: So many rows of the second have a name that a row of the first has; None without a key.
        total: Rows of the second.
    """

    train: str
    test: str
    rows: int
    keys: int | None
    total: int

    @property
    def share(self) -> float:
        """The share of the second table that is in the first."""
        return max(self.rows, self.keys or 0) / max(self.total, 1)


def pairs(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The tables that belong together, by their names."""
    known = sorted(set(paths))
    here = set(known)
    found = 0
    for path in known:
        if not _TRAIN.search(path):
            continue
        for word in _TEST:
            other = _TRAIN.sub(word, path)
            if other in here and found < _MOST_PAIRS:
                found += 1
                yield path, other


def overlap(
    train: Rows,
    test: Rows,
    names: tuple[str, str],
    key: str | None = None,
    among: Container[str] | None = None,
) -> Overlap:
    """What two tables of one run have in common.

    Args:
        train: Rows that are learned from.
        test: Rows that are measured with.
        names: Their paths.
        key: The column that names a row, where there is one.
        among: Only these columns are looked at: rows of fewer columns are more often equal by chance, and are
            compared only with rows of as many.
    """
    shared = [name for name in train.names if name in set(test.names) and (among is None or name in among)]
    whole = train.is_alike(test) and len(shared) == len(train.names)
    one, two = (train, test) if whole else (train.only(shared), test.only(shared))
    learned = set(one.texts)
    rows = sum(text in learned for text in two.texts) if shared else 0
    keys = None
    if key is not None and key in shared:
        known = set(train.column(key))
        keys = sum(cell in known for cell in test.column(key))
    return Overlap(*names, rows, keys, len(two.texts))


def key_of(one: Rows, two: Rows) -> str | None:
    """A column that names the rows of each of two tables."""
    for name in one.names:
        if KEY.fullmatch(name) and name in two.names:
            columns = one.column(name), two.column(name)
            if all(len(set(column)) == len(column) for column in columns):
                return name
    return None
