"""The operation log: what each command did to the workspace and the metadata, so that it can be taken back.

One append-only journal a command below ``.dvc/fourfold/ops``: first who, then, before each act, what
was there, and at the end what is there now. An act is announced before it happens, so a process that
is killed leaves a journal without an end whose every act can still be taken back. What is in no cache
is never deleted: it is renamed into ``.dvc/fourfold/trash/<id>``. Journals are private to this
workspace, and whatever they name is held inside of it. Taking back is `undo`.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, FourfoldError, from_os_error
from fourfold.base.ids import Oid, OpId, UnsafePathError

if TYPE_CHECKING:
    from fourfold.project.project import Project

OPS = "ops"
TRASH = "trash"
_SUFFIX = ".jsonl"
#: Journals that are kept; older ones go, and what they kept in the trash with them.
KEEP = 100
#: Days that the trash of an operation is kept.
TRASH_DAYS = 30
#: A metadata file above this size is kept as a file of the trash instead of a line of the journal.
_INLINE_MAX = 4 * 1024 * 1024


class NothingToKeepError(ConflictError):
    """A path that was to be kept is not there any more."""

    code = "nothing-to-keep"


class Act(NamedTuple):
    """One thing that an operation did.

    Attributes:
        kind: ``write`` (a metadata file), ``create``, ``replace``, ``keep``, ``discard`` or ``move``.
        path: POSIX path relative to the project's root.
        slot: Its number within the operation; names its place in the trash.
        before: ``write``: the bytes before; None when there was no file.
        mode: ``write``: permission bits before.
        oid: ``replace``: the content before, which the cache has.
        legacy: ``replace``: whether it is in the 2.x layout of the cache.
        isexec: ``replace``: whether the owner could execute it.
        to: ``move``: where it went, like ``path``.
    """

    kind: str
    path: str
    slot: int
    before: bytes | None = None
    mode: int | None = None
    oid: Oid | None = None
    legacy: bool = False
    isexec: bool = False
    to: str = ""


class Recorded(NamedTuple):
    """One operation as its journal tells it.

    Attributes:
        id: Six digits or more, counting up.
        time_ns: When it began, in nanoseconds since the epoch.
        command: The verb.
        arguments: What it was given, without secrets.
        acts: What it did, in order.
        state: ``done``, ``failed`` (it stopped at an error), ``interrupted`` (it was killed) or ``undone``.
        after_files: Metadata files that it wrote -> their bytes at its end, None for removed; without
            very large ones.
        after_paths: Workspace paths -> the content at its end, where the verb told.
        half_undone: Somebody began to take it back (or to redo it), and was killed.
    """

    id: OpId
    time_ns: int
    command: str
    arguments: tuple[str, ...]
    acts: tuple[Act, ...]
    state: str
    after_files: Mapping[str, bytes | None]
    after_paths: Mapping[str, Oid | None]
    half_undone: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether it was taken back."""
        return self.state == "undone"


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
            entry["before"] = _pack(before)
        self._files[relpath] = before
        self._add(Act("write", relpath, slot, before, mode), entry)

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
        names = [name for name in os.listdir(folder) if name.endswith(_SUFFIX)]
        number = max(
            (int(name[: -len(_SUFFIX)]) for name in names if name[: -len(_SUFFIX)].isdigit()), default=0
        )
        self._id = OpId(f"{number + 1:06d}")
        path = os.path.join(folder, self._id + _SUFFIX)
        try:
            # Private: the bytes of config.local are among what is kept.
            self._journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        except OSError as error:
            raise from_os_error(error, "starting the operation log") from error
        self._write(
            {
                "version": 1,
                "id": self._id,
                "at": self._project.clock.now_ns(),
                "command": self._command,
                "arguments": _redacted(self._arguments),
                "pid": os.getpid(),
            }
        )

    def _write(self, entry: Mapping[str, Any]) -> None:
        _append(self._journal, entry)

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
                os.unlink(os.path.join(self._project.own_dir, OPS, self._id + _SUFFIX))
                _remove_tree(os.path.join(self._project.own_dir, TRASH, self._id))
                self._id = None
                return
            small = {path: data for path, data in after.items() if data is None or len(data) <= _INLINE_MAX}
            files = {path: _pack(data) for path, data in small.items()}
            self._write({"end": state, "files": files, "paths": self._after})
        except OSError as error:
            raise from_os_error(error, "writing the operation log") from error
        finally:
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
    if project.operation is not None:
        yield project.operation
        return
    running = Operation(project, command, arguments)
    project.operation = running
    try:
        yield running
    except BaseException:
        with suppress(FourfoldError):
            running.finish("failed")
        raise
    else:
        running.finish("done")
        prune(project)
    finally:
        project.operation = None


