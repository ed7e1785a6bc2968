"""The merge driver and the hooks, through the real Git."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from fourfold.formats.native.lockfile import LockDocument, LockStage, parse, render
from fourfold.project.merge import MergeConflictError, merge_file
from tests.fixtures.sandbox import Sandbox, Tool
from tests.project.workplace import Workplace


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


PIPELINE = """\
stages:
  a:
    cmd: echo ${a} > a
    outs: [a]
  b:
    cmd: cat a > b; echo ${b} >> b
    deps: [a]
    outs: [b]
  c:
    cmd: echo ${c} > c
    outs: [c]
  d:
    cmd: echo ${d} > d
    outs: [d]
"""


def _numbers(**values: int) -> str:
    # far enough from each other for Git to merge the lines
    return "".join(f"{key}: {values.get(key, 0)}\n\n\n\n\n" for key in "abcd")


@pytest.fixture
def lab(ff_repo: Sandbox) -> Sandbox:
    """A repository with four stages that ran, the driver installed, hooks away."""
    ff_repo.run("install")
    for hook in ("pre-commit", "post-checkout", "pre-push"):
        (ff_repo.path / ".git/hooks" / hook).unlink()
    ff_repo.gen({"dvc.yaml": PIPELINE, "params.yaml": _numbers()})
    ff_repo.run("repro")
    ff_repo.commit("base")
    return ff_repo


def _run_on_branch(repo: Sandbox, name: str, tree: Mapping[str, str]) -> None:
    repo.git("checkout", "-q", "-b", name, "main")
    repo.run("checkout")
    repo.gen(tree)
    repo.run("repro")
    repo.commit(name)


def test_lock_files_merge_stage_by_stage_and_dvc_finds_nothing_to_run(lab: Sandbox, real_dvc: str) -> None:
    more = PIPELINE.replace("stages:\n", "stages:\n  first: {cmd: echo > first, outs: [first]}\n")
    _run_on_branch(lab, "left", {"params.yaml": _numbers(a=1), "dvc.yaml": more})
    less = PIPELINE[: PIPELINE.index("  d:")]
    _run_on_branch(lab, "right", {"params.yaml": _numbers(c=2), "dvc.yaml": less})
    _merge(lab, "right")
    assert lab.git("diff", "--name-only", "--diff-filter=U") == ""
    lab.run("checkout")
    for command in (lab.tool.command, [real_dvc]):
        assert Tool(list(command), lab.tool.home, lab.tool.env)("status", "--json", cwd=lab.path).json() == {}


def test_a_stage_that_both_sides_ran_differently_is_named_and_the_rest_is_merged(lab: Sandbox) -> None:
    _run_on_branch(lab, "left", {"params.yaml": _numbers(b=1, c=1)})
    _run_on_branch(lab, "right", {"params.yaml": _numbers(b=2, d=1)})
    lab.git("checkout", "-q", "main")
    lab.git("merge", "-q", "left")
    lab.git("merge", "-q", "right", check=False)
    assert "dvc.lock" in lab.git("diff", "--name-only", "--diff-filter=U").split()
    lab.gen({"params.yaml": _numbers(b=3, c=1, d=1)})
    lab.run("checkout", "-f", "c", "d")
    ran = [stage["result"] for stage in lab.run("repro", "--json").json()["stages"]]
    assert ran == ["unchanged", "ran", "unchanged", "unchanged"]


def _lock(stages: str) -> bytes:
    """The lock file of some stages: ``a`` ran ``go``, ``a:x`` ran ``x``."""
    pairs = [stage.partition(":") for stage in stages.split()]
    text = "".join(f"  {name}:\n    cmd: {command or 'go'}\n" for name, _colon, command in pairs)
    return f"schema: '2.0'\nstages:\n{text}".encode()


def _sets(**names: int) -> bytes:
    lines = [f"- name: {name}\n  url: u\n  type: url\n  version: {at}\n" for name, at in names.items()]
    return f"schema: '2.0'\ndatasets:\n{''.join(lines)}stages:\n  a:\n    cmd: go\n".encode()


CLEAN = {
    "each changed another": (
        _lock("a b"),
        _lock("a:x b"),
        _lock("a b:y"),
        _lock("a:x b:y"),
    ),
    "both changed alike": (
        _lock("a b"),
        _lock("a:x b"),
        _lock("a:x b:y"),
        _lock("a:x b:y"),
    ),
    "one is gone there": (_lock("a b c"), _lock("a:x b c"), _lock("a c"), _lock("a:x c")),
    "one is gone here": (_lock("a b c"), _lock("a c"), _lock("a:x b c"), _lock("a:x c")),
    "gone on both sides": (_lock("a b c"), _lock("a b"), _lock("a:x b"), _lock("a:x b")),
    "all are gone": (_lock("a b"), _lock("a"), _lock("b"), b"schema: '2.0'\nstages: {}\n"),
    "both began it": (b"", _lock("a c"), _lock("b c"), _lock("a b c")),
    "new ones at their place": (_lock("a b"), _lock("a n b"), _lock("x a y b z"), _lock("x a n y b z")),
    "our order": (_lock("a b c"), _lock("c b a"), _lock("a b:x c"), _lock("c b:x a")),
    "data sets": (_sets(p=1, q=1), _sets(p=2, q=1), _sets(p=1, q=1, r=1), _sets(p=2, q=1, r=1)),
    "a data set is gone": (_sets(p=1, q=1), _sets(p=1), _sets(p=2, q=1), _sets(p=2)),
}


@pytest.mark.parametrize("case", CLEAN)
def test_entries_of_lock_files_merge_by_name(work: Workplace, case: str) -> None:
    base, ours, theirs, expected = CLEAN[case]
    assert merge_file(work.open(), base, ours, theirs, name="dvc.lock").data.decode() == expected.decode()


CONTESTED = {
    "both changed it": (
        _lock("a b"),
        _lock("a:x b"),
        _lock("a:y b:z"),
        ["a"],
        _lock("a:x b:z"),
    ),
    "gone here, changed there": (
        _lock("a b"),
        _lock("b"),
        _lock("a:y b:z"),
        ["a"],
        _lock("b:z"),
    ),
    "changed here, gone there": (
        _lock("a b"),
        _lock("a:x b"),
        _lock("b c"),
        ["a"],
        _lock("a:x b c"),
    ),
    "both began it differently": (b"", _lock("a"), _lock("a:y b"), ["a"], _lock("a b")),
    "a data set": (_sets(p=1), _sets(p=2), _sets(p=3, q=1), ["data set p"], _sets(p=2, q=1)),
}


@pytest.mark.parametrize("case", CONTESTED)
def test_what_contradicts_is_named_and_everything_else_is_merged(work: Workplace, case: str) -> None:
    base, ours, theirs, named, partial = CONTESTED[case]
    with pytest.raises(MergeConflictError, match=r"of dvc\.lock differ") as caught:
        merge_file(work.open(), base, ours, theirs, name="dvc.lock")
    assert list(caught.value.details) == named
    assert caught.value.partial == partial


@pytest.mark.parametrize(
    "side", [b"schema: '1.0'\n", b"schema: '2.0'\nstages: [", b"<<<<<<< ours\n", b"\xff"]
)
def test_a_side_that_cannot_be_read_is_a_conflict_and_changes_nothing(ff_repo: Sandbox, side: bytes) -> None:
    ff_repo.gen({"base": _lock("a"), "ours": _lock("a:x"), "theirs": side})
    ran = ff_repo.run(
        *[
            "git-hook",
            "merge-driver",
            "--ancestor",
            "base",
            "--our",
            "ours",
            "--their",
            "theirs",
            "--path",
            "dvc.lock",
        ],
        check=False,
    )
    assert ran.code == 1
    assert "warning: dvc.lock" in ran.stderr
    assert (ff_repo.path / "ours").read_bytes() == _lock("a:x")


RUN = "ab" * 32


@pytest.fixture
def work(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "place")


def _native(**seeds: int) -> bytes:
    return render(LockDocument({name: LockStage(RUN, seed=seed) for name, seed in seeds.items()}))


def test_fourfold_lock_merges_by_stage(work: Workplace) -> None:
    merged = merge_file(
        work.open(), _native(a=1, b=1, c=1), _native(a=2, b=1, c=1, z=1), _native(a=1, b=3, new=1), name="x"
    )
    assert merged.data == _native(a=2, b=3, new=1, z=1)


def test_a_stage_that_both_sides_ran_is_a_conflict_told_by_name_and_the_rest_is_merged(
    work: Workplace,
) -> None:
    with pytest.raises(MergeConflictError) as caught:
        merge_file(work.open(), _native(a=1, b=1), _native(a=2, b=1), _native(a=3, b=4), name="fourfold.lock")
    assert caught.value.details == ("a",)
    assert caught.value.partial == _native(a=2, b=4)


def test_git_merges_fourfold_lock_by_stage_with_the_driver_installed(ff_repo: Sandbox) -> None:
    ff_repo.run("install")
    for name, content in (("main", _native(a=1)), ("left", _native(a=1, b=1)), ("right", _native(a=1, c=1))):
        if name != "main":
            ff_repo.git("checkout", "-q", "-b", name, "main")
        (ff_repo.path / "fourfold.lock").write_bytes(content)
        ff_repo.commit(name)
    _merge(ff_repo, "right")
    assert sorted(parse(ff_repo.read("fourfold.lock")).stages) == ["a", "b", "c"]
