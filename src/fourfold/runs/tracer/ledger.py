"""What a supervisor saw, kept small while it grows, and the file in which it leaves that.

The file: fields that end with a zero byte, so that any path fits. First ``fourfold-trace 1``; then records,
each a letter and its fields; the last is ``E`` (complete): without it, the supervisor was killed.
"""

from collections.abc import Iterator
from typing import NamedTuple

HEADER = b"fourfold-trace 1"
#: Different paths of one way of use that are kept; further ones are counted as lost.
MOST_PATHS = 1_000_000
TIMES = 40
_MASK = (1 << TIMES) - 1
#: Longest file that is read back: what a run left there is not to be trusted.
MOST_BYTES = 1 << 30

#: How a path was used, in the words of `Access.how`, each with its letter in the file.
HOWS = {"read": b"r", "write": b"w", "list": b"l", "exec": b"x", "delete": b"d"}
_LETTERS = {letter: how for how, letter in HOWS.items()}


class Ledger:
    """Counts by path. In the bits of a count above `TIMES` stands when the path was first seen, as a number.

    Attributes:
        reads: Path to the times that it was read; likewise the others.
        missing: Those that were read, listed or run and were not there.
        connections: Family, address and port, to times.
        moved: Folders that were renamed: from, to.
        blind: What could not be looked at, one phrase each.
    """

    def __init__(self) -> None:
        self.reads: dict[bytes, int] = {}
        self.writes: dict[bytes, int] = {}
        self.lists: dict[bytes, int] = {}
        self.execs: dict[bytes, int] = {}
        self.deletes: dict[bytes, int] = {}
        self.all = {
            b"r": self.reads,
            b"w": self.writes,
            b"l": self.lists,
            b"x": self.execs,
            b"d": self.deletes,
        }
        self.missing: set[bytes] = set()
        self.connections: dict[tuple[bytes, bytes, int, bool], int] = {}
        self.moved: list[tuple[bytes, bytes]] = []
        self.blind: set[bytes] = set()
        self.lost = 0
        self._sights = 0

    def add(self, letter: bytes, path: bytes, *, found: bool = True) -> None:
        """Note a use of a path."""
        uses = self.all[letter]
        times = uses.get(path)
        if times is not None:
            uses[path] = times + 1
            return
        if len(uses) >= MOST_PATHS:
            self.lost += 1
            return
        self._sights += 1
        uses[path] = (self._sights << TIMES) + 1
        if not found:
            self.missing.add(letter + path)

    def add_connection(self, family: bytes, address: bytes, port: int, *, denied: bool = False) -> None:
        """Note that something connected, or was not let."""
        key = (family, address, port, denied)
        if key in self.connections or len(self.connections) < MOST_PATHS:
            self.connections[key] = self.connections.get(key, 0) + 1
        else:
            self.lost += 1

    def render(self) -> Iterator[bytes]:
        """The records, without header and end."""
        for letter, uses in self.all.items():
            for path, count in uses.items():
                found = letter + path not in self.missing
                yield b"%c\0%d\0%d\0%d\0%s\0" % (letter, count >> TIMES, count & _MASK, found, path)
        for (family, address, port, denied), times in self.connections.items():
            yield b"c\0%d\0%s\0%d\0%d\0%s\0" % (times, family, port, denied, address)
        for before, after in self.moved:
            yield b"m\0%s\0%s\0" % (before, after)
        for phrase in sorted(self.blind):
            yield b"b\0%s\0" % phrase
        if self.lost:
            yield b"n\0%d\0" % self.lost


class Use(NamedTuple):
    """One path, used in one way; `order` grows with the time of its first use."""

    order: int
    how: str
    path: bytes
    times: int
    found: bool


class Contact(NamedTuple):
    """One address that something connected to."""

    family: str
    address: str
    port: int
    denied: bool
    times: int


class Read(NamedTuple):
    """A file of a supervisor, read back.

    Attributes:
        complete: Whether the supervisor came to its end.
        why: Why it could not look; "" when it did.
    """

    uses: tuple[Use, ...] = ()
    contacts: tuple[Contact, ...] = ()
    moved: tuple[tuple[bytes, bytes], ...] = ()
    blind: tuple[str, ...] = ()
    lost: int = 0
    complete: bool = False
    why: str = ""


def parse(data: bytes) -> Read:
    """Read what a supervisor left; what is cut off, or is not ours, is simply not there."""
    fields = iter(data.split(b"\0"))
    if next(fields, b"") != HEADER:
        return Read()
    uses: list[Use] = []
    contacts: list[Contact] = []
    moved: list[tuple[bytes, bytes]] = []
    blind: list[str] = []
    lost, complete, why = 0, False, ""
    try:
        for letter in fields:
            if letter in _LETTERS:
                order, times, found = int(next(fields)), int(next(fields)), next(fields) == b"1"
                uses.append(Use(order, _LETTERS[letter], next(fields), times, found))
            elif letter == b"c":
                times, family = int(next(fields)), _text(next(fields))
                port, denied, address = int(next(fields)), next(fields) == b"1", _text(next(fields))
                contacts.append(Contact(family, address, port, denied, times))
            elif letter == b"m":
                moved.append((next(fields), next(fields)))
            elif letter == b"b":
                blind.append(_text(next(fields)))
            elif letter == b"n":
                lost += int(next(fields))
            elif letter == b"y":
                why = _text(next(fields))
            elif letter == b"E":
                complete = True
            else:
                break
    except (StopIteration, ValueError):
        complete = False
    uses.sort()
    return Read(tuple(uses), tuple(contacts), tuple(moved), tuple(blind), lost, complete, why)


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape")
