"""Manifests of container images: indexes, manifests and configurations, from bytes to values.

The four media types that registries serve: OCI's image index and image manifest, and Docker's manifest list
and manifest (schema 2). Formats: the OCI image specification 1.1 and Docker's image manifest version 2,
schema 2. A digest is always that of the bytes as they were served; nothing here writes JSON again. What
registries are asked for is `fourfold.runs.image`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import CorruptError, InvalidFileError, UnsupportedError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
#: What a client that leaves one out may be served instead: something else, or nothing.
ACCEPTED = (OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST)
_INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
_MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_CONFIGS = frozenset(
    {"application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"}
)

#: Manifests are at most so long, in bytes: what the distribution specification asks registries to take.
MAX_MANIFEST = 4 << 20
#: Configurations likewise; they hold the history of every layer.
MAX_CONFIG = 16 << 20
_MAX_ENTRIES = 10_000
_MAX_TEXT = 1000
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_LABELS = {
    "org.opencontainers.image.revision": "revision",
    "org.opencontainers.image.source": "source",
    "org.opencontainers.image.base.digest": "base",
}


class BadManifestError(InvalidFileError):
    """What a registry served is no manifest or configuration of an image."""

    code = "bad-image-manifest"
    default_hint = "check the name; that registry may hold something else than images there"


class OldManifestError(UnsupportedError):
    """The image is in Docker's first format, whose manifests have no digest that stays."""

    code = "image-schema-1"


class DigestMismatchError(CorruptError):
    """Bytes of an image do not have the digest by which they were asked for, or that was promised."""

    code = "image-digest-mismatch"
    default_hint = "somebody between you and the registry alters what it serves, or the registry is damaged"


class PlatformMissingError(UnsupportedError):
    """An image is not made for the platform that was asked for."""

    code = "image-platform-missing"


class Platform(NamedTuple):
    """What an image runs on: ``linux/arm64/v8`` in three."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in self if part)


class Entry(NamedTuple):
    """One line of an index.

    Attributes:
        digest: Of the manifest.
        media_type: Of the manifest; "" when it is not said.
        platform: None when it is not said.
    """

    digest: str
    media_type: str
    platform: Platform | None


class Index(NamedTuple):
    """A list of one image's manifests, by platform.

    Attributes:
        entries: Those that are images, in their order; attestations are left out.
    """

    entries: tuple[Entry, ...]


class Manifest(NamedTuple):
    """One image for one platform.

    Attributes:
        config: Digest of its configuration.
        layers: Digests of its layers, packed.
    """

    config: str
    layers: tuple[str, ...]


class Config(NamedTuple):
    """What an image says of itself.

    Attributes:
        platform: What it runs on.
        diff_ids: Digests of its layers, unpacked: equal wherever it was packed again.
        created: When, as the image says it; "" when it does not.
        labels: ``revision``, ``source`` and ``base`` of OCI's labels, where it has them.
    """

    platform: Platform
    diff_ids: tuple[str, ...]
    created: str
    labels: Mapping[str, str]


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes as registries write it."""
    return f"{algorithm}:{hashlib.new(algorithm, data, usedforsecurity=False).hexdigest()}"


