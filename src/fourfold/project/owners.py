"""One file of what a project tracks, and the gathering of many: for the workspace and revisions alike.

`parse_file` turns the bytes of a pointer file or ``dvc.yaml`` into owners, wherever the bytes come from;
a `Collector` gathers them, notes which folders are outputs, and ends in a `Tracking`. Who finds the
files is `files` (the workspace) and `revisions` (Git's objects).
"""

import os
import stat
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.reading import read_file
from fourfold.base.ids import CommitId, UnsafePathError
from fourfold.formats.dvc import pointer as pointers
from fourfold.project.outs import (
    PIPELINE_FILE,
    Owner,
    Tracked,
    check_overlaps,
    place,
    working_dir,
)

if TYPE_CHECKING:
    from fourfold.project.config import Config

#: One byte more than the YAML reader accepts, so that it is the one to refuse.
_READ_MAX = 16 * 1024 * 1024 + 1

#: Gives the bytes of a file by its absolute path; None when there is none.
Reader = Callable[[str], bytes | None]


class Tracking(NamedTuple):
    """Everything that a project tracks, at one moment.

    Attributes:
        owners: Pointer files and stages, in the order of the walk.
        outs: Their outputs that lie in the workspace, in the same order.
        external: Legacy outputs outside of it: to report, never to touch.
        errors: What could not be loaded; empty when loading was strict.
        rev: The revision; None for the workspace.
        pipelines: Paths of the ``dvc.yaml`` files from the root, also of those without stages.
    """

    owners: tuple[Owner, ...]
    outs: tuple[Tracked, ...]
    external: tuple[Tracked, ...] = ()
    errors: tuple[FourfoldError, ...] = ()
    rev: CommitId | None = None
    pipelines: tuple[str, ...] = ()


def read_owner_file(root: str, path: str) -> bytes | None:
    """The bytes of a pointer file, ``dvc.yaml`` or ``dvc.lock``; None when it is not there.

    Raises:
        UnsafePathError: it is a symbolic link that leaves the project.
        DeniedError and other typed errors: the system refuses.
    """
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            real, home = os.path.realpath(path), os.path.realpath(root)
            if not real.startswith(home + os.sep):
                raise UnsafePathError(
                    f"'{os.path.relpath(path, root)}' is a symbolic link out of the project"
                )
        return read_file(path, _READ_MAX)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, "reading a pointer file") from error


def parse_file(root: str, path: str, read: Reader, config: "Config | None" = None) -> tuple[Owner, ...]:
    """The owners of one file, wherever its bytes come from.

    Args:
        root: The project's root, also when ``read`` reads from Git.
        path: Absolute path of the file (as it would be in the workspace).
        read: Gives the bytes of a file, None when there is none.
        config: Of the project, for templates of commands.
    """
    relpath = os.path.relpath(path, root).replace(os.sep, "/")
    data = read(path)
    if data is None:
        return ()
    if os.path.basename(path) == PIPELINE_FILE:
        from fourfold.project.stagefiles import stages_of  # noqa: PLC0415 - only for projects with pipelines

        return stages_of(root, path, relpath, data, read, config)
    pointer = pointers.parse(data, relpath)
    wdir = working_dir(root, path, pointer.wdir)
    return (
        Owner(
            file=path,
            relpath=relpath,
            name=None,
            wdir=wdir,
            outs=pointer.outs,
            deps=pointer.deps,
            frozen=pointer.frozen,
            pointer=pointer,
            always_changed=pointer.always_changed,
            source=data,
        ),
    )


class Collector:
    """Gathers owners and outputs while a walk goes on, and knows which folders are outputs.

    Attributes:
        paths: Absolute paths of the outputs so far: folders among them are not walked into.
    """

    def __init__(self, root: str, *, strict: bool, config: "Config | None" = None) -> None:
        self.root = root
        self.strict = strict
        self.config = config
        self.owners: list[Owner] = []
        self.outs: list[Tracked] = []
        self.external: list[Tracked] = []
        self.errors: list[FourfoldError] = []
        self.paths: set[str] = set()
        self._pipelines: list[str] = []

    def guard(self, act: Callable[[], object]) -> None:
        """Do ``act``; keep its error for later unless the collection is strict."""
        try:
            act()
        except FourfoldError as error:
            if self.strict:
                raise
            self.errors.append(error)

    def load(self, path: str, read: Reader) -> None:
        """Add what the file at ``path`` declares."""
        self.saw(path)
        self.guard(lambda: self.add(parse_file(self.root, path, read, self.config)))

    def saw(self, path: str) -> None:
        """Note that a file was met, whatever it declares."""
        if os.path.basename(path) == PIPELINE_FILE:
            self._pipelines.append(os.path.relpath(path, self.root).replace(os.sep, "/"))

    def add(self, owners: Iterable[Owner]) -> None:
        """Add owners that are loaded already."""
        for owner in owners:
            placed = place(self.root, owner)
            self.owners.append(owner)
            for out in placed:
                (self.external if out.external else self.outs).append(out)
                self.paths.add(out.path)

    def finish(self, rev: CommitId | None) -> Tracking:
        """Everything gathered, after the check that no two owners contradict."""
        where = _place_of if rev is None else None
        self.guard(lambda: check_overlaps(self.outs, self.owners, where=where))
        return Tracking(
            tuple(self.owners),
            tuple(self.outs),
            tuple(self.external),
            tuple(self.errors),
            rev,
            tuple(self._pipelines),
        )


def _place_of(out: Tracked) -> str:
    from fourfold.project.claims import place_of_output  # noqa: PLC0415 - only a contradiction is located

    return place_of_output(out)
