"""Who we are to S3: the chain of credentials, in the order of Amazon's own tools."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha1
from pathlib import Path

import pytest

from fourfold.storage.blob.aws_identity import Identity, find_identity
from fourfold.storage.blob.aws_profile import AwsProfileError, read_profile
from fourfold.storage.blob.protocol import BlobDeniedError
from fourfold.storage.options import BadRemoteOptionError, Options
from fourfold.storage.schemes import open_store
from tests.fixtures.http_files import HttpFiles, Script
from tests.fixtures.servers import S3Server


def pair(access: str, secret: str = "secret") -> dict[str, str]:
    return {"access_key_id": access, "secret_access_key": secret}


def home(folder: Path, *, config: str = "", credentials: str = "") -> dict[str, str]:
    (folder / ".aws").mkdir(exist_ok=True)
    (folder / ".aws" / "config").write_text(config)
    (folder / ".aws" / "credentials").write_text(credentials)
    return {"HOME": str(folder)}


def identity(options: Mapping[str, str], environ: Mapping[str, str]) -> Identity:
    given = Options("s3", options)
    profile = read_profile(
        given.text("profile"), given.text("configpath"), given.text("credentialpath"), environ
    )
    return find_identity(given, profile, environ, "us-east-1")


def test_options_of_the_remote_come_first(tmp_path: Path) -> None:
    environ = home(tmp_path, credentials="[default]\naws_access_key_id=FILE\naws_secret_access_key=f\n")
    environ |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e"}
    assert identity(pair("OPTION"), environ).config == pair("OPTION")


def test_then_the_environment_with_its_token(tmp_path: Path) -> None:
    environ = home(tmp_path, credentials="[default]\naws_access_key_id=FILE\naws_secret_access_key=f\n")
    environ |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e", "AWS_SESSION_TOKEN": "t"}
    assert identity({}, environ).config == pair("ENV", "e") | {"session_token": "t"}


def test_then_the_profile_of_the_environment_or_the_default_one(tmp_path: Path) -> None:
    text = (
        "[default]\naws_access_key_id=D\naws_secret_access_key=d\n"
        "[work]\naws_access_key_id=W\naws_secret_access_key=w\n"
    )
    environ = home(tmp_path, credentials=text)
    assert identity({}, environ).config == pair("D", "d")
    assert identity({}, environ | {"AWS_PROFILE": "work"}).config == pair("W", "w")


def test_a_profile_of_the_remote_outranks_keys_of_the_environment(tmp_path: Path) -> None:
    environ = home(tmp_path, credentials="[work]\naws_access_key_id=W\naws_secret_access_key=w\n")
    environ |= {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e"}
    assert identity({"profile": "work"}, environ).config == pair("W", "w")


def test_credentials_win_over_the_same_keys_of_the_config(tmp_path: Path) -> None:
    environ = home(
        tmp_path,
        config="[profile 'two words']\naws_access_key_id=C\naws_secret_access_key=c\nregion=eu-west-3\n",
        credentials="[two words]\naws_access_key_id=K\naws_secret_access_key=k\n",
    )
    assert identity({"profile": "two words"}, environ).config == pair("K", "k")
    assert read_profile("two words", None, None, environ).values["region"] == "eu-west-3"


def test_the_files_may_lie_elsewhere_and_the_environment_has_the_last_word(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.write_text("[default]\naws_access_key_id=O\naws_secret_access_key=o\n")
    theirs.write_text("[default]\naws_access_key_id=T\naws_secret_access_key=t\n")
    assert identity({"credentialpath": str(ours)}, {}).config == pair("O", "o")
    environ = {"AWS_SHARED_CREDENTIALS_FILE": str(theirs)}
    assert identity({"credentialpath": str(ours)}, environ).config == pair("T", "t")


def test_half_a_pair_is_told_with_the_missing_half() -> None:
    with pytest.raises(BadRemoteOptionError) as caught:
        identity({"access_key_id": "A"}, {})
    assert "secret_access_key" in caught.value.message
    with pytest.raises(BadRemoteOptionError, match="environment"):
        identity({}, {"AWS_ACCESS_KEY_ID": "A"})


def test_a_profile_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    environ = home(tmp_path, config="[profile lab]\nregion=x\n")
    with pytest.raises(AwsProfileError) as caught:
        identity({"profile": "lba"}, environ)
    assert "lab" in caught.value.hint


def test_a_file_that_is_no_configuration_is_told_without_quoting_it(tmp_path: Path) -> None:
    environ = home(tmp_path, credentials="aws_secret_access_key = hunter2\n")
    with pytest.raises(AwsProfileError) as caught:
        identity({}, environ)
    assert "hunter2" not in caught.value.message
    (tmp_path / ".aws" / "credentials").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(AwsProfileError):
        identity({}, environ)


def test_anonymous_asks_nobody(tmp_path: Path) -> None:
    environ = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e", "HOME": str(tmp_path)}
    assert identity({"allow_anonymous_login": "true"}, environ).config == {"skip_signature": True}


def test_a_container_and_a_federated_token_are_left_to_the_client(tmp_path: Path) -> None:
    base = {"HOME": str(tmp_path)}
    found = identity({}, base | {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"})
    assert found.config == {"container_credentials_relative_uri": "/v2/x"}
    federated = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn:r"}
    assert identity({}, base | federated).config == {"web_identity_token_file": "/t", "role_arn": "arn:r"}


def test_a_program_of_the_users_own_profile_gives_keys(tmp_path: Path) -> None:
    answer = {"Version": 1, "AccessKeyId": "P", "SecretAccessKey": "p", "Expiration": "2030-01-01T00:00:00Z"}
    (tmp_path / "answer").write_text(json.dumps(answer))
    environ = home(tmp_path, config=f"[default]\ncredential_process = cat {tmp_path}/answer\n")
    fetch = identity({}, environ | {"PATH": os.environ["PATH"]}).fetch
    assert fetch is not None
    assert fetch() == ("P", "p", None, datetime(2030, 1, 1, tzinfo=UTC))


def test_a_program_named_by_a_file_of_the_remote_is_never_run(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    config = tmp_path / "committed"
    config.write_text(f"[default]\ncredential_process = touch {witness}\n")
    with pytest.raises(AwsProfileError, match="run a program"):
        identity({"configpath": str(config)}, {"HOME": str(tmp_path), "PATH": os.environ["PATH"]})
    assert not witness.exists()


def test_a_program_that_fails_is_told_without_its_words(tmp_path: Path) -> None:
    environ = home(tmp_path, config="[default]\ncredential_process = sh -c 'echo hunter2; exit 3'\n")
    fetch = identity({}, environ | {"PATH": os.environ["PATH"]}).fetch
    assert fetch is not None
    with pytest.raises(BlobDeniedError) as caught:
        fetch()
    assert "hunter2" not in caught.value.message


ROLE = """
[profile base]
aws_access_key_id = BASE
aws_secret_access_key = base-secret
[profile lab]
role_arn = arn:aws:iam::123456789012:role/lab
source_profile = base
external_id = ext
"""
STS = b"""<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>TEMP</AccessKeyId>
<SecretAccessKey>temp-secret</SecretAccessKey><SessionToken>tok</SessionToken>
<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_asked_of_sts_with_the_keys_of_its_source(tmp_path: Path, http_files: HttpFiles) -> None:
    environ = home(tmp_path, config=ROLE) | {"AWS_ENDPOINT_URL_STS": http_files.url}
    http_files.scripts = [Script(200, STS)]
    fetch = identity({"profile": "lab"}, environ).fetch
    assert fetch is not None
    assert fetch() == ("TEMP", "temp-secret", "tok", datetime(2030, 1, 1, tzinfo=UTC))
    _method, _path, headers = http_files.seen[0]
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=BASE/")


