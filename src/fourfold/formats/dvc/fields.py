"""Checked access to the fields of a parsed document, and the errors that name the faulty one.

A parser of this folder walks plain values and raises `Fault` with the way to the bad one; `located`
turns that into the error its caller sees, with line and column, by reading the document once more
with marks. Only a failing path pays for that.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fourfold.base.errors import InvalidFileError

Path = tuple[str | int, ...]
Types = Mapping[str, tuple[type, ...]]

_NAMES = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    type(None): "nothing",
}


class BadFieldError(InvalidFileError):
    """A document is YAML, but not of the expected shape: an unknown key, a value of a wrong type.

    Attributes:
        source: The name of the document, as its reader knows it.
        path: The keys and indices that lead to the fault.
        line: Counted from 1; None when unknown.
        column: Counted from 1; None when unknown.
    """

    code = "bad-field"
    default_hint = "mend that line by hand; what changed in the file, Git knows: git diff"

    def __init__(
        self, source: str, problem: str, path: Path, line: int | None, column: int | None, hint: str
    ) -> None:
        where = source if line is None else f"{source}:{line}:{column}"
        super().__init__(f"{where}: {problem}" if where else problem, hint=hint)
        self.source = source
        self.path = path
        self.line = line
        self.column = column


class Fault(Exception):  # noqa: N818 - never leaves this folder: `located` makes it an error
    """What is wrong in a document, and the way to it."""

    def __init__(self, path: Path, problem: str, hint: str = "", *, at_key: bool = False) -> None:
        super().__init__(problem)
        self.path = path
        self.problem = problem
        self.hint = hint
        self.at_key = at_key


def located(fault: Fault, text: str, source: str) -> BadFieldError:
    """The error for ``fault``, with its line and column in ``text``."""
    from fourfold.formats.dvc import yaml_ruamel  # noqa: PLC0415 - only a failing path needs marks

    line, column = yaml_ruamel.locate(text, fault.path, at_key=fault.at_key)
    return BadFieldError(source, fault.problem, fault.path, line, column, fault.hint)


def dotted(path: Path) -> str:
    """``("outs", 0, "size")`` as ``outs[0].size``."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else str(part)
    return out


def check(entry: object, types: Types, path: Path, hint: str = "") -> dict[str, Any]:
    """``entry`` as a mapping that has only the keys of ``types``, each with a value of its types.

    Raises:
        Fault: it is not.
    """
    if type(entry) is not dict:
        wrong(path, entry, (dict,))
    for key, value in entry.items():
        allowed = types.get(key)
        if allowed is None:
            raise Fault(
                (*path, key),
                f"unknown key {key!r}" + (f" in {dotted(path)}" if path else ""),
                hint or _known(key, types),
                at_key=True,
            )
        if type(value) not in allowed:
            wrong((*path, key), value, allowed)
    return entry


def any_text(value: object, test: Callable[[str], bool]) -> bool:
    """Whether a text in a value, a key of a mapping or the value itself, passes a test."""
    if isinstance(value, str):
        return test(value)
    if isinstance(value, Mapping):
        return any(any_text(key, test) or any_text(item, test) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(any_text(item, test) for item in value)
    return False


def _known(key: object, types: Types) -> str:
    from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

    return did_you_mean(str(key), types, f"known keys: {', '.join(types)}")


def wrong(path: Path, value: object, allowed: tuple[type, ...]) -> NoReturn:
    """Say that ``value`` is of the wrong type."""
    expected = " or ".join(_NAMES.get(kind, kind.__name__) for kind in allowed if kind is not type(None))
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    what = dotted(path) or "the document"
    raise Fault(path, f"{what} must be {expected}, not {shown}")


def missing(path: Path, key: str) -> NoReturn:
    """Say that ``key`` is not there."""
    raise Fault(path, f"{dotted(path) or 'the document'} lacks the key {key!r}")
