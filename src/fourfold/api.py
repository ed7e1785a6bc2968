"""The Python API, with the signatures of ``dvc.api``: ``import fourfold as dvc_api`` works.

Reads files, tracked or not, metrics and parameters of any revision of any repository, here or behind a Git
address. What is read from a store or a remote is proven before it is handed out.
"""

import builtins
import io
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from fourfold.base.errors import NotAProjectError, UnsupportedError, UsageError
from fourfold.content.objects import ObjectStore
from fourfold.content.statindex import StatIndex
from fourfold.pipeline import metrics, params
from fourfold.pipeline.moments import WORKSPACE, Values
from fourfold.project.artifacts import find_artifact
from fourfold.project.datasets import DatasetNotInSyncError, Datasets
from fourfold.project.elsewhere import folder_of, open_source
from fourfold.project.locate import storage_url
from fourfold.project.materialize import Shelf, materialize
from fourfold.project.project import Project
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View
from fourfold.runs.find import Criteria, find
from fourfold.runs.place import Place
from fourfold.runs.store import records_of
from fourfold.runs.view import Run
from fourfold.wiring import find_place, here, open_project

__all__ = [
    "all_branches",
    "all_commits",
    "all_tags",
    "artifacts_show",
    "find_runs",
    "get_dataset",
    "get_run",
    "get_url",
    "metrics_show",
    "open",
    "params_show",
    "read",
]

Settings = Mapping[str, Any] | None


class RemoteRepositoryError(UnsupportedError):
    """Revisions are listed of repositories of this machine only."""

    code = "repository-not-local"


class ModeError(UsageError):
    """Files of a repository are opened for reading only."""

    code = "read-only-mode"


def view_of(
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    config: Settings = None,
    remote_config: Settings = None,
    *,
    subrepos: bool = True,
) -> View:
    """The tree of a repository at a revision.

    Args:
        repo: A folder, or a Git address; the project around the current folder by default.
        rev: A revision; the files as they are by default.
        remote: The remote of that repository to use.
        config: Configuration to merge over the repository's own.
        remote_config: Options of the remote.
        subrepos: Look into projects inside of it too.

    Raises:
        FourfoldError: there is no such repository or revision, or it cannot be asked.
    """
    surroundings = here()
    url = repo or open_project(surroundings.base, environ=surroundings.environ).root
    settings = RemoteSettings(config=config, remote=remote, options=remote_config)
    return View(open_source(url, surroundings, rev=rev, settings=settings, subrepos=subrepos))


@contextmanager
def open(  # noqa: A001 - the name that dvc.api gives it
    path: str,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
    config: Settings = None,
    remote_config: Settings = None,
) -> Iterator[IO[Any]]:
    """Open a file of a repository; to be used in a ``with`` block.

    Args:
        path: From the root of the repository, or for the current one from the current folder.
        repo: As in `view_of`.
        rev: As in `view_of`.
        remote: As in `view_of`.
        mode: ``"r"`` for text or ``"rb"`` for bytes.
        encoding: Of text; UTF-8 by default.
        config: As in `view_of`.
        remote_config: As in `view_of`.

    Raises:
        ModeError: the mode is not for reading.
        SourcePathError: there is no such file.
        SourceDataMissingError: its content is nowhere to be had.
    """
    if mode not in {"r", "rt", "rb"}:
        raise ModeError(f"mode '{mode}' is not for reading", hint="use 'r' or 'rb'")
    view = view_of(repo, rev, remote, config, remote_config)
    with opened(view, _from_root(view, path, repo)) as raw:
        if mode == "rb":
            yield raw
        else:
            with io.TextIOWrapper(raw, encoding=encoding or "utf-8") as text:
                yield text


def _from_root(view: View, path: str, repo: str | None) -> str:
    """A path of the current project is typed from where the user stands."""
    if repo is not None and not os.path.isabs(path):
        return path
    return os.path.relpath(os.path.join(here().base, path), view.source.root).replace(os.sep, "/")


@contextmanager
def opened(view: View, path: str) -> Iterator[IO[bytes]]:
    """The bytes of one file of a view; of tracked data they are proven first."""
    with (
        tempfile.TemporaryDirectory(prefix="fourfold-") as folder,
        builtins.open(fetched(view, path, folder), "rb") as file,
    ):
        yield file


def fetched(view: View, path: str, folder: str) -> str:
    """Bring one file of a view below a private folder; where it lies there."""
    shelf = Shelf(ObjectStore(f"{folder}/cache"), StatIndex(None), f"{folder}/staging")
    found = materialize(view, path, shelf)
    if found.tree is not None:
        raise IsADirectoryError(f"'{path}' is a directory")
    return shelf.store.path(found.oid)


