"""Imports are brought to what their sources have now, and status tells when there is something."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Event, Warned
from fourfold.project.add import add
from fourfold.project.freeze import unfreeze
from fourfold.project.get import own_name
from fourfold.project.import_ import SettingsConflictError, import_
from fourfold.project.import_url import import_url
from fourfold.project.remotes import open_remote
from fourfold.project.status import as_dvc, status
from fourfold.project.undo import undo
from fourfold.project.update import NotAnImportError, update
from fourfold.project.urls import SourceMissingError
from tests.fixtures.sandbox import gen
from tests.project.depot import Depot, Place, md5
from tests.project.workplace import Workplace


@pytest.fixture
def source(tmp_path: Path) -> Workplace:
    """Another repository, with tracked data, tagged ``v1``."""
    (tmp_path / "source").mkdir()
    work = Workplace(tmp_path / "source")
    work.gen({"file": "data\n", "dir": {"a": "1\n", "b": "2\n"}})
    add(work.open(), ["file", "dir"])
    work.git("add", "--all")
    work.git("commit", "--quiet", "--message", "one")
    work.git("tag", "v1")
    return work


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with data that nobody tracks."""
    folder = tmp_path / "outside"
    folder.mkdir()
    gen(folder, {"file": "1\n", "dir": {"a": "1\n"}})
    return folder


def move_on(source: Workplace) -> str:
    """A second commit of the source, with other data; its id."""
    source.gen({"file": "newer data\n", "dir": {"c": "3\n"}})
    add(source.open(), ["file", "dir"])
    source.git("commit", "--quiet", "--all", "--message", "two")
    return source.git("rev-parse", "HEAD").strip()


def said(work: Workplace, *, check_updates: bool = True) -> dict[str, object]:
    """What status says."""
    project = work.open()
    return dict(as_dvc(project, status(project, check_updates=check_updates)))


