"""No secret in any text that a person or a log sees."""

import pytest

from fourfold.storage.redact import HIDDEN, SECRET_OPTIONS, is_secret, redact, redact_url

SECRET = "hunter2hunter2hunter2"


@pytest.mark.parametrize(
    "url",
    [
        f"https://ada:{SECRET}@host/x",
        f"https://{SECRET}@host/x",
        f"https://:{SECRET}@host/x",
        f"ssh://ada:{SECRET}@host:22/x",
        f"https://b.s3.amazonaws.com/k?X-Amz-Algorithm=a&X-Amz-Signature={SECRET}&X-Amz-Date=1",
        f"https://b.s3.amazonaws.com/k?X-Amz-Security-Token={SECRET}",
        f"https://acc.blob.core.windows.net/c/k?sv=1&sig={SECRET}&se=2",
        f"https://storage.googleapis.com/b/k?X-Goog-Signature={SECRET}",
        f"https://host/x?token={SECRET}",
        f"https://host/x?a=1&api_key={SECRET}#f",
    ],
)
def test_a_url_keeps_its_place_and_loses_its_secret(url: str) -> None:
    shown = redact_url(url)
    assert SECRET not in shown
    assert HIDDEN in shown
    assert shown.startswith(url.partition("://")[0])


@pytest.mark.parametrize(
    "url",
    ["s3://bucket/folder", "ssh://ada@host/x", "https://host/x?versionId=3", "/plain/path", "gs://b/token=x"],
)
def test_a_url_without_a_secret_is_left_as_it_is(url: str) -> None:
    assert redact_url(url) == url


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: AWS4-HMAC-SHA256 Credential=A/x, Signature={SECRET}",
        f'"authorization": "Bearer {SECRET}"',
        f"secret_access_key = {SECRET}",
        f"aws_session_token={SECRET}",
        f"AccountName=acc;AccountKey={SECRET}==;EndpointSuffix=x",
        f"SharedAccessSignature={SECRET}",
        f"password: '{SECRET}'",
        f"{{'client_secret': '{SECRET}'}}",
        f"<Error><Code>X</Code><StringToSign>{SECRET}</StringToSign></Error>",
        f"GET https://ada:{SECRET}@host/x failed",
        f"Basic {SECRET}==",
    ],
)
def test_a_text_loses_its_secret(text: str) -> None:
    assert SECRET not in redact(text)
    assert HIDDEN in redact(text)


def test_redacting_twice_is_redacting_once() -> None:
    text = f"Authorization: Bearer {SECRET}\nhttps://a:{SECRET}@h/?sig={SECRET}"
    assert redact(redact(text)) == redact(text)


def test_plain_words_are_left_alone() -> None:
    text = (
        "the password of the remote is wrong; set it with: ff remote modify --local <name> password <value>"
    )
    assert redact(text) == text


def test_the_secret_options_of_every_type_of_remote_are_known() -> None:
    for name in ("secret_access_key", "session_token", "password", "passphrase", "account_key", "sas_token"):
        assert is_secret(name)
        assert is_secret(name.upper())
    assert not is_secret("access_key_id")
    assert "custom_auth_header" not in SECRET_OPTIONS  # the name of a header; its value is in `password`
