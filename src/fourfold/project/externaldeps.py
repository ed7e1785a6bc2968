"""What stages depend on that is no path of this machine: URLs, ``remote://name/path`` and ``ds://name``.

URLs are asked for their tag of content, many at once, each once for every `Elsewhere`; nothing is brought.
What a tag is, for each kind of URL, is `urls`; what ``ds://`` names is `datasets`, which asks nobody. Loaded
only for a stage that has such a dependency.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import FourfoldError, UnavailableError
from fourfold.base.pool import map_batches
from fourfold.formats.dvc.pointer import Dependency
from fourfold.project.urls import SourceMissingError, locate, state_of

if TYPE_CHECKING:
    from fourfold.project.datasets import Datasets
    from fourfold.project.outs import Owner
    from fourfold.project.project import Project

#: Scheme of dependencies that are entries of ``datasets:``.
DATASET = "ds://"
#: URLs that are asked at the same time.
_AT_ONCE = 16


class ExternalUnknownError(UnavailableError):
    """What is at a URL that a stage depends on cannot be told: its server cannot be reached, or refuses."""

    code = "dependency-unknown"


class Difference(NamedTuple):
    """How something elsewhere is other than what is recorded.

    Attributes:
        state: As `fourfold.project.changes` calls it.
        old: What is recorded.
        new: What tells the content of now, where there is any.
    """

    state: str
    old: str | None
    new: str | None = None


class Elsewhere:
    """What lies elsewhere, as it is now; whatever was asked once is remembered.

    Args:
        project: Whose stages they are.
    """

    def __init__(self, project: "Project") -> None:
        self._project = project
        self._known: dict[str, Dependency | FourfoldError | None] = {}
        self._datasets: Datasets | None = None

    @property
    def datasets(self) -> "Datasets":
        """The data sets that the project declares."""
        if self._datasets is None:
            from fourfold.project.datasets import Datasets  # noqa: PLC0415 - not for mere URLs

            self._datasets = Datasets(self._project)
        return self._datasets

    def foresee(self, owners: "Iterable[Owner]") -> None:
        """Ask every URL that owners depend on, side by side; what fails is told when it is needed."""
        wanted = {
            dep.path: (dep, owner)
            for owner in owners
            if not owner.frozen
            for dep in owner.deps
            if is_url(dep) and dep.path not in self._known
        }
        asked = list(wanted.values())
        answers = map_batches(lambda one: self._ask(*one), asked, jobs=_AT_ONCE)
        self._known.update(zip(wanted, answers, strict=True))

    def now(self, owner: "Owner", dep: Dependency) -> Dependency | None:
        """A dependency of a stage with its content of now, as ``dvc.lock`` records it; None without any.

        Raises:
            ExternalUnknownError: it cannot be asked.
            DatasetNotFoundError, DatasetNotInSyncError: it is a data set that is not declared or not locked.
        """
        if dep.path.startswith(DATASET):
            return Dependency(dep.path, dataset=self.datasets.lock_of(owner.file, dep.path[len(DATASET) :]))
        return self._current(owner, dep)

    def difference(self, owner: "Owner", dep: Dependency) -> Difference | None:
        """How a dependency is other than what is recorded; None when it is not.

        Raises:
            ExternalUnknownError: it cannot be asked.
            DatasetNotFoundError: it is a data set that is not declared.
        """
        if dep.path.startswith(DATASET):
            state, old, new = self.datasets.state(owner.file, dep.path[len(DATASET) :], dep.dataset)
            return Difference(state, old or None, new or None) if state else None
        found = self._current(owner, dep)
        if found is None:
            return Difference("deleted", _bare(dep))
        return None if _tag(found) == _tag(dep) else Difference("modified", _bare(dep), _bare(found))

    def _current(self, owner: "Owner", dep: Dependency) -> Dependency | None:
        self.foresee([owner._replace(deps=tuple(owner.deps), frozen=False)])
        found = self._known[dep.path]
        if isinstance(found, FourfoldError):
            raise ExternalUnknownError(
                f"dependency '{_shown(dep)}' of stage '{owner.addressing}' cannot be looked at: "
                f"{found.message}",
                hint=found.hint,
                details=found.details,
            ) from found
        return found

    def _ask(self, dep: Dependency, owner: "Owner") -> Dependency | FourfoldError | None:
        """What is at a URL; None when there is nothing."""
        try:
            place = locate(self._project, dep.path, base=owner.wdir, committed=owner.relpath)
            return state_of(Dependency(dep.path), place, self._project.index)
        except SourceMissingError:
            return None
        except FourfoldError as error:
            return error


def is_url(dep: Dependency) -> bool:
    """Whether a dependency of a stage is to be asked over a network."""
    return "://" in dep.path and not dep.path.startswith(DATASET) and dep.repo is None and dep.db is None


def _tag(dep: Dependency) -> str | None:
    """What tells one content from another, as DVC compares them; versions and sizes say nothing more."""
    return dep.oid or dep.etag or dep.checksum


def _bare(dep: Dependency) -> str | None:
    """The same for people: without the quotes that HTTP has around a tag."""
    tag = _tag(dep)
    return tag.strip('"') if tag else None


def _shown(dep: Dependency) -> str:
    from fourfold.storage.redact import redact_url  # noqa: PLC0415 - only for a message

    return redact_url(dep.path)
