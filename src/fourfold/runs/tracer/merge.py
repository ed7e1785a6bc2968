"""From what supervisors, strace and hooks left in scratch to one `Trace`, in the words of `runs.observation`.

Commands of a run come in turn: what one wrote and a later one read is no input of the run.
"""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from fourfold.base.fs.reading import read_start
from fourfold.runs import reports
from fourfold.runs.observation import Access, Connection, Coverage, How, Trace
from fourfold.runs.tracer import audit, mapped, strace
from fourfold.runs.tracer import seen as seen_file
from fourfold.runs.tracer.seen import Read

#: Name of the file of the supervisor of one command.
SEEN = "seen-{}.trace"
#: Name of the file of strace for one command.
LINES = "strace-{}.log"
#: What every way that looks from outside does not see.
_BLIND = (
    "clock reads",
    "environment variables that are read",
    "looks at what is there without opening it (stat)",
    "network messages whose address is given with each (sendmsg)",
    "the loader that the kernel starts a program with (ld.so)",
    "what daemons do on its behalf (containers, databases)",
    "what goes on in the background after a command has ended",
)
_BLIND_SECCOMP = ("programs of another architecture (32-bit)",)
_BLIND_STRACE = ("files that are opened through io_uring",)
_BLIND_AUDIT = (
    "all that is not Python",
    "clock reads",
    "environment variables that are read",
    "files that libraries of Python open by themselves (Parquet, HDF5, databases)",
    "looks at what is there without opening it (stat)",
)
#: What we run inside of commands; its files are none of theirs.
_OURS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "inject")
#: The kernel reads so much of a script's first line.
_LONGEST_LINE = 256
#: So many renames of folders are followed.
_MOST_MOVES = 1000
_OF_PROCESS = re.compile(r"^/proc/(?:\d+|self|thread-self)(?:/task/\d+)?(?=/|$)")
_GONE = os.fsdecode(mapped.GONE)


def collect(commands: Sequence[tuple[str, str, int]], scratch: str) -> Trace:
    """Read what was left: for each command its method, why not a better one, and its number."""
    gathered = _Gathered(scratch)
    looks: list[_Look] = []
    for asked, reason, number in commands:
        if (look := _command(asked, reason, number, scratch, gathered)) is not None:
            looks.append(look)
    if any(look.method == "audit" for look in looks):
        told = audit.read(scratch)
        if told is not None:
            gathered.add(told)
    worst = max(looks, key=lambda look: (_ORDER.index(look.method), look.why != ""), default=_NOTHING)
    accesses, contacts = gathered.accesses(), gathered.contacts()
    coverage = Coverage(
        worst.method,
        worst.why,
        tuple(sorted({phrase for look in looks for phrase in look.blind})),
        sum(access.times for access in accesses) + sum(one.times for one in contacts),
        sum(look.lost for look in looks) + (reports.unread(scratch) if looks else 0),
    )
    return Trace(coverage, accesses, contacts)


def with_libraries(trace: Trace, told: Iterable[Mapping[str, Any]]) -> Trace:
    """The same trace and the libraries that processes of Python had in memory when they ended.

    The dynamic loader is not asked when it opens them, and where a process tells of them by itself, its
    memory is not looked at either (`events`).
    """
    if trace.coverage.method == "none":
        return trace
    uses: dict[tuple[str, str], Access] = {(one.path, one.how): one for one in trace.accesses}
    known, events, gone = set(uses), trace.coverage.events, set()
    for report in told:
        lists = [report.get("loaded"), report.get("mapped")]
        for name in [name for names in lists if isinstance(names, list) for name in names]:
            named = isinstance(name, str) and mapped.has_file(os.fsencode(name))
            path = _normal(name) if named else None
            if path is None or (path, "read") in known:
                continue
            earlier = uses.get((path, "read"))
            times = earlier.times + 1 if earlier is not None else 1
            uses[path, "read"] = Access(path, "read", True, times, (path, "write") not in known)  # noqa: FBT003 - fields
            events += 1
            if name == path + _GONE:
                gone.add(path)
    if len(uses) == len(known):
        return trace
    _put_in_order(uses, gone)
    accesses = tuple(uses[key] for key in sorted(uses))
    return trace._replace(coverage=trace.coverage._replace(events=events), accesses=accesses)


def _put_in_order(uses: dict[tuple[str, str], Access], gone: Iterable[str]) -> None:
    """Put first that files were read which a process had in memory at its end, and which were then gone.

    Where another stands in the place of one, and only one was ever written there, that came later.
    """
    for path in gone:
        read, written = uses.get((path, "read")), uses.get((path, "write"))
        if read and written and written.first and written.times == 1 and os.path.lexists(path):
            uses[path, "read"] = read._replace(first=True)
            uses[path, "write"] = written._replace(first=False)


class _Look(NamedTuple):
    """How well one command was looked at."""

    method: str
    why: str = ""
    blind: tuple[str, ...] = ()
    lost: int = 0


_NOTHING = _Look("none", "nothing ran")


def _command(method: str, why: str, number: int, scratch: str, gathered: "_Gathered") -> _Look | None:
    """Gather what was seen of one command; None where it never started."""
    if method == "strace":
        return _straced(why, os.path.join(scratch, LINES.format(number)), gathered)
    if method == "seccomp":
        look = _supervised(why, os.path.join(scratch, SEEN.format(number)), gathered)
        lines = os.path.join(scratch, LINES.format(number))
        if look is not None and look.method == "audit" and os.path.exists(lines):
            return _straced(look.why, lines, gathered) or look  # the supervisor let strace look instead
        return look
    return _Look(method, why, _BLIND_AUDIT if method == "audit" else ())


