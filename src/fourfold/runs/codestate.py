"""The state of a repository's code: which files differ from the commit, their content, the tree of all.

One ``git status`` a stage; listings of commits are kept while the process lives, contents of changed files
by their state on disk (size, times, inode). What a record says of it is `code`.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.runs.codetree import EMPTY, Base, Outputs, base_of, is_written, tree_of, without
from fourfold.scm import worktree
from fourfold.scm.worktree import COMMIT, GONE, UNTRACKED, Blob, Changed, Entry, Settings

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.scm.git import Git

#: A file that is not in the commit as it is, and larger, is no code: bytes.
LARGEST = 10 * 1024 * 1024
#: No more is kept of all such files: bytes, and files.
MOST_BYTES = 64 * 1024 * 1024
MOST_FILES = 10_000
#: Younger states of files prove nothing: nanoseconds.
_YOUNG = 50_000_000
#: Names of files that hold what must not leave the machine; Git's own copy of one is not ours to judge.
_SECRET = re.compile(
    r"(?:^|/)(?:\.env(?:\.(?!example$|sample$|template$)[^/]*)?|\.netrc|\.pypirc|\.npmrc|\.htpasswd|\.git-credentials"
    r"|id_(?:rsa|dsa|ecdsa|ed25519)|[^/]*\.(?:pem|key|p12|pfx|kdbx|jks|keystore)|config\.local"
    r"|(?:client_)?(?:secrets?|credentials?)(?:\.[^/]*)?|service[-_]?account[^/]*\.json)\Z",
    re.IGNORECASE,
)


def is_secret(path: str) -> bool:
    """Whether a file may hold what must not leave the machine, by its name."""
    return _SECRET.search(path) is not None


def holds_secret(content: bytes, secrets: Iterable[bytes]) -> bool:
    """Whether content has a private key, or one of the values that are secret in an environment."""
    return b"PRIVATE KEY-----" in content or any(secret in content for secret in secrets)


def secret_values(environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The values that are secret in an environment, as files would hold them."""
    from fourfold.runs.redact import secrets_of  # noqa: PLC0415 - needed where a file differs from the commit

    return tuple(os.fsencode(value) for value in secrets_of(environ).long)


class Row(NamedTuple):
    """One file that differs from the commit: ``added``, ``untracked``, ``modified`` or ``deleted``."""

    path: str
    status: str


class LeftOut(NamedTuple):
    """One file that is not in the tree, and why; ``size`` in bytes."""

    path: str
    size: int
    why: str


class Submodule(NamedTuple):
    """A submodule: its commit, and whether its own files differ from it (None when it is not there)."""

    path: str
    commit: str
    dirty: bool | None


class CodeState(NamedTuple):
    """The code as it is.

    Attributes:
        commit: HEAD.
        branch: None when HEAD is on none.
        tree: The id of the code tree.
        base: The files of the commit.
        changes: What differs from it by path: what is there now; None for what is gone. Without rules.
        changed: The same for people.
        left_out: What is too large, or may hold secrets.
        outputs: What holds data.
        blobs: Contents that the commit has not, by id.
        lfs: Contents that pointers of Git LFS stand for, by SHA-256.
        filtered: Files whose filter was not run: its name.
        submodules: All of them.
    """

    commit: str | None
    branch: str | None
    tree: str
    base: Base
    changes: Mapping[str, Entry | None]
    changed: tuple[Row, ...]
    left_out: tuple[LeftOut, ...]
    outputs: Outputs
    blobs: Mapping[str, bytes]
    lfs: Mapping[str, bytes]
    filtered: Mapping[str, str]
    submodules: tuple[Submodule, ...]

    def entry(self, path: str) -> Entry | None:
        """What the tree has at a path; None for nothing, and for what it leaves out."""
        if path in self.changes:
            return self.changes[path]
        return self.base.files.get(path)


class _Memory:
    """What was asked of one repository before."""

    def __init__(self) -> None:
        self.settings: tuple[object, Settings] | None = None
        self.base: tuple[str | None, Base] = (None, EMPTY)
        self.hidden: tuple[object, list[str]] | None = None
        self.blobs: dict[str, tuple[object, Blob]] = {}
        self.secrets: tuple[object, tuple[bytes, ...]] | None = None


#: By folder of the repository. Nothing here can be wrong: a commit never changes, and the rest is kept by
#: the states of files on disk.
_MEMORIES: dict[str, _Memory] = {}


