"""From what supervisors, strace and hooks left in scratch to one `Trace`, in the words of `runs.observation`.

Commands of a run come in turn: what one wrote and a later one read is no input of the run.
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from fourfold.runs.observation import Access, Connection, Coverage, How, Trace
from fourfold.runs.tracer import seen as seen_file
from fourfold.runs.tracer import strace
from fourfold.runs.tracer.ledger import HOWS
from fourfold.runs.tracer.seen import Contact, Use

#: Name of the file of the supervisor of one command.
SEEN = "seen-{}.trace"
#: Name of the file of strace for one command.
LINES = "strace-{}.log"
#: What every way that looks from outside does not see.
_BLIND = (
    "clock reads",
    "environment variables that are read",
    "looks at what is there without opening it (stat)",
    "the interpreter that the kernel starts for a script or a program (#!, ld.so)",
    "network messages whose address is given with each (sendmsg)",
)
_RINGS = "files that are opened through io_uring"
_OF_PROCESS = re.compile(r"^/proc/(?:\d+|self|thread-self)(?:/task/\d+)?(?=/|$)")
_GONE = " (deleted)"


def collect(commands: Sequence[tuple[str, str, int]], scratch: str) -> Trace:
    """Read what was left: for each command its method, why not a better one, and its number."""
    gathered = _Gathered()
    method, why, lost = "", "", 0
    blind: set[str] = set()
    for asked, reason, number in commands:
        used, said = asked, reason
        if asked == "strace":
            seen = strace.read(os.path.join(scratch, LINES.format(number)))
            if not seen.complete and not seen.uses:
                continue
            if not seen.complete:
                lost += 1
                said = "strace was ended before it could tell all that it saw"
            gathered.add(seen.uses, seen.contacts)
            lost += seen.lost
            blind |= {*_BLIND, _RINGS}
        elif asked == "seccomp":
            try:
                with open(os.path.join(scratch, SEEN.format(number)), "rb") as file:
                    seen = seen_file.parse(file.read(seen_file.MOST_BYTES))
            except OSError:
                continue  # never started
            if seen.why:
                used, said = "none", seen.why
            elif not seen.complete:
                lost += 1
                said = "the supervisor was ended before it could tell what it saw"
            gathered.add(seen.uses, seen.contacts, seen.denied)
            lost += seen.lost
            blind |= {*_BLIND, *seen.blind}
        if not method or _worse(used, method):
            method, why = used, said
        why = why or said
    if not commands:
        method, why = "none", "nothing ran"
    accesses = gathered.accesses()
    events = sum(access.times for access in accesses) + sum(one.times for one in gathered.contacts())
    coverage = Coverage(method or "none", why, tuple(sorted(blind)), events, lost)
    return Trace(coverage, accesses, gathered.contacts())


_ORDER = ("seccomp", "strace", "audit", "none")


def _worse(one: str, other: str) -> bool:
    return _ORDER.index(one) > _ORDER.index(other)


class _Gathered:
    """Uses of all commands, by what is the same path."""

    def __init__(self) -> None:
        self._uses: dict[tuple[str, str], Access] = {}
        self._used: set[str] = set()
        self._contacts: dict[tuple[str, str, int, bool], int] = {}

    def add(
        self,
        uses: Iterable[Use],
        contacts: Iterable[Contact] = (),
        denied: frozenset[tuple[str, bytes]] = frozenset(),
    ) -> None:
        """Take in what was seen of the next command."""
        for use in uses:
            path = _normal(os.fsdecode(use.path))
            if path is None:
                continue
            key = (path, use.how)
            earlier = self._uses.get(key)
            if earlier is None:
                self._uses[key] = Access(path, _how(use.how), use.found, use.times, path not in self._used)
                self._used.add(path)
            else:  # the first look at a path says what was there
                self._uses[key] = earlier._replace(times=earlier.times + use.times)
            if (use.how, use.path) in denied:
                self._uses[key] = self._uses[key]._replace(denied=True)
        for one in contacts:
            where = (one.family, one.address, one.port, one.denied)
            self._contacts[where] = self._contacts.get(where, 0) + one.times

    def accesses(self) -> tuple[Access, ...]:
        """Each path and way once, sorted; what was written is looked for now."""
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


def _how(name: str) -> How:
    if name not in HOWS.values():
        raise ValueError(name)
    return name  # type: ignore[return-value]


def _normal(path: str) -> str | None:
    """A path as a trace names it; None for what has no name (pipes, memory)."""
    if not path.startswith("/"):
        return None
    path = path.removesuffix(_GONE)
    head, parent, rest = path.rpartition("/..")
    if parent and (not rest or rest[0] == "/"):  # what lies above a link is not what stands before it
        path = os.path.realpath(head + parent) + rest
    path = os.path.normpath(path)
    if path.startswith("//"):
        path = path[1:]
    return _OF_PROCESS.sub("/proc/self", path)
