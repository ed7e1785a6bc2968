"""From what the user typed to what the project tracks.

A target is a pointer file, an output, a path inside a tracked directory, a stage (``train``,
``sub/dvc.yaml:train``, the name of a ``foreach`` group), a ``dvc.yaml``, or, with ``recursive``, a
folder. A target that names one file's content costs the loading of one pointer file, never a walk of
the workspace. Relative targets are read against ``project.cwd``.
"""

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import NotFoundError
from fourfold.base.ids import RelPath, safe_relpath
from fourfold.project.files import (
    BadOwnerNameError,
    OwnerFileNotFoundError,
    Tracking,
    load_file,
    load_tracked,
    read_owner_file,
)
from fourfold.project.outs import (
    LOCK_FILE,
    PIPELINE_FILE,
    POINTER_SUFFIX,
    Owner,
    Tracked,
    folders_above,
    is_owner_file,
    place,
)

if TYPE_CHECKING:
    from fourfold.project.project import Project


class TargetNotFoundError(NotFoundError):
    """A target is neither an output, nor a path inside one, nor a stage."""

    code = "target-not-found"


class StageNotFoundError(NotFoundError):
    """A ``dvc.yaml`` has no stage of that name."""

    code = "stage-not-found"


class GlobMatchesNothingError(NotFoundError):
    """No pattern of the command line matches a path."""

    code = "glob-matches-nothing"


class Selected(NamedTuple):
    """One owner that a target names, and how much of it.

    Attributes:
        owner: The pointer file or the stage.
        outs: Its outputs in the workspace that are meant; without external ones.
        inner: When a path inside a tracked directory was named: that path, relative to the one output.
    """

    owner: Owner
    outs: tuple[Tracked, ...]
    inner: RelPath | None = None


def select(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    recursive: bool = False,
    with_deps: bool = False,
    tracking: Tracking | None = None,
) -> list[Selected]:
    """What the targets name, each owner or part of one once, in the order of the targets.

    Args:
        project: Whose.
        targets: As typed; none stands for everything tracked.
        recursive: A target that is a folder stands for the owners whose files lie below it.
        with_deps: Add the owners that make what the named ones depend on.
        tracking: What to search, instead of the workspace: of a revision, or loaded already.

    Raises:
        TargetNotFoundError, StageNotFoundError: a target names nothing; similar names are in the hint.
        OwnerFileNotFoundError, BadOwnerNameError: a pointer file or ``dvc.yaml`` is not there.
        InvalidFileError, UnsafePathError: a file that had to be read is broken or hostile.
    """
    search = _Search(project, tracking, recursive=recursive)
    names = list(targets)
    if not names:
        found = [search.whole(owner) for owner in search.all().owners]
    else:
        found = [selected for name in names for selected in search.find(name)]
    if with_deps:
        found = with_upstream(project, found, search.all())
    return _unique(found)


def _unique(found: Iterable[Selected]) -> list[Selected]:
    """Without repetitions; a whole owner swallows the parts of it that were named too."""
    kept: dict[tuple[str, str | None, str | None], Selected] = {}
    for selected in found:
        key = (selected.owner.file, selected.owner.name, selected.inner)
        kept.setdefault(key, selected)
    whole = {(file, name) for file, name, inner in kept if inner is None}
    return [
        selected
        for (file, name, inner), selected in kept.items()
        if inner is None or (file, name) not in whole or not _same_outs(kept[file, name, None], selected)
    ]


def _same_outs(whole: Selected, part: Selected) -> bool:
    return all(any(out.path == other.path for other in whole.outs) for out in part.outs)


