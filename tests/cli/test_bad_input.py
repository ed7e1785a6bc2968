"""What is answered to broken files, impossible values, odd names, and places that refuse.

Each answer is one line, a hint, a code and the documented exit code; nothing is lost, and no answer is a
traceback. Mistyped names and remotes that refuse are in `test_answers`.
"""

import json
import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from fourfold.cli import table
from tests.cli.test_answers import answer, shell
from tests.conftest import Tool, find_ff
from tests.fixtures.sandbox import Sandbox

MD5 = "d3b07384d113edec49eaa6238ad5ff00"


@pytest.fixture
def data(ff_repo: Sandbox) -> Sandbox:
    """A project with a file, a directory and a remote."""
    ff_repo.gen({"data": {"train": "1\n"}, "f": "2\n"})
    ff_repo.run("add", "--quiet", "data", "f")
    ff_repo.run("remote", "add", "--quiet", "--default", "storage", "../storage")
    return ff_repo


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("- a\n", "must be a mapping", "git diff"),
        ("outs: a: b\n", "f.dvc:1:8: mapping values", "quote a value"),
        ("outs:\n\t- path: f\n", "f.dvc:2:1: found character", "indent with spaces"),
        ("outs: [\n", "f.dvc:2:1: expected", "close what was opened"),
        ("outs: !!x/y z\n", "constructor for the tag", "without a tag"),
        ("ous: []\n", "f.dvc:1:1: unknown key 'ous'", "did you mean 'outs'?"),
        (f"outs:\n- md5: {MD5}\n  pth: f\n", "unknown key 'pth'", "did you mean 'path'?"),
        ("outs:\n- path: f\n  path: f\n", "duplicate key", "remove one of the two"),
        ("outs:\n- md5: xyz\n  hash: md5\n  path: f\n", "not an MD5 object name", "restore the file"),
        (f"outs:\n- md5: {MD5}\n  size: big\n  path: f\n", "must be a whole number", "git diff"),
        (f"outs:\n- md5: {MD5}\n  path: ../../x\n", "outside of the project", "inside the project"),
        ("outs: []\n---\nouts: []\n", "another document", "one document"),
    ],
)
def test_a_broken_pointer_file_is_told_by_place_and_cure(
    data: Sandbox, text: str, message: str, hint: str
) -> None:
    data.gen({"f.dvc": text})
    code, said, told, _ = answer(data.run("status", check=False))
    assert code == 1
    assert message in said
    assert hint in told
    assert data.text("f.dvc") == text


@pytest.mark.parametrize("jobs", ["0", "-1", "x"])
@pytest.mark.parametrize("command", ["push", "status -c", "gc -w"])
def test_jobs_that_are_no_number_from_one_are_a_usage_error(data: Sandbox, command: str, jobs: str) -> None:
    code, message, hint, kind = answer(data.run(*command.split(), "--jobs", jobs, check=False))
    assert (code, kind) == (254, "usage")
    assert message == f"-j/--jobs: {jobs!r} is not a whole number, at least 1"
    assert hint.endswith("--help")


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        (".dvc", "belongs to DVC itself", "your data"),
        (".git/config", "belongs to Git itself", "your data"),
        ("f.dvc", "DVC file 'f.dvc' cannot be an output", "git add f.dvc"),
        ("dvc.yaml", "DVC file 'dvc.yaml' cannot be an output", "git add dvc.yaml"),
        ("/etc/hostname", "is outside of the project", "ff add /etc/hostname --out hostname"),
        ("/etc/hostname", "is outside of the project", "ff import-url /etc/hostname"),
        ("../nothing", "is outside of the project", "inside of the project"),
    ],
)
def test_what_cannot_be_tracked_is_told_with_what_to_do(
    data: Sandbox, name: str, message: str, hint: str
) -> None:
    code, said, told, _ = answer(data.run("add", name, check=False))
    assert code == 1
    assert message in said
    assert hint in told


def test_repro_without_a_pipeline_says_how_to_begin_one(data: Sandbox) -> None:
    code, message, hint, kind = answer(data.run("repro", check=False))
    assert (code, kind) == (255, "pointer-file-not-found")
    assert message == "'dvc.yaml' does not exist"
    assert hint.startswith("write the stages of the pipeline into dvc.yaml")


def test_a_mistyped_option_is_told_before_the_argument_that_it_seems_to_cost(data: Sandbox) -> None:
    for words in (["add", "--nope"], ["add", "-x"], ["move", "--froce", "a"]):
        assert answer(data.run(*words, check=False))[3] == "unknown-option"
    assert answer(data.run("add", "--quiet", check=False))[3] == "missing-argument"


@pytest.mark.parametrize(
    "command",
    [
        "add X",
        "move f X",
        "remote add X y",
        "remote add x X",
        "config core.remote X",
        "cache dir X",
        "why X",
        "diff X",
        "remote modify storage url X",
        "remote rename storage X",
        "list . X",
    ],
)
def test_a_word_that_is_not_utf8_is_refused_and_changes_nothing(data: Sandbox, command: str) -> None:
    before = {path: data.text(path) for path in (".dvc/config", "f", "f.dvc")}
    script = "ff " + command.replace("X", "$'\\xff\\xfe'")
    ran = shell(data, script)
    assert answer(ran)[0] not in {0, 3}
    assert {path: data.text(path) for path in before} == before


def test_a_locale_of_another_encoding_changes_no_name(data: Sandbox) -> None:
    data.gen({"naïve-日本": "1\n"})
    ran = shell(
        data, "ff add na*; ff status; ff why na*本", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"
    )
    assert ran.code == 0
    assert "naïve-日本.dvc: unchanged" in ran.stdout
    assert "path: naïve-日本\n" in data.text("naïve-日本.dvc")


