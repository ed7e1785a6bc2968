"""The code coordinate, against real repositories: the tree is the one of the commit made afterwards."""

import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SYSTEM
from fourfold.formats.native.fact import Section
from fourfold.runs.code import address, section, snapshot
from fourfold.runs.coderestore import BadCodePartError, CodeTreeDiffersError, matches, restore
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


# --- odd repositories --------------------------------------------------------------------------------------


def test_before_the_first_commit_everything_is_untracked(tmp_path: Path, git_repo: Sandbox) -> None:
    fresh = Sandbox(tmp_path / "fresh", git_repo.tool)
    fresh.git("init", "-q", "-b", "main")
    fresh.gen(CODE)
    scene = Scene(fresh)
    facts = scene.facts()
    assert facts["commit"].grade == "absent"
    assert facts["branch"].value == "main"
    assert {row["status"] for row in facts["changed"].value} == {"untracked"}
    assert facts["tree"].value == scene.committed()


def test_without_git_sources_are_hashed_as_git_would(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("x\n")
    root = str(tmp_path)
    place = Place(root, f"{root}/.fourfold", root, {}, SYSTEM, None, None)
    shelf = Shelf()
    taken = snapshot(place, Task("command", "", ("x",), root, root, {}), shelf)
    facts = section(taken, seen(tmp_path, "train.py"), shelf)
    assert facts["tree"].grade == "absent"
    assert facts["tree"].why == "no Git repository"
    found = shelf.kept[facts["sources"].value["files"]["part"]]
    assert found["files"] == {"train.py": "587be6b4c3f93f93c489c0111bba5596147a26cb"}


def test_a_detached_head_has_no_branch(scene: Scene) -> None:
    scene.repo.git("checkout", "-q", "--detach")
    assert scene.facts()["branch"].grade == "absent"


def test_a_linked_work_tree_and_a_shallow_clone_are_as_any_other(scene: Scene, tmp_path: Path) -> None:
    scene.repo.gen({"more.py": "m"})
    scene.repo.commit("second")
    scene.repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "HEAD")
    scene.repo.git("clone", "-q", "--depth=1", f"file://{scene.repo.path}", str(tmp_path / "shallow"))
    for name in ("linked", "shallow"):
        other = Scene(Sandbox(tmp_path / name, scene.repo.tool))
        other.repo.gen({"new.py": "n"})
        assert other.tree() == other.committed()


def test_what_a_sparse_checkout_leaves_out_stands_as_in_the_commit(scene: Scene) -> None:
    whole = scene.tree()
    scene.repo.git("sparse-checkout", "set", "--no-cone", "/*.py")
    assert not scene.repo.exists("src/model.py")
    assert scene.tree() == whole
    assert scene.facts()["dirty"].value is False


def test_a_submodule_is_its_commit_and_whether_it_is_clean(scene: Scene, tmp_path: Path) -> None:
    inner = Sandbox(tmp_path / "inner", scene.repo.tool)
    inner.git("init", "-q")
    inner.gen({"lib.py": "1"})
    inner.commit("inner")
    scene.repo.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner.path), "lib")
    scene.repo.commit("with lib")
    clean = scene.facts()
    commit = scene.repo.git("-C", "lib", "rev-parse", "HEAD").strip()
    assert clean["submodules"].value == [{"path": "lib", "commit": commit, "dirty": False}]
    scene.repo.gen({"lib": {"lib.py": "2"}})
    dirty = scene.facts()
    assert dirty["submodules"].value == [{"path": "lib", "commit": commit, "dirty": True}]
    assert dirty["tree"].value == clean["tree"].value
    scene.repo.git("-C", "lib", "commit", "-q", "-am", "moved")
    moved = scene.facts()
    assert moved["submodules"].value[0]["commit"] != commit
    assert moved["tree"].value == scene.committed()


