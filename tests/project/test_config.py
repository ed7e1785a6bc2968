"""Configuration: levels, types, origins, remotes; what is accepted is what the real DVC accepts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from fourfold.base.errors import ConfigError
from fourfold.project.config import (
    Config,
    NoRemoteError,
    RemoteCycleError,
    RemoteNotFoundError,
    SecretInCommittedConfigError,
    committed_secrets,
    config_dirs,
    config_files,
    refuse_secret,
)
from fourfold.project.config_schema import (
    BadOptionValueError,
    Origin,
    UnknownOptionError,
    UnsupportedUrlError,
    check_together,
    options_of,
    scheme_of,
)
from tests.fixtures.sandbox import Tool


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Where the levels are; `write` fills them."""
    found = {level: str(tmp_path / level / "config") for level in ("system", "global")}
    (tmp_path / "repo" / ".dvc").mkdir(parents=True)
    found["project"] = str(tmp_path / "repo" / ".dvc" / "config")
    found["local"] = str(tmp_path / "repo" / ".dvc" / "config.local")
    return found


def write(files: dict[str, str], **levels: str) -> Config:
    for level, text in levels.items():
        os.makedirs(os.path.dirname(files[level]), exist_ok=True)
        Path(files[level]).write_text(text)
    return Config.load(files, home="/home/me")


def test_without_any_file_everything_has_its_default(files: dict[str, str]) -> None:
    config = Config.load(files)
    assert (config.no_scm, config.autostage, config.hardlink_lock, config.checksum_jobs) == (
        False,
        False,
        False,
        None,
    )
    assert (config.cache_dir, config.cache_types, config.cache_shared) == (None, ("reflink", "copy"), False)
    assert (config.default_remote, config.remote_names(), config.slow_link_warning) == (None, (), True)


def test_a_later_level_shadows_an_earlier_one_and_each_value_knows_its_file(files: dict[str, str]) -> None:
    config = write(
        files,
        system="[core]\nremote = s\nautostage = true\n",
        project='[core]\nremote = P\n[cache]\ntype = "hardlink,symlink"\n',
        local="[cache]\ntype = copy\nshared = GROUP\n",
    )
    assert (config.default_remote, config.autostage) == ("p", True)
    assert (config.cache_types, config.cache_shared) == (("copy",), True)
    assert config.origin("core", "remote") == Origin("project", files["project"])
    assert config.origin("core", "autostage") == Origin("system", files["system"])
    assert config.origin("cache", "type") == Origin("local", files["local"])
    assert config.origin("cache", "dir") is None
    assert [level.level for level in config.levels] == ["system", "project", "local"]
    assert config.raw("project") == {"core": {"remote": "P"}, "cache": {"type": "hardlink,symlink"}}
    assert config.raw("global") == {}
    assert config.raw()["cache"] == {"type": "copy", "shared": "GROUP"}


@pytest.mark.parametrize("value", ["hardlink,symlink", '"hardlink,symlink"', "hardlink, symlink"])
def test_link_types_are_a_list_or_text_with_commas(files: dict[str, str], value: str) -> None:
    assert write(files, project=f"[cache]\ntype = {value}\n").cache_types == ("hardlink", "symlink")


def test_relative_paths_are_meant_against_the_folder_of_their_file(
    files: dict[str, str], tmp_path: Path
) -> None:
    config = write(
        files,
        **{"global": "[cache]\ndir = stores/c\n"},
        project="['remote \"r\"']\nurl = ../../store\n['remote \"h\"']\nurl = ~/store\n"
        "['remote \"a\"']\nurl = /abs/../x\n",
    )
    assert config.cache_dir == str(tmp_path / "global" / "stores" / "c")
    assert config.remote("r").url == str(tmp_path / "store")
    assert config.remote("h").url == "/home/me/store"
    assert config.remote("a").url == "/abs/../x"


