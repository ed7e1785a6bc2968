"""What a command of evidence is about: a run of the records here, or one in the file of an archive.

An archive is unpacked into a folder of its own, proven member by member, and is a project there like any
other: whatever asks about its run need not know. The folder goes at the end, unless it was named.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fourfold.cli import runs
from fourfold.cli.session import Session
from fourfold.evidence.naming import resolve

if TYPE_CHECKING:
    from fourfold.formats.native.record import RunId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: What stands in a folder that was named for an archive: the project that it has, and the worktree.
_PROJECT, _WORKTREE = "archive", "replay"


class Subject(NamedTuple):
    """A run, and where it is recorded.

    Attributes:
        place: Where.
        records: Its records.
        run: Which.
        folder: Where a replay of it goes; None for the usual place.
        left_out: What an archive says that it lacks.
        fleeting: Whether its records go when the command ends.
    """

    place: "Place"
    records: "Records"
    run: "RunId"
    folder: str | None = None
    left_out: tuple[str, ...] = ()
    fleeting: bool = False


@contextmanager
def subject(session: Session, text: str, into: str | None = None) -> Iterator[Subject]:
    """The run that a user means: by its name (`resolve`), or by the file of an archive.

    Args:
        session: Of the command.
        text: As typed.
        into: A new folder for the replay, and for what is in an archive; None for one that goes.

    Raises:
        BadArchiveError, ArchiveCorruptError: the file is an archive, and is damaged.
        RunNotFoundError: nothing is called so.
    """
    file = session.resolve(text)
    target = session.resolve(into) if into else None
    if not (os.path.isfile(file) and text.endswith(".zip")):
        place, records = runs.opened(session)
        yield Subject(place, records, resolve(place, records, text), target)
        return
    from tempfile import mkdtemp  # noqa: PLC0415 - only archives

    from fourfold.evidence.export.unarchive import unpack  # noqa: PLC0415 - likewise
    from fourfold.runs.store import records_of  # noqa: PLC0415 - likewise
    from fourfold.wiring import find_place  # noqa: PLC0415 - likewise

    folder = target or mkdtemp(prefix="fourfold-archive-")
    try:
        found = unpack(file, os.path.join(folder, _PROJECT), session.environ)
        place = find_place(found.project_root, environ=session.environ, clock=session.clock)
        worktree = os.path.join(folder, _WORKTREE) if target else None
        yield Subject(place, records_of(place), found.run, worktree, found.left_out, target is None)
    finally:
        if target is None:
            shutil.rmtree(folder, ignore_errors=True)
