"""Build: what a path is, read once, the same before and after, or refused."""

import os
import socket
import time
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.walk import BadFileNameError, DanglingLinkError, SpecialFileError
from fourfold.content.build import SMALL, identify, ingest, remember
from fourfold.content.identity import ChangedDuringReadError
from fourfold.content.intake import Intake
from fourfold.content.statindex import StatIndex
from tests.content.bench import TICK, Bench, md5

#: One file of each size that is read in its own way.
SIZES = {"empty": b"", "small": b"x" * 1000, "edge": b"y" * SMALL, "large": b"z" * (SMALL + 1)}


@pytest.mark.parametrize("name", SIZES)
def test_a_file_is_named_by_its_md5_and_saved_whole(bench: Bench, name: str) -> None:
    bench.gen({"f": SIZES[name]})
    assert identify(bench.path("f"), StatIndex(None)).oid == md5(SIZES[name])
    built = bench.save("f")
    assert (built.oid, built.size, built.nfiles) == (md5(SIZES[name]), len(SIZES[name]), 1)
    assert bench.store.read(built.oid) == SIZES[name]


def test_a_directory_is_the_manifest_of_its_files_in_code_point_order(bench: Bench) -> None:
    bench.gen({"data": {"a b": "1", "a-b": "2", "a.txt": "3", "a": {"z": "4"}, "é": "5", "\U0001f600": "6"}})
    built = bench.save("data")
    tree = bench.store.read_tree(built.oid)
    assert tree.paths == ["a b", "a-b", "a.txt", "a/z", "é", "\U0001f600"]
    assert all(bench.store.has(oid) for oid in tree.digests())


def test_an_empty_directory_is_dvc_s_empty_list(bench: Bench) -> None:
    bench.gen({"data": {"sub": {}}})
    assert bench.save("data").oid == "d751713988987e9331980363e24189ce.dir"


def test_dvc_2_folded_line_ends_of_text_and_of_nothing_else(bench: Bench) -> None:
    bench.gen({"text": b"a\r\nb\r\n", "binary": b"\0a\r\n"})
    assert identify(bench.path("text"), bench.index, legacy=True).oid == md5(b"a\nb\n")
    assert identify(bench.path("binary"), bench.index, legacy=True).oid == md5(b"\0a\r\n")


def test_saving_under_dvc_2_s_names_keeps_the_true_bytes(bench: Bench) -> None:
    large = b"line\r\n" * 300_000
    bench.gen({"data": {"text": b"a\r\n", "large": large}})
    with Intake(bench.store, bench.proofs, legacy=True) as intake:
        built = ingest(bench.path("data"), bench.index, intake, legacy=True)
        intake.commit()
    tree = bench.store.read_tree(built.oid, legacy=True)
    assert bench.store.read(tree.digest(tree.find("text")), legacy=True) == b"a\r\n"
    assert bench.store.read(tree.digest(tree.find("large")), legacy=True) == large


class Meddler:
    """Changes a file whenever it is read, through the system call that reads it."""

    def __init__(self, path: Path, times: int) -> None:
        self.path = path
        self.left = times
        self._read = os.read

    def __call__(self, fd: int, size: int) -> bytes:
        data = self._read(fd, size)
        if self.left and os.path.samestat(os.fstat(fd), os.stat(self.path)):
            self.left -= 1
            time.sleep(TICK)
            with self.path.open("ab") as file:
                file.write(b"+")
        return data


def test_a_file_that_changes_while_it_is_read_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gen({"f": "one"})
    monkeypatch.setattr(os, "read", Meddler(bench.root / "f", 1))
    assert identify(bench.path("f"), bench.index).oid == md5(b"one+")


def test_a_file_that_will_not_hold_still_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.gen({"f": "one"})
    monkeypatch.setattr(os, "read", Meddler(bench.root / "f", 100))
    with pytest.raises(ChangedDuringReadError, match=r"f changed while it was read"):
        identify(bench.path("f"), bench.index)


def test_a_file_that_changes_while_it_is_saved_names_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    monkeypatch.setattr(os, "read", Meddler(bench.root / "data/b", 1))
    with pytest.raises(ChangedDuringReadError):
        bench.save("data")
    assert bench.objects() == set()


def test_a_large_file_that_grows_while_it_is_saved_names_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gen({"f": b"x" * (SMALL * 3)})
    path = bench.root / "f"
    fstat = os.fstat

    def growing(fd: int) -> os.stat_result:
        if os.path.samestat(fstat(fd), path.stat()):
            with path.open("ab") as file:
                file.write(b"more")
        return fstat(fd)

    monkeypatch.setattr(os, "fstat", growing)
    with pytest.raises(ChangedDuringReadError):
        bench.save("f")
    assert bench.objects() == set()


def test_what_is_unmoved_and_saved_is_not_read_again(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    bench.save("data")
    events: list[object] = []
    with Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake, events=events.append)
        assert intake.commit().added == 0
    assert events == []


def test_what_is_unmoved_but_not_in_the_store_any_more_is_saved_again(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    oid = bench.save("data").oid
    os.unlink(bench.store.path(md5(b"1")))
    os.unlink(bench.store.path(oid))
    bench.save("data")
    assert bench.store.read(bench.store.read_tree(oid).digest(0)) == b"1"


def test_links_to_files_are_followed_and_links_to_directories_are_not(bench: Bench) -> None:
    bench.gen({"elsewhere": {"f": "1"}, "data": {"a": "2"}})
    (bench.root / "data/to-file").symlink_to("../elsewhere/f")
    (bench.root / "data/to-folder").symlink_to("../elsewhere")
    assert bench.save("data").tree.paths == ["a", "to-file"]


def test_what_cannot_be_data_is_refused_by_its_name(bench: Bench) -> None:
    bench.gen({"dangling": {"ok": "1"}, "special": {}, "name": {}})
    (bench.root / "dangling/l").symlink_to("nowhere")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(bench.path("special/s"))
    os.mkfifo(bench.path("special/p"))
    Path(os.fsdecode(os.fsencode(bench.path("name")) + b"/\xff\xfe")).touch()
    for name, error in (
        ("dangling", DanglingLinkError),
        ("special", SpecialFileError),
        ("name", BadFileNameError),
    ):
        with pytest.raises(error, match=r"/l|/s|/p|xff"):
            identify(bench.path(name), bench.index)


def test_a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for(bench: Bench) -> None:
    os.mkfifo(bench.path("p"))
    with pytest.raises(SpecialFileError):
        identify(bench.path("p"), bench.index)


def test_what_is_not_there_is_told_as_such(bench: Bench) -> None:
    with pytest.raises(FileNotFoundError):
        identify(bench.path("nothing"), bench.index)


def test_ignored_files_and_folders_are_no_part_of_it(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b.tmp": "2", "skipped": {"c": "3"}}})
    built = identify(
        bench.path("data"),
        bench.index,
        skip_file=lambda name: name.endswith(".tmp"),
        skip_directory=lambda name: name == "skipped",
    )
    assert built.tree.paths == ["a"]


def test_a_record_after_linking_does_not_vouch_for_files_that_changed_since(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    built = identify(bench.path("data"), bench.index)
    bench.gen({"data/b": "3"})
    remember(bench.path("data"), built, bench.index)
    assert identify(bench.path("data"), bench.index).tree.get("b") == md5(b"3")


def test_a_full_cache_disk_is_a_typed_error_and_leaves_the_data(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.gen({"data": {"a": "1"}})

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(FourfoldError, match="No space left"), Intake(bench.store, bench.proofs) as intake:
        ingest(bench.path("data"), bench.index, intake)
    assert bench.files() == {"a": b"1"}
