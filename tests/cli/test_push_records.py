"""Run records go with the data of a revision, too: to another remote, from another remote, by Git's hook."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import find_ff
from tests.fixtures.sandbox import Sandbox, Tool

PIPELINE = """\
stages:
  make:
    cmd: tr a-z A-Z < raw.txt > made.txt
    deps: [raw.txt]
    outs: [made.txt]
  count:
    cmd: wc -c < made.txt > count.txt
    deps: [made.txt]
    outs: [count.txt]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two stages that ran at ``v1``, where ``make`` was verified, and again at ``v2``."""
    folder = tmp_path_factory.mktemp("push")
    repo = Sandbox(folder / "repo", Tool([find_ff()], folder / "home"))
    repo.git("init", "-q")
    repo.run("init", "-q")
    for version in ("v1", "v2"):
        repo.gen({"dvc.yaml": PIPELINE, "raw.txt": f"{version}\n"})
        repo.run("add", "-q", "raw.txt")
        repo.run("repro", "-q")
        if version == "v1":
            repo.run("verify", "make")
        repo.git("add", "-A")
        repo.git("commit", "-qm", version)
        repo.git("tag", version)
    return folder / "repo"


class Lab(Sandbox):
    """A repository with two remotes that are folders beside it: ``review``, the default one, and ``prod``."""

    def remotes(self) -> "Lab":
        for name in ("review", "prod"):
            self.run("remote", "add", "--local", name, str(self.path.parent / name))
        self.run("remote", "default", "--local", "review")
        return self

    def clone(self, name: str) -> "Lab":
        self.git("clone", "-q", ".", str(self.path.parent / name))
        return Lab(self.path.parent / name, self.tool).remotes()

    def records(self, kind: str = "records") -> set[str]:
        """The ids of what is here."""
        return _ids(self.path / ".dvc" / "fourfold" / "runs" / kind)

    def stored(self, remote: str, kind: str = "records") -> set[str]:
        """The ids of what is on a remote."""
        return _ids(self.path.parent / remote / "fourfold" / "runs" / kind)

    def named(self, rev: str) -> set[str]:
        """The runs that ``fourfold.lock`` names at a revision."""
        text = self.git("show", f"{rev}:fourfold.lock")
        return {line.split()[1] for line in text.splitlines() if line.strip().startswith("run: ")}


def _ids(folder: Path) -> set[str]:
    return {path.parent.name + path.name for path in folder.glob("*/*") if path.is_file()}


@pytest.fixture
def lab(template: Path, tmp_path: Path, ff: Tool) -> Lab:
    shutil.copytree(template, tmp_path / "repo", symlinks=True)
    return Lab(tmp_path / "repo", ff).remotes()


def test_the_records_of_a_revision_go_with_its_data_with_their_parts_statements_and_replays(lab: Lab) -> None:
    sent = lab.run("push", "--rev", "v1", "--to", "prod", "--json").json()
    stored = lab.stored("prod")
    assert lab.named("v1") < stored
    assert not stored & lab.named("v2")
    (replay,) = stored - lab.named("v1")
    assert lab.run("runs", "show", replay, "--json").json()["record"]["kind"] == "replay"
    assert sent["records"] == len(stored) == 3
    assert len([*(lab.path.parent / "prod/fourfold/runs/statements").rglob("*")]) > 1
    shown = lab.run("push", "--rev", "v1", "--to", "prod").stdout
    assert "made.txt of v1 is on 'prod'" in shown
    assert "records pushed" not in shown
    clone = lab.clone("clone")
    clone.git("checkout", "-q", "v1")
    clone.run("pull", "-r", "prod")
    assert clone.records() == stored
    found = clone.run("audit", "verify", "--json").json()
    assert (found["broken"], [one["kind"] for one in found["note"]]) == ([], ["chain-missing"])
    assert found["checked"]["statements"] == 1


def test_what_is_not_here_comes_from_the_remote_that_has_the_data(lab: Lab) -> None:
    lab.run("push", "--all-tags")
    clone = lab.clone("clone")
    assert clone.records() == set()
    assert clone.run("push", "--rev", "v1", "--to", "prod", "--json").json()["records"] == 3
    assert lab.stored("prod") > lab.named("v1")
    assert not lab.stored("prod") & lab.named("v2")
    other = lab.clone("other")
    ran = other.run("push", "--from", "review", "--rev", "v2", "--rev", "v1", "--to", "prod", "--json").json()
    assert ran["records"] == 2
    assert lab.stored("prod") >= lab.named("v1") | lab.named("v2")


def test_targets_choose_the_records_of_a_revision(lab: Lab) -> None:
    assert lab.run("push", "--rev", "v2", "--to", "prod", "count.txt", "--json").json()["records"] == 1
    (run,) = lab.stored("prod")
    assert lab.run("runs", "show", run, "--json").json()["record"]["stage"] == "count"
    lab.run("push", "--rev", "v2", "--to", "prod", "make")
    assert lab.stored("prod") == lab.named("v2")


def test_records_stay_where_they_are_when_they_are_not_wanted(lab: Lab) -> None:
    ran = lab.run("push", "--rev", "v1", "--to", "prod", "--no-records", "--json").json()
    assert (ran["records"], ran["pushed"]) == (0, 3)
    assert not (lab.path.parent / "prod" / "fourfold").exists()


def test_a_push_to_another_remote_sends_the_records_of_the_workspace(lab: Lab) -> None:
    lab.run("push", "--to", "prod")
    assert lab.stored("prod") == lab.records()


def test_data_that_is_promoted_without_revisions_takes_its_records_along(lab: Lab) -> None:
    lab.run("push", "--from", "review", "--to", "prod")
    assert lab.stored("prod") == lab.records()


def test_a_revision_without_records_and_one_whose_lock_cannot_be_read_stop_no_promotion(lab: Lab) -> None:
    lab.git("rm", "-q", "fourfold.lock")
    lab.git("commit", "-qm", "none")
    assert lab.run("push", "--rev", "HEAD", "--to", "prod", "--json").json()["records"] == 0
    lab.gen({"fourfold.lock": "schema: fourfold.lock/9\n"})
    lab.commit("later")
    ran = lab.run("push", "--rev", "HEAD", "--to", "prod")
    assert "run records were not sent: fourfold.lock of HEAD has schema" in ran.stderr


def test_the_hook_of_git_sends_records_with_the_data(lab: Lab) -> None:
    lab.run("git-hook", "pre-push", "origin", "url")
    assert lab.stored("review") == lab.records()
    assert lab.named("v2") <= lab.stored("review")
