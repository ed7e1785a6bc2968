"""Which container image this is, by the best source that there is; the kernel does not know.

In this order: what a launcher says (``FOURFOLD_IMAGE``), the cluster's API, the agent of ECS, Docker by its
socket where it is mounted (`asked`), the file that Podman leaves, Apptainer's variable; last what the task
declares. Where none applies, nothing is asked of a network, and it takes less than a millisecond.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.formats.native.fact import Fact, absent, attested, declared, observed
from fourfold.formats.oci import is_digest, parse_platform
from fourfold.runs.image.reference import is_name

if TYPE_CHECKING:
    from fourfold.runs.task import Task

#: What a launcher sets: a JSON object with some of ``reference index manifest config platform``.
INJECTED = "FOURFOLD_IMAGE"
_DIGESTS = ("index", "manifest", "config")
_MOST = 64 << 10
_MOST_MOUNTS = 4 << 20
_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", re.ASCII)
_MOUNTED_ID = re.compile(r"/(?:containers|overlay-containers)/([0-9a-f]{64})/", re.ASCII)
#: What containerd mounts is its sandbox's: a sign of a container, and not its id.
_MOUNTED_SANDBOX = re.compile(r"/sandboxes/[0-9a-f]{64}/|/pods/[^/ ]+/containers/", re.ASCII)
_CONTAINERENV = re.compile(r'(\w+)="([^"\n]*)"')
_MARKS = (".dockerenv", "run/.containerenv", ".singularity.d")
_NAMES = ("container", "KUBERNETES_SERVICE_HOST", "ECS_CONTAINER_METADATA_URI_V4")
_APPTAINER = ("APPTAINER_CONTAINER", "SINGULARITY_CONTAINER")
#: The head of an image file of Apptainer: a script, a mark, versions, then its UUID.
_SIF_MARK, _SIF_AT, _SIF_UUID = b"SIF_MAGIC\0", 32, slice(48, 64)
_SILENT = "in a container that does not tell its image: declare it with meta: fourfold: image"


class _Inside(NamedTuple):
    """What the kernel tells.

    Attributes:
        sure: Something shows that this is a container.
        container: Its id; "" where it is not told.
        mounts: ``/proc/self/mountinfo``, where it had to be read.
    """

    sure: bool
    container: str
    mounts: str


def fact(task: "Task", environ: Mapping[str, str], *, own: str = "", root: str = "/") -> Fact:
    """The fact ``image``: what the run is in, as well as it can be known.

    Args:
        task: What runs; it may declare its image.
        environ: The process environment.
        own: Our own folder, where it is kept what names stood for; "" without one.
        root: The root of the file system.
    """
    inside = _inside(environ, root)
    whys: list[str] = []
    for found in _sources(environ, root, inside):
        if found.grade != "absent":
            return found
        whys.append(found.why)
    if task.declared.image is not None:
        return _declared(task.declared.image, own, inside=inside.sure, whys=whys)
    if inside.sure:
        return absent("; ".join(whys) or _SILENT)
    return absent("not in a container")


def _inside(environ: Mapping[str, str], root: str) -> _Inside:
    container = mounts = ""
    for line in _read(os.path.join(root, "proc/self/cgroup"), _MOST).splitlines():
        found = _ID.findall(line)
        if found:
            container = found[-1]
    sure = bool(container)
    if not container:
        mounts = _read(os.path.join(root, "proc/self/mountinfo"), _MOST_MOUNTS)
        mounted = _MOUNTED_ID.search(mounts)
        container = mounted[1] if mounted else ""
        sure = bool(container) or _MOUNTED_SANDBOX.search(mounts) is not None
    sure = sure or any(os.path.exists(os.path.join(root, mark)) for mark in _MARKS)
    return _Inside(sure or any(environ.get(name) for name in (*_NAMES, *_APPTAINER)), container, mounts)


def _sources(environ: Mapping[str, str], root: str, inside: _Inside) -> Iterator[Fact]:
    """What each source that applies here says, the best one first; who is not needed is not asked."""
    if environ.get(INJECTED):
        yield _injected(environ[INJECTED])
    if not inside.sure:
        return
    account = os.path.join(root, "var/run/secrets/kubernetes.io/serviceaccount/token")
    if environ.get("KUBERNETES_SERVICE_HOST") and os.path.exists(account):
        from fourfold.runs.image.asked import kubernetes  # noqa: PLC0415 - only in a pod

        mounts = inside.mounts or _read(os.path.join(root, "proc/self/mountinfo"), _MOST_MOUNTS)
        yield kubernetes(environ, root, inside.container, mounts)
    if environ.get("ECS_CONTAINER_METADATA_URI_V4"):
        from fourfold.runs.image.asked import ecs  # noqa: PLC0415 - only in a task of ECS

        yield ecs(environ["ECS_CONTAINER_METADATA_URI_V4"])
    socket = os.path.join(root, "var/run/docker.sock")
    if inside.container and os.path.exists(socket):
        from fourfold.runs.image.asked import docker  # noqa: PLC0415 - only where the socket is mounted

        yield docker(socket, inside.container)
    podman = _podman(root)
    if podman is not None:
        yield podman
    file = next((environ[name] for name in _APPTAINER if environ.get(name)), "")
    if file:
        yield _apptainer(os.path.join(root, file.lstrip("/")), os.path.basename(file))


def _read(path: str, most: int) -> str:
    """The beginning of a file as text; "" without one."""
    with suppress(OSError), open(path, "rb") as file:
        return file.read(most).decode("utf-8", "replace")
    return ""


def _injected(text: str) -> Fact:
    """What the launcher of the container says."""
    try:
        given = json.loads(text[:_MOST])
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return absent(f"{INJECTED} is no JSON object")
    value: dict[str, Any] = {name: given[name] for name in _DIGESTS if is_digest(given.get(name))}
    if not value:
        return absent(f"{INJECTED} names no digest")
    reference, platform = given.get("reference"), given.get("platform")
    if is_name(reference):
        value["reference"] = reference
    if isinstance(platform, str) and parse_platform(platform):
        value["platform"] = str(parse_platform(platform))
    return attested(value, "the launcher")


def _podman(root: str) -> Fact | None:
    """What Podman writes into its containers; it is empty in those without privileges."""
    told = dict(_CONTAINERENV.findall(_read(os.path.join(root, "run/.containerenv"), _MOST)))
    identifier = told.get("imageid", "")
    if not _ID.fullmatch(identifier):
        return None
    value = {"config": f"sha256:{identifier}"}
    if is_name(told.get("image")):
        value["reference"] = told["image"]
    return observed(value, "/run/.containerenv")


def _apptainer(path: str, name: str) -> Fact:
    """What the image file of Apptainer says of itself: the UUID that it got when it was built."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return absent("in a container of Apptainer, whose image file cannot be read from inside")
    if not head[_SIF_AT:].startswith(_SIF_MARK):
        return absent("in a container of Apptainer, whose image is no image file")
    return observed(
        {"file": name, "uuid": head[_SIF_UUID].hex(), "size": size}, "the image file of Apptainer"
    )


def _declared(image: str, own: str, *, inside: bool, whys: list[str]) -> Fact:
    """What the task says that it runs in, with what that stood for when it was resolved last."""
    from fourfold.runs.image.resolve import recall  # noqa: PLC0415 - few tasks declare one

    if not is_name(image):
        return absent("; ".join([*whys, "what is declared is no name of an image"]))
    known = recall(image, own) if own else None
    why = "; ".join(whys) if inside else "nothing shows that it ran in a container"
    if known is None:
        return declared({"reference": image}, why or "its digests are known after: ff image resolve")
    names = ("reference", *_DIGESTS, "platform", "diff_ids")
    return declared({name: known[name] for name in names if known.get(name) is not None}, why)
