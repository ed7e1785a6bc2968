"""Goals: whether more or less of a metric is better, where somebody said so; nobody else can know.

A stage says it in ``dvc.yaml``, for the metrics that it makes, and whoever asks may say it for the moment:

    meta:
      fourfold:
        goal: {auc: max, loss: min}
"""

from collections.abc import Iterable, Mapping
from typing import Any

from fourfold.base.errors import InvalidFileError, UsageError
from fourfold.project.outs import Owner

#: By the dotted key of a metric, or by ``file:key``: ``max`` or ``min``.
Goals = Mapping[str, str]
_WAYS = ("max", "min")


class BadGoalError(InvalidFileError):
    """``meta: fourfold: goal:`` of a stage is not a mapping of metrics to ``max`` or ``min``."""

    code = "bad-goal"


def parse_goals(texts: Iterable[str]) -> dict[str, str]:
    """Goals as typed: ``auc=max``, ``metrics.json:loss=min``.

    Raises:
        UsageError: one of them is something else.
    """
    goals = {}
    for text in texts:
        key, _, way = text.rpartition("=")
        if not key or way not in _WAYS:
            raise UsageError(f"not a goal: {text!r}", hint="say which way is better: auc=max or loss=min")
        goals[key] = way
    return goals


def declared_goals(owners: Iterable[Owner]) -> dict[str, str]:
    """The goals that stages declare.

    Raises:
        BadGoalError: one of them is no goal.
    """
    goals: dict[str, str] = {}
    for owner in owners:
        found = _goal_of(owner.meta)
        if found is None:
            continue
        if not isinstance(found, Mapping) or not all(way in _WAYS for way in found.values()):
            raise BadGoalError(
                f"{owner.relpath}: stage '{owner.name}': the goal must map metrics to max or min",
                hint="write it like this: goal: {auc: max, loss: min}",
            )
        goals.update({str(key): way for key, way in found.items()})
    return goals


def _goal_of(meta: Any) -> Any:
    ours = meta.get("fourfold") if isinstance(meta, Mapping) else None
    return ours.get("goal") if isinstance(ours, Mapping) else None


def verdict(goals: Goals, path: str, key: str, difference: Any) -> str:
    """``better``, ``worse``, or nothing where no goal is known or nothing changed."""
    way = goals.get(f"{path}:{key}") or goals.get(key)
    if way is None or not isinstance(difference, int | float) or difference == 0 or difference != difference:  # noqa: PLR0124 - NaN is no change
        return ""
    return "better" if (difference > 0) == (way == "max") else "worse"
