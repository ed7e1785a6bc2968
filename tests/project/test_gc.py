"""Gc: what anybody needs stays; what must stay is known before anything goes."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.ids import Oid
from fourfold.content.gate import StoreBusyError
from fourfold.content.intake import Intake
from fourfold.project import gc as module
from fourfold.project.desk import intake_of
from fourfold.project.gc import BadScopeError, NoScopeError, UnknownFilesError, check_scope, gc
from fourfold.project.locks import RepositoryLockedError, project_lock
from fourfold.project.push import push
from fourfold.project.scope import WORKSPACE, BadDateError, Scope
from fourfold.scm.git import UnknownRevisionError
from fourfold.storage.blob.protocol import BucketNotFoundError
from tests.fixtures.servers import S3Server
from tests.project.depot import Depot, Place, key, md5
from tests.project.test_push import manifest_of

DAY = 24 * 3600


@pytest.fixture
def history(tmp_path: Path, folder: Place) -> Depot:
    """Two commits and unsaved work; each has an object of its own."""
    depot = Depot(tmp_path, folder, {"f": "first\n", "d": {"a": "old\n", "same": "same\n"}})
    depot.commit("first")
    depot.git("tag", "v1")
    depot.track_tree({"f": "second\n", "d": {"a": "new\n"}})
    depot.commit("second")
    depot.git("branch", "side")
    depot.track_tree({"f": "third\n"})
    return depot


def test_the_workspace_alone_stays(history: Depot) -> None:
    before = history.objects()
    result = gc(history.open())
    gone = before - history.objects()
    assert history.objects() == {md5(text) for text in ("third\n", "new\n", "same\n")} | {
        manifest_of(history)
    }
    assert set(result.swept[0].oids) == gone
    assert result.size > 0
    assert history.text("f") == "third\n"


@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        (Scope(all_branches=True), {"second\n"}),
        (Scope(all_tags=True), {"first\n"}),
        (Scope(all_commits=True), {"first\n", "second\n"}),
        (Scope(revs=("HEAD",), num=2), {"first\n", "second\n"}),
        (Scope(revs=("v1",)), {"first\n"}),
        (Scope(all_branches=True, num=2), {"first\n", "second\n"}),
        (Scope(since="2020-01-01"), {"first\n", "second\n"}),
        (Scope(since="2034-01-01"), set()),
    ],
)
def test_revisions_keep_what_they_need(history: Depot, scope: Scope, kept: set[str]) -> None:
    gc(history.open(), scope)
    texts = {text for text in ("first\n", "second\n") if history.cached(md5(text)).exists()}
    assert texts == kept
    assert history.cached(md5("third\n")).exists()


def test_experiments_keep_what_they_need(history: Depot) -> None:
    head = history.git("rev-parse", "HEAD").strip()
    history.track_tree({"f": "tried\n"})
    tried = history.commit("an experiment")
    history.git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/name-of-it", tried)
    history.git("reset", "--quiet", "--hard", head)
    gc(history.open(), Scope(all_experiments=True))
    assert history.cached(md5("tried\n")).exists()
    gc(history.open(), WORKSPACE)
    assert not history.cached(md5("tried\n")).exists()


def test_dry_touches_nothing_and_tells_the_same(history: Depot) -> None:
    before = history.objects()
    told = gc(history.open(), dry=True)
    assert history.objects() == before
    assert gc(history.open()).swept[0].oids == told.swept[0].oids


def test_a_missing_manifest_is_known_from_the_workspace_or_the_remote_or_nothing_goes(
    history: Depot,
) -> None:
    history.cached(manifest_of(history)).unlink()
    gc(history.open())  # the index of the workspace knows what the directory holds
    assert history.cached(md5("new\n")).exists()

    history.gen({"d": None})
    before = history.objects()
    history.gen({".dvc/fourfold": None})
    with pytest.raises(UnknownFilesError, match="nobody knows the files of 'd'"):
        gc(history.open())
    assert history.objects() == before

    history.place.put(manifest_of(history), b'[{"md5": "%s", "relpath": "a"}]' % md5("new\n").encode())
    with pytest.raises(UnknownFilesError):  # a manifest that does not hash to its name knows nothing
        gc(history.open())
    assert history.objects() == before


def test_the_manifest_of_an_old_revision_may_come_from_the_remote(history: Depot) -> None:
    push(history.open(), scope=Scope(all_commits=True))
    old = next(oid for oid in history.objects() if oid.endswith(".dir") and oid != manifest_of(history))
    history.cached(old).unlink()
    gc(history.open(), Scope(all_commits=True))
    assert history.cached(md5("old\n")).exists()


def test_a_revision_that_cannot_be_loaded_ends_it_with_nothing_removed(history: Depot) -> None:
    history.gen({"broken.dvc": "outs: [\n"})
    history.commit("broken")
    history.gen({"broken.dvc": None})
    before = history.objects()
    with pytest.raises(Exception, match=r"broken\.dvc"):
        gc(history.open(), Scope(all_commits=True))
    assert history.objects() == before
    result = gc(history.open(), Scope(all_commits=True), skip_failed=True)
    assert len(result.skipped) == 1


def test_options_that_say_nothing_or_contradict_are_refused() -> None:
    def check(scope: Scope = WORKSPACE, **given: object) -> None:
        options = {"workspace": False, "num": None, "cloud": False, "not_in_remote": False, **given}
        check_scope(scope, **options)  # type: ignore[arg-type]

    with pytest.raises(NoScopeError):
        check()
    with pytest.raises(BadScopeError):
        check(workspace=True, cloud=True, not_in_remote=True)
    with pytest.raises(BadScopeError):
        check(workspace=True, num=3)
    check(Scope(all_branches=True), num=3)
    check(workspace=True)


def test_a_revision_or_a_date_that_does_not_exist_removes_nothing(history: Depot) -> None:
    before = history.objects()
    with pytest.raises(UnknownRevisionError):
        gc(history.open(), Scope(revs=("nothing",)))
    with pytest.raises(BadDateError):
        gc(history.open(), Scope(since="yesterday"))
    assert history.objects() == before


def test_other_projects_keep_what_they_need_and_are_locked_to_the_end(history: Depot, tmp_path: Path) -> None:
    # Issue 7610: the cache is shared, and the other project is named.
    (tmp_path / "second").mkdir()
    other = Depot(tmp_path / "second", history.place, {})
    with open(other.path(".dvc/config.local"), "a") as file:
        file.write(f"[cache]\n    dir = {history.path('.dvc/cache')}\n")
    other.track_tree({"theirs": "theirs\n"})
    gc(history.open(), others=[other.open()])
    assert history.cached(md5("theirs\n")).exists()
    with project_lock(other.open()), pytest.raises(RepositoryLockedError):
        gc(history.open(), others=[other.open()])
    gc(history.open())
    assert not history.cached(md5("theirs\n")).exists()


def test_nothing_is_removed_while_somebody_writes(history: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.2)
    before = history.objects()
    with intake_of(history.open()) as intake:
        intake.add_bytes(md5("arriving\n"), b"arriving\n", bytes(32))
        with pytest.raises(StoreBusyError):
            gc(history.open())
        assert history.objects() == before
        intake.commit()
    gc(history.open())
    assert history.cached(md5("third\n")).exists()


def test_a_writer_waits_for_gc_and_then_finds_what_it_counts_on(history: Depot) -> None:
    from fourfold.base.clock import SYSTEM  # noqa: PLC0415 - only here
    from fourfold.content import gate  # noqa: PLC0415 - only here

    project = history.open()
    arrived: list[float] = []

    def write() -> None:
        intake: Intake
        with intake_of(history.open()) as intake:
            intake.add_bytes(md5("x"), b"x", bytes(32))
            intake.commit()
        arrived.append(time.monotonic())

    import threading  # noqa: PLC0415 - only here

    with gate.alone(project.store.root, SYSTEM, patience=1) as alone:
        assert alone
        writer = threading.Thread(target=write)
        writer.start()
        time.sleep(0.2)
        assert not arrived
        done = time.monotonic()
    writer.join()
    assert arrived[0] >= done


def age(path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so much time pass for gc; only a clock can make a change time old."""
    del path
    now = time.time_ns()
    monkeypatch.setattr("fourfold.base.clock.SystemClock.now_ns", lambda _self: now + int(seconds * 1e9))


