"""``foreach`` and ``matrix``: what they go through, and what each stage made by them is called.

Facts (DVC 3.67.1): a stage made by them is ``group@key``. Through a mapping, ``key`` and ``item`` are at
hand and the key is the name; through a list only ``item``, whose text is the name, or whose index is when any
of the entries is a list or a mapping. Of a matrix, ``item`` is the mapping of the axes and ``key`` the name:
the texts of the entries joined by ``-``, an entry that is a list or a mapping called by axis and index. A
true or false that is written there is called ``true``, one of a variable ``True``. Of two entries
with one name the last stays, in the place of the first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, NamedTuple

from fourfold.formats.dvc.fields import Path
from fourfold.formats.dvc.templates import (
    BadIterationError,
    Template,
    TemplateFault,
    TemplateTooLargeError,
    compile_text,
    is_composite,
    short,
    text_of,
)
from fourfold.formats.dvc.variables import Held, Variables

#: One file may not generate more stages.
MAX_STAGES = 100_000

ITEM = "item"
KEY = "key"


class Turn(NamedTuple):
    """One stage that is made.

    Attributes:
        key: What follows the ``@`` of its name.
        local: What its templates may name besides the variables.
    """

    key: str
    local: dict[str, Any]


def foreach_turns(data: object, variables: Variables, path: Path) -> list[Turn]:
    """One turn for each entry of ``foreach``.

    Raises:
        TemplateFault: it is no list or mapping, or an entry gives no usable name.
    """
    over = _held(data, variables, path)
    value, way = over if type(over) is Held else (over, None)
    if isinstance(value, Mapping):
        _check_count(len(value), path)
        named = {
            text_of(key): _inner(value[key], way, str(key))
            for key in value
            if type(over) is not Held or isinstance(key, str)
        }
        turns = [Turn(key, {ITEM: item, KEY: key}) for key, item in named.items()]
    elif isinstance(value, list):
        _check_count(len(value), path)
        items = [_inner(item, way, str(at)) for at, item in enumerate(value)]
        by_index = any(is_composite(_bare(item)) for item in items)
        names = [str(at) if by_index else _name(item) for at, item in enumerate(items)]
        turns = [Turn(key, {ITEM: item}) for key, item in dict(zip(names, items, strict=True)).items()]
    else:
        raise _not_iterable("'foreach'", value, path)
    _check_names(turns, path)
    return turns


def matrix_turns(axes: Mapping[str, Any], variables: Variables, path: Path) -> list[Turn]:
    """One turn for each combination of the entries of all axes, the last axis first.

    Raises:
        TemplateFault: an axis is no list, or an entry gives no usable name.
    """
    if not axes:
        raise TemplateFault(
            BadIterationError, "'matrix' has no axis", "write: name: [value, value]", path=path
        )
    choices: dict[str, list[tuple[str, Any]]] = {}
    for name, data in axes.items():
        here = (*path, name)
        axis = _text_key(name, variables, here)
        choices[axis] = list(_choices(axis, data, variables, here))
    _check_count(prod(map(len, choices.values())), path)
    turns: dict[str, Turn] = {}
    for combination in product(*choices.values()):
        key = "-".join(name for name, _item in combination)
        variables.budget.spend_text(len(key))
        item = {axis: item for axis, (_name, item) in zip(choices, combination, strict=True)}
        turns[key] = Turn(key, {ITEM: item, KEY: key})
    _check_names(turns.values(), path)
    return list(turns.values())


def _choices(axis: str, data: object, variables: Variables, path: Path) -> Iterator[tuple[str, Any]]:
    """The entries of one axis with their names."""
    over = _held(data, variables, path)
    value, way = over if type(over) is Held else (over, None)
    if isinstance(value, Mapping):
        values: Sequence[Any] = [key for key in value if isinstance(key, str)]
    elif isinstance(value, list):
        values = [_inner(item, way, str(at)) for at, item in enumerate(value)]
    elif isinstance(value, str) and type(over) is not Held:
        values = value  # of plain text DVC takes each letter
    else:
        raise _not_iterable(f"axis '{short(axis)}'", value, path)
    _check_count(len(values), path)
    for at, item in enumerate(values):
        yield (f"{axis}{at}" if is_composite(_bare(item)) else _name(item)), item


def _inner(item: Any, way: tuple[str, ...] | None, step: str) -> Any:
    """An entry of a value of the variables stays one; what is written in the file stays plain."""
    return item if way is None or type(item) is Held else Held(item, (*way, step))


def _bare(item: Any) -> Any:
    return item.value if type(item) is Held else item


def _name(item: Any) -> str:
    if type(item) is not Held:
        return text_of(item)
    return str(item.value) if isinstance(item.value, bool) else text_of(item.value)


def _held(data: object, variables: Variables, path: Path) -> Any:
    """``data`` with its templates filled in; what one expression names alone is `Held`."""
    if isinstance(data, str):
        try:
            compiled = compile_text(data)
            if isinstance(compiled, str):
                return compiled
            return _filled(compiled, variables)
        except TemplateFault as fault:
            fault.path = path
            raise
    if isinstance(data, Mapping):
        return {
            _text_key(key, variables, (*path, key)): _held(value, variables, (*path, key))
            for key, value in data.items()
        }
    if isinstance(data, list):
        return [_held(value, variables, (*path, at)) for at, value in enumerate(data)]
    return data


def _filled(template: Template, variables: Variables) -> Any:
    if template.exact is None:
        return variables.fill(template, None)
    return variables.find(template.exact)


def _text_key(key: Any, variables: Variables, path: Path) -> Any:
    if not isinstance(key, str):
        return key
    value = _held(key, variables, path)
    if isinstance(value, str):
        return value
    raise TemplateFault(BadIterationError, f"'{short(key)}' cannot be a key", "write the name out", path=path)


def _not_iterable(what: str, value: object, path: Path) -> TemplateFault:
    shown = "nothing" if value is None else f"'{short(str(value))}'"
    hint = "write a list or a mapping there, or the name of one: ${name}"
    if isinstance(value, str) and "${" not in value:
        hint = f"to go through a variable, write: ${{{short(value)}}}"
    return TemplateFault(BadIterationError, f"{what} needs a list or a mapping, not {shown}", hint, path=path)


def _check_count(count: int, path: Path) -> None:
    if count > MAX_STAGES:
        raise TemplateFault(
            TemplateTooLargeError,
            f"this would generate {count} stages, more than {MAX_STAGES}",
            "go through fewer values",
            path=path,
        )


def _check_names(turns: Iterable[Turn], path: Path) -> None:
    for turn in turns:
        if not turn.key:
            raise TemplateFault(
                BadIterationError,
                "an empty text cannot name a stage",
                "go through a mapping, whose keys name the stages",
                path=path,
            )
        if "@" in turn.key:
            raise TemplateFault(
                BadIterationError,
                f"'{short(turn.key)}' would be part of a stage's name, which may hold no second '@'",
                "go through a mapping, whose keys name the stages, or leave the '@' out",
                path=path,
            )
