"""Why two results differ: the changes of all the runs behind them, each once, and no consequence as a cause.

The runs behind each result are known by content (`lineage`); those of the same stage are compared, and what
one of them read otherwise only because an earlier one wrote it otherwise is taken out. What remains are the
causes: looked into (`examine` for data, `codechanges` for code) and ordered (`ranking`). Nothing is run, and
nothing is blamed where only results moved. How much each cause did is measured by `attribute`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from fourfold.evidence.explaining.codechanges import CodeChange, Codes
from fourfold.evidence.explaining.examine import Examiner, Looked
from fourfold.evidence.explaining.explanation import Cause, Explanation, Moved, Result, listed
from fourfold.evidence.explaining.harms import Harm
from fourfold.evidence.explaining.lastgood import Noise
from fourfold.evidence.explaining.ranking import DRAWN, Seen, kind_of, suspicion
from fourfold.evidence.explaining.tables import TableChange
from fourfold.evidence.lineage import Lineage, Step, metrics_of
from fourfold.evidence.parting import seed_parameter
from fourfold.formats.native.record import COORDINATES, RunRecord
from fourfold.runs.changes import Change, Part, mapping, opened, rows_of, value_of
from fourfold.runs.diff import compare
from fourfold.runs.diff_files import CodeFiles
from fourfold.runs.words import short

#: Outputs that are no data for a later stage.
_NO_DATA = frozenset({"metric", "plot"})
_ORDER = {name: at for at, name in enumerate((*COORDINATES, "trace", "outcome"))}


class Pair(NamedTuple):
    """The two runs of one stage; one of them None where a side has none."""

    stage: str
    first: Step | None
    second: Step | None


def explain(
    a: Lineage,
    b: Lineage,
    part: Part,
    code_files: CodeFiles | None = None,
    *,
    codes: Codes | None = None,
    examiner: Examiner | None = None,
    metric: str | None = None,
    goals: Mapping[str, str] | None = None,
    noise: Callable[[str], Noise] | None = None,
) -> Explanation:
    """Say what moved between two results, and what of it is most likely why.

    Args:
        a: The one, with all that it stands on.
        b: The other.
        part: Reads a part.
        code_files: Lists the code tree of a run; None where there is no Git.
        codes: Looks into files of code; None to say only which changed.
        examiner: Looks into data; likewise.
        metric: The one that is asked about, by its whole name.
        goals: The metrics that somebody set a goal for, by name: these come before others.
        noise: Says how far a metric moves by itself; asked about the first of them.
    """
    files = _once(code_files) if code_files is not None else None
    found = _Found(_read_by_any(a, b, part))
    pairs = _pairs(a, b)
    for pair in pairs:
        found.add(pair, a, b, part, files)
    inside = _Inside(pairs, found, codes, examiner)
    inside.look(a, b)
    reach = _Reach(b, found.otherwise)
    causes = [inside.judged(cause, reach) for cause in found.of("moved")]
    metrics = _metrics(a, b, part, metric, goals or {})
    if metrics and metrics[0].by and noise is not None:
        width, repeats = noise(metrics[0].name)
        metrics[0] = metrics[0]._replace(noise=width, repeats=repeats)
    return Explanation(
        a.last.run,
        b.last.run,
        (name_of(a.last.record), name_of(b.last.record)),
        tuple(sorted(causes, key=lambda cause: (-cause.score, _place(cause), cause.change.name))),
        tuple(found.of("unread")),
        tuple(found.results),
        tuple(found.of("aside")),
        tuple(metrics),
        metric is not None,
        tuple(found.unsteady),
        tuple(dict.fromkeys(found.unknown)),
        tuple(inside.made),
    )


def name_of(record: RunRecord) -> str:
    """What a run is called here: its stage, or the beginning of its command."""
    return record.stage or short("; ".join(record.command), 40)


def _place(cause: Cause) -> int:
    return _ORDER.get(cause.coordinate, len(_ORDER))


def _once(code_files: CodeFiles) -> CodeFiles:
    """The same, each tree listed once: the runs of a lineage mostly share theirs."""
    known: dict[str, Mapping[str, str]] = {}

    def listed_once(record: RunRecord) -> Mapping[str, str]:
        tree = str(value_of(record.code, "tree"))
        if tree not in known:
            known[tree] = code_files(record)
        return known[tree]

    return listed_once


def _pairs(a: Lineage, b: Lineage) -> list[Pair]:
    """The runs of each stage: what only the first side has, then all of the second in their order."""
    first = {name_of(step.record): step for step in a.steps}
    second = {name_of(step.record): step for step in b.steps}
    names = [name for name in first if name not in second] + list(second)
    return [Pair(name, first.get(name), second.get(name)) for name in names]


def _read_by_any(a: Lineage, b: Lineage, part: Part) -> set[str]:
    """Files of code that some run of the two lineages read, from the root of the repository."""
    found: set[str] = set()
    for step in (*a.steps, *b.steps):
        files = mapping(value_of(step.record.code, "sources")).get("files")
        found |= set(mapping(mapping(opened(files, part)).get("files")))
    return found


def _moved(cause: Cause) -> bool:
    return cause.change.kind == "moved"


class _Found:
    """What all the pairs of runs say, each thing once."""

    def __init__(self, read: set[str]) -> None:
        self._read = read
        self._causes: dict[tuple[str, ...], Cause] = {}
        self.results: list[Result] = []
        self.unsteady: list[str] = []
        self.unknown: list[str] = []
        #: Stages whose results are otherwise.
        self.otherwise: set[str] = set()
        #: Seeds that were drawn anew.
        self.drawn: set[tuple[str, ...]] = set()
        #: Files of parameters, and parameters, that only give the seed.
        self.given: set[str] = set()

    def of(self, kind: str) -> list[Cause]:
        """The changes of one kind, by coordinate."""
        moved = {(each.coordinate, each.change.name) for each in self._causes.values() if _moved(each)}
        found = (cause for cause in self._causes.values() if cause.change.kind == kind)
        return sorted(
            (cause for cause in found if kind == "moved" or not self._is_told(cause, moved)), key=_place
        )

    def _is_told(self, cause: Cause, moved: set[tuple[str, str]]) -> bool:
        """Whether what one run did not read, or what says nothing, is told by what another one did."""
        name = cause.change.name
        if (cause.coordinate, name) in moved or name in self.given:
            return True
        if cause.change.kind != "unread":
            return False
        return (cause.coordinate == "code" and name in self._read) or any(
            other.startswith(f"{name}:") for _, other in moved
        )

    def add(self, pair: Pair, a: Lineage, b: Lineage, part: Part, files: CodeFiles | None) -> None:
        """Compare one stage."""
        if pair.first is None or pair.second is None:
            self._lonely(pair, a, b)
            return
        if pair.first.run == pair.second.run:
            return
        one, two = pair.first.record, pair.second.record
        made = _made(pair.first, a), _made(pair.second, b)
        changes = compare(one, two, part, files)
        seeds = {seed_parameter(one), seed_parameter(two)}
        seed = seeds.pop() if len(seeds) == 1 and _is_reseeded(changes) else None
        if seed is not None:  # the parameter that gives the seed is told as that
            self.given |= {seed[0], ":".join(seed)}
        moved = followed = False
        for change in changes:
            if change.kind == "result":
                self.results.append(Result(pair.stage, change))
                self.otherwise.add(pair.stage)
            elif change.coordinate == "data" and _follows(change, *made):
                followed = followed or change.kind == "moved"
            elif change.name not in self.given:
                drawn = change.coordinate == "randomness" and _is_drawn(change, one, two)
                moved = moved or (change.kind == "moved" and not drawn)
                self._note(pair.stage, change, drawn=drawn)
        if pair.stage in self.otherwise and not moved and not followed:
            self.unsteady.append(pair.stage)
            self.unknown += _unseeded(pair.stage, two)

    def _lonely(self, pair: Pair, a: Lineage, b: Lineage) -> None:
        """A stage that only one side has: new, gone, or its run was never recorded."""
        is_new = pair.second is not None
        step, other = (pair.second, a) if is_new else (pair.first, b)
        assert step is not None  # noqa: S101 - one of them is there
        used = {row["path"] for row in rows_of(step.record, "outputs")} & set(other.raw_inputs())
        self.otherwise.add(pair.stage)
        if used:
            self.unknown.append(
                f"which run wrote {listed(sorted(used))} of the {'first' if other is a else 'second'} result"
                f" is not recorded: {pair.stage} cannot be compared"
            )
            return
        command = "\n".join(step.record.command)
        before, after = (None, command) if is_new else (command, None)
        note = "new" if is_new else "gone"
        self._note(pair.stage, Change("code", f"stage {pair.stage}", before, after, "moved", note))

    def _note(self, stage: str, change: Change, *, drawn: bool = False) -> None:
        key = _key(change)
        known = self._causes.get(key)
        if drawn:
            self.drawn.add(key)
        if known is None:
            self._causes[key] = Cause(change.coordinate, (stage,), change)
        elif stage not in known.stages:
            self._causes[key] = known._replace(stages=(*known.stages, stage))

    def is_drawn(self, cause: Cause) -> bool:
        """Whether a cause is a seed that was drawn anew, as for each run."""
        change = cause.change
        return _key(change) in self.drawn


def _key(change: Change) -> tuple[str, ...]:
    return change.coordinate, change.name, repr(change.before), repr(change.after), change.kind


def _made(step: Step, lineage: Lineage) -> set[str]:
    """What a run read that another run of its lineage made."""
    others = [other.record for other in lineage.steps if other is not step]
    outputs = {row["path"] for record in others for row in rows_of(record, "outputs")}
    return {*step.made_by, *outputs}


def _follows(change: Change, first: set[str], second: set[str]) -> bool:
    """Whether a change of data only says that earlier runs made something else."""
    return change.name in first and change.name in second


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


class _Reach:
    """Which stages' results lead to the last one, and over how many others."""

    def __init__(self, b: Lineage, otherwise: set[str]) -> None:
        self._otherwise = otherwise
        self._distance = {name_of(b.last.record): 0}
        names = {step.run: name_of(step.record) for step in b.steps}
        for step in reversed(b.steps):
            at = self._distance.get(names[step.run], 0)
            for maker in step.made_by.values():
                if maker in names:
                    near = self._distance.get(names[maker])
                    self._distance[names[maker]] = min(at + 1, near) if near is not None else at + 1

    def of(self, stages: Sequence[str]) -> tuple[bool, int]:
        """Whether one of the stages made something else, and how far the nearest is from the end."""
        effective = [stage for stage in stages if stage in self._otherwise]
        distances = [self._distance.get(stage, 0) for stage in effective or stages]
        return bool(effective), min(distances, default=0)