def test_a_remote_gathers_its_options_from_all_levels(files: dict[str, str]) -> None:
    config = write(
        files,
        project="['remote \"Store\"']\nurl = s3://b/p\nregion = eu\njobs = 7\nversion_aware = True\n",
        local="['remote \"store\"']\nsecret_access_key = hush\nregion = us\ncredentialpath = keys\n",
    )
    remote = config.remote("STORE")
    assert (remote.name, remote.url, remote.scheme) == ("store", "s3://b/p", "s3")
    assert (remote.jobs, remote.version_aware, remote.worktree) == (7, True, False)
    keys = os.path.join(os.path.dirname(files["local"]), "keys")
    assert (remote.options["region"], remote.options["credentialpath"]) == ("us", keys)
    assert remote.origins["secret_access_key"].level == "local"
    assert remote.origins["url"].level == "project"


def test_a_remote_may_build_upon_another(files: dict[str, str]) -> None:
    config = write(
        files,
        project="['remote \"base\"']\nurl = ssh://h/srv/\nuser = a\nport = 22\n",
        local="['remote \"x\"']\nurl = remote://Base/images/y\nuser = b\n['remote \"y\"']\nurl = remote://x\n",
    )
    remote = config.remote("x")
    assert (remote.name, remote.url) == ("x", "ssh://h/srv/images/y")
    assert (remote.options["user"], remote.options["port"]) == ("b", "22")
    assert remote.origins["url"].level == "project"  # its host is the committed one
    assert config.remote("y").url == "ssh://h/srv/images/y"


def test_remotes_that_build_upon_each_other_in_a_circle_are_an_error(files: dict[str, str]) -> None:
    config = write(
        files, project="['remote \"a\"']\nurl = remote://b/x\n['remote \"b\"']\nurl = remote://a\n"
    )
    with pytest.raises(RemoteCycleError, match="a -> b -> a"):
        config.remote("a")


def test_a_remote_that_is_not_there_is_an_error_that_knows_similar_ones(files: dict[str, str]) -> None:
    config = write(files, project="['remote \"storage\"']\nurl = /x\n")
    with pytest.raises(RemoteNotFoundError, match="remote 'storge' doesn't exist") as caught:
        config.remote("storge")
    assert "'storage'" in caught.value.hint
    with pytest.raises(NoRemoteError) as none:
        config.remote()
    assert "ff remote default storage" in none.value.hint
    with pytest.raises(NoRemoteError) as empty:
        Config([]).remote()
    assert "ff remote add -d" in empty.value.hint


