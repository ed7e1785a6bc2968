"""in-toto Statement v1: something is said (the predicate) about things that digests name (the subjects).

Format: https://github.com/in-toto/attestation/tree/main/spec/v1. What a predicate says is of its own module.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.formats.attest.dsse import IN_TOTO, Envelope
from fourfold.formats.attest.strict import BadAttestationError, need, read_object, take
from fourfold.formats.native.canonical import canonical

#: The ``_type`` of each statement.
TYPE = "https://in-toto.io/Statement/v1"
#: Our name for the digest of a folder, as the data of a record has it (docs/formats/statements.md).
FOLDER_DIGEST = "fourfoldFolder"
#: No statement is about more things.
MOST_SUBJECTS = 100_000
_LONGEST = 4096
_HEX = re.compile(r"[0-9a-f]{8,256}", re.ASCII)
_ALGORITHM = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,63}", re.ASCII)


class Resource(NamedTuple):
    """A thing: a resource descriptor of in-toto. What is not known is empty.

    Attributes:
        name: What it is called where the statement is about.
        digest: By algorithm: ``sha256``, ``blake3``, ``gitCommit``; lower-case hex.
        uri: What names it everywhere.
        location: Where it can be had.
        media_type: What it is.
        annotations: More about it.
    """

    name: str = ""
    digest: Mapping[str, str] = {}
    uri: str = ""
    location: str = ""
    media_type: str = ""
    annotations: Mapping[str, Any] = {}

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {
            "name": self.name,
            "uri": self.uri,
            "digest": dict(self.digest),
            "downloadLocation": self.location,
            "mediaType": self.media_type,
            "annotations": dict(self.annotations),
        }
        return {key: value for key, value in found.items() if value}


class Statement(NamedTuple):
    """What is said of what.

    Attributes:
        subjects: At least one; each has a digest.
        predicate_type: The URI that says how to read the predicate.
        predicate: What is said.
    """

    subjects: tuple[Resource, ...]
    predicate_type: str
    predicate: Mapping[str, Any]

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "_type": TYPE,
            "subject": [one.document() for one in self.subjects],
            "predicateType": self.predicate_type,
            "predicate": dict(self.predicate),
        }


def envelope(statement: Statement) -> Envelope:
    """A statement in an envelope that nobody has signed.

    Raises:
        BadAttestationError: it is not about anything that a digest names.
    """
    if not statement.subjects or not all(one.digest for one in statement.subjects):
        raise BadAttestationError("a statement needs subjects, each with a digest")
    return Envelope(IN_TOTO, canonical(statement.document()))


def opened(wrapped: Envelope, source: str = "envelope") -> Statement:
    """The statement in an envelope.

    Raises:
        BadAttestationError: something else is in it.
    """
    if wrapped.payload_type != IN_TOTO:
        raise BadAttestationError(f"{source} holds {wrapped.payload_type[:80]!r}, not a statement of in-toto")
    return parse(wrapped.payload, source)


def parse(data: bytes, source: str = "statement") -> Statement:
    """Read a statement.

    Raises:
        BadAttestationError: it is none, or of another version.
    """
    document = read_object(data, source)
    kind = document.get("_type")
    if kind != TYPE:
        raise BadAttestationError(f"{source} is of type {str(kind)[:80]!r}, not {TYPE!r}")
    listed = need(document, "subject", list, source)
    if not 0 < len(listed) <= MOST_SUBJECTS:
        raise BadAttestationError(f"{source} has {len(listed)} subjects, not 1 to {MOST_SUBJECTS}")
    subjects = tuple(parse_resource(one, f"{source}: a subject") for one in listed)
    if not all(one.digest for one in subjects):
        raise BadAttestationError(f"{source} has a subject without digest")
    said = take(document, "predicate", dict, source) or {}
    return Statement(subjects, _line(document, "predicateType", source, needed=True), said)


def parse_resource(value: object, source: str) -> Resource:
    """Read a resource descriptor.

    Raises:
        BadAttestationError: it is none.
    """
    if not isinstance(value, dict):
        raise BadAttestationError(f"{source} is no mapping: {str(value)[:80]!r}")
    digest = take(value, "digest", dict, source) or {}
    for algorithm, text in digest.items():
        if not _ALGORITHM.fullmatch(algorithm) or not isinstance(text, str) or not _HEX.fullmatch(text):
            raise BadAttestationError(f"{source}: {algorithm[:40]!r} is no digest: {str(text)[:80]!r}")
    return Resource(
        _line(value, "name", source),
        digest,
        _line(value, "uri", source),
        _line(value, "downloadLocation", source),
        _line(value, "mediaType", source),
        take(value, "annotations", dict, source) or {},
    )


def _line(mapping: Mapping[str, Any], key: str, source: str, *, needed: bool = False) -> str:
    text = (need if needed else take)(mapping, key, str, source) or ""
    if len(text) > _LONGEST:
        raise BadAttestationError(f"{source}: '{key}' is longer than {_LONGEST} characters")
    return text
