"""What a trace means: each path that was used gets exactly one class, and what nothing declares is a finding.

Classes, the first that fits:

- ``input``, ``output``: declared; a folder that is declared covers what is below it.
- ``own``: Fourfold's, DVC's, Git's own; ``metadata``: files that describe the project (``dvc.yaml``, pointer
  files), which `dvc.api` reads.
- ``scratch``: made by the run, and gone at its end. ``made``: made by the run, and there at its end.
- In the repository: ``environment`` (a virtual environment), ``cache``, ``folder`` (only listed), ``code``,
  ``tracked``, ``untracked``.
- Elsewhere: the zones (`zones`), else ``outside``; ``unknown`` for what is no path.

Facts: Python opens the bytecode of a module and only looks at its source, so that reading
``__pycache__/x.*.pyc`` is reading ``x.py``. A path that a run first writes and then reads is no input.
Names that are drawn anew in each run (temporary, scratch, caches) are classed and not listed.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.platform import NO_WAIT, READ
from fourfold.base.ids import Oid
from fourfold.runs.findings import Finding, Findings, Kind, may_be_secret, section
from fourfold.runs.links import followed_back
from fourfold.runs.observation import Connection, Trace
from fourfold.runs.place import FOLDER
from fourfold.runs.task import Item, Task
from fourfold.runs.uses import Use, uses_of
from fourfold.runs.zones import Machine, below, bundle, is_cache

if TYPE_CHECKING:
    from fourfold.runs.place import Place

__all__ = ["PathClass", "classify", "section"]

PathClass = Literal[
    "input",
    "output",
    "own",
    "metadata",
    "scratch",
    "made",
    "environment",
    "cache",
    "folder",
    "code",
    "tracked",
    "untracked",
    "temporary",
    "system",
    "home",
    "outside",
    "unknown",
]
#: Classes whose names differ from run to run, or say nothing.
_UNLISTED = frozenset({"own", "scratch", "temporary", "cache"})
#: The kernel's words about a process, and terminals: what is asked there varies.
_PASSING_NAMES = ("/proc/self/", "/proc/thread-self/", "/proc/{n}/", "/dev/pts/", "/dev/fd/", "/dev/tty")
_KINDS: Mapping[str, Kind] = {
    "code": "code",
    "tracked": "tracked",
    "untracked": "untracked",
    "made": "untracked",
    "outside": "outside",
    "unknown": "unknown",
}
_CODE = (
    ".py",
    ".pyi",
    ".pyx",
    ".ipynb",
    ".r",
    ".jl",
    ".sh",
    ".bash",
    ".sql",
    ".js",
    ".ts",
    ".c",
    ".cpp",
    ".h",
)
_METADATA = frozenset(
    {"dvc.yaml", "dvc.lock", "fourfold.lock", ".dvcignore", ".gitignore", ".gitattributes", ".gitmodules"}
)
#: What is looked at of a run's inputs to name their content: files and bytes, together.
_MOST_FILES = 2000
_MOST_BYTES = 256 * 1024 * 1024
#: The kernel follows so many links, one after the other.
_MOST_LINKS = 40
#: Ports from here on are drawn by the system.
_DRAWN = 32768
#: Sockets that say nothing: of look-ups of names, and those with names of the day.
_PASSING = re.compile(r"nscd|/systemd/|^/(?:private/|var/)?tmp/|/pymp-")


def classify(
    task: Task,
    place: "Place",
    trace: Trace,
    reports: Sequence[Mapping[str, Any]] = (),
    *,
    since_ns: int | None = None,
) -> Findings:
    """Say what a trace means.

    Args:
        task: What ran, and what it declares.
        place: Where.
        trace: What it did.
        reports: What its processes of Python told (`Observation.reports`).
        since_ns: When the run began, in nanoseconds of the clock of the file system; what was written since
            gets no digest, as nobody knows what was read. None compares nothing.

    Raises:
        FourfoldError: Git cannot say what it tracks.
    """
    if place.project is not None:
        declared = [item.path for item in (*task.inputs, *task.outputs)]
        trace = followed_back(trace, place.project.cache_dir, [*declared, *task.tracked])
    machine = Machine(task.environ, reports)
    ground = _Ground(task, place, machine)
    uses = uses_of(trace.accesses, reports, machine, ground.is_inside)
    classes = ground.classes(uses)
    reads: dict[str, Finding] = {}
    writes: dict[str, Finding] = {}
    executed: set[str] = set()
    missing: set[str] = set()
    listed: dict[str, set[str]] = {}
    folders = _folders_of(uses)
    for path, use in uses.items():
        cls = classes[path]
        if cls == "environment" and "exec" not in use.ways:  # of most paths, which package is all that counts
            if use.found or use.wrote or use.deleted:
                listed.setdefault(cls, set()).add(ground.bundle(path))
            continue
        shown = ground.shown(path)
        if "exec" in use.ways and use.found:
            executed.add(shown)
        if not use.found and not use.wrote and not use.deleted:
            if cls in {"input", "code", "tracked", "untracked"}:
                missing.add(shown)
            continue
        if cls not in _UNLISTED and not shown.startswith(_PASSING_NAMES):
            listed.setdefault(cls, set()).add(bundle(shown) if cls == "environment" else shown)
        if use.is_input and cls in _KINDS:
            how = "read" if "read" in use.ways else "exec"
            if not (how == "exec" and cls == "outside"):
                reads[shown] = Finding(shown, _KINDS[cls], how)
        if use.is_result and cls in {*_KINDS, "input"} and not _is_folder(path, use, folders):
            kind = _KINDS.get(cls) or ground.kind_of_input(path)
            writes[shown] = Finding(shown, kind, "write" if use.remains else "delete")
    found = _with_content(reads, ground, uses, since_ns)
    return Findings(
        found,
        tuple(writes[name] for name in sorted(writes)),
        _network(trace.connections),
        _env_read(reports),
        _declared_env(task, place),
        tuple(sorted(executed)),
        {name: tuple(sorted(paths)) for name, paths in sorted(listed.items())},
        tuple(sorted(missing)),
        told=bool(reports),
        watched=trace.coverage.method != "none",
    )


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that something lies in."""
    found: set[str] = set()
    for path in paths:
        inner, folder = path, os.path.dirname(path)
        while folder != inner and folder not in found:
            found.add(folder)
            inner, folder = folder, os.path.dirname(folder)
    return found


