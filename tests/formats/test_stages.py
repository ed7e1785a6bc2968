import pytest

from fourfold.formats.dvc import stages
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.formats.dvc.pointer import Output
from fourfold.formats.dvc.stages import ParamsSpec, PipelineFile


def read(text: str) -> PipelineFile:
    return stages.parse(text.encode(), "dvc.yaml")


def test_a_plain_stage_is_read_in_full() -> None:
    spec = read("""\
stages:
  train:
    desc: what it does
    cmd: python train.py
    wdir: sub
    deps: [a.py, ../data]
    params:
    - lr
    - train.epochs
    - other.yaml:
      - k
    - whole.json:
    outs:
    - model:
        cache: false
        persist: true
        push: false
        remote: r
        type: model
        labels: [a]
        checkpoint: true
    - plain
    metrics:
    - m.json: {cache: false}
    plots:
    - p.csv: {x: a, y: b, cache: false}
    - q.csv
    frozen: true
    always_changed: true
    meta: {k: 1}
""").stages["train"]
    assert (spec.cmd, spec.wdir, spec.desc, spec.meta) == ("python train.py", "sub", "what it does", {"k": 1})
    assert spec.deps == ("a.py", "../data")
    assert spec.params == (
        ParamsSpec(None, ("lr", "train.epochs")),
        ParamsSpec("other.yaml", ("k",)),
        ParamsSpec("whole.json", None),
    )
    assert spec.outs == (
        Output("model", cache=False, persist=True, push=False, remote="r", type="model", labels=["a"]),
        Output("plain"),
        Output("m.json", cache=False, metric=True),
        Output("p.csv", cache=False, plot={"x": "a", "y": "b"}),
        Output("q.csv", plot=True),
    )
    assert spec.frozen
    assert spec.always_changed
    assert not spec.templated


def test_a_parameter_file_listed_whole_once_is_tracked_whole() -> None:
    spec = read(
        "stages:\n  a:\n    cmd: x\n    params: [lr, {params.yaml: null}, {f: [k]}, {f: [l, k]}]\n"
    ).stages["a"]
    assert spec.params == (ParamsSpec(None, None), ParamsSpec("f", ("k", "l")))


def test_an_output_listed_twice_is_one_with_the_flags_of_both() -> None:
    spec = read("stages:\n  a:\n    cmd: x\n    outs: [o, {o: {cache: false}}, {o: {push: false}}]\n").stages[
        "a"
    ]
    assert spec.outs == (Output("o", cache=False, push=False),)


@pytest.mark.parametrize(
    "entry",
    [
        "{foreach: [1, 2], do: {cmd: 'echo ${item}'}}",
        "{matrix: {a: [1, 2]}, cmd: echo}",
        "{vars: [v.yaml], cmd: echo}",
        "{cmd: 'echo ${x}'}",
        "{cmd: echo, outs: ['${x}': {cache: false}]}",
    ],
)
def test_a_stage_to_be_resolved_is_marked_and_keeps_its_entry(entry: str) -> None:
    spec = read(f"stages:\n  a: {entry}\n").stages["a"]
    assert spec.templated
    assert spec.raw == stages.yamlio.load(entry.encode())


def test_the_lists_beside_the_stages_are_read() -> None:
    file = read("""\
params: [p.yaml]
metrics: [m.json]
plots:
- p.csv
- id: {x: step, y: {p.csv: [a, b]}, title: t}
- bare:
artifacts:
  model: {path: m.pkl, type: model, labels: [a]}
vars: [v.yaml, {k: 1}]
datasets:
- {name: d, type: dvc, url: u}
""")
    assert file.params == ("p.yaml",)
    assert file.metrics == ("m.json",)
    assert file.plots == (
        "p.csv",
        {"id": {"x": "step", "y": {"p.csv": ["a", "b"]}, "title": "t"}},
        {"bare": None},
    )
    assert file.artifacts["model"]["path"] == "m.pkl"
    assert file.vars == ("v.yaml", {"k": 1})
    assert file.datasets == [{"name": "d", "type": "dvc", "url": "u"}]
    assert file.stages == {}


def test_an_empty_file_has_no_stages() -> None:
    assert read("").stages == {}


REFUSED = {
    "unknown key": (
        "stages:\n  a:\n    cmd: x\n    dep: [a]\n",
        r"dvc.yaml:4:5: unknown key 'dep' in stages.a",
    ),
    "unknown key at the top": ("stage:\n  a: {cmd: x}\n", r"dvc.yaml:1:1: unknown key 'stage'"),
    "no command": ("stages:\n  a:\n    deps: [a]\n", r"dvc.yaml:3:5: stages.a lacks the key 'cmd'"),
    "wrong type": (
        "stages:\n  a:\n    cmd: x\n    deps: a\n",
        r"dvc.yaml:4:11: stages.a.deps must be a list, not 'a'",
    ),
    "unknown flag": (
        "stages:\n  a:\n    cmd: x\n    outs:\n    - o:\n        cached: no\n",
        r":6:9: unknown key 'cached'",
    ),
    "plot property of an output": ("stages:\n  a: {cmd: x, outs: [{o: {x: a}}]}\n", "unknown key 'x'"),
    "foreach without do": ("stages:\n  a: {foreach: [1]}\n", "lacks the key 'do'"),
    "foreach with more": ("stages:\n  a: {foreach: [1], do: {cmd: x}, cmd: x}\n", "unknown key 'cmd'"),
    "bad body": ("stages:\n  a: {foreach: [1], do: {cmds: x}}\n", "unknown key 'cmds' in stages.a.do"),
    "keys of parameters": ("stages:\n  a: {cmd: x, params: [{f: k}]}\n", r"params\[0\].f must be a list"),
    "a list of stages": ("stages: [a]\n", "stages must be a mapping"),
    "artifact without path": ("artifacts:\n  m: {type: model}\n", "artifacts.m lacks the key 'path'"),
    "plot definition": ("plots:\n- id: {z: 1}\n", r"unknown key 'z' in plots\[0\].id"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_dvc_refuses_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(BadFieldError, match=message):
        read(text)


def test_the_folder_of_a_stage_is_written_as_dvc_writes_it() -> None:
    old = b"stages:\n  a:\n    cmd: x\n    wdir: ./sub/\n"
    spec = stages.parse(old).stages["a"]
    assert stages.update(old, spec) == b"stages:\n  a:\n    cmd: x\n    wdir: sub\n"


def test_removing_the_last_stage_leaves_no_file() -> None:
    assert stages.remove(b"stages:\n  a:\n    cmd: x\n", "a") is None
