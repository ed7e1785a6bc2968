"""Watching with strace, where the kernel does not let us listen: its command line, and its lines read back.

``-DDD`` leaves the command where it would be without: our child, with its own code and signals, while strace
stands aside in a session of its own and may end a little later. ``-xx`` writes every text in hex, so that no
file name can be taken for anything else. Source: strace(1) and what strace 6.1 writes.
"""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from fourfold.base.clock import SYSTEM
from fourfold.runs.tracer import seen
from fourfold.runs.tracer.ledger import HEADER, Ledger
from fourfold.runs.tracer.seen import Read

#: Seconds that strace has to write its last lines.
_PATIENCE = 5.0
_POLL = 0.01
_CALLS = (
    "open,openat,openat2,creat,execve,execveat,connect,sendto,rename,renameat,renameat2,link,linkat,symlink,"
    "symlinkat,unlink,unlinkat,truncate,chdir,fchdir,clone,clone3,fork,vfork"
)
_TEXT = r'"((?:\\x[0-9a-f]{2})*)"'
_SKIPPED = r'"(?:\\x[0-9a-f]{2})*"'
_FOLDER = r"(AT_FDCWD|-?\d+)(?:<((?:\\x[0-9a-f]{2})*)>)?"
_LINE = re.compile(r"^(\d+) +(.*)$")
_CALL = re.compile(r"^(\w+)\((.*?)(?:\) += (-?\d+|\?|0x[0-9a-f]+)(?:<[^>]*>)?(?: (E[A-Z0-9]+))?.*)?$")
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_UNFINISHED = re.compile(r"^(.*?) ?<unfinished \.\.\.>$")
_ENDED = re.compile(r"^\+\+\+ (exited|killed)")
_MISSING = frozenset({"ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"})


def prefix(program: str, file: str) -> tuple[str, ...]:
    """What a command line begins with, for strace to write to a file."""
    traced = ",".join("?" + name for name in _CALLS.split(","))
    options = ("-DDD", "-f", "-q", "-xx", "-y", "-s", "0", "--seccomp-bpf", "-e", f"trace={traced}")
    return (program, *options, "-o", file, "--")


def works(environ: Mapping[str, str]) -> tuple[str, str]:
    """The strace to use, found on PATH and tried once in this process; "" and why, where there is none."""
    program = shutil.which("strace", path=environ.get("PATH", os.defpath))
    if program is None:
        return "", "strace is not installed"
    why = _tried(program)
    return ("" if why else program), why


@functools.cache
def _tried(program: str) -> str:
    with tempfile.TemporaryDirectory(prefix="ff-probe-") as scratch:
        file = os.path.join(scratch, "out")
        try:
            subprocess.run(
                [*prefix(program, file), "/bin/sh", "-c", ":"], check=True, timeout=20, capture_output=True
            )
        except (OSError, subprocess.SubprocessError):
            return "strace does not work here (too old, or not allowed)"
        return "" if read(file).complete else "strace is not allowed to look"


def read(file: str) -> Read:
    """What strace wrote of one command; waits a little for its end."""
    deadline = SYSTEM.monotonic() + _PATIENCE
    while True:
        lines = _Lines()
        try:
            with open(file, encoding="latin-1", newline="\n") as stream:
                lines.take(stream)
        except OSError:
            return Read(complete=False)
        if lines.has_ended or SYSTEM.monotonic() > deadline:
            break
        SYSTEM.sleep(_POLL)
    records = b"".join([HEADER, b"\0", *lines.ledger.render()])
    return seen.parse(records + (b"E\0" if lines.has_ended else b""))


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