def read(
    path: str,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    mode: str = "r",
    encoding: str | None = None,
    config: Settings = None,
    remote_config: Settings = None,
) -> Any:
    """The whole content of a file of a repository; arguments and errors as `open`."""
    with open(path, repo, rev, remote, mode, encoding, config, remote_config) as file:
        return file.read()


def get_url(
    path: str,
    repo: str | None = None,
    rev: str | None = None,
    remote: str | None = None,
    config: Settings = None,
    remote_config: Settings = None,
) -> str:
    """Where the storage of a repository keeps tracked data; whether it is there is not asked.

    Raises:
        NotTrackedError: DVC does not track that path.
        NoStorageError: the repository has no remote.
    """
    view = view_of(repo, rev, remote, config, remote_config)
    return storage_url(view, _from_root(view, path, repo))


def metrics_show(
    *targets: str, repo: str | None = None, rev: str | None = None, config: Settings = None
) -> dict[str, Any]:
    """The metrics of the workspace or of a revision, the files merged into one mapping.

    A key that several files have is told with its file in front, as ``file:key``.

    Args:
        targets: Files of metrics.
        repo: A folder, or a Git address; the project around the current folder by default.
        rev: A revision; the files as they are, or the default branch of an address, by default.
        config: Configuration to merge over that of a repository behind an address.

    Raises:
        FourfoldError: there is no such repository, revision or file.
    """
    with _project(repo, rev, config, targets) as (project, revs):
        return _merged(metrics.show(project, targets, revs=revs))


def params_show(
    *targets: str,
    repo: str | None = None,
    stages: str | Iterable[str] | None = None,
    rev: str | None = None,
    deps: bool = False,
    config: Settings = None,
) -> dict[str, Any]:
    """The parameters of the workspace or of a revision; as `metrics_show`.

    Args:
        targets: Files of parameters.
        repo: As in `metrics_show`.
        stages: Only what these stages depend on.
        rev: As in `metrics_show`.
        deps: Only what stages depend on.
        config: As in `metrics_show`.
    """
    names = [stages] if isinstance(stages, str) else list(stages or ())
    with _project(repo, rev, config, targets) as (project, revs):
        return _merged(params.show(project, targets, stages=names, deps_only=deps, revs=revs))


def artifacts_show(
    name: str, version: str | None = None, stage: str | None = None, repo: str | None = None
) -> dict[str, str]:
    """Where a version of an artifact is: ``{"rev": commit, "path": from the root of the repository}``.

    Args:
        name: ``name``, or ``folder:name`` of another ``dvc.yaml`` than that at the root.
        version: As its tag says it, ``v1.2.3``; the newest by default.
        stage: What stands at that stage, instead.
        repo: As in `view_of`.

    Raises:
        ArtifactNotFoundError: no tag, or no entry in ``dvc.yaml``, says so.
        SettingsConflictError: both a version and a stage were given.
    """
    found = find_artifact(view_of(repo).source, name, version=version, stage=stage)
    return {"rev": found.rev, "path": found.path}


def get_dataset(name: str) -> dict[str, Any]:
    """What ``dvc.lock`` of the current project says of a data set; nobody is asked.

    Returns:
        ``type`` and, of ``dvc``: ``url``, ``path``, ``sha``; of ``dc``: ``name``, ``version``; of ``url``:
        ``path`` and ``files``, as URLs with their versions.

    Raises:
        DatasetNotFoundError: there is none of that name.
        DatasetNotInSyncError: it has to be looked at first.
    """
    surroundings = here()
    found = Datasets(open_project(surroundings.base, environ=surroundings.environ)).get(name)
    spec, lock = found.spec, found.lock
    if lock is None:
        raise DatasetNotInSyncError(
            f"'dvc.lock' says nothing of data set '{name}'", hint=f"look at it with: ff dataset update {name}"
        )
    if spec.type == "dvc":
        return {"type": "dvc", "url": spec.url, "path": spec.path, "sha": lock.rev_lock}
    if spec.type == "dc":
        chain = spec.url.partition("://")[2] or spec.url
        return {"type": "dc", "name": chain.partition("@v")[0], "version": lock.version}
    folder = _versioned(spec.url, (lock.meta or {}).get("version_id"))
    base = spec.url.rstrip("/")
    files = [_versioned(f"{base}/{row['relpath']}", row["meta"].get("version_id")) for row in lock.files]
    return {"type": "url", "files": files, "path": folder}


def _versioned(url: str, version: str | None) -> str:
    """A URL that names one version of an object, as the file system of its kind reads it."""
    if not version:
        return url
    if url.startswith(("gs://", "gcs://")):
        return f"{url}#{version}"
    return f"{url}?{'versionid' if url.startswith('azure://') else 'versionId'}={version}"


