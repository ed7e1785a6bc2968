"""Our predicate: a run was repeated, and this is how alike the results were.

It is read by whoever has a statement, without this program: ``docs/formats/statements.md`` documents each
key. How a verdict is reached is `fourfold.evidence.verifying.verify`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.formats.attest.intoto import Resource, Statement
from fourfold.formats.attest.strict import BadAttestationError, need, take
from fourfold.formats.native.record import RunId, is_id

#: The ``predicateType``. A URI names, and need not lead anywhere.
TYPE = "https://fourfold.dev/attestations/verdict/v1"
#: From the strongest to the weakest; the last two say that none of the others holds.
LEVELS = ("bitwise", "canonical", "numeric", "statistical", "different", "inconclusive")
#: Those of them that say that something holds.
HELD = LEVELS[:4]
_KNOWN = {"run", "level", "holds", "asked", "reason", "replay", "outputs", "verifier", "timeVerified"}


class Verdict(NamedTuple):
    """What was found.

    Attributes:
        run: The run that was repeated.
        level: The strongest level that holds, of `LEVELS`.
        holds: Whether the level that was asked for holds.
        asked: That level; "" where it is not known.
        reason: Why it is not a stronger one, in a sentence.
        replay: The run that repeated it; None where there is no record of it.
        outputs: One mapping an output: ``path``, ``level``, ``reason`` and what else is known.
        verifier: ``{"id": URI, "version": TEXT}``.
        time: When, UTC, ISO 8601 with ``Z``.
        more: Keys that are not those: tolerances, counts, the environment.
    """

    run: RunId
    level: str
    holds: bool
    asked: str = ""
    reason: str = ""
    replay: RunId | None = None
    outputs: tuple[Mapping[str, Any], ...] = ()
    verifier: Mapping[str, str] = {}
    time: str = ""
    more: Mapping[str, Any] = {}

    def replays(self) -> list[RunId]:
        """The runs that repeated it, each once, the first of them first."""
        more = self.more.get("replays")
        listed = more if isinstance(more, list) else []
        found = [self.replay, *(RunId(each) for each in listed if isinstance(each, str) and is_id(each))]
        return [run for run in dict.fromkeys(found) if run is not None]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "run": self.run,
            "level": self.level,
            "holds": self.holds,
            "asked": self.asked,
            "reason": self.reason,
            "replay": self.replay,
            "outputs": [dict(one) for one in self.outputs],
            "verifier": dict(self.verifier),
            "timeVerified": self.time,
            **{key: value for key, value in self.more.items() if key not in _KNOWN},
        }


def is_held(level: str, asked: str) -> bool:
    """Whether what was asked for holds where this level does; "" for not known: any level does then."""
    return level in HELD[: HELD.index(asked) + 1] if asked in HELD else level in HELD


def statement(verdict: Verdict, subjects: tuple[Resource, ...]) -> Statement:
    """A verdict about some things."""
    return Statement(subjects, TYPE, verdict.document())


def parse(document: Mapping[str, Any], source: str = "verdict") -> Verdict:
    """Read the predicate of a statement.

    Raises:
        BadAttestationError: it is no verdict.
    """
    run, replay = need(document, "run", str, source), take(document, "replay", str, source)
    if not is_id(run) or (replay is not None and not is_id(replay)):
        raise BadAttestationError(f"{source}: 'run' or 'replay' is no id of a run: {run[:80]!r}")
    level, asked = need(document, "level", str, source), take(document, "asked", str, source) or ""
    if level not in LEVELS or asked not in {*HELD, ""}:
        raise BadAttestationError(f"{source}: no such level: {level[:40]!r}, {asked[:40]!r}")
    outputs = take(document, "outputs", list, source) or []
    verifier = take(document, "verifier", dict, source) or {}
    if not all(isinstance(one, dict) and isinstance(one.get("path"), str) for one in outputs):
        raise BadAttestationError(f"{source}: 'outputs' has something that is no output")
    holds = need(document, "holds", bool, source)
    if holds != is_held(level, asked):
        raise BadAttestationError(f"{source}: 'holds' is {holds}, of {level!r} where {asked!r} was asked for")
    return Verdict(
        RunId(run),
        level,
        holds,
        asked,
        take(document, "reason", str, source) or "",
        RunId(replay) if replay is not None else None,
        tuple(outputs),
        {str(key): value for key, value in verifier.items() if isinstance(value, str)},
        take(document, "timeVerified", str, source) or "",
        {key: value for key, value in document.items() if key not in _KNOWN},
    )
