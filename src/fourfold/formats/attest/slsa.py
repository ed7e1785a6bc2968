"""SLSA provenance v1: what was built, from what, how, and by whom.

Format: https://slsa.dev/spec/v1.1/provenance. Which facts of a run go where is `fourfold.evidence.export`.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from fourfold.formats.attest.intoto import Resource, Statement, parse_resource
from fourfold.formats.attest.strict import BadAttestationError, need, take

#: The ``predicateType``.
TYPE = "https://slsa.dev/provenance/v1"
#: Our ``buildType``: a recorded run; what its parameters mean is in docs/formats/statements.md.
BUILD_TYPE = "https://fourfold.dev/attestations/run/v1"
#: Who is said to have built: this program, on a machine of the user's.
BUILDER = "https://fourfold.dev/attestations/local-run/v1"


class Provenance(NamedTuple):
    """How something was made.

    Attributes:
        external: What whoever started it chose: commands, parameters, seed.
        internal: What the builder added.
        dependencies: What it was made from: code, data, image, lock file, distributions.
        builder: URI of who made it.
        versions: Of the builder's components.
        invocation: Which run it was.
        started: UTC, ISO 8601 with ``Z``; "" where it is not known.
        finished: Likewise.
        byproducts: What came out besides.
        build_type: URI that says what ``external`` and ``internal`` mean.
    """

    external: Mapping[str, Any]
    internal: Mapping[str, Any] = {}
    dependencies: tuple[Resource, ...] = ()
    builder: str = BUILDER
    versions: Mapping[str, str] = {}
    invocation: str = ""
    started: str = ""
    finished: str = ""
    byproducts: tuple[Resource, ...] = ()
    build_type: str = BUILD_TYPE

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        definition: dict[str, Any] = {
            "buildType": self.build_type,
            "externalParameters": dict(self.external),
        }
        if self.internal:
            definition["internalParameters"] = dict(self.internal)
        if self.dependencies:
            definition["resolvedDependencies"] = [one.document() for one in self.dependencies]
        metadata = {
            "invocationId": self.invocation,
            "startedOn": self.started,
            "finishedOn": self.finished,
        }
        builder: dict[str, Any] = {"id": self.builder}
        if self.versions:
            builder["version"] = dict(self.versions)
        details: dict[str, Any] = {"builder": builder}
        if any(metadata.values()):
            details["metadata"] = {key: value for key, value in metadata.items() if value}
        if self.byproducts:
            details["byproducts"] = [one.document() for one in self.byproducts]
        return {"buildDefinition": definition, "runDetails": details}


def statement(provenance: Provenance, subjects: tuple[Resource, ...]) -> Statement:
    """How some things were made."""
    return Statement(subjects, TYPE, provenance.document())


def parse(document: Mapping[str, Any], source: str = "provenance") -> Provenance:
    """Read the predicate of a statement.

    Raises:
        BadAttestationError: it is no provenance.
    """
    definition = need(document, "buildDefinition", dict, source)
    details = need(document, "runDetails", dict, source)
    builder = need(details, "builder", dict, source)
    metadata = take(details, "metadata", dict, source) or {}
    versions = take(builder, "version", dict, source) or {}
    if not all(isinstance(text, str) for text in versions.values()):
        raise BadAttestationError(f"{source}: 'version' has something that is no text")
    return Provenance(
        need(definition, "externalParameters", dict, source),
        take(definition, "internalParameters", dict, source) or {},
        _resources(definition, "resolvedDependencies", source),
        need(builder, "id", str, source),
        versions,
        take(metadata, "invocationId", str, source) or "",
        take(metadata, "startedOn", str, source) or "",
        take(metadata, "finishedOn", str, source) or "",
        _resources(details, "byproducts", source),
        need(definition, "buildType", str, source),
    )


def _resources(mapping: Mapping[str, Any], key: str, source: str) -> tuple[Resource, ...]:
    return tuple(parse_resource(one, f"{source}: {key}") for one in take(mapping, key, list, source) or [])
