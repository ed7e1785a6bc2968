"""Who we are and whom we trust over HTTP: logins, certificates, proxies.

No request is made here; `http_wire` and `webdav` ask for what to send.
"""

import hashlib
import os
import re
import secrets
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from fourfold.base.errors import from_os_error
from fourfold.storage.options import BadRemoteOptionError, expand_user


class Login(NamedTuple):
    """How requests say who we are.

    Attributes:
        kind: ``basic``, ``digest``, ``custom``, or empty.
        user: The user, or the name of the header.
        password: The password, or the header's value.
    """

    kind: str = ""
    user: str = ""
    password: str = ""


def tls_context(verify: bool | str | None, environ: Mapping[str, str]) -> ssl.SSLContext:
    """What to trust: the system, a file of the remote's option, or (``false``) anybody."""
    context = ssl.create_default_context()
    bundle = (
        verify
        if isinstance(verify, str)
        else environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE")
    )
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif bundle:
        path = expand_user(bundle, environ)
        try:
            context.load_verify_locations(capath=path) if os.path.isdir(
                path
            ) else context.load_verify_locations(path)
        except ssl.SSLError as error:
            raise BadRemoteOptionError(f"ssl_verify: {path} is no file of certificates") from error
        except OSError as error:
            raise from_os_error(error, "reading the file of ssl_verify") from error
    return context


class Digest:
    """Digest access authentication (RFC 7616): MD5 and SHA-256, ``auth`` only."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._challenge: dict[str, str] = {}
        self._count = 0
        self._lock = threading.Lock()

    def learn(self, challenge: str) -> bool:
        """Take a ``WWW-Authenticate``; whether it can be answered."""
        kind, _, rest = challenge.partition(" ")
        pairs = re.findall(r'(\w+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))', rest)
        found = {name.lower(): quoted or plain for name, quoted, plain in pairs}
        usable = kind.lower() == "digest" and "nonce" in found and self._hash(found) is not None
        if usable:
            with self._lock:
                self._challenge, self._count = found, 0
        return usable

    def header(self, method: str, target: str) -> dict[str, str]:
        """The answer for one request; nothing before the first challenge."""
        with self._lock:
            found = dict(self._challenge)
            self._count += 1
            count = f"{self._count:08x}"
        digest = self._hash(found) if found else None
        if digest is None:
            return {}
        parts = urlsplit(target)
        uri = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        user, realm, nonce, own = (
            self._login.user,
            found.get("realm", ""),
            found["nonce"],
            secrets.token_hex(8),
        )
        first = digest(f"{user}:{realm}:{self._login.password}")
        if found.get("algorithm", "").lower().endswith("-sess"):
            first = digest(f"{first}:{nonce}:{own}")
        second = digest(f"{method}:{uri}")
        fields = {"username": user, "realm": realm, "nonce": nonce, "uri": uri}
        if "qop" in found:
            fields |= {"response": digest(f"{first}:{nonce}:{count}:{own}:auth:{second}"), "cnonce": own}
        else:
            fields["response"] = digest(f"{first}:{nonce}:{second}")
        text = ", ".join(f'{name}="{_quoted(value)}"' for name, value in fields.items())
        if "qop" in found:
            text += f", qop=auth, nc={count}"
        if "opaque" in found:
            text += f', opaque="{found["opaque"]}"'
        if "algorithm" in found:
            text += f", algorithm={found['algorithm']}"
        return {"Authorization": f"Digest {text}"}

    def _hash(self, found: Mapping[str, str]) -> Callable[[str], str] | None:
        if "qop" in found and "auth" not in re.split(r"[\s,]+", found["qop"]):
            return None
        name = found.get("algorithm", "MD5").lower().removesuffix("-sess")
        if name == "md5":
            return lambda text: hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        return (lambda text: hashlib.sha256(text.encode()).hexdigest()) if name == "sha-256" else None


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def proxy_for(scheme: str, host: str, environ: Mapping[str, str]) -> str:
    """``host:port`` of the proxy that the environment names for a host, or empty."""
    lowered = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    found = lowered.get(f"{scheme}_proxy") or lowered.get("all_proxy") or ""
    for name in lowered.get("no_proxy", "").split(","):
        suffix = name.strip().removeprefix("*").removeprefix(".")
        if name.strip() == "*" or (suffix and (host == suffix or host.endswith(f".{suffix}"))):
            return ""
    return urlsplit(found if "://" in found else f"http://{found}").netloc.rpartition("@")[2] if found else ""