def take(
    git: "Git", environ: Mapping[str, str], outputs: Iterable[str], clock: "Clock"
) -> tuple[Settings, CodeState]:
    """The settings of a repository, and the state of its code now.

    Args:
        git: The repository.
        environ: The caller's environment.
        outputs: Absolute paths of what the project tracks or makes.
        clock: Tells the time.

    Raises:
        GitNotInstalledError, GitOwnershipError, GitFailedError: git is not there, or refuses.
    """
    memory = _MEMORIES.setdefault(git.git_dir, _Memory())
    known = _settings(git, environ, memory)
    now = worktree.state(git, environ, known)
    if now.commit != memory.base[0]:
        rows = worktree.listing(git, environ, now.commit) if now.commit else ()
        memory.base = now.commit, base_of(rows)
    base = memory.base[1]
    places = Outputs(_relative(git.root, outputs))
    look = _Look(git, environ, known, memory, base, places)
    hidden = _hidden(git, environ, memory)
    changed = look.without_environments(now.changed)
    for change in (*changed, *(Changed(path, _mode(git, known, path)) for path in hidden)):
        look.at(change)
    look.read(clock.now_ns())
    found = look.changes.items()
    # What is gone comes first: a folder may stand where a file was.
    changes = dict(sorted(found, key=lambda item: item[1] is not None))
    ruled = {**without(base, places), **dict.fromkeys(row.path for row in look.left_out)}
    tree = tree_of(base, {**ruled, **changes}, long=known.long).root
    here = {entry.oid for entry in base.files.values()} if look.contents else set()
    state = CodeState(
        now.commit,
        now.branch,
        tree,
        base,
        changes,
        tuple(look.rows()),
        tuple(sorted(look.left_out)),
        places,
        {oid: content for oid, content in look.contents.items() if oid not in here},
        look.lfs,
        look.filtered,
        _submodules(git, environ, base, changes),
    )
    return known, state


def _relative(root: str, paths: Iterable[str]) -> list[str]:
    prefix = root.rstrip(os.sep) + os.sep
    return [path[len(prefix) :].replace(os.sep, "/") for path in paths if path.startswith(prefix)]


def _signature(path: str) -> object:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_mode


def _settings(git: "Git", environ: Mapping[str, str], memory: _Memory) -> Settings:
    """Settings as long as the repository's own file of them is the same."""
    key = _signature(os.path.join(git.common_dir, "config"))
    if memory.settings is None or memory.settings[0] != key:
        memory.settings = key, worktree.settings(git, environ)
    return memory.settings[1]


def _hidden(git: "Git", environ: Mapping[str, str], memory: _Memory) -> list[str]:
    """What Git does not look at, as long as the index is the same."""
    key = _signature(os.path.join(git.git_dir, "index"))
    if key is None:
        return []
    if memory.hidden is None or memory.hidden[0] != key:
        memory.hidden = key, worktree.hidden_changes(git, environ)
    return memory.hidden[1]


def _secrets(environ: Mapping[str, str], memory: _Memory) -> tuple[bytes, ...]:
    """The secrets of an environment, as long as it is the same."""
    key = frozenset(environ.items())
    if memory.secrets is None or memory.secrets[0] != key:
        memory.secrets = key, secret_values(environ)
    return memory.secrets[1]


def _mode(git: "Git", known: Settings, path: str) -> str:
    found = worktree.kind_of(os.path.join(git.root, path), modes=known.modes)
    return found[0] if found is not None else GONE


