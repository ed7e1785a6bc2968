"""What came of a shake: values, their documents, and lines of text. How they come about is `shake`."""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from fourfold.formats.native.record import RunId

#: *same*: every result that is the same each time is the same. *changes*: one is not. *fails*: it did not run
#: to its end. *unclear*: what could tell differs from replay to replay anyway. *not tried*: nothing was
#: varied, or nothing that ran was reached by it: never *same*, which says that it has no effect.
Outcome = Literal["same", "changes", "fails", "unclear", "not tried"]


class Changed(NamedTuple):
    """One output that a factor changed.

    Attributes:
        path: As the record names it.
        first: The first difference, in words.
        parts: How many parts of it differ: values, columns, tensors; 1 for a file that has none.
    """

    path: str
    first: str
    parts: int


class Factor(NamedTuple):
    """What came of varying one circumstance.

    Attributes:
        name: Of the factor.
        outcome: See `Outcome`.
        how: How it was varied.
        why: What failed, why it was not tried, what is unclear; "" mostly.
        said: Of a replay that failed, the last line that it said: for people, and in no document.
        outputs: What changed.
        run: The record of that replay; None when there was none.
    """

    name: str
    outcome: Outcome
    how: str
    why: str
    said: str
    outputs: tuple[Changed, ...]
    run: RunId | None

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {**self._asdict(), "outputs": [one._asdict() for one in self.outputs]}
        del found["said"]
        return found


class Shaken(NamedTuple):
    """A run that was shaken.

    Attributes:
        of: The run.
        reproduces: Whether the first plain replay has the bytes of the record; None where they are not known.
        plain: How many plain replays there were.
        pinned: What all of them had fixed that the run leaves open; "".
        noise: Outputs, with their parts, that differ between plain replays: no factor is judged by them.
        factors: In the order in which they were tried.
    """

    of: RunId
    reproduces: bool | None
    plain: int
    pinned: str
    noise: tuple[Changed, ...]
    factors: tuple[Factor, ...]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "of": self.of,
            "reproduces": self.reproduces,
            "plain": self.plain,
            "pinned": self.pinned,
            "noise": [one._asdict() for one in self.noise],
            "factors": [one.document() for one in self.factors],
        }


def lines(shaken: Shaken) -> Iterator[str]:
    """A shake in lines of text."""
    told = {
        True: "the same bytes as the run",
        False: "other bytes than the run",
        None: "not known to be as the run",
    }
    yield f"{shaken.plain} plain replays, the first with {told[shaken.reproduces]}"
    if shaken.pinned:
        yield f"the run leaves it open, here it was fixed: {shaken.pinned}"
    for noise in shaken.noise:
        yield f"noise: {noise.path}: {noise.first}{_more(noise.parts)}"
    width = max((len(one.name) for one in shaken.factors), default=0)
    for one in shaken.factors:
        tried = one.outcome != "not tried"
        # How it was varied stands beside every answer: some reach less far than their names say.
        yield f"{one.name:<{width}}  {one.outcome:<9}  {one.how if tried else one.why}".rstrip()
        for line in (one.why if tried else "", one.said):
            if line:
                yield f"{'':<{width}}    {line}"
        for changed in one.outputs:
            yield f"{'':<{width}}    {changed.path}: {changed.first}{_more(changed.parts)}"


def _more(parts: int) -> str:
    return f" (and {parts - 1} more)" if parts > 1 else ""
