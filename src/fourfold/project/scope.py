"""The revisions that a verb spans: the workspace, and whatever ``-a -T -A --rev -n --date`` add to it.

As in DVC, the workspace is part of it, unless whoever asks leaves it out. Nothing here knows what the
revisions are wanted for.
"""

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, UnsupportedError, UsageError
from fourfold.base.ids import CommitId
from fourfold.project.files import Tracking, load_tracked

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.scm.git import Git

#: Where DVC keeps experiments: ``refs/exps/<2>/<38 of the baseline>/<name>``.
_EXPERIMENTS = "refs/exps/"
_NOT_RESULTS = (
    "refs/exps/exec/",
    "refs/exps/stash",
    "refs/exps/celery/",
    "refs/exps/apply/",
    "refs/exps/temp",
)


class BadDateError(UsageError):
    """A date is not written as ``YYYY-MM-DD``."""

    code = "bad-date"


class NoHistoryError(UnsupportedError):
    """Revisions were asked for in a project without Git."""

    code = "no-history"


class Scope(NamedTuple):
    """Which revisions, besides the workspace.

    Attributes:
        revs: Revisions by name.
        num: So many commits back along first parents from each of ``revs`` and each branch; negative for all.
        all_branches: The tips of the local branches.
        all_tags: The tags.
        all_commits: Every commit that HEAD, a branch or a tag reaches.
        all_experiments: The commits of the experiments.
        since: Commits made at or after this day, ``YYYY-MM-DD`` in local time.
        workspace: Whether the workspace is part of it.
    """

    revs: tuple[str, ...] = ()
    num: int = 1
    all_branches: bool = False
    all_tags: bool = False
    all_commits: bool = False
    all_experiments: bool = False
    since: str | None = None
    workspace: bool = True

    @property
    def is_workspace(self) -> bool:
        """Whether the workspace is all of it."""
        return self._replace(num=1) == WORKSPACE


WORKSPACE = Scope()


def revisions(project: "Project", scope: Scope) -> dict[CommitId, str]:
    """The commits of a scope, each once, with the name by which it was found.

    Raises:
        NoHistoryError: there is no Git repository.
        UnknownRevisionError: a revision does not exist.
        BadDateError: the date cannot be read.
    """
    return {commit: names[0] for commit, names in revision_names(project, scope).items()}


def revision_names(project: "Project", scope: Scope) -> dict[CommitId, list[str]]:
    """Like `revisions`, with every name by which a commit was found."""
    if scope.is_workspace:
        return {}
    git = project.git
    if git is None:
        raise NoHistoryError(
            "there are no revisions: the project is not in a Git repository",
            hint="leave out the options that name revisions",
        )
    found: dict[CommitId, list[str]] = {}
    for name, commit in _named(git, scope):
        names = found.setdefault(commit, [])
        if name not in names:
            names.append(name)
    return found


def _named(git: "Git", scope: Scope) -> Iterator[tuple[str, CommitId]]:
    """The name and the commit of everything in a scope, with repetitions."""
    for rev in scope.revs:
        yield from _back(git, rev, git.resolve(rev), scope.num)
    if scope.all_commits:
        yield from ((commit, commit) for commit in git.commits())
    if scope.all_branches:
        for name, commit in git.tips(git.branches()).items():
            yield from _back(git, name, commit, scope.num)
    if scope.all_tags:
        yield from git.tips(git.tags(), "tags").items()
    if scope.since is not None:
        start = _day(scope.since)
        yield from ((commit, commit) for commit, made in git.commit_times() if made >= start)
    if scope.all_experiments:
        yield from _experiments(git)


def _back(git: "Git", name: str, commit: CommitId, num: int) -> Iterator[tuple[str, CommitId]]:
    """A commit and its first parents, ``num`` of them in all."""
    commits = ([] if num == 0 else [commit]) if num in {0, 1} else git.history(commit, num)
    return ((name if one == commit else one, one) for one in commits)


def _day(text: str) -> float:
    """The second since the epoch at which a day begins, here."""
    from datetime import datetime  # noqa: PLC0415 - only --date needs it

    try:
        return datetime.strptime(text, "%Y-%m-%d").timestamp()  # noqa: DTZ007 - local time, as DVC reads it
    except ValueError:
        raise BadDateError(f"not a date: '{text}'", hint="write it as YYYY-MM-DD") from None


def _experiments(git: "Git") -> Iterator[tuple[str, CommitId]]:
    """The commits of each experiment, from its tip to its baseline."""
    for ref in git.refs(_EXPERIMENTS):
        parts = ref.removeprefix(_EXPERIMENTS).split("/", 2)
        if ref.startswith(_NOT_RESULTS) or len(parts) != 3:
            continue
        baseline = parts[0] + parts[1]
        for commit in takewhile(lambda one, end=baseline: one != end, git.history(ref, -1)):  # type: ignore[misc]
            yield parts[2], commit


def trackings(
    project: "Project", scope: Scope, *, on_error: Callable[[str, FourfoldError], None] | None = None
) -> Iterator[tuple[str, Tracking]]:
    """What the workspace and each revision of a scope track, with the name of the revision.

    A file that did not change between two revisions is parsed once.

    Args:
        project: Whose.
        scope: Which revisions.
        on_error: Hears of a revision that cannot be loaded, which is then left out; by default it raises.

    Raises:
        FourfoldError: as `revisions` and `load_tracked`.
    """
    commits = revisions(project, scope)
    loads: list[tuple[str, Callable[[], Tracking]]] = []
    if scope.workspace:
        loads.append(("", lambda: load_tracked(project)))
    if commits:
        from fourfold.project.revisions import Parsed, load_revision  # noqa: PLC0415 - only beside Git

        parsed: Parsed = {}
        loads += [
            (name, lambda commit=commit: load_revision(project, commit, parsed=parsed))  # type: ignore[misc]
            for commit, name in commits.items()
        ]
    for name, load in loads:
        try:
            tracking = load()
        except FourfoldError as error:
            if on_error is None:
                raise
            on_error(name, error)
            continue
        yield name, tracking
