"""Originals: the bytes that a record names, from wherever they are still had, each proven.

In turn: the cache, the default remote (by way of the cache), the small results that records keep, the code of
the runs that are replayed, the file of the workspace where it still is that one. What nobody has is told,
never guessed; a damaged object is never handed out.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, Self

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.fs.atomic import temp_name, write_all
from fourfold.base.fs.platform import CREATE_NEW, READ, WRITE
from fourfold.base.fs.walk import scan_directory
from fourfold.base.ids import Oid, is_tree, is_unsafe_path
from fourfold.base.pool import chunks, map_batches
from fourfold.content.hashing import digest_stream
from fourfold.content.links import Linker
from fourfold.content.naming import name_of
from fourfold.content.proofs import ProofBook
from fourfold.content.tree import Tree
from fourfold.evidence.lineage import object_of
from fourfold.evidence.replaying.box import REPLAYS, is_same
from fourfold.formats.native.canonical import digest
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.runs.changes import is_named, mapping, opened, rows_of, value_of
from fourfold.runs.coderestore import unpacked
from fourfold.runs.contents import Contents
from fourfold.runs.scratch import claim, drop, remove
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records
    from fourfold.scm.git import Git

#: Where bytes came from; "" from nowhere.
Origin = Literal["cache", "record", "code", "workspace", ""]
#: How files are made of objects: a box may write into none of the cache's own.
_KINDS = ("reflink", "copy")
#: So many files are copied in one go by a thread.
_BATCH = 128


class Originals:
    """The bytes of inputs and outputs of then; a context manager, which removes what it had to put together.

    Args:
        place: The user's: its workspace, cache and remotes are looked at.
        records: Its records.
        remote: Whether the default remote is asked for what the cache lacks.
        events: Hears of remotes that cannot be asked, and of damaged objects.
    """

    def __init__(
        self, place: "Place", records: "Records", *, remote: bool = True, events: Sink = silent
    ) -> None:
        self._place = place
        self._records = records
        self._asks = remote
        self._events = events
        self._scratch: str | None = None
        self._contents: Contents | None = None
        self._kept: dict[str, Mapping[str, Any]] = {}
        self._near: list[RunRecord] = []
        self._makers: dict[str, list[RunId]] | None = None
        self._looked: set[Oid] = set()
        self._coded: list[RunRecord] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove what was put together."""
        if self._scratch is not None:
            drop(self._scratch)
            self._scratch = None

    def knows(self, *records: RunRecord) -> None:
        """Name runs in whose code inputs may lie, too: what Git tracks is in no cache."""
        self._coded += [record for record in records if record not in self._coded]

    # -- what is asked -------------------------------------------------------------------------------

    def path(self, record: RunRecord, row: Mapping[str, Any]) -> str | None:
        """A file or folder with the bytes of an output of a run, to be read and never written.

        Args:
            record: The run.
            row: The output, as the record names it.

        Returns:
            Its absolute path, good until `close`; None when nobody has the bytes.

        Raises:
            FourfoldError: the file system refuses.
        """
        if not any(each is record for each in self._near):
            self._near.append(record)
            self._keep_of(record)
        self.fetch([row])
        found = self._in_workspace(row)
        if found is not None:
            return found
        if self._scratch is None:
            self._scratch = claim(self._place.make(REPLAYS))
        name = str(row.get("blake3") or row.get("md5") or "")
        base = os.path.basename(row["path"])
        if is_unsafe_path(base):
            return None
        folder = os.path.join(self._scratch, digest(name.encode())[:16])
        target = os.path.join(folder, base)
        if os.path.lexists(target):
            return target
        os.makedirs(folder, exist_ok=True)
        return target if self.put(row, target) else None

    def fetch(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Bring what rows name from the default remote into the cache, as far as the cache lacks it.

        What cannot be had so is not told here, but that a remote cannot be asked is.
        """
        project = self._place.project
        if project is None or not self._asks:
            return
        oids = [oid for row in rows if (oid := object_of(row)) is not None]
        wanted = [oid for oid in oids if oid not in self._looked and self._lacks(project, oid)]
        self._looked.update(wanted)
        if wanted:
            self._transfer(project, wanted)

    def put(self, row: Mapping[str, Any], target: str) -> Origin:
        """Make a path hold the bytes of a row, as a file or folder of its own.

        Args:
            row: As records name inputs and outputs.
            target: Absolute; what is there is replaced once the bytes are there. Its folder exists.

        Returns:
            Where they came from; "" when nobody has them: what was there stays.

        Raises:
            FourfoldError: the file system refuses.
        """
        # Of a name that no code has, and no link of it leads anywhere.
        half = os.path.join(os.path.dirname(target), temp_name(os.path.basename(target)))
        try:
            origin = self._put(row, half)
            if origin:
                remove(target)
                os.rename(half, target)
        except OSError as error:
            raise from_os_error(error, f"writing {target}") from error
        finally:
            if os.path.lexists(half):
                remove(half)
        return origin

    # -- where bytes are -----------------------------------------------------------------------------

    def _put(self, row: Mapping[str, Any], half: str) -> Origin:
        project = self._place.project
        oid = object_of(row)
        if project is not None and oid is not None:
            if self._from_cache(project, oid, half):
                return "cache"
            remove(half)
        data = self._small(row)
        if data is not None:
            with open(half, "wb") as file:
                file.write(data)
            return "record"
        if self._from_code(row, half):
            return "code"
        remove(half)
        source = self._in_workspace(row)
        if source is None:
            return ""
        names = scan_directory(source).names if os.path.isdir(source) else None
        if names is not None and self._contents is not None:
            seen = self._contents.glimpse(source)
            names = list(seen.scan.names) if seen is not None else []
        return "workspace" if _copied_whole(row, source, names, half) else ""

    def _from_code(self, row: Mapping[str, Any], half: str) -> bool:
        """The bytes that Git has at that path, in the commits of the runs that are replayed."""
        git = self._place.git
        shown = row["path"]
        if git is None or os.path.isabs(shown) or shown.startswith("~/"):
            return False
        for record in self._coded:
            folder = value_of(record.code, "folder")
            commit = value_of(record.code, "commit")
            path = posixpath.normpath(posixpath.join(folder if isinstance(folder, str) else ".", shown))
            if not isinstance(commit, str) or not is_full_id(commit) or is_unsafe_path(path):
                continue
            for name, data in self._blobs(git, record, commit, path).items():
                file = half if name == path else os.path.join(half, name.removeprefix(path + "/"))
                os.makedirs(os.path.dirname(file), exist_ok=True)
                with open(file, "wb") as out:
                    out.write(data)
            if os.path.lexists(half) and self._is_that(row, half):
                return True
            remove(half)
        return False

    def _blobs(self, git: "Git", record: RunRecord, commit: str, path: str) -> dict[str, bytes]:
        """A file, or the files of a folder, as a run had them in its code."""
        with suppress(FourfoldError):
            entries = git.ls_tree(commit, path)
            names = [entry.path for entry in entries if entry.mode.startswith("100")]
            found = git.read_many(commit, [name for name in names if not is_unsafe_path(name)])
            document = mapping(opened(value_of(record.code, "objects"), self._records.part))
            blobs, changes = mapping(document.get("blobs")), document.get("changes")
            for each in changes if isinstance(changes, list) else ():
                name = str(mapping(each).get("path"))
                if name != path and not name.startswith(path + "/"):
                    continue
                found.pop(name, None)
                with suppress(KeyError, TypeError, ValueError, AttributeError):
                    if not is_unsafe_path(name):
                        found[name] = unpacked(blobs[each["oid"]])
            return found
        return {}

    @staticmethod
    def _is_that(row: Mapping[str, Any], path: str) -> bool:
        if not os.path.isdir(path):
            with open(path, "rb") as file:
                data = file.read()
            return is_named(row, digest(data), name_of(data))
        pairs = []
        for name in scan_directory(path).names:
            with open(os.path.join(path, name), "rb") as file:
                pairs.append((name, name_of(file.read())))
        return Tree.of(pairs).oid == row.get("md5")

    def _from_cache(self, project: "Project", oid: Oid, half: str) -> bool:
        for legacy in (False, True):
            if project.store.has(oid, legacy=legacy):
                damaged = self._copied(project, oid, half, legacy=legacy)
                if not damaged:
                    return True
                remove(half)
                # Whoever has a remote has a second copy of it.
                if self._asks and self._transfer(project, [oid], again=damaged, legacy=legacy):
                    return not self._copied(project, oid, half, legacy=legacy)
        return False

    def _copied(self, project: "Project", oid: Oid, half: str, *, legacy: bool) -> list[Oid]:
        """Copy a file or tree out of the cache; what of it is missing or damaged, the rest being copied."""
        proofs = ProofBook(project.index, project.store)
        linker = Linker(project.store, proofs, _KINDS, legacy=legacy, clock=self._place.clock)
        if not is_tree(oid):
            return self._linked(linker, oid, half)
        try:
            tree = project.store.read_tree(oid, legacy=legacy)
        except FourfoldError as error:
            self._events(Warned(error.code, error.message, error.hint))
            return [oid]
        os.makedirs(half)
        items = list(tree.items())
        for folder in sorted({os.path.dirname(path) for path, _ in items}):
            os.makedirs(os.path.join(half, folder), exist_ok=True)

        def work(rows: range) -> list[Oid]:
            return [
                bad
                for at in rows
                for bad in self._linked(linker, items[at][1], os.path.join(half, items[at][0]))
            ]

        return [oid for part in map_batches(work, chunks(len(items), _BATCH)) for oid in part]

    def _linked(self, linker: Linker, oid: Oid, file: str) -> list[Oid]:
        outcome, _ = linker.make(oid, file)
        if outcome == "corrupt":
            self._events(Warned("corrupt-object", f"object {oid} of the cache is damaged", "heal: ff repair"))
        return [oid] if outcome in {"corrupt", "missing"} else []

    def _lacks(self, project: "Project", oid: Oid) -> bool:
        store = project.store
        for legacy in (False, True):
            if store.has(oid, legacy=legacy):
                if not is_tree(oid):
                    return False
                with suppress(FourfoldError):
                    return bool(store.missing(store.read_tree(oid, legacy=legacy).digests(), legacy=legacy))
        return True

    def _transfer(
        self, project: "Project", oids: list[Oid], again: Iterable[Oid] = (), *, legacy: bool = False
    ) -> bool:
        """Fetch objects; whether anything came."""
        from fourfold.content import transfer  # noqa: PLC0415 - most inputs lie in the cache
        from fourfold.project.config import NoRemoteError  # noqa: PLC0415 - likewise
        from fourfold.project.push import Opened  # noqa: PLC0415 - likewise
        from fourfold.project.vetting import vet_store  # noqa: PLC0415 - likewise

        try:
            vet_store(project, "write")
            remote = Opened(project, None, events=self._events).get(None)
            done = transfer.fetch(
                oids,
                project.store,
                remote.store,
                project.index,
                legacy=legacy,
                again=again,
                events=self._events,
            )
        except NoRemoteError:
            return False
        except FourfoldError as error:
            self._events(Warned(error.code, f"the remote was not asked: {error.message}", error.hint))
            return False
        for oid, why in done.failed[:3]:
            self._events(Warned(why.code, f"object {oid} did not come: {why.message}", why.hint))
        return bool(done.done)

    def _keep_of(self, record: RunRecord) -> None:
        """Remember the small results that a record keeps."""
        found = mapping(opened(value_of(record.data, "kept"), self._records.part)).get("files")
        self._kept.update({str(name): mapping(item) for name, item in mapping(found).items()})

    def _small(self, row: Mapping[str, Any]) -> bytes | None:
        """The bytes of a row, where the record of the run that wrote them keeps them."""
        name = row.get("blake3")
        if not isinstance(name, str) or row.get("nfiles") is not None:
            return None
        if name not in self._kept:
            makers = self._made()
            for run in reversed(makers.pop(name, [])):  # asked once
                with suppress(FourfoldError):
                    self._keep_of(self._records.get(run))
                if name in self._kept:
                    break
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            data = unpacked(self._kept[name])
            if digest(data) == name:
                return data
        return None

    def _made(self) -> dict[str, list[RunId]]:
        """The runs that wrote a file, by its BLAKE3: all records are read; rarely needed, and once."""
        if self._makers is None:
            self._makers = {}
            for summary in self._records.summaries():
                with suppress(FourfoldError):
                    for row in rows_of(self._records.get(summary.id), "outputs"):
                        if row.get("blake3") and row.get("nfiles") is None:
                            self._makers.setdefault(str(row["blake3"]), []).append(summary.id)
        return self._makers

    def _in_workspace(self, row: Mapping[str, Any]) -> str | None:
        """The path of the workspace that a row names, where it still holds that."""
        shown = row["path"]
        if "://" in shown or shown.startswith("~/"):
            return None
        path = os.path.normpath(os.path.join(self._place.root, shown))
        top = self._place.git.root if self._place.git is not None else self._place.root
        if not path.startswith(top.rstrip("/") + "/") or not os.path.lexists(path):
            return None
        if self._contents is None:
            self._contents = Contents(self._place)
        return path if self._holds(self._contents, row, path) else None

    @staticmethod
    def _holds(contents: Contents, row: Mapping[str, Any], path: str) -> bool:
        try:
            seen = contents.glimpse(path)
            found = None if seen is None else contents.recall(path, seen) or contents.read(path)
        except (FourfoldError, FileNotFoundError):
            return False
        return found is not None and is_same(row, found)


def _copied_whole(row: Mapping[str, Any], source: str, names: list[str] | None, target: str) -> bool:
    """Copy a file, or the files of a folder, hashing on the way: whether they are what a row says."""
    if names is None:
        md5, blake3 = _hashed_copy(source, target)
        return is_named(row, blake3, md5)
    pairs = []
    for name in names:
        file = os.path.join(target, name)
        os.makedirs(os.path.dirname(file), exist_ok=True)
        pairs.append((name, _hashed_copy(os.path.join(source, name), file)[0]))
    os.makedirs(target, exist_ok=True)
    return Tree.of(pairs).oid == row.get("md5")


def _hashed_copy(source: str, target: str) -> tuple[str, str]:
    """Copy a file: MD5 and BLAKE3 of what was written."""
    fd = os.open(source, READ)
    try:
        out = os.open(target, WRITE | CREATE_NEW, 0o666)
        try:
            found = digest_stream(fd, lambda part: write_all(out, part))
        finally:
            os.close(out)
    finally:
        os.close(fd)
    return found.name.hex(), found.proof.hex()
