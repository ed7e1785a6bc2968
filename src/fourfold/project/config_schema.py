"""What may stand in a configuration: sections, options, the type of each; and how a value is checked.

The tables follow DVC 3.67.1 (configuration reference, https://dvc.org/doc/command-reference/config);
where DVC's own schema can never accept a value from a file (``cache_regions``, ``replication``), the
evident type stands here. Levels, merging and meaning are `fourfold.project.config`.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from fourfold.base.errors import ConfigError
from fourfold.formats.dvc.config import Key, Value

Checked = str | int | float | bool | list[str]


class UnknownOptionError(ConfigError):
    """A section or option that the configuration does not have."""

    code = "config-unknown-option"


class BadOptionValueError(ConfigError):
    """An option's value is not of its type; the message says what is expected."""

    code = "config-bad-value"


class UnsupportedUrlError(ConfigError):
    """A remote's URL has a scheme that no kind of remote has."""

    code = "config-unsupported-url"


class Origin(NamedTuple):
    """Where a value comes from: a level (``system``, ``global``, ``project``, ``local``) and its file."""

    level: str
    file: str


class _Wrong(Exception):  # noqa: N818 - a signal between a check and its caller, never seen outside
    """A value does not fit; the message says what would."""


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise _Wrong("one value, not a list; quote it when it holds a comma")


def _lower(value: Value) -> str:
    return _text(value).lower()


def _bool(value: Value) -> bool:
    word = _text(value).lower()
    if word in {"true", "false"}:
        return word == "true"
    raise _Wrong("true or false")


def _integer(least: int | None) -> Callable[[Value], int]:
    def check(value: Value) -> int:
        text = _text(value)
        try:
            number = int(text) if len(text) < 20 else None
        except ValueError:
            number = None
        if number is None:
            raise _Wrong("a whole number")
        if least is not None and number < least:
            raise _Wrong(f"a whole number, at least {least}")
        return number

    return check


def _number(value: Value) -> float:
    try:
        number = float(_text(value))
    except ValueError:
        number = -1.0
    if number >= 0:
        return number
    raise _Wrong("a number, at least 0")


def _choice(*choices: str) -> Callable[[Value], str]:
    def check(value: Value) -> str:
        word = _text(value).lower()
        if word in choices:
            return word
        raise _Wrong("one of " + ", ".join(choices))

    return check


def _bool_or_text(value: Value) -> bool | str:
    text = _text(value)
    word = text.lower()
    return word == "true" if word in {"true", "false"} else text


LINK_TYPES = ("reflink", "hardlink", "symlink", "copy")


def link_types(value: Value) -> list[str]:
    """Read ``cache.type``: a list, or names joined by commas."""
    names = value if isinstance(value, list) else [name.strip() for name in value.split(",")]
    for name in names:
        if name not in LINK_TYPES:
            raise _Wrong("a list of " + ", ".join(LINK_TYPES))
    return names


Check = Callable[[Value], Checked]
_INT = _integer(None)
_POSITIVE = _integer(1)

_REMOTE: dict[str, Check] = {
    "url": _text,
    "checksum_jobs": _POSITIVE,
    "jobs": _POSITIVE,
    "worktree": _bool,
    "no_traverse": _bool,
    "version_aware": _bool,
}
_LOCAL: dict[str, Check] = {
    "type": link_types,
    "protected": _bool,
    "shared": _choice("group"),
    "slow_link_warning": _bool,
    "verify": _bool,
}


def _texts(names: str) -> dict[str, Check]:
    return dict.fromkeys(names.split(), _text)


def _bools(names: str) -> dict[str, Check]:
    return dict.fromkeys(names.split(), _bool)


def _ints(names: str) -> dict[str, Check]:
    return dict.fromkeys(names.split(), _INT)