# --- what is inside ---------------------------------------------------------------------------------------


class _Inside:
    """What is inside of the things that changed: lines and functions, rows and columns, and known harms."""

    def __init__(
        self, pairs: Sequence[Pair], found: _Found, codes: Codes | None, examiner: Examiner | None
    ) -> None:
        self._pairs = {pair.stage: pair for pair in pairs}
        self._found = found
        self._codes = codes
        self._examiner = examiner
        self._code: dict[str, CodeChange] = {}
        self._data: dict[str, Looked] = {}
        #: Harms by what they are about: those that a stage wrote are its causes'.
        self._harms: dict[str, list[Harm]] = {}
        self.made: list[tuple[str, TableChange]] = []

    def look(self, a: Lineage, b: Lineage) -> None:
        """Look at all that changed."""
        causes = self._found.of("moved")
        if self._codes is not None:
            self._look_at_code([cause for cause in causes if kind_of(cause.change) == "code"])
        if self._examiner is None:
            return
        self._examiner.learn(b, a)
        raw = [cause for cause in causes if kind_of(cause.change) in {"rows", "undeclared"}]
        known: set[tuple[str, str]] = set()
        for cause in raw:
            one, two = self._records(cause.stages[0])
            looked = self._data[cause.change.name] = self._examiner.look(one, two, cause.change.name)
            known |= {(harm.kind, harm.about) for harm in looked.harms}
        overlaps = self._examiner.overlaps(a, b)
        for path in [path for path in overlaps if path in self._data]:
            looked = self._data[path]
            self._data[path] = looked._replace(harms=(*looked.harms, *overlaps[path]))
        for pair in self._pairs.values():
            if pair.first is None or pair.second is None or pair.first.run == pair.second.run:
                continue
            rows = rows_of(pair.second.record, "outputs")
            data = {row["path"] for row in rows if row.get("role") not in _NO_DATA}
            for result in self._found.results:
                path = result.change.name
                if result.stage == pair.stage and path in data and result.change.before:
                    looked = self._examiner.look(pair.first.record, pair.second.record, path)
                    self.made += [(pair.stage, table) for table in looked.tables]
                    fresh = [harm for harm in looked.harms if (harm.kind, harm.about) not in known]
                    known |= {(harm.kind, harm.about) for harm in fresh}
                    self._harms.setdefault(pair.stage, []).extend([*fresh, *overlaps.get(path, ())])

    def _records(self, stage: str) -> tuple[RunRecord, RunRecord]:
        pair = self._pairs[stage]
        assert pair.first is not None and pair.second is not None  # noqa: S101, PT018 - data of both moved
        return pair.first.record, pair.second.record

    def _look_at_code(self, causes: Sequence[Cause]) -> None:
        by_stage: dict[str, dict[str, tuple[object, object]]] = {}
        for cause in causes:
            pair = self._pairs[cause.stages[0]]
            if pair.first is not None and pair.second is not None and ":" not in cause.change.name:
                sides = (cause.change.before, cause.change.after)
                by_stage.setdefault(cause.stages[0], {})[cause.change.name] = sides
        for stage, files in by_stage.items():
            if self._codes is not None:
                self._code |= self._codes.look(*self._records(stage), files)

    def judged(self, cause: Cause, reach: _Reach) -> Cause:
        """A cause with its score, and what is known of its inside."""
        kind, name = kind_of(cause.change), cause.change.name
        code = self._code.get(name) if kind == "code" else None
        data = self._data.get(name) if kind in {"rows", "undeclared"} else None
        reaches, distance = reach.of(cause.stages)
        harms = list(data.harms) if data is not None else []
        harms += [harm for stage in cause.stages for harm in self._written(stage, kind)]
        told = code.told if code is not None else data.told if data is not None else ""
        cosmetic = code is not None and code.cosmetic
        why_not = "only comments, docstrings or layout changed" if cosmetic else ""
        if self._found.is_drawn(cause):
            why_not = DRAWN
        seen = Seen(
            cause.stages,
            distance,
            reaches,
            share=code.share if code is not None else data.share if data is not None else None,
            size=told,
            harms=tuple(harm.told for harm in harms),
            cosmetic=why_not,
        )
        score, why = suspicion(cause.change, seen)
        return cause._replace(
            score=score,
            why=why,
            told=told,
            harm=harms[0].told if harms else "",
            commits=code.commits if code is not None else (),
            tables=data.tables if data is not None else (),
        )

    def _written(self, stage: str, kind: str) -> list[Harm]:
        """Harms in what a stage wrote: of its code and parameters, if one of these moved; else of all."""
        found = self._harms.get(stage, [])
        own = {"code", "command", "parameter"}
        if not found or kind in own:
            return found
        moved = self._found.of("moved")
        blamed = any(stage in cause.stages and kind_of(cause.change) in own for cause in moved)
        return [] if blamed else found


# --- metrics ----------------------------------------------------------------------------------------------


def _metrics(a: Lineage, b: Lineage, part: Part, metric: str | None, goals: Mapping[str, str]) -> list[Moved]:
    """The metrics of all stages on both sides: the one asked about, those with a goal, the farthest."""
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    for lineage, held in ((a, first), (b, second)):
        for step in lineage.steps:
            held.update(metrics_of(step.record, part))

    def order(each: Moved) -> tuple[object, ...]:
        is_goal = each.name in goals or each.name.partition(":")[2] in goals
        counts = all(isinstance(value, int) for value in (each.before, each.after) if value is not None)
        return (each.name != metric, not each.by, not is_goal, counts, -_far(each), each.name)

    found = [Moved(name, first.get(name), second.get(name)) for name in sorted({*first, *second})]
    return sorted(found, key=order)


def _far(each: Moved) -> float:
    """How far a metric moved, as a share of what it was."""
    if each.before is None or each.after is None or each.by is None:
        return 0.0
    most = max(abs(each.before), abs(each.after))
    return abs(each.by) / most if most else 0.0