def test_temporary_files_of_others_stay_for_a_day(history: Depot, monkeypatch: pytest.MonkeyPatch) -> None:
    # A15: the real DVC removes the temporary file of a writer that is at work.
    litter = history.cached(md5("third\n")).parent / ".abcdefghijklmnopqrstuv.tmp"
    litter.write_bytes(b"half an object")
    assert gc(history.open()).litter == 0
    assert litter.exists()
    age(litter, DAY + 60, monkeypatch)
    assert gc(history.open(), dry=True).litter == 1
    assert gc(history.open()).litter == 1
    assert not litter.exists()


def test_what_bears_no_name_of_an_object_is_not_ours_to_judge(history: Depot) -> None:
    strange = history.cached(md5("third\n")).parent / "notes.txt"
    strange.write_text("mine")
    runs = Path(history.path(".dvc/cache/runs/aa/key/value"))
    runs.parent.mkdir(parents=True)
    runs.write_text("a run")
    gc(history.open())
    assert strange.read_text() == "mine"
    assert runs.exists()


def test_the_old_layout_is_collected_by_itself(history: Depot) -> None:
    used, unused = md5("a\nb\n"), md5("unused")
    for oid in (used, unused):
        path = history.cached(oid, legacy=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"a\r\nb\r\n")
    history.gen({"old.dvc": f"outs:\n- md5: {used}\n  size: 6\n  path: old\n"})
    result = gc(history.open())
    assert [(swept.legacy, swept.oids) for swept in result.swept][1] == (True, (unused,))
    assert history.cached(used, legacy=True).exists()


