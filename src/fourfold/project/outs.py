"""Outputs and their owners: what a pointer file or a stage says, set into a project.

An `Owner` is one pointer file, or one stage of one ``dvc.yaml``; a `Tracked` is one of its outputs
with the place it has in the workspace. This module decides where an output may be (inside the
project, under nobody else's) and reads no file; `files` loads owners, `targets` finds them.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError
from fourfold.base.ids import Oid, RelPath, UnsafePathError, is_tree, safe_relpath
from fourfold.formats.dvc.pointer import Dependency, Output, Pointer, is_external

if TYPE_CHECKING:
    from fourfold.formats.dvc.stages import ParamsSpec

PIPELINE_FILE = "dvc.yaml"
LOCK_FILE = "dvc.lock"
POINTER_SUFFIX = ".dvc"


class DuplicateOutputError(ConflictError):
    """Two owners say that they make the same path."""

    code = "duplicate-output"


class OverlappingOutputError(ConflictError):
    """An output lies inside another output."""

    code = "overlapping-outputs"


class OwnerInsideOutputError(ConflictError):
    """A pointer file or a ``dvc.yaml`` lies inside a tracked directory."""

    code = "owner-inside-output"


class Owner(NamedTuple):
    """One pointer file, or one stage: the unit that DVC's commands address.

    Attributes:
        file: Absolute path of the ``.dvc`` file or of the ``dvc.yaml``.
        relpath: The same, POSIX, relative to the project's root.
        name: The stage's name; None for a pointer file.
        wdir: Absolute folder against which paths of outputs and dependencies are read.
        outs: Its outputs, as written.
        deps: Its dependencies, as written; of a stage, with the hashes that its lock entry records.
        frozen: Whether its dependencies are left out of account.
        pointer: The whole pointer file; None for a stage.
        cmd: The command of a stage; None for a pointer file.
        params: Values of parameters that the lock entry of a stage records, by file.
        params_wanted: The parameters that a stage declares: file and keys (see `formats.dvc.stages`).
        locked_cmd: The command that the lock entry records.
        desc: What a stage says of itself.
        meta: Whatever the user put there; ours is below the key ``fourfold``.
        always_changed: Whether it counts as changed whatever the hashes say.
        locked: Whether the stage has an entry in ``dvc.lock``.
        source: The bytes of the pointer file, for an update that keeps comments.
        group: The ``foreach`` or ``matrix`` that made a stage; None for one of its own.
        variables: Values that its templates took from files: by path of the file, then by dotted name.
    """

    file: str
    relpath: str
    name: str | None
    wdir: str
    outs: tuple[Output, ...]
    deps: tuple[Dependency, ...] = ()
    frozen: bool = False
    pointer: Pointer | None = None
    cmd: str | Sequence[str] | None = None
    params: Mapping[str, Any] | None = None
    always_changed: bool = False
    locked: bool = False
    source: bytes = b""
    params_wanted: "tuple[ParamsSpec, ...]" = ()
    locked_cmd: str | Sequence[str] | None = None
    desc: str | None = None
    meta: Any = None
    group: str | None = None
    variables: Mapping[str, Mapping[str, Any]] = {}

    @property
    def is_stage(self) -> bool:
        """Whether it is a stage of a ``dvc.yaml``."""
        return self.name is not None

    @property
    def is_import(self) -> bool:
        """Whether its one output comes from its one dependency, without a command."""
        return self.name is None and self.cmd is None and len(self.deps) == 1 and len(self.outs) == 1

    @property
    def is_repo_import(self) -> bool:
        """Whether it was made by ``import`` from another repository."""
        return self.is_import and self.deps[0].repo is not None

    @property
    def is_db_import(self) -> bool:
        """Whether it was made by ``import-db``."""
        return self.is_import and self.deps[0].db is not None

    @property
    def is_partial_import(self) -> bool:
        """Whether it is an import whose data was never downloaded."""
        return self.is_import and self.outs[0].oid is None

    @property
    def addressing(self) -> str:
        """Its name in messages, from the root: ``data.dvc``, ``train``, ``sub/dvc.yaml:train``."""
        return address(self.relpath, self.name)


class Tracked(NamedTuple):
    """One output where it is: an `Owner`'s entry and its path in the workspace.

    Attributes:
        owner: Who says so.
        output: What it says, as written.
        path: Absolute, normalized path in the workspace; empty when ``external``.
        relpath: The same, POSIX, relative to the project's root; the raw text when ``external``.
        external: A legacy output outside the project (a URL, an absolute path): reported, never touched.
    """

    owner: Owner
    output: Output
    path: str
    relpath: str
    external: bool = False

    @property
    def file(self) -> str:
        """Absolute path of the file that says so."""
        return self.owner.file

    @property
    def stage(self) -> str | None:
        """The name of the stage that makes it; None below a pointer file."""
        return self.owner.name

    @property
    def wdir(self) -> str:
        """The folder against which its path is written."""
        return self.owner.wdir

    @property
    def oid(self) -> Oid | None:
        """The content it should have; None when nothing was saved yet."""
        return self.output.oid

    @property
    def is_dir(self) -> bool:
        """Whether its content is a directory (as far as its hash says)."""
        return self.output.oid is not None and is_tree(self.output.oid)

    @property
    def is_import(self) -> bool:
        """Whether its owner is an import."""
        return self.owner.is_import

    @property
    def frozen(self) -> bool:
        """Whether its owner is frozen."""
        return self.owner.frozen

    @property
    def use_gitignore(self) -> bool:
        """Whether Git must not see it: cached outputs, and imports of other repositories."""
        return not self.external and (self.output.cache or self.owner.is_repo_import)


def address(relpath: str, name: str | None) -> str:
    """How DVC calls an owner: the pointer's path, or the stage, with its file unless at hand."""
    if name is None:
        return relpath
    return name if relpath == PIPELINE_FILE else f"{relpath}:{name}"


