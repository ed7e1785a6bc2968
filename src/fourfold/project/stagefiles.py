"""``dvc.yaml`` and ``dvc.lock`` together: the stages of one folder as owners of outputs.

What a stage's outputs are called and how they are kept is in ``dvc.yaml``; what they contain is in
``dvc.lock``. Templates are resolved here, with the files of variables of the same moment, and only for a file
that has some; the language is `formats.dvc.resolve`.
"""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fourfold.base.errors import UnavailableError
from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.formats.dvc.stages import PipelineFile, StageSpec
from fourfold.project.outs import LOCK_FILE, Owner, inside, working_dir

if TYPE_CHECKING:
    from fourfold.formats.dvc.resolve import Surroundings
    from fourfold.project.config import Config

#: Gives the bytes of a file by its absolute path; None when there is none.
Reader = Callable[[str], bytes | None]


def stages_of(
    root: str, path: str, relpath: str, data: bytes, read: Reader, config: "Config | None" = None
) -> tuple[Owner, ...]:
    """Every stage of a ``dvc.yaml`` as an owner.

    Args:
        root: The project's root.
        path: Absolute path of the ``dvc.yaml``.
        relpath: The same from the root, for messages.
        data: Its bytes.
        read: Gives the bytes of a file beside it, of the same moment.
        config: Says how mappings become options of commands; None for DVC's defaults.

    Raises:
        InvalidFileError: a file cannot be understood, or a template of it cannot be resolved.
        UnsafePathError: a working directory, or a file of variables, leaves the project.
    """
    lock_data = read(os.path.join(os.path.dirname(path), LOCK_FILE))
    file = stages.parse(data, relpath)
    used: Mapping[str, Mapping[str, Any]] = {}
    if file.templated:
        from fourfold.formats.dvc.resolve import resolve_stages  # noqa: PLC0415 - only for files with templates

        file, used = resolve_stages(file, _surroundings(root, path, relpath, data, read, config))
    lock_name = os.path.join(os.path.dirname(relpath), LOCK_FILE)
    entries = locks.parse(lock_data, lock_name).stages if lock_data is not None else {}
    return tuple(
        _owner(root, path, relpath, spec, entries.get(spec.name), used.get(spec.name, {}))
        for spec in file.stages.values()
    )


def pipeline_file(
    root: str, path: str, data: bytes, read: Reader, config: "Config | None" = None
) -> PipelineFile:
    """A whole ``dvc.yaml``, its templates resolved, also those of the lists beside its stages.

    Args:
        root: The project's root.
        path: Absolute path of the file.
        data: Its bytes.
        read: As in `stages_of`.
        config: As in `stages_of`.

    Raises:
        InvalidFileError, UnsafePathError: as `stages_of`.
    """
    relpath = os.path.relpath(path, root).replace(os.sep, "/")
    file = stages.parse(data, relpath)
    if file.templated or file.templated_lists:
        from fourfold.formats.dvc import resolve  # noqa: PLC0415 - only for files with templates

        around = _surroundings(root, path, relpath, data, read, config)
        if file.templated_lists:
            file = resolve.resolve_lists(file, around)
        if file.templated:
            file = resolve.resolve_stages(file, around).file
    return file


def _surroundings(
    root: str, path: str, relpath: str, data: bytes, read: Reader, config: "Config | None"
) -> "Surroundings":
    from fourfold.formats.dvc.resolve import Surroundings  # noqa: PLC0415 - only for files with templates
    from fourfold.formats.dvc.templates import Unpacking  # noqa: PLC0415 - likewise

    def read_variables(file: str) -> bytes | None:
        shown = os.path.relpath(file, os.path.dirname(path))
        inside(root, file, f"vars of {relpath}", shown)
        inside(os.path.realpath(root), os.path.realpath(file), f"vars of {relpath}", shown)  # not by a link
        try:
            return read(file)
        except UnavailableError as error:
            if isinstance(error.__cause__, IsADirectoryError):
                return None
            raise

    unpacking = Unpacking()
    if config is not None:
        unpacking = Unpacking(
            config.get("parsing", "bool") == "boolean_optional", config.get("parsing", "list") == "append"
        )
    shown = lambda file: os.path.relpath(file, root).replace(os.sep, "/")  # noqa: E731 - a name for a parameter
    return Surroundings(data, relpath, os.path.dirname(path), read_variables, shown, unpacking)


def _owner(
    root: str,
    path: str,
    relpath: str,
    spec: StageSpec,
    entry: LockEntry | None,
    used: Mapping[str, Mapping[str, Any]],
) -> Owner:
    outs = {out.path: out for out in entry.outs} if entry else {}
    deps = {dep.path: dep for dep in entry.deps} if entry else {}
    return Owner(
        file=path,
        relpath=relpath,
        name=spec.name,
        wdir=working_dir(root, path, spec.wdir),
        outs=tuple(_filled(out, outs.get(out.path)) for out in spec.outs),
        deps=tuple(deps.get(dep) or Dependency(dep) for dep in spec.deps),
        frozen=spec.frozen,
        cmd=spec.cmd,
        params=entry.params if entry else None,
        always_changed=spec.always_changed,
        locked=entry is not None,
        params_wanted=spec.params,
        locked_cmd=entry.cmd if entry else None,
        desc=spec.desc,
        meta=spec.meta,
        group=spec.group,
        variables=used,
    )


def _filled(flags: Output, content: Output | None) -> Output:
    """An output with the flags of ``dvc.yaml`` and the content of ``dvc.lock``."""
    if content is None:
        return flags
    return content._replace(
        cache=flags.cache,
        persist=flags.persist,
        push=flags.push,
        remote=flags.remote,
        metric=flags.metric,
        plot=flags.plot,
        desc=flags.desc,
        type=flags.type,
        labels=flags.labels,
        meta=flags.meta,
    )
