"""Which container image this is, by the best source that there is; the kernel does not know.

In this order: what a launcher says (``FOURFOLD_IMAGE``), the cluster's API, the metadata service of ECS,
Docker's socket where it is mounted, the file that Podman leaves, Apptainer's variable; last what the task
declares. Where none applies, nothing is asked of a network, and it takes less than a millisecond.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from fourfold.formats.native.fact import Fact, absent, attested, declared, observed
from fourfold.formats.oci import is_digest, parse_platform

if TYPE_CHECKING:
    from fourfold.runs.task import Task

#: What a launcher sets: a JSON object with some of `_INJECTED`.
INJECTED = "FOURFOLD_IMAGE"
_DIGESTS = ("index", "manifest", "config")
_MOST = 64 << 10
_MOST_MOUNTS = 4 << 20
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.ASCII)
_MOUNTED_ID = re.compile(r"/(?:containers|overlay-containers|sandboxes)/([0-9a-f]{64})/", re.ASCII)
_CONTAINERENV = re.compile(r'(\w+)="([^"\n]*)"')
_TEXT = re.compile(r"[\x21-\x7e]{1,500}", re.ASCII)


def fact(task: "Task", environ: Mapping[str, str], *, root: str = "/") -> Fact:
    """The fact ``image``: what the run is in, as well as it can be known.

    Args:
        task: What runs; it may declare its image.
        environ: The process environment.
        root: The root of the file system.
    """
    inside, container = _container(environ, root)
    for source in _SOURCES:
        found = source(environ, root, container)
        if found is not None:
            return found
    if task.declared.image is not None:
        return _declared(task.declared.image, inside=inside)
    if inside:
        return absent("in a container that does not tell its image: declare it with meta: fourfold: image")
    return absent("not in a container")


Source = Callable[[Mapping[str, str], str, str], Fact | None]


def _container(environ: Mapping[str, str], root: str) -> tuple[bool, str]:
    """Whether this is in a container, and the container's id where the kernel tells it."""
    container = ""
    for line in _read(os.path.join(root, "proc/self/cgroup"), _MOST).splitlines():
        found = _ID.findall(line)
        if found:
            container = found[-1]
    if not container:
        mounted = _MOUNTED_ID.search(_read(os.path.join(root, "proc/self/mountinfo"), _MOST_MOUNTS))
        container = mounted[1] if mounted else ""
    marks = (".dockerenv", "run/.containerenv")
    inside = bool(container) or any(os.path.exists(os.path.join(root, mark)) for mark in marks)
    names = ("container", "KUBERNETES_SERVICE_HOST", "APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
    return inside or any(environ.get(name) for name in names), container


def _read(path: str, most: int) -> str:
    """The beginning of a file as text; "" without one."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read(most).decode("utf-8", "replace")
    return ""


def _injected(environ: Mapping[str, str], _root: str, _container: str) -> Fact | None:
    """What the launcher of the container says."""
    text = environ.get(INJECTED, "")
    if not text:
        return None
    try:
        given = json.loads(text[:_MOST])
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    value: dict[str, Any] = {name: given[name] for name in _DIGESTS if is_digest(given.get(name))}
    if not value:
        return None
    reference, platform = given.get("reference"), given.get("platform")
    if isinstance(reference, str) and _TEXT.fullmatch(reference):
        value["reference"] = reference
    if isinstance(platform, str) and parse_platform(platform):
        value["platform"] = str(parse_platform(platform))
    return attested(value, "the launcher says so")


def _podman(_environ: Mapping[str, str], root: str, _container: str) -> Fact | None:
    """What Podman writes into its containers; it is empty in those without privileges."""
    told = dict(_CONTAINERENV.findall(_read(os.path.join(root, "run/.containerenv"), _MOST)))
    identifier = told.get("imageid", "")
    if not _ID.fullmatch(identifier):
        return None
    value = {"config": f"sha256:{identifier}"}
    if _TEXT.fullmatch(told.get("image", "")):
        value["reference"] = told["image"]
    return observed(value, "/run/.containerenv")


_SOURCES: tuple[Source, ...] = (_injected, _podman)


def _declared(image: str, *, inside: bool) -> Fact:
    """What the task says that it runs in."""
    return declared({"reference": image}, "" if inside else "nothing shows that it ran in a container")
