"""Completion scripts, run by the shells that they are for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fourfold.cli import completion, describe, table
from tests.fixtures.sandbox import Tool

#: Sources the script, then asks it as the shell would when Tab is pressed at the end of the words.
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
_ff
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def complete(tmp_path: Path, ff: Tool) -> "object":
    """What bash offers after ``ff <words>``; the last word is the one under the cursor."""
    script = tmp_path / "ff.bash"
    script.write_text(completion.script("bash"))
    folder = tmp_path / "here"
    folder.mkdir()

    def ask(*words: str) -> list[str]:
        env = {**ff.env, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{ff.env['PATH']}"}
        done = subprocess.run(
            ["bash", "--norc", "-c", BASH, "bash", str(script), "ff", *words],
            cwd=folder, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.stderr == ""
        return sorted(line for line in done.stdout.splitlines() if line)

    return ask


def test_bash_offers_commands(complete) -> None:  # noqa: ANN001 - the fixture above
    assert complete("roo") == ["root"]
    assert set(complete("")) >= {"root", "completion", "help", "--json"}
    assert complete("help", "roo") == ["root"]


def test_bash_offers_the_commands_of_a_family(complete) -> None:  # noqa: ANN001
    for family in table.families():
        shown = [
            member for member in table.members(family) if not table.COMMANDS[f"{family} {member}"].hidden
        ]
        if shown:
            assert set(complete(family, "")) >= set(shown)


def test_bash_offers_options_values_and_choices(complete) -> None:  # noqa: ANN001
    assert complete("completion", "--sh") == ["--shell"]
    assert complete("completion", "-s", "") == ["bash", "fish", "zsh"]
    assert complete("completion", "--shell", "z") == ["zsh"]
    assert complete("root", "--color", "a") == ["always", "auto"]
    assert complete("--color", "never", "roo") == ["root"]


def test_bash_offers_folders_for_cd_with_blanks_in_their_names(complete, tmp_path: Path) -> None:  # noqa: ANN001
    (tmp_path / "here" / "my data").mkdir()
    (tmp_path / "here" / "my file").write_text("")
    assert complete("root", "--cd", "my") == ["my data"]


def test_bash_offers_the_names_of_remotes_and_not_their_urls(complete, ff: Tool, tmp_path: Path) -> None:  # noqa: ANN001
    ff("init", "--no-scm", cwd=tmp_path / "here")
    ff("remote", "add", "--default", "store", "/elsewhere", cwd=tmp_path / "here")
    ff("remote", "add", "a-name-that-is-longer-than-a-tab", "s3://bucket", cwd=tmp_path / "here")
    assert complete("push", "-r", "") == ["a-name-that-is-longer-than-a-tab", "store"]


def test_every_command_and_long_option_is_in_every_script() -> None:
    for shell in completion.SHELLS:
        text = completion.script(shell)
        for entry in describe.entries():
            assert entry.name.rpartition(" ")[2] in text
            for argument in entry.switches:
                for name in argument.names:
                    if name.startswith("--"):
                        assert (f"-l {name[2:]}" if shell == "fish" else name) in text


def installed(shell: str) -> str:
    """Where a shell is; `make test` installs those that most machines lack."""
    return shutil.which(shell) or pytest.fail(f"{shell} is not installed: apt-get install {shell}")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_itself_accepts_its_script(shell: str, tmp_path: Path) -> None:
    script = tmp_path / f"ff.{shell}"
    script.write_text(completion.script(shell))
    done = subprocess.run([installed(shell), "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish_offers_what_bash_offers(tmp_path: Path) -> None:
    script = tmp_path / "ff.fish"
    script.write_text(completion.script("fish"))
    asked = {"ff roo": ["root"], "ff help roo": ["root"], "ff completion --shell ": ["bash", "fish", "zsh"]}
    for line, offered in asked.items():
        done = subprocess.run(
            [installed("fish"), "--no-config", "-c", f"source {script}; complete -C $argv[1]", line],
            env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert [found.partition("\t")[0] for found in done.stdout.splitlines()] == offered


#: The script in a zsh whose completion system only prints what it is told to offer.
ZSH = """
compdef() { : }
_describe() { local name=$3; print -l -- ${(P)name} }
_files() { print -- "FILES $@" }
compadd() { shift; print -l -- "$@" }
source $1; shift
words=("$@"); CURRENT=$#
_ff
"""


def test_zsh_offers_what_bash_offers(tmp_path: Path) -> None:
    script = tmp_path / "ff.zsh"
    script.write_text(completion.script("zsh"))
    harness = tmp_path / "harness.zsh"
    harness.write_text(ZSH)
    asked = {
        ("ff", "roo"): "root:Print the path to the root of the project",
        ("ff", "completion", "-s", ""): "bash",
        ("ff", "root", "--cd", ""): "FILES -/",
        ("ff", "root", "--"): "--json:print one JSON document",
    }
    for words, offered in asked.items():
        done = subprocess.run(
            [installed("zsh"), "-f", str(harness), str(script), *words],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert offered in done.stdout.splitlines()


def test_the_command_prints_the_script_even_under_quiet(ff: Tool, tmp_path: Path) -> None:
    for shell in completion.SHELLS:
        assert ff("completion", "-q", "-s", shell, cwd=tmp_path).stdout == completion.script(shell)
    assert ff("completion", cwd=tmp_path).stdout == completion.script("bash")
