"""Inside of a stage: who asked for randomness that no seed reaches, by the place in the code.

`os.urandom` is wrapped, and through it `secrets`, `uuid.uuid4` and `random.SystemRandom`: what it gives is
never changed, only the place of the caller is noted. What libraries do with a generator that got no seed is
noted here by ``_fourfold_seeds``.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

#: More different places are not kept, so that a stage of any length costs the same.
MOST = 1000
#: Files through which randomness is asked for on behalf of somebody else.
_WAYS = {"uuid.py": "uuid.uuid4", "secrets.py": "secrets", "random.py": "random.SystemRandom"}
_HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_STDLIB = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)

#: (what, file, line) -> how often.
_asked = {}  # type: dict[tuple[str, str, int], int]
#: (what, file, line, whether it got derived randomness in place of the system's) -> how often.
_unseeded = {}  # type: dict[tuple[str, str, int, bool], int]


#: What files are, by name: asked often, and the same each time.
_PROGRAM, _LIBRARY, _INTERPRETER, _IMPORT, _WAY = range(5)
_kinds = {}  # type: dict[str, int]


def _kind(file: str) -> int:
    """To whom a file belongs."""
    kind = _kinds.get(file)
    if kind is None:
        if file.startswith("<frozen importlib"):
            kind = _IMPORT
        elif any(part in file for part in _PACKAGES):
            kind = _LIBRARY
        elif not file.startswith(("<frozen ", _STDLIB, _HERE)):
            kind = _PROGRAM
        else:
            kind = _WAY if file[len(_STDLIB) :] in _WAYS else _INTERPRETER
        if len(_kinds) < 10 * MOST:  # code that is made as it runs may have any number of names
            _kinds[file] = kind
    return kind


def is_stdlib(file: str) -> bool:
    """Whether a file belongs to the interpreter."""
    return _kind(file) >= _INTERPRETER


def _frame(depth: int) -> "FrameType | None":
    return sys._getframe(depth)  # noqa: SLF001 - there is no other way to see the caller


def place(depth: int) -> "tuple[str, int]":
    """The file and line that is behind a call: the first frame that is no library's, else the nearest.

    Args:
        depth: Frames to pass over, those of the caller's own machinery.
    """
    frame = _frame(depth + 2)
    nearest = ("", 0)
    while frame is not None:
        file = frame.f_code.co_filename
        kind = _kind(file)
        if kind == _PROGRAM:
            return file, frame.f_lineno
        if kind == _IMPORT and nearest[0]:
            return nearest  # a library that does so while it is imported: its own affair
        if kind == _LIBRARY and not nearest[0]:
            nearest = (file, frame.f_lineno)
        frame = frame.f_back
    return nearest


def note_unseeded(what: str, where: "tuple[str, int]", derived: bool) -> None:
    """Keep that a generator was made without a seed."""
    key = (what, where[0], where[1], derived)
    if where[0] and (key in _unseeded or len(_unseeded) < MOST):
        _unseeded[key] = _unseeded.get(key, 0) + 1


def watch() -> None:
    """Note the places that ask the system for randomness, from now on."""
    original = os.urandom

    def urandom(size: int, /) -> bytes:
        try:  # noqa: SIM105 - contextlib may not be loaded
            _note()
        except Exception:  # noqa: BLE001, S110 - silent whatever happens
            pass
        return original(size)

    urandom.__doc__ = original.__doc__
    urandom.__module__ = original.__module__
    urandom.__qualname__ = "urandom"
    os.urandom = urandom


def _note() -> None:
    what = "os.urandom"
    frame = _frame(3)
    while frame is not None:
        file = frame.f_code.co_filename
        if _kind(file) != _WAY:
            break
        if what != "secrets":
            what = _WAYS[file[len(_STDLIB) :]]
        frame = frame.f_back
    # The interpreter's own needs (keys of processes, names of temporary files) are nobody's randomness.
    if frame is None or is_stdlib(frame.f_code.co_filename):
        return
    file, line = place(2)
    key = (what, file, line)
    if key in _asked or len(_asked) < MOST:
        _asked[key] = _asked.get(key, 0) + 1


def entropy() -> "list[dict[str, object]]":
    """For the report: who asked the system for randomness."""
    return [
        {"what": what, "file": file, "line": line, "times": times}
        for (what, file, line), times in sorted(_asked.items())
    ]


def unseeded() -> "list[dict[str, object]]":
    """For the report: who made generators without a seed."""
    return [
        {"what": what, "file": file, "line": line, "derived": derived, "times": times}
        for (what, file, line, derived), times in sorted(_unseeded.items())
    ]


def forget() -> None:
    """In a child after fork: what the parent did is the parent's to tell."""
    _asked.clear()
    _unseeded.clear()
