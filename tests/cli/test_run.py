"""``ff run``: any command, in a project, in a Git repository and in a mere folder, observed and recorded."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture(params=["project", "git", "folder"])
def place(request: pytest.FixtureRequest, tmp_path: Path, ff: Tool) -> Sandbox:
    """The three kinds of places."""
    if request.param == "project":
        return request.getfixturevalue("ff_repo")  # type: ignore[no-any-return]
    if request.param == "git":
        return request.getfixturevalue("git_repo")  # type: ignore[no-any-return]
    return Sandbox(tmp_path / "folder", ff)


def shown(box: Sandbox, run: str = "@") -> Any:
    return box.run("runs", "show", run, "--json").json()["record"]


def test_what_a_command_reads_and_writes_is_its_data(place: Sandbox) -> None:
    place.gen({"in.txt": "one\n", "never.txt": "two\n"})
    ran = place.run("run", "--", "cp", "in.txt", "out.txt")
    assert "recorded as" in ran.stdout
    assert "1 input, 1 output" in ran.stdout
    record = shown(place)
    assert record["kind"] == "command"
    assert record["command"] == ["cp in.txt out.txt"]
    (read,), (made,) = (record["data"][name]["value"] for name in ("inputs", "outputs"))
    assert (read["path"], made["path"]) == ("in.txt", "out.txt")
    assert read["md5"] == made["md5"] == "5bbf5a52328e7439ae6e719dfe712200"
    assert read["blake3"] == made["blake3"]


def test_the_folder_of_ours_hides_itself_from_git(git_repo: Sandbox) -> None:
    git_repo.run("run", "--", "true")
    assert git_repo.exists(".fourfold/runs/head")
    assert git_repo.git("status", "--porcelain") == ""


def test_the_exit_code_is_that_of_the_command(place: Sandbox) -> None:
    ran = place.run("run", "--", "sh -c 'exit 7'", check=False)
    assert ran.code == 7
    assert shown(place)["outcome"] == {"state": "failed", "code": 7}
    assert place.run("run", "--", "kill -TERM $$", check=False).code == 128 + 15
    assert place.run("run", "no-such-program-anywhere", check=False).code == 127


def test_words_with_blanks_stay_words_and_one_word_is_a_line_for_the_shell(place: Sandbox) -> None:
    assert place.run("run", "--", "printf", "%s|", "a b", "$HOME").stdout.startswith("a b|$HOME|")
    assert place.run("run", "echo a | tr a b").stdout.startswith("b\n")


def test_a_seed_that_is_given_reaches_the_command_and_its_numbers_come_again(place: Sandbox) -> None:
    command = ["python", "-c", "import random; print(random.random())"]
    one, other = (place.run("run", "--seed", "5", "--", *command).stdout.split()[0] for _ in range(2))
    third = place.run("run", "--seed", "6", "--", *command).stdout.split()[0]
    assert one == other != third
    assert shown(place)["randomness"]["seed"] == {"grade": "declared", "value": 6, "why": "command line"}


def test_json_is_one_document_and_the_command_writes_to_stderr(place: Sandbox) -> None:
    ran = place.run("run", "--json", "--", "echo", "said")
    answer = ran.json()
    assert ran.stderr.startswith("said\n")
    assert set(answer) >= {"run", "code", "inputs", "outputs"}
    assert answer["run"] == place.run("runs", "list", "--json").json()["runs"][0]["id"]


def test_what_is_declared_is_the_data_and_the_rest_is_told(place: Sandbox) -> None:
    place.gen({"in.txt": "1\n", "more.txt": "2\n"})
    ran = place.run("run", "-d", "in.txt", "-o", "out.txt", "--", "cat in.txt more.txt > out.txt")
    assert "more.txt" in ran.stdout + ran.stderr
    record = shown(place)
    assert [item["path"] for item in record["data"]["inputs"]["value"]] == ["in.txt"]
    strict = place.run(
        "run", "--strict", "-d", "in.txt", "-o", "out.txt", "--", "cat in.txt more.txt > out.txt", check=False
    )
    assert strict.code == 255
    assert "more.txt" in strict.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ((), "ff run needs a command"),
        (("--",), "ff run needs a command"),
        (("--seed", "-1", "true"), "seed"),
        (("--seed", "nobody", "true"), "names no parameter"),
        (("--seed", "99999999999999999999999", "true"), "seed must be from 0"),
        (("--numerics", "fast", "true"), "unknown numerics"),
        (("--env", "A=b", "true"), "no name of a variable"),
        (("--determinism", "very", "true"), "--determinism"),
        (("-d", "nothing.txt", "true"), "'nothing.txt' does not exist"),
    ],
)
def test_a_wrong_command_line_runs_nothing(git_repo: Sandbox, args: tuple[str, ...], says: str) -> None:
    ran = git_repo.run("run", *args, check=False)
    assert ran.code in {254, 255}
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not git_repo.exists(".fourfold")


def test_a_project_inside_of_which_the_user_stands_keeps_the_record(ff_repo: Sandbox) -> None:
    ff_repo.gen({"sub": {"in.txt": "1\n"}})
    ff_repo.run("run", "--", "cat", "in.txt", cwd="sub")
    assert [item["path"] for item in shown(ff_repo)["data"]["inputs"]["value"]] == ["sub/in.txt"]
    assert not ff_repo.exists("sub/.fourfold")


def test_records_that_cannot_be_kept_do_not_stop_the_command(git_repo: Sandbox) -> None:
    git_repo.gen({".fourfold": "in the way"})
    ran = git_repo.run("run", "--", "echo", "done")
    assert ran.stdout.startswith("done\n")
    assert "not recorded" in ran.stderr
    assert json.dumps(ran.code) == "0"