def read_state(path: str) -> tuple[bytes | None, int | None]:
    """The bytes and the permission bits of a file; (None, None) when it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error


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


def log(project: "Project") -> list[Recorded]:
    """The recorded operations, the newest first; torn and foreign journals are left out."""
    folder = os.path.join(project.own_dir, OPS)
    try:
        names = sorted((name for name in os.listdir(folder) if _is_journal(name)), key=_number, reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error, "reading the operation log") from error
    found = (read_journal(project, OpId(name[: -len(_SUFFIX)])) for name in names)
    return [recorded for recorded in found if recorded is not None]


def _is_journal(name: str) -> bool:
    return name.endswith(_SUFFIX) and name[: -len(_SUFFIX)].isdecimal() and name.isascii()


def _number(name: str) -> int:
    return int(name[: -len(_SUFFIX)])


def read_journal(project: "Project", op: OpId) -> Recorded | None:
    """One operation; None when its journal is torn at the start, or names what it must not."""
    import json  # noqa: PLC0415 - verbs that only read never come here

    path = os.path.join(project.own_dir, OPS, op + _SUFFIX)
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return None
    entries: list[dict[str, Any]] = []
    for line in lines:
        try:
            entry = json.loads(line) if line else None
        except ValueError:
            break  # the process was killed within this line
        if isinstance(entry, dict):
            entries.append(entry)
    try:
        return _recorded(project, op, entries)
    except (KeyError, TypeError, ValueError, FourfoldError):
        return None


def _recorded(project: "Project", op: OpId, entries: Sequence[Mapping[str, Any]]) -> Recorded | None:
    if not entries or entries[0].get("version") != 1:
        return None
    head = entries[0]
    acts: list[Act] = []
    state, half = "interrupted", False
    files: dict[str, bytes | None] = {}
    paths: dict[str, Oid | None] = {}
    for entry in entries[1:]:
        if "act" in entry:
            acts.append(_act(project, op, entry, len(acts)))
        elif "end" in entry:
            state = str(entry["end"])
            files = {_inside(name): _unpack(data) for name, data in entry["files"].items()}
            paths = {_inside(name): Oid(oid) if oid else None for name, oid in entry["paths"].items()}
        elif "state" in entry:
            half = entry["state"] in {"undoing", "redoing"}
            if not half:
                state = "done" if entry["state"] == "redone" else str(entry["state"])
    arguments = tuple(str(text) for text in head["arguments"])
    at, command = int(head["at"]), str(head["command"])
    return Recorded(op, at, command, arguments, tuple(acts), state, files, paths, half)


def _act(project: "Project", op: OpId, entry: Mapping[str, Any], slot: int) -> Act:
    kind, path = str(entry["act"]), _inside(entry["path"])
    if kind == "write":
        if "slot" in entry:
            before, _ = read_state(os.path.join(project.own_dir, TRASH, op, str(int(entry["slot"]))))
        else:
            before = _unpack(entry["before"])
        mode = entry["mode"]
        return Act(kind, path, slot, before, None if mode is None else int(mode) & 0o777)
    if kind == "replace":
        from fourfold.base.ids import parse_oid  # noqa: PLC0415 - nothing else here needs it

        oid, legacy, isexec = parse_oid(entry["oid"]), bool(entry["legacy"]), bool(entry["exec"])
        return Act(kind, path, slot, oid=oid, legacy=legacy, isexec=isexec)
    if kind == "move":
        return Act(kind, path, slot, to=_inside(entry["to"]))
    if kind not in {"create", "keep", "discard"}:
        raise ValueError(kind)
    return Act(kind, path, slot)


def _inside(path: object) -> str:
    """A path of a journal, which must stay in the project and out of Git's folder."""
    if not isinstance(path, str) or not path or path.startswith("/") or "\0" in path:
        raise ValueError(path)
    parts = path.split("/")
    if any(part in {"", ".", "..", ".git"} for part in parts) or os.path.isabs(path):
        raise ValueError(path)
    return path


