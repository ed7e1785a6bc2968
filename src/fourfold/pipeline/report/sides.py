"""Which two moments a report compares when nobody, or only half, says so.

After is the workspace. Before is where the work left the branch that it will be merged into: the merge base
with the branch that a pull request names (GitHub and GitLab tell its name in the environment), else with the
remote's default branch; where there is none, HEAD.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fourfold.base.errors import NotFoundError
from fourfold.base.ids import CommitId
from fourfold.pipeline.moments import WORKSPACE
from fourfold.pipeline.report.value import Side
from fourfold.project.scope import NoHistoryError
from fourfold.scm.git import UnknownRevisionError

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

_DEFAULTS = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
_TOLD = ("GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME")


class NoMergeBaseError(NotFoundError):
    """Git does not know where the work left the branch that a pull request goes to."""

    code = "no-merge-base"


def sides(
    project: "Project", old: str | None, new: str | None, environ: Mapping[str, str]
) -> tuple[Side, Side]:
    """The two moments to compare.

    Args:
        project: Whose.
        old: A revision; None for the merge base.
        new: A revision, or ``workspace``; None for the workspace.
        environ: Where a pull request tells its target.

    Raises:
        NoHistoryError: the project is not in a Git repository, or there is no commit.
        UnknownRevisionError: Git has no such revision.
        NoMergeBaseError: a pull request names a branch that this clone knows nothing of.
    """
    git = project.git
    if git is None or git.head() is None:
        raise NoHistoryError(
            "a report compares with a commit, and there is none", hint="commit with Git first"
        )
    after = Side(None, WORKSPACE) if new in {None, WORKSPACE} else Side(git.resolve(str(new)), str(new))
    if old == WORKSPACE:
        return Side(None, WORKSPACE), after
    if old is not None:
        return Side(git.resolve(old), old), after
    return _base(git, after.commit or git.resolve("HEAD"), environ), after


def _base(git: "Git", tip: CommitId, environ: Mapping[str, str]) -> Side:
    told = next((environ[name] for name in _TOLD if environ.get(name)), None)
    for name in (f"origin/{told}", told) if told else _DEFAULTS:
        try:
            branch = git.resolve(name)
        except UnknownRevisionError:
            continue
        base = git.merge_base(branch, tip)
        if base is not None:
            return Side(base, base[:7])
    if told:
        raise NoMergeBaseError(
            f"this clone does not know where the work left '{told}'",
            hint="clone the whole history (fetch-depth: 0), or name the revision: ff report REVISION",
        )
    return Side(tip, tip[:7])