def test_a_repository_inside_that_is_no_submodule_is_its_commit(scene: Scene) -> None:
    scene.repo.git("init", "-q", "nested")
    scene.repo.gen({"nested": {"a": "1"}})
    scene.repo.git("-C", "nested", "add", "a")
    scene.repo.git("-C", "nested", "commit", "-q", "-m", "n")
    assert scene.tree() == scene.committed()


def test_line_ends_are_converted_as_git_does(scene: Scene) -> None:
    scene.repo.gen(
        {".gitattributes": "*.py text eol=crlf\n*.id ident\n", "crlf.py": "a\r\nb\r\n", "x.id": "$Id: z $\n"}
    )
    scene.repo.gen({"train.py": "changed\r\n"})
    facts = scene.facts()
    assert facts["tree"].value == scene.committed()
    assert {"text": "a\nb\n"} in scene.part(facts["objects"].value)["blobs"].values()


def test_autocrlf_is_obeyed(scene: Scene) -> None:
    scene.repo.git("config", "core.autocrlf", "true")
    scene.repo.gen({"train.py": "changed\r\n", "new.txt": "a\r\n", "binary": b"a\0\r\n"})
    assert scene.tree() == scene.committed()


def test_a_file_that_git_cannot_convert_stands_as_it_is(scene: Scene) -> None:
    scene.repo.gen(
        {".gitattributes": "*.utf working-tree-encoding=UTF-16\n", "a.utf": b"\xff", "b.py": "b\r\n"}
    )
    facts = scene.facts()
    assert facts["tree"].grade == "observed"
    assert {"base64": "/w=="} in scene.part(facts["objects"].value)["blobs"].values()


def test_objects_that_are_there_already_are_not_marked_as_used(scene: Scene) -> None:
    scene.repo.gen({".gitattributes": "* text=auto\n", "old.py": "a\n"})
    scene.repo.commit("old")
    (scene.repo.path / "old.py").unlink()
    scene.repo.commit("without")
    oid = scene.repo.git("rev-parse", "HEAD~1:old.py").strip()
    loose = scene.repo.path / ".git" / "objects" / oid[:2] / oid[2:]
    os.utime(loose, (1, 1))
    scene.repo.gen({"old.py": "a\r\n"})
    assert {"text": "a\n"} in scene.part(scene.facts()["objects"].value)["blobs"].values()
    assert loose.stat().st_mtime == 1


def test_no_filter_runs_and_its_files_are_named(scene: Scene) -> None:
    marker = scene.repo.path.parent / "ran"
    scene.repo.git("config", "filter.strip.clean", f"touch {marker}; cat")
    scene.repo.gen({".gitattributes": "*.nb filter=strip\n", "a.nb": "cells"})
    facts = scene.facts()
    assert not marker.exists()
    assert "strip" in facts["tree"].why


def test_large_file_storage_is_the_pointer_that_it_would_store(scene: Scene) -> None:
    pointer = (
        "version https://git-lfs.github.com/spec/v1\n"
        "oid sha256:f08f43c5072d20c2b0dc2c9b1ff6ba8d2d1a5f3bf8d4cd0e8a4e9f0f27a4f1b5\nsize 3\n"
    )
    scene.repo.git("config", "filter.lfs.clean", "false")
    scene.repo.gen({".gitattributes": "*.bin filter=lfs -text\n", "old.bin": pointer, "new.bin": "abc"})
    facts = scene.facts()
    kept = scene.part(facts["objects"].value)
    name = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    texts = [blob.get("text") for blob in kept["blobs"].values()]
    assert f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 3\n" in texts
    assert pointer in texts
    assert kept["lfs"] == {name: {"text": "abc"}}


def test_what_git_was_told_not_to_look_at_is_looked_at(scene: Scene) -> None:
    scene.repo.git("update-index", "--assume-unchanged", "train.py")
    scene.repo.gen({"train.py": "hidden change\n"})
    assert scene.repo.git("status", "--porcelain") == ""
    facts = scene.facts()
    assert facts["changed"].value == [{"path": "train.py", "status": "modified"}]
    scene.repo.git("update-index", "--no-assume-unchanged", "train.py")
    assert facts["tree"].value == scene.committed()


