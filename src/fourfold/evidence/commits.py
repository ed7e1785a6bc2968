"""What a commit says was run: the runs behind a stage's result, and whether that result still holds there.

``fourfold.lock`` names the run of each stage; where it does not (DVC ran it), the entry of ``dvc.lock`` leads
to the record; where there is none, the metric is read from the file that the entry names. A result holds at a
commit when all that made it is as the commit has it: commands, parameters, source files that were read, data.
Else the commit changed something and nobody ran it. Nothing is run here.
"""

import os
import posixpath
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from fourfold.base.errors import FourfoldError, UnsupportedError
from fourfold.base.ids import CommitId, Oid, is_tree
from fourfold.content.naming import name_of
from fourfold.content.tree import Tree
from fourfold.evidence.entries import is_new, lines_of, stale_entry
from fourfold.evidence.lineage import Lineage, Step, metrics_of
from fourfold.evidence.parting import reads_of, sources_of
from fourfold.evidence.replaying.holdings import Holdings
from fourfold.evidence.states import Key, State, key_of, unknown
from fourfold.formats.dvc import params as params_format
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.native.lockfile import LOCK_NAME
from fourfold.formats.native.lockfile import parse as parse_lock
from fourfold.formats.native.record import RunId, RunRecord
from fourfold.pipeline.compare import flatten
from fourfold.pipeline.graph import build_graph, postorder, reach
from fourfold.pipeline.graph import key_of as graph_key
from fourfold.pipeline.moments import Moment
from fourfold.pipeline.witness import entry_digest
from fourfold.project.changes import lookup, plain
from fourfold.project.outs import Owner
from fourfold.project.revisions import Parsed, load_from_git
from fourfold.runs.changes import value_of
from fourfold.runs.code_files import code_files
from fourfold.runs.codetree import Outputs, is_written
from fourfold.runs.reading import folders_of, shown
from fourfold.runs.results import is_finite
from fourfold.scm.browse import Browser
from fourfold.scm.refs import is_full_id

if TYPE_CHECKING:
    from fourfold.project.project import Project
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records
    from fourfold.scm.git import Git

#: History is followed no further than so many commits.
LONGEST = 20_000
#: So many commits are held at once, and so many bytes of their files: a history may have thousands.
_HELD = 64
_HELD_BYTES = 64 << 20
#: A folder of more files is not put together to be compared.
_MOST_FILES = 5_000

_Value = TypeVar("_Value")


class NoHistoryHereError(UnsupportedError):
    """Commits were asked for where there is no project with a Git repository."""

    code = "no-history-here"


class Line(NamedTuple):
    """The commits from one to another.

    Attributes:
        commits: Along first parents, the oldest first.
        merged: The other parents of those of them that are merges.
        beside: How many commits came in by merges, and are not on the line.
    """

    commits: tuple[CommitId, ...]
    merged: Mapping[CommitId, tuple[CommitId, ...]]
    beside: int


