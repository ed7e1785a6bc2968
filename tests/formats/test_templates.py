"""Templates of dvc.yaml: what every form resolves to, and what is refused, with line and column."""

import json
import time
from collections.abc import Mapping

import pytest

from fourfold.formats.dvc import resolve, stages
from fourfold.formats.dvc.fields import BadFieldError
from fourfold.formats.dvc.resolve import Surroundings
from fourfold.formats.dvc.stages import PipelineFile
from fourfold.formats.dvc.templates import (
    BadIterationError,
    NotAScalarError,
    StageNameClashError,
    TemplateError,
    UnknownVariableError,
    Unpacking,
    VarsConflictError,
    VarsFileError,
)

PARAMS = """\
n: 1
tiny: 1e-5
ratio: 0.10
yes_: true
none:
text: "a ${n} b"
deep: {a: {b: [10, {c: 20}]}}
models: [{name: rf, depth: 3}, {name: gb, depth: 5}]
plain: [a, true, 2.0]
by_name: {rf: {depth: 3}, gb: {depth: 5}}
options:
  {lr: 0.1, name: x y, flag: true, off: false, none: null, list: [1, true, "p q"], in: {er: 2}, 3: no, e: {}}
"""


def around(text: str, files: Mapping[str, str], unpacking: Unpacking = Unpacking()) -> Surroundings:  # noqa: B008 - a value
    def read(path: str) -> bytes | None:
        found = files.get(path.removeprefix("/p/"))
        return None if found is None else found.encode()

    return Surroundings(
        text.encode(), "dvc.yaml", "/p", read, lambda path: path.removeprefix("/p/"), unpacking
    )


def resolved(text: str, unpacking: Unpacking = Unpacking(), **files: str) -> PipelineFile:  # noqa: B008 - a value
    named = {
        "params.yaml": PARAMS,
        **{name.replace("__", "/").replace("_", "."): data for name, data in files.items()},
    }
    file = stages.parse(text.encode(), "dvc.yaml")
    where = around(text, named, unpacking)
    if file.templated_lists:
        file = resolve.resolve_lists(file, where)
    return resolve.resolve_stages(file, where).file if file.templated else file


def command(text: str, unpacking: Unpacking = Unpacking()) -> object:  # noqa: B008 - a value
    quoted = json.dumps(text)
    return resolved(f"stages:\n  s:\n    cmd: {quoted}\n", unpacking).stages["s"].cmd


def commands(text: str, **files: str) -> dict[str, object]:
    return {name: spec.cmd for name, spec in resolved(text, Unpacking(), **files).stages.items()}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("run ${n}", "run 1"),
        ("run ${tiny} ${ratio} ${yes_} ${none}", "run 1e-05 0.1 true None"),
        ("run ${deep.a.b[0]} ${deep.a.b[1].c} ${deep[a][b][-1][c]} ${deep.a.b.0}", "run 10 20 20 10"),
        ("run ${ deep . a.b[ 0 ] }", "run 10"),
        ("run ${text}", "run a ${n} b"),
        (r"run \${n} ${n} \${", "run ${n} 1 ${"),
        ("run $n {n} $ {n} ${", "run $n {n} $ {n} ${"),
        ("run ${options}", "run --lr 0.1 --name 'x y' --flag --none None --list 1 True 'p q' --in.er 2"),
        ("${n}${n}", "11"),
    ],
)
def test_an_expression_becomes_what_dvc_writes(text: str, said: str) -> None:
    assert command(text) == said


def test_options_follow_the_configuration() -> None:
    assert command("run ${options}", Unpacking(negate=True, repeat=True)) == (
        "run --lr 0.1 --name 'x y' --flag --no-off --none None --list 1 --list True --list 'p q' --in.er 2"
    )


def test_a_text_that_is_one_expression_keeps_its_type() -> None:
    file = resolved(
        "stages:\n  s:\n    cmd: x ${n}\n    meta: {mem: '${n}', flag: '${yes_}', none: '${none}'}\n"
    )
    assert file.stages["s"].meta == {"mem": 1, "flag": True, "none": None}


