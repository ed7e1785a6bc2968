"""Scenarios of commands on stages: add, list, dag, freeze, move, remove; projects of several files."""

from tests.compat.scenario import In, Scenario

#: What stage add is given beside the name, one line each; the order is that of the file.
ADDED = (
    "stage add -n prepare -d raw -d src/prepare.py -o data/clean 'mkdir -p data && cp raw data/clean'",
    (
        "stage add --name train --deps data/clean --deps ./src/train.py -p lr,epochs -p cfg.yaml:b,a,b"
        " -p whole.json: -o model -O plain -m saved.json -M metrics.json --plots roc.csv"
        " --plots-no-cache pr.csv --outs-persist keep --outs-persist-no-cache keep2"
        " --desc 'Trains: the model' --always-changed"
        " python src/train.py --lr 1 'two words' 'quo\"te d' '' -n -o"
    ),
    "stage add -n in_folder -w sub -d ../raw -o out -p ../params.yaml:lr echo",
    "stage add -n absolute -d {here}/ws/raw -o {here}/ws/abs.out -p {here}/ws/cfg.yaml:a 'cat < raw'",
    "stage add -n outside -d {here}/elsewhere -d s3://bucket/key -O /nowhere/else echo",
    "stage add -n folders -o ./here/ -o sub/there echo",
    "stage add -n 'a b-c_d\u00e9' 'echo \u00e9\t1'",
    "stage add -n templated -d '${x}' 'echo ${item} ${x}'",
)

COMMENTED = """\
# the pipeline
vars:
- x: 1
stages:
  # first
  b:   # b
    desc: "old words"
    cmd: >-
      echo
      one
    meta: {owner: me}
    frozen: true
    outs:
    - kept:   # stays
        desc: about it
        push: false
        labels: [l1]
    - gone
  a:
    cmd: [echo 1, "echo 2"]
metrics:
- m.json
"""

GRAPH = """\
stages:
  report:
    cmd: x
    deps: [m, made]
    metrics: [all.json]
    params: [p.yaml: ]
  clean:
    cmd: x
    deps: [raw]
    outs: [a/clean, a/a b]
  train:
    foreach: [1, 2, 3]
    do:
      cmd: x
      deps: [a/clean]
      outs: ["m/${item}", "z.${item}"]
  again:
    matrix: {x: [u, v], y: [1]}
    cmd: x
    deps: [m]
    outs: ["again/${item.x}/${item.y}"]
  alone:
    cmd: x
  parameters:
    cmd: x
    frozen: true
    deps: [z.1]
    outs: [p.yaml]
  elsewhere:
    cmd: x
    deps: [/nowhere/else/inner]
"""

BELOW = """\
stages:
  far:
    cmd: x
    wdir: ../a
    deps: [clean, ../again]
    outs:
    - ../made
    - /nowhere/else: {cache: false}
  other: {cmd: x, outs: [x]}
"""

MANY = """\
# the pipeline
vars: [{v: 1}]
stages:
  # the first
  one:   # beside it
    cmd: cp raw one   # why
    deps: [raw]
    outs: [one]

  # the second
  two:
    wdir: sub/..
    cmd: mkdir -p out; cp one out/two; echo 1 > m.json
    deps:
    - one
    outs:
    - out/two: {persist: true}   # kept
    metrics:
    - m.json: {cache: false}
  each:
    foreach: [a, b]
    do:
      cmd: echo ${item} > each.${item}
      outs: ["each.${item}"]
  templated:
    cmd: echo ${v} > tt
    outs: [tt]
  # the last
  last:
    cmd: cp out/two last
    deps: [out/two]
    outs: [last]
metrics: [m.json]
"""

INNER = """\
stages:
  inner:
    cmd: cp ../one inner
    deps: [../one]
    outs: [inner]
"""

TWO = """\
stages:
  a:
    cmd: cp raw a1; cp raw a2
    deps: [raw]
    outs: [a1, a2]
  b:
    cmd: cp a1 b1
    deps: [a1]
    outs: [b1]
params: [params.yaml]
"""

ROOT = """\
stages:
  last:
    cmd: cat sub/made sub/deep/../up > last; echo 1 > sub/m.json
    deps: [sub/made, ./sub/deep/../up]
    params: [lr, sub/params.yaml: [lr]]
    outs: [last]
    metrics: [sub/m.json: {cache: false}]
"""

SUB = """\
stages:
  made:
    wdir: ..
    cmd: mkdir -p sub; cat raw > sub/made
    deps: [raw]
    params: [sub.x]
    outs: [sub/made]
  local:
    wdir: deep
    cmd: cat ../made > local; echo 2 > plain
    deps: [../made]
    params: [../params.yaml: [lr]]
    outs: [local, plain: {cache: false}]
"""

