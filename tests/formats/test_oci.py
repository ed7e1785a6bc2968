"""Manifests of container images: what is read, what is chosen, and that no bytes are more than refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.base.errors import FourfoldError
from fourfold.formats import oci
from fourfold.formats.oci import (
    BadManifestError,
    Config,
    DigestMismatchError,
    Entry,
    Index,
    Manifest,
    Platform,
    PlatformMissingError,
    parse_config,
    parse_manifest,
    parse_platform,
    select,
)

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")
AMD, ARM = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")


def read(document: Any, media_type: str = "") -> Index | Manifest:
    return parse_manifest(json.dumps(document).encode(), media_type, "it")


@pytest.mark.parametrize("kind", [oci.OCI_MANIFEST, oci.DOCKER_MANIFEST])
def test_a_manifest_names_its_configuration_and_layers(kind: str) -> None:
    document = {"mediaType": kind, "config": {"digest": A}, "layers": [{"digest": B}, {"digest": C}]}
    assert read(document) == Manifest(A, (B, C))


@pytest.mark.parametrize("kind", [oci.OCI_INDEX, oci.DOCKER_LIST])
def test_an_index_lists_its_images_without_attestations(kind: str) -> None:
    unknown = {"digest": C, "platform": {"os": "unknown", "architecture": "unknown"}}
    entries = [unknown, {"digest": A, "platform": {"os": "linux", "architecture": "amd64"}}]
    assert read({"manifests": entries}, kind) == Index((Entry(A, "", AMD),))


def test_the_media_type_of_the_bytes_outranks_the_servers() -> None:
    document = {"mediaType": oci.OCI_INDEX, "manifests": []}
    assert read(document, oci.OCI_MANIFEST) == Index(())


def test_a_media_type_may_have_parameters() -> None:
    assert read({"manifests": []}, f"{oci.OCI_INDEX.upper()}; charset=utf-8") == Index(())


def test_a_configuration_tells_platform_layers_and_labels() -> None:
    document = {
        "os": "linux",
        "architecture": "arm64",
        "variant": "v8",
        "created": "2024-01-01T00:00:00Z",
        "config": {"Labels": {"org.opencontainers.image.base.digest": B, "x": "y"}},
        "rootfs": {"type": "layers", "diff_ids": [A]},
    }
    found = parse_config(json.dumps(document).encode(), "it")
    assert found == Config(ARM, (A,), "2024-01-01T00:00:00Z", {"base": B})


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"os": "linux", "architecture": "amd64"},
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": "many"}},
        {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ["sha256:short"]}},
        {"os": "linux", "rootfs": {"diff_ids": []}},
        {"os": "linux", "architecture": 7, "rootfs": {"diff_ids": []}},
        {"os": "linux", "architecture": "x" * 50, "rootfs": {"diff_ids": []}},
    ],
)
def test_a_configuration_that_is_none_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(BadManifestError):
        parse_config(json.dumps(document).encode(), "it")


def test_documents_have_a_largest_size() -> None:
    with pytest.raises(BadManifestError, match="longer than"):
        parse_manifest(b" " * (oci.MAX_MANIFEST + 1), "", "it")


def test_bytes_that_are_not_their_digest_are_refused_with_both() -> None:
    oci.prove(b"x", oci.digest_of(b"x"), "it")
    oci.prove(b"x", oci.digest_of(b"x", "sha512"), "it")
    with pytest.raises(DigestMismatchError, match=rf"{A}, and has sha256:2d7116"):
        oci.prove(b"x", A, "it")


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", AMD),
        ("linux/x86_64", AMD),
        ("Linux/ARM64/v8", ARM),
        ("linux/aarch64/v8", ARM),
        ("linux", None),
        ("linux/", None),
        ("a/b/c/d", None),
        ("linux/am d64", None),
    ],
)
def test_platforms_are_read(text: str, platform: Platform | None) -> None:
    assert parse_platform(text) == platform


def entries(*platforms: str) -> Index:
    return Index(
        tuple(Entry(f"sha256:{at:064x}", "", parse_platform(one)) for at, one in enumerate(platforms))
    )


@pytest.mark.parametrize(
    ("have", "wanted", "at"),
    [
        (("linux/amd64", "linux/arm64"), "linux/arm64/v8", 1),
        (("linux/arm64/v9", "linux/arm64/v8"), "linux/arm64", 1),
        (("linux/amd64/v3", "linux/amd64"), "linux/amd64", 1),
        (("linux/amd64/v3",), "linux/amd64", 0),
        (("linux/arm/v6", "linux/arm/v7"), "linux/arm/v7", 1),
        (("linux/arm/v6", "linux/arm/v7"), "linux/arm", 0),
    ],
)
def test_the_entry_that_fits_best_is_chosen(have: tuple[str, ...], wanted: str, at: int) -> None:
    platform = parse_platform(wanted)
    assert platform is not None
    assert select(entries(*have), platform, "it") == entries(*have).entries[at]


@pytest.mark.parametrize("wanted", ["linux/arm/v5", "linux/s390x", "windows/arm"])
def test_what_does_not_fit_is_refused(wanted: str) -> None:
    platform = parse_platform(wanted)
    assert platform is not None
    with pytest.raises(PlatformMissingError):
        select(entries("linux/arm/v6", "linux/arm/v7"), platform, "it")


def test_one_entry_without_a_platform_is_for_all() -> None:
    index = Index((Entry(A, "", None),))
    assert select(index, AMD, "it").digest == A
    with pytest.raises(PlatformMissingError):
        select(Index((*index.entries, Entry(B, "", None))), AMD, "it")


# --- whatever comes ---

_OF_MANIFESTS = ["schemaVersion", "mediaType", "manifests", "config", "layers", "digest", "platform"]
_OF_CONFIGS = ["os", "architecture", "variant", "rootfs", "diff_ids", "created", "Labels"]
WORDS = st.sampled_from([*_OF_MANIFESTS, *_OF_CONFIGS])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from([A, "unknown", "linux", "amd64", *oci.ACCEPTED]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(VALUES, st.sampled_from([*oci.ACCEPTED, "", "text/html"]))
def test_any_document_is_read_or_refused(value: Any, media_type: str) -> None:
    data = json.dumps(value).encode()
    for look in (lambda: parse_manifest(data, media_type, "it"), lambda: parse_config(data, "it")):
        try:
            found = look()
        except FourfoldError as error:
            assert "\n" not in error.message  # noqa: PT017 - either is right
        else:
            assert isinstance(found, Index | Manifest | Config)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([*oci.ACCEPTED, ""]))
def test_any_bytes_are_read_or_refused(data: bytes, media_type: str) -> None:
    try:
        parse_manifest(data, media_type, "it")
        parse_config(data, "it")
    except FourfoldError:
        return
