"""Names of container images: ``python:3.12``, ``ghcr.io/org/name@sha256:...``, ``localhost:5000/name``.

The grammar is that of the distribution specification and of Docker, which adds what is left out: the
registry ``docker.io``, its folder ``library/``, the tag ``latest``. Nothing is asked of anybody here.
"""

import re
from typing import NamedTuple

from fourfold.base.errors import UsageError
from fourfold.formats.oci import is_digest

HUB = "docker.io"
#: Where the Hub answers.
HUB_HOST = "registry-1.docker.io"
_HUB_NAMES = frozenset({HUB, "index.docker.io", HUB_HOST, "registry.hub.docker.com"})
_HOST = re.compile(
    r"(?:\[[0-9a-f:]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
    r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)(?::[0-9]{1,5})?",
    re.ASCII,
)
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_LOOPBACK = re.compile(r"localhost|127(?:\.\d{1,3}){3}|\[::1\]", re.ASCII)


class BadImageNameError(UsageError):
    """A text names no container image."""

    code = "bad-image-name"


class Reference(NamedTuple):
    """The name of an image.

    Attributes:
        registry: ``docker.io`` or a host, with its port.
        repository: ``library/python``.
        tag: "" when only a digest is given.
        digest: "" when only a tag is given; else it decides.
    """

    registry: str
    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Registry and repository: what a digest is appended to."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """Where it is asked for."""
        return HUB_HOST if self.registry == HUB else self.registry

    @property
    def target(self) -> str:
        """What a manifest is asked for by."""
        return self.digest or self.tag

    @property
    def is_loopback(self) -> bool:
        """Whether its registry is on this machine, where http is as safe as https."""
        host = self.registry if self.registry.endswith("]") else self.registry.rpartition(":")[0]
        return _LOOPBACK.fullmatch(host or self.registry) is not None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.name}{tag}{f'@{self.digest}' if self.digest else ''}"


def parse(text: str) -> Reference:
    """Read the name of an image, with what Docker adds to it.

    Raises:
        BadImageNameError: it is none.
    """
    name = text.strip().removeprefix("docker://")
    rest, _, digest = name.partition("@")
    if "@" in name and not is_digest(digest):
        raise _bad(text, "what follows '@' is no digest")
    first, slash, below = rest.partition("/")
    registry = HUB
    if slash and ("." in first or ":" in first or first == "localhost" or first.lower() != first):
        registry, rest = (HUB if first in _HUB_NAMES else first), below
    rest, colon, tag = rest.partition(":")
    if registry != HUB and (not _HOST.fullmatch(registry) or len(registry) > 253):
        raise _bad(text, f"{registry[:80]!r} is no host")
    if registry == HUB and "/" not in rest:
        rest = f"library/{rest}"
    if len(rest) > 255 or not all(_NAME.fullmatch(part) for part in rest.split("/")):
        raise _bad(text, "names are lower-case letters, digits, and single . _ - / between them")
    if colon and not _TAG.fullmatch(tag):
        raise _bad(text, f"{tag[:40]!r} is no tag")
    return Reference(registry, rest, tag or ("" if digest else "latest"), digest)


def is_name(value: object) -> bool:
    """Whether a value is the name of an image, and nothing more: no login, no blanks."""
    try:
        return isinstance(value, str) and value == value.strip() and bool(parse(value))
    except BadImageNameError:
        return False


def _bad(text: str, why: str) -> BadImageNameError:
    before, at, after = text.rpartition("@")
    shown = f"***@{after}" if at and ":" in before and not is_digest(after) else text  # it may be a login
    return BadImageNameError(
        f"'{shown[:120]}' is no name of a container image: {why}",
        hint="name one as: python:3.12, ghcr.io/org/name:1.0 or name@sha256:<64 hex digits>",
    )
