"""Scenarios of what stages need from elsewhere: URLs and absolute paths, data sets, artifacts."""

from tests.compat.scenario import In, Scenario
from tests.compat.scenes_files import TREE

#: Another repository beside ours: ``v1`` and then ``v2``, with a file of Git's and data that is tracked.
REPOSITORY = (
    "!git init -q -b main ../source",
    In("../source", "init -q"),
    In("../source", {"plain": "one\n", "data": "1\n"}),
    In("../source", "add data"),
    In("../source", "@commit one"),
    In("../source", "!git tag v1"),
)
MOVED = (
    In("../source", {"plain": "two\n"}),
    In("../source", "@commit two"),
    In("../source", "!git tag v2"),
)


def stages(**deps: str) -> str:
    """A ``dvc.yaml`` of stages that copy nothing and depend on what is given, in flow style."""
    lines = [f"  {name}:\n    cmd: echo {name} > {name}\n    deps: {what}\n" for name, what in deps.items()]
    return "stages:\n" + "".join(
        f"{line}    outs: [{name}]\n" for line, name in zip(lines, deps, strict=True)
    )


#: A data set of DataChain, and what DVC would have found of it.
CHAIN = "- name: ch\n  url: dc://chains@v3\n  type: dc\n"
CHAIN_FOUND = f"{CHAIN}  version: 3\n  created_at: '2024-10-08T10:00:00+00:00'\n"
CHAIN_LOCK = f"schema: '2.0'\ndatasets:\n{CHAIN_FOUND}stages: {{}}\n"


def _also(**deps: str) -> str:
    """A step that appends stages to the ``dvc.yaml`` that holds the data sets."""
    return f"!printf '%s' '{stages(**deps)}' >> dvc.yaml"


ARTIFACTS = """\
artifacts:
  model: {path: model, type: model, desc: what it says, labels: [a, b], meta: {of: churn}}
  data: {path: d}
  plain:
    path: plain
  gone: {path: not/there}
"""


def _tags(*names: str, day: int) -> str:
    """A step that makes annotated tags of the current commit, all in one moment."""
    when = f"GIT_COMMITTER_DATE=2025-01-0{day}T00:00:00Z"
    return "!" + "; ".join(f"{when} git tag -a -m x '{name}'" for name in names)


