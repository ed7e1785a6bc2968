"""Has files read in a process of its own, by libraries that damaged bytes may crash or keep busy for ever.

What a large library of C does with flipped bits nobody promises, and nothing within this process could stop
it. So `worker` runs apart, started once and used for many files; one that says nothing for long is ended.
What it answers is lines of JSON and a file of numbers, taken within bounds: nothing that it says is run. A
crash, a hang and a lie about shapes are errors of that file. No format is known here.
"""

import atexit
import contextlib
import errno
import json
import mmap
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator, Mapping
from importlib.util import find_spec
from typing import IO, Any, NamedTuple, Self, cast, get_args

from fourfold.base.clock import SYSTEM
from fourfold.formats.likeness.dtypes import DTYPES
from fourfold.formats.likeness.model import Content, Leaf, LeafKind
from fourfold.formats.likeness.source import (
    ContentTooLargeError,
    MissingReaderError,
    Source,
    UnreadableContentError,
)
from fourfold.formats.likeness.tensors import Buffer, Gapped, Numbers, contiguous

#: A worker that says nothing for so many seconds is taken to be in a loop.
SILENCE = 60.0
#: A worker that waited so long gets no more work: it ends by itself soon (`worker.IDLE`).
_FRESH = 20.0
#: One line of an answer, and all of them, in bytes.
_MAX_LINE, _MAX_ANSWER = 1 << 20, 1 << 29
#: Numbers up to so many bytes are held, more are mapped.
_HELD = 1 << 24
#: What the worker runs: it finds modules where this process does, but for the current folder.
_START = "import sys; sys.path[:] = sys.argv[1:]; from fourfold.formats.likeness.worker import serve; serve()"
_NONSENSE = "what read it gave an answer that is none"
_ERRORS = {error.code: error for error in (UnreadableContentError, ContentTooLargeError, MissingReaderError)}


class Library(NamedTuple):
    """What reads a format.

    Attributes:
        package: Of Python.
        extra: Of this project, which brings it.
        reads: The format, as people call it.
    """

    package: str
    extra: str
    reads: str


def read(source: Source, module: str, function: str, library: Library) -> Content:
    """What a file means, read by a function of a module of this folder in another process.

    Raises:
        UnreadableContentError: it is damaged, or its library crashed or did not end.
        ContentTooLargeError: too much comes out of it.
        MissingReaderError: the library is not installed, or no process can be started.
    """
    if find_spec(library.package) is None:
        raise MissingReaderError(
            f"values of {library.reads} are read by {library.package}, which is not installed",
            hint=f"install it: pip install 'fourfold[{library.extra}]'",
        )
    with tempfile.TemporaryDirectory(prefix="ff-read-", ignore_cleanup_errors=True) as folder:
        path = os.path.abspath(source.path) if source.path else _copied(source, folder)
        numbers = os.path.join(folder, "numbers")
        request = {
            "read": [module, function],
            "path": path,
            "name": source.name,
            "numbers": numbers,
            "budget": source.budget.state(),
        }
        rows: list[list[Any]] = []
        end: dict[str, Any] = {}
        with contextlib.closing(_WORKER.ask(request, library)) as answer:
            for line in answer:
                told = _parsed(source, line)
                if isinstance(told, dict):
                    end = told
                elif len(rows) > source.budget.parts:
                    raise ContentTooLargeError(f"{source.name}: it has too many parts to compare")
                else:
                    rows.append(told)
        return _content(source, end, rows, _mapped(numbers))


def _copied(source: Source, folder: str) -> str:
    """What lies within another file, as a file of its own."""
    path = os.path.join(folder, "file")
    source.file.seek(0)
    with open(path, "wb") as file:
        shutil.copyfileobj(source.file, file, 1 << 20)
    return path


def _parsed(source: Source, line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise source.damaged(_NONSENSE) from None


def _mapped(path: str) -> Buffer:
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size <= _HELD or os.name == "nt":  # there, a file that is mapped cannot be removed
            return file.read()
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _content(source: Source, told: Mapping[str, Any], rows: list[list[Any]], numbers: Buffer) -> Content:
    """The content, from its parts; nothing in them is taken on trust.

    Raises:
        FourfoldError: the error that the worker told, or that it told nonsense.
    """
    if "error" in told:
        made = _ERRORS.get(str(told["error"]), UnreadableContentError)
        raise made(_plain(told.get("message")), hint=_plain(told.get("hint")))
    try:
        leaves = {str(row[0]): _leaf(row, numbers) for row in rows}
        aside = {str(name): bool(value) for name, value in told["aside"].items()}
        content = Content(str(told["kind"]), leaves, str(told["canonicalizer"]), aside)
        source.budget.resume(told["budget"])
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, UnreadableContentError):
        raise source.damaged(_NONSENSE) from None
    return content


