"""An environment built again from the lock that a run recorded, with uv, in a folder of ours.

What is installed is what the record lists, each with the hashes that the lock has for it, so that extras and
groups that were chosen then are chosen again. Where no lock fixes versions, it is what the run imported, in
the versions that the record has. Whether what comes out is the recorded environment is for the caller to
compare. Half-made environments are known by the mark that is missing, and are swept.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import (
    FourfoldError,
    NotFoundError,
    UnavailableError,
    UnsupportedError,
    from_os_error,
)
from fourfold.base.events import Noticed, Sink, silent
from fourfold.base.fs.atomic import write_atomic
from fourfold.base.fs.locks import FileLock, LockHeldError
from fourfold.base.ids import is_unsafe_path
from fourfold.evidence.replaying.standing import Recorded, Standing, altered, is_of_project, look
from fourfold.formats.locks.model import Package
from fourfold.formats.native.canonical import canonical, digest, parse
from fourfold.runs import sites
from fourfold.runs.lockcheck.compare import SEEDS, marker_environment, same_version, wanted
from fourfold.runs.lockcheck.conda import conda_platform
from fourfold.runs.lockcheck.find import parse_lock, read_lock

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: Below our own folder.
FOLDER = "environments"
_MARK = "fourfold.json"
#: A record and a lock may come from a stranger, and go into a file of lines.
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,99}", re.ASCII)
_NAME = re.compile(r"[0-9a-z](?:[0-9a-z._-]{0,100}[0-9a-z])?", re.ASCII)
_ADDRESS = re.compile(r"[!-~]{1,2000}", re.ASCII)
#: How people make an environment of what uv cannot install, by the format.
_CONDA: Mapping[str, str] = {
    "conda-lock": "conda-lock install --name replay {}; activate it (conda activate replay)",
    "conda-explicit": "conda create --name replay --file {}; activate it (conda activate replay)",
    "pixi.lock": "pixi install --locked; activate it (pixi shell)",
    "environment.yml": "conda env create --name replay --file {}; activate it (conda activate replay)",
}
#: What stands before the words of uv.
_SAID = re.compile(r"^\W*(?:error:\s*)?")
#: Seconds that an environment stays after it was asked for last.
_KEPT = 30 * 86400.0
#: Seconds to wait for another replay that builds the same one.
_PATIENCE = 1800.0
#: Of the caller's environment, what would lead uv or the Python that it asks elsewhere.
_ASTRAY = frozenset(
    {
        "CONDA_PREFIX",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_SYSTEM_PYTHON",
        "VIRTUAL_ENV",
    }
)


class LockUnbuildableError(UnsupportedError):
    """The lock that a run recorded is not there, or no environment can be built from it."""

    code = "lock-not-buildable"
    default_hint = "build it by hand, activate it, and replay in it"


class UvMissingError(NotFoundError):
    """Environments are built with uv, and there is none."""

    code = "uv-not-found"
    default_hint = "install it: pip install uv"


class BuildFailedError(UnavailableError):
    """uv could not build an environment."""

    code = "environment-build-failed"
    default_hint = "see what uv said; it may not reach the index, or that file is gone"


class Plan(NamedTuple):
    """What is installed.

    Attributes:
        hashed: Requirements with hashes of the lock.
        plain: Requirements that the lock fixes without hashes: repositories at a commit, folders.
        seeds: Installers of a new environment, which locks do not name.
        partial: Whether only what the run imported is installed, because no lock fixes versions.
    """

    hashed: tuple[str, ...]
    plain: tuple[str, ...]
    seeds: tuple[str, ...]
    partial: bool = False


class Built(NamedTuple):
    """An environment that was built, or found built.

    Attributes:
        standing: What it has.
        partial: Whether it has only what the run imported.
    """

    standing: Standing
    partial: bool = False


def build(
    place: "Place",
    before: Recorded,
    lock: Mapping[str, Any],
    folder: str,
    *,
    pythons: Sequence[str] = (),
    events: Sink = silent,
) -> Built:
    """Build the environment that a lock and a record name, or a record alone, or find it built already.

    Args:
        place: Where environments are kept, and whose environment uv gets.
        before: The recorded environment.
        lock: The fact ``lock`` of the record: ``file``, ``digest``; empty where it names none.
        folder: The root of the project in the box.
        pythons: Interpreters of this machine of exactly the recorded version; without one uv looks.
        events: Hears of what is done.

    Raises:
        LockUnbuildableError: the lock is not there, is another, or of a kind that uv cannot install.
        UvMissingError: there is no uv.
        BuildFailedError: uv fails.
    """
    plan = _plan(before, lock, folder, place.root)
    uv = find_uv(place.environ)
    name = digest(canonical({"environment": before.digest, "lock": lock.get("digest"), "format": 1}))[:32]
    top = place.make(FOLDER)
    target = os.path.join(top, name)
    _sweep(top, place.clock.now_ns() / 1e9, but=name)
    with FileLock(f"{target}.lock", wait=_PATIENCE, clock=place.clock):
        standing = _reused(place, target)
        if standing is None:
            source = "the versions of the record" if plan.partial else lock.get("file")
            events(Noticed(f"building the recorded environment from {source}"))
            _make(place, uv, plan, before, target, folder, pythons)
            standing = look(place, _python_of(target), bare(place.environ))
            mark = {"digest": standing.digest, "environment": before.digest}
            write_atomic(os.path.join(target, _MARK), canonical(mark))
    return Built(standing, plan.partial)


def find_uv(environ: Mapping[str, str]) -> str:
    """The program uv: on the search path, else beside our own Python.

    Raises:
        UvMissingError: there is none.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "uv")
    found = sites.which("uv", environ) or (beside if os.access(beside, os.X_OK) else None)
    if found is None:
        raise UvMissingError("there is no uv on PATH to build the recorded environment with")
    return found


