"""DSSE v1: a payload with its type, and signatures over both.

What is signed is not the JSON of the envelope but its pre-authentication encoding, so that no parser stands
before the check. An envelope may have no signature: it says the same, and nobody vouches for it.
Format: https://github.com/secure-systems-lab/dsse (protocol and envelope, v1).
"""

import base64
from typing import NamedTuple

from fourfold.formats.attest.strict import BadAttestationError, need, read_object, take, unbase64
from fourfold.formats.native.canonical import canonical

#: The type of a payload that is an in-toto statement.
IN_TOTO = "application/vnd.in-toto+json"
#: No envelope has more signatures.
MOST_SIGNATURES = 64
_LONGEST = 1000


class Signature(NamedTuple):
    """One signature.

    Attributes:
        keyid: Which key is said to have made it; a hint only: what counts is the check.
        value: Its bytes.
    """

    keyid: str
    value: bytes


class Envelope(NamedTuple):
    """A payload and who signed it.

    Attributes:
        payload_type: What the payload is.
        payload: Its bytes, as they were signed.
        signatures: None, one, or several.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...] = ()

    def signed_bytes(self) -> bytes:
        """What a signature is made over."""
        return pae(self.payload_type, self.payload)


def pae(payload_type: str, payload: bytes) -> bytes:
    """The pre-authentication encoding: ``DSSEv1 LEN(type) type LEN(payload) payload``."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def render(envelope: Envelope) -> bytes:
    """The canonical bytes of an envelope."""
    return canonical(
        {
            "payloadType": envelope.payload_type,
            "payload": base64.b64encode(envelope.payload).decode(),
            "signatures": [
                {"keyid": one.keyid, "sig": base64.b64encode(one.value).decode()}
                for one in envelope.signatures
            ],
        }
    )


def parse(data: bytes, source: str = "envelope") -> Envelope:
    """Read an envelope; its signatures are not checked.

    Raises:
        BadAttestationError: it is none.
    """
    document = read_object(data, source)
    listed = need(document, "signatures", list, source)
    if len(listed) > MOST_SIGNATURES:
        raise BadAttestationError(f"{source} has more than {MOST_SIGNATURES} signatures")
    signatures = []
    for one in listed:
        if not isinstance(one, dict):
            raise BadAttestationError(f"{source}: {str(one)[:80]!r} is no signature")
        keyid = take(one, "keyid", str, source) or ""
        if len(keyid) > _LONGEST:
            raise BadAttestationError(f"{source}: 'keyid' is longer than {_LONGEST} characters")
        signatures.append(Signature(keyid, unbase64(one.get("sig"), f"{source}: 'sig'")))
    kind = need(document, "payloadType", str, source)
    if not kind.isascii() or len(kind) > _LONGEST:
        raise BadAttestationError(f"{source}: 'payloadType' is not what it must be: {kind[:80]!r}")
    return Envelope(kind, unbase64(document.get("payload"), f"{source}: 'payload'"), tuple(signatures))
