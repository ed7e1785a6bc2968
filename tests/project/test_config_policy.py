"""The committed configuration decides nothing outside of the project; what the user said is obeyed."""

import contextlib
import os
from pathlib import Path

import pytest

from fourfold.project.config import Config
from fourfold.project.config_policy import (
    Access,
    Folder,
    UntrustedEndpointError,
    UntrustedFolderError,
    judge,
    look_at,
    values_to_trust,
    vet_cache,
    vet_remote,
)
from fourfold.project.trust import Trust, state_dir

ACCESSES: tuple[Access, ...] = ("read", "write", "delete")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    return tmp_path / "repo"


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust(str(tmp_path / "state" / "fourfold"))


def load(root: Path, project: str = "", local: str = "") -> Config:
    files = {"project": str(root / ".dvc" / "config"), "local": str(root / ".dvc" / "config.local")}
    Path(files["project"]).write_text(project)
    Path(files["local"]).write_text(local)
    return Config.load(files)


def allowed(root: Path, trust: Trust, project: str = "", local: str = "") -> set[str]:
    """What may be done with the remote ``r``, or without one with the cache."""
    config = load(root, project, local)
    found = set()
    for access in ACCESSES:
        with contextlib.suppress(UntrustedFolderError):
            if config.remote_names():
                vet_remote(config.remote("r"), access, root=str(root), trust=trust)
            else:
                cache = config.cache_dir or str(root / ".dvc" / "cache")
                vet_cache(config, cache, access, root=str(root), trust=trust)
            found.add(access)
    return found


def remote(url: object) -> str:
    return f"['remote \"r\"']\nurl = {url}\n"


def cache(path: object) -> str:
    return f"[cache]\ndir = {path}\n"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        (Folder("store", ours=True), {"read", "write"}),
        (Folder("empty", ours=True), {"read", "write"}),
        (Folder("store", ours=False), {"read"}),
        (Folder("empty", ours=False), {"read"}),
        (Folder("missing", ours=False), {"read"}),
        (Folder("other", ours=True), set()),
    ],
)
def test_the_rule_for_a_folder_outside(folder: Folder, expected: set[str]) -> None:
    assert {access for access in ACCESSES if judge(folder, access) is None} == expected


