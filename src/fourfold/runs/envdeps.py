"""Environment variables as dependencies: a name, and a keyed hash that tells whether the value changed.

The hash is BLAKE3 keyed with 32 random bytes that no repository holds (``own/env-key``, readable by its owner
only), or with a key drawn from ``FOURFOLD_ENV_KEY``, which a team shares so that its machines can compare.
Without the key, nobody can try values against a hash, however few values there are. A digest is ``KEY:HASH``:
the short id of the key, then the hash; a hash by another key says nothing. Values are never stored, shown or
logged.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from blake3 import blake3

from fourfold.base.errors import ConfigError, InvalidFileError, from_os_error
from fourfold.base.fs.atomic import temp_name, write_all
from fourfold.base.fs.platform import CREATE_NEW, WRITE
from fourfold.base.fs.reading import read_file

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: The variable that holds a key which a team shares; at least `SHORTEST` characters.
VARIABLE = "FOURFOLD_ENV_KEY"
#: A shared key shorter than this could be guessed, and every value with it.
SHORTEST = 20
FILE = "env-key"
_SIZE = 32
_LARGEST = 1 << 10

Comparison = Literal["equal", "changed", "unknown"]


class WeakEnvKeyError(ConfigError):
    """The key in ``FOURFOLD_ENV_KEY`` is so short that it could be guessed."""

    code = "weak-env-key"


class BadEnvKeyError(InvalidFileError):
    """The file with the key for environment variables does not hold one."""

    code = "bad-env-key"


def digests(
    place: "Place", names: Iterable[str], environ: Mapping[str, str], *, draw: bool = True
) -> dict[str, str]:
    """``KEY:HASH`` of each variable; that it is not set is a value of its own.

    Args:
        place: Where the key is kept.
        names: Of variables.
        environ: Where they are looked up.
        draw: Whether a key is drawn where there is none yet; else a digest is "" there, which equals none.

    Raises:
        WeakEnvKeyError: the shared key is too short.
        BadEnvKeyError: the file of the key is not one.
        UnsafePathError, DeniedError, ExhaustedError: the key cannot be kept.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    key = _key(place, draw=draw)
    if key is None:
        return dict.fromkeys(wanted, "")
    short = _short(key)
    return {name: f"{short}:{_hash(key, name, environ.get(name))}" for name in wanted}


def compare(recorded: str | None, now: str | None) -> Comparison:
    """What two digests of one variable say: ``unknown`` where their keys differ, or one is missing."""
    if not recorded or not now:
        return "unknown"
    if recorded.partition(":")[0] != now.partition(":")[0]:
        return "unknown"
    return "equal" if recorded == now else "changed"


def _hash(key: bytes, name: str, value: str | None) -> str:
    """The name goes in too: two variables with one value do not show that they are equal."""
    data = os.fsencode(name) + (b"\0unset" if value is None else b"\0=" + os.fsencode(value))
    return blake3(data, key=key).hexdigest(length=16)


def _short(key: bytes) -> str:
    """The id of a key: of its hash, so that nothing of the key is in it."""
    return blake3(key, derive_key_context="fourfold 2025 id of a key for environment variables").hexdigest(
        length=4
    )


def _key(place: "Place", *, draw: bool) -> bytes | None:
    shared = place.environ.get(VARIABLE)
    if shared:
        if len(shared) < SHORTEST:
            raise WeakEnvKeyError(
                f"{VARIABLE} is shorter than {SHORTEST} characters: it could be guessed",
                hint="draw one: python -c 'import secrets; print(secrets.token_hex(32))'",
            )
        return blake3(
            os.fsencode(shared), derive_key_context="fourfold 2025 shared key for environment variables"
        ).digest()
    return _kept_key(place) if draw else _read(os.path.join(place.own, FILE))


def _kept_key(place: "Place") -> bytes:
    """The key of this workspace, drawn on first use; two processes that draw at once keep one."""
    path = os.path.join(place.own, FILE)
    found = _read(path)
    if found is not None:
        return found
    place.make()
    temporary = os.path.join(place.own, temp_name(FILE))
    try:
        descriptor = os.open(temporary, WRITE | CREATE_NEW, 0o600)
        try:
            write_all(descriptor, os.urandom(_SIZE))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temporary)
    except OSError as error:
        raise from_os_error(error, f"writing {path}") from error
    kept = _read(path)
    if kept is None:
        raise BadEnvKeyError(f"{path} went away", hint="run the same command again")
    return kept


def _read(path: str) -> bytes | None:
    try:
        data = read_file(path, _LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise from_os_error(error, f"reading {path}") from error
    if len(data) != _SIZE:
        raise BadEnvKeyError(
            f"{path} is not a key of {_SIZE} bytes",
            hint="remove it: a new key is drawn; what the old one recorded can then not be compared",
        )
    return data
