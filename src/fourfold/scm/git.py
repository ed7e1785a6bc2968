"""Git: the questions that the project asks of the repository around it, and the few writes it makes.

HEAD, branches and tags are read by hand (`fourfold.scm.refs`); everything else asks the git command, in
bulk, with everything disabled that a repository's settings could make it run (`fourfold.scm.process`).
Contents are raw objects: no filter, no text conversion. No rule of DVC lives here; copies of other
repositories are `fourfold.scm.mirror`.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, DeniedError, NotFoundError
from fourfold.base.ids import CommitId
from fourfold.scm.refs import (
    GIT_DIR,
    GitDirs,
    Head,
    check_text,
    dirs_of,
    find_dirs,
    find_root,
    is_full_id,
    read_head,
    ref_names,
    uses_files,
)

if TYPE_CHECKING:
    from fourfold.scm.process import Done

__all__ = ["Commit", "Git", "TreeEntry", "UnknownRevisionError", "find_root"]

#: Arguments of one process are far below any system's limit.
_CHUNK = 500


class NotARepositoryError(NotFoundError):
    """There is no Git repository at that place."""

    code = "not-a-git-repository"


class UnknownRevisionError(NotFoundError):
    """Git knows no commit by that name."""

    code = "unknown-revision"


class PathNotInRevisionError(NotFoundError):
    """A revision has no file at that path."""

    code = "path-not-in-revision"


class ObjectMissingError(CorruptError):
    """A revision has a file whose content the repository lacks: a partial clone, or a damaged one."""

    code = "git-object-missing"


class TreeEntry(NamedTuple):
    """One entry of a tree: Git's mode (``100644``, ``100755``, ``120000``, ``160000``), its id, its path.

    ``path`` is relative to the root; ``size``, where it was asked for, is the number of bytes of a file.
    """

    mode: str
    oid: str
    path: str
    size: int | None = None


class Commit(NamedTuple):
    """One commit; ``time`` is when it was committed, in seconds since the epoch."""

    id: CommitId
    author: str
    time: int
    message: str


class Tag(NamedTuple):
    """An annotated tag: its name, the commit that it names, when it was made (seconds since the epoch)."""

    name: str
    commit: CommitId
    time: int


class Git:
    """One repository.

    Attributes:
        root: Absolute path of the work tree; for a bare repository, of the repository itself.
        dirs: Where HEAD and where the refs are.
        bare: Whether there is no work tree.
    """

    __slots__ = ("_environ", "_where", "bare", "dirs", "root")

    def __init__(self, root: str, environ: Mapping[str, str], *, bare: bool = False) -> None:
        """Open a repository; no process is started.

        Args:
            root: The work tree, or with ``bare`` the repository.
            environ: The caller's environment, for PATH, HOME and Git's own settings.
            bare: There is no work tree; the repository is one that we made, and its owner is not asked.

        Raises:
            NotARepositoryError: there is none.
        """
        dirs = dirs_of(root) if bare else find_dirs(root)
        if dirs is None:
            raise NotARepositoryError(f"not a Git repository: {root}", hint="start one with: git init")
        self.root = root
        self.dirs: GitDirs = dirs
        self.bare = bare
        self._environ = environ
        self._where = ("--git-dir", root) if bare else ("-C", root)

    def __repr__(self) -> str:
        return f"Git({self.root!r})"

    @property
    def git_dir(self) -> str:
        """The folder of HEAD and the index."""
        return self.dirs.git_dir

    @property
    def common_dir(self) -> str:
        """The folder of refs, objects, configuration and hooks."""
        return self.dirs.common_dir

    # --- running ---

    def _call(
        self, args: Sequence[str], data: bytes = b"", *, literal: bool = True, overrides: bool = True
    ) -> "Done":
        from fourfold.scm import process  # noqa: PLC0415 - HEAD and refs are read without a process

        env = process.child_environment(self._environ, work_tree=None if self.bare else self.root)
        if not literal:
            env["GIT_LITERAL_PATHSPECS"] = "0"
        return process.run_git(self._where, args, env, data, overrides=overrides)

    def _failed(self, done: "Done", doing: str) -> Exception:
        from fourfold.scm import process  # noqa: PLC0415 - as above

        return process.failed(done, doing, self.root)

    def _try(self, *args: str, data: bytes = b"", literal: bool = True) -> "Done":
        """A run that may fail, but not for Git's refusal of the repository's owner."""
        done = self._call(args, data, literal=literal)
        if done.code:
            refusal = self._failed(done, f"git {args[0]}")
            if isinstance(refusal, DeniedError):
                raise refusal
        return done

    def _run(self, doing: str, *args: str, data: bytes = b"") -> bytes:
        done = self._call(args, data)
        if done.code:
            raise self._failed(done, doing)
        return done.out

    def _write(self, doing: str, *args: str, data: bytes = b"", fine: Sequence[int] = (0,)) -> None:
        """A run that changes the repository, durably."""
        from fourfold.scm.process import DURABLE  # noqa: PLC0415 - as above

        done = self._call([*DURABLE, *args], data)
        if done.code not in fine:
            raise self._failed(done, doing)

    # --- refs and commits ---

    def head(self) -> CommitId | None:
        """The commit that HEAD stands for; None before the first commit."""
        if uses_files(self.dirs):
            return read_head(self.dirs).commit
        try:
            return self.resolve("HEAD")
        except UnknownRevisionError:
            return None

    def branch(self) -> str | None:
        """The name of the branch that HEAD is on; None when it is detached."""
        if uses_files(self.dirs):
            return read_head(self.dirs).branch
        done = self._try("symbolic-ref", "--quiet", "--short", "HEAD")
        return os.fsdecode(done.out).strip() or None

    def read_head(self) -> Head:
        """Branch and commit of HEAD in one look."""
        return read_head(self.dirs) if uses_files(self.dirs) else Head(self.branch(), self.head())

    def resolve(self, rev: str) -> CommitId:
        """The commit that a revision stands for: any spelling of gitrevisions(7).

        A branch that only one remote has may be named without the remote, as DVC allows.

        Raises:
            UnknownRevisionError: there is no such commit.
            BadRevisionTextError: the text begins with a dash, or is no revision.
        """
        check_text(rev, "revision")
        if rev == "HEAD" and uses_files(self.dirs):
            commit = read_head(self.dirs).commit
            if commit is not None:
                return commit
        found = self._commit_of(rev)
        if found is None:
            found = self._commit_of_remote_branch(rev)
        if found is None:
            hint = "list them with: git log --oneline --all" if self.head() else "there are no commits yet"
            raise UnknownRevisionError(f"unknown Git revision '{rev}'", hint=hint)
        return found

    def _commit_of(self, rev: str) -> CommitId | None:
        done = self._try("rev-parse", "--quiet", "--verify", "--end-of-options", f"{rev}^{{commit}}")
        text = done.out.decode("ascii", "replace").strip()
        return CommitId(text) if not done.code and is_full_id(text) else None

    def _commit_of_remote_branch(self, rev: str) -> CommitId | None:
        found = {
            commit
            for ref in self._refs("refs/remotes/")
            if ref.split("/", 3)[3:] == [rev] and (commit := self._commit_of(ref)) is not None
        }
        return found.pop() if len(found) == 1 else None

    def _refs(self, prefix: str) -> list[str]:
        if uses_files(self.dirs):
            return ref_names(self.dirs, prefix)
        out = self._run("listing refs", "for-each-ref", "--format=%(refname)", "--", prefix)
        return sorted(os.fsdecode(out).split())

    def refs(self, prefix: str) -> list[str]:
        """The full names of all refs below ``prefix`` (``"refs/exps/"``), sorted."""
        return self._refs(prefix)

    def branches(self) -> list[str]:
        """The names of the local branches, sorted."""
        return [ref.removeprefix("refs/heads/") for ref in self._refs("refs/heads/")]

    def tags(self) -> list[str]:
        """The names of the tags, sorted."""
        return [ref.removeprefix("refs/tags/") for ref in self._refs("refs/tags/")]

    def annotated_tags(self) -> list[Tag]:
        """The annotated tags of commits, sorted by name; those that are mere names are not among them."""
        shape = "%(*objecttype) %(*objectname) %(taggerdate:unix) %(refname:lstrip=2)"
        out = self._run("listing tags", "for-each-ref", f"--format={shape}", "refs/tags/")
        rows = (line.split(" ", 3) for line in os.fsdecode(out).splitlines())
        return [
            Tag(name, CommitId(oid), int(when or 0)) for kind, oid, when, name in rows if kind == "commit"
        ]

    def tips(self, names: Sequence[str], kind: str = "heads") -> dict[str, CommitId]:
        """The commits of many branches (``heads``) or ``tags`` at once; what is no commit is left out."""
        wanted = "".join(f"refs/{kind}/{check_text(name, 'name')}^{{commit}}\n" for name in names)
        out = self._run("resolving refs", "cat-file", "--batch-check=%(objectname)", data=os.fsencode(wanted))
        lines = os.fsdecode(out).splitlines()
        return {name: CommitId(line) for name, line in zip(names, lines, strict=True) if is_full_id(line)}

    def commits(self) -> list[CommitId]:
        """Every commit that HEAD, a branch, a remote branch or a tag reaches, newest first."""
        return [commit for commit, _ in self.commit_times()]

    def commit_times(self) -> list[tuple[CommitId, int]]:
        """Like `commits`, with the second since the epoch at which each was committed."""
        starts = ["--branches", "--remotes", "--tags", *(["HEAD"] if self.head() else [])]
        out = self._run("listing commits", "rev-list", "--timestamp", "--date-order", *starts, "--")
        pairs = (line.split(" ") for line in out.decode("ascii").splitlines())
        return [(CommitId(commit), int(when)) for when, commit in pairs]

    def history(self, rev: str, count: int) -> list[CommitId]:
        """``rev`` and its first parents, at most ``count`` commits, newest first."""
        commit = self._commit(rev)
        out = self._run("reading history", "rev-list", "--first-parent", f"--max-count={count}", commit, "--")
        return [CommitId(line) for line in out.decode("ascii").split()]

    def merge_base(self, one: str, other: str) -> CommitId | None:
        """The commit where two lines of history part; None when Git knows of none, as in a shallow clone."""
        done = self._try("merge-base", self._commit(one), self._commit(other))
        text = done.out.decode("ascii", "replace").split("\n")[0].strip()
        return CommitId(text) if not done.code and is_full_id(text) else None

    def commit(self, rev: str) -> Commit:
        """A commit's author, time and message.

        Raises:
            UnknownRevisionError: there is no such commit.
        """
        commit = self._commit(rev)
        return parse_commit(commit, self._run("reading a commit", "cat-file", "commit", commit))

    def _commit(self, rev: str) -> CommitId:
        return CommitId(rev) if is_full_id(rev) else self.resolve(rev)

    # --- content of revisions ---

    def read(self, rev: str, path: str) -> bytes:
        """The raw content of a file of a revision.

        Args:
            rev: A revision.
            path: POSIX, relative to the root of the repository.

        Raises:
            UnknownRevisionError: there is no such commit.
            PathNotInRevisionError: it has no file at that path.
        """
        data = self.read_many(rev, [path]).get(path)
        if data is None:
            raise PathNotInRevisionError(f"'{path}' is not a file in revision {rev[:40]}")
        return data

    def read_many(self, rev: str, paths: Iterable[str]) -> dict[str, bytes]:
        """The raw contents of many files of a revision, by one process; what is no file is left out.

        Raises:
            UnknownRevisionError: there is no such commit.
            ObjectMissingError: the revision has one of them, but its content is not there.
        """
        commit = self._commit(rev)
        names = list(dict.fromkeys(paths))
        odd = [name for name in names if "\n" in name]
        ids = {entry.path: entry.oid for name in odd for entry in self.ls_tree(commit, name)}
        wanted = [ids.get(name, "0" * 40) if "\n" in name else f"{commit}:{name}" for name in names]
        if not wanted:
            return {}
        data = os.fsencode("\n".join(wanted) + "\n")
        out = memoryview(self._run("reading files of a revision", "cat-file", "--batch", data=data))
        contents = zip(names, _batch(out, wanted), strict=True)
        found = {name: content for name, content in contents if content is not None}
        if len(found) < len(names):
            self._must_be_absent(commit, [name for name in names if name not in found])
        return found

    def _must_be_absent(self, commit: CommitId, names: Sequence[str]) -> None:
        """Tell a file that is not in a revision from one whose content is lost: both read as missing."""
        self._must_exist(commit)
        for start in range(0, len(names), _CHUNK):
            part = names[start : start + _CHUNK]
            out = self._run("listing a revision", "ls-tree", "-z", "--full-tree", commit, "--", *part)
            for record in os.fsdecode(out).split("\0")[:-1]:
                meta, _, path = record.partition("\t")
                if " blob " in meta and path in part:
                    raise ObjectMissingError(
                        f"the content of '{path}' in revision {commit[:12]} is missing from the repository",
                        hint="a partial clone gets it with: git fetch --refetch; else see: git fsck",
                    )

    def _must_exist(self, commit: CommitId) -> None:
        if self._commit_of(commit) is None:
            raise UnknownRevisionError(f"unknown Git revision '{commit}'")

    def ls_tree(
        self, rev: str, prefix: str = "", *, recursive: bool = True, sizes: bool = False
    ) -> list[TreeEntry]:
        """The entries of a revision's tree, in Git's order.

        Args:
            rev: A revision.
            prefix: A file, or a folder with or without ``/`` at its end; by default everything.
            recursive: List files at every depth; else the entries of one folder, folders with mode 040000.
            sizes: Ask for the sizes of files too.

        Raises:
            UnknownRevisionError: there is no such commit.
        """
        commit = self._commit(rev)
        options = ["-z", "--full-tree", *(["-r"] if recursive else []), *(["-l"] if sizes else [])]
        where = ["--", prefix] if prefix else []
        done = self._try("ls-tree", *options, commit, *where)
        if done.code:
            self._must_exist(commit)
            raise self._failed(done, "listing a revision")
        entries = []
        for record in os.fsdecode(done.out).split("\0")[:-1]:
            meta, _, path = record.partition("\t")
            mode, _, oid, *size = meta.split()
            entries.append(TreeEntry(mode, oid, path, int(size[0]) if size and size[0].isdigit() else None))
        return entries

    # --- the work tree ---

    def relative(self, path: str) -> str | None:
        """A path (absolute, or relative to the root) as Git names it; None when it is outside or ``.git``."""
        relative = os.path.relpath(path, self.root) if os.path.isabs(path) else os.path.normpath(path)
        relative = relative.replace(os.sep, "/")
        first = relative.split("/", 1)[0]
        return None if first in {"..", GIT_DIR} or os.path.isabs(relative) else relative

    def tracked(self, paths: Iterable[str]) -> set[str]:
        """Those of ``paths`` that Git's index holds, a folder when it holds anything below it.

        Args:
            paths: Absolute, or relative to the root; returned as given.
        """
        by_name = self._by_name(paths)
        names = list(by_name)
        found: set[str] = set()
        for start in range(0, len(names), _CHUNK):
            part = names[start : start + _CHUNK]
            out = self._run("asking what Git tracks", "ls-files", "-z", "--full-name", "--", *part)
            for file in os.fsdecode(out).split("\0")[:-1]:
                found.update(part_of for part_of in _with_parents(file) if part_of in by_name)
        return {path for name in found for path in by_name[name]}

    def _by_name(self, paths: Iterable[str]) -> dict[str, list[str]]:
        """The paths as they were given, by the name that Git has for them; without those outside."""
        found: dict[str, list[str]] = {}
        for path in paths:
            name = self.relative(path)
            if name is not None:
                found.setdefault(name, []).append(path)
        return found

    def ignored(self, paths: Iterable[str], *, index: bool = False) -> set[str]:
        """Those of ``paths`` that Git's ignore rules exclude, by one process.

        Args:
            paths: Absolute, or relative to the root; returned as given. What lies outside is not ignored.
            index: What is tracked is not ignored, whatever the rules say.
        """
        by_name = self._by_name(paths)
        by_name.pop(".", None)
        return {path for name in self._ignored(list(by_name), index=index) for path in by_name[name]}

    def _ignored(self, names: list[str], *, index: bool) -> list[str]:
        if not names:
            return []
        options = ["--stdin", "-z", *([] if index else ["--no-index"])]
        data = os.fsencode("\0".join(f"./{name}" for name in names) + "\0")
        done = self._try("check-ignore", *options, data=data, literal=False)  # it knows no other way
        if done.code <= 1:
            return [name[2:] for name in os.fsdecode(done.out).split("\0")[:-1]]
        if "symbolic link" not in done.err and "submodule" not in done.err:
            raise self._failed(done, "asking what Git ignores")
        if len(names) == 1:
            return []  # behind a symbolic link or in a submodule: this repository's rules do not reach it
        half = len(names) // 2
        return self._ignored(names[:half], index=index) + self._ignored(names[half:], index=index)

    def untracked(self, prefix: str = "") -> list[str]:
        """Files below ``prefix`` that are neither tracked nor ignored, relative to the root."""
        where = ["--", prefix] if prefix else []
        options = ["-z", "--others", "--exclude-standard", "--full-name"]
        out = self._run("asking what Git does not track", "ls-files", *options, *where)
        return os.fsdecode(out).split("\0")[:-1]

    def tracked_called(self, name: str) -> list[str]:
        """The files of this name, in any folder, that Git's index holds; relative to the root."""
        done = self._try("ls-files", "-z", "--full-name", "--", f":(top,glob)**/{name}", literal=False)
        if done.code:
            raise self._failed(done, "asking what Git tracks")
        return os.fsdecode(done.out).split("\0")[:-1]

    def is_dirty(self) -> bool:
        """Whether a tracked file differs from HEAD, in the index or the work tree."""
        head = self.head()
        if head is None:
            return bool(self._run("reading the index", "ls-files", "-z"))
        options = ["--quiet", "--no-ext-diff", "--no-textconv", "--ignore-submodules"]
        done = self._try(*self._no_filters(), "diff", *options, head, "--")
        if done.code > 1:
            raise self._failed(done, "comparing the work tree")
        return done.code == 1

    # --- writes ---

    def add(self, paths: Iterable[str]) -> None:
        """Put files into the index as they are: durable, no filter, no hook; ignored ones are passed over.

        Args:
            paths: Absolute, or relative to the root. One that is gone is removed from the index.

        Raises:
            GitFailedError: git refuses, or the index is locked; the index is as it was.
        """
        names = [name for path in paths if (name := self.relative(path)) is not None]
        there = [name for name in names if os.path.lexists(os.path.join(self.root, name))]
        gone = self.tracked(set(names) - set(there))
        wanted = sorted((set(there) - self.ignored(there, index=True)) | gone)
        if wanted:
            data = os.fsencode("\0".join(wanted) + "\0")
            options = ["--all", "--pathspec-from-file=-", "--pathspec-file-nul"]
            self._write("adding to Git", *self._no_filters(), "add", *options, data=data)

    def _no_filters(self) -> list[str]:
        """Options that empty every filter of the configuration: a filter is a command."""
        done = self._try("config", "--null", "--name-only", "--get-regexp", r"^filter\..*")
        drivers = {name.rpartition(".")[0] for name in os.fsdecode(done.out).split("\0")[:-1]}
        empty = (f"{driver}.{action}=" for driver in drivers for action in ("clean", "smudge", "process"))
        optional = (f"{driver}.required=false" for driver in drivers)
        return [word for setting in (*empty, *optional) for word in ("-c", setting)]

    def config_get(self, name: str) -> str | None:
        """The value of a setting of Git, from any of its levels; None when it is not set."""
        asked = ["config", "--null", "--get", check_text(name, "setting")]
        done = self._call(asked, overrides=False)
        if done.code > 1:
            raise self._failed(done, f"reading Git's setting {name}")
        return os.fsdecode(done.out).rstrip("\0") if not done.code else None

    def config_set(self, name: str, value: str | None) -> None:
        """Set a setting in the repository's own configuration, or with None remove it; durable.

        Raises:
            GitFailedError: git refuses.
        """
        check_text(name, "setting")
        doing = f"setting {name} of Git"
        if value is None:
            self._write(doing, "config", "--local", "--unset-all", name, fine=(0, 5))
        else:
            self._write(doing, "config", "--local", "--replace-all", name, value)


def parse_commit(commit: CommitId, data: bytes) -> Commit:
    """Read the raw object of a commit."""
    header, _, message = data.decode("utf-8", "replace").partition("\n\n")
    fields = [line.partition(" ") for line in header.split("\n")]
    found = {name: value for name, _, value in fields}
    author = found.get("author", "").rpartition("> ")[0] + ">"
    when = re.search(r"> (-?\d+)", found.get("committer", ""))
    return Commit(commit, author, int(when[1]) if when else 0, message)


def _with_parents(path: str) -> Iterable[str]:
    yield "."
    yield path
    while "/" in path:
        path = path.rpartition("/")[0]
        yield path


def _batch(out: memoryview, wanted: Sequence[str]) -> Iterable[bytes | None]:
    """The contents in the answer of ``cat-file --batch``, in the order in which they were asked for."""
    at = 0
    for name in wanted:
        end = at
        while out[end] != 10:
            end += 1
        head = bytes(out[at:end])
        at = end + 1
        if head.endswith((b" missing", b" ambiguous")) and head.startswith(os.fsencode(name)):
            yield None
            continue
        kind, size = head.split(b" ")[-2:]
        content = out[at : at + int(size)]
        at += int(size) + 1
        yield bytes(content) if kind == b"blob" else None
