"""push, pull, fetch, status --cloud, gc, fsck, repair: as a user runs them, handed over to the real DVC."""

import json
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool
from tests.fixtures.servers import S3Server

TREE = {"f": "one\n", "d": {"a": "two\n", "sub": {"c": "three\n"}}}
ONE, TWO = "5bbf5a52328e7439ae6e719dfe712200", "c193497a1a06b2c72230e6146ff47080"


def objects(folder: Path) -> set[str]:
    """The names of the objects below a folder."""
    return {path.parent.name + path.name for path in (folder / "files" / "md5").glob("??/*")}


@pytest.fixture
def repo(ff_repo: Sandbox) -> Sandbox:
    """A repository that tracks `TREE`, with a folder as its remote."""
    ff_repo.run("remote", "add", "-d", "store", "../remote")
    ff_repo.gen(TREE)
    ff_repo.run("add", "f", "d")
    ff_repo.commit("data")
    return ff_repo


@pytest.fixture
def remote(repo: Sandbox) -> Path:
    return repo.path.parent / "remote"


def forget(repo: Sandbox, *names: str) -> None:
    """Lose the cache and files of the workspace."""
    import shutil  # noqa: PLC0415 - only here

    for name in (".dvc/cache", ".dvc/fourfold", *names):
        path = repo.path / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def test_the_whole_way_there_and_back(repo: Sandbox, remote: Path) -> None:
    assert repo.run("push").stdout == "4 files pushed (140 B)\n"
    assert repo.run("push").stdout == "Everything is up to date.\n"
    assert repo.run("status", "-c").stdout == "Cache and remote 'store' are in sync.\n"
    assert ONE in objects(remote)
    forget(repo, "f", "d")
    assert repo.run("fetch").stdout == "4 files fetched (140 B)\n"
    assert repo.run("pull").stdout == "A\td/\nA\tf\n3 files added\n"
    assert repo.run("pull").stdout == "Everything is up to date.\n"
    assert repo.text("d/sub/c") == "three\n"


def test_what_ff_pushes_dvc_pulls_and_calls_clean_and_the_reverse(repo: Sandbox, dvc: Tool) -> None:
    repo.run("push")
    forget(repo, "f", "d")
    dvc("pull", cwd=repo.path)
    assert repo.text("d/a") == "two\n"
    assert "in sync" in dvc("status", "-c", cwd=repo.path).stdout
    repo.gen({"f": "newer\n"})
    dvc("add", "f", cwd=repo.path)
    dvc("push", cwd=repo.path)
    assert repo.run("status", "-c", "--json").json() == {}
    forget(repo, "f", "d")
    repo.run("pull")
    assert repo.text("f") == "newer\n"
    assert dvc("status", "--json", cwd=repo.path).json() == {}


def test_the_same_over_s3(ff_repo: Sandbox, dvc: Tool, rclone_s3: S3Server) -> None:
    bucket = rclone_s3.make_bucket()
    ff_repo.run("remote", "add", "-d", "cloud", f"s3://{bucket}/some/prefix")
    for option, value in rclone_s3.options().items():
        ff_repo.run("remote", "modify", "--local", "cloud", option, value)
    ff_repo.gen({**TREE, "large": "x" * 3_000_000})
    ff_repo.run("add", "f", "d", "large")
    assert ff_repo.run("push").stdout.startswith("5 files pushed")
    forget(ff_repo, "f", "d", "large")
    dvc("pull", cwd=ff_repo.path)
    ff_repo.gen({"f": "by dvc\n"})
    dvc("add", "f", cwd=ff_repo.path)
    dvc("push", cwd=ff_repo.path)
    forget(ff_repo, "f", "d", "large")
    assert ff_repo.run("pull", "--json").json()["fetched"] == 5
    assert ff_repo.text("f") == "by dvc\n"
    assert dvc("status", "-c", "--json", cwd=ff_repo.path).json() == {}