def is_owner_file(name: str) -> bool:
    """Whether a base name is one that may own outputs."""
    return name == PIPELINE_FILE or (name.endswith(POINTER_SUFFIX) and name != POINTER_SUFFIX)


def folders_above(path: str) -> Iterator[str]:
    """The folders that contain an absolute path, nearest first, up to the root of the file system."""
    folder = os.path.dirname(path)
    while folder != path:
        yield folder
        path, folder = folder, os.path.dirname(folder)


def working_dir(root: str, file: str, wdir: str | None) -> str:
    """The folder an owner's paths are relative to, which must be inside the project.

    Raises:
        UnsafePathError: ``wdir`` leaves the project, or names a folder of Git or DVC.
    """
    folder = os.path.dirname(file)
    if not wdir or wdir == ".":
        return folder
    path = os.path.normpath(os.path.join(folder, wdir))
    if path == root:
        return path
    inside(root, path, f"wdir of {os.path.relpath(file, root)}", wdir)
    return path


def inside(root: str, path: str, source: str, text: str) -> RelPath:
    """The root-relative form of a normalized absolute path.

    Args:
        root: The project's root.
        path: The path to prove.
        source: Who named it, for the message.
        text: As it was written there.

    Raises:
        UnsafePathError: it is the root itself, outside of it, or below ``.git`` or ``.dvc``.
    """
    prefix = root.rstrip(os.sep) + os.sep
    if not path.startswith(prefix):
        raise UnsafePathError(
            f"refused path in {source}: {text[:120]!r} is outside of the project",
            hint="outputs must lie inside the project; data from elsewhere comes by: ff import-url",
        )
    relative = path[len(prefix) :]
    return safe_relpath(relative.replace(os.sep, "/") if os.sep != "/" else relative, source)


def place(root: str, owner: Owner) -> list[Tracked]:
    """Set the outputs of one owner into the workspace.

    Raises:
        UnsafePathError: an output's path leaves the project.
    """
    placed = []
    for output in owner.outs:
        text = output.path
        if is_external(text) or os.path.isabs(text):
            placed.append(Tracked(owner, output, "", text, external=True))
            continue
        path = os.path.normpath(os.path.join(owner.wdir, text))
        relative = inside(root, path, owner.relpath, text)
        placed.append(Tracked(owner, output, path, relative))
    return placed