def test_foreach_goes_through_lists_and_mappings_and_names_what_it_makes() -> None:
    assert commands(
        """\
stages:
  written: {foreach: [a, true, 2.0, null, 1e-5], do: {cmd: "r ${item}"}}
  given: {foreach: "${plain}", do: {cmd: "r ${item}"}}
  mixed: {foreach: ["${yes_}", "x${n}"], do: {cmd: "r ${item}"}}
  twice: {foreach: [1, "1", a], do: {cmd: "r ${item}"}}
  whole: {foreach: "${models}", do: {cmd: "r ${item.name} ${item[depth]}"}}
  named: {foreach: "${by_name}", do: {cmd: "r ${key} ${item.depth}"}}
  own: {foreach: {x: {y: "${n}"}, true: {y: 2}}, do: {cmd: "r ${key} ${item.y}"}}
  none: {foreach: [], do: {cmd: "r ${nothing.like[it]}"}}
"""
    ) == {
        **{f"written@{key}": f"r {key}" for key in ("a", "true", "2.0", "None", "1e-05")},
        "given@a": "r a",
        "given@True": "r true",
        "given@2.0": "r 2.0",
        "mixed@True": "r true",
        "mixed@x1": "r x1",
        "twice@1": "r 1",
        "twice@a": "r a",
        "whole@0": "r rf 3",
        "whole@1": "r gb 5",
        "named@rf": "r rf 3",
        "named@gb": "r gb 5",
        "own@x": "r x 1",
        "own@true": "r true 2",
    }


def test_a_matrix_makes_a_stage_of_each_combination() -> None:
    assert commands(
        """\
stages:
  m:
    matrix: {size: [1, true], model: "${models}", kind: "${plain}"}
    cmd: r ${item.size} ${item.model.name} ${item.kind} ${key}
    outs: ["o/${key}"]
  letters: {matrix: {x: ab, k: "${by_name}"}, cmd: "r ${item.x} ${item.k}"}
"""
    ) == {
        **{
            f"m@{size}-model{at}-{kind}": f"r {size} {name} {said} {size}-model{at}-{kind}"
            for size in ("1", "true")
            for at, name in enumerate(("rf", "gb"))
            for kind, said in (("a", "a"), ("True", "true"), ("2.0", "2.0"))
        },
        **{f"letters@{x}-{k}": f"r {x} {k}" for x in "ab" for k in ("rf", "gb")},
    }


def test_every_field_of_a_stage_may_hold_expressions() -> None:
    spec = resolved(
        """\
stages:
  each:
    foreach: [a]
    do:
      wdir: w/${item}
      cmd: ["one ${item}", two]
      deps: ["in/${item}", code.py]
      params: ["${item}.lr", {"${item}.json": ["k.${item}"]}]
      outs: [{"out/${item}": {cache: false, remote: "r${n}"}}, "${item}"]
      plots: [{"${item}.csv": {x: "${item}", title: "of ${item}"}}]
      desc: about ${item}
"""
    ).stages["each@a"]
    assert (spec.wdir, spec.cmd, spec.deps) == ("w/a", ["one a", "two"], ("in/a", "code.py"))
    assert [(param.file, param.keys) for param in spec.params] == [(None, ("a.lr",)), ("a.json", ("k.a",))]
    assert [(out.path, out.cache, out.remote) for out in spec.outs] == [
        ("out/a", False, "r1"),
        ("a", True, None),
        ("a.csv", True, None),
    ]
    assert (spec.outs[2].plot, spec.desc, spec.group, spec.templated) == (
        {"x": "a", "title": "of a"},
        "about a",
        "each",
        False,
    )


def test_variables_come_from_files_of_every_kind_and_from_the_file_itself() -> None:
    file = resolved(
        """\
vars:
- a.json
- params.yaml
- sub/b.toml:one,two
- sub/b.toml:three
- c.py
- inline: {x: 1}
- inline: {y: 2}
stages:
  s:
    wdir: w
    vars: [d.yaml, {own: "${"}]
    cmd: r ${j.k} ${one} ${two.t} ${three} ${TRAIN.EPOCHS} ${inline.x}${inline.y} ${d} ${own}
""".replace('"${"', "5"),
        a_json='{"j": {"k": 1}}',
        sub__b_toml='one = 1\ntwo = {t = "2"}\nthree = 3.0\nfour = 2020-01-01\n',
        c_py="class TRAIN:\n    EPOCHS = 70\n",
        w__d_yaml="d: 7\n",
    )
    assert file.stages["s"].cmd == "r 1 1 2 3.0 70 12 7 5"