class _Search:
    """Finds targets; loads the whole workspace at most once, and only when it has to."""

    def __init__(self, project: "Project", tracking: Tracking | None, *, recursive: bool) -> None:
        self.project = project
        self.recursive = recursive
        self._given = tracking
        self._loaded = tracking
        self._files: dict[str, tuple[Owner, ...]] = {}

    def all(self) -> Tracking:
        if self._loaded is None:
            self._loaded = load_tracked(self.project)
        return self._loaded

    def whole(self, owner: Owner) -> Selected:
        return Selected(owner, tuple(out for out in place(self.project.root, owner) if not out.external))

    def find(self, target: str) -> list[Selected]:
        file, name = parse_target(target)
        path = self.project.absolute(target)
        is_folder = self.recursive and self._is_folder(path)
        if file is None:
            if not is_folder:
                stages = self._stages(self.project.absolute(PIPELINE_FILE), name or "")
                if stages:
                    return stages
        elif is_owner_file(os.path.basename(file)) and not os.path.isdir(self.project.absolute(file)):
            return self._owners(self.project.absolute(file), name, target)
        if is_folder:
            inside = path + os.sep
            return [self.whole(owner) for owner in self.all().owners if owner.file.startswith(inside)]
        return self._by_path(path, target, file)

    def _is_folder(self, path: str) -> bool:
        if self._given is None:
            return os.path.isdir(path)
        inside = path + os.sep
        return any(owner.file.startswith(inside) for owner in self._given.owners)

    def _load(self, file: str) -> tuple[Owner, ...]:
        if self._given is not None:
            owners = tuple(owner for owner in self._given.owners if owner.file == file)
            if not owners:
                raise OwnerFileNotFoundError(f"'{self.project.display(file)}' does not exist")
            return owners
        if file not in self._files:
            self._files[file] = load_file(self.project, file)
        return self._files[file]

    def _stages(self, file: str, name: str) -> list[Selected]:
        """The stages that ``name`` means in the ``dvc.yaml`` at hand; none when it is no stage's name."""
        if not name or not self._exists(file):
            return []
        return [self.whole(owner) for owner in _named(self._load(file), name)]

    def _exists(self, file: str) -> bool:
        if self._given is not None:
            return any(owner.file == file for owner in self._given.owners)
        return os.path.isfile(file) and self.project.contains(file)

    def _owners(self, file: str, name: str | None, target: str) -> list[Selected]:
        if not self.project.contains(file):
            raise TargetNotFoundError(
                f"'{target}' is outside of the project '{self.project.root}'",
                hint="see what is tracked with: ff dag",
            )
        owners = self._load(file)
        if name is None or os.path.basename(file) != PIPELINE_FILE:
            return [self.whole(owner) for owner in owners]
        named = _named(owners, name)
        if not named and not _makes_nothing(self.project, file, name):
            raise _no_such_stage(self.project, file, name, owners)
        return [self.whole(owner) for owner in named]

    def _by_path(self, path: str, target: str, file: str | None) -> list[Selected]:
        for owners in self._candidates(path):
            for owner in owners:
                for out in place(self.project.root, owner):
                    if out.external:
                        continue
                    if out.path == path:
                        return [Selected(owner, (out,))]
                    if path.startswith(out.path + os.sep):
                        inner = path[len(out.path) + 1 :].replace(os.sep, "/")
                        return [Selected(owner, (out,), safe_relpath(inner, "the command line"))]
        if file is None and _makes_nothing(self.project, self.project.absolute(PIPELINE_FILE), target):
            return []
        shown = os.path.relpath(file, self.project.cwd) if file and os.path.isabs(file) else file
        raise TargetNotFoundError(
            f"'{target}' does not exist as an output or a stage name in '{shown or PIPELINE_FILE}'",
            hint=self.similar(target, path),
        )

    def _candidates(self, path: str) -> Iterable[tuple[Owner, ...]]:
        """Owners that may track ``path``: the pointer files called like it or a folder above, then all."""
        if not self.project.contains(path):
            return
        if self._given is None and self._loaded is None:
            for above in (path, *folders_above(path)):
                if above == self.project.root:
                    break
                if os.path.isfile(above + POINTER_SUFFIX):
                    yield self._load(above + POINTER_SUFFIX)
        yield self.all().owners

    def similar(self, target: str, path: str) -> str:
        """A hint: what is tracked under a similar name, or how to begin to track it."""
        from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

        tracking = self.all()
        names = [self.project.display(out.path) for out in tracking.outs]
        names += [owner.name for owner in tracking.owners if owner.name is not None]
        names += [self.project.display(owner.file) for owner in tracking.owners if owner.name is None]
        hint = did_you_mean(target, names)
        if not hint and self._given is None and os.path.lexists(path) and self.project.contains(path):
            return f"it is not tracked yet; to track it, run: ff add {target}"
        return hint or "see what is tracked with: ff dag"