@pytest.mark.parametrize(
    ("entries", "kind"),
    [
        ([], "empty"),
        (["files/md5/aa", "README"], "store"),
        (["aa", "0f", "runs", ".x.tmp"], "store"),
        (["files"], "store"),
        (["aa", "notes.txt"], "other"),
        ([".ssh"], "other"),
        (["AA"], "other"),
    ],
)
def test_a_folder_is_told_by_what_lies_in_it(tmp_path: Path, entries: list[str], kind: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for entry in entries:
        (folder / entry).mkdir(parents=True)
    assert look_at(str(folder)) == Folder(kind, ours=True)  # type: ignore[arg-type]


def test_a_file_and_nothing_are_told_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert look_at(str(tmp_path / "file")).kind == "other"
    assert look_at(str(tmp_path / "nothing")).kind == "missing"


@pytest.mark.parametrize(
    "text", [remote("store"), cache("../stores/c"), "", remote("s3://b/p"), remote("ssh://h/x")]
)
def test_what_is_inside_or_on_the_network_is_used(root: Path, trust: Trust, text: str) -> None:
    assert allowed(root, trust, text) == {"read", "write", "delete"}


@pytest.mark.parametrize("kind", [remote, cache])
@pytest.mark.parametrize("form", ["../../outside", "{tmp}/outside", "../link"])
def test_a_committed_folder_outside_that_holds_other_things_is_not_touched(
    root: Path, tmp_path: Path, trust: Trust, kind: object, form: str
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "thesis.tex").touch()
    (root / "link").symlink_to(tmp_path / "outside")
    assert allowed(root, trust, kind(form.format(tmp=tmp_path))) == set()  # type: ignore[operator]


@pytest.mark.parametrize("kind", [remote, cache])
def test_a_committed_folder_outside_that_is_a_store_is_used_but_nothing_is_deleted_there(
    root: Path, tmp_path: Path, trust: Trust, kind: object
) -> None:
    (tmp_path / "shared" / "files" / "md5").mkdir(parents=True)
    text = kind(tmp_path / "shared")  # type: ignore[operator]
    assert allowed(root, trust, text) == {"read", "write"}


@pytest.mark.parametrize("kind", [remote, cache])
def test_a_committed_folder_outside_that_is_missing_is_not_created(
    root: Path, tmp_path: Path, trust: Trust, kind: object
) -> None:
    assert allowed(root, trust, kind(tmp_path / "none")) == {"read"}  # type: ignore[operator]


@pytest.mark.parametrize("kind", [remote, cache])
def test_what_the_user_says_on_their_own_level_is_obeyed(
    root: Path, tmp_path: Path, trust: Trust, kind: object
) -> None:
    (tmp_path / "thesis.tex").touch()
    text = kind(tmp_path)  # type: ignore[operator]
    assert allowed(root, trust, local=text) == {"read", "write", "delete"}
    assert allowed(root, trust, project=kind("/"), local=text) == {"read", "write", "delete"}  # type: ignore[operator]


def test_a_local_remote_that_builds_upon_a_committed_one_is_committed(
    root: Path, tmp_path: Path, trust: Trust
) -> None:
    (tmp_path / "other" / "sub").mkdir(parents=True)
    (tmp_path / "other" / "sub" / "thesis.tex").touch()
    base = f"['remote \"base\"']\nurl = {tmp_path / 'other'}\n"
    assert allowed(root, trust, project=base, local=remote("remote://base/sub")) == set()


def test_a_default_cache_that_is_a_link_out_of_the_project_is_judged_by_where_it_leads(
    root: Path, tmp_path: Path, trust: Trust
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").touch()
    (root / ".dvc" / "cache").symlink_to(tmp_path / "home")
    assert allowed(root, trust) == set()
    (tmp_path / "home" / "thesis.tex").unlink()
    assert allowed(root, trust) == {"read", "write"}


def test_what_the_user_trusts_is_obeyed_until_it_changes(root: Path, tmp_path: Path, trust: Trust) -> None:
    text = remote(tmp_path / "a") + cache(tmp_path / "c")
    config = load(root, text)
    assert list(values_to_trust(config, str(root))) == [
        ("remote.r.url", str(tmp_path / "a")),
        ("cache.dir", str(tmp_path / "c")),
    ]
    for name, value in values_to_trust(config, str(root)):
        trust.remember(str(root), name, value)
    assert allowed(root, trust, text) == {"read", "write", "delete"}
    assert allowed(root, trust, remote(tmp_path / "b")) == {"read"}
    assert allowed(root, trust, cache(tmp_path / "a")) == {"read"}


def test_what_needs_no_trust_is_not_asked_about(root: Path) -> None:
    text = remote("s3://b") + cache("cache2") + "['remote \"in\"']\nurl = ../data\n"
    assert list(values_to_trust(load(root, text), str(root))) == []


def test_a_refusal_names_the_folder_the_reason_and_the_ways_out(
    root: Path, tmp_path: Path, trust: Trust
) -> None:
    config = load(root, cache(tmp_path / "none"))
    with pytest.raises(UntrustedFolderError, match=r"cache\.dir .* does not exist") as caught:
        vet_cache(config, str(tmp_path / "none"), "write", root=str(root), trust=trust)
    assert caught.value.hint.endswith(
        f"ff trust; or say it for this machine: ff cache dir --local {tmp_path}/none"
    )


def test_a_committed_command_is_dropped_with_a_warning(root: Path, trust: Trust) -> None:
    text = "['remote \"r\"']\nurl = webdavs://h/x\nbearer_token_command = evil\nuser = me\n"
    vetted, warnings = vet_remote(load(root, text).remote("r"), "read", root=str(root), trust=trust)
    assert vetted.options == {"user": "me"}
    assert [warning.code for warning in warnings] == ["committed-command-ignored"]
    own = "['remote \"r\"']\nbearer_token_command = mine\n"
    vetted, warnings = vet_remote(load(root, text, own).remote("r"), "read", root=str(root), trust=trust)
    assert (vetted.options["bearer_token_command"], warnings) == ("mine", ())


@pytest.mark.parametrize(
    ("endpoint", "more", "refused"),
    [
        ("http://evil.example/x", "", True),
        ("https://storage.googleapis.com@evil.example", "", True),
        ("https://evil.example:443", "credentialpath = ~/.config/gcloud/key.json\n", True),
        ("http://fake:4443", "allow_anonymous_login = true\n", False),
        ("https://storage.googleapis.com", "", False),
    ],
)
def test_a_committed_endpoint_does_not_get_the_users_token(
    root: Path, trust: Trust, endpoint: str, more: str, refused: bool
) -> None:
    config = load(root, f"['remote \"r\"']\nurl = gs://b\nendpointurl = {endpoint}\n{more}")
    if refused:
        with pytest.raises(UntrustedEndpointError):
            vet_remote(config.remote("r"), "read", root=str(root), trust=trust)
        trust.remember(str(root), "remote.r.endpointurl", endpoint)
    vet_remote(config.remote("r"), "read", root=str(root), trust=trust)


# --- the memory of what is trusted ------------------------------------------------------------------------


def test_trust_is_kept_outside_of_the_repository_and_only_for_its_owner(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "state"
    Trust(str(folder)).remember(str(root), "cache.dir", "/a b\nc/ü")
    again = Trust(str(folder))
    assert again.holds(str(root), "cache.dir", "/a b\nc/ü")
    assert not again.holds(str(root), "cache.dir", "/a b")
    assert not again.holds(str(root), "cache.di", "r /a b\nc/ü")
    assert not again.holds(str(tmp_path), "cache.dir", "/a b\nc/ü")
    file = folder / "trusted-values"
    assert (file.stat().st_mode & 0o777, len(file.read_text().splitlines())) == (0o600, 1)


def test_a_project_can_be_forgotten(root: Path, tmp_path: Path, trust: Trust) -> None:
    trust.remember(str(root), "cache.dir", "/a")
    trust.remember(str(tmp_path), "cache.dir", "/a")
    trust.forget(str(root))
    assert (trust.holds(str(root), "cache.dir", "/a"), trust.holds(str(tmp_path), "cache.dir", "/a")) == (
        False,
        True,
    )


def test_without_a_folder_nothing_is_trusted_or_remembered(root: Path) -> None:
    trust = Trust(None)
    trust.remember(str(root), "cache.dir", "/a")
    assert not trust.holds(str(root), "cache.dir", "/a")


def test_a_damaged_memory_trusts_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "trusted-values").write_bytes(os.urandom(200))
    assert not Trust(str(tmp_path)).holds(str(root), "cache.dir", "/a")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/fourfold"),
        ({"XDG_STATE_HOME": "rel", "HOME": "/h"}, "/h/.local/state/fourfold"),
        ({}, None),
    ],
)
def test_the_state_folder_follows_the_environment(environ: dict[str, str], expected: str | None) -> None:
    assert state_dir(environ) == expected
