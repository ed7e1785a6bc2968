"""Azure Blob Storage: from DVC's ``azure`` options to a store.

Credentials: options of the remote, the ``AZURE_STORAGE_*`` variables, ``~/.azure/config``, a
service principal or a federated token of the environment, the Azure command line, then the
machine's own identity. The bytes go through `object_store`.
"""

import base64
import binascii
import configparser
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from obstore.store import AzureStore

from fourfold.storage.blob.object_errors import Place
from fourfold.storage.blob.object_store import ObjectStore
from fourfold.storage.blob.protocol import BlobDeniedError
from fourfold.storage.blob.s3 import QUICK_RETRY, client_options
from fourfold.storage.options import BadRemoteOptionError, Options, expand_user
from fourfold.storage.redact import redact_url

_CREDENTIALS = "account_name with account_key, sas_token or client_secret, or connection_string of the remote"
#: The account of the public emulator; not a secret, it stands in Microsoft's documentation.
_EMULATOR_ACCOUNT = "devstoreaccount1"


def open_azure(url: str, options: Options, environ: Mapping[str, str], jobs: int | None) -> ObjectStore:
    """A store for ``azure://container/folder``.

    Raises:
        ConfigError: an option means nothing.
        BlobDeniedError: no account is named anywhere.
    """
    where = urlsplit(url)
    shared = _shared_config(environ)
    container = (
        where.netloc or environ.get("AZURE_STORAGE_CONTAINER_NAME") or shared.get("container_name", "")
    )
    prefix = where.path.strip("/")
    if not container:
        raise BadRemoteOptionError(
            f"{redact_url(url)} names no container", hint="write azure://<container>/<folder>"
        )
    config = _identity(options, environ, shared)
    overall, read = options.seconds("timeout"), options.seconds("read_timeout")
    client: Any = client_options(read or overall, options.seconds("connection_timeout"), None, environ)
    options.finish()
    client["allow_http"] = str(config.get("endpoint", "")).startswith("http://") or "use_emulator" in config
    retry: Any = QUICK_RETRY

    def make() -> AzureStore:
        return AzureStore(container, config=config, client_options=client, retry_config=retry)  # type: ignore[arg-type]

    return ObjectStore(
        make,
        prefix=prefix,
        place=Place(redact_url(f"azure://{container}/{prefix}".rstrip("/")), _CREDENTIALS, "container"),
        jobs=jobs,
    )


def _identity(options: Options, environ: Mapping[str, str], shared: Mapping[str, str]) -> dict[str, Any]:
    connection, account = options.text("connection_string"), options.text("account_name")
    key, sas = options.text("account_key"), options.text("sas_token")
    principal = {name: options.text(name) for name in ("tenant_id", "client_id", "client_secret")}
    anonymous = options.flag("allow_anonymous_login")
    # Visual Studio Code and its token cache are never asked here, so excluding them is what happens anyway.
    options.flag("exclude_visual_studio_code_credential")
    options.flag("exclude_shared_token_cache_credential")
    no_environment = options.flag("exclude_environment_credential")
    no_machine = options.flag("exclude_managed_identity_credential")
    config = _account(connection, account, environ, shared)
    if anonymous:
        return {name: config[name] for name in ("account_name", "endpoint") if name in config} | {
            "skip_signature": True
        }
    if all(principal.values()):
        return config | {name: value for name, value in principal.items() if value}
    if not key and not sas and not any(principal.values()):
        key = environ.get("AZURE_STORAGE_KEY") or shared.get("key")
        sas = environ.get("AZURE_STORAGE_SAS_TOKEN") or shared.get("sas_token")
    if key:
        config["account_key"] = _checked_key(key, options)
    elif sas:
        config["sas_key"] = sas.lstrip("?")
    if "use_emulator" in config or "account_key" in config or "sas_key" in config:
        return config
    return config | _default_identity(environ, no_environment=no_environment, no_machine=no_machine)


def _account(
    connection: str | None, account: str | None, environ: Mapping[str, str], shared: Mapping[str, str]
) -> dict[str, Any]:
    if not account and not connection:
        connection = environ.get("AZURE_STORAGE_CONNECTION_STRING") or shared.get("connection_string")
    config = _of_connection_string(connection) if connection else {}
    account = (
        account or config.get("account_name") or environ.get("AZURE_STORAGE_ACCOUNT") or shared.get("account")
    )
    if not account:
        raise BlobDeniedError(
            "no Azure account is named", hint="set it with: ff remote modify <name> account_name <account>"
        )
    return config | {"account_name": account}


def _default_identity(
    environ: Mapping[str, str], *, no_environment: bool, no_machine: bool
) -> dict[str, Any]:
    names = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
    if not no_environment and all(environ.get(name) for name in names):
        return {name.removeprefix("AZURE_").lower(): environ[name] for name in names}
    token = environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if not no_environment and token and environ.get("AZURE_TENANT_ID") and environ.get("AZURE_CLIENT_ID"):
        return {
            "federated_token_file": token,
            "tenant_id": environ["AZURE_TENANT_ID"],
            "client_id": environ["AZURE_CLIENT_ID"],
        }
    machine = environ.get("IDENTITY_ENDPOINT") or environ.get("MSI_ENDPOINT")
    if machine and not no_machine:
        return {"msi_endpoint": machine}
    folder = environ.get("AZURE_CONFIG_DIR") or expand_user("~/.azure", environ)
    if no_machine or os.path.isfile(os.path.join(folder, "azureProfile.json")):
        return {"use_azure_cli": True}
    return {}


def _checked_key(key: str, options: Options) -> str:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise options.bad("account_key", key, "a key of Azure, which is base64") from None
    return key


def _of_connection_string(text: str) -> dict[str, Any]:
    """The parts of ``AccountName=...;AccountKey=...;...``."""
    parts = {
        name.strip().lower(): value.strip()
        for name, _, value in (part.partition("=") for part in text.split(";"))
    }
    if parts.get("usedevelopmentstorage", "").lower() == "true":
        return {"use_emulator": True, "account_name": _EMULATOR_ACCOUNT}
    account, endpoint = parts.get("accountname"), parts.get("blobendpoint")
    if not account and endpoint:
        account = urlsplit(endpoint).netloc.partition(".")[0]
    if not account:
        raise BadRemoteOptionError(
            "option 'connection_string' of an azure remote names no account",
            hint="copy it again from the portal: Access keys, Connection string",
        )
    if not endpoint and parts.get("endpointsuffix"):
        endpoint = (
            f"{parts.get('defaultendpointsprotocol', 'https')}://{account}.blob.{parts['endpointsuffix']}"
        )
    config: dict[str, Any] = {"account_name": account}
    config |= {"endpoint": endpoint.rstrip("/")} if endpoint else {}
    config |= {"account_key": parts["accountkey"]} if parts.get("accountkey") else {}
    config |= {"sas_key": parts["sharedaccesssignature"]} if parts.get("sharedaccesssignature") else {}
    return config


def _shared_config(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The ``[storage]`` section of the Azure command line's own configuration."""
    folder = environ.get("AZURE_CONFIG_DIR") or expand_user("~/.azure", environ)
    parser = configparser.RawConfigParser(strict=False)
    try:
        with open(os.path.join(folder, "config"), encoding="utf-8") as source:
            parser.read_string(source.read(1 << 20))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    return dict(parser.items("storage")) if parser.has_section("storage") else {}