DEEP = """\
stages:
  up:
    cmd: cat local > ../up
    deps: [local, ../../raw]
    outs: [../up]
"""

ROOT_ALONE = """\
stages:
  alone: {cmd: cp raw alone, deps: [raw], outs: [alone]}
"""

NESTED = """\
stages:
  inner: {cmd: cat in ../raw > inner, deps: [in, ../raw], outs: [inner]}
"""

CONTRADICTING = (
    "{cmd: echo 2 > out, outs: [out]}",
    "{cmd: echo 2, outs: [out/in]}",
    "{cmd: echo 2 > two, deps: [two], outs: [two]}",
    "{cmd: echo 2 > two, deps: [dir], outs: [dir/two]}",
    "{cmd: echo 2 > x, deps: [x], outs: [y]}\n  three: {cmd: echo 3, deps: [y], outs: [x]}",
)

REFUSED = (
    "~stage add -n prepare echo",
    "~stage add -n a.b echo",
    "~stage add -n a@b echo",
    "~stage add -n none",
    "~stage add echo",
    "~stage add -n x -o data/clean echo",
    "~stage add -n x -o data/clean/inner echo",
    "~stage add -n x -o data echo",
    "~stage add -n x -o src echo",
    "~stage add -n x -d model -o raw echo",
    "~stage add -n x -d z -o z echo",
    "~stage add -n x -d z -d ./z echo",
    "~stage add -n x -d params.yaml -p lr echo",
    "~stage add -n x -w nowhere echo",
    "~stage add -n x -w raw echo",
    "~stage add -n x -w .. echo",
    "~stage add -n x -o ../z echo",
    "~stage add -n x -o /nowhere/z echo",
    "~stage add -n x -o . echo",
    "~stage add -n x -o .dvc/z echo",
    "~stage add -n x -o hidden echo",
    "~stage add -n x -d dvc.yaml echo",
    "~stage add -n x -o other.dvc echo",
)

