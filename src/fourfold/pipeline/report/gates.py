"""Gates: conditions under which a report fails, in a language so small that nothing is evaluated.

    FILE:KEY OP NUMBER           metrics.json:auc < 0.85       the new value
    FILE:KEY change OP NUMBER    metrics.json:loss change > 0  new less old, with its sign
    FILE:KEY drop OP NUMBER      metrics.json:auc drop > 0.01  old less new
    FILE:KEY rise OP NUMBER      metrics.json:time rise > 5%   new less old; a percentage is of the old value
    out-of-date                  a stage of the new side has to run again
    missing-on-remote            a remote lacks data of the new side, or could not be asked

A gate trips when its condition holds, and also when it cannot be answered: the metric is not there, or is no
number. A percentage makes sense for ``change``, ``drop`` and ``rise`` only.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from fourfold.base.errors import ConflictError, UsageError
from fourfold.pipeline.compare import flatten
from fourfold.pipeline.moments import Values
from fourfold.pipeline.report.value import Due, GateResult, OnRemote

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


OUT_OF_DATE, MISSING = "out-of-date", "missing-on-remote"


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
        form: ``change``, ``drop``, ``rise``, empty for the value itself; of a condition that is not on
            metrics, its whole text.
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
    if text.strip() in {OUT_OF_DATE, MISSING}:
        return Gate(text.strip(), "", "", text.strip(), "", 0.0)
    found = _GATE.fullmatch(text)
    path, colon, key = found["target"].rpartition(":") if found else ("", "", "")
    if found is None or not colon or not path or any(part in "<>=!" for part in key):
        raise BadGateError(
            f"not a condition: {text!r}",
            hint="write FILE:KEY, an operator and a number: 'metrics.json:auc < 0.85', "
            f"'metrics.json:auc drop > 0.01', or {OUT_OF_DATE}, or {MISSING}",
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


def check_state(gate: Gate, due: Sequence[Due], remote: OnRemote | None) -> GateResult | None:
    """Ask a condition that is not about metrics; None for one that is."""
    if gate.form == OUT_OF_DATE:
        names = ", ".join(item.name for item in due)
        return GateResult(
            gate.text, bool(due), f"must run again: {names}" if due else "every stage is up to date"
        )
    if gate.form == MISSING:
        if remote is None or remote.problem:
            finding = remote.problem if remote is not None else "no remote was asked"
            return GateResult(gate.text, tripped=True, finding=finding)
        absent = remote.absent
        told = f"{', '.join(absent[:3])}{f' and {len(absent) - 3} more' if len(absent) > 3 else ''}"
        return GateResult(gate.text, bool(absent), told or "everything is there")
    return None


def check(gate: Gate, old: Values, new: Values) -> GateResult:
    """Ask a condition of the metrics of two moments."""
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
