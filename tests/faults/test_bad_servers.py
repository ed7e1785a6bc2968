"""A server that misbehaves, against the whole command: what passes is waited out, what stays is told, and
neither leaves anything half done. The ways in which single calls fail are in ``tests/storage``.
"""

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.faults import checker
from tests.fixtures.http_files import HttpFiles, Script
from tests.fixtures.sandbox import Ran, Sandbox

TEXTS = {"a": "first\n", "b": "second\n", "c": "third\n"}
#: What the server does in the place of its answer.
FAILURES = {
    "500": Script(500),
    "429": Script(429),
    "reset": Script(0),
    "stall": Script(200, b"late", stall=1.5),
    "short": Script(200, b"fir", announce=6),
    "wrong length": Script(200, b"more than was asked for\n"),
    "wrong bytes": Script(200, b"First\n"),
}
#: Every try is repeated with waits between; one of each sort is tried by ``make test``, all by ``make slow``.
QUICK = {"500", "wrong length", "wrong bytes"}
#: Failures after which the bytes that came are not those of the object, however whole the answer looked.
FALSE = {"wrong length", "wrong bytes"}


@pytest.fixture
def emptied(ff_repo: Sandbox, http_files: HttpFiles) -> Iterator[Sandbox]:
    """A project whose data is on the server only."""
    ff_repo.run("remote", "add", "-d", "r", http_files.url)
    ff_repo.run("remote", "modify", "--local", "r", "read_timeout", "0.4")
    ff_repo.gen({"d": TEXTS})
    ff_repo.run("add", "d")
    ff_repo.run("push")
    ff_repo.gen({"d": None, ".dvc/cache": None, ".dvc/fourfold": None})
    yield ff_repo
    http_files.choose = lambda _method, _path: None


def waited_for(names: set[str]) -> list[object]:
    """The failures of these names as parameters, those that are not `QUICK` marked as slow."""
    return [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow, id=name) for name in sorted(names)
    ]


def key(text: str) -> str:
    """Where the server keeps an object."""
    oid = hashlib.md5(text.encode()).hexdigest()
    return f"{oid[:2]}/{oid[2:]}"


def is_sound(box: Sandbox, ran: Ran) -> None:
    """Nothing that is there is wrong, and nothing was said that only a programmer understands."""
    assert "Traceback" not in ran.stderr, ran
    assert checker.torn_objects(box.path) == []
    assert not list(Path(box.path).rglob("*.tmp"))
    for name, text in TEXTS.items():
        assert not box.exists(f"d/{name}") or box.text(f"d/{name}") == text


@pytest.mark.parametrize("failure", sorted({*FAILURES} - FALSE))
def test_what_a_server_does_once_is_waited_out(emptied: Sandbox, http_files: HttpFiles, failure: str) -> None:
    turns = count()

    def choose(method: str, path: str) -> Script | None:
        spoil = method == "GET" and key(TEXTS["a"]) in path and next(turns) == 0
        return FAILURES[failure] if spoil else None

    http_files.choose = choose
    ran = emptied.run("pull")
    is_sound(emptied, ran)
    assert next(turns) > 1, "the server was not asked again"
    assert emptied.run("status", "--json").json() == {}


@pytest.mark.parametrize("failure", waited_for({*FAILURES}))
def test_what_a_server_goes_on_doing_is_told_and_the_rest_is_brought(
    emptied: Sandbox, http_files: HttpFiles, failure: str
) -> None:
    def choose(method: str, path: str) -> Script | None:
        return FAILURES[failure] if method == "GET" and key(TEXTS["a"]) in path else None

    http_files.choose = choose
    ran = emptied.run("pull", check=False)
    assert ran.code == 1, ran
    is_sound(emptied, ran)
    assert not emptied.exists("d/a")
    if failure in FALSE:
        assert "d/a" in ran.stderr, ran
        assert (emptied.text("d/b"), emptied.text("d/c")) == (TEXTS["b"], TEXTS["c"])
    assert emptied.run("status", "--json").json() != {}
    http_files.choose = lambda _method, _path: None
    emptied.run("pull")
    assert emptied.run("status", "--json").json() == {}


@pytest.mark.parametrize("failure", waited_for({"500", "429", "reset", "stall"}))
def test_a_push_that_a_server_refuses_leaves_no_directory_without_its_files(
    ff_repo: Sandbox, http_files: HttpFiles, failure: str
) -> None:
    ff_repo.run("remote", "add", "-d", "r", http_files.url)
    ff_repo.run("remote", "modify", "--local", "r", "read_timeout", "0.4")
    ff_repo.gen({"d": TEXTS})
    ff_repo.run("add", "d")

    def choose(method: str, path: str) -> Script | None:
        return FAILURES[failure] if method in http_files.methods and key(TEXTS["b"]) in path else None

    http_files.choose = choose
    ran = ff_repo.run("push", check=False)
    assert ran.code == 1, ran
    assert "Traceback" not in ran.stderr
    assert not [path for path in http_files.files if path.endswith(".dir")]
    assert ff_repo.run("status", "-c", "--json", check=False).stdout.strip() != "{}"
    http_files.choose = lambda _method, _path: None
    ff_repo.run("push")
    assert ff_repo.run("status", "-c", "--json").json() == {}
