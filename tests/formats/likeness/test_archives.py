"""Archives made by real programs: the same members packed otherwise, and other members."""

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, UnreadableContentError


def differing(a: bytes, b: bytes, name: str) -> list[tuple[str, str]]:
    one, other = reading.read_bytes(a, name), reading.read_bytes(b, name)
    return [(found.name, found.what) for found in compare(one, other)]


def zipped(
    *members: tuple[str, bytes], year: int = 2020, packing: int = zipfile.ZIP_DEFLATED, mode: int = 0o644
) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name, (year, 1, 1, 0, 0, 0))
            info.compress_type = packing
            info.external_attr = mode << 16
            archive.writestr(info, data)
    return file.getvalue()


def tarred(*members: tuple[str, bytes], mtime: int = 1, mode: int = 0o644, owner: str = "ann") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode, info.uname = len(data), mtime, mode, owner
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


ONE, TWO = ("m.json", b'{"a": 1}'), ("x.bin", b"\0\1")


def test_zips_of_other_times_order_and_compression_mean_the_same() -> None:
    a = zipped(ONE, TWO)
    b = zipped(TWO, ("m.json", b'{ "a":1.0 }'), year=2021, packing=zipfile.ZIP_STORED, mode=0o600)
    assert a != b
    assert differing(a, b, "a.zip") == []


def test_what_lies_within_a_zip_is_read_as_the_file_that_it_is_and_named() -> None:
    inner = zipped(("m.json", b'{"a": 2}'))
    a, b = zipped(("in.zip", zipped(ONE)), TWO), zipped(("in.zip", inner), TWO)
    assert differing(a, b, "a.zip") == [("in.zip!m.json!a", "values")]


def test_a_member_more_or_of_another_name_is_told() -> None:
    assert differing(zipped(ONE), zipped(ONE, TWO), "a.zip") == [("x.bin", "new")]
    moved = zipped(("y.json", ONE[1]))
    assert differing(zipped(ONE), moved, "a.zip") == [("m.json!a", "missing"), ("y.json!a", "new")]


def test_whether_a_member_may_be_executed_counts_and_other_modes_do_not() -> None:
    for pack in (zipped, tarred):
        assert differing(pack(TWO, mode=0o644), pack(TWO, mode=0o400), "a.bin") == []
        found = differing(pack(TWO, mode=0o644), pack(TWO, mode=0o755), "a.bin")
        assert found == [("x.bin!!executable", "new")]


def test_a_name_with_the_mark_of_members_is_no_other_member() -> None:
    a, b = zipped(("a!b", b"\0")), zipped(("a", zipped(("b", b"\0"))))
    assert [name for name, _ in differing(a, b, "a.zip")] == ['"a!b"', "a!b"]


def test_a_file_without_leaves_is_still_there() -> None:
    empty = zipped()
    assert differing(zipped(("in.zip", empty)), zipped(), "a.zip") == [("in.zip", "missing")]


def test_tars_of_other_times_owners_order_and_dialect_mean_the_same() -> None:
    a = tarred(ONE, TWO)
    b = tarred(TWO, ONE, mtime=9, owner="bob")
    assert a != b
    assert differing(a, b, "a.tar") == []
    assert differing(a, tarred(("m.json", b'{"a": 2}'), TWO), "a.tar") == [("m.json!a", "values")]


def test_of_a_name_that_stands_twice_in_a_tar_the_last_counts() -> None:
    assert differing(tarred(("a", b"old"), ("a", b"new")), tarred(("a", b"new")), "a.tar") == []


def test_tars_made_by_the_program_in_two_places_mean_the_same(tmp_path: Path) -> None:
    for side, options in (("a", ["--format=gnu"]), ("b", ["--format=pax", "--owner=0", "--mtime=@5"])):
        (tmp_path / side).mkdir()
        (tmp_path / side / "deep").mkdir()
        (tmp_path / side / "deep" / ("n" * 120)).write_bytes(b"\0")
        os.symlink("deep", tmp_path / side / "link")
        subprocess.run(
            ["tar", *options, "-czf", tmp_path / f"{side}.tgz", "-C", tmp_path / side, "deep", "link"],
            check=True,
        )
    a, b = (tmp_path / "a.tgz", tmp_path / "b.tgz")
    assert a.read_bytes() != b.read_bytes()
    assert reading.compare_paths(str(a), str(b)) == ()
    assert "link" in reading.read(str(a)).leaves


