"""Contradictions between owners are told with file, line and column of the entry at fault."""

from collections.abc import Mapping

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.pipeline.graph import build_graph
from fourfold.project.files import load_tracked
from tests.project.workplace import Workplace

POINTER = "outs:\n- md5: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n  hash: md5\n  path: data\n"
STAGES = "stages:\n  one:\n    cmd: x\n    outs:\n    - out\n  two:\n    cmd: x\n"

CASES: dict[str, tuple[Mapping[str, str], str, tuple[str, ...]]] = {
    "two owners of one output": (
        {"dvc.yaml": STAGES + "    metrics:\n    - m.json\n    - out: {cache: false}\n"},
        "dvc.yaml:10:7: output 'out' is specified in more than one place",
        ("one, dvc.yaml:5:7", "two, dvc.yaml:10:7"),
    ),
    "a stage and a pointer file": (
        {"data.dvc": POINTER, "dvc.yaml": STAGES + "    outs: [a, data]\n"},
        "dvc.yaml:8:15: output 'data' is specified in more than one place",
        ("data.dvc, data.dvc:4:3", "two, dvc.yaml:8:15"),
    ),
    "an output inside an output": (
        {"dvc.yaml": STAGES, "out/dvc.yaml": "", "sub/dvc.yaml": STAGES.replace("- out", "- ../out/x")},
        "sub/dvc.yaml:5:7: the outputs 'out' (one, dvc.yaml:5:7) and 'out/x' (sub/dvc.yaml:one) overlap",
        (),
    ),
    "a stage inside an output": (
        {
            "dvc.yaml": STAGES,
            "a/dvc.yaml": STAGES.replace("- out", "- ../b"),
            "b/dvc.yaml": "stages: {x: {cmd: x}}\n",
        },
        "a/dvc.yaml:5:7: 'b/dvc.yaml' lies in the output 'b' (a/dvc.yaml:one)",
        (),
    ),
    "an output that is its own dependency": (
        {"dvc.yaml": STAGES + "    deps:\n    - ./t\n    plots: [{t: {x: a}}]\n"},
        "dvc.yaml:9:7: 't' is an output and a dependency of stage 'two'",
        (),
    ),
    "a dependency around its own output": (
        {"dvc.yaml": STAGES + "    deps: [raw, d]\n    outs: [d/t]\n"},
        "dvc.yaml:8:17: 'd', a dependency of stage 'two', overlaps with its output 'd/t'",
        (),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_entry_at_fault_is_named(work: Workplace, case: str) -> None:
    files, message, details = CASES[case]
    work.gen(dict(files))
    with pytest.raises(FourfoldError) as caught:
        build_graph(load_tracked(work.open()))
    assert caught.value.message == message
    assert tuple(caught.value.details) == details


def test_a_cycle_names_every_dependency_of_it(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "stages:\n  one:\n    cmd: x\n    params:\n    - p.yaml:\n      - a\n"
            "    outs: [out]\n  two:\n    cmd: x\n    deps: [raw, out]\n    outs:\n    - mid\n",
            "sub/dvc.yaml": "stages:\n  three:\n    cmd: x\n    deps:\n    - ../mid\n    outs: [../p.yaml]\n",
        }
    )
    with pytest.raises(FourfoldError) as caught:
        build_graph(load_tracked(work.open()))
    assert caught.value.message == (
        "dvc.yaml:5:7: stages wait for each other: 'one' needs 'sub/dvc.yaml:three' needs 'two' needs 'one'"
    )
    assert list(caught.value.details) == [
        "dvc.yaml:5:7: 'one' needs 'p.yaml' of 'sub/dvc.yaml:three'",
        "sub/dvc.yaml:5:7: 'sub/dvc.yaml:three' needs '../mid' of 'two'",
        "dvc.yaml:10:17: 'two' needs 'out' of 'one'",
    ]


def test_a_template_is_named_by_its_own_entry(work: Workplace) -> None:
    work.gen(
        {
            "dvc.yaml": "stages:\n  each:\n    foreach: [a, b]\n    do:\n      cmd: x\n      outs:\n"
            "      - fixed-${item}\n      - same\n"
        }
    )
    with pytest.raises(FourfoldError) as caught:
        build_graph(load_tracked(work.open()))
    assert caught.value.message == "dvc.yaml:8:9: output 'same' is specified in more than one place"


def test_a_revision_is_not_located_by_what_the_workspace_says(work: Workplace) -> None:
    work.gen({"dvc.yaml": STAGES + "    outs: [out]\n"})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.gen({"dvc.yaml": "stages: {}\n"})
    with pytest.raises(FourfoldError) as caught:
        load_tracked(work.open(), "HEAD")
    assert caught.value.message == "output 'out' is specified in more than one place"
