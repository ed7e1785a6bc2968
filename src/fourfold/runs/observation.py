"""What was seen of a run: files, programs, connections, and how well it was looked.

Values only. Who sees is `tracer/` and `inject/`; what it means is `classify`.
"""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

How = Literal["read", "write", "list", "exec", "delete"]


class Access(NamedTuple):
    """All times that one path was used in one way.

    Attributes:
        path: Absolute and normalized, links as they were named.
        how: ``read`` | ``write`` (created, opened for writing, renamed to, linked) | ``list`` (a folder
            opened) | ``exec`` | ``delete`` (unlinked, or renamed from).
        found: Whether it was there when first looked at (reads), or at the end (writes).
        times: How often.
        first: Whether its first use of all was this one, of those with the same path: a file that is written
            first and read later is no input.
        denied: Whether it was refused (at least once): a hermetic run may use only what it declares.
    """

    path: str
    how: How
    found: bool = True
    times: int = 1
    first: bool = True
    denied: bool = False


class Connection(NamedTuple):
    """One address that something connected to.

    Attributes:
        family: ``inet`` | ``inet6`` | ``unix``.
        address: Host address, or the path of a socket; "" where it was refused before it said where to.
        port: 0 for a path.
        times: How often.
        denied: Whether it was refused.
    """

    family: str
    address: str
    port: int = 0
    times: int = 1
    denied: bool = False


class Coverage(NamedTuple):
    """How well a run was watched: stamped into its record.

    Attributes:
        method: ``seccomp`` | ``strace`` | ``audit`` | ``none``.
        why: Why not a better one; "" for the best.
        blind: What this method does not see, one phrase each.
        events: How many uses were seen.
        lost: How many are known to be lost.
        python: Processes of Python that told about themselves.
    """

    method: str
    why: str = ""
    blind: tuple[str, ...] = ()
    events: int = 0
    lost: int = 0
    python: int = 0


class Trace(NamedTuple):
    """What processes did.

    Attributes:
        coverage: How well it was looked.
        accesses: Each path and way once, sorted.
        connections: Sorted.
    """

    coverage: Coverage
    accesses: tuple[Access, ...] = ()
    connections: tuple[Connection, ...] = ()


class Observation(NamedTuple):
    """All that was seen of one run.

    Attributes:
        trace: What processes did.
        reports: What each process of Python told about itself at its end (``docs/formats/run-record.md``), by
            the order of their starts.
    """

    trace: Trace
    reports: tuple[Mapping[str, Any], ...] = ()
