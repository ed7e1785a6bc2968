"""An archive of a run read again: every member proven, then a repository and a project made of it.

Nothing in an archive is believed before its bytes are what the list says, and what their own name says; no
name in it can lead out of the folder; unpacking runs nothing. Writing one is `archive`.
"""

import hashlib
import os
import shutil
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from blake3 import blake3

from fourfold.base.errors import (
    CorruptError,
    ExhaustedError,
    FourfoldError,
    InvalidFileError,
    NotFoundError,
    from_os_error,
)
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.ids import Oid, is_unsafe_path
from fourfold.content.objects import ObjectStore, is_object_name
from fourfold.evidence.export.archive import (
    CHUNK,
    MANIFEST,
    MOST_PACK,
    PACK,
    README,
    SCHEMA,
    remove,
    shown_commands,
)
from fourfold.evidence.export.dossier import utf8
from fourfold.formats.attest.strict import MOST as MOST_STATEMENT
from fourfold.formats.native.canonical import MOST, canonical, parse
from fourfold.formats.native.record import MOST_RECORD, RunId, is_id, parse_record
from fourfold.runs import envelopes
from fourfold.runs.changes import is_path
from fourfold.runs.store import FOLDER as RUNS
from fourfold.runs.store import Records
from fourfold.scm.packing import make_repository, plant
from fourfold.scm.refs import is_full_id

#: No archive has more members.
_MOST_MEMBERS = 2_000_000
#: The list of members has so many bytes at most, and so many more a member: it is read before it is proven.
_MOST_LIST, _MOST_LISTED = 4 << 20, 1024
_MOST_README = 16 << 20
#: Deflate makes nothing smaller than this, so what claims to be has members that share bytes.
_MOST_PACKED = 1100
#: What reading a member raises when the file was tampered with: `zipfile` lets much through.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    RuntimeError,
    ValueError,
    OverflowError,
)


class ArchiveCorruptError(CorruptError):
    """A member of an archive is not what the archive, or its own name, says."""

    code = "archive-corrupt"
    default_hint = "get the archive again from whoever made it"


class BadArchiveError(InvalidFileError):
    """A file is no archive of a run, or one of a later version."""

    code = "bad-archive"


class ArchiveTooLargeForDiskError(ExhaustedError):
    """There is less room on the disk than what is in an archive needs."""

    code = "archive-too-large-for-disk"


class Unpacked(NamedTuple):
    """An archive that lies in a folder now.

    Attributes:
        run: The run that it is about.
        root: Absolute root of the repository that was made.
        project_root: Absolute root of the project in it.
        left_out: As it says of itself.
    """

    run: RunId
    root: str
    project_root: str
    left_out: tuple[str, ...]