def bare(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what belongs to the one that is active."""
    return {name: value for name, value in environ.items() if name not in _ASTRAY}


# --- what is installed ---


def _plan(before: Recorded, lock: Mapping[str, Any], folder: str, root: str) -> Plan:
    if not before.listing:
        raise LockUnbuildableError("the list of the recorded distributions is not here")
    name = str(lock.get("file", ""))
    if not lock:
        return _of_record(before)
    if not name or os.path.isabs(name) or is_unsafe_path(name):
        raise LockUnbuildableError(f"the lock of the run, {name[:200] or '?'}, is not a file of the project")
    try:
        file = read_lock(os.path.join(folder, *name.split("/")))
        if digest(file.data) != lock.get("digest"):
            raise LockUnbuildableError(f"{name} in the code of the run is not the lock that it recorded")
        locked = parse_lock(file, name, folder)
    except NotFoundError:
        raise LockUnbuildableError(f"{name}, the lock of the run, is not in its code") from None
    means = wanted(locked, marker_environment(before.interpreter), conda_platform())
    if means.conda or locked.kind in _CONDA:
        how = _CONDA.get(locked.kind, _CONDA["environment.yml"]).format(name)
        raise LockUnbuildableError(
            f"{name} is of conda, whose packages uv cannot install",
            hint=f"make it with: {how}, and replay in it",
        )
    # Versions without hashes are enough to build from: the RECORDs of what comes out are compared.
    if locked.grade != "lock" and not any(package.version for package in locked.packages):
        return _of_record(before)
    places = [os.path.dirname(os.path.join(top, name)) for top in (folder, root)]
    return _planned(before, means.allowed, places)


def _of_record(before: Recorded) -> Plan:
    """What the run imported, by the versions of the record: whether the files are the same is compared."""
    plain: list[str] = []
    seeds: list[str] = []
    for name, row in before.listing.items():
        version = str(row.get("version", ""))
        if row.get("imported") is not True or row.get("direct"):
            continue  # of the project, or from no index: what is missing then shows in the comparison
        if _NAME.fullmatch(name) and _VERSION.fullmatch(version):
            (seeds if name in SEEDS else plain).append(f"{name}=={version}")
    return Plan((), tuple(plain), tuple(seeds), partial=True)


def _planned(before: Recorded, allowed: Mapping[str, Sequence[Package]], places: Sequence[str]) -> Plan:
    """What the record lists, as the lock has it; what that has not shows in the comparison."""
    hashed: list[str] = []
    plain: list[str] = []
    seeds: list[str] = []
    for name, row in before.listing.items():
        version = str(row.get("version", ""))
        if is_of_project(row) or not _VERSION.fullmatch(version):
            continue
        package = next((one for one in allowed.get(name, ()) if same_version(one.version, version)), None)
        if package is None and name in SEEDS:
            seeds.append(f"{name}=={version}")
        elif package is not None and _is_sound(package):
            line, proofs = _requirement(package, version, places)
            (hashed if proofs else plain).append(" ".join([line, *(f"--hash={one}" for one in proofs)]))
    return Plan(tuple(hashed), tuple(plain), tuple(seeds))


def _is_sound(package: Package) -> bool:
    """Whether the address of a package can stand on a line; that of a file is written as a URL."""
    return package.source == "path" or _ADDRESS.fullmatch(f"-{package.url}{package.revision}") is not None


def _requirement(package: Package, version: str, places: Sequence[str]) -> tuple[str, list[str]]:
    """A line for uv, and the hashes that go with it.

    Args:
        package: What is wanted.
        version: Its version.
        places: The folder of the lock, in the box and in the workspace: what is no code is only there.
    """
    proofs = sorted(one for one in package.hashes if one.startswith("sha"))
    if package.source == "vcs":
        return f"{package.name} @ git+{package.url}@{package.revision}", []
    if package.source == "url":
        return f"{package.name} @ {package.url}", proofs
    if package.source == "path":
        paths = [os.path.normpath(os.path.join(folder, package.url)) for folder in places]
        path = next((path for path in paths if os.path.exists(path)), paths[0])
        return f"{package.name} @ {Path(path).as_uri()}", proofs
    return f"{package.name}=={version}", proofs


# --- building ---


def _make(
    place: "Place",
    uv: str,
    plan: Plan,
    before: Recorded,
    target: str,
    folder: str,
    pythons: Sequence[str],
) -> None:
    version = str(before.interpreter.get("version", ""))
    implementation = str(before.interpreter.get("implementation", "") or "cpython").lower()
    if not pythons and not (_VERSION.fullmatch(version) and _VERSION.fullmatch(implementation)):
        raise LockUnbuildableError("the record does not say which Python its environment was of")
    python = pythons[0] if pythons else f"{implementation}@{version}"

    def run(*words: str) -> None:
        _run([uv, *words], bare(place.environ), folder)

    shutil.rmtree(target, ignore_errors=True)
    run("venv", "--quiet", "--no-project", "--python", python, target)
    base = ("pip", "install", "--quiet", "--no-deps", "--python", _python_of(target))
    # What no lock vouches for runs nothing while it is installed.
    careful = ("--only-binary", ":all:") if plan.partial else ()
    for lines, options in ((plan.hashed, ("--require-hashes",)), (plan.plain, careful)):
        if lines:
            listing = os.path.join(target, "requirements.txt")
            write_atomic(listing, "".join(f"{line}\n" for line in lines).encode(), durable=False)
            run(*base, *options, "-r", listing)
    if plan.seeds:
        # Whether they could be had shows in the comparison; what does not import them does not need them.
        with suppress(BuildFailedError):
            run(*base, "--only-binary", ":all:", *plan.seeds)


def _run(words: Sequence[str], environ: Mapping[str, str], cwd: str) -> None:
    try:
        done = subprocess.run(
            list(words),
            cwd=cwd,
            # Copies: what a replay does to its environment must not reach uv's cache.
            env={**environ, "NO_COLOR": "1", "UV_LINK_MODE": "copy"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise from_os_error(error, f"starting {words[0]}") from error
    if done.returncode:
        lines = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
        first = _SAID.sub("", lines[0])[:200] if lines else f"exit code {done.returncode}"
        raise BuildFailedError(f"uv {words[1]} failed: {first}", details=[line[:300] for line in lines[:12]])


def _python_of(target: str) -> str:
    return os.path.join(target, "bin", "python")


# --- what was built before ---


def _reused(place: "Place", target: str) -> Standing | None:
    """What was built under this name, if it is still what it was."""
    try:
        with open(os.path.join(target, _MARK), "rb") as file:
            mark = parse(file.read(4096), _MARK)
        standing = look(place, _python_of(target), bare(place.environ))
    except (OSError, FourfoldError):
        return None
    if standing.digest != mark.get("digest") or altered(place, standing):
        return None
    with suppress(OSError):
        os.utime(os.path.join(target, _MARK))
    return standing


def _sweep(top: str, now: float, *, but: str) -> None:
    """Remove what was never finished, and what nobody asked for in a month, unless somebody is at it."""
    for name in _names(top):
        folder = os.path.join(top, name)
        if name == but or not os.path.isdir(folder):
            continue
        with suppress(OSError):
            if now - os.stat(os.path.join(folder, _MARK)).st_mtime < _KEPT:
                continue
        with suppress(LockHeldError, OSError), FileLock(f"{folder}.lock"):
            shutil.rmtree(folder, ignore_errors=True)


def _names(top: str) -> Iterator[str]:
    with suppress(OSError):
        yield from sorted(os.listdir(top))
