"""Drawing the graph of a project: as a tree of text, in the language of Graphviz, in Mermaid's."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.pipeline.graph import Graph, Key, build_graph, component, key_of, reach
from fourfold.project.files import Tracking, load_tracked
from fourfold.project.outs import PIPELINE_FILE, Owner, Tracked
from fourfold.project.targets import Makers, Selected, select

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
        outs: Draw outputs instead of stages. A target without outputs then stands for everything, as in DVC.
        collapse: Draw what one ``foreach`` or ``matrix`` makes as one.

    Raises:
        TargetNotFoundError: the target names nothing.
        CycleError: stages wait for each other.
    """
    tracking = load_tracked(project)
    graph = build_graph(tracking)
    selected = select(project, [target], tracking=tracking) if target is not None else []
    if outs:
        return _of_outputs(project, tracking, graph, selected, full=full)
    chosen = None
    if selected:
        keys = [key_of(item.owner) for item in selected]
        chosen = component(graph, keys) if full else reach(graph.makers, keys)
    owners = [owner for key, owner in graph.owners.items() if chosen is None or key in chosen]
    name = address_of(project, collapse=collapse)
    names = {key_of(owner): name(owner) for owner in owners}
    edges = [(names[maker], names[key]) for key in names for maker in graph.makers[key] if maker in names]
    if collapse:
        return _collapsed(names, owners, edges)
    return Picture(tuple(dict.fromkeys(names.values())), tuple(dict.fromkeys(edges)))


def address_of(project: "Project", *, collapse: bool = False) -> Callable[[Owner], str]:
    """Gives an owner's name as DVC has it from where the user stands, looking at each file once."""
    files: dict[str, str] = {}

    def name(owner: Owner) -> str:
        file = files.get(owner.file)
        if file is None:
            file = files[owner.file] = project.display(owner.file)
        if owner.name is None:
            return file
        stage = owner.name.partition("@")[0] if collapse else owner.name
        return stage if file == PIPELINE_FILE else f"{file}:{stage}"

    return name


def _collapsed(
    names: Mapping[Key, str], owners: Iterable[Owner], edges: Iterable[tuple[str, str]]
) -> Picture:
    """The nodes of groups stand behind the others, as in DVC."""
    groups = {names[key_of(owner)]: None for owner in owners if owner.name and "@" in owner.name}
    single = {names[key_of(owner)]: None for owner in owners if not (owner.name and "@" in owner.name)}
    return Picture(tuple({**single, **groups}), tuple(dict.fromkeys(edges)))


def _of_outputs(
    project: "Project", tracking: Tracking, graph: Graph, selected: Sequence[Selected], *, full: bool
) -> Picture:
    placed: dict[Key, list[Tracked]] = {key: [] for key in graph.owners}
    for out in (*tracking.outs, *tracking.external):
        placed[key_of(out.owner)].append(out)
    nodes = _in_folders(out for key in graph.owners for out in placed[key])
    makers = Makers(tracking)
    needed: dict[str, list[str]] = {_place(out): [] for out in nodes}
    for key, owner in graph.owners.items():
        if placed[key] and graph.makers[key]:
            found = list(
                dict.fromkeys(_place(out) for path in makers.paths(owner) for out in makers.at(path))
            )
            for out in placed[key]:
                needed[_place(out)] += found
    chosen = _around(needed, [_place(out) for item in selected for out in _meant(item, placed)], full=full)
    shown = {
        place: out.relpath if out.external else project.display(out.path)
        for place, out in ((_place(out), out) for out in nodes)
        if place in chosen
    }
    rank = {place: at for at, place in enumerate(shown)}
    pairs = [(maker, user) for user in shown for maker in needed[user] if maker in shown]
    pairs.sort(key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    edges = dict.fromkeys((shown[maker], shown[user]) for maker, user in pairs)
    return Picture(tuple(dict.fromkeys(shown.values())), tuple(edges))


def _place(out: Tracked) -> str:
    """What tells an output from every other one."""
    return out.path or out.relpath


def _meant(item: Selected, placed: Mapping[Key, Sequence[Tracked]]) -> Sequence[Tracked]:
    """The outputs that a target stands for: those named, or all of the owner's."""
    everything = placed[key_of(item.owner)]
    return everything if len(item.outs) == len(everything) else item.outs


def _around(needed: Mapping[str, Sequence[str]], starts: Sequence[str], *, full: bool) -> Collection[str]:
    """What is needed for ``starts``, or connected with them; everything when there are none."""
    if not starts:
        return needed
    if not full:
        return reach(needed, starts)
    both = {place: list(found) for place, found in needed.items()}
    for user, found in needed.items():
        for maker in found:
            both[maker].append(user)
    return reach(both, starts)


def _in_folders(outs: Iterable[Tracked]) -> list[Tracked]:
    """Outputs folder by folder, each folder and output where it was first met: DVC's order."""
    top: dict[str, Any] = {}
    for out in outs:
        *folders, name = _place(out).split("/")
        level = top
        for folder in folders:
            level = level.setdefault(folder, {})
        level[name] = out
    found: list[Tracked] = []
    stack = [iter(top.values())]
    while stack:
        item = next(stack[-1], None)
        if item is None:
            stack.pop()
        elif isinstance(item, dict):
            stack.append(iter(item.values()))
        else:
            found.append(item)
    return found


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
    told: set[str] = set()
    # The groups of a collapsed graph may need each other: such a ring begins at its first member.
    for node in (*(node for node in drawn.nodes if not needs[node]), *drawn.nodes):
        if node not in told:
            home.pop(node, None)
            told.add(node)
            yield node
            yield from _below(node, users, home, told, _ASCII_LINES if ascii_only else _LINES)


def _below(
    node: str,
    users: Mapping[str, Sequence[str]],
    home: Mapping[str, str],
    told: set[str],
    lines: Sequence[str],
) -> Iterator[str]:
    stack = [(child, "", at + 1 == len(users[node]), node) for at, child in enumerate(users[node])][::-1]
    while stack:
        name, before, last, parent = stack.pop()
        branch, past = (lines[1], lines[3]) if last else (lines[0], lines[2])
        at_home = home.get(name) == parent
        yield before + branch + name + ("" if at_home else " ...")
        if at_home:
            told.add(name)
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
