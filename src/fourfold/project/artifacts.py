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
from fourfold.project.get import Got, get
from fourfold.project.import_ import SettingsConflictError
from fourfold.project.locate import storage_url
from fourfold.project.outs import PIPELINE_FILE
from fourfold.project.sourceconfig import RemoteSettings
from fourfold.project.sourceview import View
from fourfold.project.stagefiles import pipeline_file

if TYPE_CHECKING:
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
    path = _read(at, folder).get(bare)
    if path is None:
        raise ArtifactNotFoundError(
            f"unable to find artifact '{full}' in revision {commit[:12]}",
            hint=f"its tag is there, but '{posixpath.join(folder, PIPELINE_FILE)}' of that commit lacks it",
        )
    return Found(path, commit)


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


def _read(source: Source, folder: str) -> dict[str, str]:
    """The artifacts' paths in one ``dvc.yaml`` of a source, whose folder is meant from Git's root."""
    top = source.git.relative(source.root) if source.git is not None else "."
    inner = folder
    if top not in {None, "."}:
        if folder != top and not folder.startswith(f"{top}/"):
            return {}
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
        return {}
    return _paths(pipeline_file(source.root, path, data, read).artifacts, inner)


def _paths(entries: Mapping[str, Mapping[str, Any]], folder: str) -> dict[str, str]:
    """The path of each artifact from the root, by its name; none may lead out of it."""
    paths = {}
    for name, entry in entries.items():
        paths[name] = posixpath.normpath(posixpath.join(folder, entry["path"]))
        safe_relpath(paths[name], f"artifact '{name}'")
    return paths


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
