"""The file that a supervisor left (`ledger`), read back with suspicion: the run could write there too."""

from typing import NamedTuple

from fourfold.runs.tracer.ledger import HEADER, HOWS

#: Longest file that is read back.
MOST_BYTES = 1 << 30


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
    denied: frozenset[tuple[str, bytes]] = frozenset()
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
    denials: set[tuple[str, bytes]] = set()
    moved: list[tuple[bytes, bytes]] = []
    blind: list[str] = []
    lost, complete, why = 0, False, ""
    try:
        for letter in fields:
            if letter in HOWS:
                order, times, found = int(next(fields)), int(next(fields)), next(fields) == b"1"
                uses.append(Use(order, HOWS[letter], next(fields), times, found))
            elif letter == b"c":
                times, family = int(next(fields)), _text(next(fields))
                port, denied, address = int(next(fields)), next(fields) == b"1", _text(next(fields))
                contacts.append(Contact(family, address, port, denied, times))
            elif letter == b"D":
                refused = next(fields)
                denials.add((HOWS.get(refused[:1], ""), refused[1:]))
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
    return Read(
        tuple(uses), tuple(contacts), frozenset(denials), tuple(moved), tuple(blind), lost, complete, why
    )


def _text(field: bytes) -> str:
    return field.decode("utf-8", "surrogateescape")
