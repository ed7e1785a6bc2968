"""The shared configuration of Amazon's tools: profiles of ``~/.aws/config`` and ``~/.aws/credentials``.

Reads the two files and gives the merged values of one profile. Which value wins over which option
is decided in `aws_identity` and `s3`; no request is made here.
Format: https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

import configparser
from collections.abc import Mapping
from typing import NamedTuple

from fourfold.base.errors import ConfigError, from_os_error
from fourfold.storage.options import expand_user

_MAX_BYTES = 4 << 20


class AwsProfileError(ConfigError):
    """A profile is named that no file defines, or a file of profiles cannot be read."""

    code = "aws-profile"


class Profile(NamedTuple):
    """One profile.

    Attributes:
        name: Its name; ``default`` where nobody chose.
        chosen: Whether an option of the remote named it, which outranks credentials of the environment.
        values: Merged keys of both files; credentials win over config.
        s3: The nested ``s3 =`` section.
        trusted: Whether the config file is the user's own, not one that the remote's options name.
        sections: Every profile, for ``source_profile``.
        services: Sections ``[services ...]`` and ``[sso-session ...]`` by their full heading.
    """

    name: str
    chosen: bool
    values: Mapping[str, str]
    s3: Mapping[str, str]
    trusted: bool
    sections: Mapping[str, Mapping[str, str]]
    services: Mapping[str, Mapping[str, str]]


def read_profile(
    name: str | None, config_file: str | None, credentials_file: str | None, environ: Mapping[str, str]
) -> Profile:
    """Read the profile that the option ``name``, else ``AWS_PROFILE``, else nobody chooses.

    The two file arguments are the remote's ``configpath`` and ``credentialpath``; as in DVC, the
    variables ``AWS_CONFIG_FILE`` and ``AWS_SHARED_CREDENTIALS_FILE`` win over them.

    Raises:
        AwsProfileError: the profile does not exist, or a file is no such file.
    """
    config = environ.get("AWS_CONFIG_FILE") or config_file or "~/.aws/config"
    credentials = environ.get("AWS_SHARED_CREDENTIALS_FILE") or credentials_file or "~/.aws/credentials"
    services: dict[str, Mapping[str, str]] = {}
    profiles: dict[str, dict[str, str]] = {}
    for heading, values in _read(expand_user(config, environ)).items():
        kind, _, label = heading.partition(" ")
        if heading == "default" or (kind == "profile" and label):
            profiles[_unquote(label) if label else "default"] = dict(values)
        else:
            services[f"{kind} {_unquote(label)}"] = values
    for heading, values in _read(expand_user(credentials, environ)).items():
        profiles.setdefault(_unquote(heading), {}).update(values)
    wanted = name or environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or "default"
    if wanted not in profiles and wanted != "default":
        known = ", ".join(sorted(profiles)[:20]) or "none"
        raise AwsProfileError(
            f"there is no AWS profile {wanted!r} in {config} or {credentials}",
            hint=f"the profiles there: {known}",
        )
    values = profiles.get(wanted, {})
    trusted = not config_file or bool(environ.get("AWS_CONFIG_FILE"))
    return Profile(
        wanted, name is not None, values, _nested(values.get("s3", "")), trusted, profiles, services
    )


def _read(path: str) -> dict[str, dict[str, str]]:
    try:
        with open(path, encoding="utf-8", errors="strict") as source:
            text = source.read(_MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError as error:
        raise AwsProfileError(f"{path} is not UTF-8 text") from error
    except OSError as error:
        raise from_os_error(error, "reading the AWS profiles") from error
    parser = configparser.RawConfigParser(strict=False, default_section="\x00none")
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        # The text of the error quotes the line, which may hold a secret.
        raise AwsProfileError(
            f"{path} is not a file of AWS profiles: {type(error).__name__}",
            hint="compare it with: aws configure list",
        ) from None
    return {section.strip(): dict(parser.items(section)) for section in parser.sections()}


def _nested(text: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _unquote(label: str) -> str:
    return label.strip().strip("\"'")
