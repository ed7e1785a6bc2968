"""What a name stands for, asked of real registries."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.clock import SystemClock
from fourfold.formats.oci import (
    BadManifestError,
    DigestMismatchError,
    OldManifestError,
    Platform,
    PlatformMissingError,
    digest_of,
)
from fourfold.runs.image import registry
from fourfold.runs.image.reference import parse
from fourfold.runs.image.registry import (
    ImageNotFoundError,
    RegistryCertificateError,
    RegistryDeniedError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from fourfold.runs.image.resolve import Image, keep, recall, resolve
from fourfold.runs.place import Place
from fourfold.storage.blob.http_wire import Timeouts
from tests.runs.image import registries
from tests.runs.image.conftest import Port
from tests.runs.image.registries import PASSWORD, REFRESH, USER, Quiet, Running, TokenServer, serving

AMD64 = Platform("linux", "amd64")


class NoWaiting(SystemClock):
    """A clock that notes how long it was to wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def logins(folder: Path, document: Mapping[str, Any]) -> dict[str, str]:
    """An environment whose Docker configuration is this."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(document))
    return {"DOCKER_CONFIG": str(folder), "PATH": "/usr/bin:/bin"}


def login(folder: Path, host: str, password: str = PASSWORD) -> dict[str, str]:
    pair = base64.b64encode(f"{USER}:{password}".encode()).decode()
    return logins(folder, {"auths": {host: {"auth": pair}}})


def asked(host: str, name: str, environ: Mapping[str, str] | None = None, **more: Any) -> Image:
    return resolve(parse(f"{host}/{name}"), AMD64, environ or {}, clock=NoWaiting(), **more)


# --- what a real registry says ---


def test_a_tag_of_an_index_gives_all_three_digests(port: Port) -> None:
    image = asked(port.open.host, "team/multi:1.0")
    assert image.index_digest == port.made.top.digest
    assert image.manifest_digest == port.made.manifests["linux/amd64"].digest
    assert image.config_digest == port.made.configs["linux/amd64"].digest
    assert image.diff_ids == (port.made.diff_ids["linux/amd64"],)
    assert image.created == "2024-01-02T03:04:05Z"
    assert image.labels == {"revision": "0123abc"}


def test_a_tag_of_one_manifest_has_no_index(port: Port) -> None:
    image = asked(port.open.host, "team/single:1.0")
    assert image.index_digest == ""
    assert image.manifest_digest == port.made.manifests["linux/amd64"].digest
    assert image.platform == AMD64


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Platform("linux", "arm64"), "linux/arm64/v8"),
        (Platform("linux", "arm64", "v8"), "linux/arm64/v8"),
        (Platform("linux", "arm"), "linux/arm/v7"),
    ],
)
def test_an_index_is_asked_for_the_platform(port: Port, wanted: Platform, found: str) -> None:
    image = resolve(parse(f"{port.open.host}/team/multi:1.0"), wanted, {})
    assert image.manifest_digest == port.made.manifests[found].digest


def test_a_platform_that_is_not_there_is_refused_with_those_that_are(port: Port) -> None:
    with pytest.raises(PlatformMissingError, match="windows/amd64") as refused:
        resolve(parse(f"{port.open.host}/team/multi:1.0"), Platform("windows", "amd64"), {})
    assert "linux/arm/v7, linux/arm64/v8" in refused.value.hint
    assert "unknown" not in refused.value.hint


def test_another_platform_of_a_single_image_is_refused_when_it_was_asked_for(port: Port) -> None:
    with pytest.raises(PlatformMissingError, match="not made for linux/s390x"):
        resolve(parse(f"{port.open.host}/team/single:1.0"), Platform("linux", "s390x"), {}, strict=True)


def test_a_digest_is_asked_for_as_it_is(port: Port) -> None:
    digest = port.made.manifests["linux/arm64/v8"].digest
    image = asked(port.open.host, f"team/multi@{digest}")
    assert image.manifest_digest == digest
    assert str(image.platform) == "linux/arm64/v8"


def test_a_name_that_is_not_there_is_not_found(port: Port) -> None:
    with pytest.raises(ImageNotFoundError, match=r"team/none:1\.0"):
        asked(port.open.host, "team/none:1.0")


def test_what_was_resolved_is_known_afterwards(port: Port, tmp_path: Path) -> None:
    place = Place(str(tmp_path), str(tmp_path / "own"), str(tmp_path), {}, SystemClock(), None, None)
    name = f"{port.open.host}/team/multi:1.0"
    assert recall(name, place.own) is None
    image = asked(port.open.host, "team/multi:1.0")
    keep(image, place)
    assert recall(name, place.own) == image.document()
    assert recall("not a name", place.own) is None


# --- logins ---


def test_a_token_is_fetched_without_a_login_where_anybody_may_read(
    guarded: Running, port: Port, tokens: TokenServer
) -> None:
    tokens.seen.clear()
    tokens.anonymous = True
    assert asked(guarded.host, "team/multi:1.0").index_digest == port.made.top.digest
    ((method, form, header),) = tokens.seen
    assert (method, header) == ("GET", "")
    assert form == {"scope": ["repository:team/multi:pull"], "service": [registries.SERVICE]}


def test_the_login_of_docker_is_shown_to_the_giver_of_tokens(
    guarded: Running, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.seen.clear()
    tokens.anonymous = False
    asked(guarded.host, "team/multi:1.0", login(tmp_path / "docker", guarded.host))
    assert tokens.seen[0][2].startswith("Basic ")


def test_an_identity_token_is_exchanged(guarded: Running, tokens: TokenServer, tmp_path: Path) -> None:
    tokens.seen.clear()
    tokens.anonymous = False
    environ = logins(tmp_path / "docker", {"auths": {guarded.host: {"identitytoken": REFRESH}}})
    asked(guarded.host, "team/multi:1.0", environ)
    assert tokens.seen[0][0] == "POST"


def test_without_a_login_a_guarded_image_is_denied(guarded: Running, tokens: TokenServer) -> None:
    tokens.anonymous = False
    with pytest.raises(RegistryDeniedError, match="no login for it") as denied:
        asked(guarded.host, "team/multi:1.0")
    assert denied.value.hint == f"log in with: docker login {guarded.host}"


def test_a_wrong_password_is_denied_and_stands_in_no_message(
    guarded: Running, locked: Running, tokens: TokenServer, tmp_path: Path
) -> None:
    tokens.anonymous = False
    for host in (guarded.host, locked.host):
        environ = login(tmp_path / "docker", host, "hunter2-hunter2")
        with pytest.raises(RegistryDeniedError) as denied:
            asked(host, "team/multi:1.0", environ)
        said = f"{denied.value} {denied.value.hint} {denied.value.details}"
        assert "hunter2" not in said
        assert base64.b64encode(f"{USER}:hunter2-hunter2".encode()).decode() not in said
        assert str(tmp_path / "docker") in said


def test_a_password_opens_a_registry_that_asks_for_one(locked: Running, port: Port, tmp_path: Path) -> None:
    image = asked(locked.host, "team/multi:1.0", login(tmp_path / "docker", locked.host))
    assert image.index_digest == port.made.top.digest


def test_a_program_for_credentials_is_asked(locked: Running, tmp_path: Path) -> None:
    environ = logins(tmp_path / "docker", {"credHelpers": {locked.host: "test"}})
    helper(tmp_path, f'{{"ServerURL": "x", "Username": "{USER}", "Secret": "{PASSWORD}"}}')
    environ["PATH"] = f"{tmp_path}:/usr/bin:/bin"
    asked(locked.host, "team/multi:1.0", environ)
    assert (tmp_path / "asked").read_text() == f"get {locked.host}"


def test_a_program_for_credentials_that_fails_is_named(locked: Running, tmp_path: Path) -> None:
    environ = logins(tmp_path / "docker", {"credsStore": "gone"})
    with pytest.raises(RegistryDeniedError, match="docker-credential-gone is not installed"):
        asked(locked.host, "team/multi:1.0", environ)


def helper(folder: Path, answer: str) -> None:
    file = folder / "docker-credential-test"
    file.write_text(
        f"#!/bin/sh\nprintf '%s ' \"$1\" >'{folder}/asked'\ncat >>'{folder}/asked'\necho '{answer}'\n"
    )
    file.chmod(0o755)


# --- TLS ---


def test_a_registry_of_this_machine_that_speaks_tls_is_found(port: Port, tmp_path: Path) -> None:
    shown, hidden = registries.own_certificate(tmp_path)
    with registries.registry(port.open.base, tls={"certificate": shown, "key": hidden}) as running:
        image = asked(running.host, "team/multi:1.0", {"SSL_CERT_FILE": shown})
        assert image.index_digest == port.made.top.digest
        with pytest.raises(RegistryCertificateError) as refused:
            asked(running.host, "team/multi:1.0")
    assert "SSL_CERT_FILE" in refused.value.hint


def test_a_token_is_not_fetched_over_http_for_a_registry_that_speaks_tls(
    port: Port, tokens: TokenServer, tmp_path: Path
) -> None:
    shown, hidden = registries.own_certificate(tmp_path)
    tls = {"certificate": shown, "key": hidden}
    with registries.registry(port.open.base, tokens.auth, tls) as running:
        tokens.seen.clear()
        with pytest.raises(RegistryRefusedError, match="over http, which is refused"):
            asked(running.host, "team/multi:1.0", {"SSL_CERT_FILE": shown})
    assert tokens.seen == []


# --- registries that are not as they should be ---

Change = Callable[[str, str, int, dict[str, str], bytes], tuple[int, dict[str, str], bytes]]


@contextmanager
def between(host: str, change: Change) -> Iterator[str]:
    """A proxy before a registry, which changes what it says."""
    import http.client  # noqa: PLC0415 - here alone

    class Handler(Quiet):
        def reply(self) -> None:
            connection = http.client.HTTPConnection(host, timeout=20)
            sent = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            connection.request(self.command, self.path, headers=sent)
            response = connection.getresponse()
            body = response.read()
            headers = {k.title(): v for k, v in response.getheaders()}
            connection.close()
            status, headers, body = change(self.command, self.path, response.status, headers, body)
            try:
                self.answer(status, body, headers)
            except BrokenPipeError:
                return
            self.close_connection = True

    with serving(Handler) as at:
        yield f"127.0.0.1:{at}"


def test_a_registry_that_omits_the_digest_is_believed_by_the_bytes(port: Port) -> None:
    def strip(
        _method: str, _path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers.pop("Docker-Content-Digest", None)
        return status, headers, body

    with between(port.open.host, strip) as host:
        assert asked(host, "team/multi:1.0").index_digest == port.made.top.digest


def test_a_registry_that_knows_no_head_is_asked_with_get(port: Port) -> None:
    def no_head(
        method: str, _path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return (405, {}, b"") if method == "HEAD" else (status, headers, body)

    with between(port.open.host, no_head) as host:
        assert asked(host, "team/multi:1.0").index_digest == port.made.top.digest


@pytest.mark.parametrize("only", ["HEAD", "GET", "both"])
def test_a_wrong_digest_is_refused(port: Port, only: str) -> None:
    def lie(
        method: str, _path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if only in {method, "both"} and "Docker-Content-Digest" in headers:
            headers["Docker-Content-Digest"] = "sha256:" + "0" * 64
        elif method == "HEAD":
            headers.pop("Docker-Content-Digest", None)
        return status, headers, body

    with between(port.open.host, lie) as host, pytest.raises(DigestMismatchError, match="0000"):
        asked(host, "team/multi:1.0")


@pytest.mark.parametrize("what", ["manifests", "blobs"])
def test_changed_bytes_are_refused(port: Port, what: str) -> None:
    def alter(
        _method: str, path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return status, headers, body.replace(b"amd64", b"amd65") if what in path else body

    with between(port.open.host, alter) as host, pytest.raises(DigestMismatchError):
        asked(host, "team/multi:1.0")


def test_a_body_that_breaks_off_is_asked_for_again_and_told_in_the_end(port: Port) -> None:
    def cut(
        method: str, _path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return status, headers, body if method == "HEAD" else body[:-10]

    with between(port.open.host, cut) as host, pytest.raises(RegistryUnavailableError, match="10 bytes"):
        asked(host, "team/multi:1.0")


def test_a_busy_registry_is_asked_again_when_it_says(port: Port) -> None:
    left = [429, 503]

    def busy(
        _method: str, _path: str, status: int, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        return (left.pop(), {"Retry-After": "7"}, b"") if left else (status, headers, body)

    clock = NoWaiting()
    with between(port.open.host, busy) as host:
        resolve(parse(f"{host}/team/multi:1.0"), AMD64, {}, clock=clock)
    assert clock.waits == [7.0, 7.0]


def test_a_login_is_not_shown_to_where_a_registry_redirects(locked: Running, tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    class Elsewhere(Quiet):
        def reply(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            self.answer(200, b"{}")

    with serving(Elsewhere) as other:

        def redirect(
            _method: str, path: str, status: int, headers: dict[str, str], body: bytes
        ) -> tuple[int, dict[str, str], bytes]:
            if "/blobs/" in path and status == 200:
                return 307, {"Location": f"http://127.0.0.1:{other}/stored"}, b""
            return status, headers, body

        with between(locked.host, redirect) as host, pytest.raises(DigestMismatchError):
            asked(host, "team/multi:1.0", login(tmp_path / "docker", host))
    assert seen
    assert all("authorization" not in headers for headers in seen)


def test_a_registry_that_stalls_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "TIMEOUTS", Timeouts(0.2, 0.2))

    class Handler(Quiet):
        def reply(self) -> None:
            time.sleep(1)

    clock = NoWaiting()
    with serving(Handler) as at, pytest.raises(RegistryUnavailableError, match="did not answer in time"):
        resolve(parse(f"127.0.0.1:{at}/x:1"), AMD64, {}, clock=clock)
    assert clock.waits


def test_a_dead_registry_is_told_at_once() -> None:
    host = f"127.0.0.1:{registries.free_port()}"
    began = time.monotonic()
    with pytest.raises(RegistryUnavailableError, match="refuses connections"):
        asked(host, "team/multi:1.0")
    assert time.monotonic() - began < 5


def test_http_is_not_spoken_to_other_machines_unless_that_is_asked_for() -> None:
    from fourfold.runs.image.registry import Registry  # noqa: PLC0415 - what is looked at is private to it

    reference = parse("registry.example.org/name")
    assert Registry(reference, {})._url == "https://registry.example.org"
    assert Registry(reference, {}, plain_http=True)._url == "http://registry.example.org"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadManifestError),
        (b"[]", BadManifestError),
        (b"<html>", BadManifestError),
        (b"[" * 100_000, BadManifestError),
        (b'{"schemaVersion": 1, "name": "x", "fsLayers": []}', OldManifestError),
        (b'{"manifests": "many"}', BadManifestError),
        (b'{"config": {}, "layers": []}', BadManifestError),
        (b'{"config": {"digest": "sha256:../../etc"}, "layers": []}', BadManifestError),
        (b'{"manifests": [{"digest": 7}]}', BadManifestError),
        (b'{"manifests": []}', PlatformMissingError),
        (
            b'{"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}',
            BadManifestError,
        ),
    ],
)
def test_what_is_no_manifest_is_refused(body: bytes, error: type[Exception]) -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            self.answer(200, body, {"Docker-Content-Digest": digest_of(body)})

    with serving(Handler) as at, pytest.raises(error):
        asked(f"127.0.0.1:{at}", "x:1")


def test_an_index_of_indexes_of_indexes_ends() -> None:
    kind = "application/vnd.oci.image.index.v1+json"
    platform = {"os": "linux", "architecture": "amd64"}
    body = b'{"manifests": []}'
    bodies = {digest_of(body): body}
    for _ in range(5):
        entry = {"mediaType": kind, "digest": digest_of(body), "platform": platform}
        body = json.dumps({"mediaType": kind, "manifests": [entry]}).encode()
        bodies[digest_of(body)] = body

    class Handler(Quiet):
        def reply(self) -> None:
            self.answer(200, bodies.get(self.path.rpartition("/")[2], body))

    with serving(Handler) as at, pytest.raises(BadManifestError, match="an index of indexes"):
        asked(f"127.0.0.1:{at}", "x:1")


@pytest.mark.parametrize(
    "challenge",
    [
        'Bearer realm="file:///etc/passwd"',
        "Bearer realm=nonsense",
        'Bearer realm="http://user:pw@127.0.0.1/token"',
        "Bearer x=y",
    ],
)
def test_a_place_of_tokens_that_is_none_is_refused(challenge: str) -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            self.answer(401, b"", {"WWW-Authenticate": challenge})

    with serving(Handler) as at, pytest.raises(RegistryRefusedError, match="no place that gives tokens"):
        asked(f"127.0.0.1:{at}", "x:1")


@pytest.mark.parametrize("token", [b"{}", b"[]", b"no", b'{"token": "a\\r\\nX-Evil: 1"}', b'{"token": 5}'])
def test_a_token_that_is_none_is_refused(token: bytes) -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            if self.path.startswith("/token"):
                self.answer(200, token)
            else:
                realm = f"http://{self.headers['host']}/token"
                self.answer(401, b"", {"WWW-Authenticate": f'Bearer realm="{realm}",service="s"'})

    with serving(Handler) as at, pytest.raises(RegistryRefusedError, match="no token that can be used"):
        asked(f"127.0.0.1:{at}", "x:1")


def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    class Handler(Quiet):
        def reply(self) -> None:
            self.send_response(200 if self.command == "GET" else 404)
            self.end_headers()
            self.close_connection = True
            try:
                while self.command == "GET":
                    self.wfile.write(b" " * 65536)
            except OSError:
                return

    with serving(Handler) as at, pytest.raises(BadManifestError, match="longer than"):
        asked(f"127.0.0.1:{at}", "x:1")
