"""A run as SLSA provenance: its results are the subjects, everything that it was made from the dependencies.

The words of the format are `fourfold.formats.attest.slsa`; which fact goes where is decided here. A subject
needs a digest that others can compute: SHA-256, of results whose bytes are in the cache; other results, and
folders, are by-products with the digests that they have.
"""

from collections.abc import Iterator
from typing import Any

from fourfold.base.errors import UnsupportedError
from fourfold.evidence.export.dossier import Dossier, Item, leaves
from fourfold.formats.attest.dsse import Envelope
from fourfold.formats.attest.intoto import Resource, envelope, opened
from fourfold.formats.attest.slsa import Provenance, statement
from fourfold.runs.changes import mapping


class NoSubjectError(UnsupportedError):
    """A run left nothing that a statement could be about."""

    code = "no-subject"
    default_hint = "bring its results into the cache first: ff pull"


def provenance(dossier: Dossier) -> Envelope:
    """The statement, in an envelope that nobody has signed yet.

    Raises:
        NoSubjectError: no result of the run is in the cache.
        BadAttestationError: what the record says cannot stand in a statement.
    """
    record = dossier.record
    subjects = tuple(_resource(item) for item in dossier.act.outputs if item.sha256)
    if not subjects:
        raise NoSubjectError(f"no result of run {dossier.run[:12]} is a file in the cache")
    external: dict[str, Any] = {
        "command": list(record.command),
        "stage": record.stage,
        "params": dict(leaves(dossier.act.params)),
    }
    seed = dossier.value("randomness", "seed")
    if seed is not None:
        external["seed"] = seed
    internal = {
        "run": dossier.run,
        "lineage": [act.run for act in dossier.acts],
        "determinism": dossier.value("randomness", "determinism"),
        "environment": dossier.value("environment", "digest"),
        "codeTree": dossier.value("code", "tree"),
        "unknown": dict(dossier.unknown),
    }
    made = Provenance(
        external,
        {name: value for name, value in internal.items() if value is not None},
        tuple(_dependencies(dossier)),
        versions={"fourfold": record.tool},
        invocation=f"run:{dossier.run}",
        started=record.times.started,
        finished=record.times.ended,
        byproducts=tuple(_resource(item) for item in dossier.act.outputs if not item.sha256 and item.blake3),
    )
    wrapped = envelope(statement(made, subjects))
    opened(wrapped, f"the provenance of run {dossier.run[:12]}")  # a record from elsewhere may say anything
    return wrapped


def _resource(item: Item) -> Resource:
    annotations: dict[str, Any] = {"role": item.role}
    if item.nfiles is not None:
        annotations["files"] = item.nfiles
    # A reader takes any digest of several for enough, and MD5 can be forged.
    digest = {name: value for name, value in item.digests.items() if name != "md5"}
    if not digest:
        annotations["md5"] = item.md5
    return Resource(name=item.path, digest=digest, annotations=annotations)


def _dependencies(dossier: Dossier) -> Iterator[Resource]:
    remote = dossier.value("code", "remote")
    if dossier.commit:
        uri = f"git+{remote}" if isinstance(remote, str) and remote else ""
        yield Resource(name="code", digest={"gitCommit": dossier.commit}, uri=uri)
    for item in dossier.act.inputs:
        if item.digests:
            yield _resource(item)
    image = mapping(dossier.value("environment", "image"))
    manifest = image.get("manifest")
    if isinstance(manifest, str) and manifest.startswith("sha256:"):
        reference = str(image.get("reference", ""))
        yield Resource(name="image", digest={"sha256": manifest[7:]}, uri=f"oci://{reference}")
    lock = mapping(dossier.value("environment", "lock"))
    if isinstance(lock.get("file"), str) and isinstance(lock.get("digest"), str):
        yield Resource(name=lock["file"], digest={"blake3": lock["digest"]})
    for package in dossier.packages:
        digest = {"recordBlake3": package.record} if package.record else {}
        yield Resource(name=package.name, uri=package.purl, digest=digest)