def test_a_role_signs_as_amazon_expects(tmp_path: Path, moto_s3: S3Server) -> None:
    environ = home(tmp_path, config=ROLE) | {"AWS_ENDPOINT_URL_STS": moto_s3.endpoint}
    fetch = identity({"profile": "lab"}, environ).fetch
    assert fetch is not None
    access, secret, token, ends = fetch()
    assert access
    assert secret
    assert token
    assert ends is not None
    assert ends > datetime.now(UTC)


def test_a_role_that_is_refused_is_told_through_the_store(tmp_path: Path, http_files: HttpFiles) -> None:
    environ = home(tmp_path, config=ROLE) | {"AWS_ENDPOINT_URL_STS": http_files.url}
    http_files.choose = lambda _method, _path: Script(
        403, b"<ErrorResponse><Error><Message>not you</Message></Error></ErrorResponse>"
    )
    store = open_store("s3://data", {"profile": "lab", "endpointurl": http_files.url}, environ=environ)
    with pytest.raises(BlobDeniedError, match=r"STS refuses the role .*not you") as caught:
        store.get("k")
    assert "\n" not in caught.value.message


def test_keys_of_a_role_sign_the_requests_of_the_store(tmp_path: Path, moto_s3: S3Server) -> None:
    environ = home(tmp_path, config=ROLE) | {"AWS_ENDPOINT_URL": moto_s3.endpoint}
    environ["AWS_ENDPOINT_URL_STS"] = moto_s3.endpoint
    store = open_store(f"s3://{moto_s3.make_bucket()}", {"profile": "lab"}, environ=environ)
    store.put("k", b"value")
    assert store.get("k") == b"value"


