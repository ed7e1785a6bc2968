"""Parts that no record names: left by runs that ended before their records were written.

Records are never removed: they are small, and the chain needs them.
"""

import os
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.formats.native.record import RunId, parts_of

if TYPE_CHECKING:
    from fourfold.runs.store import Records

#: A part this young may belong to a run that goes on; nanoseconds.
YOUNG = 24 * 3600 * 1_000_000_000


class Tidied(NamedTuple):
    """What was, or would be, removed.

    Attributes:
        parts: Ids of the parts.
        size: Their bytes.
    """

    parts: tuple[str, ...] = ()
    size: int = 0


def tidy(records: "Records", now_ns: int, *, dry: bool = False) -> Tidied:
    """Remove the parts that no record names and that are older than a day.

    Args:
        records: Whose.
        now_ns: The time, nanoseconds since 1970.
        dry: Only tell.

    Raises:
        FourfoldError: a record cannot be read, so nobody knows what it names; nothing was removed.
        DeniedError: a part cannot be removed.
    """
    here = records.ids("parts")
    if not here:
        return Tidied()
    named = {part for name in records.ids() for part in parts_of(records.get(RunId(name)))}
    gone, size = [], 0
    for part in here:
        if part in named:
            continue
        path = os.path.join(records.folder, "parts", part[:2], part[2:])
        try:
            found = os.lstat(path)
            if now_ns - found.st_mtime_ns < YOUNG:
                continue
            if not dry:
                os.unlink(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise from_os_error(error, "removing what no run record names") from error
        gone.append(part)
        size += found.st_size
    return Tidied(tuple(gone), size)
