"""Mirrors: bare copies of other repositories in a cache folder of ours, kept fresh by small fetches.

A mirror holds all branches and tags of its source, whole history, no work tree. It is made under a
temporary name and renamed, so that it is there whole or not at all; when nothing moved at the source,
refreshing asks one question and fetches nothing. Nothing of the source's configuration or hooks comes
along, and nothing is checked out. Where the folder lies and when to refresh is the caller's business.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.base.errors import from_os_error
from fourfold.base.fs.locks import FileLock
from fourfold.scm.git import Git
from fourfold.scm.process import DURABLE, Done, child_environment, failed, run_git
from fourfold.scm.refs import check_text
from fourfold.scm.urls import GitUrl, parse_url, shown

_HEADS = "refs/heads/"
_TAGS = "refs/tags/"
_PARTIAL = ".partial"
#: Seconds to wait for another process that works on the same mirror.
_PATIENCE = 120.0


class _Offered(NamedTuple):
    """What the source says it has: the full ref of its HEAD, HEAD's id, and its branches and tags."""

    head_ref: str | None
    head: str | None
    refs: dict[str, str]


def mirror(url: str, dest: str, environ: Mapping[str, str], *, base: str, refresh: bool = True) -> Git:
    """Make the mirror of a repository, or bring it up to date.

    Args:
        url: The source; see `fourfold.scm.urls` for what is allowed.
        dest: The folder of the mirror; its parent is created.
        environ: The caller's environment: PATH, HOME, SSH agent, proxies.
        base: The absolute folder that a relative ``url`` is meant against.
        refresh: Ask the source for news when there is a mirror already.

    Raises:
        UnsafeGitUrlError: the address is not allowed.
        GitAuthError, GitRemoteNotFoundError, GitUnreachableError, GitFailedError: the source does not answer.
        LockHeldError: another process is working on this mirror for too long.
    """
    address = parse_url(url, base)
    if not refresh and os.path.isdir(dest):
        return Git(dest, environ, bare=True)
    try:
        os.makedirs(os.path.dirname(dest), exist_ok=True)
    except OSError as error:
        raise from_os_error(error, "making the folder of Git mirrors") from error
    with FileLock(dest + ".lock", wait=_PATIENCE):
        if not os.path.isdir(dest):
            _create(address, dest, environ)
        else:
            _update(address, dest, environ)
    return Git(dest, environ, bare=True)


def fetch_commit(git: Git, url: str, commit: str, environ: Mapping[str, str], *, base: str) -> bool:
    """Bring one commit that no branch or tag reaches into a mirror; False when the source withholds it."""
    address = parse_url(url, base)
    with FileLock(git.root + ".lock", wait=_PATIENCE):
        refspec = f"{check_text(commit, 'commit')}:refs/fourfold/{commit}"
        return not _fetch(address, git.root, environ, [refspec]).code


def _create(address: GitUrl, dest: str, environ: Mapping[str, str]) -> None:
    partial = dest + _PARTIAL
    _remove(partial)  # what a killed run left; we hold the lock
    env = child_environment(environ)
    done = run_git((), [*DURABLE, "init", "--quiet", "--bare", "--template=", "--", partial], env)
    if done.code:
        raise failed(done, "making a Git mirror", partial)
    _update(address, partial, environ)
    try:
        os.rename(partial, dest)
    except OSError as error:
        raise from_os_error(error, "placing a Git mirror") from error


def _remove(folder: str) -> None:
    if os.path.lexists(folder):
        import shutil  # noqa: PLC0415 - only after a killed run

        shutil.rmtree(folder)


def _update(address: GitUrl, git_dir: str, environ: Mapping[str, str]) -> None:
    offered = _ask(address, git_dir, environ)
    if offered.refs != _have(git_dir, environ):
        specs = [f"+{_HEADS}*:{_HEADS}*", f"+{_TAGS}*:{_TAGS}*"]
        done = _fetch(address, git_dir, environ, specs)
        if done.code:
            raise failed(done, f"fetching {shown(address.text)}", git_dir, remote=True)
    _set_head(offered, git_dir, environ)


def _fetch(address: GitUrl, git_dir: str, environ: Mapping[str, str], specs: list[str]) -> Done:
    env = child_environment(environ, transports=address.transports)
    options = ["--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"]
    command = [*DURABLE, "fetch", *options, "--end-of-options", address.text, *specs]
    return run_git(("--git-dir", git_dir), command, env)


def _ask(address: GitUrl, git_dir: str, environ: Mapping[str, str]) -> _Offered:
    env = child_environment(environ, transports=address.transports)
    command = ["ls-remote", "--symref", "--end-of-options", address.text]
    done = run_git(("--git-dir", git_dir), command, env)
    if done.code:
        raise failed(done, f"reading {shown(address.text)}", git_dir, remote=True)
    head_ref = head = None
    refs = {}
    for line in os.fsdecode(done.out).splitlines():
        value, _, name = line.partition("\t")
        if name == "HEAD":
            if value.startswith("ref: "):
                head_ref = value[5:]
            else:
                head = value
        elif name.startswith((_HEADS, _TAGS)) and not name.endswith("^{}"):
            refs[name] = value
    return _Offered(head_ref, head, refs)


def _have(git_dir: str, environ: Mapping[str, str]) -> dict[str, str]:
    command = ["for-each-ref", "--format=%(objectname) %(refname)", "--", _HEADS, _TAGS]
    done = run_git(("--git-dir", git_dir), command, child_environment(environ))
    if done.code:
        raise failed(done, "reading a Git mirror", git_dir)
    pairs = (line.partition(" ") for line in os.fsdecode(done.out).splitlines())
    return {name: value for value, _, name in pairs}


def _set_head(offered: _Offered, git_dir: str, environ: Mapping[str, str]) -> None:
    """Let the mirror's HEAD be the source's: its default branch, or its detached commit."""
    env = child_environment(environ)
    if offered.head_ref and offered.head_ref.startswith(_HEADS):
        command = ["symbolic-ref", "HEAD", offered.head_ref]
    elif offered.head and offered.head in offered.refs.values():
        command = ["update-ref", "--no-deref", "HEAD", offered.head]
    else:
        return
    done = run_git(("--git-dir", git_dir), [*DURABLE, *command], env)
    if done.code:
        raise failed(done, "reading the default branch", git_dir)
