"""Why: what exactly makes a path, a pointer file or a stage count as changed, down to the file.

Read-only. Where ``status`` says that something differs, this says what: the files inside a directory, the
recorded and the present content, whether the recorded content could be brought back, and from where.
"""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid
from fourfold.content.diff import TreeDiff, diff_trees
from fourfold.project.changes import DELETED, MODIFIED, NOT_IN_CACHE, Change, Examiner
from fourfold.project.outs import Owner, Tracked
from fourfold.project.snapshot import tree_of
from fourfold.project.status import address_from
from fourfold.project.targets import select

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Reason(NamedTuple):
    """One change, explained.

    Attributes:
        change: What `project.changes` found.
        path: The path as the user would type it; empty where the change is not about one.
        files: What differs inside a directory; None for a file, or when its old manifest is not here.
        restorable: Whether the cache has all of the recorded content.
    """

    change: Change
    path: str
    files: TreeDiff | None
    restorable: bool


class Why(NamedTuple):
    """The answer for one owner; no reasons means that it is what it records."""

    name: str
    owner: Owner
    reasons: tuple[Reason, ...]


def why(project: "Project", targets: Iterable[str], *, events: Sink = silent) -> list[Why]:
    """Explain each target.

    Args:
        project: Whose.
        targets: As typed: tracked paths, pointer files, stages; none stands for everything.
        events: Hears the hashing.

    Raises:
        TargetNotFoundError: a target is not tracked; similar names are in the hint.
        FourfoldError: a file that had to be read is broken or unreadable.
    """
    examiner = Examiner(project, events)
    answers = []
    for selected in select(project, targets):
        changes = examiner.changes(selected.owner, selected.outs, selected.inner)
        reasons = [_explain(project, examiner, selected.owner, selected.outs, change) for change in changes]
        answers.append(Why(address_from(project, selected.owner), selected.owner, tuple(reasons)))
    return answers


def _explain(
    project: "Project", examiner: Examiner, owner: Owner, outs: tuple[Tracked, ...], change: Change
) -> Reason:
    if change.kind not in {"dependency", "output"}:
        shown = project.display(os.path.join(owner.wdir, change.path)) if change.path else ""
        return Reason(change, shown, None, restorable=False)
    if "://" in change.path:
        return Reason(change, change.path, None, restorable=False)
    path = os.path.normpath(os.path.join(owner.wdir, change.path))
    out = next((out for out in outs if out.path == path), None)
    legacy = out.output.legacy if out is not None else False
    recorded = out.oid if out is not None else (change.old if isinstance(change.old, str) else None)
    kept = out is None or out.output.cache
    restorable = kept and recorded is not None and examiner.in_cache(Oid(recorded), legacy=legacy)
    files = None
    if change.state in {MODIFIED, DELETED, NOT_IN_CACHE} and recorded is not None:
        before = tree_of(project, Oid(recorded), legacy=legacy)
        current = examiner.current(path, legacy=legacy)
        if before is not None and current is not None and current.is_directory:
            files = diff_trees(before, current.tree)
    return Reason(change, project.display(path), files, restorable)