def test_the_lists_at_the_top_are_resolved_with_whatever_value_there_is() -> None:
    file = resolved(
        """\
params: ["p${n}.yaml"]
metrics: ["${deep.a.b[0]}.json"]
plots:
- ROC: {y: "${ys}"}
- "${n}.csv"
artifacts:
  "model-${n}": {path: "m${n}", meta: "${by_name}", labels: ["l${n}"]}
datasets: [{name: d, url: "s3://b/${n}", type: url}]
vars: [{ys: text}]
""".replace('"${deep.a.b[0]}.json"', '"m${deep.a.b[0]}.json"').replace('- "${n}.csv"', '- "p${n}.csv"')
    )
    assert (file.params, file.metrics, file.plots) == (
        ("p1.yaml",),
        ("m10.json",),
        ({"ROC": {"y": "text"}}, "p1.csv"),
    )
    assert file.artifacts == {
        "model-1": {"path": "m1", "meta": {"rf": {"depth": 3}, "gb": {"depth": 5}}, "labels": ["l1"]}
    }
    assert file.datasets == [{"name": "d", "url": "s3://b/1", "type": "url"}]


def test_what_templates_took_from_files_is_told() -> None:
    text = """\
vars: [{inline: 1}]
stages:
  s: {cmd: "r ${n} ${inline} ${deep.a.b[-1].c} ${options}"}
  each: {foreach: "${models}", do: {cmd: "r ${item.name}"}}
"""
    found = resolve.resolve_stages(stages.parse(text.encode()), around(text, {"params.yaml": PARAMS})).used
    assert found == {
        "s": {"/p/params.yaml": {"n": 1, "deep.a.b.1.c": 20}},
        "each@0": {"/p/params.yaml": {"models.0.name": "rf"}},
        "each@1": {"/p/params.yaml": {"models.1.name": "gb"}},
    }


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (
            "  s:\n    cmd: run ${nn}\n",
            UnknownVariableError,
            "dvc.yaml:3:14: '${nn}': there is no variable 'nn'",
        ),
        ("  s:\n    cmd: run ${deep.x}\n", UnknownVariableError, "there is no variable 'x' in 'deep'"),
        ("  s:\n    cmd: run ${n.x}\n", UnknownVariableError, "'n' is no mapping"),
        ("  s:\n    cmd: run ${models[2]}\n", UnknownVariableError, "is a list of 2, which has no '2'"),
        ("  s:\n    cmd: run ${models.x}\n", UnknownVariableError, "is a list of 2, which has no 'x'"),
        ("  s:\n    cmd: run ${${n}}\n", UnknownVariableError, "'${${n}': there is no variable '${n'"),
        ("  s:\n    cmd: run ${options[3]}\n", UnknownVariableError, "there is no variable '3' in 'options'"),
        (
            "  s:\n    cmd: |\n      one\n      two ${} \n",
            TemplateError,
            "dvc.yaml:5:11: '${}' is no expression",
        ),
        ("  s:\n    cmd: run ${a..b}\n", TemplateError, "is no expression"),
        ("  s:\n    cmd: run ${a[b}\n", TemplateError, "is no expression"),
        ("  s:\n    cmd: run ${a[0]b}\n", TemplateError, "is no expression"),
        (
            "  s:\n    cmd: run ${models}\n",
            NotAScalarError,
            "'${models}' is a list, which cannot stand in 'cmd'",
        ),
        ("  s:\n    cmd: ${options}\n", NotAScalarError, "'${options}' is a mapping"),
        ("  s:\n    cmd: run\n    deps:\n    - ${options}\n", NotAScalarError, "dvc.yaml:5:7"),
        ("  s:\n    cmd: run\n    wdir: ${models}\n", NotAScalarError, "cannot stand in 'wdir'"),
        ("  s:\n    cmd: run\n    deps: ['${n}']\n", BadFieldError, "deps[0] must be text, not 1"),
        ("  s:\n    cmd: ${n}\n", BadFieldError, "cmd must be text or a list, not 1"),
        ("  s:\n    cmd: [a, '${n}']\n", BadFieldError, "cmd[1] must be text, not 1"),
        (
            "  s:\n    cmd: a\n    outs: [{'${n}': {cache: false}}]\n",
            NotAScalarError,
            "a key must be text, not '1'",
        ),
        ("  s:\n    foreach: models\n    do:\n      cmd: a\n", BadIterationError, "dvc.yaml:3:14"),
        (
            "  s:\n    foreach: ${n}\n    do:\n      cmd: a\n",
            BadIterationError,
            "needs a list or a mapping, not '1'",
        ),
        ("  s:\n    foreach: [a@b]\n    do:\n      cmd: a\n", BadIterationError, "no second '@'"),
        ("  s:\n    matrix: {}\n    cmd: a\n", BadIterationError, "'matrix' has no axis"),
        ("  s:\n    matrix: {a: '${n}'}\n    cmd: a\n", BadIterationError, "axis 'a'"),
        (
            "  s@a:\n    cmd: x\n  s:\n    foreach: [a]\n    do:\n      cmd: a\n",
            StageNameClashError,
            "called 's@a'",
        ),
        (
            "  s:\n    vars: [no.yaml]\n    cmd: a\n",
            VarsFileError,
            "dvc.yaml:3:12: the file of variables 'no.yaml'",
        ),
        ("  s:\n    vars: ['params.yaml:n']\n    cmd: a\n", VarsFileError, "was loaded before"),
        ("  s:\n    vars: ['v.json:x']\n    cmd: a\n", VarsFileError, "'v.json' has no key 'x'"),
        ("  s:\n    vars: [l.json]\n    cmd: a\n", VarsFileError, "'l.json' is not a mapping"),
        ("  s:\n    vars: ['${n}.yaml']\n    cmd: a\n", VarsFileError, "templates are not allowed"),
        ("  s:\n    vars: [{a: {b: '${n}'}}]\n    cmd: a\n", VarsFileError, "templates are not allowed"),
        ("  s:\n    vars: [{n: 1}]\n    cmd: a\n", VarsConflictError, "is already given by 'params.yaml'"),
        ("  s:\n    vars: [{deep: {a: {b: 1}}}]\n    cmd: a\n", VarsConflictError, "'deep.a.b' of 'vars[0]'"),
        ("  s:\n    vars: ['v.json:a', 'v.json:a']\n    cmd: a\n", VarsFileError, "was loaded before"),
        (
            "  s:\n    foreach: [a]\n    do:\n      vars: [{item: 1}]\n      cmd: a\n",
            VarsConflictError,
            "'item'",
        ),
        ("  s:\n    wdir: ${w}\n    vars: [{w: a}]\n    cmd: a\n", UnknownVariableError, "dvc.yaml:3:11"),
    ],
)
def test_a_bad_template_is_refused_with_its_place(body: str, kind: type[TemplateError], message: str) -> None:
    with pytest.raises(BadFieldError) as caught:
        resolved("stages:\n" + body, v_json='{"a": 1}', l_json="[1]")
    assert type(caught.value) is kind
    assert message in caught.value.message
    assert caught.value.message.startswith("dvc.yaml:")
    assert caught.value.hint


