"""Reading from a registry over its HTTP API: manifests and configurations, each proven by its digest.

The OCI distribution specification 1.1: ``/v2/<name>/manifests/<tag or digest>`` and
``/v2/<name>/blobs/<digest>``, tokens as Docker's registries give them. Connections, redirects (never with a
login to another host) and proxies are `storage.blob.http_wire`; where logins are from is `credentials`.
Nothing is ever written to a registry.
"""

import base64
import http.client
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import NamedTuple, NoReturn
from urllib.parse import urlencode, urlsplit

from fourfold.base.clock import SYSTEM, Clock
from fourfold.base.errors import AuthError, ConfigError, NotFoundError, UnavailableError, UnsupportedError
from fourfold.formats.oci import (
    ACCEPTED,
    MAX_MANIFEST,
    BadManifestError,
    DigestMismatchError,
    digest_of,
    is_digest,
    prove,
)
from fourfold.runs.image.credentials import Credential, Found, find
from fourfold.runs.image.reference import Reference
from fourfold.storage.blob.http_login import Login, proxy_for, tls_context
from fourfold.storage.blob.http_wire import Timeouts, Wire
from fourfold.storage.blob.protocol import BlobCertificateError, BlobRefusedError, BlobUnavailableError

TIMEOUTS = Timeouts(10.0, 30.0)
_TRIES = 4
#: Seconds: of the first wait, and of the longest that a server may ask for.
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 20.0
_MAX_TOKEN = 1 << 20
_CHALLENGE = re.compile(r"(?:^|,)\s*(Bearer|Basic)\s+(?=\w+=)", re.IGNORECASE)
_PAIR = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"|(\w+)=([^\s,"]+)')
_TOKEN = re.compile(r"[\x21-\x7e]{1,100000}", re.ASCII)


class ImageNotFoundError(NotFoundError):
    """A registry has no image of that name."""

    code = "image-not-found"
    default_hint = "check the name and the tag"


class RegistryDeniedError(AuthError):
    """A registry asks for a login, or refuses the one that there is."""

    code = "registry-denied"


