"""What Git says of the outputs of a run, and their lines in ``.gitignore``, whatever finishes first.

Git is a process for each question; a run of hundreds of stages asks for all of its outputs at once, and
again only when the files that Git would read are other than they were. Lines stand in the order of the plan.
How a line is written is `fourfold.project.gitignore`.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from fourfold.pipeline.graph import Key, key_of
from fourfold.project.gitignore import GITIGNORE, gitignore_of, ignore_all
from fourfold.project.outs import Owner, place

if TYPE_CHECKING:
    from fourfold.project.oplog import Operation
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

#: Size, inode and times of a file; None where there is none.
_Stamp = tuple[int, int, int, int] | None


class Hiding:
    """Git's view of one run's outputs.

    Args:
        project: Whose.
        op: The running operation.
        plan: What will run, in order; its outputs are asked for together.
    """

    def __init__(self, project: "Project", op: "Operation", plan: Sequence[Owner] = ()) -> None:
        self._project = project
        self._op = op
        self._plan = plan
        self._rank: dict[Key, int] = {key_of(owner): at for at, owner in enumerate(plan)}
        self._planned: set[str] | None = None
        #: Lines that this run wrote, by file: the rank of the owner, and the path.
        self._written: dict[str, list[tuple[int, str]]] = {}
        self._tracked: tuple[set[str], set[str], _Stamp] | None = None
        self._ignored: tuple[set[str], set[str]] | None = None
        self._stamps: dict[str, _Stamp] = {}

    def tracked(self, paths: Sequence[str]) -> set[str]:
        """Those of absolute ``paths`` that Git tracks.

        Raises:
            GitOwnershipError, GitFailedError: Git does not answer.
        """
        git = self._project.git
        if git is None or not paths:
            return set()
        stamp = _stamp(os.path.join(git.git_dir, "index"))
        if self._tracked is None or self._tracked[2] != stamp or not self._tracked[0].issuperset(paths):
            asked = self._outputs() | set(paths)
            self._tracked = asked, git.tracked(asked), stamp
        return self._tracked[1].intersection(paths)

    def hide(self, owner: Owner, paths: Sequence[str]) -> list[str]:
        """Let Git ignore outputs of an owner; the ``.gitignore`` files that changed.

        Raises:
            GitignoreIsLinkError: a ``.gitignore`` is a symbolic link.
            GitOwnershipError, GitFailedError: Git does not answer.
            DeniedError, ExhaustedError: a file cannot be read or written; it is as it was.
        """
        git = self._project.git
        if git is None or not paths:
            return []
        ignored = self._ask(git, paths)
        rank = self._rank.get(key_of(owner), 0)
        before: dict[str, list[str]] = {}
        for path in paths:
            self._op.will_write(gitignore_of(path))
            written = self._written.get(gitignore_of(path), ())
            before[path] = [other for other_rank, other in written if other_rank > rank]
        changed = ignore_all(self._project, paths, ignored=ignored, before=before)
        for path in paths:
            if gitignore_of(path) in changed:
                self._written.setdefault(gitignore_of(path), []).append((rank, path))
        for file in changed:  # our own lines match one name each: what Git said of others stays true
            self._stamps[file] = _stamp(file)
        return changed

    def _ask(self, git: "Git", paths: Sequence[str]) -> set[str]:
        """Those of ``paths`` that Git ignores, asked anew when a file with its rules changed."""
        now = _stamps(git, paths)
        if (
            self._ignored is None
            or not self._ignored[0].issuperset(paths)
            or any(self._stamps.get(file, stamp) != stamp for file, stamp in now.items())
        ):
            asked = {path for path in self._outputs() | set(paths) if git.relative(path) is not None}
            self._stamps = _stamps(git, asked)
            self._ignored = asked | set(paths), git.ignored(asked)
        return self._ignored[1].intersection(paths)

    def _outputs(self) -> set[str]:
        """All outputs of the plan that Git should not see."""
        if self._planned is None:
            self._planned = {
                out.path
                for owner in self._plan
                for out in place(self._project.root, owner)
                if not out.external and out.use_gitignore
            }
        return self._planned


def _stamps(git: "Git", paths: Iterable[str]) -> dict[str, _Stamp]:
    """The files whose rules decide about ``paths``, as they are now."""
    files = {os.path.join(git.common_dir, "info", "exclude")}
    folders: set[str] = set()
    for path in paths:
        folder = os.path.dirname(path)
        while folder not in folders:
            folders.add(folder)
            if folder == git.root or folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    files.update(os.path.join(folder, GITIGNORE) for folder in folders)
    return {file: _stamp(file) for file in files}


def _stamp(path: str) -> _Stamp:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
