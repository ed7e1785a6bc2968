"""Which run of one result answers which of the other: by what the runs behind both read, from the end on.

One stage may stand behind a result with several runs: a later stage may still have what an earlier run of it
wrote. So runs are paired by their place, and by their name only where they have none in common. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fourfold.evidence.lineage import Lineage, Step
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.words import short

#: More pairs are not made: a result may stand on thousands of runs that stand on each other.
MOST = 2000
#: The two runs of a pair; "" where a side has none.
Place = tuple[str, str]


class Pair(NamedTuple):
    """Two runs that stand at one place; one of them None where a side has none."""

    first: Step | None
    second: Step | None

    @property
    def stage(self) -> str:
        """What is run there: as the second result calls it, if it has it."""
        step = self.second or self.first
        return name_of(step.record) if step is not None else ""

    @property
    def place(self) -> Place:
        """What tells it from others."""
        return self.first.run if self.first else "", self.second.run if self.second else ""

    @property
    def both(self) -> tuple[Step, Step] | None:
        """The two runs, where there are two and not one and the same."""
        if self.first is None or self.second is None or self.first.run == self.second.run:
            return None
        return self.first, self.second


def name_of(record: RunRecord) -> str:
    """What a run is called here: its stage, or the beginning of its command."""
    return record.stage or short("; ".join(record.command), 40)


def pairs_of(a: Lineage, b: Lineage) -> list[Pair]:
    """Every run of both sides in a pair or more: what only the first has, then in the order of the second."""
    sides: tuple[Mapping[RunId, Step], ...] = tuple(
        {step.run: step for step in each.steps} for each in (a, b)
    )
    names = tuple({name_of(step.record) for step in each.steps} for each in (a, b))
    found: dict[Place, Pair] = {}
    todo = [(a.last, b.last)]
    for first, second in todo:  # grows: the nearest first
        pair = Pair(first, second)
        if pair.place in found or len(found) >= MOST or not _is_alike(first, second, names):
            continue
        found[pair.place] = pair
        shared = first.made_by.keys() & second.made_by.keys()
        todo += [(sides[0][first.made_by[path]], sides[1][second.made_by[path]]) for path in sorted(shared)]
    for pair in [*_by_name(a, b, found.values())] if len(found) < MOST else ():
        found.setdefault(pair.place, pair)
    order = {step.run: at for at, step in enumerate(b.steps)}
    before = {step.run: at for at, step in enumerate(a.steps)}
    return sorted(
        found.values(),
        key=lambda pair: (order.get(RunId(pair.place[1]), -1), before.get(RunId(pair.place[0]), -1)),
    )


def _is_alike(first: Step, second: Step, names: tuple[set[str], ...]) -> bool:
    """Whether two runs at one place are of one stage; one that got another name is."""
    one, two = name_of(first.record), name_of(second.record)
    return one == two or (one not in names[1] and two not in names[0])


def _by_name(a: Lineage, b: Lineage, found: Iterable[Pair]) -> Iterable[Pair]:
    """Pairs of the runs that have none: with the last one of the same name, or with nothing."""
    places = [pair.place for pair in found]
    first, second = ({name_of(step.record): step for step in each.steps} for each in (a, b))
    known = {place[0] for place in places}, {place[1] for place in places}
    yield from [Pair(step, second.get(name_of(step.record))) for step in a.steps if step.run not in known[0]]
    yield from [Pair(first.get(name_of(step.record)), step) for step in b.steps if step.run not in known[1]]
