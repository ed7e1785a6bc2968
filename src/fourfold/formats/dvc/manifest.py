"""The ``.dir`` object: the manifest of a directory, as DVC writes it.

A JSON array of ``{"md5": ..., "relpath": ...}`` rows sorted by path in code-point order, separators
``", "`` and ``": "``, ASCII escapes, no trailing newline; an empty directory is ``[]``. Bytes to
columns and back: a list of paths and one blob of 16 bytes a row, never an object a row, because
manifests of a million rows are real. Format: docs/formats/dvc.md.
"""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from json.encoder import encode_basestring_ascii as quote

from fourfold.base.errors import InvalidFileError
from fourfold.base.ids import parse_oid, safe_relpaths

#: The widest manifest that is read: ten million rows of a hundred bytes.
MAX_BYTES = 1 << 30

_ROW = re.compile(rb'\{"md5": "([0-9a-f]{32})", "relpath": "((?:[^"\\]|\\.)*)"\}(?:, |(?=\]))')
_CHUNK = 4096


class BadManifestError(InvalidFileError):
    """A ``.dir`` object is not a list of rows, or two rows claim the same place."""

    code = "bad-manifest"


def render(paths: list[str], packed: bytes) -> Iterator[bytes]:
    """The manifest's bytes, in chunks.

    Args:
        paths: Relative POSIX paths in code-point order.
        packed: The MD5 digests of the rows, 16 bytes each.
    """
    if not paths:
        yield b"[]"
        return
    opening = "["
    for start in range(0, len(paths), _CHUNK):
        names = paths[start : start + _CHUNK]
        digests = packed[start * 16 : (start + len(names)) * 16].hex()
        rows = [
            f'{{"md5": "{digests[at * 32 : at * 32 + 32]}", "relpath": {quote(name)}}}'
            for at, name in enumerate(names)
        ]
        yield (opening + ", ".join(rows)).encode("ascii")
        opening = ", "
    yield b"]"


def parse(data: bytes, source: str) -> tuple[list[str], bytes]:
    """The columns of a manifest, sorted by path.

    Raises:
        BadManifestError: it is not a manifest, is too large, or names a place twice.
        UnsafePathError: a path could leave its folder.
        BadObjectNameError: a digest is not an MD5.
    """
    if len(data) > MAX_BYTES:
        raise BadManifestError(f"{source} is larger than a manifest may be ({len(data)} bytes)")
    columns = _parse_canonical(data)
    paths, packed = columns if columns is not None else _parse_any(data, source)
    safe_relpaths(paths, source)
    if any(map(str.__gt__, paths, paths[1:])):
        order = sorted(range(len(paths)), key=paths.__getitem__)
        packed = b"".join([packed[at * 16 : at * 16 + 16] for at in order])
        paths = [paths[at] for at in order]
    _check_places(paths, source)
    return paths, packed


def _parse_canonical(data: bytes) -> tuple[list[str], bytes] | None:
    """Columns of exactly what `render` writes; None for any other spelling."""
    if data == b"[]":
        return [], b""
    if not data.startswith(b'[{"md5": "') or not data.endswith(b'"}]'):
        return None
    paths: list[str] = []
    packed = bytearray()
    add_path, unhex = paths.append, bytes.fromhex
    position = 1
    for match in _ROW.finditer(data, 1):
        if match.start() != position:
            return None
        position = match.end()
        digest, name = match.groups()
        packed += unhex(digest.decode())
        if b"\\" in name or not name.isascii():
            try:
                path = str(json.loads(b'"' + name + b'"'))
                path.encode()  # half of a surrogate pair is JSON, and no text
            except ValueError:
                return None
            add_path(path)
        else:
            add_path(name.decode("ascii"))
    return (paths, bytes(packed)) if position == len(data) - 1 else None


def _parse_any(data: bytes, source: str) -> tuple[list[str], bytes]:
    """Columns of any JSON spelling of a manifest."""
    try:
        rows = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadManifestError(f"{source} is not a manifest: {str(error)[:100]}") from None
    if not isinstance(rows, list):
        raise BadManifestError(f"{source} is not a manifest: expected a list of rows")
    paths: list[str] = []
    packed = bytearray()
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("relpath"), str):
            raise BadManifestError(f"{source} is not a manifest: a row has no 'relpath'")
        digest = parse_oid(row.get("md5"), source)
        if len(digest) != 32:
            raise BadManifestError(
                f"{source} is not a manifest: {digest} names a directory inside a directory"
            )
        path = row["relpath"]
        if not path.isascii() and any("\ud800" <= letter <= "\udfff" for letter in path):
            raise BadManifestError(f"{source} is not a manifest: a path is not Unicode text")
        paths.append(path)
        packed += bytes.fromhex(digest)
    return paths, bytes(packed)


def _check_places(paths: list[str], source: str) -> None:
    """Refuse two rows for one file, and a file that is also a directory."""
    places = set(paths)
    if len(places) != len(paths):
        twice = next(one for one, two in pairwise(paths) if one == two)
        raise BadManifestError(f"{source} is not a manifest: it names {twice!r} twice")
    seen = ""
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder == seen:
            continue
        seen = folder
        while folder:
            if folder in places:
                raise BadManifestError(f"{source} is not a manifest: {folder!r} is a file and a directory")
            folder = folder.rpartition("/")[0]