def test_a_merge_with_conflicts_is_what_lies_there(scene: Scene) -> None:
    scene.repo.git("checkout", "-q", "-b", "other")
    scene.repo.gen({"train.py": "other\n"})
    scene.repo.commit("other")
    scene.repo.git("checkout", "-q", "main")
    scene.repo.gen({"train.py": "main\n"})
    scene.repo.commit("main")
    scene.repo.git("merge", "other", check=False)
    assert "<<<<<<<" in scene.repo.text("train.py")
    assert scene.tree() == scene.committed()


def test_files_become_folders_and_folders_files(scene: Scene) -> None:
    (scene.repo.path / "helper.py").unlink()
    (scene.repo.path / "src" / "model.py").unlink()
    (scene.repo.path / "src").rmdir()
    scene.repo.gen({"helper.py": {"inside.py": "1"}, "src": "a file"})
    assert scene.tree() == scene.committed()


def test_names_of_all_kinds_are_taken(scene: Scene) -> None:
    names = {"line\nfeed.py": "1", "tab\t.py": "2", 'quote".py': "3", "-dash.py": "4", ":(glob)*.py": "5"}
    scene.repo.gen(names)
    raw = os.path.join(os.fsencode(str(scene.repo.path)), b"not-\xff-utf8.py")
    with open(raw, "wb") as file:
        file.write(b"6")
    (scene.repo.path / "/".join(["d"] * 300)).mkdir(parents=True)
    (scene.repo.path / "/".join(["d"] * 300) / "deep.py").write_text("7")
    assert scene.tree() == scene.committed()


def test_an_intended_file_and_a_staged_one_that_is_gone_are_what_lies_there(scene: Scene) -> None:
    scene.repo.gen({"intended.py": "1", "staged.py": "2", "kept.py": "3"})
    scene.repo.git("add", "-N", "intended.py")
    scene.repo.git("add", "staged.py")
    (scene.repo.path / "staged.py").unlink()
    scene.repo.git("rm", "-q", "--cached", "train.py")
    assert scene.tree() == scene.committed()


def test_what_may_hold_secrets_is_named_and_not_kept(scene: Scene) -> None:
    before = scene.tree()
    scene.repo.gen({".env": "TOKEN=hunter2", "id_rsa": "hunter2", "secrets.yaml": "hunter2"})
    facts = scene.facts()
    assert [row["path"] for row in facts["left_out"].value] == [".env", "id_rsa", "secrets.yaml"]
    assert facts["tree"].value == before
    assert "hunter2" not in str(scene.shelf.kept)


def test_an_environment_that_nobody_hid_is_no_code(scene: Scene) -> None:
    before = scene.tree()
    scene.repo.gen({"env": {"pyvenv.cfg": "home", "lib": {"a.py": "1", "b.py": "2"}}})
    scene.repo.gen({"web": {"node_modules": {"x": {"index.js": "1"}}}})
    facts = scene.facts()
    assert [(row["path"], row["why"]) for row in facts["left_out"].value] == [
        ("env", "an environment, 3 files"),
        ("web/node_modules", "an environment, 1 files"),
    ]
    assert facts["tree"].value == before == scene.committed(left_out=("env", "web/node_modules"))


def test_a_file_with_a_secret_of_the_environment_is_not_kept(scene: Scene) -> None:
    scene.environ["API_TOKEN"] = "Zq8!planted-value-77"
    scene.repo.gen({"conf.ini": "key = Zq8!planted-value-77\n", ".gitignore": "hidden.py\n"})
    scene.repo.gen(
        {"hidden.py": "KEY = 'Zq8!planted-value-77'\n", "k.txt": "-----BEGIN RSA PRIVATE KEY-----\n"}
    )
    facts = scene.facts(observation=seen(scene.repo.path, "hidden.py"))
    assert [row["path"] for row in facts["left_out"].value] == ["conf.ini", "k.txt"]
    assert scene.part(facts["sources"].value["files"])["files"] == {"hidden.py": None}
    assert "planted" not in str(scene.shelf.kept) + str(facts)


