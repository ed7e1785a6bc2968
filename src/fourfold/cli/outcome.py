"""What a command hands back: data for programs, lines for people, an exit code. Nothing is printed here."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from fourfold.base.errors import FourfoldError


class Outcome(NamedTuple):
    """The result of one command.

    Attributes:
        data: What ``--json`` prints: DVC's own shape where DVC has one, else one object.
        text: What is printed without ``--json``, line by line, without line ends; may be lazy.
        exit_code: 0, or DVC's code for this outcome.
        loud: Printed under ``--quiet`` too: an answer that the caller asked for and nothing else.
        failure: What could not be done although the rest was. It is told after the text as any error is,
            stands under ``error`` in the JSON object, and its exit code is the process's.
    """

    data: Any = None
    text: Iterable[str] = ()
    exit_code: int = 0
    loud: bool = False
    failure: FourfoldError | None = None
