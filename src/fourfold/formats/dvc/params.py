"""Files of parameters and of metrics (YAML, JSON, TOML, Python) as plain values.

The file's extension decides, as for DVC: ``.json``, ``.toml``, ``.py``, anything else is YAML. Python is read
as a syntax tree and never executed: assignments of literals at the top level, in classes (a class is a
mapping), and to ``self`` in ``__init__``; what is not a literal is passed over. No input or output.
"""

import json
import os
from typing import Any

from fourfold.base.errors import InvalidFileError
from fourfold.formats.dvc import yamlio


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
            import tomllib  # noqa: PLC0415 - most projects keep their parameters in YAML

            return tomllib.loads(text)
        from fourfold.formats.dvc.params_python import parse_python  # noqa: PLC0415 - likewise

        return parse_python(text)
    except SyntaxError as error:
        where = f"{source}:{error.lineno}:{error.offset}" if error.lineno else source
        raise BadParamsError(f"{where}: {error.msg}") from None
    except json.JSONDecodeError as error:
        raise BadParamsError(f"{source}:{error.lineno}:{error.colno}: {error.msg}") from None
    except ValueError as error:
        raise BadParamsError(f"{source}: {error}") from None
    except (RecursionError, MemoryError):
        raise BadParamsError(f"{source}: nested too deep") from None
