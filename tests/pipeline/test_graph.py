"""The graph: order, reach, and the refusal of cycles."""

import pytest

from fourfold.pipeline.graph import CycleError, active, build_graph, component, key_of, postorder, reach
from fourfold.project.files import load_tracked
from tests.project.workplace import Workplace

DIAMOND = """\
stages:
  last:
    cmd: x
    deps: [left, right/in]
    outs: [last]
  left:
    cmd: x
    deps: [first]
    outs: [left]
  right:
    cmd: x
    deps: [first, made.yaml]
    outs: [right]
  first:
    cmd: x
    deps: [raw]
    outs: [first]
  settings:
    cmd: x
    outs: [made.yaml]
  alone:
    cmd: x
    params:
    - made.yaml:
"""


def names(work: Workplace, *within: str) -> list[str | None]:
    graph = active(build_graph(load_tracked(work.open())))
    keys = [key_of(owner) for owner in graph.owners.values() if owner.name in within]
    return [graph.owners[key].name for key in postorder(graph, reach(graph.makers, keys) if within else None)]


def test_what_is_needed_comes_first_in_the_order_of_the_file(work: Workplace) -> None:
    work.gen({"dvc.yaml": DIAMOND})
    assert names(work) == ["first", "left", "settings", "right", "last", "alone"]


def test_a_target_brings_only_what_it_needs(work: Workplace) -> None:
    work.gen({"dvc.yaml": DIAMOND})
    assert names(work, "left") == ["first", "left"]
    assert names(work, "alone") == ["settings", "alone"]


def test_a_frozen_stage_needs_nothing(work: Workplace) -> None:
    work.gen({"dvc.yaml": DIAMOND.replace("  left:\n    cmd: x", "  left:\n    cmd: x\n    frozen: true")})
    assert names(work, "left") == ["left"]


def test_a_component_holds_everything_connected(work: Workplace) -> None:
    work.gen({"dvc.yaml": DIAMOND + "  island:\n    cmd: x\n    outs: [isle]\n"})
    graph = build_graph(load_tracked(work.open()))
    start = [key for key in graph.owners if key[1] == "left"]
    found = {name for _file, name in component(graph, start)}
    assert found == {"first", "left", "right", "last", "settings", "alone"}


def test_a_pointer_file_makes_what_stages_need(work: Workplace) -> None:
    work.track("raw")
    work.gen({"dvc.yaml": DIAMOND})
    graph = build_graph(load_tracked(work.open()))
    first = next(key for key in graph.owners if key[1] == "first")
    assert [owner.relpath for owner in graph.of(graph.makers[first])] == ["raw.dvc"]


def test_stages_that_wait_for_each_other_are_named(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "stages:\n  a: {cmd: x, deps: [c], outs: [a]}\n  b: {cmd: x, deps: [a], outs: [b]}\n"
            "  c: {cmd: x, deps: [b], outs: [c]}\n"
        }
    )
    with pytest.raises(CycleError, match="'a' needs 'c' needs 'b' needs 'a'"):
        build_graph(load_tracked(work.open()))


def test_a_stage_that_needs_its_own_output_is_refused(work: Workplace) -> None:
    work.gen({"dvc.yaml": "stages:\n  a: {cmd: x, deps: [./made], outs: [made]}\n"})
    with pytest.raises(CycleError, match="an output and a dependency of stage 'a'"):
        build_graph(load_tracked(work.open()))
