"""``dvc.yaml`` and ``dvc.lock`` together: the stages of one folder as owners of outputs.

What a stage's outputs are called and how they are kept is in ``dvc.yaml``; what they contain is in
``dvc.lock``. A templated stage (``foreach``, ``matrix``, ``${...}``) is taken as its lock entries
recorded it; resolving templates is the pipeline's work, not this module's.
"""

import os
import re
from collections.abc import Iterator, Mapping

from fourfold.base.errors import UnsupportedError
from fourfold.formats.dvc import lock as locks
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Dependency, Output
from fourfold.formats.dvc.stages import StageSpec
from fourfold.project.outs import LOCK_FILE, Owner, working_dir

_TEMPLATE = re.compile(r"\\?\$\{[^}]*\}")


class TemplatedFolderError(UnsupportedError):
    """The working directory of a stage is a template that cannot be resolved from its name."""

    code = "templated-working-directory"


def stages_of(root: str, path: str, relpath: str, data: bytes, lock_data: bytes | None) -> tuple[Owner, ...]:
    """Every stage of a ``dvc.yaml`` as an owner.

    Args:
        root: The project's root.
        path: Absolute path of the ``dvc.yaml``.
        relpath: The same from the root, for messages.
        data: Its bytes.
        lock_data: The bytes of the ``dvc.lock`` beside it; None without one.

    Raises:
        InvalidFileError: one of the two cannot be understood.
        UnsafePathError: a working directory leaves the project.
        TemplatedFolderError: a working directory cannot be told.
    """
    file = stages.parse(data, relpath)
    lock_name = os.path.join(os.path.dirname(relpath), LOCK_FILE)
    entries = locks.parse(lock_data, lock_name).stages if lock_data is not None else {}
    owners = []
    for spec in file.stages.values():
        if not spec.templated:
            owners.append(_plain(root, path, relpath, spec, entries.get(spec.name)))
        else:
            owners.extend(_templated(root, path, relpath, spec, entries))
    return tuple(owners)


def _plain(root: str, path: str, relpath: str, spec: StageSpec, entry: LockEntry | None) -> Owner:
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


def _templated(
    root: str, path: str, relpath: str, spec: StageSpec, entries: Mapping[str, LockEntry]
) -> Iterator[Owner]:
    shape = stages.parse_stage(spec.name, spec.raw["do"], ()) if "do" in spec.raw else spec
    patterns = [(_pattern(out.path), out) for out in shape.outs]
    for name, entry in entries.items():
        if name != spec.name and not name.startswith(f"{spec.name}@"):
            continue
        wdir = _folder_of(shape.wdir, name[len(spec.name) + 1 :], relpath, name)
        yield Owner(
            file=path,
            relpath=relpath,
            name=name,
            wdir=working_dir(root, path, wdir),
            outs=tuple(_recorded(out, patterns) for out in entry.outs),
            deps=entry.deps,
            frozen=shape.frozen,
            cmd=entry.cmd,
            params=entry.params,
            always_changed=shape.always_changed,
            locked=True,
            locked_cmd=entry.cmd,
        )


def _recorded(out: Output, patterns: list[tuple[re.Pattern[str], Output]]) -> Output:
    """A recorded output with the flags of the template that its path can come from."""
    for pattern, flags in patterns:
        if pattern.fullmatch(out.path):
            return _filled(flags, out)
    return out


def _pattern(text: str) -> re.Pattern[str]:
    literal = [re.escape(part) for part in _TEMPLATE.split(text)]
    return re.compile(".*".join(literal), re.DOTALL)


def _folder_of(wdir: str | None, key: str, relpath: str, name: str) -> str | None:
    """A stage's working directory, where its name tells what a template in it stands for."""
    if wdir is None or "${" not in wdir:
        return wdir
    if key and set(_TEMPLATE.findall(wdir)) == {"${item}"}:
        return wdir.replace("${item}", key)
    raise TemplatedFolderError(
        f"{relpath}: the working directory {wdir!r} of stage '{name}' depends on templates",
        hint="write that folder out in 'wdir'",
    )