STAGES: tuple[Scenario, ...] = (
    Scenario(
        "stage-add-and-list",
        (18, 19),
        (
            {
                "raw": "1\n",
                "params.yaml": "lr: 1\nepochs: 2\n",
                "cfg.yaml": "a: 1\nb: 2\n",
                "src": {"prepare.py": "", "train.py": "", "dvc.yaml": "stages: {inner: {cmd: echo}}\n"},
                "sub": {"f": ""},
                ".dvcignore": "/hidden\n",
            },
            "add raw",
            *ADDED[:-1],
            "=stage list",
            "=stage list --name-only",
            "=stage list --all",
            "=stage list prepare train prepare",
            "=stage list src raw.dvc -R",
            "=stage list raw.dvc dvc.yaml:train",
            "~stage list nope",
            "~stage list src",
            In("src", "=stage list --all"),
            In("src", "=stage list ../dvc.yaml --names-only"),
            In("sub", "~stage list"),
            *REFUSED,
            ADDED[-1],
            "!sed -n '/templated/,$p' dvc.yaml",
        ),
        probes=(),
    ),
    Scenario(
        "stage-add-again",
        (20, 33),
        (
            {"dvc.yaml": COMMENTED, "d": {"f": "1"}},
            "~stage add -n b echo",
            "stage add -f -n b -d d -o kept -o new --always-changed echo '${x}'",
            "stage add -f -n a echo 3",
            "stage add -n c --run -d d/f -o copy 'cp d/f copy'",
            "=stage list",
            "@commit",
            "config core.autostage true",
            "stage add -n d --run -d copy -o copy2 'cp copy copy2'",
            "status",
        ),
    ),
    Scenario(
        "dag",
        (34, 25, 26),
        (
            {
                "dvc.yaml": GRAPH,
                "sub": {"dvc.yaml": BELOW, "own": {".dvc": {"config": ""}, "dvc.yaml": "stages: {}\n"}},
                "a": {"d": ""},
            },
            "=dag --dot",
            "=dag --mermaid",
            "=dag --md --collapse-foreach-matrix",
            "=dag --outs --dot",
            "=dag -o --mermaid report",
            "=dag --md train@1",
            "=dag --dot train",
            "=dag --full --mermaid sub/dvc.yaml:far",
            "=dag --mermaid a/clean",
            "~dag nothing-of-the-kind",
            "~dag --outs --collapse-foreach-matrix",
            In("sub", "=dag --dot"),
            In("sub", "=dag --mermaid far"),
            In("sub", "=dag --outs --dot"),
        ),
        probes=(),
    ),
    Scenario(
        "stages-freeze-move-remove",
        (17, 33),
        (
            {"dvc.yaml": MANY, "raw": "1\n", "more": "2\n", "sub": {"keep": "", "dvc.yaml": INNER}},
            "add raw more",
            "~freeze one nope two",
            "freeze dvc.yaml:one",
            "unfreeze one two",
            "repro",
            "@commit",
            "freeze one sub/dvc.yaml:inner raw.dvc",
            "status --json",
            "~freeze each",
            "~freeze each@a",
            "~freeze templated",
            "~freeze dvc.yaml",
            "~freeze",
            In("sub", "unfreeze inner"),
            In("sub", "freeze ../dvc.yaml:two"),
            "~move one uno",
            "~move out/two zwei",
            "move more sub/renamed",
            "move raw sub",
            "status --json",
            "~remove nope",
            "~remove each",
            "~remove nope two",
            "remove --outs last",
            "remove sub/dvc.yaml:inner",
            "remove one two",
            "=stage list",
        ),
    ),
    Scenario(
        "stages-remove-all",
        (33,),
        (
            {"dvc.yaml": TWO, "raw": "1\n"},
            "repro -q",
            "remove --outs dvc.yaml",
            {"dvc.yaml": TWO},
            "repro -q",
            "remove a",
            "config core.autostage true",
            "remove dvc.yaml:b",
        ),
    ),
    Scenario(
        "several-pipelines",
        (25, 26),
        (
            {
                "raw": "1\n",
                "params.yaml": "lr: 1\nsub:\n  x: 2\n",
                "dvc.yaml": ROOT,
                "sub": {"dvc.yaml": SUB, "params.yaml": "lr: 3\n", "deep": {"dvc.yaml": DEEP}},
            },
            "add raw",
            "=stage list --all",
            In("sub", "repro"),
            "status --json",
            In("sub/deep", "status --json"),
            In("sub/deep", "repro up"),
            "repro -R sub",
            "repro -P",
            "@commit",
            {"params.yaml": "lr: 1\nsub:\n  x: 5\n", "sub/params.yaml": "lr: 4\n"},
            "status --json",
            In("sub", "status --json ../dvc.yaml"),
            In("sub/deep", "status --json -R .."),
            "repro sub/deep/dvc.yaml:up",
            "repro sub/dvc.yaml",
            In("sub", "repro ../dvc.yaml:last"),
            In("sub", "freeze deep/dvc.yaml:up"),
            In("sub", "remove deep/dvc.yaml:up"),
            In("sub", "=stage list --all"),
        ),
    ),
    Scenario(
        "pipelines-of-sub-repositories",
        (26,),
        (
            {"raw": "1\n", "dvc.yaml": ROOT_ALONE, "nested": {"in": "2\n", "dvc.yaml": NESTED}},
            In("nested", "init --subdir -q"),
            "repro -P",
            "=stage list --all",
            "~repro nested/dvc.yaml",
            "~stage list nested/dvc.yaml",
            "~repro nested/dvc.yaml:inner",
            In("nested", "repro -P"),
            In("nested", "=stage list --all"),
            In("nested", "=dag --dot"),
            In("nested", "status --json"),
            "status --json",
            "?stage add -n into -o nested/x echo",
            "?stage add -n there -w nested -O y echo",
        ),
    ),
    Scenario(
        "commit-of-stages",
        (30, 22),
        (
            {"dvc.yaml": MANY, "raw": "1\n", "sub": {"keep": "", "dvc.yaml": INNER}, "params.yaml": "p: 1\n"},
            "add raw",
            "repro -P --no-commit",
            "status --json",
            "data status --json --granular",
            "commit one",
            "commit -f two",
            "status --json",
            "commit -f",
            "data status --json",
            "@commit",
            {"raw": "2\n", "one": "by hand\n"},
            "status --json",
            "data status --json --granular",
            "~commit one",
            "commit -f one",
            "status --json",
            In("sub", "~commit inner"),
            In("sub", "commit -d -f inner"),
            {"raw": "3\n"},
            "repro --no-commit one",
            "status --json --with-deps last",
            "commit -f -d last",
            "repro",
            "~commit -R sub",
            "commit -f -R sub",
            "!sed -i 's/cp raw one/cp raw one; true/' dvc.yaml",
            "status --json one",
            "~commit one",
            "commit -f one",
            "!sed -i 's,- out.two: .*,- out/zwei,' dvc.yaml",
            "status --json",
            "?commit -f two",
            "commit each",
            "~commit nope",
        ),
    ),
    Scenario(
        "contradicting-stages",
        (42,),
        (
            {"raw": "1\n", "dir": {"f": "1"}},
            *(
                step
                for text in CONTRADICTING
                for step in (
                    {"dvc.yaml": f"stages:\n  one: {{cmd: echo 1 > out, outs: [out]}}\n  two: {text}\n"},
                    "?repro",
                    "?dag",
                    "?stage list",
                )
            ),
        ),
        probes=(),
    ),
)
