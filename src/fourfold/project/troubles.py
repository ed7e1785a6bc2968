"""What went wrong with single objects of a transfer, told by the paths that their reader knows.

A transfer does all that it can and then says exactly what it could not: one `Trouble` an object. This
module turns the outcomes of `content.transfer` into troubles, and troubles into one typed error.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError, UnavailableError
from fourfold.base.ids import Oid
from fourfold.project.collect import Group, names_of

if TYPE_CHECKING:
    from fourfold.content.objects import ObjectStore
    from fourfold.content.transfer import Transferred


class MissingOnRemoteError(NotFoundError):
    """Objects that are wanted are not on the remote."""

    code = "objects-missing-on-remote"


class MissingEverywhereError(NotFoundError):
    """Objects to push are neither in the cache nor on the remote."""

    code = "objects-missing-everywhere"


class CorruptOnRemoteError(CorruptError):
    """Objects of a remote do not hash to their names; none of them was taken over."""

    code = "corrupt-on-remote"


class CorruptInCacheError(CorruptError):
    """Objects of the cache do not hash to their names; none of them was passed on."""

    code = "corrupt-in-cache"


class TransferFailedError(UnavailableError):
    """Single objects could not be moved; the others were."""

    code = "transfer-failed"


class Trouble(NamedTuple):
    """One object that could not be moved.

    Attributes:
        kind: ``missing``, ``corrupt``, ``failed``, or ``withheld``: a manifest whose files are not all there.
        oid: Its name.
        path: One place in the workspace where it belongs, from the project's root; empty when unknown.
        remote: The name of the remote.
        error: Why it failed.
    """

    kind: str
    oid: Oid
    path: str
    remote: str
    error: FourfoldError | None = None

    def describe(self) -> str:
        """One line: the path and the name."""
        why = f": {self.error.message}" if self.error else ""
        what = f"{self.path}  md5 {self.oid}" if self.path else f"md5 {self.oid}"
        return f"{what}{why if self.kind == 'failed' else ''}"


def troubles_of(done: "Transferred", group: Group, store: "ObjectStore", remote: str) -> list[Trouble]:
    """The troubles of one transfer, in the order: missing, corrupt, failed, withheld."""
    found: list[tuple[str, Oid, FourfoldError | None]] = [("missing", oid, None) for oid in done.missing]
    found += [("corrupt", oid, None) for oid in done.corrupt]
    found += [("failed", oid, error) for oid, error in done.failed]
    found += [("withheld", oid, None) for oid in done.withheld]
    if not found:
        return []
    names = names_of(group.wants, [oid for _kind, oid, _error in found], store, legacy=group.legacy)
    return [Trouble(kind, oid, names.get(oid, ""), remote, error) for kind, oid, error in found]


def fetch_error(troubles: Sequence[Trouble], asked: int) -> FourfoldError | None:
    """The error of a fetch that left something out; None when it left nothing out.

    Args:
        troubles: What went wrong.
        asked: How many objects were asked for.
    """
    return _error(troubles, asked, fetching=True)


def push_error(troubles: Sequence[Trouble], asked: int) -> FourfoldError | None:
    """The error of a push that left something out; None when it left nothing out."""
    return _error(troubles, asked, fetching=False)


def _error(troubles: Sequence[Trouble], asked: int, *, fetching: bool) -> FourfoldError | None:
    # Manifests are withheld because of the others: they are listed with these, and are no cause.
    causes = [trouble for trouble in troubles if trouble.kind != "withheld"] or list(troubles)
    if not causes:
        return None
    worst = next(kind for kind in ("corrupt", "failed", "missing", "withheld") if _count(causes, kind))
    count = _count(causes, worst)
    where = _common_place(causes)
    words = {
        "some": f"{count:,} of {max(asked, count):,} objects",
        "remotes": ", ".join(f"'{name}'" for name in dict.fromkeys(trouble.remote for trouble in causes)),
        "be": "is" if count == 1 else "are",
        "them": "it" if count == 1 else "them",
        "place": f" {where}" if where else "",
    }
    if where and count == 1:
        words["end"] = f": {where}"
    else:
        words["end"] = ""
        words["some"] += f" of {where}" if where else ""
    kind, said, hint = _WORDS[worst, fetching]
    message = (said + "{end}").format(**words)
    cause = _one_cause(causes) if worst == "failed" else None
    if cause is not None:  # the remote as a whole is the trouble, and its own words say more
        causes = [trouble._replace(error=None) for trouble in causes]
        details = list(_details(causes, causes))
        return type(cause)(f"{cause.message}: {message}", hint=cause.hint, details=details)
    return kind(message, hint=hint.format(**words), details=list(_details(troubles, causes)))


def _one_cause(causes: Sequence[Trouble]) -> FourfoldError | None:
    """The one failure of the remote that all troubles have in common; None when there are several."""
    first = causes[0].error
    if not isinstance(first, UnavailableError):
        return None
    same = all(type(one.error) is type(first) and str(one.error) == str(first) for one in causes)
    return first if same else None


_Kind = type[FourfoldError]
_WORDS: dict[tuple[str, bool], tuple[_Kind, str, str]] = {
    ("corrupt", True): (
        CorruptOnRemoteError,
        "{some} {be} damaged on remote {remotes}, and not taken over",
        "whoever has a good copy can run: ff repair -r <remote>{place}",
    ),
    ("corrupt", False): (
        CorruptInCacheError,
        "{some} {be} damaged in the cache, and not sent to {remotes}",
        "heal {them} from a good copy with: ff repair{place}",
    ),
    ("failed", True): (
        TransferFailedError,
        "{some} could not be fetched from remote {remotes}",
        "run the same command again; what came is kept",
    ),
    ("failed", False): (
        TransferFailedError,
        "{some} could not be sent to remote {remotes}",
        "run the same command again; what was sent is kept",
    ),
    ("missing", True): (
        MissingOnRemoteError,
        "{some} {be} not on remote {remotes}",
        "whoever has {them} can run: ff push{place}",
    ),
    ("missing", False): (
        MissingEverywhereError,
        "{some} {be} neither in the cache nor on remote {remotes}",
        "get {them} from elsewhere: ff fetch -r <another remote>{place}, or ff repair{place}",
    ),
    ("withheld", True): (TransferFailedError, "{some} {be} incomplete", "run the same command again"),
    ("withheld", False): (
        TransferFailedError,
        "{some} {be} held back, for files of theirs are not on remote {remotes}",
        "run the same command again",
    ),
}


#: What a detail line says of a trouble, where there are several kinds.
_LABELS = {"missing": "missing", "corrupt": "damaged", "failed": "failed", "withheld": "held back"}


def _details(troubles: Iterable[Trouble], causes: Sequence[Trouble]) -> Iterable[str]:
    mixed = len({trouble.kind for trouble in troubles}) > 1
    for trouble in sorted(troubles, key=lambda one: (one not in causes, one.path, one.oid)):
        yield f"{_LABELS[trouble.kind]}: {trouble.describe()}" if mixed else trouble.describe()


def _count(troubles: Iterable[Trouble], kind: str) -> int:
    return sum(trouble.kind == kind for trouble in troubles)


def _common_place(troubles: Sequence[Trouble]) -> str:
    """The deepest folder or the one file that all troubles are about; empty when there is none."""
    paths = {trouble.path for trouble in troubles}
    if "" in paths:
        return ""
    if len(paths) == 1:
        return next(iter(paths))
    split = [path.split("/")[:-1] for path in paths]
    common = []
    for parts in zip(*split, strict=False):
        if len(set(parts)) != 1:
            break
        common.append(parts[0])
    return "/".join(common)
