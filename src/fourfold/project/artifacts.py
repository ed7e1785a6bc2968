"""Artifacts: models and data that a ``dvc.yaml`` names, and the tags that number and promote them.

``artifacts:`` says what is called so and where it is; annotated Git tags say which commit is which version
(``name@v1.2.3``) and which stands at which stage (``name#prod``), with ``!`` to take that back, ``#7`` at the
end to count, and ``folder=name`` for one of a folder's ``dvc.yaml``. These are the tags of GTO 1.10, which
DVC reads. The data itself is brought by `get`.
"""

import os
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import InvalidFileError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import CommitId, safe_relpath
from fourfold.base.suggest import did_you_mean
from fourfold.project.elsewhere import Source, Surroundings, open_source
from fourfold.project.files import load_tracked, read_owner_file
from fourfold.project.get import Got, get
from fourfold.project.import_ import SettingsConflictError
from fourfold.project.locate import storage_url
from fourfold.project.outs import PIPELINE_FILE
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View
from fourfold.project.stagefiles import pipeline_file

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.scm.git import Tag

_MAX = 16 << 20
_NAME = r"[a-zA-Z0-9](?:[a-zA-Z0-9-/_]*[a-zA-Z0-9])?"
_FOLDER = r"[a-zA-Z0-9-_./]+"
_NUMBER = r"(?:0|[1-9]\d*)"
_PRE = rf"(?:{_NUMBER}|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_BUILD = r"[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*"
_VERSION = rf"v({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:-({_PRE}(?:\.{_PRE})*))?(?:\+{_BUILD})?"
_FULL = re.compile(rf"(?:(?P<folder>{_FOLDER}):)?(?P<name>{_NAME})")
_TAG = re.compile(
    rf"(?P<name>(?:{_FOLDER}=)?{_NAME})(?:#(?P<stage>{_NAME})|@(?P<version>{_VERSION}))(?P<back>!?)(?:#\d+)?"
)


class ArtifactNotFoundError(NotFoundError):
    """No artifact has that name, or no tag gives it that version or stage."""

    code = "artifact-not-found"
    exit_code = 1


class BadArtifactNameError(InvalidFileError):
    """What was given as the name of an artifact is none."""

    code = "bad-artifact-name"
    exit_code = 1


class Artifact(NamedTuple):
    """One entry of ``artifacts``.

    Attributes:
        folder: The folder of its ``dvc.yaml``, from the root; empty for the root.
        name: As written.
        path: Where it is, from the root.
        type: What it is, as written.
        desc: What is said of it.
        labels: As written.
        meta: As written.
        versions: Commits by version, the newest first; of those that were not taken back.
        stages: The commit that stands at each stage now.
    """

    folder: str
    name: str
    path: str
    type: str | None = None
    desc: str | None = None
    labels: tuple[str, ...] = ()
    meta: Any = None
    versions: Mapping[str, CommitId] = {}
    stages: Mapping[str, CommitId] = {}

    @property
    def full_name(self) -> str:
        """Its name with the folder that tells it from others: ``sub:model``."""
        return f"{self.folder}:{self.name}" if self.folder else self.name


class Found(NamedTuple):
    """Where one version of an artifact is.

    Attributes:
        path: From the root of the repository.
        rev: The commit.
    """

    path: str
    rev: CommitId


def is_name(name: str) -> bool:
    """Whether DVC takes a text for the name of an artifact."""
    return re.fullmatch(_NAME, name) is not None


def split_name(name: str) -> tuple[str, str]:
    """The folder and the bare name in ``folder:name``, also written ``folder/dvc.yaml:name``.

    Raises:
        BadArtifactNameError: it is no such name.
    """
    found = _FULL.fullmatch(name)
    if found is None:
        raise BadArtifactNameError(
            f"'{name}' is no name of an artifact",
            hint="letters, digits, '-', '_' and '/'; one of another dvc.yaml is called <folder>:<name>",
        )
    folder = found["folder"] or ""
    head, tail = posixpath.split(folder)
    folder = head if tail == PIPELINE_FILE else folder
    return posixpath.normpath(folder) if folder not in {"", "."} else "", found["name"]


def registry(tags: "Iterable[Tag]", full_name: str) -> tuple[dict[str, CommitId], dict[str, CommitId]]:
    """The versions of an artifact, newest first, and what stands at its stages.

    Args:
        tags: Annotated tags.
        full_name: As `Artifact.full_name`.
    """
    versions: dict[str, CommitId] = {}
    stages: dict[str, list[CommitId]] = {}
    for tag in sorted(tags, key=lambda tag: tag.time):
        found = _TAG.fullmatch(tag.name)
        if found is None or found["name"].replace("=", ":") != full_name:
            continue
        if found["version"] and found["back"]:
            versions.pop(found["version"], None)
        elif found["version"]:
            versions[found["version"]] = tag.commit
        else:
            held = [commit for commit in stages.get(found["stage"], []) if commit != tag.commit]
            stages[found["stage"]] = held if found["back"] else [*held, tag.commit]
    newest = sorted(versions, key=_precedence, reverse=True)
    return {name: versions[name] for name in newest}, {
        name: held[-1] for name, held in stages.items() if held
    }


def _precedence(version: str) -> tuple[Any, ...]:
    """What versions are sorted by: numbers first, then that it is no pre-release, then its parts."""
    found = re.fullmatch(_VERSION, version)
    assert found is not None  # noqa: S101 - only what the pattern of tags has matched comes here
    major, minor, patch, pre = found.groups()
    parts = [(0, int(one), "") if one.isdigit() else (1, 0, one) for one in (pre or "").split(".") if one]
    return int(major), int(minor), int(patch), pre is None, parts


def find_artifact(
    source: Source, name: str, *, version: str | None = None, stage: str | None = None
) -> Found:
    """Which commit of a repository a version of an artifact is, and its path there.

    Args:
        source: The opened repository; which revision it was opened at does not matter.
        name: ``name``, ``folder:name`` or ``folder/dvc.yaml:name``.
        version: As in the tag, ``v1.2.3``; the newest by default.
        stage: What stands at that stage, instead.

    Raises:
        SettingsConflictError: both a version and a stage were given.
        BadArtifactNameError: the name is none.
        ArtifactNotFoundError: no tag, or no entry in ``dvc.yaml``, says so.
        FourfoldError: the repository cannot be read.
    """
    if version and stage:
        raise SettingsConflictError("artifact version and stage are mutually exclusive")
    folder, bare = split_name(name)
    full = f"{folder}:{bare}" if folder else bare
    tags = source.git.annotated_tags() if source.git is not None else []
    versions, stages = registry(tags, full)
    newest = next(iter(versions.values()), None)
    commit = versions.get(version) if version else stages.get(stage) if stage else newest
    if commit is None:
        raise _not_found(full, version or stage or "", tags, stages if stage else versions)
    at = source.at(commit)
    found = next((one for one in _read(at, folder) if one.name == bare), None)
    if found is None:
        raise ArtifactNotFoundError(
            f"unable to find artifact '{full}' in revision {commit[:12]}",
            hint=f"its tag is there, but '{posixpath.join(folder, PIPELINE_FILE)}' of that commit lacks it",
        )
    return Found(found.path, commit)


def _not_found(
    full: str, wanted: str, tags: "Iterable[Tag]", known: Mapping[str, Any]
) -> ArtifactNotFoundError:
    shown = f"{full} @ {wanted}" if wanted else full
    if known:
        hint = did_you_mean(wanted, known, f"there is: {', '.join(known)}")
    else:
        matches = (_TAG.fullmatch(tag.name) for tag in tags)
        names = {found["name"].replace("=", ":") for found in matches if found}
        hint = did_you_mean(full, names - {full}, "see what is tagged: git tag")
    return ArtifactNotFoundError(f"unable to find artifact '{shown}'", hint=hint)


def _read(source: Source, folder: str) -> list[Artifact]:
    """The artifacts of one ``dvc.yaml`` of a source, whose folder is meant from Git's root."""
    top = source.git.relative(source.root) if source.git is not None else "."
    inner = folder
    if top not in {None, "."}:
        if folder != top and not folder.startswith(f"{top}/"):
            return []
        inner = folder[len(str(top)) :].lstrip("/")

    def read(path: str) -> bytes | None:
        name = os.path.relpath(path, source.root).replace(os.sep, "/")
        info = source.files.info(name)
        if info is None or info.is_dir or info.size > _MAX:
            return None
        return b"".join(source.files.chunks(name))

    path = os.path.normpath(os.path.join(source.root, inner, PIPELINE_FILE))
    data = read(path)
    if data is None:
        return []
    return _entries(pipeline_file(source.root, path, data, read).artifacts, inner)


def _entries(entries: Mapping[str, Mapping[str, Any]], folder: str) -> list[Artifact]:
    found = []
    for name, entry in entries.items():
        path = posixpath.normpath(posixpath.join(folder, entry["path"]))
        safe_relpath(path, f"artifact '{name}'")
        labels = tuple(entry.get("labels", ()))
        found.append(
            Artifact(folder, name, path, entry.get("type"), entry.get("desc"), labels, entry.get("meta"))
        )
    return found


def list_artifacts(project: "Project") -> list[Artifact]:
    """Every artifact that the workspace names, with the versions and stages that tags give it.

    Raises:
        InvalidFileError, UnsafePathError: a ``dvc.yaml`` cannot be understood, or leads out of the project.
    """
    tags = project.git.annotated_tags() if project.git is not None else []
    found = []
    for relpath in load_tracked(project, strict=False).pipelines:
        path = os.path.join(project.root, relpath)
        data = read_owner_file(project.root, path)
        if data is None:
            continue
        file = pipeline_file(
            project.root, path, data, lambda name: read_owner_file(project.root, name), project.config
        )
        for artifact in _entries(file.artifacts, posixpath.dirname(relpath)):
            versions, stages = registry(tags, artifact.full_name)
            found.append(artifact._replace(versions=versions, stages=stages))
    return found


def get_artifact(
    url: str,
    name: str,
    surroundings: Surroundings,
    *,
    version: str | None = None,
    stage: str | None = None,
    out: str | None = None,
    settings: RemoteSettings = RemoteSettings(),  # noqa: B008 - a value, never changed
    jobs: int | None = None,
    force: bool = False,
    events: Sink = silent,
) -> Got:
    """Download a version of an artifact of a repository; see `find_artifact` and `get.get`.

    Raises:
        FourfoldError: as these two.
    """
    found = find_artifact(
        open_source(url, surroundings, settings=settings), name, version=version, stage=stage
    )
    return get(
        url,
        found.path,
        surroundings,
        out=out,
        rev=found.rev,
        settings=settings,
        jobs=jobs,
        force=force,
        events=events,
    )


def artifact_url(
    url: str,
    name: str,
    surroundings: Surroundings,
    *,
    version: str | None = None,
    stage: str | None = None,
    settings: RemoteSettings = RemoteSettings(),  # noqa: B008 - a value, never changed
) -> str:
    """The URL of the object that a version of an artifact is stored as; see `locate.storage_url`."""
    source = open_source(url, surroundings, settings=settings)
    found = find_artifact(source, name, version=version, stage=stage)
    return storage_url(View(source.at(found.rev)), found.path)
