"""Inside of a stage: what this process of Python opens, by its own audit hook, where nothing better traces.

Lines of JSON, ``[how, path]``, in ``audit-<pid>.log`` of the folder for reports: ``read`` | ``write`` |
``list`` | ``exec`` | ``delete``, and ``connect`` with ``host:port``. Each use is written once. Sees only what
Python itself does: not C libraries that open files, nor other programs.
"""

import atexit
import os
import sys

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


def _heard(event: str, args: "tuple[object, ...]") -> None:
    how = _EVENTS.get(event)
    if how is None or _log.busy:
        return
    try:
        for way, value in how(event, args):
            _use(way, value)
    except Exception:  # noqa: BLE001, S110 - an audit hook that raises would stop what it hears of
        pass


def _use(how: str, path: "object") -> None:
    if isinstance(path, int) or path is None:
        return  # a descriptor: its file was opened before
    text = os.fsdecode(path)  # type: ignore[arg-type]
    if how != "connect":
        text = os.path.normpath(os.path.join(os.getcwd(), text))
    if (how, text) in _log.seen:
        return
    _log.seen.add((how, text))
    import _fourfold_report  # type: ignore[import-not-found]  # noqa: PLC0415 - it knows how to write JSON without the module of that name

    _log.lines.append(_fourfold_report._encode([how, text]) + "\n")  # noqa: SLF001 - the neighbour's
    if len(_log.lines) >= _MOST or how in ("exec", "connect"):
        flush()  # what is executed may take this process's place


def _opened(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    path, mode, flags = args[0], args[1], args[2]
    if isinstance(mode, str):
        writes = any(letter in mode for letter in "wax+")
        reads = "r" in mode or ("+" in mode and "w" not in mode)
    else:
        number = flags if isinstance(flags, int) else 0
        access = number & (os.O_WRONLY | os.O_RDWR)
        writes = bool(access or number & (os.O_CREAT | os.O_TRUNC))
        reads = access != os.O_WRONLY and not number & os.O_TRUNC
    return ([("read", path)] if reads else []) + ([("write", path)] if writes else [])


def _listed(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("list", "." if args[0] is None else args[0])]


def _deleted(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("delete", args[0])]


def _renamed(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("delete", args[0]), ("write", args[1])]


def _linked(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("write", args[1])]


def _wrote(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("write", args[0])]


def _executed(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    path = args[0]
    if isinstance(path, (str, bytes)) and os.path.dirname(os.fsdecode(path)):
        return [("exec", path)]
    found = _on_path(os.fsdecode(path)) if path is not None else None  # type: ignore[arg-type]
    return [("exec", found)] if found else []


def _on_path(name: str) -> "str | None":
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def _shell(_event: str, _args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    return [("exec", "/bin/sh")]


def _connected(_event: str, args: "tuple[object, ...]") -> "list[tuple[str, object]]":
    address = args[1]
    if isinstance(address, tuple) and len(address) >= 2:
        return [("connect", str(address[0]) + ":" + str(address[1]))]
    return [("connect", address)]


_EVENTS = {
    "open": _opened,
    "os.listdir": _listed,
    "os.scandir": _listed,
    "os.remove": _deleted,
    "os.rmdir": _deleted,
    "os.rename": _renamed,
    "os.link": _linked,
    "os.symlink": _linked,
    "os.mkdir": _wrote,
    "os.truncate": _wrote,
    "sqlite3.connect": _wrote,
    "os.exec": _executed,
    "os.posix_spawn": _executed,
    "subprocess.Popen": _executed,
    "os.system": _shell,
    "socket.connect": _connected,
}
