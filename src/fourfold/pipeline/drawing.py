"""Drawing the graph of a project: as a tree of text, in the language of Graphviz, in Mermaid's."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.pipeline.graph import Key, build_graph, component, key_of, reach
from fourfold.project.files import load_tracked
from fourfold.project.outs import Owner, place
from fourfold.project.status import address_from
from fourfold.project.targets import Makers, select

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: (a child with brothers below, the last child, the way past a child with brothers, past the last one)
_LINES = ("├── ", "└── ", "│   ", "    ")
_ASCII_LINES = ("|-- ", "`-- ", "|   ", "    ")


class Picture(NamedTuple):
    """What is drawn.

    Attributes:
        nodes: Names, in the order of the files.
        edges: (what is needed, what needs it).
    """

    nodes: tuple[str, ...]
    edges: tuple[tuple[str, str], ...]


def picture(
    project: "Project",
    target: str | None = None,
    *,
    full: bool = False,
    outs: bool = False,
    collapse: bool = False,
) -> Picture:
    """The graph of a project, or the part of it around a target.

    Args:
        project: Whose.
        target: A stage, a pointer file or an output: it and what it needs.
        full: Everything that is connected with the target.
        outs: Draw outputs instead of stages.
        collapse: Draw what one ``foreach`` or ``matrix`` makes as one.

    Raises:
        TargetNotFoundError: the target names nothing.
        CycleError: stages wait for each other.
    """
    tracking = load_tracked(project)
    graph = build_graph(tracking)
    chosen = None
    if target is not None:
        keys = [key_of(item.owner) for item in select(project, [target], tracking=None)]
        chosen = component(graph, keys) if full else reach(graph.makers, keys)
    owners = [owner for key, owner in graph.owners.items() if chosen is None or key in chosen]
    if outs:
        return _of_outputs(project, owners, Makers(tracking))
    names = {key_of(owner): _name(project, owner, collapse=collapse) for owner in owners}
    edges = [(names[maker], names[key]) for key in names for maker in graph.makers[key] if maker in names]
    return _unique(names.values(), edges)


def _name(project: "Project", owner: Owner, *, collapse: bool) -> str:
    name = address_from(project, owner)
    return name.partition("@")[0] if collapse and owner.is_stage else name


def _unique(nodes: Iterable[str], edges: Iterable[tuple[str, str]]) -> Picture:
    return Picture(
        tuple(dict.fromkeys(nodes)), tuple(dict.fromkeys(edge for edge in edges if edge[0] != edge[1]))
    )


def _of_outputs(project: "Project", owners: Sequence[Owner], makers: Makers) -> Picture:
    shown: dict[Key, list[str]] = {
        key_of(owner): [project.display(out.path) for out in place(project.root, owner) if not out.external]
        for owner in owners
    }
    edges = []
    for owner in owners:
        for dep in owner.deps:
            path = os.path.normpath(os.path.join(owner.wdir, dep.path))
            for maker in makers.at(path):
                for out in place(project.root, maker):
                    if (
                        out.path == path
                        or out.path.startswith(path + os.sep)
                        or path.startswith(out.path + os.sep)
                    ):
                        edges += [(project.display(out.path), name) for name in shown[key_of(owner)]]
    known = {name for names in shown.values() for name in names}
    return _unique(
        (name for names in shown.values() for name in names), (edge for edge in edges if set(edge) <= known)
    )


def tree(drawn: Picture, *, ascii_only: bool = False) -> Iterator[str]:
    """A tree of text, from what needs nothing down to what nothing needs.

    What needs several things stands, with all that follows from it, below the last of them, and is
    only mentioned below the others.
    """
    users = _users(drawn)
    rank = _ranks(drawn, users)
    needs: dict[str, list[str]] = {node: [] for node in drawn.nodes}
    for maker, user in drawn.edges:
        needs[user].append(maker)
    home = {node: max(found, key=lambda name: rank[name]) for node, found in needs.items() if found}
    for node in drawn.nodes:
        if not needs[node]:
            yield node
            yield from _below(node, "", users, home, _ASCII_LINES if ascii_only else _LINES)


def _below(
    node: str, indent: str, users: Mapping[str, Sequence[str]], home: Mapping[str, str], lines: Sequence[str]
) -> Iterator[str]:
    stack = [(child, indent, at + 1 == len(users[node]), node) for at, child in enumerate(users[node])][::-1]
    while stack:
        name, before, last, parent = stack.pop()
        branch, past = (lines[1], lines[3]) if last else (lines[0], lines[2])
        at_home = home[name] == parent
        yield before + branch + name + ("" if at_home else " ...")
        if at_home:
            found = users[name]
            stack += [(child, before + past, at + 1 == len(found), name) for at, child in enumerate(found)][
                ::-1
            ]


def _users(drawn: Picture) -> dict[str, list[str]]:
    users: dict[str, list[str]] = {node: [] for node in drawn.nodes}
    for maker, user in drawn.edges:
        users[maker].append(user)
    return users


def _ranks(drawn: Picture, users: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """How many steps the longest way to each node has."""
    waiting = dict.fromkeys(drawn.nodes, 0)
    for _maker, user in drawn.edges:
        waiting[user] += 1
    rank = dict.fromkeys(drawn.nodes, 0)
    ready = [node for node in drawn.nodes if not waiting[node]]
    while ready:
        node = ready.pop()
        for user in users[node]:
            rank[user] = max(rank[user], rank[node] + 1)
            waiting[user] -= 1
            if not waiting[user]:
                ready.append(user)
    return rank


def dot(drawn: Picture) -> Iterator[str]:
    """The language of Graphviz, as DVC writes it."""
    yield "strict digraph {"
    yield from (f"{_quoted(node)};" for node in drawn.nodes)
    users = _users(drawn)
    yield from (f"{_quoted(node)} -> {_quoted(user)};" for node in drawn.nodes for user in users[node])
    yield "}"
    yield ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '\\"') + '"'


def mermaid(drawn: Picture, *, markdown: bool = False, marked: Collection[str] = ()) -> Iterator[str]:
    """Mermaid's language, as DVC writes it: one connected part after the other, names sorted.

    Args:
        drawn: What to draw.
        markdown: Within a block of Markdown.
        marked: Nodes to draw in another colour; DVC has none.
    """
    if markdown:
        yield "```mermaid"
    yield "flowchart TD"
    count = 0
    for part in _parts(drawn):
        ids = {}
        for node in sorted(part):
            count += 1
            ids[node] = f"node{count}"
            label = node.replace('"', "#quot;")
            yield f'\t{ids[node]}["{label}"]' + (":::changed" if node in marked else "")
        for maker, user in sorted(edge for edge in drawn.edges if edge[0] in ids):
            yield f"\t{ids[maker]}-->{ids[user]}"
    if marked:
        yield "\tclassDef changed stroke:#d97706,stroke-width:3px"
    if markdown:
        yield "```"


def _parts(drawn: Picture) -> Iterator[set[str]]:
    both: dict[str, list[str]] = {node: [] for node in drawn.nodes}
    for maker, user in drawn.edges:
        both[maker].append(user)
        both[user].append(maker)
    seen: set[str] = set()
    for node in drawn.nodes:
        if node not in seen:
            part: set[str] = set()
            stack = [node]
            while stack:
                at = stack.pop()
                if at not in part:
                    part.add(at)
                    stack.extend(both[at])
            seen |= part
            yield part
