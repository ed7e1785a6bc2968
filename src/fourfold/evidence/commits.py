"""What a commit says was run: the runs behind a stage's result, and whether that result still holds there.

``fourfold.lock`` names the run of each stage; where it does not (DVC ran it), the entry of ``dvc.lock`` leads
to the record; where there is none, the metric is read from the file that the entry names. A result holds at a
commit when all that made it is as the commit has it: commands, parameters, source files that were read, data.
Else the commit changed something and nobody ran it. Nothing is run here.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from fourfold.base.errors import FourfoldError, UnsupportedError
from fourfold.content.naming import name_of
from fourfold.content.tree import Tree
from fourfold.evidence.lineage import Lineage, Step, metrics_of
from fourfold.evidence.parting import reads_of, sources_of
from fourfold.evidence.states import Key, State, key_of
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
from fourfold.project.revisions import Parsed, load_revision
from fourfold.runs.changes import value_of
from fourfold.runs.codetree import Outputs, is_written
from fourfold.scm.refs import is_full_id
from fourfold.scm.worktree import FOLDER, listing

if TYPE_CHECKING:
    from fourfold.base.ids import CommitId
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
_BATCH = 200


_Value = TypeVar("_Value")


class NoHistoryHereError(UnsupportedError):
    """Commits were asked for where there is no project with a Git repository."""

    code = "no-history-here"


class Commits:
    """Commits of one project, looked at one after the other; what they share is read once.

    Args:
        place: Of the project.
        records: Its records.

    Raises:
        NoHistoryHereError: it is no project in a Git repository.
    """

    def __init__(self, place: "Place", records: "Records") -> None:
        self._project, self._git = _repository(place)
        self._place = place
        self._records = records
        self._parsed: Parsed = {}
        self._contents: dict[str, bytes] = {}
        self._size = 0
        self._sums: dict[str, str] = {}
        self._known: dict[RunId, RunRecord | None] = {}
        self._entries = {
            one.entry: one.id for one in records.summaries() if one.entry and one.state == "succeeded"
        }
        self._seen: dict[str, Seen] = {}
        self._listed: dict[str, dict[str, str]] = {}
        root, top = self._project.root, self._git.root
        self._prefix = "" if root == top else os.path.relpath(root, top).replace(os.sep, "/") + "/"

    def line(self, good: str, bad: str) -> "tuple[CommitId, ...] | None":
        """The commits from one to another along first parents, oldest first; None where one does not lead."""
        commits = self._git.history(bad, LONGEST)
        if good not in commits:
            return None
        return tuple(reversed(commits[: commits.index(self._git.resolve(good)) + 1]))

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

    def state(self, commit: "CommitId", stage: str, metric: str) -> State:
        """A commit as a state.

        Raises:
            FourfoldError: Git has not all of it.
        """
        title = self._git.commit(commit).message.partition("\n")[0]
        name = commit[:8]
        try:
            seen = self.look(commit)
        except FourfoldError as error:
            return State(name, commit, None, title, None, None, error.message)
        owner = next((owner for owner in seen.stages if owner.addressing == stage), None)
        if owner is None:
            return State(name, commit, None, title, None, None, f"has no stage '{stage}'")
        run = seen.runs.get(stage)
        upstream = [each for each in seen.upstream(owner) if each.is_stage]
        stale = next((why for each in upstream if (why := self._stale(seen, each))), "")
        if stale:
            return State(name, commit, None, title, self._tree_key(seen), None, stale)
        lineage = self._lineage(seen, upstream)
        record = self._record(run) if run else None
        value = metrics_of(record, self._records.part).get(metric) if record else None
        if value is None:
            value = self._in_files(seen, [metric.partition(":")[0]]).get(metric)
        key = key_of(lineage, self._records.part) if lineage else self._locked_key(seen, upstream)
        why = "" if value is not None else f"its lock file names no result with {metric}"
        return State(name, commit, run if record else None, title, key, value, why)

    # -- what a commit has ------------------------------------------------------------------------------

    def look(self, commit: str) -> "Seen":
        """What a commit has.

        Raises:
            FourfoldError: a file of its pipeline cannot be understood, or Git has not all of it.
        """
        if commit not in self._seen:
            tracking = load_revision(self._project, commit, parsed=self._parsed)
            seen = Seen(commit, Moment(self._project, tracking), self._files(commit))
            seen.runs.update(self._runs(seen))
            _hold(self._seen, commit, seen)
        return self._seen[commit]

    def _files(self, commit: str) -> Mapping[str, str]:
        """Git's ids of the files of a commit, by path."""
        if commit not in self._listed:
            found = listing(self._git, self._place.environ, commit)
            _hold(self._listed, commit, {path: entry.oid for path, entry in found if entry.mode != FOLDER})
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
        if oid not in self._contents:
            data = self._git.read_many(seen.commit, [path]).get(path)
            if data is None:
                return None
            self._size += len(data)
            if self._size > _HELD_BYTES:
                self._contents.clear()
                self._size = len(data)
            self._contents[oid] = data
        return self._contents[oid]

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
        if not owner.locked:
            return f"'{owner.addressing}' was never run there"
        if owner.cmd != owner.locked_cmd and list(_lines(owner.cmd)) != list(_lines(owner.locked_cmd)):
            return f"the command of '{owner.addressing}' changed and was not run"
        run = seen.runs.get(owner.addressing)
        record = self._record(run) if run else None
        read = self._sources(record) if record is not None else {}
        for dep in owner.deps:
            path = os.path.relpath(os.path.join(owner.wdir, dep.path), self._project.root).replace(
                os.sep, "/"
            )
            now = seen.outputs.get(path) or self._sum(seen, path)
            if now is None and not any(each.startswith(f"{self._prefix}{path}/") for each in read):
                now = self._sum_of_folder(seen, path)
            if now is not None and dep.oid is not None and now != dep.oid and not dep.legacy:
                return f"'{path}' changed and '{owner.addressing}' was not run"
        moved = self._moved_params(seen, owner)
        if moved:
            return f"{moved} changed and '{owner.addressing}' was not run"
        for path, oid in read.items():
            if oid is not None and path.removeprefix(self._prefix) not in seen.outputs:
                there = seen.files.get(path)
                if there != oid and (there is not None or self._had(record, path)):
                    return f"'{path}' changed and '{owner.addressing}' was not run"
        return ""

    def _sources(self, record: RunRecord) -> Mapping[str, str | None]:
        """The files of Git that a run read, but for those of parameters, which are compared by value."""
        part = self._records.part
        files = reads_of(record, part).files
        return {
            path: oid
            for path, oid in sources_of(record, part).items()
            if path.removeprefix(self._prefix) not in files
        }

    def _had(self, record: RunRecord | None, path: str) -> bool:
        """Whether the commit that a run was made on has a file: what lay there untracked, no commit has."""
        commit = value_of(record.code, "commit") if record is not None else None
        try:
            return isinstance(commit, str) and is_full_id(commit) and path in self._files(commit)
        except FourfoldError:
            return False

    def _sum(self, seen: "Seen", path: str) -> str | None:
        """The MD5 of a file that Git has."""
        oid = seen.files.get(self._prefix + path)
        if oid is None:
            return None
        if oid not in self._sums:
            data = self.content(seen, self._prefix + path)
            if data is None:
                return None
            self._sums[oid] = name_of(data)
        return self._sums[oid]

    def _sum_of_folder(self, seen: "Seen", path: str) -> str | None:
        """The MD5 of a folder whose files Git has, as DVC names it; None where that is not known."""
        above = f"{self._prefix}{path}/"
        inner = {name: oid for name, oid in seen.files.items() if name.startswith(above)}
        if not inner or len(inner) > _MOST_FILES:
            return None
        unknown = [name for name, oid in inner.items() if oid not in self._sums]
        for at in range(0, len(unknown), _BATCH):
            for name, data in self._git.read_many(seen.commit, unknown[at : at + _BATCH]).items():
                self._sums[inner[name]] = name_of(data)
        if not all(oid in self._sums for oid in inner.values()):
            return None  # a submodule lies in it
        return Tree.of((name.removeprefix(above), self._sums[oid]) for name, oid in inner.items()).oid

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
        data = self.content(seen, self._prefix + path.replace(os.sep, "/"))
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
        """The key of a result that no record tells of: by what the lock file says."""
        code = [[owner.addressing, list(_lines(owner.cmd))] for owner in upstream]
        params = [[owner.addressing, owner.params or {}] for owner in upstream]
        sums: dict[str, str] = {}
        data: dict[str, str] = {}
        for owner in upstream:
            for dep in owner.deps:
                path = os.path.relpath(os.path.join(owner.wdir, dep.path), self._project.root)
                if seen.maker(path) is None:
                    (data if path in seen.outputs else sums)[path] = str(dep.oid)
        return Key(_digest([code, sums]), _digest(data), _digest(params), "", "")

    def _tree_key(self, seen: "Seen") -> Key:
        """The key of a version that nobody ran: by everything that the commit has."""
        outputs = Outputs(self._prefix + path for path in seen.outputs)
        code = {
            path: oid
            for path, oid in seen.files.items()
            if not is_written(path) and path not in outputs and not path.endswith(".dvc")
        }
        data = {path: oid for path, oid in seen.outputs.items() if path not in seen.makers}
        return Key(_digest(code), _digest(data), "", "", "")


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


def _hold(held: dict[str, _Value], commit: str, value: _Value) -> None:
    """Hold what is known of a commit, in place of what was known first."""
    if len(held) >= _HELD:
        del held[next(iter(held))]
    held[commit] = value


def _beside(owner: Owner, lock: str) -> bool:
    return os.path.dirname(owner.relpath) == os.path.dirname(lock)


def _lines(command: Any) -> Iterable[str]:
    return [command] if isinstance(command, str) else list(command or ())


def _digest(value: Any) -> str:
    return digest(canonical({"value": value}))