def named_owners(project: "Project", target: str, *, groups: bool = True) -> list[Owner]:
    """The owners that a pointer file or a stage names; outputs are no names here.

    Args:
        project: Whose.
        target: A ``.dvc`` file, a ``dvc.yaml`` (all of its stages), ``file:stage``, or a stage at hand.
        groups: Whether the name of a ``foreach`` or ``matrix`` stands for all stages that it makes.

    Raises:
        OwnerFileNotFoundError, BadOwnerNameError, StageNotFoundError: it names none; the hint says what may
            have been meant.
    """
    file, name = parse_target(target)
    if file is None:
        file = PIPELINE_FILE
        pointer = project.absolute(target) + POINTER_SUFFIX
        if not os.path.isfile(project.absolute(file)) or (name and _lacks(project, name, groups=groups)):
            if os.path.isfile(pointer):
                raise BadOwnerNameError(
                    f"'{target}' is not a .dvc file", hint=f"did you mean '{project.display(pointer)}'?"
                )
            raise StageNotFoundError(
                f"'{target}' is neither a .dvc file nor a stage of '{PIPELINE_FILE}'",
                hint=_Search(project, None, recursive=False).similar(target, project.absolute(target)),
            )
    path = project.absolute(file)
    if not project.contains(path):
        raise TargetNotFoundError(
            f"'{target}' is outside of the project '{project.root}'", hint="see what is tracked with: ff dag"
        )
    owners = list(load_file(project, path))
    if name is None or os.path.basename(file) != PIPELINE_FILE:
        return owners
    found = _named(owners, name) if groups else [owner for owner in owners if owner.name == name]
    if not found and not (groups and _makes_nothing(project, path, name)):
        raise _no_such_stage(project, path, name, owners)
    return found


def _lacks(project: "Project", name: str, *, groups: bool) -> bool:
    path = project.absolute(PIPELINE_FILE)
    return not _named(load_file(project, path), name) and not (groups and _makes_nothing(project, path, name))


def _makes_nothing(project: "Project", path: str, name: str) -> bool:
    """Whether a name is that of a ``foreach`` or ``matrix`` of the workspace that goes through nothing."""
    from fourfold.formats.dvc import stages  # noqa: PLC0415 - only a name without a stage comes here

    data = read_owner_file(project.root, path) if project.contains(path) else None
    spec = None if data is None else stages.parse(data, project.relpath(path)).stages.get(name)
    return spec is not None and ("foreach" in spec.raw or "matrix" in spec.raw)


def one_owner(project: "Project", target: str) -> Owner:
    """The one owner that a pointer file or a stage names.

    Raises:
        StageNotFoundError: a ``dvc.yaml`` was named without saying which of its stages is meant.
        OwnerFileNotFoundError, BadOwnerNameError, StageNotFoundError: as `named_owners`.
    """
    owners = named_owners(project, target, groups=False)
    if len(owners) != 1:
        shown = project.display(owners[0].file) if owners else target
        stage = owners[0].name if owners else "<stage>"
        raise StageNotFoundError(f"'{target}' names no single stage", hint=f"name one as: {shown}:{stage}")
    return owners[0]


def _no_such_stage(project: "Project", file: str, name: str, owners: Iterable[Owner]) -> StageNotFoundError:
    from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

    names = [owner.name for owner in owners if owner.name is not None]
    listed = f"its stages: {', '.join(names[:10])}" if names else "it has no stages"
    return StageNotFoundError(
        f"stage '{name}' not found inside '{project.display(file)}' file",
        hint=did_you_mean(name, names, listed),
    )


def _named(owners: Sequence[Owner], name: str) -> list[Owner]:
    """The stages that a name means: one, or all that a ``foreach`` or ``matrix`` of that name makes."""
    exact = [owner for owner in owners if owner.name == name]
    if exact:
        return exact
    return [owner for owner in owners if owner.name is not None and owner.name.startswith(f"{name}@")]


