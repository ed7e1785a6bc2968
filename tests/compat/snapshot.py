"""What a folder holds, as data that can be compared: paths, types, modes, links, bytes.

`take` reads a sandbox (workspace, remotes, whatever lies beside them) and `compare` says what differs
in lines for people. What is nobody's format (Git's own folder, temporary and site folders, our
``.dvc/fourfold``) is left out. Knows no tool and no scenario.
"""

import difflib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

#: Folders that are not compared, wherever they stand in a path: of ours also the records on a remote.
LEFT_OUT = (".dvc/tmp", ".dvc/fourfold", ".git", "/fourfold")
#: A file of ours that DVC does not know: what runs were made of, beside ``dvc.lock``.
OURS = "fourfold.lock"
CACHE = ".dvc/cache"
#: The name that DVC gives to a file that it is writing.
TEMPORARY = re.compile(r"\.[A-Za-z0-9_-]{22}\.tmp$")
#: A version that an S3 server gives to an object: another one in every run.
VERSION = re.compile(rb"(version_id: )\S+")
#: Text up to this many bytes is kept, so that a difference can be shown as a diff.
SHOWN = 20_000


class Entry(NamedTuple):
    """One path: ``link`` says how it shares bytes, ``text`` holds small readable content."""

    kind: str
    mode: str
    link: str
    sha256: str
    text: str | None


Snapshot = dict[str, Entry]


class Difference(NamedTuple):
    """One finding: ``key`` is stable (deviations match it), ``detail`` is for people."""

    key: str
    detail: str

    def __str__(self) -> str:
        return f"{self.key}\n{self.detail}" if self.detail else self.key


def _walk(root: Path) -> Iterator[tuple[str, os.stat_result]]:
    for folder, names, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        prefix = "" if relative == "." else relative + "/"
        names[:] = sorted(n for n in names if not _left_out(prefix + n))
        for name in sorted([*names, *(name for name in files if name != OURS)]):
            yield prefix + name, os.lstat(os.path.join(folder, name))


def _left_out(path: str) -> bool:
    return path == "home" or path.endswith(LEFT_OUT) or "/.git/" in path


def take(root: Path) -> Snapshot:
    """The snapshot of everything below ``root``, but for ``home`` and `LEFT_OUT`."""
    found = list(_walk(root))
    cached = {(s.st_dev, s.st_ino): path for path, s in reversed(found) if f"{CACHE}/" in path}
    taken: Snapshot = {}
    for path, info in found:
        entry = _entry(root, path, info, cached)
        taken[stable_name(path, entry)] = entry
    return taken


def stable_name(path: str, entry: Entry) -> str:
    """The path, with a temporary file that was left named after its content."""
    return TEMPORARY.sub(f".<random {entry.sha256[:8]}>.tmp", path)


def _entry(root: Path, path: str, info: os.stat_result, cached: dict[tuple[int, int], str]) -> Entry:
    mode = f"{stat.S_IMODE(info.st_mode):04o}"
    if stat.S_ISLNK(info.st_mode):
        target = os.readlink(root / path)
        inside = os.path.relpath(target, root) if os.path.isabs(target) else target
        kind = "symlink into the cache" if f"{CACHE}/" in inside else "symlink"
        return Entry(kind, "", inside, "", None)
    if stat.S_ISDIR(info.st_mode):
        return Entry("folder", mode, "", "", None)
    content = VERSION.sub(rb"\1<version>", (root / path).read_bytes())
    shared = cached.get((info.st_dev, info.st_ino), "") if info.st_nlink > 1 else ""
    link = f"hard link of {shared}" if shared and shared != path else ""
    return of_bytes(content, mode, link)


def of_bytes(content: bytes, mode: str = "", link: str = "") -> Entry:
    """The entry of a file, or of an object that is no file (then without mode and link)."""
    return Entry("file", mode, link, hashlib.sha256(content).hexdigest(), _text(content))


def _text(content: bytes) -> str | None:
    if len(content) > SHOWN:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def compare(ours: Snapshot, theirs: Snapshot) -> list[Difference]:
    """What differs between two snapshots, path by path; empty when they are equal."""
    found = []
    for path in sorted({*ours, *theirs}):
        a, b = ours.get(path), theirs.get(path)
        if a == b:
            continue
        if a is None or b is None:
            where = "only in B" if a is None else "only in A"
            found.append(Difference(f"{path}: {where}", f"  {a or b}"))
            continue
        for field in ("kind", "mode", "link"):
            old, new = getattr(a, field), getattr(b, field)
            if old != new:
                found.append(Difference(f"{path}: {field}", f"  A {old or '-'}\n  B {new or '-'}"))
        if a.sha256 != b.sha256:
            found.append(Difference(f"{path}: content", _text_difference(a, b)))
    return found


def _text_difference(a: Entry, b: Entry) -> str:
    if a.text is None or b.text is None:
        return f"  A sha256 {a.sha256}\n  B sha256 {b.sha256}"
    old = [repr(line) for line in a.text.splitlines(keepends=True)]
    new = [repr(line) for line in b.text.splitlines(keepends=True)]
    return "\n".join("  " + line for line in difflib.unified_diff(old, new, "A", "B", lineterm="", n=1))