_HTTP: dict[str, Check] = {
    "auth": _choice("basic", "digest", "custom"),
    **_texts("custom_auth_header user password method"),
    **_bools("ask_password verify"),
    "ssl_verify": _bool_or_text,
    "connect_timeout": _number,
    "read_timeout": _number,
}
_WEBDAV: dict[str, Check] = {
    **_texts("user password token bearer_token_command custom_auth_header cert_path key_path"),
    **_bools("ask_password verify"),
    "ssl_verify": _bool_or_text,
    "timeout": _INT,
}
#: The options of each kind of remote, besides the common ones.
REMOTES: dict[str, dict[str, Check]] = {
    "": _LOCAL,
    "s3": {
        **_texts(
            "region profile credentialpath configpath endpointurl access_key_id secret_access_key"
            " session_token sse sse_kms_key_id sse_customer_algorithm sse_customer_key acl grant_read"
            " grant_read_acp grant_write_acp grant_full_control"
        ),
        **_bools("listobjects use_ssl allow_anonymous_login cache_regions verify"),
        **_ints("read_timeout connect_timeout"),
        "ssl_verify": _bool_or_text,
    },
    "gs": {**_texts("projectname credentialpath endpointurl"), **_bools("verify allow_anonymous_login")},
    "ssh": {
        "type": link_types,
        **_texts("user password passphrase keyfile"),
        **_bools("ask_password ask_passphrase gss_auth allow_agent verify"),
        **_ints("port timeout max_sessions"),
    },
    "hdfs": {**_texts("user kerb_ticket"), **_ints("replication")},
    "webhdfs": {
        **_texts("kerberos_principal proxy_to token user password data_proxy_target"),
        **_bools("kerberos use_https verify"),
        "ssl_verify": _bool_or_text,
    },
    "azure": {
        **_texts("connection_string sas_token account_name account_key tenant_id client_id client_secret"),
        **_bools(
            "allow_anonymous_login exclude_environment_credential exclude_visual_studio_code_credential"
            " exclude_shared_token_cache_credential exclude_managed_identity_credential verify"
        ),
        **_ints("timeout read_timeout connection_timeout"),
    },
    "oss": {**_texts("oss_key_id oss_key_secret oss_endpoint"), **_bools("verify")},
    "gdrive": {
        **_texts(
            "profile gdrive_client_id gdrive_client_secret gdrive_user_credentials_file"
            " gdrive_service_account_user_email gdrive_service_account_json_file_path"
        ),
        **_bools("gdrive_use_service_account gdrive_trash_only gdrive_acknowledge_abuse verify"),
    },
    "http": _HTTP,
    "https": _HTTP,
    "webdav": _WEBDAV,
    "webdavs": _WEBDAV,
}
#: The options of every other section.
SECTIONS: dict[str, dict[str, Check]] = {
    "core": {
        "remote": _lower,
        "checksum_jobs": _POSITIVE,
        **_bools("interactive analytics hardlink_lock no_scm autostage experiments check_update"),
        "site_cache_dir": _text,
        "machine": _lower,
    },
    "cache": {**_texts("local s3 gs hdfs webhdfs ssh azure dir"), **_LOCAL},
    "state": {"dir": _text, "row_limit": _POSITIVE, "row_cleanup_quota": _integer(0)},
    "index": {"dir": _text},
    "plots": {**_texts("html_template out_dir"), "auto_open": _bool},
    "exp": {**_texts("code data models metrics params plots live git_remote"), "auto_push": _bool},
    "parsing": {"bool": _choice("store_true", "boolean_optional"), "list": _choice("nargs", "append")},
    "hydra": {**_texts("config_dir config_module config_name plugins_path"), "enabled": _bool},
    "studio": {**_texts("token url repo_url"), "offline": _bool},
}
#: Options of which a section may have one.
_EXCLUSIVE: dict[Key, tuple[str, ...]] = {"hydra": ("config_dir", "config_module")}
_DB: dict[str, Check] = _texts("url username password")
_MACHINE: dict[str, Check] = {
    "cloud": _choice("aws", "azure"),
    "region": _choice("us-west", "us-east", "eu-west", "eu-north"),
    **_texts("image ssh_private startup_script setup_script"),
    "spot": _bool,
    "spot_price": _number,
    "instance_hdd_size": _INT,
    "instance_type": _lower,
    "instance_gpu": _lower,
}
#: Options that DVC still reads but no longer means anything by.
OBSOLETE = frozenset(
    {"no_traverse", "protected", "listobjects", "experiments", "local", "s3", "gs", "hdfs", "webhdfs", "ssh"}
    | {"azure", "row_limit", "row_cleanup_quota", "code", "data", "models", "metrics", "params", "live"}
)


