"""Loading what a project tracks, from the workspace and from revisions."""

import os
import subprocess
from pathlib import Path

import pytest

from fourfold.base.errors import InvalidFileError
from fourfold.base.ids import UnsafePathError
from fourfold.project.files import (
    BadOwnerNameError,
    OwnerFileNotFoundError,
    OwnerIgnoredByGitError,
    Tracking,
    load_file,
    load_tracked,
)
from fourfold.project.outs import DuplicateOutputError, OwnerInsideOutputError
from fourfold.project.revisions import Parsed, load_revision
from fourfold.scm.git import UnknownRevisionError
from tests.conftest import Tool
from tests.project.workplace import Workplace

OID = "d8e8fca2dc0f896fd7cb4cb0031ba249"
TREE = f"{OID}.dir"
OTHER = "acbd18db4cc2f85cedef654fccc4a4d8"


def pointer(name: str, oid: str = OID, wdir: str = "") -> str:
    return (
        f"wdir: {wdir}\n" if wdir else ""
    ) + f"outs:\n- md5: {oid}\n  size: 5\n  hash: md5\n  path: {name}\n"


def names(tracking: Tracking) -> list[str]:
    return [out.relpath for out in tracking.outs]


def test_pointer_files_are_found_in_every_folder_and_say_where_their_data_lies(work: Workplace) -> None:
    work.gen({"a.dvc": pointer("a"), "sub/b.dvc": pointer("b"), "sub/deep/c.dvc": pointer("c", wdir="..")})
    tracking = load_tracked(work.open())
    assert names(tracking) == ["a", "sub/b", "sub/c"]
    assert tracking.outs[0].oid == OID
    assert tracking.outs[0].owner.source == pointer("a").encode()


def test_the_walk_does_not_enter_what_is_tracked_ignored_or_another_project(work: Workplace) -> None:
    work.gen(
        {
            "data.dvc": pointer("data", TREE),
            "data/inner.dvc": pointer("x"),
            ".dvcignore": "skipped\n*.no.dvc\n",
            "skipped/a.dvc": pointer("a"),
            "b.no.dvc": pointer("b"),
            ".gitignore": "venv/\n/out.dvc\n",
            "venv/c.dvc": pointer("c"),
            "out.dvc": pointer("out"),
            "other/.dvc/config": "",
            "other/d.dvc": pointer("d"),
            "kept/e.dvc": pointer("e"),
        }
    )
    assert names(load_tracked(work.open())) == ["data", "kept/e"]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("data/**\n!data/**/\n!data/**/*.dvc\n", ["data/a", "data/deep/b"]),
        ("/data/*\n!/data/*.dvc\n", ["data/a"]),
        ("*.dvc\n!a.dvc\n", ["data/a"]),
        ("data\n", []),
        ("/deep\n", ["data/a", "data/deep/b"]),
        ("deep/\n", ["data/a"]),
    ],
)
def test_gitignore_rules_mean_what_they_mean_to_git(work: Workplace, rules: str, expected: list[str]) -> None:
    work.gen({".gitignore": rules, "data/a.dvc": pointer("a"), "data/deep/b.dvc": pointer("b")})
    found = names(load_tracked(work.open()))
    files = ["data/a.dvc", "data/deep/b.dvc"]
    asked = subprocess.run(
        ["git", "check-ignore", *files],
        cwd=work.root,
        env=work.environ,
        check=False,
        capture_output=True,
        text=True,
    )
    ignored = asked.stdout.split()
    assert found == [name[:-4] for name in files if name not in ignored] == expected


def test_rules_of_deeper_folders_and_of_the_repository_itself_count(work: Workplace) -> None:
    work.gen(
        {
            ".git/info/exclude": "private/\n",
            "private/a.dvc": pointer("a"),
            "sub/.gitignore": "b.dvc\n!c.dvc\n",
            ".gitignore": "c.dvc\n",
            "sub/b.dvc": pointer("b"),
            "sub/c.dvc": pointer("c"),
        }
    )
    assert names(load_tracked(work.open())) == ["sub/c"]


