"""An explanation as values and in words: causes, results, metrics, and the verdict in one sentence.

Values only. How they are found is `explain`; as pages they are `pages`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from fourfold.evidence.explaining.harms import document as table_document
from fourfold.evidence.explaining.ranking import DRAWN, HARMLESS, is_digest
from fourfold.evidence.explaining.tables import TableChange
from fourfold.formats.native.record import RunId
from fourfold.runs.changes import Change
from fourfold.runs.words import SHORT, short, value_text
from fourfold.scm.log import Touch

#: So many results are named in a verdict.
_NAMED = 3
#: Larger whole numbers are told in few digits, too.
_LONG = 1e15


class Cause(NamedTuple):
    """Something that moved and that no earlier run of ours made.

    Attributes:
        coordinate: ``code``, ``data``, ``environment`` or ``randomness``.
        stages: What it touches, in the order in which they run.
        change: What moved, from what to what.
        score: How suspicious it is, from 0 to 1; the causes of an explanation are sorted by it.
        why: What made the score, in words, the weightiest first.
        told: What changed inside, in words, where that is known: ``lost 1,204 rows (12 %)``.
        harm: The worst known harm that came with it, in words; "" without one.
        commits: Those that changed a file of code between the two runs, the newest first.
        tables: How the tables in it changed.
    """

    coordinate: str
    stages: tuple[str, ...]
    change: Change
    score: float = 0.0
    why: tuple[str, ...] = ()
    told: str = ""
    harm: str = ""
    commits: tuple[Touch, ...] = ()
    tables: tuple[TableChange, ...] = ()

    @property
    def is_suspect(self) -> bool:
        """Whether it may be why; what was not read, or changed nothing, may not."""
        return self.score > HARMLESS

    @property
    def is_noise(self) -> bool:
        """Whether it is a seed that each run draws anew."""
        return self.why[:1] == (DRAWN,)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found: dict[str, Any] = {**self.change.document(), "stages": list(self.stages)}
        if self.why:
            found |= {"score": self.score, "why": list(self.why)}
        for name in ("told", "harm"):
            if getattr(self, name):
                found[name] = getattr(self, name)
        if self.commits:
            found["commits"] = [
                {"id": each.id, "author": each.author, "when": each.when, "subject": each.subject}
                for each in self.commits
            ]
        if self.tables:
            found["tables"] = [table_document(table) for table in self.tables]
        return found


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
        noise: How far it moves by itself: the widest difference among runs of the same; None where no run was
            repeated.
        repeats: How many such runs there are.
    """

    name: str
    before: float | None
    after: float | None
    noise: float | None = None
    repeats: int = 0

    @property
    def by(self) -> float | None:
        """How far it moved."""
        return None if self.before is None or self.after is None else self.after - self.before

    @property
    def is_noise(self) -> bool:
        """Whether it moved no farther than it does by itself."""
        return self.by is not None and self.noise is not None and abs(self.by) <= self.noise

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {"name": self.name, "before": self.before, "after": self.after, "by": self.by}
        return found if self.noise is None else {**found, "noise": self.noise, "repeats": self.repeats}


class Explanation(NamedTuple):
    """Two results explained.

    Attributes:
        first: The run of the one.
        second: The run of the other.
        stages: Names of the last stages of both.
        causes: What moved, the most suspicious first; those at the end may not be why (`Cause.is_suspect`).
        unread: What changed and was read by none of the runs.
        results: What came out otherwise, stage by stage.
        aside: What says nothing about results.
        metrics: All that both lineages measured; the one that is asked about first, else what moved farthest.
        asked: Whether the first of them was asked about by name.
        unsteady: Stages of which nothing moved, and that made something else all the same.
        unknown: What is not known, in sentences.
        made: Tables that changed because a cause did, by stage: they show what the cause did.
    """

    first: RunId
    second: RunId
    stages: tuple[str, str] = ("", "")
    causes: tuple[Cause, ...] = ()
    unread: tuple[Cause, ...] = ()
    results: tuple[Result, ...] = ()
    aside: tuple[Cause, ...] = ()
    metrics: tuple[Moved, ...] = ()
    asked: bool = False
    unsteady: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    made: tuple[tuple[str, TableChange], ...] = ()

    @property
    def suspects(self) -> tuple[Cause, ...]:
        """The causes that may be why."""
        return tuple(cause for cause in self.causes if cause.is_suspect)

    @property
    def harmless(self) -> tuple[Cause, ...]:
        """What moved and may not be why; seeds that were drawn only where there is nothing else to say."""
        found = [cause for cause in self.causes if not cause.is_suspect]
        return tuple(cause for cause in found if not (self.suspects and cause.is_noise))

    @property
    def is_noise(self) -> bool:
        """Whether the first metric moved, and no farther than it does by itself."""
        return bool(self.metrics) and bool(self.metrics[0].by) and self.metrics[0].is_noise

    @property
    def verdict(self) -> str:
        """The explanation in one sentence: what moved how far, and what is most likely why."""
        return _verdict(self)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "verdict": self.verdict,
            "a": self.first,
            "b": self.second,
            "metrics": [each.document() for each in self.metrics],
            "causes": [cause.document() for cause in self.suspects],
            "harmless": [cause.document() for cause in self.causes if not cause.is_suspect],
            "unread": [cause.document() for cause in self.unread],
            "results": [{**each.change.document(), "stage": each.stage} for each in self.results],
            "made": [{"stage": stage, **table_document(table)} for stage, table in self.made],
            "unsteady": list(self.unsteady),
            "unknown": list(self.unknown),
            "asides": [cause.document() for cause in self.aside],
        }


