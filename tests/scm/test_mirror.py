"""Mirrors of other repositories: what they hold, how they stay fresh, which addresses are refused."""

import os
from pathlib import Path

import pytest

from fourfold.scm.git import UnknownRevisionError
from fourfold.scm.mirror import fetch_commit, mirror
from fourfold.scm.process import GitFailedError, GitRemoteNotFoundError, GitUnreachableError, redact
from fourfold.scm.urls import UnsafeGitUrlError, parse_url, shown
from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture
def source(git_repo: Sandbox) -> Sandbox:
    git_repo.gen({"a.dvc": "1"})
    git_repo.commit("first")
    return git_repo


@pytest.fixture
def dest(tmp_path: Path) -> str:
    return str(tmp_path / "cache" / "mirrors" / "m")


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "../repo", "."])
def test_a_mirror_holds_branches_tags_and_the_default_branch(
    source: Sandbox, dest: str, ff: Tool, form: str
) -> None:
    source.git("branch", "other")
    source.git("tag", "-a", "v1", "-m", "x")
    copy = mirror(form.format(path=source.path), dest, ff.env, base=str(source.path))
    assert (copy.branches(), copy.tags(), copy.branch()) == (["main", "other"], ["v1"], "main")
    assert copy.head() == source.git("rev-parse", "HEAD").strip()
    assert copy.read("v1", "a.dvc") == b"1"
    assert not os.path.exists(dest + ".partial")


def test_a_mirror_follows_its_source_and_forgets_what_it_forgot(source: Sandbox, dest: str, ff: Tool) -> None:
    source.git("branch", "old")
    mirror(str(source.path), dest, ff.env, base="/")
    source.git("branch", "-D", "old")
    source.git("checkout", "--quiet", "-b", "next")
    source.gen({"a.dvc": "2"})
    source.git("commit", "--quiet", "--all", "--amend", "--message", "rewritten")
    stale = mirror(str(source.path), dest, ff.env, base="/", refresh=False)
    assert stale.branches() == ["main", "old"]
    fresh = mirror(str(source.path), dest, ff.env, base="/")
    assert (fresh.branches(), fresh.branch(), fresh.read("HEAD", "a.dvc")) == (["main", "next"], "next", b"2")


def test_a_source_that_did_not_change_is_asked_but_not_fetched(source: Sandbox, dest: str, ff: Tool) -> None:
    mirror(str(source.path), dest, ff.env, base="/")
    before = {entry: os.stat(os.path.join(dest, entry)).st_mtime_ns for entry in ("objects", "config")}
    mirror(str(source.path), dest, ff.env, base="/")
    assert {entry: os.stat(os.path.join(dest, entry)).st_mtime_ns for entry in before} == before


def test_a_mirror_that_was_interrupted_is_begun_anew(source: Sandbox, dest: str, ff: Tool) -> None:
    Path(dest + ".partial", "objects").mkdir(parents=True)
    assert mirror(str(source.path), dest, ff.env, base="/").branches() == ["main"]


def test_an_empty_repository_has_an_empty_mirror(git_repo: Sandbox, dest: str, ff: Tool) -> None:
    copy = mirror(str(git_repo.path), dest, ff.env, base="/")
    assert (copy.branches(), copy.head()) == ([], None)
    with pytest.raises(UnknownRevisionError):
        copy.resolve("main")


def test_a_commit_that_no_ref_reaches_is_fetched_by_its_id_where_the_source_allows(
    source: Sandbox, dest: str, ff: Tool
) -> None:
    lost = source.git("rev-parse", "HEAD").strip()
    source.gen({"a.dvc": "2"})
    source.git("commit", "--quiet", "--all", "--amend", "--message", "x")
    copy = mirror(str(source.path), dest, ff.env, base="/")
    source.git("config", "uploadpack.allowAnySHA1InWant", "true")
    assert fetch_commit(copy, str(source.path), lost, ff.env, base="/")
    assert copy.read(lost, "a.dvc") == b"1"
    assert not fetch_commit(copy, str(source.path), "1" * 40, ff.env, base="/")


def test_a_repository_that_is_not_there_is_a_typed_error(tmp_path: Path, dest: str, ff: Tool) -> None:
    with pytest.raises(GitRemoteNotFoundError):
        mirror(str(tmp_path / "nowhere"), dest, ff.env, base="/")
    assert not os.path.exists(dest)


def test_a_host_that_does_not_answer_is_a_typed_error_without_the_password(dest: str, ff: Tool) -> None:
    with pytest.raises((GitUnreachableError, GitFailedError)) as caught:
        mirror("http://me:hunter2@127.0.0.1:1/x.git", dest, ff.env, base="/")
    said = f"{caught.value} {caught.value.hint} {caught.value.details}"
    assert "hunter2" not in said
    assert "127.0.0.1" in said


@pytest.mark.parametrize(
    "url",
    [
        "ext::sh -c true",
        "fd::3",
        "evil::x",
        "ftp://host/x",
        "--upload-pack=touch /tmp/x",
        "-u",
        "",
        "https://host/x\ny",
        "ssh://-oProxyCommand=true/x",
        "-oProxyCommand=true:x",
        "host:-x",
        "ssh://me@-oProxyCommand=true/x",
    ],
)
def test_an_address_that_could_run_something_is_refused(url: str, dest: str, ff: Tool) -> None:
    with pytest.raises(UnsafeGitUrlError):
        mirror(url, dest, ff.env, base="/")
    assert not os.path.exists(os.path.dirname(dest))


@pytest.mark.parametrize(
    ("url", "transports", "path"),
    [
        ("https://host/x.git", "https:http", None),
        ("git@host:me/x.git", "ssh", None),
        ("host:x", "ssh", None),
        ("ssh://me@host:22/x", "ssh", None),
        ("git+ssh://host/x", "ssh", None),
        ("git://host/x", "git", None),
        ("file:///srv/x", "file", "/srv/x"),
        ("/srv/x", "file", "/srv/x"),
        ("../x", "file", "/base/x"),
        ("./a:b", "file", "/base/dir/a:b"),
    ],
)
def test_an_address_is_read_as_git_reads_it(url: str, transports: str, path: str | None) -> None:
    found = parse_url(url, "/base/dir")
    assert (found.transports, found.path) == (transports, path)


def test_passwords_are_hidden_in_messages() -> None:
    assert shown("https://me:pw@host/x") == "https://***@host/x"
    assert (
        redact("fatal: 'https://tok@host/x' and ssh://a:b@c/")
        == "fatal: 'https://***@host/x' and ssh://***@c/"
    )
