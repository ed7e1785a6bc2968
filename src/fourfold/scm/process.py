"""Running the git command so that a repository's settings cannot make it run anything else.

Every run disables hooks, the file-system monitor, pagers, prompts and lazy fetches, and forbids every
transport unless the caller names some: with no transport, no ``core.sshCommand``, remote helper or
credential helper can start. Git itself decides whether the repository's owner is trusted
(``safe.directory``); its refusal becomes a typed error. Git's own location variables, as a hook inherits
them, are dropped. This module knows how to run; what to ask is `fourfold.scm.git`.
"""

import os
import re
import signal
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import (
    AuthError,
    DeniedError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
    from_os_error,
)

if TYPE_CHECKING:
    from subprocess import Popen


class GitNotInstalledError(UnsupportedError):
    """There is no ``git`` on the PATH."""

    code = "git-not-installed"


class GitFailedError(UnavailableError):
    """A git command failed in a way that has no error of its own."""

    code = "git-failed"


class GitOwnershipError(DeniedError):
    """Git refuses a repository that belongs to another user."""

    code = "git-dubious-ownership"


class GitAuthError(AuthError):
    """The other side refused our identity, or asked for a password that is not stored."""

    code = "git-auth"


class GitRemoteNotFoundError(NotFoundError):
    """There is no repository at that address."""

    code = "git-repository-not-found"


class GitUnreachableError(UnavailableError):
    """The host of a repository cannot be reached now."""

    code = "git-unreachable"


class Done(NamedTuple):
    """How a run ended."""

    code: int
    out: bytes
    err: str


#: Settings that no run of ours obeys. ``core.hooksPath`` silences hooks, the rest what their names say.
_SAFE = (
    "--no-optional-locks",
    "--no-pager",
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.pager=cat",
    "-c", "core.quotePath=false",
    "-c", "core.askPass=",
    "-c", "protocol.ext.allow=never",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
    "-c", "advice.detachedHead=false",
)  # fmt: skip
#: For commands that write to a repository.
DURABLE = ("-c", "core.fsync=all", "-c", "core.fsyncMethod=fsync")
#: Where a repository is, as git tells its hooks; ours is always the one that we name.
LOCATION = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_DIR",
        "GIT_EXTERNAL_DIFF",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)


def child_environment(
    environ: Mapping[str, str], *, work_tree: str | None = None, transports: str = ""
) -> dict[str, str]:
    """The environment of a git process.

    Args:
        environ: The caller's environment.
        work_tree: Overrides ``core.worktree`` of the repository's configuration.
        transports: What it may connect by, joined by colons; none by default.
    """
    env = {name: value for name, value in environ.items() if name not in LOCATION}
    env.update(
        GIT_TERMINAL_PROMPT="0",
        GIT_OPTIONAL_LOCKS="0",
        GIT_NO_LAZY_FETCH="1",
        GIT_LITERAL_PATHSPECS="1",
        GIT_ALLOW_PROTOCOL=transports or "none",
        LC_ALL="C",
        LANGUAGE="C",
    )
    if work_tree is not None:
        env["GIT_WORK_TREE"] = work_tree
    return env


def git_command(environ: Mapping[str, str]) -> str:
    """The path of git on the caller's PATH; relative entries of it are skipped.

    Raises:
        GitNotInstalledError: there is none.
    """
    names = ("git.exe",) if os.name == "nt" else ("git",)
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isabs(folder) and os.access(path, os.X_OK) and os.path.isfile(path):
                return path
    raise GitNotInstalledError("git is not installed, or not on the PATH", hint="install git 2.30 or newer")


def run_git(
    where: Sequence[str],
    args: Sequence[str],
    env: Mapping[str, str],
    data: bytes = b"",
    *,
    overrides: bool = True,
) -> Done:
    """Run one git command to its end.

    Args:
        where: Names the repository: ``("-C", root)`` or ``("--git-dir", path)``.
        args: The command and its arguments.
        env: From `child_environment`.
        data: Its standard input.
        overrides: False only to read a setting that we override; reading settings runs nothing.

    Raises:
        GitNotInstalledError: there is no git.
        ExhaustedError, UnavailableError: the process cannot be started.
    """
    command = [git_command(env), *where, *(_SAFE if overrides else ()), *args]
    try:
        if hasattr(os, "memfd_create") and hasattr(os, "posix_spawn"):
            return _spawn(command, env, data)
        return _portable(command, env, data)
    except OSError as error:
        raise from_os_error(error, "starting git") from error