@pytest.mark.parametrize(
    ("end", "one", "other"),
    [
        (".gz", ["gzip", "-1"], ["gzip", "-9"]),
        (".bz2", ["bzip2", "-1"], ["bzip2", "-9"]),
        (".xz", ["xz", "-0"], ["xz", "-6", "--check=crc32"]),
    ],
)
def test_files_packed_by_the_program_at_two_levels_mean_the_same(
    tmp_path: Path, end: str, one: list[str], other: list[str]
) -> None:
    rows = "id,v\n" + "".join(f"{i},{i / 7}\n" for i in range(20000))
    for side, command in (("a", one), ("b", other)):
        (tmp_path / side).mkdir()
        (tmp_path / side / "t.csv").write_text(rows)
        os.utime(tmp_path / side / "t.csv", (len(side), 5 if side == "a" else 500))
        subprocess.run([*command, tmp_path / side / "t.csv"], check=True)
    a, b = (tmp_path / side / f"t.csv{end}" for side in "ab")
    assert a.read_bytes() != b.read_bytes()
    assert reading.compare_paths(str(a), str(b)) == ()
    content = reading.read(str(a))
    assert (content.kind, set(content.leaves)) == ("csv", {"column:id", "column:v"})
    packed = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[end]
    b.write_bytes(packed(rows.replace("1.0\n", "1.5\n").encode()))
    assert [found.name for found in reading.compare_paths(str(a), str(b))] == ["column:v"]


def test_several_streams_of_one_compression_are_one_file() -> None:
    for pack, name in ((gzip.compress, "t.txt.gz"), (lzma.compress, "t.txt.xz")):
        assert differing(pack(b"one\ntwo\n"), pack(b"one\n") + pack(b"two\n"), name) == []


def test_the_sums_that_a_wheel_keeps_of_its_files_follow_from_them() -> None:
    a = zipped(("p/m.json", b"[1]"), ("p-1.dist-info/RECORD", b"p/m.json,sha256=a,3\n"))
    b = zipped(("p/m.json", b"[1 ]"), ("p-1.dist-info/RECORD", b"p/m.json,sha256=b,4\n"))
    assert differing(a, b, "p-1-py3-none-any.whl") == []
    assert differing(a, b, "p.zip") != []


def test_when_an_office_document_was_written_means_nothing() -> None:
    a = zipped(
        ("[Content_Types].xml", b"<t/>"), ("docProps/core.xml", b"<d>1</d>"), ("xl/s.xml", b"<s>1</s>")
    )
    b = zipped(
        ("[Content_Types].xml", b"<t/>"), ("docProps/core.xml", b"<d>2</d>"), ("xl/s.xml", b"<s>1</s>")
    )
    c = zipped(
        ("[Content_Types].xml", b"<t/>"), ("docProps/core.xml", b"<d>2</d>"), ("xl/s.xml", b"<s>2</s>")
    )
    assert differing(a, b, "a.xlsx") == []
    assert differing(a, c, "a.xlsx") == [("xl/s.xml!s", "values")]


def test_zstandard_is_unpacked_where_python_can_and_else_said_to_be_packed() -> None:
    frame = b"\x28\xb5\x2f\xfd\x20\x03\x19\x00\x00abc"
    content = reading.read_bytes(frame, "a.txt.zst")
    assert content.kind == "text" or content.aside["not unpacked"]


