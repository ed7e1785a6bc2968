"""S3 and its compatible servers: from DVC's options to a store.

Every option of DVC's ``s3`` remotes is mapped here, or refused with its reason. The credentials
come from `aws_identity`, the bytes go through `object_store`.
"""

import http.client
import os
import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from fourfold.base.errors import FourfoldError, from_os_error
from fourfold.storage.blob.aws_identity import Identity, as_provider, find_identity
from fourfold.storage.blob.aws_profile import Profile, read_profile
from fourfold.storage.blob.object_errors import Place
from fourfold.storage.blob.object_store import ObjectStore
from fourfold.storage.options import Options, expand_user
from fourfold.storage.redact import redact_url

_CREDENTIALS = "access_key_id, secret_access_key, session_token or profile of the remote"
#: Seconds, as boto has them.
_READ_TIMEOUT = 60.0
_CONNECT_TIMEOUT = 60.0
_REGION_TIMEOUT = 10.0
#: The native client retries single requests a little, so that one lost part does not cost a whole
#: upload; whole calls are retried by `wrap.retry`.
QUICK_RETRY: dict[str, Any] = {
    "max_retries": 2,
    "retry_timeout": timedelta(seconds=30),
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
}
_GRANTS = ("grant_read", "grant_read_acp", "grant_write_acp", "grant_full_control")


def open_s3(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> ObjectStore:
    """A store for ``s3://bucket/folder``.

    Raises:
        ConfigError: an option means nothing, or the profile is not there.
    """
    where = urlsplit(url)
    bucket, prefix = where.netloc, where.path.strip("/")
    profile = read_profile(
        options.text("profile"), options.text("configpath"), options.text("credentialpath"), environ
    )
    region = (
        options.text("region")
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
        or profile.values.get("region")
    )
    endpoint = options.text("endpointurl") or _configured_endpoint(profile, environ)
    options.flag("cache_regions")  # the region of a bucket is asked for once a run, always
    identity = find_identity(options, profile, environ, region or "us-east-1")
    config: dict[str, Any] = {**_encryption(options), **identity.config}
    config.update(_style(profile, environ))
    client = _client(options, profile, environ)
    plain = not options.flag("use_ssl", default=True) and not endpoint
    acl = [name for name in ("acl", *_GRANTS) if options.text(name)]
    options.finish()
    client["allow_http"] = plain or bool(endpoint and endpoint.startswith("http://"))

    failures: list[FourfoldError] = []

    def make() -> S3Store:
        found = region or (None if endpoint else _bucket_region(bucket)) or "us-east-1"
        address = endpoint or (f"http://s3.{found}.amazonaws.com" if plain else None)
        settings = {**config, "region": found} | ({"endpoint": address} if address else {})
        if address and config.get("virtual_hosted_style_request"):
            parts = urlsplit(address)
            settings["endpoint"] = f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path}"
        return _native(bucket, settings, client, identity, failures)

    return ObjectStore(
        make,
        prefix=prefix,
        place=Place(redact_url(f"s3://{bucket}/{prefix}".rstrip("/")), _CREDENTIALS),
        jobs=jobs,
        failures=failures,
        read_only_because=f"option {acl[0]!r} needs a header that this client cannot send" if acl else "",
    )


def _native(
    bucket: str, config: Any, client: Any, identity: Identity, failures: "list[FourfoldError]"
) -> S3Store:
    retry: Any = QUICK_RETRY
    provider: Any = as_provider(identity.fetch, failures.append) if identity.fetch else None
    return S3Store(
        bucket, config=config, client_options=client, retry_config=retry, credential_provider=provider
    )


def _configured_endpoint(profile: Profile, environ: Mapping[str, str]) -> str | None:
    ignored = environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") or profile.values.get(
        "ignore_configured_endpoint_urls"
    )
    if (ignored or "").lower() == "true":
        return None
    from_environ = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if from_environ:
        return from_environ
    services = profile.services.get(f"services {profile.values.get('services', '')}", {})
    for line in services.get("s3", "").splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "endpoint_url":
            return value.strip()
    return profile.values.get("endpoint_url")


def _encryption(options: Options) -> dict[str, Any]:
    sse, key_id = options.text("sse"), options.text("sse_kms_key_id")
    customer_key, algorithm = options.text("sse_customer_key"), options.text("sse_customer_algorithm")
    if algorithm is not None and algorithm != "AES256":
        raise options.bad("sse_customer_algorithm", algorithm, "AES256")
    if customer_key is not None:
        if key_id is not None or sse is not None:
            raise options.bad("sse_customer_key", "", "possible together with sse or sse_kms_key_id")
        return {"server_side_encryption": "sse-c", "sse_customer_key_base64": customer_key}
    if algorithm is not None:
        raise options.bad("sse_customer_algorithm", algorithm, "possible without sse_customer_key")
    if sse is not None and sse not in {"AES256", "aws:kms", "aws:kms:dsse"}:
        raise options.bad("sse", sse, "AES256, aws:kms or aws:kms:dsse")
    if key_id is not None:
        if sse == "AES256":
            raise options.bad("sse_kms_key_id", key_id, "possible with sse AES256")
        return {"server_side_encryption": sse or "aws:kms", "sse_kms_key_id": key_id}
    return {"server_side_encryption": sse} if sse else {}


def _style(profile: Profile, environ: Mapping[str, str]) -> dict[str, Any]:
    style: dict[str, Any] = {}
    if profile.s3.get("addressing_style") == "virtual":
        style["virtual_hosted_style_request"] = True
    if profile.s3.get("payload_signing_enabled", "").lower() == "false":
        style["unsigned_payload"] = True
    payer = environ.get("AWS_REQUEST_PAYER", "").lower()
    if payer in {"requester", "true"}:
        style["request_payer"] = True
    return style


def _client(options: Options, profile: Profile, environ: Mapping[str, str]) -> dict[str, Any]:
    read, connect = options.seconds("read_timeout"), options.seconds("connect_timeout")
    client = client_options(read, connect, options.flag_or_text("ssl_verify"), environ)
    bundle = environ.get("AWS_CA_BUNDLE") or profile.values.get("ca_bundle")
    if bundle and "root_certificate" not in client:
        client["root_certificate"] = read_certificate(expand_user(bundle, environ))
    return client


def client_options(
    read: float | None, connect: float | None, verify: bool | str | None, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Options of the native HTTP client: no limit for a whole request, but one for each read."""
    client: dict[str, Any] = {
        "timeout": timedelta(days=7),
        "read_timeout": timedelta(seconds=read or _READ_TIMEOUT),
        "connect_timeout": timedelta(seconds=connect or _CONNECT_TIMEOUT),
        "user_agent": "fourfold",
    }
    if verify is False:
        client["allow_invalid_certificates"] = True
    elif isinstance(verify, str):
        client["root_certificate"] = read_certificate(expand_user(verify, environ))
    return client


def read_certificate(path: str) -> bytes:
    """The bytes of a PEM file.

    Raises:
        FourfoldError: it cannot be read.
    """
    try:
        with open(os.path.abspath(path), "rb") as source:
            return source.read(16 << 20)
    except OSError as error:
        raise from_os_error(error, "reading the certificate of the remote") from error


def _bucket_region(bucket: str) -> str | None:
    """The region that Amazon names for a bucket, also to strangers; None where it cannot be asked."""
    connection = http.client.HTTPSConnection("s3.amazonaws.com", timeout=_REGION_TIMEOUT)
    try:
        connection.request("HEAD", f"/{bucket}")
        return connection.getresponse().getheader("x-amz-bucket-region")
    except (OSError, ssl.SSLError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
