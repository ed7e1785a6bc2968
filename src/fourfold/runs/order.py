"""In which order runs were, as far as this place can know: nobody's clock is believed against what was seen.

Runs of this place stand in the order in which they were appended, whatever the clock said. One that came from
elsewhere stands where it says that it began, and never after the moment in which it came here: clocks differ
by little. Where it says that it began long after that, nobody knows when it was, and it is older than all
that is known. Explained in docs/formats/run-record.md.
"""

import time
from collections.abc import Callable, Iterable
from functools import cache
from typing import NamedTuple

from fourfold.formats.native.record import RunId

#: Seconds that an honest clock may be ahead of ours; what it stamped began when it came here, at the latest.
_SKEW = 600
#: The last second that a record can write.
_LAST = 253_402_300_799


class Summary(NamedTuple):
    """What the list says of a record.

    Attributes:
        id: Of the run.
        kind: ``stage``, ``command`` or ``replay``.
        stage: As in the record.
        started: As in the record.
        seconds: As in the record.
        state: As in the record's outcome.
        entry: Digest of the entry of ``dvc.lock`` that the run made; "" without one.
        previous: As in the record; "" for none.
    """

    id: RunId
    kind: str
    stage: str
    started: str
    seconds: float
    state: str
    entry: str
    previous: str


def in_order(
    summaries: Iterable[Summary], head: str | None, arrived: Callable[[Summary], float]
) -> list[Summary]:
    """Runs, the oldest first.

    Args:
        summaries: In any order.
        head: The id of the last run that was appended here.
        arrived: When a record from elsewhere came here: seconds since 1970.
    """
    rest: dict[str, Summary] = {one.id: one for one in summaries}
    chain: list[Summary] = []
    while head in rest:
        chain.append(rest.pop(head))
        head = chain[-1].previous
    placed: list[tuple[tuple[bool, str, int, str], Summary]] = []
    latest = ""
    for at, one in enumerate(reversed(chain)):
        # Where the clock of this place was put back, what came later is no older.
        latest = max(latest, one.started)
        placed.append(((True, latest, 1 + at, ""), one))
    for one in rest.values():
        seconds = arrived(one)
        moment = _moment(seconds)
        is_believed = one.started <= moment or one.started <= _moment(seconds + _SKEW)
        placed.append(
            ((is_believed, min(one.started, moment) if is_believed else one.started, 0, one.id), one)
        )
    return [one for _, one in sorted(placed, key=lambda pair: pair[0])]


def _moment(seconds: float) -> str:
    """A moment as records write it."""
    seconds = min(max(seconds, 0.0), float(_LAST))  # a file can have any time at all
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1e6):06}Z"


@cache
def _second(whole: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
