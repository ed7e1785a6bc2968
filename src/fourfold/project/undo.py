"""Undo and redo: taking back what the operation log recorded, and doing it again.

``undo`` takes back the latest operation that stands; again, the one before. ``redo`` goes forward,
as long as nothing new was done in between. Both look first: if a file changed since, they refuse and
have touched nothing; with ``force`` what they overwrite goes to the trash. Both can be killed at any
point and run again. What operations record is `oplog`.
"""

import os
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError, CorruptError, FourfoldError, NotFoundError, from_os_error
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.platform import CREATE, WRITE
from fourfold.base.ids import Oid, UnsafePathError, is_tree
from fourfold.project.journal import TRASH, Act, Recorded, log, mark, read_state
from fourfold.project.litter import sweep
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.oplog import move_path
from fourfold.project.outs import folders_above

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.project.restoring import Restorer


class NothingToUndoError(NotFoundError):
    """No operation is left to take back, or to do again."""

    code = "nothing-to-undo"


class ChangedSinceError(ConflictError):
    """Files changed after the operation that is to be taken back."""

    code = "changed-since"


class ContentGoneError(CorruptError):
    """What the workspace held before is neither in the cache nor in the trash any more."""

    code = "content-gone"


class UndoResult(NamedTuple):
    """What `undo` or `redo` did.

    Attributes:
        operation: The operation that was taken back, or done again.
        files: Metadata files that were written, absolute paths.
        paths: Paths of the workspace that were restored or removed, absolute.
    """

    operation: Recorded
    files: tuple[str, ...]
    paths: tuple[str, ...]


def undo(project: "Project", *, force: bool = False, events: Sink = silent) -> UndoResult:
    """Take back the latest operation that stands.

    Args:
        project: Whose.
        force: Also when files changed since; what is overwritten goes to the trash.
        events: Hears what was overwritten.

    Raises:
        NothingToUndoError: nothing is left to take back.
        ChangedSinceError: files changed since; the details name them, nothing was touched.
        ContentGoneError: the content before cannot be had any more; nothing was touched.
        RepositoryLockedError: another process works on the project.
    """
    with project_lock(project):
        sweep(project)
        recorded = next((entry for entry in log(project) if not entry.is_undone), None)
        if recorded is None:
            raise NothingToUndoError("there is nothing to undo", hint="see what was done: ff op log")
        if recorded.state == "running":
            raise RepositoryLockedError(
                f"'{recorded.command}' ({recorded.id}) is still running",
                hint="wait for it to end, then run the same command again",
            )
        taker = _Taker(project, recorded, events=events)
        taker.check(back=True, force=force)
        with taker.restorer() as restorer:
            taker.check_made(restorer, force=force)
            mark(project, recorded.id, "undoing")
            for act in reversed(recorded.acts):
                taker.back(act, restorer)
        mark(project, recorded.id, "undone")
        return taker.result()


def redo(project: "Project", *, force: bool = False, events: Sink = silent) -> UndoResult:
    """Do again the operation that was taken back last; arguments and errors as `undo`."""
    with project_lock(project):
        undone = None
        for entry in log(project):
            if not entry.is_undone:
                break
            undone = entry
        if undone is None:
            raise NothingToUndoError("there is nothing to redo", hint="see what was done: ff op log")
        taker = _Taker(project, undone, events=events)
        taker.check(back=False, force=force)
        mark(project, undone.id, "redoing")
        for act in undone.acts:
            taker.forth(act)
        mark(project, undone.id, "redone")
        return taker.result()