DATASETS: tuple[Scenario, ...] = (
    Scenario(
        "stage-that-depends-on-paths-outside",
        (7, 8),
        (
            {"../there/f": "1\n", "../there/d": TREE, "../run.sh": "echo\n"},
            "!chmod +x ../run.sh",
            {"dvc.yaml": stages(l="[HERE/there/f, HERE/there/d, ../run.sh, HERE/run.sh]")},
            "!sed -i 's|HERE|{here}|g' dvc.yaml",
            "status --json",
            "repro",
            "repro",
            {"../there/f": "2\n"},
            "status --json",
            "repro",
            "!rm -r ../there/d",
            "status --json",
            "~repro",
        ),
    ),
    Scenario(
        "stage-that-depends-on-a-remote-of-this-machine",
        (7, 8),
        (
            {"../there/f": "1\n", "../there/d": TREE},
            "remote add there ../there",
            {"dvc.yaml": stages(a="[remote://there/f]", b="[remote://there/d, remote://there/f]")},
            "status --json",
            "repro",
            "status --json",
            {"../there/d/a": "changed\n"},
            "status --json",
            "repro",
            "!rm ../there/f",
            "status --json",
        ),
    ),
    Scenario(
        "datasets-of-repositories",
        (43,),
        (
            *REPOSITORY,
            "dataset add one --dvc ../source",
            "ds add two --dvc ../source --rev v1 --path data",
            "dataset add odd --dvc {here}/source --path not/there",
            "~dataset add one --dvc ../source",
            "dataset add -f one --dvc ../source --path plain",
            "~dataset add x --dvc ../nowhere",
            "~dataset add x --dvc ../source --rev nope",
            "~dataset add x --url s3://twin/x --rev v1",
            "~dataset add x --url s3://twin/x --path v1",
            "~dataset add x",
            "~dataset add x --dvc ../source --url s3://twin/x",
            _also(a="[ds://one, ds://two]", b="[ds://nope]"),
            "status --json a",
            "~status --json",
            "repro a",
            "~repro",
            "status --json a",
            *MOVED,
            "status --json a",
            "dataset update one",
            "dataset update two",
            "ds update two --rev v2",
            "~dataset update nope",
            "~dataset update two --rev nope",
            "status --json a",
            "repro a",
            "!sed -i 's/rev: v2/rev: v1/' dvc.yaml",
            "status --json a",
            "~repro a",
            "dataset update two",
            "status --json a",
            "dataset update two --version v2",
        ),
        probes=("status --json a",),
    ),
    Scenario(
        "datasets-keep-comments-and-stages",
        (20, 43),
        (
            *REPOSITORY,
            {
                "dvc.yaml": stages(a="[]")
                + "datasets:  # of others\n- name: one  # this\n  url: x\n  type: dvc\n"
            },
            "repro",
            "dataset add -f one --dvc ../source",
            "dataset add two --dvc ../source",
            "repro -f",
            *MOVED,
            "dataset update one",
        ),
    ),
    Scenario(
        "datasets-in-a-folder-below",
        (25, 43),
        (
            *REPOSITORY,
            {"sub/dvc.yaml": stages(a="[ds://one, ds://top]")},
            "dataset add top --dvc ../source",
            In("sub", "dataset add one --dvc ../../source"),
            "repro -P",
            "status --json",
            In("sub", "status --json"),
            *MOVED,
            In("sub", "dataset update one"),
            "status --json",
            In("sub", "repro"),
        ),
    ),
    Scenario(
        "datasets-of-datachain-are-read",
        (43,),
        (
            {"dvc.yaml": f"datasets:\n{CHAIN}{stages(a='[ds://ch]')}", "dvc.lock": CHAIN_LOCK},
            "status --json",
            "repro",
            "status --json",
            "!sed -i 's/version: 3/version: 4/' dvc.lock",
            "status --json",
            "~dataset update ch",
            "~dataset add other --dc chains",
        ),
    ),
    Scenario(
        "artifacts",
        (44,),
        (
            "!git init -q -b main ../models",
            In("../models", "init -q"),
            In("../models", {"model": "1\n", "d": TREE, "plain": "p\n", "sub": {"m": "m\n"}}),
            In("../models", "add model d sub/m"),
            In("../models", {"dvc.yaml": ARTIFACTS, "sub/dvc.yaml": "artifacts:\n  deep: {path: m}\n"}),
            In("../models", "@commit one"),
            In("../models", _tags("model@v1.0.0", "data@v0.1.0", "sub=deep@v1.0.0", "plain@v1.0.0", day=1)),
            In("../models", _tags("model#prod#1", "nothing@v1.0.0", "gone@v1.0.0", day=2)),
            In("../models", "!git tag model@v9.0.0"),
            In("../models", {"model": "2\n"}),
            In("../models", "add model"),
            In("../models", "@commit two"),
            In("../models", _tags("model@v2.0.0-rc.1", "model@v2.0.0", "model#dev#2", day=3)),
            In("../models", _tags("model@v1.10.0", "model@latest", day=4)),
            "artifacts get ../models model",
            "artifacts get ../models model --rev v1.0.0 -o first",
            "artifacts get ../models model --stage prod -o stages/prod",
            "artifacts get {here}/models model --stage dev -o dev",
            "artifacts get ../models data",
            "artifacts get ../models plain",
            "artifacts get ../models sub:deep -o deep",
            "artifacts get ../models sub/dvc.yaml:deep -o again",
            "=artifacts get ../models model --rev v1.0.0 --show-url",
            "~artifacts get ../models model",
            "artifacts get ../models model -f --rev v2.0.0-rc.1",
            "~artifacts get ../models model --rev v9.0.0 -o x",
            "~artifacts get ../models model --rev 1.0.0 -o x",
            "~artifacts get ../models model --stage test -o x",
            "~artifacts get ../models model --stage dev --rev v1.0.0 -o x",
            "~artifacts get ../models nothing -o x",
            "~artifacts get ../models gone -o x",
            "~artifacts get ../models deep -o x",
            "~artifacts get ../models 'odd name' -o x",
            "~artifacts get ../nowhere model -o x",
        ),
        probes=(),
    ),
)

#: With a server: a bucket that keeps versions.
SERVED_DATASETS: tuple[Scenario, ...] = (
    Scenario(
        "s3-stage-that-depends-on-objects",
        (7, 8),
        (
            "remote add -d store s3://twin/store",
            {"f": "1\n", "d": TREE, "g": "two\n"},
            "add f d g",
            "push",
            {
                "dvc.yaml": stages(
                    a="[s3://twin/store/files/md5/b0/26324c6904b2a9cb4b88d6d61c81d1]",
                    b="[s3://twin/store/files/md5/b0, remote://store/files/md5/b0/]",
                )
            },
            "status --json",
            "repro",
            "status --json",
            "repro",
        ),
        server="s3",
    ),
    Scenario(
        "s3-datasets-and-stages-with-versions",
        (7, 8, 43),
        (
            "!git init -q -b main ../other",
            In("../other", "init -q"),
            In("../other", "remote add -d store s3://twin/real"),
            In("../other", "remote modify store version_aware true"),
            In("../other", {"f": "1\n", "d": TREE}),
            In("../other", "add f d"),
            In("../other", "push"),
            "dataset add one --url s3://twin/real/f",
            "dataset add all --url s3://twin/real/d",
            "~dataset add no --url s3://twin/real/nothing",
            _also(a="[ds://one, ds://all]", b="[s3://twin/real/f, s3://twin/real/d]"),
            "repro",
            "status --json",
            "dataset update all",
            In("../other", {"d": {"a": "changed\n", "new": "n"}, "f": "22\n"}),
            In("../other", "add f d"),
            In("../other", "push"),
            "status --json",
            "dataset update all",
            "dataset update one",
            "status --json",
            "repro",
            "status --json",
        ),
        server="versioned",
    ),
)
