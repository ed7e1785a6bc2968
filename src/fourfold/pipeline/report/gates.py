"""Gates: conditions of metrics under which a report fails, in a language so small that nothing is evaluated.

    FILE:KEY OP NUMBER           metrics.json:auc < 0.85       the new value
    FILE:KEY change OP NUMBER    metrics.json:loss change > 0  new less old, with its sign
    FILE:KEY drop OP NUMBER      metrics.json:auc drop > 0.01  old less new
    FILE:KEY rise OP NUMBER      metrics.json:time rise > 5%   new less old; a percentage is of the old value

A gate trips when its condition holds, and also when it cannot be answered: the metric is not there, or is no
number. A percentage makes sense for ``change``, ``drop`` and ``rise`` only.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import ConflictError, UsageError
from fourfold.pipeline.compare import flatten
from fourfold.pipeline.moments import Values
from fourfold.pipeline.report.value import GateResult

_OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}
_NUMBER = r"[+-]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(?:[eE][+-]?\d{1,3})?"
_GATE = re.compile(
    rf"\s*(?P<target>\S.*?)(?:\s+(?P<form>change|drop|rise))?\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<number>{_NUMBER})(?P<percent>%?)\s*",
    re.ASCII,
)


class BadGateError(UsageError):
    """A condition of ``--fail-on`` is not written in its language."""

    code = "bad-gate"


class GateTrippedError(ConflictError):
    """A condition of ``--fail-on`` holds, or its metric is not there."""

    code = "gate-tripped"
    exit_code = 1


class Gate(NamedTuple):
    """One condition.

    Attributes:
        text: As typed, blanks tidied.
        path: The file of metrics, from the project's root.
        key: The dotted key; empty for a file that is one number.
        form: ``change``, ``drop``, ``rise``, or empty for the value itself.
        operator: One of six.
        number: What it is compared with.
        percent: Whether that is a percentage of the old value.
    """

    text: str
    path: str
    key: str
    form: str
    operator: str
    number: float
    percent: bool = False


def parse_gate(text: str) -> Gate:
    """Read one condition.

    Raises:
        BadGateError: it is something else.
    """
    found = _GATE.fullmatch(text)
    path, colon, key = found["target"].rpartition(":") if found else ("", "", "")
    if found is None or not colon or not path or any(part in "<>=!" for part in key):
        raise BadGateError(
            f"not a condition: {text!r}",
            hint="write FILE:KEY, an operator and a number: 'metrics.json:auc < 0.85', "
            "or 'metrics.json:auc drop > 0.01'",
        )
    form, percent = found["form"] or "", bool(found["percent"])
    if percent and not form:
        raise BadGateError(
            f"a percentage of what? {text!r}",
            hint="percentages go with change, drop and rise: 'f:auc drop > 5%'",
        )
    tidy = " ".join(
        part for part in (f"{path}:{key}", form, found["op"], found["number"] + found["percent"]) if part
    )
    return Gate(tidy, path, key, form, found["op"], float(found["number"]), percent)


def check(gate: Gate, old: Values, new: Values) -> GateResult:
    """Ask one condition of the metrics of two moments."""
    after = _number(new, gate)
    if isinstance(after, str):
        return GateResult(gate.text, tripped=True, finding=after)
    if not gate.form:
        return _result(gate, after, gate.number, f"it is {_shown(after)}")
    before = _number(old, gate)
    if isinstance(before, str):
        return GateResult(gate.text, tripped=True, finding=f"before, {before}")
    change = before - after if gate.form == "drop" else after - before
    limit = gate.number * abs(before) / 100 if gate.percent else gate.number
    return _result(gate, change, limit, f"it went from {_shown(before)} to {_shown(after)}")


def _result(gate: Gate, value: float, limit: float, finding: str) -> GateResult:
    if value != value:  # noqa: PLR0124 - NaN compares with nothing, so nothing is known
        return GateResult(gate.text, tripped=True, finding="it is not a number (NaN)")
    return GateResult(gate.text, _OPERATORS[gate.operator](value, limit), finding)


def _shown(value: float) -> str:
    return f"{value:.6g}"


def _number(values: Values, gate: Gate) -> float | str:
    """The metric, or why there is none."""
    file = values.files.get(gate.path)
    if file is None or file.error is not None:
        return f"there are no metrics in '{gate.path}'"
    flat: Mapping[str, Any] = dict(flatten(file.data)) if isinstance(file.data, Mapping) else {"": file.data}
    value = flat.get(gate.key)
    if value is None:
        return f"there is no metric '{gate.key}' in '{gate.path}'"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"'{gate.key}' of '{gate.path}' is no number"
    try:
        return float(value)
    except OverflowError:
        return f"'{gate.key}' of '{gate.path}' is too large a number"
