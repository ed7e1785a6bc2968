"""Inside of a stage: at the end of a process of Python, write what it was to ``python-<pid>.json``.

Whoever starts it calls `install` with the folder for reports. What it looks at is in ``_fourfold_facts``,
loaded at the end only. Runs in the Python of the stage: 3.8 and later, the standard library alone, nothing
imported that was not there, and silent whatever happens. Processes that are killed, replaced by exec or
left by ``os._exit`` cannot tell.
"""

import atexit
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Where reports go; "" until `install`.
_folder = ""
#: The process that wrote its report already: a child that was forked inherits more than it should.
_written = 0
#: When this process began, in nanoseconds of the system's clock.
_started = 0
#: What others have to tell at the end: key of the report -> function that gives its value.
_tellers: "dict[str, Callable[[], object]]" = {}


class _Anchor:
    """What `multiprocessing` ties a function to: it must stay alive, and be of a class."""


_anchor = _Anchor()


def install(folder: str) -> None:
    """Write a report into a folder when this process ends, and each that is forked from it."""
    global _folder, _started  # noqa: PLW0603 - a process has one
    _started = time.time_ns()
    if _folder:
        return
    _folder = folder
    atexit.register(write)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forked)


def contribute(key: str, teller: "Callable[[], object]") -> None:
    """Have one more key in the report: the function is called when it is written, and may fail."""
    _tellers[key] = teller


def _forked() -> None:
    """In a child after fork: those of `multiprocessing` end by their own functions only."""
    global _started  # noqa: PLW0603 - a process has one
    try:
        _started = time.time_ns()
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            # The child clears inherited finalizers first, then runs these functions: ours must come then.
            util.register_after_fork(_anchor, _in_pool)
    except Exception:  # noqa: BLE001, S110 - a stage never fails for what is told of it
        pass


def _in_pool(_anchor: object) -> None:
    try:  # noqa: SIM105 - contextlib may not be loaded
        # The lowest priority runs last, when the work of the process is done.
        sys.modules["multiprocessing.util"].Finalize(None, write, exitpriority=-100)
    except Exception:  # noqa: BLE001, S110 - a stage never fails for what is told of it
        pass


def write() -> None:
    """Write the report of this process, once."""
    global _written  # noqa: PLW0603 - a process has one
    try:
        if not _folder or _written == os.getpid():
            return
        _written = os.getpid()
        _save(_encode(_collect()))
    except BaseException:  # noqa: BLE001, S110 - nor does it say anything when somebody interrupts it here
        pass


def _collect() -> "dict[str, object]":
    found = {"pid": os.getpid(), "parent": os.getppid(), "started": _started}  # type: dict[str, object]
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, own)  # whoever started us may have taken it away
    try:
        import _fourfold_facts  # type: ignore[import-not-found]  # noqa: PLC0415 - costs nothing at the start
    finally:
        if sys.path and sys.path[0] == own:
            del sys.path[0]
    found.update(_fourfold_facts.collect(own))
    for key in sorted(_tellers):
        try:  # noqa: SIM105 - contextlib may not be loaded
            found[key] = _tellers[key]()
        except Exception:  # noqa: BLE001, S110 - one that fails leaves its key out
            pass
    return found


def _save(text: str) -> None:
    name = os.path.join(_folder, "python-{}.json".format(os.getpid()))  # noqa: UP032 - `f""` is no shorter
    count = 0
    while os.path.exists(name):  # the number of a process was given again
        count += 1
        name = os.path.join(_folder, f"python-{os.getpid()}-{count}.json")
    partial = os.path.join(_folder, f".python-{os.getpid()}.tmp")
    fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        data = text.encode("ascii")
        while data:
            data = data[os.write(fd, data) :]
    finally:
        os.close(fd)
    os.replace(partial, name)


def _quoted(text: str) -> str:
    """A text as JSON: found out once how, and not at the start."""
    global _quoted  # noqa: PLW0603 - replaces itself
    try:
        from _json import encode_basestring_ascii  # noqa: PLC0415 - costs nothing at the start

        _quoted = encode_basestring_ascii  # type: ignore[assignment]
    except ImportError:  # a Python without that extension
        _quoted = _quote_slowly
    return _quoted(text)


def _encode(value: object) -> str:  # noqa: PLR0911 - one for each kind of value
    """A value as JSON; the module `json` may not be loaded, and loading it costs more than this."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return float.__repr__(value) if value - value == 0 else "null"
    if isinstance(value, dict):
        inner = (_quoted(str(key)) + ":" + _encode(value[key]) for key in value)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(_encode(item) for item in value) + "]"
    return _quoted(str(value))


def _quote_slowly(text: str) -> str:
    out = ['"']
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= code < 127:
            out.append(char)
        elif code < 0x10000:
            out.append("\\u%04x" % code)  # noqa: UP031 - what it says
        else:
            code -= 0x10000
            out.append("\\u%04x\\u%04x" % (0xD800 | code >> 10, 0xDC00 | code & 0x3FF))  # noqa: UP031
    out.append('"')
    return "".join(out)
