"""Who we are to S3: the chain of credentials that Amazon's own tools follow.

Options of the remote, environment, a profile (keys, role, web identity, single sign-on, a process
of the user's own), then what the machine gives (container, instance). The answer is configuration
for the native client and, where credentials must be fetched, a provider that fetches them.
Order: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from fourfold.base.errors import FourfoldError
from fourfold.storage.blob.aws_profile import AwsProfileError, Profile
from fourfold.storage.blob.aws_sts import Keys, assume_role, read_time, single_sign_on
from fourfold.storage.blob.protocol import BlobDeniedError
from fourfold.storage.options import BadRemoteOptionError, Options, expand_user

_PROCESS_TIMEOUT = 120
_OUTSIDE = (
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "container_credentials_relative_uri"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "container_credentials_full_uri"),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "container_authorization_token_file"),
)


class Identity(NamedTuple):
    """How to sign.

    Attributes:
        config: Keys of the native client's configuration.
        fetch: Gets temporary keys, where the client cannot by itself.
    """

    config: Mapping[str, Any]
    fetch: Callable[[], Keys] | None = None


def find_identity(options: Options, profile: Profile, environ: Mapping[str, str], region: str) -> Identity:
    """The first identity of the chain.

    Raises:
        BadRemoteOptionError: half of a pair of keys is configured.
        AwsProfileError: the profile asks for what we do not do.
    """
    anonymous = options.flag("allow_anonymous_login")
    given = (options.text("access_key_id"), options.text("secret_access_key"), options.text("session_token"))
    if anonymous:
        return Identity({"skip_signature": True})
    if given[0] or given[1]:
        return Identity(_pair(given, "the remote"))
    if not profile.chosen and environ.get("AWS_ACCESS_KEY_ID"):
        token = environ.get("AWS_SESSION_TOKEN") or environ.get("AWS_SECURITY_TOKEN")
        pair = (environ["AWS_ACCESS_KEY_ID"], environ.get("AWS_SECRET_ACCESS_KEY"), token)
        return Identity(_pair(pair, "the environment"))
    found = _from_profile(profile, profile.values, environ, region)
    if found is not None:
        return found
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environ.get("AWS_ROLE_ARN"):
        return _web_identity(
            environ["AWS_WEB_IDENTITY_TOKEN_FILE"],
            environ["AWS_ROLE_ARN"],
            environ.get("AWS_ROLE_SESSION_NAME"),
        )
    outside: dict[str, Any] = {ours: environ[name] for name, ours in _OUTSIDE if environ.get(name)}
    if environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT"):
        outside["metadata_endpoint"] = environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"]
    if not outside and environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        raise BlobDeniedError(
            "no AWS credentials found: none in the remote, the environment or the profiles",
            hint="set them with: ff remote modify --local <name> access_key_id <key>, and secret_access_key",
        )
    return Identity(outside)


def _pair(keys: tuple[str | None, str | None, str | None], where: str) -> dict[str, str]:
    access, secret, token = keys
    if not access or not secret:
        missing = "secret_access_key" if access else "access_key_id"
        raise BadRemoteOptionError(
            f"{where} has half of a pair of S3 credentials: {missing} is missing",
            hint=f"set it with: ff remote modify --local <name> {missing} <value>",
        )
    pair = {"access_key_id": access, "secret_access_key": secret}
    return pair | {"session_token": token} if token else pair


def _from_profile(
    profile: Profile, values: Mapping[str, str], environ: Mapping[str, str], region: str
) -> Identity | None:
    if values.get("role_arn") and values.get("web_identity_token_file"):
        return _web_identity(
            expand_user(values["web_identity_token_file"], environ),
            values["role_arn"],
            values.get("role_session_name"),
        )
    if values.get("role_arn"):
        return _role(profile, values, environ, region)
    if values.get("sso_account_id") and values.get("sso_role_name"):
        return _single_sign_on(profile, values, environ)
    if values.get("aws_access_key_id"):
        token = values.get("aws_session_token") or values.get("aws_security_token")
        keys = (values["aws_access_key_id"], values.get("aws_secret_access_key"), token)
        return Identity(_pair(keys, f"AWS profile {profile.name!r}"))
    if values.get("credential_process"):
        if not profile.trusted:
            raise AwsProfileError(
                f"AWS profile {profile.name!r} wants to run a program, and its file was named by the remote",
                hint="put that profile into your own ~/.aws/config; programs of other files are never run",
            )
        command = values["credential_process"]
        return Identity({}, lambda: _run_process(command, environ))
    return None


def _web_identity(token_file: str, role: str, session: str | None) -> Identity:
    config = {"web_identity_token_file": token_file, "role_arn": role}
    return Identity(config | {"role_session_name": session} if session else config)


def _role(profile: Profile, values: Mapping[str, str], environ: Mapping[str, str], region: str) -> Identity:
    """Keys of a role, asked from STS with the keys of another profile."""
    if values.get("mfa_serial"):
        raise AwsProfileError(
            f"AWS profile {profile.name!r} needs a code of a second factor",
            hint="export temporary keys first: aws configure export-credentials --format env",
        )
    source = values.get("source_profile")
    if source is None and values.get("credential_source") == "Environment":
        pair = (
            environ.get("AWS_ACCESS_KEY_ID"),
            environ.get("AWS_SECRET_ACCESS_KEY"),
            environ.get("AWS_SESSION_TOKEN"),
        )
        base: Identity | None = Identity(_pair(pair, "the environment"))
    elif source is not None:
        base = _source_identity(profile, source, values, environ, region)
    else:
        base = None
    if base is None or (base.fetch is None and "access_key_id" not in base.config):
        raise AwsProfileError(
            f"AWS profile {profile.name!r} assumes a role from an identity that is not supported",
            hint="export temporary keys first: aws configure export-credentials --format env",
        )
    origin = base

    def fetch() -> Keys:
        return assume_role(_static_keys(origin), values, region, environ.get("AWS_ENDPOINT_URL_STS"))

    return Identity({}, fetch)


def _source_identity(
    profile: Profile, source: str, values: Mapping[str, str], environ: Mapping[str, str], region: str
) -> Identity | None:
    origin = profile.sections.get(source)
    if origin is None:
        raise AwsProfileError(
            f"AWS profile {profile.name!r} names a source_profile that is not there: {source!r}"
        )
    if source == profile.name or origin is values:  # a role over the keys of the same section
        origin = {key: value for key, value in origin.items() if key != "role_arn"}
    rest = {name: section for name, section in profile.sections.items() if name != source}
    return _from_profile(profile._replace(name=source, sections=rest), origin, environ, region)


def _static_keys(identity: Identity) -> Keys:
    if identity.fetch is not None:
        return identity.fetch()
    config = identity.config
    return config["access_key_id"], config["secret_access_key"], config.get("session_token"), None


def _single_sign_on(profile: Profile, values: Mapping[str, str], environ: Mapping[str, str]) -> Identity:
    session = values.get("sso_session")
    section = profile.services.get(f"sso-session {session}", {}) if session else values
    start, sso_region = section.get("sso_start_url"), section.get("sso_region")
    if not start or not sso_region:
        raise AwsProfileError(f"AWS profile {profile.name!r} has no sso_start_url and sso_region")
    cache = expand_user("~/.aws/sso/cache", environ)
    endpoint = environ.get("AWS_ENDPOINT_URL_SSO") or f"https://portal.sso.{sso_region}.amazonaws.com"
    account, role, name = values["sso_account_id"], values["sso_role_name"], profile.name

    def fetch() -> Keys:
        return single_sign_on(cache, session or start, endpoint, account, role, name)

    return Identity({}, fetch)


def _run_process(command: str, environ: Mapping[str, str]) -> Keys:
    """Run the user's own ``credential_process`` and read its answer."""
    import shlex  # noqa: PLC0415 - only this branch

    hint = "run that program by hand to see what it says"
    try:
        done = subprocess.run(
            shlex.split(command), capture_output=True, timeout=_PROCESS_TIMEOUT, check=True, env=dict(environ)
        )
        answer = json.loads(done.stdout)
        return (
            answer["AccessKeyId"],
            answer["SecretAccessKey"],
            answer.get("SessionToken"),
            read_time(answer.get("Expiration")),
        )
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        raise BlobDeniedError(
            f"the credential_process of the AWS profile failed: {type(error).__name__}", hint=hint
        ) from None


def as_provider(
    fetch: Callable[[], Keys], keep: Callable[[FourfoldError], None]
) -> Callable[[], dict[str, Any]]:
    """``fetch`` in the shape that the native client calls.

    An error of ours cannot pass through the client with its type: ``keep`` is handed it first.
    """

    def provide() -> dict[str, Any]:
        try:
            access, secret, token, ends = fetch()
        except FourfoldError as error:
            keep(error)
            raise
        # The client asks again a little before the end; keys without an end are asked for hourly.
        return {
            "access_key_id": access,
            "secret_access_key": secret,
            "token": token,
            "expires_at": ends or datetime.now(UTC) + timedelta(hours=1),
        }

    return provide
