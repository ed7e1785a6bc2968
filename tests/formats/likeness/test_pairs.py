"""For each format a pair that means the same in other bytes, and a pair that does not."""

import base64
import bz2
import contextlib
import datetime as dt
import gzip
import io
import json
import lzma
import pickle
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, PngImagePlugin
from pyarrow import feather, ipc, orc
from pyarrow import parquet as pq

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import compare
from fourfold.formats.likeness.source import ContentTooLargeError, UnreadableContentError


class Three(NamedTuple):
    """A file, one that means the same, one that does not; and the leaf in which the third differs."""

    name: str
    one: bytes
    same: bytes
    other: bytes
    where: str


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(text: str, year: int) -> bytes:
    def write(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(zipfile.ZipInfo("m.txt", (year, 1, 1, 0, 0, 0)), text)

    return written(write)


def tarred(text: str, mtime: int) -> bytes:
    def write(file: io.BytesIO) -> None:
        with tarfile.open(fileobj=file, mode="w") as archive:
            info = tarfile.TarInfo("m.txt")
            info.size, info.mtime = len(text), mtime
            archive.addfile(info, io.BytesIO(text.encode()))

    return written(write)


def picture(colour: int, *, note: str = "", level: int = 6, kind: str = "PNG") -> bytes:
    image = Image.new("L", (20, 20))
    image.putpixel((3, 4), colour)
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", note)
    options = {"pnginfo": told, "compress_level": level} if kind == "PNG" else {"comment": note}
    return written(lambda file: image.save(file, kind, **options))


def table(last: float) -> pa.Table:
    return pa.table({"n": [1, None, 3], "x": [0.5, 1.5, last], "t": ["a", "b", "c"]})


def arrow(last: float, pack: str | None, rows: int) -> bytes:
    def write(file: io.BytesIO) -> None:
        options = ipc.IpcWriteOptions(compression=pack)
        with ipc.new_file(file, table(last).schema, options=options) as writer:
            writer.write_table(table(last), max_chunksize=rows)

    return written(write)


def hdf5(last: float, **options: Any) -> bytes:
    def write(file: io.BytesIO) -> None:
        with h5py.File(file, "w", track_order=bool(options)) as made:
            made.create_dataset("x", data=[0.5, 1.5, last], **options)
            made.attrs["unit"] = "m"

    return written(write)


def safetensors(last: float, order: tuple[str, str], note: str) -> bytes:
    data = {"a": struct.pack("<2f", 0.5, last), "b": b"\1\2\3\4"}
    rows: dict[str, Any] = {"__metadata__": {"note": note}}
    at = 0
    for name in order:
        size = len(data[name])
        kind, shape = ("F32", [2]) if name == "a" else ("U8", [4])
        rows[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    header = json.dumps(rows).encode()
    return len(header).to_bytes(8, "little") + header + b"".join(data[name] for name in order)


def notebook(source: str, count: int, image: bytes) -> bytes:
    output = {
        "output_type": "execute_result",
        "execution_count": count,
        "metadata": {"at": count},
        "data": {"image/png": base64.b64encode(image).decode(), "text/plain": [f"<A at 0x7f{count:06x}>"]},
    }
    cell = {"cell_type": "code", "execution_count": count, "id": f"c{count}", "metadata": {}}
    book = {"cells": [cell | {"source": source, "outputs": [output]}], "metadata": {}, "nbformat": 4}
    return json.dumps(book).encode()


def figure(name: str, words: str) -> bytes:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"><defs><clipPath id="{name}"/></defs>'
        f'<g clip-path="url(#{name})"/><text>{words}</text></svg>'
    ).encode()


def pdf(date: str, words: str) -> bytes:
    return f"%PDF-1.4\n1 0 obj\n<< /CreationDate (D:{date}) >>\nstream\n{words}\nendstream\n".encode()


MODEL = {"w": np.arange(6.0).reshape(2, 3), "when": dt.date(2020, 1, 1), "n": {"a": 1, "b": 2}}
OTHER = MODEL | {"w": np.arange(6.0).reshape(2, 3) + 1}
TURNED = {"n": {"b": 2, "a": 1}, "when": MODEL["when"], "w": np.asfortranarray(MODEL["w"])}
TEXT = b"one\ntwo\n"

PAIRS = {
    "arrow": Three("t.arrow", arrow(2.5, None, 3), arrow(2.5, "zstd", 1), arrow(2.25, None, 3), "column:x"),
    "bzip2": Three("t.txt.bz2", bz2.compress(TEXT, 9), bz2.compress(TEXT, 1), bz2.compress(b"one\n"), ""),
    "csv": Three("t.csv", b"a,b\n1,x\n2,y\n", b'b,a\r\n"x",1.0\r\ny,2e0\r\n', b"a,b\n1,x\n3,y\n", "column:a"),
    "feather": Three(
        "t.feather",
        written(lambda file: feather.write_feather(table(2.5), file, compression="uncompressed")),
        written(lambda file: feather.write_feather(table(2.5), file, compression="lz4", chunksize=1)),
        written(lambda file: feather.write_feather(table(2.25), file)),
        "column:x",
    ),
    "gzip": Three(
        "t.txt.gz",
        gzip.compress(TEXT, mtime=1),
        gzip.compress(TEXT, 1, mtime=2),
        gzip.compress(b"one\n", mtime=1),
        "",
    ),
    "hdf5": Three("t.h5", hdf5(2.5), hdf5(2.5, chunks=True, compression="gzip"), hdf5(2.25), "x"),
    "html": Three(
        "t.html",
        b'<!DOCTYPE html><p class="a" id="b">one two</p>',
        b"<!doctype html><p  id=b class='a'>one\n two<!-- drawn today --></p>",
        b'<!DOCTYPE html><p class="a" id="b">one three</p>',
        "text",
    ),
    "ini": Three("t.ini", b"[a]\nx = 1\ny = 2\n", b"; c\n[a]\ny: 2\nx: 1\n", b"[a]\nx = 1\ny = 3\n", "a.y"),
    "jpeg": Three(
        "t.jpg",
        picture(9, kind="JPEG", note="one"),
        picture(9, kind="JPEG", note="two"),
        picture(200, kind="JPEG", note="one"),
        "scans",
    ),
    "json": Three("t.json", b'{"a": 1, "b": [1, 2]}', b'{"b":[1.0,2e0],\n"a":1}', b'{"a":1,"b":[1,3]}', "b"),
    "json lines": Three(
        "t.jsonl",
        b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n',
        b'{"b":"x","a":1.0}\n\n{"b":"\\u0079","a":2}\n',
        b'{"a": 1, "b": "x"}\n{"a": 2, "b": "z"}\n',
        "column:b",
    ),
    "notebook": Three(
        "t.ipynb",
        notebook("a", 1, picture(9)),
        notebook("a", 7, picture(9, note="later", level=1)),
        notebook("a", 1, picture(10)),
        "cells[0].outputs[0].image/png!pixels",
    ),
    "npy": Three(
        "t.npy",
        written(lambda file: np.save(file, MODEL["w"])),
        written(lambda file: np.save(file, np.asfortranarray(MODEL["w"].astype(">f8")))),
        written(lambda file: np.save(file, OTHER["w"])),
        "",
    ),
    "npz": Three(
        "t.npz",
        written(lambda file: np.savez(file, w=MODEL["w"], b=np.ones(2))),
        written(lambda file: np.savez_compressed(file, b=np.ones(2), w=MODEL["w"])),
        written(lambda file: np.savez(file, w=OTHER["w"], b=np.ones(2))),
        "w",
    ),
    "orc": Three(
        "t.orc",
        written(lambda file: orc.write_table(table(2.5), file)),
        written(lambda file: orc.write_table(table(2.5), file, compression="zlib")),
        written(lambda file: orc.write_table(table(2.25), file)),
        "column:x",
    ),
    "parquet": Three(
        "t.parquet",
        written(lambda file: pq.write_table(table(2.5), file)),
        written(lambda file: pq.write_table(table(2.5), file, compression="zstd", row_group_size=1)),
        written(lambda file: pq.write_table(table(2.25), file)),
        "column:x",
    ),
    "pdf": Three("t.pdf", pdf("2020", "a"), pdf("2021", "a"), pdf("2020", "b"), ""),
    "pickle": Three("t.pkl", pickle.dumps(MODEL, 5), pickle.dumps(TURNED, 2), pickle.dumps(OTHER, 5), "w"),
    "png": Three("t.png", picture(9), picture(9, note="of today", level=1), picture(10), "pixels"),
    "safetensors": Three(
        "t.safetensors",
        safetensors(2.5, ("a", "b"), "one"),
        safetensors(2.5, ("b", "a"), "two"),
        safetensors(2.25, ("a", "b"), "one"),
        "a",
    ),
    "svg": Three(
        "t.svg",
        figure("p0123456789", "a"),
        figure("pabcdef0123", "a"),
        figure("p0123456789", "b"),
        "svg/text[1]",
    ),
    "tar": Three("t.tar", tarred("one", 1), tarred("one", 2), tarred("two", 1), "m.txt"),
    "text": Three("t.txt", TEXT, TEXT.replace(b"\n", b"\r\n"), b"one\nthree\n", ""),
    "toml": Three("t.toml", b"a = 1\nb = 2\n", b"b = 0x2 # two\na = 1\n", b"a = 1\nb = 3\n", "b"),
    "xml": Three(
        "t.xml", b"<r><a x='1' y='2'/></r>", b'<r>\n <a y="2" x="1"/></r>', b"<r><a x='3'/></r>", "r/a[1]"
    ),
    "xz": Three("t.txt.xz", lzma.compress(TEXT), lzma.compress(TEXT, preset=0), lzma.compress(b"one\n"), ""),
    "yaml": Three("t.yaml", b"a: 1\nb: [1, 2]\n", b"b:\n- 1\n- 2\na: 1 # one\n", b"a: 1\nb: [1, 3]\n", "b"),
    "zip": Three("t.zip", zipped("one", 2020), zipped("one", 2021), zipped("two", 2020), "m.txt"),
}


@pytest.mark.parametrize("kind", PAIRS)
def test_other_bytes_of_the_same_meaning_are_canonically_equal(kind: str) -> None:
    name, one, same, *_ = PAIRS[kind]
    assert one != same
    assert compare(reading.read_bytes(one, name), reading.read_bytes(same, name)) == ()


@pytest.mark.parametrize("kind", PAIRS)
def test_another_meaning_is_never_canonically_equal_and_its_leaf_is_named(kind: str) -> None:
    name, one, _, other, where = PAIRS[kind]
    found = compare(reading.read_bytes(one, name), reading.read_bytes(other, name))
    assert [difference.name for difference in found] == [where]


def test_every_reader_is_shown_a_pair_of_both_kinds() -> None:
    elsewhere = {"torch", "zstd"}  # in `test_torch_files`, and in `test_archives`
    assert set(PAIRS) - {"svg", "feather"} | elsewhere == set(reading.READERS)


@pytest.mark.parametrize("kind", sorted(PAIRS.keys() - {"arrow", "feather", "hdf5", "orc", "parquet"}))
def test_a_file_of_any_kind_that_is_changed_anywhere_is_read_or_refused(kind: str) -> None:
    """The others are read in a process of their own, whatever happens to it: `test_confined`."""
    draw, (name, one, *_) = random.Random(kind), PAIRS[kind]
    for _ in range(200):
        changed = bytearray(one)
        for _ in range(draw.choice((1, 1, 2, 5))):
            at = draw.randrange(len(changed))
            changed[at] = draw.choice((changed[at] ^ (1 << draw.randrange(8)), draw.randrange(256), 0, 255))
        with contextlib.suppress(UnreadableContentError, ContentTooLargeError):
            reading.read_bytes(bytes(changed), name)