class Commits:
    """Commits of one project, looked at one after the other; what they share is read once.

    A context manager: one process of Git stays as long as it is open.

    Args:
        place: Of the project.
        records: Its records.

    Raises:
        NoHistoryHereError: it is no project in a Git repository.
    """

    def __init__(self, place: "Place", records: "Records") -> None:
        self._project, git = _repository(place)
        self._git = Browser(git)
        self._records = records
        self._inside = Holdings(place, records).inside
        self._parsed: Parsed = {}
        self._contents: dict[str, bytes] = {}
        self._size = 0
        self._sums: dict[str, str] = {}
        self._whole: set[tuple[str, str]] = set()
        self._known: dict[RunId, RunRecord | None] = {}
        self._code: dict[str, Mapping[str, str] | None] = {}
        self._read: dict[RunId, Mapping[str, str | None]] = {}
        self._entries = {
            one.entry: one.id for one in records.summaries() if one.entry and one.state == "succeeded"
        }
        self._seen: dict[str, Seen] = {}
        self._listed: dict[str, dict[str, str]] = {}
        root, top = self._project.root, self._git.root
        self._prefix = "" if root == top else os.path.relpath(root, top).replace(os.sep, "/") + "/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._git.close()

    def line(self, good: CommitId, bad: CommitId) -> Line | None:
        """The commits from one to another; None where first parents do not lead from the second there."""
        parents = self._git.between(good, bad, LONGEST)
        found = [bad]
        while found[-1] != good:
            above = parents.get(found[-1])
            if not above:
                return None
            found.append(above[0])
        merged = {commit: parents[commit][1:] for commit in found[:-1] if len(parents[commit]) > 1}
        return Line(tuple(reversed(found)), merged, len(parents) - len(found) + 1)

    def base(self, one: CommitId, other: CommitId) -> CommitId | None:
        """The commit where two lines part; None where there is none."""
        return self._git.merge_base(one, other)

    def stages_with(self, commit: str, metric: str) -> dict[str, tuple[str, ...]]:
        """The metrics of the stages of a commit, if one of them is meant by a name; else nothing."""
        seen = self.look(commit)
        found = {}
        for owner in seen.stages:
            files = [
                out.relpath for out in seen.moment.tracking.outs if out.owner is owner and out.output.metric
            ]
            run = seen.runs.get(owner.addressing)
            record = self._record(run) if run else None
            names = metrics_of(record, self._records.part) if record else {}
            found[owner.addressing] = tuple(names or self._in_files(seen, files))
        wanted = {name for names in found.values() for name in names}
        return found if metric in wanted or any(name.partition(":")[2] == metric for name in wanted) else {}

    def state(self, commit: CommitId, stage: str, metric: str) -> State:
        """A commit as a state; what of it cannot be understood is why it has no value.

        Raises:
            FourfoldError: Git has not the commit itself.
        """
        title = self._git.commit(commit).message.partition("\n")[0]
        nothing = State(commit[:8], commit, None, title, None, None)
        try:
            return self._state(nothing, self.look(commit), stage, metric)
        except FourfoldError as error:
            return nothing._replace(why=error.message)

    def _state(self, nothing: State, seen: "Seen", stage: str, metric: str) -> State:
        owner = next((owner for owner in seen.stages if owner.addressing == stage), None)
        if owner is None:
            return nothing._replace(why=f"has no stage '{stage}'")
        upstream = [each for each in seen.upstream(owner) if each.is_stage]
        stale = next((why for each in upstream if (why := self._stale(seen, each))), "")
        if stale:
            return nothing._replace(key=self._tree_key(seen), why=stale)
        lineage = self._lineage(seen, upstream)
        run = seen.runs.get(stage)
        record = self._record(run) if run else None
        value = metrics_of(record, self._records.part).get(metric) if record else None
        if value is None:
            value = self._in_files(seen, [metric.partition(":")[0]]).get(metric)
        why = ""
        if value is not None and not is_finite(value):
            value, why = None, f"{metric} is {value!s:.20} there, which is no number to compare"
        elif value is None:
            why = f"its {'run' if record else 'lock file'} has no {metric}"
        key = key_of(lineage, self._records.part) if lineage else self._locked_key(seen, upstream)
        return nothing._replace(run=run if record else None, key=key, metric=value, why=why)

    # -- what a commit has ------------------------------------------------------------------------------

    def look(self, commit: str) -> "Seen":
        """What a commit has.

        Raises:
            FourfoldError: a file of its pipeline cannot be understood, or Git has not all of it.
        """
        if commit not in self._seen:
            project = self._project
            tracking = load_from_git(
                self._git, commit, project.root, parsed=self._parsed, config=project.config
            )
            seen = Seen(commit, Moment(project, tracking, self._git), self._files(commit))
            seen.runs.update(self._runs(seen))
            _hold(self._seen, commit, seen)
        return self._seen[commit]

    def _files(self, commit: str) -> Mapping[str, str]:
        """Git's ids of the files of a commit, by path."""
        if commit not in self._listed:
            _hold(self._listed, commit, {entry.path: entry.oid for entry in self._git.ls_tree(commit)})
        return self._listed[commit]

    def _runs(self, seen: "Seen") -> Mapping[str, RunId]:
        """The run of each stage of a commit."""
        found: dict[str, RunId] = {}
        for owner in seen.stages:
            if owner.locked:
                run = self._entries.get(entry_digest(owner))
                if run:
                    found[owner.addressing] = run
        for path in {os.path.join(os.path.dirname(owner.relpath), LOCK_NAME) for owner in seen.stages}:
            data = self.content(seen, self._prefix + path)
            if data is None:
                continue
            for name, entry in parse_lock(data, path).stages.items():
                owners = [each for each in seen.stages if each.name == name and _beside(each, path)]
                # A lock file that was merged by hand may name a run of another entry.
                if owners and self._made(RunId(entry.run), owners[0]):
                    found[owners[0].addressing] = RunId(entry.run)
        return found

    def _made(self, run: RunId, owner: Owner) -> bool:
        record = self._record(run)
        fact = record.data.get("entry") if record else None
        return fact is not None and fact.value == entry_digest(owner)

    def _record(self, run: RunId) -> RunRecord | None:
        if run not in self._known:
            try:
                self._known[run] = self._records.get(run)
            except FourfoldError:
                self._known[run] = None
        return self._known[run]

    def content(self, seen: "Seen", path: str) -> bytes | None:
        """The bytes of a file of a commit, by its path from the root of the repository."""
        oid = seen.files.get(path)
        if oid is None:
            return None
        data = self._contents.get(oid)
        if data is None:
            data = self._git.read_many(seen.commit, [path]).get(path)
            if data is None:
                return None
            self._size += len(data)
            if self._size > _HELD_BYTES:
                self._contents.clear()
                self._size = len(data)
            self._contents[oid] = data
        return data

    def shown(self, owner: Owner, path: str) -> str:
        """A path that a stage names, from the root of the repository."""
        return os.path.relpath(os.path.join(owner.wdir, path), self._git.root).replace(os.sep, "/")

    def output(self, seen: "Seen", path: str) -> str | None:
        """What names the content of an output, by its path from the root of the repository.

        Returns:
            None where no output lies there; "" for what a stage makes. For what lies in an output, and nobody
            knows what it is, what names all of that.
        """
        name = shown(path, self._prefix)
        if seen.maker(name) is not None:
            return ""
        folder = seen.folder(name)
        if name in seen.outputs or folder is None:
            return seen.outputs.get(name)
        return self.within(seen, name) or seen.outputs[folder]

    def outputs_in(self, seen: "Seen", path: str) -> dict[str, str]:
        """The outputs in a folder that no stage makes, from the root of the repository, and their digests."""
        return {
            above: oid
            for name, oid in seen.outputs.items()
            if (above := self._above(name)).startswith(f"{path}/") and seen.maker(name) is None
        }

    def within(self, seen: "Seen", name: str) -> str | None:
        """The MD5 of what lies in a folder that is an output; None where it lies in none, or is not known.

        Args:
            seen: The commit.
            name: From the root of the project.
        """
        folder = seen.folder(name)
        return None if folder is None else self._inside(seen.outputs[folder], name[len(folder) + 1 :])

    def _above(self, name: str) -> str:
        """A path from the root of the project, from the root of the repository."""
        return posixpath.normpath(self._prefix + name)

    def _in_files(self, seen: "Seen", files: Iterable[str]) -> dict[str, float]:
        """The numbers of metric files, where they are what the lock file says."""
        found: dict[str, float] = {}
        for file in files:
            out = next((out for out in seen.moment.tracking.outs if out.relpath == file), None)
            if out is None or out.oid is None:
                continue
            try:
                data = seen.moment.read(file)
                if name_of(data) != out.oid and not out.output.legacy:
                    continue
                values = params_format.parse(data, os.path.basename(file), file)
            except FourfoldError:
                continue
            for name, value in flatten(values if isinstance(values, Mapping) else {}):
                if isinstance(value, int | float) and not isinstance(value, bool):
                    found[f"{file}:{name}"] = value
        return found

    # -- whether a result still holds -------------------------------------------------------------------

    def _stale(self, seen: "Seen", owner: Owner) -> str:
        """What a commit has otherwise than the lock entry of a stage, or its record; "" when nothing."""
        entry = stale_entry(owner)
        if entry:
            return entry
        run = seen.runs.get(owner.addressing)
        if run is None and any(map(is_new, owner.deps)):
            new = next(filter(is_new, owner.deps)).path
            return f"'{new}' became a dependency and '{owner.addressing}' was not run"
        record = self._record(run) if run else None
        read = self._sources(run, record) if run and record is not None else {}
        for dep in owner.deps:
            path = os.path.relpath(os.path.join(owner.wdir, dep.path), self._project.root).replace(
                os.sep, "/"
            )
            if dep.oid is not None and not dep.legacy and self._is_other(seen, path, dep.oid, record, read):
                return f"'{path}' changed and '{owner.addressing}' was not run"
        moved = self._moved_params(seen, owner)
        if moved:
            return f"{moved} changed and '{owner.addressing}' was not run"
        for path, oid in read.items():
            if oid is not None and shown(path, self._prefix) not in seen.outputs:
                there = seen.files.get(path)
                if there != oid and (there is not None or self._had(record, path)):
                    return f"'{path}' changed and '{owner.addressing}' was not run"
        return ""

    def _sources(self, run: RunId, record: RunRecord) -> Mapping[str, str | None]:
        """The files of Git that a run read, but for those of parameters, which are compared by value."""
        if run not in self._read:
            part = self._records.part
            files = reads_of(record, part).files
            self._read[run] = {
                path: oid
                for path, oid in sources_of(record, part).items()
                if shown(path, self._prefix) not in files
            }
        return self._read[run]

    def _had(self, record: RunRecord | None, path: str) -> bool:
        """Whether the commit that a run was made on has a file: what lay there untracked, no commit has."""
        commit = _commit_of(record)
        try:
            return commit is not None and path in self._files(commit)
        except FourfoldError:
            return False

    def _is_other(
        self, seen: "Seen", path: str, oid: "Oid", record: RunRecord | None, read: Mapping[str, str | None]
    ) -> bool:
        """Whether a commit has something else at a path than a lock entry says; not where nobody knows."""
        made = seen.outputs.get(path) or self.within(seen, path)
        if made is not None or not is_tree(oid):
            now = made or self._sum(seen, path)
            return now is not None and now != oid
        above = f"{self._above(path)}/"
        if any(each.startswith(above) for each in read):
            # What was read of it is compared file by file; what was not there then, it would read too.
            return record is not None and any(
                name.startswith(above) and name not in read and self._is_new(seen, name, record)
                for name in seen.files
            )
        now = self._sum_of_folder(seen.commit, path)
        if now == oid:
            self._whole.add((path, oid))
        return now is not None and now != oid and self._was_whole(path, oid, record)

    def _is_new(self, seen: "Seen", path: str, record: RunRecord) -> bool:
        """Whether a file of a commit was no part of the code of a run; not where nobody knows."""
        if is_written(path) or shown(path, self._prefix) in seen.outputs:
            return False
        key = f"{_commit_of(record)} {value_of(record.code, 'tree')}"
        if key not in self._code:
            try:
                known = code_files(record, self._git, self._project.environ, self._records.part)
            except FourfoldError:
                known = None
            _hold(self._code, key, known)
        found = self._code[key]
        return found is not None and path not in found

    def _was_whole(self, path: str, oid: "Oid", record: RunRecord | None) -> bool:
        """Whether Git once had all files of a folder: it may have had others, of which no commit tells."""
        commit = _commit_of(record)
        if (path, oid) not in self._whole and commit is not None:
            try:
                if self._sum_of_folder(commit, path) == oid:
                    self._whole.add((path, oid))
            except FourfoldError:
                return False
        return (path, oid) in self._whole

    def _sum(self, seen: "Seen", path: str) -> str | None:
        """The MD5 of a file that Git has; None where it has none, or a link."""
        above = self._above(path)
        oid = self._git.id_at(seen.commit, above)
        if oid is None or above not in seen.files:
            return None
        if oid not in self._sums:
            data = self.content(seen, above)
            if data is None:
                return None
            self._sums[oid] = name_of(data)
        return self._sums[oid]

    def _sum_of_folder(self, commit: str, path: str) -> str | None:
        """The MD5 of a folder whose files Git has, or pointers name, as DVC says it; None if not known."""
        above = f"{self._above(path)}/"
        oid = self._git.id_at(commit, above[:-1])
        outputs = self.look(commit).outputs
        data = {name: file for name, file in outputs.items() if name.startswith(f"{path}/")}
        if oid is None:
            return None
        key = f"{oid} {_digest(data)}" if data else str(oid)
        if key in self._sums:
            return self._sums[key]
        inner = {name: file for name, file in self._files(commit).items() if name.startswith(above)}
        if not inner or len(inner) + len(data) > _MOST_FILES or any(map(is_tree, map(Oid, data.values()))):
            return None
        for name, file in inner.items():
            if file not in self._sums:
                content = self._git.read_many(commit, [name]).get(name)
                if content is None:
                    return None  # a submodule lies in it
                self._sums[file] = name_of(content)
        found = {name.removeprefix(above): self._sums[file] for name, file in inner.items()}
        found |= {name[len(path) + 1 :]: file for name, file in data.items()}
        self._sums[key] = Tree.of(found.items()).oid
        return self._sums[key]

    def _moved_params(self, seen: "Seen", owner: Owner) -> str:
        for file, values in (owner.params or {}).items():
            now = self.parameters(seen, owner, file)
            if now is None or not isinstance(values, Mapping):
                continue
            for key, value in values.items():
                if plain(lookup(now, key)) != plain(value):
                    return f"'{file}:{key}'"
        return ""

    def parameters(self, seen: "Seen", owner: Owner, file: str | None) -> Mapping[str, Any] | None:
        """What a file of parameters of a stage says at a commit; None where that is not known."""
        path = os.path.relpath(os.path.join(owner.wdir, file or DEFAULT_PARAMS), self._project.root)
        data = self.content(seen, self._above(path.replace(os.sep, "/")))
        if data is None:
            return None
        try:
            found = params_format.parse(data, os.path.basename(path), path)
        except FourfoldError:
            return None
        return found if isinstance(found, Mapping) else {}

    # -- keys -------------------------------------------------------------------------------------------

    def _lineage(self, seen: "Seen", upstream: list[Owner]) -> Lineage | None:
        """The runs behind a stage's result; None where one of them has no record here."""
        steps = []
        for owner in upstream:
            run = seen.runs.get(owner.addressing)
            record = self._record(run) if run else None
            if run is None or record is None:
                return None
            made = {
                path: seen.runs[maker]
                for dep in owner.deps
                for path in [os.path.relpath(os.path.join(owner.wdir, dep.path), self._project.root)]
                if (maker := seen.maker(path)) in seen.runs and maker is not None
            }
            steps.append(Step(run, record, made))
        return Lineage(tuple(steps)) if steps else None

    def _locked_key(self, seen: "Seen", upstream: list[Owner]) -> Key:
        """The key of a result that no record tells of: by what the lock file says.

        What that is silent of is not known; but one entry of a lock file is of one run.
        """
        code = [[owner.addressing, list(lines_of(owner.cmd))] for owner in upstream]
        params = [[owner.addressing, owner.params or {}] for owner in upstream]
        sums: dict[str, str] = {}
        data: dict[str, str] = {}
        for owner in upstream:
            for dep in owner.deps:
                path = os.path.relpath(os.path.join(owner.wdir, dep.path), self._project.root)
                if seen.maker(path) is None:
                    (data if path in seen.outputs else sums)[path] = str(dep.oid)
        made = [[owner.addressing, [[out.path, str(out.oid)] for out in owner.outs]] for owner in upstream]
        entry = unknown([code, sums, data, params, made])
        return Key(_digest([code, sums]), _digest(data), _digest(params), entry, entry)

    def _tree_key(self, seen: "Seen") -> Key:
        """The key of a version that nobody ran: by everything that the commit has."""
        outputs = Outputs(self._prefix + path for path in seen.outputs)
        code = {
            path: oid
            for path, oid in seen.files.items()
            if not is_written(path) and path not in outputs and not path.endswith(".dvc")
        }
        data = {path: oid for path, oid in seen.outputs.items() if path not in seen.makers}
        mine = unknown([seen.commit])
        return Key(_digest(code), _digest(data), mine, mine, mine)


