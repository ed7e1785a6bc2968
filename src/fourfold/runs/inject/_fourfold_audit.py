"""Inside of a stage: what this process of Python opens, by its own audit hook, where nothing better traces.

Lines of JSON, ``[how, path]``, in ``audit-<pid>.log`` of the folder for reports: ``read`` | ``write`` |
``list`` | ``exec`` | ``delete``, and ``connect`` with ``host:port``. Each use is written once. Sees only what
Python itself does: not C libraries that open files, nor other programs.
"""

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: So many lines are kept back before they are written.
_MOST = 200


class _Log:
    """The lines of this process."""

    folder = ""
    busy = False

    def __init__(self) -> None:
        self.lines = []  # type: list[str]
        self.seen = set()  # type: set[tuple[str, str]]


_log = _Log()


def install(folder: str) -> None:
    """Write down what this process uses, from now until its end, and the children that it forks."""
    _log.folder = folder
    sys.addaudithook(_heard)
    atexit.register(flush)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=flush, after_in_child=_forked)


def _forked() -> None:
    _log.lines.clear()
    _log.seen.clear()
    try:
        util = sys.modules.get("multiprocessing.util")
        if util is not None:  # its children end without exit functions
            util.register_after_fork(_log, _in_pool)
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def _in_pool(_unused: object) -> None:
    try:  # noqa: SIM105 - contextlib may not be loaded
        sys.modules["multiprocessing.util"].Finalize(None, flush, exitpriority=-100)
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass


def flush() -> None:
    """Write what is kept back."""
    if not _log.lines or _log.busy:
        return
    _log.busy = True
    try:
        name = os.path.join(_log.folder, "audit-" + str(os.getpid()) + ".log")
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            data = "".join(_log.lines).encode("utf-8", "surrogateescape")
            while data:
                data = data[os.write(fd, data) :]
        finally:
            os.close(fd)
        _log.lines.clear()
    except Exception:  # noqa: BLE001, S110 - silent whatever happens
        pass
    finally:
        _log.busy = False


def _heard(event: str, args: "tuple[Any, ...]") -> None:
    how = _EVENTS.get(event)
    if how is None or _log.busy:
        return
    try:
        for way, value in how(args):
            _use(way, value)
    except Exception:  # noqa: BLE001, S110 - an audit hook that raises would stop what it hears of
        pass


def _use(how: str, path: "Any") -> None:
    if path is None or isinstance(path, int):
        return  # a descriptor: its file was opened before
    text = os.fsdecode(path)
    if how != "connect":
        text = os.path.normpath(os.path.join(os.getcwd(), text))
    if (how, text) in _log.seen:
        return
    _log.seen.add((how, text))
    import _fourfold_report  # type: ignore[import-not-found]  # noqa: PLC0415 - it writes JSON without `json`

    _log.lines.append(_fourfold_report._encode([how, text]) + "\n")  # noqa: SLF001 - the neighbour's
    if len(_log.lines) >= _MOST or how in ("exec", "connect"):
        flush()  # what is executed may take this process's place


def _below(path: "Any", folder: "object") -> "Any":
    """A path that is meant from an open folder."""
    if not isinstance(folder, int) or folder < 0 or path is None:
        return path
    return os.path.join(os.readlink("/proc/self/fd/" + str(folder)), os.fsdecode(path))


def _opened(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    path, mode, flags = args
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
        reads = "r" in mode or ("+" in mode and "w" not in mode)
    elif isinstance(path, int):
        return []
    else:
        number = flags if isinstance(flags, int) else 0
        access = number & (os.O_WRONLY | os.O_RDWR)
        writes = bool(access or number & (os.O_CREAT | os.O_TRUNC))
        reads = access != os.O_WRONLY and not number & os.O_TRUNC
        if not writes and not os.path.isabs(path) and not os.path.lexists(path):
            return []  # meant from an open folder, which the event does not tell
        if not writes and os.path.isdir(path):
            return [("list", path)]
    return ([("read", path)] if reads else []) + ([("write", path)] if writes else [])


def _listed(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("list", "." if args[0] is None else args[0])]


def _deleted(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("delete", _below(*args[:2]))]


def _renamed(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    source, target, from_folder, to_folder = args
    return [("delete", _below(source, from_folder)), ("write", _below(target, to_folder))]


def _linked(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("write", _below(args[1], args[-1]))]


def _made(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("write", _below(args[0], args[2]))]


def _wrote(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("write", args[0])]


def _database(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    path = os.fsdecode(args[0])
    if path in ("", ":memory:") or path.startswith("file:"):
        return []
    return ([("read", path)] if os.path.exists(path) else []) + [("write", path)]


def _loaded(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    """A library, or an extension module: the interpreter opens it itself."""
    name = args[1] if len(args) > 1 else args[0]
    return [("read", name)] if isinstance(name, str) and os.path.isabs(name) else []


def _executed(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    program = os.fsdecode(args[0])
    if os.path.dirname(program):
        return [("exec", program)] if os.access(program, os.X_OK) else []
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, program)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return [("exec", path)]
    return []


def _shell(_args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    return [("exec", "/bin/sh")]


def _connected(args: "tuple[Any, ...]") -> "list[tuple[str, Any]]":
    address = args[1]
    if isinstance(address, tuple):
        host = str(address[0])
        return [("connect", ("[" + host + "]" if ":" in host else host) + ":" + str(address[1]))]
    return [("connect", os.fsdecode(address).replace("\0", "@"))]


#: Event of the interpreter -> the uses that it means.
_EVENTS = {
    "open": _opened,
    "import": _loaded,
    "ctypes.dlopen": _loaded,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "os.remove": _deleted,
    "os.rmdir": _deleted,
    "os.rename": _renamed,
    "os.link": _linked,
    "os.symlink": _linked,
    "os.mkdir": _made,
    "os.truncate": _wrote,
    "sqlite3.connect": _database,
    "os.exec": _executed,
    "os.posix_spawn": _executed,
    "subprocess.Popen": _executed,
    "os.system": _shell,
    "socket.connect": _connected,
}
