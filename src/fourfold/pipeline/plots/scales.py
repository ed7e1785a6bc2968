"""Numbers on an axis: what is a number, where the ticks stand, how they are written. No drawing."""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

#: Beyond this, differences of two numbers are no longer numbers.
_LARGEST = 1e300
_SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"))


class Axis(NamedTuple):
    """One axis.

    Attributes:
        label: What stands beside it.
        low: Where it begins.
        high: Where it ends; always above ``low``.
        ticks: Value and text of each tick, ascending.
        names: The categories at 0, 1, 2 ...; empty for an axis of numbers.
    """

    label: str
    low: float
    high: float
    ticks: tuple[tuple[float, str], ...]
    names: tuple[str, ...] = ()

    def at(self, value: float, length: float) -> float:
        """How far along an axis of this length a value stands."""
        return (value - self.low) / (self.high - self.low) * length


def number(value: Any) -> float | None:
    """A value as a finite number; None when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return float(value) if isinstance(value, bool) else None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if abs(found) < _LARGEST else None  # not of infinities, not of NaN


def step_for(low: float, high: float, count: int) -> float:
    """The distance of about ``count`` ticks: 1, 2 or 5 times a power of ten."""
    raw = (high - low) / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * 0.999)


def ticks(low: float, high: float, count: int = 5) -> tuple[float, ...]:
    """About ``count`` round numbers from ``low`` to ``high``, which must be above it."""
    step = step_for(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return (
        tuple(number_at * step for number_at in range(first, last + 1))
        if last - first < 1000
        else (low, high)
    )


def text(value: float, step: float = 0.0) -> str:
    """A number for people, with as many digits as the distance of its neighbours asks for."""
    return _text(value, step).replace("-", "\u2212")


def _text(value: float, step: float) -> str:
    if value == 0:
        return "0"
    size = max(abs(value), step)
    if size >= 1e15 or (step or abs(value)) < 1e-5:
        return f"{value:.3g}"
    for unit, suffix in _SUFFIXES:
        if size >= unit:
            return f"{_trimmed(value / unit, _digits(step / unit) if step else 2)}{suffix}"
    return _trimmed(value, _digits(step) if step else 4 if abs(value) >= 1 else 5)


def _digits(step: float) -> int:
    return max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0


def _trimmed(value: float, digits: int) -> str:
    found = f"{value:,.{digits}f}"
    if "." in found:
        found = found.rstrip("0").rstrip(".")
    return "0" if found == "-0" else found


def axis(label: str, values: Iterable[float], *, nice: bool, zero: bool = False, count: int = 5) -> Axis:
    """An axis of numbers around values, of which there must be at least one.

    Args:
        label: What stands beside it.
        values: What has to be on it.
        nice: Begin and end at round numbers.
        zero: Zero has to be on it too.
        count: How many ticks, about.
    """
    found = list(values)
    low, high = min(found), max(found)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(low) / 2 or 0.5
        low, high = low - room, high + room
    step = step_for(low, high, count)
    if nice:
        low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Axis(label, low, high, tuple((at, text(at, step)) for at in ticks(low, high, count)))


def categories(label: str, names: Iterable[str], *, most: int = 12) -> Axis:
    """An axis of names, one a unit; where they are many, only every n-th is written."""
    known = tuple(names)
    every = max(1, math.ceil(len(known) / most))
    marks = tuple((float(at), known[at]) for at in range(0, len(known), every))
    return Axis(label, -0.5, len(known) - 0.5, marks, known)
