"""The run cache between this machine and a remote: the files below ``runs/``, copied whole.

An entry is small, names what it is made of (``runs/kk/<key>/<value>``), and never changes once written.
Each is parsed and its name recomputed before it is written anywhere: a damaged one is left where it is.
Format: `fourfold.formats.dvc.runcache`.
"""

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fourfold.base.errors import FourfoldError, UnsupportedError, from_os_error
from fourfold.base.events import Advanced, PhaseEnded, PhaseStarted, Sink, Warned, silent
from fourfold.formats.dvc import runcache
from fourfold.project.remotes import RUNS, Remote
from fourfold.project.runfiles import write_run

if TYPE_CHECKING:
    from fourfold.project.project import Project

#: An entry is a few kilobytes; larger is not one.
_MAX = 16 << 20
_NAME = re.compile(r"runs/([0-9a-f]{2})/(\1[0-9a-f]{62})/([0-9a-f]{64})", re.ASCII)


class RunsUnsupportedError(UnsupportedError):
    """This kind of remote does not take the run cache."""

    code = "run-cache-unsupported"


def push_runs(project: "Project", remote: Remote, *, events: Sink = silent) -> int:
    """Send the entries of the run cache that the remote lacks; how many.

    Raises:
        RunsUnsupportedError: the remote is one that DVC, too, keeps no runs on.
        FourfoldError: the remote cannot be asked, or refuses.
    """
    _check(remote)
    ours = {f"{RUNS}{name}": path for name, path in _local(project)}
    if not ours:
        return 0
    there = _listing(remote)
    new = [key for key in ours if key not in there]
    events(PhaseStarted("pushing runs", len(new), unit="runs"))

    def entries() -> Iterator[tuple[str, bytes]]:
        for key in new:
            data = _read(ours[key])
            if _is_sound(key, data):
                yield key, data
            else:
                events(_damaged(ours[key]))

    sent = 0
    for _key, error in remote.store.put_many(entries()):
        if error is not None:
            raise error
        sent += 1
        events(Advanced("pushing runs", 1))
    events(PhaseEnded("pushing runs"))
    return sent


def pull_runs(project: "Project", remote: Remote, *, events: Sink = silent) -> int:
    """Bring the entries of the remote's run cache that this machine lacks; how many.

    Raises:
        RunsUnsupportedError: the remote is one that DVC, too, keeps no runs on.
        FourfoldError: the remote cannot be asked, or the cache cannot be written.
    """
    _check(remote)
    ours = {f"{RUNS}{name}" for name, _path in _local(project)}
    new = sorted(key for key in _listing(remote) if key not in ours)
    events(PhaseStarted("fetching runs", len(new), unit="runs"))
    brought = 0
    for key, got in remote.store.get_many(new, max_size=_MAX):
        if not isinstance(got, bytes):
            raise got
        if _is_sound(key, got):
            write_run(project.cache_dir, key, got)
            brought += 1
        else:
            events(_damaged(f"{key} of remote '{remote.name}'"))
        events(Advanced("fetching runs", 1))
    events(PhaseEnded("fetching runs"))
    return brought


def _check(remote: Remote) -> None:
    if remote.config.scheme in {"http", "https"} or remote.version_aware:
        raise RunsUnsupportedError(
            f"remote '{remote.name}' takes no run cache: {'versions' if remote.version_aware else 'http'}",
            hint="use another remote for --run-cache",
        )


def _local(project: "Project") -> Iterator[tuple[str, str]]:
    """(``kk/<key>/<value>``, absolute path) of each entry of this machine."""
    top = f"{project.cache_dir}/runs"
    for folder, _folders, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top).replace(os.sep, "/")
            if _NAME.fullmatch(RUNS + relative):
                yield relative, path


def _listing(remote: Remote) -> set[str]:
    return {info.key for page in remote.store.list(RUNS) for info in page if _NAME.fullmatch(info.key)}


def _is_sound(key: str, data: bytes) -> bool:
    """Whether an entry's bytes are what its name says."""
    try:
        return runcache.relpath(runcache.parse(data, key)) == key
    except FourfoldError:
        return False


def _damaged(what: str) -> Warned:
    return Warned(
        "damaged-run", f"the remembered run {what} is damaged and was left out", "its stage will run again"
    )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(_MAX)
    except OSError as error:
        raise from_os_error(error, "reading the run cache") from error