class RegistryUnavailableError(UnavailableError):
    """A registry does not answer, breaks off, or says that it cannot now.

    Attributes:
        final: Asking again at once would not help.
    """

    code = "registry-unavailable"

    def __init__(self, message: str, *, hint: str = "", final: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.final = final


class RegistryRefusedError(UnsupportedError):
    """What answers is no registry, or one that does not do what the specification says."""

    code = "registry-refused"


class RegistryCertificateError(ConfigError):
    """The TLS certificate of a registry is not trusted."""

    code = "registry-untrusted-certificate"


class Answer(NamedTuple):
    """What a registry said.

    Attributes:
        status: Of HTTP.
        headers: In lower case.
        body: Its bytes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


class Served(NamedTuple):
    """A manifest.

    Attributes:
        data: Its bytes.
        media_type: What the server says it is.
        digest: Of the bytes.
    """

    data: bytes
    media_type: str
    digest: str


class Registry:
    """One repository of one registry.

    Args:
        reference: Names both.
        environ: The process environment: where logins lie, proxies, trust.
        clock: Waits between tries.
        plain_http: Speak http to a host that is not this machine.
    """

    def __init__(
        self,
        reference: Reference,
        environ: Mapping[str, str],
        *,
        clock: Clock = SYSTEM,
        plain_http: bool = False,
    ) -> None:
        self._reference = reference
        self._environ = environ
        self._clock = clock
        self._schemes = ["https"]
        if reference.is_loopback:
            self._schemes = ["http", "https"]
        elif plain_http:
            self._schemes = ["http"]
        self._authorization = ""
        self._found: Found | None = None
        self._wires: dict[tuple[str, str], Wire] = {}

    @property
    def _url(self) -> str:
        return f"{self._schemes[0]}://{self._reference.host}"

    def manifest(self, target: str) -> Served:
        """A manifest by tag or digest; its digest is proven.

        Raises:
            DigestMismatchError: the bytes are not what was asked for, or promised.
            FourfoldError: no answer came, or it is a refusal.
        """
        what = f"manifest {target} of {self._reference.name}"
        path = f"/v2/{self._reference.repository}/manifests/"
        headers = {"Accept": ", ".join(ACCEPTED)}
        digest = target if is_digest(target) else ""
        promised = ""
        if not digest:
            # The digest of a tag costs a registry little to tell, and asking by it takes one moment's image.
            head = self._ask("HEAD", path + target, headers, what, MAX_MANIFEST)
            said = head.headers.get("docker-content-digest", "")
            if head.status == 200 and is_digest(said):
                promised = said
            elif head.status in {401, 403, 429} or head.status >= 500:
                self._refuse(head, what)
        answer = self._ask("GET", path + (digest or promised or target), headers, what, MAX_MANIFEST)
        if answer.status == 404 and promised:
            raise DigestMismatchError(
                f"{self._reference.host} says that {self._reference} is {promised}, and does not have that"
            )
        self._check(answer, what)
        said = answer.headers.get("docker-content-digest", "")
        wanted = digest or promised or (said if is_digest(said) else "")
        if wanted:
            prove(answer.body, wanted, what)
        return Served(answer.body, answer.headers.get("content-type", ""), wanted or digest_of(answer.body))

    def blob(self, digest: str, most: int) -> bytes:
        """A blob; its digest is proven.

        Args:
            digest: Which.
            most: So many bytes are read at most.

        Raises:
            DigestMismatchError: the bytes are not what was asked for.
            FourfoldError: no answer came, or it is a refusal.
        """
        what = f"blob {digest} of {self._reference.name}"
        answer = self._ask("GET", f"/v2/{self._reference.repository}/blobs/{digest}", {}, what, most)
        self._check(answer, what)
        prove(answer.body, digest, what)
        return answer.body

    # --- asking ---

    def _ask(self, method: str, path: str, headers: Mapping[str, str], what: str, most: int) -> Answer:
        """One question, asked again where that may help, with a login where one is demanded."""
        answer = self._patiently(method, path, headers, what, most)
        if answer.status == 401:
            self._authorization = self._log_in(answer)
            if self._authorization:
                answer = self._patiently(method, path, headers, what, most)
        return answer

    def _patiently(self, method: str, path: str, headers: Mapping[str, str], what: str, most: int) -> Answer:
        wait = _FIRST_WAIT
        for left in range(_TRIES - 1, -1, -1):
            try:
                answer = self._once(method, path, headers, what, most)
            except RegistryUnavailableError as error:
                if error.final or not left:
                    raise
            else:
                if len(self._schemes) > 1:
                    if answer.status == 400:  # so servers answer http that speak https
                        self._schemes.pop(0)
                        continue
                    del self._schemes[1:]
                asked = _retry_after(answer.headers.get("retry-after", ""))
                passing = answer.status == 429 or answer.status >= 500
                if not passing or not left or (asked or 0) > _LONGEST_WAIT:
                    return answer
                wait = asked if asked is not None else wait
            self._clock.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, path: str, headers: Mapping[str, str], what: str, most: int) -> Answer:
        wire = self._wire(self._url, self._authorization)
        return _read(lambda: wire.ask(method, self._url + path, what, headers=headers), what, most)

    def _wire(self, url: str, authorization: str) -> Wire:
        """Connections to a server; it alone is shown the login."""
        key = url, authorization
        if key not in self._wires:
            parts = urlsplit(url)
            context = tls_context(None, self._environ) if parts.scheme == "https" else None
            self._wires[key] = Wire(
                url,
                url.partition("?")[0],
                login=Login("custom", "Authorization", authorization) if authorization else Login(),
                timeouts=TIMEOUTS,
                context=context,
                proxy=""
                if self._reference.is_loopback
                else proxy_for(parts.scheme, parts.hostname or "", self._environ),
            )
        return self._wires[key]

    # --- logging in ---

    def _log_in(self, answer: Answer) -> str:
        """What answers a challenge; "" where nothing does."""
        challenges = _challenges(answer.headers.get("www-authenticate", ""))
        if self._found is None:
            self._found = find(self._reference, self._environ)
        credential = self._found.credential
        if "bearer" in challenges:
            return f"Bearer {self._token(challenges['bearer'], credential)}"
        if "basic" in challenges and credential is not None and credential.user:
            return _basic(credential)
        return ""

    def _token(self, challenge: Mapping[str, str], credential: Credential | None) -> str:
        realm = challenge.get("realm", "")
        parts = urlsplit(realm)
        if parts.scheme not in {"https", "http"} or not parts.hostname or "@" in parts.netloc:
            raise RegistryRefusedError(f"{self._reference.host} names no place that gives tokens")
        if parts.scheme == "http" and self._schemes[0] == "https":
            raise RegistryRefusedError(
                f"{self._reference.host} wants its token to be fetched over http, which is refused"
            )
        asked = {"scope": challenge.get("scope") or f"repository:{self._reference.repository}:pull"}
        if challenge.get("service"):
            asked["service"] = challenge["service"]
        origin = f"{parts.scheme}://{parts.netloc}"
        what = f"token of {parts.netloc}"
        if credential is not None and not credential.user:
            form = urlencode(
                {
                    **asked,
                    "grant_type": "refresh_token",
                    "client_id": "fourfold",
                    "refresh_token": credential.secret,
                }
            ).encode()
            kind = {"Content-Type": "application/x-www-form-urlencoded"}
            wire = self._wire(origin, "")
            answer = _read(
                lambda: wire.ask("POST", realm, what, lambda: form, headers=kind), what, _MAX_TOKEN
            )
        else:
            wire = self._wire(origin, _basic(credential) if credential is not None else "")
            target = f"{realm}{'&' if parts.query else '?'}{urlencode(asked)}"
            answer = _read(lambda: wire.ask("GET", target, what), what, _MAX_TOKEN)
        self._check(answer, what)
        return _token_in(answer.body, parts.netloc)

    # --- what answers mean ---

    def _check(self, answer: Answer, what: str) -> None:
        if answer.status != 200:
            self._refuse(answer, what)

    def _refuse(self, answer: Answer, what: str) -> NoReturn:
        host, status = self._reference.host, answer.status
        if status in {401, 403}:
            found = self._found or Found(None)
            if found.credential is not None:
                why = f"it refuses the login of {found.credential.source}"
            else:
                why = f"there is no login for it{f' ({found.trouble})' if found.trouble else ''}"
            raise RegistryDeniedError(
                f"{host} denies {self._reference}, or has no such image: {why}",
                hint=f"log in with: docker login {self._reference.registry}",
            )
        if status == 404:
            raise ImageNotFoundError(
                f"{host} has no {what if '@' in str(self._reference) else self._reference}"
            )
        if status == 429:
            raise RegistryUnavailableError(
                f"{host} asks for fewer requests", hint="run again later, or log in: more are allowed then"
            )
        if status >= 500:
            raise RegistryUnavailableError(f"{host} failed with status {status}")
        raise RegistryRefusedError(f"{host} answered status {status} to {what}", hint="is it a registry?")


def _read(
    ask: Callable[[], AbstractContextManager[http.client.HTTPResponse]], what: str, most: int
) -> Answer:
    """The whole of an answer, of bounded length."""
    try:
        with ask() as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            challenges = response.headers.get_all("www-authenticate")
            if challenges:
                headers["www-authenticate"] = ", ".join(challenges)
            body = response.read(most + 1)
            if len(body) > most:
                raise BadManifestError(f"{what} is longer than {most} bytes")
            if response.length:
                raise RegistryUnavailableError(f"{what} ended {response.length} bytes too early")
            return Answer(response.status, headers, body)
    except BlobCertificateError as error:
        raise RegistryCertificateError(
            error.message, hint="name its authority's file in the environment: SSL_CERT_FILE"
        ) from error
    except BlobUnavailableError as error:
        hint = "is the name of the registry right, and does it run?" if error.refused else error.hint
        raise RegistryUnavailableError(error.message, hint=hint, final=error.refused) from error
    except BlobRefusedError as error:
        raise RegistryRefusedError(error.message, hint=error.hint) from error
    except (OSError, http.client.HTTPException) as error:
        raise RegistryUnavailableError(f"the answer to {what} broke off") from error


def _challenges(text: str) -> dict[str, dict[str, str]]:
    """The challenges of a ``WWW-Authenticate``, by scheme."""
    pieces = _CHALLENGE.split(text[:10_000])
    found: dict[str, dict[str, str]] = {}
    for kind, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        pairs = {
            (quoted or plain).lower(): inner or bare for quoted, inner, plain, bare in _PAIR.findall(rest)
        }
        found.setdefault(kind.lower(), pairs)
    return found


def _basic(credential: Credential) -> str:
    pair = f"{credential.user}:{credential.secret}".encode()
    return f"Basic {base64.b64encode(pair).decode()}"


def _token_in(body: bytes, host: str) -> str:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    token = (document.get("token") or document.get("access_token")) if isinstance(document, dict) else None
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise RegistryRefusedError(f"{host} gave no token that can be used")
    return token


def _retry_after(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
