"""The door: which reader a file gets, folders, what nobody knows, what is damaged."""

import bz2
import contextlib
import gzip
import importlib
import io
import lzma
import os
import random
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fourfold.base.errors import NotFoundError
from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import (
    Budget,
    ContentTooLargeError,
    MissingReaderError,
    UnreadableContentError,
)


def test_a_file_that_nobody_knows_is_equal_in_meaning_when_it_is_bit_for_bit(tmp_path: Path) -> None:
    for name, data in (("a.xyz", b"\0one"), ("b.xyz", b"\0one"), ("c.xyz", b"\0two")):
        (tmp_path / name).write_bytes(data)
    a, b, c = (str(tmp_path / name) for name in ("a.xyz", "b.xyz", "c.xyz"))
    assert reading.compare_paths(a, b) == ()
    (found,) = reading.compare_paths(a, c)
    assert (found.name, found.what) == ("", "values")
    assert reading.read(a).canonicalizer == "bytes/1"


def test_an_empty_file_is_of_no_format_and_differs_from_one_that_is() -> None:
    empty = reading.read_bytes(b"", "a.json")
    assert (empty.kind, empty.leaves[""].shape) == ("bytes", (0,))
    assert compare(empty, reading.read_bytes(b"{}", "a.json"))[0].what == "kind"


def test_a_folder_is_compared_file_by_file_and_names_the_leaf_that_differs(tmp_path: Path) -> None:
    for side, text in (("a", '{"auc": 1, "n": 2}'), ("b", '{"n": 2.0,\n "auc": 1.5}')):
        (tmp_path / side / "sub").mkdir(parents=True)
        (tmp_path / side / "sub" / "m.json").write_text(text)
        os.symlink("sub", tmp_path / side / "link")
    (found,) = reading.compare_paths(str(tmp_path / "a"), str(tmp_path / "b"))
    assert (found.name, found.what) == ("sub/m.json!auc", "values")


def test_a_link_within_a_folder_is_its_target_and_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    os.symlink("..", tmp_path / "a" / "up")
    assert list(reading.read(str(tmp_path / "a")).leaves) == ["up"]


def test_a_missing_file_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        reading.read(str(tmp_path / "none.json"))


def test_the_name_of_old_tells_the_format_of_what_lies_in_a_cache(tmp_path: Path) -> None:
    (tmp_path / "0123").write_text("[]")
    assert reading.read(str(tmp_path / "0123")).kind != "json"
    assert reading.read(str(tmp_path / "0123"), "m.json").kind == "json"


def test_what_is_not_of_the_format_of_its_name_is_an_error_not_bytes() -> None:
    with pytest.raises(UnreadableContentError, match=r"m\.json: not JSON"):
        reading.read_bytes(b"{", "m.json")


def test_what_is_beyond_the_budget_is_an_error() -> None:
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b"[1, 2, 3]", "m.json", budget=Budget(document=4))
    with pytest.raises(ContentTooLargeError):
        reading.read_bytes(b'["a", "b", "c"]', "m.json", budget=Budget(parts=2))


def test_every_row_of_the_table_leads_to_a_reader_and_is_reached() -> None:
    told = {kind for *_, kind in reading.MAGIC} | set(reading.SUFFIXES.values())
    told |= set(reading.WITHIN.values())
    assert told == set(reading.READERS)
    for reader in reading.READERS.values():
        module = importlib.import_module(f"fourfold.formats.likeness.{reader.module}")
        assert callable(getattr(module, reader.function))


EXPECTED = (UnreadableContentError, ContentTooLargeError, MissingReaderError)


def test_every_reader_reads_or_refuses_what_is_not_of_its_format() -> None:
    draw = random.Random(7)
    rubbish = [
        b"\0",
        b"x",
        b"{",
        b"\xff" * 40,
        draw.randbytes(3000),
        b"," * 500,
        b"\n" * 50,
        b"\x80\x04\x95" + b"(",
    ]
    rubbish += [
        magic.rjust(start + len(magic), b"\0") + draw.randbytes(300) for start, magic, _ in reading.MAGIC
    ]
    for suffix in ("", *reading.SUFFIXES, *(end for _, end in reading.WITHIN)):
        for data in rubbish:
            with contextlib.suppress(*EXPECTED):
                reading.read_bytes(data, f"a{suffix}")