def test_an_import_follows_its_source(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    import_(work.open(), str(source.root), "dir")
    commit = move_on(source)
    result = update(work.open(), ["file.dvc", "dir.dvc"])
    assert [entry.rev for entry in result.updated] == [commit, commit]
    assert work.text("file") == "newer data\n"
    assert sorted(os.listdir(work.path("dir"))) == ["a", "b", "c"]
    assert f"rev_lock: {commit}" in work.text("file.dvc")
    assert said(work) == {}


def test_comments_and_frozen_stay_as_they_are(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    unfreeze(work.open(), ["file.dvc"])
    work.gen({"file.dvc": "# of the other team\n" + work.text("file.dvc")})
    move_on(source)
    update(work.open(), ["file.dvc"])
    assert work.text("file.dvc").startswith("# of the other team\n")
    assert "frozen: true" not in work.text("file.dvc")


def test_what_is_up_to_date_is_left_alone(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    before = work.text("file.dvc")
    result = update(work.open(), ["file.dvc"])
    assert ([owner.relpath for owner in result.unchanged], result.updated) == (["file.dvc"], ())
    assert work.text("file.dvc") == before


def test_another_revision_is_followed_from_then_on(work: Workplace, source: Workplace) -> None:
    first = source.git("rev-parse", "v1").strip()
    move_on(source)
    import_(work.open(), str(source.root), "file")
    update(work.open(), ["file.dvc"], rev="v1")
    assert work.text("file") == "data\n"
    assert f"    rev_lock: {first}\n    rev: v1\n" in work.text("file.dvc")
    assert said(work) == {}
    assert update(work.open(), ["file.dvc"]).updated == ()


def test_missing_data_comes_back_from_the_cache_without_the_source(work: Workplace, outside: Path) -> None:
    import_url(work.open(), str(outside / "dir"))
    work.git("clean", "-Xdfq", "--", "dir")
    assert not work.exists("dir")
    result = update(work.open(), ["dir.dvc"])
    assert len(result.updated) == 1
    assert work.text("dir/a") == "1\n"


def test_an_import_without_content_gets_it(work: Workplace, source: Workplace, outside: Path) -> None:
    import_(work.open(), str(source.root), "file", out="one", no_download=True)
    import_(work.open(), str(source.root), "file", out="two", no_exec=True)
    import_url(work.open(), str(outside / "file"), out="three", no_exec=True)
    update(work.open(), ["one.dvc", "two.dvc", "three.dvc"])
    assert [work.text(name) for name in ("one", "two", "three")] == ["data\n", "data\n", "1\n"]
    assert said(work) == {}


def test_data_behind_a_path_is_read_again(work: Workplace, outside: Path) -> None:
    import_url(work.open(), str(outside / "file"))
    import_url(work.open(), str(outside / "dir"))
    gen(outside, {"file": "2\n", "dir": {"b": "2\n"}})
    assert said(work) == {}  # frozen, and without revisions: nobody looks
    update(work.open(), ["file.dvc", "dir.dvc"])
    assert (work.text("file"), sorted(os.listdir(work.path("dir")))) == ("2\n", ["a", "b"])
    assert work.text("file.dvc").count(md5("2\n")) == 2


def test_only_the_state_is_recorded_without_download(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    commit = move_on(source)
    (entry,) = update(work.open(), ["file.dvc"], no_download=True).updated
    assert (entry.rev, entry.oid, work.exists("file")) == (commit, None, False)
    assert "outs:\n- hash: md5\n  path: file\n" in work.text("file.dvc")
    assert said(work) == {"file.dvc": [{"changed outs": {"file": "deleted"}}]}
    update(work.open(), ["file.dvc"])
    assert work.text("file") == "newer data\n"


def test_content_goes_straight_to_a_remote(tmp_path: Path, folder: Place, outside: Path) -> None:
    depot = Depot(tmp_path, folder, {})
    import_url(depot.open(), str(outside / "file"))
    gen(outside, {"file": "2\n"})
    update(depot.open(), ["file.dvc"], to_remote=True)
    assert depot.text("file") == "1\n"
    assert not depot.cached(md5("2\n")).exists()
    assert md5("2\n") in depot.text("file.dvc")
    store = open_remote(depot.open(), None).store
    assert store.head(f"files/md5/{md5('2' + chr(10))[:2]}/{md5('2' + chr(10))[2:]}") is not None


def test_local_changes_of_an_import_can_be_taken_back(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    move_on(source)
    os.unlink(work.path("file"))
    work.gen({"file": "mine, and saved nowhere\n"})
    before = work.text("file.dvc")
    update(work.open(), ["file.dvc"])
    assert work.text("file") == "newer data\n"
    undo(work.open())
    assert (work.text("file"), work.text("file.dvc")) == ("mine, and saved nowhere\n", before)


def test_a_source_that_is_gone_leaves_everything_as_it_was(
    work: Workplace, source: Workplace, outside: Path
) -> None:
    import_(work.open(), str(source.root), "file", out="one")
    import_url(work.open(), str(outside / "file"), out="two")
    move_on(source)
    (outside / "file").unlink()
    before = work.text("one.dvc"), work.text("two.dvc")
    with pytest.raises(SourceMissingError):
        update(work.open(), ["one.dvc", "two.dvc"])
    assert (work.text("one.dvc"), work.text("two.dvc")) == before
    assert (work.text("one"), work.text("two")) == ("data\n", "1\n")


def test_a_folder_stands_for_the_imports_below_it(work: Workplace, source: Workplace) -> None:
    work.gen({"sub": {"own": "x\n"}})
    add(work.open(), ["sub/own"])
    import_(work.open(), str(source.root), "file", out="sub/file")
    move_on(source)
    result = update(work.open(), ["sub"], recursive=True)
    assert [own_name(entry.path) for entry in result.updated] == ["file"]


@pytest.mark.parametrize(
    ("act", "expected", "code"),
    [
        (lambda project: update(project, ["own.dvc"]), NotAnImportError, "not-an-import"),
        (lambda project: update(project, ["own"]), NotAnImportError, "not-an-import"),
        (lambda project: update(project, []), FourfoldError, "usage"),
        (lambda project: update(project, ["no.dvc"]), FourfoldError, "pointer-file-not-found"),
        (lambda project: update(project, ["file.dvc"], rev="nope"), FourfoldError, "unknown-revision"),
        (
            lambda project: update(project, ["file.dvc"], to_remote=True),
            SettingsConflictError,
            "options-exclude-each-other",
        ),
        (
            lambda project: update(project, ["file.dvc"], remote="r"),
            SettingsConflictError,
            "options-exclude-each-other",
        ),
        (
            lambda project: update(project, ["file.dvc"], to_remote=True, no_download=True),
            SettingsConflictError,
            "options-exclude-each-other",
        ),
    ],
)
def test_what_cannot_be_updated_is_refused(
    work: Workplace,
    source: Workplace,
    act: Callable[[object], object],
    expected: type[FourfoldError],
    code: str,
) -> None:
    work.gen({"own": "x\n"})
    add(work.open(), ["own"])
    import_(work.open(), str(source.root), "file")
    before = work.text("file.dvc")
    with pytest.raises(expected) as caught:
        act(work.open())
    assert caught.value.code == code
    assert work.text("file.dvc") == before


def test_a_revision_is_not_for_urls(work: Workplace, outside: Path) -> None:
    import_url(work.open(), str(outside / "file"))
    heard: list[Event] = []
    update(work.open(), ["file.dvc"], rev="v1", events=heard.append)
    assert [event.code for event in heard if isinstance(event, Warned)] == ["rev-not-used"]


# --- what status says -------------------------------------------------------------------------------------


def test_status_tells_of_updates_as_dvc_does(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    move_on(source)
    shown = f"file ({source.root})"
    assert said(work) == {"file.dvc": [{"changed deps": {shown: "update available"}}]}
    assert said(work, check_updates=False) == {}


def test_status_looks_at_what_an_unfrozen_path_has_now(work: Workplace, outside: Path) -> None:
    import_url(work.open(), str(outside / "file"))
    unfreeze(work.open(), ["file.dvc"])
    gen(outside, {"file": "2\n"})
    assert said(work) == {"file.dvc": [{"changed deps": {str(outside / "file"): "modified"}}]}


def test_a_source_that_does_not_answer_hides_nothing_else(work: Workplace, source: Workplace) -> None:
    import_(work.open(), str(source.root), "file")
    import_(work.open(), str(source.root), "dir")
    source.root.rename(source.root.with_name("moved"))
    os.unlink(work.path("file"))
    heard: list[Event] = []
    project = work.open()
    found = as_dvc(project, status(project, events=heard.append))
    assert found == {"file.dvc": [{"changed outs": {"file": "deleted"}}]}
    assert [event.code for event in heard if isinstance(event, Warned)] == ["updates-unknown"] * 2
