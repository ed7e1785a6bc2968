"""Parameters in a Python source: read as a syntax tree, never executed.

Assignments of literals at the top level, in classes (a class is a mapping), and to ``self`` in ``__init__``;
what is not a literal is passed over. No input or output.
"""

import ast
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

#: Python sources above this are refused: a syntax tree costs a hundred times its text.
MAX_PYTHON_BYTES = 1024 * 1024


def parse_python(text: str) -> dict[str, Any]:
    """The assignments of literals in a Python source.

    Raises:
        SyntaxError: it is not Python.
        ValueError: it is larger than `MAX_PYTHON_BYTES`.
        RecursionError: it is nested too deep.
    """
    if len(text) > MAX_PYTHON_BYTES:
        raise ValueError(f"larger than {MAX_PYTHON_BYTES} bytes")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the user's own doubtful escapes are no news of ours
        tree = ast.parse(text)
    return _body(tree.body, only_self=False)


def _body(statements: Sequence[ast.stmt], *, only_self: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for statement in statements:
        if isinstance(statement, ast.ClassDef):
            found[statement.name] = _body(statement.body, only_self=False)
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            found.update(_body(statement.body, only_self=True))
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            found.update(_assigned(statement, only_self=only_self))
    return found


def _assigned(statement: ast.Assign | ast.AnnAssign, *, only_self: bool) -> Iterator[tuple[str, Any]]:
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    if len(targets) != 1 or statement.value is None:
        return
    name = _name(targets[0], only_self=only_self)
    if name is None:
        return
    try:
        yield name, ast.literal_eval(statement.value)
    except (ValueError, TypeError):
        return


def _name(target: ast.expr, *, only_self: bool) -> str | None:
    if isinstance(target, ast.Name):
        return None if only_self else target.id
    if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self":
        return target.attr
    return None
