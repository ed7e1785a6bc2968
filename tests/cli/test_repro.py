"""``ff repro``, ``dag``, ``metrics``, ``params`` and ``coordinates`` as their users meet them."""

import json

from tests.fixtures.sandbox import Sandbox

PIPELINE = """\
stages:
  prepare:
    cmd: echo preparing; cp raw clean
    deps: [raw]
    outs: [clean]
  train:
    cmd: cp clean model; echo '{"acc":' 0.5 '}' > m.json
    deps: [clean]
    params: [train.seed]
    outs: [model]
    metrics:
    - m.json: {cache: false}
"""


def start(repo: Sandbox) -> Sandbox:
    repo.gen({"dvc.yaml": PIPELINE, "raw": "1\n", "params.yaml": "train:\n  seed: 1\n"})
    return repo


def test_what_runs_and_why_stands_before_what_it_prints(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    told = repo.run("repro").stdout
    assert told == (
        "Running stage 'prepare':\n  because it has not run before\n"
        "> echo preparing; cp raw clean\npreparing\n\n"
        "Running stage 'train':\n  because it has not run before\n"
        "> cp clean model; echo '{\"acc\":' 0.5 '}' > m.json\n"
        "Use `ff push` to send your updates to remote storage.\n"
    )
    repo.gen({"params.yaml": "train:\n  seed: 2\n"})
    assert "  because parameter train.seed of params.yaml is 2, was 1\n" in repo.run("repro").stdout


def test_nothing_to_do_is_said_in_dvcs_words(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.run("repro")
    assert repo.run("repro").stdout == (
        "Stage 'prepare' didn't change, skipping\nStage 'train' didn't change, skipping\n"
        "Data and pipelines are up to date.\n"
    )


def test_with_json_stdout_is_one_document_and_commands_speak_on_stderr(ff_repo: Sandbox) -> None:
    ran = start(ff_repo).run("repro", "--json")
    document = json.loads(ran.stdout)
    assert [(stage["name"], stage["result"]) for stage in document["stages"]] == [
        ("prepare", "ran"),
        ("train", "ran"),
    ]
    assert "preparing" in ran.stderr


def test_a_failure_is_one_line_with_the_stage_and_the_command(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.gen({"dvc.yaml": PIPELINE.replace("cp raw clean", "exit 3")})
    ran = repo.run("repro", check=False)
    assert ran.code == 255
    assert (
        "error: failed to reproduce 'prepare': failed to run: echo preparing; exit 3, exited with 3"
        in ran.stderr
    )
    assert "code: stage-failed" in ran.stderr


def test_in_a_folder_without_a_pipeline_it_says_so(ff_repo: Sandbox) -> None:
    ran = ff_repo.run("repro", check=False)
    assert ran.code == 255
    assert "error: 'dvc.yaml' does not exist" in ran.stderr


def test_the_graph_is_a_tree(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    assert repo.run("dag").stdout == "prepare\n└── train\n"
    assert repo.run("dag", "--outs", "--json").json()["edges"] == [["clean", "model"], ["clean", "m.json"]]
    assert repo.run("dag", "--outs", "--collapse-foreach-matrix", check=False).code != 0


def test_a_graph_of_nothing_says_so(ff_repo: Sandbox) -> None:
    assert ff_repo.run("dag").stdout == "There are no data or pipelines tracked in this project yet.\n"


def test_tables_are_aligned(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.run("repro")
    repo.commit("one")
    repo.gen({"params.yaml": "train:\n  seed: 22\n", "m.json": '{"acc": 0.75}'})
    assert repo.run("metrics", "show").stdout == "Path    acc\nm.json  0.75\n"
    assert repo.run("params", "diff").stdout == (
        "Path         Param       HEAD    workspace\nparams.yaml  train.seed  1       22\n"
    )
    assert repo.run("metrics", "diff").stdout == (
        "Path    Metric    HEAD    workspace    Change\nm.json  acc       0.5     0.75         +0.25\n"
    )
    assert (
        repo.run("metrics", "diff", "--csv").stdout
        == "Path,Metric,HEAD,workspace,Change\nm.json,acc,0.5,0.75,0.25\n"
    )
    assert repo.run("metrics", "show", "--csv").stdout == "Path,acc\nm.json,0.75\n"
    assert (
        repo.run("params", "diff", "--csv", "--no-path").stdout == "Param,HEAD,workspace\ntrain.seed,1,22\n"
    )


def test_a_change_is_coloured_by_its_goal_where_a_stage_says_one(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.run("repro")
    repo.commit("one")
    repo.gen({"m.json": '{"acc": 0.25}'})
    assert "\x1b[33m-0.25\x1b[0m" in repo.run("metrics", "diff", "--color", "always").stdout
    goal = "    meta: {fourfold: {goal: {acc: max}}}\n"
    repo.gen({"dvc.yaml": PIPELINE + goal})
    assert "\x1b[31m-0.25\x1b[0m" in repo.run("metrics", "diff", "--color", "always").stdout
    repo.gen({"dvc.yaml": PIPELINE + goal.replace("max", "up")})
    assert "code: bad-goal" in repo.run("metrics", "diff", "--color", "always", check=False).stderr


def test_a_cached_metric_of_a_revision_is_read_without_checking_it_out(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.gen({"dvc.yaml": PIPELINE.replace("- m.json: {cache: false}", "- m.json")})
    repo.run("repro")
    repo.commit("one")
    (repo.path / "m.json").unlink()
    repo.gen({"m.json": '{"acc": 1}'})
    shown = repo.run("metrics", "show", "-a", "--json").json()
    assert shown["main"]["data"] == {"m.json": {"data": {"acc": 0.5}}}
    assert shown["workspace"]["data"] == {"m.json": {"data": {"acc": 1}}}


def test_a_metric_that_is_nowhere_is_warned_of(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    ran = repo.run("metrics", "show", "--json")
    assert ran.json()[""]["data"]["m.json"]["error"]["type"] == "FileNotFoundError"
    assert "some metrics could not be loaded" in ran.stderr


def test_the_four_coordinates_stand_in_their_order(ff_repo: Sandbox) -> None:
    repo = start(ff_repo)
    repo.run("repro")
    told = repo.run("coordinates", "train").stdout
    places = [told.index(word) for word in ("  code ", "  data ", "  environment ", "  randomness ")]
    assert places == sorted(places)
    assert "train.seed = 1" in told
    data = repo.run("coordinates", "--json").json()
    assert [stage["name"] for stage in data] == ["prepare", "train"]
    assert data[1]["randomness"]["seeds"] == {"train.seed": 1}
    assert data[1]["code"]["tree"]["grade"] == "observed"
    assert len(data[1]["run"]) == 64
