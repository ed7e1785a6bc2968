"""Fsck: whether the cache and the remotes hold what the pointer files say, whole and right.

Everything that is wrong comes out in one pass, named by the path where it belongs; nothing is changed, on
either side. Without reading, presence, sizes, manifests and stat proofs are checked; with it every byte.
"""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError, NotFoundError
from fourfold.base.events import Sink, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content.gc import find_litter, oid_of
from fourfold.content.presence import sizes_on
from fourfold.content.quarantine import listing as quarantined
from fourfold.content.transfer import remote_tree
from fourfold.content.tree import Tree
from fourfold.content.verify import Damage, Verified, verify_here, verify_there
from fourfold.project.collect import Group, Want, collect, groups, names_of
from fourfold.project.desk import proofs_of
from fourfold.project.push import Opened
from fourfold.project.remotes import Remote

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: What the place of a finding is called when it is the local cache.
CACHE = "cache"


class DamageFoundError(CorruptError):
    """Objects are missing, damaged or unreadable."""

    code = "fsck-damage"


class Finding(NamedTuple):
    """One object that is not there, or not what its name says.

    Attributes:
        place: `CACHE`, or the name of a remote.
        damage: What is wrong with which object.
        path: One place in the workspace where it belongs; empty when no current pointer file names it.
    """

    place: str
    damage: Damage
    path: str

    def describe(self) -> str:
        """One line, without the place."""
        what = f"{self.path}  md5 {self.damage.oid}" if self.path else f"md5 {self.damage.oid}"
        return f"{self.damage.kind}: {what}{f': {self.damage.detail}' if self.damage.detail else ''}"


class Checked(NamedTuple):
    """How much of one place was looked at; see `content.verify.Verified`."""

    place: str
    checked: int = 0
    read: int = 0
    size: int = 0
    unproven: int = 0


