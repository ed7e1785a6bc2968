"""Every installed file against the hash that its RECORD has, in threads, with what did not move remembered.

RECORDs are hostile input here: a path that leads out of the environment is told and not read, and what
is no regular file is not opened.
"""

import base64
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from io import FileIO
from typing import NamedTuple

from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink
from fourfold.base.pool import chunks, map_batches
from fourfold.runs.environment.records import rows
from fourfold.runs.environment.remembered import Remembered

#: No RECORD is larger, in bytes.
_MOST = 64 * 1024 * 1024
_BATCH = 128
_CHUNK = 1024 * 1024
_PHASE = "re-hashing"
#: What PEP 376 and the wheel specification allow.
_ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})


class Row(NamedTuple):
    """One file that a RECORD names.

    Attributes:
        path: Absolute and normalized.
        shown: As the RECORD has it.
        proof: ``sha256=<base64>``; "" for none.
        size: As the RECORD has it; "" for none.
        owner: Index of its distribution.
    """

    path: str
    shown: str
    proof: str
    size: str
    owner: int


class Verdict(NamedTuple):
    """What was found of one file.

    Attributes:
        row: The file.
        state: ``changed`` | ``missing`` | ``outside`` | ``unreadable`` | ``unknown`` (its hash is of a
            kind that proves nothing).
        links: How many names the file has; more than one where it is shared with a cache.
    """

    row: Row
    state: str
    links: int = 1


class Rehashed(NamedTuple):
    """What re-hashing found.

    Attributes:
        wrong: Files that are not what they were, in the order of their rows.
        hashed: Files that were read.
        remembered: Files that did not move since they were read.
        size: Bytes of both.
        unhashed: Files that RECORDs name without a hash.
        bytecode: Compiled files among these.
    """

    wrong: tuple[Verdict, ...]
    hashed: int
    remembered: int
    size: int
    unhashed: int
    bytecode: int


def read_record(folder: str, site: str, owner: int) -> list[Row] | None:
    """The files of one distribution; None without a RECORD.

    Args:
        folder: Absolute, of its ``dist-info``.
        site: The folder that its paths are relative to.
        owner: What the rows shall say it is.
    """
    try:
        with open(os.path.join(folder, "RECORD"), "rb") as file:
            text = file.read(_MOST).decode("utf-8", "surrogateescape")
    except OSError:
        return None
    found, prefix = [], site + os.sep
    for shown, proof, size in rows(text):
        if "\0" in shown:
            continue
        plain = not shown.startswith("/") and "./" not in shown and "//" not in shown
        path = prefix + shown if plain else os.path.normpath(os.path.join(site, shown))
        found.append(Row(path, shown, proof, size, owner))
    return found


def rehash(
    listed: Sequence[Row], inside: Sequence[str], known: Remembered, now_ns: int, events: Sink
) -> Rehashed:
    """Read every file that has a hash.

    Args:
        listed: The files.
        inside: Absolute folders that they may lie in.
        known: What is remembered.
        now_ns: The time.
        events: Hears of progress.
    """
    with_proof = [row for row in listed if row.proof]
    bare = [row for row in listed if not row.proof]
    bounds = tuple(folder.rstrip(os.sep) + os.sep for folder in inside)
    events(PhaseStarted(_PHASE, total=len(with_proof)))
    wrong: list[Verdict] = []
    hashed = remembered = size = 0

    def work(span: range) -> list[tuple[Row, "_Seen"]]:
        return [(row, _look(row, bounds, known)) for row in (with_proof[index] for index in span)]

    try:
        for batch in map_batches(work, chunks(len(with_proof), _BATCH)):
            done = 0
            for row, seen in batch:
                verdict = _judge(row, seen)
                if verdict is not None:
                    wrong.append(verdict)
                if seen.status is not None and seen.proof:
                    done += seen.status.st_size
                    if seen.fresh:
                        hashed += 1
                        known.put(row.path, seen.status, seen.proof, now_ns)
                    else:
                        remembered += 1
            size += done
            events(Advanced(_PHASE, done=len(batch), size=done))
    finally:
        events(PhaseEnded(_PHASE))
    return Rehashed(
        tuple(wrong), hashed, remembered, size, len(bare), sum(row.path.endswith(".pyc") for row in bare)
    )


class _Seen(NamedTuple):
    """What one look gave: a state, or the status and the hash of a file, and whether it was read now."""

    state: str = ""
    status: os.stat_result | None = None
    proof: str = ""
    fresh: bool = False


def _look(row: Row, bounds: tuple[str, ...], known: Remembered) -> _Seen:
    algorithm = row.proof.partition("=")[0]
    if not row.path.startswith(bounds) or algorithm not in _ALGORITHMS:
        return _Seen("unknown" if row.path.startswith(bounds) else "outside")
    try:
        status = os.stat(row.path)
        # The size tells without reading, and nothing but a regular file may be opened: a pipe would wait.
        if not stat.S_ISREG(status.st_mode) or _other_size(row.size, status.st_size):
            return _Seen("changed", status)
        held = known.get(row.path, status)
        if isinstance(held, str) and held.partition("=")[0] == algorithm:
            return _Seen("", status, held)
        with open(row.path, "rb", buffering=0) as file:
            return _Seen("", os.fstat(file.fileno()), f"{algorithm}={_digest(file, algorithm)}", fresh=True)
    except FileNotFoundError:
        return _Seen("missing")
    except (OSError, ValueError):
        return _Seen("unreadable")


def _other_size(text: str, size: int) -> bool:
    return text.isascii() and text.isdigit() and int(text[:20]) != size


def _digest(file: "FileIO", algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    while data := file.read(_CHUNK):
        digest.update(data)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _judge(row: Row, seen: _Seen) -> Verdict | None:
    if seen.state:
        return Verdict(row, seen.state, seen.status.st_nlink if seen.status else 1)
    if seen.proof and seen.proof in {row.proof.rstrip("="), _plain(row.proof)}:
        return None
    return Verdict(row, "changed", seen.status.st_nlink if seen.status else 1)


def _plain(proof: str) -> str:
    """A hash in hexadecimal digits, as some builders write it, in the form that the specification has."""
    algorithm, _mark, value = proof.partition("=")
    try:
        digest = bytes.fromhex(value)
    except ValueError:
        return proof
    return f"{algorithm}={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def owned(listed: Sequence[Row]) -> set[str]:
    """All paths that some RECORD names."""
    return {row.path for row in listed}


def walk(site: str) -> Iterator[tuple[str, bool]]:
    """Files below a folder of packages that Python could load: (absolute path, whether it is on top).

    Compiled files in ``__pycache__`` are left out.
    """
    ahead = [site]
    while ahead:
        folder = ahead.pop()
        try:
            with os.scandir(folder) as entries:
                inner = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inner:
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
            except OSError:
                continue
            if is_folder:
                if entry.name != "__pycache__":
                    ahead.append(entry.path)
            else:
                yield entry.path, folder == site
