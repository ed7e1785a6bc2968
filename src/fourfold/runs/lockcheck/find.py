"""Which file says what the environment of a project should be; and its parsed form, remembered by content.

Ranked: what the caller names, then locks from the most precise format down, then files that only declare.
"""

import errno
import os
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from fourfold.base.errors import NotFoundError, from_os_error
from fourfold.formats.locks.model import MAX_BYTES, BadLockFileError, Locked
from fourfold.formats.locks.read import Companion, kind_of, parse

#: Names the lock file, relative to the root; what `--lock` is for one command.
VARIABLE = "FOURFOLD_ENV_LOCK"

#: Locks, the most precise first; the folder of each is the root.
LOCKS = (
    "pylock.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "pixi.lock",
    "conda-lock.yml",
    "requirements.lock",
    "requirements.txt",
    "requirements/requirements.txt",
)
#: What only declares.
DECLARED = ("environment.yml", "environment.yaml", "pyproject.toml")

_MADE_FROM = {
    "Pipfile.lock": "Pipfile",
    "poetry.lock": "pyproject.toml",
    "pdm.lock": "pyproject.toml",
    "uv.lock": "pyproject.toml",
}
_INCLUDES = re.compile(rb"^\s*(?:-r|-c|--requirement|--constraint)", re.MULTILINE)


class NoLockFileError(NotFoundError):
    """There is no file that says what the environment should be, or the one that was named does not exist."""

    code = "no-lock-file"
    default_hint = "write one from what is installed: ff env lock"


class LockFile(NamedTuple):
    """A lock file that was found.

    Attributes:
        path: Absolute.
        kind: Its format.
        data: Its bytes.
    """

    path: str
    kind: str
    data: bytes


def find_lock(root: str, environ: Mapping[str, str] | None = None, *, named: str | None = None) -> str | None:
    """The file that says what the environment of a project should be: its absolute path.

    Args:
        root: The project's root.
        environ: Looked into for `VARIABLE`.
        named: What the caller names, relative to the root or absolute.

    Returns:
        None when there is none.

    Raises:
        NoLockFileError: the one that was named does not exist.
    """
    name = named or (environ or {}).get(VARIABLE, "")
    if name:
        path = os.path.normpath(os.path.join(root, name))
        if not os.path.isfile(path):
            raise NoLockFileError(f"no such lock file: {name}", hint="name a file that exists")
        return path
    first = (os.path.join(root, name) for name in (*LOCKS, *DECLARED))
    return next((path for path in first if os.path.isfile(path)), None)


def read_lock(path: str) -> LockFile:
    """Read a lock file's bytes.

    Raises:
        BadLockFileError: its format is not known, or it is too large.
        NotFoundError, DeniedError: it cannot be read.
    """
    data = _bytes(path)
    return LockFile(path, kind_of(os.path.basename(path), data), data)


def parse_lock(file: LockFile, source: str, root: str) -> Locked:
    """What a lock file says.

    Args:
        file: It.
        source: How messages call it.
        root: The project's root: what the file includes has to lie in it, or beside the file.

    Raises:
        BadLockFileError: it cannot be understood.
    """
    folder = os.path.dirname(file.path)
    companion = Companion(_reader(folder, source, root), beside(file))
    return parse(os.path.basename(file.path), file.data, source, companion)


def beside(file: LockFile) -> bytes | None:
    """The bytes of the file that a lock was made from; None without one, or for a kind that needs none.

    Raises:
        BadLockFileError: it is too large.
        DeniedError: it cannot be read.
    """
    name = _MADE_FROM.get(file.kind)
    path = os.path.join(os.path.dirname(file.path), name or "")
    return _bytes(path) if name and os.path.isfile(path) else None


def includes_others(file: LockFile) -> bool:
    """Whether what a lock says may depend on files that it names."""
    return file.kind == "requirements" and _INCLUDES.search(file.data) is not None


def _reader(folder: str, source: str, root: str) -> Callable[[str], bytes]:
    """Reads what a lock includes; ``source`` and the names are relative to the same place."""
    base = source.rpartition("/")[0]
    bounds = tuple(os.path.realpath(place).rstrip(os.sep) + os.sep for place in (root, folder))

    def read(name: str) -> bytes:
        relative = name.removeprefix(base + "/") if base else name
        path = os.path.realpath(os.path.join(folder, relative))
        if not path.startswith(bounds):
            raise PermissionError(errno.EPERM, "it lies outside of the project", path)
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)

    return read


def _bytes(path: str) -> bytes:
    try:
        if os.path.getsize(path) > MAX_BYTES:
            raise BadLockFileError(f"{path} is larger than {MAX_BYTES} bytes")
        with open(path, "rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
