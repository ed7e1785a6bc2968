"""What somebody reads who is in the wrong place, mistypes, or meets a world that is not as it should be.

Each answer is one line, perhaps with details, a hint that helps, a code, and DVC's exit code; never a
traceback.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import Tool, find_ff
from tests.fixtures.sandbox import Ran, Sandbox
from tests.fixtures.servers import S3Server, free_port

ERROR = re.compile(r"error: [^\n]+\n(?:  [^\n]+\n)*hint: [^\n]+\ncode: [a-z0-9-]+\n")


def answer(ran: Ran) -> tuple[int, str, str, str]:
    """The exit code, what failed, the hint and the code of an error that is told as it should be."""
    text = ran.stderr[ran.stderr.index("error: ") :] if "error: " in ran.stderr else ran.stderr
    assert ERROR.fullmatch(text), ran
    lines = text.splitlines()
    return ran.code, lines[0][7:], lines[-2][6:], lines[-1][6:]


@pytest.fixture
def data(ff_repo: Sandbox) -> Sandbox:
    """A project with a directory, and a remote called ``storage``."""
    ff_repo.gen({"data": {"train": "1\n", "test": "2\n"}})
    ff_repo.run("add", "--quiet", "data")
    ff_repo.run("remote", "add", "--quiet", "--default", "storage", "../storage")
    return ff_repo


@pytest.mark.parametrize("command", ["status", "add x", "push", "repro", "checkout", "diff", "undo", "dag"])
def test_without_a_project_every_command_says_how_to_begin_one(
    git_repo: Sandbox, tmp_path: Path, ff: Tool, command: str
) -> None:
    said = (
        253,
        "you are not inside of a DVC repository",
        "to start one here, run: ff init",
        "not-in-a-project",
    )
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", git_repo.path):
        code, message, hint, kind = answer(ff(*command.split(), cwd=folder, check=False))
        assert (code, message.partition(" (")[0], hint, kind) == said


def test_init_without_git_says_what_to_do(tmp_path: Path, ff: Tool) -> None:
    (tmp_path / "empty").mkdir()
    code, _, hint, kind = answer(ff("init", cwd=tmp_path / "empty", check=False))
    assert (code, kind) == (1, "init-refused")
    assert "git init" in hint


@pytest.mark.parametrize(
    ("typed", "code", "hint", "kind"),
    [
        ("statsu", 254, "did you mean 'status'?", "unknown-command"),
        ("remoet add x y", 254, "did you mean 'remote'?", "unknown-command"),
        ("remote ad", 254, "did you mean 'add'?", "unknown-command"),
        ("exp run", 254, "it yet; DVC's works on the same files: dvc exp", "unknown-command"),
        ("help sttus", 254, "did you mean 'status'?", "unknown-command"),
        ("status --clod", 254, "did you mean '--cloud'?", "unknown-option"),
        ("push --jobs x", 254, "see: ff push --help", "usage"),
        ("push -r stroage", 1, "did you mean 'storage'?", "remote-not-found"),
        ("fetch -r nope", 1, "list them with: ff remote list", "remote-not-found"),
        ("remote modify stoarge url x", 251, "did you mean 'storage'?", "remote-not-found"),
        ("remote modify storage ulr x", 251, "did you mean 'url'?", "config-unknown-option"),
        ("config core.remot x", 251, "did you mean 'remote'?", "config-unknown-option"),
        ("pull dta", 1, "did you mean 'data'?", "target-not-found"),
        ("checkout dta", 255, "did you mean 'data'?", "target-not-found"),
        ("commit nothing", 1, "see what is tracked with: ff dag", "target-not-found"),
        ("repro trian", 255, "see what is tracked with: ff dag", "stage-not-found"),
        ("add dta", 1, "did you mean 'data'", "nothing-to-add"),
        ("add nothing", 1, "check the name", "nothing-to-add"),
        ("diff nope", 1, "git log", "unknown-revision"),
        ("--cd nope status", 255, "give --cd a folder that exists", "no-such-directory"),
        ("gc", 255, "keep the workspace with -w", "gc-no-scope"),
        ("gc -w", 1, "--dry", "not-confirmed"),
        ("destroy", 1, "ff destroy -f", "not-confirmed"),
    ],
)
def test_a_mistake_is_answered_with_what_was_meant(
    data: Sandbox, typed: str, code: int, hint: str, kind: str
) -> None:
    exit_code, _, told, error = answer(data.run(*typed.split(), check=False))
    assert (exit_code, error) == (code, kind)
    assert hint in told


def test_without_a_remote_the_hint_adds_one(ff_repo: Sandbox) -> None:
    ff_repo.gen({"f": "1\n"})
    ff_repo.run("add", "--quiet", "f")
    for command in (["push"], ["status", "--cloud"]):
        code, _, hint, kind = answer(ff_repo.run(*command, check=False))
        assert (code, kind) == (1, "no-remote")
        assert "ff remote add -d <name> <url>" in hint


def s3(repo: Sandbox, server: S3Server, bucket: str, **options: str) -> Sandbox:
    """The same project with a remote on a server, and nothing cached."""
    repo.run("remote", "add", "--quiet", "--force", "storage", f"s3://{bucket}/x")
    for option, value in {**server.options(), **options}.items():
        repo.run("remote", "modify", "--local", "storage", option, value)
    return repo


def test_wrong_credentials_of_s3_are_told_by_the_options_to_set(data: Sandbox, rclone_s3: S3Server) -> None:
    s3(data, rclone_s3, rclone_s3.make_bucket(), secret_access_key="0" * 40)
    for command in (["push"], ["status", "--cloud"]):
        ran = data.run(*command, check=False)
        code, message, hint, kind = answer(ran)
        assert (code, kind) == (251, "remote-denied")
        assert message.startswith("access denied")
        assert "secret_access_key" in hint
        assert "0" * 40 not in ran.stderr


def test_no_credentials_and_a_committed_secret_are_answered_with_the_command(data: Sandbox) -> None:
    data.run("remote", "add", "--quiet", "--force", "storage", "s3://bucket/x")
    ran = data.run("push", check=False, env={"AWS_EC2_METADATA_DISABLED": "true"})
    assert "ff remote modify --local" in answer(ran)[2]
    ran = data.run("remote", "modify", "storage", "secret_access_key", "hidden", check=False)
    code, _, hint, kind = answer(ran)
    assert (code, kind) == (251, "secret-in-committed-config")
    assert hint.endswith("ff remote modify --local storage secret_access_key <value>")
    assert "hidden" not in ran.stderr + data.text(".dvc/config")


def test_a_bucket_that_does_not_exist_is_called_that(data: Sandbox, rclone_s3: S3Server) -> None:
    s3(data, rclone_s3, "no-such-bucket")
    for command in (["push"], ["status", "--cloud"]):
        code, message, _, kind = answer(data.run(*command, check=False))
        assert (code, kind) == (1, "bucket-not-found")
        assert "s3://no-such-bucket/x" in message


def test_a_server_that_is_down_is_called_that(data: Sandbox, rclone_s3: S3Server) -> None:
    s3(data, rclone_s3, "bucket", endpointurl=f"http://127.0.0.1:{free_port()}")
    code, message, hint, kind = answer(data.run("push", check=False))
    assert (code, kind) == (1, "remote-unavailable")
    assert "refuses connections" in message
    assert "server runs" in hint


def without_privileges(command: Sequence[str], repo: Sandbox) -> Ran:
    """Run ours as somebody who may not read what modes forbid, be the tests run by root or not."""
    drop = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all", "--"]
    words = [*(drop if os.geteuid() == 0 else []), find_ff(), *command]
    done = subprocess.run(
        words, cwd=repo.path, env=repo.tool.env, capture_output=True, text=True, check=False
    )
    return Ran(tuple(words), done.returncode, done.stdout, done.stderr)


def test_a_file_that_may_not_be_read_is_named(data: Sandbox) -> None:
    data.gen({"more": {"open": "1\n", "closed": "2\n"}})
    (data.path / "more" / "closed").chmod(0)
    code, message, hint, kind = answer(without_privileges(["add", "more"], data))
    assert (code, kind) == (1, "denied")
    assert message.endswith("more/closed")
    assert "mode" in hint
    assert not data.exists("more.dvc")


def test_a_project_that_may_not_be_read_is_no_missing_project(data: Sandbox) -> None:
    (data.path / ".dvc").chmod(0)
    ran = without_privileges(["status"], data)
    (data.path / ".dvc").chmod(0o755)
    assert answer(ran)[3] == "project-unreadable"


def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path, ff: Tool) -> None:
    script = (
        "mount -t tmpfs -o size=1m none small && cd small && git init -q --template= . && {0} init -q"
        " && head -c 700000 /dev/zero > big && {0} add big; echo $? $(wc -c < big); {0} status"
    )
    (tmp_path / "small").mkdir()
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script.format(find_ff())]
    done = subprocess.run(inside, cwd=tmp_path, env=ff.env, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == "1 700000", done.stderr
    _, message, hint, kind = answer(Ran(("add",), 1, "", done.stderr))
    assert (message.rpartition(": ")[2], kind) == ("No space left on device", "exhausted")
    assert "nothing was lost" in hint


def shell(repo: Sandbox, script: str, **env: str) -> Ran:
    """Run a line of shell in a project, with our command as ``ff``."""
    path = f"{Path(find_ff()).parent}:{repo.tool.env['PATH']}"
    words = ["bash", "-c", script]
    done = subprocess.run(
        words, cwd=repo.path, env={**repo.tool.env, "PATH": path, **env}, capture_output=True, check=False
    )
    return Ran(tuple(words), done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_directory_that_was_removed_is_called_that(data: Sandbox) -> None:
    ran = shell(data, "mkdir gone; cd gone; rmdir ../gone; ff status")
    assert answer(ran)[0] == 255
    assert answer(ran)[3] == "no-such-directory"


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("ff status <&-", 0),
        ("ff status >&-", 0),
        ("ff status >&- 2>&-", 0),
        ("ff destroy <&-", 1),
        ("ff --help | head -1", 0),
        ("ff dag | head -0; exit ${PIPESTATUS[1]}", 0),
    ],
)
def test_closed_streams_are_no_traceback(data: Sandbox, script: str, code: int) -> None:
    ran = shell(data, script)
    assert ran.code == code
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_locale_without_utf8_changes_no_name(data: Sandbox) -> None:
    data.gen({"naïve-日本": "1\n"})
    ran = shell(data, "ff add na*; ff add naxve; ff status", LC_ALL="C", LANG="C")
    assert ran.code == 0
    assert "path: naïve-日本\n" in data.text("naïve-日本.dvc")
    assert "code: nothing-to-add" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_without_home_the_home_is_the_users_own(data: Sandbox) -> None:
    drop = "env -u HOME -u XDG_CONFIG_HOME -u XDG_STATE_HOME -u DVC_GLOBAL_CONFIG_DIR"
    ran = shell(data, f"{drop} ff status && {drop} ff doctor; {drop} ff config --list --global --show-origin")
    assert ran.code == 0
    assert "//.config" not in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stderr


def test_undo_tells_of_the_users_files_and_not_of_our_notes(data: Sandbox) -> None:
    data.gen({"data/test": "3\n"})
    data.run("commit", "--force", "data.dvc")
    assert data.run("undo").stdout.splitlines()[1:] == ["  data.dvc"]


def test_a_pull_is_called_pull_in_the_log(data: Sandbox) -> None:
    data.run("push", "--quiet")
    shutil.rmtree(data.path / ".dvc" / "cache")
    shutil.rmtree(data.path / "data")
    data.run("pull", "--quiet")
    assert data.run("op", "log").stdout.splitlines()[0].split()[-1] == "pull"


def test_a_merge_conflict_in_a_pointer_file_is_called_that(data: Sandbox) -> None:
    old = data.text("data.dvc")
    data.gen({"data.dvc": f"{old}<<<<<<< HEAD\n{old}=======\n{old}>>>>>>> theirs\n"})
    code, message, hint, kind = answer(data.run("status", check=False))
    assert (code, kind) == (1, "bad-yaml")
    assert message.startswith("data.dvc:")
    assert "merge conflict" in hint
