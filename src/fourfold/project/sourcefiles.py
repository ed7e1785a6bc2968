"""The plain files of another repository: of a folder of this machine, or of a revision that Git has.

Two classes with the same four questions. What they are asked for comes from this machine's user, what
they read was written by somebody else: a symbolic link is followed inside of the repository (and, in a
folder, into its cache), never out of it.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fourfold.base.errors import NotFoundError, UnsafeError, from_os_error
from fourfold.base.fs.platform import NO_WAIT, READ

if TYPE_CHECKING:
    from fourfold.scm.git import Git, TreeEntry

#: Folders that are never data.
HIDDEN = frozenset({".git", ".hg", ".dvc"})
_HOPS = 40
_CHUNK = 1 << 20
#: Contents of so many bytes are asked from Git at once.
_ROUND = 32 << 20


class SourceLinkError(UnsafeError):
    """A symbolic link of the source leads out of it."""

    code = "source-link-escapes"


class SourcePathError(NotFoundError):
    """The source has nothing at that path."""

    code = "path-not-in-source"


class Plain(NamedTuple):
    """A file or a folder as it is.

    Attributes:
        size: As the system, or Git, counts it.
        isexec: Its owner may execute it.
        is_dir: It is a folder.
    """

    size: int
    isexec: bool = False
    is_dir: bool = False


class SourceFiles(Protocol):
    """What can be asked; paths are relative to the source's root, POSIX, ``""`` for the root itself."""

    def info(self, path: str) -> Plain | None:
        """What is at a path; None for nothing."""
        ...

    def names(self, path: str) -> dict[str, Plain]:
        """What is in a folder; nothing when it is none."""
        ...

    def chunks(self, path: str) -> Iterator[bytes]:
        """The bytes of a file.

        Raises:
            SourcePathError: there is none.
            SourceLinkError: it is a link that leads out.
        """
        ...

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """The bytes of many small files; errors as `chunks`."""
        ...