def test_a_misspelt_variable_gets_a_suggestion_of_its_whole_name() -> None:
    with pytest.raises(UnknownVariableError) as caught:
        command("run ${models[0].nme}")
    assert caught.value.hint == "did you mean 'models.0.name'?"


def test_the_stage_that_was_being_made_is_named() -> None:
    with pytest.raises(UnknownVariableError, match=r"\(stage 's@b'\)"):
        resolved("stages:\n  s: {foreach: {a: {x: 1}, b: {}}, do: {cmd: 'r ${item.x}'}}\n")


def test_escapes_alone_need_no_variables() -> None:
    text = "stages:\n  s:\n    cmd: run \\${HOME}\n"
    file = resolve.resolve_stages(stages.parse(text.encode()), around(text, {})).file
    assert file.stages["s"].cmd == "run ${HOME}"


def test_a_file_without_templates_says_so() -> None:
    file = stages.parse(b"stages:\n  s:\n    cmd: run $HOME\nplots: [a.csv]\n")
    assert not file.templated
    assert not file.templated_lists


def test_a_thousand_stages_are_made_in_a_moment() -> None:
    text = """\
stages:
  s:
    foreach: ${all}
    do:
      cmd: python train.py ${item.name} --lr ${item.lr} ${n}
      deps: [train.py, "data/${item.name}"]
      params: ["all"]
      outs: ["models/${item.name}"]
      metrics: [{"m/${item.name}.json": {cache: false}}]
"""
    rows = ", ".join(f"{{name: n{at}, lr: 0.{at}}}" for at in range(1000))
    where = around(text, {"params.yaml": f"n: 1\nall: [{rows}]\n"})
    file = stages.parse(text.encode())
    best = 9.0
    for _ in range(3):
        began = time.process_time()
        made = resolve.resolve_stages(file, where).file
        best = min(best, time.process_time() - began)
    assert len(made.stages) == 1000
    assert made.stages["s@999"].outs[0].path == "models/n999"
    assert best < 0.2  # parameters included; a loaded machine takes its time
