"""By which ways a cause can have led to a result: over what came out otherwise and was read. Pure."""

from collections.abc import Iterable, Sequence

from fourfold.evidence.explaining.found import Found
from fourfold.evidence.explaining.pairing import Pair, Place
from fourfold.evidence.lineage import Lineage, metrics_of
from fourfold.runs.changes import Part, rows_of

#: Outputs that are results, whoever reads them.
_RESULTS = frozenset({"metric", "plot"})


class Reach:
    """The places whose changed results lead to some results, and over how many stages.

    Args:
        found: What changed, and by which ways it was read.
        ends: The places of these results.
    """

    def __init__(self, found: Found, ends: Iterable[Place]) -> None:
        self._otherwise = found.otherwise
        self._distance = dict.fromkeys(ends, 0)
        todo = [*self._distance]
        for place in todo:  # grows: the nearest first
            for writer in sorted(found.ways.get(place, ())):
                if writer not in self._distance:
                    self._distance[writer] = self._distance[place] + 1
                    todo.append(writer)

    def leads(self, pairs: Sequence[Pair]) -> bool:
        """Whether something that came out otherwise of one of the places leads there."""
        return any(pair.place in self._otherwise and pair.place in self._distance for pair in pairs)

    def distance(self, pairs: Sequence[Pair]) -> int:
        """How many stages lie between the nearest of those that lead there and the result; 0 if none does."""
        return min(
            (
                self._distance[pair.place]
                for pair in pairs
                if pair.place in self._otherwise and pair.place in self._distance
            ),
            default=0,
        )


def ends_of(found: Found, a: Lineage, b: Lineage, part: Part, metric: str | None) -> set[Place]:
    """The places of the results that are to be explained.

    Args:
        found: What changed.
        a: The one result.
        b: The other.
        part: Reads a part.
        metric: The only one that is asked about; None for the last results and all metrics that changed.
    """
    if metric is not None:
        measured = {
            pair.place
            for pair in found.pairs
            for step in (pair.first, pair.second)
            if step is not None and metric in metrics_of(step.record, part)
        }
        if measured:
            return measured
    last = {pair.place for pair in found.pairs if a.last.run == pair.place[0] or b.last.run == pair.place[1]}
    return last | {
        pair.place
        for pair, result in found.results
        for step in (pair.first, pair.second)
        if step is not None
        for row in rows_of(step.record, "outputs")
        if row["path"] == result.change.name and row.get("role") in _RESULTS
    }
