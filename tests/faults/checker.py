"""What must hold after any fault, checked by reading the disk: the stores, the pointer files, the workspace.

Plain Python and hashlib, on purpose: nothing of the product is imported, so that a mistake there cannot hide
itself here. Reads only the few lines of a pointer file that name objects, with a pattern of its own.
"""

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.compat.scenario import dos2unix_md5
from tests.compat.snapshot import Snapshot
from tests.faults import locked

_STORED = re.compile(r"^(?P<root>.*?)(?:files/md5/)?(?P<a>[0-9a-f]{2})/(?P<b>[0-9a-f]{30}(?:\.dir)?)$")
_OUTPUT_MD5 = re.compile(r"^(?:- |  )md5: ([0-9a-f]{32}(?:\.dir)?)$", re.MULTILINE)
_OUTPUT_PATH = re.compile(r"^(?:- |  )path: (.+)$", re.MULTILINE)
_LITTER = re.compile(r"\.(?:tmp|part|partial|staging)$|\.tmp[./]")
_POINTER = re.compile(r"\.dvc$|(?:^|/)dvc\.lock$")


class Finding(NamedTuple):
    """One broken promise: ``kind`` is a column of the table of the sweep."""

    kind: str
    what: str


KINDS = (
    "lost",
    "torn",
    "missing",
    "false clean",
    "traceback",
    "not converged",
    "litter",
    "false success",
    "hang",
)


def stored(box: Path) -> dict[str, set[str]]:
    """The names of the objects of every store below ``box``, by the store's folder."""
    found: dict[str, set[str]] = {}
    for path in _files(box):
        if match := _STORED.match(path):
            found.setdefault(match["root"], set()).add(match["a"] + match["b"])
    return found


def _files(box: Path) -> Iterator[str]:
    for folder, names, files in os.walk(box):
        names[:] = [n for n in names if n not in {".git", "home"}]
        for name in files:
            yield os.path.relpath(os.path.join(folder, name), box)


def torn_objects(box: Path) -> list[Finding]:
    """Objects whose bytes are not what their name says."""
    found = []
    for path in _files(box):
        match = _STORED.match(path)
        if match is None:
            continue
        name = match["a"] + match["b"].removesuffix(".dir")
        content = (box / path).read_bytes()
        legacy = "files/md5/" not in path
        actual = dos2unix_md5(content) if legacy else hashlib.md5(content).hexdigest()
        if actual != name:
            found.append(Finding("torn", f"{path} holds {len(content)} bytes that hash to {actual}"))
    return found


def lost_objects(box: Path, before: dict[str, set[str]], after: dict[str, set[str]]) -> list[Finding]:
    """Objects that were there, should still be there, and are not."""
    now = stored(box)
    return [
        Finding("lost", f"object {name} of {root}")
        for root, names in before.items()
        for name in sorted((names & after.get(root, set())) - now.get(root, set()))
    ]


def unreachable_objects(box: Path, known: set[str]) -> list[Finding]:
    """Objects that a pointer file or a manifest of a remote names, and that no store has.

    ``known`` are those that the command starts from or makes: what was never there is not lost.
    """
    now = stored(box)
    everywhere = set().union(*now.values()) if now else set()
    found = []
    for path in _files(box / "ws"):
        if _POINTER.search(path):
            named = _named(box, (box / "ws" / path).read_text(errors="replace"))
            found += [Finding("lost", f"{path} names {n}") for n in sorted((named & known) - everywhere)]
    for root, names in now.items():
        if ".dvc/" in root:
            continue
        for tree in (n for n in names if n.endswith(".dir")):
            children = _children(_object(box, root, tree))
            found += [Finding("lost", f"{root} has {tree} without {c}") for c in sorted(children - names)]
    return found


def _object(box: Path, root: str, name: str) -> bytes:
    for layout in ("files/md5/", ""):
        path = box / f"{root}{layout}{name[:2]}/{name[2:]}"
        if path.exists():
            return path.read_bytes()
    return b"[]"


def _children(manifest: bytes) -> set[str]:
    try:
        return {row["md5"] for row in json.loads(manifest)}
    except (ValueError, TypeError, KeyError):
        return set()


