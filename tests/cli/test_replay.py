"""``ff replay`` on the command line: what ran once runs again, apart from the workspace, and is compared."""

import hashlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool

TRAIN = """\
import json, random
rows = open("data.csv").read().splitlines()
open("model.txt", "w").write(f"{len(rows)} {random.random()}")
json.dump({"auc": random.random()}, open("metrics.json", "w"))
"""
PIPELINE = f"""\
stages:
  train:
    cmd: {sys.executable} train.py
    deps: [train.py, data.csv]
    outs: [model.txt]
    metrics: [metrics.json: {{cache: false}}]
"""


def start(folder: Path, ff: Tool, **files: object) -> Sandbox:
    """A project in Git with some files."""
    repo = Sandbox(folder, ff)
    repo.git("init", "-q")
    repo.run("init", "-q")
    repo.gen(files)
    return repo


def stage(name: str, cmd: str, *, deps: str = "", outs: str = "", more: str = "") -> str:
    """A stage of ``dvc.yaml`` that runs some Python."""
    return f"  {name}:\n    cmd: {sys.executable} {cmd}\n    deps: [{deps}]\n    outs: [{outs}]\n" + "".join(
        f"    {line}\n" for line in more.splitlines()
    )


def snapshot(folder: Path) -> dict[str, str]:
    """Every file of a workspace with its bytes, its times and kind; also Git's own."""
    found = {}
    for top, folders, files in os.walk(folder):
        if os.path.basename(top) == ".dvc":
            folders[:] = [name for name in folders if name not in {"fourfold", "tmp"}]
        for name in files:
            path = os.path.join(top, name)
            info = os.lstat(path)
            content = os.readlink(path).encode() if os.path.islink(path) else Path(path).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            found[os.path.relpath(path, folder)] = f"{digest} {info.st_mtime_ns} {info.st_mode}"
    return found


def left(repo: Sandbox, folder: str = ".dvc/fourfold/replays") -> list[str]:
    """What replays left behind."""
    path = repo.path / folder
    return sorted(os.listdir(path)) if path.exists() else []


@pytest.fixture
def project(tmp_path: Path, ff: Tool) -> Sandbox:
    """One stage that ran once and was committed."""
    repo = start(tmp_path / "repo", ff, **{"train.py": TRAIN, "data.csv": "1\n2\n", "dvc.yaml": PIPELINE})
    repo.run("add", "-q", "data.csv")
    repo.commit("zero")
    repo.run("repro", "-q")
    repo.commit("one")
    return repo


# -- what is put back ----------------------------------------------------------------------------------------


def test_a_replay_puts_back_code_data_and_seed_although_the_workspace_moved_on(project: Sandbox) -> None:
    project.gen({"train.py": "raise SystemExit(3)\n", "data.csv": "1\n2\n3\n"})
    project.run("add", "-q", "data.csv")
    before = snapshot(project.path)
    ran = project.run("replay", "train")
    assert "equal      model.txt" in ran.stdout
    assert "equal      metrics.json" in ran.stdout
    assert "seed" in ran.stdout
    assert snapshot(project.path) == before
    assert left(project) == []
    assert left(project, ".dvc/fourfold/runs/live") == []


def test_a_replay_is_a_record_of_its_own_that_differs_in_nothing_and_is_no_run_of_the_stage(
    project: Sandbox,
) -> None:
    first = project.run("runs", "show", "train", "--json").json()["id"]
    found = project.run("replay", "train", "--json").json()
    assert found["of"] == first
    assert found["equal"] is True
    record = project.run("runs", "show", found["run"], "--json").json()["record"]
    assert record["kind"] == "replay"
    assert record["trace"]["replay"]["value"] == {"of": first}
    assert project.run("runs", "show", "train", "--json").json()["id"] == first
    compared = project.run("runs", "diff", first, found["run"], "--json").json()
    assert compared["same"], compared
    assert compared["moved"] == compared["results"] == []


