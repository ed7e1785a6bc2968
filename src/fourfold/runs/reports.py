"""What processes of Python told about themselves at their end: files of the scratch folder, read as data.

They come from processes that ran anybody's code, so they are taken for what they are: hints, bounded in
size, of which only what has the right shape is believed. Who writes them is ``inject/_fourfold_report.py``.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from math import isfinite
from typing import Any

from fourfold.base.fs.reading import read_start

_PREFIX, _SUFFIX = "python-", ".json"
#: A report is never longer, in bytes; so many are read.
_LONGEST = 32 * 1024 * 1024
MOST = 2000


def read(scratch: str) -> tuple[Mapping[str, Any], ...]:
    """The reports below a scratch folder, by the order in which their processes started.

    Raises:
        OSError: the folder cannot be read.
    """
    found: list[tuple[float, str, Mapping[str, Any]]] = []
    for name in sorted(os.listdir(scratch)):
        if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)) or len(found) >= MOST:
            continue
        with suppress(OSError, ValueError, RecursionError):
            path = os.path.join(scratch, name)
            if os.path.islink(path) or os.path.getsize(path) > _LONGEST:
                continue
            data = read_start(path, _LONGEST)
            report = _clean(json.loads(data, parse_constant=_nothing, parse_float=_finite))
            if isinstance(report, dict):
                started = report.get("started")
                found.append((started if isinstance(started, float | int) else 0.0, name, report))
    return tuple(report for _started, _name, report in sorted(found, key=lambda one: one[:2]))


def unread(scratch: str) -> int:
    """How many processes told of themselves and are not heard: there are too many.

    Raises:
        OSError: the folder cannot be read.
    """
    told = sum(name.startswith(_PREFIX) and name.endswith(_SUFFIX) for name in os.listdir(scratch))
    return max(0, told - MOST)


def _nothing(_name: str) -> None:
    """For ``NaN`` and ``Infinity``: no record can hold them."""


def _finite(text: str) -> float | None:
    number = float(text)
    return number if isfinite(number) else None


def _clean(value: Any) -> Any:
    """The same without texts that can name no file: whoever reads them need not mind."""
    if isinstance(value, str):
        return value if _is_name(value) else ""
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items() if _is_name(key)}
    return [_clean(inner) for inner in value] if isinstance(value, list) else value


def _is_name(text: str) -> bool:
    """Whether the system could take it for a name: no NUL, and bytes that are not UTF-8 escaped as such."""
    if "\0" in text:
        return False
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            return False
    return True