def test_in_a_read_only_project_looking_works_and_writing_says_one_line(data: Sandbox) -> None:
    looking = ["status", "data status", "diff", "list .", "why f", "dag", "fsck", "op log", "config --list"]
    writing = ["add data", "checkout", "undo", "commit -f", "pull", "remove f.dvc", "config core.remote x"]
    lines = [f"ff {command} >&2; echo $?" for command in [*looking, *writing]]
    script = 'mount --bind -o ro . . && mount -o remount,bind,ro . && cd "$PWD"\n' + "\n".join(lines)
    words = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", script]
    env = {**data.tool.env, "PATH": f"{Path(find_ff()).parent}:{data.tool.env['PATH']}"}
    done = subprocess.run(words, cwd=data.path, env=env, capture_output=True, text=True, check=False)
    codes = [int(line) for line in done.stdout.split()]
    assert codes[: len(looking)] == [0] * len(looking), done.stderr
    assert codes[len(looking) :] == [1, 255, 255, 1, 1, 1, 251], done.stderr
    assert done.stderr.count("error: ") == len(writing)
    assert done.stderr.count("\nhint: the file system is mounted read-only") == len(writing)


def test_a_remote_that_asks_for_a_password_says_what_to_set_where_nobody_can_answer(data: Sandbox) -> None:
    data.run("remote", "add", "--quiet", "--force", "storage", "http://127.0.0.1:9/x")
    for option, value in (("auth", "basic"), ("user", "ada"), ("ask_password", "true")):
        data.run("remote", "modify", "storage", option, value)
    code, _, hint, kind = answer(data.run("push", check=False))
    assert (code, kind) == (1, "password-needed")
    assert hint.endswith("ff remote modify --local storage password <value>")


def typed(repo: Sandbox, *words: str, reply: str = "", until: bytes = b"") -> tuple[int, str]:
    """Run our command on a terminal, typing ``reply`` after ``until``; the exit code, and all it showed."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(repo.path)
        os.execve(find_ff(), [find_ff(), *words], repo.tool.env)
    shown, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 1)[0]:
            try:
                chunk = os.read(terminal, 4096)
            except OSError:
                break
            shown += chunk
            if reply and until in shown:
                os.write(terminal, reply.encode())
                reply = ""
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    return code, shown.decode()


def test_a_remote_that_asks_for_a_password_asks_on_a_terminal(data: Sandbox) -> None:
    data.run("remote", "add", "--quiet", "--force", "storage", "http://127.0.0.1:9/x")
    for option, value in (("auth", "basic"), ("user", "ada"), ("ask_password", "true")):
        data.run("remote", "modify", "storage", option, value)
    code, shown = typed(data, "push", reply="open sesame\n", until=b"password of the remote 'storage'")
    assert "code: password-needed" not in shown
    assert "open sesame" not in shown
    assert code == 1
    assert "code: remote-unavailable" in shown


def test_a_narrow_terminal_shows_help_and_answers(data: Sandbox) -> None:
    code, shown = typed(data, "add", "--help")
    assert code == 0
    assert "Usage: ff add" in shown


@pytest.mark.parametrize("command", ["status", "--json status", "--help", "--version", "list .", "dag"])
def test_output_on_a_full_disk_is_one_line(data: Sandbox, command: str) -> None:
    ran = shell(data, f"ff {command} > /dev/full")
    code, message, _, kind = answer(ran)
    assert (code != 0, kind) == (True, "exhausted")
    assert message.startswith("writing the output failed: No space left on device")


def test_a_reader_that_goes_away_is_no_error(data: Sandbox) -> None:
    data.gen({"many": {str(number): "x" for number in range(3000)}})
    data.run("add", "--quiet", "many")
    ran = shell(data, "ff list -R . | head -1; echo ${PIPESTATUS[0]}")
    assert ran.stdout.splitlines()[1] in {"0", "141"}
    assert ran.stderr == ""


@pytest.mark.parametrize("command", ["add big", "commit -f big.dvc", "checkout -f big.dvc", "push", "status"])
def test_an_interrupt_is_one_line_and_tears_nothing(data: Sandbox, command: str) -> None:
    data.gen({"big": {str(number): str(number) * 50 for number in range(1500)}})
    if command != "add big":
        data.run("add", "--quiet", "big")
    with subprocess.Popen(
        [find_ff(), *command.split()], cwd=data.path, env=data.tool.env, stderr=subprocess.PIPE, text=True
    ) as process:
        time.sleep(0.12)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1]
    assert process.returncode in {0, 252, -signal.SIGINT}
    assert "Traceback" not in said
    if process.returncode == 252:
        assert "error: interrupted" in said
    assert data.run("add", "--quiet", "big").code == 0
    assert data.run("fsck", "--read-data").code == 0


@pytest.mark.parametrize(
    "name", sorted(name for name, command in table.COMMANDS.items() if not command.hidden)
)
def test_every_command_that_fails_prints_one_json_document(tmp_path: Path, ff: Tool, name: str) -> None:
    (tmp_path / "empty").mkdir()
    for words in ([*name.split(), "--json", "--nope"], ["--json", *name.split(), "a", "b", "c", "d"]):
        ran = ff(*words, cwd=tmp_path / "empty", check=False)
        if ran.code == 0 or not ran.stderr.startswith("error: "):
            continue
        error = json.loads(ran.stdout)["error"]
        assert error["exit_code"] == ran.code
        assert {"code", "message", "hint"} <= set(error), ran
        assert error["message"] in ran.stderr
