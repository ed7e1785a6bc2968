"""Moving: which coordinates moved between the last good version and the first bad one.

Where both were run and recorded, that is what explains them, by the same judgement as `ff explain` and
`ff attribute`. Where nobody recorded one of them, its commit tells: the commands, the values of parameters,
and the files that either of the two declares, or that the one with a record was seen to read. A file counts
to code by its name, declared or not, as everywhere. What a commit does not tell, the environment, is not said
to have moved.
"""

import posixpath
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.evidence.attributing.attribute import factors_of
from fourfold.evidence.bisecting.bisect import Found
from fourfold.evidence.commits import Commits, Seen
from fourfold.evidence.explaining.explanation import Explanation
from fourfold.evidence.lineage import Lineage, Makers
from fourfold.evidence.parting import FACTORS, prefix_of, reads_of, seed_parameter
from fourfold.evidence.states import State
from fourfold.formats.dvc.lock import DEFAULT_PARAMS
from fourfold.project.changes import lookup
from fourfold.project.outs import Owner
from fourfold.runs.codesources import is_code
from fourfold.runs.codetree import is_written
from fourfold.runs.data import plain

if TYPE_CHECKING:
    from fourfold.runs.changes import Part
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

_POINTER = ".dvc"


class Explained(NamedTuple):
    """Two versions that were recorded, and why they differ.

    Attributes:
        explanation: Of the two.
        good: The runs behind the one.
        bad: The runs behind the other.
    """

    explanation: Explanation
    good: Lineage
    bad: Lineage


def moved_of(
    place: "Place", records: "Records", found: Found, explained: Explained | None
) -> tuple[str, ...]:
    """The coordinates that moved, as far as they are known: words of `parting.FACTORS`, in their order.

    Args:
        place: Where.
        records: Its records.
        found: What a search found.
        explained: Why the two versions differ; None where one of them was not recorded.

    Raises:
        FourfoldError: Git has not all of a commit, or a file of its pipeline cannot be understood.
    """
    if explained is not None:
        return tuple(factors_of(*explained))
    good, bad = found.last_good, found.first_bad
    if good.commit is None or bad.commit is None or (good.key is not None and good.key == bad.key):
        return ()
    with Commits(place, records) as commits:
        sides = [_Version(commits, records, str(each.commit), found.history.stage) for each in (good, bad)]
        for side, state in zip(sides, (good, bad), strict=True):
            side.add_record(records, state)
        moved = set(_compared(*sides))
    return tuple(name for name in FACTORS if name in moved)


class _Version:
    """What a commit says of a stage and of all that it stands on.

    Attributes:
        commands: Of each stage.
        used: Paths that are declared, and code that was seen to be read; from the root of the repository.
        undeclared: Data that was seen to be read, and that nobody declared.
        wanted: Files and keys of parameters, each with the stage that wants it.
        seeds: Files and keys that give a seed.
    """

    def __init__(self, commits: Commits, records: "Records", commit: str, stage: str) -> None:
        self._commits = commits
        self.seen: Seen = commits.look(commit)
        self._part: Part = records.part
        self._names = sorted(self.seen.files)
        self.commands: dict[str, list[str]] = {}
        self.used: set[str] = set()
        self.undeclared: set[str] = set()
        self.wanted: dict[tuple[str, str], Owner] = {}
        self.seeds: set[tuple[str, str]] = set()
        end = next((owner for owner in self.seen.stages if owner.addressing == stage), None)
        for owner in self.seen.upstream(end) if end is not None else ():
            if owner.is_stage:
                self._add(owner)

    def _add(self, owner: Owner) -> None:
        command = owner.cmd or ""
        self.commands[owner.addressing] = (
            command.splitlines() if isinstance(command, str) else [str(line) for line in command]
        )
        self.used |= {self._commits.shown(owner, dep.path) for dep in owner.deps if "://" not in dep.path}
        for spec in owner.params_wanted:
            file = spec.file or DEFAULT_PARAMS
            values = self._commits.parameters(self.seen, owner, spec.file) or {}
            for key in spec.keys if spec.keys is not None else [str(key) for key in values]:
                self.wanted[self._commits.shown(owner, file), key] = owner

    def add_record(self, records: "Records", state: State) -> None:
        """What the runs of a version were seen to read, where it was recorded."""
        if state.run is None:
            return
        for step in Makers(records).lineage(state.run).steps:
            above = prefix_of(step.record)
            reads = reads_of(step.record, self._part)
            self.used |= set(reads.code)
            self.undeclared |= {
                posixpath.normpath(above + path)
                for path in reads.undeclared
                if not path.startswith(("/", "~/"))
            }
            seed = seed_parameter(step.record)
            if seed is not None:
                self.seeds.add((posixpath.normpath(above + seed[0]), seed[1]))

    def content(self, path: str) -> Mapping[str, str]:
        """What names the content of a file, or of the files of a folder, by path; nothing of what is made."""
        data = self._commits.output(self.seen, path)
        if data is not None:
            return {path: data} if data else {}
        files = {
            name: self.seen.files[name]
            for name in self._at(path)
            if not is_written(name) and not name.endswith(_POINTER)
        }
        return files if path in files else {**files, **self._commits.outputs_in(self.seen, path)}

    def _at(self, path: str) -> list[str]:
        """The file at a path, or the files of the folder there; of the whole repository for its root."""
        if path in self.seen.files:
            return [path]
        if path == ".":
            return self._names
        first, last = (bisect_left(self._names, path + end) for end in ("/", "0"))  # "0" is after "/"
        return self._names[first:last]

    def value(self, owner: Owner, file: str, key: str) -> Any:
        """The value of a parameter."""
        folder = self._commits.shown(owner, "")
        values = self._commits.parameters(self.seen, owner, posixpath.relpath(file, folder or "."))
        return plain(lookup(values or {}, key))


def _compared(good: _Version, bad: _Version) -> Iterable[str]:
    if good.commands != bad.commands:
        yield "code"
    files = {file for side in (good, bad) for file, _ in side.wanted}
    undeclared = good.undeclared | bad.undeclared
    for path in sorted(good.used | bad.used | undeclared):
        before, after = good.content(path), bad.content(path)
        names = before.keys() | after.keys()
        # As of a run: a folder with code in it is code as a whole, but for what was data of the other one.
        is_source = any(map(is_code, names))
        for name in names - files:
            if before.get(name) != after.get(name):
                is_data = not is_code(name) and (name in undeclared or not is_source)
                yield "data" if is_data else "code"
    seeds = good.seeds | bad.seeds
    for parameter in good.wanted.keys() | bad.wanted.keys():
        owner = good.wanted.get(parameter) or bad.wanted[parameter]
        before, after = good.value(owner, *parameter), bad.value(owner, *parameter)
        if before != after or type(before) is not type(after):
            yield "randomness" if parameter in seeds else "parameters"
