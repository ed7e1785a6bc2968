"""Pictures that real programs write: the same pixels in other files, and other pixels."""

import io
import itertools
import random
import struct
import zlib
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin

from fourfold.formats.likeness import reading
from fourfold.formats.likeness.model import Content, compare
from fourfold.formats.likeness.source import Budget, ContentTooLargeError, UnreadableContentError

ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def of(data: bytes) -> Content:
    return reading.read_bytes(data, "picture")


def differing(a: bytes, b: bytes) -> list[tuple[str, str]]:
    return [(found.name, found.what) for found in compare(of(a), of(b))]


def picture(mode: str, size: tuple[int, int] = (37, 23), seed: int = 1) -> Image.Image:
    draw = np.random.default_rng(seed)
    width, height = size
    slope = np.linspace(0, 200, width * height * 4).reshape(height, width, 4)
    noisy = (slope + draw.integers(0, 55, (height, width, 4))).astype("uint8")
    return Image.fromarray(noisy, "RGBA").convert(mode) if mode != "RGBA" else Image.fromarray(noisy)


def saved(image: Image.Image, kind: str = "PNG", **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **how)
    return file.getvalue()


def png(depth: int, colour: int, rows: list[bytes], width: int, *extra: tuple[bytes, bytes]) -> bytes:
    """A PNG whose rows, with their filters, are given."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", header), *extra, (b"IDAT", zlib.compress(b"".join(rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_pngs_of_the_same_pixels_mean_the_same_however_they_are_packed(mode: str) -> None:
    image = picture(mode)
    told = PngImagePlugin.PngInfo()
    told.add_text("Software", "another version")
    a, b = saved(image, compress_level=1), saved(image, compress_level=9, pnginfo=told)
    assert a != b
    assert differing(a, b) == []
    other = image.copy()
    other.putpixel((5, 7), other.getpixel((6, 9)) if mode != "1" else 255 - other.getpixel((5, 7)))
    assert differing(a, saved(other)) == [("pixels", "values")]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pixels_are_those_that_pillow_reads(mode: str) -> None:
    image = picture(mode, (61, 40))
    leaf = of(saved(image)).leaves["pixels"]
    assert leaf.numbers is not None
    assert list(leaf.numbers()) == np.asarray(image).reshape(-1).tolist()
    assert leaf.shape == (40, 61, len(mode))


def test_every_filter_of_png_is_undone() -> None:
    draw = random.Random(3)
    width, height, step = 19, 12, 3
    plain = [[draw.randrange(256) for _ in range(width * step)] for _ in range(height)]
    rows = []
    for number, row in enumerate(plain):
        above = plain[number - 1] if number else [0] * len(row)
        kind, line = number % 5, []
        for i, value in enumerate(row):
            left = row[i - step] if i >= step else 0
            corner = above[i - step] if i >= step else 0
            near = min((left, above[i], corner), key=lambda x: abs(left + above[i] - corner - x))
            guess = (0, left, above[i], (left + above[i]) // 2, near)[kind]
            line.append((value - guess) % 256)
        rows.append(bytes((kind, *line)))
    data = png(8, 2, rows, width)
    expected = np.asarray(Image.open(io.BytesIO(data))).reshape(-1).tolist()
    assert expected == list(itertools.chain(*plain))
    assert list(of(data).leaves["pixels"].numbers()) == expected  # type: ignore[misc]


def test_interlaced_and_plain_pictures_of_the_same_pixels_mean_the_same() -> None:
    for depth, colour, pixel in ((8, 2, 3), (8, 0, 1), (16, 6, 8)):
        for width, height in ((1, 1), (3, 2), (13, 9)):
            draw = random.Random(width)
            rows = [bytes(draw.randrange(256) for _ in range(width * pixel)) for _ in range(height)]
            plain = png(depth, colour, [b"\0" + row for row in rows], width)
            lines = []
            for left, top, across, down in ADAM7:
                for row in rows[top::down]:
                    cells = [row[x * pixel : (x + 1) * pixel] for x in range(left, width, across)]
                    if cells:
                        lines.append(b"\0" + b"".join(cells))
            header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 1)
            woven = png(depth, colour, lines, width)
            start = woven.index(b"IHDR")
            woven = (
                woven[: start + 4]
                + header
                + struct.pack(">I", zlib.crc32(b"IHDR" + header))
                + woven[start + 21 :]
            )
            assert Image.open(io.BytesIO(woven)).size == (width, height)
            assert differing(plain, woven) == []


def test_samples_of_sixteen_bits_are_numbers() -> None:
    image = Image.fromarray(np.arange(0, 60000, 100, dtype="uint16").reshape(20, 30))
    leaf = of(saved(image)).leaves["pixels"]
    assert (leaf.dtype, list(leaf.numbers())[:3]) == ("uint16", [0, 100, 200])  # type: ignore[misc]


def test_bits_that_fill_up_the_last_byte_of_a_row_mean_nothing() -> None:
    assert differing(png(1, 0, [b"\0\xa0"], 3), png(1, 0, [b"\0\xbf"], 3)) == []
    assert differing(png(1, 0, [b"\0\xa0"], 3), png(1, 0, [b"\0\x80"], 3)) == [("pixels", "values")]


def test_colour_space_and_palette_count() -> None:
    rows = [b"\0\1\2"]
    assert differing(png(8, 0, rows, 2), png(8, 0, rows, 2, (b"gAMA", b"\0\1\2\3"))) == [
        ("chunk:gAMA", "new")
    ]
    one, other = ((b"PLTE", bytes(range(9))), (b"PLTE", bytes(range(1, 10))))
    assert differing(png(8, 3, rows, 2, one), png(8, 3, rows, 2, other)) == [("chunk:PLTE", "values")]


def test_figures_of_matplotlib_mean_the_same_whoever_drew_them(tmp_path: Path) -> None:
    for name, value, by in (("a", 1.0, "matplotlib 1"), ("b", 1.0, mpl.__version__), ("c", 1.5, "x")):
        figure = Figure(figsize=(3, 2))
        figure.add_subplot().plot([0, value, 2])
        figure.savefig(tmp_path / f"{name}.png", metadata={"Software": by})
    a, b, c = (str(tmp_path / f"{name}.png") for name in "abc")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
    assert reading.compare_paths(a, b) == ()
    assert [found.name for found in reading.compare_paths(a, c)] == ["pixels"]


def test_pngs_that_are_damaged_are_typed_errors() -> None:
    data = saved(picture("RGB"))
    for end in (8, 20, 60, len(data) - 14, len(data) - 1):
        with pytest.raises(UnreadableContentError):
            of(data[:end])
    for at in (17, 24, 60):
        with pytest.raises(UnreadableContentError):
            of(data[:at] + bytes((data[at] ^ 255,)) + data[at + 1 :])
    for bad in (
        png(8, 0, [b"\7\1"], 1),
        png(8, 0, [b"\0\1"], 2),
        png(8, 0, [b"\0\1\1\1"], 1),
        png(3, 0, [b"\0\1"], 1),
        png(8, 5, [b"\0\1"], 1),
        png(8, 0, [], 1),
    ):
        with pytest.raises(UnreadableContentError):
            of(bad)


def test_a_png_of_very_many_pixels_is_refused_before_it_is_unpacked() -> None:
    data = png(8, 0, [b"\0"], 1)
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0)
    start = data.index(b"IHDR")
    data = data[: start + 4] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + data[start + 21 :]
    with pytest.raises(ContentTooLargeError):
        of(data)
    assert of(saved(picture("L"))).leaves["pixels"].numbers is not None
    few = reading.read_bytes(saved(picture("L")), "p.png", budget=Budget(numbers=0))
    assert few.leaves["pixels"].numbers is None


@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_that_only_describe_themselves_otherwise_mean_the_same(progressive: bool) -> None:
    image = picture("RGB", (80, 60))
    exif = Image.Exif()
    exif[306] = "2020:01:01 00:00:00"
    a = saved(image, "JPEG", progressive=progressive)
    b = saved(image, "JPEG", progressive=progressive, exif=exif, comment=b"made here", dpi=(300, 300))
    assert a != b
    assert differing(a, b) == []
    other = saved(picture("RGB", (80, 60), seed=2), "JPEG", progressive=progressive)
    assert differing(a, other) == [("scans", "values")] or ("scans", "shape") in differing(a, other)
    coarse = saved(image, "JPEG", progressive=progressive, quality=30)
    assert "tables" in [name for name, _ in differing(a, coarse)]


def test_jpegs_that_are_damaged_are_typed_errors() -> None:
    data = saved(picture("RGB"), "JPEG")
    for bad in (
        data[:3],
        data[:30],
        data[:200],
        data[:-2],
        data[:20] + b"\0" + data[20:],
        data[:3] + b"\xd9",
    ):
        with pytest.raises(UnreadableContentError):
            of(bad)


def test_other_pictures_mean_their_bytes() -> None:
    image = picture("P")
    for kind in ("GIF", "BMP"):
        assert of(saved(image, kind)).kind == "bytes"


def test_what_follows_the_end_of_a_png_counts() -> None:
    plain = saved(Image.new("L", (3, 3)))
    contents = [reading.read_bytes(plain + rest, "a.png") for rest in (b"", b"\0\0", b"one", b"two")]
    assert compare(contents[0], contents[1]) == ()
    assert [found.name for found in compare(contents[0], contents[2])] == ["after the end"]
    assert [found.what for found in compare(contents[2], contents[3])] == ["values"]
