"""Doctor: what this machine, this file system and this project offer, and what is wrong with them.

Looks and probes; changes nothing but two probe files that it removes. Each finding names one thing to do.
"""

import os
import platform
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from fourfold.base.errors import DeniedError, FourfoldError
from fourfold.base.fs.platform import Capabilities, capabilities
from fourfold.project.config import committed_secrets, holds_secret
from fourfold.project.config_policy import values_to_trust
from fourfold.project.trust import Trust, state_dir
from fourfold.storage.redact import redact_url

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: File systems whose locks or rename semantics need care.
_NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "9p"})


class Finding(NamedTuple):
    """One thing that is wrong or deserves a look, and what to do about it."""

    code: str
    message: str
    hint: str


class Links(NamedTuple):
    """Which kinds of link work from the cache to the workspace."""

    reflink: bool
    hardlink: bool
    symlink: bool


class Report(NamedTuple):
    """What `examine` saw.

    Attributes:
        python: Version of the interpreter.
        system: The operating system in one line.
        workspace: File system and device of the project.
        cache: The cache's folder, its file system and device.
        links: Kinds of link that work; None when the cache cannot be probed.
        offers: What the kernel and the file system give; each missing one has a slower portable way.
        remotes: (name, scheme, shown URL) of each.
        git: The root of the Git repository; None without.
        findings: What is wrong.
    """

    python: str
    system: str
    workspace: str
    cache: tuple[str, str]
    links: Links | None
    offers: Capabilities
    remotes: tuple[tuple[str, str, str], ...]
    git: str | None
    findings: tuple[Finding, ...]


def examine(project: "Project", *, ask_remotes: bool = False) -> Report:
    """Look at everything.

    Args:
        project: Whose.
        ask_remotes: Also connect to each remote and list a little of it.
    """
    cache_dir = project.cache_dir
    findings = [*_settings(project), *_places(project)]
    try:
        probe_dir = project.make_own_dir("staging")
    except DeniedError as error:
        probe_dir = project.dvc_dir
        findings.append(Finding("project-read-only", error.message, error.hint))
    if ask_remotes:
        findings += _ask(project)
    return Report(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        workspace=mount_of(project.root),
        cache=(cache_dir, mount_of(cache_dir)),
        links=_probe_links(cache_dir, probe_dir),
        offers=_offers(probe_dir),
        remotes=tuple(_remotes(project)),
        git=project.scm_root,
        findings=tuple(findings),
    )


def mount_of(path: str) -> str:
    """File system type and device of the mount that a path lies on, as ``ext4 on /dev/sda1``."""
    path = os.path.realpath(path)
    best, shown = "", "unknown"
    try:
        with open("/proc/mounts", encoding="utf-8", errors="replace") as file:
            lines = file.readlines()
    except OSError:
        return f"unknown ({sys.platform})"
    for line in lines:
        device, place, kind = line.split(" ")[:3]
        place = place.replace("\\040", " ")
        if (path == place or path.startswith(place.rstrip("/") + "/")) and len(place) >= len(best):
            best, shown = place, f"{kind} on {device}"
    return shown


def _offers(folder: str) -> Capabilities:
    """What the system gives; where the project cannot be written, what it gives elsewhere."""
    try:
        return capabilities(folder)
    except OSError:
        with tempfile.TemporaryDirectory() as other:
            return capabilities(other)._replace(reflink=False)


def _probe_links(cache_dir: str, probe_dir: str) -> Links | None:
    if not os.path.isdir(cache_dir):
        return None
    try:
        with tempfile.TemporaryDirectory(dir=probe_dir) as folder:
            fd, source = tempfile.mkstemp(dir=cache_dir, suffix=".tmp")
            try:
                os.close(fd)
                return Links(
                    reflink=capabilities(folder).reflink
                    and os.stat(cache_dir).st_dev == os.stat(folder).st_dev,
                    hardlink=_works(lambda: os.link(source, f"{folder}/hard")),
                    symlink=_works(lambda: os.symlink(source, f"{folder}/soft")),
                )
            finally:
                os.unlink(source)
    except OSError:
        return None


def _works(act: Callable[[], object]) -> bool:
    try:
        act()
    except OSError:
        return False
    return True


def _remotes(project: "Project") -> Iterator[tuple[str, str, str]]:
    for name in project.config.remote_names():
        try:
            remote = project.config.remote(name)
        except FourfoldError:
            continue
        yield name, remote.scheme or "local", redact_url(remote.url)


def _settings(project: "Project") -> Iterator[Finding]:
    for section, option, file in committed_secrets(project.config):
        where = ".".join(section) if isinstance(section, tuple) else section
        command = f"ff config --unset {where}.{option} && ff config --local {where}.{option} <value>"
        yield Finding(
            "secret-in-committed-config",
            f"{where}.{option} is a secret, and {os.path.relpath(file, project.cwd)} is committed",
            f"change the secret, then: {command}",
        )
    trust = Trust(state_dir(project.environ))
    for name, value in values_to_trust(project.config, project.root):
        if not trust.holds(project.root, name, value):
            yield Finding(
                "untrusted-value",
                f"the committed configuration sets {name} to {redact_url(value)}, outside of the project",
                "if that is right: ff trust",
            )
    local = project.config.files.get("local", "")
    if (
        local
        and os.path.exists(local)
        and stat.S_IMODE(os.stat(local).st_mode) & 0o077
        and _holds_secret(project)
    ):
        yield Finding(
            "secret-readable-by-others",
            f"{os.path.relpath(local, project.cwd)} holds a secret and others may read it",
            f"chmod 600 {os.path.relpath(local, project.cwd)}",
        )


def _holds_secret(project: "Project") -> bool:
    return any(
        holds_secret(option, value)
        for options in project.config.raw("local").values()
        for option, value in options.items()
    )


def _places(project: "Project") -> Iterator[Finding]:
    kind = mount_of(project.cache_dir).partition(" ")[0]
    if kind in _NETWORK:
        yield Finding(
            "cache-on-network",
            f"the cache lies on a network file system ({kind}): locks and renames depend on its server",
            "keep the cache on a local disk where you can: ff cache dir --local <folder>",
        )
    if os.path.isdir(project.cache_dir) and not os.access(project.cache_dir, os.W_OK):
        yield Finding(
            "cache-not-writable",
            f"the cache cannot be written: {project.cache_dir}",
            "ask its owner, or use another",
        )


def _ask(project: "Project") -> Iterator[Finding]:
    from fourfold.project.remotes import open_remote  # noqa: PLC0415 - only when remotes are asked

    for name in project.config.remote_names():
        try:
            remote = open_remote(project, name)
            next(iter(remote.store.list("files/md5/00")), None)
        except FourfoldError as error:
            yield Finding(error.code, f"remote '{name}': {error.message}", error.hint)