class _Lines:
    """Reads lines, keeping for each process the folder it stands in and the call that is not done."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.has_ended = False
        self._first = ""
        self._folders: dict[str, bytes] = {}
        self._begun: dict[str, str] = {}
        opened = rf"{_TEXT}, (?:\{{flags=)?([A-Z0-9_|x]+)"
        self._forms: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[..., None]], ...] = (
            (("open",), re.compile(rf"()(){opened}"), self._opened),
            (("openat", "openat2"), re.compile(rf"{_FOLDER}, {opened}"), self._opened),
            (("creat",), re.compile(rf"()(){_TEXT}"), self._created),
            (("truncate",), re.compile(rf"()(){_TEXT}"), self._written),
            (("symlink",), re.compile(rf"()(){_SKIPPED}, {_TEXT}"), self._written),
            (
                ("symlinkat",),
                re.compile(rf"{_SKIPPED}, {_FOLDER}, {_TEXT}"),
                self._written,
            ),
            (("unlink",), re.compile(rf"()(){_TEXT}"), self._deleted),
            (("unlinkat",), re.compile(rf"{_FOLDER}, {_TEXT}"), self._deleted),
            (("execve",), re.compile(rf"()(){_TEXT}"), self._executed),
            (("execveat",), re.compile(rf"{_FOLDER}, {_TEXT}"), self._executed),
            (("rename",), re.compile(rf"()(){_TEXT}, ()(){_TEXT}"), self._renamed),
            (
                ("renameat", "renameat2"),
                re.compile(rf"{_FOLDER}, {_TEXT}, {_FOLDER}, {_TEXT}"),
                self._renamed,
            ),
            (("link",), re.compile(rf"()(){_TEXT}, ()(){_TEXT}"), self._linked),
            (("linkat",), re.compile(rf"{_FOLDER}, {_TEXT}, {_FOLDER}, {_TEXT}"), self._linked),
            (("chdir",), re.compile(rf"()(){_TEXT}"), self._moved),
            (("fchdir",), re.compile(rf"{_FOLDER}()"), self._moved),
        )
        self._by_name = {name: form[1:] for form in self._forms for name in form[0]}

    def take(self, lines: Iterable[str]) -> None:
        """Read all lines that are there."""
        for process, call in self._whole(lines):
            matched = _CALL.match(call)
            if matched is None:
                continue
            name, words, result, error = matched.groups()
            if name in {"clone", "clone3", "fork", "vfork"}:
                if result and result.isdigit() and process in self._folders:
                    self._folders.setdefault(result, self._folders[process])
            elif name in {"connect", "sendto"}:
                self._contacted(process, words)
            elif (form := self._by_name.get(name)) is not None and (
                found := form[0].match(words)
            ) is not None:
                try:
                    form[1](process, error or "", *found.groups())
                except LookupError:
                    self.ledger.lost += 1

    def _whole(self, lines: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Calls with their process, those that were interrupted by others put together."""
        for line in lines:
            matched = _LINE.match(line.rstrip("\n"))
            if matched is None:
                continue
            process, text = matched.groups()
            self._first = self._first or process
            if (begun := _UNFINISHED.match(text)) is not None:
                self._begun[process] = begun[1]
                continue
            if (resumed := _RESUMED.match(text)) is not None:
                text = self._begun.pop(process, "") + resumed[1]
            elif _ENDED.match(text):
                if process in self._begun:
                    yield process, self._begun.pop(process)
                self._folders.pop(process, None)
                self.has_ended = self.has_ended or process == self._first
                continue
            yield process, text

    def _path(self, process: str, folder: str, base: str | None, text: str) -> bytes:
        """A path as seen from a folder.

        Raises:
            LookupError: nobody said where that folder is.
        """
        known = _bytes(base) if base else None
        if folder in {"", "AT_FDCWD"}:
            if known is not None:
                self._folders[process] = known
            known = known or self._folders.get(process)
        path = _bytes(text)
        if path[:1] == b"/":
            return path
        if known is None:
            raise LookupError(process)
        return known + b"/" + path if path else known

    def _moved(self, process: str, error: str, folder: str, base: str, text: str) -> None:
        if error:
            return
        try:
            self._folders[process] = self._path(process, folder, base, text)
        except LookupError:
            self._folders.pop(process, None)

    def _opened(self, process: str, error: str, folder: str, base: str, text: str, flags: str) -> None:
        path, said, ledger = self._path(process, folder, base, text), set(flags.split("|")), self.ledger
        found = error not in _MISSING
        if said & {"O_PATH", "O_TMPFILE"}:
            return
        if "O_DIRECTORY" in said:
            ledger.add(b"l", path, found=found)
        elif not said & {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"}:
            ledger.add(b"r", path, found=found)
        else:
            # Whether one that may be created was there before is not told: then it may have been read.
            if not said & {"O_WRONLY", "O_TRUNC", "O_EXCL"} and path not in ledger.writes and found:
                ledger.add(b"r", path)
            ledger.add(b"w", path)

    def _created(self, process: str, _error: str, folder: str, base: str, text: str) -> None:
        self.ledger.add(b"w", self._path(process, folder, base, text))

    _written = _created

    def _deleted(self, process: str, _error: str, folder: str, base: str, text: str) -> None:
        self.ledger.add(b"d", self._path(process, folder, base, text))

    def _executed(self, process: str, error: str, folder: str, base: str, text: str) -> None:
        self.ledger.add(b"x", self._path(process, folder, base, text), found=not error)

    def _both(self, process: str, words: tuple[str, ...]) -> tuple[bytes, bytes]:
        before = self._path(process, words[0], words[1], words[2])
        return before, self._path(process, words[3], words[4], words[5])

    def _renamed(self, process: str, error: str, *words: str) -> None:
        before, after = self._both(process, words)
        if not error and before not in self.ledger.writes:
            self.ledger.add(b"r", before)
        self.ledger.add(b"d", before)
        self.ledger.add(b"w", after)

    def _linked(self, process: str, error: str, *words: str) -> None:
        before, after = self._both(process, words)
        if not error and before not in self.ledger.writes:
            self.ledger.add(b"r", before)
        self.ledger.add(b"w", after)

    def _contacted(self, process: str, words: str) -> None:
        if (unix := re.search(rf"sun_path=(@?){_TEXT}", words)) is not None:
            name = _bytes(unix[2])
            if not unix[1]:
                with suppress(LookupError):
                    name = self._path(process, "", None, unix[2])
            self.ledger.add_connection(b"unix", unix[1].encode() + name.replace(b"\0", b"@"), 0)
        elif (port := re.search(r"sin6?_port=htons\((\d+)\)", words)) is not None:
            host = re.search(rf"(?:inet_addr\(|inet_pton\(AF_INET6, ){_TEXT}", words)
            family = b"inet6" if "AF_INET6" in words else b"inet"
            self.ledger.add_connection(family, _bytes(host[1]) if host else b"", int(port[1]))
