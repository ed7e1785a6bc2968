"""What Git would commit of a work tree as it is now: asked in bulk, writing nothing into the repository.

The index, HEAD, refs and the store of objects are only read. Conversions that Git has built in (line ends,
``ident``, ``working-tree-encoding``) are Git's own; the filters of a configuration are commands and never
run: what Git LFS would store is made here (its pointer is a format), what another filter would make is not
known, and such files are named. What belongs to the code, and the trees made of it, is
`fourfold.runs.codetree`.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.fs.reading import read_file
from fourfold.scm.blobs import blob_id
from fourfold.scm.process import GitFailedError, child_environment, failed, run_git
from fourfold.scm.refs import find_dirs, read_head

if TYPE_CHECKING:
    from fourfold.scm.git import Git

FILE, PROGRAM, LINK, FOLDER, COMMIT = "100644", "100755", "120000", "040000", "160000"
GONE, UNTRACKED = "000000", ""
_ATTRIBUTES = ("filter", "text", "eol", "crlf", "ident", "working-tree-encoding")
_NOT = frozenset({"unspecified", "unset"})
_LFS_VERSION = b"version https://git-lfs.github.com/spec/v1\n"
#: A pointer of Git LFS is smaller than this.
_LFS_POINTER = 1024
_SETTINGS = (
    r"^(filter\..*\.(clean|smudge|process)|core\.(autocrlf|filemode)|extensions\.objectformat"
    r"|remote\..*\.url|branch\..*\.remote)$"
)


class Entry(NamedTuple):
    """One entry of a tree: Git's mode and id."""

    mode: str
    oid: str


class Settings(NamedTuple):
    """What a repository is configured to do with files.

    Attributes:
        drivers: Names of filters that have a command.
        converts: Whether ``core.autocrlf`` is on.
        modes: Whether Git looks at the executable bit.
        remotes: Addresses by name of the remote, as they are configured.
        upstreams: The remote of each branch that has one.
        long: Whether ids are SHA-256.
    """

    drivers: tuple[str, ...]
    converts: bool
    modes: bool
    remotes: Mapping[str, str]
    upstreams: Mapping[str, str]
    long: bool = False


class Changed(NamedTuple):
    """One path whose state in the work tree is not HEAD's.

    Attributes:
        path: Relative to the root, POSIX; a folder with a repository of its own ends in a slash.
        mode: What Git would give it; `GONE` when it is not there; `UNTRACKED` when the index lacks it.
        oid: What it is now, when Git's index tells; None when its content has to be looked at.
    """

    path: str
    mode: str
    oid: str | None = None


class State(NamedTuple):
    """What ``git status`` says.

    Attributes:
        commit: HEAD; None before the first commit.
        branch: None when HEAD is on none.
        changed: In Git's order: what is tracked first.
    """

    commit: str | None
    branch: str | None
    changed: tuple[Changed, ...]


class Blob(NamedTuple):
    """What Git would store of one file.

    Attributes:
        oid: Its id.
        content: Its bytes.
        filtered: The name of a filter that was not run, so that Git would store something else; "" mostly.
        object: For Git LFS, the bytes that the pointer stands for.
    """

    oid: str
    content: bytes
    filtered: str = ""
    object: bytes | None = None


def _call(
    git: "Git", environ: Mapping[str, str], args: Sequence[str], data: bytes = b"", **extra: str
) -> bytes:
    env = child_environment(environ, work_tree=git.root) | extra
    done = run_git(("-C", git.root), args, env, data)
    if done.code:
        raise failed(done, f"git {next(arg for arg in args if arg[0] != '-' and '=' not in arg)}", git.root)
    return done.out


def unfiltered(settings: Settings) -> list[str]:
    """Options that empty every filter: a filter is a command."""
    words = ["-c", "core.safecrlf=false"]
    for driver in settings.drivers:
        for action in ("clean", "smudge", "process"):
            words += ["-c", f"filter.{driver}.{action}="]
        words += ["-c", f"filter.{driver}.required=false"]
    return words


def alternates(git: "Git") -> str:
    """The objects of a repository as another place to read from, for ``GIT_ALTERNATE_OBJECT_DIRECTORIES``."""
    path = os.path.join(git.common_dir, "objects")
    escaped = path.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'  # a colon would separate


