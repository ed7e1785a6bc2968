"""Git's questions and writes, against real repositories made by the git command."""

import os
import time
from pathlib import Path

import pytest

from fourfold.base.errors import UnsafeError
from fourfold.scm import process
from fourfold.scm.git import (
    Git,
    NotARepositoryError,
    ObjectMissingError,
    PathNotInRevisionError,
    UnknownRevisionError,
    find_root,
)
from fourfold.scm.process import GitNotInstalledError, GitOwnershipError
from tests.fixtures.sandbox import Sandbox, Tool

ODD = {
    "plain": "1",
    "with space": "2",
    "line\nfeed": "3",
    "quote'\"": "4",
    "ünï": "5",
    ":(glob)*": "6",
    "-dash": "7",
    "deep/er/file": "8",
    "empty": "",
}


@pytest.fixture
def repo(git_repo: Sandbox) -> Sandbox:
    git_repo.gen(ODD)
    git_repo.commit("first")
    return git_repo


@pytest.fixture
def git(repo: Sandbox, ff: Tool) -> Git:
    return Git(str(repo.path), ff.env)


def test_root_is_found_from_any_folder_below(repo: Sandbox) -> None:
    assert find_root(str(repo.path / "deep" / "er")) == str(repo.path)
    assert find_root(str(repo.path)) == str(repo.path)


def test_no_root_is_found_outside_of_a_repository(tmp_path: Path) -> None:
    (tmp_path / "x" / ".git").mkdir(parents=True)  # an empty .git is no repository
    assert find_root(str(tmp_path / "x")) is None


def test_opening_a_folder_without_a_repository_is_refused(tmp_path: Path, ff: Tool) -> None:
    with pytest.raises(NotARepositoryError, match="not a Git repository"):
        Git(str(tmp_path), ff.env)


def test_head_and_branch_are_read_loose_packed_and_detached(repo: Sandbox, git: Git) -> None:
    commit = repo.git("rev-parse", "HEAD").strip()
    assert (git.head(), git.branch()) == (commit, "main")
    repo.git("pack-refs", "--all")
    assert (git.head(), git.branch()) == (commit, "main")
    repo.git("checkout", "--quiet", "--detach")
    assert (git.head(), git.branch()) == (commit, None)


def test_a_repository_without_commits_has_no_head(git_repo: Sandbox, ff: Tool) -> None:
    git = Git(str(git_repo.path), ff.env)
    assert (git.head(), git.branch(), git.commits(), git.branches()) == (None, "main", [], [])
    with pytest.raises(UnknownRevisionError) as caught:
        git.resolve("HEAD")
    assert caught.value.hint == "there are no commits yet"


def test_names_of_branches_and_tags_are_those_of_git_loose_and_packed(repo: Sandbox, git: Git) -> None:
    for name in ("feature/x", "b"):
        repo.git("branch", name)
    repo.git("tag", "v1")
    repo.git("tag", "-a", "v2", "-m", "annotated")
    repo.git("pack-refs", "--all")
    repo.git("branch", "a")
    repo.git("branch", "-D", "b")
    assert git.branches() == repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads").split()
    assert git.tags() == ["v1", "v2"]
    assert git.tips(git.tags(), "tags") == {name: git.head() for name in ("v1", "v2")}