def packed(data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:xz") as archive:
        info = tarfile.TarInfo("m.json")
        info.size = len(data)
        archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.json", data)
    return file.getvalue()


def figure(kind: str) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((20, 20), 90).save(file, kind)
    return file.getvalue()


SAMPLES = {
    "a.json": b'{"a": [1, 2.5, "x"], "b": {"c": null}}',
    "a.jsonl": b'{"a": 1}\n{"a": 2, "b": "x"}\n',
    "a.yaml": b"a: [1, 2]\nb: {c: null}\nd: 2020-01-01\n",
    "a.toml": b'a = [1, 2]\n[b]\nc = "x"\nd = 2020-01-01\n',
    "a.ini": b"[a]\nb = 1\n",
    "a.csv": b"a,b\n1,x\n2,y\n",
    "a.ipynb": b'{"cells": [{"cell_type": "code", "source": "x", "outputs": []}], "nbformat": 4}',
    "a.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><g id="m0123456789"><path d="M 0"/></g></svg>',
    "a.html": b'<!DOCTYPE html><p id="x">one<b>two</b><script>f(1)</script>',
    "a.pdf": b"%PDF-1.4\n1 0 obj\n/CreationDate (D:1)\nstream\nx\nendstream\n",
    "a.png": figure("PNG"),
    "a.jpg": figure("JPEG"),
    "a.zip": zipped(b'{"a": 1}'),
    "a.tar.xz": packed(b'{"a": 1}'),
    "a.tar": lzma.decompress(packed(b'{"a": 1}')),
    "a.json.gz": gzip.compress(b'{"a": 1}'),
    "a.json.bz2": bz2.compress(b'{"a": 1}'),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_files_that_are_cut_or_changed_anywhere_are_read_or_refused_and_never_crash(name: str) -> None:
    draw, data = random.Random(name), SAMPLES[name]
    reading.read_bytes(data, name)
    for _ in range(150):
        changed = bytearray(data)
        for _ in range(draw.choice((1, 1, 3, 20))):
            changed[draw.randrange(len(changed))] = draw.choice((draw.randrange(256), *b'\0{["<,\n'))
        for end in (len(changed), draw.randrange(len(changed))):
            with contextlib.suppress(*EXPECTED):
                reading.read_bytes(bytes(changed[:end]), name)


def test_arrays_within_archives_are_compared_as_arrays(tmp_path: Path) -> None:
    for side, last in (("a", 3.0), ("b", 4.0)):
        np.savez(tmp_path / f"{side}.npz", w=np.array([1.0, last]))
        with zipfile.ZipFile(tmp_path / f"{side}.zip", "w") as archive:
            archive.write(tmp_path / f"{side}.npz", "model.npz")
            archive.writestr("notes.txt", "same\n")
    (found,) = reading.compare_paths(str(tmp_path / "a.zip"), str(tmp_path / "b.zip"))
    assert (found.name, found.what) == ("model.npz!w", "values")
    before, after = found.leaves
    assert before is not None
    assert after is not None
    assert before.numbers is not None
    assert after.numbers is not None
    assert (list(before.numbers()), list(after.numbers())) == ([1.0, 3.0], [1.0, 4.0])


def test_files_of_folders_that_are_equal_byte_for_byte_are_not_read(tmp_path: Path) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        (tmp_path / side / "broken.json").write_text("{")
        (tmp_path / side / "m.json").write_text('{"a": 1}' if side == "a" else '{"a": 2}')
    (found,) = reading.compare_paths(str(tmp_path / "a"), str(tmp_path / "b"))
    assert found.name == "m.json!a"


def test_a_pipe_is_no_file_to_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with pytest.raises(UnreadableContentError, match="no file"):
        reading.read(str(tmp_path / "a.json"))


def test_first_bytes_go_before_the_name_and_words_that_look_like_them_do_not() -> None:
    kinds = {
        ("a.csv", figure("PNG")): "png",
        ("a.json", gzip.compress(b"{}")): "json",
        ("a.txt", zipped(b"{}")): "zip",
        ("a.csv", b"PAR1,PAR2\n1,2\n"): "csv",
        ("a.txt", b"BZh is how bzip2 begins\n"): "text",
        ("a.txt", b"%PDF- is how a PDF begins\n"): "text",
        ("a.yaml", b'{"a": 1}'): "yaml",
        ("A.JSON", b"{}"): "json",
        ("site.pth", b"../src\n"): "text",
        ("noname", bz2.compress(b"x")): "bytes",
    }
    for (name, data), kind in kinds.items():
        assert reading.read_bytes(data, name).kind == kind, name


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("t.csv", "word%d,%d other words of a line\n"),
        ("t.jsonl", '{"a": "word%d", "b": "%d"}\n'),
        ("t.txt", "%d %d\n"),
    ],
)
def test_memory_does_not_grow_with_what_streams_by(tmp_path: Path, name: str, line: str) -> None:
    peaks = []
    for count in (9_000, 40_000):
        with open(tmp_path / name, "w") as file:
            file.writelines(line % (i % 977, i % 13) for i in range(count))
        tracemalloc.start()
        reading.read(str(tmp_path / name), budget=Budget(numbers=0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + (1 << 20)


def test_every_format_and_every_name_that_tells_one_is_in_the_page_about_them() -> None:
    page = (Path(__file__).parents[3] / "docs" / "concepts" / "likeness.md").read_text()
    first = " ".join(row.split("|")[1] for row in page.splitlines() if row.startswith("| "))
    assert {kind for kind in reading.READERS if kind not in first} == set()
    assert {end for end in reading.SUFFIXES if f"`{end}`" not in page} == set()
