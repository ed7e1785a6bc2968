"""The graph of a project: who makes what whom needs, and in which order stages run.

Nodes are owners: stages, and pointer files as sources of data. An edge leads from an owner to each one
that makes something it depends on; parameter files count, and so does a folder around an output, or
an output around a dependency. Orders are DVC's: depth first, dependencies before what needs them.
"""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from fourfold.base.errors import ConflictError
from fourfold.project.claims import place_of_dependency
from fourfold.project.files import Tracking
from fourfold.project.outs import Owner, Tracked
from fourfold.project.targets import Makers

#: The file of an owner, and the name of the stage in it.
Key = tuple[str, str | None]
_Node = TypeVar("_Node")


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
        found = makers.of(owner)
        if any(maker is owner for maker in found):
            raise _own_output(owner, makers, known=tracking.rev is None)
        edges[key_of(owner)] = tuple(dict.fromkeys(key_of(maker) for maker in found))
    owners = {key_of(owner): owner for owner in tracking.owners}
    graph = Graph(owners, edges, _reversed(edges))
    cycle = _find_cycle(edges)
    if cycle:
        raise _cycle(graph.of(cycle), makers, known=tracking.rev is None)
    return graph


def _own_output(owner: Owner, makers: Makers, *, known: bool) -> CycleError:
    path, out = _link(owner, owner, makers)
    where = f"{place_of_dependency(owner, path)}: " if known else ""
    text = _as_written(owner, path)
    if path in {out.path, out.relpath}:
        message = f"'{text}' is an output and a dependency of stage '{owner.addressing}'"
    else:
        message = (
            f"'{text}', a dependency of stage '{owner.addressing}', overlaps with its output "
            f"'{out.output.path}'"
        )
    return CycleError(
        where + message,
        hint="write it to another path, or drop the dependency and mark the output 'persist: true'",
    )


def _cycle(owners: Sequence[Owner], makers: Makers, *, known: bool) -> CycleError:
    """The error that names who needs whom, and where in the files that stands."""
    names = [repr(owner.addressing) for owner in owners]
    places, links = [], []
    for owner, maker in zip(owners, (*owners[1:], owners[0]), strict=True):
        path, _out = _link(owner, maker, makers)
        places.append(f"{place_of_dependency(owner, path)}: " if known else "")
        links.append(f"'{owner.addressing}' needs '{_as_written(owner, path)}' of '{maker.addressing}'")
    return CycleError(
        f"{places[0]}stages wait for each other: {' needs '.join([*names, names[0]])}",
        hint="look at 'deps' and 'outs' of these stages: one of them must go",
        details=[place + link for place, link in zip(places, links, strict=True)],
    )


def _link(owner: Owner, maker: Owner, makers: Makers) -> tuple[str, Tracked]:
    """What ``owner`` needs of ``maker``: the path, and the output that it is, holds, or lies in."""
    found = ((path, out) for path in makers.paths(owner) for out in makers.at(path))
    return next((path, out) for path, out in found if out.owner is maker)


def _as_written(owner: Owner, path: str) -> str:
    return os.path.relpath(path, owner.wdir) if os.path.isabs(path) else path


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


def reach(edges: Mapping[_Node, Iterable[_Node]], starts: Iterable[_Node]) -> set[_Node]:
    """``starts`` and everything that can be reached from them."""
    seen: set[_Node] = set()
    stack = list(starts)
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(edges[node])
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
