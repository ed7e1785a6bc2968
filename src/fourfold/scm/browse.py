"""Many commits of one repository, looked at by one process of Git that stays: ``git cat-file --batch``.

`Browser` is a `Git` that answers what trees and files a commit has without a process for each question:
trees and commits are read as raw objects, each tree once, however many commits have it. What it does not
know by objects alone, it asks as `Git` does. Contents are raw, as there; nothing is written.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Self

from fourfold.base.errors import CorruptError
from fourfold.base.ids import CommitId
from fourfold.scm.git import Commit, Git, ObjectMissingError, TreeEntry, parse_commit
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from subprocess import Popen

#: Git's own limits are as generous: a commit with more is no project's.
_MOST_FILES, _DEEPEST = 5_000_000, 512
#: So many entries of folders are kept in mind.
_MOST_HELD = 1_000_000
#: Modes, and how those of files begin.
_FOLDER, _COMMIT, _FILE = "040000", "160000", "100"


class TreeUnreadableError(CorruptError):
    """A tree of a commit is damaged, or larger than any project's."""

    code = "git-tree-unreadable"
    default_hint = "see what is damaged: git fsck"


class _Child(NamedTuple):
    """One entry of a folder: Git's mode and id."""

    mode: str
    oid: str


class Browser(Git):
    """A repository that is asked about many commits; a context manager, at whose end the process goes.

    Args:
        git: The repository.
    """

    __slots__ = ("_folders", "_held", "_listed", "_process", "_trees")

    def __init__(self, git: Git) -> None:
        super().__init__(git.root, git._environ, bare=git.bare)  # noqa: SLF001 - of the same class
        self._process: Popen[bytes] | None = None
        self._trees: dict[str, str] = {}
        self._folders: dict[str, dict[str, _Child]] = {}
        self._listed: dict[tuple[str, str], list[TreeEntry]] = {}
        self._held = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; another question starts another one."""
        process, self._process = self._process, None
        if process is not None:
            process.communicate()

    # -- commits ------------------------------------------------------------------------------------------

    def resolve(self, rev: str) -> CommitId:
        """See `Git.resolve`; the full id of a commit costs no process."""
        if is_full_id(rev) and (rev in self._trees or self._has(rev)):
            return CommitId(rev)
        return super().resolve(rev)

    def commit(self, rev: str) -> Commit:
        """See `Git.commit`."""
        commit = self.resolve(rev)
        return parse_commit(commit, self._object(commit, "commit", "the commit"))

    def between(self, good: CommitId, bad: CommitId, most: int) -> dict[CommitId, tuple[CommitId, ...]]:
        """The commits that one reaches and another does not, with the parents of each; one process.

        Args:
            good: What is reached from it is left out, itself too.
            bad: Where to begin; it comes first.
            most: So many commits at most, the newest.
        """
        options = ["--parents", "--topo-order", f"--max-count={most}"]
        out = self._run("reading history", "rev-list", *options, bad, f"^{good}", "--")
        rows = (line.split() for line in out.decode("ascii").splitlines())
        return {CommitId(first): tuple(map(CommitId, parents)) for first, *parents in rows}

    def _has(self, oid: str) -> bool:
        found = self._ask(oid)
        if found is None or found[0] != "commit":
            return False
        self._trees[oid] = _tree_of(found[1])
        return True

    def _tree(self, rev: str) -> str:
        """The id of the root folder of a commit."""
        commit = self.resolve(rev)
        if commit not in self._trees:
            self._trees[commit] = _tree_of(self._object(commit, "commit", "the commit"))
        return self._trees[commit]

    # -- content ------------------------------------------------------------------------------------------

    def ls_tree(
        self, rev: str, prefix: str = "", *, recursive: bool = True, sizes: bool = False
    ) -> list[TreeEntry]:
        """See `Git.ls_tree`."""
        if sizes or not recursive:
            return super().ls_tree(rev, prefix, recursive=recursive, sizes=sizes)
        entries = self._list(self._tree(rev), "", 0)
        name = prefix.rstrip("/")
        return [
            entry
            for entry in entries
            if not name or entry.path.startswith(name + "/") or (entry.path == name and name == prefix)
        ]

    def read_many(self, rev: str, paths: Iterable[str]) -> dict[str, bytes]:
        """See `Git.read_many`."""
        root = self._tree(rev)
        found: dict[str, bytes] = {}
        for path in dict.fromkeys(paths):
            child = self._at(root, path)
            if child is not None and child.mode not in {_FOLDER, _COMMIT}:
                found[path] = self._object(child.oid, "blob", f"the content of '{path}' in {rev[:12]}")
        return found

    def id_at(self, rev: str, path: str) -> str | None:
        """The id of the file or folder at a path of a commit; None where it has none, or a link."""
        child = self._at(self._tree(rev), path)
        if child is None or not (child.mode == _FOLDER or child.mode.startswith(_FILE)):
            return None
        return child.oid

    def _at(self, root: str, path: str) -> _Child | None:
        """What lies at a path of a tree."""
        *folders, name = path.split("/")
        at = root
        for folder in folders:
            child = self._folder(at).get(folder)
            if child is None or child.mode != _FOLDER:
                return None
            at = child.oid
        return self._folder(at).get(name)

    def _list(self, oid: str, prefix: str, depth: int) -> list[TreeEntry]:
        """Every file of a folder, at every depth; each folder at each place once."""
        known = self._listed.get((oid, prefix))
        if known is not None:
            return known
        if self._held > _MOST_HELD:
            self._listed.clear()
            self._folders.clear()
            self._held = 0
        if depth > _DEEPEST:
            raise TreeUnreadableError(f"a tree has folders within folders, more than {_DEEPEST} of them")
        found: list[TreeEntry] = []
        for name, child in self._folder(oid).items():
            path = prefix + name
            if child.mode == _FOLDER:
                found += self._list(child.oid, path + "/", depth + 1)
            else:
                found.append(TreeEntry(child.mode, child.oid, path))
            if len(found) > _MOST_FILES:
                raise TreeUnreadableError(f"a tree has more than {_MOST_FILES} files")
        if prefix:  # the root is another one in each commit
            self._listed[oid, prefix] = found
            self._held += len(found)
        return found

    def _folder(self, oid: str) -> dict[str, _Child]:
        found = self._folders.get(oid)
        if found is None:
            found = self._folders[oid] = _children(oid, self._object(oid, "tree", "a folder"))
        return found

    # -- objects ------------------------------------------------------------------------------------------

    def _object(self, oid: str, kind: str, what: str) -> bytes:
        found = self._ask(oid)
        if found is None or found[0] != kind:
            raise ObjectMissingError(
                f"{what} is missing from the repository: {oid[:12]}",
                hint="a partial clone gets it with: git fetch --refetch; else see: git fsck",
            )
        return found[1]

    def _ask(self, oid: str) -> tuple[str, bytes] | None:
        """The kind and the bytes of an object; None when the repository has none of this full id."""
        if self._process is None:
            from fourfold.scm import process  # noqa: PLC0415 - as in `Git`

            env = process.child_environment(self._environ, work_tree=None if self.bare else self.root)
            self._process = process.start_git(self._where, ["cat-file", "--batch"], env)
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - both are pipes
        assert answers is not None  # noqa: S101 - likewise
        try:
            asked.write(oid.encode("ascii") + b"\n")
            asked.flush()
            head = answers.readline().split()
        except BrokenPipeError:
            head = []
        if len(head) == 2:
            return None
        size = int(head[2]) if len(head) == 3 else -1
        data = answers.read(size + 1) if size >= 0 else b""
        if len(data) != size + 1:
            self.close()
            raise self._failed(self._call(["cat-file", "-t", oid]), "reading objects")
        return head[1].decode("ascii", "replace"), data[:-1]


def _tree_of(data: bytes) -> str:
    """The tree that a commit names."""
    name, _, oid = data.partition(b"\n")[0].decode("ascii", "replace").partition(" ")
    if name != "tree" or not is_full_id(oid):
        raise TreeUnreadableError("a commit names no tree")
    return oid


def _children(oid: str, data: bytes) -> dict[str, _Child]:
    """The entries of a raw tree object, in Git's order."""
    size = len(oid) // 2
    found: dict[str, _Child] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at)
        end = data.find(b"\0", space)
        if space < 0 or end < 0 or end + 1 + size > len(data):
            raise TreeUnreadableError(f"tree {oid[:12]} is damaged")
        mode = data[at:space].decode("ascii", "replace").zfill(6)
        found[os.fsdecode(data[space + 1 : end])] = _Child(mode, data[end + 1 : end + 1 + size].hex())
        at = end + 1 + size
    return found