def _is_folder(path: str, use: "Use", folders: set[str]) -> bool:
    """Whether a result is a folder: what lies in it is told, and counts."""
    if use.remains:
        return os.path.isdir(path) and not os.path.islink(path)
    return path in folders


def _declared_env(task: Task, place: "Place") -> Mapping[str, str]:
    if not task.declared.env:
        return {}
    from fourfold.runs.envdeps import digests  # noqa: PLC0415 - only where variables are declared

    with suppress(FourfoldError):  # no key: nothing is said of them, and the next run refuses
        return digests(place, task.declared.env, task.environ)
    return {}


# --- the ground: what is declared, tracked, ours ----------------------------------------------------------


class _Names:
    """Names of files and folders, and whether a path is one of them or lies below one."""

    __slots__ = ("_folders", "_known", "_names")

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._folders = frozenset(map(os.path.dirname, self._names))
        self._known: dict[str, bool] = {}

    def lie_in(self, folder: str) -> bool:
        return folder in self._folders

    def cover(self, path: str) -> bool:
        if not self._names:
            return False
        if path in self._names:
            return True
        seen = []
        inner, folder = path, os.path.dirname(path)
        answer = False
        while folder != inner:
            known = self._known.get(folder)
            if known is not None:
                answer = known
                break
            seen.append(folder)
            if folder in self._names:
                answer = True
                break
            inner, folder = folder, os.path.dirname(folder)
        self._known.update(dict.fromkeys(seen, answer))
        return answer