def parse_target(target: str) -> tuple[str | None, str | None]:
    """Split ``file:stage``.

    Returns:
        (file, stage). Either may be None: a text that is no file name of an owner may be a stage of the
        ``dvc.yaml`` at hand, or a path, and comes back as ``(None, text)``.

    Raises:
        TargetNotFoundError: the file is a ``dvc.lock``.
    """
    group, at, key = target.partition("@")
    path, colon, name = group.rpartition(":")
    if not colon or "/" in name or "\\" in name:
        path, name = group, ""
    if os.path.basename(path) == LOCK_FILE:
        raise TargetNotFoundError(
            f"'{target}' is a lock file", hint=f"did you mean: {target.replace('.lock', '.yaml', 1)}"
        )
    if not name:
        return (target, None) if _ends_like_owner(target) else (None, target)
    return path or PIPELINE_FILE, name + at + key if key else name


def _ends_like_owner(path: str) -> bool:
    return path.endswith(POINTER_SUFFIX) or os.path.basename(path) == PIPELINE_FILE


def expand_globs(project: "Project", targets: Iterable[str]) -> list[str]:
    """Replace patterns by the paths of the workspace that they match, sorted, hidden ones left out.

    Raises:
        GlobMatchesNothingError: none of the patterns matches anything.
    """
    import glob  # noqa: PLC0415 - only --glob needs it

    patterns = list(targets)
    found = [
        path
        for pattern in patterns
        for path in sorted(glob.glob(pattern, root_dir=project.cwd, recursive=True))
    ]
    if not found:
        shown = ", ".join(repr(pattern) for pattern in patterns)
        raise GlobMatchesNothingError(
            f"no path matches {shown}", hint="quote patterns for the shell: 'data/*'"
        )
    return list(dict.fromkeys(found))


def with_upstream(project: "Project", found: Sequence[Selected], tracking: Tracking) -> list[Selected]:
    """The selection and everything it depends on inside the project, dependencies first."""
    makers = Makers(tracking)
    order: dict[tuple[str, str | None], Selected] = {}
    chosen = {(item.owner.file, item.owner.name): item for item in found}
    active: set[tuple[str, str | None]] = set()
    stack: list[tuple[Owner, bool]] = [(item.owner, False) for item in reversed(found)]
    while stack:
        owner, done = stack.pop()
        key = (owner.file, owner.name)
        if done:
            outs = tuple(out for out in place(project.root, owner) if not out.external)
            order.setdefault(key, chosen.get(key) or Selected(owner, outs))
        elif key not in active:
            active.add(key)
            stack.append((owner, True))
            stack.extend((maker, False) for maker in makers.of(owner) if maker is not owner)
    return [*order.values(), *found]


class Makers:
    """Which outputs, and so which owners, make the paths that an owner depends on."""

    def __init__(self, tracking: Tracking) -> None:
        self._urls = False
        self._outs: dict[str, Tracked] = {}
        self._below: dict[str, list[Tracked]] = {}
        for out in tracking.outs:
            self._add(out.path, out)
        for out in tracking.external:
            self._urls = self._urls or "://" in out.relpath
            self._add(out.relpath if "://" in out.relpath else os.path.normpath(out.relpath), out)

    def _add(self, path: str, out: Tracked) -> None:
        self._outs[path] = out
        for folder in folders_above(path):
            self._below.setdefault(folder, []).append(out)

    def of(self, owner: Owner) -> list[Owner]:
        """The owners that make what ``owner`` depends on; parameter files count.

        ``owner`` itself is among them when it depends on what it makes.
        """
        return [out.owner for path in self.paths(owner) for out in self.at(path)]

    def paths(self, owner: Owner) -> list[str]:
        """What an owner depends on, absolute; URLs only where an output is one."""
        if owner.is_repo_import or owner.is_db_import:
            return []
        from fourfold.formats.dvc.stages import DEFAULT_PARAMS  # noqa: PLC0415 - `ff status` never comes here

        names = [dep.path for dep in owner.deps if dep.path]
        names += [spec.file or DEFAULT_PARAMS for spec in owner.params_wanted]
        paths = []
        for name in names:
            if "://" not in name:
                paths.append(os.path.normpath(os.path.join(owner.wdir, name)))
            elif self._urls:
                paths.append(name)
        return paths

    def at(self, path: str) -> list[Tracked]:
        """The output at ``path``, or around it, and those below it."""
        above = [self._outs[place] for place in (path, *folders_above(path)) if place in self._outs][:1]
        return [*above, *self._below.get(path, ())]
