"""Scenarios of running pipelines: what runs, in which order, what is left, what comes from earlier runs.

Commands write their names into ``../trace``, which is compared like every file: it says what ran, and in
which order.
"""

from tests.compat.scenario import In, Scenario

DIAMOND = """\
stages:
  d:
    cmd: echo d >> ../trace; cat b.out c.out > d.out
    deps: [b.out, c.out]
    outs: [d.out]
  a:
    cmd: echo a >> ../trace; cat in > a.out
    deps: [in]
    outs: [a.out]
  b:
    cmd: echo b >> ../trace; cat a.out raw/x > b.out
    deps: [a.out, raw]
    outs: [b.out]
  c:
    cmd: echo c >> ../trace; cat a.out > c.out
    deps: [a.out]
    params: [lr]
    outs: [c.out]
  other:
    cmd: echo other >> ../trace; cat side > other.out
    deps: [side]
    outs: [other.out]
  after:
    cmd: echo after >> ../trace; cat other.out > after.out
    deps: [other.out]
    outs: [after.out]
"""
FILES = {"in": "1\n", "side": "s\n", "raw": {"x": "x\n"}, "params.yaml": "lr: 1\n", "dvc.yaml": DIAMOND}

KINDS = """\
stages:
  # every kind of entry that a lock file can have
  make:
    cmd:
    - mkdir -p dir/sub && cp in dir/f && cp in dir/sub/g
    - cat in > out; cat in > kept.txt; echo '{"m":0.5}' > m.json
    - echo 'x,y' > p.csv; echo '1,2' >> p.csv; cat in >> grows
    deps: [raw, in]
    params: [lr, model.depth, other.json: [k], p.toml: [], p.py: [A.b, C]]
    outs: [out, dir, kept.txt: {cache: false}, grows: {persist: true}]
    metrics: [{m.json: {cache: false}}]
    plots: [{p.csv: {x: x, y: y}}]
  long:
    cmd: echo a very long command that has many words and goes on and on, until a writer of YAML folds it;
      echo "quotes 'and' more" > "a b"
    deps: [out]
    outs: ["a b"]
  lines:
    cmd: |
      echo one > lines.txt
      echo two >> lines.txt
    deps: [dir/sub/g]
    outs: [lines.txt]
    desc: |
      of two
      lines
    meta: {a: 1}
"""
KINDS_FILES = {
    "in": "data\n",
    "raw": {"x": "1", "y": {"z": "2"}},
    "params.yaml": "lr: 1e-3\nmodel: {depth: 3, name: x}\n",
    "other.json": '{"k": [1, 2.0, null, {"b": 1, "a": 2}]}',
    "p.toml": 'a = 1.0\n[b]\nc = "x"\n',
    "p.py": "C = [1, 'x']\nclass A:\n    b = -0.5\n",
    "dvc.yaml": KINDS,
}

EVERY = """\
stages:
  frozen:
    cmd: echo frozen >> ../trace; cat in > frozen.out
    deps: [in]
    outs: [frozen.out]
    frozen: true
  always:
    cmd: echo always >> ../trace; cat in > always.out
    deps: [in]
    outs: [always.out]
    always_changed: true
  callback:
    cmd: echo callback >> ../trace
  maker:
    cmd: echo maker >> ../trace; echo made > maker.out
    outs: [maker.out]
  reader:
    cmd: echo reader >> ../trace
    deps: [frozen.out, always.out, maker.out]
  both:
    cmd: echo both >> ../trace; cat in > both.out
    deps: [in]
    outs: [both.out]
    always_changed: true
    frozen: true
"""

FAILING = """\
stages:
  first:
    cmd: echo first >> ../trace; cat in > first.out
    deps: [in]
    outs: [first.out]
  broken:
    cmd:
    - echo broken >> ../trace; echo half > broken.out
    - exit 3
    - echo never >> ../trace
    deps: [first.out]
    outs: [broken.out]
  behind:
    cmd: echo behind >> ../trace; cat broken.out > behind.out
    deps: [broken.out]
    outs: [behind.out]
  forgets:
    cmd: echo forgets >> ../trace
    deps: [in]
    outs: [forgotten.out]
  aside:
    cmd: echo aside >> ../trace; cat side > aside.out
    deps: [side]
    outs: [aside.out]
"""


