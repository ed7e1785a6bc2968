"""Alibaba's object store: its own options, over the S3 interface that it also speaks."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from obstore.store import S3Store

from fourfold.storage.blob.object_errors import Place
from fourfold.storage.blob.object_store import ObjectStore
from fourfold.storage.blob.s3 import QUICK_RETRY, client_options
from fourfold.storage.options import BadRemoteOptionError, Options
from fourfold.storage.redact import redact_url

_CREDENTIALS = "oss_key_id and oss_key_secret of the remote"


def open_oss(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> ObjectStore:
    """A store for ``oss://bucket/folder``.

    Raises:
        BadRemoteOptionError: the endpoint or a key is missing.
    """
    where = urlsplit(url)
    bucket, prefix = where.netloc, where.path.strip("/")
    endpoint = options.text("oss_endpoint") or environ.get("OSS_ENDPOINT")
    key = options.text("oss_key_id") or environ.get("OSS_ACCESS_KEY_ID")
    secret = options.text("oss_key_secret") or environ.get("OSS_ACCESS_KEY_SECRET")
    options.finish()
    for name, value in (("oss_endpoint", endpoint), ("oss_key_id", key), ("oss_key_secret", secret)):
        if not value:
            raise BadRemoteOptionError(
                f"an oss remote needs option {name!r}",
                hint=f"set it with: ff remote modify --local <name> {name} <value>",
            )
    address = urlsplit(endpoint if endpoint and "://" in endpoint else f"https://{endpoint}")
    config: Any = {
        "access_key_id": key,
        "secret_access_key": secret,
        # The provider takes only names of buckets in the host, and knows no deletion of many at once.
        "endpoint": f"{address.scheme}://{bucket}.{address.netloc}",
        "virtual_hosted_style_request": True,
        "disable_bulk_delete": True,
        "region": address.netloc.partition(".")[0],
    }
    client: Any = client_options(None, None, None, environ)
    client["allow_http"] = address.scheme == "http"
    retry: Any = QUICK_RETRY
    return ObjectStore(
        lambda: S3Store(bucket, config=config, client_options=client, retry_config=retry),
        prefix=prefix,
        place=Place(redact_url(f"oss://{bucket}/{prefix}".rstrip("/")), _CREDENTIALS),
        jobs=jobs,
    )
