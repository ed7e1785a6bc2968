"""Names of images, logins for their registries, and what registries answer: the small grammars."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourfold.base.errors import FourfoldError
from fourfold.runs.image.credentials import BadLoginFileError, Found, find
from fourfold.runs.image.reference import BadImageNameError, parse
from fourfold.runs.image.registry import _challenges

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "full", "host"),
    [
        ("python", "docker.io/library/python:latest", "registry-1.docker.io"),
        ("python:3.12", "docker.io/library/python:3.12", "registry-1.docker.io"),
        ("pytorch/pytorch:2", "docker.io/pytorch/pytorch:2", "registry-1.docker.io"),
        ("docker.io/python", "docker.io/library/python:latest", "registry-1.docker.io"),
        ("index.docker.io/a/b", "docker.io/a/b:latest", "registry-1.docker.io"),
        ("docker://ghcr.io/o/n:1", "ghcr.io/o/n:1", "ghcr.io"),
        ("localhost:5000/name", "localhost:5000/name:latest", "localhost:5000"),
        ("localhost/name", "localhost/name:latest", "localhost"),
        ("[::1]:5000/a/b:c", "[::1]:5000/a/b:c", "[::1]:5000"),
        (f"python@{DIGEST}", f"docker.io/library/python@{DIGEST}", "registry-1.docker.io"),
        (f"r.example/x:1@{DIGEST}", f"r.example/x:1@{DIGEST}", "r.example"),
        ("host:1/a.b_c__d-e--f/g:v1.0_x", "host:1/a.b_c__d-e--f/g:v1.0_x", "host:1"),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, full: str, host: str) -> None:
    reference = parse(text)
    assert str(reference) == full
    assert reference.host == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ":tag",
        "/name",
        "Name",
        "a//b",
        "a/../b",
        "name:",
        "name:-x",
        "name:" + "x" * 129,
        "name@sha256:abc",
        "name@",
        "host:99999x/name",
        "-host.example/name",
        "exa mple.org/name",
        "h.example/n?x=1",
        "h.example/n#x",
        "a" * 300,
        "h.example/\r\nHost: evil/x",
    ],
)
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadImageNameError):
        parse(text)


def test_a_login_in_a_name_is_not_repeated() -> None:
    with pytest.raises(BadImageNameError) as refused:
        parse("me:hunter2@registry.example.org/name")
    assert "hunter2" not in f"{refused.value}{refused.value.hint}"


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("localhost:5000/x", True),
        ("localhost/x", True),
        ("127.0.0.1:1/x", True),
        ("127.8.8.8/x", True),
        ("[::1]:5000/x", True),
        ("localhost.example.org/x", False),
        ("127.0.0.1.example.org/x", False),
        ("10.0.0.1:5000/x", False),
        ("python", False),
    ],
)
def test_only_this_machine_is_near(text: str, near: bool) -> None:
    assert parse(text).is_loopback is near


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.text("aB.:/@_-[]0", max_size=40))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        reference = parse(text)
    except BadImageNameError:
        return
    again = parse(str(reference))
    assert again == reference
    assert not set(reference.repository) - set("abcdefghijklmnopqrstuvwxyz0123456789._-/")


# --- logins ---


def pair(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def looked(folder: Path, document: Any, name: str = "ghcr.io/org/name", **environ: str) -> Found:
    (folder / "config.json").write_text(document if isinstance(document, str) else json.dumps(document))
    return find(parse(name), {"DOCKER_CONFIG": str(folder), **environ})


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("ghcr.io", "ghcr.io/org/name"),
        ("https://ghcr.io/v2/", "ghcr.io/org/name"),
        ("ghcr.io/org", "ghcr.io/org/name"),
        ("https://index.docker.io/v1/", "python"),
        ("docker.io", "python"),
        ("registry-1.docker.io", "python"),
        ("localhost:5000", "localhost:5000/x"),
    ],
)
def test_a_login_stands_under_any_of_its_names(tmp_path: Path, key: str, name: str) -> None:
    found = looked(tmp_path, {"auths": {key: {"auth": pair("me", "it:self")}}}, name)
    assert found.credential is not None
    assert (found.credential.user, found.credential.secret) == ("me", "it:self")
    assert "it:self" not in repr(found)


def test_the_longest_path_wins(tmp_path: Path) -> None:
    auths = {"ghcr.io": {"auth": pair("all", "1")}, "ghcr.io/org": {"auth": pair("org", "2")}}
    found = looked(tmp_path, {"auths": auths})
    assert found.credential is not None
    assert found.credential.user == "org"


def test_a_login_for_another_registry_is_not_taken(tmp_path: Path) -> None:
    auths = {"ghcr.io.example.org": {"auth": pair("a", "b")}, "gh": {"auth": pair("a", "b")}}
    assert looked(tmp_path, {"auths": auths}).credential is None


def test_podmans_logins_are_found_after_dockers(tmp_path: Path) -> None:
    podman = tmp_path / "containers" / "auth.json"
    podman.parent.mkdir()
    podman.write_text(json.dumps({"auths": {"ghcr.io": {"auth": pair("podman", "x")}}}))
    found = looked(tmp_path, {"auths": {}}, XDG_RUNTIME_DIR=str(tmp_path))
    assert found.credential is not None
    assert found.credential.user == "podman"


@pytest.mark.parametrize(
    "text", ["", "[]", "secret-1234", '{"auths": {"ghcr.io": {"auth": "%%secret-1234"}}}']
)
def test_a_file_of_logins_that_is_none_is_named_and_not_quoted(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadLoginFileError) as refused:
        looked(tmp_path, text)
    assert str(tmp_path) in refused.value.message
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("program", ["../../evil", "a b", "-x", "x;y", "a/b"])
def test_a_program_for_credentials_has_a_plain_name(tmp_path: Path, program: str) -> None:
    found = looked(tmp_path, {"credsStore": program})
    assert found == Found(None, "the name of the program for credentials is no name")


@settings(max_examples=150, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["auths", "ghcr.io", "auth", "identitytoken", "username", "password", "credHelpers"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=15,
    )
)
def test_any_document_of_logins_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    try:
        looked(tmp_path_factory.getbasetemp(), value)
    except FourfoldError:
        return


# --- challenges ---


def test_challenges_are_read_in_one_header_or_in_several() -> None:
    text = 'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push", Basic realm="b"'
    assert _challenges(text) == {
        "bearer": {"realm": "https://a/t", "service": "s", "scope": "repository:x:pull,push"},
        "basic": {"realm": "b"},
    }
    assert _challenges("bearer realm=plain") == {"bearer": {"realm": "plain"}}
    assert _challenges("") == {}
    assert _challenges("Negotiate") == {}


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.text('Bearer ,="x\\', max_size=80))
def test_any_header_is_read(text: str) -> None:
    _challenges(text)