def test_archives_that_are_cut_or_changed_are_typed_errors() -> None:
    whole = {
        "a.zip": zipped(ONE, ("r", os.urandom(3000))),
        "a.tar": tarred(ONE, ("r", os.urandom(3000))),
        "a.tar.gz": gzip.compress(tarred(ONE, ("r", os.urandom(3000)))),
        "a.bin.xz": lzma.compress(os.urandom(3000)),
        "a.bin.bz2": bz2.compress(os.urandom(3000)),
    }
    for name, data in whole.items():
        for end in (len(data) // 3, 600, 12):
            with pytest.raises(UnreadableContentError):
                reading.read_bytes(data[:end], name)
        changed = bytearray(data)
        changed[-800 if name == "a.zip" else len(data) // 2] ^= 1
        if name != "a.tar":  # a tar has no sums of its contents
            with pytest.raises(UnreadableContentError):
                reading.read_bytes(bytes(changed), name)


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    bomb = gzip.compress(bytes(40 << 20))
    budget = Budget(expanded=8 << 20)
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(bomb, "a.gz", budget=budget)
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(
            zipped(*[(f"{i}", bytes(1 << 20)) for i in range(20)]), "a.zip", budget=Budget(expanded=8 << 20)
        )
    nested = b"\0"
    for _ in range(12):
        nested = gzip.compress(nested)
    with pytest.raises(ContentTooLargeError, match="deeper"):
        reading.read_bytes(nested, "a.gz")
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(zipped(*[(f"{i}", b"") for i in range(50)]), "a.zip", budget=Budget(parts=40))


def test_what_comes_out_is_bounded_by_what_went_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Budget, "free", 1 << 20)
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(gzip.compress(bytes(20 << 20)), "a.gz")
    reading.read_bytes(gzip.compress(os.urandom(2 << 20)), "a.gz")


def test_an_encrypted_member_is_an_error_not_its_bytes() -> None:
    data = bytearray(zipped(TWO, packing=zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(UnreadableContentError, match="encrypted"):
        reading.read_bytes(bytes(data), "a.zip")


def test_a_member_that_is_packed_as_nobody_knows_is_an_error_not_its_bytes() -> None:
    data = bytearray(zipped(TWO, packing=zipfile.ZIP_STORED))
    data[8] = data[data.index(b"PK\1\2") + 10] = 99
    with pytest.raises(UnreadableContentError, match="compression"):
        reading.read_bytes(bytes(data), "a.zip")


def test_a_header_of_tar_that_asks_for_much_memory_is_refused() -> None:
    info = tarfile.TarInfo("././@PaxHeader")
    info.type, info.size = tarfile.XHDTYPE, 1 << 30
    data = info.tobuf(tarfile.USTAR_FORMAT) + bytes(4096)
    with pytest.raises(UnreadableContentError):
        reading.read_bytes(data, "a.tar")


def test_a_leaf_within_a_member_does_not_hide_that_it_may_be_executed() -> None:
    def figure(value: int) -> bytes:
        file = io.BytesIO()
        np.savez(file, **{"!executable": np.array([value])})
        return file.getvalue()

    a, b = (zipped(("a.npz", figure(value)), mode=0o755) for value in (1, 2))
    assert [name for name, _ in differing(a, b, "a.zip")] == ["a.npz!!executable"]


def test_a_stream_of_xz_behind_much_padding_counts() -> None:
    padding = bytes(3 << 20)
    one, other = (lzma.compress(b"one\n") + padding + lzma.compress(text) for text in (b"two\n", b"three\n"))
    assert differing(one, other, "a.txt.xz") == [("", "values")]


def test_a_member_of_less_than_nothing_is_refused() -> None:
    data = bytearray(tarred(ONE, TWO))
    data[124:136] = b"\xff" * 11 + b"\x00"  # a size in base 256
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    with pytest.raises(UnreadableContentError):
        reading.read_bytes(bytes(data), "a.tar")


def extended(body: bytes) -> bytes:
    """An archive whose one member has this extended header."""
    info = tarfile.TarInfo("a")
    info.type, info.size = tarfile.XHDTYPE, len(body)
    head = info.tobuf(tarfile.USTAR_FORMAT)
    return head + body + bytes(-len(body) % 512) + tarfile.TarInfo("f").tobuf() + bytes(1024)


@pytest.mark.parametrize("body", [b"1" * 60_000, b"5 aa\n" * 12_000 + b"=", b"1" * 200_000])
def test_an_extended_header_that_takes_the_square_of_its_size_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableContentError, match="a header of"):
        reading.read_bytes(extended(body), "a.tar")


def test_a_long_name_with_spaces_in_an_extended_header_is_read() -> None:
    file = io.BytesIO()
    name = "one two/" * 200 + "m.txt"
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo(name)
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    assert list(reading.read_bytes(file.getvalue(), "a.tar").leaves) == [name]
