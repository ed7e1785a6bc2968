"""Bisect: which version between a good result and a bad one is the first bad one.

What records know is taken from them, all of it: so it is seen when a metric crossed its threshold more than
once. Only versions between the last good one and the first bad one that nobody ran are probed, by halves; a
version that cannot be probed is passed over, and said. Where the metric is noise in part, versions are probed
again until the answer is likely enough; where nothing may be run, it is told how likely the answer is. Which
versions there are is `history`; how one is run is `trials`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from fourfold.base.errors import ConflictError, NotFoundError
from fourfold.evidence.states import History, Key, State
from fourfold.evidence.statistics.distributions import t_quantile
from fourfold.evidence.statistics.inference import variance
from fourfold.evidence.statistics.sequential import NoisySearch, normal_log_ratio
from fourfold.formats.native.record import RunId

#: A noisy search ends when it is so sure, or has probed so often.
CONFIDENCE, MOST_PROBES = 0.95, 64


class NothingToFindError(ConflictError):
    """The good version is no better than the bad one, by the metric and the threshold."""

    code = "nothing-to-bisect"


class EndUnknownError(NotFoundError):
    """The metric of the good version, or of the bad one, is not known, and could not be had."""

    code = "bisect-end-unknown"


class Probed(NamedTuple):
    """What a probe of a version gave.

    Attributes:
        value: The metric; None when the version cannot be run.
        why: Why not.
        free: Whether nothing was run: a record answered, or it cannot be run.
    """

    value: float | None
    why: str = ""
    free: bool = False


#: Runs a version, and gives its metric. Asked again for the same version it runs it again.
Probe = Callable[[State], Probed]


class Side(NamedTuple):
    """What is bad.

    Attributes:
        threshold: Where bad begins.
        falls: Whether less is worse.
    """

    threshold: float
    falls: bool

    def is_bad(self, value: float) -> bool:
        """Whether a value is on the bad side; the threshold itself is good."""
        return value < self.threshold if self.falls else value > self.threshold


class Found(NamedTuple):
    """What a search found.

    Attributes:
        history: All versions, with what was learned of them.
        side: What counts as bad.
        good: Index of the last good version.
        bad: Index of the first bad version.
        skipped: Indices between the two of which nothing could be learned: each may be the first bad one.
        executed: How many probes ran something.
        free: How many versions were known without.
        flips: How often the metric crossed the threshold before the last good version.
        confidence: How likely the first bad version is the one, where all else that moves the metric is
            noise; 1 where versions that repeat are equal, None where none repeats: then nobody knows.
        spread: Standard deviation of the metric among versions that are one; None where none repeat.
        reach: Half an interval around the difference of two measurements, for that spread.
        moved: The coordinates that moved between the two, as far as they are known: `moving` tells.
    """

    history: History
    side: Side
    good: int
    bad: int
    skipped: tuple[int, ...]
    executed: int
    free: int
    flips: int
    confidence: float | None = None
    spread: float | None = None
    reach: float = 0.0
    moved: tuple[str, ...] = ()

    @property
    def is_noise(self) -> bool:
        """Whether nothing is found but noise: one version gave both values, or others scatter as far."""
        before, after = self.last_good, self.first_bad
        if before.key is not None and before.key == after.key:
            return True
        values = [state.metric for state in (self.history.states[0], self.history.states[-1])]
        return (
            bool(self.reach)
            and all(value is not None for value in values)
            and (abs((values[0] or 0.0) - (values[1] or 0.0)) <= self.reach)
        )

    @property
    def last_good(self) -> State:
        """The last good version."""
        return self.history.states[self.good]

    @property
    def first_bad(self) -> State:
        """The first bad version."""
        return self.history.states[self.bad]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "stage": self.history.stage,
            "metric": self.history.metric,
            "verdict": "noise" if self.is_noise else "found",
            "threshold": self.side.threshold,
            "worse": "lower" if self.side.falls else "higher",
            "last_good": self.last_good.document(),
            "first_bad": self.first_bad.document(),
            "moved": list(self.moved),
            "undecided": [self.history.states[at].document() for at in self.skipped],
            "flips": self.flips,
            "confidence": self.confidence,
            "spread": self.spread,
            "versions": len(self.history.states),
            "merges": len(self.history.merged),
            "beside": self.history.beside,
            "executed": self.executed,
            "free": self.free,
        }


def bisect(
    history: History,
    probe: Probe | None = None,
    *,
    threshold: float | None = None,
    spread: float | None = None,
) -> Found:
    """Find the first bad version.

    Args:
        history: The versions, the good one first.
        probe: Runs a version that no record knows; None to run nothing.
        threshold: Where bad begins; None for half way between the good version and the bad one.
        spread: Standard deviation of one measurement; 0 where the same version gives the same value, None
            where it is that of versions that repeat.

    Raises:
        EndUnknownError: the metric of one of the ends cannot be had.
        NothingToFindError: both ends are on one side.
    """
    search = _Search(history, probe)
    side = search.side(threshold)
    if spread is None:
        spread = scatter(history)[0]
    return search.noisy(side, spread) if spread else search.exact(side, None if spread is None else 1.0)


class _Search:
    """One search: what is known of each version, and what it cost."""

    def __init__(self, history: History, probe: Probe | None) -> None:
        self._history = history
        self._probe = probe
        self._states = list(history.states)
        self._values: list[float | None] = [
            value if value is not None and math.isfinite(value) else None
            for value in (state.metric for state in history.states)
        ]
        self._executed = 0
        self._tried: set[int] = set()
        self._share()
        self._free = sum(value is not None for value in self._values)

    def side(self, threshold: float | None) -> Side:
        """What is bad, by the ends."""
        good, bad = (self._end(at) for at in (0, len(self._states) - 1))
        if good == bad:
            raise NothingToFindError(
                f"{self._history.metric} is {good:g} in the good version and in the bad one",
                hint="name another metric with --metric, or other versions",
            )
        side = Side((good + bad) / 2 if threshold is None else threshold, bad < good)
        if side.is_bad(good) or not side.is_bad(bad):
            which = "the good version is bad" if side.is_bad(good) else "the bad version is good"
            raise NothingToFindError(
                f"{which}, by a threshold of {side.threshold:g}: "
                f"{self._history.metric} went from {good:g} to {bad:g}",
                hint="choose --threshold between the two",
            )
        return side

    def exact(self, side: Side, confidence: float | None) -> Found:
        """Where the same version always gives the same value, as far as anybody knows."""
        while True:
            good, bad, unknown = self._open(side)
            candidates = [at for at in unknown if at not in self._tried]
            if not candidates or self._probe is None:
                break
            middle = (good + bad) / 2
            self._ask(min(candidates, key=lambda at: abs(at - middle)))
        return self._found(side, good, bad, tuple(unknown), confidence)

    def noisy(self, side: Side, spread: float) -> Found:
        """Where values scatter: each run is one measurement, and more are made where it is close."""
        groups = self._groups()
        ends = [value for value in (self._values[0], self._values[-1]) if value is not None]
        if len(groups) < 2 or abs(ends[1] - ends[0]) <= scatter(self._history)[1]:
            self._probe = None  # it is noise, and more of it tells nothing
            return self.exact(side, None)
        half = (ends[1] - ends[0]) / 2
        good, bad = side.threshold - half, side.threshold + half
        search = NoisySearch(len(groups), good=good, bad=bad, spread=spread)
        places: dict[Key, list[int]] = {}
        for at, group in enumerate(groups[1:-1], 1):
            if (key := self._states[group[0]].key) is not None:
                places.setdefault(key, []).append(at)
        for key, value in measurements(self._history):
            # A version that came back stands at several places, and is measured once all the same.
            there = places.get(key, []) if key is not None else []
            for at in there:
                search.tell(at, normal_log_ratio(value, good, bad, spread) / len(there))
        failed: set[int] = set()
        while self._probe is not None and self._executed < MOST_PROBES and not search.done(CONFIDENCE):
            doubtful = search.next(failed)
            if doubtful is None:
                break
            first = groups[doubtful][0]
            probed = self._run(first).value
            if probed is None or not math.isfinite(probed):
                failed.add(doubtful)
                continue
            search.tell_value(doubtful, probed)
            if self._values[first] is None:
                self._values[first] = probed
                self._share()
        likely = search.best()
        first_bad = groups[max(likely.state, 1)][0]
        return self._found(side, first_bad - 1, first_bad, (), likely.confidence)

    def _groups(self) -> list[list[int]]:
        """Neighbours of one version, from the last that is the good one to the first that is the bad one."""
        groups: list[list[int]] = []
        for at, state in enumerate(self._states):
            if groups and state.key is not None and self._states[groups[-1][0]].key == state.key:
                groups[-1].append(at)
            else:
                groups.append([at])
        keys = [self._states[group[0]].key for group in groups]
        start = max(at for at, key in enumerate(keys) if at == 0 or (key is not None and key == keys[0]))
        end = next(
            (at for at in range(start + 1, len(keys)) if keys[at] is not None and keys[at] == keys[-1]),
            len(keys) - 1,
        )
        return groups[start : end + 1]

    # -- inside -----------------------------------------------------------------------------------------

    def _end(self, at: int) -> float:
        if self._values[at] is None and self._probe is not None:
            self._ask(at)
        value = self._values[at]
        if value is None:
            state = self._states[at]
            hint = "run the pipeline at that version, or bring the records: ff pull"
            if state.run is not None:
                hint = "name a version that has a number there, or another metric"
            raise EndUnknownError(
                f"{self._history.metric} of {state.name} is not known: {state.why}", hint=hint
            )
        return value

    def _open(self, side: Side) -> tuple[int, int, list[int]]:
        """The last good version, the first bad one after it, and what is not known between."""
        goods = [at for at, value in enumerate(self._values) if value is not None and not side.is_bad(value)]
        good = goods[-1]
        bad = next(
            at
            for at, value in enumerate(self._values)
            if at > good and value is not None and side.is_bad(value)
        )
        return good, bad, [at for at in range(good + 1, bad) if self._values[at] is None]

    def _run(self, at: int) -> Probed:
        if self._probe is None:
            return Probed(None, "nothing is to be run")
        probed = self._probe(self._states[at])
        self._executed += not probed.free
        if probed.value is None:
            self._states[at] = self._states[at]._replace(why=probed.why or self._states[at].why)
        return probed

    def _ask(self, at: int) -> None:
        self._tried.add(at)
        value = self._run(at).value
        if value is not None and math.isfinite(value):
            self._values[at] = value
            self._share()

    def _share(self) -> None:
        """What is known of one version is known of all that are the same."""
        known = {
            state.key: value
            for state, value in zip(self._states, self._values, strict=True)
            if value is not None and state.key is not None
        }
        for at, state in enumerate(self._states):
            if self._values[at] is None and state.key in known:
                self._values[at] = known[state.key]

    def _found(
        self, side: Side, good: int, bad: int, skipped: Sequence[int], confidence: float | None
    ) -> Found:
        states = [
            state._replace(metric=value) for state, value in zip(self._states, self._values, strict=True)
        ]
        sides = [side.is_bad(value) for value in self._values[: good + 1] if value is not None]
        flips = sum(one != other for one, other in pairwise(sides))
        return Found(
            self._history._replace(states=tuple(states)),
            side,
            good,
            bad,
            tuple(at for at in skipped if good < at < bad),
            self._executed,
            self._free,
            flips,
            confidence,
            *scatter(self._history),
        )


def measurements(history: History) -> Iterator[tuple[Key | None, float]]:
    """What was measured, by version: each run once, however many commits have it.

    Where no record tells which run a value is from, equal values of one version are one measurement.
    """
    seen: set[RunId | tuple[Key | None, float]] = set()
    for state in (*history.states, *(each for aside in history.aside.values() for each in aside)):
        if state.metric is None or not math.isfinite(state.metric):
            continue
        one = state.run or (state.key, state.metric)
        if one not in seen:
            seen.add(one)
            yield state.key, state.metric


def scatter(history: History) -> tuple[float | None, float]:
    """How far the metric of one version scatters, from versions that are there several times.

    Returns:
        The pooled standard deviation, None where no version repeats; and half an interval, of 95 of a hundred
        cases, around the difference of two measurements.
    """
    groups: dict[Key, list[float]] = {}
    for key, value in measurements(history):
        if key is not None:
            groups.setdefault(key, []).append(value)
    repeated = [values for values in groups.values() if len(values) > 1]
    free = sum(len(values) - 1 for values in repeated)
    if not free:
        return None, 0.0
    spread = math.sqrt(sum(variance(values) * (len(values) - 1) for values in repeated) / free)
    return spread, t_quantile(0.975, free) * spread * math.sqrt(2) if spread else 0.0
