"""The operation log: what each command did to the workspace and the metadata, so that it can be taken back.

One append-only journal a command below ``.dvc/fourfold/ops``: first who, then, before each act, what
was there, and at the end what is there now. An act is announced before it happens, so a process that
is killed leaves a journal without an end whose every act can still be taken back. What is in no cache
is never deleted: it is renamed into ``.dvc/fourfold/trash/<id>``. Journals are private to this
workspace, and whatever they name is held inside of it. Taking back is `undo`.
"""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import ConflictError, FourfoldError, from_os_error
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.platform import CREATE_NEW, WRITE, try_lock
from fourfold.base.ids import Oid, OpId, UnsafePathError
from fourfold.project.journal import (
    OPS,
    SUFFIX,
    TRASH,
    Act,
    append,
    is_journal,
    number_of,
    pack,
    prune,
    read_state,
    remove_tree,
)
from fourfold.project.litter import sweep

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: A metadata file above this size is kept as a file of the trash instead of a line of the journal.
_INLINE_MAX = 4 * 1024 * 1024


class NothingToKeepError(ConflictError):
    """A path that was to be kept is not there any more."""

    code = "nothing-to-keep"


class Operation:
    """The running operation: announce every act to it before doing it.

    All paths are absolute and inside the project. Paths outside are not recorded.
    """

    def __init__(self, project: "Project", command: str, arguments: Sequence[str]) -> None:
        self._project = project
        self._command = command
        self._arguments = tuple(arguments)
        self._journal = -1
        self._id: OpId | None = None
        self._acts: list[Act] = []
        self._files: dict[str, bytes | None] = {}
        self._after: dict[str, Oid | None] = {}

    @property
    def id(self) -> OpId | None:
        """Its id; None until it did something."""
        return self._id

    def will_write(self, path: str) -> None:
        """A metadata file is about to be made, changed or removed; announce it once or more."""
        relpath = self._relative(path)
        if relpath is None or relpath in self._files:
            return
        before, mode = read_state(path)
        slot = len(self._acts)
        entry: dict[str, Any] = {"act": "write", "path": relpath, "mode": mode}
        if before is not None and len(before) > _INLINE_MAX:
            self._begin()
            self._copy_to_trash(path, slot)
            entry["slot"] = slot
        else:
            entry["before"] = pack(before)
        self._files[relpath] = before
        self._add(Act("write", relpath, slot, before, mode), entry)

    def write(self, path: str, data: bytes | None) -> None:
        """Give a metadata file new bytes, all or nothing, or remove it; announced before.

        Raises:
            DeniedError, ExhaustedError: the system refuses; it is as it was.
        """
        self.will_write(path)
        try:
            if data is None:
                os.unlink(path)
            else:
                write_atomic(path, data)
        except OSError as error:
            act = "removing" if data is None else "writing"
            raise from_os_error(error, f"{act} {self._project.display(path)}") from error

    def will_create(self, path: str) -> None:
        """Nothing is at ``path`` of the workspace now, and something will be."""
        self._simple("create", path)

    def will_replace(self, path: str, oid: Oid, *, legacy: bool = False, isexec: bool = False) -> None:
        """The content ``oid``, which the cache has in full, is about to be replaced or removed."""
        relpath = self._relative(path)
        if relpath is not None:
            act = Act("replace", relpath, len(self._acts), oid=oid, legacy=legacy, isexec=isexec)
            entry = {"act": "replace", "path": relpath, "oid": oid, "legacy": legacy, "exec": isexec}
            self._add(act, entry)

    def discard(self, path: str) -> None:
        """Take a file or a folder out of the workspace, into the trash. Costs one rename.

        Raises:
            NothingToKeepError: it is not there.
            DeniedError, ExhaustedError: the system refuses; it is where it was.
        """
        slot = self._simple("discard", path)
        if slot is None:
            raise UnsafePathError(f"'{path}' is outside of the project")
        target = os.path.join(self._trash(), str(slot))
        move_path(path, target)

    def keep(self, path: str) -> None:
        """Keep the bytes of one file that is about to be replaced by a rename, by a hard link or a copy.

        Raises:
            NothingToKeepError: it is not there.
        """
        relpath = self._relative(path)
        if relpath is None:
            return
        self._begin()
        self._copy_to_trash(path, len(self._acts))
        self._simple("keep", path)

    def move(self, source: str, target: str) -> None:
        """Rename a file or a folder of the workspace; the folder of ``target`` exists."""
        relpath, to = self._relative(source), self._relative(target)
        if relpath is not None and to is not None:
            act = Act("move", relpath, len(self._acts), to=to)
            self._add(act, {"act": "move", "path": relpath, "to": to})
        move_path(source, target)

    def became(self, path: str, oid: Oid | None) -> None:
        """Tell the content at ``path`` when all is done, so that undo can see whether it changed since."""
        relpath = self._relative(path)
        if relpath is not None:
            self._after[relpath] = oid

    def _simple(self, kind: str, path: str) -> int | None:
        relpath = self._relative(path)
        if relpath is None:
            return None
        slot = len(self._acts)
        self._add(Act(kind, relpath, slot), {"act": kind, "path": relpath})
        return slot

    def _relative(self, path: str) -> str | None:
        if path == self._project.root or not self._project.contains(path):
            return None
        return self._project.relpath(path)

    def _trash(self) -> str:
        self._begin()
        return self._project.make_own_dir(TRASH, str(self._id))

    def _copy_to_trash(self, path: str, slot: int) -> None:
        target = os.path.join(self._trash(), str(slot))
        try:
            try:
                os.link(path, target, follow_symlinks=False)
            except FileNotFoundError as error:
                raise NothingToKeepError(f"'{path}' is not there any more") from error
            except OSError:
                import shutil  # noqa: PLC0415 - only where hard links cannot be

                shutil.copy2(path, target, follow_symlinks=False)
        except OSError as error:
            raise from_os_error(error, f"keeping {path}") from error

    def _add(self, act: Act, entry: Mapping[str, Any]) -> None:
        self._begin()
        self._acts.append(act)
        self._write(entry)

    def _begin(self) -> None:
        """Start the journal at the first act: a command that changes nothing leaves nothing."""
        if self._id is not None:
            return
        folder = self._project.make_own_dir(OPS)
        number = max((number_of(name) for name in os.listdir(folder) if is_journal(name)), default=0) + 1
        while True:
            self._id = OpId(f"{number:06d}")
            path = os.path.join(folder, self._id + SUFFIX)
            try:
                # Private: the bytes of config.local are among what is kept.
                self._journal = os.open(path, WRITE | CREATE_NEW | os.O_APPEND, 0o600)
            except FileExistsError:
                number += 1  # a command that runs without the repository lock took it
            except OSError as error:
                self._id = None
                raise from_os_error(error, "starting the operation log") from error
            else:
                break
        try_lock(self._journal)  # held until the end: what nobody holds and has no end was interrupted
        from fourfold.storage.secrets import strike_arguments  # noqa: PLC0415 - only writers come here

        self._write(
            {
                "version": 1,
                "id": self._id,
                "at": self._project.clock.now_ns(),
                "command": self._command,
                "arguments": strike_arguments(self._arguments),
                "pid": os.getpid(),
            }
        )

    def _write(self, entry: Mapping[str, Any]) -> None:
        append(self._journal, entry)

    def finish(self, state: str) -> None:
        """Close the journal, with what is there now; forget an operation that changed nothing.

        Raises:
            DeniedError, ExhaustedError: the journal cannot be written; it stands as interrupted.
        """
        if self._id is None:
            return
        after = {path: read_state(os.path.join(self._project.root, path))[0] for path in self._files}
        try:
            if after == self._files and all(act.kind == "write" for act in self._acts):
                os.unlink(os.path.join(self._project.own_dir, OPS, self._id + SUFFIX))
                remove_tree(os.path.join(self._project.own_dir, TRASH, self._id))
                self._id = None
                return
            small = {path: data for path, data in after.items() if data is None or len(data) <= _INLINE_MAX}
            files = {path: pack(data) for path, data in small.items()}
            self._write({"end": state, "files": files, "paths": self._after})
        except OSError as error:
            raise from_os_error(error, "writing the operation log") from error
        finally:
            if self._journal >= 0:
                os.close(self._journal)
                self._journal = -1


