"""How differences from ``fourfold.lock`` are told by ``ff status`` and ``ff why``."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fourfold.pipeline.standing import Standing
    from fourfold.runs.drift import Drift

#: Things of one coordinate that ``ff status`` names; ``ff why`` and ``--json`` name all.
_SHOWN = 4


def lines(found: Iterable["Standing"]) -> Iterator[str]:
    """A few lines a stage, in the manner of DVC's."""
    for standing in found:
        yield f"{standing.name} is not as fourfold.lock has it:"
        for coordinate in dict.fromkeys(drift.coordinate for drift in standing.drifts):
            drifts = [drift for drift in standing.drifts if drift.coordinate == coordinate]
            texts = [short(drift) for drift in drifts[:_SHOWN]]
            if len(drifts) > _SHOWN:
                texts.append(f"and {len(drifts) - _SHOWN} more")
            yield f"\t{coordinate + ':':<20}{', '.join(texts)}"


def details(standing: "Standing") -> Iterator[str]:
    """Everything about one stage, a line each."""
    yield f"  since run {standing.run[:12]}, whose record fourfold.lock names:"
    for drift in standing.drifts:
        yield f"    {drift.coordinate + ':':<13}{_long(drift)}"


def short(drift: "Drift") -> str:
    """One difference in a few words."""
    if drift.coordinate == "code":
        return drift.name if drift.now is not None else f"{drift.name} (gone)"
    if _is_digest(drift.before):
        return drift.name if drift.now is not None else f"{drift.name} (gone)"
    if drift.before is None and drift.now is None:
        return drift.name
    return f"{drift.name} {_value(drift.before)} -> {_value(drift.now)}"


def _long(drift: "Drift") -> str:
    if drift.coordinate == "code":
        if drift.now is None:
            return f"{drift.name} is gone; the run used {str(drift.before)[:12]}"
        return f"{drift.name} is {str(drift.now)[:12]}, the run used {str(drift.before)[:12]}"
    if drift.coordinate == "variables" and drift.before is None:
        return f"{drift.name} has another value than it had"
    return short(drift)


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_data(found: Iterable["Standing"]) -> dict[str, Any]:
    """What differs, by stage, coordinate and name: ``[before, now]``, as `ff status --json` says it."""
    return {
        standing.name: {
            coordinate: {
                drift.name: [drift.before, drift.now]
                for drift in standing.drifts
                if drift.coordinate == coordinate
            }
            for coordinate in dict.fromkeys(drift.coordinate for drift in standing.drifts)
        }
        for standing in found
    }
