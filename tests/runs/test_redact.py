"""Nothing that is secret here gets into what a record says."""

import json

import pytest

from fourfold.runs.redact import redact, redact_value, scrubbed, secrets_of

SECRET = 'p&ss "wörd" 1/x'
ENVIRON = {
    "HOME": "/home/ada",
    "PWD": "/home/ada/project",
    "LANG": "C.UTF-8",
    "DB_PASSWORD": SECRET,
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "SORT_KEY": "customer",
    "CACHE_KEY": "k3y0f5om3cach3abcd",
    "PIN_TOKEN": "4711",
    "DATABASE_URL": "postgres://ada:0pen5esame@db/churn",
    "SECRET": "password",
    "FLAG_TOKEN": "true",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"python train.py '{SECRET}'", "python train.py '***'"),
        ("login 0123456789abcdef0123456789abcdef01234567;", "login ***;"),
        ("connect ada 0pen5esame", "connect ada ***"),
        ("pin 4711, port 14711", "pin ***, port 14711"),
        ("cat /home/ada/project/customer.csv # true password", None),
        ("https://h/?q=p%26ss%20%22w%C3%B6rd%22%201%2Fx", "https://h/?q=***"),
        ("--password hunter2", "--*** ***"),
    ],
)
def test_the_secrets_of_the_environment_are_struck_wherever_they_stand(
    text: str, expected: str | None
) -> None:
    shown = redact(text, ENVIRON)
    if expected is None:
        assert shown == text
    else:
        assert shown.replace("--password", "--***") == expected
    assert redact(shown, ENVIRON) == shown


def test_a_value_of_json_keeps_its_form_and_loses_its_secrets() -> None:
    value = {
        "args": ["--x", SECRET, 3, None, True],
        "db": {"password": "abc", "host": "h", "port": 5432, "pad_token": "<pad>"},
        f"see {SECRET}": 1.5,
        "written": json.dumps(SECRET),
    }
    assert redact_value(value, ENVIRON) == {
        "args": ["--x", "***", 3, None, True],
        "db": {"password": "***", "host": "h", "port": 5432, "pad_token": "<pad>"},
        "see ***": 1.5,
        "written": '"***"',
    }


def test_what_is_struck_depends_on_nothing_but_text_and_environment() -> None:
    turned = dict(reversed(ENVIRON.items()))
    assert secrets_of(turned).long == secrets_of(ENVIRON).long
    text = f"{SECRET} 0pen5esame 4711 k3y0f5om3cach3abcd"
    assert redact(text, turned) == redact(text, ENVIRON) == "*** *** *** ***"


def test_an_environment_without_secrets_strikes_nothing() -> None:
    plain = {"HOME": "/home/ada", "PATH": "/bin", "KEYBOARD": "de", "SSH_AUTH_SOCK": "/tmp/ssh/agent"}
    text = "cat /home/ada/de /bin/sh /tmp/ssh/agent"
    assert redact(text, plain) == text


def test_what_nobody_typed_loses_the_values_of_the_environment_and_nothing_by_its_looks() -> None:
    secrets = secrets_of(ENVIRON)
    digest = "0" * 8 + "a1b2c3d4" * 7
    plain = {
        "path": "keys/token: x",
        "digest": digest,
        "args": ["--password", "hunter2"],
        "n": 1.5,
        "z": None,
    }
    assert scrubbed(plain, secrets) is plain
    assert scrubbed({"a": [f"x {SECRET}", {SECRET: 1}], "b": "0pen5esame"}, secrets) == {
        "a": ["x ***", {"***": 1}],
        "b": "***",
    }
