"""The repository lock, in the protocol of a real DVC that may run beside us.

DVC holds ``.dvc/tmp/lock`` (``flock``, or a hard link with ``core.hardlink_lock``) while a command
runs, and releases it while a stage's command runs, leaving entries in ``.dvc/tmp/rwlock`` that say
which paths that stage reads and writes. We take the first and honour the second. Commands that only
read take neither. The lock dies with its process, except the hard link, which is why that is not the
default.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import UnavailableError, UnsupportedError, from_os_error
from fourfold.base.fs.platform import CREATE, NO_FOLLOW, UPDATE, lock, unlock

if TYPE_CHECKING:
    from fourfold.base.clock import Clock
    from fourfold.project.project import Project

#: Seconds that DVC, too, waits for its lock before it gives up.
PATIENCE = 3.0
_PAUSE = 0.05
#: The file of ``.dvc/tmp`` whose lock is held while ``rwlock`` is rewritten, as DVC does.
RWLOCK_GUARD = "rwlock.lock"
_RWLOCK_MAX = 16 * 1024 * 1024
#: How far in the future a hard-link lock says it expires; DVC breaks one that has expired.
_LIFETIME = 365 * 24 * 3600


class RepositoryLockedError(UnavailableError):
    """Another process works on this project now."""

    code = "repository-locked"


class LockUnsupportedError(UnsupportedError):
    """The file system of ``.dvc/tmp`` has no kernel locks."""

    code = "lock-unsupported"


class Holder(NamedTuple):
    """A process that is in our way.

    Attributes:
        pid: Its process id; 0 when the lock does not tell.
        command: Its command line, as far as we can see it.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        if not self.pid:
            return "another process"
        return f"process {self.pid} ({self.command})" if self.command else f"process {self.pid}"


@contextmanager
def project_lock(
    project: "Project", *, wait: bool | None = None, writes: Iterable[str] | None = None
) -> Iterator[None]:
    """Hold the repository lock for the block; nested blocks of one process share it.

    Args:
        project: Whose lock.
        wait: Wait as long as it takes instead of three seconds; by default as the project says.
        writes: Absolute paths that the block may write, to compare with what running stages of a real
            DVC use; None stands for the whole project.

    Raises:
        RepositoryLockedError: somebody else holds it; the message names the process.
        LockUnsupportedError: the file system has no locks.
        DeniedError, ExhaustedError: ``.dvc/tmp`` cannot be written.
    """
    if project.lock_depth:
        project.lock_depth += 1
        try:
            yield
        finally:
            project.lock_depth -= 1
        return
    tmp = project.tmp_dir
    try:
        os.makedirs(tmp, exist_ok=True)
    except OSError as error:
        raise from_os_error(error, f"creating {tmp}") from error
    patient = project.wait_for_lock if wait is None else wait
    deadline = None if patient else project.clock.monotonic() + PATIENCE
    held = _take_beside_stages(project, [project.root] if writes is None else list(writes), deadline)
    project.lock_depth = 1
    try:
        yield
    finally:
        project.lock_depth = 0
        held.release()


def _take_beside_stages(
    project: "Project", writes: list[str], deadline: float | None
) -> "_Flock | _HardLink":
    """Take the repository lock in a moment when no running stage uses what is about to be written.

    The lock is free while we wait for a stage: the stage needs it to record what it made.
    """
    while True:
        held = _take(project, "lock", deadline)
        try:
            blocked = blockers(project.tmp_dir, writes)
        except BaseException:
            held.release()
            raise
        if not blocked:
            return held
        held.release()
        if deadline is not None and project.clock.monotonic() >= deadline:
            holder, path = blocked[0]
            raise RepositoryLockedError(
                f"{holder} uses '{path}'", hint="wait for it to end, or run again with --wait-for-lock"
            )
        project.clock.sleep(_PAUSE)


def _take(project: "Project", name: str, deadline: float | None) -> "_Flock | _HardLink":
    """Take a lock file of ``.dvc/tmp``, as it is configured."""
    tmp = project.tmp_dir
    path = os.path.join(tmp, name)
    hard = project.config.hardlink_lock
    held: _Flock | _HardLink = _HardLink(path, tmp, project.clock) if hard else _Flock(path)
    while not held.try_take():
        if deadline is not None and project.clock.monotonic() >= deadline:
            raise _refusal(held.holder(), path, hard=hard)
        project.clock.sleep(_PAUSE)
    return held


@contextmanager
def guard(project: "Project", name: str) -> Iterator[None]:
    """Hold the lock of one file of ``.dvc/tmp`` for a moment, as DVC does around ``rwlock``.

    Raises:
        RepositoryLockedError: somebody holds it for longer than a moment.
    """
    held = _take(project, name, project.clock.monotonic() + PATIENCE)
    try:
        yield
    finally:
        held.release()


def _refusal(holder: Holder, path: str, *, hard: bool) -> RepositoryLockedError:
    if hard:
        hint = f"if no process of that kind runs any more, remove '{path}'"
    elif holder.pid:
        hint = "wait for it to end, or run again with --wait-for-lock"
    else:
        hint = "run again with --wait-for-lock"
    return RepositoryLockedError(f"{holder} is working on this project", hint=hint)