def _selection(name: str, *flags: str) -> Scenario:
    """The diamond after a change at both ends, run with some flags, and then run to its end."""
    changed = {"in": "2\n", "side": "t\n"}
    steps = (FILES, "repro", changed, *(f"repro {words}" for words in flags), "status --json", "repro")
    return Scenario(name, (28,), steps, one_by_one=True)


PIPELINES: tuple[Scenario, ...] = (
    Scenario(
        "lock-of-every-kind-of-entry",
        (7, 11),
        (
            KINDS_FILES,
            "repro",
            "status --json",
            "@commit",
            "repro",
            {"raw/y/z": "3"},
            "status --json",
            "repro",
        ),
    ),
    Scenario(
        "what-makes-a-stage-run",
        (8,),
        (
            FILES,
            "status --json",
            "repro",
            "repro",
            "status --json",
            {"in": "2\n"},
            "status --json",
            "repro",
            "!touch in raw/x side",
            "status --json",
            "repro",
            {"params.yaml": "lr: 1.0\nmore: x\n"},
            "status --json",
            "repro",
            {"params.yaml": "lr: '1'\n"},
            "status --json",
            "repro",
            {"a.out": None},
            "status --json",
            "repro",
            {"b.out": "by hand\n"},
            "status --json",
            "repro",
            {"raw/new": "n\n"},
            "status --json",
            "repro",
            "!sed -i 's/cat side/cat side side/' dvc.yaml",
            "status --json",
            "repro",
            "!sed -i 's/deps: .side./deps: [side, in]/' dvc.yaml",
            "status --json",
            "repro",
            {"dvc.lock": None},
            "status --json",
            "repro",
            {"params.yaml": None},
            "status --json",
            "~repro c",
        ),
        one_by_one=True,
    ),
    Scenario(
        "runs-are-remembered",
        (9,),
        (
            FILES,
            "repro",
            {"in": "2\n", "params.yaml": "lr: 2\n"},
            "repro",
            {"in": "1\n", "params.yaml": "lr: 1\n"},
            "repro",
            {"dvc.lock": None, "a.out": None, "b.out": None, "c.out": None},
            "repro",
            {"in": "2\n"},
            "repro --no-run-cache",
            {"in": "1\n"},
            "repro -f a",
            "!rm -rf .dvc/cache/files",
            "repro",
            "!rm -rf .dvc/cache/runs",
            {"in": "2\n"},
            "repro",
        ),
        one_by_one=True,
    ),
    Scenario(
        "runs-are-remembered-by-what-they-read",
        (9,),
        (
            KINDS_FILES,
            "repro",
            {"dvc.lock": None},
            "repro",
            {"in": "x\n"},
            "repro",
            {"in": "data\n"},
            "repro",
        ),
    ),
    Scenario(
        "runs-are-pushed-and-pulled",
        (9, 28),
        (
            FILES,
            "remote add -d store ../remote",
            "repro",
            {"in": "2\n"},
            "repro",
            "push --run-cache",
            "@commit",
            "!git clean -Xdfq && rm -rf .dvc/cache",
            "fetch --run-cache",
            {"in": "1\n"},
            "checkout a.out",
            "repro --pull",
            "!git clean -Xdfq && rm -rf .dvc/cache",
            "?pull --run-cache",
            {"in": "2\n"},
            "repro",
        ),
        one_by_one=True,
    ),
    Scenario(
        "missing-data-is-pulled-or-allowed",
        (28, 37),
        (
            FILES,
            "remote add -d store ../remote",
            "add in raw",
            "repro",
            "push",
            "@commit",
            "!rm -rf in raw a.out b.out c.out d.out .dvc/cache",
            "status --json",
            "repro --allow-missing",
            "repro --pull",
            "status --json",
            "!rm -rf in raw a.out b.out c.out d.out .dvc/cache",
            {"params.yaml": "lr: 2\n"},
            "repro --pull --allow-missing",
            "repro --pull",
        ),
        one_by_one=True,
    ),
    Scenario(
        "frozen-always-changed-and-callbacks",
        (27,),
        (
            {"in": "1\n", "dvc.yaml": EVERY},
            "~repro",
            {"frozen.out": "by hand\n", "both.out": "by hand\n"},
            "status --json",
            "repro",
            "repro",
            "status --json",
            {"in": "2\n"},
            "status --json",
            "repro",
            "unfreeze frozen both",
            "status --json",
            "repro",
            "freeze always callback maker",
            "repro",
            "status --json",
            "repro -f",
            "~freeze nothing",
            {"maker.out": None},
            "~repro maker",
        ),
        one_by_one=True,
    ),
    _selection("repro-of-one-stage-alone", "-s b", "-s c d", "--single-item a"),
    _selection("repro-of-targets", "b", "dvc.yaml:c", "dvc.yaml"),
    _selection("repro-of-the-pipeline-of-a-stage", "-p b", "-p after"),
    _selection("repro-of-all-pipelines", "-P"),
    _selection("repro-downstream", "a --downstream", "--downstream other"),
    _selection("repro-by-pattern", "--glob 'a*'", "--glob '?' -s"),
    _selection("repro-of-a-folder", "-R ."),
    _selection("repro-forced", "-f b", "-f -s d", "--force other"),
    _selection("repro-forced-downstream", "--force-downstream a", "--force-downstream"),
    Scenario(
        "repro-force-downstream-runs-what-did-not-change",
        (28,),
        (
            FILES,
            "repro",
            "!sed -i 's/cat in >/cat in  >/' dvc.yaml",
            "repro",
            "!sed -i 's/cat in  >/cat in >/' dvc.yaml",
            "repro --force-downstream",
        ),
        one_by_one=True,
    ),
    Scenario(
        "repro-in-folders",
        (25, 28),
        (
            {**FILES, "sub": {"dvc.yaml": DIAMOND, "in": "1\n", "side": "s\n", "raw": {"x": "x\n"}}},
            {"sub/params.yaml": "lr: 3\n", "deep/sub/none": "1"},
            In("sub", "repro"),
            In("sub", "repro a"),
            In("sub", "~repro ../dvc.yaml:nothing"),
            In("sub", "repro ../dvc.yaml:b"),
            "repro -R sub",
            "repro sub/dvc.yaml",
            "repro sub/dvc.yaml:d",
            {"sub/in": "2\n", "in": "2\n"},
            In("deep", "repro -P"),
            "status --json",
        ),
        one_by_one=True,
    ),
    Scenario(
        "repro-refuses-what-it-does-not-know",
        (28, 42),
        (
            FILES,
            "~repro nothing",
            "~repro d.out",
            "~repro missing.yaml",
            "~repro sub/dvc.yaml:a",
            "~repro dvc.yaml:nothing",
            "~repro -s nothing",
            {"dvc.yaml": DIAMOND.replace("deps: [in]", "deps: [d.out]")},
            "~repro",
            "?status",
            {"dvc.yaml": DIAMOND.replace("outs: [c.out]", "outs: [b.out]")},
            "~repro",
            "?status",
            {"dvc.yaml": DIAMOND.replace("outs: [c.out]", "outs: [c.out]\n    surprise: 1")},
            "~repro",
            {"dvc.yaml": DIAMOND.replace("outs: [c.out]", "outs: [raw/inside]")},
            "?repro",
        ),
        one_by_one=True,
    ),
    Scenario(
        "stage-that-fails",
        (29,),
        (
            {"in": "1\n", "side": "s\n", "dvc.yaml": FAILING},
            "~repro broken",
            "?status --json",
            "~repro forgets",
            "~repro -k",
            "status --json",
            "repro --ignore-errors",
            "status --json",
            "~repro",
            "!sed -i 's/exit 3/test -e in/; s/>> ..trace$/&; echo f > forgotten.out/' dvc.yaml",
            {"forgotten.out": "by hand\n"},
            "?repro",
            "status --json",
        ),
        one_by_one=True,
    ),
    Scenario(
        "stage-whose-inputs-are-missing",
        (29,),
        (
            {**FILES, "in": "1\n"},
            "repro",
            {"in": None},
            "status --json",
            "~repro",
            "~repro -k",
            "!rm -f a.out b.out",
            "repro --allow-missing",
            {"in": "1\n", "params.yaml": "other: 1\n"},
            "status --json",
            "~repro c",
            {"params.yaml": "{broken\n"},
            "~repro c",
            "?status",
            {"params.yaml": "lr: 1\n", "dvc.yaml": DIAMOND.replace("  a:\n", "  a:\n    wdir: nowhere\n")},
            "~repro a",
        ),
        one_by_one=True,
    ),
    Scenario(
        "no-commit-and-then-commit",
        (30,),
        (
            KINDS_FILES,
            "repro --no-commit",
            "status --json",
            "repro",
            "commit",
            "status --json",
            {"in": "2\n"},
            "repro --no-commit",
            "commit make",
            "status --json",
            {"out": "by hand\n"},
            "~commit",
            "commit -f make",
            "status --json",
            {"in": "data\n"},
            "repro",
        ),
    ),
    Scenario(
        "repro-with-links",
        (8, 12),
        (
            FILES,
            "config cache.type hardlink",
            "repro",
            {"in": "2\n"},
            "repro",
            {"in": "1\n"},
            "repro",
            "config cache.type symlink",
            {"in": "3\n"},
            "repro",
            "checkout --relink",
        ),
        one_by_one=True,
    ),
    Scenario(
        "questions-about-pipelines",
        (22, 23),
        (
            KINDS_FILES,
            "repro",
            "@commit one",
            {"params.yaml": "lr: 0.01\nmodel: {depth: 3, name: x}\n", "raw/x": "other\n"},
            "repro",
            "@commit two",
            "diff --json HEAD~1",
            "diff --json HEAD~1 --show-hash",
            "metrics diff --json HEAD~1",
            "metrics diff --json HEAD~1 --all",
            "metrics show --json",
            "metrics show --json -A",
            "params diff --json HEAD~1",
            "params diff --json HEAD~1 --deps",
            "params diff --json HEAD~1 --all",
            "params diff --json HEAD~1 --targets params.yaml",
            {"out": "by hand\n", "dir/f": None},
            "diff --json",
            "status --json",
            "status --json make",
            "status --json -d lines",
            "status --json out",
            "data status --json",
            "data status --json --granular --unchanged",
        ),
        one_by_one=True,
    ),
    Scenario(
        "checkout-and-remove-of-stages",
        (6, 33),
        (
            FILES,
            "repro",
            "@commit one",
            {"in": "2\n"},
            "repro",
            "@commit two",
            "!git checkout --quiet HEAD~1",
            "status --json",
            "checkout",
            "status --json",
            "!git checkout --quiet main",
            "checkout d.out",
            "checkout",
            "remove after",
            "remove other --outs",
            "status --json",
            "gc -w -f",
            "repro",
        ),
        one_by_one=True,
    ),
    Scenario(
        "merge-driver-of-directories",
        (47,),
        (
            {"d": {"same": "s", "gone": "g"}, "f": "1"},
            "add d f",
            "!cp d.dvc base && cp f.dvc f.base",
            {"d": {"ours": "o"}},
            "add d",
            "!cp d.dvc ours && cp d.dvc ours2 && cp d.dvc ours3",
            {"d": {"ours": None, "theirs": "t", "gone": None}, "f": "2"},
            "add d f",
            "!cp d.dvc theirs && cp f.dvc f.theirs",
            "git-hook merge-driver --ancestor base --our ours --their theirs",
            {"d": {"ours": "other"}},
            "add d",
            "!cp d.dvc theirs",
            "~git-hook merge-driver --ancestor base --our ours2 --their theirs",
            "~git-hook merge-driver --ancestor f.base --our ours3 --their f.theirs",
            "!cp ours d.dvc",
            "checkout --force d.dvc",
            "status --json",
        ),
    ),
)