def start_git(where: Sequence[str], args: Sequence[str], env: Mapping[str, str]) -> "Popen[bytes]":
    """Start a git command that answers as it is asked, by its standard input and output.

    Args:
        where: As in `run_git`.
        args: Likewise.
        env: Likewise.

    Raises:
        GitNotInstalledError: there is no git.
        ExhaustedError, UnavailableError: the process cannot be started.
    """
    from subprocess import DEVNULL, PIPE, Popen  # noqa: PLC0415 - few look at so many commits

    command = [git_command(env), *where, *_SAFE, *args]
    try:
        return Popen(command, env=dict(env), stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
    except OSError as error:
        raise from_os_error(error, "starting git") from error


def _spawn(command: list[str], env: Mapping[str, str], data: bytes) -> Done:
    """Start without the subprocess module, which costs more to import than git takes to answer."""
    stdin = os.memfd_create("git-stdin")
    stderr = os.memfd_create("git-stderr")
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(stdin, view) :]
        os.lseek(stdin, 0, os.SEEK_SET)
        reading, writing = os.pipe()
        try:
            actions = [(os.POSIX_SPAWN_DUP2, stdin, 0), (os.POSIX_SPAWN_DUP2, writing, 1)]
            actions.append((os.POSIX_SPAWN_DUP2, stderr, 2))
            pid = os.posix_spawn(command[0], command, env, file_actions=actions, setsigdef=[signal.SIGPIPE])
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        out, status = _collect(pid, reading)
        os.lseek(stderr, 0, os.SEEK_SET)
        return Done(os.waitstatus_to_exitcode(status), out, os.read(stderr, 1 << 16).decode(errors="replace"))
    finally:
        os.close(stdin)
        os.close(stderr)


def _collect(pid: int, reading: int) -> tuple[bytes, int]:
    """All that a child writes, and its status; an interrupt ends the child too."""
    status = None
    try:
        chunks: list[bytes] = []
        while chunk := os.read(reading, 1 << 18):
            chunks.append(chunk)
        _, status = os.waitpid(pid, 0)
        return b"".join(chunks), status
    finally:
        os.close(reading)
        if status is None:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _portable(command: list[str], env: Mapping[str, str], data: bytes) -> Done:
    import subprocess  # noqa: PLC0415 - only where processes cannot be spawned directly

    done = subprocess.run(command, env=dict(env), input=data, capture_output=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr.decode(errors="replace"))


# --- what git says when it fails --------------------------------------------------------------------------

_USERINFO = r"(\w+://)[^/@\s'\"]+@"
_AUTH = (
    r"authentication failed|could not read (?:username|password)|permission denied \(|terminal prompts"
    r" disabled|invalid username|403|401|host key verification failed"
)
_ABSENT = (
    r"repository .* not found|does not appear to be a git repository|does not exist|not a git repository|404"
)
_AWAY = (
    r"could not resolve host|connection (?:refused|timed out|reset)|network is unreachable|failed to connect"
    r"|couldn't connect|timed out|early eof|the remote end hung up|no route to host"
)


def redact(text: str) -> str:
    """A text with the user information of its URLs hidden."""
    return re.sub(_USERINFO, r"\1***@", text)


def ownership_error(err: str, root: str) -> GitOwnershipError | None:
    """The typed form of git's refusal to trust a repository's owner; None when it said something else."""
    if "dubious ownership" not in err and "unsafe repository" not in err:
        return None
    return GitOwnershipError(
        f"git refuses the repository at {root}: it belongs to another user",
        hint=f"if you trust its owner: git config --global --add safe.directory {root}",
    )


def failed(done: Done, doing: str, root: str, *, remote: bool = False) -> Exception:
    """The typed error of a run that failed.

    Args:
        done: How it ended.
        doing: What was being done, as a gerund phrase.
        root: The repository, for the message.
        remote: Whether another host was asked.
    """
    owner = ownership_error(done.err, root)
    if owner is not None:
        return owner
    said = [line.strip() for line in redact(done.err).splitlines() if line.strip()]
    fatal = [line for line in said if line.startswith(("fatal:", "error:"))]
    why = (fatal or said or [f"git ended with code {done.code}"])[-1 if not fatal else 0]
    message = f"{doing} failed: {why.removeprefix('fatal: ').removeprefix('error: ')}"
    if remote:
        text = "\n".join(said)
        if re.search(_AUTH, text, re.IGNORECASE):
            return GitAuthError(message, hint="try it yourself: git ls-remote <url>", details=said[-5:])
        if re.search(_AWAY, text, re.IGNORECASE):
            return GitUnreachableError(message, hint="check the network, then run the same command again")
        if re.search(_ABSENT, text, re.IGNORECASE):
            return GitRemoteNotFoundError(message, hint="check the URL with: git ls-remote <url>")
    return GitFailedError(message, details=said[-5:] if len(said) > 1 else ())
