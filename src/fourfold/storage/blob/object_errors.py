"""What an object store's failure means: the native client's errors into ours.

The client (obstore) tells the status, the server's code and the kind of a broken connection only
inside the text of its exceptions. This module reads them there, once, for every adapter that uses
it, and never passes that text on: what is shown is the status and the server's own message,
without secrets.
"""

import re
from typing import NamedTuple

from fourfold.base.errors import FourfoldError, UnavailableError
from fourfold.storage.blob.protocol import (
    BlobCertificateError,
    BlobDeniedError,
    BlobRefusedError,
    BlobShortError,
    BlobThrottledError,
    BlobTimeoutError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    BucketNotFoundError,
    not_found,
)
from fourfold.storage.redact import redact

_STATUS = re.compile(r"non-2xx status code: (\d{3})|\bstatus: (\d{3})\b")
_CODE = re.compile(r"<Code>([^<]{1,80})</Code>|\"(?:code|reason)\":\s*\"([A-Za-z]{3,80})\"")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>|\"message\":\s*\"([^\"]{1,300})\"")
_METADATA_SERVICE = re.compile(r"169\.254\.169\.254|fd00:ec2|metadata\.google\.internal|/metadata/identity")

_NO_BUCKET = frozenset({"NoSuchBucket", "ContainerNotFound", "AccountNotFound", "ContainerBeingDeleted"})
_EXPIRED = frozenset(
    {"ExpiredToken", "TokenRefreshRequired", "RequestExpired", "InvalidToken", "AuthenticationFailed"}
)
_BAD_IDENTITY = _EXPIRED | {
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
    "AuthorizationHeaderMalformed",
    "InvalidAuthenticationInfo",
    "InvalidClientTokenId",
    "MissingSecurityHeader",
}
_THROTTLED = frozenset(
    {"SlowDown", "Throttling", "ThrottlingException", "ServerBusy", "RequestLimitExceeded", "TooManyRequests"}
)

_NOT_A_STORE = (
    "MissingContentLength",
    "MissingEtag",
    "InvalidListResponse",
    "InvalidDeleteObjectsResponse",
    "InvalidMultipartResponse",
    "Parse(",
)


class Place(NamedTuple):
    """Where something failed: for the message and its hint.

    Attributes:
        url: Of the store, redacted.
        credentials: The configuration keys that hold its identity, for the hint.
        container: What the store calls its bucket.
    """

    url: str
    credentials: str
    container: str = "bucket"


class Cause(NamedTuple):
    """What could be read from a native error."""

    status: int | None
    code: str
    message: str
    text: str


def read_cause(error: BaseException) -> Cause:
    """Read status, server code and message out of a native error's text."""
    text = str(error)
    status = _STATUS.search(text)
    code = _CODE.search(text)
    message = _MESSAGE.search(text)
    return Cause(
        int(status[1] or status[2]) if status else None,
        (code[1] or code[2]) if code else "",
        redact((message[1] or message[2]) if message else ""),
        text,
    )


def typed(error: BaseException, place: Place, key: str, *, writing: bool = False) -> FourfoldError:
    """The typed error for a native one.

    Args:
        error: What the client raised.
        place: Which store.
        key: Which object; empty for the store as a whole.
        writing: Whether the request may have changed something before its answer was lost.
    """
    cause = read_cause(error)
    if _METADATA_SERVICE.search(cause.text):
        return BlobDeniedError(
            f"no credentials found for {place.url}",
            hint=f"set {place.credentials} with: ff remote modify --local <name> <option> <value>",
        )
    if cause.status is not None:
        return _from_status(cause, place, key)
    return _from_connection(cause, place, key, writing=writing)


def _what(place: Place, key: str) -> str:
    return f"object {key!r} on {place.url}" if key else place.url


def _says(cause: Cause) -> str:
    said = " ".join(part for part in (cause.code, cause.message and f"({cause.message})") if part)
    return f"{cause.status} {said}".strip()