class _Look:
    """Looks at what Git says has changed."""

    def __init__(
        self,
        git: "Git",
        environ: Mapping[str, str],
        known: Settings,
        memory: _Memory,
        base: Base,
        outputs: Outputs,
    ) -> None:
        self._git, self._environ, self._known, self._memory = git, environ, known, memory
        self._base, self._outputs = base, outputs
        self._wanted: list[tuple[str, str, str]] = []
        self._untracked: set[str] = set()
        self._bytes = 0
        self.changes: dict[str, Entry | None] = {}
        self.left_out: list[LeftOut] = []
        self.contents: dict[str, bytes] = {}
        self.lfs: dict[str, bytes] = {}
        self.filtered: dict[str, str] = {}

    def without_environments(self, changed: Sequence[Changed]) -> list[Changed]:
        """Leave out whole environments of Python, and of Node, that somebody forgot to hide from Git."""
        untracked = [change.path for change in changed if change.mode == UNTRACKED]
        found = {path.rpartition("/")[0] for path in untracked if path.rpartition("/")[2] == "pyvenv.cfg"}
        found |= {path[: at + 12] for path in untracked if (at := f"/{path}".find("/node_modules/")) >= 0}
        places = Outputs(found)
        if not places.paths:
            return list(changed)
        within = [path for path in untracked if path in places]
        for place in places.paths:
            count = sum(path.startswith(place + "/") for path in within)
            self.left_out.append(LeftOut(place, 0, f"an environment, {count} files"))
        hidden = set(within)
        return [change for change in changed if change.mode != UNTRACKED or change.path not in hidden]

    def at(self, change: Changed) -> None:
        """Take note of one path."""
        path = change.path.rstrip("/")
        if is_written(path) or path in self._outputs:
            return
        if change.mode == GONE:
            if path in self._base.files:
                self._say(path, None)
            return
        where = os.path.join(self._git.root, path)
        if change.mode == COMMIT or change.path.endswith("/"):
            commit = change.oid or worktree.nested_commit(where)
            if commit is not None:
                self._say(path, Entry(COMMIT, commit))
            return
        found = worktree.kind_of(where, modes=self._known.modes)
        if found is None:
            return
        if change.mode == UNTRACKED:
            self._untracked.add(path)
        mode = change.mode or found[0]
        size = found[1].st_size
        why = self._refusal(path, size)
        if why:
            self.left_out.append(LeftOut(path, size, why))
            return
        self._bytes += size
        self._wanted.append((path, mode, change.oid or ""))

    def _refusal(self, path: str, size: int) -> str:
        if is_secret(path):
            return "may hold secrets"
        if size > LARGEST:
            return "too large to be code"
        if self._bytes + size > MOST_BYTES or len(self._wanted) >= MOST_FILES:
            return "too much has changed"
        return ""

    def _say(self, path: str, entry: Entry | None) -> None:
        """What is at a path; the last word counts, since what left the index may lie there untracked."""
        if entry == self._base.files.get(path):
            self.changes.pop(path, None)
        else:
            self.changes[path] = entry

    def rows(self) -> list[Row]:
        """What differs, for people."""
        found = []
        for path, entry in self.changes.items():
            known = path in self._base.files
            added = "untracked" if path in self._untracked else "added"
            found.append(Row(path, "deleted" if entry is None else "modified" if known else added))
        return sorted(found)

    def read(self, now_ns: int) -> None:
        """Look into everything that was taken note of; files that changed a moment ago are not remembered."""
        memory, fresh = self._memory, []
        kept: dict[str, tuple[object, Blob]] = {}
        rules = self._rules()
        for path, mode, _ in self._wanted:
            key = (_signature(os.path.join(self._git.root, path)), mode, rules)
            if path in memory.blobs and memory.blobs[path][0] == key:
                kept[path] = memory.blobs[path]
            else:
                fresh.append((path, mode, key))
        reader = worktree.Reader(self._git, self._environ, self._known)
        blobs = {path: blob for path, (_, blob) in kept.items()}
        if fresh:
            blobs |= reader.read([(path, mode) for path, mode, _ in fresh])
        for path, _, key in fresh:
            if path in blobs and _settled(key[0], now_ns):
                kept[path] = key, blobs[path]
        memory.blobs = kept
        secrets = _secrets(self._environ, memory) if blobs else ()
        for path, mode, oid in self._wanted:
            blob = blobs.get(path)
            if blob is None:
                continue
            if holds_secret(blob.content, secrets):
                self.left_out.append(LeftOut(path, len(blob.content), "holds a secret"))
                continue
            self._say(path, Entry(mode, oid or blob.oid))
            if path in self.changes:
                self.contents[oid or blob.oid] = blob.content
                if blob.filtered:
                    self.filtered[path] = blob.filtered
                if blob.object is not None:
                    self.lfs[worktree.lfs_name(blob.object)] = blob.object

    def _rules(self) -> object:
        """What decides how files are converted, besides the settings."""
        own = [path for path, _, _ in self._wanted if path.rpartition("/")[2] == ".gitattributes"]
        signatures = [_signature(os.path.join(self._git.root, path)) for path in own]
        info = _signature(os.path.join(self._git.common_dir, "info", "attributes"))
        return self._memory.base[0], info, tuple(signatures), self._known


def _settled(signature: object, now_ns: int) -> bool:
    """Whether a state is old enough that a later change shows."""
    if not isinstance(signature, tuple):
        return False
    return bool(now_ns - max(signature[1], signature[2]) > _YOUNG)


def _submodules(
    git: "Git", environ: Mapping[str, str], base: Base, changes: Mapping[str, Entry | None]
) -> tuple[Submodule, ...]:
    from fourfold.scm.git import Git as Repository  # noqa: PLC0415 - few repositories have any

    found = []
    for path in sorted({*base.modules, *changes}):
        entry = changes[path] if path in changes else base.files[path]
        if entry is None or entry.mode != COMMIT:
            continue
        where = os.path.join(git.root, path)
        there = worktree.nested_commit(where) is not None
        found.append(Submodule(path, entry.oid, Repository(where, environ).is_dirty() if there else None))
    return tuple(found)
