"""One file that a stranger replays: records, code, data and statements of a run and of what it stands on.

A ZIP that any program opens. ``fourfold-archive.json`` names every other member with its BLAKE3 and size; the
records, parts, objects and commits in it have digests of their own for names, which are checked too. Equal
content gives equal bytes. Reading one is `unarchive`. Format: docs/formats/archive.md.
"""

import os
import posixpath
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from blake3 import blake3

from fourfold.base.errors import (
    ConflictError,
    CorruptError,
    NotFoundError,
    UnsupportedError,
    from_os_error,
)
from fourfold.base.fs.atomic import temp_name
from fourfold.base.fs.platform import CREATE_NEW, WRITE
from fourfold.base.ids import Oid, is_tree, is_unsafe_path
from fourfold.content.hashing import digest_stream
from fourfold.evidence.export.dossier import utf8
from fourfold.evidence.lineage import Makers
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native.canonical import canonical
from fourfold.formats.native.record import RunId, RunRecord, parts_of
from fourfold.runs import envelopes
from fourfold.runs.changes import is_path, rows_of, value_of
from fourfold.runs.store import Records, RunNotFoundError
from fourfold.scm.packing import pack_commits
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.content.objects import ObjectStore
    from fourfold.runs.place import Place

SCHEMA = "fourfold.archive/1"
#: The member that lists all others.
MANIFEST = "fourfold-archive.json"
README = "README.md"
#: The commits of all runs, without their history.
PACK = "git/commits.pack"
#: That file is not larger, in bytes: its reader holds it whole.
MOST_PACK = 1 << 30
#: So much is read at once.
CHUNK = 1 << 20
#: The earliest moment that ZIP knows: members have no times of their own.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


class ArchiveDataMissingError(NotFoundError):
    """Data of a run is nowhere to be had, so no archive could be replayed."""

    code = "archive-data-missing"
    default_hint = "bring it with: ff pull; or leave data out: ff export --no-data"


class ArchiveDataDamagedError(CorruptError):
    """An object in the cache has other bytes than its name says, so nobody could read the archive."""

    code = "archive-data-damaged"
    default_hint = "bring a good copy from the remote: ff repair"


class ArchiveTooLargeError(UnsupportedError):
    """The commits of a run are larger than the reader of an archive takes."""

    code = "archive-too-large"
    default_hint = "large files belong into the cache, not into Git: ff add"


class ExportFileExistsError(ConflictError):
    """The file that an export would be written to is there already."""

    code = "export-exists"


class Packed(NamedTuple):
    """An archive that was written.

    Attributes:
        run: The run.
        runs: All runs in it, each after those that it stands on.
        size: Bytes of the file.
        objects: How many objects of data it has.
        left_out: What a replay may need and the archive lacks, with why.
    """

    run: RunId
    runs: tuple[RunId, ...]
    size: int
    objects: int
    left_out: tuple[str, ...]


def pack(
    place: "Place", records: Records, run: RunId, path: str, *, data: bool = True, replace: bool = False
) -> Packed:
    """Write the archive of a run.

    Args:
        place: Where it was made.
        records: Those of the place.
        run: Which.
        path: The file.
        data: Whether what was read and written goes along.
        replace: Whether a file that is there is replaced.

    Raises:
        ExportFileExistsError: something is there, or came while the archive was written.
        ArchiveDataMissingError: a file of a folder is not in the cache.
        ArchiveDataDamagedError: an object in the cache has other bytes than its name says.
        ArchiveTooLargeError: a commit is larger than an archive may have it.
        RunNotFoundError, RecordCorruptError: a record is not here, or damaged.
        GitFailedError: the repository has not the commit any more.
        DeniedError, ExhaustedError: the file cannot be written.
    """
    lineage = Makers(records, Holdings(place, records).inside).lineage(run)
    runs = tuple(step.run for step in lineage.steps)
    left_out: list[str] = []
    members: dict[str, bytes | str] = {}
    for step in lineage.steps:
        members.update(_documents(records, step.run, step.record, left_out))
    commits = sorted({commit for step in lineage.steps for commit in [_commit(step.record)] if commit})
    if commits and place.git is not None:
        members[PACK] = pack_commits(place.git, place.environ, commits)
        if len(members[PACK]) > MOST_PACK:
            said = f"the files of {len(commits)} commits are larger than {MOST_PACK} bytes, even packed"
            raise ArchiveTooLargeError(said)
    elif any(value_of(step.record.code, "tree") is None for step in lineage.steps):
        left_out.append("code: a run was made outside of Git, and its record has none")
    objects = 0
    if data:
        for oid, source in _objects(place, (step.record for step in lineage.steps), left_out):
            members[f"data/{oid}"] = source
            objects += 1
    else:
        left_out.append("data: left out on request")
    about = {
        "schema": SCHEMA,
        "run": run,
        "runs": list(runs),
        "commit": _commit(lineage.last.record),
        "commits": commits,
        "folder": _folder(lineage.last.record),
        "left_out": sorted(set(left_out)),
    }
    members[README] = utf8(_readme(run, lineage.last.record, about))
    size = _write(path, members, about, replace=replace)
    return Packed(run, runs, size, objects, tuple(about["left_out"]))


def _documents(
    records: Records, run: RunId, record: RunRecord, left_out: list[str]
) -> Iterator[tuple[str, bytes]]:
    yield f"runs/records/{run}", records.read("records", run)
    for part in parts_of(record):
        try:
            yield f"runs/parts/{part}", records.read("parts", part)
        except RunNotFoundError:
            left_out.append(f"part {part[:12]} of run {run[:12]}: it is not here")
    for name in envelopes.names(records, run):
        yield f"runs/{envelopes.FOLDER}/{run}/{name}", envelopes.read(records, run, name)


