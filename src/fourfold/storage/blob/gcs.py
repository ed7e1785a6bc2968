"""Google Cloud Storage: from DVC's ``gs`` options to a store.

Credentials: the option ``credentialpath``, ``GOOGLE_APPLICATION_CREDENTIALS``, what ``gcloud auth
application-default login`` left, then the machine's own. The bytes go through `object_store`.
"""

import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from obstore.store import GCSStore

from fourfold.base.errors import from_os_error
from fourfold.storage.blob.object_errors import Place
from fourfold.storage.blob.object_store import ObjectStore
from fourfold.storage.blob.s3 import QUICK_RETRY, client_options
from fourfold.storage.options import BadRemoteOptionError, Options, expand_user
from fourfold.storage.redact import redact_url

_CREDENTIALS = "credentialpath of the remote, or GOOGLE_APPLICATION_CREDENTIALS"
_MAX_BYTES = 1 << 20


def open_gcs(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> ObjectStore:
    """A store for ``gs://bucket/folder``.

    Raises:
        ConfigError: an option means nothing, or the file of credentials is none.
    """
    where = urlsplit(url)
    bucket, prefix = where.netloc, where.path.strip("/")
    options.text("projectname")  # names who pays for a new bucket, and no bucket is made here
    emulator = _emulator(environ)
    endpoint = options.text("endpointurl") or emulator
    anonymous = options.flag("allow_anonymous_login")
    config: dict[str, Any] = _credentials(options, environ)
    if anonymous or (emulator and not config):
        config = {"skip_signature": True}
        if endpoint:
            # The client asks for a token before a write, whatever we say; another server than
            # Google's does not look at it.
            config["bearer_token"] = "anonymous"
    if endpoint:
        config["base_url"] = endpoint.rstrip("/")
    options.finish()
    client: Any = client_options(None, None, None, environ)
    client["allow_http"] = bool(endpoint and endpoint.startswith("http://"))
    retry: Any = QUICK_RETRY

    def make() -> GCSStore:
        return GCSStore(bucket, config=config, client_options=client, retry_config=retry)  # type: ignore[arg-type]

    return ObjectStore(
        make,
        prefix=prefix,
        place=Place(redact_url(f"gs://{bucket}/{prefix}".rstrip("/")), _CREDENTIALS),
        jobs=jobs,
    )


def _emulator(environ: Mapping[str, str]) -> str | None:
    host = environ.get("STORAGE_EMULATOR_HOST")
    if not host:
        return None
    return host if "://" in host else f"http://{host}"


def _credentials(options: Options, environ: Mapping[str, str]) -> dict[str, str]:
    chosen = options.text("credentialpath") or environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    if chosen in {"cloud", "google_default"}:  # words that DVC's library takes in the place of a path
        chosen = None
    if chosen:
        path = os.path.abspath(expand_user(chosen, environ))
        return {_kind_of(path): path}
    folder = environ.get("CLOUDSDK_CONFIG") or expand_user("~/.config/gcloud", environ)
    path = os.path.join(folder, "application_default_credentials.json")
    return {"application_credentials": path} if os.path.isfile(path) else {}


def _kind_of(path: str) -> str:
    """Which of the native client's options reads this file of credentials."""
    try:
        with open(path, "rb") as source:
            found = json.loads(source.read(_MAX_BYTES))
    except OSError as error:
        raise from_os_error(error, "reading credentialpath") from error
    except ValueError:
        found = None
    if not isinstance(found, dict) or "type" not in found:
        raise BadRemoteOptionError(
            f"{path} is not a file of Google credentials",
            hint="make one with: gcloud auth application-default login",
        )
    return "service_account" if found["type"] == "service_account" else "application_credentials"