def _leaf(row: list[Any], numbers: Buffer) -> Leaf:
    _, kind, dtype, lengths, digest, given = row
    shape = tuple(lengths)
    known = all(isinstance(one, str) for one in (kind, dtype, digest))
    if not known or kind not in get_args(LeafKind) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(kind)
    found = Leaf(kind, dtype, shape, digest)
    if given is None:
        return found
    name, at, gone = given
    values = Numbers(contiguous(DTYPES[name], shape, numbers, at))
    if gone is None:
        return found._replace(numbers=values)
    gaps = contiguous(DTYPES["bool"], shape, numbers, gone)
    return found._replace(numbers=Gapped(values, bytes(memoryview(numbers)[gone : gone + gaps.size])))


def _plain(text: object) -> str:
    """A text of one line for a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text or "")[:400])


class _Watch:
    """Ends a process that says nothing for long; says why it did."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._heard = SYSTEM.monotonic()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="ff-read-watch", daemon=True)
        self.why = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def heard(self) -> None:
        """It said something."""
        self._heard = SYSTEM.monotonic()

    def _watch(self) -> None:
        while not self._done.wait(min(0.2, SILENCE / 4)):
            if SYSTEM.monotonic() - self._heard > SILENCE:
                self.why = f"came to no end in {SILENCE:g} seconds"
                _kill(self._process)
                return


class _Worker:
    """The process that reads: one file at a time, replaced when it fell, ended with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._used = 0.0

    def ask(self, request: Mapping[str, Any], library: Library) -> Generator[bytes, None, None]:
        """The lines of an answer; who does not take them all ends the process.

        Raises:
            UnreadableContentError: the process crashed over the file, or had to be ended.
            MissingReaderError: no process can be started.
        """
        with self._lock:
            process = self._ready()
            code: int | None = None
            try:
                with _Watch(process) as watch:
                    for line in _answered(process, request):
                        watch.heard()
                        if line.startswith(b"!"):
                            code = _code(line)
                            break
                        if line != b"\n":
                            yield line
                    fell = process.wait() if code is None else code
                if code != 0:
                    why = watch.why or _fall(fell)
                    raise UnreadableContentError(f"{request['name']}: {library.package} {why}")
            finally:
                self._used = SYSTEM.monotonic()
                if code is None:
                    self.end()

    def _ready(self) -> "subprocess.Popen[bytes]":
        process = self._process
        if process is not None:
            if process.poll() is None and SYSTEM.monotonic() - self._used < _FRESH:
                return process
            self.end()
        paths = [path for path in sys.path if os.path.isabs(path)]
        try:
            if not sys.executable:
                raise FileNotFoundError(errno.ENOENT, "it is not known which Python runs this")
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, *paths],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=os.name != "nt",
            )
        except OSError as error:
            raise MissingReaderError(
                f"no process can be started to read in: {error.strerror}",
                hint="byte for byte it can still be compared",
            ) from None
        return self._process

    def end(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        with process:  # closes the pipes, and waits
            pass


def _answered(process: "subprocess.Popen[bytes]", request: Mapping[str, Any]) -> Iterator[bytes]:
    """The lines that a process answers with, until it ends."""
    to, out = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with contextlib.suppress(OSError):  # where it fell, there is no answer, which says enough
        to.write(json.dumps(request).encode() + b"\n")
        to.flush()
    total = 0
    while line := out.readline(_MAX_LINE + 1):
        total += len(line)
        if len(line) > _MAX_LINE or total > _MAX_ANSWER:
            raise ContentTooLargeError(f"{request['name']}: its names and shapes are too long to compare")
        yield line


def _code(line: bytes) -> int | None:
    """How it went, as the last line of an answer says; None where it says nothing."""
    found = re.fullmatch(rb"!(-?[0-9]{1,5})\n", line)
    return int(found[1]) if found else None


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """End a process and those that it started."""
    if process.poll() is not None:
        return
    with contextlib.suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)


def _fall(code: int) -> str:
    """How a process fell that read a file."""
    if code >= 0:
        return f"ended with {code} over it"
    with contextlib.suppress(ValueError):
        return f"crashed over it ({signal.Signals(-code).name})"
    return f"crashed over it (signal {-code})"


_WORKER = _Worker()


@atexit.register
def end() -> None:
    """End the process that reads, if there is one; the next file gets another."""
    _WORKER.end()
