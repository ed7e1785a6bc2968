"""Real registries on loopback: Debian's docker-registry, filled by skopeo, and a server of tokens for it.

All registries of a session share one folder, so that what was pushed to the open one is served by those that
ask for a login, too. Knows nothing of the product.
"""

import base64
import datetime as dt
import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

USER, PASSWORD = "reader", "correct horse battery"
SERVICE, ISSUER = "test-registry", "test-tokens"
REFRESH = "refresh-me-please-0123456789"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


class Blob(NamedTuple):
    """Bytes with a digest."""

    data: bytes

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"

    def descriptor(self, kind: str, **more: Any) -> dict[str, Any]:
        return {"mediaType": kind, "digest": self.digest, "size": len(self.data), **more}


class Made(NamedTuple):
    """An image that was made by hand.

    Attributes:
        top: Its index.
        manifests: Its manifests, by platform.
        configs: Its configurations likewise.
        diff_ids: Of its one layer, likewise.
    """

    top: Blob
    manifests: dict[str, Blob]
    configs: dict[str, Blob]
    diff_ids: dict[str, str]


def _json(value: object) -> Blob:
    return Blob(json.dumps(value).encode())


def make_image(folder: Path, platforms: Sequence[str], *, tag: str = "made", salt: str = "") -> Made:
    """Write an OCI layout: one manifest a platform, an index, and an attestation among them."""
    store = folder / "blobs" / "sha256"
    store.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def save(blob: Blob) -> Blob:
        (store / blob.digest.partition(":")[2]).write_bytes(blob.data)
        return blob

    made = Made(Blob(b""), {}, {}, {})
    entries = []
    for shown in platforms:
        os_name, architecture, *variant = shown.split("/")
        platform = {
            "os": os_name,
            "architecture": architecture,
            **({"variant": variant[0]} if variant else {}),
        }
        unpacked = io.BytesIO()
        with tarfile.open(fileobj=unpacked, mode="w") as archive:
            text = f"{shown} {salt}".encode()
            entry = tarfile.TarInfo("hello.txt")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
        diff_id = Blob(unpacked.getvalue()).digest
        layer = save(Blob(gzip.compress(unpacked.getvalue(), mtime=0)))
        labels = {"org.opencontainers.image.revision": "0123abc", "maintainer": "nobody"}
        config = save(
            _json(
                {
                    **platform,
                    "created": "2024-01-02T03:04:05Z",
                    "config": {"Labels": labels},
                    "rootfs": {"type": "layers", "diff_ids": [diff_id]},
                    "history": [{"created_by": "test"}],
                }
            )
        )
        manifest = save(
            _json(
                {
                    "schemaVersion": 2,
                    "mediaType": _MANIFEST,
                    "config": config.descriptor(_CONFIG),
                    "layers": [layer.descriptor(_LAYER)],
                }
            )
        )
        made.manifests[shown], made.configs[shown], made.diff_ids[shown] = manifest, config, diff_id
        entries.append(manifest.descriptor(_MANIFEST, platform=platform))
    attested = save(
        _json({"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": []}})
    )
    attestation = save(
        _json(
            {"schemaVersion": 2, "mediaType": _MANIFEST, "config": attested.descriptor(_CONFIG), "layers": []}
        )
    )
    unknown = {"os": "unknown", "architecture": "unknown"}
    entries.insert(0, attestation.descriptor(_MANIFEST, platform=unknown))
    index = save(_json({"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}))
    named = {"org.opencontainers.image.ref.name": tag}
    (folder / "index.json").write_bytes(
        _json({"schemaVersion": 2, "manifests": [index.descriptor(_INDEX, annotations=named)]}).data
    )
    return made._replace(top=index)


def program(name: str) -> str:
    """The path of a program that these tests need; they fail, and say so, without it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; run: make programs", pytrace=False)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Running(NamedTuple):
    """A registry: ``127.0.0.1:PORT``."""

    host: str
    base: Path

    def push(self, layout: Path, name: str, *, tag: str = "made", only: str = "") -> None:
        """Push a layout, the whole index or one manifest of it, by skopeo."""
        which = ["--all", "--preserve-digests"]
        if only:
            os_name, architecture = only.split("/")[:2]
            which = ["--preserve-digests"]
            before = ["--override-os", os_name, "--override-arch", architecture]
        else:
            before = []
        subprocess.run(
            [
                program("skopeo"),
                "--insecure-policy",
                *before,
                "copy",
                "--quiet",
                *which,
                "--dest-tls-verify=false",
                f"oci:{layout}:{tag}",
                f"docker://{self.host}/{name}",
            ],
            check=True,
            env={"HOME": str(self.base), "PATH": "/usr/bin:/bin", "TMPDIR": str(self.base)},
            capture_output=True,
        )


@contextmanager
def registry(
    base: Path, auth: Mapping[str, Any] | None = None, tls: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """A registry whose images lie in a folder.

    Args:
        base: A folder; registries of the same one have the same images.
        auth: Its section ``auth``.
        tls: Its section ``http: tls``.
    """
    port = free_port()
    config = {
        "version": 0.1,
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(base / "images")}},
        "http": {"addr": f"127.0.0.1:{port}", **({"tls": tls} if tls else {})},
        **({"auth": auth} if auth else {}),
    }
    file = base / f"config-{port}.yml"
    file.write_text(json.dumps(config))
    with (base / f"log-{port}.txt").open("wb") as log:
        process = subprocess.Popen(
            [program("docker-registry"), "serve", str(file)], stdout=log, stderr=log, env={"PATH": "/usr/bin"}
        )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (base / f"log-{port}.txt").read_text()
            time.sleep(0.1)
        yield Running(f"127.0.0.1:{port}", base)
    finally:
        process.terminate()
        process.wait(20)


class TokenServer:
    """Gives tokens for pulling, to anybody or to one user; asks again for a refresh token.

    Attributes:
        seen: Every request: method, query or form, and the header ``Authorization``.
        anonymous: Whether those without a login get one.
    """

    def __init__(self, base: Path) -> None:
        self.seen: list[tuple[str, dict[str, list[str]], str]] = []
        self.anonymous = True
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.certificate = certificate(self._key, "tokens")
        self.bundle = base / "tokens.pem"
        self.bundle.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        self.port = 0

    @property
    def auth(self) -> dict[str, Any]:
        """What a registry's configuration says of it."""
        return {
            "token": {
                "realm": f"http://127.0.0.1:{self.port}/token",
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": str(self.bundle),
            }
        }

    def admits(self, form: Mapping[str, list[str]], header: str) -> bool:
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return (
            header == f"Basic {pair}"
            or form.get("refresh_token") == [REFRESH]
            or (self.anonymous and not header and "refresh_token" not in form)
        )

    def token(self, scopes: Sequence[str]) -> str:
        """A token as docker-registry takes them: signed, with the certificate along."""
        access = []
        for scope in scopes:
            kind, name, actions = scope.split(":")
            access.append({"type": kind, "name": name, "actions": actions.split(",")})
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        now = int(time.time())
        head = {"typ": "JWT", "alg": "RS256", "x5c": [base64.b64encode(der).decode()]}
        body = {
            "iss": ISSUER,
            "sub": USER,
            "aud": SERVICE,
            "exp": now + 600,
            "nbf": now - 60,
            "iat": now,
            "jti": str(now),
            "access": access,
        }
        signed = ".".join(_web(json.dumps(part).encode()) for part in (head, body))
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_web(signature)}"


def own_certificate(base: Path) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key, in files."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shown, hidden = base / "own.pem", base / "own.key"
    shown.write_bytes(certificate(key, "own").public_bytes(serialization.Encoding.PEM))
    hidden.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(shown), str(hidden)


def certificate(key: rsa.RSAPrivateKey, name: str) -> x509.Certificate:
    """A certificate of its own authority, for 127.0.0.1."""
    import ipaddress  # noqa: PLC0415 - here alone

    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    today = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _web(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """An HTTP server in this process; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


class Quiet(BaseHTTPRequestHandler):
    """A handler that keeps its log to itself, and answers every method by `reply`."""

    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Nothing: a test's output is its own."""

    def do_GET(self) -> None:
        self.reply()

    do_HEAD = do_POST = do_GET  # noqa: N815 - the base class's names

    def reply(self) -> None:
        raise AssertionError("nobody should ask this server")

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name in headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def tokens(base: Path) -> Iterator[TokenServer]:
    """A running `TokenServer`."""
    server = TokenServer(base)

    class Handler(Quiet):
        def reply(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            form = parse_qs(sent or urlsplit(self.path).query)
            header = self.headers.get("authorization", "")
            server.seen.append((self.command, form, header))
            if not server.admits(form, header):
                self.answer(401, b'{"errors": []}')
                return
            key = "access_token" if self.command == "POST" else "token"
            self.answer(200, json.dumps({key: server.token(form.get("scope", []))}).encode())

    with serving(Handler) as port:
        server.port = port
        yield server
