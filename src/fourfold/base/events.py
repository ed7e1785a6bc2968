"""What the engine tells while it works: typed events, sent to a sink that the caller brings.

The engine never prints. A command passes a sink that draws; a server passes one that logs; a test
passes ``list.append``. Events are news, never control flow: dropping them changes nothing.
"""

from collections.abc import Callable
from typing import NamedTuple


class PhaseStarted(NamedTuple):
    """A phase begins: ``name`` is a gerund (``"hashing"``), totals are None when unknown."""

    name: str
    total: int | None = None
    total_bytes: int | None = None
    unit: str = "files"


class Advanced(NamedTuple):
    """``done`` more units, ``size`` more bytes of the phase are done."""

    name: str
    done: int = 0
    size: int = 0


class PhaseEnded(NamedTuple):
    """The phase is over."""

    name: str


class Warned(NamedTuple):
    """Something the user should know that stops nothing; same fields as an error."""

    code: str
    message: str
    hint: str = ""


class Noticed(NamedTuple):
    """A line of news for ``-v``."""

    message: str


Event = PhaseStarted | Advanced | PhaseEnded | Warned | Noticed
Sink = Callable[[Event], None]


def silent(_event: Event) -> None:
    """The sink that hears and says nothing."""
