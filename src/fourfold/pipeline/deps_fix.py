"""Deps fix: declare in ``dvc.yaml`` what stages were found to read, and if asked, to write.

A declaration alone is no reason to run again: where a record tells what was read, and that is still what
lies there, the entry in ``dvc.lock`` gets the dependency with its content of that run. A file that changed
since gets none, so that its stage runs. Which findings there are is `undeclared`.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.base.events import Sink, silent
from fourfold.base.fs.walk import refuse_not_utf8
from fourfold.base.ids import Oid
from fourfold.formats.dvc import stages
from fourfold.formats.dvc.lock import LockEntry
from fourfold.formats.dvc.pointer import Dependency
from fourfold.formats.dvc.stage_items import escaped, with_items
from fourfold.formats.native.record import RunId
from fourfold.pipeline.declaring import gathered
from fourfold.pipeline.graph import build_graph, key_of
from fourfold.pipeline.lockfile import LockBook, write_entry
from fourfold.pipeline.templating import templates
from fourfold.pipeline.undeclared import Memory, Used, absolute
from fourfold.pipeline.witness import entry_digest
from fourfold.project.changes import Examiner
from fourfold.project.files import load_tracked
from fourfold.project.locks import project_lock
from fourfold.project.nativelock import read_lock
from fourfold.project.oplog import Operation, operation
from fourfold.project.outs import Owner, Tracked, check_overlaps, check_parents, place
from fourfold.project.owners import Tracking, read_owner_file
from fourfold.project.stagefiles import stages_of
from fourfold.project.staging import Staged, stage_changes
from fourfold.project.targets import named_owners
from fourfold.runs.changes import rows_of
from fourfold.runs.findings import Finding, may_be_secret
from fourfold.runs.zones import below

if TYPE_CHECKING:
    from fourfold.project.project import Project


class Addition(NamedTuple):
    """One declaration.

    Attributes:
        stage: The stage, as the root calls it.
        key: ``deps`` or ``outs``.
        item: As it is written there.
        settled: Whether ``dvc.lock`` says its content too, so that nothing has to run for it.
    """

    stage: str
    key: Literal["deps", "outs"]
    item: str
    settled: bool = False


class LeftOut(NamedTuple):
    """A finding that is not declared, and why.

    Attributes:
        stage: The stage, as the root calls it.
        finding: What was used.
        why: In a few words.
    """

    stage: str
    finding: Finding
    why: str


class DepsFixed(NamedTuple):
    """What `deps_fix` did, or would do.

    Attributes:
        added: What is declared now.
        left: What is not, and why.
        looked: The stages that a record tells of, as the root calls them.
        unknown: Those that no record tells of.
        staged: What belongs into the next commit.
    """

    added: tuple[Addition, ...]
    left: tuple[LeftOut, ...]
    looked: tuple[str, ...]
    unknown: tuple[str, ...]
    staged: Staged


class _Wish(NamedTuple):
    """What should be declared.

    Attributes:
        used: The stage, and what its record says.
        key: Where.
        path: What; absolute.
        item: As the stage has it.
        options: Of an output.
        findings: What it covers.
        template: As the definition of the stage writes it, where a template does; "" for the same.
    """

    used: Used
    key: Literal["deps", "outs"]
    path: str
    item: str
    options: Mapping[str, bool]
    findings: tuple[Finding, ...]
    template: str = ""


def deps_fix(
    project: "Project",
    targets: Iterable[str] = (),
    *,
    outs: bool = False,
    outside: bool = False,
    dry: bool = False,
    events: Sink = silent,
) -> DepsFixed:
    """Declare what stages use.

    Args:
        project: Whose.
        targets: Stages as typed, or files of stages; without any, all that records tell of.
        outs: Declare too what they write.
        outside: Declare too what lies outside of the repository, by its absolute path.
        dry: Say what would be done, and do nothing.
        events: Hears the hashing.

    Raises:
        StageNotFoundError, OwnerFileNotFoundError, BadOwnerNameError: a target names no stage.
        InvalidFileError: a file of the project cannot be understood.
        RepositoryLockedError: another process works on the project.
    """
    names = list(targets)
    with project_lock(project), operation(project, "deps fix", names) as op:
        tracking = load_tracked(project)
        owners = _chosen(tracking, [owner for name in names for owner in named_owners(project, name)])
        memory = Memory(project)
        told = {owner.addressing: memory.used(owner) for owner in owners if owner.is_stage}
        used = [one for one in told.values() if one is not None]
        fixer = Fixer(project, tracking, outs=outs, outside=outside)
        for one in used:
            fixer.consider(one)
        files = fixer.fitting()
        settled: set[tuple[str, str]] = set()
        changed: list[str] = []
        if not dry:
            for file, data in files.items():
                op.write(file, data)
            changed = list(files)
            settled = _settle(project, op, fixer.accepted, memory, changed, events)
        added = tuple(
            Addition(
                wish.used.owner.addressing,
                wish.key,
                wish.item,
                (wish.used.owner.addressing, wish.item) in settled,
            )
            for wish in fixer.accepted
        )
        return DepsFixed(
            added,
            tuple(fixer.left),
            tuple(one.owner.addressing for one in used),
            tuple(name for name, one in told.items() if one is None) if names else (),
            stage_changes(project, changed),
        )


def _chosen(tracking: Tracking, named: list[Owner]) -> list[Owner]:
    """The stages to look at: with one that a template makes, all that it makes."""
    if not named:
        return list(tracking.owners)
    groups = {(owner.file, owner.group) for owner in named if owner.group is not None}
    keys = {key_of(owner) for owner in named}
    return [
        owner for owner in tracking.owners if key_of(owner) in keys or (owner.file, owner.group) in groups
    ]


# --- what can be declared ---------------------------------------------------------------------------------


class Fixer:
    """Gathers what stages should declare, and leaves out what the project cannot have."""

    def __init__(self, project: "Project", tracking: Tracking, *, outs: bool, outside: bool) -> None:
        self._project = project
        self._tracking = tracking
        self._outs = outs
        self._outside = outside
        self._folders = {out.path for out in tracking.outs if os.path.isdir(out.path)}
        self.accepted: list[_Wish] = []
        self.left: list[LeftOut] = []

    def consider(self, used: Used) -> None:
        """Take in what a stage uses."""
        reads = [each for each in used.findings.reads if self._can_be(used, each, "deps")]
        by_path = {absolute(self._project, each.path): each for each in reads}
        code = {path for path, each in by_path.items() if each.kind not in {"tracked", "untracked"}}
        found = gathered(by_path, tracked=self._folders, alone=code, keep={self._project.root})
        wishes = [
            self._wish(used, "deps", path, tuple(by_path[one] for one in paths))
            for path, paths in found.items()
        ]
        self.accepted += sorted(wishes, key=lambda wish: wish.item)
        for each in used.findings.writes:
            if not self._outs:
                self.left.append(LeftOut(used.owner.addressing, each, "an output is declared with --outs"))
            elif self._can_be(used, each, "outs"):
                path = absolute(self._project, each.path)
                self.accepted.append(self._wish(used, "outs", path, (each,)))

    def _can_be(self, used: Used, finding: Finding, key: str) -> bool:
        why = self._obstacle(finding, absolute(self._project, finding.path), key)
        if why:
            self.left.append(LeftOut(used.owner.addressing, finding, why))
        return not why

    def _obstacle(self, finding: Finding, path: str, key: str) -> str:
        """Why a finding cannot be declared; "" when it can."""
        project = self._project
        found = ""
        inside = below(path, project.scm_root or project.root)
        if finding.kind == "unknown" or finding.how == "delete":
            found = (
                "nothing can be declared that is no file" if finding.kind == "unknown" else "it was deleted"
            )
        elif (finding.kind == "outside" or not inside) and (key == "outs" or not self._outside):
            found = "outside of the repository" + (
                "" if key == "outs" else "; by its absolute path: --outside"
            )
        elif may_be_secret(finding.path):
            found = "it may hold a secret; declare variables with 'meta: fourfold: env:'"
        elif not os.path.lexists(path):
            found = "it is not there any more"
        elif project.contains(path) and project.ignore.is_ignored(path, is_dir=os.path.isdir(path)):
            found = ".dvcignore excludes it"
        else:
            with suppress(FourfoldError):
                refuse_not_utf8(path)
                return ""
            found = "its name is not UTF-8"
        return found

    def _wish(
        self, used: Used, key: Literal["deps", "outs"], path: str, findings: tuple[Finding, ...]
    ) -> _Wish:
        owner = used.owner
        item = (
            path
            if not below(path, self._project.scm_root or self._project.root)
            else os.path.relpath(path, owner.wdir).replace(os.sep, "/")
        )
        kept_by_git = key == "outs" and any(finding.kind in {"tracked", "code"} for finding in findings)
        return _Wish(used, key, path, item, {"cache": False} if kept_by_git else {}, findings)

    def fitting(self) -> dict[str, bytes]:
        """The new bytes of each ``dvc.yaml``; what would not fit is left out.

        Raises:
            FourfoldError: a file cannot be read.
        """
        wishes, self.accepted = self._templated(self.accepted), []
        whole = self._files(wishes)
        if self._trouble(whole) is None:
            self.accepted = wishes
            return whole
        files: dict[str, bytes] = {}
        for wish in wishes:
            tried = self._files([*self.accepted, wish])
            trouble = self._trouble(tried)
            if trouble is None:
                self.accepted.append(wish)
                files = tried
            else:
                self.left += [
                    LeftOut(wish.used.owner.addressing, finding, trouble.message) for finding in wish.findings
                ]
        return files

    def _templated(self, wishes: list[_Wish]) -> list[_Wish]:
        """The same wishes; what each stage of a template uses of its own is written as the template."""
        groups: dict[tuple[str, str], list[int]] = {}
        for at, wish in enumerate(wishes):
            if wish.used.owner.group is not None:
                groups.setdefault((wish.used.owner.file, wish.used.owner.group), []).append(at)
        found = list(wishes)
        for key, mine in groups.items():
            owners = [owner for owner in self._tracking.owners if (owner.file, owner.group) == key]
            data = read_owner_file(self._project.root, key[0]) or b""
            definition = stages.parse(data, owners[0].relpath).stages[key[1]].raw
            ways: dict[int, set[str]] = {}
            by_member: dict[str, set[str]] = {owner.name or "": set() for owner in owners}
            for at in mine:
                name = wishes[at].used.owner.name or ""
                ways[at] = templates(wishes[at].item, name[len(key[1]) + 1 :], definition)
                by_member[name] |= ways[at]
            common = set.intersection(*by_member.values())
            for at in mine:
                if ways[at] & common:
                    found[at] = wishes[at]._replace(template=min(ways[at] & common))
        return found

    def _files(self, wishes: Iterable[_Wish]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for wish in wishes:
            owner = wish.used.owner
            old = files.get(owner.file)
            if old is None:
                old = read_owner_file(self._project.root, owner.file) or b""
            text = wish.template or escaped(wish.item, templated=owner.group is not None or b"${" in old)
            entry = owner.group or owner.name or ""
            item = {text: dict(wish.options)} if wish.options else text
            files[owner.file] = with_items(old, entry, {wish.key: [item]}, owner.relpath)
        return files

    def _trouble(self, files: Mapping[str, bytes]) -> FourfoldError | None:
        """What would be wrong with the project if its files said this."""
        project, tracking = self._project, self._tracking
        try:
            owners = [owner for owner in tracking.owners if owner.file not in files]
            outs = [out for out in tracking.outs if out.owner.file not in files]
            for file, data in files.items():
                new = _owners(project, file, data)
                placed: list[Tracked] = [
                    out for owner in new for out in place(project.root, owner) if not out.external
                ]
                check_parents(project.root, placed)
                owners += new
                outs += placed
            check_overlaps(outs, owners)
            build_graph(Tracking(tuple(owners), tuple(outs)))
        except FourfoldError as error:
            return error
        return None


def _owners(project: "Project", file: str, data: bytes) -> tuple[Owner, ...]:
    return stages_of(
        project.root,
        file,
        project.relpath(file),
        data,
        lambda path: read_owner_file(project.root, path),
        project.config,
    )


# --- what dvc.lock says of it -----------------------------------------------------------------------------


def _settle(
    project: "Project",
    op: Operation,
    wishes: Iterable[_Wish],
    memory: Memory,
    changed: list[str],
    events: Sink,
) -> set[tuple[str, str]]:
    """Write the content of new dependencies into ``dvc.lock`` where a record tells it; which those are.

    What tells is the run that made the entry which is there, be it the last one or not.
    """
    examiner = Examiner(project, events)
    by_stage: dict[str, list[_Wish]] = {}
    for wish in wishes:
        if wish.key == "deps":
            by_stage.setdefault(wish.used.owner.addressing, []).append(wish)
    book = LockBook()
    done: set[tuple[str, str]] = set()
    for name, mine in by_stage.items():
        owner = mine[0].used.owner
        if not owner.locked:
            continue
        data = read_owner_file(project.root, owner.file) or b""
        fresh = next(one for one in _owners(project, owner.file, data) if one.name == owner.name)
        noted = {dep.path for dep in fresh.deps if dep.oid is not None}
        done.update((name, wish.item) for wish in mine if wish.item in noted)
        made = _maker(project, memory, mine[0].used)
        read = {absolute(project, one.path): one.oid for one in made.findings.reads} if made else {}
        known = [(wish, _as_read(wish, read, examiner)) for wish in mine if wish.item not in noted]
        new = [dep for _wish, dep in known if dep is not None]
        if not new:
            continue
        deps = (*(dep for dep in fresh.deps if dep.oid is not None or "://" in dep.path), *new)
        entry = LockEntry(owner.locked_cmd or owner.cmd or "", deps, dict(owner.params or {}), owner.outs)
        path = write_entry(project, op, owner, entry, book)
        if path is not None:
            changed.append(path)
        done.update((name, wish.item) for wish, dep in known if dep is not None)
    return done


def _maker(project: "Project", memory: Memory, last: Used) -> Used | None:
    """The run that made what ``dvc.lock`` says of a stage: the last, or the one ``fourfold.lock`` names."""
    if _made_entry(last, project):
        return last
    try:
        entry = read_lock(project, last.owner.file).stages.get(last.owner.name or "")
    except FourfoldError:
        return None
    named = memory.told_by(last.owner, RunId(entry.run)) if entry is not None else None
    return named if named is not None and _made_entry(named, project) else None


def _made_entry(used: Used, project: "Project") -> bool:
    """Whether the run of a record made what ``dvc.lock`` says of the stage, later declarations aside."""
    entry = used.record.data.get("entry")
    if entry is None or entry.value is None:
        return False
    owner = used.owner
    rows = {str(row["path"]) for row in rows_of(used.record, "inputs")}
    then = [dep for dep in owner.deps if "://" in dep.path or _shown(project, owner, dep.path) in rows]
    made = entry_digest(owner._replace(deps=tuple(then), cmd=owner.locked_cmd))
    return str(entry.value) == made


def _shown(project: "Project", owner: Owner, path: str) -> str:
    return project.relpath(os.path.normpath(os.path.join(owner.wdir, path)))


def _as_read(wish: _Wish, read: Mapping[str, Oid | None], examiner: Examiner) -> Dependency | None:
    """A dependency with the content that the run read; None where that is not what lies there now."""
    built = examiner.current(wish.path)
    if built is None:
        return None
    if built.is_directory:
        now = {os.path.join(wish.path, path): oid for path, oid in built.tree.items()}
    else:
        now = {wish.path: built.oid}
    if any(read.get(path) != oid for path, oid in now.items()):
        return None
    return Dependency(
        wish.item,
        built.oid,
        size=built.size,
        nfiles=built.nfiles if built.is_directory else None,
        isexec=built.isexec,
    )
