"""Recording: what outputs are now, into pointer files and ``.gitignore``; their content is safe already.

Shared by the verbs that track and that record anew. An `Aim` says which entry of which pointer file
speaks of a path.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import ConflictError
from fourfold.base.ids import Oid, RelPath
from fourfold.formats.dvc.pointer import Output, Pointer, import_checksum
from fourfold.project.gitignore import gitignore_of, ignore_all
from fourfold.project.oplog import Operation
from fourfold.project.outs import Owner
from fourfold.project.pointerfiles import write_pointer

if TYPE_CHECKING:
    from fourfold.project.project import Project


class TrackedByGitError(ConflictError):
    """Git tracks the target already."""

    code = "tracked-by-git"


class Added(NamedTuple):
    """One target that is tracked now.

    Attributes:
        path: Absolute.
        out_path: The output that holds it, absolute: the same, or a directory above it.
        file: The pointer file, absolute.
        oid: The content of the output.
        size: Bytes of the output, where the pointer file knows them.
        nfiles: Files in it, when it is a directory.
        new: It was not tracked before.
        changed: The pointer file is not what it was.
    """

    path: str
    out_path: str
    file: str
    oid: Oid
    size: int | None
    nfiles: int | None
    new: bool
    changed: bool


class Aim(NamedTuple):
    """Where one target will be recorded.

    Attributes:
        path: Absolute.
        file: The pointer file.
        at: The number of the output in the pointer file's list.
        output: What is said of it so far.
        out_path: Absolute path of the output: ``path``, or the tracked directory that holds it.
        inner: ``path`` relative to that directory; None for a whole output.
        owner: The pointer file as it is; None for a new one.
        new: Nothing tracked the path before.
    """

    path: str
    file: str
    at: int
    output: Output
    out_path: str
    inner: RelPath | None
    owner: Owner | None
    new: bool


def record(
    project: "Project",
    op: Operation,
    aims: Sequence[Aim],
    outputs: Mapping[str, Output],
    *,
    renew_checksums: bool = False,
    hide: bool = True,
) -> tuple[list[Added], list[str]]:
    """Write ``.gitignore`` lines and pointer files for outputs whose content is safe.

    Args:
        project: Whose.
        op: Is told before.
        aims: Where each target is recorded.
        outputs: What each output is now, by its path.
        renew_checksums: Give imports the checksum of what they say now.
        hide: Let Git ignore the outputs.

    Returns:
        One entry a target, and the files that belong into the next commit.
    """
    hidden = [aim.out_path for aim in aims if aim.output.cache and hide]
    if project.git is not None:
        for file in {gitignore_of(path) for path in hidden}:
            op.will_write(file)
    changed = ignore_all(project, hidden)
    pointers: dict[str, Pointer] = {}
    sources: dict[str, bytes] = {}
    for aim in aims:
        known = aim.owner.pointer if aim.owner is not None else None
        pointer = pointers.get(aim.file) or known or Pointer()
        outs = list(pointer.outs)
        outs[aim.at : aim.at + 1] = [outputs[aim.out_path]]
        pointers[aim.file] = pointer._replace(outs=tuple(outs))
        if renew_checksums and pointer.md5:
            pointers[aim.file] = pointers[aim.file]._replace(md5=import_checksum(pointers[aim.file]))
        sources[aim.file] = aim.owner.source if aim.owner is not None else b""
    written = {
        file: write_pointer(project, op, file, pointer, sources[file]) for file, pointer in pointers.items()
    }
    added = []
    for aim in aims:
        now = outputs[aim.out_path]
        content = Oid(str(now.oid)), now.size, now.nfiles
        added.append(Added(aim.path, aim.out_path, aim.file, *content, aim.new, written[aim.file]))
    return added, [*changed, *pointers]


def refuse_tracked_by_git(project: "Project", paths: Sequence[str]) -> None:
    """Refuse what Git tracks already: two tools must not own the same bytes.

    Raises:
        TrackedByGitError: Git tracks one of the absolute paths, or something below it.
    """
    if project.git is None or not paths:
        return
    taken = sorted(project.git.tracked(paths))
    if taken:
        shown = project.display(taken[0])
        raise TrackedByGitError(
            f"output '{shown}' is already tracked by SCM (e.g. Git)",
            hint=f"take it out of Git first: git rm -r --cached {shown}",
            details=[project.display(path) for path in taken[1:]],
        )
