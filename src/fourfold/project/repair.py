"""Repair: replace what is damaged or missing by a good copy, wherever one is.

Good copies come from the workspace, then from remotes; a directory's manifest is made anew from the
workspace when it hashes to its name. Every copy is proven before it gets the name. A damaged object goes to
quarantine, never away. With a remote named, the remote is healed from the cache in the same manner.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import CorruptError, FourfoldError
from fourfold.base.events import Sink, Warned, silent
from fourfold.base.ids import Oid, is_tree
from fourfold.content import transfer
from fourfold.content.build import identify, save_tree
from fourfold.content.intake import Intake
from fourfold.content.objects import ObjectStore
from fourfold.content.presence import sizes_on
from fourfold.content.quarantine import set_aside
from fourfold.content.tree import Tree
from fourfold.content.verify import verify_here
from fourfold.project.collect import Want, collect
from fourfold.project.desk import intake_of, proofs_of, pruning
from fourfold.project.fsck import CACHE, Finding, FsckResult, fsck
from fourfold.project.litter import sweep
from fourfold.project.locks import project_lock
from fourfold.project.push import Opened
from fourfold.project.vetting import vet_store

if TYPE_CHECKING:
    from fourfold.project.project import Project


class NotHealedError(CorruptError):
    """Some objects are damaged or missing, and no good copy of them was found."""

    code = "repair-incomplete"


class Healed(NamedTuple):
    """One object that is right again, or with ``dry`` would be.

    Attributes:
        finding: What was wrong.
        source: Where the good copy was: a path of the workspace, ``remote 'name'``, or ``cache``.
    """

    finding: Finding
    source: str


class RepairResult(NamedTuple):
    """What a repair did.

    Attributes:
        healed: Objects that are right again.
        left: Findings for which no good copy was found.
        quarantine: Where damaged objects were moved.
        dry: Whether nothing was touched.
    """

    healed: tuple[Healed, ...] = ()
    left: tuple[Finding, ...] = ()
    quarantine: tuple[str, ...] = ()
    dry: bool = False

    @property
    def error(self) -> FourfoldError | None:
        """The error that this result amounts to; None when all is well now."""
        if not self.left or self.dry:
            return None
        count = len(self.left)
        return NotHealedError(
            f"no good copy was found of {count:,} object{'s' * (count != 1)}",
            hint="whoever has them can run: ff push, and then here: ff repair",
            details=[f"{finding.place}: {finding.describe()}" for finding in self.left],
        )


def repair(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    remotes: Sequence[str] = (),
    all_remotes: bool = False,
    jobs: int | None = None,
    dry: bool = False,
    events: Sink = silent,
) -> RepairResult:
    """Find everything that is damaged or missing, reading every byte, and heal it.

    Args:
        project: Whose.
        targets: As typed; none for everything, and for every object that the cache holds.
        remotes: Heal these remotes too. Good copies are looked for on every remote in any case.
        all_remotes: Heal all remotes.
        jobs: Requests at once.
        dry: Only tell what is wrong and where there is a copy; the copies of remotes are not proven.
        events: Hears the phases.

    Raises:
        TargetNotFoundError: a target names nothing.
        RepositoryLockedError: another process works on the project.
        FourfoldError: the cache cannot be written, a remote to heal cannot be asked.
    """
    names = list(targets)
    with project_lock(project):
        if not dry:
            vet_store(project, "write")
            sweep(project)
        job = _Repair(project, names, jobs, dry=dry, events=events)
        job.cache(fsck(project, names, read=True, events=events))
        if remotes or all_remotes:
            found = fsck(
                project, names, read=True, remotes=remotes, all_remotes=all_remotes, jobs=jobs, events=events
            )
            job.remotes(found)
    return RepairResult(tuple(job.healed), tuple(job.left), tuple(job.quarantine), dry)


class _Repair:
    """One repair: the cache first, then the remotes from it."""

    def __init__(
        self, project: "Project", targets: list[str], jobs: int | None, *, dry: bool, events: Sink
    ) -> None:
        self.project = project
        self.targets = targets
        self.dry = dry
        self.events = events
        self.opened = Opened(project, jobs, events=events)
        self.writable = Opened(project, jobs, "write")
        self.proofs = proofs_of(project)
        self.healed: list[Healed] = []
        self.left: list[Finding] = []
        self.quarantine: list[str] = []
        self.wants = collect(project, targets).wants

    # -- the cache --------------------------------------------------------------------------------

    def cache(self, found: FsckResult) -> None:
        """Heal the local cache: manifests, then the files that whole manifests name."""
        wrong = [finding for finding in found.findings if finding.place == CACHE]
        for legacy in (False, True):
            mine = [finding for finding in wrong if finding.damage.legacy == legacy]
            trees = [finding for finding in mine if is_tree(finding.damage.oid)]
            self._heal(trees, legacy)
            back = {healed.finding.damage.oid for healed in self.healed}
            files = {finding.damage.oid: finding for finding in mine if not is_tree(finding.damage.oid)}
            for finding in self._files_of(back & {one.damage.oid for one in trees}, legacy):
                files.setdefault(finding.damage.oid, finding)
            self._heal(list(files.values()), legacy)

    def _files_of(self, trees: Iterable[Oid], legacy: bool) -> Iterator[Finding]:
        """What is wrong with the files of manifests that the check could not look into."""
        if self.dry:
            return
        store = self.project.store
        for oid in trees:
            tree = store.read_tree(oid, legacy=legacy)
            seen = verify_here(
                tree.digests(), store, self.proofs, legacy=legacy, read=True, events=self.events
            )
            base = next((want.out.relpath for want in self.wants if want.oid == oid), "")
            paths = dict(zip(tree.digests(), tree.paths, strict=True))
            for damage in seen.damages:
                yield Finding(CACHE, damage, f"{base}/{paths[damage.oid]}" if base else "")

    def _heal(self, findings: Sequence[Finding], legacy: bool) -> None:
        """Quarantine what is damaged, then look for good copies, the nearest first."""
        # A manifest whose right bytes are hostile or nonsense has no better copy anywhere.
        self.left += [finding for finding in findings if finding.damage.kind == "bad-manifest"]
        open_findings = {
            finding.damage.oid: finding for finding in findings if finding.damage.kind != "bad-manifest"
        }
        if not open_findings:
            return
        if not self.dry:
            self._set_aside(open_findings, self.project.store, legacy)
        self._from_workspace(open_findings, legacy)
        self._from_remotes(open_findings, legacy)
        self.left += open_findings.values()

    def _set_aside(self, findings: dict[Oid, Finding], store: ObjectStore, legacy: bool) -> None:
        """Move damaged objects to quarantine; one that reads well the second time was no damage."""
        damaged = [oid for oid, finding in findings.items() if finding.damage.kind != "missing"]
        seen = verify_here(damaged, store, self.proofs, legacy=legacy, read=True, events=self.events)
        still = {damage.oid for damage in seen.damages if damage.kind != "missing"}
        for oid in damaged:
            if oid in still:
                place = set_aside(store, oid, legacy=legacy)
                if place is not None:
                    self.quarantine.append(place)
            elif store.has(oid, legacy=legacy):
                self.healed.append(Healed(findings.pop(oid), "a second reading"))

    # -- from the workspace -----------------------------------------------------------------------

    def _from_workspace(self, findings: dict[Oid, Finding], legacy: bool) -> None:
        """Take files, or manifests of directories, of the workspace that have the right content."""
        with intake_of(self.project, legacy=legacy) as intake:
            taken: dict[Oid, str] = {}
            for oid, path in self._candidates(set(findings), legacy):
                if oid in taken:
                    continue
                if is_tree(oid):
                    tree = self._tree_at(path, oid, legacy)
                    if tree is None:
                        continue
                    if not self.dry:
                        save_tree(tree, intake)
                elif self.dry:
                    if self._oid_at(path, legacy) != oid:
                        continue
                elif not self._take(oid, path, intake, legacy):
                    continue
                taken[oid] = path
            if not self.dry:
                intake.commit()
        for oid, path in taken.items():
            self.healed.append(Healed(findings.pop(oid), self.project.relpath(path)))

    def _candidates(self, oids: set[Oid], legacy: bool) -> Iterator[tuple[Oid, str]]:
        """Places of the workspace where an object may be, by what the pointer files and manifests say."""
        for want in self.wants:
            if want.legacy != legacy:
                continue
            if want.oid in oids:
                yield want.oid, want.out.path
            if not is_tree(want.oid) or not os.path.isdir(want.out.path):
                continue
            tree = self._known_tree(want)
            for path, oid in tree.items() if tree is not None else ():
                if oid in oids:
                    yield oid, os.path.join(want.out.path, *path.split("/"))

    def _known_tree(self, want: Want) -> Tree | None:
        try:
            return self.project.store.read_tree(want.oid, legacy=want.legacy)
        except FourfoldError:
            return self._tree_at(want.out.path, want.oid, want.legacy)

    def _tree_at(self, path: str, oid: Oid, legacy: bool) -> Tree | None:
        """The manifest of a directory of the workspace, if it is the one of that name."""
        try:
            built = identify(
                path,
                self.project.index,
                legacy=legacy,
                skip_file=pruning(self.project, path)[0],
                skip_directory=pruning(self.project, path)[1],
                events=self.events,
            )
        except (FourfoldError, OSError):
            return None
        return built.tree if built.is_directory and built.oid == oid else None

    def _oid_at(self, path: str, legacy: bool) -> Oid | None:
        try:
            return identify(path, self.project.index, legacy=legacy, events=self.events).oid
        except (FourfoldError, OSError):
            return None

    def _take(self, oid: Oid, path: str, intake: Intake, legacy: bool) -> bool:
        try:
            if os.path.islink(path) or not os.path.isfile(path):
                return False  # a link may lead to the damaged object itself
            return transfer.copy_in(oid, path, intake, legacy=legacy)[0] == "done"
        except FourfoldError as error:
            self.events(Warned(error.code, error.message, error.hint))
            return False

    # -- from remotes -----------------------------------------------------------------------------

    def _from_remotes(self, findings: dict[Oid, Finding], legacy: bool) -> None:
        """Fetch from every remote in turn until nothing is open; one that cannot be asked is passed over."""
        default = self.project.config.default_remote
        names = sorted(self.project.config.remote_names(), key=lambda name: name != default)
        for name in names:
            if not findings:
                return
            try:
                remote = self.opened.get(name)
                if remote.version_aware:
                    continue
                if self.dry:
                    there = sizes_on(remote.store, list(findings), legacy=legacy, events=self.events)
                    found = [Healed(findings.pop(oid), f"remote '{name}'") for oid in there]
                    self.healed += found
                    continue
                done = transfer.fetch(
                    list(findings),
                    self.project.store,
                    remote.store,
                    self.project.index,
                    legacy=legacy,
                    again=list(findings),
                    pick=lambda _oid, _tree: (),
                    events=self.events,
                )
            except FourfoldError as error:
                self.events(
                    Warned(error.code, f"remote '{name}' was passed over: {error.message}", error.hint)
                )
                continue
            for oid in done.done:
                self.healed.append(Healed(findings.pop(oid), f"remote '{name}'"))

    # -- a remote ---------------------------------------------------------------------------------

    def remotes(self, found: FsckResult) -> None:
        """Heal remotes from the cache, fetching from other remotes what the cache lacks."""
        wrong = [finding for finding in found.findings if finding.place != CACHE]
        for name in dict.fromkeys(finding.place for finding in wrong):
            for legacy in (False, True):
                mine = {
                    finding.damage.oid: finding
                    for finding in wrong
                    if finding.place == name and finding.damage.legacy == legacy
                }
                if mine:
                    self._heal_remote(name, mine, legacy)

    def _heal_remote(self, name: str, findings: dict[Oid, Finding], legacy: bool) -> None:
        store = self.project.store
        absent = {oid: findings[oid] for oid in store.missing(list(findings), legacy=legacy)}
        if self.dry:
            self.healed += [Healed(one, CACHE) for oid, one in findings.items() if oid not in absent]
            self.left += absent.values()
            return
        before = len(self.healed)
        self._from_remotes(dict(absent), legacy)
        del self.healed[before:]  # what came into the cache on the way is no finding of its own
        remote = self.writable.get(name)
        here = [oid for oid in findings if store.has(oid, legacy=legacy)]
        if remote.store.local_root is not None:
            place = ObjectStore(remote.store.local_root)
            damaged = [oid for oid in here if findings[oid].damage.kind != "missing"]
            self.quarantine += [path for oid in damaged if (path := set_aside(place, oid, legacy=legacy))]
        done = transfer.push(
            here,
            store,
            remote.store,
            self.project.index,
            legacy=legacy,
            again=here,
            pick=lambda _oid, _tree: (),
            events=self.events,
        )
        self.healed += [Healed(findings.pop(oid), CACHE) for oid in done.done]
        self.left += findings.values()