def test_a_run_before_the_first_commit_is_replayed_too(tmp_path: Path, ff: Tool) -> None:
    repo = start(tmp_path / "repo", ff, **{"train.py": TRAIN, "data.csv": "1\n2\n", "dvc.yaml": PIPELINE})
    repo.run("add", "-q", "data.csv")
    repo.run("repro", "-q")
    repo.commit("one")
    repo.gen({"train.py": "raise SystemExit(1)\n"})
    found = repo.run("replay", "train", "--json").json()
    assert found["equal"] is True
    compared = repo.run("runs", "diff", found["of"], found["run"], "--json").json()
    assert compared["same"], compared


def test_data_that_the_cache_lost_comes_from_the_remote(project: Sandbox, tmp_path: Path) -> None:
    project.run("remote", "add", "-d", "store", str(tmp_path / "store"))
    project.run("push", "-q")
    shutil.rmtree(project.path / ".dvc/cache")
    project.gen({"data.csv": "other\n"})
    found = project.run("replay", "train", "--json").json()
    assert found["equal"] is True
    assert found["borrowed"] == []


def test_data_that_only_the_workspace_still_has_is_taken_from_there_and_named(project: Sandbox) -> None:
    shutil.rmtree(project.path / ".dvc/cache")
    ran = project.run("replay", "train")
    assert "only the workspace still had data.csv" in ran.stdout


def test_data_that_nobody_has_any_more_is_named_and_nothing_runs(project: Sandbox) -> None:
    shutil.rmtree(project.path / ".dvc/cache")
    project.gen({"data.csv": "other\n"})
    ran = project.run("replay", "train", check=False)
    assert ran.code == 255
    assert "input 'data.csv' of the run cannot be had" in ran.stderr
    assert left(project) == []


def test_a_damaged_object_is_named_and_healed_by_the_remote(project: Sandbox, tmp_path: Path) -> None:
    project.run("remote", "add", "-d", "store", str(tmp_path / "store"))
    project.run("push", "-q")
    project.gen({"data.csv": "other\n"})
    for path in (project.path / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes() == b"1\n2\n":
            path.chmod(0o644)
            path.write_bytes(b"1\n9\n")
            path.chmod(0o444)
    ran = project.run("replay", "train")
    assert "is damaged" in ran.stderr
    assert "equal      model.txt" in ran.stdout


def test_a_damaged_object_that_nobody_can_heal_is_never_run_on(project: Sandbox) -> None:
    project.gen({"data.csv": "other\n"})
    for path in (project.path / ".dvc/cache/files/md5").rglob("*"):
        if path.is_file() and path.read_bytes() == b"1\n2\n":
            path.chmod(0o644)
            path.write_bytes(b"1\n9\n")
    ran = project.run("replay", "train", check=False)
    assert ran.code == 255
    assert "cannot be had" in ran.stderr


def test_code_that_was_never_committed_is_put_back_with_its_untracked_files(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "train.py": "raise SystemExit(1)\n",
            "dvc.yaml": "stages:\n" + stage("train", "train.py", deps="train.py", outs="out.txt"),
        },
    )
    repo.commit("one")
    repo.gen(
        {"train.py": "import part\nopen('out.txt', 'w').write(part.NAME)\n", "part.py": "NAME = 'then'\n"}
    )
    repo.run("repro", "-q")
    repo.gen({"train.py": "raise SystemExit(1)\n", "part.py": None})
    ran = repo.run("replay", "train")
    assert "equal      out.txt" in ran.stdout
    assert "with changes" in ran.stdout


def test_a_project_in_a_folder_of_the_repository_runs_there(tmp_path: Path, ff: Tool) -> None:
    top = Sandbox(tmp_path / "repo", ff)
    top.git("init", "-q")
    top.gen({"lib/shared.py": "WORD = 'shared'\n"})
    repo = Sandbox(tmp_path / "repo" / "sub", ff)
    repo.run("init", "-q", "--subdir")
    repo.gen(
        {
            "go.py": "import sys\nsys.path.insert(0, '../lib')\nimport shared\n"
            "open('out.txt', 'w').write(shared.WORD + open('../lib/shared.py').read())\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py, ../lib/shared.py", outs="out.txt"),
        }
    )
    repo.run("repro", "-q")
    top.commit("one")
    top.gen({"lib/shared.py": "WORD = 'other'\n"})
    before = snapshot(top.path)
    ran = repo.run("replay", "go")
    assert "equal      out.txt" in ran.stdout
    assert snapshot(top.path) == before


