"""The process in which `confined` has files read: it waits for a file, forks, and its copy reads and answers.

A copy a file, so that what one file broke does not reach the next; where a fork is not to be trusted the
process itself reads. Its memory, its time and the size of what it writes are bounded by the system where that
can be done. Requests and answers are lines of JSON, numbers go to a file; an empty line says that it is
alive, ``!CODE`` that an answer is whole. Nothing here is loaded by the process that asks.
"""

import contextlib
import json
import os
import select
import signal
import sys
from importlib import import_module
from typing import Any, BinaryIO, NoReturn

from fourfold.base.clock import SYSTEM
from fourfold.base.errors import FourfoldError
from fourfold.formats.likeness.model import Content
from fourfold.formats.likeness.source import (
    Budget,
    ContentTooLargeError,
    MissingReaderError,
    Source,
    UnreadableContentError,
)
from fourfold.formats.likeness.tensors import Gapped, Numbers

#: It ends after so many seconds without a file.
IDLE = 60.0
#: It says no more often than after so many seconds that it is alive.
_BEAT = 0.5
#: Seconds of processor, and bytes of one file that it writes.
_PROCESSOR, _WRITTEN = 3600, 2 << 30
#: Bytes of memory, and of all that the machine has no more than three quarters.
_MEMORY = 16 << 30
#: A longer name of a leaf is refused.
_MAX_NAME = 1 << 16
#: On macOS libraries of the system may refuse to go on in a copy.
_FORKS = hasattr(os, "fork") and sys.platform != "darwin"
#: What is imported before it forks, by the module that needs it; pyarrow asks for pandas by itself.
_LIBRARIES = {
    "columns": ("pyarrow.compute", "pyarrow.parquet", "pyarrow.ipc", "pyarrow.orc", "pandas"),
    "hdf5": ("numpy", "h5py"),
}


def serve() -> None:
    """Read the files that are named on standard input, until it ends, or nothing comes for long."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    with os.fdopen(0, "rb", buffering=0, closefd=False) as requests:
        while line := _next(requests):
            request = json.loads(line)
            module = request["read"][0]
            for name in (*_LIBRARIES.get(module, ()), f"{__package__}.{module}"):
                with contextlib.suppress(ImportError):  # whoever reads says what is not there
                    import_module(name)
            answers.write(b"!%d\n" % _apart(request, answers))
            answers.flush()


def _next(requests: Any) -> bytes:
    """The next request; nothing where there is none any more."""
    if os.name != "nt" and not select.select([requests], [], [], IDLE)[0]:
        return b""
    return bytes(requests.readline())


def _apart(request: dict[str, Any], answers: BinaryIO) -> int:
    """Answer in a copy of this process; how it ended, a signal as a negative number."""
    if not _FORKS:
        _answer(request, answers)
        return 0
    copy = os.fork()
    if not copy:
        _read_and_end(request, answers)
    with contextlib.suppress(AttributeError, OSError):  # on Linux, where nothing forbids it
        ended = os.pidfd_open(copy)
        if ended not in select.select([ended, 0], [], [])[0]:  # whoever asks is gone, and the copy may loop
            os.kill(copy, signal.SIGKILL)
        os.close(ended)
    return os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1])


def _read_and_end(request: dict[str, Any], answers: BinaryIO) -> NoReturn:
    code = 1
    try:
        _bound()
        _answer(request, answers)
        answers.flush()
        code = 0
    finally:
        os._exit(code)


def _bound() -> None:
    """Have the system bound what this process takes, as far as it can."""
    try:
        import resource  # noqa: PLC0415 - not on every system
    except ImportError:
        return
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name, most in (
        ("RLIMIT_CORE", 0),
        ("RLIMIT_CPU", _PROCESSOR),
        ("RLIMIT_FSIZE", _WRITTEN),
        ("RLIMIT_AS", min(_MEMORY, machine // 4 * 3) if machine > 0 else _MEMORY),
    ):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            which = getattr(resource, name)
            hard = resource.getrlimit(which)[1]
            bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(which, (bound, bound))


def _answer(request: dict[str, Any], answers: BinaryIO) -> None:
    """Read a file, and write what it means."""
    last = SYSTEM.monotonic()

    def alive() -> None:
        nonlocal last
        now = SYSTEM.monotonic()
        if now - last > _BEAT:
            last = now
            answers.write(b"\n")
            answers.flush()

    left = request["budget"]
    budget = Budget(alive=alive, **{name: value for name, value in left.items() if name[0] != "_"})
    budget.resume(left)
    name = request["name"]
    try:
        content = _content(request, budget)
        with open(request["numbers"], "wb") as numbers:
            for row in _rows(content, numbers, name):
                answers.write(json.dumps(row).encode() + b"\n")
                alive()
        end = {
            "kind": content.kind,
            "canonicalizer": content.canonicalizer,
            "aside": dict(content.aside),
            "budget": budget.state(),
        }
    except (UnreadableContentError, ContentTooLargeError, MissingReaderError) as error:
        end = _failed(error)
    except ImportError as error:
        end = _failed(MissingReaderError(f"{name}: it cannot be read here: {error}"))
    except MemoryError:
        end = _failed(ContentTooLargeError(f"{name}: it needs more memory than there is"))
    except Exception as error:  # noqa: BLE001 - libraries raise what they like over damaged bytes
        why = " ".join(str(error).split())[:160] or type(error).__name__
        end = _failed(UnreadableContentError(f"{name}: {why}"))
    answers.write(json.dumps(end).encode() + b"\n")


def _failed(error: FourfoldError) -> dict[str, Any]:
    return {"error": error.code, "message": error.message, "hint": error.hint}


def _content(request: dict[str, Any], budget: Budget) -> Content:
    module, function = request["read"]
    reader = getattr(import_module(f"fourfold.formats.likeness.{module}"), function)
    with open(request["path"], "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content: Content = reader(
            Source(request["name"], file, size, inner=_nothing_within, budget=budget, path=request["path"])
        )
    return content


def _nothing_within(source: Source) -> Content:
    raise source.damaged("files within such a file are not read")


def _rows(content: Content, numbers: BinaryIO, name: str) -> Any:
    """The leaves, each with the type of its numbers and where in a file they, and their gaps, start."""
    for called, leaf in content.leaves.items():
        if len(called) > _MAX_NAME:
            raise ContentTooLargeError(f"{name}: a name of {len(called)} letters")
        given = None
        gives = leaf.numbers
        if isinstance(gives, (Numbers, Gapped)):
            values = gives.values if isinstance(gives, Gapped) else gives
            given = [values.dtype.name, numbers.tell(), None]
            numbers.writelines(values.blocks())
            if isinstance(gives, Gapped):
                given[2] = numbers.tell()
                numbers.write(gives.gone)
        yield [called, leaf.kind, leaf.dtype, leaf.shape, leaf.digest, given]