def _commit(record: RunRecord) -> str:
    commit = value_of(record.code, "commit")
    return commit if isinstance(commit, str) and is_full_id(commit) else ""


def _objects(
    place: "Place", found: Iterable[RunRecord], left_out: list[str]
) -> Iterator[tuple[str, bytes | str]]:
    """Objects of the cache that runs read or wrote: each once, by name, with where its bytes are."""
    if place.project is None:
        return
    store = place.project.store
    done: set[str] = set()
    for record in found:
        for name, row in ((side, row) for side in ("inputs", "outputs") for row in rows_of(record, side)):
            oid = row.get("md5")
            if not isinstance(oid, str) or row.get("role") == "params" or oid in done:
                continue
            done.add(oid)
            if not store.has(Oid(oid)):
                if name == "inputs" and not _is_code(place, record, row["path"]):
                    left_out.append(f"{row['path']}, an input: it is not in the cache")
            elif is_tree(Oid(oid)):
                yield oid, store.read(Oid(oid))
                yield from _files(store, Oid(oid), row["path"], done)
            else:
                yield oid, store.path(oid)


def _files(store: "ObjectStore", oid: Oid, path: str, done: set[str]) -> Iterator[tuple[str, str]]:
    for entry in store.read_tree(oid).digests():
        if not store.has(entry):
            raise ArchiveDataMissingError(f"a file of the folder '{path}' is not in the cache: {entry}")
        if entry not in done:
            done.add(entry)
            yield entry, store.path(entry)


def _folder(record: RunRecord) -> str:
    """The project's folder in its repository; "" for the root."""
    folder = value_of(record.code, "folder")
    return folder if is_path(folder) and not is_unsafe_path(folder) else ""


def _is_code(place: "Place", record: RunRecord, path: str) -> bool:
    """Whether the commit of a run, or what its record has besides, holds a file."""
    whole = posixpath.normpath(posixpath.join(_folder(record), path))
    if is_unsafe_path(whole):
        return False
    changed = value_of(record.code, "changed")
    rows = changed if isinstance(changed, list) else ()
    if any(isinstance(row, Mapping) and row.get("path") == whole for row in rows):
        return True
    commit = _commit(record)
    return bool(commit and place.git is not None and place.git.ls_tree(commit, whole))


def _write(path: str, members: Mapping[str, bytes | str], about: Mapping[str, Any], *, replace: bool) -> int:
    """Write the members in the order of their names, the list of them first."""
    listed = {name: _described(name, source) for name, source in sorted(members.items())}
    temporary = os.path.join(os.path.dirname(path), temp_name(os.path.basename(path)))
    try:
        # A name that nobody can foresee, and that follows no link: `path` may lie where others write.
        with (
            os.fdopen(os.open(temporary, WRITE | CREATE_NEW, 0o666), "wb") as made,
            zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
        ):
            manifest = canonical({**about, "files": listed})
            archive.writestr(_entry(MANIFEST), manifest)
            for name, source in sorted(members.items()):
                if isinstance(source, bytes):
                    archive.writestr(_entry(name), source)
                    continue
                with open(source, "rb") as file, archive.open(_entry(name), "w", force_zip64=True) as out:
                    while chunk := file.read(CHUNK):
                        out.write(chunk)
        size = os.path.getsize(temporary)
        _name(temporary, path, replace=replace)
    except OSError as error:
        remove(temporary)
        raise from_os_error(error, f"writing {path}") from error
    except BaseException:
        remove(temporary)
        raise
    return size


def _name(temporary: str, path: str, *, replace: bool) -> None:
    """Give the archive its name; without ``replace`` only where nothing has it."""
    if not replace:
        taken = ExportFileExistsError(f"'{path}' exists", hint="write over it with: --force")
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise taken from None
        except OSError:  # a file system without such links
            if os.path.lexists(path):
                raise taken from None
        else:
            os.unlink(temporary)
            return
    os.replace(temporary, path)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_TIME)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _described(name: str, source: bytes | str) -> dict[str, Any]:
    """What the list says of a member; an object must have the bytes of its name."""
    if isinstance(source, bytes):
        return {"blake3": blake3(source).hexdigest(), "size": len(source)}
    try:
        with open(source, "rb") as file:
            found = digest_stream(file.fileno())
    except OSError as error:
        raise from_os_error(error, "reading the cache") from error
    oid = name.removeprefix("data/")
    if found.name.hex() != oid:
        said = f"object {oid} in the cache is damaged: its bytes are not those of its name"
        raise ArchiveDataDamagedError(said)
    return {"blake3": found.proof.hex(), "size": found.size}


def remove(path: str) -> None:
    """Remove a file that may be gone already."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def shown_commands(record: RunRecord) -> list[str]:
    """The commands of a run, as the page in an archive has them."""
    return [f"    {line}" for line in "\n".join(record.command).splitlines()]


def _readme(run: RunId, record: RunRecord, about: Mapping[str, Any]) -> str:
    what = f"stage `{record.stage}`" if record.stage else "one command"
    lines = [
        "# A run that can be run again",
        "",
        f"This archive has what run `{run}` ({what}) was made from: code, data, environment, randomness.",
        "",
        "    pip install fourfold uv",
        "    ff replay THIS-FILE",
        "",
        "`ff replay` puts it into a folder of its own, runs it there, and says how equal the result is.",
        "It runs the commands below: read them first. Nothing else in the archive is executed.",
        "",
        *shown_commands(record),
        "",
    ]
    if about["left_out"]:
        lines += ["What it lacks:", "", *(f"- {line}" for line in about["left_out"]), ""]
    return "\n".join(lines)
