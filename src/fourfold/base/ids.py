"""Distinct types for the names of things, and the only ways to make them from text.

A digest, a revision and a relative path are all text; mixing them up is how a tool deletes the
wrong file. Each has its own type, which costs nothing at run time, and one constructor that
refuses what does not match its exact pattern. Nothing here touches a file.
"""

import os
import re
from typing import NewType, cast

from fourfold.base.errors import UnsafeError

#: The name of an object in the store: 32 lower-case hex digits, and ``.dir`` for a tree.
Oid = NewType("Oid", str)
#: A full Git commit id.
CommitId = NewType("CommitId", str)
#: A POSIX relative path that cannot leave the folder it is joined to.
RelPath = NewType("RelPath", str)
#: The id of an entry of the operation log.
OpId = NewType("OpId", str)

DIR_SUFFIX = ".dir"
_OID = re.compile(r"[0-9a-f]{32}(?:\.dir)?", re.ASCII)


class BadObjectNameError(UnsafeError):
    """A hash field does not have the exact pattern of an object name."""

    code = "bad-object-name"


class UnsafePathError(UnsafeError):
    """A path from a file could name a place outside its folder, or a file of Git or of DVC."""

    code = "unsafe-path"


def parse_oid(text: object, source: str = "") -> Oid:
    """Read an object name.

    Raises:
        BadObjectNameError: ``text`` is not 32 hex digits, optionally followed by ``.dir``.
    """
    if isinstance(text, str) and _OID.fullmatch(text):
        return Oid(text)
    where = f" in {source}" if source else ""
    raise BadObjectNameError(
        f"not an MD5 object name{where}: {str(text)[:80]!r}",
        hint="restore the file from Git; nothing was read or written under that name",
    )


def is_tree(oid: Oid) -> bool:
    """Whether ``oid`` names a directory manifest."""
    return oid.endswith(DIR_SUFFIX)


# Refused in every path that a file of a repository supplies: NUL, empty, '.' and '..' components, and
# Git's and DVC's own folders, also in the spellings that case-folding or 8.3 file systems take for them.
_BAD = re.compile(
    r"\x00|(?:^|/)(?:\.{0,2}|\.git[ .]*|\.git:[^/]*|git~\d+|\.dvc[ .]*|\.dvc:[^/]*|dvc~\d+)(?=/|$)",
    re.IGNORECASE | re.ASCII,
)
# Legal in a POSIX name, but on Windows they separate, name a drive, or name a device.
_BAD_ON_WINDOWS = re.compile(
    r"[\\:]|(?:^|/)(?:con|prn|aux|nul|com\d|lpt\d)(?:\.[^/]*)?(?=/|$)|[ .](?=/|$)", re.IGNORECASE | re.ASCII
)
#: Code points that HFS+ ignores: ``.g\u200cit`` names ``.git`` there.
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")


def safe_relpath(text: object, source: str = "") -> RelPath:
    """Read a relative POSIX path that stays below the folder it will be joined to.

    Raises:
        UnsafePathError: it is absolute, climbs, is empty, or names Git's or DVC's own folder.
    """
    if isinstance(text, str) and text and not is_unsafe_path(text):
        return RelPath(text)
    where = f" in {source}" if source else ""
    raise UnsafePathError(
        f"refused path{where}: {str(text)[:120]!r}",
        hint="paths of data must be relative and stay inside their folder",
    )


def is_unsafe_path(text: str) -> bool:
    """Whether a relative POSIX path could leave its folder or touch Git's or DVC's own files."""
    if _BAD.search(text):
        return True
    if os.name == "nt" and _BAD_ON_WINDOWS.search(text):
        return True
    if not text.isascii():
        plain = _INVISIBLE.sub("", text)
        return plain != text and bool(_BAD.search(plain))
    return False


# The same rule over many names at once, joined by NUL: one search instead of a call a name.
_BAD_AMONG = re.compile(
    _BAD.pattern.replace(r"\x00|", "", 1)
    .replace("(?:^|/)", r"(?:\A|[/\x00])")
    .replace("(?=/|$)", r"(?=[/\x00]|\Z)"),
    re.IGNORECASE | re.ASCII,
)


def safe_relpaths(texts: list[str], source: str = "") -> list[RelPath]:
    """Read many relative POSIX paths, as `safe_relpath` reads one, at the cost of one search.

    Raises:
        UnsafePathError: one of them could leave its folder; it is named.
    """
    blob = "\0".join(texts)
    suspicious = (
        blob.count("\0") != max(len(texts) - 1, 0)
        or (bool(texts) and _BAD_AMONG.search(blob) is not None)
        or not blob.isascii()
        or os.name == "nt"
    )
    if suspicious:
        for text in texts:
            safe_relpath(text, source)
    return cast("list[RelPath]", texts)