def _from_status(cause: Cause, place: Place, key: str) -> FourfoldError:
    status = cause.status or 0
    if cause.code in _BAD_IDENTITY or status in {401, 403}:
        return _denied(cause, place, key)
    if cause.code in _NO_BUCKET or (status == 404 and not key):
        return no_bucket(place)
    if status == 404:
        return not_found(key, place.url)
    if status == 429 or cause.code in _THROTTLED:
        return BlobThrottledError(
            f"{place.url} asks for fewer requests: {_says(cause)}",
            hint="run again later, or with a lower --jobs",
        )
    if status >= 500 or status in {408, 409}:
        return BlobUnavailableError(
            f"{place.url} failed: {_says(cause)}", hint="run the same command again; what was done is kept"
        )
    return BlobRefusedError(f"{_what(place, key)}: the server refused: {_says(cause)}")


def _denied(cause: Cause, place: Place, key: str) -> BlobDeniedError:
    how = "; to set one: ff remote modify --local <name> <option> <value>"
    if cause.code in _EXPIRED:
        return BlobDeniedError(
            f"the credentials for {place.url} have expired: {_says(cause)}", hint="log in again" + how
        )
    if cause.code in _BAD_IDENTITY or cause.status == 401:
        return BlobDeniedError(
            f"{place.url} does not accept our credentials: {_says(cause)}",
            hint=f"check {place.credentials}{how}",
        )
    return BlobDeniedError(
        f"access denied to {_what(place, key)}: {_says(cause)}",
        hint=f"check {place.credentials}, and the rights of that identity on the {place.container}",
    )


def no_bucket(place: Place) -> BucketNotFoundError:
    """The error for a bucket that is not there."""
    return BucketNotFoundError(
        f"there is no such {place.container}: {place.url}",
        hint="check the spelling with: ff remote list; a missing one is made with the provider's own tool",
    )


def _from_connection(cause: Cause, place: Place, key: str, *, writing: bool) -> FourfoldError:
    text = cause.text
    certain = _misdirected(text, place) or _never_sent(text, place)
    if certain is not None:
        return certain
    what = _what(place, key)
    if writing:
        return BlobUnknownOutcomeError(
            f"no answer after writing {what}: it may or may not be there", hint="run the same command again"
        )
    if ("IncompleteBody" in text or "UnexpectedEof" in text) and "SendRequest" not in text:
        return BlobShortError(
            f"{what}: the answer ended before its announced length", hint="run the same command again"
        )
    if "TimedOut" in text or "kind: Timeout" in text:
        return BlobTimeoutError(f"{place.url} did not answer in time", hint="run the same command again")
    return BlobUnavailableError(
        f"the connection to {place.url} broke", hint="run the same command again; what was done is kept"
    )


def _misdirected(text: str, place: Place) -> BlobRefusedError | None:
    """The failures that say: this address is not the store that was meant."""
    if "redirect without LOCATION" in text:
        return BlobRefusedError(
            f"{place.url} is in another region", hint="set it with: ff remote modify <name> region <region>"
        )
    if any(sign in text for sign in _NOT_A_STORE):
        return BlobRefusedError(
            f"{place.url} does not answer like an object store", hint="check the endpoint: ff remote list"
        )
    if "UnsupportedScheme" in text or "URL scheme is not allowed" in text:
        return BlobRefusedError(f"{place.url}: plain http is not allowed for this remote")
    return None


def _never_sent(text: str, place: Place) -> UnavailableError | BlobCertificateError | None:
    """The failures before any request left, whose outcome is certain."""
    lowered = text.lower()
    if "dns error" in lowered or "failed to lookup address" in lowered:
        return BlobUnavailableError(
            f"the name of {place.url} cannot be resolved",
            hint="check the url and endpointurl: ff remote list",
            refused=True,
        )
    if "certificate" in lowered or "unknownissuer" in lowered or "notvalidforname" in lowered:
        return BlobCertificateError(
            f"the TLS certificate of {place.url} is not trusted",
            hint="name its authority's file with: ff remote modify <name> ssl_verify <file.pem>",
        )
    if "connectionrefused" in lowered or "connection refused" in lowered:
        return BlobUnavailableError(
            f"{place.url} refuses connections",
            hint="check that the server runs and that the url and port are right",
            refused=True,
        )
    if "connecterror" in lowered or "Connect," in text:
        return BlobUnavailableError(f"{place.url} cannot be reached", hint="check the network and the url")
    return None
