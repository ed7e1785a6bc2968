"""Wheels that are at hand: given by the caller, named by a lock, or in the caches of uv and pip.

Formats: the wheel specification; pip's cache of answers (``http-v2``: bodies named by the SHA-224 of their
URL; before pip 23.3 ``http``: the same names, the body a text of MessagePack within); uv's cache
(``wheels-v*/.../VERSION-TAGS.http`` or ``.rev``, which name a SHA-256 and a folder in ``archive-v0``). The
caches are private to their programs: what is not understood is passed over.
"""

import glob
import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from io import BufferedReader, BytesIO
from typing import NamedTuple

from fourfold.formats.locks.model import clean_url
from fourfold.runs.environment.distributions import Distribution
from fourfold.runs.environment.records import record_digest

#: No RECORD in a wheel is larger, and no more bodies of pip's cache are looked at.
MOST_RECORD, _MOST_BODIES = 64 * 1024 * 1024, 5000
#: How answers in pip's older cache begin, and how large one may be: it is read whole.
_OLD_ANSWER, _MOST_ANSWER = b"cc=4,", 512 * 1024 * 1024
_UV_HASH = re.compile(rb"Sha256\xd9@([0-9a-f]{64})")
_UV_ARCHIVE = re.compile(rb"\xb0([A-Za-z0-9_-]{16})")
#: A text of MessagePack, with its length before it.
_UV_FILE = re.compile(rb"(?:\xd9(.)|([\xa0-\xbf]))(?=([A-Za-z0-9_.!+-]+\.whl))", re.DOTALL)
_UV_URL = re.compile(rb"https?://[\x21-\x7e]+?\.whl")
#: What reading a broken archive raises; of `RuntimeError` are those that are encrypted or packed strangely.
_BROKEN = (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error)


class Wheel(NamedTuple):
    """A wheel that was read.

    Attributes:
        hash: ``sha256:<hex>`` of its bytes.
        record: Digest of its normalized RECORD.
        name: Its file name; "" where that is not known.
        url: Where it came from; "" where that is not known. Without user and password.
        path: Where it lies, when the caller named it; "".
    """

    hash: str
    record: str
    name: str = ""
    url: str = ""
    path: str = ""


def read_wheel(path: str) -> Wheel | None:
    """Hash a wheel and read its RECORD; None when it cannot be read or is none."""
    try:
        with _content(path) as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            with zipfile.ZipFile(file) as archive:
                name = _record_name(archive.namelist())
                if not name or archive.getinfo(name).file_size > MOST_RECORD:
                    return None
                text = archive.read(name).decode("utf-8", "surrogateescape")
    except _BROKEN:
        return None
    shown = os.path.basename(path) if path.endswith(".whl") else ""
    return Wheel(f"sha256:{digest}", record_digest(text), shown, path=path if shown else "")


def _content(path: str) -> BufferedReader | BytesIO:
    """A file, or the body that an answer in pip's older cache holds."""
    file = open(path, "rb")  # noqa: SIM115 - the caller closes it
    if file.read(len(_OLD_ANSWER)) != _OLD_ANSWER:
        file.seek(0)
        return file
    with file:
        data = file.read(_MOST_ANSWER)
    begin = data.find(b"PK\x03\x04")
    for mark, width in ((b"\xc6", 4), (b"\xc5", 2), (b"\xc4", 1)):
        if begin > width and data[begin - width - 1 : begin - width] == mark:
            return BytesIO(data[begin : begin + int.from_bytes(data[begin - width : begin], "big")])
    return BytesIO(b"")


def _record_name(names: Sequence[str]) -> str:
    return next((name for name in names if name.endswith(".dist-info/RECORD") and name.count("/") == 1), "")


def wheels_of(paths: Iterable[str]) -> Iterator[str]:
    """Paths of wheels among files and folders."""
    for path in paths:
        if os.path.isdir(path):
            yield from sorted(glob.glob(os.path.join(glob.escape(path), "*.whl")))
        else:
            yield path


def file_names(one: Distribution) -> list[str]:
    """Names that the wheel of a distribution may have, by the tags in its ``WHEEL``, the likeliest first."""
    try:
        with open(os.path.join(one.folder, "WHEEL"), encoding="utf-8", errors="replace") as file:
            text = file.read(65536)
    except OSError:
        return []
    folder = os.path.basename(one.folder).removesuffix(".dist-info")
    return _names(text, [folder, stem(one.name, one.version)])


def _names(text: str, stems: Sequence[str]) -> list[str]:
    lines = text.splitlines()
    tags = [line.removeprefix("Tag:").strip() for line in lines if line.startswith("Tag:")]
    builds = [line.removeprefix("Build:").strip() for line in lines if line.startswith("Build:")]
    middles = [f"-{builds[0]}-"] if builds else ["-"]
    ends = dict.fromkeys([*_compressed(tags), *tags])
    return [f"{stem}{middle}{end}.whl" for stem in dict.fromkeys(stems) for middle in middles for end in ends]


