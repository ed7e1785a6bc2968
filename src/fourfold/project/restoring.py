"""Content of the cache on its way back into the workspace, file by file, for undo.

All files of an operation are made first, proven as they are made and flushed together; only then does
the first path of the workspace change. What the cache lacks is known before anything is touched.
"""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple, Self

from fourfold.base.errors import from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.base.pool import chunks, map_batches
from fourfold.content.checkout import checkout
from fourfold.content.links import Linker
from fourfold.content.staging import Staging
from fourfold.project.desk import desk_for

if TYPE_CHECKING:
    from fourfold.project.project import Project

_BATCH = 256


class Wanted(NamedTuple):
    """Content that a path had: the object, its layout, and whether its owner could execute it."""

    oid: Oid
    legacy: bool = False
    isexec: bool = False


class Restorer:
    """Files made and waiting, by the number that their caller gave them; used in a ``with`` block.

    Attributes:
        missing: Numbers of files whose content the cache does not have, or has damaged. Whole
            directories are made when they are put, and not among them.
    """

    def __init__(self, project: "Project", wanted: Mapping[int, Wanted], *, events: Sink = silent) -> None:
        self._project = project
        self._wanted = dict(wanted)
        self._events = events
        self._desk = desk_for(project, project.root)
        self._exits = ExitStack()
        self._staging: Staging | None = None
        self.missing: set[int] = set()

    def __enter__(self) -> Self:
        files = {number: want for number, want in self._wanted.items() if not is_tree(want.oid)}
        if files:
            try:
                self._staging = self._exits.enter_context(Staging(self._desk.staging, self._project.root))
                self._make(files)
            except BaseException as error:
                self._exits.close()
                if isinstance(error, OSError):
                    raise from_os_error(error, "restoring files") from error
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _make(self, files: Mapping[int, Wanted]) -> None:
        self._events(PhaseStarted("restoring", len(files)))
        for legacy in (False, True):
            for isexec in (False, True):
                numbers = [n for n, want in files.items() if (want.legacy, want.isexec) == (legacy, isexec)]
                if numbers:
                    self._make_alike(numbers, legacy=legacy, isexec=isexec)
        self._events(PhaseEnded("restoring"))
        if self._staging is not None:
            self._staging.flush(len(files) - len(self.missing))
        self._desk.proofs.flush()

    def _make_alike(self, numbers: list[int], *, legacy: bool, isexec: bool) -> None:
        desk, staging = self._desk, self._staging
        if staging is None:
            return
        linker = Linker(desk.store, desk.proofs, desk.link_types, legacy=legacy, executable=isexec)

        def work(rows: range) -> list[int]:
            failed = []
            for at in rows:
                number = numbers[at]
                if linker.make(self._wanted[number].oid, staging.slot(number))[1] is None:
                    failed.append(number)
            return failed

        for rows, failed in zip(
            chunks(len(numbers), _BATCH), map_batches(work, chunks(len(numbers), _BATCH)), strict=True
        ):
            self.missing.update(failed)
            self._events(Advanced("restoring", len(rows)))
        linker.note_links()

    def put(self, number: int, path: str) -> None:
        """Name the content of ``number`` at ``path``, where nothing is now, or a file that another replaces.

        Raises:
            DeniedError, ExhaustedError: the system refuses.
        """
        want = self._wanted[number]
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if self._staging is not None and not is_tree(want.oid):
                os.replace(self._staging.slot(number), path)
                return
        except OSError as error:
            raise from_os_error(error, f"restoring {path}") from error
        checkout(want.oid, path, desk_for(self._project, path), legacy=want.legacy, events=self._events)