def test_a_linked_work_tree_reads_its_own_head_and_the_common_branches(
    repo: Sandbox, tmp_path: Path, ff: Tool
) -> None:
    repo.git("worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    linked = Git(str(tmp_path / "linked"), ff.env)
    assert (linked.branch(), linked.branches()) == ("other", ["main", "other"])
    assert linked.git_dir != linked.common_dir == str(repo.path / ".git")
    assert linked.read("HEAD", "plain") == b"1"


@pytest.mark.parametrize("spelling", ["HEAD", "main", "v1", "HEAD~0", "main@{0}", "short"])
def test_a_revision_is_resolved_in_every_spelling_of_git(repo: Sandbox, git: Git, spelling: str) -> None:
    repo.git("tag", "-a", "v1", "-m", "annotated")
    commit = repo.git("rev-parse", "HEAD").strip()
    assert git.resolve(commit[:8] if spelling == "short" else spelling) == commit


def test_a_branch_that_only_one_remote_has_is_resolved_by_its_name(repo: Sandbox, git: Git) -> None:
    commit = repo.git("rev-parse", "HEAD").strip()
    repo.git("update-ref", "refs/remotes/origin/topic/x", commit)
    assert git.resolve("topic/x") == commit


@pytest.mark.parametrize("rev", ["nope", "v1^{tree}x", "HEAD~99", "0" * 40, "HEAD:plain"])
def test_an_unknown_revision_is_a_typed_error(git: Git, rev: str) -> None:
    with pytest.raises(UnknownRevisionError, match="unknown Git revision"):
        git.resolve(rev)


@pytest.mark.parametrize("rev", ["--help", "-n", "", "a\nb", "a\0b"])
def test_text_that_git_could_take_for_an_option_is_refused(git: Git, rev: str) -> None:
    with pytest.raises(UnsafeError, match="not a revision"):
        git.resolve(rev)


def test_files_of_a_revision_come_raw_whatever_their_names(git: Git) -> None:
    wanted = [*ODD, "absent", "deep", "line\nabsent"]
    assert git.read_many("HEAD", wanted) == {name: text.encode() for name, text in ODD.items()}


def test_a_file_that_a_revision_lacks_is_a_typed_error(git: Git) -> None:
    with pytest.raises(PathNotInRevisionError, match="'absent' is not a file"):
        git.read("HEAD", "absent")
    with pytest.raises(UnknownRevisionError):
        git.read("1" * 40, "plain")


def test_binary_content_is_read_byte_for_byte(repo: Sandbox, git: Git) -> None:
    data = bytes(range(256)) * 300 + b"\r\n\n"
    (repo.path / "b1").write_bytes(data)
    (repo.path / "b2").write_bytes(data[::-1])
    repo.commit("binary")
    assert git.read_many("HEAD", ["b2", "b1"]) == {"b1": data, "b2": data[::-1]}


def test_the_tree_of_a_revision_is_listed_with_modes_and_sizes(repo: Sandbox, git: Git) -> None:
    (repo.path / "run.sh").write_text("x")
    (repo.path / "run.sh").chmod(0o755)
    (repo.path / "link").symlink_to("plain")
    repo.commit("more")
    entries = {entry.path: entry for entry in git.ls_tree("HEAD", sizes=True)}
    assert set(entries) == {*ODD, "run.sh", "link"}
    assert (entries["run.sh"].mode, entries["link"].mode, entries["plain"].mode) == (
        "100755",
        "120000",
        "100644",
    )
    assert (entries["plain"].size, entries["empty"].size) == (1, 0)
    assert [entry.path for entry in git.ls_tree("HEAD", "deep/")] == ["deep/er/file"]
    assert [entry.path for entry in git.ls_tree("HEAD", ":(glob)*")] == [":(glob)*"]
    folder = next(entry for entry in git.ls_tree("HEAD", recursive=False) if entry.path == "deep")
    assert folder.mode == "040000"
    with pytest.raises(UnknownRevisionError):
        git.ls_tree("1" * 40)


def test_every_commit_that_a_ref_reaches_is_listed_with_its_time(repo: Sandbox, git: Git) -> None:
    for number in range(3):
        repo.gen({"plain": str(number)})
        repo.commit(f"change {number}")
    repo.git("checkout", "--quiet", "-b", "side", "HEAD~2")
    repo.gen({"plain": "side"})
    repo.commit("side")
    repo.git("checkout", "--quiet", "main")
    listed = git.commit_times()
    assert {commit for commit, _ in listed} == set(repo.git("rev-list", "--all").split())
    assert all(when == 1704067200 for _, when in listed)
    assert git.commits() == [commit for commit, _ in listed]
    assert git.history("HEAD", 2) == repo.git("rev-list", "-2", "HEAD").split()


def test_a_commit_tells_author_time_and_message(repo: Sandbox, git: Git) -> None:
    repo.gen({"plain": "2"})
    repo.commit("subject\n\nbody ü")
    commit = git.commit("HEAD")
    assert commit.id == git.head()
    assert (commit.author, commit.time) == ("Ada Lovelace <ada@example.org>", 1704067200)
    assert commit.message == "subject\n\nbody ü\n"


def test_tracked_paths_are_told_as_they_were_asked(repo: Sandbox, git: Git) -> None:
    repo.gen({"new": ""})
    absolute = str(repo.path / "deep" / "er")
    asked = ["plain", "new", "deep", absolute, "-dash", ":(glob)*", "line\nfeed", "/etc", "../x", ".git/HEAD"]
    assert git.tracked(asked) == {"plain", "deep", absolute, "-dash", ":(glob)*", "line\nfeed"}


def test_ignored_paths_follow_gits_rules_at_every_depth(repo: Sandbox, git: Git) -> None:
    repo.gen(
        {
            ".gitignore": "*.log\n/build/\n:(glob)\\*\n",
            "deep": {".gitignore": "!keep.log\n"},
            "build": {"x": ""},
        }
    )
    asked = ["a.log", "deep/keep.log", "deep/er/b.log", "build", "build/x", "plain", "build2", "/etc/a.log"]
    absolute = str(repo.path / "a.log")
    assert git.ignored([*asked, absolute, ":(glob)*"]) == {
        "a.log", "deep/er/b.log", "build", "build/x", absolute, ":(glob)*",
    }  # fmt: skip
    assert git.ignored([":(glob)*", "a.log"], index=True) == {"a.log"}
    assert git.ignored([]) == set()


def test_a_path_behind_a_symbolic_link_is_not_ignored_and_spoils_no_other(repo: Sandbox, git: Git) -> None:
    repo.gen({".gitignore": "*.log\n"})
    (repo.path / "link").symlink_to("deep")
    assert git.ignored(["a.log", "link/b.log", "c.log"]) == {"a.log", "c.log"}


def test_files_of_a_name_are_found_in_every_folder_of_the_index(repo: Sandbox, git: Git) -> None:
    repo.gen(
        {"x.lock": "1", "a": {"x.lock": "2", "b": {"x.lock": "3", "no-x.lock": "4"}}, "x.lock.d": {"y": "5"}}
    )
    repo.git("add", "-A")
    repo.gen({"c": {"x.lock": "not added"}})
    assert sorted(git.tracked_called("x.lock")) == ["a/b/x.lock", "a/x.lock", "x.lock"]
    assert git.tracked_called("nobody.lock") == []


def test_untracked_files_are_listed_without_the_ignored(repo: Sandbox, git: Git) -> None:
    repo.gen({".gitignore": "*.log\n", "new ü": "", "a.log": ""})
    assert git.untracked() == [".gitignore", "new ü"]


def test_a_changed_file_makes_the_work_tree_dirty(repo: Sandbox, git: Git) -> None:
    assert not git.is_dirty()
    repo.gen({"untracked": ""})
    assert not git.is_dirty()
    repo.gen({"plain": "changed"})
    assert git.is_dirty()


def test_adding_stages_new_changed_and_removed_files_and_passes_over_ignored_ones(
    repo: Sandbox, git: Git
) -> None:
    repo.gen({".gitignore": "*.log\n", "a.log": "", "plain": "changed", ":(top)": "odd"})
    os.unlink(repo.path / "empty")
    paths = [".gitignore", "a.log", "plain", "empty", "never there", ":(top)"]
    git.add([str(repo.path / path) for path in paths])
    staged = repo.git("diff", "--cached", "--name-status", "-z").split("\0")
    assert staged == ["A", ".gitignore", "A", ":(top)", "D", "empty", "M", "plain", ""]


def test_settings_are_read_set_and_removed(repo: Sandbox, git: Git) -> None:
    assert git.config_get("merge.dvc.driver") is None
    driver = 'ff git-hook merge-driver --ancestor %O --our "%A" --their %B'
    git.config_set("merge.dvc.driver", driver)
    assert git.config_get("merge.dvc.driver") == driver
    assert repo.git("config", "merge.dvc.driver").rstrip("\n") == driver
    git.config_set("merge.dvc.driver", None)
    git.config_set("merge.dvc.driver", None)
    assert git.config_get("merge.dvc.driver") is None


def test_a_hooks_folder_of_the_user_is_told_although_we_run_no_hooks(repo: Sandbox, git: Git) -> None:
    repo.git("config", "core.hooksPath", "my/hooks")
    assert git.config_get("core.hooksPath") == "my/hooks"


def test_the_location_variables_of_a_hook_are_not_obeyed(repo: Sandbox, ff: Tool, tmp_path: Path) -> None:
    env = {
        **ff.env,
        "GIT_DIR": str(tmp_path / "elsewhere"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_WORK_TREE": "/",
    }
    assert Git(str(repo.path), env).tracked(["plain"]) == {"plain"}


def test_without_git_on_the_path_the_error_says_so(repo: Sandbox, ff: Tool) -> None:
    git = Git(str(repo.path), {**ff.env, "PATH": "bin:"})
    assert git.head() is not None
    with pytest.raises(GitNotInstalledError):
        git.resolve("main")


def test_gits_refusal_of_a_foreign_repository_is_a_typed_error_with_the_way_out(
    repo: Sandbox, ff: Tool
) -> None:
    git = Git(str(repo.path), {**ff.env, "GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"})
    for question in (
        lambda: git.resolve("main"),
        lambda: git.tracked(["plain"]),
        lambda: git.ignored(["x"]),
        lambda: git.read("main", "plain"),
    ):
        with pytest.raises(GitOwnershipError) as caught:
            question()
        assert f"safe.directory {repo.path}" in caught.value.hint


def test_a_thousand_files_are_read_by_one_process(repo: Sandbox, git: Git) -> None:
    repo.gen({"many": {f"{number}.dvc": f"outs: {number}\n" for number in range(1000)}})
    repo.commit("many")
    paths = [entry.path for entry in git.ls_tree("HEAD", "many/")]
    start = time.monotonic()
    assert len(git.read_many("HEAD", paths)) == 1000
    assert time.monotonic() - start < 5


def test_content_that_is_lost_is_not_mistaken_for_a_file_that_never_was(repo: Sandbox, git: Git) -> None:
    blob = repo.git("rev-parse", "HEAD:plain").strip()
    os.unlink(repo.path / ".git" / "objects" / blob[:2] / blob[2:])
    with pytest.raises(ObjectMissingError, match="'plain' in revision"):
        git.read_many("HEAD", ["deep/er/file", "plain"])
    assert git.read_many("HEAD", ["deep/er/file", "absent"]) == {"deep/er/file": b"8"}


def test_a_repository_of_long_ids_is_read_alike(tmp_path: Path, ff: Tool) -> None:
    repo = Sandbox(tmp_path / "long", ff)
    repo.git("init", "--quiet", "--object-format=sha256")
    repo.gen({"a": "1", "line\nfeed": "2"})
    commit = repo.commit()
    git = Git(str(repo.path), ff.env)
    assert (git.head(), len(commit)) == (commit, 64)
    assert git.read_many("HEAD", ["a", "line\nfeed", "no\nne"]) == {"a": b"1", "line\nfeed": b"2"}


def test_both_ways_to_start_git_give_the_same_answer(repo: Sandbox, ff: Tool) -> None:
    env = process.child_environment(ff.env)
    command = [process.git_command(env), "-C", str(repo.path), "hash-object", "--stdin"]
    data = os.urandom(300_000)
    assert process._spawn(command, env, data) == process._portable(command, env, data)
    wrong = [*command[:3], "rev-parse", "--verify", "nope"]
    assert process._spawn(wrong, env, b"") == process._portable(wrong, env, b"")
    assert process._spawn(wrong, env, b"").code == 128