def test_missing_data_is_told_in_one_error_that_names_the_command_that_helps(
    repo: Sandbox, remote: Path
) -> None:
    repo.run("push")
    (remote / "files/md5" / TWO[:2] / TWO[2:]).unlink()
    forget(repo, "f", "d")
    ran = repo.run("pull", check=False)
    assert ran.code == 1
    assert ran.stdout == "A\td/\nA\tf\n3 files fetched and 2 files added (136 B)\n"
    assert ran.stderr.splitlines() == [
        "error: 1 of 4 objects is not on remote 'store': d/a",
        f"  d/a  md5 {TWO}",
        "hint: whoever has it can run: ff push d/a",
        "code: objects-missing-on-remote",
    ]
    told = json.loads(repo.run("fetch", "--json", check=False).stdout)
    assert told["error"]["code"] == "objects-missing-on-remote"
    assert told["error"]["exit_code"] == 1
    assert told["troubles"] == [{"kind": "missing", "md5": TWO, "path": "d/a", "remote": "store"}]


def test_status_of_the_cloud_answers_as_dvc_does(repo: Sandbox, dvc: Tool) -> None:
    ours, theirs = (tool("status", "-c", "--json", cwd=repo.path).json() for tool in (repo.tool, dvc))
    assert ours == theirs == dict.fromkeys(["d", "d/a", "d/sub/c", "f"], "new")
    assert repo.run("status", "-c").stdout.splitlines()[0] == "\tnew:                d"
    assert repo.run("status", "-c", "--quiet", check=False).code == 1
    assert repo.run("status", "-c", "-r", "nowhere", check=False).code != 0


def test_gc_asks_unless_it_is_told_not_to(repo: Sandbox) -> None:
    repo.gen({"f": "newer\n"})
    repo.run("add", "f")
    ran = repo.run("gc", "-w", check=False)
    assert (ran.code, ran.stdout) == (1, "")
    assert "this removes everything from the cache that is not needed by the workspace" in ran.stderr
    dry = repo.run("gc", "-w", "--dry").stdout.splitlines()
    assert dry == [f"{ONE}  cache", "Would remove 1 object (4 B) from cache."]
    assert repo.run("gc", "-w", "-f").stdout == "Removed 1 object (4 B) from cache.\n"
    assert repo.run("gc", "-w", "-f").stdout == "Nothing to remove from cache.\n"
    assert repo.run("gc", check=False).code == 255
    assert repo.run("gc", "-f", "-n", "2", "-w", check=False).code == 255


def test_fsck_and_repair(repo: Sandbox, remote: Path) -> None:
    repo.run("push")
    assert repo.run("fsck").code == 0
    for root in (repo.path / ".dvc/cache", remote):
        path = root / "files/md5" / ONE[:2] / ONE[2:]
        path.chmod(0o644)
        path.write_bytes(b"onf\n")
        path.chmod(0o444)
    ran = repo.run("fsck", "--read-data", "--all-remotes", check=False)
    assert ran.code == 1
    assert ran.stdout.splitlines()[0].startswith(f"cache: corrupt: f  md5 {ONE}: its bytes (4) have the name")
    assert "hint: heal from any good copy with: ff repair -r store" in ran.stderr
    found = json.loads(repo.run("fsck", "--read-data", "-r", "store", "--json", check=False).stdout)
    assert [(one["place"], one["kind"], one["path"]) for one in found["findings"]] == [
        ("cache", "corrupt", "f"),
        ("store", "corrupt", "f"),
    ]
    assert repo.run("repair", "--all-remotes").stdout.splitlines() == [
        "cache: healed f (corrupt) from f",
        "store: healed f (corrupt) from cache",
        "2 damaged objects moved to quarantine",
    ]
    assert repo.run("fsck", "--read-data", "--all-remotes").code == 0
    assert repo.run("repair").stdout == "Nothing to repair.\n"


def test_without_a_remote_push_fails_and_fetch_of_nothing_does_not(ff_repo: Sandbox) -> None:
    ff_repo.gen({"f": "one\n"})
    ff_repo.run("add", "f")
    ran = ff_repo.run("push", check=False)
    assert ran.code == 1
    assert "hint: create a default remote with: ff remote add -d <name> <url>" in ran.stderr
    ran = ff_repo.run("pull")
    assert ran.stdout == "Everything is up to date.\n"
    assert "warning: no remote provided and no default remote set" in ran.stderr
    forget(ff_repo, "f")
    assert ff_repo.run("fetch", check=False).code == 1
