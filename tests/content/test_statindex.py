"""The stat index: it never says that a file is what it is not, and its damage is nobody's failure."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.fs.walk import scan_directory
from fourfold.content.build import identify
from fourfold.content.statindex import StatIndex, is_racy, settle
from tests.content.bench import TICK, Bench, md5


def index_files(bench: Bench) -> list[Path]:
    return list(Path(str(bench.index.directory)).iterdir())


def test_an_edit_of_the_same_size_with_the_old_times_put_back_is_seen(bench: Bench) -> None:
    bench.gen({"f": "one"})
    path = bench.root / "f"
    before = path.stat()
    assert identify(str(path), bench.index).oid == md5(b"one")
    path.write_text("two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert identify(str(path), bench.index).oid == md5(b"two")


def test_a_file_that_was_just_written_is_read_again_next_time(bench: Bench) -> None:
    (bench.root / "f").write_text("one")
    assert bench.hashed("f") == 1
    assert bench.hashed("f") == 1
    time.sleep(TICK)
    assert bench.hashed("f") == 1
    assert bench.hashed("f") == 0


def test_a_change_within_one_tick_of_the_clock_is_never_hidden(bench: Bench) -> None:
    path = bench.root / "f"
    for round_ in range(30):
        data = b"%03d" % round_
        path.write_bytes(data)
        assert identify(str(path), bench.index).oid == md5(data)


def test_only_the_file_that_moved_is_read_again(bench: Bench) -> None:
    bench.gen({"data": {"a": "1", "b": "2", "sub": {"c": "3"}}})
    assert bench.hashed("data") == 3
    assert bench.hashed("data") == 0
    bench.gen({"data/b": "other"})
    assert bench.hashed("data") == 1
    bench.gen({"data/new": "more", "data/a": None})
    assert bench.hashed("data") == 1


def test_a_file_that_was_replaced_by_a_rename_is_read_again(bench: Bench) -> None:
    bench.gen({"f": "one", "g": "two"})
    bench.hashed("f")
    os.utime(bench.root / "g", ns=(0, (bench.root / "f").stat().st_mtime_ns))
    os.replace(bench.root / "g", bench.root / "f")
    assert identify(bench.path("f"), bench.index).oid == md5(b"two")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _data: b"",
        lambda data: data[:10],
        lambda data: data[:-3],
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data[:60] + bytes([data[60] ^ 0x40]) + data[61:],
        lambda data: b"X" * len(data),
        lambda data: data + b"more",
        lambda data: data[:20] + b"\xff" * 8 + data[28:],
        lambda data: data[:24] + b"\xff" * 8 + data[32:],
    ],
)
def test_a_damaged_index_costs_a_reading_and_nothing_else(
    bench: Bench, damage: Callable[[bytes], bytes]
) -> None:
    bench.gen({"data": {"a": "1", "b": "2"}})
    oid = identify(bench.path("data"), bench.index).oid
    for path in index_files(bench):
        path.write_bytes(damage(path.read_bytes()))
    assert identify(bench.path("data"), bench.index).oid == oid


def test_the_record_of_another_place_is_not_believed(bench: Bench) -> None:
    bench.gen({"one": {"a": "1"}, "two": {"a": "2"}})
    for name in ("one", "two"):
        identify(bench.path(name), bench.index)
    first, second = index_files(bench)
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert bench.hashed("one") == bench.hashed("two") == 1


def test_an_index_that_cannot_be_written_or_read_is_no_failure(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    (tmp_path / "in-the-way").write_text("a file")
    for directory in (None, str(tmp_path / "in-the-way" / "index"), "/proc/nowhere/index"):
        index = StatIndex(directory)
        assert identify(str(tmp_path / "f"), index).oid == md5(b"x")
        assert index.roots() == []
        index.forget(str(tmp_path / "f"))


def test_an_index_file_that_is_a_directory_is_no_failure(bench: Bench) -> None:
    bench.gen({"f": "x"})
    identify(bench.path("f"), bench.index)
    (path,) = index_files(bench)
    path.unlink()
    path.mkdir()
    assert identify(bench.path("f"), bench.index).oid == md5(b"x")


def test_damaged_proofs_void_the_proofs_and_not_the_names(bench: Bench) -> None:
    bench.gen({"data": {"a": "1"}})
    identify(bench.path("data"), bench.index)
    (path,) = index_files(bench)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    record = bench.index.load(bench.path("data"), proofs=True)
    assert record is not None
    assert record.proofs == b""
    assert bench.hashed("data") == 0


def test_dvc_2_s_digests_are_kept_apart(bench: Bench) -> None:
    bench.gen({"f": b"a\r\n"})
    plain = identify(bench.path("f"), bench.index).oid
    folded = identify(bench.path("f"), bench.index, legacy=True).oid
    assert (plain, folded) == (md5(b"a\r\n"), md5(b"a\n"))
    assert identify(bench.path("f"), bench.index).oid == plain
    assert identify(bench.path("f"), bench.index, legacy=True).oid == folded
    bench.index.forget(bench.path("f"))
    assert bench.hashed("f") == 1


def test_the_roots_on_record_are_told_and_folders_of_the_cache_are_not(bench: Bench) -> None:
    bench.gen({"data": {"a": "1"}, "f": "2"})
    data, file = bench.save("data").oid, bench.save("f").oid
    assert sorted(bench.index.roots()) == sorted([(bench.path("data"), data), (bench.path("f"), file)])


def test_our_own_folder_hides_itself_from_git(bench: Bench) -> None:
    bench.gen({"f": "x"})
    identify(bench.path("f"), bench.index)
    assert (bench.root / ".dvc/fourfold/.gitignore").read_text() == "*\n"


def test_a_name_with_a_line_end_or_beyond_the_bmp_is_recognised(bench: Bench) -> None:
    bench.gen({"data": {"a\nb": "1", "\U0001f600": "2", "é": "3", "a\\b": "4"}})
    assert bench.hashed("data") == 4
    assert bench.hashed("data") == 0


def test_waiting_for_the_tick_is_short_and_makes_fresh_files_provable(bench: Bench) -> None:
    (bench.root / "data").mkdir()
    (bench.root / "data/f").write_text("x")
    scan = scan_directory(bench.path("data"))
    started = time.monotonic()
    when = settle(scan.stats, bench.index.clock)
    assert time.monotonic() - started < 1
    assert not is_racy(scan.stats, 0, when)


def test_a_file_from_the_future_is_never_proven(bench: Bench) -> None:
    bench.gen({"f": "x"})
    ahead = time.time_ns() + 3600 * 1_000_000_000
    os.utime(bench.root / "f", ns=(ahead, ahead))
    assert bench.hashed("f") == 1
    assert bench.hashed("f") == 1
