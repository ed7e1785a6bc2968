"""Documents of TOML, JSON and YAML, read with caps; whatever is wrong with one is a `BadLockFileError`.

Meaning is given to them by the parsers beside this module.
"""

import json
from typing import Any

from fourfold.formats.dvc import yamlio
from fourfold.formats.locks.model import MAX_BYTES, BadLockFileError


def decode(data: bytes, source: str) -> str:
    """The text of a lock file.

    Raises:
        BadLockFileError: it is too large, or not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise BadLockFileError(f"{source} is larger than {MAX_BYTES} bytes ({len(data)})")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise BadLockFileError(f"{source} is not UTF-8: byte 0x{data[error.start]:02x}") from None


def read_toml(data: bytes, source: str) -> dict[str, Any]:
    """A TOML document.

    Raises:
        BadLockFileError: it cannot be read.
    """
    import tomllib  # noqa: PLC0415 - half of the projects have no lock file in TOML

    try:
        return tomllib.loads(decode(data, source))
    except (ValueError, RecursionError) as error:
        raise BadLockFileError(f"{source}: {str(error)[:120] or 'nested too deep'}") from None


def read_json(data: bytes, source: str) -> dict[str, Any]:
    """A JSON object.

    Raises:
        BadLockFileError: it cannot be read, or is something else.
    """
    try:
        value = json.loads(decode(data, source))
    except (ValueError, RecursionError) as error:
        raise BadLockFileError(f"{source}: {str(error)[:120]}") from None
    if not isinstance(value, dict):
        raise BadLockFileError(f"{source} is not a JSON object")
    return value


def read_yaml(data: bytes, source: str) -> dict[str, Any]:
    """A YAML mapping.

    Raises:
        BadLockFileError: it cannot be read, or is something else.
    """
    try:
        value = yamlio.load(data, source)
    except yamlio.BadYamlError as error:
        raise BadLockFileError(error.message) from None
    if not isinstance(value, dict):
        raise BadLockFileError(f"{source} is not a YAML mapping")
    return value
