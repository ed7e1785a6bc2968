"""Imports whose content the cache lacks: brought from their own repositories, at the commit on record.

A remote of this project never holds them. Each source is opened once, whatever the number of imports from
it. What comes must be what the pointer file says; anything else is refused, and told.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, UnavailableError, UnsupportedError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import is_tree
from fourfold.project.import_ import shelf_of
from fourfold.project.importsources import Sources
from fourfold.project.materialize import materialize
from fourfold.project.outs import Tracked

if TYPE_CHECKING:
    from fourfold.project.project import Project


class ImportChangedError(CorruptError):
    """A source gives something else than the pointer file of its import records."""

    code = "import-changed"


class PartialImportError(UnsupportedError):
    """An import was made without its data, or by DVC 2: what to bring is not on record."""

    code = "import-without-content"


class ImportsLeftError(UnavailableError):
    """The content of some imports could not be had from their sources."""

    code = "imports-not-fetched"


class Brought(NamedTuple):
    """What came of bringing imports.

    Attributes:
        done: Imports that are in the cache now.
        size: Bytes of them.
        left: Those that are not, with the reason.
    """

    done: tuple[Tracked, ...] = ()
    size: int = 0
    left: tuple[tuple[Tracked, FourfoldError], ...] = ()


def lacks_content(project: "Project", out: Tracked) -> bool:
    """Whether the cache does not have all of an import."""
    store, legacy = project.store, out.output.legacy
    if out.oid is None or not store.has(out.oid, legacy=legacy):
        return True
    if not is_tree(out.oid):
        return False
    try:
        tree = store.read_tree(out.oid, legacy=legacy)
    except FourfoldError:
        return True
    return bool(store.missing(tree.digests(), legacy=legacy))


def bring_imports(
    project: "Project", outs: Iterable[Tracked], *, jobs: int | None = None, events: Sink = silent
) -> Brought:
    """Bring the content of imports from other repositories into the cache.

    Args:
        project: Whose.
        outs: Outputs whose owners are such imports, and that the cache lacks.
        jobs: Requests to a source's remote at once.
        events: Hears the phases.
    """
    sources = Sources(project, jobs)
    done: list[Tracked] = []
    left: list[tuple[Tracked, FourfoldError]] = []
    size = 0
    for out in outs:
        try:
            size += _bring(project, out, sources, events)
        except FourfoldError as error:
            left.append((out, error))
        else:
            done.append(out)
    return Brought(tuple(done), size, tuple(left))


def _bring(project: "Project", out: Tracked, sources: Sources, events: Sink) -> int:
    dep = out.owner.deps[0]
    if out.oid is None or out.output.legacy or dep.repo is None:
        raise PartialImportError(
            f"'{out.relpath}' is an import whose content is not on record",
            hint=f"bring it with: ff update {out.owner.relpath}",
        )
    view = sources.view(out.owner, dep.repo, dep.repo.rev_lock)
    found = materialize(view, dep.path, shelf_of(project), events=events)
    if found.oid != out.oid:
        raise ImportChangedError(
            f"'{out.relpath}' is not what its source has at the commit on record",
            hint=f"bring it up to date with: ff update {out.owner.relpath}",
        )
    return found.size


def left_error(left: Iterable[tuple[Tracked, FourfoldError]]) -> FourfoldError | None:
    """The error that imports which are still missing amount to; None without any.

    One whose content was never on record is no failure: it was made so.
    """
    wrong = [(out, error) for out, error in left if not isinstance(error, PartialImportError)]
    if not wrong:
        return None
    count = len(wrong)
    return ImportsLeftError(
        f"{count:,} import{'s' if count != 1 else ''} could not be had from the source",
        hint=wrong[0][1].hint,
        details=[f"{out.relpath}: {error.message}" for out, error in wrong],
    )