def test_whatever_people_do_the_tree_is_that_of_the_commit_made_afterwards(scene: Scene) -> None:
    draw = random.Random(7)
    names = [
        "a.py",
        "b.py",
        "d/a.py",
        "d/b.py",
        "d/e/c.py",
        "link",
        "d",
        "metrics.json",
        "dvc.lock",
        "x/dvc.lock",
    ]
    for _ in range(25):
        for _ in range(draw.randrange(1, 6)):
            _do_something(scene.repo, draw, names)
        before = scene.tree("metrics.json")
        assert scene.committed("metrics.json") == before
        assert scene.tree("metrics.json") == before


def _do_something(repo: Sandbox, draw: random.Random, names: list[str]) -> None:
    path = repo.path / draw.choice(names)
    act = draw.randrange(6)
    if path.is_symlink() or path.is_file():
        if act == 0 and not path.is_symlink():
            path.chmod(0o755 if draw.random() < 0.5 else 0o644)
        elif act == 1:
            repo.git("rm", "-q", "--cached", "--ignore-unmatch", "-f", str(path))
        elif act == 2:
            repo.git("add", "--", str(path))
        else:
            path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    elif not any(parent.is_file() or parent.is_symlink() for parent in path.parents):
        path.parent.mkdir(parents=True, exist_ok=True)
        if act == 0:
            path.symlink_to("a.py")
        else:
            path.write_text(str(draw.random()))


def test_a_repository_that_git_refuses_is_absent_with_its_reason(scene: Scene) -> None:
    (scene.repo.path / ".git" / "index").write_bytes(b"broken")
    facts = scene.facts()
    assert facts["tree"].grade == "absent"
    assert "index" in facts["tree"].why


def test_a_tree_of_sha256_is_one_too(tmp_path: Path, git_repo: Sandbox) -> None:
    other = Sandbox(tmp_path / "long", git_repo.tool)
    other.git("init", "-q", "--object-format=sha256")
    other.gen(CODE)
    scene = Scene(other)
    first = scene.tree()
    assert len(first) == 64
    assert first == scene.committed()
    other.gen({"train.py": "changed"})
    assert scene.tree() == scene.committed()


def test_a_project_below_the_root_of_its_repository_records_the_whole_repository(scene: Scene) -> None:
    scene.repo.gen({"sub": {"metrics.json": "{}", "x.py": "1"}})
    root = str(scene.repo.path / "sub")
    place = Place(root, f"{root}/.fourfold", root, scene.environ, SYSTEM, None, scene.git)
    task = Task(
        "stage", "a", ("x",), root, root, scene.environ, tracked=(f"{root}/metrics.json", f"{root}/m.dvc")
    )
    facts = snapshot(place, task, scene.shelf).facts
    assert facts["folder"].value == "sub"
    assert facts["outputs"].value == ["sub/metrics.json"]
    assert [row["path"] for row in facts["changed"].value] == ["sub/x.py"]
    assert facts["tree"].value == scene.committed("sub/metrics.json")


def test_a_file_that_only_became_a_program_is_kept_as_one(scene: Scene, tmp_path: Path) -> None:
    (scene.repo.path / "run.sh").chmod(0o755)
    facts = scene.facts()
    restore(scene.git, scene.environ, facts, lambda name: scene.shelf.kept[name], str(tmp_path / "again"))
    assert (tmp_path / "again" / "run.sh").stat().st_mode & 0o100


