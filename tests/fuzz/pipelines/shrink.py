"""Making a history small that finds a difference: without steps, stages, entries that it does not need.

A smaller one counts when the difference that it finds has the same key. Knows histories as data only; what it
removes may leave a pipeline that makes no sense, which is as good a recipe as any.
"""

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.fuzz.pipelines.history import History, Step
from tests.fuzz.pipelines.play import Arena, Found

Failing = Callable[[History], bool]


def smallest(arena: Arena, history: History, found: Found, seconds: float) -> tuple[History, Found]:
    """A small history with the same difference, and the difference there."""
    last = {"found": found}

    def failing(smaller: History) -> bool:
        again = arena.play(smaller).found
        if again is None or again.key != found.key:
            return False
        last["found"] = again
        return True

    history = shrink(history[: found.number + 1], failing, seconds)
    return history, last["found"]


def shrink(history: History, failing: Failing, seconds: float) -> History:
    """The smallest history found in the time that still fails."""
    end = time.monotonic() + seconds
    best = history
    again = True
    while again and time.monotonic() < end:
        again = False
        for smaller in _smaller(best):
            if time.monotonic() >= end:
                break
            if failing(smaller):
                best, again = smaller, True
                break
    return best


def _smaller(history: History) -> Iterator[History]:
    """Histories with one thing less, the largest things first."""
    for index in reversed(range(len(history))):
        if "run" in history[index] or "swap" in history[index] or index:
            yield history[:index] + history[index + 1 :]
    for file, name in sorted(_stages(history)):
        yield _without(history, lambda step, f=file, n=name: _drop_stage(step, f, n))  # type: ignore[misc]
    names = sorted({name for step in history for name in step.get("files", {})})
    for name in names:
        yield _without(history, lambda step, n=name: step.get("files", {}).pop(n, None))  # type: ignore[misc]
    for file, name in sorted(_stages(history)):
        yield from _smaller_stage(history, file, name)


def _smaller_stage(history: History, file: str, name: str) -> Iterator[History]:
    keys = sorted({key for stage in _definitions(history, file, name) for key in stage} - {"cmd"})
    for key in keys:
        yield _without(history, lambda step, k=key: _each(step, file, name, k))  # type: ignore[misc]
    for key in (*keys, "cmd"):
        items = {
            repr(item)
            for stage in _definitions(history, file, name)
            if isinstance(stage.get(key), list) and len(stage[key]) > 1
            for item in stage[key]
        }
        for item in sorted(items):
            yield _without(history, lambda step, k=key, i=item: _each(step, file, name, k, i))  # type: ignore[misc]


def _stages(history: History) -> set[tuple[str, str]]:
    return {
        (file, name)
        for step in history
        for file, value in step.get("files", {}).items()
        if isinstance(value, dict)
        for name in value.get("stages", {})
    }


def _definitions(history: History, file: str, name: str) -> list[dict[str, Any]]:
    found = []
    for step in history:
        document = step.get("files", {}).get(file)
        if isinstance(document, dict) and name in document["stages"]:
            found.append(document["stages"][name])
    return found


def _without(history: History, drop: Callable[[Step], object]) -> History:
    smaller = copy.deepcopy(history)
    for step in smaller:
        drop(step)
    return [step for step in smaller if step.get("files", True)]


def _drop_stage(step: Step, file: str, name: str) -> None:
    document = step.get("files", {}).get(file)
    if isinstance(document, dict):
        document["stages"].pop(name, None)


def _each(step: Step, file: str, name: str, key: str, item: str | None = None) -> None:
    """Drop a key of a stage, or one item of its list."""
    for stage in _definitions([step], file, name):
        if item is None:
            stage.pop(key, None)
        elif isinstance(stage.get(key), list):
            stage[key] = [entry for entry in stage[key] if repr(entry) != item]