class _Taker:
    """Takes the acts of one operation back, or forth; each step may be repeated."""

    def __init__(self, project: "Project", recorded: Recorded, *, events: Sink) -> None:
        self.project = project
        self.recorded = recorded
        self.events = events
        #: What the operation itself put somewhere: it may stand where something was discarded.
        self.made = {act.path for act in recorded.acts if act.kind in {"create", "replace"}}
        self.made |= {act.to for act in recorded.acts if act.kind == "move"}
        #: Acts that cannot be taken back any more; with force they are passed over.
        self.lost: set[int] = set()
        self.files: list[str] = []
        self.paths: list[str] = []

    def result(self) -> UndoResult:
        return UndoResult(self.recorded, tuple(self.files), tuple(dict.fromkeys(self.paths)))

    # --- looking ---------------------------------------------------------------------------------------

    def check(self, *, back: bool, force: bool) -> None:
        """Refuse before anything is touched."""
        changed: list[str] = []
        gone: list[str] = []
        for act in self.recorded.acts:
            for relpath in (act.path, act.to):
                self._check_way(relpath)
            if act.kind == "write":
                changed += self._changed_file(act, back=back)
            else:
                changed += self._changed_path(act, back=back)
                if back and not self.recorded.half_undone:
                    lost = self._gone(act)
                    gone += lost
                    if lost:
                        self.lost.add(act.slot)
        if gone and not force:
            raise self._content_gone(gone)
        if changed and not force and not self.recorded.half_undone:
            raise ChangedSinceError(
                f"files changed since '{self.recorded.command}' ({self.recorded.id})",
                details=changed,
                hint=f"to overwrite them (into the trash), run: ff {'undo' if back else 'redo'} --force",
            )

    def _content_gone(self, gone: list[str]) -> ContentGoneError:
        return ContentGoneError(
            f"'{self.recorded.command}' cannot be taken back: what it replaced is gone",
            details=gone,
            hint="get it from a remote if it is there: ff fetch; or take back the rest: ff undo --force",
        )

    def restorer(self) -> "Restorer | nullcontext[None]":
        """What makes the files that were replaced; nothing when none were."""
        acts = [act for act in self.recorded.acts if act.kind == "replace" and act.slot not in self.lost]
        if not acts:
            return nullcontext()
        from fourfold.project.restoring import Restorer, Wanted  # noqa: PLC0415 - few operations replaced content

        wanted = {act.slot: Wanted(act.oid, act.legacy, act.isexec) for act in acts if act.oid is not None}
        return Restorer(self.project, wanted, events=self.events)

    def check_made(self, restorer: "Restorer | None", *, force: bool) -> None:
        """Refuse when the cache has damaged objects where the content before should be."""
        if restorer is None or not restorer.missing:
            return
        if not force:
            raise self._content_gone(
                [f"{act.path}: {act.oid}" for act in self.recorded.acts if act.slot in restorer.missing]
            )
        self.lost |= restorer.missing

    def _check_way(self, relpath: str) -> None:
        for folder in folders_above(self._path(relpath)):
            if not self.project.contains(folder) or folder == self.project.root:
                return
            if os.path.islink(folder):
                raise UnsafePathError(f"'{relpath}' lies behind the symbolic link '{folder}'")

    def _changed_file(self, act: Act, *, back: bool) -> list[str]:
        now, _ = read_state(self._path(act.path))
        after = self.recorded.after_files
        if act.path not in after:
            return []  # killed before its end, or very large: what is there now is kept in the trash
        expected = after[act.path] if back else act.before
        other = act.before if back else after[act.path]
        return [] if now in (expected, other) else [act.path]

    def _changed_path(self, act: Act, *, back: bool) -> list[str]:
        path = self._path(act.path)
        if act.kind == "move":
            source, target = (act.to, act.path) if back else (act.path, act.to)
            there = os.path.lexists(self._path(source)) and os.path.lexists(self._path(target))
            return [target] if there else []
        if act.kind == "discard" and back:
            taken = os.path.lexists(path) and os.path.lexists(self._slot(act))
            return [act.path] if taken and act.path not in self.made else []
        if back and act.path in self.recorded.after_paths and os.path.lexists(path):
            oid = self.recorded.after_paths[act.path]
            return [] if oid is None or self._identity(path, act) == oid else [act.path]
        return []

    def _gone(self, act: Act) -> list[str]:
        if act.kind in {"discard", "keep"}:
            taken = not os.path.lexists(self._slot(act)) and (
                act.kind == "keep" or not os.path.lexists(self._path(act.path))
            )
            return [act.path] if taken else []
        if act.kind != "replace" or act.oid is None:
            return []
        return [f"{act.path}: {oid}" for oid in self._missing(act.oid, legacy=act.legacy)]

    def _missing(self, oid: Oid, *, legacy: bool) -> list[Oid]:
        """What the cache lacks of a content, at most ten names."""
        store = self.project.store
        if not oid.endswith(".dir"):
            return store.missing([oid], legacy=legacy)
        try:
            tree = store.read_tree(oid, legacy=legacy)
        except FourfoldError:
            return [oid]
        return store.missing(tree.digests(), legacy=legacy)[:10]

    def _identity(self, path: str, act: Act) -> Oid | None:
        from fourfold.content.build import identify  # noqa: PLC0415 - metadata alone needs no hashing
        from fourfold.content.statindex import StatIndex  # noqa: PLC0415 - likewise

        # A single file may be one of many of an output: it has no record of its own.
        index = self.project.index if os.path.isdir(path) else StatIndex(None)
        try:
            return identify(path, index, legacy=act.legacy).oid
        except (FourfoldError, OSError):
            return None

    # --- acting ----------------------------------------------------------------------------------------

    def back(self, act: Act, restorer: "Restorer | None") -> None:
        """Take one act back."""
        path = self._path(act.path)
        if act.slot in self.lost:
            self.events(Warned("content-gone", f"'{act.path}' stays as it is: what was there is gone"))
        elif act.kind == "write":
            self._write(act, act.before, act.mode)
        elif act.kind == "move":
            self._shift(self._path(act.to), path)
        elif act.kind in {"discard", "keep"}:
            if os.path.lexists(self._slot(act)):  # else an earlier run that was killed came this far
                self._set_aside(path, act, stays=_is_file(self._slot(act)))
                self._move_over(self._slot(act), path)
        elif act.kind == "create":
            self._set_aside(path, act)
        elif restorer is not None:
            self._put_back(act, path, restorer)

    def _put_back(self, act: Act, path: str, restorer: "Restorer") -> None:
        kept = self._slot(act, "u")
        aside = os.path.lexists(kept) or os.path.lexists(self._slot(act, "n"))
        if aside and self.recorded.half_undone and os.path.lexists(path) and not _is_one(kept, path):
            return  # an earlier run that was killed came this far
        if not os.path.lexists(path):
            self._note_nothing(act)
        self._set_aside(path, act, stays=act.oid is not None and not is_tree(act.oid))
        restorer.put(act.slot, path)

    def forth(self, act: Act) -> None:
        """Do one act again."""
        path = self._path(act.path)
        if act.kind == "write":
            self._write_again(act)
        elif act.kind == "move":
            self._shift(path, self._path(act.to))
        elif act.kind == "discard":
            if os.path.lexists(path) and not os.path.lexists(self._slot(act)):
                self._shift(path, self._slot(act))
        else:
            self._take_again(act, path)

    def _take_again(self, act: Act, path: str) -> None:
        """Put what an undo set aside back; what it had brought back goes where it came from."""
        aside, nothing = self._slot(act, "u"), self._slot(act, "n")
        if act.kind == "keep":
            self._shift(path, self._slot(act))
        elif act.kind == "replace" and (os.path.lexists(aside) or os.path.lexists(nothing)):
            self._shift(path, self._free(act, "r"))
        self._shift(aside, path)
        with suppress(FileNotFoundError):
            os.unlink(nothing)

    def _write(self, act: Act, data: bytes | None, mode: int | None) -> None:
        path = self._path(act.path)
        now, _ = read_state(path)
        if now == data:
            return
        if now is not None and now != self.recorded.after_files.get(act.path):
            self._copy(path, self._slot(act, "f"))
        self._put_file(path, data, mode)

    def _write_again(self, act: Act) -> None:
        path, kept = self._path(act.path), self._slot(act, "f")
        if os.path.lexists(kept):
            data = read_state(kept)[0]
        elif act.path in self.recorded.after_files:
            data = self.recorded.after_files[act.path]
        else:
            return
        now, _ = read_state(path)
        if now not in (act.before, data) and now is not None:
            self._copy(path, self._free(act, "g"))
        if now != data:
            self._put_file(path, data, act.mode)

    def _put_file(self, path: str, data: bytes | None, mode: int | None) -> None:
        try:
            if data is None:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            else:
                os.makedirs(os.path.dirname(path), exist_ok=True)
                write_atomic(path, data, mode=mode)
        except OSError as error:
            raise from_os_error(error, f"writing {path}") from error
        self.files.append(path)

    def _set_aside(self, path: str, act: Act, *, stays: bool = False) -> None:
        """Put what is there now into the trash, where redo finds it.

        With ``stays`` a file keeps its name too, until another is renamed over it: whoever looks, or whoever
        is left after a kill, finds the one or the other.
        """
        aside = self._slot(act, "u")
        if os.path.lexists(path) and not _is_one(aside, path):  # else an earlier run that was killed did it
            if os.path.lexists(aside):
                aside = self._free(act, "x")
                self.events(Warned("kept-in-trash", f"what was at '{act.path}' is now '{aside}'"))
            if not (stays and _is_file(path) and _name_twice(path, aside)):
                self._shift(path, aside)
        self.paths.append(path)

    def _move_over(self, source: str, target: str) -> None:
        """Move a file to where there is nothing, or the file that `_set_aside` let stay."""
        if os.path.lexists(target) and not _is_file(target):
            return
        _make_folder_of(target)
        move_path(source, target)
        self.paths.append(target)

    def _note_nothing(self, act: Act) -> None:
        """Remember, for redo, that the operation had left nothing at the path."""
        if not os.path.lexists(self._slot(act, "u")):
            os.close(os.open(self._slot(act, "n"), WRITE | CREATE, 0o666))

    def _shift(self, source: str, target: str) -> None:
        if not os.path.lexists(source) or os.path.lexists(target):
            return  # an earlier run that was killed came this far
        _make_folder_of(target)
        move_path(source, target)
        self.paths.extend(path for path in (source, target) if not path.startswith(self.project.own_dir))

    def _copy(self, path: str, target: str) -> None:
        import shutil  # noqa: PLC0415 - only files that changed since are copied

        try:
            shutil.copy2(path, target, follow_symlinks=False)
        except OSError as error:
            raise from_os_error(error, f"keeping {path}") from error
        self.events(Warned("kept-in-trash", f"'{self.project.display(path)}' as it was is now '{target}'"))

    def _path(self, relpath: str) -> str:
        return os.path.join(self.project.root, *relpath.split("/"))

    def _slot(self, act: Act, prefix: str = "") -> str:
        folder = self.project.make_own_dir(TRASH, self.recorded.id)
        return os.path.join(folder, f"{prefix}{act.slot}")

    def _free(self, act: Act, prefix: str) -> str:
        """A place in the trash that nothing has taken."""
        number = 0
        while os.path.lexists(path := self._slot(act, f"{prefix}{number}-")):
            number += 1
        return path


def _is_file(path: str) -> bool:
    """Whether a path is a file, or a link; not a directory, nor nothing."""
    return os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path))


def _is_one(path: str, other: str) -> bool:
    """Whether two paths are names of one file."""
    try:
        return os.path.samestat(os.lstat(path), os.lstat(other))
    except OSError:
        return False


def _name_twice(path: str, other: str) -> bool:
    """Give a file a second name; False where the file system cannot."""
    if os.path.islink(path):
        return False
    try:
        os.makedirs(os.path.dirname(other), exist_ok=True)
        os.link(path, other)
    except OSError:
        return False
    return True


def _make_folder_of(path: str) -> None:
    """What an operation emptied may be gone with its folders."""
    folder = os.path.dirname(path)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating {folder}") from error