def test_a_second_look_sees_what_changed_since_the_first(scene: Scene) -> None:
    for content in ("one\n", "two\n", "tri\n"):
        scene.repo.gen({"train.py": content, "new.py": content})
        facts = scene.facts()
        blobs = [blob["text"] for blob in scene.part(facts["objects"].value)["blobs"].values()]
        assert blobs == [content]
    scene.repo.git("checkout", "-q", "train.py")
    (scene.repo.path / "new.py").unlink()
    assert scene.facts()["dirty"].value is False
    scene.repo.git("commit", "-q", "--allow-empty", "-m", "x")
    assert scene.facts()["commit"].value == scene.git.head()


# --- again -------------------------------------------------------------------------------------------------


def test_a_fresh_clone_gets_the_files_of_the_run_again(scene: Scene, tmp_path: Path) -> None:
    scene.repo.gen({".gitattributes": "*.txt text eol=crlf\n", "a.txt": "1\r\n", "old/b.bin": b"\xff\0"})
    scene.repo.commit("second")
    scene.repo.gen(
        {"train.py": "dirty\n", "new/x.py": "n\n", "a.txt": "2\r\n", "big.bin": b"\0" * (11 << 20)}
    )
    (scene.repo.path / "helper.py").unlink()
    (scene.repo.path / "run.sh").chmod(0o755)
    (scene.repo.path / "link").symlink_to("train.py")
    facts = scene.facts()
    scene.repo.git("clone", "-q", str(scene.repo.path), str(tmp_path / "clone"))
    clone = Git(str(tmp_path / "clone"), scene.environ)
    folder = tmp_path / "again"
    done = restore(clone, scene.environ, facts, lambda name: scene.shelf.kept[name], str(folder))
    assert done.tree == facts["tree"].value
    assert done.left_out == ("big.bin",)
    mine = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    theirs = {
        str(path.relative_to(scene.repo.path)): path.read_bytes()
        for path in scene.repo.path.rglob("*")
        if path.is_file() and ".git" not in path.parts and path.name != "big.bin"
    }
    assert mine == theirs
    assert (folder / "run.sh").stat().st_mode & 0o100
    assert (folder / "link").is_symlink()
    assert scene.repo.git("-C", str(tmp_path / "clone"), "status", "--porcelain") == ""


def test_a_commit_is_the_code_of_a_run_or_is_not(scene: Scene) -> None:
    scene.repo.gen({"train.py": "dirty\n", "big.bin": b"\0" * (11 << 20)})
    facts = scene.facts("metrics.json")

    def is_it() -> bool:
        head = scene.git.head()
        assert head is not None
        return matches(scene.git, scene.environ, facts, head, lambda name: scene.shelf.kept[name])

    assert not is_it()
    scene.repo.gen({"metrics.json": "{}", "dvc.lock": "x"})
    scene.repo.commit("afterwards")
    assert is_it()
    scene.repo.gen({"train.py": "dirtier\n"})
    scene.repo.commit("later")
    assert not is_it()


@pytest.mark.parametrize(
    "spoil",
    [
        {"path": "../outside.py", "mode": "100644", "oid": "0" * 40},
        {"path": ".git/hooks/x", "mode": "100755", "oid": "0" * 40},
        {"path": "a", "mode": "040000", "oid": "0" * 40},
        {"path": "a", "mode": "100644", "oid": "../../x"},
        "nothing",
    ],
)
def test_an_altered_part_writes_nothing(scene: Scene, tmp_path: Path, spoil: Any) -> None:
    scene.repo.gen({"train.py": "dirty\n"})
    facts = scene.facts()

    def altered(name: str) -> Mapping[str, Any]:
        document = dict(scene.shelf.kept[name])
        return document | {"changes": [*document["changes"], spoil]}

    with pytest.raises(BadCodePartError):
        restore(scene.git, scene.environ, facts, altered, str(tmp_path / "again"))
    with pytest.raises(CodeTreeDiffersError):
        restore(
            scene.git,
            scene.environ,
            facts,
            lambda name: {**scene.shelf.kept[name], "changes": []},
            str(tmp_path / "again"),
        )
    assert not (tmp_path / "again").exists()