def check_parents(root: str, outs: Iterable[Tracked]) -> None:
    """Refuse outputs that are reached through a symbolic link inside the project.

    Raises:
        UnsafePathError: a folder on the way from the root to an output is a symbolic link.
    """
    seen = {root}
    for out in outs:
        for link in folders_above(out.path):
            if link in seen:
                break
            seen.add(link)
            if os.path.islink(link):
                raise UnsafePathError(
                    f"refused path in {out.owner.relpath}: {out.output.path!r} lies behind the symbolic link "
                    f"'{os.path.relpath(link, root)}'",
                    hint="replace that link by a folder, or track the link's target from its own place",
                )


def check_overlaps(
    outs: Iterable[Tracked], owners: Iterable[Owner] = (), *, where: Callable[[Tracked], str] | None = None
) -> None:
    """Refuse two owners of one path, outputs inside outputs, and owners inside outputs.

    Args:
        outs: All outputs.
        owners: All owners.
        where: Tells file, line and column of an output's entry, for the message.

    Raises:
        DuplicateOutputError: two entries name the same path.
        OverlappingOutputError: an output lies below another one.
        OwnerInsideOutputError: a pointer file lies below an output.
    """
    # '\0' sorts before everything, so that a folder's members follow it with nothing in between.
    keyed = [(out.relpath.replace("/", "\0"), out) for out in outs if not out.external]
    ordered = sorted(keyed, key=lambda pair: pair[0])
    last: tuple[str, Tracked] | None = None
    for key, out in ordered:
        if last is not None and key == last[0]:
            raise _duplicate(last[1], out, where)
        if last is not None and key.startswith(last[0] + "\0"):
            raise OverlappingOutputError(
                f"{_at(where, out)}the outputs '{last[1].relpath}' ({_named(where, last[1])}) and "
                f"'{out.relpath}' ({out.owner.addressing}) overlap",
                hint="track one of them only, or put them into separate directories",
            )
        last = (key, out)
    _check_owners(owners, {out.path: out for _, out in ordered}, where)


def _duplicate(one: Tracked, other: Tracked, where: Callable[[Tracked], str] | None) -> DuplicateOutputError:
    first, second = sorted((one, other), key=lambda out: out.owner.addressing)
    return DuplicateOutputError(
        f"{_at(where, second)}output '{second.relpath}' is specified in more than one place",
        details=[_named(where, first), _named(where, second)],
        hint=f"remove all but one of them, for example: ff remove {second.owner.addressing}",
    )


def _at(where: Callable[[Tracked], str] | None, out: Tracked) -> str:
    return "" if where is None else f"{where(out)}: "


def _named(where: Callable[[Tracked], str] | None, out: Tracked) -> str:
    """An owner, and where it names an output."""
    return out.owner.addressing if where is None else f"{out.owner.addressing}, {where(out)}"


def _check_owners(
    owners: Iterable[Owner], by_path: Mapping[str, Tracked], where: Callable[[Tracked], str] | None
) -> None:
    checked: set[str] = set()
    for owner in owners:
        for folder in (owner.file, *folders_above(owner.file)):
            if folder in checked:
                break
            checked.add(folder)
            if folder in by_path:
                out = by_path[folder]
                raise OwnerInsideOutputError(
                    f"{_at(where, out)}'{owner.relpath}' lies in the output '{out.relpath}' "
                    f"({out.owner.addressing})",
                    hint="move that file out of the tracked directory",
                )


def tracked_paths(owners: Sequence[Owner]) -> tuple[str, ...]:
    """What a project tracks or makes: absolute paths of outputs and of pointer files, sorted."""
    found = {owner.file for owner in owners if not owner.is_stage}
    for owner in owners:
        found.update(
            os.path.normpath(os.path.join(owner.wdir, out.path))
            for out in owner.outs
            if not is_external(out.path)
        )
    return tuple(sorted(found))