# --- in words ---------------------------------------------------------------------------------------------


def _verdict(found: Explanation) -> str:
    moved = next(iter(found.metrics), None)
    result = told_of(moved, asked=found.asked) if moved is not None else ""
    if moved is not None and found.is_noise:
        harm = next((f"; but {suspect(cause)}" for cause in found.suspects if cause.harm), "")
        said = f"no farther than it moves by itself ({_repeats(moved)}): nothing is to blame"
        return f"{result}, {said}{harm}"
    suspects = found.suspects
    if found.results and not result:
        result = f"{listed(_differing(found))} {'differs' if len(_differing(found)) == 1 else 'differ'}"
        result = f"the metrics are the same, but {result}" if moved is not None and moved.by == 0 else result
    if not found.results:
        nothing = not suspects and not found.causes
        said = "nothing differs but times" if nothing else "what moved made no difference"
        return f"{result}; {said}" if result else said
    if suspects:
        return f"{result}; most likely: {suspect(suspects[0])}"
    why = "nothing that moved can be why" if found.causes else "nothing that is recorded moved"
    if found.unsteady:
        why = f"nothing that is recorded moved, but {listed(found.unsteady)} is not the same twice"
    return f"{result}; {why}"


def _differing(found: Explanation) -> list[str]:
    """What came out otherwise, by name: all of it where it is little."""
    every = list(dict.fromkeys(each.change.name for each in found.results))
    return every if len(every) <= _NAMED else [*every[: _NAMED - 1], f"{len(every) - _NAMED + 1} more"]


def _repeats(moved: Moved) -> str:
    return f"{number(moved.noise or 0.0)} among {moved.repeats} runs of the same"


def told_of(moved: Moved, *, asked: bool = True) -> str:
    """A metric in words; "" for one that did not move, unless it was asked about."""
    if moved.before is None or moved.after is None:
        if moved.before is None and moved.after is None:
            return ""
        return f"{moved.name} is in the {'second' if moved.before is None else 'first'} result only"
    if moved.before == moved.after:
        return f"{moved.name} is the same ({number(moved.after)})" if asked else ""
    way = "fell" if moved.after < moved.before else "rose"
    far = number(abs(moved.after - moved.before))
    return f"{moved.name} {way} by {far} ({' -> '.join(apart(moved.before, moved.after))})"


def suspect(cause: Cause) -> str:
    """A cause in a few words."""
    change = cause.change
    if cause.harm or cause.told:
        return f"{change.name}: {cause.harm or cause.told}"
    told = sides(change)
    return f"{change.name} ({told})" if told else change.name


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them."""
    return ", ".join(names[:-1]) + (" and " if len(names) > 1 else "") + names[-1]


def number(value: float, digits: int = 4) -> str:
    """A number in few digits; whole ones have all of theirs, unless these are too many to be read."""
    if value % 1 or abs(value) >= _LONG:
        return f"{value:,.{digits}g}"
    return f"{value:,.0f}"


def apart(before: float, after: float) -> tuple[str, str]:
    """Two numbers in as few digits as tell them apart."""
    for digits in (4, 6, 8, 10, 12, 14, 17):
        found = number(before, digits), number(after, digits)
        if found[0] != found[1] or before == after:
            break
    return found


def sides(change: Change) -> str:
    """A change in few words: ``0.1 -> 0.2``, ``changed``, with its note."""
    if change.before is None and change.after is None:
        return change.note or "changed"
    before, after = (short(value_text(value), 48) for value in (change.before, change.after))
    told = f"{before} -> {after}"
    if before == after or is_digest(change.before, change.after):
        told = "" if change.note in {"new", "gone"} else "changed"
    elif change.before is None or change.after is None:
        told = f"{'none' if change.before is None else before} -> {'none' if change.after is None else after}"
    return ", ".join(part for part in (told, change.note) if part)


def commit_told(touch: Touch) -> str:
    """A commit in a line."""
    return f"{touch.id[:SHORT]} {touch.author}: {short(touch.subject, 70)}"


def names(causes: Iterable[Cause]) -> list[str]:
    """What causes are about, each once, with the stage where one name is of several."""
    found = list(causes)
    several = {name for name, count in Counter(cause.change.name for cause in found).items() if count > 1}
    return [
        f"{cause.change.name} of {listed(cause.stages)}"
        if cause.change.name in several
        else cause.change.name
        for cause in found
    ]
