"""The code coordinate, against real repositories: the tree is the one of the commit made afterwards."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.fact import Section
from fourfold.runs.code import address, section, snapshot
from fourfold.runs.codetree import code_tree_of_commit
from fourfold.runs.observation import Access, Coverage, Observation, Trace
from fourfold.runs.place import Place
from fourfold.runs.task import Task
from fourfold.scm.git import Git
from tests.fixtures.sandbox import Sandbox, environment
from tests.runs.test_data import Shelf

CODE = {"train.py": "import helper\n", "helper.py": "x = 1\n", "src/model.py": "y = 2\n", "run.sh": "echo\n"}


class Scene:
    """A repository and what is kept of it."""

    def __init__(self, repo: Sandbox) -> None:
        self.repo = repo
        self.shelf = Shelf()
        self.environ = environment(repo.path.parent / "home")
        self.git = Git(str(repo.path), self.environ)

    def facts(self, *tracked: str, observation: Observation | None = None) -> Section:
        root = str(self.repo.path)
        place = Place(root, f"{root}/.fourfold", root, self.environ, SYSTEM, None, self.git)
        outs = tuple(f"{root}/{name}" for name in tracked)
        task = Task("stage", "train", ("true",), root, root, self.environ, tracked=outs)
        taken = snapshot(place, task, self.shelf)
        return section(taken, observation or Observation(Trace(Coverage("none"))), self.shelf)

    def tree(self, *tracked: str) -> str:
        found = self.facts(*tracked)["tree"]
        assert found.grade == "observed", found.why
        return str(found.value)

    def committed(self, *tracked: str, left_out: tuple[str, ...] = ()) -> str:
        """Commit everything, as people do afterwards; the code tree of that commit."""
        self.repo.git("add", "-A")
        self.repo.git("commit", "-q", "--allow-empty", "-m", "afterwards")
        head = self.git.head()
        assert head is not None
        return code_tree_of_commit(self.git, self.environ, head, outputs=tracked, left_out=left_out)

    def part(self, value: Any) -> Mapping[str, Any]:
        return self.shelf.kept[value["part"]]


@pytest.fixture
def scene(git_repo: Sandbox) -> Scene:
    git_repo.gen(CODE)
    git_repo.commit("first")
    return Scene(git_repo)


def seen(root: Path, *names: str, how: str = "read") -> Observation:
    accesses = tuple(Access(str(root / name), how) for name in sorted(names))  # type: ignore[arg-type]
    return Observation(Trace(Coverage("seccomp"), accesses))


def test_of_a_clean_repository_the_tree_is_gits_own(scene: Scene) -> None:
    facts = scene.facts()
    assert facts["tree"].value == scene.repo.git("rev-parse", "HEAD^{tree}").strip()
    assert facts["commit"].value == scene.repo.git("rev-parse", "HEAD").strip()
    assert facts["dirty"].value is False
    assert facts["changed"].value == []
    assert "objects" not in facts


def test_the_tree_is_that_of_the_commit_made_afterwards(scene: Scene) -> None:
    scene.repo.gen({"train.py": "changed\n", "new/deep/er.py": "n\n", "with space": "s", "ünï": "u"})
    (scene.repo.path / "helper.py").unlink()
    (scene.repo.path / "run.sh").chmod(0o755)
    (scene.repo.path / "link").symlink_to("train.py")
    scene.repo.git("add", "new")
    facts = scene.facts()
    assert facts["dirty"].value is True
    assert {row["path"]: row["status"] for row in facts["changed"].value} == {
        "helper.py": "deleted",
        "link": "untracked",
        "new/deep/er.py": "added",
        "run.sh": "modified",
        "train.py": "modified",
        "with space": "untracked",
        "ünï": "untracked",
    }
    assert facts["tree"].value == scene.committed()
    assert scene.tree() == facts["tree"].value


def test_what_runs_write_makes_no_other_tree(scene: Scene) -> None:
    before = scene.tree("metrics.json", "plots")
    scene.repo.gen(
        {
            "dvc.lock": "1",
            "sub/dvc.lock": "1",
            "fourfold.lock": "2",
            ".gitignore": "/model",
            "metrics.json": "{}",
            "plots/a.json": "{}",
            "__pycache__/helper.cpython-311.pyc": "b",
            "old.pyc": "b",
        }
    )
    assert scene.tree("metrics.json", "plots") == before
    assert scene.committed("metrics.json", "plots") == before
    assert scene.tree("metrics.json", "plots") == before
    assert scene.tree("metrics.json") != before


def test_a_file_too_large_to_be_code_is_named_and_left_out(scene: Scene) -> None:
    before = scene.tree()
    (scene.repo.path / "weights.bin").write_bytes(b"\0" * (10 * 1024 * 1024 + 1))
    facts = scene.facts()
    assert facts["left_out"].value == [
        {"path": "weights.bin", "size": 10 * 1024 * 1024 + 1, "why": "too large to be code"}
    ]
    assert facts["tree"].value == before == scene.committed(left_out=("weights.bin",))


def test_nothing_of_the_repository_is_written(scene: Scene) -> None:
    scene.repo.gen({"train.py": "changed\r\n", ".gitattributes": "*.py text=auto\n", "new.py": "n"})

    def state() -> dict[str, tuple[int, int]]:
        found = {}
        for folder, _, names in os.walk(scene.repo.path / ".git"):
            for name in names:
                about = os.stat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = (about.st_mtime_ns, about.st_size)
        return found

    before = state()
    scene.tree()
    assert state() == before


def test_what_the_commit_lacks_is_kept(scene: Scene) -> None:
    scene.repo.gen({"train.py": "changed\n", "raw.bin": b"\xff\0"})
    facts = scene.facts()
    kept = scene.part(facts["objects"].value)
    assert sorted(str(blob) for blob in kept["blobs"].values()) == [
        "{'base64': '/wA='}",
        "{'text': 'changed\\n'}",
    ]
    assert [row["path"] for row in kept["changes"]] == ["raw.bin", "train.py"]


def test_sources_are_what_was_really_read(scene: Scene) -> None:
    scene.repo.gen(
        {"unread.py": "u", ".gitignore": "secret_helper.py\n*.csv\n", "secret_helper.py": "z = 3\n"}
    )
    scene.repo.gen({"data.csv": "1", "notes.txt": "n"})
    root = scene.repo.path
    observation = seen(
        root, "train.py", "src/model.py", "secret_helper.py", "data.csv", "notes.txt", ".git/HEAD"
    )
    facts = scene.facts(observation=observation)
    assert facts["sources"].value["count"] == 4
    found = scene.part(facts["sources"].value["files"])
    assert sorted(found["files"]) == ["notes.txt", "secret_helper.py", "src/model.py", "train.py"]
    assert found["files"]["train.py"] == scene.repo.git("rev-parse", "HEAD:train.py").strip()
    assert found["ignored"] == ["secret_helper.py"]
    assert found["blobs"] == {found["files"]["secret_helper.py"]: {"text": "z = 3\n"}}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:token@host.example/x.git?private_token=1#a", "https://host.example/x.git"),
        ("https://ghp_abc@github.com/o/r", "https://github.com/o/r"),
        ("ssh://git:pw@host:22/x", "ssh://git@host:22/x"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("/home/me/repos/x", "~/repos/x"),
        ("/srv/git/x", "/srv/git/x"),
    ],
)
def test_no_address_tells_a_secret(url: str, shown: str) -> None:
    assert address(url, "/home/me") == shown
