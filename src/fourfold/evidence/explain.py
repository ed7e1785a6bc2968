"""Why two results differ: the changes of all the runs behind them, each once, and no consequence as a cause.

The runs behind each result are known by content (`lineage`); those of the same stage are compared, and what
one of them read otherwise only because an earlier one wrote it otherwise is taken out. What remains are the
causes, ordered by `ranking`. Nothing is run, and nothing is blamed where only results moved. What a table
lost or gained is `tables`; how much each cause did is measured by `attribute`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.evidence.lineage import Lineage, Step, metrics_of
from fourfold.evidence.ranking import HARMLESS, Seen, is_digest, suspicion
from fourfold.formats.native.record import COORDINATES, RunId, RunRecord
from fourfold.runs.changes import Change, Part, rows_of, value_of
from fourfold.runs.diff import compare
from fourfold.runs.diff_files import CodeFiles
from fourfold.runs.words import short, value_text


class Cause(NamedTuple):
    """Something that moved and that no earlier run of ours made.

    Attributes:
        coordinate: ``code``, ``data``, ``environment`` or ``randomness``.
        stages: What it touches, in the order in which they run.
        change: What moved, from what to what.
        score: How suspicious it is, from 0 to 1; the causes of an explanation are sorted by it.
        why: What made the score, in words.
        told: What changed inside, in words, where that is known: ``1,204 rows (12 %) are gone``.
    """

    coordinate: str
    stages: tuple[str, ...]
    change: Change
    score: float = 0.0
    why: tuple[str, ...] = ()
    told: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            **self.change.document(),
            "stages": list(self.stages),
            "score": self.score,
            "why": list(self.why),
        }


class Result(NamedTuple):
    """Something that came out otherwise.

    Attributes:
        stage: Of what.
        change: What.
    """

    stage: str
    change: Change


class Moved(NamedTuple):
    """A metric on both sides.

    Attributes:
        name: ``FILE:NAME``.
        before: None where the first run has none.
        after: None where the second run has none.
    """

    name: str
    before: float | None
    after: float | None

    @property
    def by(self) -> float | None:
        """How far it moved."""
        return None if self.before is None or self.after is None else self.after - self.before


class Explanation(NamedTuple):
    """Two results explained.

    Attributes:
        first: The run of the one.
        second: The run of the other.
        causes: What moved, the most suspicious first.
        unread: What changed and was read by none of the runs.
        results: What came out otherwise, stage by stage.
        aside: What says nothing about results.
        metrics: All that both lineages measured, that moved first.
        unsteady: Stages of which nothing moved, and that made something else all the same.
        unknown: What is not known, in sentences.
    """

    first: RunId
    second: RunId
    causes: tuple[Cause, ...]
    unread: tuple[Cause, ...]
    results: tuple[Result, ...]
    aside: tuple[Cause, ...]
    metrics: tuple[Moved, ...]
    unsteady: tuple[str, ...]
    unknown: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "a": self.first,
            "b": self.second,
            "causes": [cause.document() for cause in self.causes],
            "unread": [cause.document() for cause in self.unread],
            "results": [{**each.change.document(), "stage": each.stage} for each in self.results],
            "metrics": [
                {"name": each.name, "before": each.before, "after": each.after, "by": each.by}
                for each in self.metrics
            ],
            "unsteady": list(self.unsteady),
            "unknown": list(self.unknown),
            "asides": [cause.document() for cause in self.aside],
        }


class _Pair(NamedTuple):
    """The two runs of one stage; one of them None where a side has none."""

    stage: str
    first: Step | None
    second: Step | None


def explain(a: Lineage, b: Lineage, part: Part, code_files: CodeFiles | None = None) -> Explanation:
    """Say what moved between two results.

    Args:
        a: The one, with all that it stands on.
        b: The other.
        part: Reads a part.
        code_files: Lists the code tree of a run; None where there is no Git.
    """
    files = _once(code_files) if code_files is not None else None
    found = _Found()
    for pair in _pairs(a, b):
        found.add(pair, a, b, part, files)
    reach = _Reach(b, found)
    return Explanation(
        a.last.run,
        b.last.run,
        tuple(_ranked(found.of("moved"), reach)),
        tuple(found.of("unread")),
        tuple(found.results),
        tuple(found.of("aside")),
        tuple(_metrics(a, b, part)),
        tuple(found.unsteady),
        tuple(dict.fromkeys(found.unknown)),
    )


def name_of(record: RunRecord) -> str:
    """What a run is called here: its stage, or the beginning of its command."""
    return record.stage or short("; ".join(record.command), 40)


def _once(code_files: CodeFiles) -> CodeFiles:
    """The same, each tree listed once: the runs of a lineage mostly share theirs."""
    known: dict[str, Mapping[str, str]] = {}

    def listed(record: RunRecord) -> Mapping[str, str]:
        tree = str(value_of(record.code, "tree"))
        if tree not in known:
            known[tree] = code_files(record)
        return known[tree]

    return listed


def _pairs(a: Lineage, b: Lineage) -> list[_Pair]:
    """The runs of each stage: what only the first side has, then all of the second in their order."""
    first = {name_of(step.record): step for step in a.steps}
    second = {name_of(step.record): step for step in b.steps}
    names = [name for name in first if name not in second] + list(second)
    return [_Pair(name, first.get(name), second.get(name)) for name in names]


class _Found:
    """What all the pairs of runs say, each thing once."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, ...], Cause] = {}
        self.results: list[Result] = []
        self.unsteady: list[str] = []
        self.unknown: list[str] = []
        #: Stages whose outputs are otherwise.
        self.otherwise: set[str] = set()

    def of(self, kind: str) -> list[Cause]:
        """The changes of one kind, by coordinate."""
        found = [cause for cause in self._causes.values() if cause.change.kind == kind]
        order = {name: at for at, name in enumerate((*COORDINATES, "trace", "outcome"))}
        return sorted(found, key=lambda cause: order.get(cause.coordinate, len(order)))

    def add(self, pair: _Pair, a: Lineage, b: Lineage, part: Part, files: CodeFiles | None) -> None:
        """Compare one stage."""
        if pair.first is None or pair.second is None:
            self._lonely(pair, a, b)
            return
        if pair.first.run == pair.second.run:
            return
        made = _made(pair.first, a), _made(pair.second, b)
        moved = followed = False
        results = []
        for change in compare(pair.first.record, pair.second.record, part, files):
            if change.kind == "result":
                results.append(Result(pair.stage, change))
            elif change.kind == "moved" and change.coordinate == "data" and _follows(change, *made):
                followed = True
            else:
                moved = moved or change.kind == "moved"
                self._note(pair.stage, change)
        self.results += results
        if results:
            self.otherwise.add(pair.stage)
            if not moved and not followed:
                self.unsteady.append(pair.stage)

    def _lonely(self, pair: _Pair, a: Lineage, b: Lineage) -> None:
        """A stage that only one side has: new, gone, or its run was never recorded."""
        step, other = (pair.second, a) if pair.second is not None else (pair.first, b)
        assert step is not None  # noqa: S101 - one of them is there
        outputs = {row["path"] for row in rows_of(step.record, "outputs")}
        used = outputs & set(other.raw_inputs())
        self.otherwise.add(pair.stage)
        if used:
            which = "first" if other is a else "second"
            self.unknown.append(
                f"which run wrote {', '.join(sorted(used))} of the {which} result is not recorded:"
                f" {pair.stage} cannot be compared"
            )
            return
        is_new = pair.second is not None
        command = "\n".join(step.record.command)
        change = Change(
            "code",
            f"stage {pair.stage}",
            None if is_new else command,
            command if is_new else None,
            "moved",
            "new" if is_new else "gone",
        )
        self._note(pair.stage, change)

    def _note(self, stage: str, change: Change) -> None:
        key = (change.coordinate, change.name, repr(change.before), repr(change.after))
        known = self._causes.get(key)
        if known is None:
            self._causes[key] = Cause(change.coordinate, (stage,), change)
            return
        # One run may have used what another one did not.
        weight = ("moved", "unread", "aside")
        if weight.index(known.change.kind) < weight.index(change.kind):
            return
        if known.change.kind != change.kind:
            self._causes[key] = Cause(change.coordinate, (stage,), change)
        elif stage not in known.stages:
            self._causes[key] = known._replace(stages=(*known.stages, stage))