class _Ground:
    """What the repository and the task say of paths."""

    def __init__(self, task: Task, place: "Place", machine: Machine) -> None:
        self._place = place
        self._machine = machine
        self._root = task.root
        git_root = place.git.root if place.git is not None else ""
        #: The repository: Git's where the root lies in it.
        self._repository = git_root if git_root and below(task.root, git_root) else task.root
        self._fold = _folds_names(task.root)
        self._real_folders: dict[str, str] = {}
        #: Whether what lies in a folder is a part of an environment, but for metadata; and of which package.
        self._in_environment: dict[str, bool] = {}
        self._bundles: dict[str, str] = {}
        self._aliases = self._aliases_of_root()
        cache = place.project.cache_dir if place.project is not None else ""
        self._objects = {cache, os.path.realpath(cache)} if cache else set()
        self._tracked = self._both(task.tracked)
        # A replay runs in a folder below ours: what is read there is its own, and not ours.
        ours = os.path.join(place.own, "runs") if below(self._repository, place.own) else place.own
        #: The workspace of the user where this is a replay in a folder of its own; else "".
        self._workspace = ""
        if not below(place.own, task.root):
            above = os.path.dirname(place.own)
            self._workspace = above if os.path.basename(place.own) == FOLDER else os.path.dirname(above)
        own = [ours, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
        for folder in {task.root, self._repository}:
            own += [os.path.join(folder, name) for name in (".dvc", ".git", ".fourfold")]
        own += sorted(self._objects)
        if place.git is not None:
            own.append(place.git.git_dir)
        self._named: tuple[tuple[PathClass, _Names], ...] = (
            ("input", self._names(task.inputs)),
            ("output", self._names(task.outputs)),
            ("own", self._both(own)),
        )

    def _aliases_of_root(self) -> tuple[tuple[str, str], ...]:
        """Other spellings of the repository's folder, and the one that everything else uses."""
        real = os.path.realpath(self._repository)
        return ((real, self._repository),) if real != self._repository else ()

    def _names(self, items: Iterable[Item]) -> _Names:
        return self._both(item.path for item in items if "://" not in item.path)

    def _both(self, paths: Iterable[str]) -> _Names:
        """Paths as they are named, and where they really are."""
        found = set()
        for path in paths:
            found.add(self._key(path))
            found.add(self._key(self.real(path)))
        return _Names(found)

    def _key(self, path: str) -> str:
        return path.casefold() if self._fold else path

    def local(self, path: str) -> str:
        """A path by the name that the task has for the repository."""
        for alias, name in self._aliases:
            if below(path, alias):
                return name + path[len(alias) :]
        return path

    def is_inside(self, path: str) -> bool:
        """Whether a path lies in the repository."""
        return below(self.local(path), self._repository)

    def real(self, path: str, *, followed: bool = True) -> str:
        """Where a path of the repository really is; if not `followed`, a link itself is where it lies."""
        folder = os.path.dirname(path)
        found = self._real_folders.get(folder)
        if found is None:
            found = self._real_folders[folder] = os.path.realpath(folder)
        whole = os.path.join(found, os.path.basename(path))
        return self._followed(whole) if followed and os.path.islink(whole) else whole

    def _followed(self, link: str) -> str:
        """Where a link leads, but not into the cache: files that happen to be alike share an object there."""
        for _ in range(_MOST_LINKS if self._objects else 0):
            try:
                target = os.path.join(os.path.dirname(link), os.readlink(link))
            except OSError:  # it leads no further
                return link
            folder, name = os.path.split(target)
            if name in {"", ".", ".."}:
                break
            target = os.path.join(os.path.realpath(folder), name)
            if any(below(target, objects) for objects in self._objects):
                return link
            link = target
        return os.path.realpath(link)

    def shown(self, path: str) -> str:
        """A path as the record names it."""
        local = self.local(path)
        if below(local, self._root):
            return (
                self._place.shown(local)
                if self._place.root == self._root
                else os.path.relpath(local, self._root)
            )
        if below(local, self._repository):
            return os.path.relpath(local, self._root).replace(os.sep, "/")
        return self._machine.shown(path)

    def bundle(self, path: str) -> str:
        """The package of a path of an environment (`zones.bundle`), looked for once a folder."""
        folder = os.path.dirname(path)
        found = self._bundles.get(folder)
        if found is None:
            shown = self.shown(folder)
            found = bundle(f"{shown}/")
            self._bundles[folder] = found = "" if found == f"{shown}/" else found
        return found or bundle(self.shown(path))

    def absolute(self, shown: str) -> str:
        """The path behind a name of the repository."""
        return os.path.normpath(os.path.join(self._root, shown))

    def classes(self, uses: Mapping[str, Use]) -> dict[str, PathClass]:
        """The class of each path, and no path without one."""
        found: dict[str, PathClass] = {}
        asked: list[str] = []
        for path, use in uses.items():
            cls = self._early(path, use)
            if cls is None:
                asked.append(path)
            else:
                found[path] = cls
        in_git = self._in_git(asked)
        for path in asked:
            local = self.local(path)
            if local in in_git:
                found[path] = "code" if local.lower().endswith(_CODE) else "tracked"
            elif self._covered(path, self._tracked):
                found[path] = "tracked"
            else:
                found[path] = "made" if uses[path].made else "untracked"
        return found

    def _early(self, path: str, use: Use) -> PathClass | None:
        """The class of a path as far as neither Git nor the project has to be asked."""
        if not os.path.isabs(path):
            return "system" if self._machine.zone(path) == "system" else "unknown"
        if self._is_installed(path):
            return "environment"
        local = self.local(path)
        for cls, names in self._named:
            # A link into the cache is a file of the user: only what is asked for there by its name is ours.
            if self._covered(path, names, followed=cls != "own"):
                return cls
        scratch: PathClass | None = "scratch" if use.made and not use.remains else None
        folder: PathClass | None = None
        if use.ways == {"list"}:  # one that is gone was made by the run, and called as it pleased
            folder = "folder" if os.path.isdir(path) else "scratch"
        if not below(local, self._repository):
            zone = self._machine.zone(path)
            if zone in {"temporary", "home"} and self._is_of_user(path):
                zone = None
            return zone or scratch or folder or "outside"
        return self._by_name(local) or scratch or folder

    def _is_of_user(self, path: str) -> bool:
        """Whether a path lies in the workspace that a replay was to stay apart from."""
        return bool(self._workspace) and below(path, self._workspace) and not below(path, self._place.own)

    def _is_installed(self, path: str) -> bool:
        """Whether the folder of a path tells already that it is a part of an environment."""
        folder = os.path.dirname(path)
        known = self._in_environment.get(folder)
        if known is None:
            local = self.local(folder)
            known = (
                self._machine.installed(f"{local}/", self._repository)
                if below(local, self._repository)
                else self._machine.zone(f"{folder}/") == "environment"
            ) and not any(
                self._covered(folder, names) or names.lie_in(self._key(local)) for _, names in self._named
            )
            self._in_environment[folder] = known
        return known and not _is_metadata(os.path.basename(path))

    def _by_name(self, path: str) -> PathClass | None:
        """The class of a path of the repository, where its name says it."""
        name = os.path.basename(path)
        found: PathClass | None = None
        if _is_metadata(name):
            found = "metadata"
        elif self._machine.installed(path, self._repository):
            found = "environment"
        elif is_cache(path[len(self._repository) :]):
            found = "cache"
        return found

    def _covered(self, path: str, names: _Names, *, followed: bool = True) -> bool:
        """Whether a path, or a folder above it, is one of some names; also by where it really is."""
        local = self.local(path)
        if names.cover(self._key(local)):
            return True
        return self.is_inside(path) and names.cover(self._key(self.real(local, followed=followed)))

    def _in_git(self, paths: Iterable[str]) -> set[str]:
        git = self._place.git
        local = [self.local(path) for path in paths]
        if git is None or not local:
            return set()
        return git.tracked(local)

    def kind_of_input(self, path: str) -> Kind:
        """What a declared input is that was written all the same."""
        local = self.local(path)
        if not below(local, self._repository):
            return "outside"
        if self._in_git([path]):
            return "code" if local.lower().endswith(_CODE) else "tracked"
        return "tracked" if self._covered(path, self._tracked) else "untracked"


def _is_metadata(name: str) -> bool:
    return name in _METADATA or (name.endswith(".dvc") and name != ".dvc")


def _folds_names(root: str) -> bool:
    """Whether the file system of a folder takes letters of either case for the same."""
    other = os.path.join(os.path.dirname(root), os.path.basename(root).swapcase())
    if other == root:
        return False
    try:
        return os.path.samefile(root, other)
    except OSError:
        return False


# --- what stands in the findings besides ------------------------------------------------------------------


def _with_content(
    reads: Mapping[str, Finding], ground: _Ground, uses: Mapping[str, Use], since_ns: int | None
) -> tuple[Finding, ...]:
    """The undeclared inputs, those of the repository with their content."""
    written = {ground.local(path) for path, use in uses.items() if use.wrote or use.deleted}
    found = []
    files = size = 0
    for name in sorted(reads):
        finding = reads[name]
        path = ground.absolute(name)
        nameless = finding.kind in {"outside", "unknown"} or may_be_secret(name)
        if nameless or path in written or files >= _MOST_FILES:
            found.append(finding)
            continue
        files += 1
        content = _content(path, since_ns, _MOST_BYTES - size)
        if content is not None:
            size += content[1]
            finding = finding._replace(oid=content[0], size=content[1])
        found.append(finding)
    return tuple(found)


def _content(path: str, since_ns: int | None, most: int) -> tuple[Oid, int] | None:
    """MD5 and size of a file that is what it was when the run began; None where that is not known."""
    from fourfold.content.hashing import digest_stream  # noqa: PLC0415 - only where something is undeclared

    try:
        descriptor = os.open(path, READ | NO_WAIT)
    except OSError:
        return None
    try:
        before = os.fstat(descriptor)
        changed = since_ns is not None and max(before.st_mtime_ns, before.st_ctime_ns) >= since_ns
        if changed or before.st_size > most or not os.path.isfile(path):
            return None
        digests = digest_stream(descriptor)
        return Oid(digests.name.hex()), digests.size
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _network(connections: Iterable[Connection]) -> tuple[tuple[str, int], ...]:
    """Whom a run connected to, less what every look-up of a name does."""
    found = set()
    for connection in connections:
        address, port = connection.address, connection.port
        if connection.denied and not address:  # a hermetic run is refused before it says where to
            found.add((f"refused ({connection.family})", 0))
            continue
        if connection.family == "unix":
            if address.startswith("/") and not _PASSING.search(address):
                found.add((address, 0))
            continue
        if port in {0, 53}:
            continue
        local = address in {"::1", "localhost"} or address.startswith("127.")
        found.add((address, 0 if local and port >= _DRAWN else port))
    return tuple(sorted(found))


def _env_read(reports: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    names: set[str] = set()
    for report in reports:
        read = report.get("env_read")
        names.update(
            name for name in (read if isinstance(read, list | tuple) else ()) if isinstance(name, str)
        )
    return tuple(sorted(names))
