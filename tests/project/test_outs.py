"""Where outputs may lie."""

import os
from pathlib import Path

import pytest

from fourfold.base.ids import Oid, UnsafePathError
from fourfold.formats.dvc.pointer import Output
from fourfold.project.outs import (
    DuplicateOutputError,
    OverlappingOutputError,
    Owner,
    OwnerInsideOutputError,
    Tracked,
    address,
    check_overlaps,
    check_parents,
    is_owner_file,
    place,
    working_dir,
)

ROOT = "/repo"
OID = Oid("0" * 32)


def owner(file: str, *paths: str, wdir: str = "") -> Owner:
    folder = os.path.dirname(f"{ROOT}/{file}")
    outs = tuple(Output(path, OID) for path in paths)
    return Owner(f"{ROOT}/{file}", file, None, os.path.normpath(os.path.join(folder, wdir)), outs)


def placed(*owners: Owner) -> list[Tracked]:
    return [out for one in owners for out in place(ROOT, one)]


@pytest.mark.parametrize(
    ("file", "written", "wdir", "expected"),
    [
        ("a.dvc", "a", "", "a"),
        ("sub/a.dvc", "a", "", "sub/a"),
        ("sub/a.dvc", "../b/a", "", "b/a"),
        ("sub/a.dvc", "a", "..", "a"),
        ("a.dvc", "x/../y", "", "y"),
        ("a.dvc", "./a", "", "a"),
        ("a.dvc", ".dvc-data", "", ".dvc-data"),
    ],
)
def test_an_output_lies_where_its_owner_and_its_working_directory_say(
    file: str, written: str, wdir: str, expected: str
) -> None:
    (out,) = placed(owner(file, written, wdir=wdir))
    assert (out.relpath, out.path) == (expected, f"{ROOT}/{expected}")


@pytest.mark.parametrize(
    "written",
    ["../a", "x/../../a", ".", "..", ".git/config", ".dvc/config", "sub/.git/x", ".GIT/hooks", "a\0b"],
)
def test_an_output_that_leaves_the_project_or_names_a_folder_of_git_is_refused(written: str) -> None:
    with pytest.raises(UnsafePathError):
        placed(owner("a.dvc", written))


@pytest.mark.parametrize("written", ["s3://bucket/key", "remote://name/x", "/etc/passwd", "ssh://h/x"])
def test_an_output_outside_of_the_project_is_reported_and_has_no_path(written: str) -> None:
    (out,) = placed(owner("a.dvc", written))
    assert (out.external, out.path, out.relpath) == (True, "", written)


@pytest.mark.parametrize("wdir", ["..", "/tmp", ".git", "../.."])
def test_a_working_directory_outside_of_the_project_is_refused(wdir: str) -> None:
    with pytest.raises(UnsafePathError):
        working_dir(ROOT, f"{ROOT}/a.dvc", wdir)


def test_a_working_directory_may_be_the_root() -> None:
    assert working_dir(ROOT, f"{ROOT}/sub/a.dvc", "..") == ROOT


def test_two_owners_of_one_path_are_refused_and_both_are_named() -> None:
    with pytest.raises(DuplicateOutputError) as caught:
        check_overlaps(placed(owner("a.dvc", "x"), owner("b.dvc", "x")))
    assert caught.value.details == ("a.dvc", "b.dvc")


def test_outputs_within_outputs_are_refused_whatever_sorts_between_them() -> None:
    check_overlaps(placed(owner("a.dvc", "x"), owner("b.dvc", "x-1"), owner("c.dvc", "x.y/z")))
    with pytest.raises(OverlappingOutputError):
        check_overlaps(placed(owner("a.dvc", "x"), owner("b.dvc", "x-1"), owner("c.dvc", "x/y/z")))


def test_a_pointer_file_inside_a_tracked_directory_is_refused() -> None:
    inner = owner("x/y/b.dvc", "../../z")
    with pytest.raises(OwnerInsideOutputError, match=r"x/y/b\.dvc"):
        check_overlaps(placed(owner("a.dvc", "x"), inner), [inner])


def test_outputs_behind_a_symbolic_link_are_refused_but_may_be_links_themselves(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    root = str(tmp_path)
    one = Owner(f"{root}/a.dvc", "a.dvc", None, root, (Output("link/x", OID),))
    with pytest.raises(UnsafePathError, match="link"):
        check_parents(root, place(root, one))
    check_parents(root, place(root, one._replace(outs=(Output("link", OID),))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.dvc", True), ("dvc.yaml", True), (".dvc", False), ("dvc.lock", False), ("a", False)],
)
def test_owner_files_are_known_by_their_names(name: str, expected: bool) -> None:
    assert is_owner_file(name) is expected


def test_owners_are_addressed_as_dvc_does() -> None:
    assert address("a.dvc", None) == "a.dvc"
    assert address("dvc.yaml", "train") == "train"
    assert address("sub/dvc.yaml", "train") == "sub/dvc.yaml:train"
