"""Which format a file is of, by its name and its first bytes; and the one door to all parsers.

Where lock files are looked for, and in which order, is `fourfold.runs.lockcheck.find`.
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from fourfold.formats.locks.model import BadLockFileError, Locked

Reader = Callable[[str], bytes]


class Companion(NamedTuple):
    """Files beside a lock that some formats need to be understood.

    Attributes:
        read: Gives a file's bytes by its path relative to the lock's folder (as the lock writes it), or
            raises an `OSError`.
        project: The bytes of ``pyproject.toml`` or ``Pipfile`` beside it; None without.
    """

    read: Reader | None = None
    project: bytes | None = None


ALONE = Companion()

_NAMES = {
    "pylock.toml": "pylock.toml",
    "uv.lock": "uv.lock",
    "poetry.lock": "poetry.lock",
    "pdm.lock": "pdm.lock",
    "Pipfile.lock": "Pipfile.lock",
    "conda-lock.yml": "conda-lock",
    "conda-lock.yaml": "conda-lock",
    "pixi.lock": "pixi.lock",
    "pyproject.toml": "pyproject.toml",
    "environment.yml": "environment.yml",
    "environment.yaml": "environment.yml",
}
_PYLOCK = re.compile(r"pylock\.[^.]+\.toml")
_REQUIREMENTS = re.compile(r".*(?:requirements|constraints).*\.(?:txt|in|lock)|.*\.txt")


def kind_of(name: str, data: bytes = b"") -> str:
    """The format of a file by its name and how it begins; "" when it is none that is known."""
    if name in _NAMES:
        return _NAMES[name]
    if _PYLOCK.fullmatch(name):
        return "pylock.toml"
    if re.search(rb"^@EXPLICIT\s*$", data[:65536], re.MULTILINE):
        return "conda-explicit"
    if _REQUIREMENTS.fullmatch(name):
        return "requirements"
    return ""


def parse(name: str, data: bytes, source: str = "", beside: Companion = ALONE) -> Locked:
    """Read a lock file of whatever kind.

    Args:
        name: The file's name, which says its kind.
        data: Its bytes.
        source: How messages call it; ``name`` when empty.
        beside: What stands beside it.

    Raises:
        BadLockFileError: its kind is not known, or it cannot be understood.
    """
    source = source or name
    kind = kind_of(name, data)
    found = _of_python(kind, data, source, beside) or _of_conda(kind, data, source)
    if found is None:
        raise BadLockFileError(
            f"{source} is no lock file that is known",
            hint="known are pylock.toml, uv.lock, requirements with hashes, poetry.lock, pdm.lock, "
            "Pipfile.lock, conda-lock.yml, explicit conda lists and pixi.lock",
        )
    return found


# Each branch imports its parser: one project has one kind of lock.


def _of_python(kind: str, data: bytes, source: str, beside: Companion) -> Locked | None:
    if kind == "pylock.toml":
        from fourfold.formats.locks import pylock  # noqa: PLC0415 - see above

        return pylock.parse(data, source)
    if kind == "uv.lock":
        from fourfold.formats.locks import uv  # noqa: PLC0415 - see above

        return uv.parse(data, source, beside.project)
    if kind == "requirements":
        from fourfold.formats.locks import requirements  # noqa: PLC0415 - see above

        return requirements.parse(data, source, beside.read)
    if kind == "pyproject.toml":
        from fourfold.formats.locks import declared  # noqa: PLC0415 - see above

        return declared.parse_pyproject(data, source)
    return _of_projects(kind, data, source, beside)


def _of_projects(kind: str, data: bytes, source: str, beside: Companion) -> Locked | None:
    if kind == "poetry.lock":
        from fourfold.formats.locks import poetry  # noqa: PLC0415 - see above

        return poetry.parse(data, source, beside.project)
    if kind == "pdm.lock":
        from fourfold.formats.locks import pdm  # noqa: PLC0415 - see above

        return pdm.parse(data, source, beside.project)
    if kind == "Pipfile.lock":
        from fourfold.formats.locks import pipenv  # noqa: PLC0415 - see above

        return pipenv.parse(data, source, beside.project)
    return None


def _of_conda(kind: str, data: bytes, source: str) -> Locked | None:
    if kind == "environment.yml":
        from fourfold.formats.locks import declared  # noqa: PLC0415 - see above

        return declared.parse_environment(data, source)
    if kind in {"conda-lock", "conda-explicit", "pixi.lock"}:
        from fourfold.formats.locks import conda  # noqa: PLC0415 - see above

        if kind == "pixi.lock":
            return conda.parse_pixi(data, source)
        return (conda.parse_conda_lock if kind == "conda-lock" else conda.parse_explicit)(data, source)
    return None
