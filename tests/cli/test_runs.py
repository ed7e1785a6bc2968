"""Recorded runs on the command line: a pipeline run twice with one thing changed, and what is said of it."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from fourfold.formats.native.fact import observed
from fourfold.formats.native.record import COORDINATES
from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool
from tests.fixtures.wheels import Venv, make_wheel
from tests.runs.recordmaking import Parts, make, records_in

TRAIN = """\
import os, random
import mathy
rows = open("data.csv").read().splitlines()
lr = next(line for line in open("params.yaml") if line.startswith("lr"))
open("model.txt", "w").write(f"{len(rows)} {lr} {random.random()} {mathy.VERSION}")
"""
PIPELINE = """\
stages:
  train:
    cmd: ../venv/bin/python train.py
    deps: [train.py, data.csv]
    params: [lr]
    outs: [model.txt]
    meta:
      fourfold: {seed: seed, numerics: {threads: 2}}
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``venv``, which has ``mathy`` 1.0, and ``repo``: one stage that ran once, committed."""
    folder = tmp_path_factory.mktemp("runs")
    Venv(folder / "venv").unpack(make_wheel(folder, "mathy", "1.0"))
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(
        {
            "train.py": TRAIN,
            "data.csv": "x,y\n1,2\n3,4\n",
            "params.yaml": "lr: 0.1\nseed: 1\n",
            "dvc.yaml": PIPELINE,
            "notes.md": "notes\n",
        }
    )
    repo.run("add", "-q", "data.csv")
    repo.git("add", "-A")
    repo.git("commit", "-qm", "one")
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, ff: Tool) -> Sandbox:
    """A copy of the template, in which the stage has run."""
    for name in ("repo", "venv"):
        shutil.copytree(template / name, tmp_path / name, symlinks=True)
    repo = Sandbox(tmp_path / "repo", ff)
    repo.run("repro", "-q")
    return repo


def moved(repo: Sandbox) -> list[tuple[str, str, Any, Any]]:
    """What `ff runs diff` names between the last two runs of the stage."""
    found = repo.run("runs", "diff", "train", "--json").json()
    return [(one["coordinate"], one["name"], one["before"], one["after"]) for one in found["moved"]]


def test_the_same_pipeline_run_twice_differs_in_run_id_and_times_only(project: Sandbox) -> None:
    project.run("repro", "-f", "-q")
    found = project.run("runs", "diff", "--json").json()
    assert found["same"]
    assert found["moved"] == found["unread"] == found["results"] == found["asides"] == []
    first, second = (project.run("runs", "show", name, "--json").json() for name in ("train~1", "train"))
    assert first["id"] != second["id"]
    assert second["record"]["previous"] == first["id"]
    for document in (first["record"], second["record"]):
        del document["times"], document["previous"]
    assert first["record"] == second["record"]
    assert "nothing differs but times" in project.run("runs", "diff").stdout


def test_another_seed_is_named_and_nothing_else(project: Sandbox) -> None:
    project.gen({"params.yaml": "lr: 0.1\nseed: 2\n"})
    project.run("repro", "-f", "-q")
    assert moved(project) == [("randomness", "seed", 1, 2)]
    text = project.run("runs", "diff").stdout
    assert "randomness  seed       1 -> 2" in text
    assert "outcome     model.txt" in text
    assert "params.yaml" not in text


def test_another_row_of_data_is_named_and_nothing_else(project: Sandbox) -> None:
    project.gen({"data.csv": "x,y\n1,2\n3,4\n5,6\n"})
    project.run("add", "-q", "data.csv")
    project.run("repro", "-q")
    assert [row[:2] for row in moved(project)] == [("data", "data.csv")]
    assert "+1 row" in project.run("runs", "diff").stdout


def test_another_number_of_threads_is_named_and_nothing_else(project: Sandbox) -> None:
    text = (project.path / "dvc.yaml").read_text()
    project.gen({"dvc.yaml": text.replace("threads: 2", "threads: 1")})
    project.run("repro", "-f", "-q")
    assert moved(project) == [("randomness", "threads", 2, 1)]


def test_another_library_version_is_named_and_nothing_else(project: Sandbox, tmp_path: Path) -> None:
    Venv(tmp_path / "venv").unpack(make_wheel(tmp_path, "mathy", "2.0"))
    project.run("repro", "-f", "-q")
    assert moved(project) == [("environment", "mathy", "1.0", "2.0")]


def test_code_that_was_read_is_named_and_code_that_was_not_is_told_apart(project: Sandbox) -> None:
    project.gen({"train.py": TRAIN + "# more\n", "notes.md": "other notes\n", "unused.py": "1\n"})
    project.run("repro", "-q")
    assert [row[:2] for row in moved(project)] == [("code", "train.py")]
    text = project.run("runs", "diff").stdout
    assert "changed, but not used: notes.md, unused.py" in text


def test_runs_are_listed_shown_found_and_exported(project: Sandbox, tmp_path: Path) -> None:
    project.gen({"params.yaml": "lr: 0.2\nseed: 1\n"})
    project.run("repro", "-q")
    listed = project.run("runs", "list", "--json").json()["runs"]
    assert [run["stage"] for run in listed] == ["train", "train"]
    newest, oldest = (run["id"] for run in listed)
    assert [line.split()[0] for line in project.run("runs", "list").stdout.splitlines()] == [
        "run",
        newest[:12],
        oldest[:12],
    ]
    assert len(project.run("runs", "list", "-n", "1", "--json").json()["runs"]) == 1
    shown = project.run("runs", "show", newest[:8]).stdout
    order = [shown.index(f"\n{name}\n") for name in ("code", "data", "environment", "randomness", "trace")]
    assert order == sorted(order)
    assert "declared  seed               1  (parameter seed)" in shown
    assert "params.yaml:lr = 0.2" in shown
    parts = project.run("runs", "show", "--parts", "--json").json()["parts"]
    assert any("mathy" in part for part in parts.values())

    def found(*conditions: str) -> list[str]:
        return [run["id"] for run in project.run("runs", "find", *conditions, "--json").json()["runs"]]

    assert found("--output", "model.txt") == [newest, oldest]
    assert found("--param", "lr=0.2") == [newest]
    assert found("--package", "mathy==1.0", "--param", "lr=0.1") == [oldest]
    assert found("--package", "mathy==3.0") == []
    assert found("--failed") == []
    assert found("--since", "1h", "--input", "data.csv") == [newest, oldest]
    digest = project.run("runs", "show", "--json").json()["record"]["data"]["outputs"]["value"][0]["blake3"]
    assert found("-o", digest) == [newest]
    project.run("runs", "export", "train~1", "-o", str(tmp_path / "run.json"))
    from fourfold.runs.export import read  # noqa: PLC0415

    assert read((tmp_path / "run.json").read_bytes()).id == oldest
    assert project.run("runs", "export", "--format", "markdown").stdout.startswith("# Run ")


def test_a_run_is_named_by_a_revision_as_for_explain(project: Sandbox, tmp_path: Path) -> None:
    project.commit("ran once")
    project.git("tag", "v1")
    project.gen({"params.yaml": "lr: 0.2\nseed: 1\n"})
    project.run("repro", "-q")
    project.commit("another rate")
    older, newer = (project.run("runs", "show", name, "--json").json()["id"] for name in ("train~1", "train"))
    for name, run in (("v1", older), ("HEAD~1:train", older), ("HEAD", newer), ("v1:train", older)):
        assert project.run("runs", "show", name, "--json").json()["id"] == run
    compared = project.run("runs", "diff", "v1", "HEAD", "--json").json()
    assert (compared["a"], compared["b"]) == (older, newer)
    assert project.run("runs", "diff", "HEAD", "--json").json()["a"] == older
    assert project.run("explain", "v1", "HEAD", "--json").json()["a"] == older
    project.run("runs", "export", "v1", "-o", str(tmp_path / "run.json"))
    assert f'"{older}"' in (tmp_path / "run.json").read_text()
    assert project.run("env", "show", "v1", "--json").json()["run"] == older
    project.git("tag", "feed", "v1")  # as the beginning of an id could be
    for code in ("v1", "feed"):
        found = project.run("runs", "find", "--code", code, "--json").json()["runs"]
        assert [one["id"] for one in found] == [newer]
    unknown = project.run("runs", "show", "HEAD~9", check=False)
    assert "no run, stage or revision 'HEAD~9'" in unknown.stderr
    none = project.run("runs", "diff", "HEAD~2", "HEAD", "--json", check=False).json()["error"]
    assert none["code"] == "no-run-in-revision"
    assert project.run("runs", "find", "--code", "v9", "--json", check=False).json()["error"]["hint"]


def test_a_stage_with_too_few_runs_is_not_taken_for_a_branch_of_its_name(project: Sandbox) -> None:
    for at in range(3):
        project.gen({"notes.md": f"{at}\n"})
        project.commit(f"note {at}")
    project.git("branch", "train")
    there = len(project.run("runs", "list", "--json").json()["runs"])
    for name in (f"train~{there}", f"@~{there}"):
        refused = project.run("runs", "show", name, "--json", check=False).json()["error"]
        assert refused["code"] == "not-so-many-runs"
    assert project.run("runs", "show", "heads/train~1", "--json").json()["record"]["stage"] == "train"
    near = project.run("runs", "show", "trian", "--json", check=False).json()["error"]
    assert near["hint"] == "did you mean 'train'?"


def test_of_a_revision_with_stages_of_which_none_is_the_last_these_are_named(
    tmp_path: Path, ff: Tool
) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen({"dvc.yaml": "stages:\n  a: {cmd: echo a > a, outs: [a]}\n  b: {cmd: echo b > b, outs: [b]}\n"})
    repo.run("repro", "-q")
    repo.commit("two ends")
    for command in (("runs", "show"), ("runs", "export"), ("runs", "diff"), ("explain",)):
        refused = repo.run(*command, "HEAD", "--json", check=False).json()["error"]
        assert (refused["code"], refused["hint"]) == ("stage-not-named", "name one: HEAD:a")
    shown = repo.run("runs", "show", "HEAD:b", "--json").json()
    assert shown["record"]["stage"] == "b"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["show", "nobody"], "run-not-found"),
        (["show", "train~9"], "not-so-many-runs"),
        (["show", "train~first"], "run-not-found"),
        (["diff", "train"], "run-not-found"),
        (["diff", "train", "0000"], "run-not-found"),
        (["find", "--since", "yesterday"], "bad-moment"),
        (["find", "--param", "lr"], "bad-condition"),
        (["find", "--seed", "x"], "bad-condition"),
        (["export", "-o", "train.py"], "run-export-exists"),
        (["export", "nobody"], "run-not-found"),
    ],
)
def test_what_cannot_be_done_is_a_typed_error_with_a_hint(
    project: Sandbox, arguments: list[str], code: str
) -> None:
    ran = project.run("runs", *arguments, "--json", check=False)
    assert ran.code not in {0, 3}
    assert ran.json()["error"]["code"] == code
    assert ran.json()["error"]["hint"]


def test_where_nothing_has_run_the_list_says_so(tmp_path: Path, ff: Tool) -> None:
    (tmp_path / "empty").mkdir()
    assert ff("runs", "list", cwd=tmp_path / "empty").stdout == "no run is recorded yet\n"
    assert ff("runs", "list", "--json", cwd=tmp_path / "empty").json() == {"runs": []}
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.parametrize(
    "command",
    [
        "runs show",
        "runs diff train",
        "explain",
        "replay train",
        "verify v1",
        "export",
        "attribute a b --metric m",
    ],
)
def test_where_nothing_was_recorded_every_command_says_so_and_what_records(
    tmp_path: Path, ff: Tool, command: str
) -> None:
    (tmp_path / "empty").mkdir()
    ran = ff(*command.split(), cwd=tmp_path / "empty", check=False)
    assert ran.code == 255
    assert ran.stderr.startswith("error: no run is recorded here\nhint: ff repro and ff run leave records")


def test_a_damaged_record_is_told_by_its_id_and_lists_go_on(project: Sandbox) -> None:
    project.run("repro", "-f", "-q")
    runs = project.run("runs", "list", "--json").json()["runs"]
    name = runs[1]["id"]
    path = project.path / ".dvc/fourfold/runs/records" / name[:2] / name[2:]
    path.chmod(0o644)
    path.write_bytes(b"{}")
    ran = project.run("runs", "show", name, "--json", check=False)
    assert ran.json()["error"]["code"] == "record-corrupt"
    listed = project.run("runs", "list")
    assert runs[0]["id"][:12] in listed.stdout
    assert name[:12] not in listed.stdout
    assert f"run {name[:12]} is damaged" in listed.stderr


@pytest.mark.parametrize(
    "strange",
    [
        None,
        7,
        "\x1b[31mred\n",
        [],
        [1, [2], {"path": 3}],
        {"files": 3, "count": "x"},
        {"part": "../x", "size": 1},
    ],
)
def test_a_record_with_facts_of_any_shape_breaks_no_command(tmp_path: Path, ff: Tool, strange: Any) -> None:
    records = records_in(tmp_path / ".fourfold")
    parts = Parts()
    whole = make(parts)
    odd = {name: dict.fromkeys(whole.section(name), observed(strange)) for name in (*COORDINATES, "trace")}
    records.append(lambda previous: whole._replace(previous=previous))
    records.append(lambda previous: whole._replace(previous=previous, **odd))
    for command in (
        ["list"],
        ["show"],
        ["show", "--parts"],
        ["diff", "--all"],
        ["diff", "@", "@~1"],
        ["export", "--format", "markdown"],
        ["find", "--output", "x", "--package", "numpy", "--param", "lr=1", "--input", "y"],
    ):
        ran = ff("runs", *command, cwd=tmp_path, check=False)
        assert ran.code in {0, 255}, ran
        assert "a bug in ff" not in ran.stderr


# --- beside the data --------------------------------------------------------------------------------------


def test_records_travel_with_the_data_and_neither_tool_collects_them(
    project: Sandbox, tmp_path: Path, ff: Tool, dvc: Tool
) -> None:
    remote = tmp_path / "remote"
    project.run("remote", "add", "-q", "-d", "store", str(remote))
    project.run("remote", "modify", "--local", "store", "url", str(remote))
    project.git("add", "-A")
    project.git("commit", "-qm", "two")
    project.run("repro", "-f", "-q")
    project.git("commit", "-qam", "three")
    assert project.run("push", "--no-records", "--json").json()["records"] == 0
    assert not (remote / "fourfold").exists()
    assert "2 run records pushed" in project.run("push").stdout
    assert project.run("push", "--json").json()["records"] == 0
    dvc("gc", "-w", "-c", "-f", cwd=project.path)
    project.run("gc", "-w", "-c", "-f")
    project.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone", ff)
    clone.run("remote", "modify", "--local", "store", "url", str(remote))
    assert "1 run record fetched" in clone.run("pull").stdout
    assert clone.run("pull").stdout == "Everything is up to date.\n"
    ours, theirs = (each.run("runs", "show", "train", "--json").stdout for each in (project, clone))
    assert ours == theirs
    assert clone.run("fetch", "--all-branches", "--json").json()["records"] == 1
    assert clone.run("runs", "diff", "train~1", "train").stdout.endswith("nothing differs but times\n")


def test_a_remote_without_records_and_one_that_is_gone_stop_no_pull(
    project: Sandbox, tmp_path: Path, ff: Tool
) -> None:
    remote = tmp_path / "remote"
    project.run("remote", "add", "-q", "-d", "store", str(remote))
    project.run("remote", "modify", "--local", "store", "url", str(remote))
    project.git("add", "-A")
    project.git("commit", "-qm", "two")
    project.run("push", "-q")
    shutil.rmtree(remote / "fourfold")
    project.git("clone", "-q", ".", str(tmp_path / "clone"))
    clone = Sandbox(tmp_path / "clone", ff)
    clone.run("remote", "modify", "--local", "store", "url", str(remote))
    ran = clone.run("pull", "--json")
    assert ran.json()["records"] == 0
    assert ran.stderr == ""


# --- secrets ----------------------------------------------------------------------------------------------

SECRETS = {
    "DB_PASSWORD": "correct-horse-Battery9",
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "DATABASE_URL": "postgres://ada:0pen5esame42@db.example.org/churn",
    "GITHUB_TOKEN": "ghp_" + "a1B2" * 9,
}
PLANTED = ("correct-horse-Battery9", "0123456789abcdef0123456789abcdef01234567", "0pen5esame42", "a1B2a1B2")


def holders(root: Path) -> list[str]:
    """The files of ours below a project that hold one of the secrets."""
    places = [root / ".dvc" / "fourfold", root / ".fourfold", root / "dvc.lock", root / "fourfold.lock"]
    files = [file for place in places for file in ([place] if place.is_file() else place.rglob("*"))]
    return [
        str(file.relative_to(root))
        for file in files
        if file.is_file() and any(secret.encode() in file.read_bytes() for secret in PLANTED)
    ]


def test_no_secret_of_the_environment_the_command_line_or_a_url_gets_into_a_file_of_ours(
    project: Sandbox,
) -> None:
    url = "https://ada:0pen5esame42@example.org/x?X-Amz-Signature=a1B2a1B2a1B2"
    project.git("remote", "add", "origin", "https://ada:0pen5esame42@example.org/churn.git")
    program = "import os, sys; os.environ.get('DB_PASSWORD'); open('o.txt', 'w').write('x')"
    arguments = ["--password", "correct-horse-Battery9", "--url", url, f"TOKEN={PLANTED[1]}"]
    ran = project.run(
        "run",
        "-o",
        "o.txt",
        "--env",
        "DB_PASSWORD",
        "--",
        sys.executable,
        "-c",
        program,
        *arguments,
        env=SECRETS,
    )
    assert not any(secret in ran.stdout + ran.stderr for secret in PLANTED)
    params = "lr: {api_key: hunter2hunter2}\nseed: 1\n"
    project.gen({"params.yaml": params, "train.py": f"# {PLANTED[0]}\n" + TRAIN})
    project.run("repro", "-f", env=SECRETS)
    assert holders(project.path) == []
    recorded = project.run("runs", "show", "train", "--json").json()["record"]["data"]["params"]["value"]
    assert recorded == {"params.yaml": {"lr": {"api_key": "***"}}}
    for command in (
        ["runs", "show", "@"],
        ["runs", "show", "@~1", "--json"],
        ["runs", "list"],
        ["op", "log"],
    ):
        assert not any(secret in project.run(*command).stdout for secret in PLANTED)
    shown = project.run("runs", "show", "@~1", "--json").json()["record"]
    assert "--password ***" in shown["command"][0]
    assert shown["code"]["remote"]["value"] == "https://example.org/churn.git"
    assert "DB_PASSWORD" in shown["trace"]["env"]["value"]["declared"]


def test_a_secret_that_a_stage_was_written_with_is_in_no_log_and_no_news(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.run("init", "-q", "--no-scm")
    command = "true --password correct-horse-Battery9 https://a:0pen5esame42@h/ && echo x > x.txt"
    repo.gen({"dvc.yaml": f"stages:\n  a:\n    cmd: {command}\n    outs: [x.txt]\n"})
    ran = repo.run("repro", "-v")
    assert "> true --password *** https://a:***@h/ && echo x > x.txt" in ran.stdout
    logs = [file.read_text() for file in (repo.path / ".dvc/fourfold/logs").rglob("*.log")]
    assert logs
    for text in (ran.stdout, ran.stderr, *logs, repo.run("runs", "show", "a", "--json").stdout):
        assert not any(secret in text for secret in PLANTED)
    assert PLANTED[0] in (repo.path / "dvc.lock").read_text()  # what was run: DVC's own format
