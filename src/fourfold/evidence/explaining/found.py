"""What the runs behind two results differ in, each thing once; what only follows from it is left out.

What one run read otherwise because an earlier one wrote it otherwise is no cause, but a way by which causes
lead on (`Found.ways`). Which cause is why, and how likely, is judged elsewhere. Pure.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from fourfold.evidence.explaining.explanation import Cause, Result, listed
from fourfold.evidence.explaining.pairing import MOST, Pair, Place, pairs_of
from fourfold.evidence.lineage import Lineage, Step, identity
from fourfold.evidence.parting import prefix_of, seed_parameter
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord
from fourfold.runs.changes import Change, Part, mapping, opened, rows_of, saw_all, value_of
from fourfold.runs.diff import compare
from fourfold.runs.diff_files import CodeFiles

_POINTER = ".dvc"
_ORDER = {name: at for at, name in enumerate((*COORDINATES, "trace", "outcome"))}
#: What tells one change from another.
Key = tuple[str, ...]


class _Made(NamedTuple):
    """Who wrote what one run read, and what of it nobody did.

    Attributes:
        by: Runs by path; of a folder that several filled, all of them.
        left: Files of such folders that no run wrote, by path: what names their content.
    """

    by: Mapping[str, frozenset[RunId]]
    left: Mapping[str, Mapping[str, str]]


class Found:
    """What all the pairs of runs say.

    Args:
        a: The one result.
        b: The other.
        part: Reads a part.
        files: Lists the code tree of a run; None where there is no Git.

    Attributes:
        pairs: In the order in which they run.
        results: What came out otherwise, with the pair of runs that it came out of.
        otherwise: Places whose results are otherwise.
        touched: The places that a cause touches, by its key.
        ways: From a place to those whose changed results it read.
        unsteady: Stages of which nothing moved, and that made something else all the same.
        unknown: What is not known, in sentences.
        drawn: Causes that are seeds which were drawn anew.
    """

    def __init__(self, a: Lineage, b: Lineage, part: Part, files: CodeFiles | None) -> None:
        self.pairs = pairs_of(a, b)
        self.results: list[tuple[Pair, Result]] = []
        self.otherwise: set[Place] = set()
        self.touched: dict[Key, list[Pair]] = {}
        self.ways: dict[Place, set[Place]] = {}
        self.unsteady: list[str] = []
        self.unknown: list[str] = []
        self.drawn: set[Key] = set()
        #: Files of parameters, and parameters, that only give the seed.
        self._given: set[str] = set()
        self._causes: dict[Key, Cause] = {}
        self._sides = a, b
        self._read = _read_by_any(a, b, part)
        self._runs = tuple({step.run for step in each.steps} for each in (a, b))
        if len(self.pairs) >= MOST:
            self.unknown.append(
                f"too many runs stand behind these results: {MOST:,} pairs of them were compared"
            )
        self._at: tuple[dict[str, list[Pair]], ...] = ({}, {})
        for pair in self.pairs:
            for side, run in enumerate(pair.place):
                self._at[side].setdefault(run, []).append(pair)
        for pair in self.pairs:
            if pair.first is None or pair.second is None:
                self._lonely(pair)
            elif pair.both is not None:
                self._add(pair, pair.both, part, files)

    def of(self, kind: str) -> list[Cause]:
        """The changes of one kind, by coordinate."""
        moved = {
            (each.coordinate, each.change.name)
            for each in self._causes.values()
            if each.change.kind == "moved"
        }
        found = (cause for cause in self._causes.values() if cause.change.kind == kind)
        return sorted(
            (cause for cause in found if kind == "moved" or not self._is_told(cause, moved)), key=place_of
        )

    def _is_told(self, cause: Cause, moved: set[tuple[str, str]]) -> bool:
        """Whether what one run did not read, or what says nothing, is told by what another one did."""
        name = cause.change.name
        if (cause.coordinate, name) in moved or name in self._given:
            return True
        if cause.change.kind != "unread":
            return False
        return (cause.coordinate == "code" and name in self._read) or any(
            other.startswith(f"{name}:") for _, other in moved
        )

    def _add(self, pair: Pair, both: tuple[Step, Step], part: Part, files: CodeFiles | None) -> None:
        """Compare the runs of one place."""
        one, two = both[0].record, both[1].record
        made = _made(both[0], self._runs[0]), _made(both[1], self._runs[1])
        changes = _inside_of_folders(compare(one, two, part, files), prefix_of(two), *made)
        seeds = {seed_parameter(one), seed_parameter(two)}
        seed = seeds.pop() if len(seeds) == 1 and _is_reseeded(changes) else None
        # The parameter that gives the seed is told as that; of another stage it is a parameter.
        given = {seed[0], ":".join(seed)} if seed is not None else set()
        self._given |= given
        if not (saw_all(one) and saw_all(two)):  # it may have read whatever was there
            for side in (0, 1):
                self._lead(pair, side, {run for runs in made[side].by.values() for run in runs})
        moved = followed = False
        for change in changes:
            if change.kind == "result":
                self.results.append((pair, Result(pair.stage, change)))
                self.otherwise.add(pair.place)
            elif change.coordinate in {"code", "data"} and self._follows(pair, change, made):
                followed = followed or change.kind == "moved"
            elif change.name not in given:
                drawn = change.coordinate == "randomness" and _is_drawn(change, one, two)
                moved = moved or (change.kind == "moved" and not drawn)
                self._note(pair, change, drawn=drawn)
        if pair.place in self.otherwise and not moved and not followed:
            self.unsteady.append(pair.stage)
            self.unknown += _unseeded(pair.stage, two)

    def _follows(self, pair: Pair, change: Change, made: tuple[_Made, _Made]) -> bool:
        """Whether a change only says that earlier runs wrote something else; the way is noted."""
        runs = [side.by.get(change.name) for side in made]
        lacks = [
            by is None and not _has(step, change.name)
            for by, step in zip(runs, (pair.first, pair.second), strict=True)
        ]
        if any(by is None and not lack for by, lack in zip(runs, lacks, strict=True)) or all(lacks):
            return False
        if any(lacks):
            # Only one side has it: where the stage that wrote it is only there, too, that is what is told.
            side = lacks.index(False)
            writers = [writer for run in runs[side] or () for writer in self._at[side][run]]
            if any(writer.first is not None and writer.second is not None for writer in writers):
                return False
        if change.kind == "moved":
            for side in (0, 1):
                self._lead(pair, side, runs[side] or ())
        return True

    def _lead(self, pair: Pair, side: int, runs: Iterable[RunId]) -> None:
        ways = self.ways.setdefault(pair.place, set())
        for run in runs:
            ways |= {writer.place for writer in self._at[side].get(run, ()) if writer.place != pair.place}

    def _lonely(self, pair: Pair) -> None:
        """A stage that only one side has: new, gone, or its run was never recorded."""
        side = 0 if pair.second is None else 1
        step, other = (pair.first, pair.second)[side], self._sides[1 - side]
        assert step is not None  # noqa: S101 - one of them is there
        wrote = {row["path"] for row in rows_of(step.record, "outputs")}
        raw = other.raw_inputs()
        used = {path for path in raw if path in wrote or any(each.startswith(path + "/") for each in wrote)}
        self.otherwise.add(pair.place)
        self._lead(pair, side, {run for runs in _made(step, self._runs[side]).by.values() for run in runs})
        if used:
            self.unknown.append(
                f"which run wrote {listed(sorted(used))} of the {'second' if side == 0 else 'first'} result"
                f" is not known: {pair.stage} cannot be compared"
            )
            return
        command = "\n".join(step.record.command)
        before, after = (None, command) if side else (command, None)
        note = "new" if side else "gone"
        self._note(pair, Change("code", f"stage {pair.stage}", before, after, "moved", note))

    def _note(self, pair: Pair, change: Change, *, drawn: bool = False) -> None:
        key = key_of(change)
        known = self._causes.get(key)
        self.touched.setdefault(key, []).append(pair)
        if drawn:
            self.drawn.add(key)
        if known is None:
            self._causes[key] = Cause(change.coordinate, (pair.stage,), change)
        elif pair.stage not in known.stages:
            self._causes[key] = known._replace(stages=(*known.stages, pair.stage))


def place_of(cause: Cause) -> int:
    """Where the coordinate of a cause stands in their order."""
    return _ORDER.get(cause.coordinate, len(_ORDER))


def key_of(change: Change) -> Key:
    """What tells a change from others: the same one may touch several stages."""
    return change.coordinate, change.name, repr(change.before), repr(change.after), change.kind


def _read_by_any(a: Lineage, b: Lineage, part: Part) -> set[str]:
    """Files of code that some run of the two lineages read, from the root of the repository."""
    found: set[str] = set()
    for step in (*a.steps, *b.steps):
        files = mapping(value_of(step.record.code, "sources")).get("files")
        found |= set(mapping(mapping(opened(files, part)).get("files")))
    return found


# --- what follows from what -------------------------------------------------------------------------------


def _made(step: Step, runs: set[RunId]) -> _Made:
    by = {path: frozenset({run}) for path, run in step.used_by.items() if run in runs}
    by |= {path: frozenset({run}) for path, run in step.made_by.items()}
    left: dict[str, Mapping[str, str]] = {}
    for folder, filled in step.filled.items():
        by[folder] = frozenset(filled.made_by.values())
        left[folder] = {path: identity(row) for path, row in filled.left.items()}
    return _Made(by, left)


def _inside_of_folders(changes: Iterable[Change], prefix: str, first: _Made, second: _Made) -> list[Change]:
    """Changes; with those of folders that several runs filled, what changed in these that no run wrote."""
    every = list(changes)
    told = {change.name.removeprefix(prefix) for change in every if change.coordinate == "code"}
    for change in list(every):
        one, two = (side.left.get(change.name) for side in (first, second))
        if change.coordinate == "data" and one is not None and two is not None:
            every += [
                Change("data", path, one.get(path), two.get(path), change.kind, _note_of(path, one, two))
                for path in sorted({*one, *two} - told)
                if one.get(path) != two.get(path)
            ]
    # What a pointer names is told, where it changed, and not the pointer.
    data = {change.name for change in every if change.coordinate == "data"}
    return [
        change
        for change in every
        if change.coordinate != "code"
        or not change.name.endswith(_POINTER)
        or change.name.removeprefix(prefix).removesuffix(_POINTER) not in data
    ]


def _note_of(path: str, one: Mapping[str, str], two: Mapping[str, str]) -> str:
    if path not in one:
        return "was not there"
    return "is not there" if path not in two else ""


def _has(step: Step | None, path: str) -> bool:
    """Whether a run read a path, as far as is known."""
    if step is None:
        return False
    reads = mapping(value_of(step.record.trace, "undeclared_reads")).get("files")
    rows = [*rows_of(step.record, "inputs"), *(reads if isinstance(reads, list) else ())]
    return any(isinstance(row, Mapping) and row.get("path") == path for row in rows)


# --- randomness -------------------------------------------------------------------------------------------


def _unseeded(stage: str, record: RunRecord) -> list[str]:
    """Where a run had randomness from that no seed reaches, in a sentence."""
    entries = [value_of(record.randomness, name) for name in ("unseeded", "entropy")]
    found = [entry for rows in entries if isinstance(rows, list) for entry in rows]
    places = [f"{mapping(entry).get('what', '?')} in {mapping(entry).get('at', '?')}" for entry in found]
    return [f"{stage} draws randomness that no seed reaches: {listed(places[:3])}"] if places else []


def _is_reseeded(changes: Iterable[Change]) -> bool:
    return any(change.coordinate == "randomness" and change.name == "seed" for change in changes)


def _is_drawn(change: Change, a: RunRecord, b: RunRecord) -> bool:
    """Whether nobody chose the seeds that differ: each run draws its own."""
    if change.name.partition(".")[0] not in {"seed", "hash_seed", "derivation", "injected"}:
        return False
    seeds = [record.randomness.get("seed") for record in (a, b)]
    return all(seed is None or seed.grade != "declared" for seed in seeds)
