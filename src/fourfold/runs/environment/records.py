"""The RECORD of a distribution, normalized: the same for a wheel and for what was installed from it.

A wheel lists its files with their hashes; an installer copies the list and changes what it must: it adds
files of its own, compiles, moves scripts and data. `record_digest` leaves that out. Format: PEP 376 and the
wheel specification.
"""

import csv
import re
from collections.abc import Iterator

from blake3 import blake3

#: Files in ``*.dist-info`` that an installer writes or changes.
_INSTALLERS = frozenset(
    {
        "RECORD",
        "RECORD.jws",
        "RECORD.p7s",
        "INSTALLER",
        "REQUESTED",
        "direct_url.json",
        "provenance_url.json",
        "uv_cache.json",
        "uv_build.json",
    }
)
_DATA = re.compile(r"[^/]+\.data/(purelib|platlib|scripts|headers|data)/(.*)", re.DOTALL)
#: What lies outside of the folder of packages: scripts are rewritten or made there, headers move.
_MOVED = re.compile(r"(?:\.\./)+(?:bin|Scripts|include|Include)/")
_OUTSIDE = re.compile(r"(?:\.\./)+")
_BYTECODE = (".pyc", ".pyo")


def rows(text: str) -> Iterator[tuple[str, str, str]]:
    """Path, hash (``sha256=...``, may be empty) and size (likewise) of each file that a RECORD names.

    Lines that are none are left out: a RECORD that was damaged gives another digest, not an error.
    """
    if '"' in text:
        for row in csv.reader(text.splitlines()):
            if len(row) >= 2:
                yield row[0], row[1], row[2] if len(row) > 2 else ""
        return
    for line in text.splitlines():
        words = line.rsplit(",", 2)
        if len(words) == 3:
            yield words[0], words[1], words[2]


def portable_name(path: str) -> str:
    """What a file is called in a wheel and once installed alike; "" for one that is left out."""
    path = path.replace("\\", "/")
    if path.endswith(_BYTECODE):
        return ""
    if ".data/" in path:
        moved = _DATA.fullmatch(path)
        if moved is not None:
            kind, rest = moved.groups()
            if kind in {"purelib", "platlib"}:
                return rest
            return "{data}/" + rest if kind == "data" and not _MOVED.match("../" + rest) else ""
    if path.startswith("../"):
        return "" if _MOVED.match(path) else "{data}/" + _OUTSIDE.sub("", path, count=1)
    folder, _, name = path.rpartition("/")
    if name in _INSTALLERS and folder.endswith(".dist-info") and "/" not in folder:
        return ""
    return path


def record_digest(text: str) -> str:
    """BLAKE3 of a normalized RECORD, 64 hex digits: of one line ``path,hash`` for each file, sorted."""
    lines = sorted(f"{name},{proof}\n" for path, proof, _ in rows(text) if (name := portable_name(path)))
    return blake3("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
