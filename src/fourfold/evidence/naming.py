"""Naming: the run that a user means, by an id, a stage, or a revision of Git.

An id (or the beginning of one), a stage for its newest run, ``train~2`` for two before that, ``@`` for the
last: as `fourfold.runs.store` reads them. Besides, ``REV`` and ``REV:STAGE``: the run that ``fourfold.lock``
names at that revision. A stage goes before a revision of the same name, which ``heads/NAME`` still means.
"""

import posixpath
from typing import TYPE_CHECKING

from fourfold.base.errors import ConflictError, FourfoldError, NotFoundError
from fourfold.base.suggest import did_you_mean
from fourfold.evidence.lineage import Lineage, Makers
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.formats.native import lockfile
from fourfold.formats.native.lockfile import LOCK_NAME
from fourfold.formats.native.record import RunId
from fourfold.runs.store import NotSoManyRunsError, RunAmbiguousError, RunNotFoundError
from fourfold.runs.words import short

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records
    from fourfold.scm.git import Git

_PIPELINE = "dvc.yaml"
_HEX = frozenset("0123456789abcdefABCDEF")
#: So much of a name that is none is told.
_LONGEST = 80
#: So many names are given as examples.
_NAMED = 10


class StageNotNamedError(ConflictError):
    """A revision has runs of several stages, none stands on all others, and none was named."""

    code = "stage-not-named"


class NoRunInRevisionError(NotFoundError):
    """``fourfold.lock`` of a revision names no run, or none of that stage."""

    code = "no-run-in-revision"


def resolve(place: "Place", records: "Records", text: str) -> RunId:
    """The run that a user means.

    A revision alone means its only stage, or the one that stands on all others: the end of the pipeline.

    Args:
        place: Where: its repository has the revisions.
        records: The records.
        text: As typed.

    Raises:
        RunNotFoundError: no run, stage or revision is called so; or the run of a revision is not here.
        NotSoManyRunsError: a stage has not so many runs, also where a branch is called like it.
        RunAmbiguousError: several ids begin so, or an id and a commit do.
        StageNotNamedError: a revision has several stages.
        NoRunInRevisionError: ``fourfold.lock`` names no run there, or none of that stage.
        BadLockFileError: it cannot be understood.
    """
    try:
        found = records.resolve(text)
    except NotSoManyRunsError:
        raise  # a stage goes before a revision: its runs are meant, not commits before a branch
    except RunNotFoundError as error:
        named = in_revision(place, records, text)
        if named is not None:
            return named
        summaries = records.summaries()
        if not summaries:
            raise
        names, hint = "run or stage", "name a run (ff runs list) or a stage"
        if place.git is not None:
            names = "run, stage or revision"
            hint = "name a run (ff runs list), a stage, or a revision with a fourfold.lock"
        hint = did_you_mean(text, {one.stage for one in summaries if one.stage}, hint)
        raise RunNotFoundError(f"no {names} '{short(text, _LONGEST)}'", hint=hint) from error
    if _could_be_commit(text) and found.startswith(text.lower()) and place.git is not None:
        commit = _commit(place.git, text)
        if commit is not None:
            raise RunAmbiguousError(
                f"both a run and a commit begin with '{text}'",
                hint="give more of the id",
                details=[f"run {found[:16]}", f"commit {commit[:16]}"],
            )
    return found


def in_revision(place: "Place", records: "Records", text: str) -> RunId | None:
    """The run that ``REV`` or ``REV:STAGE`` means; None when there is no such revision.

    Raises:
        As `resolve`.
    """
    if place.git is None:
        return None
    rev, colon, stage = text.partition(":")
    commit = _commit(place.git, rev)
    if commit is None:
        return None
    runs = runs_of(place, commit)
    if not runs:
        raise NoRunInRevisionError(
            f"no {LOCK_NAME} of revision '{rev}' names a run",
            hint="runs are named there once a stage ran under ff repro and the file was committed",
        )
    if not colon:
        return _last(place, records, rev, {name: _here(records, run) for name, run in runs.items()})
    if stage not in runs:
        known = ", ".join(f"{rev}:{name}" for name in sorted(runs)[:_NAMED])
        raise NoRunInRevisionError(
            f"revision '{rev}' names no run of stage '{stage}'", hint=f"it has: {known}"
        )
    return _here(records, runs[stage])


def runs_of(place: "Place", commit: "CommitId") -> dict[str, RunId]:
    """The runs that the files ``fourfold.lock`` of a commit name, by stage as the root calls it.

    Args:
        place: Its repository has the commit; files in the folder of its root are read.
        commit: A full id.

    Raises:
        BadLockFileError, BadYamlError: one cannot be understood.
        GitFailedError: the commit cannot be read.
    """
    git = place.git
    prefix = git.relative(place.root) if git is not None else None
    if git is None or prefix is None:
        return {}
    prefix = "" if prefix == "." else f"{prefix}/"
    paths = [
        entry.path
        for entry in git.ls_tree(commit, prefix)
        if posixpath.basename(entry.path) == LOCK_NAME and entry.mode.startswith("100")
    ]
    found: dict[str, RunId] = {}
    for path, data in sorted(git.read_many(commit, paths).items()):
        folder = posixpath.dirname(path.removeprefix(prefix))
        for name, stage in lockfile.parse(data, f"{path} of {commit[:12]}").stages.items():
            address = f"{folder}/{_PIPELINE}:{name}" if folder else name
            found[address] = RunId(stage.run)
    return found


def _here(records: "Records", run: RunId) -> RunId:
    if not records.has("records", run):
        raise RunNotFoundError(f"run {run[:12]} of that revision is not here", hint="bring it with: ff pull")
    return run


def _last(place: "Place", records: "Records", rev: str, runs: dict[str, RunId]) -> RunId:
    """The only run, or the one that stands on all others.

    What it stands on may be an earlier run of a stage, which wrote the same as the one that is named.
    """
    if len(set(runs.values())) == 1:
        return next(iter(runs.values()))
    makers = Makers(records, Holdings(place, records).inside)
    ends = {run for run in sorted(set(runs.values())) if _stands_on(makers.lineage(run), runs)}
    if len(ends) == 1:
        return ends.pop()
    raise StageNotNamedError(
        f"revision '{rev}' has runs of {len(runs)} stages",
        hint=f"name one: {rev}:{min(runs)}",
        details=[f"{rev}:{name}" for name in sorted(runs)[:_NAMED]],
    )


def _stands_on(lineage: Lineage, runs: dict[str, RunId]) -> bool:
    """Whether all of these runs, or others of their stages, are behind a run."""
    known = {step.run for step in lineage.steps}
    stages = {step.record.stage for step in lineage.steps}
    return all(run in known or name in stages for name, run in runs.items())


def _commit(git: "Git", rev: str) -> "CommitId | None":
    try:
        return git.resolve(rev)
    except FourfoldError:
        return None


def _could_be_commit(text: str) -> bool:
    return len(text) <= 40 and _HEX.issuperset(text)
