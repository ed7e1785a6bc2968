"""Directories whose files a cloud keeps in versions: the ``files`` list of an output.

Where such a remote took a directory, DVC writes no hash of the whole: ``files`` names every file with its MD5
and, below ``cloud``, the one remote that has it, with the entity tag and the version there. The same list
says what the manifest would. No input or output.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.base.ids import DIR_SUFFIX, Oid, parse_oid
from fourfold.formats.dvc import manifest


class Tag(NamedTuple):
    """Where a cloud has a file.

    Attributes:
        remote: The remote's name.
        version: The id of the version.
        etag: The entity tag.
    """

    remote: str
    version: str
    etag: str | None = None


def columns(files: Sequence[Mapping[str, Any]], source: str) -> tuple[list[str], bytes] | None:
    """The columns of the manifest that a list of files stands for; None where a file has no MD5.

    Raises:
        BadObjectNameError: an MD5 is none.
        UnsafePathError: a path could leave its folder.
        BadManifestError: two entries claim one place.
    """
    if not all(entry.get("md5") for entry in files):
        return None
    rows = sorted((str(entry["relpath"]), str(parse_oid(entry["md5"], source))) for entry in files)
    if any(len(digest) != 32 for _path, digest in rows):
        return None
    packed = b"".join([bytes.fromhex(digest) for _path, digest in rows])
    data = b"".join(manifest.render([path for path, _digest in rows], packed))
    return manifest.parse(data, source)  # its checks are what is wanted


def identity(files: Sequence[Mapping[str, Any]], source: str) -> tuple[Oid, int | None, int] | None:
    """Name, bytes and number of files of a listed directory; None where it has no name. Errors: `columns`."""
    import hashlib  # noqa: PLC0415 - few pointer files list files

    found = columns(files, source)
    if found is None:
        return None
    digest = hashlib.md5(b"".join(manifest.render(*found)), usedforsecurity=False).hexdigest()
    sizes = [entry["size"] for entry in files if "size" in entry]
    size = sum(sizes) if len(sizes) == len(files) else None
    return Oid(digest + DIR_SUFFIX), size, len(files)


def tag_of(cloud: Mapping[str, Mapping[str, Any]] | None) -> Tag | None:
    """What a ``cloud`` mapping says; None where it names no version."""
    for remote, item in (cloud or {}).items():
        if item.get("version_id"):
            return Tag(remote, item["version_id"], item.get("etag"))
    return None


def cloud_of(tag: Tag) -> dict[str, dict[str, str]]:
    """The ``cloud`` mapping that says it, in DVC's order."""
    item = {"etag": tag.etag} if tag.etag else {}
    return {tag.remote: {**item, "version_id": tag.version}}


def entry(path: str, oid: str, size: int | None, tag: Tag | None) -> dict[str, Any]:
    """One entry of a list of files, in DVC's order."""
    made: dict[str, Any] = {"relpath": path, "md5": str(oid)}
    if size is not None:
        made["size"] = size
    return {**made, "cloud": cloud_of(tag)} if tag is not None else made


def kept(old: Sequence[Mapping[str, Any]], rows: Iterable[tuple[str, str, int]]) -> list[Mapping[str, Any]]:
    """The list for a directory whose files are now ``rows``: what did not change keeps its entry.

    Args:
        old: The list so far.
        rows: Path, MD5 and size of each file.
    """
    known = {item["relpath"]: item for item in old}
    found: list[Mapping[str, Any]] = []
    for path, oid, size in sorted(rows):
        was = known.get(path)
        found.append(was if was is not None and was.get("md5") == oid else entry(path, oid, size, None))
    return found