def settings(git: "Git", environ: Mapping[str, str]) -> Settings:
    """The settings of a repository, by one process.

    Raises:
        GitOwnershipError: git refuses the repository.
    """
    env = child_environment(environ, work_tree=git.root)
    done = run_git(("-C", git.root), ["config", "--null", "--get-regexp", _SETTINGS], env)
    if done.code > 1:
        raise failed(done, "reading Git's settings", git.root)
    drivers: set[str] = set()
    plain: dict[str, str] = {}
    remotes: dict[str, str] = {}
    upstreams: dict[str, str] = {}
    for record in os.fsdecode(done.out).split("\0")[:-1]:
        name, _, value = record.partition("\n")
        section, _, rest = name.partition(".")
        middle = rest.rpartition(".")[0]
        if section == "filter":
            drivers.add(middle)
        elif section == "remote":
            remotes.setdefault(middle, value)
        elif section == "branch":
            upstreams[middle] = value
        else:
            plain[name] = value.lower()
    return Settings(
        tuple(sorted(drivers)),
        plain.get("core.autocrlf", "false") not in {"false", "0", "no", "off"},
        plain.get("core.filemode", "true") not in {"false", "0", "no", "off"},
        remotes,
        upstreams,
        plain.get("extensions.objectformat") == "sha256",
    )


def state(git: "Git", environ: Mapping[str, str], known: Settings) -> State:
    """What differs from HEAD, by one process; no submodule is entered.

    Raises:
        GitOwnershipError, GitFailedError: git refuses.
    """
    options = ["--porcelain=v2", "-z", "--branch", "--no-ahead-behind", "--untracked-files=all"]
    options += ["--no-renames", "--ignore-submodules=dirty"]
    out = _call(git, environ, [*unfiltered(known), "status", *options])
    commit: str | None = None
    branch: str | None = None
    found: list[Changed] = []
    for record in os.fsdecode(out).split("\0")[:-1]:
        kind = record[0]
        if kind == "#":
            _, name, value = record.split(" ", 2)
            if name == "branch.oid" and value != "(initial)":
                commit = value
            elif name == "branch.head" and value != "(detached)":
                branch = value
        elif kind == "?":
            found.append(Changed(record[2:], UNTRACKED))
        elif kind == "1":
            _, xy, _, _, m_index, m_work, _, h_index, path = record.split(" ", 8)
            if xy[1] != ".":
                found.append(Changed(path, m_work))
            else:
                found.append(Changed(path, m_index, h_index))
        elif kind == "u":
            fields = record.split(" ", 10)
            found.append(Changed(fields[10], fields[6]))
    return State(commit, branch, tuple(found))


def hidden_changes(git: "Git", environ: Mapping[str, str]) -> list[str]:
    """Paths that Git was told to take for unchanged without looking (``assume-unchanged``)."""
    out = _call(git, environ, ["ls-files", "-v", "-z"])
    # An upper-case S was not checked out at all: there is nothing to look at.
    return [
        record[2:] for record in os.fsdecode(out).split("\0")[:-1] if record[0].islower() and record[0] != "s"
    ]


def listing(git: "Git", environ: Mapping[str, str], commit: str) -> list[tuple[str, Entry]]:
    """Every file and folder of a commit, by path, in Git's order.

    Raises:
        GitFailedError: the commit, or one of its trees, is not there.
    """
    out = _call(git, environ, ["ls-tree", "-r", "-t", "-z", "--full-tree", commit])
    found = []
    for record in os.fsdecode(out).split("\0")[:-1]:
        meta, _, path = record.partition("\t")
        found.append((path, Entry(meta[:6], meta[12:] if meta[7] == "b" or meta[7] == "t" else meta[14:])))
    return found