def test_options_of_the_caller_shadow_the_files(files: dict[str, str]) -> None:
    config = write(files, project="['remote \"s\"']\nurl = s3://b\nregion = eu\n")
    assert config.with_remote("S", {"region": "us"}).remote("s").options == {"region": "us"}
    assert config.remote("s").options == {"region": "eu"}


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("[core]\nremot = x\n", UnknownOptionError, "section 'core' has no option 'remot'"),
        ("[cor]\nremote = x\n", UnknownOptionError, "there is no section 'cor'"),
        ("[remote]\nurl = x\n", UnknownOptionError, r"section \[remote\] has no name"),
        ("url = x\n", UnknownOptionError, "before the first section"),
        (
            "[core]\nautostage = maybe\n",
            BadOptionValueError,
            "'autostage' must be true or false, not 'maybe'",
        ),
        ("[core]\nchecksum_jobs = 0\n", BadOptionValueError, "a whole number, at least 1"),
        ("[core]\nremote = a, b\n", BadOptionValueError, "one value, not a list"),
        ("[cache]\ntype = softlink\n", BadOptionValueError, "a list of reflink"),
        ("['remote \"r\"']\njobs = 1\n", BadOptionValueError, "remote 'r' has no url"),
        ("['remote \"r\"']\nurl = s4://b\n", UnsupportedUrlError, "unsupported URL type s4://"),
        ("['remote \"r\"']\nurl = /x\nregion = e\n", UnknownOptionError, "remote 'r' has no option 'region'"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_its_file(
    files: dict[str, str], text: str, error: type[ConfigError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        write(files, project=text)
    assert caught.value.message.startswith(files["project"])
    assert caught.value.exit_code == 251
    assert caught.value.hint


def test_a_secret_value_is_not_shown_by_an_error(files: dict[str, str]) -> None:
    with pytest.raises(BadOptionValueError) as caught:
        write(files, local="['remote \"r\"']\nurl = ssh://h/x\npassword = hush, hush\n")
    assert "hush" not in f"{caught.value}{caught.value.hint}"


def test_a_broken_configuration_can_still_be_read_to_be_mended(files: dict[str, str]) -> None:
    write(files, project="[core]\nautostage = true\n")
    Path(files["project"]).write_text("[core]\nautostage = maybe\nx = y\n")
    config = Config.load(files, validate=False)
    assert config.raw("project") == {"core": {"autostage": "maybe", "x": "y"}}


def test_a_configuration_that_may_not_be_read_is_a_typed_error(files: dict[str, str]) -> None:
    os.makedirs(files["project"])
    with pytest.raises(Exception, match="reading the configuration"):
        Config.load(files)


# --- secrets ----------------------------------------------------------------------------------------------


def test_a_secret_is_refused_for_the_committed_level_with_the_right_command() -> None:
    with pytest.raises(SecretInCommittedConfigError) as caught:
        refuse_secret("project", ("remote", "s"), "secret_access_key")
    assert (
        caught.value.hint == "keep it on this machine: ff remote modify --local s secret_access_key <value>"
    )
    with pytest.raises(SecretInCommittedConfigError, match="a URL with a password"):
        refuse_secret("project", ("remote", "s"), "url", "https://me:pw@host/x")


@pytest.mark.parametrize("level", ["local", "global", "system"])
def test_a_secret_is_welcome_on_every_other_level(level: str) -> None:
    refuse_secret(level, ("remote", "s"), "password")


def test_what_is_no_secret_is_welcome_everywhere() -> None:
    refuse_secret("project", ("remote", "s"), "region", "eu")
    refuse_secret("project", ("remote", "s"), "url", "https://host/x")


def test_secrets_that_are_committed_already_are_found(files: dict[str, str]) -> None:
    config = write(
        files,
        project="['remote \"s\"']\nurl = s3://b\nsecret_access_key = a\n['remote \"h\"']\nurl = https://a:b@h/x\n",
        local="['remote \"s\"']\nsession_token = b\n",
    )
    assert [(section, option) for section, option, _ in committed_secrets(config)] == [
        (("remote", "s"), "secret_access_key"),
        (("remote", "h"), "url"),
    ]


# --- against the real DVC ---------------------------------------------------------------------------------

#: Loads many configurations with DVC's own classes, in its own interpreter.
DRIVER = """
import json, os, sys
from dvc.config import Config
from dvc.fs import get_fs_config
said = []
for text in json.load(sys.stdin)["texts"]:
    with open(".dvc/config", "w") as file:
        file.write(text)
    try:
        config = Config(os.path.abspath(".dvc"))
        said.append({name: get_fs_config(config, name=name)["url"] for name in config["remote"]})
    except Exception:  # of its own, or a bug
        said.append("refused")
print(json.dumps([said, Config.get_dir("system"), Config.get_dir("global")]))
"""
VALUES = ["true", "yes", "0", "-3", "x", "a, b", '""', "group", "hardlink", "nargs", "1.5"]
URLS = ["s3://b/p", "gs://b", "azure://c", "ssh://h/x", "hdfs://h/x", "webhdfs://h/x", "oss://b", "gdrive://x",
        "http://h", "https://h", "webdav://h", "webdavs://h", "/abs", "rel/x", "remote://base/q", "ftp://h",
        "s3:x", "file:///x", "user@host:x"]  # fmt: skip
#: Options of which DVC's schema accepts no value that a file can hold.
NEVER_BY_DVC = {"cache_regions", "replication"}
#: Lists that DVC takes for the text that Python shows them as.
LISTS_AS_TEXT = {"[core]\nremote = a, b\n", "[core]\nmachine = a, b\n"}


def texts() -> list[str]:
    base = "['remote \"base\"']\nurl = s3://z/y\n"
    found = [f"{base}['remote \"r\"']\nurl = {url}\n" for url in URLS]
    for section in ("core", "cache", "plots", "exp", "parsing", "studio", "state", "index", "nope"):
        for option in [*(options_of(section) or ()), "nope"]:
            found += [f"[{section}]\n{option} = {value}\n" for value in VALUES]
    for url in URLS[:14]:
        options = options_of(("remote", "r"), url if "://" in url else "/x")
        for option in [*(options or ()), "nope"]:
            if option != "url" and option not in NEVER_BY_DVC:
                found += [f"['remote \"r\"']\nurl = {url}\n{option} = {value}\n" for value in VALUES[:7]]
    return [text for text in found if text not in LISTS_AS_TEXT]


def test_what_is_accepted_and_where_remotes_point_is_as_with_dvc(
    files: dict[str, str], real_dvc: str, ff: Tool
) -> None:
    python = Tool([str(Path(real_dvc).with_name("python"))], ff.home)
    repo = Path(files["project"]).parent.parent
    asked = texts()
    answer = python("-c", DRIVER, cwd=repo, stdin=json.dumps({"texts": asked})).stdout
    expected, system, user = json.loads(answer.splitlines()[-1])
    assert config_dirs(ff.env) == (system, user)
    wrong = []
    for text, wanted in zip(asked, expected, strict=True):
        try:
            config = write(files, project=text)
            found: Any = {name: config.remote(name).url for name in config.remote_names()}
        except ConfigError:
            found = "refused"
        if isinstance(wanted, dict):
            wanted.update((name, url.removeprefix("file://")) for name, url in wanted.items())
        if found != wanted:
            wrong.append((text, wanted, found))
    assert not wrong


@pytest.mark.parametrize(
    ("environ", "platform", "expected"),
    [
        ({"HOME": "/h"}, "linux", ("/etc/xdg/dvc", "/h/.config/dvc")),
        ({"HOME": "/h", "XDG_CONFIG_DIRS": "/a:/b", "XDG_CONFIG_HOME": "/c"}, "linux", ("/a/dvc", "/c/dvc")),
        ({"HOME": "/h", "DVC_SYSTEM_CONFIG_DIR": "/s", "DVC_GLOBAL_CONFIG_DIR": "/g"}, "linux", ("/s", "/g")),
        (
            {"HOME": "/h"},
            "darwin",
            ("/Library/Application Support/dvc", "/h/Library/Application Support/dvc"),
        ),
    ],
)
def test_the_folders_of_the_upper_levels_follow_the_environment(
    environ: dict[str, str], platform: str, expected: tuple[str, str]
) -> None:
    assert config_dirs(environ, platform) == expected


def test_without_a_project_there_are_two_levels() -> None:
    assert list(config_files(None, {"HOME": "/h"})) == ["system", "global"]
    assert config_files("/r/.dvc", {"HOME": "/h"})["local"] == "/r/.dvc/config.local"


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("s3://b", "s3"),
        ("S3://b", "s3"),
        ("/x", ""),
        ("s3:/x", ""),
        ("file:///x", ""),
        ("x://", ""),
        ("C:\\x", ""),
    ],
)
def test_the_kind_of_a_remote_is_the_scheme_of_its_url(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme


def test_options_that_exclude_each_other_are_refused() -> None:
    with pytest.raises(BadOptionValueError, match="'config_dir' and 'config_module' exclude each other"):
        check_together("hydra", {"config_dir": "conf", "enabled": "true", "config_module": "pkg"}, "config")
    check_together("hydra", {"config_dir": "conf"}, "config")
    check_together(("remote", "r"), {"config_dir": "x", "config_module": "y"}, "config")
