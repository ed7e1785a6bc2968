"""Files of parameters and of metrics (YAML, JSON, TOML, Python) as plain values.

The file's extension decides, as for DVC: ``.json``, ``.toml``, ``.py``, anything else is YAML. Python is read
as a syntax tree and never executed: assignments of literals at the top level, in classes (a class is a
mapping), and to ``self`` in ``__init__``; what is not a literal is passed over. No input or output.
"""

import ast
import json
import os
import tomllib
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import yamlio

#: Python sources above this are refused: a syntax tree costs a hundred times its text.
MAX_PYTHON_BYTES = 1024 * 1024


class BadParamsError(InvalidFileError):
    """A file of parameters or metrics cannot be read in the language of its extension."""

    code = "bad-params"


def parse(data: bytes, name: str, source: str = "") -> Any:
    """Read a file of parameters or metrics; an empty one is an empty mapping.

    Args:
        data: The file's bytes.
        name: The file's name or path, for its extension.
        source: How messages call it; ``name`` when empty.

    Raises:
        BadParamsError: wrong syntax, not UTF-8, nested too deep, or too large.
        BadYamlError: the same, of YAML.
    """
    source = source or name
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in {".json", ".toml", ".py"}:
        return yamlio.load(data, source) or {}
    text = yamlio.decode(data, source)
    try:
        if suffix == ".json":
            return json.loads(text) or {}
        if suffix == ".toml":
            return tomllib.loads(text)
        return _python(text, source)
    except SyntaxError as error:
        where = f"{source}:{error.lineno}:{error.offset}" if error.lineno else source
        raise BadParamsError(f"{where}: {error.msg}") from None
    except json.JSONDecodeError as error:
        raise BadParamsError(f"{source}:{error.lineno}:{error.colno}: {error.msg}") from None
    except ValueError as error:
        raise BadParamsError(f"{source}: {error}") from None
    except (RecursionError, MemoryError):
        raise BadParamsError(f"{source}: nested too deep") from None


def _python(text: str, source: str) -> dict[str, Any]:
    if len(text) > MAX_PYTHON_BYTES:
        raise BadParamsError(f"{source}: larger than {MAX_PYTHON_BYTES} bytes")
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
