"""What processes of Python told about themselves at their end: files of the scratch folder, read as data.

They come from processes that ran anybody's code, so they are taken for what they are: hints, bounded in
size, of which only what has the right shape is believed. Who writes them is ``inject/_fourfold_report.py``.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_PREFIX, _SUFFIX = "python-", ".json"
#: A report is never longer, in bytes; so many are read.
_LONGEST = 32 * 1024 * 1024
_MOST = 2000


def read(scratch: str) -> tuple[Mapping[str, Any], ...]:
    """The reports below a scratch folder, by the order in which their processes started.

    Raises:
        OSError: the folder cannot be read.
    """
    found: list[tuple[float, str, Mapping[str, Any]]] = []
    for name in sorted(os.listdir(scratch)):
        if not (name.startswith(_PREFIX) and name.endswith(_SUFFIX)) or len(found) >= _MOST:
            continue
        with suppress(OSError, ValueError, RecursionError):
            path = os.path.join(scratch, name)
            if os.path.islink(path) or os.path.getsize(path) > _LONGEST:
                continue
            with open(path, "rb") as file:
                report = json.loads(file.read(_LONGEST))
            if isinstance(report, dict):
                started = report.get("started")
                found.append((started if isinstance(started, float | int) else 0.0, name, report))
    return tuple(report for _started, _name, report in sorted(found, key=lambda one: one[:2]))
