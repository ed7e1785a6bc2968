"""The schedule: what may start now, and that its result is that of one after the other."""

import random

from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.pipeline.graph import Graph, Key
from fourfold.pipeline.schedule import Schedule
from fourfold.project.outs import Owner


def owner(name: str, reads: str = "", writes: str = "") -> Owner:
    deps = tuple(Dependency(path) for path in reads.split())
    outs = tuple(Output(path) for path in writes.split())
    return Owner("/p/dvc.yaml", "dvc.yaml", name, "/p", outs, deps, cmd="x")


def schedule(plan: list[Owner], **makers: str) -> Schedule:
    keys: dict[str, Key] = {str(one.name): (one.file, one.name) for one in plan}
    edges = {key: tuple(keys[maker] for maker in makers.get(name, "").split()) for name, key in keys.items()}
    owners = {keys[str(one.name)]: one for one in plan}
    return Schedule("/p", plan, Graph(owners, edges, {}))


def free(of: Schedule) -> list[str]:
    found = []
    while (key := of.take()) is not None:
        found.append(str(key[1]))
    return found


def finish(of: Schedule, name: str) -> list[str]:
    of.finish(("/p/dvc.yaml", name))
    return free(of)


def test_what_needs_nothing_is_free_and_edges_hold_back() -> None:
    of = schedule([owner("a"), owner("b"), owner("c"), owner("d")], c="a b", d="c")
    assert free(of) == ["a", "b"]
    assert finish(of, "b") == []
    assert finish(of, "a") == ["c"]
    assert finish(of, "c") == ["d"]
    assert len(of) == 1


def test_readers_of_the_same_are_in_nobodys_way() -> None:
    assert free(schedule([owner("a", "x"), owner("b", "x"), owner("c", "x/y")])) == ["a", "b", "c"]


def test_a_writer_waits_for_earlier_readers_and_a_reader_for_earlier_writers() -> None:
    of = schedule([owner("reads", "x"), owner("writes", "", "x/y"), owner("later", "x")])
    assert free(of) == ["reads"]
    assert finish(of, "reads") == ["writes"]
    assert finish(of, "writes") == ["later"]


def test_writers_of_a_folder_and_of_what_is_in_it_run_in_their_order() -> None:
    of = schedule([owner("inner", "", "x/y"), owner("outer", "", "x"), owner("aside", "", "xy")])
    assert free(of) == ["inner", "aside"]
    assert finish(of, "inner") == ["outer"]


def test_any_order_of_ends_gives_each_stage_once_after_what_it_conflicts_with() -> None:
    chance = random.Random(7)
    for _ in range(100):
        paths = ["a", "a/b", "c", "d", "d/e/f"]
        plan = [
            owner(
                f"s{at}",
                " ".join(chance.sample(paths, chance.randint(0, 2))),
                " ".join(chance.sample(paths, chance.randint(0, 1))),
            )
            for at in range(8)
        ]
        of = schedule(plan)
        running, began = free(of), []
        began += running
        ended: list[str] = []
        while running:
            name = running.pop(chance.randrange(len(running)))
            ended.append(name)
            more = finish(of, name)
            running += more
            began += more
        assert sorted(began) == sorted(str(one.name) for one in plan)
        assert len(of) == 0
        for at, one in enumerate(plan):
            for other in plan[:at]:
                if in_the_way(one, other):
                    assert ended.index(str(other.name)) < ended.index(str(one.name))


def in_the_way(one: Owner, other: Owner) -> bool:
    def touches(left: str, right: str) -> bool:
        return left == right or left.startswith(right + "/") or right.startswith(left + "/")

    def both(owner: Owner) -> list[str]:
        return [dep.path for dep in owner.deps] + [out.path for out in owner.outs]

    return any(touches(out.path, path) for out in one.outs for path in both(other)) or any(
        touches(out.path, path) for out in other.outs for path in both(one)
    )