def _named(box: Path, pointer: str) -> set[str]:
    """Every object that a pointer file needs: those it names, and the rows of the trees among them."""
    named = {entry.md5 for entry in locked.entries(pointer) if entry.section == "outs"}
    named |= set(_OUTPUT_MD5.findall(pointer))
    for tree in [n for n in named if n.endswith(".dir")]:
        for root, names in stored(box).items():
            if tree in names:
                named |= _children(_object(box, root, tree))
    return named


def workspace(
    now: Snapshot, before: Snapshot, after: Snapshot, remade: Collection[str] = ()
) -> list[Finding]:
    """Every path that the command does not delete is there, with its old bytes or its new ones.

    Paths that are ``remade``, or lie below one, may be missing while their stage runs.
    """
    found = []
    for path in sorted({*before, *after}):
        if _is_store(path):
            continue
        old, new, is_now = before.get(path), after.get(path), now.get(path)
        if is_now is None:
            if old is not None and new is not None and not _is_below(path, remade):
                found.append(Finding("missing", path))
            continue
        allowed = {e.sha256 for e in (old, new) if e is not None}
        if is_now.sha256 in allowed or (path.endswith(".gitignore") and _between(is_now.text, old, new)):
            continue
        texts = (getattr(entry, "text", None) for entry in (is_now, old, new))
        if path.endswith("dvc.lock") and locked.is_between(*texts):
            continue
        found.append(Finding("torn", f"{path} holds neither its old bytes nor its new ones"))
    return found


def _is_below(path: str, tops: Collection[str]) -> bool:
    return any(path == f"ws/{top}" or path.startswith(f"ws/{top}/") for top in tops)


def _between(text: str | None, old: object, new: object) -> bool:
    """Whether the lines of an ignore file lie between the old and the new ones: it may grow line by line."""
    first, last = ({*(getattr(e, "text", "") or "").splitlines()} for e in (old, new))
    lines = {*(text or "").splitlines()}
    return (first & last) <= lines <= (first | last) and (text or "\n").endswith("\n")


def _is_store(path: str) -> bool:
    return not path.startswith("ws/") or path.startswith("ws/.dvc/cache")


def is_clean(box: Path) -> bool:
    """Whether every output of every pointer file of the workspace has the bytes that the file names.

    Of pipelines: whether each stage is in the lock file, with all that it reads and makes as that file says.
    """
    workspace_root = box / "ws"
    for path in _files(workspace_root):
        if path.endswith("dvc.yaml") and not _is_locked(workspace_root / os.path.dirname(path)):
            return False
        if not path.endswith(".dvc"):
            continue
        text = (workspace_root / path).read_text(errors="replace")
        oids, paths = _OUTPUT_MD5.findall(text), _OUTPUT_PATH.findall(text)
        if not oids or len(oids) != len(paths):
            return False
        folder = workspace_root / os.path.dirname(path)
        if any(identity(folder / out) != oid for oid, out in zip(oids, paths, strict=True)):
            return False
    return True


def _is_locked(folder: Path) -> bool:
    lock = folder / "dvc.lock"
    text = lock.read_text(errors="replace") if lock.exists() else ""
    stages = {*locked.blocks((folder / "dvc.yaml").read_text())} - {""}
    if not stages <= {*locked.blocks(text)}:
        return False
    return all(identity(folder / entry.path) == entry.md5 for entry in locked.entries(text))


def identity(path: Path) -> str:
    """The name that DVC 3 gives to a file or a directory; empty when there is none."""
    if path.is_dir():
        files = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        rows = [{"md5": identity(path / name), "relpath": name} for name in files]
        return hashlib.md5(json.dumps(rows, sort_keys=True).encode()).hexdigest() + ".dir"
    return hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else ""


def litter(box: Path, reference: Path) -> list[Finding]:
    """Temporary files that a finished command left, and that an undisturbed one would not have left."""
    return [
        Finding("litter", path)
        for path in sorted({*_files(box)} - {*_files(reference)})
        if _LITTER.search(path)
    ]
