"""From a URL and options to a store: what is known, what is refused, and what reaches the wire."""

import base64
import builtins
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.memory import MemoryStore
from fourfold.storage.blob.protocol import BlobDeniedError, BlobRefusedError
from fourfold.storage.options import BadRemoteOptionError, UnknownRemoteOptionError
from fourfold.storage.schemes import (
    SCHEMES,
    BadUrlError,
    MissingPackageError,
    UnknownSchemeError,
    is_local,
    local_path,
    open_store,
    scheme_of,
)
from tests.fixtures.http_files import HttpFiles

KEYS = {"access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": "s" * 40, "region": "us-east-1"}
AZURE_KEY = base64.b64encode(b"k" * 64).decode()


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("s3://bucket/x", "s3"),
        ("S3://bucket", "s3"),
        ("/plain/path", ""),
        ("../relative", ""),
        ("file:///plain", ""),
        ("C:\\folder", ""),
        ("C://folder", ""),
        ("with:colon/path", ""),
    ],
)
def test_the_scheme_of_a_url_is_told_and_a_path_has_none(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme
    assert is_local(url) == (scheme == "")


def test_a_file_url_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    assert local_path(folder.as_uri()) == str(folder)
    store = open_store(folder.as_uri(), {}, environ={})
    store.put("k", b"x")
    assert (folder / "k").read_bytes() == b"x"


def test_an_unknown_type_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownSchemeError, match="gopher") as caught:
        open_store("gopher://user:hunter2@x", {}, environ={})
    assert "s3://" in caught.value.hint
    assert "hunter2" not in caught.value.message
    with pytest.raises(UnknownSchemeError, match="Google Drive"):
        open_store("gdrive://folder", {}, environ={})


def test_the_same_memory_url_is_the_same_store() -> None:
    first, second = (open_store("memory://trial", {}, environ={}) for _ in range(2))
    assert first is second
    assert isinstance(first, MemoryStore)


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "hdfs"])
def test_no_type_ignores_an_option_that_it_does_not_know(scheme: str) -> None:
    needed = {
        "azure": {"account_name": "acc"},
        "oss": {"oss_endpoint": "x", "oss_key_id": "y", "oss_key_secret": "z"},
    }
    with pytest.raises(UnknownRemoteOptionError, match="'colour'"):
        open_store(
            f"{scheme}://host/x", needed.get(scheme, {}) | {"colour": "blue"}, environ={"HOME": "/nowhere"}
        )


def test_what_other_rooms_read_is_no_stores_business(tmp_path: Path) -> None:
    common = {
        "jobs": "3",
        "checksum_jobs": "2",
        "verify": "true",
        "version_aware": "false",
        "worktree": "false",
    }
    open_store(str(tmp_path), common | {"type": "hardlink", "slow_link_warning": "false"}, environ={})
    open_store("s3://bucket", common | KEYS, environ={})


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("s3://b", {"use_ssl": "perhaps"}),
        ("s3://b", {"read_timeout": "-1"}),
        ("s3://b", {"sse": "rot13"}),
        ("s3://b", {"sse": "AES256", "sse_kms_key_id": "k"}),
        ("s3://b", {"sse_customer_key": "a2V5", "sse_kms_key_id": "k"}),
        ("s3://b", {"sse_customer_algorithm": "AES256"}),
        ("s3://b", {"jobs": "many"}),
        ("ssh://h", {"port": "ssh"}),
        ("webhdfs://h/x", {"token": "t", "user": "u"}),
        ("azure://c/x", {"account_name": "a", "account_key": "not base64!"}),
        ("azure://c/x", {"connection_string": "nonsense"}),
        ("azure:///x", {"account_name": "a"}),
        ("gs://b", {"credentialpath": "/etc/hostname"}),
        ("oss://b", {}),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_name(url: str, options: dict[str, str]) -> None:
    with pytest.raises(BadRemoteOptionError):
        open_store(url, options, environ={"HOME": "/nowhere"})


def test_a_bad_secret_is_not_quoted() -> None:
    with pytest.raises(BadRemoteOptionError) as caught:
        open_store("azure://c", {"account_name": "a", "account_key": "hunter2!"}, environ={})
    assert "hunter2" not in caught.value.message