def kind_of(path: str, *, modes: bool) -> tuple[str, os.stat_result] | None:
    """The mode that Git would give to a file, and its state; None for what Git does not store."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if stat.S_ISLNK(found.st_mode):
        return LINK, found
    if stat.S_ISREG(found.st_mode):
        return (PROGRAM if modes and found.st_mode & stat.S_IXUSR else FILE), found
    return None


def nested_commit(path: str) -> str | None:
    """The commit of the Git repository in a folder; None when there is none, or it has no commit."""
    dirs = find_dirs(path)
    return read_head(dirs).commit if dirs is not None else None


def lfs_name(content: bytes) -> str:
    """The name that Git LFS gives to these bytes."""
    return hashlib.sha256(content).hexdigest()


class Reader:
    """Reads files as Git would store them.

    Args:
        git: The repository.
        environ: The caller's environment.
        known: Its settings.
    """

    def __init__(self, git: "Git", environ: Mapping[str, str], known: Settings) -> None:
        self._git = git
        self._environ = environ
        self._known = known
        self._long = known.long

    def read(self, paths: Sequence[tuple[str, str]]) -> dict[str, Blob]:
        """What Git would store of files and links; one that cannot be read is left out.

        Args:
            paths: Each with its mode; relative to the root.
        """
        files = [path for path, mode in paths if mode != LINK]
        attributes = self._attributes(files)
        found: dict[str, Blob] = {}
        converted: dict[str, Blob] = {}
        for path, mode in paths:
            content = self._content(path, mode)
            if content is None:
                continue
            says = attributes.get(path, {}) if mode != LINK else {}
            driver = says.get("filter", "unspecified")
            if driver in self._known.drivers:
                found[path] = self._filtered(driver, content)
                continue
            found[path] = Blob(blob_id(content, long=self._long), content)
            if mode != LINK and self._converts(says) and "\n" not in path:
                converted[path] = found[path]
        return found | self._convert(converted)

    def _content(self, path: str, mode: str) -> bytes | None:
        where = os.path.join(self._git.root, path)
        try:
            return os.fsencode(os.readlink(where)) if mode == LINK else read_file(where)
        except (OSError, FourfoldError):
            return None

    def _attributes(self, files: Sequence[str]) -> dict[str, dict[str, str]]:
        if not files:
            return {}
        data = os.fsencode("\0".join(files) + "\0")
        out = _call(self._git, self._environ, ["check-attr", "-z", "--stdin", *_ATTRIBUTES], data)
        words = iter(os.fsdecode(out).split("\0")[:-1])
        found: dict[str, dict[str, str]] = {}
        for path, name, value in zip(words, words, words, strict=True):
            if value != "unspecified":
                found.setdefault(path, {})[name] = value
        return found

    def _converts(self, says: Mapping[str, str]) -> bool:
        """Whether Git might store other bytes than the file has."""
        text = says.get("text", says.get("crlf", "unspecified"))
        if text == "unspecified" and self._known.converts:
            return True
        return text not in _NOT or any(
            says.get(name, "unset") not in _NOT for name in ("eol", "ident", "working-tree-encoding")
        )

    def _filtered(self, driver: str, content: bytes) -> Blob:
        if driver != "lfs":
            return Blob(blob_id(content, long=self._long), content, driver)
        if not content or (len(content) < _LFS_POINTER and content.startswith(_LFS_VERSION)):
            return Blob(blob_id(content, long=self._long), content)
        name = lfs_name(content)
        pointer = _LFS_VERSION + f"oid sha256:{name}\nsize {len(content)}\n".encode()
        return Blob(blob_id(pointer, long=self._long), pointer, object=content)

    def _convert(self, raw: Mapping[str, Blob]) -> dict[str, Blob]:
        """What Git's own conversions make of files; what it cannot convert stays as it is."""
        if not raw:
            return {}
        paths = list(raw)
        try:
            ids = self._hashed(paths)
            changed = [path for path in paths if ids[path] != raw[path].oid]
            # First without the repository's objects, because Git marks as used those that it finds there.
            found = self._made(changed, {}) if changed else {}
            other = [path for path in changed if found[path].oid != ids[path]]
            if other:
                found |= self._made(other, {"GIT_ALTERNATE_OBJECT_DIRECTORIES": alternates(self._git)})
        except GitFailedError:
            return {}
        return found

    def _hashed(self, paths: Sequence[str], *options: str, **extra: str) -> dict[str, str]:
        data = os.fsencode("\n".join(paths) + "\n")
        words = [*unfiltered(self._known), "hash-object", "--stdin-paths", *options]
        ids = _call(self._git, self._environ, words, data, **extra).decode("ascii").split()
        return dict(zip(paths, ids, strict=True))

    def _made(self, paths: Sequence[str], extra: Mapping[str, str]) -> dict[str, Blob]:
        """Let Git convert, into a folder of its own that is thrown away."""
        from tempfile import TemporaryDirectory  # noqa: PLC0415 - only where files are converted

        with TemporaryDirectory(prefix="fourfold-") as scratch:
            extra = {**extra, "GIT_OBJECT_DIRECTORY": scratch}
            ids = self._hashed(paths, "-w", **extra)
            wanted = ("\n".join(ids.values()) + "\n").encode()
            out = _call(self._git, self._environ, ["cat-file", "--batch"], wanted, **extra)
        made = _contents(out, ids.values())
        return {path: Blob(oid, content) for path, (oid, content) in zip(paths, made, strict=True)}


def _contents(out: bytes, ids: Iterable[str]) -> Iterable[tuple[str, bytes]]:
    at = 0
    for oid in ids:
        end = out.index(b"\n", at)
        size = int(out[at:end].rsplit(b" ", 1)[1])
        yield oid, out[end + 1 : end + 1 + size]
        at = end + 2 + size
