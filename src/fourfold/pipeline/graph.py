"""The graph of a project: who makes what whom needs, and in which order stages run.

Nodes are owners: stages, and pointer files as sources of data. An edge leads from an owner to each one
that makes something it depends on; parameter files count, and so does a folder around an output, or
an output around a dependency. Orders are DVC's: depth first, dependencies before what needs them.
"""

import os
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from fourfold.base.errors import ConflictError
from fourfold.project.files import Tracking
from fourfold.project.outs import Owner
from fourfold.project.targets import Makers

#: The file of an owner, and the name of the stage in it.
Key = tuple[str, str | None]


class CycleError(ConflictError):
    """Stages need what they make, directly or through others."""

    code = "pipeline-cycle"


class Graph(NamedTuple):
    """Owners and what they depend on.

    Attributes:
        owners: By key, in the order of the files and of the stages in them.
        makers: What an owner depends on, each once, in the order of its dependencies.
        users: The reverse.
    """

    owners: Mapping[Key, Owner]
    makers: Mapping[Key, tuple[Key, ...]]
    users: Mapping[Key, tuple[Key, ...]]

    def of(self, keys: Iterable[Key]) -> tuple[Owner, ...]:
        """The owners of some keys."""
        return tuple(self.owners[key] for key in keys)


def key_of(owner: Owner) -> Key:
    """What tells an owner from every other one of the project."""
    return owner.file, owner.name


def build_graph(tracking: Tracking) -> Graph:
    """The graph of everything that is tracked.

    Raises:
        CycleError: stages wait for each other; they are named.
    """
    makers = Makers(tracking)
    edges: dict[Key, tuple[Key, ...]] = {}
    for owner in tracking.owners:
        _refuse_own_output(owner)
        edges[key_of(owner)] = tuple(dict.fromkeys(key_of(maker) for maker in makers.of(owner)))
    owners = {key_of(owner): owner for owner in tracking.owners}
    graph = Graph(owners, edges, _reversed(edges))
    cycle = _find_cycle(edges)
    if cycle:
        names = [repr(owner.addressing) for owner in graph.of(cycle)]
        raise CycleError(
            f"stages wait for each other: {' needs '.join([*names, names[0]])}",
            hint="look at 'deps' and 'outs' of these stages: one of them must go",
        )
    return graph


def _refuse_own_output(owner: Owner) -> None:
    made = {os.path.normpath(os.path.join(owner.wdir, out.path)): out.path for out in owner.outs}
    for dep in owner.deps:
        path = os.path.normpath(os.path.join(owner.wdir, dep.path))
        if dep.repo is None and dep.db is None and path in made:
            raise CycleError(
                f"'{dep.path}' is an output and a dependency of stage '{owner.addressing}'",
                hint="write it to another path, or drop the dependency and mark the output 'persist: true'",
            )


def _reversed(edges: Mapping[Key, Iterable[Key]]) -> dict[Key, tuple[Key, ...]]:
    users: dict[Key, list[Key]] = {key: [] for key in edges}
    for key, makers in edges.items():
        for maker in makers:
            users[maker].append(key)
    return {key: tuple(found) for key, found in users.items()}


def _find_cycle(edges: Mapping[Key, tuple[Key, ...]]) -> list[Key]:
    """The keys of one cycle, each needing the next; empty without one."""
    done: set[Key] = set()
    for start in edges:
        path: dict[Key, None] = {}
        stack: list[tuple[Key, bool]] = [(start, False)]
        while stack:
            key, leaving = stack.pop()
            if leaving:
                path.popitem()
                done.add(key)
            elif key in path:
                keys = list(path)
                return keys[keys.index(key) :]
            elif key not in done:
                path[key] = None
                stack.append((key, True))
                stack.extend((maker, False) for maker in reversed(edges[key]))
    return []


def active(graph: Graph) -> Graph:
    """The graph in which frozen owners depend on nothing."""
    edges = {key: () if graph.owners[key].frozen else makers for key, makers in graph.makers.items()}
    return Graph(graph.owners, edges, _reversed(edges))


def reach(edges: Mapping[Key, Iterable[Key]], starts: Iterable[Key]) -> set[Key]:
    """``starts`` and everything that can be reached from them."""
    seen: set[Key] = set()
    stack = list(starts)
    while stack:
        key = stack.pop()
        if key not in seen:
            seen.add(key)
            stack.extend(edges[key])
    return seen


def component(graph: Graph, starts: Iterable[Key]) -> set[Key]:
    """``starts`` and everything connected with them, whichever way."""
    both = {key: (*makers, *graph.users[key]) for key, makers in graph.makers.items()}
    return reach(both, starts)


def postorder(graph: Graph, within: Collection[Key] | None = None) -> list[Key]:
    """Keys in the order in which DVC runs them: depth first, what is needed before what needs it.

    Args:
        graph: Without a cycle.
        within: Look at these only; by default at all.
    """
    order: dict[Key, None] = {}
    seen: set[Key] = set()
    for start in graph.owners:
        stack: list[tuple[Key, bool]] = [(start, False)]
        while stack:
            key, leaving = stack.pop()
            if leaving:
                order[key] = None
            elif key not in seen and (within is None or key in within):
                seen.add(key)
                stack.append((key, True))
                stack.extend((maker, False) for maker in reversed(graph.makers[key]))
    return list(order)
