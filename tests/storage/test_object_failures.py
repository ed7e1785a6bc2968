"""What a person is told when an object store fails: typed, one line, no secret, no dump."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobNotFoundError,
    BlobRefusedError,
    BlobShortError,
    BlobStore,
    BlobThrottledError,
    BlobTimeoutError,
    BlobUnavailableError,
    BlobUnknownOutcomeError,
    BucketNotFoundError,
)
from fourfold.storage.schemes import open_store
from tests.fixtures.http_files import HttpFiles, Script
from tests.fixtures.servers import S3Server, free_port

SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY00"
KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET, "region": "us-east-1"}


def s3_at(endpoint: str, **more: str) -> BlobStore:
    return open_store("s3://data/folder", {"endpointurl": endpoint, **KEYS, **more}, environ={})


def xml(code: str, message: str = "said the server") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()


def told(call: Callable[[], object]) -> FourfoldError:
    """The error of a call, and that it is fit to be read."""
    with pytest.raises(FourfoldError) as caught:
        call()
    error = caught.value
    for text in (error.message, error.hint, *error.details):
        assert SECRET not in text
        assert "\n" not in text
        assert not re.search(r"reqwest|hyper|RetryError|Debug source|Generic", text)
    assert not error.message.endswith(".")
    return error


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (403, xml("InvalidAccessKeyId"), BlobDeniedError),
        (403, xml("SignatureDoesNotMatch"), BlobDeniedError),
        (400, xml("ExpiredToken"), BlobDeniedError),
        (403, xml("AccessDenied"), BlobDeniedError),
        (401, b"", BlobDeniedError),
        (404, xml("NoSuchKey"), BlobNotFoundError),
        (404, xml("NoSuchBucket"), BucketNotFoundError),
        (429, b"", BlobThrottledError),
        (503, xml("SlowDown"), BlobThrottledError),
        (500, xml("InternalError"), BlobUnavailableError),
        (502, b"<html>bad gateway</html>", BlobUnavailableError),
        (400, xml("InvalidRequest"), BlobRefusedError),
        (301, b"", BlobRefusedError),
    ],
)
def test_a_status_is_told_as_what_it_means(
    http_files: HttpFiles, status: int, body: bytes, kind: type[FourfoldError]
) -> None:
    listing = (
        b'<ListBucketResult xmlns="x"><Name>data</Name><IsTruncated>false</IsTruncated></ListBucketResult>'
    )
    answers = {
        True: Script(200, listing, (("Content-Type", "application/xml"),)),
        False: Script(status, body),
    }
    absent = kind is BlobNotFoundError
    http_files.choose = lambda _method, path: answers["list-type" in path and absent]
    store = s3_at(http_files.url)
    assert type(told(lambda: store.get("k"))) is kind
    assert type(told(lambda: store.put("k", b"x"))) is (BucketNotFoundError if absent else kind)


def test_wrong_credentials_name_the_options_to_set(rclone_s3: S3Server) -> None:
    bucket = rclone_s3.make_bucket()
    options = rclone_s3.options() | {"secret_access_key": SECRET}
    store = open_store(f"s3://{bucket}", options, environ={})
    calls: list[Callable[[], object]] = [
        lambda: store.head("k"),
        lambda: store.get("k"),
        lambda: store.put("k", b""),
        lambda: list(store.list()),
        lambda: store.delete(["k"]),
    ]
    for call in calls:
        error = told(call)
        assert type(error) is BlobDeniedError
        assert "secret_access_key" in error.hint
        assert error.exit_code == 251


@pytest.mark.parametrize("server", ["rclone_s3", "moto_s3"])
def test_a_missing_bucket_never_looks_like_a_missing_object(
    server: str, request: pytest.FixtureRequest
) -> None:
    running: S3Server = request.getfixturevalue(server)
    calls: list[Callable[[BlobStore], object]] = [
        lambda store: store.head("k"),
        lambda store: store.get("k"),
        lambda store: b"".join(store.open("k")),
        lambda store: store.put("k", b"x"),
        lambda store: list(store.list()),
        lambda store: store.delete(["k"]),
    ]
    for call in calls:
        store = open_store("s3://no-such-bucket-here", running.options(), environ={})
        error = told(lambda: call(store))  # noqa: B023 - called at once
        assert type(error) is BucketNotFoundError
        assert "no-such-bucket-here" in error.message


def test_no_credentials_anywhere_is_told_without_asking_the_network() -> None:
    environ = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}
    error = told(lambda: open_store("s3://data", {}, environ=environ).get("k"))
    assert type(error) is BlobDeniedError
    assert "access_key_id" in error.hint


def test_a_server_that_is_not_there_is_unavailable() -> None:
    store = s3_at(f"http://127.0.0.1:{free_port()}")
    for call in (lambda: store.get("k"), lambda: store.put("k", b""), lambda: list(store.list())):
        error = told(call)
        assert type(error) is BlobUnavailableError
        assert "refuses connections" in error.message


def test_a_name_that_does_not_resolve_is_unavailable() -> None:
    error = told(lambda: s3_at("http://no-such-host.invalid").get("k"))
    assert type(error) is BlobUnavailableError


def test_a_body_shorter_than_announced_is_no_object(http_files: HttpFiles) -> None:
    answer = Script(200, b"only this", (("ETag", '"x"'),), announce=1000)
    http_files.choose = lambda _method, _path: answer
    store = s3_at(http_files.url)
    assert isinstance(told(lambda: store.get("k")), BlobShortError | BlobUnavailableError)
    assert isinstance(told(lambda: b"".join(store.open("k"))), BlobShortError | BlobUnavailableError)


def test_a_server_that_stalls_is_given_up(http_files: HttpFiles) -> None:
    http_files.choose = lambda _method, _path: Script(200, b"late", stall=3.0)
    store = s3_at(http_files.url, read_timeout="0.3", connect_timeout="1")
    start = time.monotonic()
    assert type(told(lambda: store.get("k"))) is BlobTimeoutError
    assert time.monotonic() - start < 8


def test_a_put_without_an_answer_has_an_unknown_outcome(http_files: HttpFiles) -> None:
    http_files.choose = lambda _method, _path: Script(0, after=True)
    store = s3_at(http_files.url)
    error = told(lambda: store.put("k", b"x"))
    assert type(error) is BlobUnknownOutcomeError
    assert "may or may not" in error.message


def test_a_server_that_is_no_object_store_is_told_so(http_files: HttpFiles) -> None:
    http_files.choose = lambda _method, _path: Script(200, b"<html>Welcome to the hotel</html>")
    store = s3_at(http_files.url)
    assert type(told(lambda: list(store.list()))) is BlobRefusedError


def test_plain_http_needs_an_endpoint_that_says_so(http_files: HttpFiles) -> None:
    secure = http_files.url.replace("http://", "https://")
    error = told(lambda: s3_at(secure, connect_timeout="1", read_timeout="1").get("k"))
    assert isinstance(error, BlobUnavailableError | BlobRefusedError)
    assert http_files.seen == []


def test_an_error_in_the_middle_of_a_listing_is_not_its_end(http_files: HttpFiles) -> None:
    when = "<LastModified>2024-01-01T00:00:00.000Z</LastModified>"
    entry = f"<Contents><Key>folder/{{}}</Key>{when}<Size>1</Size></Contents>"
    page = (
        '<ListBucketResult xmlns="x"><Name>data</Name><IsTruncated>true</IsTruncated>'
        "<NextContinuationToken>more</NextContinuationToken>"
        + "".join(entry.format(number) for number in range(1000))
        + "</ListBucketResult>"
    )

    def choose(_method: str, path: str) -> Script:
        return Script(500) if "continuation-token" in path else Script(200, page.encode())

    http_files.choose = choose
    seen = []

    def read() -> None:
        for infos in s3_at(http_files.url).list():
            seen.extend(infos)

    assert type(told(read)) is BlobUnavailableError
    assert len(seen) == 1000


def test_a_file_that_cannot_be_read_is_this_machines_failure(rclone_s3: S3Server, tmp_path: Path) -> None:
    store = open_store(f"s3://{rclone_s3.make_bucket()}", rclone_s3.options(), environ={})
    error = told(lambda: store.put_file("k", str(tmp_path)))
    assert "s3://" not in error.message
    assert store.head("k") is None


def test_a_key_with_control_characters_is_refused_by_name(rclone_s3: S3Server) -> None:
    store = open_store(f"s3://{rclone_s3.make_bucket()}", rclone_s3.options(), environ={})
    for key in ("tab\there", "line\nbreak", "half\udce9"):
        error = told(lambda: store.put(key, b""))  # noqa: B023 - called at once
        assert type(error) is BlobRefusedError
