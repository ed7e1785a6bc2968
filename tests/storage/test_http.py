"""HTTP and WebDAV remotes: logins, redirects, uploads, and what goes wrong on the way."""

from collections.abc import Iterator
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
    NoListingError,
)
from fourfold.storage.options import BadRemoteOptionError, PasswordNeededError
from fourfold.storage.schemes import open_store
from tests.fixtures.http_files import HttpFiles, Script, serving
from tests.fixtures.servers import FileServer, free_port


@pytest.fixture
def other_host() -> Iterator[HttpFiles]:
    with serving() as files:
        yield files


def at(files: HttpFiles, **options: str) -> BlobStore:
    return open_store(f"{files.url}/data", options, environ={})


def authorizations(files: HttpFiles) -> set[str]:
    return {headers.get("authorization", "") for _method, _path, headers in files.seen}


def test_uploads_go_by_post_as_dvc_does_unless_told_otherwise(http_files: HttpFiles) -> None:
    at(http_files).put("k", b"1")
    at(http_files, method="PUT").put("k", b"2")
    assert [method for method, _path, _headers in http_files.seen] == ["POST", "PUT"]
    assert http_files.files["/data/k"] == b"2"


def test_a_server_that_takes_no_post_is_told_with_the_option_to_change(http_files: HttpFiles) -> None:
    http_files.methods = {"PUT"}
    with pytest.raises(BlobRefusedError) as caught:
        at(http_files).put("k", b"1")
    assert "method PUT" in caught.value.hint


@pytest.mark.parametrize(
    ("login", "options"),
    [
        (("basic", "ada", "pass:word"), {"auth": "basic", "user": "ada", "password": "pass:word"}),
        (("digest", "ada", 'quo"ted'), {"auth": "digest", "user": "ada", "password": 'quo"ted'}),
        (
            ("custom", "X-Token", "t0ken"),
            {"auth": "custom", "custom_auth_header": "X-Token", "password": "t0ken"},
        ),
    ],
)
def test_each_kind_of_login_lets_us_in_and_a_wrong_one_does_not(
    http_files: HttpFiles, login: tuple[str, str, str], options: dict[str, str]
) -> None:
    http_files.login = login
    store = at(http_files, **options)
    store.put("k", b"value")
    assert store.get("k") == b"value"
    wrong = at(http_files, **options | {"password": "wrong"})
    for call in (lambda: wrong.get("k"), lambda: wrong.head("k"), lambda: wrong.put("k", b"")):
        with pytest.raises(BlobDeniedError) as caught:
            call()
        assert "password" in caught.value.hint
        assert login[2] not in str(caught.value)


def test_a_login_in_the_url_is_used_and_never_shown(http_files: HttpFiles) -> None:
    http_files.login = ("basic", "ada", "lovelace")
    store = open_store(http_files.url.replace("://", "://ada:lovelace@"), {}, environ={})
    store.put("k", b"value")
    assert store.get("k") == b"value"
    assert "lovelace" not in store.url
    with pytest.raises(BlobNotFoundError) as caught:
        store.get("absent")
    assert "lovelace" not in caught.value.message


@pytest.mark.parametrize(
    "options",
    [
        {"auth": "basic", "user": "ada"},
        {"auth": "custom", "password": "x"},
        {"auth": "magic"},
        {"method": "not a method"},
        {"read_timeout": "soon"},
    ],
)
def test_an_incomplete_or_unknown_option_is_refused_before_any_request(
    http_files: HttpFiles, options: dict[str, str]
) -> None:
    with pytest.raises(BadRemoteOptionError):
        at(http_files, **options)
    assert http_files.seen == []


def test_a_redirect_of_a_read_is_followed(http_files: HttpFiles) -> None:
    http_files.files["/elsewhere/k"] = b"value"
    http_files.choose = lambda _method, path: (
        Script(302, headers=(("Location", "/elsewhere/k"),)) if path == "/data/k" else None
    )
    store = at(http_files)
    assert store.get("k") == b"value"
    found = store.head("k")
    assert found is not None
    assert found.size == 5