def is_archive(path: str) -> bool:
    """Whether a file begins as an archive of ours does; it may be damaged all the same."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"PK\x03\x04" and file.read(26 + len(MANIFEST)).endswith(MANIFEST.encode())
    except OSError:
        return False


def check(path: str) -> Iterator[str]:
    """What is wrong with an archive, one phrase each; nothing where it is whole.

    Raises:
        BadArchiveError: it is none.
    """
    with _opened(path) as archive:
        about = _about(archive, path)
        whole = True
        for name, said in sorted(about["files"].items()):
            try:
                _prove(archive, name, said)
            except ArchiveCorruptError as error:
                yield error.message
                whole = False
        if whole:
            try:
                _vet_readme(archive, about)
            except ArchiveCorruptError as error:
                yield error.message


def unpack(path: str, folder: str, environ: Mapping[str, str]) -> Unpacked:
    """Make a repository and a project of an archive, every member proven.

    Args:
        path: The archive.
        folder: Absolute; must be empty, or not there.
        environ: The caller's environment.

    Raises:
        BadArchiveError: it is no archive, or of a later version.
        ArchiveCorruptError, BadPackError: a member is not what it should be.
        FolderNotEmptyError: the folder has files.
        ArchiveTooLargeForDiskError: there is less room than the archive needs; nothing was written.
        DeniedError, ExhaustedError: the file system refuses.
    """
    from fourfold.scm.unpack import FolderNotEmptyError  # noqa: PLC0415 - Git's, where there is some

    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise FolderNotEmptyError(f"'{folder}' is not empty", hint="name a folder that is not there yet")
    except OSError as error:
        raise from_os_error(error, f"creating {folder}") from error
    with _opened(path) as archive:
        about = _about(archive, path)
        _vet_readme(archive, about)
        _room(about, folder)
        inner = about["folder"]
        project_root = os.path.normpath(os.path.join(folder, inner)) if inner not in {"", "."} else folder
        if about["commit"]:
            pack = _proven(archive, PACK, about["files"].get(PACK))
            plant(folder, environ, pack, about["commits"], about["commit"])
        else:  # all of the code is in the record: it was made before the first commit
            make_repository(folder, environ)
        try:
            dvc_dir = os.path.join(project_root, ".dvc")
            own = os.path.join(dvc_dir, "fourfold")
            os.makedirs(own, exist_ok=True)
            write_atomic(os.path.join(dvc_dir, "config"), b"", durable=False)
            _put(archive, about, dvc_dir, own)
        except OSError as error:
            raise from_os_error(error, f"writing {folder}") from error
    return Unpacked(RunId(about["run"]), folder, project_root, tuple(about["left_out"]))


def _room(about: Mapping[str, Any], folder: str) -> None:
    """Refuse what would fill the disk; a size that is not true is told when the member is read."""
    needed = sum(said["size"] for said in about["files"].values())
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise from_os_error(error, f"asking for the room in {folder}") from error
    if needed > free:
        raise ArchiveTooLargeForDiskError(
            f"the archive has {needed:,} bytes, and there is room for {free:,} in {folder}",
            hint="name a folder on a larger disk: --into <folder>",
        )


def _vet_readme(archive: zipfile.ZipFile, about: Mapping[str, Any]) -> None:
    """Refuse a page that shows people other commands than those that a replay runs."""
    files, name = about["files"], f"runs/records/{about['run']}"
    if README not in files:
        return
    shown = _proven(archive, README, files[README])
    lines = shown_commands(parse_record(_proven(archive, name, files[name]), name))
    if utf8("\n".join(["", *lines, ""])) not in shown:
        raise ArchiveCorruptError(f"{README} in the archive does not show the commands of the record")


def _put(archive: zipfile.ZipFile, about: Mapping[str, Any], dvc_dir: str, own: str) -> None:
    """The records and the objects, at their places."""

    def make(*parts: str) -> str:
        path = os.path.join(own, *parts)
        os.makedirs(path, exist_ok=True)
        return path

    records = Records(os.path.join(own, RUNS), make)
    store = ObjectStore(os.path.join(dvc_dir, "cache"))
    for name, said in sorted(about["files"].items()):
        kind, _, rest = name.partition("/")
        if kind == "data":
            target = store.path(Oid(rest))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            _extract(archive, name, said, target)
        elif kind == "runs":
            part, _, oid = rest.partition("/")
            data = _proven(archive, name, said)
            run, _, envelope = oid.partition("/")
            if part == envelopes.FOLDER:
                records.adopt(envelope, data, envelopes.kind_of(run))
            else:
                records.adopt(oid, data, part)


def _opened(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except FileNotFoundError:
        raise NotFoundError(f"'{path}' does not exist") from None
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    except _DAMAGED as error:
        raise BadArchiveError(f"'{path}' is no archive of a run, or is cut short: {error}") from error


def _about(archive: zipfile.ZipFile, path: str) -> dict[str, Any]:
    """What an archive says of itself, as far as that makes sense."""
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if MANIFEST not in names:
        raise BadArchiveError(f"'{path}' has no {MANIFEST}: it is no archive of a run")
    _vet_members(infos, path)
    most = _MOST_LIST + _MOST_LISTED * len(infos)
    try:
        with archive.open(MANIFEST) as file:
            data = file.read(most + 1)
    except _DAMAGED as error:
        raise ArchiveCorruptError(f"{MANIFEST} in the archive is damaged: {error}") from error
    if len(data) > most:
        raise ArchiveCorruptError(f"{MANIFEST} in the archive is larger than a list of {len(infos)} members")
    try:
        about = parse(data, MANIFEST)
    except FourfoldError as error:
        raise ArchiveCorruptError(f"{MANIFEST} in the archive is damaged: {error.message}") from error
    if canonical(about) != data:  # a key stands twice, say: another reader would see another list
        raise ArchiveCorruptError(f"{MANIFEST} in the archive is not written as such lists are")
    if about.get("schema") != SCHEMA:
        raise BadArchiveError(
            f"'{path}' has schema {str(about.get('schema'))[:40]!r}, not {SCHEMA!r}",
            hint="it was written by a later version of Fourfold: upgrade this one",
        )
    _vet(about)
    if sorted(names) != sorted({MANIFEST, *about["files"]}):
        odd = sorted({*names} ^ {MANIFEST, *about["files"]}) or ["a member stands in it twice"]
        raise ArchiveCorruptError(f"the archive does not have exactly what it lists: {odd[0][:100]!r}")
    return about


def _vet_members(infos: list[zipfile.ZipInfo], path: str) -> None:
    """Refuse what would take more time, memory or space than its bytes are worth, before any is read."""
    if len(infos) > _MOST_MEMBERS:
        raise ArchiveCorruptError(f"the archive has more than {_MOST_MEMBERS} members")
    for info in infos:
        # Others are decompressed by libraries that take as much memory as the file says.
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            said = f"{info.filename[:100]} in the archive is compressed by method {info.compress_type}"
            raise ArchiveCorruptError(f"{said}, which no archive of ours is")
    whole = os.path.getsize(path)
    packed, size = (sum(getattr(info, key) for info in infos) for key in ("compress_size", "file_size"))
    if packed > whole or size > _MOST_PACKED * packed + CHUNK:
        raise ArchiveCorruptError("the archive claims more than its bytes can hold: its members overlap")


def _vet(about: Mapping[str, Any]) -> None:
    """Refuse what leads out of a folder, and names that are none."""
    files, runs, commits = (about.get(key) for key in ("files", "runs", "commits"))
    sound = (
        isinstance(files, dict)
        and isinstance(runs, list)
        and isinstance(commits, list)
        and all(isinstance(run, str) and is_id(run) for run in [*runs, about.get("run")])
        and about.get("run") in runs
        and all(isinstance(commit, str) and is_full_id(commit) for commit in commits)
        and (about.get("commit") in commits or about.get("commit") == "")
        and isinstance(about.get("left_out"), list)
        and is_path(about.get("folder"))
        and (about["folder"] in {"", "."} or not is_unsafe_path(about["folder"]))
        and all(isinstance(said, str) for said in about["left_out"])
        and all(map(_is_member, files, files.values()))
        and all(f"runs/records/{run}" in files for run in runs)
    )
    if not sound:
        raise ArchiveCorruptError(f"{MANIFEST} in the archive says what cannot be")


def _is_member(name: str, said: object) -> bool:
    if (
        not isinstance(said, Mapping)
        or type(said.get("size")) is not int
        or not is_id(str(said.get("blake3")))
        or said["size"] > _most(name)
    ):
        return False
    if name in {README, PACK}:
        return True
    kind, _, rest = name.partition("/")
    if kind == "data":
        return is_object_name(rest)
    part, _, oid = rest.partition("/")
    if part == envelopes.FOLDER:
        run, _, oid = oid.partition("/")
        return kind == "runs" and is_id(run) and is_id(oid)
    return kind == "runs" and part in {"records", "parts"} and is_id(oid)


def _most(name: str) -> int:
    """So many bytes a member may have: data is never held whole, the rest is."""
    if name == README:
        return _MOST_README
    if name == PACK:
        return MOST_PACK
    if name.startswith("data/"):
        return 1 << 63
    if name.startswith("runs/records/"):
        return MOST_RECORD
    return MOST_STATEMENT if name.startswith(f"runs/{envelopes.FOLDER}/") else MOST


def _proven(archive: zipfile.ZipFile, name: str, said: Mapping[str, Any] | None) -> bytes:
    """The bytes of a member that is no data, which are those that the list says, and its own name."""
    if said is None:
        raise ArchiveCorruptError(f"the archive has no {name}")
    data = b"".join(_stream(archive, name, said))
    if name.startswith("runs/"):
        _same(name, blake3(data).hexdigest(), name.rpartition("/")[2])
    if name.startswith("runs/records/"):
        parse_record(data, name)
    return data


def _prove(archive: zipfile.ZipFile, name: str, said: Mapping[str, Any]) -> None:
    """Read a member for nothing but to know that it is whole."""
    if not name.startswith("data/"):
        _proven(archive, name, said)
        return
    hasher = hashlib.md5(usedforsecurity=False)
    for chunk in _stream(archive, name, said):
        hasher.update(chunk)
    _same(name, hasher.hexdigest(), name.partition("/")[2].removesuffix(".dir"))


def _stream(archive: zipfile.ZipFile, name: str, said: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of a member; whoever has had all knows that they are right."""
    hasher, size = blake3(), 0
    try:
        with archive.open(name) as file:
            while chunk := file.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
                if size > said["size"]:
                    break
                yield chunk
    except _DAMAGED as error:
        raise ArchiveCorruptError(f"{name} in the archive is damaged: {error}") from error
    if size != said["size"] or hasher.hexdigest() != said["blake3"]:
        raise ArchiveCorruptError(f"{name} in the archive is damaged: it is not what the archive lists")


def _extract(archive: zipfile.ZipFile, name: str, said: Mapping[str, Any], target: str) -> None:
    """Write an object under a hidden name, prove it, and only then give it its name."""
    temporary = f"{target}.part"
    named = name.partition("/")[2].removesuffix(".dir")
    hasher = hashlib.md5(usedforsecurity=False)
    try:
        with open(temporary, "wb") as out:
            for chunk in _stream(archive, name, said):
                hasher.update(chunk)
                out.write(chunk)
        _same(name, hasher.hexdigest(), named)
        os.chmod(temporary, 0o444)
        os.replace(temporary, target)
    except BaseException:
        remove(temporary)
        raise


def _same(name: str, found: str, named: str) -> None:
    if found != named:
        raise ArchiveCorruptError(f"{name} in the archive has other bytes than its name says")
