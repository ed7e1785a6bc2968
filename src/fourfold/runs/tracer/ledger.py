"""What a supervisor saw, kept small while it grows, and the file in which it leaves that (`seen` reads it).

The file: fields that end with a zero byte, so that any path fits. First ``fourfold-trace 1``; then records,
each a letter and its fields; the last is ``E`` (complete): without it, the supervisor was killed.
"""

from __future__ import annotations

TYPE_CHECKING = False  # see `abi`
if TYPE_CHECKING:
    from collections.abc import Iterator

HEADER = b"fourfold-trace 1"
#: Different paths of one way of use that are kept; further ones are counted as lost.
MOST_PATHS = 1_000_000
TIMES = 40
_MASK = (1 << TIMES) - 1

#: How a path was used, by its letter in the file, in the words of `Access.how`.
HOWS = {b"r": "read", b"w": "write", b"l": "list", b"x": "exec", b"d": "delete"}


class Ledger:
    """Counts by path. In the bits of a count above `TIMES` stands when the path was first seen, as a number.

    Attributes:
        reads: Path to the times that it was read; likewise the others.
        denied: Uses that were refused, as letter and path.
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
        self.denied: set[bytes] = set()
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
        for key in sorted(self.denied):
            yield b"D\0%s\0" % key
        for before, after in self.moved:
            yield b"m\0%s\0%s\0" % (before, after)
        for phrase in sorted(self.blind):
            yield b"b\0%s\0" % phrase
        if self.lost:
            yield b"n\0%d\0" % self.lost