def _made(step: Step, lineage: Lineage) -> set[str]:
    """What a run read that another run of its lineage made."""
    others = [other.record for other in lineage.steps if other is not step]
    outputs = {row["path"] for record in others for row in rows_of(record, "outputs")}
    return {*step.made_by, *outputs}


def _follows(change: Change, first: set[str], second: set[str]) -> bool:
    """Whether a change of data only says that earlier runs made something else."""
    return change.name in first and change.name in second


class _Reach:
    """Which stages' results lead to the last one, and over how many others."""

    def __init__(self, b: Lineage, found: _Found) -> None:
        self._otherwise = found.otherwise
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


def _ranked(causes: Iterable[Cause], reach: _Reach) -> list[Cause]:
    found = []
    for cause in causes:
        reaches, distance = reach.of(cause.stages)
        score, why = suspicion(cause.change, Seen(cause.stages, distance, reaches))
        found.append(cause._replace(score=score, why=why))
    order = {name: at for at, name in enumerate(COORDINATES)}
    return sorted(
        found,
        key=lambda cause: (-cause.score, order.get(cause.coordinate, len(order)), cause.change.name),
    )


def _metrics(a: Lineage, b: Lineage, part: Part) -> list[Moved]:
    """The metrics of all stages on both sides; what moved first, the farthest of it before."""
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    for lineage, held in ((a, first), (b, second)):
        for step in lineage.steps:
            held.update(metrics_of(step.record, part))
    found = [Moved(name, first.get(name), second.get(name)) for name in sorted({*first, *second})]
    return sorted(found, key=lambda each: (-_far(each), each.name))


