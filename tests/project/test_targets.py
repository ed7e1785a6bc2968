"""What the words on a command line stand for."""

import pytest

from fourfold.project.files import BadOwnerNameError, OwnerFileNotFoundError, load_tracked
from fourfold.project.targets import (
    GlobMatchesNothingError,
    StageNotFoundError,
    TargetNotFoundError,
    expand_globs,
    named_owners,
    one_owner,
    parse_target,
    select,
)
from tests.project.workplace import Workplace

OID = "d8e8fca2dc0f896fd7cb4cb0031ba249"


def pointer(name: str, oid: str = OID) -> str:
    return f"outs:\n- md5: {oid}\n  size: 5\n  hash: md5\n  path: {name}\n"


PIPELINE = """\
stages:
  prepare:
    cmd: prepare
    deps: [raw]
    outs: [clean]
  train:
    cmd: train
    deps: [clean/part]
    outs: [model]
  each:
    foreach: [one, two]
    do:
      cmd: echo ${item}
      outs: ['${item}.txt']
"""
LOCK = f"""\
schema: '2.0'
stages:
  each@one:
    cmd: echo one
    outs:
    - {{path: one.txt, hash: md5, md5: {OID}}}
  each@two:
    cmd: echo two
    outs:
    - {{path: two.txt, hash: md5, md5: {OID}}}
"""


@pytest.fixture
def full(work: Workplace) -> Workplace:
    work.gen(
        {
            "raw.dvc": pointer("raw"),
            "data.dvc": pointer("data", f"{OID}.dir"),
            "sub/b.dvc": pointer("b"),
            "sub/odd.dvc": pointer("other-name"),
            "dvc.yaml": PIPELINE,
            "dvc.lock": LOCK,
            "sub/dvc.yaml": "stages:\n  deep:\n    cmd: x\n    outs: [deep-out]\n",
        }
    )
    return work


def found(work: Workplace, *targets: str, cwd: str = "", **options: bool) -> list[str]:
    return [
        f"{one.owner.addressing} -> {', '.join(out.relpath for out in one.outs)}"
        + (f" [{one.inner}]" if one.inner else "")
        for one in select(work.open(cwd), targets, **options)
    ]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("raw.dvc", ["raw.dvc -> raw"]),
        ("raw", ["raw.dvc -> raw"]),
        ("./sub/../raw", ["raw.dvc -> raw"]),
        ("data", ["data.dvc -> data"]),
        ("data/", ["data.dvc -> data"]),
        ("data/a/b.txt", ["data.dvc -> data [a/b.txt]"]),
        ("sub/b", ["sub/b.dvc -> sub/b"]),
        ("sub/other-name", ["sub/odd.dvc -> sub/other-name"]),
        ("train", ["train -> model"]),
        ("dvc.yaml:train", ["train -> model"]),
        (":train", ["train -> model"]),
        ("model", ["train -> model"]),
        ("sub/dvc.yaml:deep", ["sub/dvc.yaml:deep -> sub/deep-out"]),
        ("sub/dvc.yaml", ["sub/dvc.yaml:deep -> sub/deep-out"]),
        ("each", ["each@one -> one.txt", "each@two -> two.txt"]),
        ("each@two", ["each@two -> two.txt"]),
        ("dvc.yaml:each@two", ["each@two -> two.txt"]),
    ],
)
def test_a_target_names(full: Workplace, target: str, expected: list[str]) -> None:
    assert found(full, target) == expected


def test_targets_are_read_from_where_the_user_stands(full: Workplace) -> None:
    assert found(full, "b", cwd="sub") == ["sub/b.dvc -> sub/b"]
    assert found(full, "../raw.dvc", cwd="sub") == ["raw.dvc -> raw"]
    assert found(full, "deep", cwd="sub") == ["sub/dvc.yaml:deep -> sub/deep-out"]
    assert found(full, "../data/x", cwd="sub") == ["data.dvc -> data [x]"]
    with pytest.raises(TargetNotFoundError):
        found(full, "train", cwd="sub")


def test_no_target_stands_for_everything(full: Workplace) -> None:
    assert len(found(full)) == 9


def test_a_folder_stands_for_the_owners_below_it_when_asked(full: Workplace) -> None:
    assert sorted(found(full, "sub", recursive=True)) == [
        "sub/b.dvc -> sub/b",
        "sub/dvc.yaml:deep -> sub/deep-out",
        "sub/odd.dvc -> sub/other-name",
    ]
    with pytest.raises(TargetNotFoundError):
        found(full, "sub")