def test_our_login_never_follows_a_redirect_to_another_host(
    http_files: HttpFiles, other_host: HttpFiles
) -> None:
    other_host.files["/k"] = b"value"
    http_files.choose = lambda _method, _path: Script(307, headers=(("Location", f"{other_host.url}/k"),))
    store = at(http_files, auth="basic", user="ada", password="lovelace")
    assert store.get("k") == b"value"
    assert authorizations(http_files) != {""}
    assert authorizations(other_host) == {""}


@pytest.mark.parametrize("location", ["", "ftp://elsewhere/k", "file:///etc/passwd", "/data/k"])
def test_a_redirect_to_nowhere_or_without_end_is_refused(http_files: HttpFiles, location: str) -> None:
    http_files.choose = lambda _method, _path: Script(302, headers=(("Location", location),))
    with pytest.raises(BlobRefusedError, match="redirects"):
        at(http_files).get("k")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (Script(500), BlobUnavailableError),
        (Script(503, headers=(("Retry-After", "7"),)), BlobThrottledError),
        (Script(429), BlobThrottledError),
        (Script(403), BlobDeniedError),
        (Script(400), BlobRefusedError),
        (Script(0), BlobUnavailableError),
        (Script(200, b"short", announce=500), BlobShortError),
        (Script(200, b"late", stall=2.0), BlobTimeoutError),
    ],
)
def test_a_read_that_fails_is_told_as_what_it_is(
    http_files: HttpFiles, script: Script, kind: type[FourfoldError]
) -> None:
    http_files.choose = lambda _method, _path: script
    store = at(http_files, read_timeout="0.3")
    with pytest.raises(kind) as caught:
        store.get("k")
    assert type(caught.value) is kind
    with pytest.raises(kind):
        b"".join(store.open("k"))


def test_the_time_that_a_server_asks_for_comes_with_the_error(http_files: HttpFiles) -> None:
    http_files.scripts = [Script(429, headers=(("Retry-After", "7"),))]
    with pytest.raises(BlobThrottledError) as caught:
        at(http_files).get("k")
    assert caught.value.retry_after == 7.0


def test_a_write_without_an_answer_has_an_unknown_outcome(http_files: HttpFiles) -> None:
    http_files.scripts = [Script(0, after=True)]
    with pytest.raises(BlobUnknownOutcomeError):
        at(http_files).put("k", b"value")
    assert http_files.files["/data/k"] == b"value"


def test_a_connection_that_the_server_closed_meanwhile_is_no_failure(http_files: HttpFiles) -> None:
    store = at(http_files)
    store.put("k", b"value")
    http_files.scripts = [Script(0)]
    assert store.get("k") == b"value"


def test_a_server_that_is_not_there_is_unavailable_for_reads_and_writes() -> None:
    store = open_store(f"http://127.0.0.1:{free_port()}", {}, environ={})
    for call in (lambda: store.get("k"), lambda: store.put("k", b""), lambda: store.head("k")):
        with pytest.raises(BlobUnavailableError, match="refuses connections"):
            call()


def test_https_to_a_server_without_it_is_told(http_files: HttpFiles) -> None:
    store = open_store(http_files.url.replace("http://", "https://"), {}, environ={})
    with pytest.raises(FourfoldError) as caught:
        store.get("k")
    assert isinstance(caught.value, BlobRefusedError | BlobUnavailableError)


def test_a_server_without_head_is_asked_by_get(http_files: HttpFiles) -> None:
    http_files.files["/data/k"] = b"12345"
    http_files.choose = lambda method, _path: Script(405) if method == "HEAD" else None
    found = at(http_files).head("k")
    assert found is not None
    assert found.size == 5