def _far(each: Moved) -> float:
    """How far a metric moved, as a share of what it was."""
    if each.before is None or each.after is None or each.by is None:
        return 0.0
    most = max(abs(each.before), abs(each.after))
    return abs(each.by) / most if most else 0.0


# --- in words ---------------------------------------------------------------------------------------------


def verdict(found: Explanation, metric: str | None = None) -> str:
    """The explanation in one sentence: what moved how far, and what is most likely why.

    Args:
        found: What is told.
        metric: The one that is asked about, by its whole name; else the one that moved farthest.
    """
    told = _moved(found, metric)
    if not found.results and not found.causes:
        return f"{told}; nothing differs but times" if told else "nothing differs but times"
    effective = [cause for cause in found.causes if cause.score > HARMLESS]
    if effective:
        likely = f"most likely: {_suspect(effective[0])}"
        return f"{told}; {likely}" if told else likely
    result = told or "what came out differs"
    if not found.results:
        return f"{told or 'the results are the same'}; what moved made no difference to them"
    unsteady = f": {_and(found.unsteady)} is not the same twice" if found.unsteady else ""
    return f"{result}; nothing that is recorded moved{unsteady}"


def _moved(found: Explanation, metric: str | None) -> str:
    chosen = next((each for each in found.metrics if metric is None or each.name == metric), None)
    if chosen is None:
        return ""
    if chosen.before is None or chosen.after is None:
        return f"{chosen.name} is in one of the two results only"
    before, after = number(chosen.before), number(chosen.after)
    if chosen.before == chosen.after:
        return f"{chosen.name} is the same ({after})" if metric is not None else ""
    way = "fell" if chosen.after < chosen.before else "rose"
    return f"{chosen.name} {way} by {number(abs(chosen.after - chosen.before))} ({before} -> {after})"


def _suspect(cause: Cause) -> str:
    change = cause.change
    if cause.coordinate == "data" and cause.told:
        return f"{change.name}: {cause.told}"
    told = sides(change)
    return f"{change.name} ({told})" if told else change.name


def _and(names: Sequence[str]) -> str:
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def number(value: float) -> str:
    """A number in few digits."""
    return f"{value:,.4g}" if value % 1 else f"{value:,.0f}"


def sides(change: Change) -> str:
    """A change in few words: ``0.1 -> 0.2``, ``changed``, with its note."""
    if change.before is None and change.after is None:
        return change.note or "changed"
    before, after = (short(value_text(value), 48) for value in (change.before, change.after))
    told = "changed" if before == after or is_digest(change.before, change.after) else f"{before} -> {after}"
    return f"{told}, {change.note}" if change.note else told