def _compressed(tags: Sequence[str]) -> list[str]:
    """Tags as the name of a wheel has them together: ``py2.py3-none-any``."""
    parts = [tag.split("-") for tag in tags if tag.count("-") == 2]
    if len(parts) < 2:
        return []
    columns = [list(dict.fromkeys(part[index] for part in parts)) for index in range(3)]
    in_order = "-".join(".".join(column) for column in columns)
    by_name = "-".join(".".join(sorted(column)) for column in columns)
    return [in_order, by_name]


def stem(name: str, version: str) -> str:
    """How the file name of a wheel begins: ``NAME-VERSION``."""
    return f"{re.sub(r'[-_.]+', '_', name).lower()}-{version}"


def _cache(environ: Mapping[str, str], variable: str, name: str) -> str:
    base = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/nonexistent"), ".cache")
    return environ.get(variable) or os.path.join(base, name)


def _pip_bodies_of(url: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """Where pip's cache keeps the answer of a URL: as it does now, and as it did before."""
    name = hashlib.sha224(url.encode()).hexdigest()
    base = _cache(environ, "PIP_CACHE_DIR", "pip")
    now = os.path.join(base, "http-v2", *name[:5], f"{name}.body")
    return now, os.path.join(base, "http", *name[:5], name)


def of_pip_by_url(url: str, environ: Mapping[str, str]) -> Wheel | None:
    """The wheel of a URL, where pip's cache has it."""
    now, before = _pip_bodies_of(url, environ)
    wheel = read_wheel(now) or read_wheel(before)
    return wheel and wheel._replace(url=clean_url(url), name=clean_url(url).rpartition("/")[2])


def pip_bodies(environ: Mapping[str, str]) -> dict[str, list[str]]:
    """Paths of the wheels in pip's cache, by `stem`."""
    found: dict[str, list[str]] = {}
    base = glob.escape(_cache(environ, "PIP_CACHE_DIR", "pip"))
    patterns = (("http-v2", *["?"] * 5, "*.body"), ("http", *["?"] * 5, "*"))
    paths = [path for pattern in patterns for path in sorted(glob.iglob(os.path.join(base, *pattern)))]
    for path in paths[:_MOST_BODIES]:
        try:
            with _content(path) as file:
                if file.read(2) != b"PK":
                    continue
                with zipfile.ZipFile(file) as archive:
                    name = _record_name(archive.namelist())
        except _BROKEN:
            continue
        label, _mark, version = name.partition(".dist-info/")[0].rpartition("-")
        if label:
            found.setdefault(stem(label, version), []).append(path)
    return found


def of_pip(path: str, one: Distribution, environ: Mapping[str, str]) -> Wheel | None:
    """A wheel in pip's cache, with its URL where it came from PyPI.

    PyPI's addresses hold the BLAKE2 digest of the file, and pip's cache is named by the address: what is
    found under the name of such an address came from it.
    """
    wheel = read_wheel(path)
    if wheel is None:
        return None
    with suppress(OSError):
        with _content(path) as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
        base = f"https://files.pythonhosted.org/packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}"
        for name in file_names(one):
            if path in _pip_bodies_of(f"{base}/{name}", environ):
                return wheel._replace(name=name, url=f"{base}/{name}")
    return wheel


def of_uv(one: Distribution, environ: Mapping[str, str]) -> Iterator[Wheel]:
    """Wheels of one distribution in uv's cache."""
    cache = glob.escape(_cache(environ, "UV_CACHE_DIR", "uv"))
    for depth in ("*", "*/*"):
        names = (glob.escape(one.name), f"{glob.escape(one.version)}-*")
        for path in sorted(glob.iglob(os.path.join(cache, "wheels-v*", depth, *names))):
            if not path.endswith((".http", ".rev")):
                continue
            with suppress(OSError):
                with open(path, "rb") as file:
                    head = file.read(65536)
                digest, archive = _UV_HASH.search(head), _UV_ARCHIVE.search(head)
                text = _uv_record(cache, archive[1].decode()) if digest and archive else None
                if digest and text is not None:
                    url = _UV_URL.search(head)
                    yield Wheel(
                        f"sha256:{digest[1].decode()}",
                        record_digest(text),
                        _uv_file(head[digest.end() :]),
                        clean_url(url[0].decode()) if url else "",
                    )


def _uv_file(data: bytes) -> str:
    """The first name of a wheel among texts of MessagePack; "" for none."""
    for found in _UV_FILE.finditer(data):
        length = found[1][0] if found[1] else found[2][0] & 31
        name = data[found.end() : found.end() + length]
        if len(name) == length and name.endswith(b".whl") and found[3].startswith(name):
            return name.decode()
    return ""


def _uv_record(cache: str, archive: str) -> str | None:
    pattern = os.path.join(cache, "archive-v*", glob.escape(archive), "*.dist-info", "RECORD")
    for path in glob.iglob(pattern):
        with suppress(OSError), open(path, "rb") as file:
            return file.read(MOST_RECORD).decode("utf-8", "surrogateescape")
    return None