class Seen:
    """One commit: its stages, their runs, its files by their Git ids."""

    def __init__(self, commit: str, moment: Moment, files: Mapping[str, str]) -> None:
        self.commit = commit
        self.moment = moment
        self.files = files
        self.runs: dict[str, RunId] = {}
        self.stages = [owner for owner in moment.tracking.owners if owner.is_stage]
        self.outputs = {out.relpath: str(out.oid) for out in moment.tracking.outs if out.oid is not None}
        self.makers = {
            out.relpath: out.owner.addressing for out in moment.tracking.outs if out.owner.is_stage
        }

    def maker(self, path: str) -> str | None:
        """The stage that makes a path, or the folder that it lies in."""
        while path:
            if path in self.makers:
                return self.makers[path]
            path = path.rpartition("/")[0]
        return None

    def folder(self, path: str) -> str | None:
        """The output that is a folder in which a path lies; None where it lies in none."""
        return next((folder for folder in folders_of(path) if folder in self.outputs), None)

    def upstream(self, owner: Owner) -> list[Owner]:
        """A stage after all that it needs."""
        graph = build_graph(self.moment.tracking)
        needed = reach(graph.makers, [graph_key(owner)])
        return list(graph.of(postorder(graph, needed)))


def _repository(place: "Place") -> "tuple[Project, Git]":
    if place.project is None or place.git is None:
        raise NoHistoryHereError(
            "there are no commits with pipelines here", hint="name runs instead: ff runs list"
        )
    return place.project, place.git


def _commit_of(record: RunRecord | None) -> CommitId | None:
    """The commit that a run was made on; None where no record tells."""
    commit = value_of(record.code, "commit") if record is not None else None
    return CommitId(commit) if isinstance(commit, str) and is_full_id(commit) else None


def _hold(held: dict[str, _Value], name: str, value: _Value) -> None:
    """Hold what is known of a commit or its code, in place of what was known first."""
    if len(held) >= _HELD:
        del held[next(iter(held))]
    held[name] = value


def _beside(owner: Owner, lock: str) -> bool:
    return os.path.dirname(owner.relpath) == os.path.dirname(lock)


def _digest(value: Any) -> str:
    return digest(canonical({"value": value}))
