"""What a command of evidence is about: a run of the records here, or one in the file of an archive.

An archive is unpacked into a folder of its own, proven member by member, and is a project there like any
other: whatever asks about its run need not know. The folder goes at the end, unless it was named.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fourfold.cli import runs
from fourfold.cli.session import Session
from fourfold.evidence.naming import resolve
from fourfold.runs.scratch import empty, remove
from fourfold.runs.store import RunNotFoundError, records_of

if TYPE_CHECKING:
    from fourfold.evidence.export.unarchive import Unpacked
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
        archived: The folder of the project that an archive became; "" for one that is here.
    """

    place: "Place"
    records: "Records"
    run: "RunId"
    folder: str | None = None
    left_out: tuple[str, ...] = ()
    fleeting: bool = False
    archived: str = ""


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
        yield Subject(place, records, _resolved(place, records, text), target)
        return
    from tempfile import mkdtemp  # noqa: PLC0415 - only archives

    from fourfold.wiring import find_place  # noqa: PLC0415 - likewise

    folder = target or mkdtemp(prefix="fourfold-archive-")
    try:
        found = _unpacked(file, folder, session)
        place = find_place(found.project_root, environ=session.environ, clock=session.clock)
        worktree = os.path.join(folder, _WORKTREE) if target else None
        records = records_of(place)
        yield Subject(place, records, found.run, worktree, found.left_out, target is None, found.project_root)
    finally:
        if target is None:
            remove(folder)


def _resolved(place: "Place", records: "Records", text: str) -> "RunId":
    try:
        return resolve(place, records, text)
    except RunNotFoundError as error:
        if text.endswith(".zip"):
            raise RunNotFoundError(
                f"no archive '{text}', and no run", hint="name the file that ff export wrote"
            ) from error
        raise


def _unpacked(file: str, folder: str, session: Session) -> "Unpacked":
    """The project of an archive; where it is damaged, the folder is as it was."""
    from fourfold.evidence.export.unarchive import unpack  # noqa: PLC0415 - only archives
    from fourfold.scm.unpack import FolderNotEmptyError  # noqa: PLC0415 - likewise

    made = [path for path in (folder, os.path.join(folder, _PROJECT)) if not os.path.lexists(path)]
    try:
        return unpack(file, os.path.join(folder, _PROJECT), session.environ)
    except FolderNotEmptyError:
        raise
    except BaseException:
        empty(os.path.join(folder, _PROJECT))
        for path in reversed(made):
            remove(path)
        raise