def _straced(why: str, file: str, gathered: "_Gathered") -> _Look | None:
    seen = strace.read(file)
    if not seen.complete and not seen.uses:
        return None
    gathered.add(seen)
    if not seen.complete:
        why = "strace was ended before it could tell all that it saw"
    return _Look("strace", why, (*_BLIND, *_BLIND_STRACE), seen.lost + (not seen.complete))


def _supervised(why: str, file: str, gathered: "_Gathered") -> _Look | None:
    try:
        seen = seen_file.parse(read_start(file, seen_file.MOST_BYTES))
    except OSError:
        return None
    gathered.add(seen)
    if seen.why:
        return _Look("audit", seen.why, _BLIND_AUDIT)
    if not seen.complete:
        why = "the supervisor was ended before it could tell what it saw"
    return _Look("seccomp", why, (*_BLIND, *_BLIND_SECCOMP, *seen.blind), seen.lost + (not seen.complete))


_ORDER = ("seccomp", "strace", "audit", "none")


class _Gathered:
    """Uses of all commands, by what is the same path."""

    def __init__(self, scratch: str) -> None:
        self._uses: dict[tuple[str, str], Access] = {}
        self._used: set[str] = set()
        self._gone: set[str] = set()
        self._contacts: dict[tuple[str, str, int, bool], int] = {}
        self._ours = tuple(f"{folder}{os.sep}" for folder in (scratch, os.path.realpath(scratch), _OURS))

    def add(self, seen: Read) -> None:
        """Take in what was seen of the next command."""
        for use in seen.uses:
            name = use.path.decode("utf-8", "surrogateescape")
            path = _normal(name)
            if path is None or path.startswith(self._ours):
                continue
            if name == path + _GONE:
                self._gone.add(path)
            key = (path, use.how)
            earlier = self._uses.get(key)
            if earlier is None:
                self._uses[key] = Access(
                    path, cast("How", use.how), use.found, use.times, path not in self._used
                )
                self._used.add(path)
            else:  # the first look at a path says what was there
                self._uses[key] = earlier._replace(times=earlier.times + use.times)
            if (use.how, use.path) in seen.denied:
                self._uses[key] = self._uses[key]._replace(denied=True)
        for before, after in seen.moved[:_MOST_MOVES]:
            self._follow(_normal(os.fsdecode(before)), _normal(os.fsdecode(after)))
        for one in seen.contacts:
            where = (one.family, one.address, one.port, one.denied)
            self._contacts[where] = self._contacts.get(where, 0) + one.times

    def _follow(self, before: str | None, after: str | None) -> None:
        """A folder that was renamed: what had been written in it is there now, and is no input."""
        if before is None or after is None:
            return
        for path, how in list(self._uses):
            if how == "write" and path.startswith(before + "/"):
                there = after + path[len(before) :]
                self._uses.setdefault((there, "write"), self._uses[path, how]._replace(path=there))
                self._used.add(there)
                if (read := self._uses.get((there, "read"))) is not None:
                    self._uses[there, "read"] = read._replace(first=False)

    def accesses(self) -> tuple[Access, ...]:
        """Each path and way once, sorted; what was written, and what runs scripts, is looked for now."""
        for access in [one for one in self._uses.values() if one.how == "exec" and one.found]:
            if (path := _interpreter(access.path)) is not None:
                self._uses.setdefault(
                    (path, "exec"), access._replace(path=path, first=path not in self._used)
                )
        _put_in_order(self._uses, self._gone)
        return tuple(self._ended())

    def _ended(self) -> Iterator[Access]:
        for key in sorted(self._uses):
            access = self._uses[key]
            if access.how == "write":
                access = access._replace(found=os.path.lexists(access.path))
            yield access

    def contacts(self) -> tuple[Connection, ...]:
        """Each address once, sorted."""
        return tuple(
            Connection(family, address, port, self._contacts[family, address, port, denied], denied)
            for family, address, port, denied in sorted(self._contacts)
        )


def _interpreter(script: str) -> str | None:
    """What the kernel starts for a script, without telling: the first word after ``#!``."""
    try:
        if not stat.S_ISREG(os.stat(script).st_mode):
            return None
        with open(script, "rb") as file:
            line = file.read(_LONGEST_LINE).partition(b"\n")[0]
    except OSError:
        return None
    words = line[2:].split()
    return _normal(os.fsdecode(words[0])) if line[:2] == b"#!" and words and b"\0" not in words[0] else None


def _normal(path: str) -> str | None:
    """A path as a trace names it; None for what has no name (pipes, memory)."""
    if path[:1] != "/":
        return None
    if "/." not in path and "//" not in path and path[-1] not in "/)" and not path.startswith("/proc/"):
        return path  # as nearly all are
    if path.endswith(_GONE) and not os.path.lexists(path):  # else it is called so
        path = path.removesuffix(_GONE)
    head, parent, rest = path.rpartition("/..")
    if parent and (not rest or rest[0] == "/"):  # what lies above a link is not what stands before it
        path = os.path.realpath(head + parent) + rest
    path = os.path.normpath(path)
    if path.startswith("//"):
        path = path[1:]
    return _OF_PROCESS.sub("/proc/self", path)