class FolderFiles:
    """The files of a folder of this machine.

    Args:
        root: Absolute path of the repository.
        also: Folders outside of it into which its links may lead: the caches of its projects.
    """

    def __init__(self, root: str, also: Iterable[str] = ()) -> None:
        self.root = root
        self._homes = [os.path.realpath(root), *(os.path.realpath(path) for path in also)]

    def allow(self, folder: str) -> None:
        """Let links lead into one more folder."""
        self._homes.append(os.path.realpath(folder))

    def _full(self, path: str) -> str:
        return os.path.join(self.root, *path.split("/")) if path else self.root

    def _contained(self, full: str) -> bool:
        real = os.path.realpath(full)
        return any(real == home or real.startswith(home.rstrip(os.sep) + os.sep) for home in self._homes)

    def info(self, path: str) -> Plain | None:
        """See `SourceFiles`; a link that leads out is what the link itself is."""
        full = self._full(path)
        try:
            found = os.stat(full)
            if os.path.realpath(full) != full and not self._contained(full):
                found = os.lstat(full)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise from_os_error(error, "reading the source") from error
        return _plain(found)

    def names(self, path: str) -> dict[str, Plain]:
        """See `SourceFiles`."""
        full = self._full(path)
        found: dict[str, Plain] = {}
        if os.path.realpath(full) != full and not self._contained(full):
            return found
        try:
            with os.scandir(full) as entries:
                for entry in entries:
                    if entry.name not in HIDDEN:
                        follow = not entry.is_symlink() or self._contained(entry.path)
                        try:
                            found[entry.name] = _plain(entry.stat(follow_symlinks=follow))
                        except FileNotFoundError:
                            continue  # a dangling link
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise from_os_error(error, "listing the source") from error
        return found

    def _open(self, path: str) -> int:
        full = self._full(path)
        if not self._contained(full):
            raise SourceLinkError(
                f"'{path}' is a symbolic link out of the source, to {os.path.realpath(full)}",
                hint="replace that link there by what it leads to, or get that from its own place",
            )
        try:
            fd = os.open(full, READ | NO_WAIT)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SourcePathError(f"'{path}' is not in the source") from error
        except OSError as error:
            raise from_os_error(error, "reading the source") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise SourcePathError(f"'{path}' is not a regular file")
        return fd

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `SourceFiles`."""
        fd = self._open(path)
        try:
            while part := os.read(fd, _CHUNK):
                yield part
        except OSError as error:
            raise from_os_error(error, "reading the source") from error
        finally:
            os.close(fd)

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """See `SourceFiles`."""
        for path in paths:
            yield path, b"".join(self.chunks(path))


def _plain(found: os.stat_result) -> Plain:
    is_dir = stat.S_ISDIR(found.st_mode)
    return Plain(found.st_size, not is_dir and bool(found.st_mode & stat.S_IXUSR), is_dir)


class GitFiles:
    """The files of one commit.

    Args:
        git: The repository, which may be bare.
        commit: The commit.
        prefix: The folder in it that is the source's root, with a slash at its end; or empty.
    """

    def __init__(self, git: "Git", commit: str, prefix: str = "") -> None:
        self._git = git
        self._commit = commit
        self._prefix = prefix
        self._entries: dict[str, TreeEntry] = {}
        self._folders: dict[str, dict[str, bool]] = {"": {}}
        for entry in git.ls_tree(commit, prefix, sizes=True):
            path = entry.path[len(prefix) :]
            self._entries[path] = entry
            self._enter(path, is_dir=entry.mode == "160000")

    def _enter(self, path: str, *, is_dir: bool) -> None:
        folder, _, name = path.rpartition("/")
        while folder not in self._folders:
            self._folders[folder] = {name: is_dir}
            folder, _, name = folder.rpartition("/")
            is_dir = True
        self._folders[folder][name] = is_dir

    @property
    def paths(self) -> Iterable[str]:
        """Every file of the commit, from the source's root."""
        return self._entries

    def _resolved(self, path: str) -> str:
        """The path behind the symbolic links on the way to it.

        Raises:
            SourceLinkError: one leads out of the repository, or they go round in a circle.
        """
        for _hop in range(_HOPS):
            parts = path.split("/")
            for at in range(1, len(parts) + 1):
                place = "/".join(parts[:at])
                entry = self._entries.get(place)
                if entry is not None and entry.mode == "120000":
                    target = os.fsdecode(self._blobs([place])[place])
                    path = self._target(place, target, parts[at:])
                    break
            else:
                return path
        raise SourceLinkError(f"the symbolic links at '{path}' go round in a circle")

    @staticmethod
    def _target(place: str, target: str, rest: Sequence[str]) -> str:
        found = os.path.normpath("/".join([*place.split("/")[:-1], target, *rest])).replace(os.sep, "/")
        if target.startswith("/") or found == ".." or found.startswith("../"):
            raise SourceLinkError(
                f"'{place}' is a symbolic link out of the source, to {target[:120]!r}",
                hint="ask its owner to commit what it leads to",
            )
        return "" if found == "." else found

    def _blobs(self, paths: Sequence[str]) -> dict[str, bytes]:
        found = self._git.read_many(self._commit, [self._prefix + path for path in paths])
        return {path: found[self._prefix + path] for path in paths if self._prefix + path in found}

    def info(self, path: str) -> Plain | None:
        """See `SourceFiles`; a link to a file has the size of the link, as Git counts it."""
        entry = self._entries.get(path)
        try:
            real = self._resolved(path)
        except SourceLinkError:
            real = path
        if real in self._folders:
            return Plain(self._tree_size(real), is_dir=True)
        found = entry or self._entries.get(real)
        if found is None:
            return None
        if found.mode == "160000":
            return Plain(0, is_dir=True)
        return Plain(found.size or 0, found.mode == "100755")

    def _tree_size(self, folder: str) -> int:
        """The bytes of Git's own object of a folder, which is the size that DVC tells of it."""
        width = len(self._commit) // 2
        total = 0
        for name, is_dir in self._folders[folder].items():
            mode = 5 if is_dir and f"{folder}/{name}".lstrip("/") not in self._entries else 6
            total += mode + len(os.fsencode(name)) + 2 + width
        return total

    def names(self, path: str) -> dict[str, Plain]:
        """See `SourceFiles`."""
        try:
            real = self._resolved(path)
        except SourceLinkError:
            return {}
        found = {}
        for name in self._folders.get(real, ()):
            info = self.info(f"{real}/{name}" if real else name) if name not in HIDDEN else None
            if info is not None:
                found[name] = info
        return found

    def chunks(self, path: str) -> Iterator[bytes]:
        """See `SourceFiles`; Git gives a file in one piece."""
        for _path, data in self.read_many([path]):
            yield data

    def read_many(self, paths: Sequence[str]) -> Iterator[tuple[str, bytes]]:
        """See `SourceFiles`."""
        for part in self._rounds(paths):
            blobs = self._blobs(list(part.values()))
            for path, real in part.items():
                if real not in blobs:
                    raise SourcePathError(f"'{path}' is not a file of revision {self._commit[:12]}")
                yield path, blobs[real]

    def _rounds(self, paths: Sequence[str]) -> Iterator[Mapping[str, str]]:
        part: dict[str, str] = {}
        weight = 0
        for path in paths:
            real = self._resolved(path)
            entry = self._entries.get(real)
            part[path] = real
            weight += (entry.size or 0) if entry is not None else 0
            if weight >= _ROUND:
                yield part
                part, weight = {}, 0
        if part:
            yield part
