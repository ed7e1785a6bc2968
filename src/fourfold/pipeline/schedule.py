"""The schedule: which owners of a plan may start now.

Whatever starts when, the result is that of DVC's order, one after the other: an owner waits for what makes
its dependencies, and for every earlier one whose paths are in the way of its own. Reading the same is in
nobody's way. Resources of the machine are `resources`; what a failure means is `repro`.
"""

import os
from collections.abc import Iterable, Iterator, Sequence

from fourfold.pipeline.graph import Graph, Key, key_of
from fourfold.project.outs import Owner, place


class Schedule:
    """The owners of a plan, each waiting, taken or finished.

    Args:
        root: Of the project.
        plan: In DVC's order.
        graph: Whose edges hold an owner back.
    """

    def __init__(self, root: str, plan: Sequence[Owner], graph: Graph) -> None:
        self._order = [key_of(owner) for owner in plan]
        planned = set(self._order)
        self._blockers: dict[Key, set[Key]] = {}
        self._users: dict[Key, list[Key]] = {key: [] for key in self._order}
        paths = _Paths()
        for at, owner in enumerate(plan):
            key = self._order[at]
            needs = {maker for maker in graph.makers[key] if maker in planned and maker != key}
            needs.update(self._order[earlier] for earlier in paths.conflicts(at, root, owner))
            self._blockers[key] = needs
            for needed in needs:
                self._users[needed].append(key)
        self._place = {key: at for at, key in enumerate(self._order)}
        self._free = sorted(at for at, key in enumerate(self._order) if not self._blockers[key])
        self._unfinished = len(self._order)

    def __len__(self) -> int:
        """How many are not finished."""
        return self._unfinished

    def take(self) -> Key | None:
        """Take the first in order that nothing holds back; None when there is none."""
        return self._order[self._free.pop(0)] if self._free else None

    def finish(self, key: Key) -> None:
        """It is done, however it ended: what waited only for it is free."""
        self._unfinished -= 1
        freed = False
        for user in self._users[key]:
            blockers = self._blockers[user]
            blockers.discard(key)
            if not blockers:
                self._free.append(self._place[user])
                freed = True
        if freed:
            self._free.sort()

    def place(self, key: Key) -> int:
        """Where it stands in the order."""
        return self._place[key]


class _Paths:
    """Which path of the workspace is read and written by which owners, so far."""

    def __init__(self) -> None:
        self._writers: dict[str, list[int]] = {}
        self._readers: dict[str, list[int]] = {}
        self._writers_below: dict[str, list[int]] = {}
        self._readers_below: dict[str, list[int]] = {}

    def conflicts(self, at: int, root: str, owner: Owner) -> set[int]:
        """The earlier owners that the one at this place must not run beside; it is noted, too."""
        writes = [out.path for out in place(root, owner) if not out.external]
        reads = list(_reads(owner))
        found: set[int] = set()
        for path in writes:
            found.update(self._touching(path, self._writers, self._writers_below))
            found.update(self._touching(path, self._readers, self._readers_below))
        for path in reads:
            found.update(self._touching(path, self._writers, self._writers_below))
        for paths, exact, below in (
            (writes, self._writers, self._writers_below),
            (reads, self._readers, self._readers_below),
        ):
            for path in paths:
                exact.setdefault(path, []).append(at)
                for folder in _above(path):
                    below.setdefault(folder, []).append(at)
        return found

    def _touching(self, path: str, exact: dict[str, list[int]], below: dict[str, list[int]]) -> Iterator[int]:
        yield from exact.get(path, ())
        yield from below.get(path, ())
        for folder in _above(path):
            yield from exact.get(folder, ())


def _reads(owner: Owner) -> Iterable[str]:
    if owner.is_stage:
        for dep in owner.deps:
            yield os.path.normpath(os.path.join(owner.wdir, dep.path))
        for spec in owner.params_wanted:
            yield os.path.normpath(os.path.join(owner.wdir, spec.file or "params.yaml"))


def _above(path: str) -> Iterator[str]:
    folder = os.path.dirname(path)
    while folder != path:
        yield folder
        path, folder = folder, os.path.dirname(folder)