@contextmanager
def _project(
    repo: str | None, rev: str | None, config: Settings, targets: Iterable[str]
) -> Iterator[tuple[Project, list[str]]]:
    """The project to read metrics or parameters from, and the revisions to ask it for."""
    surroundings = here()
    if repo is None or folder_of(repo, surroundings.base) is not None:
        if config:
            raise UnsupportedError("configuration cannot be merged over that of a folder of this machine")
        yield _local(repo), [rev] if rev else []
        return
    view = view_of(repo, rev, config=config)
    part = view.source.part("")
    if part is None:
        raise NotAProjectError(f"'{view.source.shown}' is not a DVC repository")
    wanted = set(targets)
    with tempfile.TemporaryDirectory(prefix="fourfold-") as folder:
        shelf = Shelf(ObjectStore(f"{folder}/cache"), StatIndex(None), f"{folder}/staging")
        for out in part.tracking.outs:
            if out.output.cache and (out.output.metric or out.relpath in wanted):
                materialize(view, out.relpath, shelf)
        part.project.store = shelf.store
        yield part.project, [str(view.source.rev)]


def _local(repo: str | None) -> Project:
    surroundings = here()
    folder = surroundings.base if repo is None else folder_of(repo, surroundings.base)
    if folder is None:
        raise RemoteRepositoryError(
            f"the revisions of '{repo}' cannot be listed from afar", hint="clone it, and pass the folder"
        )
    return open_project(folder, environ=surroundings.environ)


def _merged(moments: Mapping[str, Values]) -> dict[str, Any]:
    for name, values in moments.items():
        if name == WORKSPACE:
            continue  # a revision was asked for
        error = values.error or next((one.error for one in values.files.values() if one.error), None)
        if error is not None:
            raise error
        files = {name: value.data for name, value in values.files.items() if isinstance(value.data, Mapping)}
        counts = Counter(key for data in files.values() for key in data)
        return {
            (key if counts[key] == 1 else f"{name}:{key}"): value
            for name, data in files.items()
            for key, value in data.items()
        }
    return {}


def all_branches(repo: str | None = None) -> list[str]:
    """The branches of a repository."""
    git = _local(repo).git
    return git.branches() if git is not None else []


def all_tags(repo: str | None = None) -> list[str]:
    """The tags of a repository."""
    git = _local(repo).git
    return git.tags() if git is not None else []


def all_commits(repo: str | None = None) -> list[str]:
    """The commits of a repository that a branch, a tag or HEAD reaches."""
    git = _local(repo).git
    return list(git.commits()) if git is not None else []


# --- recorded runs ----------------------------------------------------------------------------------------


def get_run(name: str = "@", repo: str | None = None) -> Run:
    """One recorded run.

    Args:
        name: The beginning of its id; a stage, for its newest; ``train~2``, two before that; ``@``, the last;
            a revision, or ``REV:STAGE``, for the run that ``fourfold.lock`` names there.
        repo: A folder, in a project or not; the current one by default.

    Raises:
        RunNotFoundError: there is none.
        RunAmbiguousError: several ids begin so.
    """
    from fourfold.evidence.naming import resolve  # noqa: PLC0415 - who asks for no run needs no evidence

    place = _place(repo)
    records = records_of(place)
    return Run(place, records, resolve(place, records, name))


def find_runs(
    stage: str | None = None,
    *,
    wrote: str | None = None,
    read: str | None = None,
    params: Mapping[str, Any] | None = None,
    packages: Mapping[str, str | None] | None = None,
    seed: int | None = None,
    failed: bool = False,
    repo: str | None = None,
) -> list[Run]:
    """Recorded runs that meet all conditions, newest first.

    Args:
        stage: Runs of this stage.
        wrote: That wrote this: a path from the root, or the beginning of an MD5 or BLAKE3.
        read: That read this, likewise.
        params: That ran with these parameters.
        packages: Where these distributions were installed, in a version or in any (None).
        seed: With this seed.
        failed: Only those that did not succeed.
        repo: As in `get_run`.

    Raises:
        FourfoldError: a record is damaged.
    """
    place = _place(repo)
    records = records_of(place)
    wanted = Criteria(
        stage=stage,
        wrote=wrote,
        read=read,
        params=tuple(
            (name, value if isinstance(value, str) else json.dumps(value))
            for name, value in (params or {}).items()
        ),
        packages=tuple((packages or {}).items()),
        seed=seed,
        failed=failed,
    )
    return [Run(place, records, found.id) for found in find(records, wanted)]


def _place(repo: str | None) -> Place:
    surroundings = here()
    start = surroundings.base if repo is None else os.path.abspath(os.path.join(surroundings.base, repo))
    return find_place(start, environ=surroundings.environ)