def headers_of(put: Callable[[], object], http_files: HttpFiles) -> dict[str, str]:
    put()
    return http_files.seen[-1][2]


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({"sse": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
        (
            {"sse": "aws:kms", "sse_kms_key_id": "key-1"},
            {
                "x-amz-server-side-encryption": "aws:kms",
                "x-amz-server-side-encryption-aws-kms-key-id": "key-1",
            },
        ),
        ({"sse_kms_key_id": "key-1"}, {"x-amz-server-side-encryption": "aws:kms"}),
        (
            {"sse_customer_key": base64.b64encode(b"k" * 32).decode()},
            {"x-amz-server-side-encryption-customer-algorithm": "AES256"},
        ),
        ({"session_token": "tok"}, {"x-amz-security-token": "tok"}),
    ],
)
def test_encryption_and_tokens_reach_the_wire(
    http_files: HttpFiles, options: dict[str, str], headers: dict[str, str]
) -> None:
    store = open_store("s3://data/x", {"endpointurl": http_files.url, **KEYS, **options}, environ={})
    seen = headers_of(lambda: store.put("k", b"value"), http_files)
    assert {name: seen.get(name) for name in headers} == headers


def test_a_requester_who_pays_says_so(http_files: HttpFiles) -> None:
    environ = {"AWS_REQUEST_PAYER": "requester"}
    store = open_store("s3://data/x", {"endpointurl": http_files.url, **KEYS}, environ=environ)
    assert headers_of(lambda: store.put("k", b""), http_files)["x-amz-request-payer"] == "requester"


