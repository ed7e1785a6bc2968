"""The merge driver and the hooks, through the real Git."""

from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox


@pytest.fixture
def shared(ff_repo: Sandbox) -> Sandbox:
    """A repository with a tracked directory on its first commit, the driver installed, hooks away."""
    ff_repo.run("install")
    for hook in ("pre-commit", "post-checkout", "pre-push"):
        (ff_repo.path / ".git/hooks" / hook).unlink()
    ff_repo.gen({"data": {"a": "1", "b": "2"}})
    ff_repo.run("add", "data")
    ff_repo.commit("base")
    return ff_repo


def _on_branch(repo: Sandbox, name: str, tree: dict[str, str]) -> None:
    repo.git("checkout", "-q", "-b", name, "main")
    repo.run("checkout")
    repo.gen({"data": tree})
    repo.run("add", "data")
    repo.commit(name)


def _merge(repo: Sandbox, name: str) -> str:
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "left")
    return repo.git("-c", "core.editor=true", "merge", "-q", name, check=False)


@pytest.fixture(autouse=True)
def our_command_on_path(ff_repo: Sandbox) -> None:
    """Git finds ``ff`` as its user's shell would."""
    folder = str(Path(ff_repo.tool.command[0]).parent)
    ff_repo.tool.env["PATH"] = f"{folder}:{ff_repo.tool.env['PATH']}"


def test_files_that_two_branches_added_to_a_directory_are_both_there_after_the_merge(shared: Sandbox) -> None:
    _on_branch(shared, "left", {"c": "3"})
    _on_branch(shared, "right", {"d": "4"})
    _merge(shared, "right")
    shared.run("checkout")
    assert sorted(path.name for path in (shared.path / "data").iterdir()) == ["a", "b", "c", "d"]
    assert shared.run("status", "--json").json() == {}


def test_a_file_that_both_branches_changed_is_a_conflict_that_is_named(shared: Sandbox) -> None:
    _on_branch(shared, "left", {"a": "left"})
    _on_branch(shared, "right", {"a": "right"})
    _merge(shared, "right")
    assert "data.dvc" in shared.git("diff", "--name-only", "--diff-filter=U")


def test_the_driver_is_what_dvc_would_find_and_hooks_of_others_are_left(ff_repo: Sandbox) -> None:
    hook = ff_repo.path / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho mine\n")
    ran = ff_repo.run("install", check=False)
    assert ran.code == 1
    assert "hook-exists" in ran.stderr
    assert hook.read_text() == "#!/bin/sh\necho mine\n"
    assert not (ff_repo.path / ".git/hooks/pre-commit").exists()
    hook.unlink()
    ff_repo.run("install")
    ff_repo.run("install")
    assert "git-hook merge-driver" in ff_repo.git("config", "merge.dvc.driver")


def test_lock_files_merge_stage_by_stage() -> None:
    from fourfold.project.merge import _merge_locks  # noqa: PLC0415 - the pure part, without a project

    def lock(**stages: str) -> bytes:
        text = "schema: '2.0'\nstages:\n"
        return (text + "".join(f"  {name}:\n    cmd: {cmd}\n" for name, cmd in stages.items())).encode()

    merged = _merge_locks(lock(a="go1", b="go1"), lock(a="go2", b="go1"), lock(a="go1", b="go3"), "dvc.lock")
    assert merged == lock(a="go2", b="go3")
    gone = _merge_locks(lock(a="go1", b="go1"), lock(a="go2", b="go1"), lock(a="go1"), "dvc.lock")
    assert gone == lock(a="go2")
