"""SSH connections as the user's own ``ssh`` makes them: ``~/.ssh/config``, known hosts, keys, agent.

Gives connected clients; files are the matter of `sftp`. An unknown host key is refused, never
added. A ``ProxyCommand`` runs only from the user's own ``~/.ssh/config``.
"""

import os
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

import paramiko

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.protocol import (
    BlobDeniedError,
    BlobTimeoutError,
    BlobUnavailableError,
)
from fourfold.storage.options import expand_user

_TIMEOUT = 60.0
_KEEP_ALIVE = 30
_MAX_JUMPS = 8


class Address(NamedTuple):
    """Whom to connect to, and how.

    Attributes:
        host: As the URL names it, which may be an alias of ``~/.ssh/config``.
        port: None for the configured one, else 22.
        user: None for the configured one, else the local user.
        password: For the login.
        passphrase: For the key file.
        keyfile: Instead of the configured ones.
        timeout: Seconds to wait for a connection, a banner and a login.
        agent: Whether the agent's keys may be used.
    """

    host: str
    port: int | None = None
    user: str | None = None
    password: str | None = None
    passphrase: str | None = None
    keyfile: str | None = None
    timeout: float = _TIMEOUT
    agent: bool = True


def connect(address: Address, environ: Mapping[str, str]) -> paramiko.SSHClient:
    """A connected client.

    Raises:
        BlobDeniedError: the login is refused, or the host's key is unknown or has changed.
        BlobUnavailableError: the host cannot be reached.
    """
    return _connect(address, _read_config(environ), environ, _MAX_JUMPS)


def _connect(
    address: Address, config: paramiko.SSHConfig, environ: Mapping[str, str], jumps: int
) -> paramiko.SSHClient:
    found: dict[str, Any] = config.lookup(address.host)
    host = found.get("hostname", address.host)
    port = address.port or int(found.get("port", 22))
    where = f"ssh://{address.host}" + (f":{port}" if port != 22 else "")
    keys = [address.keyfile] if address.keyfile else found.get("identityfile", [])
    client = paramiko.SSHClient()
    known = expand_user("~/.ssh/known_hosts", environ)
    for path in ("/etc/ssh/ssh_known_hosts", known):
        if os.path.isfile(path):
            client.load_system_host_keys(path)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    try:
        client.connect(
            host,
            port,
            username=address.user or found.get("user") or environ.get("USER") or environ.get("LOGNAME"),
            password=address.password,
            passphrase=address.passphrase,
            key_filename=[expand_user(key, environ) for key in keys] or None,
            timeout=address.timeout,
            banner_timeout=address.timeout,
            auth_timeout=address.timeout,
            allow_agent=address.agent,
            look_for_keys=address.password is None and not keys,
            sock=_detour(found, config, environ, (host, port), jumps),
        )
    except BaseException as error:
        client.close()
        typed = failure(error, where)
        if typed is None:
            raise
        raise typed from error
    transport = client.get_transport()
    if transport is not None:
        transport.set_keepalive(_KEEP_ALIVE)
    return client


def failure(error: BaseException, where: str) -> FourfoldError | None:
    """The typed error for a failed connection or login; None for what is neither."""
    refused = _refused(error, where)
    if refused is not None:
        return refused
    if isinstance(error, TimeoutError):
        return BlobTimeoutError(f"{where} did not answer in time")
    if isinstance(error, socket.gaierror):
        return BlobUnavailableError(
            f"the name of {where} cannot be resolved", hint="check the url", refused=True
        )
    if isinstance(error, ConnectionRefusedError | paramiko.ssh_exception.NoValidConnectionsError):
        return BlobUnavailableError(
            f"{where} refuses connections", hint="check the host and the port", refused=True
        )
    if isinstance(error, paramiko.SSHException | EOFError | OSError):
        return BlobUnavailableError(f"the connection to {where} broke", hint="run the same command again")
    return None


def _refused(error: BaseException, where: str) -> BlobDeniedError | None:
    how = "; to set one: ff remote modify --local <name> <option> <value>"
    if isinstance(error, paramiko.BadHostKeyException):
        return BlobDeniedError(
            f"the host key of {where} has changed: somebody may be in between",
            hint="if the server was installed anew, remove the old key with: ssh-keygen -R <host>",
        )
    if isinstance(error, paramiko.PasswordRequiredException):
        return BlobDeniedError(f"the key for {where} is encrypted", hint=f"set its passphrase{how}")
    if isinstance(error, paramiko.AuthenticationException):
        return BlobDeniedError(
            f"{where} refuses our login", hint=f"check user, password and keyfile of the remote{how}"
        )
    if isinstance(error, paramiko.SSHException):
        if "known_hosts" in str(error):
            return BlobDeniedError(
                f"the host key of {where} is not known", hint="log in once with ssh to see and accept it"
            )
        if "No authentication methods available" in str(error):
            return BlobDeniedError(
                f"there is no key or password for {where}", hint=f"set keyfile or password{how}"
            )
    return None


def _detour(
    found: Mapping[str, Any],
    config: paramiko.SSHConfig,
    environ: Mapping[str, str],
    target: tuple[str, int],
    jumps: int,
) -> Any:
    """What a connection goes through instead of a plain socket, if the user's configuration says so."""
    command, jump = found.get("proxycommand"), found.get("proxyjump")
    if command and command.lower() != "none":
        return paramiko.ProxyCommand(command)
    if not jump or jump.lower() == "none":
        return None
    if jumps <= 0:
        raise BlobUnavailableError(f"ssh://{target[0]}: too many ProxyJump hosts in ~/.ssh/config")
    user, _, rest = jump.split(",")[-1].strip().rpartition("@")
    name, _, port = rest.partition(":")
    via = Address(name, int(port) if port.isdigit() else None, user or None)
    client = _connect(via, config, environ, jumps - 1)
    transport = client.get_transport()
    if transport is None:
        raise BlobUnavailableError(f"the connection to ssh://{name} broke")
    channel = transport.open_channel("direct-tcpip", target, ("127.0.0.1", 0))
    channel.jump_client = client  # lives as long as what goes through it
    return channel


def _read_config(environ: Mapping[str, str]) -> paramiko.SSHConfig:
    try:
        return paramiko.SSHConfig.from_path(expand_user("~/.ssh/config", environ))
    except OSError:
        return paramiko.SSHConfig()
    except paramiko.ConfigParseError as error:
        raise BlobUnavailableError(
            "~/.ssh/config cannot be understood", hint="compare: ssh -G <host>"
        ) from error