def test_an_anonymous_remote_signs_nothing(http_files: HttpFiles) -> None:
    http_files.files["/data/x/k"] = b"public"
    options = {"endpointurl": http_files.url, "allow_anonymous_login": "true", "region": "us-east-1"}
    store = open_store(
        "s3://data/x", options, environ={"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "B"}
    )
    assert store.get("k") == b"public"
    assert "authorization" not in http_files.seen[-1][2]


@pytest.mark.parametrize("option", ["acl", "grant_read", "grant_full_control"])
def test_a_right_that_cannot_be_sent_refuses_writes_and_lets_reads_pass(
    http_files: HttpFiles, option: str
) -> None:
    http_files.files["/data/x/k"] = b"value"
    options = {"endpointurl": http_files.url, **KEYS, option: "bucket-owner-full-control"}
    store = open_store("s3://data/x", options, environ={})
    assert store.get("k") == b"value"
    with pytest.raises(BlobRefusedError, match=option):
        store.put("k", b"other")
    assert http_files.files["/data/x/k"] == b"value"


def test_addressing_by_host_follows_the_profile(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    options = {"endpointurl": "http://store.example", **KEYS}
    store: Any = open_store("s3://data/x", options, environ={"HOME": str(tmp_path)})
    assert store._store.config["endpoint"] == "http://data.store.example"


def test_google_storage_speaks_to_its_emulator(http_files: HttpFiles) -> None:
    options = {"allow_anonymous_login": "true", "endpointurl": http_files.url, "projectname": "lab"}
    store = open_store("gs://data/x", options, environ={})
    store.put("k", b"value")
    assert store.get("k") == b"value"
    assert [*http_files.files] == ["/data/x/k"]
    environ = {"STORAGE_EMULATOR_HOST": http_files.url}
    assert open_store("gs://data/x", {}, environ=environ).get("k") == b"value"


def test_google_storage_takes_each_kind_of_credentials_file(tmp_path: Path) -> None:
    service = tmp_path / "service.json"
    service.write_text(
        '{"type": "authorized_user", "client_id": "i", "client_secret": "s", "refresh_token": "t"}'
    )
    store: Any = open_store("gs://data", {"credentialpath": str(service)}, environ={})
    assert store._store.config["application_credentials"] == str(service)
    environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(service)}
    store = open_store("gs://data", {}, environ=environ)
    assert store._store.config["application_credentials"] == str(service)


@pytest.mark.parametrize(
    ("options", "environ", "expected"),
    [
        (
            {"account_name": "acc", "account_key": AZURE_KEY},
            {},
            {"account_name": "acc", "account_key": AZURE_KEY},
        ),
        (
            {"account_name": "acc", "sas_token": "?sv=1&sig=x"},
            {},
            {"account_name": "acc", "sas_key": "sv=1&sig=x"},
        ),
        (
            {"account_name": "acc", "tenant_id": "t", "client_id": "c", "client_secret": "s"},
            {},
            {"account_name": "acc", "tenant_id": "t", "client_id": "c", "client_secret": "s"},
        ),
        (
            {
                "connection_string": f"AccountName=acc;AccountKey={AZURE_KEY};"
                "EndpointSuffix=core.chinacloudapi.cn"
            },
            {},
            {"account_name": "acc", "endpoint": "https://acc.blob.core.chinacloudapi.cn"},
        ),
        (
            {},
            {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=e;AccountKey={AZURE_KEY}"},
            {"account_name": "e"},
        ),
        (
            {"account_name": "acc"},
            {"AZURE_STORAGE_KEY": AZURE_KEY},
            {"account_name": "acc", "account_key": AZURE_KEY},
        ),
        (
            {"account_name": "acc"},
            {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"},
            {"tenant_id": "t", "client_id": "c", "client_secret": "s"},
        ),
        ({"account_name": "acc", "allow_anonymous_login": "true"}, {}, {"skip_signature": "true"}),
    ],
)
def test_azure_finds_its_identity(
    tmp_path: Path, options: dict[str, str], environ: dict[str, str], expected: dict[str, str]
) -> None:
    store: Any = open_store("azure://data/x", options, environ={"HOME": str(tmp_path)} | environ)
    found = store._store.config
    assert {name: found.get(name) for name in expected} == expected


def test_azure_reads_the_configuration_of_its_own_command_line(tmp_path: Path) -> None:
    (tmp_path / ".azure").mkdir()
    (tmp_path / ".azure" / "config").write_text(f"[storage]\naccount = filed\nkey = {AZURE_KEY}\n")
    store: Any = open_store("azure://data", {}, environ={"HOME": str(tmp_path)})
    assert store._store.config["account_name"] == "filed"


def test_azure_without_an_account_is_told_which_option_to_set() -> None:
    with pytest.raises(BlobDeniedError) as caught:
        open_store("azure://data", {}, environ={"HOME": "/nowhere"})
    assert "account_name" in caught.value.hint


def test_azure_speaks_to_its_endpoint(http_files: HttpFiles) -> None:
    connection = f"AccountName=acc;AccountKey={AZURE_KEY};BlobEndpoint={http_files.url}"
    store = open_store("azure://data/x", {"connection_string": connection}, environ={})
    with pytest.raises(FourfoldError):
        store.get("absent")
    assert http_files.seen[0][1].endswith("/data/x/absent")
    assert http_files.seen[0][2]["authorization"].startswith("SharedKey acc:")


def test_a_missing_package_is_told_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "paramiko":
            raise ImportError("No module named 'paramiko'", name="paramiko")
        return real(name, *rest, **named)

    for name in [name for name in sys.modules if name.startswith(("paramiko", "fourfold.storage.blob.sftp"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackageError) as caught:
        open_store("ssh://host/x", {}, environ={})
    assert caught.value.hint == 'pip install "fourfold[ssh]"'


def test_a_folder_loads_no_network_code() -> None:
    program = (
        "import sys; from fourfold.storage.schemes import open_store; open_store('/tmp/x', {}, environ={});"
        "heavy = ('obstore', 'fsspec', 'http.client', 'asyncio', 'ssl', 'paramiko');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "url",
    ["http://[/f", "s3://[x/f", "https://host:99999/f", "s3://", "http:///", "webdav://[::1/f", "oss://"],
)
def test_a_url_that_names_no_place_is_refused_whatever_its_type(url: str) -> None:
    with pytest.raises(BadUrlError, match=re.escape(url)):
        open_store(url, {}, environ={})


def test_the_secret_in_a_url_that_names_no_place_is_not_shown() -> None:
    with pytest.raises(BadUrlError) as caught:
        open_store("https://ada:lovelace@[host/f", {}, environ={})
    assert "lovelace" not in caught.value.message