def test_symbolic_links_to_folders_are_not_followed(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.dvc").write_text(pointer("a"))
    os.symlink(tmp_path / "elsewhere", work.path("link"))
    assert names(load_tracked(work.open())) == []


def test_a_pointer_file_that_is_a_link_out_of_the_project_is_refused(work: Workplace, tmp_path: Path) -> None:
    (tmp_path / "a.dvc").write_text(pointer("a"))
    os.symlink(tmp_path / "a.dvc", work.path("a.dvc"))
    with pytest.raises(UnsafePathError):
        load_tracked(work.open())


def test_pipes_that_are_called_like_pointer_files_are_no_pointer_files(work: Workplace) -> None:
    os.mkfifo(work.path("a.dvc"))
    assert names(load_tracked(work.open())) == []


def test_a_broken_pointer_file_is_named_with_its_line(work: Workplace) -> None:
    work.gen({"sub/a.dvc": "outs:\n- md5: [\n"})
    with pytest.raises(InvalidFileError, match=r"sub/a\.dvc"):
        load_tracked(work.open())


def test_without_strictness_everything_that_can_be_read_is_and_the_errors_come_along(work: Workplace) -> None:
    work.gen({"a.dvc": "nonsense: 1\n", "b.dvc": pointer("b"), "c.dvc": pointer("../../c")})
    tracking = load_tracked(work.open(), strict=False)
    assert names(tracking) == ["b"]
    assert len(tracking.errors) == 2


def test_two_owners_of_one_output_are_refused(work: Workplace) -> None:
    work.gen({"a.dvc": pointer("x"), "b.dvc": pointer("x")})
    with pytest.raises(DuplicateOutputError):
        load_tracked(work.open())


def test_a_pointer_file_in_a_directory_that_a_deeper_one_tracks_is_refused(work: Workplace) -> None:
    work.gen({"z/far.dvc": pointer("data", TREE, wdir=".."), "data/dvc.yaml": "stages: {s: {cmd: x}}\n"})
    with pytest.raises(OwnerInsideOutputError):
        load_tracked(work.open())


def test_one_file_is_loaded_without_looking_at_the_others(work: Workplace) -> None:
    work.gen({"a.dvc": pointer("a"), "b.dvc": "nonsense: 1\n"})
    (owner,) = load_file(work.open(), work.path("a.dvc"))
    assert owner.outs[0].path == "a"


def test_a_file_that_cannot_be_loaded_says_why(work: Workplace) -> None:
    work.gen({".gitignore": "g.dvc\n", "g.dvc": pointer("g"), "a": "1", "a.dvc": pointer("a"), "d.dvc": {}})
    work.gen({".dvcignore": "i.dvc\n", "i.dvc": pointer("i")})
    project = work.open()
    with pytest.raises(OwnerFileNotFoundError, match="does not exist"):
        load_file(project, work.path("none.dvc"))
    with pytest.raises(OwnerFileNotFoundError, match="dvc-ignored"):
        load_file(project, work.path("i.dvc"))
    with pytest.raises(OwnerIgnoredByGitError):
        load_file(project, work.path("g.dvc"))
    with pytest.raises(BadOwnerNameError) as caught:
        load_file(project, work.path("a"))
    assert "'a.dvc'" in caught.value.hint
    with pytest.raises(BadOwnerNameError):
        load_file(project, work.path("d.dvc"))


PIPELINE = """\
stages:
  train:
    cmd: train
    wdir: sub
    deps: [in.csv, ../lib.py]
    outs:
    - model:
        cache: false
        persist: true
    metrics:
    - scores.json
  idle:
    cmd: rest
    frozen: true
  each:
    foreach: [one, two]
    do:
      cmd: echo ${item}
      outs:
      - out-${item}.txt:
          push: false
"""
LOCK = f"""\
schema: '2.0'
stages:
  train:
    cmd: train
    deps:
    - path: in.csv
      hash: md5
      md5: {OID}
      size: 5
    outs:
    - path: model
      hash: md5
      md5: {OID}
      size: 5
    - path: gone-since
      hash: md5
      md5: {OID}
  each@one:
    cmd: echo one
    outs:
    - path: out-one.txt
      hash: md5
      md5: {OID}
  stale:
    cmd: nothing
    outs:
    - path: nothing
      hash: md5
      md5: {OID}
"""


def test_a_stage_has_its_flags_from_dvc_yaml_and_its_hashes_from_dvc_lock(work: Workplace) -> None:
    work.gen({"p/dvc.yaml": PIPELINE, "p/dvc.lock": LOCK})
    tracking = load_tracked(work.open())
    train, idle, one, two = tracking.owners
    assert [out.relpath for out in tracking.outs] == [
        "p/sub/model",
        "p/sub/scores.json",
        "p/out-one.txt",
        "p/out-two.txt",
    ]
    model, scores, each, _two = (out.output for out in tracking.outs)
    assert (model.oid, model.cache, model.persist, model.metric) == (OID, False, True, False)
    assert (scores.oid, scores.metric) == (None, True)
    assert (each.oid, each.push) == (OID, False)
    assert [(dep.path, dep.oid) for dep in train.deps] == [("in.csv", OID), ("../lib.py", None)]
    assert (train.addressing, train.locked, idle.frozen, idle.locked) == (
        "p/dvc.yaml:train",
        True,
        True,
        False,
    )
    assert (one.name, one.cmd, one.locked, one.group) == ("each@one", "echo one", True, "each")
    assert (two.name, two.cmd, two.locked, two.group) == ("each@two", "echo two", False, "each")


def test_a_stage_without_a_lock_file_has_outputs_without_content(work: Workplace) -> None:
    work.gen({"dvc.yaml": PIPELINE})
    assert [out.oid for out in load_tracked(work.open()).outs] == [None] * 4


def test_a_revision_tracks_what_it_tracked_then(work: Workplace) -> None:
    work.gen({"a.dvc": pointer("a"), "sub/b.dvc": pointer("b"), "dvc.yaml": PIPELINE, "dvc.lock": LOCK})
    work.gen(
        {
            "other/.dvc/config": "",
            "other/d.dvc": pointer("d"),
            "sub/.dvcignore": "no*\n",
            "sub/no.dvc": pointer("n"),
        }
    )
    work.git("add", "--all", "--force")
    work.git("commit", "--quiet", "--message", "one")
    work.gen({"a.dvc": None, "c.dvc": pointer("c"), "dvc.yaml": None, "dvc.lock": None})
    project = work.open()
    then = load_tracked(project, "HEAD")
    assert sorted(names(then)) == [
        "a",
        "out-one.txt",
        "out-two.txt",
        "sub/b",
        "sub/model",
        "sub/scores.json",
    ]
    assert then.rev == work.git("rev-parse", "HEAD").strip()
    assert names(load_tracked(project)) == ["c", "sub/b"]


def test_a_project_below_the_root_of_its_repository_has_revisions_too(tmp_path: Path) -> None:
    outer = Workplace(tmp_path)
    outer.gen({"top.dvc": pointer("top"), "inner/.dvc/config": "", "inner/a.dvc": pointer("a")})
    outer.git("add", "--all")
    outer.git("commit", "--quiet", "--message", "one")
    assert names(load_tracked(outer.open("inner"), "HEAD")) == ["a"]
    assert names(load_tracked(outer.open(), "HEAD")) == ["top"]


def test_files_that_did_not_change_between_revisions_are_parsed_once(work: Workplace) -> None:
    work.gen({"a.dvc": pointer("a"), "b.dvc": pointer("b")})
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.gen({"b.dvc": pointer("b", OTHER)})
    work.git("commit", "--quiet", "--all", "--message", "two")
    parsed: Parsed = {}
    project = work.open()
    first = load_revision(project, "HEAD~1", parsed=parsed)
    second = load_revision(project, "HEAD", parsed=parsed)
    assert len(parsed) == 3
    assert first.owners[0] is second.owners[0]
    assert [out.oid for out in second.outs] == [OID, OTHER]


def test_an_unknown_revision_is_named(work: Workplace) -> None:
    with pytest.raises(UnknownRevisionError, match="nowhere"):
        load_tracked(work.open(), "nowhere")


def test_a_repository_of_the_real_dvc_is_loaded_whole(work: Workplace, dvc: Tool) -> None:
    work.gen({"f": "1", "d": {"a": "1", "b": "2"}, "sub/x y": "3", "params.yaml": "a: 1\n"})
    dvc("add", "f", "d", "sub/x y", cwd=work.root)
    dvc("stage", "add", "-n", "s", "-d", "f", "-o", "out", "-p", "a", "cp f out", cwd=work.root)
    dvc("repro", cwd=work.root)
    tracking = load_tracked(work.open())
    assert sorted(names(tracking)) == ["d", "f", "out", "sub/x y"]
    assert all(out.oid for out in tracking.outs)
