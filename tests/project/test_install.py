"""Install: hooks and the merge driver, once, beside what others put there, and Git runs them."""

import os
from pathlib import Path

import pytest

from fourfold.project.install import HOOKS, HookExistsError, install
from tests.fixtures.sandbox import Sandbox, Tool
from tests.project.workplace import Workplace


def test_hooks_are_executable_and_a_second_time_changes_nothing(work: Workplace) -> None:
    first = install(work.open())
    texts = {path: Path(path).read_bytes() for path in first.files}
    assert {os.path.basename(path) for path in first.files} == {*HOOKS, "attributes"}
    assert all(os.access(work.path(f".git/hooks/{name}"), os.X_OK) for name in HOOKS)
    assert install(work.open()) == first
    assert {path: Path(path).read_bytes() for path in first.files} == texts


def test_attributes_of_others_stay(work: Workplace) -> None:
    attributes = work.root / ".git/info/attributes"
    attributes.parent.mkdir(exist_ok=True)
    attributes.write_bytes(b"*.bin binary\n*.dvc merge=dvc\n\xff odd\n")
    install(work.open())
    assert attributes.read_bytes() == (
        b"*.bin binary\n*.dvc merge=dvc\n\xff odd\ndvc.lock merge=dvc\nfourfold.lock merge=fourfold\n"
    )


@pytest.mark.parametrize("name", HOOKS)
def test_a_hook_of_somebody_else_stops_it_before_anything_is_written(work: Workplace, name: str) -> None:
    hook = work.root / ".git/hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    before = work.text(".git/config")
    with pytest.raises(HookExistsError, match=name):
        install(work.open())
    assert hook.read_text() == "#!/bin/sh\n"
    assert work.text(".git/config") == before
    assert [other for other in HOOKS if other != name and work.exists(f".git/hooks/{other}")] == []


def test_the_pre_commit_tool_gets_an_entry_beside_those_of_others_and_only_once(work: Workplace) -> None:
    work.gen({".pre-commit-config.yaml": "# mine\nrepos:\n- repo: https://example.org/x\n  rev: v1\n"})
    install(work.open(), use_pre_commit_tool=True)
    install(work.open(), use_pre_commit_tool=True)
    text = work.text(".pre-commit-config.yaml")
    assert text.startswith("# mine\nrepos:\n- repo: https://example.org/x\n  rev: v1\n")
    assert text.count("ff git-hook pre-push") == 1
    assert not any(work.exists(f".git/hooks/{name}") for name in HOOKS)


def test_without_git_nothing_is_written(tmp_path: Path) -> None:
    work = Workplace(tmp_path, no_scm=True)
    assert install(work.open()).files == ()


def test_git_checks_data_out_pushes_it_and_stops_for_neither(
    ff_repo: Sandbox, tmp_path: Path, ff: Tool
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "ff").symlink_to(ff.command[0])
    ff_repo.tool.env["PATH"] = f"{folder}:{ff_repo.tool.env['PATH']}"
    ff_repo.run("remote", "add", "-d", "r", str(tmp_path / "remote"))
    ff_repo.gen({"f": "one\n"})
    ff_repo.run("add", "f")
    ff_repo.commit("one")
    ff_repo.run("install")
    ff_repo.gen({"f": "two\n"})
    ff_repo.run("add", "f")
    ff_repo.commit("two")
    ff_repo.git("checkout", "--quiet", "HEAD~1")
    assert ff_repo.text("f") == "one\n"
    ff_repo.git("checkout", "--quiet", "main")
    assert ff_repo.text("f") == "two\n"
    ff_repo.git("init", "--quiet", "--bare", str(tmp_path / "origin"))
    ff_repo.git("push", "--quiet", str(tmp_path / "origin"), "main")
    assert [path for path in (tmp_path / "remote").rglob("*") if path.is_file()]


def test_a_hook_in_a_repository_without_a_project_is_silent(git_repo: Sandbox, ff: Tool) -> None:
    for name in HOOKS:
        ran = ff("git-hook", name, "a", "b", "1", cwd=git_repo.path)
        assert (ran.code, ran.stdout) == (0, "")
