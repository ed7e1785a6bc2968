"""Merges: where the first bad version is one, what it brought: whether the branch was bad before it came.

A search goes along first parents, so what lies on a branch that was merged is no version of its own in it.
Its tip is looked at here, from what is recorded; the search through the branch is another one, and is named.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.evidence.bisecting.bisect import Found
from fourfold.evidence.commits import Commits

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records


class Merge(NamedTuple):
    """What a merge brought that is the first bad version.

    Attributes:
        commit: The merge.
        tip: The last commit of the branch.
        base: Where the branch began; None where that is not known.
        value: The metric at its tip; None where it is not known.
        is_bad: Whether that is bad; None likewise.
    """

    commit: "CommitId"
    tip: "CommitId"
    base: "CommitId | None"
    value: float | None
    is_bad: bool | None

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return self._asdict()


def merge_of(place: "Place", records: "Records", found: Found) -> Merge | None:
    """What the first bad version merged; of several branches, the first that is bad; None for no merge.

    Raises:
        FourfoldError: Git has not all of it.
    """
    commit, before = found.first_bad.commit, found.last_good.commit
    tips = found.history.merged.get(commit, ()) if commit is not None else ()
    if commit is None or before is None or not tips:
        return None
    merges = []
    with Commits(place, records) as commits:
        for tip in tips:
            value = commits.state(tip, found.history.stage, found.history.metric).metric
            is_bad = found.side.is_bad(value) if value is not None else None
            merges.append(Merge(commit, tip, commits.base(before, tip), value, is_bad))
    return next((each for each in merges if each.is_bad), merges[0])
