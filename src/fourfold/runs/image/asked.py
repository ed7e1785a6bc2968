"""Who can be asked which image a container is of: the cluster's API, the agent of ECS, Docker by its socket.

Each is asked only where it has left its marks (variables, a mounted token or socket), once a process, and is
given a second. Loaded only then.
"""

import http.client
import json
import os
import re
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

from fourfold.base.errors import FourfoldError
from fourfold.formats.native.fact import Fact, absent, attested
from fourfold.formats.oci import is_digest
from fourfold.runs.image.reference import is_name
from fourfold.storage.blob.http_login import Login
from fourfold.storage.blob.http_wire import Timeouts, Wire

#: Seconds for a connection, and for each piece of an answer.
_PATIENCE = 1.0
_MOST = 4 << 20
_ACCOUNT = "var/run/secrets/kubernetes.io/serviceaccount"
_POD_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
#: Kubelet mounts a file of each container, whose path on the node holds the container's name.
_MOUNTED_NAME = re.compile(r"/pods/[^/ ]+/containers/([^/ ]+)/[0-9a-f]+ ")
#: Where the agent of ECS answers; no other address is asked because a variable says so.
_ECS = re.compile(r"169\.254\.170\.\d{1,3}|127\.0\.0\.1|localhost", re.ASCII)


# --- Kubernetes ---


def kubernetes(environ: Mapping[str, str], root: str, container: str, mounts: str) -> Fact:
    """What the cluster's API says of the pod that this is in."""
    host = environ.get("KUBERNETES_SERVICE_HOST", "")
    port = environ.get("KUBERNETES_SERVICE_PORT_HTTPS") or environ.get("KUBERNETES_SERVICE_PORT", "443")
    account = os.path.join(root, _ACCOUNT)
    token, namespace = _line(f"{account}/token"), _line(f"{account}/namespace")
    pod = environ.get("HOSTNAME") or _line(os.path.join(root, "proc/sys/kernel/hostname"))
    if not token or not _POD_NAME.fullmatch(namespace) or not _POD_NAME.fullmatch(pod):
        return absent("in a pod without the token of a service account")
    server = f"[{host}]" if ":" in host else host
    path = f"/api/v1/namespaces/{quote(namespace)}/pods/{quote(pod)}"
    status, document = _pod(f"https://{server}:{port}", path, token, f"{account}/ca.crt")
    if status in {401, 403}:
        return absent(
            "the cluster does not let this pod look at itself: allow its service account to get pods"
        )
    if status != 200:
        return absent("the cluster's API did not answer which image this is")
    named = _MOUNTED_NAME.search(mounts)
    return _of_pod(document, container, named[1] if named else "")


@lru_cache(maxsize=4)
def _pod(base: str, path: str, token: str, authority: str) -> tuple[int, Any]:
    """The status, and what the API says."""
    try:
        context = ssl.create_default_context(cafile=authority)
        wire = Wire(
            base,
            base,
            login=Login("custom", "Authorization", f"Bearer {token}"),
            timeouts=Timeouts(_PATIENCE, _PATIENCE),
            context=context,
            proxy="",
        )
        with wire.ask("GET", base + path, "pod", headers={"Accept": "application/json"}) as response:
            return response.status, _json(response.read(_MOST))
    except (FourfoldError, OSError, http.client.HTTPException, ValueError):
        return 0, None


def _of_pod(document: Any, container: str, name: str) -> Fact:
    found = document.get("status") if isinstance(document, dict) else None
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    statuses = [
        status
        for kind in kinds
        if isinstance(found, dict) and isinstance(found.get(kind), list)
        for status in found[kind]
        if isinstance(status, dict)
    ]
    mine = [one for one in statuses if container and str(one.get("containerID", "")).endswith(container)]
    mine = mine or [one for one in statuses if name and one.get("name") == name]
    if not mine and len(statuses) == 1:
        mine = statuses
    if len(mine) != 1:
        return absent("the pod has several containers, and which of them this is cannot be told")
    value = _named(mine[0].get("image"), mine[0].get("imageID"))
    return attested(value, "the cluster's API") if value else absent("the cluster does not name the image")


# --- ECS ---


def ecs(url: str) -> Fact:
    """What the agent of ECS says of the container (metadata, version 4)."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not _ECS.fullmatch(parts.hostname or ""):
        return absent("the address of the agent of ECS is none")
    document = _agent(url)
    if not isinstance(document, dict):
        return absent("the agent of ECS did not answer which image this is")
    value = _named(document.get("Image"), document.get("ImageID"))
    return (
        attested(value, "the agent of ECS") if value else absent("the agent of ECS does not name the image")
    )


@lru_cache(maxsize=4)
def _agent(url: str) -> Any:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=_PATIENCE)
    return _got(connection, parts.path or "/")


# --- Docker ---


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(_PATIENCE)
        self.sock.connect(self._path)


@lru_cache(maxsize=4)
def docker(path: str, container: str) -> Fact:
    """What Docker says of a container, asked by its socket."""
    inspected = _got(_SocketConnection(path), f"/containers/{container}/json")
    if not isinstance(inspected, dict) or not is_digest(inspected.get("Image")):
        return absent("Docker's socket is there, and does not tell the image")
    config = inspected.get("Config")
    value = _named(config.get("Image") if isinstance(config, dict) else None, inspected["Image"])
    image = _got(_SocketConnection(path), f"/images/{inspected['Image']}/json")
    if isinstance(image, dict):
        layers = image.get("RootFS")
        layers = layers.get("Layers") if isinstance(layers, dict) else None
        if isinstance(layers, list) and layers and all(map(is_digest, layers)):
            value["diff_ids"] = layers
        pulled = image.get("RepoDigests")
        names = [name for name in pulled if _is_pulled(name)] if isinstance(pulled, list) else []
        if names:
            value["pulled"] = min(names)
    return attested(value, "Docker's socket")


# --- what they have in common ---


def _named(image: object, identifier: object) -> dict[str, Any]:
    """A name, and what stands behind it: ``repo@digest`` as pulled, or the id that the engine gives."""
    value: dict[str, Any] = {}
    text = identifier.rpartition("://")[2] if isinstance(identifier, str) else ""
    if is_digest(text):
        value["id"] = text
    elif _is_pulled(text):
        value["pulled"] = text
    if value and is_name(image) and not is_digest(image):
        value["reference"] = image
    return value


def _is_pulled(text: object) -> bool:
    return isinstance(text, str) and is_name(text) and is_digest(text.rpartition("@")[2])


def _got(connection: http.client.HTTPConnection, path: str) -> Any:
    """The JSON that is at a path; None when there is none."""
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return _json(response.read(_MOST)) if response.status == 200 else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _line(path: str) -> str:
    with suppress(OSError), open(path, "rb") as file:
        return file.read(64 << 10).decode("utf-8", "replace").strip()
    return ""