def _pack(data: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        from base64 import b64encode  # noqa: PLC0415 - metadata files are text but for damage

        return {"base64": b64encode(data).decode("ascii")}


def _unpack(value: Any) -> bytes | None:
    if value is None:
        return None
    if "text" in value:
        return str(value["text"]).encode("utf-8")
    from base64 import b64decode  # noqa: PLC0415 - see `_pack`

    return b64decode(value["base64"])


def _append(fd: int, entry: Mapping[str, Any]) -> None:
    import json  # noqa: PLC0415 - verbs that only read never come here

    try:
        os.write(fd, json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n")
    except OSError as error:
        raise from_os_error(error, "writing the operation log") from error


def mark(project: "Project", op: OpId, state: str) -> None:
    """Add a state (``undoing``, ``undone``, ``redoing``, ``redone``) to the journal of an operation."""
    path = os.path.join(project.own_dir, OPS, op + _SUFFIX)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    except OSError as error:
        raise from_os_error(error, "writing the operation log") from error
    try:
        _append(fd, {"state": state, "at": project.clock.now_ns()})
    finally:
        os.close(fd)


def _redacted(arguments: Sequence[str]) -> list[str]:
    """The arguments without secrets: of URLs, and the value that follows the name of a secret option."""
    from fourfold.storage.redact import HIDDEN, SECRET_OPTIONS, redact  # noqa: PLC0415 - only writers come here

    shown = [redact(text) for text in arguments]
    for at, text in enumerate(arguments[:-1]):
        if text.rpartition(".")[2] in SECRET_OPTIONS:
            shown[at + 1] = HIDDEN
    return shown


def prune(project: "Project", *, keep: int = KEEP, days: float = TRASH_DAYS) -> list[OpId]:
    """Forget the oldest operations beyond ``keep``, and trash older than ``days``; what went.

    An operation whose trash is gone can be taken back only as far as the cache has its content.
    """
    folder = os.path.join(project.own_dir, OPS)
    trash = os.path.join(project.own_dir, TRASH)
    try:
        names = sorted((name for name in os.listdir(folder) if _is_journal(name)), key=_number)
    except OSError:
        return []
    old = [OpId(name[: -len(_SUFFIX)]) for name in names[: max(0, len(names) - keep)]]
    for op in old:
        with suppress(OSError):
            os.unlink(os.path.join(folder, op + _SUFFIX))
    limit = project.clock.now_ns() - int(days * 86_400 * 1_000_000_000)
    _empty_trash(trash, {name[: -len(_SUFFIX)] for name in names} - set(old), limit)
    return old


def _empty_trash(trash: str, known: Iterable[str], limit_ns: int) -> None:
    kept = set(known)
    try:
        entries = list(os.scandir(trash))
    except OSError:
        return
    for entry in entries:
        with suppress(OSError):
            if entry.name not in kept or entry.stat(follow_symlinks=False).st_mtime_ns < limit_ns:
                _remove_tree(entry.path)


def _remove_tree(path: str) -> None:
    if not os.path.lexists(path):
        return
    import shutil  # noqa: PLC0415 - only when there is trash to take out

    shutil.rmtree(path, ignore_errors=True)
