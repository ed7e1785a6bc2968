"""What people type loses its secrets, and nothing else."""

import time

import pytest

from fourfold.storage.secrecy import looks_random, secrecy
from fourfold.storage.secrets import strike, strike_arguments

SECRET = "hunter2Hunter2hunter2"


@pytest.mark.parametrize(
    "line",
    [
        f"python train.py --password {SECRET} data.csv",
        f"python train.py --api-key={SECRET} data.csv",
        f"python -v --verbose --db-password '{SECRET} and more {SECRET}' data.csv",
        f'python train.py --token "{SECRET} \\" {SECRET}" data.csv',
        f"PASSWORD={SECRET} python train.py data.csv",
        f"export DB_PASS='{SECRET}'; python train.py data.csv",
        f"env PGPASSWORD={SECRET} psql data.csv",
        f'docker run -e "AUTH_TOKEN=a {SECRET}" data.csv',
        f"curl -u ada:{SECRET} https://host/data.csv",
        f"curl -H 'Authorization: token {SECRET}' data.csv",
        f"sshpass -p {SECRET} scp host:data.csv .",
        f"docker login -u ada -p {SECRET} host && cat data.csv",
        f"mysql -uroot -p{SECRET} data.csv",
        f"wandb login {SECRET}; cat data.csv",
        f'echo \'{{"password": "a {SECRET}"}}\' data.csv',
        f"wget 'https://bucket/data.csv?X-Amz-Signature={SECRET}&a=1'",
        f"git clone https://ada:{SECRET}@host/data.csv",
        f"python train.py --password '{SECRET} data.csv --never-closed",
    ],
)
def test_a_command_line_loses_its_secret_and_keeps_the_rest(line: str) -> None:
    shown = strike(line)
    assert SECRET not in shown
    assert "***" in shown
    assert "data.csv" in shown or "never-closed" in line
    first = line.split(maxsplit=1)[0]
    assert shown.startswith(first) or "=" in first
    assert strike(shown) == shown


@pytest.mark.parametrize(
    "token",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2_" * 6,
        "glpat-" + "a1B2" * 5,
        "hf_" + "aBcD" * 8,
        "sk-proj-" + "a1B2" * 8,
        "xoxb-" + "1234567890-" * 2 + "abc",
        "AIza" + "a1B2C" * 7,
        "npm_" + "a1B2" * 9,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
        "dapi" + "0a1b2c3d" * 4,
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA",
        "https://hooks.slack.com/services/T000/B000/XXXXXXXXXX",
    ],
)
def test_a_token_is_known_by_its_shape_alone(token: str) -> None:
    shown = strike(f"echo {token}")
    assert token not in shown
    assert token.splitlines()[-1][-10:] not in shown
    assert "***" in shown


@pytest.mark.parametrize(
    "line",
    [
        "python train.py --tokenizer gpt2 --pad-token '<pad>' --max-tokens 512 --lr 0.1 -o model.pkl",
        "sort --key 2 data.csv | join --primary-key customer_id - other.csv",
        "python train.py --seed=3 n_pass=2 key=customer --password-file /run/secrets/db",
        "python train.py --password $DB_PASSWORD --token ${HF_TOKEN}",
        "docker run -u 1000:1000 image python -c 'import os; os.environ[\"KEY\"]'",
        "ff remote modify --local <name> password <value>",
        "scikit-learn sk-learn-contrib-and-a-long-name",
        "dvc repro --pull train@0 && git commit -m 'the secret of success'",
        "cat data/3fa85f6457174562b3fc2c963f66afa6",
        "python train.py --run-id 3fa85f6457174562b3fc2c963f66afa6",
    ],
)
def test_an_ordinary_command_line_is_left_as_it_is(line: str) -> None:
    assert strike(line) == line


def test_an_argument_that_follows_the_name_of_a_secret_is_struck() -> None:
    given = ["python", "train.py", "--password", f"a {SECRET}", "remote.s3.secret_access_key", SECRET, "x"]
    shown = strike_arguments(given)
    assert SECRET not in " ".join(shown)
    assert shown[:3] == ["python", "train.py", "--password"]
    assert shown[-1] == "x"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("OPENAI_API_KEY", "surely"),
        ("PGPASSWORD", "surely"),
        ("GITHUB_TOKEN", "surely"),
        ("dbPassword", "surely"),
        ("AWS_SECRET_ACCESS_KEY", "surely"),
        ("TOKENIZERS_PARALLELISM", "no"),
        ("PWD", "no"),
        ("SECRET_FILE", "no"),
        ("pad_token", "no"),
        ("sort_key", "perhaps"),
        ("MONKEY", "no"),
        ("", "no"),
    ],
)
def test_a_name_says_how_sure_it_is_that_a_secret_follows(name: str, expected: str) -> None:
    assert secrecy(name) == expected


def test_a_path_or_a_word_does_not_look_random() -> None:
    assert looks_random("3fa85f6457174562b3fc")
    assert not looks_random("/home/ada/keys/id_ed25519")
    assert not looks_random("customer_identifier")
    assert not looks_random("short1")


_HOSTILE = [
    "a", "'", '"', "-", "--a ", "-a=", "a=", "<Token>", "eyJ", "eyJ-", "eyJaaaaaaaaa.", "://", "@", ":", " ",
    "-----BEGIN PRIVATE KEY-----", "password=", "password: ", "curl -u ", "a:", "sk-", "\\", '"a=',
    "mysql -p", "docker login ", "bearer ", "authorization", "://a:", ";sig", "_", ".", "SG.", "gh", "*",
]  # fmt: skip


@pytest.mark.parametrize("piece", _HOSTILE)
def test_a_hostile_text_is_read_in_the_time_of_its_length(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    began = time.process_time()
    strike(text)
    assert time.process_time() - began < 3