def test_a_stage_with_a_working_directory_runs_in_it(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "code/go.py": "import os\nopen('out.txt', 'w').write(os.path.basename(os.getcwd()))\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt", more="wdir: code"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("one")
    assert repo.run("replay", "go", "--json").json()["equal"] is True


def test_a_command_of_ff_run_is_replayed_with_what_it_was_seen_to_read(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "go.py": "import random\n"
            "open('out.txt', 'w').write(open('in.txt').read() + str(random.random()))\n",
            "in.txt": "a",
        },
    )
    repo.commit("one")
    repo.run("run", "-q", "--", sys.executable, "go.py")
    repo.gen({"in.txt": "b"})
    found = repo.run("replay", "@", "--json").json()
    assert [(one["path"], one["same"]) for one in found["outputs"]] == [("out.txt", True)]
    assert repo.text("in.txt") == "b"


def test_a_repository_that_is_no_project_replays_its_runs_too(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.git("init", "-q")
    repo.gen({"go.py": "import random\nopen('out.txt', 'w').write(str(random.random()))\n"})
    repo.commit("one")
    repo.run("run", "-q", "--", sys.executable, "go.py")
    repo.gen({"go.py": "raise SystemExit(1)\n"})
    found = repo.run("replay", "@", "--json").json()
    assert found["equal"] is True
    assert left(repo, ".fourfold/replays") == []


def test_folders_are_inputs_and_outputs_like_files(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "raw/a.txt": "a",
            "raw/deep/b.txt": "b",
            "go.py": "import os\nos.makedirs('out/deep')\n"
            "for name in ('a.txt', 'deep/b.txt'):\n"
            "    open('out/' + name, 'w').write(open('raw/' + name).read() * 2)\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py, raw", outs="out"),
        },
    )
    repo.run("add", "-q", "raw")
    repo.run("repro", "-q")
    repo.commit("one")
    repo.gen({"raw/a.txt": "other", "raw/deep": None})
    repo.run("add", "-q", "raw")
    assert repo.run("replay", "go", "--json").json()["equal"] is True


def test_a_cache_of_links_is_never_written_by_what_runs(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "data.txt": "data",
            "go.py": "import os\nos.chmod('data.txt', 0o644)\nopen('data.txt', 'a').write('more')\n"
            "open('out.txt', 'w').write('x')\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py, data.txt", outs="out.txt"),
        },
    )
    repo.run("config", "cache.type", "hardlink,symlink")
    repo.run("add", "-q", "data.txt")
    repo.gen({"go.py": "open('out.txt', 'w').write('x')\n"})
    repo.run("repro", "-q")
    repo.commit("one")
    repo.gen({"go.py": "import os\nos.chmod('data.txt', 0o644)\nopen('data.txt', 'a').write('more')\n"})
    before = snapshot(repo.path)
    repo.run("replay", "go")
    assert snapshot(repo.path) == before


def test_what_was_read_without_being_declared_and_nobody_has_is_named(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            ".gitignore": "/hidden.txt\n",
            "hidden.txt": "h",
            "go.py": "import os\nfound = os.path.exists('hidden.txt') and open('hidden.txt').read()\n"
            "open('out.txt', 'w').write(f'found {found}')\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("one")
    assert "only the workspace still had hidden.txt" in repo.run("replay", "go").stdout
    repo.gen({"hidden.txt": "other"})
    ran = repo.run("replay", "go", check=False)
    assert ran.code == 1
    assert "not had: hidden.txt" in ran.stdout
    assert "different  out.txt" in ran.stdout
    assert "the replay is not equal: out.txt" in ran.stderr


def test_what_a_replay_finds_in_the_workspace_above_it_is_named(tmp_path: Path, ff: Tool) -> None:
    look = (
        "import os\nfolder = os.getcwd()\n"
        "while not os.path.exists(folder + '/.settings') and folder != '/':\n"
        "    folder = os.path.dirname(folder)\n"
        "path = folder + '/.settings'\n"
        "open('out.txt', 'w').write(open(path).read() if os.path.exists(path) else '')\n"
    )
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "go.py": look,
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("one")
    repo.gen({".settings": "x"})
    ran = repo.run("replay", "go", check=False)
    assert ran.code == 1
    assert "it read .settings of the workspace" in ran.stderr


def test_what_a_replay_wrote_into_the_workspace_is_named(tmp_path: Path, ff: Tool) -> None:
    code = (
        "import os\nopen('out.txt', 'w').write('x')\nopen(os.environ['NOTES'] + '/notes', 'w').write('x')\n"
    )
    pipeline = "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt")
    repo = start(tmp_path / "repo", ff, **{"go.py": code, "dvc.yaml": pipeline})
    repo.tool.env["NOTES"] = str(repo.path)
    repo.run("repro", "-q")
    repo.commit("one")
    ran = repo.run("replay", "go", "--json")
    assert ran.json()["wrote"] == ["notes"]
    assert "it wrote notes of the workspace" in ran.stderr


