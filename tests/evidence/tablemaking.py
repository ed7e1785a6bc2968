"""Two contents of a table, compared, for tests that have texts and no files."""

from typing import Any

from fourfold.evidence.explaining.rows import read_rows
from fourfold.evidence.explaining.tables import TableChange, compare_rows


def compared(a: bytes, b: bytes, name: str, **said: Any) -> TableChange | None:
    """Two contents; None where one of them is no table."""
    first, second = read_rows(a, name), read_rows(b, name)
    return None if first is None or second is None else compare_rows(first, second, name, **said)
