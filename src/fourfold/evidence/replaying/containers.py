"""A command in the image that a run recorded, by its digest, with podman or docker.

Only what goes before a command is composed here. The box lies in the container where it lies outside, and so
does what seeds processes of Python; nothing else of the machine is to be seen.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.errors import NotFoundError, UnavailableError, UnsupportedError, from_os_error
from fourfold.base.events import Noticed, Sink, silent
from fourfold.evidence.replaying.box import REPLAYS
from fourfold.formats.oci import is_digest
from fourfold.runs import injection, randomness, sites
from fourfold.runs.image.reference import BadImageNameError, parse
from fourfold.runs.task import Declared, Numerics, Task
from fourfold.scm.refs import find_root

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: In the order in which they are taken, of those that have the image, or can get it.
PROGRAMS = ("podman", "docker")
_SHELL = "/bin/sh"
_shells: dict[tuple[str, str], str] = {}
#: What is of the machine, and means another thing, or nothing, in a container.
_OF_HOST = frozenset(
    {
        "HOME",
        "HOSTNAME",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LOGNAME",
        "OLDPWD",
        "PATH",
        "PWD",
        "SHELL",
        "SHLVL",
        "TMPDIR",
        "USER",
        "VIRTUAL_ENV",
        "_",
    }
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
#: Of what may be set for a run later: seeds and profiles are named by `fourfold.runs.randomness`.
_LATER = ("FOURFOLD_WORKER", "LANG", "PYTHONPATH")


class ImageNotRecordedError(UnsupportedError):
    """A run recorded no image by a digest that a registry knows."""

    code = "image-not-recorded"
    default_hint = "declare it: meta: fourfold: image, then: ff image resolve; it holds from the next run on"


class NoContainerProgramError(NotFoundError):
    """Neither podman nor docker is on PATH."""

    code = "no-container-program"
    default_hint = "install podman or docker, or replay in the running environment: --environment running"


class ImageUnavailableError(UnavailableError):
    """podman or docker has not the image and cannot get it, or starts no container of it."""

    code = "image-unavailable"
    default_hint = "see what the program says; log in to the registry, or start its service"


class UnmountablePathError(UnsupportedError):
    """A folder that a container needs has a name that cannot be said to podman and docker."""

    code = "path-not-mountable"
    default_hint = "replay from a folder without a colon in its name"


class Container(NamedTuple):
    """How commands are started in an image.

    Attributes:
        program: ``podman`` or ``docker``.
        reference: The image: ``docker.io/library/python@sha256:...``.
        words: What goes before the shell of a command.
        shell: The path of that shell in the image.
    """

    program: str
    reference: str
    words: tuple[str, ...]
    shell: str


def compose(
    place: "Place", image: Mapping[str, Any], folder: str, *, cwd: str = "", events: Sink = silent
) -> Container:
    """What goes before a command so that it runs in a recorded image.

    Args:
        place: That of the user.
        image: The fact ``image`` of a record.
        folder: The root of the project in the box; all of the box is mounted, at the same path.
        cwd: Where commands run; the root of the project when it is not said.
        events: Hears of a pull.

    Raises:
        ImageNotRecordedError: the fact names no image by a digest.
        NoContainerProgramError: there is none.
        ImageUnavailableError: the program does not work, or has not the image and cannot get it.
        UnmountablePathError: a folder that is mounted has a colon in its name.
    """
    reference = _reference(image)
    found = [(name, path) for name in PROGRAMS if (path := sites.which(name, place.environ))]
    if not found:
        raise NoContainerProgramError(
            f"neither podman nor docker is on PATH, to run in the recorded image {reference}"
        )
    name, program = _holder(found, reference, place.environ, events)
    words = [program, "run", "--rm", "--interactive", "--network=host", f"--workdir={cwd or folder}"]
    # Files that it makes belong to who replays; without privileges, podman maps that user only when asked.
    words += ["--userns=keep-id"] if name == "podman" and os.getuid() != 0 else []
    words.append(f"--user={os.getuid()}:{os.getgid()}")
    words.append("--security-opt=label=disable")  # or SELinux keeps it from what is mounted
    for mounted, how in _mounts(place, folder):
        if ":" in mounted:
            raise UnmountablePathError(f"{name} mounts no folder with a colon in its name: {mounted}")
        words += ["--volume", f"{mounted}:{mounted}{how}"]
    for variable in _variables(place.environ):
        words += ["--env", variable]
    # What its processes tell of themselves stays there: their paths are none of this machine.
    words += ["--env", f"{injection.RUN_DIR}=/tmp"]
    words += ["--entrypoint=", reference]
    return Container(name, reference, tuple(words), _shell(name, words, place.environ))


def _shell(name: str, words: Sequence[str], environ: Mapping[str, str]) -> str:
    """The shell of the user if the image has it, else the usual one.

    It is started, once a process and image: what fails later is the command, and a result of the replay.

    Raises:
        ImageUnavailableError: no container of the image starts, or none with a shell.
    """
    key = words[0], words[-1]
    if key not in _shells:
        said = None
        for shell in dict.fromkeys((environ.get("SHELL") or _SHELL, _SHELL)):
            said = _said(words[0], (*words[1:], shell, "-c", ":"), environ)
            if said is None:
                _shells[key] = shell
                break
        else:
            raise ImageUnavailableError(f"{name} starts no container of {words[-1]}: {said}")
    return _shells[key]


def _holder(
    found: Sequence[tuple[str, str]], reference: str, environ: Mapping[str, str], events: Sink
) -> tuple[str, str]:
    """The first program that has the image, or gets it."""
    for name, program in found:
        if _said(program, ("image", "inspect", reference), environ) is None:
            return name, program
    events(Noticed(f"pulling {reference}"))
    refused = []
    for name, program in found:
        said = _said(program, ("pull", "--quiet", reference), environ)
        if said is None:
            return name, program
        refused.append(f"{name} has no image {reference}: {said}")
    raise ImageUnavailableError(refused[0], details=refused[1:])


def _said(program: str, words: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    """The last line of what a program said that failed; None when it did well."""
    try:
        done = subprocess.run(
            [program, *words],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
    except OSError as error:
        raise from_os_error(error, f"starting {program}") from error
    if not done.returncode:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"exit code {done.returncode}"


def _reference(image: Mapping[str, Any]) -> str:
    name = image.get("reference")
    try:
        reference = parse(name) if isinstance(name, str) else None
    except BadImageNameError:
        reference = None
    digests = [image.get("manifest"), image.get("index"), reference.digest if reference is not None else ""]
    chosen = next((one for one in digests if is_digest(one)), None)
    if reference is not None and chosen is not None:
        return f"{reference.name}@{chosen}"
    if is_digest(image.get("config")):
        # The id of an image that this machine may have, by what Docker and podman call it.
        return str(image["config"])
    raise ImageNotRecordedError("the run recorded no image by its digest")


def _mounts(place: "Place", folder: str) -> list[tuple[str, str]]:
    """What the container sees: (absolute path, how)."""
    own = os.path.join(place.own, REPLAYS)
    box = find_root(folder) or folder
    if os.path.normpath(folder).startswith(own + os.sep):
        box = os.path.join(own, os.path.relpath(folder, own).split(os.sep)[0])
    found = [(box, ""), (injection.FOLDER, ":ro")]
    if place.git is not None:  # the box's repository reads the objects of the user's
        found.append((os.path.join(place.git.common_dir, "objects"), ":ro"))
    return found


def _variables(environ: Mapping[str, str]) -> list[str]:
    """Names of variables that the container gets from the program's own environment, where they are set."""
    everything = Declared(
        seed=0,
        determinism="strict",
        numerics=Numerics(1, "Haswell", "x86-64-v3", False, ":4096:8", True),  # noqa: FBT003 - a full profile
    )
    later = randomness.plan(Task("stage", "", (), "", "", {}, everything), lambda: 0).environ
    names = {*environ, *later, *_LATER} - _OF_HOST - {injection.RUN_DIR}
    return sorted(name for name in names if _NAME.fullmatch(name))
