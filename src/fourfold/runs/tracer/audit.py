"""What processes of Python wrote down about themselves (`runs/inject/_fourfold_audit.py`), read back.

Lines of JSON, ``[how, path]``, in ``audit-<pid>.log``: each use once in a process. The run could write there
too, so that whatever is not of that form is passed over.
"""

import json
import os
from collections.abc import Iterator

from fourfold.base.fs.reading import read_start
from fourfold.runs.tracer.ledger import HOWS
from fourfold.runs.tracer.seen import MOST_BYTES, Contact, Read, Use

_HOWS = frozenset(HOWS.values())


def read(scratch: str) -> Read | None:
    """All that is there, in the order in which processes ended; None where no process told anything."""
    with os.scandir(scratch) as entries:
        files = [
            (entry.stat(follow_symlinks=False).st_mtime_ns, entry.path)
            for entry in entries
            if entry.name.startswith("audit-") and entry.name.endswith(".log")
        ]
    uses: list[Use] = []
    contacts: list[Contact] = []
    for _when, file in sorted(files):
        for how, path in _lines(file):
            if how in _HOWS:
                uses.append(Use(len(uses), how, os.fsencode(path), 1, os.path.lexists(path)))
            elif how == "connect":
                contacts.append(_contact(path))
    return Read(tuple(uses), tuple(contacts), complete=True) if files else None


def _lines(file: str) -> Iterator[tuple[str, str]]:
    try:
        data = read_start(file, MOST_BYTES)
    except OSError:
        return
    for line in data.splitlines():
        try:
            match json.loads(line):
                case [str() as how, str() as path] if "\0" not in path:
                    path.encode("utf-8", "surrogateescape")
                    yield how, path
        except (ValueError, RecursionError):
            continue


def _contact(address: str) -> Contact:
    if address.startswith(("/", "@")):
        return Contact("unix", address, 0, denied=False, times=1)
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    return Contact("inet6" if ":" in host else "inet", host, number, denied=False, times=1)