def scheme_of(url: str) -> str:
    """The kind of remote that a URL names: its scheme, or ``""`` for a folder of this machine."""
    scheme, separator, rest = url.partition("://")
    if not separator or not rest or rest[0] == "/" or not scheme.replace("+", "").replace("-", "").isalnum():
        return ""
    return scheme.lower()


def options_of(section: Key, url: str | None = None) -> Mapping[str, Check] | None:
    """The options of a section; None when there is no such section, or no such kind of remote.

    Args:
        section: Its key.
        url: For a remote, its URL; without one, or with ``remote://``, the options of all kinds.
    """
    if isinstance(section, str):
        return SECTIONS.get(section)
    if section[0] == "db":
        return _DB
    if section[0] == "machine":
        return _MACHINE
    scheme = "remote" if url is None else scheme_of(url)
    if scheme == "remote":
        return {name: check for table in [*REMOTES.values(), _REMOTE] for name, check in table.items()}
    kind = REMOTES.get(scheme)
    return None if kind is None else {**kind, **_REMOTE}


def check_value(section: Key, option: str, value: Value, url: str | None, origin: Origin) -> Checked:
    """The typed value of one option.

    Raises:
        UnknownOptionError: there is no such section or option.
        UnsupportedUrlError: the remote's URL has an unknown scheme.
        BadOptionValueError: the value is not of its type.
    """
    if section == "feature":
        return value  # experimental switches: DVC reads and ignores them
    table = options_of(section, url)
    where = f"{origin.file}: " if origin.file else ""
    if table is None:
        raise _no_section(section, url, where)
    check = table.get(option)
    if check is None:
        from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

        listed = f"it has: {', '.join(sorted(set(table) - OBSOLETE))}"
        raise UnknownOptionError(
            f"{where}{_shown(section)} has no option '{option}'",
            hint=did_you_mean(option, table, listed),
        )
    try:
        return check(value)
    except _Wrong as wrong:
        given = "" if check is _text else f", not {_short(value)}"  # a text may be secret
        raise BadOptionValueError(
            f"{where}{_shown(section)}: '{option}' must be {wrong}{given}",
            hint=f"set it with: {command_for(section, option)}",
        ) from None


def check_together(section: Key, options: Mapping[str, object], file: str) -> None:
    """Check that options of one section do not exclude each other.

    Raises:
        BadOptionValueError: two of them do.
    """
    both = [option for option in _EXCLUSIVE.get(section, ()) if option in options]
    if len(both) > 1:
        where = f"{file}: " if file else ""
        raise BadOptionValueError(
            f"{where}{_shown(section)}: '{both[0]}' and '{both[1]}' exclude each other",
            hint=f"remove one with: ff config --unset {section}.{both[1]}",
        )


def _short(value: Value) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _no_section(section: Key, url: str | None, where: str) -> ConfigError:
    from fourfold.base.suggest import did_you_mean  # noqa: PLC0415 - only a mistake pays for it

    if isinstance(section, tuple):
        return UnsupportedUrlError(
            f"{where}remote '{section[1]}': unsupported URL type {scheme_of(url or '')}://",
            hint=did_you_mean(scheme_of(url or ""), REMOTES, f"known: {', '.join(filter(None, REMOTES))}"),
        )
    if not section:
        return UnknownOptionError(
            f"{where}an option stands before the first section", hint="begin the file with a section: [core]"
        )
    if section in {"remote", "db", "machine"}:
        return UnknownOptionError(
            f"{where}section [{section}] has no name", hint=f"write it as ['{section} \"name\"']"
        )
    known = [*SECTIONS, "remote", "db"]
    return UnknownOptionError(
        f"{where}there is no section '{section}'",
        hint=did_you_mean(section, known, f"sections are: {', '.join(known)}"),
    )


def _shown(section: Key) -> str:
    return f"section '{section}'" if isinstance(section, str) else f"{section[0]} '{section[1]}'"


def command_for(section: Key, option: str, level: str = "") -> str:
    """The command that sets an option, for a hint."""
    flag = f"--{level} " if level else ""
    if isinstance(section, str):
        return f"ff config {flag}{section}.{option} <value>"
    if section[0] == "remote":
        return f"ff remote modify {flag}{section[1]} {option} <value>"
    return f"ff config {flag}{section[0]}.{section[1]}.{option} <value>"
