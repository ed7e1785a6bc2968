"""Logins for registries, from where `docker login` and `podman login` put them.

Docker's ``config.json`` first (``DOCKER_CONFIG``, or ``~/.docker``), then Podman's ``auth.json``
(``REGISTRY_AUTH_FILE``, ``XDG_RUNTIME_DIR``, ``~/.config/containers``). Each holds logins by registry
(``auths``), or names the programs that do (``credHelpers``, ``credsStore``). Nothing is written, and no
secret enters a message.
"""

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from fourfold.base.errors import ConfigError
from fourfold.runs.image.reference import HUB, Reference

_MOST = 1 << 20
#: Seconds that a program may take: it may have to open a key ring.
_PATIENCE = 30.0
_PROGRAM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,80}", re.ASCII)
#: How Docker's tools call the Hub.
_HUB_KEY = "https://index.docker.io/v1/"
_HUB_NAMES = ("index.docker.io", HUB, "registry-1.docker.io")
#: The user for which a program gives an identity token.
_TOKEN_USER = "<token>"


class BadLoginFileError(ConfigError):
    """The file in which Docker or Podman keeps logins cannot be understood."""

    code = "bad-registry-login-file"
    default_hint = "mend that file, or write it anew with: docker login"


class Credential(NamedTuple):
    """One login.

    Attributes:
        user: "" for an identity token.
        secret: Password or token; never to be shown.
        source: Where it is from, for messages.
    """

    user: str
    secret: str
    source: str

    def __repr__(self) -> str:
        return f"Credential(from {self.source})"


class Found(NamedTuple):
    """What was found.

    Attributes:
        credential: None where there is none.
        trouble: What kept a program from telling; "" when nothing did.
    """

    credential: Credential | None
    trouble: str = ""


def find(reference: Reference, environ: Mapping[str, str]) -> Found:
    """The login for the registry of an image.

    Raises:
        BadLoginFileError: a file of logins cannot be understood.
    """
    trouble = ""
    for path in _files(environ):
        try:
            with open(path, "rb") as file:
                data = file.read(_MOST + 1)
        except OSError:
            continue
        found = _in_file(_parse(data, path), path, reference, environ)
        if found.credential is not None:
            return found
        trouble = trouble or found.trouble
    return Found(None, trouble)


def _files(environ: Mapping[str, str]) -> Iterator[str]:
    home = environ.get("HOME", "")
    docker = environ.get("DOCKER_CONFIG") or (os.path.join(home, ".docker") if home else "")
    if docker:
        yield os.path.join(docker, "config.json")
    if environ.get("REGISTRY_AUTH_FILE"):
        yield environ["REGISTRY_AUTH_FILE"]
    if environ.get("XDG_RUNTIME_DIR"):
        yield os.path.join(environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    config = environ.get("XDG_CONFIG_HOME") or (os.path.join(home, ".config") if home else "")
    if config:
        yield os.path.join(config, "containers", "auth.json")


def _parse(data: bytes, path: str) -> dict[str, Any]:
    try:
        document = json.loads(data) if len(data) <= _MOST else None
    except (ValueError, RecursionError):
        document = None  # what stands there may be secret: no part of it is shown
    if not isinstance(document, dict):
        raise BadLoginFileError(f"{path} is not a JSON object")
    return document


def _in_file(document: dict[str, Any], path: str, reference: Reference, environ: Mapping[str, str]) -> Found:
    helpers = document.get("credHelpers")
    keys = _keys(reference)
    program = document.get("credsStore")
    if isinstance(helpers, dict):
        program = next((helpers[key] for key in keys if isinstance(helpers.get(key), str)), program)
    trouble = ""
    if isinstance(program, str) and program:
        server = _HUB_KEY if reference.registry == HUB else reference.registry
        found = _ask(program, server, environ)
        if found.credential is not None:
            return found
        trouble = found.trouble
    auths = document.get("auths")
    if isinstance(auths, dict):
        plain = {_plain(key): value for key, value in auths.items()}
        for key in keys:
            entry = plain.get(_plain(key))
            credential = _login(entry, path) if isinstance(entry, dict) else None
            if credential is not None:
                return Found(credential)
    return Found(None, trouble)


def _keys(reference: Reference) -> list[str]:
    """Under which names a login may stand: the longest path first, as Podman has it."""
    hosts = (_HUB_KEY, *_HUB_NAMES) if reference.registry == HUB else (reference.registry,)
    below = reference.repository.split("/")
    paths = ["/".join(below[:at]) for at in range(len(below), 0, -1)]
    names = hosts[1:] if reference.registry == HUB else hosts
    return [*(f"{host}/{path}" for path in paths for host in names), *hosts]


def _plain(key: str) -> str:
    """A name without what Docker's older versions put around it."""
    bare = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    return bare.removesuffix("/v1").removesuffix("/v2")


def _login(entry: dict[str, Any], path: str) -> Credential | None:
    token = entry.get("identitytoken")
    if isinstance(token, str) and token:
        return Credential("", token, path)
    auth = entry.get("auth")
    if isinstance(auth, str) and auth:
        try:
            user, colon, secret = base64.b64decode(auth, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            user, colon, secret = "", "", ""
        if not colon:
            raise BadLoginFileError(f"a login in {path} is not in base64")
        return Credential(user, secret.rstrip("\0"), path)
    name, password = entry.get("username"), entry.get("password")
    if isinstance(name, str) and isinstance(password, str) and name:
        return Credential(name, password, path)
    return None


def _ask(program: str, server: str, environ: Mapping[str, str]) -> Found:
    """Ask one of Docker's programs for credentials."""
    if not _PROGRAM.fullmatch(program):
        return Found(None, "the name of the program for credentials is no name")
    name = f"docker-credential-{program}"
    path = shutil.which(name, path=environ.get("PATH", os.defpath))
    if path is None:
        return Found(None, f"{name} is not installed")
    try:
        done = subprocess.run(
            [path, "get"],
            input=server.encode(),
            env=dict(environ),
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        return Found(None, f"{name} did not run: {type(error).__name__}")
    if done.returncode:
        missing = b"not found" in done.stdout
        return Found(None, "" if missing else f"{name} failed with exit code {done.returncode}")
    credential = _told(done.stdout, name)
    return Found(credential, "" if credential else f"{name} did not answer as it should")


def _told(answer: bytes, name: str) -> Credential | None:
    """What a program said; None where it makes no sense."""
    try:
        document = json.loads(answer[:_MOST])
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    user, secret = document.get("Username"), document.get("Secret")
    if not isinstance(user, str) or not isinstance(secret, str):
        return None
    return Credential("" if user == _TOKEN_USER else user, secret, name)
