"""Addresses of Git repositories: which are allowed, what kind each is, how it is shown.

Allowed are ``https``, ``http``, ``ssh`` (also ``git+ssh``), ``git``, ``file``, the form ``host:path``,
and paths of this machine. Refused are remote helpers (``ext::command``), options in disguise, and
control characters. Messages show `shown`, never the address itself.
"""

import os
import re
from typing import NamedTuple

from fourfold.base.errors import UnsafeError
from fourfold.scm.process import redact

#: What git may connect by, for each kind.
_TRANSPORTS = {
    "https": "https:http",
    "http": "https:http",
    "ssh": "ssh",
    "git+ssh": "ssh",
    "ssh+git": "ssh",
    "git": "git",
    "file": "file",
}
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_SCP = re.compile(r"(?:[^/:@\s]+@)?([^/:\s]+):(?!//)(.+)", re.DOTALL)


class UnsafeGitUrlError(UnsafeError):
    """An address that could make git run something, or that is none."""

    code = "unsafe-git-url"


class GitUrl(NamedTuple):
    """An allowed address.

    Attributes:
        text: What git is given: the address, a path made absolute.
        transports: What git may connect by.
        path: The folder, for a repository of this machine; else None.
    """

    text: str
    transports: str
    path: str | None


def shown(url: str) -> str:
    """An address for messages: user information hidden."""
    return redact(url)


def parse_url(url: str, base: str) -> GitUrl:
    """Read an address.

    Args:
        url: As the user or a pointer file has it.
        base: The absolute folder that a relative path is meant against.

    Raises:
        UnsafeGitUrlError: it is none of the allowed forms.
    """
    if not url or url[0] == "-" or any(ord(character) < 32 or ord(character) == 127 for character in url):
        raise _refused(url)
    found = _SCHEME.fullmatch(url)
    if found:
        scheme, rest = found[1].lower(), found[2]
        host = rest.split("/", 1)[0].rpartition("@")[2]
        transports = _TRANSPORTS.get(scheme)
        if transports is None or host.startswith("-"):
            raise _refused(url)
        if scheme == "file":
            path = "/" + rest.partition("/")[2]
            return GitUrl("file://" + path, transports, path)
        return GitUrl(url, transports, None)
    if "::" in url.split("/", 1)[0]:
        raise _refused(url)
    scp = _SCP.fullmatch(url)
    if scp and not os.path.exists(os.path.join(base, url)) and not (os.name == "nt" and len(scp[1]) == 1):
        if scp[1].startswith("-") or scp[2].startswith("-"):
            raise _refused(url)
        return GitUrl(url, "ssh", None)
    path = os.path.normpath(os.path.join(base, url))
    return GitUrl(path, "file", path)


def _refused(url: str) -> UnsafeGitUrlError:
    return UnsafeGitUrlError(
        f"refused the Git address {shown(url)[:120]!r}",
        hint="use https://, ssh://, git://, file://, user@host:path, or a path of this machine",
    )