def test_more_than_was_expected_is_not_read_to_its_end(http_files: HttpFiles) -> None:
    http_files.files["/data/k"] = b"x" * (8 << 20)
    found = dict(at(http_files).get_many(["k"], max_size=100))
    assert isinstance(found["k"], FourfoldError)


def test_the_query_of_a_signed_url_goes_with_every_request_and_is_not_shown(http_files: HttpFiles) -> None:
    store = open_store(f"{http_files.url}/data?sig=abcdef&v=1", {}, environ={})
    store.put("k", b"x")
    assert http_files.seen[0][1] == "/data/k?sig=abcdef&v=1"
    assert "abcdef" not in store.url


def test_http_has_no_listing_and_says_so(http_files: HttpFiles) -> None:
    with pytest.raises(NoListingError):
        list(at(http_files).list())


def test_a_proxy_of_the_environment_is_used_and_its_exceptions_are_kept(http_files: HttpFiles) -> None:
    http_files.files["/data/k"] = b"direct"
    proxied = open_store("http://far.invalid/data", {}, environ={"http_proxy": http_files.url})
    proxied.put("k", b"through the proxy")
    assert http_files.seen[-1][1] == "http://far.invalid/data/k"
    environ = {"HTTP_PROXY": f"http://127.0.0.1:{free_port()}", "NO_PROXY": "example.org, 127.0.0.1"}
    assert open_store(f"{http_files.url}/data", {}, environ=environ).get("k") == b"through the proxy"


def webdav(server: FileServer, folder: str = "", **options: str) -> BlobStore:
    return open_store(
        f"{server.url}/{folder}", {"user": server.user, "password": server.password} | options, environ={}
    )


def test_webdav_tells_a_wrong_password(rclone_webdav: FileServer) -> None:
    store = webdav(rclone_webdav, password="wrong")
    for call in (lambda: store.head("k"), lambda: store.get("k"), lambda: store.put("k", b"")):
        with pytest.raises(BlobDeniedError):
            call()


def test_webdav_tells_a_missing_folder_from_a_missing_object(rclone_webdav: FileServer) -> None:
    with pytest.raises(BucketNotFoundError):
        webdav(rclone_webdav, "never-made").get("k")
    webdav(rclone_webdav, "made").put("there", b"x")
    with pytest.raises(BlobNotFoundError):
        webdav(rclone_webdav, "made").get("k")


def test_webdav_leaves_no_temporary_file(rclone_webdav: FileServer, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    store = webdav(rclone_webdav, "clean")
    store.put_file("a/b", str(source))
    store.put("a/c", b"y")
    assert sorted(path.name for path in (rclone_webdav.folder / "clean" / "a").iterdir()) == ["b", "c"]


def test_webdav_never_runs_a_program_for_its_token(rclone_webdav: FileServer, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    with pytest.raises(BlobRefusedError):
        webdav(rclone_webdav, bearer_token_command=f"touch {witness}")
    assert not witness.exists()


def test_webdav_sends_a_token_as_bearer(http_files: HttpFiles) -> None:
    url = http_files.url.replace("http://", "webdav://")
    store = open_store(url, {"token": "abc"}, environ={})
    with pytest.raises(FourfoldError):
        store.head("k")
    assert authorizations(http_files) == {"Bearer abc"}


def test_a_password_to_be_asked_for_is_asked_of_the_caller() -> None:
    with pytest.raises(PasswordNeededError) as caught:
        open_store("webdav://host/x", {"user": "ada", "ask_password": "true"}, environ={})
    assert caught.value.option == "password"


def test_a_page_of_html_is_no_webdav_listing(http_files: HttpFiles) -> None:
    http_files.choose = lambda _method, _path: Script(200, b"<html><body>Welcome to the hotel")
    store = open_store(http_files.url.replace("http://", "webdav://"), {}, environ={})
    with pytest.raises(BlobRefusedError, match="WebDAV"):
        list(store.list())