class FsckResult(NamedTuple):
    """What a check found.

    Attributes:
        findings: Everything that is wrong, by place.
        places: How much was looked at.
        modes: Objects of the cache whose permission bits are odd, with the bits: a risk, no damage.
        litter: Temporary files of commands that died.
        quarantine: Damaged objects that were set aside before.
    """

    findings: tuple[Finding, ...]
    places: tuple[Checked, ...]
    modes: tuple[tuple[Oid, int], ...] = ()
    litter: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when all is well."""
        if not self.findings:
            return None
        places = dict.fromkeys(finding.place for finding in self.findings)
        remotes = [f"-r {name}" for name in places if name != CACHE]
        count = len(self.findings)
        return DamageFoundError(
            f"{count:,} object{'s are' if count != 1 else ' is'} missing or damaged in {', '.join(places)}",
            hint=f"heal from any good copy with: ff repair {' '.join(remotes)}".rstrip(),
        )


def fsck(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    read: bool = False,
    remotes: Iterable[str] = (),
    all_remotes: bool = False,
    jobs: int | None = None,
    events: Sink = silent,
) -> FsckResult:
    """Check the cache, and remotes where they are named.

    Args:
        project: Whose.
        targets: As typed; none for everything that the workspace's pointer files name. With ``read`` and
            no targets, every object that is there is read, named by a pointer file or not.
        read: Read every byte.
        remotes: Names of remotes to check as well. What a remote should have: what a push to it sends.
        all_remotes: All remotes of the configuration; of those that are nobody's default, only what they
            have is checked.
        jobs: Requests at once.
        events: Hears the phases.

    Raises:
        TargetNotFoundError: a target names nothing.
        FourfoldError: a remote cannot be asked at all.
    """
    names = list(targets)
    named = list(remotes)
    check = _Check(project, names, read=read, jobs=jobs, events=events)
    check.cache()
    for name in named:
        check.remote(name, required=True)
    if all_remotes:
        home = {group.remote for group in check.groups}
        for name in project.config.remote_names():
            if name not in named:
                check.remote(name, required=name in home)
    store = project.store
    return FsckResult(
        tuple(check.findings),
        tuple(check.places),
        tuple(check.modes),
        tuple(find_litter(store, project.clock.now_ns())),
        tuple(quarantined(store)),
    )


class _Check:
    """One check of several places."""

    def __init__(
        self, project: "Project", targets: list[str], *, read: bool, jobs: int | None, events: Sink
    ) -> None:
        self.project = project
        self.targets = targets
        self.read = read
        self.events = events
        self.opened = Opened(project, jobs, events=events)
        self.proofs = proofs_of(project)
        self.groups = groups(collect(project, targets).wants)
        self.findings: list[Finding] = []
        self.places: list[Checked] = []
        self.modes: list[tuple[Oid, int]] = []
        #: Manifests that only a remote had.
        self.trees: dict[Oid, Tree] = {}

    # -- the cache --------------------------------------------------------------------------------

    def cache(self) -> None:
        """Check the local cache."""
        for legacy in (False, True):
            wants = [want for group in self.groups if group.legacy == legacy for want in group.wants]
            self._cache(wants, legacy)

    def _cache(self, wants: list[Want], legacy: bool) -> None:
        store, proofs = self.project.store, self.proofs

        def verify(oids: Iterable[Oid]) -> Verified:
            return verify_here(oids, store, proofs, legacy=legacy, read=self.read, events=self.events)

        trees = [want.oid for want in wants if is_tree(want.oid)]
        first = verify(trees)
        files = dict.fromkeys(want.oid for want in wants if not is_tree(want.oid))
        bad = {damage.oid for damage in first.damages}
        damages = list(first.damages)
        for group in groups(want for want in wants if want.oid not in bad):
            pick = group.picker()
            for oid in group.oids:
                if is_tree(oid):
                    try:
                        files.update(dict.fromkeys(pick(oid, store.read_tree(oid, legacy=legacy))))
                    except FourfoldError as error:
                        damages.append(Damage("corrupt", oid, legacy, error.message))
        if self.read and not self.targets:
            known = {*trees, *files}
            files.update((oid, None) for oid in store.listing(legacy=legacy) if oid not in known)
        second = verify(files)
        damages += second.damages
        self.modes += [*first.modes, *second.modes]
        if legacy and not (wants or files):
            return
        self._note(CACHE, [first, second], damages, wants, legacy)

    def _note(
        self, place: str, parts: list[Verified], damages: list[Damage], wants: list[Want], legacy: bool
    ) -> None:
        oids = [damage.oid for damage in damages]
        names = names_of(wants, oids, self.project.store, legacy=legacy, known=self.trees)
        self.findings += [Finding(place, damage, names.get(damage.oid, "")) for damage in damages]
        self.places.append(
            Checked(
                place,
                sum(part.checked for part in parts),
                sum(part.read for part in parts),
                sum(part.size for part in parts),
                sum(part.unproven for part in parts),
            )
        )

    # -- a remote ---------------------------------------------------------------------------------

    def remote(self, name: str, *, required: bool) -> None:
        """Check one remote; what it should have only where that is ``required``."""
        remote = self.opened.get(name)
        if remote.version_aware:
            raise remote.unsupported("fsck")
        wanted = groups(collect(self.project, self.targets, remote=remote.name, push=True).wants)
        listed = self._listing(remote) if self.read and not self.targets else None
        for legacy in (False, True):
            some = [group for group in wanted if group.legacy == legacy]
            self._remote(remote, some, listed[legacy] if listed else None, legacy, required=required)

    def _listing(self, remote: Remote) -> dict[bool, dict[Oid, int]]:
        """Everything on the remote, with sizes, by layout."""
        found: dict[bool, dict[Oid, int]] = {False: {}, True: {}}
        for page in remote.store.list():
            for info in page:
                oid, legacy = oid_of(info.key)
                if oid is not None:
                    found[legacy][oid] = info.size
        return found

    def _remote(
        self,
        remote: Remote,
        some: list[Group],
        listed: dict[Oid, int] | None,
        legacy: bool,
        *,
        required: bool,
    ) -> None:
        damages: list[Damage] = []
        oids = list(dict.fromkeys(self._members(some, remote, damages)))
        sizes = sizes_on(remote.store, oids, legacy=legacy, events=self.events) if listed is None else listed
        if not (oids or sizes):
            return
        bad = {damage.oid for damage in damages}
        found = verify_there(
            {oid: size for oid, size in sizes.items() if oid not in bad},
            [oid for oid in oids if oid not in bad] if required else (),
            remote.store,
            legacy=legacy,
            read=self.read,
            expected=lambda oid: self._proven_size(oid, legacy),
            events=self.events,
        )
        wants = [want for group in some for want in group.wants]
        self._note(remote.name, [found], [*damages, *found.damages], wants, legacy)

    def _proven_size(self, oid: Oid, legacy: bool) -> int | None:
        """The true size of an object, where ours is proven."""
        try:
            info = os.stat(self.project.store.path(oid, legacy=legacy))
        except OSError:
            return None
        return info.st_size if self.proofs.proven(oid, info, legacy=legacy) else None

    def _members(self, some: Iterable[Group], remote: Remote, damages: list[Damage]) -> Iterator[Oid]:
        """Everything that a remote should have; a manifest that only it has is read, and may be damaged."""
        for group in some:
            pick = group.picker()
            for oid in group.oids:
                yield oid
                if is_tree(oid):
                    tree = self._tree(oid, group.legacy, remote, damages)
                    if tree is not None:
                        yield from pick(oid, tree)

    def _tree(self, oid: Oid, legacy: bool, remote: Remote, damages: list[Damage]) -> Tree | None:
        try:
            return self.project.store.read_tree(oid, legacy=legacy)
        except FourfoldError:
            try:
                tree = self.trees[oid] = remote_tree(oid, remote.store, legacy=legacy)
            except NotFoundError:
                return None  # missing, and told as such
            except FourfoldError as error:
                damages.append(Damage("corrupt", oid, legacy, error.message))
                return None
            return tree