@pytest.mark.parametrize(
    "extra", ["mfa_serial = arn:mfa\n", "source_profile = absent\n", "credential_source = Ec2\n"]
)
def test_a_role_that_we_cannot_assume_is_told_with_a_way_out(tmp_path: Path, extra: str) -> None:
    config = f"[profile lab]\nrole_arn = arn:r\n{extra}"
    with pytest.raises(AwsProfileError):
        identity({"profile": "lab"}, home(tmp_path, config=config))


SSO = """
[sso-session corp]
sso_start_url = https://corp.example.org/start
sso_region = eu-west-1
[profile lab]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = reader
"""


def token(folder: Path, ends: datetime) -> None:
    cache = folder / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    text = json.dumps({"accessToken": "tok", "expiresAt": ends.strftime("%Y-%m-%dT%H:%M:%SZ")})
    (cache / f"{sha1(b'corp').hexdigest()}.json").write_text(text)


def test_a_sign_on_that_has_ended_is_told_with_the_command_to_renew_it(tmp_path: Path) -> None:
    environ = home(tmp_path, config=SSO)
    fetch = identity({"profile": "lab"}, environ).fetch
    assert fetch is not None
    with pytest.raises(BlobDeniedError) as caught:
        fetch()
    assert caught.value.hint == "run: aws sso login --profile lab"
    token(tmp_path, datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(BlobDeniedError):
        fetch()


def test_a_sign_on_gives_the_keys_of_its_role(tmp_path: Path, http_files: HttpFiles) -> None:
    environ = home(tmp_path, config=SSO) | {"AWS_ENDPOINT_URL_SSO": http_files.url}
    token(tmp_path, datetime.now(UTC) + timedelta(hours=1))
    keys = {"accessKeyId": "S", "secretAccessKey": "s", "sessionToken": "t", "expiration": 1893456000000}
    http_files.scripts = [Script(200, json.dumps({"roleCredentials": keys}).encode()), Script(200, b"{}")]
    fetch = identity({"profile": "lab"}, environ).fetch
    assert fetch is not None
    assert fetch() == ("S", "s", "t", datetime(2030, 1, 1, tzinfo=UTC))
    _method, path, headers = http_files.seen[0]
    assert path == "/federation/credentials?role_name=reader&account_id=123456789012"
    assert headers["x-amz-sso_bearer_token"] == "tok"
    with pytest.raises(BlobDeniedError, match="reader"):
        fetch()


@pytest.mark.parametrize(
    ("options", "environ", "config"),
    [
        ({"endpointurl": "HERE"}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ""),
        ({}, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "HERE"}, ""),
        ({}, {"AWS_ENDPOINT_URL": "HERE"}, ""),
        ({}, {}, "[default]\nendpoint_url = HERE\n"),
        ({}, {}, "[default]\nservices = lab\n[services lab]\ns3 =\n  endpoint_url = HERE\n"),
    ],
)
def test_the_endpoint_comes_from_the_option_the_environment_or_the_profile(
    tmp_path: Path, rclone_s3: S3Server, options: dict[str, str], environ: dict[str, str], config: str
) -> None:
    def here(values: dict[str, str]) -> dict[str, str]:
        return {name: value.replace("HERE", rclone_s3.endpoint) for name, value in values.items()}

    keys = (
        f"[default]\naws_access_key_id={rclone_s3.access_key}\naws_secret_access_key={rclone_s3.secret_key}\n"
    )
    place = home(tmp_path, credentials=keys, config=config.replace("HERE", rclone_s3.endpoint))
    store = open_store(
        f"s3://{rclone_s3.make_bucket()}",
        here(options) | {"region": "us-east-1"},
        environ=place | here(environ),
    )
    store.put("k", b"x")
    assert store.get("k") == b"x"