def blockers(tmp_dir: str, writes: Sequence[str], reads: Sequence[str] = ()) -> list[tuple[Holder, str]]:
    """Live processes whose ``rwlock`` entries are in the way, each with the path it uses.

    What others write must be neither read nor written, what they read must not be written. A torn or
    foreign file, and entries of processes that are gone, block nobody.
    """
    document = read_rwlock(tmp_dir)
    found: list[tuple[Holder, str]] = []
    for mode, ours in (("write", (*writes, *reads)), ("read", tuple(writes))):
        for path, infos in document.get(mode, {}).items():
            for info in infos if isinstance(infos, list) else [infos]:
                holder = _holder_of(info)
                if holder is not None and any(_overlap(path, other) for other in ours):
                    found.append((holder, path))
    return found


def read_rwlock(tmp_dir: str) -> dict[str, dict[str, Any]]:
    """What running stages say that they use: ``read`` and ``write``, each by path; empty when it is torn."""
    try:
        with open(os.path.join(tmp_dir, "rwlock"), "rb") as file:
            data = file.read(_RWLOCK_MAX)
    except OSError:
        return {}
    if not data.strip() or data.strip() == b"{}":
        return {}
    import json  # noqa: PLC0415 - only while a stage runs is there anything to read

    try:
        document = json.loads(data)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {mode: entries for mode, entries in document.items() if isinstance(entries, dict)}


def _holder_of(info: object) -> Holder | None:
    """The live process of one entry; None when the entry is odd, ours, or its process is gone."""
    if not isinstance(info, dict):
        return None
    pid, command = info.get("pid"), info.get("cmd")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0 or pid == os.getpid():
        return None
    return Holder(pid, str(command or "")[:200]) if is_alive(pid) else None


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + os.sep) or other.startswith(one + os.sep)


def is_alive(pid: int) -> bool:
    """Whether a process of that id exists now; on Windows, where asking could end it, always."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OverflowError:
        return False
    except OSError:
        return True
    return True


def command_of(pid: int) -> str:
    """The command line of a running process; empty where the system does not tell."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(4096).split(b"\0")
    except OSError:
        return ""
    return " ".join(word.decode("utf-8", "replace") for word in words if word)[:200]


class _Flock:
    """``zc.lockfile``'s protocol: an exclusive ``flock``; the text is a space, its id, a line end."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def try_take(self) -> bool:
        try:
            fd = os.open(self.path, UPDATE | CREATE | NO_FOLLOW, 0o666)
        except OSError as error:
            raise from_os_error(error, f"opening the lock {self.path}") from error
        try:
            taken = _lock_fd(fd, 0)  # the byte that DVC, too, locks on Windows
        except BaseException:
            os.close(fd)
            raise
        if not taken:
            os.close(fd)
            return False
        text = b" %d\n" % os.getpid()
        with suppress(OSError):  # who holds it is a courtesy; a full disk must not cost the lock
            os.pwrite(fd, text, 0) if hasattr(os, "pwrite") else os.write(fd, text)
            os.ftruncate(fd, len(text))
        self._fd = fd
        return True

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):
                unlock(fd, byte=0)
            os.close(fd)

    def holder(self) -> Holder:
        try:
            with open(self.path, "rb") as file:
                text = file.read(64).strip()
        except OSError:
            return Holder(0, "")
        pid = int(text) if text.isdigit() and len(text) < 12 else 0
        return Holder(pid, command_of(pid)) if pid and is_alive(pid) else Holder(0, "")


def _lock_fd(fd: int, byte: int) -> bool:
    try:
        return lock(fd, byte=byte)
    except OSError as error:
        if error.errno in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
            raise LockUnsupportedError(
                "the file system of '.dvc/tmp' has no locks",
                hint="let hard links stand for locks: ff config core.hardlink_lock true",
            ) from error
        return False


class _HardLink:
    """``flufl.lock``'s protocol as DVC uses it: the lock is a second name of a claim file.

    The claim holds its own path; the lock's modification time is when it expires.
    """

    def __init__(self, path: str, tmp_dir: str, clock: "Clock") -> None:
        self.path = path
        self._clock = clock
        token = os.urandom(16).hex()
        self._claim = os.path.join(tmp_dir, f"{token}.lock")

    def try_take(self) -> bool:
        try:
            with open(self._claim, "x", encoding="utf-8") as file:
                file.write(self._claim)
            expires = self._clock.now_ns() + _LIFETIME * 1_000_000_000
            os.utime(self._claim, ns=(expires, expires))
            os.link(self._claim, self.path)
        except FileExistsError:
            with suppress(OSError):
                os.unlink(self._claim)
            return False
        except OSError as error:
            with suppress(OSError):
                os.unlink(self._claim)
            raise from_os_error(error, f"linking the lock {self.path}") from error
        return True

    def release(self) -> None:
        for path in (self.path, self._claim):
            with suppress(OSError):
                os.unlink(path)

    def holder(self) -> Holder:
        return Holder(0, "")
