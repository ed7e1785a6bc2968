"""Scenarios of ``dvc.yaml`` with templates: variables, ``foreach``, ``matrix``, what is refused."""

from tests.compat.scenario import PROBES, In, Scenario, Step

PARAMS = """\
n: 1
tiny: 1e-5
ratio: 0.10
yes_: true
none:
text: a ${n} b
deep: {a: {b: [10, {c: 20}]}}
models: [{name: rf, depth: 3}, {name: gb, depth: 5}]
plain: [a, true, 2.0]
by_name: {rf: {depth: 3}, gb: {depth: 5}}
options:
  {lr: 0.1, name: x y, flag: true, off: false, none: null, list: [1, true, "p q"], in: {er: 2}, 3: no, e: {}}
"""

EXPRESSIONS = r"""
vars:
- inline: {x: 1}
- inline: {y: [yes, no]}
stages:
  types:
    cmd: 'echo ${n} ${tiny} ${ratio} ${yes_} ${none} ${deep.a.b[1].c} ${ deep[a][b][-2] } > types'
    outs: [types]
  escape: {cmd: "V=5; echo \\${V} ${text} '$n' > escape", outs: [escape]}
  options: {cmd: 'echo ${options} ${inline} > options', outs: ["options"]}
  list: {cmd: ['echo ${n} > list', 'echo ${options} >> list'], outs: [list]}
  long:
    cmd: >-
      echo ${text} ${text} ${text} ${text} ${text} ${text} ${text} ${text}
      and: more "# no comment" ${tiny} > long
    outs: [long]
  block:
    cmd: |
      echo ${n} > block
      echo "${yes_}: ${inline.y[0]}" >> block
    params: ["n", "deep.a"]
    outs: [block]
"""

#: Two of four stages: DVC runs fewer than half of all in an order of its own, another in every run.
GROUPS = """
stages:
  whole:
    foreach: ${models}
    do:
      cmd: mkdir -p o/${item.name} && echo ${item.depth} > o/${item.name}/d && echo 1 > s-${item.name}.json
      params: ["n"]
      deps: [params.yaml]
      outs: ["o/${item.name}": {persist: true}]
      metrics: ["s-${item.name}.json": {cache: false}]
  named:
    foreach: ${by_name}
    do: {cmd: "cat o/${key}/d > n-${key}", deps: ["o/${key}"], outs: ["n-${key}"]}
"""

FOREACH = f"""{GROUPS}  written:
    foreach: [a, true, null, 1e-5]
    do: {{cmd: "echo ${{item}} > w-${{item}}", outs: ["w-${{item}}"]}}
  given: {{foreach: "${{plain}}", do: {{cmd: "echo ${{item}} > g-${{item}}", outs: ["g-${{item}}"]}}}}
  own:
    foreach: {{x: {{y: "${{n}}"}}, 2: {{y: 3}}}}
    do: {{cmd: "echo ${{key}} ${{item.y}} > p-${{key}}", outs: ["p-${{key}}"]}}
  empty: {{foreach: [], do: {{cmd: "echo ${{item}}"}}}}
"""

MATRIX = """
stages:
  m:
    matrix: {size: [1, true], model: "${models}", kind: "${plain}"}
    cmd: echo ${item.size} ${item.model.name} ${item.kind} ${key} > "m-${key}"
    outs: ["m-${key}"]
  letters: {matrix: {x: ab}, cmd: "echo ${item.x} > l-${item.x}", outs: ["l-${item.x}"]}
"""

VARS = """
vars: [a.json, "b.toml:one,two", "b.toml:three", c.py, ../params.yaml]
stages:
  all: {cmd: "echo ${j.k} ${one} ${two.t} ${three} ${TRAIN.EPOCHS} ${n} > all", outs: [all]}
  own:
    wdir: w/${one}
    vars: [d.yaml, {e: 5}]
    cmd: echo ${d} ${e} > own
    params: ["d.yaml": ["d"]]
    outs: [own]
  each:
    foreach: [x, y]
    do:
      wdir: w/${item}
      vars: [d.yaml]
      cmd: echo ${d} > each
      deps: [../../a.json]
      outs: [each]
"""
VARS_FILES: Step = {
    "params.yaml": PARAMS,
    "sub/dvc.yaml": VARS,
    "sub/a.json": '{"j": {"k": 1.50}}',
    "sub/b.toml": 'one = 1\ntwo = {t = "2"}\nthree = 3.0\nfour = 4\n',
    "sub/c.py": "class TRAIN:\n    EPOCHS = 70\n    rate = 1 / 2\n",
    **{f"sub/w/{name}/d.yaml": f"d: of {name}\n" for name in ("1", "x", "y")},
}