def is_digest(text: object) -> bool:
    """Whether a value is a digest of one of the two algorithms that are registered."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


def prove(data: bytes, digest: str, what: str) -> None:
    """Refuse bytes that do not have a digest.

    Raises:
        DigestMismatchError: they do not.
    """
    found = digest_of(data, digest.partition(":")[0])
    if found != digest:
        raise DigestMismatchError(f"{what} should have digest {digest}, and has {found}")


def parse_manifest(data: bytes, media_type: str, source: str) -> Index | Manifest:
    """Read what a registry serves as a manifest.

    Args:
        data: Its bytes.
        media_type: What the server says it is; where the bytes say it too, they decide.
        source: What it is, for messages.

    Raises:
        BadManifestError: it is none.
        OldManifestError: it is one of Docker's first format.
    """
    document = _document(data, MAX_MANIFEST, source)
    said = document.get("mediaType")
    kind = said if isinstance(said, str) and said else media_type.partition(";")[0].strip().lower()
    if document.get("schemaVersion") == 1:
        raise OldManifestError(
            f"{source} is in Docker's first manifest format",
            hint="build or push the image again with a tool of this decade",
        )
    if kind in _INDEXES or (kind not in _MANIFESTS and isinstance(document.get("manifests"), list)):
        return _index(document, source)
    if kind in _MANIFESTS or "config" in document:
        return _manifest(document, source)
    raise BadManifestError(f"{source} is no manifest of an image: {_short(kind)!r}")


def parse_config(data: bytes, source: str) -> Config:
    """Read the configuration of an image.

    Raises:
        BadManifestError: it is none.
    """
    document = _document(data, MAX_CONFIG, source)
    rootfs, inner = document.get("rootfs"), document.get("config")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if not isinstance(diff_ids, list) or len(diff_ids) > _MAX_ENTRIES or not all(map(is_digest, diff_ids)):
        raise BadManifestError(f"{source} names no layers")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    told = {
        short: labels[name]
        for name, short in _LABELS.items()
        if isinstance(labels, dict) and isinstance(labels.get(name), str) and len(labels[name]) <= _MAX_TEXT
    }
    platform = _platform(document)
    if platform is None:
        raise BadManifestError(f"{source} says no platform")
    created = document.get("created")
    shown = created if isinstance(created, str) and len(created) <= 64 else ""
    return Config(platform, tuple(diff_ids), shown, told)


def parse_platform(text: str) -> Platform | None:
    """Read ``os/arch[/variant]``; None when it is not that."""
    parts = text.strip().lower().split("/")
    if len(parts) not in {2, 3} or not all(re.fullmatch(r"[a-z0-9_.-]{1,40}", part) for part in parts):
        return None
    return Platform(parts[0], ARCHITECTURES.get(parts[1], parts[1]), parts[2] if len(parts) == 3 else "")


#: Names that machines give themselves, and images do not.
ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "i386": "386",
    "i686": "386",
    "armv7l": "arm",
    "armv6l": "arm",
}
#: Variants that are meant where none is said.
_IMPLIED = {"arm64": "v8", "amd64": "v1"}


def select(index: Index, wanted: Platform, source: str) -> Entry:
    """The entry of an index for a platform.

    Without a variant, the one that the architecture implies comes first, then the first of the list.

    Raises:
        PlatformMissingError: there is none.
    """
    fitting = [
        entry
        for entry in index.entries
        if entry.platform is not None and entry.platform[:2] == wanted[:2] and _fits(entry.platform, wanted)
    ]
    implied = _IMPLIED.get(wanted.architecture, "")
    fitting.sort(key=lambda entry: bool(entry.platform and entry.platform.variant not in {"", implied}))
    if fitting:
        return fitting[0]
    unsaid = [entry for entry in index.entries if entry.platform is None]
    if len(index.entries) == 1 and unsaid:
        return unsaid[0]
    have = sorted({str(entry.platform) for entry in index.entries if entry.platform is not None})
    raise PlatformMissingError(
        f"{source} is not made for {wanted}",
        hint=f"it is made for {', '.join(have[:12])}: name one with --platform" if have else "",
    )


def _fits(platform: Platform, wanted: Platform) -> bool:
    implied = _IMPLIED.get(wanted.architecture, "")
    return not wanted.variant or (platform.variant or implied) == wanted.variant


def _document(data: bytes, most: int, source: str) -> dict[str, Any]:
    if len(data) > most:
        raise BadManifestError(f"{source} is longer than {most} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadManifestError(f"{source} is not JSON") from error
    if not isinstance(document, dict):
        raise BadManifestError(f"{source} is not a JSON object")
    return document


def _index(document: dict[str, Any], source: str) -> Index:
    manifests = document.get("manifests")
    if not isinstance(manifests, list) or len(manifests) > _MAX_ENTRIES:
        raise BadManifestError(f"{source} is an index without manifests")
    entries = []
    for item in manifests:
        platform = _platform(item.get("platform")) if isinstance(item, dict) else None
        # BuildKit keeps attestations among the manifests, for a platform that does not exist.
        if platform is not None and platform.os == "unknown":
            continue
        entries.append(Entry(_digest(item, source), str(item.get("mediaType") or ""), platform))
    return Index(tuple(entries))


def _manifest(document: dict[str, Any], source: str) -> Manifest:
    config, layers = document.get("config"), document.get("layers")
    if not isinstance(layers, list) or len(layers) > _MAX_ENTRIES or not isinstance(config, dict):
        raise BadManifestError(f"{source} is a manifest without configuration or layers")
    kind = config.get("mediaType")
    if kind is not None and kind not in _CONFIGS:
        raise BadManifestError(f"{source} is no image to run: its configuration is {_short(kind)!r}")
    return Manifest(_digest(config, source), tuple(_digest(layer, source) for layer in layers))


def _digest(item: object, source: str) -> str:
    digest = item.get("digest") if isinstance(item, dict) else None
    if not isinstance(digest, str) or not is_digest(digest):
        raise BadManifestError(f"{source} names something without a digest: {_short(digest)!r}")
    return digest


def _platform(value: object) -> Platform | None:
    if not isinstance(value, dict):
        return None
    found = [value.get(name, "") for name in ("os", "architecture", "variant")]
    if not all(isinstance(part, str) and len(part) <= 40 for part in found) or not (found[0] and found[1]):
        return None
    return Platform(*found)


def _short(value: object) -> str:
    return str(value)[:80]
