"""What the name of a container image stands for now: digests of index, manifest and configuration.

A name moves; what it stood for when it was asked for last is kept among our caches, so that the record of a
run that declares it says so without asking a registry.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.fs.atomic import write_atomic
from fourfold.formats.native.canonical import canonical, digest
from fourfold.formats.oci import (
    MAX_CONFIG,
    BadManifestError,
    Config,
    Index,
    Platform,
    PlatformMissingError,
    is_digest,
    parse_config,
    parse_manifest,
    select,
)
from fourfold.runs.image.reference import BadImageNameError, Reference, parse
from fourfold.runs.image.registry import Registry

if TYPE_CHECKING:
    from fourfold.runs.place import Place

#: Indexes in indexes that are followed.
_DEEPEST = 3
_MOST = 4 << 20


class Image(NamedTuple):
    """What a name stands for.

    Attributes:
        reference: The name.
        index_digest: Of the index; "" where the name is one of a single manifest.
        manifest_digest: Of the manifest for the platform.
        config_digest: Of the configuration: what Docker calls the id of the image.
        platform: What it runs on.
        diff_ids: Digests of its layers, unpacked: the same wherever it is packed again.
        created: When, as the image says.
        labels: ``revision``, ``source`` and ``base``, as the image says.
    """

    reference: Reference
    index_digest: str
    manifest_digest: str
    config_digest: str
    platform: Platform
    diff_ids: tuple[str, ...]
    created: str
    labels: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "reference": str(self.reference),
            "name": self.reference.name,
            "index": self.index_digest or None,
            "manifest": self.manifest_digest,
            "config": self.config_digest,
            "platform": str(self.platform),
            "diff_ids": list(self.diff_ids),
            "created": self.created or None,
            "labels": dict(self.labels),
        }


def resolve(
    reference: Reference,
    platform: Platform,
    environ: Mapping[str, str],
    *,
    strict: bool = False,
    clock: Clock = SYSTEM,
    plain_http: bool = False,
) -> Image:
    """Ask the registry what a name stands for.

    Args:
        reference: The name.
        platform: Which image of an index.
        environ: The process environment: where logins lie, proxies, trust.
        strict: Refuse an image for another platform, too, where there is only one.
        clock: Waits between tries.
        plain_http: Speak http to a host that is not this machine.

    Raises:
        PlatformMissingError: it is not made for the platform.
        ImageNotFoundError, RegistryDeniedError, RegistryUnavailableError: the registry says so.
        FourfoldError: what it says makes no sense.
    """
    registry = Registry(reference, environ, clock=clock, plain_http=plain_http)
    served = registry.manifest(reference.target)
    index = ""
    for _ in range(_DEEPEST):
        found = parse_manifest(served.data, served.media_type, f"manifest {served.digest}")
        if not isinstance(found, Index):
            break
        index = index or served.digest
        served = registry.manifest(select(found, platform, str(reference)).digest)
    else:
        raise BadManifestError(f"{reference} is an index of indexes, {_DEEPEST} deep")
    config = parse_config(registry.blob(found.config, MAX_CONFIG), f"configuration {found.config}")
    if strict and config.platform[:2] != platform[:2]:
        raise PlatformMissingError(f"{reference} is not made for {platform}, but for {config.platform}")
    return _image(reference, index, served.digest, found.config, config)


def _image(reference: Reference, index: str, manifest: str, config: str, said: Config) -> Image:
    return Image(reference, index, manifest, config, said.platform, said.diff_ids, said.created, said.labels)


def keep(image: Image, place: "Place") -> None:
    """Keep what a name stood for; failing to is no failure."""
    with suppress(OSError):
        folder = place.make("runs", "facts")
        write_atomic(os.path.join(folder, _file(image.reference)), canonical(image.document()), durable=False)


def recall(text: str, own: str) -> dict[str, Any] | None:
    """What a name stood for when it was resolved last in this place; None when it never was.

    Args:
        text: The name, as a task declares it.
        own: Our own folder.
    """
    try:
        reference = parse(text)
        with open(os.path.join(own, "runs", "facts", _file(reference)), "rb") as file:
            found = json.loads(file.read(_MOST))
    except (BadImageNameError, OSError, ValueError, RecursionError):
        return None
    digests = ("manifest", "config")
    if not isinstance(found, dict) or not all(is_digest(found.get(name)) for name in digests):
        return None
    return found if found.get("reference") == str(reference) else None


def _file(reference: Reference) -> str:
    return f"image-{digest(str(reference).encode())[:32]}.json"
