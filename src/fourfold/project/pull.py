"""Pull: fetch, then check out; what is damaged in the cache is healed from the remote on the way.

Everything that can be had is fetched and checked out; what cannot is told. Bytes of the workspace that are
saved nowhere stop it before anything is touched, unless they are to be discarded.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.project.checkout import (
    CheckoutIncompleteError,
    CheckoutResult,
    DamagedCacheError,
    checkout,
)
from fourfold.project.fetch import FetchResult, fetch
from fourfold.project.locks import project_lock
from fourfold.project.oplog import operation
from fourfold.project.scope import WORKSPACE, Scope
from fourfold.project.targets import expand_globs

if TYPE_CHECKING:
    from fourfold.project.project import Project


class PullResult(NamedTuple):
    """What a pull did.

    Attributes:
        fetched: What came into the cache.
        checkout: What changed in the workspace.
        healed: Damaged objects of the cache that were replaced by good copies.
        error: What this amounts to, when something could not be had.
    """

    fetched: FetchResult
    checkout: CheckoutResult
    healed: int = 0
    error: FourfoldError | None = None


def pull(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    remote: str | None = None,
    jobs: int | None = None,
    scope: Scope = WORKSPACE,
    recursive: bool = False,
    with_deps: bool = False,
    run_cache: bool = False,
    glob: bool = False,
    force: bool = False,
    allow_missing: bool = False,
    events: Sink = silent,
) -> PullResult:
    """Bring outputs into the cache and into the workspace.

    Args:
        project: Whose.
        targets: As typed; none for everything.
        remote: The remote's name; by default each output's own, or the default one.
        jobs: Requests at once.
        scope: Revisions whose data is fetched too; the workspace alone is checked out.
        recursive: Folders stand for the owners below.
        with_deps: Also what the targets depend on.
        run_cache: Also the remembered runs.
        glob: Targets are patterns.
        force: Replace content of the workspace that is saved nowhere; it goes to the trash.
        allow_missing: Content that is not to be had is no error.
        events: Hears the phases.

    Raises:
        UnsavedChangesError: content of the workspace that is saved nowhere would be lost.
        FourfoldError: as `fetch` and `checkout`, but for what is in the result.
    """
    names = list(targets)
    if glob and names:
        names = expand_globs(project, names)

    def get(again: "tuple[CheckoutResult, ...]" = ()) -> FetchResult:
        damaged = [lack.oid for result in again for lack in result.lacking if lack.damaged]
        return fetch(
            project,
            names,
            remote=remote,
            jobs=jobs,
            scope=WORKSPACE if again else scope,
            recursive=recursive,
            with_deps=with_deps,
            run_cache=run_cache and not again,
            again={False: damaged, True: damaged} if damaged else None,
            events=events,
        )

    def place() -> tuple[CheckoutResult, FourfoldError | None]:
        with project_lock(project), operation(project, "pull", names):  # what undo and the log call it
            try:
                return checkout(
                    project,
                    names,
                    with_deps=with_deps,
                    recursive=recursive,
                    force=force,
                    allow_missing=allow_missing,
                    events=events,
                ), None
            except (CheckoutIncompleteError, DamagedCacheError) as error:
                return error.result, error

    fetched = get()
    done, error = place()
    if not isinstance(error, DamagedCacheError):
        return PullResult(fetched, done, error=_error(fetched, error, allow_missing=allow_missing))
    again = get((done,))
    more, error = place()
    return PullResult(
        _joined(fetched, again),
        _together(done, more),
        healed=again.fetched,
        error=_error(again, error, allow_missing=allow_missing),
    )


def _error(fetched: FetchResult, error: FourfoldError | None, *, allow_missing: bool) -> FourfoldError | None:
    """What went wrong, in the words of the remote where it was the remote's part."""
    if allow_missing:
        rest = tuple(trouble for trouble in fetched.troubles if trouble.kind != "missing")
        fetched = fetched._replace(troubles=rest, imports=())
    return fetched.error or error


def _joined(first: FetchResult, second: FetchResult) -> FetchResult:
    return second._replace(
        fetched=first.fetched + second.fetched,
        size=first.size + second.size,
        present=first.present,
        runs=first.runs,
        imported=first.imported,
        failed=first.failed,
    )


def _together(first: CheckoutResult, second: CheckoutResult) -> CheckoutResult:
    """Two checkouts of one pull as one: the first left out what the second made."""
    seen = {change.path: change for change in (*second.changes, *first.changes)}
    return CheckoutResult(
        tuple(seen.values()),
        {kind: count + second.counts.get(kind, 0) for kind, count in first.counts.items()},
        first.relinked + second.relinked,
        second.lacking,
        second.kept or first.kept,
    )
