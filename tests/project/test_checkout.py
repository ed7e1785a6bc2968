"""Checkout of a project: nothing unsaved is lost, nothing that is not ours goes, and undo brings it back."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Event, Warned
from fourfold.content.checkout import UnsavedChangesError
from fourfold.project.add import add
from fourfold.project.checkout import (
    ADDED,
    DELETED,
    MODIFIED,
    CheckoutIncompleteError,
    CheckoutResult,
    DamagedCacheError,
    checkout,
)
from fourfold.project.status import status
from fourfold.project.targets import TargetNotFoundError
from fourfold.project.undo import redo, undo
from tests.project.workplace import Workplace

TREE = {"a": "1", "sub": {"b": "2"}}


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def cached(work: Workplace, oid: str) -> Path:
    return work.root / ".dvc/cache/files/md5" / oid[:2] / oid[2:]


def out(work: Workplace, *targets: str, force: bool = False, relink: bool = False) -> CheckoutResult:
    return checkout(work.open(), targets, force=force, relink=relink)


def files(work: Workplace, name: str) -> dict[str, str]:
    top = work.root / name
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


@pytest.fixture
def tracked(work: Workplace) -> Workplace:
    """A project that tracks a directory and a file."""
    work.gen({"data": TREE, "f": "one"})
    add(work.open(), ["data", "f"])
    return work


# --- what is no longer tracked ----------------------------------------------------------------------------


def test_an_output_that_is_not_tracked_any_more_goes_and_comes_back_by_undo(tracked: Workplace) -> None:
    tracked.gen({"data.dvc": None})
    result = out(tracked)
    assert [(change.path, change.state) for change in result.changes] == [(tracked.path("data"), DELETED)]
    assert not tracked.exists("data")
    undo(tracked.open())
    assert files(tracked, "data") == {"a": "1", "sub/b": "2"}
    redo(tracked.open())
    assert not tracked.exists("data/a")


def test_files_that_nobody_saved_survive_their_output(tracked: Workplace) -> None:
    tracked.gen({".dvcignore": "*.log\n"})
    tracked.gen({"data": {"a": "edited", "mine": "untracked", "sub": {"x.log": "ignored"}}, "data.dvc": None})
    heard: list[Event] = []
    result = checkout(tracked.open(), events=heard.append)
    assert files(tracked, "data") == {"a": "edited", "mine": "untracked", "sub/x.log": "ignored"}
    assert sorted(result.kept) == [tracked.path("data/a"), tracked.path("data/mine")]
    assert [event.code for event in heard if isinstance(event, Warned)] == ["kept-unsaved"]


def test_files_whose_content_the_cache_lost_survive_their_output(tracked: Workplace) -> None:
    cached(tracked, md5(b"one")).unlink()
    tracked.gen({"f.dvc": None})
    out(tracked)
    assert tracked.text("f") == "one"


def test_only_a_checkout_of_everything_cleans_up(tracked: Workplace) -> None:
    tracked.gen({"data.dvc": None})
    out(tracked, "f")
    assert tracked.exists("data/a")


def test_a_copy_of_tracked_data_that_a_stage_reads_is_nobody_s_to_remove(tracked: Workplace) -> None:
    tracked.gen({"copy": "one", "dvc.yaml": "stages:\n  s:\n    cmd: x\n    deps: [copy]\n"})
    status(tracked.open())
    out(tracked)
    tracked.gen({"dvc.yaml": None})
    out(tracked)
    assert tracked.text("copy") == "one"


def test_data_whose_add_was_undone_is_the_user_s_again(work: Workplace) -> None:
    work.gen({"f": "one"})
    add(work.open(), ["f"])
    undo(work.open())
    out(work)
    assert work.text("f") == "one"


def test_an_output_that_moved_into_another_one_is_left_to_that_one(work: Workplace) -> None:
    work.gen({"d": {"a": "1", "b": "2"}})
    add(work.open(), ["d/a", "d/b"])
    work.gen({"d/a.dvc": None, "d/b.dvc": None, "d/.gitignore": None})
    add(work.open(), ["d"])
    assert out(work).changes == ()
    assert files(work, "d") == {"a": "1", "b": "2"}


def test_a_damaged_list_of_what_is_ours_removes_nothing(tracked: Workplace) -> None:
    hostile = json.dumps({"placed": {"../home": [md5(b"1"), False], "f": [md5(b"one"), False]}})
    tracked.gen({"f.dvc": None})
    for text in ("", "{", "[]", '{"placed": 3}', '{"placed": {"f": 1}}', hostile):
        (tracked.root / ".dvc/fourfold/placed").write_text(text)
        assert out(tracked).changes == ()
    assert tracked.text("f") == "one"


def test_a_link_in_the_way_of_cleaning_up_leads_nowhere(tracked: Workplace, tmp_path: Path) -> None:
    tracked.gen({"sub": {"g": "two"}})
    add(tracked.open(), ["sub/g"])
    os.rename(tracked.root / "sub", tmp_path / "outside")
    (tracked.root / "sub").symlink_to(tmp_path / "outside")
    (tmp_path / "outside/g.dvc").unlink()
    out(tracked)
    assert (tmp_path / "outside/g").read_text() == "two"


# --- unsaved changes --------------------------------------------------------------------------------------


def test_a_refusal_is_total_and_names_every_file(tracked: Workplace) -> None:
    tracked.gen({"data": {"a": "precious", "new": "precious"}, "f": None, "data/sub/b": None})
    with pytest.raises(UnsavedChangesError) as caught:
        out(tracked)
    assert sorted(caught.value.details) == [tracked.path("data/a"), tracked.path("data/new")]
    assert files(tracked, "data") == {"a": "precious", "new": "precious"}
    assert not tracked.exists("f")


def test_refusals_of_several_outputs_become_one(tracked: Workplace) -> None:
    tracked.gen({"data": {"a": "precious"}, "f": "precious"})
    with pytest.raises(UnsavedChangesError, match="2 files of 2 outputs"):
        out(tracked)


def test_what_force_replaces_comes_back_by_undo_byte_for_byte(tracked: Workplace) -> None:
    tracked.gen(
        {
            "data": {"a": "precious", "new": "precious too", "own/deep": {"c": ""}},
            "f": "also",
            "data/sub/b": None,
        }
    )
    before = files(tracked, "data"), tracked.text("f")
    result = out(tracked, force=True)
    assert files(tracked, "data") == {"a": "1", "sub/b": "2"}
    assert result.counts == {MODIFIED: 2, ADDED: 1, DELETED: 2}
    undo(tracked.open())
    assert (files(tracked, "data"), tracked.text("f")) == before
    redo(tracked.open())
    assert files(tracked, "data") == {"a": "1", "sub/b": "2"}


def test_an_edit_after_the_checkout_is_not_undone_unasked(tracked: Workplace) -> None:
    tracked.gen({"f": None})
    out(tracked)
    tracked.gen({"f": "edited since"})
    with pytest.raises(FourfoldError):
        undo(tracked.open())
    assert tracked.text("f") == "edited since"


# --- what the cache lacks ---------------------------------------------------------------------------------


def test_what_is_missing_is_named_and_the_rest_is_made(tracked: Workplace) -> None:
    cached(tracked, md5(b"2")).unlink()
    tracked.gen({"f": None, "data": None})
    with pytest.raises(CheckoutIncompleteError) as caught:
        out(tracked)
    assert caught.value.details == (f"data/sub/b: {md5(b'2')}",)
    assert "ff fetch" in caught.value.hint
    assert tracked.text("f") == "one"
    assert files(tracked, "data") == {"a": "1"}
    result = checkout(tracked.open(), allow_missing=True)
    assert [(lack.path, lack.damaged) for lack in result.lacking] == [(tracked.path("data/sub/b"), False)]


def test_a_missing_manifest_is_named_by_its_directory(tracked: Workplace) -> None:
    (manifest,) = (tracked.root / ".dvc/cache/files/md5").rglob("*.dir")
    manifest.unlink()
    tracked.gen({"data": None})
    with pytest.raises(CheckoutIncompleteError, match=r"1 object is not in the cache"):
        out(tracked)


def test_a_damaged_object_does_not_reach_the_workspace_and_the_hint_heals(tracked: Workplace) -> None:
    path = cached(tracked, md5(b"one"))
    path.chmod(0o644)
    path.write_text("rot")
    path.chmod(0o444)
    tracked.gen({"f": None})
    with pytest.raises(DamagedCacheError) as caught:
        checkout(tracked.open(), allow_missing=True)
    assert "ff repair" in caught.value.hint
    assert not tracked.exists("f")
    assert path.read_text() == "rot"


# --- links ------------------------------------------------------------------------------------------------


def test_relinking_with_a_kind_that_the_disk_lacks_falls_back_and_loses_nothing(tracked: Workplace) -> None:
    for kind in ("reflink", "reflink,hardlink", "reflink,symlink"):
        tracked.gen({".dvc/config": f"[cache]\n    type = {kind}\n"})
        out(tracked, relink=True)
        assert files(tracked, "data") == {"a": "1", "sub/b": "2"}
        assert tracked.text("f") == "one"


def test_a_relink_counts_no_changes(tracked: Workplace) -> None:
    tracked.gen({".dvc/config": "[cache]\n    type = symlink\n"})
    result = out(tracked, relink=True)
    assert (result.changes, result.relinked) == ((), 3)


# --- targets ----------------------------------------------------------------------------------------------


def test_a_path_inside_a_directory_restores_only_that(tracked: Workplace) -> None:
    tracked.gen({"data/a": None, "data/sub/b": None})
    result = out(tracked, "data/sub")
    assert [(change.path, change.state) for change in result.changes] == [(tracked.path("data"), MODIFIED)]
    assert files(tracked, "data") == {"sub/b": "2"}
    out(tracked, "data/a")
    assert files(tracked, "data") == {"a": "1", "sub/b": "2"}


def test_a_path_that_the_directory_does_not_have_is_nothing_to_do_unless_it_is_there(
    tracked: Workplace,
) -> None:
    assert out(tracked, "data/nothing").changes == ()
    tracked.gen({"data": {"new": "precious"}})
    with pytest.raises(UnsavedChangesError):
        out(tracked, "data/new")


def test_a_target_that_names_nothing_is_answered_with_similar_ones(tracked: Workplace) -> None:
    with pytest.raises(TargetNotFoundError) as caught:
        out(tracked, "dat")
    assert "data" in caught.value.hint


@pytest.mark.parametrize(
    "path", ["../outside", "/etc/passwd", ".git/hooks/post-checkout", ".dvc/config", "a/../../x"]
)
def test_a_pointer_file_that_names_a_place_outside_touches_nothing(work: Workplace, path: str) -> None:
    oid = work.track("f", b"payload")
    work.gen({"evil.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: {path}\n"})
    if path.startswith("/"):
        checkout(work.open(), force=True)
    else:
        with pytest.raises(FourfoldError):
            checkout(work.open(), force=True)
    assert sorted(os.listdir(work.root.parent)) == ["home", "work"]
    assert not work.exists(".git/hooks/post-checkout")


def test_a_target_behind_a_symbolic_link_is_refused(work: Workplace, tmp_path: Path) -> None:
    oid = work.track("f", b"payload")
    (tmp_path / "outside").mkdir()
    (work.root / "into").symlink_to(tmp_path / "outside")
    work.gen({"evil.dvc": f"outs:\n- md5: {oid}\n  hash: md5\n  path: into/x\n"})
    with pytest.raises(FourfoldError):
        checkout(work.open(), force=True)
    assert os.listdir(tmp_path / "outside") == []