@contextmanager
def operation(project: "Project", command: str, arguments: Sequence[str] = ()) -> Iterator[Operation]:
    """Record what the block does, as one operation; blocks within it belong to it.

    Hold the repository lock (`locks.project_lock`) around it.

    Args:
        project: Whose.
        command: The verb, as the user would type it.
        arguments: Its targets and options; secrets are masked.
    """
    outer = running(project)
    if outer is not None:
        yield outer
        return
    sweep(project)
    own = Operation(project, command, arguments)
    project.operation = own
    try:
        yield own
    except BaseException:
        with suppress(FourfoldError):
            own.finish("failed")
        raise
    else:
        own.finish("done")
        prune(project)
    finally:
        project.operation = None


def running(project: "Project") -> Operation | None:
    """The operation that the project is in; None outside of any `operation` block."""
    return project.operation if isinstance(project.operation, Operation) else None


def move_path(source: str, target: str) -> None:
    """Rename, across file systems when it must be; ``target`` does not exist.

    Raises:
        NothingToKeepError: ``source`` is not there.
        DeniedError, ExhaustedError: the system refuses.
    """
    try:
        os.rename(source, target)
    except FileNotFoundError as error:
        raise NothingToKeepError(f"'{source}' is not there any more") from error
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise from_os_error(error, f"moving {source}") from error
        import shutil  # noqa: PLC0415 - only between file systems

        try:
            shutil.move(source, target)
        except OSError as second:
            raise from_os_error(second, f"moving {source}") from second
