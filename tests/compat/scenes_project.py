"""Scenarios of the project itself: init, config, remotes, move and remove, revisions, sub-projects."""

from tests.compat.scenario import In, Scenario
from tests.compat.scenes_files import TREE
from tests.compat.scenes_transfer import HISTORY
from tests.fixtures.sandbox import Exec

SCALARS = """\
# every scalar that YAML could take for something else
yes: yes
no: 'no'
on: on
tilde: ~
empty:
null_word: 'null'
quoted_float: '1e3'
float: 1e-3
small: 1e-5
large: 1e20
plain: 1.0
quoted: '1.0'
octal: '012'
sexagesimal: 190:20:30
date: '2020-01-01'
inf: .inf
nan: .nan
negative: -0.0
unicode: "é \\U0001F600 \\u2028"
tab: "a\\tb"
line: "a\\nb"
colon: 'a: b'
hash: 'a #b'
dash: '- a'
star: '*a'
amp: '&a'
percent: '%a'
at: '@a'
quote: "it's"
both: "it's \\"so\\""
space: ' lead'
trail: 'trail '
long: word word word word word word word word word word word word word word word word word word word word word
token: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
list: [1, 'two', 3.0, [4, five], {six: 7}]
map: {a: {b: c}, z: x}
"""

STAGE = """\
stages:
  make:
    cmd: 'cat in > out && mkdir -p dir && cp in dir/f && echo ''{"m": 0.5}'' > m.json'
    deps: [in]
    params: [lr, model.depth, other.yaml: [k]]
    outs: [out, dir]
    metrics: [{m.json: {cache: false}}]
  all:
    cmd:
    - cat scalars.yaml > /dev/null
    - touch done
    params: [{scalars.yaml: null}]
    outs: [done]
"""

PROJECT: tuple[Scenario, ...] = (
    Scenario(
        "init",
        (35,),
        ("init", "~init", "init -f", "=root", In("sub", {"f": "1"}), In("sub", "=root")),
        start="git",
    ),
    Scenario(
        "init-without-git",
        (35,),
        ("~init", "init --no-scm", {"f": "1", "d": TREE}, "add f d", "=root"),
        start="empty",
    ),
    Scenario(
        "init-in-a-folder",
        (35,),
        (
            In("sub", {"f": "1"}),
            In("sub", "~init"),
            In("sub", "init --subdir"),
            In("sub", "add f"),
            In("sub", "=root"),
            "~status",
        ),
        start="git",
    ),
    Scenario(
        "projects-inside-a-project",
        (35,),
        (
            {"sub": {"f": "inner"}, "f": "outer"},
            "add f",
            In("sub", "init --subdir"),
            In("sub", "add f"),
            "status --json",
            "!rm f sub/f",
            "checkout",
            In("sub", "checkout"),
            In("sub", "=root"),
        ),
    ),
    Scenario(
        "destroy", (33,), ({"f": "1", "d": TREE}, "add f d", "@commit", "destroy -f", "~status"), probes=()
    ),
    Scenario(
        "move",
        (33,),
        (
            {"f": "1\n", "d": TREE, "to": {"keep": "x"}},
            "add f d",
            "@commit",
            "move f g",
            "move g to/h",
            "move d to",
            "~move nothing anywhere",
            "status --json",
        ),
    ),
    Scenario(
        "remove",
        (33,),
        (
            {"f": "1\n", "g": "2\n", "d": TREE},
            "add f g d",
            "@commit",
            "remove f.dvc",
            "~remove g",
            "~remove nothing",
            "remove d.dvc --outs",
        ),
    ),
    Scenario(
        "freeze-and-unfreeze",
        (17,),
        (
            {"f": "1\n"},
            "add f",
            "freeze f.dvc",
            "status --json",
            {"f": "2\n"},
            "status --json",
            "unfreeze f.dvc",
            "status --json",
        ),
    ),
    Scenario(
        "config",
        (24,),
        (
            "config core.remote store",
            "=config core.remote",
            "config core.autostage true",
            "config --local cache.type 'hardlink,symlink'",
            "config --global core.checksum_jobs 3",
            "=config core.checksum_jobs",
            "=config --list",
            "=config --local --list",
            "=config cache.type",
            "config -u core.autostage",
            "~config -u core.autostage",
            "?config core.autostage",
            "~config no.such value",
            "~config core.checksum_jobs notanumber",
            "!printf '# mine\\n[core]\\n    # why\\n    remote = store ; trailing\\n' > .dvc/config",
            "config core.check_update false",
            "config core.remote other",
            "config --show-origin core.remote",
        ),
        probes=(),
    ),
    Scenario(
        "remotes",
        (24,),
        (
            "remote add store ../remote",
            "remote add -d main-one s3://bucket/path",
            "~remote add store elsewhere",
            "remote add -f store sub/folder",
            "remote add --local private {here}/abs",
            "remote modify main-one endpointurl 'http://localhost:9000/#x,y'",
            "remote modify main-one profile 'with space'",
            "~remote modify main-one nosuch 1",
            "~remote modify nowhere profile 1",
            "remote modify --local main-one access_key_id AKIA",
            "=remote list",
            "=remote default",
            "remote default store",
            "remote modify --unset main-one profile",
            "remote rename store shop",
            "~remote rename nowhere x",
            "remote remove private --local",
            "~remote remove nowhere",
            "remote remove shop",
            "=remote list",
        ),
        probes=(),
    ),
    Scenario(
        "questions-about-revisions",
        (22,),
        (
            *HISTORY,
            "diff --json v1",
            "diff --json v1 HEAD",
            "diff --json HEAD~1 side --show-hash",
            "diff --json v1 side --targets d",
            "diff --json v1 side --hide-missing",
            {"d": {"a": "edited\n", "same": None, "new": "n\n"}, "untracked": "u\n"},
            "diff --json",
            "status --json",
            "status --json d.dvc",
            "data status --json",
            "data status --json --granular --unchanged --untracked-files all",
            "data status --json --not-in-remote",
            "!git mv f.dvc g.dvc && sed -i 's/path: f/path: g/' g.dvc && mv f g",
            "diff --json",
            "data status --json --granular",
            "=ls . --json",
            "=ls . -R --dvc-only --json",
            "ls . --rev v1 -R --json",
            "ls . d --json",
            "~diff nosuchrevision",
        ),
    ),
    Scenario(
        "list-and-du",
        (22,),
        (
            {"f": "12345\n", "d": TREE, "plain": {"x": Exec("1"), "y": "2"}},
            "add f d",
            "@commit",
            "ls . --json --size --show-hash",
            "ls . -R -L 2 --json",
            "=ls .",
            "=ls . -R",
            "=ls . --dvc-only",
            "=ls . d/sub",
            "~ls . nothing",
            "=du . d",
            "=du . -s",
        ),
    ),
    Scenario(
        "yaml-scalars-in-the-lock",
        (11, 7),
        (
            {
                "in": "data\n",
                "params.yaml": "lr: 1e-3\nmodel: {depth: 3, name: x}\n",
                "other.yaml": "k: [1, 2]\n",
                "scalars.yaml": SCALARS,
                "dvc.yaml": STAGE,
            },
            "repro",
            "repro",
            "status --json",
            {"params.yaml": "lr: 1e-05\nmodel: {depth: 3, name: y}\n"},
            "status --json",
            "repro",
            "metrics show --json",
            "@commit",
            {"params.yaml": "lr: 0.1\nmodel: {depth: 4, name: y}\n"},
            "params diff --json",
        ),
    ),
)
