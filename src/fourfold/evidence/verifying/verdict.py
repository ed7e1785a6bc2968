"""The verdict on a run that was repeated: values, and the document that statements carry.

How it is reached is `verify`. The document is that of the predicate `fourfold.formats.attest.verdict`, with
what was measured besides; equal findings have equal documents.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from fourfold.formats.native.record import RunId

#: What may be asked for, from the strongest to the weakest: each holds where the one before it does.
Asked = Literal["bitwise", "canonical", "numeric", "statistical"]
LEVELS: tuple[Asked, ...] = ("bitwise", "canonical", "numeric", "statistical")
#: What a verdict says: one of those; none of them; or that it is not known.
Level = Literal["bitwise", "canonical", "numeric", "statistical", "different", "inconclusive"]
#: What is said of one output: besides, that its bytes of then are not had any more.
OutputLevel = Literal[
    "bitwise", "canonical", "numeric", "statistical", "different", "inconclusive", "not-comparable"
]
#: So many leaves of an output stand in a document.
MOST = 50


class First(NamedTuple):
    """Where an output begins to be otherwise.

    Attributes:
        name: The leaf (``weights/layer1``, ``column:age``); of a folder the file; "" for all of a file.
        what: ``bytes`` | ``missing`` | ``new`` | ``kind`` | ``shape`` | ``values``.
        before: What was there, in few words or as a number.
        after: What is there now.
        offset: Of the first byte that differs; None where bytes were not compared.
        at: Index of the value in its tensor or column that is furthest off; None where there is none.
    """

    name: str
    what: str
    before: str = ""
    after: str = ""
    offset: int | None = None
    at: tuple[int, ...] | None = None

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found: dict[str, Any] = {"name": self.name, "what": self.what}
        found |= {"before": self.before, "after": self.after}
        if self.offset is not None:
            found["offset"] = self.offset
        if self.at is not None:
            found["index"] = list(self.at)
        return found


class Measured(NamedTuple):
    """A leaf of numbers that differs, and by how much.

    Attributes:
        name: Of the leaf.
        absolute: The largest distance of two values.
        relative: The largest distance over the larger of both values.
        ulp: The largest distance in units of the last place; None where they have none.
        differing: How many values differ.
        values: Of how many.
        floor: The largest absolute and relative distance between repeats; None where there is no floor.
        tolerance: How far apart they may be, likewise.
        holds: Whether they are within it; None where there is no tolerance.
    """

    name: str
    absolute: float
    relative: float
    ulp: float | None
    differing: int
    values: int
    floor: tuple[float, float] | None = None
    tolerance: tuple[float, float] | None = None
    holds: bool | None = None

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found: dict[str, Any] = {
            "name": self.name,
            "absolute": speakable(self.absolute),
            "relative": speakable(self.relative),
            "ulp": speakable(self.ulp),
            "differing": self.differing,
            "count": self.values,
        }
        if self.floor is not None and self.tolerance is not None:
            found["floor"] = [speakable(each) for each in self.floor]
            found["tolerance"] = [speakable(each) for each in self.tolerance]
            found["holds"] = self.holds
        return found


class OutputVerdict(NamedTuple):
    """What was found of one output.

    Attributes:
        path: As the record names it.
        role: ``out`` | ``metric`` | ``plot``.
        level: The strongest that holds.
        reason: Why it is no stronger one; "" for a bitwise one.
        before: Digest of then; "" where it is not known.
        after: Digest of now; "" where nothing came out.
        first: Where it begins to be otherwise; None where it is the same, or nobody could look.
        leaves: What was measured, the furthest off first.
        differing: How many leaves differ.
        reader: Name and version of what read it: ``json/1``; "" where only bytes were compared.
    """

    path: str
    role: str
    level: OutputLevel
    reason: str = ""
    before: str = ""
    after: str = ""
    first: First | None = None
    leaves: tuple[Measured, ...] = ()
    differing: int = 0
    reader: str = ""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found: dict[str, Any] = {
            "path": self.path,
            "role": self.role,
            "level": self.level,
            "reason": self.reason,
            "before": self.before,
            "after": self.after,
        }
        if self.first is not None:
            found["first"] = self.first.document()
        if self.differing:
            found["differing"] = self.differing
        if self.leaves:
            found["leaves"] = [leaf.document() for leaf in self.leaves[:MOST]]
        if self.reader:
            found["reader"] = self.reader
        return found


class Noise(NamedTuple):
    """How a tolerance was had.

    Attributes:
        repeats: How many replays it is from.
        factor: How many times the floor is still noise.
        risk: The chance that the next repeat of the same is beyond it, by the rule of `tolerance`.
    """

    repeats: int
    factor: float
    risk: float

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"repeats": self.repeats, "factor": speakable(self.factor), "risk": self.risk}


class MetricVerdict(NamedTuple):
    """What a test of equivalence said of a metric.

    Attributes:
        metric: ``FILE:NAME``.
        margin: As it was declared before.
        alpha: The chance to call equivalent what is a margin apart.
        against: What *then* is: ``recorded value``, ``recorded runs``, ``recorded environment``.
        before: Its values.
        after: Values of now, by seed in the same order as ``seeds``.
        seeds: The seeds of now; empty where the run has none to vary.
        difference: Mean of now less mean of then.
        interval: Of the difference, of level 1 - 2 alpha; None where there are too few values.
        p: Of the test; None likewise.
        spread: Standard deviation that the test saw; None likewise.
        power: The chance to find them equivalent with as many, were they as near as they seem; None likewise.
        needed: How many would find it with a chance of 0.8; None where no number would.
        answer: ``equivalent`` | ``different`` | ``inconclusive``.
        declared: Where the margin was declared: ``code of the run``, or ``when verified``.
    """

    metric: str
    margin: float
    alpha: float
    against: str
    before: tuple[float, ...]
    after: tuple[float, ...]
    seeds: tuple[int, ...]
    difference: float | None
    interval: tuple[float, float] | None
    p: float | None
    spread: float | None
    power: float | None
    needed: int | None
    answer: Literal["equivalent", "different", "inconclusive"]
    declared: str = "when verified"

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = self._asdict()
        for key, value in found.items():
            if isinstance(value, tuple):
                found[key] = [speakable(each) for each in value]
            elif isinstance(value, float):
                found[key] = speakable(value)
        return found


class Verdict(NamedTuple):
    """What is found of a run that was repeated.

    Attributes:
        run: The run.
        asked: The level that was asked for.
        level: The strongest that holds for all outputs (or, if statistical, for the metric).
        reason: Why it is no stronger one, in a sentence.
        outputs: What was found of each.
        tried: The levels that were looked at.
        replays: The runs that repeated it, the first of them first.
        environment: ``how`` it was had (``running``, ``lock``, ``image``), what ``differs``, and why the
            ``recorded`` one cannot be had, where it was wanted beside it.
        missing: What the run read then and could not read now, in words.
        left_out: What the run may have used of its code and no record keeps.
        noise: How a tolerance was had; None where none was needed.
        metric: The test of equivalence; None where there was none.
        reached: Files of the workspace that replays read, although they ran apart from it.
        wrote: Those that they wrote or deleted.
        more: What others add, by name: what a shake found.
    """

    run: RunId
    asked: Asked
    level: Level
    reason: str
    outputs: tuple[OutputVerdict, ...]
    tried: tuple[Asked, ...]
    replays: tuple[RunId, ...]
    environment: Mapping[str, Any] = {}
    missing: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    noise: Noise | None = None
    metric: MetricVerdict | None = None
    reached: tuple[str, ...] = ()
    wrote: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}

    @property
    def holds(self) -> bool:
        """Whether the level that was asked for holds, or a stronger one."""
        return self.level in LEVELS[: LEVELS.index(self.asked) + 1]

    def document(self, *, verifier: Mapping[str, str] | None = None, time: str = "") -> dict[str, Any]:
        """As JSON holds it; ``time`` (UTC, ISO 8601) is the only thing in it that tells when.

        Args:
            verifier: Who says so: ``{"id": URI, "version": TEXT}``.
            time: When; "" for not said.
        """
        found: dict[str, Any] = {
            "run": self.run,
            "level": self.level,
            "holds": self.holds,
            "asked": self.asked,
            "reason": self.reason,
            "replay": self.replays[0] if self.replays else None,
            "outputs": [output.document() for output in self.outputs],
            "verifier": dict(verifier or {}),
            "timeVerified": time,
            "tried": list(self.tried),
            "replays": list(self.replays),
            "environment": dict(self.environment),
            "missing": list(self.missing),
            "leftOut": list(self.left_out),
            "reached": list(self.reached),
            "wrote": list(self.wrote),
            **self.more,
        }
        if self.noise is not None:
            found["noise"] = self.noise.document()
        if self.metric is not None:
            found["metric"] = self.metric.document()
        return found


def speakable(value: float | None) -> float | str | None:
    """A number as JSON can hold it: what is not finite as text."""
    return value if value is None or math.isfinite(value) else str(value)
