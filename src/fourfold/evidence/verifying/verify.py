"""Verification: a run is repeated, and how alike the results are is said in levels, from the strongest down.

*bitwise*: every output has the same bytes. *canonical*: it means the same, in other bytes. *numeric*: what it
means is within the noise of the run's own repeats. *statistical*: outputs differ, and the metric is
equivalent by a margin that was declared before. Else *different*; or *inconclusive*, where that is not known:
with what would be needed to know. A level holds for all outputs or not at all.

One output is `matching`, noise `tolerance`, a metric `equivalence`; the values are `verdict`.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import ConflictError, UsageError
from fourfold.base.events import Noticed, Sink, silent
from fourfold.evidence.lineage import metrics_of
from fourfold.evidence.replaying.originals import Originals
from fourfold.evidence.replaying.recipe import Changes
from fourfold.evidence.replaying.replay import Replayed, Streams, replay
from fourfold.evidence.replaying.reseeding import seeds_of
from fourfold.evidence.replaying.surroundings import EnvironmentDiffersError
from fourfold.evidence.statistics.inference import FEWEST_PAIRS
from fourfold.evidence.verifying import equivalence
from fourfold.evidence.verifying.matching import Matched, match, match_numbers, weakest
from fourfold.evidence.verifying.tolerance import RISK, factor
from fourfold.evidence.verifying.verdict import (
    LEVELS,
    Asked,
    Level,
    MetricVerdict,
    Noise,
    OutputVerdict,
    Verdict,
)
from fourfold.runs.changes import rows_of

if TYPE_CHECKING:
    from fourfold.evidence.replaying.surroundings import Policy
    from fourfold.formats.native.record import RunId, RunRecord
    from fourfold.runs.place import Place
    from fourfold.runs.store import Records

#: Repeats of a numeric verdict whose number nobody says.
REPEATS = 3
#: More replays than these are a slip of the finger.
MOST = 1000


class NothingToVerifyError(ConflictError):
    """A run has no outputs, or did not succeed: there is nothing that another one could be like."""

    code = "nothing-to-verify"


class Terms(NamedTuple):
    """What is asked, said before anything runs.

    Attributes:
        level: The level.
        repeats: How often the run is repeated as it was; None for as often as the level needs.
        seeds: How many seeds a statistical verdict takes.
        metric: ``FILE:NAME``, or NAME; "" for the only one.
        margin: Which difference of the metric would not matter.
        alpha: The chance to call equivalent what is a margin apart.
        policy: Which environments may be taken.
        unsafe: Whether files that only running them can read may be read so.
        remote: Whether the default remote is asked for what the cache lacks.
        declared: Where the margin was declared: ``code of the run``, or ``when verified``.
    """

    level: Asked = "bitwise"
    repeats: int | None = None
    seeds: int = FEWEST_PAIRS
    metric: str = ""
    margin: float | None = None
    alpha: float = equivalence.ALPHA
    policy: "Policy" = "auto"
    unsafe: bool = False
    remote: bool = True
    declared: str = "when verified"

    @property
    def depth(self) -> int:
        """How far down the levels it goes."""
        return LEVELS.index(self.level)


def verify(
    place: "Place",
    records: "Records",
    run: "RunId",
    terms: Terms = Terms(),  # noqa: B008 - a value, never changed
    *,
    folder: str | None = None,
    streams: Streams = Streams(),  # noqa: B008 - likewise
    events: Sink = silent,
) -> Verdict:
    """Repeat a run as often as it takes, and say how alike the results are.

    Args:
        place: The user's.
        records: Theirs: has the run, and gets the records of its replays.
        run: Which one.
        terms: What is asked.
        folder: Where the worktree of the first replay goes and stays; None for one that goes.
        streams: Where commands speak.
        events: Hears of what is done, and of what cannot be had.

    Raises:
        NothingToVerifyError: the run has no outputs, or did not succeed.
        MarginMissingError, MetricNotFoundError: of a statistical verdict; nothing has run.
        FourfoldError: the run cannot be repeated; as `replay`.
    """
    record = records.get(run)
    _check(terms, record)
    with ExitStack() as stack:
        bench = _Bench(place, records, run, record, terms, streams, events, stack)
        return bench.verdict(folder)


def _check(terms: Terms, record: "RunRecord") -> None:
    if record.outcome.state != "succeeded":
        raise NothingToVerifyError(f"the run did not succeed: {record.outcome.state}")
    if not rows_of(record, "outputs"):
        raise NothingToVerifyError(
            "the run has no outputs", hint="declare what it writes: outs in dvc.yaml, or ff run --out"
        )
    for name, count in (("repeats", terms.repeats), ("seeds", terms.seeds)):
        if count is not None and not 1 <= count <= MOST:
            raise UsageError(f"{name} are from 1 to {MOST}, not {count}")
    if terms.level == "statistical":
        equivalence.check_margin(terms.margin)


class _Bench:
    """One verification: its replays, and what was found so far."""

    def __init__(
        self,
        place: "Place",
        records: "Records",
        run: "RunId",
        record: "RunRecord",
        terms: Terms,
        streams: Streams,
        events: Sink,
        stack: ExitStack,
    ) -> None:
        self._place = place
        self._records = records
        self._run = run
        self._record = record
        self._terms = terms
        self._streams = streams
        self._events = events
        self._stack = stack
        self._originals = stack.enter_context(Originals(place, records, remote=terms.remote, events=events))
        self._metric = (
            equivalence.metric_of(record, records, terms.metric)
            if terms.level == "statistical"
            else ("", 0.0)
        )
        self._replays: list[Replayed] = []
        self._made: list[RunId] = []
        self._reached: dict[str, None] = {}
        self._wrote: dict[str, None] = {}
        self._not_had = ""
        self._tried: list[Asked] = ["bitwise", "canonical"]

    def verdict(self, folder: str | None) -> Verdict:
        """Go down the levels until one holds, or the one that was asked for was looked at."""
        first = self._repeat(folder)
        if (ended := _ended(first)) is not None:
            return self._told("different", ended, self._outputs_of(first))
        wanted = self._terms.repeats or 1
        rows = [self._look(first)]
        while len(rows) < wanted or (len(rows) < self._needed() and not _hold(rows)):
            again = self._repeat(None)
            if (ended := _ended(again)) is not None:
                return self._told("different", f"repeat {len(rows) + 1}: {ended}", self._outputs_of(again))
            rows.append(self._look(again))
        outputs = self._judged(rows)
        level, reason = _folded(outputs)
        if self._terms.level == "statistical" and level in {"different", "inconclusive"}:
            return self._statistical(first, outputs)
        return self._told(level, reason, outputs)

    def _needed(self) -> int:
        return REPEATS if self._terms.level == "numeric" and self._terms.repeats is None else 1

    def _judged(self, rows: Sequence[Sequence[Matched]]) -> tuple[OutputVerdict, ...]:
        outputs = []
        for found in zip(*rows, strict=True):
            said = weakest([each.verdict for each in found])
            if said.level == "different" and self._terms.depth >= LEVELS.index("numeric"):
                said = self._in_numbers(found, said)
            outputs.append(said)
        return tuple(outputs)

    def _in_numbers(self, found: Sequence[Matched], said: OutputVerdict) -> OutputVerdict:
        if len(found) > 1:
            if "numeric" not in self._tried:
                self._tried.append("numeric")
            return match_numbers(found)
        if self._terms.level == "numeric" and said.leaves:
            why = f"{said.reason}; one repeat has no noise floor, two or more do"
            return said._replace(level="inconclusive", reason=why)
        return said

    def _look(self, replayed: Replayed) -> list[Matched]:
        return [
            match(pair, self._record, self._originals, unsafe=self._terms.unsafe) for pair in replayed.outputs
        ]

    def _repeat(self, folder: str | None) -> Replayed:
        """Another replay, whose files stay until the end."""
        replayed = self._stack.enter_context(self._replay(None, self._terms.policy, folder))
        self._replays.append(replayed)
        return replayed

    def _replay(self, seed: int | None, policy: "Policy", folder: str | None = None) -> Replayed:
        self._events(Noticed(f"replay {len(self._made) + 1} of {self._run[:12]}"))
        replayed = replay(
            self._place,
            self._records,
            self._run,
            policy=policy,
            folder=folder,
            changes=Changes(seed=seed, varied="" if seed is None else "seed"),
            streams=self._streams,
            remote=self._terms.remote,
            events=self._events,
        )
        self._made.append(replayed.run)
        self._reached |= dict.fromkeys(replayed.reached)
        self._wrote |= dict.fromkeys(replayed.wrote)
        return replayed

    # -- a metric, by seeds --------------------------------------------------------------------------

    def _statistical(self, first: Replayed, outputs: tuple[OutputVerdict, ...]) -> Verdict:
        metric, recorded = self._metric
        self._tried.append("statistical")
        count = self._terms.seeds
        seeds = seeds_of(self._run, self._record, count)
        now = [self._value(first)]
        now += [self._probe(seeds[at] if seeds else None, self._terms.policy) for at in range(1, count)]
        against, then = self._then(first, metric, recorded, seeds, count)
        pairs = list(zip(then, now, strict=True)) if against == "recorded environment" else []
        if pairs:
            then, now = [a for a, b in pairs if b is not None], [b for a, b in pairs if a is not None]
        before, after = ([each for each in values if each is not None] for values in (then, now))
        margin, alpha = equivalence.check_margin(self._terms.margin), self._terms.alpha
        found = equivalence.judge(metric, margin, against, before, after, seeds, alpha)
        found = found._replace(declared=self._terms.declared)
        lost = count - len(after)
        reason = equivalence.described(found) + (f"; {lost} replay(s) did not give it" if lost else "")
        level: Level = "inconclusive"
        if found.answer != "equivalent":
            level = found.answer
        elif not lost:
            level = "statistical"
        return self._told(level, reason, outputs, found)

    def _then(
        self, first: Replayed, metric: str, recorded: float, seeds: Sequence[int], count: int
    ) -> tuple[str, list[float | None]]:
        """What the values of now are held against, and its values."""
        if first.surroundings.differences:
            try:
                return "recorded environment", [
                    self._probe(seeds[at] if seeds else None, "auto") for at in range(count)
                ]
            except EnvironmentDiffersError as error:
                self._not_had = error.message
        known = equivalence.sample(self._records, self._run, self._record, metric)
        if len(known) >= FEWEST_PAIRS:
            return "recorded runs", list(known)
        return "recorded value", [recorded]

    def _probe(self, seed: int | None, policy: "Policy") -> float | None:
        with self._replay(seed, policy) as replayed:
            return self._value(replayed)

    def _value(self, replayed: Replayed) -> float | None:
        if _ended(replayed) is not None:
            return None
        return metrics_of(replayed.record, self._records.part).get(self._metric[0])

    # -- what is said --------------------------------------------------------------------------------

    def _outputs_of(self, replayed: Replayed) -> tuple[OutputVerdict, ...]:
        return tuple(each.verdict for each in self._look(replayed))

    def _told(
        self,
        level: Level,
        reason: str,
        outputs: tuple[OutputVerdict, ...],
        metric: MetricVerdict | None = None,
    ) -> Verdict:
        first = self._replays[0]
        environment: dict[str, Any] = {
            "how": first.surroundings.how,
            "differs": list(first.surroundings.differences),
        }
        if self._not_had:
            environment["recorded"] = self._not_had
        count = len(self._replays)
        noise = Noise(count, factor(count), RISK) if "numeric" in self._tried else None
        return Verdict(
            self._run,
            self._terms.level,
            level,
            reason,
            outputs,
            tuple(self._tried),
            tuple(self._made),
            environment,
            tuple(f"{one.path}: {one.why}" for one in first.missing),
            first.left_out,
            noise,
            metric,
            tuple(self._reached),
            tuple(self._wrote),
        )


def _ended(replayed: Replayed) -> str | None:
    """How a replay ended, when it did not as the run had."""
    outcome = replayed.record.outcome
    if outcome.state == "succeeded":
        return None
    return f"it ended with exit code {outcome.code}, where the run had succeeded"


def _hold(rows: Sequence[Sequence[Matched]]) -> bool:
    """Whether every output is the same in meaning, so that no noise need be known."""
    return all(each.verdict.level in {"bitwise", "canonical"} for row in rows for each in row)


def _folded(outputs: Sequence[OutputVerdict]) -> tuple[Level, str]:
    """The level that holds for all, and why it is no stronger one."""
    worst = weakest(outputs)
    level: Level = "inconclusive" if worst.level == "not-comparable" else worst.level
    if level == "bitwise":
        return level, "every output has the same bytes"
    more = sum(each.level == worst.level for each in outputs) - 1
    return level, f"{worst.path}: {worst.reason}" + (f" (and {more} more so)" if more else "")