def test_a_run_that_failed_is_replayed_and_equal_when_it_fails_again(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "go.py": "print('said by the stage')\nraise SystemExit(7)\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt"),
        },
    )
    repo.run("repro", "-q", check=False)
    repo.commit("one")
    ran = repo.run("replay", "go")
    assert "said by the stage" in ran.stdout


def test_a_replay_that_fails_says_so(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "go.py": "import os\nopen('out.txt', 'w').write('x')\n"
            "raise SystemExit(int(os.environ.get('BROKEN', '0')))\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("one")
    ran = repo.run("replay", "go", check=False, env={"BROKEN": "4"})
    assert ran.code == 1
    assert "ended with exit code 4, not 0" in ran.stderr


# -- where it runs -------------------------------------------------------------------------------------------


def test_into_a_folder_it_stays_there_as_a_repository_that_git_understands(
    project: Sandbox, tmp_path: Path
) -> None:
    into = Sandbox(tmp_path / "box", project.tool)
    project.gen({"train.py": "raise SystemExit(3)\n"})
    ran = project.run("replay", "train", "--into", "../box")
    assert "it stays in" in ran.stdout
    assert into.git("rev-parse", "HEAD") == project.git("rev-parse", "HEAD~1")
    assert into.git("status", "--porcelain") == ""
    assert into.text("train.py") == TRAIN
    assert into.git("log", "--oneline") == project.git("log", "--oneline", "HEAD~1")
    assert left(project) == []
    ran = project.run("replay", "train", "--into", "../box", check=False)
    assert ran.code == 255
    assert "not an empty directory" in ran.stderr


def test_a_kept_replay_survives_the_next_one(project: Sandbox) -> None:
    kept = project.run("replay", "train", "--keep", "--json").json()["folder"]
    project.run("replay", "train")
    assert (Path(kept) / "model.txt").read_text() == project.text("model.txt")


def test_what_a_killed_replay_left_is_swept_by_the_next(project: Sandbox) -> None:
    project.gen({".dvc/fourfold/replays/999999999-abc/tree/x": "x", ".dvc/fourfold/replays/odd": "x"})
    project.run("replay", "train")
    assert left(project) == []


def test_an_interrupt_leaves_nothing_but_a_record_that_says_so(tmp_path: Path, ff: Tool) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "go.py": "import os, time\nopen('out.txt', 'w').write('x')\n"
            "if os.environ.get('SLOW'):\n    print('now', flush=True)\n    time.sleep(60)\n",
            "dvc.yaml": "stages:\n" + stage("go", "go.py", deps="go.py", outs="out.txt"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("one")
    before = snapshot(repo.path)
    process = subprocess.Popen(
        [*ff.command, "replay", "go"],
        cwd=repo.path,
        env={**ff.env, "SLOW": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line == "now\n":
            break
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode not in {0, 1}
    assert left(repo) == []
    assert left(repo, ".dvc/fourfold/runs/live") == []
    assert snapshot(repo.path) == before
    states = [one["state"] for one in repo.run("runs", "list", "--json").json()["runs"]]
    assert "interrupted" in states


# -- how runs are named --------------------------------------------------------------------------------------


def test_a_run_is_named_by_id_stage_and_revision(project: Sandbox) -> None:
    first = project.run("runs", "show", "train", "--json").json()["id"]
    project.git("tag", "v1")
    project.gen({"data.csv": "1\n"})
    project.run("add", "-q", "data.csv")
    project.run("repro", "-q")
    project.commit("two")
    second = project.run("runs", "show", "train", "--json").json()["id"]
    for name, run in {
        first: first,
        first[:9]: first,
        "train": second,
        "train~1": first,
        "v1": first,
        "v1:train": first,
        "HEAD~1": first,
        "HEAD": second,
        "HEAD:train": second,
        project.git("rev-parse", "v1").strip(): first,
    }.items():
        assert project.run("replay", name, "--json").json()["of"] == run, name


def test_a_stage_goes_before_a_revision_of_its_name_and_heads_name_means_the_revision(
    project: Sandbox,
) -> None:
    first = project.run("runs", "show", "train", "--json").json()["id"]
    project.git("branch", "train")
    project.run("repro", "-q", "-f")
    second = project.run("runs", "show", "train", "--json").json()["id"]
    assert project.run("replay", "train", "--json").json()["of"] == second
    assert project.run("replay", "heads/train", "--json").json()["of"] == first


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nothing", "run-not-found", "no run, stage or revision 'nothing'"),
        ("HEAD:other", "no-run-in-revision", "no run of stage 'other'"),
        ("HEAD~1", "no-run-in-revision", "names a run"),
        ("-x:y", "run-not-found", "no run, stage or revision"),
    ],
)
def test_a_name_that_means_nothing_is_told_with_what_there_is(
    project: Sandbox, name: str, code: str, said: str
) -> None:
    head = project.git("rev-parse", "HEAD").strip()
    project.git("checkout", "-q", "--orphan", "side")
    project.git("rm", "-rq", "--cached", ".")
    project.git("commit", "-q", "--allow-empty", "-m", "empty")
    project.git("commit", "-q", "--allow-empty", "-m", "full")
    project.git("checkout", "-q", "-f", head)
    name = name.replace("HEAD~1", "side~1")
    ran = project.run("replay", "--", name, check=False)
    assert ran.code == 255
    assert f"code: {code}" in ran.stderr
    assert said in ran.stderr


def test_a_name_that_is_a_run_and_a_revision_is_ambiguous(project: Sandbox) -> None:
    first = project.run("runs", "show", "train", "--json").json()["id"]
    project.git("branch", first[:8])
    ran = project.run("replay", first[:8], check=False)
    assert ran.code == 255
    assert "code: run-ambiguous" in ran.stderr
    assert project.run("replay", first[:9], "--json").json()["of"] == first


def test_a_lock_file_of_a_revision_that_cannot_be_read_is_named(project: Sandbox) -> None:
    project.gen({"fourfold.lock": "schema: fourfold.lock/1\nstages: [1]\n"})
    project.commit("broken")
    ran = project.run("replay", "HEAD", check=False)
    assert ran.code == 255
    assert "code: bad-fourfold-lock" in ran.stderr


def test_a_run_outside_of_git_is_refused_with_the_reason(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "repo", ff)
    repo.run("init", "-q", "--no-scm")
    repo.gen({"go.py": "open('out.txt', 'w').write('x')\n"})
    repo.run("run", "-q", "--", sys.executable, "go.py")
    ran = repo.run("replay", "@", check=False)
    assert ran.code == 255
    assert "code: replay-without-code" in ran.stderr
    assert "no Git repository" in ran.stderr


def test_a_revision_of_several_stages_means_the_one_that_stands_on_all_others(
    tmp_path: Path, ff: Tool
) -> None:
    repo = start(
        tmp_path / "repo",
        ff,
        **{
            "copy.py": "import sys\nopen(sys.argv[2], 'w').write(open(sys.argv[1]).read())\n",
            "raw.txt": "raw",
            "dvc.yaml": "stages:\n"
            + stage("one", "copy.py raw.txt a.txt", deps="raw.txt", outs="a.txt")
            + stage("two", "copy.py a.txt b.txt", deps="a.txt", outs="b.txt"),
            "sub/dvc.yaml": "stages:\n"
            + stage("side", "../copy.py ../raw.txt c.txt", deps="../raw.txt", outs="c.txt"),
        },
    )
    repo.run("repro", "-q")
    repo.commit("two")
    two = repo.run("runs", "show", "two", "--json").json()["id"]
    assert repo.run("replay", "HEAD", "--json").json()["of"] == two
    assert repo.run("replay", "HEAD:one", "--json").json()["of"] != two
    assert repo.run("replay", "HEAD", "--pipeline", "--json").json()["equal"] is True
    assert repo.run("replay", "HEAD", "--pipeline", "--into", "x", check=False).code == 255
    repo.run("repro", "-q", "sub/dvc.yaml")
    repo.commit("side")
    side = repo.run("runs", "show", "sub/dvc.yaml:side", "--json").json()["id"]
    assert repo.run("replay", "HEAD:sub/dvc.yaml:side", "--json").json()["of"] == side
    ran = repo.run("replay", "HEAD", check=False)
    assert ran.code == 255
    assert "code: stage-not-named" in ran.stderr
    assert "HEAD:sub/dvc.yaml:side" in ran.stderr
    shutil.rmtree(repo.path / ".dvc/fourfold/runs/records")
    ran = repo.run("replay", "HEAD:one", check=False)
    assert ran.code == 255
    assert "is not here" in ran.stderr
    assert "ff pull" in ran.stderr


# -- archives ------------------------------------------------------------------------------------------------


def test_what_is_said_of_the_replay_of_an_archive_can_be_done(project: Sandbox) -> None:
    project.run("export", "train", "-o", "train.ffrun.zip")
    told = project.run("replay", "train.ffrun.zip").stdout
    assert "runs diff" not in told
    assert "keep both: --into <dir>" in told
    told = project.run("replay", "train.ffrun.zip", "--into", "with a blank").stdout
    hint = told.rpartition("compare: ")[2].strip()
    assert hint.startswith("ff --cd 'with a blank/archive' runs diff ")
    assert project.run(*shlex.split(hint)[1:]).stdout


def test_what_is_in_an_archive_is_kept_by_naming_a_folder(project: Sandbox) -> None:
    project.run("export", "train", "-o", "train.ffrun.zip")
    refused = project.run("replay", "train.ffrun.zip", "--keep", check=False)
    assert (refused.code, "keep it: --into <dir>" in refused.stderr) == (255, True)


def test_a_damaged_archive_leaves_nothing_in_the_folder_that_was_named(project: Sandbox) -> None:
    project.run("export", "train", "-o", "train.ffrun.zip")
    data = bytearray(project.read("train.ffrun.zip"))
    data[data.index(b"git/commits.pack") + 200] ^= 1
    project.gen({"train.ffrun.zip": bytes(data), "there/archive": {}})
    for folder in ("new", "there"):
        assert project.run("replay", "train.ffrun.zip", "--into", folder, check=False).code == 255
    assert not project.exists("new")
    assert os.listdir(project.path / "there") == ["archive"]
    assert os.listdir(project.path / "there/archive") == []


def test_an_archive_that_is_not_there_is_said_to_be_none(project: Sandbox) -> None:
    refused = project.run("replay", "gone.ffrun.zip", check=False)
    assert "no archive 'gone.ffrun.zip'" in refused.stderr


# -- what is told --------------------------------------------------------------------------------------------


def test_an_environment_that_is_not_recorded_is_not_called_as_recorded(tmp_path: Path, ff: Tool) -> None:
    repo = start(tmp_path / "repo", ff)
    repo.commit("one")
    repo.run("run", "-q", "--", "true", env={"FOURFOLD_TRACE": "off"})
    told = repo.run("replay", "@").stdout
    assert "environment  running, not compared" in told
    assert "nothing could be compared" in told
    assert "as recorded" not in told
    assert "the run recorded no outputs: how it ended is all that was compared" in told


def test_a_folder_that_came_out_is_named_by_its_content(tmp_path: Path, ff: Tool) -> None:
    code = "import os\nos.makedirs('out')\nopen('out/a', 'w').write('a')\n"
    pipeline = "stages:\n" + stage("go", "go.py", deps="go.py", outs="out")
    repo = start(tmp_path / "repo", ff, **{"go.py": code, "dvc.yaml": pipeline})
    repo.run("repro", "-q")
    repo.commit("one")
    (out,) = repo.run("replay", "go", "--json").json()["outputs"]
    assert out["before"] == out["after"] is not None
