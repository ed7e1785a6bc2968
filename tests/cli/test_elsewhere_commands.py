"""import, import-url, update and what status says of them: as a user runs them."""

import json
from pathlib import Path

import pytest

from tests.fixtures.sandbox import Sandbox, Tool


@pytest.fixture
def source(ff_repo: Sandbox, ff: Tool) -> Sandbox:
    """Another repository beside ours, which tracks ``f``."""
    box = Sandbox(ff_repo.path.parent / "source", ff)
    box.git("init", "--quiet", "--initial-branch", "main")
    box.run("init", "--quiet")
    box.gen({"f": "data\n"})
    box.run("add", "f")
    box.commit("one")
    return box


def publish(source: Sandbox, text: str) -> str:
    """Another commit of the source; its id."""
    source.gen({"f": text})
    source.run("add", "f")
    source.commit("more")
    return source.git("rev-parse", "HEAD").strip()


def test_an_import_is_followed(ff_repo: Sandbox, source: Sandbox) -> None:
    ran = ff_repo.run("import", "../source", "f")
    assert ran.stdout == "Importing 'f (../source)' -> 'f' (5 B)\n"
    assert ran.stderr == "to track the changes with git, run: git add .gitignore f.dvc\n"
    ff_repo.commit("imported")
    assert ff_repo.run("update", "f.dvc").stdout == "'f.dvc' didn't change, skipping\n"
    publish(source, "newer data\n")
    said = "f.dvc:\n\tchanged deps:\n\t\tupdate available:   f (../source)\n"
    assert ff_repo.run("status").stdout == said
    assert ff_repo.run("status", "--no-updates").stdout == "Data and pipelines are up to date.\n"
    ran = ff_repo.run("update", "f.dvc")
    assert ran.stdout == "Importing 'f (../source)' -> 'f' (11 B)\n"
    assert ran.stderr == "to track the changes with git, run: git add f.dvc\n"
    assert ff_repo.run("status").stdout == "Data and pipelines are up to date.\n"
    assert ff_repo.run("undo").code == 0
    assert ff_repo.text("f") == "data\n"


def test_an_update_is_told_as_json(ff_repo: Sandbox, source: Sandbox) -> None:
    ff_repo.run("import", "../source", "f")
    commit = publish(source, "newer data\n")
    ff_repo.gen({"url": "1\n"})
    ff_repo.run("import-url", "url", "copy")
    told = json.loads(ff_repo.run("update", "--json", "f.dvc", "copy.dvc").stdout)
    assert told == {
        "updated": [
            {
                "path": "f",
                "pointer": "f.dvc",
                "source": "f (../source)",
                "rev": commit,
                "md5": "b2895bf62bd2ac33e82b887df12456c8",
                "size": 11,
                "nfiles": None,
            }
        ],
        "unchanged": ["copy.dvc"],
        "files": ["f.dvc"],
        "staged": False,
    }


def test_what_is_no_import_is_answered_with_what_to_do(ff_repo: Sandbox) -> None:
    ff_repo.gen({"own": "1\n"})
    ff_repo.run("add", "own")
    ran = ff_repo.run("update", "own.dvc", check=False)
    assert ran.code == 1
    assert ran.stderr.splitlines() == [
        "error: 'own.dvc' is no import: it has no source",
        "hint: record what it is now with: ff commit own.dvc",
        "code: not-an-import",
    ]


def test_a_source_that_does_not_answer_is_a_warning_of_status(ff_repo: Sandbox, source: Sandbox) -> None:
    ff_repo.run("import", "../source", "f")
    source.path.rename(Path(f"{source.path}-moved"))
    ran = ff_repo.run("status")
    assert ran.stdout == "Data and pipelines are up to date.\n"
    assert "warning: 'f.dvc': its source could not be asked for updates: " in ran.stderr
    assert ff_repo.run("status", "--no-updates").stderr == ""
