"""Journals of operations: what the operation log is written as, and how it is read again.

A journal is a file of JSON lines: who and when, then each act before it happens, then how it ended and
what was there at that time, then whether it was taken back. It is read as if a stranger had written
it: a torn end is left off, and a journal that names anything outside of the project counts as none.
Writing one is `oplog`, acting on one is `undo`.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.fs.atomic import write_all
from fourfold.base.fs.platform import NO_FOLLOW, WRITE, lock
from fourfold.base.ids import Oid, OpId

if TYPE_CHECKING:
    from fourfold.project.project import Project

OPS = "ops"
TRASH = "trash"
SUFFIX = ".jsonl"
#: Journals that are kept; older ones go, and what they kept in the trash with them.
KEEP = 100
#: Days that the trash of an operation is kept.
TRASH_DAYS = 30


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
        state: ``running``, ``done``, ``failed`` (it stopped at an error), ``interrupted`` (it was killed) or
            ``undone``.
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


def read_state(path: str) -> tuple[bytes | None, int | None]:
    """The bytes and the permission bits of a file; (None, None) when it is not there."""
    try:
        with open(path, "rb") as file:
            return file.read(), os.fstat(file.fileno()).st_mode & 0o777
    except FileNotFoundError:
        return None, None
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error


def log(project: "Project") -> list[Recorded]:
    """The recorded operations, the newest first; torn and foreign journals are left out."""
    return newest(project, None)


def newest(project: "Project", count: int | None) -> list[Recorded]:
    """The last ``count`` recorded operations, or with None all of them; as `log`."""
    folder = os.path.join(project.own_dir, OPS)
    try:
        names = sorted((name for name in os.listdir(folder) if is_journal(name)), key=number_of, reverse=True)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise from_os_error(error, "reading the operation log") from error
    found = (read_journal(project, OpId(name[: -len(SUFFIX)])) for name in names[:count])
    return [recorded for recorded in found if recorded is not None]


def is_journal(name: str) -> bool:
    """Whether a file name is that of a journal."""
    return name.endswith(SUFFIX) and name[: -len(SUFFIX)].isdecimal() and name.isascii()


def number_of(name: str) -> int:
    """The number of the operation whose journal is called ``name``."""
    return int(name[: -len(SUFFIX)])


def _is_held(fd: int) -> bool:
    """Whether another process holds an open journal; nobody does where the file system has no locks."""
    try:
        return not lock(fd)
    except OSError:
        return False


def read_journal(project: "Project", op: OpId) -> Recorded | None:
    """One operation; None when its journal is torn at the start, or names what it must not."""
    import json  # noqa: PLC0415 - verbs that only read never come here

    path = os.path.join(project.own_dir, OPS, op + SUFFIX)
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
            held = b'"end":' not in lines[-2 if len(lines) > 1 else -1] and _is_held(file.fileno())
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
        recorded = _recorded(project, op, entries)
    except (KeyError, TypeError, ValueError, FourfoldError):
        return None
    if held and recorded is not None and recorded.state == "interrupted":
        return recorded._replace(state="running")
    return recorded


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
            files = {_inside(name): unpack(data) for name, data in entry["files"].items()}
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
            before = unpack(entry["before"])
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


def pack(data: bytes | None) -> Any:
    """The bytes of a file, or that there is none, as a value of JSON."""
    if data is None:
        return None
    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        from base64 import b64encode  # noqa: PLC0415 - metadata files are text but for damage

        return {"base64": b64encode(data).decode("ascii")}


def unpack(value: Any) -> bytes | None:
    """The reverse of `pack`."""
    if value is None:
        return None
    if "text" in value:
        return str(value["text"]).encode("utf-8")
    from base64 import b64decode  # noqa: PLC0415 - see `pack`

    return b64decode(value["base64"])


def append(fd: int, entry: Mapping[str, Any]) -> None:
    """Write one line; in one call, so that a killed process leaves it whole or torn at the end.

    Raises:
        ExhaustedError, DeniedError: it could not be written.
    """
    import json  # noqa: PLC0415 - verbs that only read never come here

    try:
        write_all(fd, json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode("utf-8") + b"\n")
    except OSError as error:
        raise from_os_error(error, "writing the operation log") from error


def mark(project: "Project", op: OpId, state: str) -> None:
    """Add a state (``undoing``, ``undone``, ``redoing``, ``redone``) to the journal of an operation."""
    path = os.path.join(project.own_dir, OPS, op + SUFFIX)
    try:
        fd = os.open(path, WRITE | os.O_APPEND | NO_FOLLOW)
    except OSError as error:
        raise from_os_error(error, "writing the operation log") from error
    try:
        append(fd, {"state": state, "at": project.clock.now_ns()})
    finally:
        os.close(fd)


def prune(project: "Project", *, keep: int = KEEP, days: float = TRASH_DAYS) -> list[OpId]:
    """Forget the oldest operations beyond ``keep``, and trash older than ``days``; what went.

    An operation whose trash is gone can be taken back only as far as the cache has its content.
    """
    folder = os.path.join(project.own_dir, OPS)
    trash = os.path.join(project.own_dir, TRASH)
    try:
        names = sorted((name for name in os.listdir(folder) if is_journal(name)), key=number_of)
    except OSError:
        return []
    old = [OpId(name[: -len(SUFFIX)]) for name in names[: max(0, len(names) - keep)]]
    for op in old:
        with suppress(OSError):
            os.unlink(os.path.join(folder, op + SUFFIX))
    limit = project.clock.now_ns() - int(days * 86_400 * 1_000_000_000)
    _empty_trash(trash, {name[: -len(SUFFIX)] for name in names} - set(old), limit)
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
                remove_tree(entry.path)


def remove_tree(path: str) -> None:
    """Remove a folder of the trash, as far as the system lets us."""
    if not os.path.lexists(path):
        return
    import shutil  # noqa: PLC0415 - only when there is trash to take out

    shutil.rmtree(path, ignore_errors=True)
