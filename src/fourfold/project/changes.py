"""What makes an owner differ from what it records: typed reasons, one a thing.

The ground under ``status``, ``repro`` and ``why``. Only content counts: sizes, times and modes say
nothing. Order of the reasons and their words are DVC's; the meaning of each is in `Change`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid, RelPath, is_tree
from fourfold.content.identity import Built, recall
from fourfold.content.objects import CorruptObjectError, ObjectMissingError
from fourfold.formats.dvc.pointer import Dependency, Output, import_checksum, is_external
from fourfold.project.outs import Owner, Tracked

if TYPE_CHECKING:
    from fourfold.project.externaldeps import Elsewhere
    from fourfold.project.project import Project

MODIFIED = "modified"
DELETED = "deleted"
NEW = "new"
NOT_IN_CACHE = "not in cache"
UPDATE_AVAILABLE = "update available"


#: A file that was written so long ago shows every later change in its times, whatever stamps them.
_SETTLED_NS = 2_000_000_000
_Stamp = tuple[int, int, int, int, int] | None


class Change(NamedTuple):
    """One reason why an owner is not what it records.

    Attributes:
        kind: ``"dependency"``, ``"parameter"``, ``"output"``, ``"command"``, ``"checksum"`` or ``"always"``;
            above this room also ``"variable"`` and ``"upstream"``.
        path: The file or directory as it is written in the owner; of a parameter, its file.
        state: `MODIFIED`, `DELETED`, `NEW`, `NOT_IN_CACHE` or `UPDATE_AVAILABLE`; empty for the last
            three kinds.
        key: The parameter.
        old: The recorded object, value or command.
        new: What it is now.
    """

    kind: str
    path: str = ""
    state: str = ""
    key: str = ""
    old: Any = None
    new: Any = None


class Examiner:
    """Compares owners of one project with the workspace; remembers what it has looked at.

    Args:
        project: Whose.
        events: Hears the hashing.
    """

    def __init__(self, project: "Project", events: Sink = silent) -> None:
        self._project = project
        self._events = events
        self._seen: dict[tuple[str, bool], Built | None] = {}
        self._params: dict[str, Mapping[str, Any]] = {}
        #: By path: the numbers of a file when it was read, and its values; shared with who looks `again`.
        self._read: dict[str, tuple[_Stamp, Mapping[str, Any]]] = {}
        self._elsewhere: Elsewhere | None = None

    def current(self, path: str, *, legacy: bool = False) -> Built | None:
        """What ``path`` is now; None when there is nothing."""
        key = (path, legacy)
        if key not in self._seen:
            try:
                self._seen[key] = self._identify(path, legacy=legacy)
            except FileNotFoundError:
                self._seen[key] = None
        return self._seen[key]

    def again(self) -> "Examiner":
        """One that looks anew; files of parameters are read again only when they are not what they were."""
        other = Examiner(self._project, self._events)
        other._read = self._read
        return other

    @property
    def elsewhere(self) -> "Elsewhere":
        """What URLs and data sets are now; asked once for everything this looks at."""
        if self._elsewhere is None:
            from fourfold.project.externaldeps import Elsewhere  # noqa: PLC0415 - few stages have any

            self._elsewhere = Elsewhere(self._project)
        return self._elsewhere

    def foresee(self, owners: Iterable[Owner]) -> None:
        """Ask all URLs that stages depend on side by side, where there are any."""
        stages = [
            owner for owner in owners if owner.is_stage and any("://" in dep.path for dep in owner.deps)
        ]
        if stages:
            self.elsewhere.foresee(stages)

    def _identify(self, path: str, *, legacy: bool) -> Built:
        index = self._project.index
        skip_file, skip_directory = self._project.ignore.pruning(path)
        known = recall(path, index, legacy=legacy, skip_file=skip_file, skip_directory=skip_directory)
        if known is not None:
            return known
        from fourfold.content.build import identify  # noqa: PLC0415 - where nothing moved, nothing is hashed

        return identify(
            path,
            index,
            legacy=legacy,
            skip_file=skip_file,
            skip_directory=skip_directory,
            events=self._events,
        )

    def changes(self, owner: Owner, outs: Iterable[Tracked], inner: RelPath | None = None) -> list[Change]:
        """Every reason, in the order in which DVC gives them.

        Args:
            owner: The pointer file or stage.
            outs: Its outputs in the workspace.
            inner: Look only at this path inside the one output.
        """
        found: list[Change] = []
        if not owner.frozen:
            found += self.of_dependencies(owner)
            found += self.of_parameters(owner)
        for out in outs:
            found += self.of_output(out, inner)
        # A command that names nothing it reads or makes says nothing by which to tell that it is done.
        names_nothing = owner.is_stage and not (owner.deps or owner.params_wanted or owner.outs)
        if owner.always_changed or names_nothing:
            found.append(Change("always"))
        if owner.is_stage and owner.locked and owner.locked_cmd != owner.cmd:
            found.append(Change("command", old=owner.locked_cmd, new=owner.cmd))
        pointer = owner.pointer
        if pointer is not None and (pointer.md5 or pointer.deps) and import_checksum(pointer) != pointer.md5:
            found.append(Change("checksum"))
        return found

    def of_dependencies(self, owner: Owner) -> Iterator[Change]:
        """The dependencies: files of this machine, and of a stage what lies elsewhere.

        Raises:
            ExternalUnknownError: what is at a URL cannot be told.
            DatasetNotFoundError: a data set is not declared.
        """
        for dep in owner.deps:
            if dep.repo is not None or dep.db is not None or is_external(dep.path):
                if not owner.is_stage:
                    continue  # imports ask their sources in ``updates``
                if "://" in dep.path:
                    found = self.elsewhere.difference(owner, dep)
                    if found:
                        yield Change("dependency", dep.path, found.state, old=found.old, new=found.new)
                    continue
            state = self._state(os.path.normpath(os.path.join(owner.wdir, dep.path)), dep)
            if state:
                yield state._replace(kind="dependency")

    def of_output(self, out: Tracked, inner: RelPath | None = None) -> Iterator[Change]:
        """One output: its content in the cache, then the workspace."""
        if inner is not None and out.is_dir:
            yield from self._inner(out, inner)
            return
        if out.output.cache and out.oid is not None and not self._is_saved(out, out.oid):
            yield Change("output", out.output.path, NOT_IN_CACHE, old=out.oid)
            return
        state = self._state(out.path, out.output)
        if state:
            yield state

    def _state(self, path: str, item: Output | Dependency) -> Change | None:
        current = self.current(path, legacy=item.legacy)
        if current is None:
            return Change("output", item.path, DELETED, old=item.oid)
        if current.oid != item.oid:  # what is not recorded yet is modified too, as DVC says it
            return Change("output", item.path, MODIFIED, old=item.oid, new=current.oid)
        return None

    def _inner(self, out: Tracked, inner: RelPath) -> Iterator[Change]:
        """A path inside a tracked directory."""
        oid = Oid(str(out.oid))
        try:
            tree = self._project.store.read_tree(oid, legacy=out.output.legacy)
        except (ObjectMissingError, CorruptObjectError):
            yield Change("output", out.output.path, NOT_IN_CACHE, old=oid)
            return
        current = self.current(out.path, legacy=out.output.legacy)
        was = tree.get(inner) or (tree.subtree(inner).oid if tree.span(inner) else None)
        now = None
        if current is not None:
            now = current.tree.get(inner) or (
                current.tree.subtree(inner).oid if current.tree.span(inner) else None
            )
        if was != now:
            state = NEW if was is None else DELETED if now is None else MODIFIED
            yield Change("output", out.output.path, state, old=was, new=now)

    def _is_saved(self, out: Tracked, oid: Oid) -> bool:
        """As `in_cache`; where the workspace is what is recorded, its rows spare reading the manifest's."""
        legacy = out.output.legacy
        current = self.current(out.path, legacy=legacy) if is_tree(oid) else None
        if current is None or current.oid != oid:
            return self.in_cache(oid, legacy=legacy)
        store = self._project.store
        try:
            store.read(oid, legacy=legacy)  # proven, and not parsed
        except (ObjectMissingError, CorruptObjectError):
            return False
        return store.holds_all(current.packed, legacy=legacy)

    def in_cache(self, oid: Oid, *, legacy: bool = False) -> bool:
        """Whether the cache has the object, and every file of it when it is a tree."""
        store = self._project.store
        if not is_tree(oid):
            return store.has(oid, legacy=legacy)
        try:
            tree = store.read_tree(oid, legacy=legacy)
        except (ObjectMissingError, CorruptObjectError):
            return False
        return store.holds_all(tree.packed, legacy=legacy)

    # -- parameters -------------------------------------------------------------------------------

    def of_parameters(self, owner: Owner) -> Iterator[Change]:
        """The parameters that a stage declares, against the values that its lock entry records."""
        recorded = owner.params or {}
        for spec in owner.params_wanted:
            file = spec.file or "params.yaml"
            path = os.path.normpath(os.path.join(owner.wdir, file))
            then = recorded.get(file)
            if not os.path.isfile(path):
                yield Change("parameter", file, DELETED)
                continue
            if not isinstance(then, Mapping):  # nothing of the file is recorded
                yield Change("parameter", file, NEW)
                continue
            values = self.parameters(path)
            keys: Sequence[str] = spec.keys or list(dict.fromkeys([*values, *then]))
            for key in keys:
                yield from _compare(file, key, then, values)

    def parameters(self, path: str) -> Mapping[str, Any]:
        """The values in one file of parameters; empty when there is none."""
        if path not in self._params:
            stamp = self._stamp(path)
            known = self._read.get(path)
            if known is None or stamp is None or known[0] != stamp:
                known = self._read[path] = stamp, self._parse(path)
            self._params[path] = known[1]
        return self._params[path]

    def _parse(self, path: str) -> Mapping[str, Any]:
        from fourfold.formats.dvc import params  # noqa: PLC0415 - only pipelines have parameters

        try:
            with open(path, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return {}
        loaded = params.parse(data, os.path.basename(path), self._project.display(path))
        return loaded if isinstance(loaded, Mapping) else {}

    def _stamp(self, path: str) -> "_Stamp":
        """Numbers that tell whether a file is what it was; None when it could change without them."""
        try:
            found = os.stat(path)
        except OSError:
            return None
        newest = max(found.st_mtime_ns, found.st_ctime_ns)
        if newest + _SETTLED_NS > self._project.clock.now_ns():
            return None
        return found.st_size, found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


_ABSENT = object()


def _compare(file: str, key: str, then: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Change]:
    old = then.get(key, _ABSENT)
    new = lookup(values, key, _ABSENT)
    if new is _ABSENT:
        yield Change("parameter", file, DELETED, key, old=None if old is _ABSENT else old)
    elif old is _ABSENT:
        yield Change("parameter", file, NEW, key, new=new)
    elif plain(old) != plain(new):
        yield Change("parameter", file, MODIFIED, key, old=old, new=new)


def lookup(values: Mapping[str, Any], key: str, default: Any = None) -> Any:
    """The value at a dotted key; a key that holds dots literally comes first."""
    if key in values:
        return values[key]
    at: Any = values
    for part in key.split("."):
        if isinstance(at, Mapping) and part in at:
            at = at[part]
        elif isinstance(at, list | tuple) and part.isdigit() and int(part) < len(at):
            at = at[int(part)]
        else:
            return default
    return at


def plain(value: Any) -> Any:
    """A value with tuples (of Python files) as the lists that the lock file records."""
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return value