def test_what_a_target_depends_on_comes_first_when_asked(full: Workplace) -> None:
    assert found(full, "train", with_deps=True) == ["raw.dvc -> raw", "prepare -> clean", "train -> model"]
    assert found(full, "model", with_deps=True) == ["raw.dvc -> raw", "prepare -> clean", "train -> model"]


def test_a_target_that_is_named_twice_counts_once_and_the_whole_swallows_its_parts(full: Workplace) -> None:
    assert found(full, "raw", "raw.dvc") == ["raw.dvc -> raw"]
    assert found(full, "data/a", "data/b") == ["data.dvc -> data [a]", "data.dvc -> data [b]"]
    assert found(full, "data/a", "data") == ["data.dvc -> data"]


def test_an_output_whose_pointer_file_is_called_like_it_costs_no_walk(full: Workplace) -> None:
    full.gen({"broken.dvc": "nonsense: 1\n"})
    assert found(full, "data/x", "raw", "sub/b.dvc") == [
        "data.dvc -> data [x]",
        "raw.dvc -> raw",
        "sub/b.dvc -> sub/b",
    ]


def test_targets_are_found_in_a_revision(full: Workplace) -> None:
    full.git("add", "--all")
    full.git("commit", "--quiet", "--message", "one")
    full.gen({"raw.dvc": None, "sub": None})
    project = full.open()
    then = load_tracked(project, "HEAD")
    assert [one.owner.addressing for one in select(project, ["raw", "sub/b.dvc"], tracking=then)] == [
        "raw.dvc",
        "sub/b.dvc",
    ]
    assert len(select(project, ["sub"], tracking=then, recursive=True)) == 3
    with pytest.raises(OwnerFileNotFoundError):
        select(project, ["none.dvc"], tracking=then)


@pytest.mark.parametrize(
    ("target", "error", "hint"),
    [
        ("rwa", TargetNotFoundError, "'raw'"),
        ("trian", TargetNotFoundError, "'train'"),
        ("dvc.yaml:trian", StageNotFoundError, "'train'"),
        ("untracked", TargetNotFoundError, "ff add untracked"),
        ("none.dvc", OwnerFileNotFoundError, ""),
        ("../raw", TargetNotFoundError, ""),
        ("../x.dvc", TargetNotFoundError, ""),
        ("dvc.lock", TargetNotFoundError, "dvc.yaml"),
        ("dvc.lock:train", TargetNotFoundError, "dvc.yaml:train"),
        ("data/../../x", TargetNotFoundError, ""),
    ],
)
def test_a_target_that_names_nothing_is_an_error_that_helps(
    full: Workplace, target: str, error: type[Exception], hint: str
) -> None:
    full.gen({"untracked": "1"})
    with pytest.raises(error) as caught:
        found(full, target)
    assert hint in getattr(caught.value, "hint", "")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("a.dvc", ("a.dvc", None)),
        ("dvc.yaml", ("dvc.yaml", None)),
        ("stage", (None, "stage")),
        ("sub/dvc.yaml:stage", ("sub/dvc.yaml", "stage")),
        (":stage", ("dvc.yaml", "stage")),
        ("stage@a:b", (None, "stage@a:b")),
        ("dvc.yaml:stage@a:b", ("dvc.yaml", "stage@a:b")),
        ("dir/file", (None, "dir/file")),
        ("C:/x", (None, "C:/x")),
        ("a:", (None, "a:")),
    ],
)
def test_a_target_is_split_as_dvc_splits_it(target: str, expected: tuple[str | None, str | None]) -> None:
    assert parse_target(target) == expected


def test_owners_are_named_by_files_and_stages_only(full: Workplace) -> None:
    project = full.open()
    assert one_owner(project, "raw.dvc").relpath == "raw.dvc"
    assert one_owner(project, "train").name == "train"
    assert len(named_owners(project, "dvc.yaml")) == 4
    assert [owner.name for owner in named_owners(project, "each")] == ["each@one", "each@two"]
    with pytest.raises(StageNotFoundError):
        named_owners(project, "each", groups=False)
    with pytest.raises(BadOwnerNameError) as caught:
        one_owner(project, "raw")
    assert "'raw.dvc'" in caught.value.hint
    with pytest.raises(StageNotFoundError):
        one_owner(project, "dvc.yaml")
    with pytest.raises(StageNotFoundError):
        one_owner(project, "nowhere")


def test_patterns_stand_for_the_paths_that_match(full: Workplace) -> None:
    full.gen({"d/a1": "", "d/a2": "", "d/deep/a3": ""})
    project = full.open()
    assert expand_globs(project, ["d/a*"]) == ["d/a1", "d/a2"]
    assert expand_globs(project, ["**/a3"]) == ["d/deep/a3"]
    with pytest.raises(GlobMatchesNothingError):
        expand_globs(project, ["z*"])