TOP = """
vars: [{where: out}]
stages:
  s:
    cmd:
    - mkdir -p out
    - 'echo "{\\"acc\\": ${ratio}}" > out/m.json'
    - printf 'a\\n${n}\\n' > out/p.csv
params: ["p${n}.yaml"]
metrics: ["${where}/m.json"]
plots:
- "${where}/p.csv"
- ROC ${n}: {x: {"${where}/p.csv": a}, y: {"${where}/p.csv": a}, title: "of ${n}"}
artifacts:
  model-${n}: {path: "${where}/m.json", labels: ["l${n}"], meta: "${deep}"}
"""


PLAIN = "  plain: {cmd: echo 1}\n  half: {cmd: 'echo ${n}'}\n"


def refused(*bodies: str) -> tuple[Step, ...]:
    """Each text as the only ``dvc.yaml``; nothing can be done with any of them."""
    return tuple(step for body in bodies for step in ({"dvc.yaml": body}, "~status"))


def stage(fields: str) -> str:
    """A file of one stage, in flow style."""
    return f"stages:\n  s: {{{fields}}}\n"


TEMPLATES: tuple[Scenario, ...] = (
    Scenario(
        "templates-expressions",
        (19, 7, 8),
        (
            {"params.yaml": PARAMS, "dvc.yaml": EXPRESSIONS},
            "repro",
            "repro",
            "!sed -i 's/^n: 1/n: 2/' params.yaml",
            "status --json",
            "repro block",
            "@commit two",
            "!sed -i 's/^n: 2/n: 1/' params.yaml",
            "repro",
        ),
        pull_back=False,
    ),
    Scenario(
        "templates-options-by-configuration",
        (19,),
        (
            {"params.yaml": PARAMS, "dvc.yaml": stage("cmd: 'echo ${options} > s', outs: [s]")},
            "config parsing.bool boolean_optional",
            "config parsing.list append",
            "repro",
            "config parsing.bool store_true",
            "status --json",
            "repro",
        ),
    ),
    Scenario(
        "templates-foreach",
        (18, 9),
        (
            {"params.yaml": PARAMS, "dvc.yaml": FOREACH},
            "repro -s whole",
            "repro named@gb",
            "~repro whole@2",
            "~repro whole@rf",
            "repro",
            "repro empty",
            "status --json whole",
            "~status --json nobody",
            "=dag --dot",
            "!rm -r o w-a",
            "checkout whole@0 written@a",
            "checkout",
            "remote add -d there ../remote",
            "push given@True whole",
            "push",
            "gc -w -f",
            "@commit",
        ),
        pull_back=True,
    ),
    Scenario(
        "templates-foreach-that-shrinks-and-grows",
        (18, 9, 21),
        (
            {
                "params.yaml": "all: [a, b]\n",
                "dvc.yaml": stage(
                    "foreach: '${all}', do: {cmd: 'echo ${item} > ${item}', outs: ['${item}']}"
                ),
            },
            "repro",
            "@commit one",
            {"params.yaml": "all: [b, c]\n"},
            "status --json",
            "data status --json --granular",
            "diff --json",
            "repro",
            "~repro s@a",
            "diff --json",
            "@commit two",
            "!git checkout -q HEAD~1",
            "checkout",
            "diff --json HEAD main",
            "!git checkout -q main",
            "checkout",
            "gc -w -f",
            "repro",
        ),
    ),
    Scenario(
        "templates-matrix",
        (18,),
        (
            {"params.yaml": PARAMS, "dvc.yaml": MATRIX},
            "repro m@1-model0-a",
            "repro m@true-model1-True",
            "repro",
            "~repro m@1",
            "status --json m",
            "!sed -i 's/name: gb/name: bb/' params.yaml",
            "status --json",
            "repro",
        ),
    ),
    Scenario(
        "templates-variables-of-every-kind-below-a-folder",
        (25, 19),
        (
            VARS_FILES,
            "repro sub/dvc.yaml",
            In("sub", "repro all"),
            In("sub/w", "repro ../dvc.yaml:each@y"),
            {"sub/w/x/d.yaml": "d: other\n"},
            "status --json",
            "repro -P",
            "params diff --json",
            "@commit",
            {"sub/a.json": '{"j": {"k": 2}}', "sub/w/1/d.yaml": "d: 3\n"},
            "params diff --json",
            "params diff --json --all",
        ),
        probes=(*PROBES, "params diff --json"),
    ),
    Scenario(
        "templates-of-the-lists-at-the-top",
        (23, 44),
        (
            {"params.yaml": PARAMS, "p1.yaml": "q: 1\n", "p2.yaml": "q: 2\n", "dvc.yaml": TOP},
            "repro",
            "metrics show --json",
            "@commit one",
            "!sed -i 's/^n: 1/n: 2/; s/^ratio: .*/ratio: 0.2/' params.yaml",
            "repro",
            "metrics diff --json",
            "params diff --json",
            "metrics show --json",
        ),
    ),
    Scenario(
        "templates-are-not-edited",
        (17, 33),
        (
            {
                "params.yaml": PARAMS,
                "dvc.yaml": GROUPS + PLAIN,
            },
            "repro -s whole",
            "~freeze whole@0",
            "~freeze half",
            "~freeze nobody@0",
            "~remove half",
            "freeze plain",
            "commit -f half",
            "!echo other > o/rf/d",
            "commit -f whole@0",
            "unfreeze plain",
            "remove plain",
        ),
    ),
    Scenario(
        "templates-commit-and-no-run-cache",
        (30, 9),
        (
            {"params.yaml": PARAMS, "dvc.yaml": GROUPS},
            "repro --no-commit whole",
            "!echo changed > o/rf/d",
            "status --json",
            "commit -f whole",
            "!sed -i 's/depth: 3/depth: 4/' params.yaml",
            "repro whole",
            "!sed -i 's/depth: 4/depth: 3/' params.yaml",
            "repro --no-run-cache whole",
            "!rm dvc.lock",
            "repro named",
        ),
    ),
    Scenario(
        "templates-that-are-refused",
        (19, 18),
        (
            {"params.yaml": PARAMS, "l.json": "[1]", "v.json": '{"a": 1}'},
            *refused(
                stage("cmd: 'echo ${nothing}'"),
                stage("cmd: 'echo ${a..b}'"),
                stage("cmd: 'echo ${models}'"),
                stage("cmd: echo, wdir: '${by_name}'"),
                stage("foreach: models, do: {cmd: echo}"),
                stage("foreach: '${n}', do: {cmd: echo}"),
                stage("foreach: ['a@b'], do: {cmd: echo}"),
                stage("cmd: echo, vars: [no.yaml]"),
            ),
        ),
        probes=(),
    ),
    Scenario(
        "variables-that-are-refused",
        (19,),
        (
            {"params.yaml": PARAMS, "l.json": "[1]", "v.json": '{"a": 1}'},
            *refused(
                stage("cmd: echo, vars: ['params.yaml:n']"),
                stage("cmd: echo, vars: ['v.json:b']"),
                stage("cmd: echo, vars: [l.json]"),
                stage("cmd: echo, vars: [{n: 1}]"),
                stage("cmd: echo, vars: [{x: '${n}'}]"),
                stage("foreach: [a], do: {cmd: echo, vars: [{item: 1}]}"),
                stage("cmd: echo, wdir: '${w}', vars: [{w: a}]"),
                "vars: [v.json, 'v.json:a']\nstages: {}\n",
            ),
            {"dvc.yaml": "vars: [params.yaml, v.json, v.json]\n" + stage("cmd: 'echo ${a}'")},
            "status",
        ),
        probes=(),
    ),
)
