"""A path that a stage of a template uses, as the template could write it: ``a.yaml`` as ``${item}.yaml``.

Whether all stages of the template agree with it is for the caller to see. The language is
`fourfold.formats.dvc.templates`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fourfold.formats.dvc.stage_items import escaped

#: So many values of a definition are tried in one path.
_MOST = 50


def templates(item: str, suffix: str, definition: Mapping[str, Any]) -> set[str]:
    """Every way in which a definition could write a path of one of its stages.

    Args:
        item: The path, as the stage has it.
        suffix: What the name of the stage has after the ``@``.
        definition: The entry of ``foreach`` or ``matrix``, as written.
    """
    found = set()
    for expression, value in list(_values(suffix, definition))[:_MOST]:
        pattern = rf"(?<![A-Za-z0-9]){re.escape(value)}(?![A-Za-z0-9])"
        pieces = re.split(pattern, item)
        if value and len(pieces) > 1:
            found.add(expression.join(escaped(piece, templated=True) for piece in pieces))
    return found


def _values(suffix: str, definition: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Expressions of a definition, and what each is for one of its stages."""
    turns = definition.get("foreach")
    if isinstance(turns, Mapping):
        yield "${key}", suffix
        value = {str(key): value for key, value in turns.items()}.get(suffix)
        yield from _of_item(value)
    elif isinstance(turns, list):
        scalars = {str(turn): turn for turn in turns if isinstance(turn, str | int | float)}
        if suffix in scalars:
            yield "${item}", suffix
        elif suffix.isdecimal() and int(suffix) < len(turns):
            yield from _of_item(turns[int(suffix)])
    matrix = definition.get("matrix")
    if isinstance(matrix, Mapping):
        for axis, choices in matrix.items():
            for choice in choices if isinstance(choices, list) else ():
                if isinstance(choice, str | int | float) and str(choice) in suffix:
                    yield f"${{item.{axis}}}", str(choice)


def _of_item(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if isinstance(inner, str | int | float):
                yield f"${{item.{key}}}", str(inner)
    elif isinstance(value, str | int | float):
        yield "${item}", str(value)