# -- remotes --------------------------------------------------------------------------------------


def test_a_remote_is_cleaned_only_when_that_is_asked(depot: Depot) -> None:
    push(depot.open())
    depot.track_tree({"f": "newer\n"})
    push(depot.open())
    gc(depot.open())
    assert depot.place.has(md5("one\n"))
    gc(depot.open(), cloud=True)
    assert not depot.place.has(md5("one\n"))
    assert depot.place.keys() == {
        key(oid) for oid in (md5("newer\n"), md5("two\n"), md5("three\n"), md5("four\n"), manifest_of(depot))
    }


def test_young_objects_of_a_remote_are_spared_when_that_is_asked(depot: Depot) -> None:
    push(depot.open())
    depot.track_tree({"f": "newer\n"})
    result = gc(depot.open(), cloud=True, keep_young=True)
    assert depot.place.has(md5("one\n"))
    assert next(swept.spared for swept in result.swept if swept.place == "store") == 1
    assert not depot.cached(md5("one\n")).exists()  # the cache is the project's own: no grace


def test_young_objects_of_a_cache_outside_the_project_are_spared_when_that_is_asked(
    tmp_path: Path, folder: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    depot = Depot(tmp_path, folder, {})
    with open(depot.path(".dvc/config.local"), "a") as file:
        file.write(f"[cache]\n    dir = {tmp_path / 'cache'}\n")
    depot.track_tree({"f": "one\n"})
    depot.track_tree({"f": "two\n"})
    old = tmp_path / "cache" / key(md5("one\n"))
    assert gc(depot.open(), keep_young=True).swept[0].spared == 1
    assert old.exists()
    age(old, DAY + 60, monkeypatch)
    assert gc(depot.open(), keep_young=True).swept[0].oids == (md5("one\n"),)


def test_a_listing_that_fails_removes_nothing_anywhere(tmp_path: Path, rclone_s3: S3Server) -> None:
    depot = Depot(tmp_path, Place("s3://no-such-bucket/x", rclone_s3.options(), {}))
    depot.track_tree({"f": "newer\n"})
    before = depot.objects()
    with pytest.raises(BucketNotFoundError):
        gc(depot.open(), cloud=True)
    assert depot.objects() == before


def damaged(place: Place, oid: Oid) -> None:
    place.flip(oid)


def gone(place: Place, oid: Oid) -> None:
    place.lose(oid)


@pytest.mark.parametrize("hurt", [damaged, gone])
def test_the_last_good_copy_never_goes_because_a_remote_has_the_name(
    depot: Depot, hurt: Callable[[Place, Oid], None]
) -> None:
    push(depot.open())
    hurt(depot.place, md5("two\n"))
    gc(depot.open(), not_in_remote=True)
    assert depot.objects() == {md5("two\n")}
    assert os.path.exists(depot.path("d/a"))


def test_outputs_with_a_remote_of_their_own_keep_their_place_there(tmp_path: Path, folder: Place) -> None:
    depot = Depot(tmp_path, folder, {})
    other = Place(str(tmp_path / "other"), {}, {})
    depot.remote("other", other)
    depot.track("plain", b"plain")
    depot.track("own", b"own", extra={"remote": "other"})
    push(depot.open())
    folder.put(md5("own"), b"own")
    other.put(md5("plain"), b"plain")
    gc(depot.open(), cloud=True)
    assert folder.keys() == {key(md5("plain"))}
    assert other.keys() == {key(md5("own"))}
